"""DLPack for host memory, both ways, including the types that NumPy's own DLPack refuses (bf16 and fp8).

Owns: capsules. Must not know Buffer or the kernels. NumPy makes and takes the capsules, and so owns every lifetime; for types that it does
not know the array travels as unsigned integers of the same width, and the type code inside the capsule is exchanged.
Invariant: no copy is made unless it was asked for, and memory that a producer calls read-only is read-only here.

Source: DLPack 1.x, dlpack.h (struct layouts, type and device codes), and the array API standard's `__dlpack__`.
"""
from __future__ import annotations

import builtins
import ctypes
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from svod import errors
from svod.dtype.convert import numpy_dtype
from svod.dtype.dtypes import DType, dtypes

T = TypeVar("T")
HOST_DEVICE = (1, 0)
"""kDLCPU."""
_HOST_TYPES = frozenset((1, 3, 11, 13))
"""CPU, and host memory that CUDA or ROCm pinned or manages."""
_DEVICE_NAMES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 12: "an extension device", 14: "oneAPI", 15: "WebGPU"}
_UINT = 1
READ_ONLY = 1
"""A bit in the flags of a capsule."""
CODES = {dtypes.bf16: 4, dtypes.f8e4m3: 10, dtypes.f8e4m3fnuz: 11, dtypes.f8e5m2: 12, dtypes.f8e5m2fnuz: 13}
_FROM_CODE = {(code, dtype.bits): dtype for dtype, code in CODES.items()}
_NUMPY_21 = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
"""From 2.1 on NumPy speaks DLPack 1.0: versions, read-only flags, copy."""


@runtime_checkable
class Producer(Protocol):
    """Anything that shares its memory through DLPack: torch, JAX, CuPy, NumPy, Buffer."""

    def __dlpack__(self) -> object: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


class _Device(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int32), ("id", ctypes.c_int32))


class _Type(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class TensorStruct(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("device", _Device), ("ndim", ctypes.c_int32), ("dtype", _Type),
                ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p), ("byte_offset", ctypes.c_uint64))


class VersionedStruct(ctypes.Structure):
    _fields_ = (("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("manager", ctypes.c_void_p), ("deleter", ctypes.c_void_p),
                ("flags", ctypes.c_uint64), ("tensor", TensorStruct))


capsule_name = ctypes.pythonapi.PyCapsule_GetName
capsule_name.restype, capsule_name.argtypes = ctypes.c_char_p, (ctypes.py_object,)
capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
capsule_pointer.restype, capsule_pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


class _Carrier:
    """A capsule in the clothes of a producer, for numpy.from_dlpack."""

    __slots__ = ("capsule",)

    def __init__(self, capsule: object) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: object) -> object:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return HOST_DEVICE


class _Alias:
    """The memory of an array that NumPy took for read-only because the capsule could not say; keeps the array alive."""

    __slots__ = ("__array_interface__", "_owner")

    def __init__(self, array: NDArray[Any]) -> None:
        interface = dict(array.__array_interface__)
        self.__array_interface__ = interface | {"data": (interface["data"][0], False)}
        self._owner = array


def export(array: NDArray[Any], dtype: DType, *, max_version: tuple[int, int] | None = None, copy: bool | None = None) -> Any:
    """A capsule of `array`, whose elements are of `dtype`. BufferError if the memory is read-only and the consumer cannot be told so.

    `max_version`: the newest DLPack version that the consumer knows; None: older than 1.0. `copy=True` shares a copy instead.
    """
    code = CODES.get(dtype)
    plain = array if code is None else array.view(f"u{dtype.itemsize}")
    if copy:
        plain = plain.copy()
    try:
        capsule = plain.__dlpack__(max_version=max_version) if _NUMPY_21 and max_version is not None else plain.__dlpack__()
    except builtins.BufferError as e:
        raise errors.BufferError(f"this memory cannot be shared through DLPack: {e}",
                                 hint="share a copy: buffer.numpy(copy=True)" if not plain.flags.writeable else "") from e
    if code is not None:
        _tensor_of(capsule).dtype.code = code
    return capsule


def import_array(source: Producer) -> NDArray[Any]:
    """The memory of `source` as an array, without a copy; its owner lives as long as the array.

    BufferError if the memory is not the host's, if the producer refuses, or if the type is one that svod does not have.
    """
    kind = _asked(source, lambda: int(source.__dlpack_device__()[0]))
    if kind not in _HOST_TYPES:
        raise errors.BufferError(f"this {type(source).__name__} is in the memory of {_DEVICE_NAMES.get(kind, f'DLPack device {kind}')}, "
                                 "which the host cannot reach", hint="copy it to the host first: x.cpu() in torch, x.get() in CuPy")
    capsule, silent = _capsule_of(source)
    tensor = _tensor_of(capsule)
    code, bits, lanes = tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes
    special = _FROM_CODE.get((code, bits))
    if special is not None:
        tensor.dtype.code = _UINT
    try:
        array = np.from_dlpack(_Carrier(capsule))  # type: ignore[arg-type]
    except (builtins.BufferError, RuntimeError) as e:
        raise errors.BufferError(f"DLPack elements with type code {code}, {bits} bits, {lanes} lanes cannot be used: {e}",
                                 hint="convert to a type that svod has, for example float32") from e
    if silent and not array.flags.writeable:
        array = np.asarray(_Alias(array))
    return array if special is None else array.view(numpy_dtype(special))


def _capsule_of(source: Producer) -> tuple[object, bool]:
    """A DLPack 1.0 capsule, or an older one. Second: whether the producer is too old to say that memory is read-only.

    Who knows the question for 1.0 and answers with an older capsule all the same (JAX) could have said "writable" and did not.
    """
    ask: Any = source.__dlpack__
    if _NUMPY_21:
        try:
            return _asked(source, lambda: ask(max_version=(1, 0))), False
        except TypeError:
            pass
    return _asked(source, ask), True


def _asked(source: Producer, question: Callable[[], T]) -> T:
    try:
        return question()
    except (builtins.BufferError, RuntimeError, ValueError) as e:
        raise errors.BufferError(f"{type(source).__name__} does not share its memory: {e}",
                                 hint="in torch: x.detach(), and x.resolve_conj() where needed") from e


def _tensor_of(capsule: object) -> TensorStruct:
    try:
        name = capsule_name(capsule)
    except ValueError as e:
        raise errors.BufferError(f"{type(capsule).__name__} is no DLPack capsule") from e
    if name == b"dltensor":
        return ctypes.cast(capsule_pointer(capsule, name), ctypes.POINTER(TensorStruct)).contents
    if name != b"dltensor_versioned":
        raise errors.BufferError(f"{name!r} is no DLPack capsule, or it was used already")
    managed = ctypes.cast(capsule_pointer(capsule, name), ctypes.POINTER(VersionedStruct)).contents
    if managed.major != 1:
        raise errors.BufferError(f"DLPack version {managed.major}.{managed.minor} is not known here", hint="svod speaks 1.x and older")
    tensor: TensorStruct = managed.tensor
    return tensor
