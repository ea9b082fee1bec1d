"""The arguments of a call of a kernel, one by one: bound to parameters, made plain, and given a type.

Owns: what a kernel takes, and the words in which it refuses something. Must not know how a kernel is compiled, nor be fast: only calls that
no compiled form took at once come here. Invariant: a type never depends on the value of a number or on the size of an array; every refusal
names kernel and parameter, and nothing was written yet.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from svod import errors
from svod.device import dlpack
from svod.device.arguments import ACCEPTED, ScalarArg, check_values
from svod.device.buffer import Buffer
from svod.dtype import DType, dtypes
from svod.dtype.convert import from_numpy, numpy_dtype
from svod.errors import ArgumentError, DTypeError
from svod.lang.adapters import flattened
from svod.lang.types import ArrayAnnotation, ArrayType, Constant, Parameter, ScalarType, dtype_of, signature

ArgumentType: TypeAlias = ArrayType | ScalarType | Constant | None
"""None: a stream, which a kernel does not see."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The arguments of one call in the order of the parameters: plain values, and the types that a kernel is made for."""

    values: tuple[Any, ...]
    types: tuple[ArgumentType, ...]
    devices: tuple[str, ...]
    """Of the Buffers among them."""


_dtype = cache(from_numpy)
_MISSING = inspect.Parameter.empty


