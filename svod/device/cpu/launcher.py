"""Launchers: builtin functions that take a Python call straight to a compiled kernel.

Owns: what a launcher checks (LaunchSpec), the descriptor that launcher.ll reads, the proof that objects are laid out as it assumes. Must
not know how kernels are made, nor diagnose: a launcher that returns False has done nothing, and its caller finds out why.
Invariant: a launcher never leaves a Python exception set and never touches an argument it does not run on.
"""
from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from svod.device.cpu.pool import Pool
from svod.dtype import DType, Kind, dtypes, numpy_dtype
from svod.errors import SpecError

Launcher = Callable[..., bool]
"""`launcher(*buffers, *scalars)`: True if the kernel ran, False with nothing done if anything is not exactly as its spec says."""

PARALLEL_THRESHOLD = 10_000
"""Estimated ns of work from which a launch is spread over the pool."""

GIL_THRESHOLD = 5_000
"""Estimated ns of work from which the GIL is released: releasing it costs 40 to 60 ns."""

C_CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400
"""Bits of PyArrayObject.flags."""

_FASTCALL = 0x80
_HEADER = struct.Struct("<23q")
_BUFFER, _SCALAR, _PAIR = struct.Struct("<4q"), struct.Struct("<3q"), struct.Struct("<3q")
_DTYPE_MASK = 0xFFFFFFFF_00FF0000
_KIND_INT, _KIND_F32, _KIND_F64, _KIND_BOOL = range(4)
_I64_MIN, _I64_MAX = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class BufferParam:
    """One array: C-contiguous, aligned, in native byte order. The buffers at the positions `may_alias` may start at the same address."""

    dtype: DType
    min_elements: int = 0
    writable: bool = False
    may_alias: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ScalarParam:
    """One scalar within [min, max]; the bounds of its dtype by default.

    Taken: exactly int for integers (not above 2**63 - 1), bool for bool, float or an int of at most 2**53 for f32 and f64, but no finite
    one that is infinite in f32. NaN passes where there are no bounds.
    """

    dtype: DType
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """A kernel and what its arguments must be. `entry` and `reach` are addresses; `reach` 0 means: use `min_elements` and `work`.

    Work is in ns-ish units. `name` is the launcher's __name__. SpecError for numbers that make no sense.
    """

    entry: int
    buffers: tuple[BufferParam, ...] = ()
    scalars: tuple[ScalarParam, ...] = ()
    cores: int = 1
    phases: int = 1
    shared_bytes: int = 0
    private_bytes: int = 0
    reach: int = 0
    work: int = 0
    parallel_threshold: int = PARALLEL_THRESHOLD
    gil_threshold: int = GIL_THRESHOLD
    name: str = "launch"

    def __post_init__(self) -> None:
        if not self.entry:
            raise SpecError(f"kernel {self.name!r} has no entry address")
        if self.cores < 1 or self.phases < 1 or min(self.shared_bytes, self.private_bytes, self.work) < 0:
            raise SpecError(f"kernel {self.name!r} of {self.cores} cores and {self.phases} phases, {self.shared_bytes} and "
                            f"{self.private_bytes} B of scratch, work {self.work} makes no sense")
        for i, buffer in enumerate(self.buffers):
            if not buffer.may_alias <= set(range(len(self.buffers))) - {i}:
                raise SpecError(f"buffer {i} of kernel {self.name!r} may alias {sorted(buffer.may_alias)}: not other buffers of it")


class _Descriptor(bytes):
    """What launcher.ll reads, as the `self` of the launcher: it lives as long as the function, and so does what it refers to."""

    keep: tuple[object, ...]


class _MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


def make_launcher(spec: LaunchSpec, pool: Pool, *, owner: object = None) -> Launcher | None:
    """A builtin `launcher(*arrays, *scalars) -> bool` that checks all the spec says. `owner` (the loaded code) lives as long as it does.

    None where there is no fast path: a scalar of f16, bf16 or fp8, or an interpreter or NumPy whose objects are laid out otherwise.
    """
    return _make(spec, pool, owner, ("launch", "(*arrays, *scalars) -> bool: True if the kernel ran, False if nothing was done"))


def make_raw(spec: LaunchSpec, pool: Pool, *, owner: object = None) -> Launcher | None:
    """The same for integer addresses in place of arrays. They are believed: what they point to is the caller's care. None as above."""
    return _make(spec, pool, owner, ("launch_raw", "(*addresses, *scalars) -> bool: unchecked addresses; True if the kernel ran"))


def _make(spec: LaunchSpec, pool: Pool, owner: object, what: tuple[str, str]) -> Launcher | None:
    function, doc = what
    if not layout_matches() or any(_scalar_kind(s.dtype) is None for s in spec.scalars):
        return None
    descriptor = _Descriptor(_describe(spec, pool))
    method = _MethodDef(spec.name.encode(), pool.native.address(function), _FASTCALL, doc.encode())
    descriptor.keep = (pool, owner, method, *(numpy_dtype(b.dtype) for b in spec.buffers))
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    launcher: Launcher = new(ctypes.addressof(method), descriptor, None)
    return launcher


