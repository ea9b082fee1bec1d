"""DLPack for memory of a device, both ways: capsules that hold a device's address.

Owns: making and reading such capsules. Must not know Buffer, drivers, or kernels; `dlpack.py` is for memory of the host.
Invariants: a capsule that nobody took lets go of the memory when it is collected, one that was taken when its consumer says so; what is
taken here is let go once.

Source: DLPack 1.x, dlpack.h; the array API standard's `__dlpack__`.
"""
from __future__ import annotations

import ctypes
import itertools
from dataclasses import dataclass
from typing import Any

from svod import errors
from svod.device import dlpack
from svod.device.dlpack import READ_ONLY, TensorStruct, VersionedStruct, capsule_name, capsule_pointer
from svod.dtype.dtypes import DType, dtypes

_INT, _UINT, _FLOAT, _BOOL = 0, 1, 2, 6
"""kDLInt, kDLUInt, kDLFloat, kDLBool."""


class ManagedStruct(ctypes.Structure):
    """DLManagedTensor: before version 1."""

    _fields_ = (("tensor", TensorStruct), ("manager", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_Destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, _Destructor)
_rename = ctypes.pythonapi.PyCapsule_SetName
_rename.restype, _rename.argtypes = ctypes.c_int, (ctypes.py_object, ctypes.c_char_p)
_raw_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)(("PyCapsule_GetName", ctypes.pythonapi))
_raw_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_PLAIN, _VERSIONED = b"dltensor", b"dltensor_versioned"
_USED = {_PLAIN: b"used_dltensor", _VERSIONED: b"used_dltensor_versioned"}
_shared: dict[int, tuple[Any, ...]] = {}
"""Address of a struct that was given away -> it, and what it keeps. Emptied by its deleter."""


def _let_go(address: int) -> None:
    _shared.pop(address, None)


def _drop(capsule: int) -> None:
    """A capsule goes: if nobody took what is in it, its memory goes with it. (Python's C interface has the object already half gone.)"""
    name = _raw_name(capsule)
    if name in (_PLAIN, _VERSIONED):
        _shared.pop(_raw_pointer(capsule, name), None)


_delete, _dropped = _Deleter(_let_go), _Destructor(_drop)


@dataclass(frozen=True, slots=True)
class Shared:
    """Elements that are to be shared: where they begin, how many, of which type, on which device; and what keeps them."""

    address: int
    elements: int
    dtype: DType
    device: tuple[int, int]
    writable: bool
    keeps: object


def _code(dtype: DType) -> int:
    if (special := dlpack.CODES.get(dtype)) is not None:
        return special
    if dtype.is_bool:
        return _BOOL
    return _FLOAT if dtype.is_float else _UINT if dtype.is_unsigned else _INT


def share(what: Shared, max_version: tuple[int, int] | None) -> Any:
    """A capsule of one axis. BufferError for read-only memory, where the consumer cannot be told so."""
    versioned = max_version is not None and max_version >= (1, 0)
    if not what.writable and not versioned:
        raise errors.BufferError("read-only memory cannot be shared with a consumer of DLPack before 1.0", hint="share a copy")
    made: Any = VersionedStruct() if versioned else ManagedStruct()
    shape, strides = (ctypes.c_int64 * 1)(what.elements), (ctypes.c_int64 * 1)(1)
    tensor = made.tensor
    tensor.data, tensor.ndim, tensor.byte_offset = what.address, 1, 0
    tensor.device.type, tensor.device.id = what.device
    tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes = _code(what.dtype), 8 * what.dtype.itemsize, 1
    tensor.shape, tensor.strides = ctypes.addressof(shape), ctypes.addressof(strides)
    made.deleter = ctypes.cast(_delete, ctypes.c_void_p).value
    if versioned:
        made.major, made.minor, made.flags = 1, 0, 0 if what.writable else READ_ONLY
    address = ctypes.addressof(made)
    _shared[address] = (made, shape, strides, what.keeps)
    return _new(address, _VERSIONED if versioned else _PLAIN, _dropped)


class Taken:
    """What a producer shares: elements at an address of its device. Let go with this object."""

    def __init__(self, capsule: Any) -> None:
        name = capsule_name(capsule)
        if name not in (_PLAIN, _VERSIONED):
            raise errors.BufferError(f"{name!r} is no DLPack capsule, or it was used already")
        address = capsule_pointer(capsule, name)
        form: Any = VersionedStruct if name == _VERSIONED else ManagedStruct
        made = ctypes.cast(address, ctypes.POINTER(form)).contents
        tensor = made.tensor
        self.device = (int(tensor.device.type), int(tensor.device.id))
        self.address = int(tensor.data or 0) + int(tensor.byte_offset)
        self.dtype = _dtype(tensor)
        shape = _numbers(tensor.shape, tensor.ndim)
        strides = _numbers(tensor.strides, tensor.ndim) if tensor.strides else None
        self.elements = 1
        for extent in shape:
            self.elements *= extent
        self.writable = name == _PLAIN or not made.flags & READ_ONLY
        self.contiguous = self.elements < 2 or strides is None or _in_order(shape, strides)
        self._deleter, self._address = made.deleter, address
        _rename(capsule, _USED[name])

    @property
    def nbytes(self) -> int:
        """Bytes, if contiguous."""
        return self.elements * self.dtype.itemsize

    def __del__(self) -> None:
        deleter = self.__dict__.pop("_deleter", None)
        if deleter:
            _Deleter(deleter)(self._address)


def take(source: Any, *, stream: int | None) -> Taken:
    """What `source` shares, for use behind what is in `stream` of its device. BufferError if it refuses, or for a type svod has not."""
    try:
        try:
            capsule = source.__dlpack__(stream=stream, max_version=(1, 0))
        except TypeError:
            capsule = source.__dlpack__(stream=stream)
    except (RuntimeError, ValueError, TypeError, BufferError) as e:
        raise errors.BufferError(f"{type(source).__name__} does not share its memory: {e}", hint="in torch: x.detach()") from e
    return Taken(capsule)


def kind_of(value: object) -> int | None:
    """What kind of memory an object shares through DLPack; None if it does not."""
    if not isinstance(value, dlpack.Producer):
        return None
    try:
        return int(value.__dlpack_device__()[0])
    except (RuntimeError, ValueError, BufferError, errors.BufferError):
        return None


def _numbers(address: int, count: int) -> list[int]:
    return list((ctypes.c_int64 * count).from_address(address)) if count else []


def _in_order(shape: list[int], strides: list[int]) -> bool:
    steps = list(itertools.accumulate(reversed(shape[1:]), lambda a, b: a * b, initial=1))[::-1]
    return all(extent == 1 or stride == step for extent, stride, step in zip(shape, strides, steps, strict=True))


def _dtype(tensor: Any) -> DType:
    code, bits, lanes = tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes
    found = [d for d in dtypes.ALL if _code(d) == code and 8 * d.itemsize == bits]
    if lanes != 1 or not found:
        raise errors.BufferError(f"DLPack elements with type code {code}, {bits} bits, {lanes} lanes cannot be used",
                                 hint="convert to a type that svod has, for example float32")
    return found[0]