class Signature:
    """The parameters of a kernel, and how a call is bound to them."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.name, self.parameters = name, signature(function)
        self._positional = sum(not p.keyword_only for p in self.parameters)
        self.count = self._positional if self._positional == len(self.parameters) else -1
        """How many arguments by position are all there are; -1 if some must be given by name."""
        self._names = tuple(p.name for p in self.parameters)
        self._function: Any = inspect.unwrap(function)
        self._place = {p.name: i - self._positional for i, p in enumerate(self.parameters) if not p.keyword_only}
        self._arrays = tuple(i for i, p in enumerate(self.parameters) if p.kind == "array")
        self._numbers = tuple(i for i, p in enumerate(self.parameters) if p.kind == "scalar")

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Bound:
        """The call, with defaults filled in. ArgumentError for what is missing, too much, or cannot be used."""
        given = self._in_order(flattened(args, self.name), kwargs)
        pairs = [self._argument(p, v) for p, v in zip(self.parameters, given, strict=True)]
        devices = dict.fromkeys(v.device.name for v in given if isinstance(v, Buffer))
        return Bound(tuple(v for v, _ in pairs), tuple(t for _, t in pairs), tuple(devices))

    def ordered(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
        """The arguments in the order of the parameters, defaults filled in; None if they do not fit."""
        if len(args) > self._positional:
            return None
        rest, used = [], 0
        for name in self._names[len(args):]:
            if name in kwargs:
                used += 1
                rest.append(kwargs[name])
            elif (default := self._default(name)) is _MISSING:
                return None
            else:
                rest.append(default)
        return (*args, *rest) if used == len(kwargs) else None

    def _default(self, name: str) -> Any:
        """The default value that a parameter has now: those of a function can be replaced."""
        place = self._place.get(name)
        if place is None:
            return (self._function.__kwdefaults__ or {}).get(name, _MISSING)
        values = self._function.__defaults__ or ()
        return values[place] if -place <= len(values) else _MISSING

    def plain(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], str | None] | None:
        """Ordered arguments as arrays and Python numbers, and the device of the Buffers among them; None where that takes a closer look."""
        values, device = list(args), None
        for i in self._numbers:
            if isinstance(value := values[i], np.generic):
                values[i] = value.item()
        for i in self._arrays:
            value = values[i]
            if type(value) is np.ndarray:
                continue
            if isinstance(value, Buffer):
                if device not in (None, value.device.name):
                    return None
                device = value.device.name
            try:
                values[i] = as_array(value)
            except errors.SvodError:  # said again, with the name of the parameter, where the call is checked
                return None
        return tuple(values), device

    def types(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[ArgumentType, ...]:
        """The types of a call whose arguments may be types themselves: ArrayType, `Array[f32]`, `f32`, Constant. ArgumentError."""
        given = self._in_order(flattened(args, self.name), kwargs)
        return tuple(self._type(p, v) for p, v in zip(self.parameters, given, strict=True))

    def where(self, parameter: Parameter) -> str:
        """For messages."""
        return f"kernel {self.name!r}, parameter {parameter.name!r}"

    def _in_order(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if (found := self.ordered(args, kwargs)) is not None:
            return found
        raise ArgumentError(f"kernel {self.name!r}: {self._misfit(len(args), kwargs)}",
                            hint=f"its parameters: {', '.join(self._names) or 'none'}")

    def _misfit(self, count: int, kwargs: dict[str, Any]) -> str:
        """Why arguments do not fit: what was written wrong comes before what is missing, which may be the same."""
        if unknown := [name for name in kwargs if name not in self._names]:
            near = get_close_matches(unknown[0], self._names, 1)
            return f"got an unexpected keyword argument {unknown[0]!r}{f'; did you mean {near[0]!r}?' if near else ''}"
        if count > self._positional:
            return f"too many positional arguments: {count} given, it takes {self._positional}"
        if twice := [name for name in self._names[:count] if name in kwargs]:
            return f"multiple values for argument {twice[0]!r}"
        missing = [name for name in self._names[count:] if name not in kwargs and self._default(name) is _MISSING]
        return f"missing a required argument: {', '.join(map(repr, missing))}"

    # --- one argument --------------------------------------------------------------------------------------------------------------

    def _argument(self, p: Parameter, value: Any) -> tuple[Any, ArgumentType]:
        if p.kind == "array":
            return self._array(p, value)
        if p.kind == "constexpr":
            return value, self._constant(p, value)
        if p.dtype is None:
            return value, None
        return self._number(p, value, p.dtype), ScalarType(p.dtype)

    def _type(self, p: Parameter, given: Any) -> ArgumentType:
        if p.kind == "array" and (element := _element(given)) is not None:
            return self._array_type(p, *element)
        if p.kind == "constexpr" and isinstance(given, Constant):
            return self._constant(p, given.value)
        named = given.dtype if isinstance(given, ScalarType) else None if isinstance(given, np.generic) else dtype_of(given)
        if p.kind != "scalar" or named is None or p.dtype is None:
            return self._argument(p, given)[1]
        if named is not p.dtype:
            raise ArgumentError(f"needs a number of {p.dtype!r}, got {named!r}", at=self.where(p), hint="the annotation says which it is")
        return ScalarType(named)

    def _array(self, p: Parameter, value: Any) -> tuple[Any, ArrayType]:
        try:
            array = as_array(value)
            shape = (array.size,) if isinstance(array, Buffer) else array.shape
            dtype = array.dtype if isinstance(array, Buffer) else _dtype(array.dtype)
        except (ArgumentError, DTypeError, errors.BufferError) as e:
            raise ArgumentError(e.what, at=self.where(p), hint=e.hint) from e
        return array, self._array_type(p, dtype, shape)

    def _array_type(self, p: Parameter, dtype: DType, shape: Sequence[int | None] | None) -> ArrayType:
        """The type of an array for a parameter: extents only where the parameter declares them. ArgumentError if it does not fit."""
        declared = p.shape or (None,)
        if dtype is not p.dtype:
            raise ArgumentError(f"needs an array of {p.dtype!r}, got one of {dtype!r}", at=self.where(p),
                                hint=_conversion(p.dtype or dtype))
        if shape is not None and len(shape) != len(declared):
            hint = f"annotate it with rank {len(shape)}, or reshape the array"
            if len(declared) == 1:
                hint = "pass x.reshape(-1), which shares the elements"
            raise ArgumentError(f"needs an array of {_axes(len(declared))}, got one of shape {tuple(shape)}", at=self.where(p), hint=hint)
        for axis, (want, got) in enumerate(zip(declared, shape or declared, strict=True)):
            if want is not None and got is not None and want != got:
                raise ArgumentError(f"needs the extent {want} along axis {axis}, got an array of shape {tuple(shape or ())}",
                                    at=self.where(p), hint="the annotation declares this extent; None leaves it open")
        return ArrayType(dtype, len(declared), declared)

    def _constant(self, p: Parameter, value: Any) -> Constant:
        if isinstance(value, np.integer) and p.type is int:
            value = int(value)
        if p.type is not None and not _is_instance(value, p.type):
            raise ArgumentError(f"needs a Constexpr of {getattr(p.type, '__name__', p.type)}, got {value!r}", at=self.where(p))
        try:
            hash(value)
        except TypeError as e:
            raise ArgumentError(f"a Constexpr cannot be a {type(value).__name__}, which has no hash", at=self.where(p),
                                hint="a kernel is made for each value, so it must be hashable: a tuple, a number, text") from e
        return Constant(value)

    def _number(self, p: Parameter, value: Any, dtype: DType) -> Any:
        if _is_memory(value):
            raise ArgumentError(f"needs a number ({dtype!r}), got an object of type {type(value).__name__}", at=self.where(p),
                                hint="pass x.item(), or annotate the parameter as Array[...]")
        plain = value.item() if isinstance(value, np.ndarray) else value
        number = check_values(self.name, [ScalarArg(p.name, dtype.min, dtype.max, _stored(dtype))], [plain])[0]
        return bool(number) if dtype.is_bool else number


def as_array(value: Any) -> Any:
    """An ndarray that shares the memory of `value`, or the Buffer itself where the host cannot reach it. ArgumentError."""
    if type(value) is np.ndarray:
        return value
    if isinstance(value, Buffer):
        return value.numpy() if value.block.address is not None else value
    if isinstance(value, np.ma.MaskedArray):
        raise ArgumentError("a masked array has elements that a kernel would not skip", hint="pass x.filled(value)")
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if hasattr(type(value), "__dlpack__") and not isinstance(value, np.generic):
        return dlpack.import_array(value)
    if isinstance(value, bytes | bytearray | memoryview) or (hasattr(value, "itemsize") and not isinstance(value, np.generic | type)):
        return np.asarray(memoryview(value))
    wrappable = isinstance(value, list | tuple | int | float | np.generic) or hasattr(value, "__array__")
    hint = "pass np.asarray(x, dtype)" if wrappable and not isinstance(value, type) else "pass an array: np.empty(n, dtype) makes one"
    raise ArgumentError(f"{'None' if value is None else f'an object of type {type(value).__name__}'} is not {ACCEPTED}", hint=hint)


def _is_memory(value: Any) -> bool:
    """Whether a value is an array rather than a number."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    if isinstance(value, np.generic):
        return False
    return isinstance(value, Buffer | bytes | bytearray | memoryview) or hasattr(value, "__dlpack__")


def _element(given: Any) -> tuple[DType, tuple[int | None, ...] | None] | None:
    """Type of elements and shape, where a type was given in place of an array."""
    if isinstance(given, ArrayAnnotation | ArrayType):
        return given.dtype, given.shape
    dtype = None if isinstance(given, np.ndarray | np.generic) else dtype_of(given)
    return None if dtype is None else (dtype, None)


def _is_instance(value: Any, kind: Any) -> bool:
    """Whether a Constexpr is what its annotation says; True is no number, and an int is a float too."""
    if not isinstance(kind, type):
        return True
    if isinstance(value, bool) and kind in (int, float):
        return False
    return isinstance(value, kind) or (kind is float and type(value) is int)


def _axes(n: int) -> str:
    return f"{n} {'axis' if n == 1 else 'axes'}"


def _stored(dtype: DType) -> DType:
    return dtypes.i64 if dtype is dtypes.index else dtype


def _conversion(dtype: DType) -> str:
    kind = numpy_dtype(dtype)
    module = "np" if kind.type.__module__ == "numpy" else kind.type.__module__
    return f"pass x.astype({module}.{kind.type.__name__}), and copy a result back"
