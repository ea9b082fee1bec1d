"""What may be passed to jit functions and kernels: tensors and their adaptors, numbers, types that users register.

Owns: the registry, `TensorAdaptor`. Must not know kernels.
Invariant: tensors are never copied; a type is registered once.
"""
from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from svod.compat.flydsl.faults import BadRegistration, UnknownArgument
from svod.device.buffer import Buffer
from svod.errors import ArgumentError
from svod.lang.binding import as_array
from svod.lang.types import Scalar, Stream, dtype_of

C = TypeVar("C", bound=type)


class TensorAdaptor:
    """A tensor on its way to a kernel. Shapes are never part of a compiled kernel here, so `mark_layout_dynamic` only checks."""

    def __init__(self, tensor: Any) -> None:
        self.tensor, self.array = tensor, as_array(tensor)

    def mark_layout_dynamic(self, leading_dim: int | None = None, divisibility: int = 1) -> TensorAdaptor:
        """Itself. ArgumentError if no axis has stride 1, or the one named has not, or its extent is not divisible."""
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        if leading_dim is None and 1 not in strides:
            raise ArgumentError(f"no axis of a tensor with strides {strides} has stride 1", hint="a contiguous tensor: t.contiguous()")
        axis = strides.index(1) if leading_dim is None else leading_dim
        if not -len(strides) <= axis < len(strides) or strides[axis] != 1:
            raise ArgumentError(f"leading_dim {leading_dim} of a tensor with strides {strides}", hint="the axis whose stride is 1")
        if self.array.shape[axis] % divisibility:
            raise ArgumentError(f"the extent {self.array.shape[axis]} is not divisible by {divisibility}")
        return self


def from_dlpack(tensor: Any, *, assumed_align: int | None = None, use_32bit_stride: bool = False) -> TensorAdaptor:
    """The adaptor of anything with `__dlpack__`. ArgumentError if its address is not a multiple of `assumed_align` bytes."""
    made = TensorAdaptor(tensor)
    if assumed_align is not None and made.array.__array_interface__["data"][0] % assumed_align:
        raise ArgumentError(f"the tensor does not begin at a multiple of {assumed_align} bytes", hint="leave assumed_align out")
    return made


class JitArgumentRegistry:
    """Types of users, each with an adaptor (what its values are made of) and a DSL type (what a kernel sees)."""

    _table: dict[type, tuple[type, type]] = {}  # noqa: RUF012  (the one registry there is)

    @classmethod
    def register(cls, py_type: type, *, dsl_type: Any = None) -> Callable[[C], C]:
        """A decorator of adaptor classes. BadRegistration (a ValueError) for a type that is there already, or without a DSL type."""
        def wrap(adaptor: C) -> C:
            cls.register_jit_arg(adaptor, dsl_type, py_type)
            return adaptor
        return wrap

    @classmethod
    def register_jit_arg(cls, adaptor: type, dsl_type: Any, py_type: type | None = None) -> None:
        """The same without the decorator; without `py_type` the adaptor is the type of the values itself."""
        kind = py_type or adaptor
        if kind in cls._table:
            raise BadRegistration(f"JitArgumentConstructor for {kind.__name__} already registered")
        if not hasattr(dsl_type, "__new_from_ir_values__"):
            raise BadRegistration(f"Invalid dsl_type for {kind.__name__}: {dsl_type!r}", hint="a class with __new_from_ir_values__(values)")
        cls._table[kind] = (adaptor, dsl_type)

    @classmethod
    def get(cls, py_type: type) -> tuple[type | None, type | None]:
        """(adaptor, DSL type) of a type; (None, None) if there is none."""
        for base in py_type.__mro__:
            if base in cls._table:
                return cls._table[base]
        return (None, None)

    @classmethod
    def get_dsl_type(cls, py_type: type) -> type | None:
        """What a kernel sees of values of a type."""
        return cls.get(py_type)[1]

    @classmethod
    def unregister(cls, py_type: type) -> None:
        """Takes a registration back."""
        cls._table.pop(py_type, None)


def parts(value: Any, name: str) -> list[Any]:
    """The arrays and numbers that a value of a registered type is made of. UnknownArgument (a TypeError)."""
    adaptor, _ = JitArgumentRegistry.get(type(value))
    if adaptor is None:
        raise UnknownArgument(f"No JitArgument registered for type {type(value).__name__} (parameter {name!r})")
    try:
        made: Any = value if isinstance(value, adaptor) else adaptor(value)
        return [_part(kind, pointer) for kind, pointer in zip(made.__ir_types__(), made.__c_pointers__(), strict=True)]
    except Exception as e:
        raise UnknownArgument(f"Failed to construct JitArgument for parameter {name!r}: {e}") from e


def _part(kind: Any, pointer: Any) -> Any:
    """What a ctypes pointer points to, read as the type; anything else is the part itself: an array, a number."""
    if isinstance(pointer, ctypes._SimpleCData) and not isinstance(pointer, ctypes.c_void_p):
        pointer = ctypes.pointer(pointer)
    if not isinstance(pointer, (ctypes.c_void_p, ctypes._Pointer)):
        return pointer.tensor if isinstance(pointer, TensorAdaptor) else pointer
    dtype = dtype_of(kind)
    if dtype is None:
        raise ArgumentError(f"a pointer to {kind!r}", hint="tensors are parts themselves; pointers are for scalars: T.i32")
    address = ctypes.cast(pointer, ctypes.c_void_p).value
    raw = ctypes.string_at(address or 0, dtype.itemsize)
    return np.frombuffer(raw, type(Scalar(dtype)(0)))[0]


def is_plain(value: Any) -> bool:
    """Whether a value needs no registration: tensors, numbers, streams, text, None."""
    if value is None or isinstance(value, (bool, int, float, str, np.generic, np.ndarray, Buffer, TensorAdaptor, Stream, tuple, type)):
        return True
    return hasattr(type(value), "__dlpack__") or hasattr(value, "cuda_stream") or callable(value)