def _describe(spec: LaunchSpec, pool: Pool) -> bytes:
    """%Descriptor of launcher.ll and its three tables."""
    buffers = [_BUFFER.pack(_dtype_word(numpy_dtype(b.dtype)), C_CONTIGUOUS | ALIGNED | (WRITEABLE if b.writable else 0),
                            max(b.min_elements, 0), numpy_dtype(b.dtype).itemsize) for b in spec.buffers]
    scalars = [_scalar_entry(s) for s in spec.scalars]
    pairs = [_PAIR.pack(i, j, j in a.may_alias or i in b.may_alias)
             for (i, a), (j, b) in combinations(enumerate(spec.buffers), 2) if a.writable or b.writable]
    tables = [b"".join(t) for t in (buffers, scalars, pairs)]
    at = _HEADER.size
    header = _HEADER.pack(
        spec.entry, spec.reach, pool.address, spec.cores, spec.phases, spec.shared_bytes, spec.private_bytes,
        spec.work, spec.parallel_threshold, spec.gil_threshold, id(np.ndarray), id(int), id(float), id(True), id(False),
        len(buffers), len(scalars), len(pairs), at, at + len(tables[0]), at + len(tables[0]) + len(tables[1]),
        pool.native.address("pool_run"), pool.native.address("pool_serial"))
    return header + b"".join(tables)


def _scalar_kind(dtype: DType) -> int | None:
    """How launcher.ll reads a scalar of `dtype`; None if it does not."""
    floats = {dtypes.f32: _KIND_F32, dtypes.f64: _KIND_F64}
    return _KIND_BOOL if dtype.is_bool else _KIND_INT if dtype.is_int and dtype.kind is not Kind.INDEX else floats.get(dtype)


def _scalar_entry(scalar: ScalarParam) -> bytes:
    kind = _scalar_kind(scalar.dtype)
    low = scalar.dtype.min if scalar.min is None else max(scalar.min, scalar.dtype.min)
    high = scalar.dtype.max if scalar.max is None else min(scalar.max, scalar.dtype.max)
    if kind in (_KIND_F32, _KIND_F64):
        return struct.pack("<qdd", kind, low, high)
    return _SCALAR.pack(kind, max(int(low), _I64_MIN), min(int(high), _I64_MAX))


def _dtype_word(dtype: np.dtype[Any]) -> int:
    """The bytes of a PyArray_Descr that say type number and byte order, as a signed 64-bit integer."""
    word: int = ctypes.c_uint64.from_address(id(dtype) + 24).value & _DTYPE_MASK
    return word - (1 << 64) if word >> 63 else word


@cache
def layout_matches() -> bool:
    """Whether objects of this interpreter and NumPy lie in memory as launcher.ll reads them, found out on real ones."""
    if sys.implementation.name != "cpython" or "free-threading" in sys.version:  # sysconfig says so too, after 6 ms
        return False
    sizes = ((np.ndarray, 72), (np.dtype, 32), (bytes, 33), (float, 24))
    if (sys.byteorder, struct.calcsize("P")) != ("little", 8) or any(t.__basicsize__ < size for t, size in sizes):
        return False
    return _bytes_and_float_match() and all(_array_matches(a) for a in _probes())


def _probes() -> list[np.ndarray[Any, Any]]:
    """Arrays that differ in everything launcher.ll looks at."""
    frozen = np.zeros((2, 3, 4), np.int16)
    frozen.flags.writeable = False
    unaligned = np.zeros(41, np.uint8)[1:].view(np.float64)
    plain: list[np.ndarray[Any, Any]] = [
        np.zeros((3, 5), np.float32), np.zeros((3, 5), np.float64).T, np.zeros(7, ">i4"), np.array(1, np.uint8), np.zeros((0, 2))]
    return [*plain, frozen, unaligned]


def _array_matches(array: np.ndarray[Any, Any]) -> bool:
    """type, data, nd, dimensions, descr and flags of an array, type number and byte order of its dtype."""
    at = id(array)
    _, kind, data, nd, shape, _, _, dtype, flags = struct.unpack("<qqqi4xqqqqi4x", ctypes.string_at(at, 72))
    if (kind, data, nd, dtype) != (id(np.ndarray), array.ctypes.data, array.ndim, id(array.dtype)):
        return False
    extents = struct.unpack(f"<{nd}q", ctypes.string_at(shape, 8 * nd)) if nd else ()
    bits = tuple(bool(flags & bit) for bit in (C_CONTIGUOUS, ALIGNED, WRITEABLE))
    char, order, number = struct.unpack("<xccxi", ctypes.string_at(dtype + 24, 8))
    return (extents == array.shape and bits == (array.flags.c_contiguous, array.flags.aligned, array.flags.writeable)
            and (char, order, number) == (array.dtype.char.encode(), array.dtype.byteorder.encode(), array.dtype.num))


def _bytes_and_float_match() -> bool:
    """Contents of a bytes object (also of a subclass) and value of a float."""
    sample, number = _Descriptor(b"svod descriptor \x00\xff"), -1234.5678
    return (ctypes.string_at(id(sample) + 32, len(sample)) == bytes(sample)
            and struct.unpack("<qd", ctypes.string_at(id(number) + 8, 16)) == (id(float), number))
