"""Types as kernels name them: scalars, arrays, compile-time constants, streams; and what an annotation means.

Owns: the names, `Parameter` and reading annotations, the kinds of argument a trace is made for. Must not know syntax trees or values.
Invariant: a name of a type (`f32`) is callable: in a kernel it converts, outside it makes the NumPy scalar.

Arrays: `Array[f32]` has one axis of any length. `Array[f32, 2]`: a single number is the number of axes. `Array[f32, "rows", 16]` or
`Array[f32, (None, 16)]`: one entry an axis, a number where the extent is known, a name or None where it is not.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from svod.dtype import DType, dtypes, from_numpy, numpy_dtype
from svod.errors import DTypeError, KernelError


class Scalar:
    """The name of a scalar type."""

    __slots__ = ("dtype", "name")

    def __init__(self, dtype: DType, name: str = "") -> None:
        self.dtype, self.name = dtype, name or repr(dtype)

    def __call__(self, value: Any = 0) -> Any:
        """Outside kernels: the NumPy scalar. In kernels the front end reads the call as a conversion."""
        if self.dtype is dtypes.index:
            return int(value)
        return np.asarray(value).astype(numpy_dtype(self.dtype))[()]

    def __repr__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        dtype = dtype_of(other)
        return NotImplemented if dtype is None else self.dtype is dtype

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Scalar, (self.dtype, self.name))


bool_ = Scalar(dtypes.bool, "bool_")
i8, i16, i32, i64 = (Scalar(t) for t in dtypes.SIGNED)
u8, u16, u32, u64 = (Scalar(t) for t in dtypes.UNSIGNED)
f16, bf16, f32, f64 = (Scalar(t) for t in (dtypes.f16, dtypes.bf16, dtypes.f32, dtypes.f64))
f8e4m3, f8e5m2, f8e4m3fnuz, f8e5m2fnuz = (Scalar(t) for t in dtypes.FP8)
index = Scalar(dtypes.index)
SCALARS = (bool_, i8, i16, i32, i64, u8, u16, u32, u64, f16, bf16, f32, f64, f8e4m3, f8e5m2, f8e4m3fnuz, f8e5m2fnuz, index)

_BUILTIN: dict[Any, DType] = {int: dtypes.i32, float: dtypes.f32, bool: dtypes.bool}


def dtype_of(name: Any) -> DType | None:
    """The dtype that a Scalar, a DType, a NumPy type, or int, float, bool stands for; None for anything else."""
    if isinstance(name, Scalar):
        return name.dtype
    if isinstance(name, DType):
        return name
    try:
        if name in _BUILTIN:
            return _BUILTIN[name]
        if isinstance(name, np.dtype) or (isinstance(name, type) and issubclass(name, np.generic)):
            return from_numpy(np.dtype(name))
    except (TypeError, DTypeError):
        return None
    return None


# --- annotations -----------------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class ArrayAnnotation:
    """What `Array[...]` says. `shape` has None where the extent is not known."""

    dtype: DType
    shape: tuple[int | None, ...] = (None,)

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)


class Array:
    """`Array[T]`, `Array[T, rank]`, `Array[T, extents…]`: an array parameter; see the module's text."""

    def __class_getitem__(cls, key: Any) -> ArrayAnnotation:
        element, *rest = key if isinstance(key, tuple) else (key,)
        dtype = dtype_of(element)
        if dtype is None or dtype not in dtypes.ALL:
            raise KernelError(f"Unsupported scalar type: {element!r}", hint=f"one of {', '.join(map(repr, SCALARS[:-1]))}")
        if len(rest) == 1 and isinstance(rest[0], (tuple, list)):
            return ArrayAnnotation(dtype, _extents(rest[0]))
        if len(rest) == 1 and isinstance(rest[0], int) and not isinstance(rest[0], bool):
            if not 1 <= rest[0] <= 8:
                raise KernelError(f"Unsupported type annotation: an array of {rest[0]} axes", hint="1 to 8 axes")
            return ArrayAnnotation(dtype, (None,) * rest[0])
        return ArrayAnnotation(dtype, _extents(rest) if rest else (None,))


Tensor = Array
"""Another name of `Array`."""


def _extents(entries: Any) -> tuple[int | None, ...]:
    shape: list[int | None] = []
    for entry in entries:
        if entry is None or isinstance(entry, str):
            shape.append(None)
        elif isinstance(entry, int) and not isinstance(entry, bool) and entry >= 0:
            shape.append(entry)
        else:
            raise KernelError(f"Unsupported type annotation: {entry!r} is no extent", hint="a number, a name, or None")
    if not shape:
        raise KernelError("Unsupported type annotation: an array without axes", hint="Array[f32] has one axis")
    return tuple(shape)


@dataclass(frozen=True, slots=True)
class ConstexprAnnotation:
    """What `Constexpr[T]` says; `type` is None where any value will do."""

    type: Any = None


class Constexpr:
    """`Constexpr` or `Constexpr[int]`: a parameter whose value is part of the kernel."""

    def __class_getitem__(cls, key: Any) -> ConstexprAnnotation:
        return ConstexprAnnotation(key)


class Stream:
    """A queue of launches: None for the default one, the number of one, or an object of another library that has one (`cuda_stream`, as
    torch's, or `ptr`, as CuPy's). On a CPU streams have no effect. KernelError for anything else."""

    def __init__(self, handle: Any = None) -> None:
        if not self.fits(handle):
            raise KernelError(f"{handle!r} is no stream", hint="None, a number, or an object with cuda_stream, as torch.cuda.Stream")
        self.handle = handle

    @staticmethod
    def fits(stream: Any) -> bool:
        """Whether something can stand for a stream."""
        return (stream is None or isinstance(stream, Stream) or (isinstance(stream, int) and not isinstance(stream, bool))
                or any(hasattr(stream, a) for a in ("cuda_stream", "ptr", "__cuda_stream__")))

    def __repr__(self) -> str:
        return f"Stream({self.handle!r})"


# --- what a trace is made for ----------------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class ArrayType:
    """An array argument: type of its elements, number of its axes, the extents that are part of the kernel (None: read at launch)."""

    dtype: DType
    rank: int = 1
    shape: tuple[int | None, ...] = (None,)


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A scalar argument."""

    dtype: DType


@dataclass(frozen=True, slots=True)
class Constant:
    """A compile-time argument: any Python value."""

    value: Any


Argument = ArrayType | ScalarType | Constant


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kernel. `kind`: "array", "scalar", "constexpr" or "stream"; dtype and shape where they apply."""

    name: str
    kind: str
    dtype: DType | None = None
    shape: tuple[int | None, ...] | None = None
    type: Any = None
    """Of a constexpr: the type in its annotation, None for any."""
    default: Any = inspect.Parameter.empty
    keyword_only: bool = False

    @property
    def rank(self) -> int | None:
        """Axes of an array."""
        return None if self.shape is None else len(self.shape)


def signature(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The parameters of a kernel, in order. KernelError for missing and unsupported annotations, *args and **kwargs."""
    found = inspect.signature(function)
    return tuple(_parameter(function, p) for p in found.parameters.values())


def _parameter(function: Callable[..., Any], p: inspect.Parameter) -> Parameter:
    place = where_defined(function)
    if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
        raise KernelError(f"a kernel has a fixed list of parameters, not {p}", at=place, hint="write them out, each with its type")
    if p.annotation is p.empty:
        raise KernelError(f"All kernel parameters must have type annotations: {p.name!r} has none", at=place,
                          hint=f"{p.name}: Array[f32], or a scalar type, or Constexpr")
    if p.name.startswith("_"):
        raise KernelError(f"names of parameters do not begin with an underscore: {p.name!r}", at=place,
                          hint="those names are kept for hidden parameters")
    more = {"default": p.default, "keyword_only": p.kind is p.KEYWORD_ONLY}
    try:
        meaning = read_annotation(function, p.annotation)
    except KernelError as e:
        raise KernelError(f"{e.what} (parameter {p.name!r})", at=place, hint=e.hint) from None
    if isinstance(meaning, ArrayAnnotation):
        return Parameter(p.name, "array", meaning.dtype, meaning.shape, **more)
    if isinstance(meaning, ConstexprAnnotation):
        return Parameter(p.name, "constexpr", type=meaning.type, **more)
    if isinstance(meaning, DType):
        return Parameter(p.name, "scalar", meaning, **more)
    return Parameter(p.name, "stream", **more)


def read_annotation(function: Callable[..., Any], annotation: Any) -> ArrayAnnotation | ConstexprAnnotation | DType | type[Stream]:
    """What an annotation means; text is evaluated in the function's names. KernelError for what is none of ours."""
    if isinstance(annotation, str):
        annotation = evaluate_annotation(function, annotation)
    if isinstance(annotation, (ArrayAnnotation, ConstexprAnnotation)):
        return annotation
    if annotation is Constexpr:
        return ConstexprAnnotation()
    if annotation is Array:
        raise KernelError("Unsupported type annotation: Array without the type of its elements", hint="Array[f32]")
    if annotation is Stream:
        return Stream
    dtype = dtype_of(annotation)
    if dtype is None or dtype.lanes > 1 or (dtype not in dtypes.ALL and dtype is not dtypes.index):
        raise KernelError(f"Unsupported type annotation: {annotation!r}",
                          hint=f"Array[T], Constexpr, Stream, int, float, bool, or one of {', '.join(map(repr, SCALARS))}")
    return dtype


_UNKNOWN = ("its names must be known here: under `from __future__ import annotations` those of an enclosing function are known only if "
            "the body uses them, too")


def evaluate_annotation(function: Callable[..., Any], text: str) -> Any:
    """What the text of an annotation stands for, in the names of the function. KernelError."""
    inner = inspect.unwrap(function)
    names = dict(getattr(inner, "__globals__", {}))
    code = getattr(inner, "__code__", None)
    for name, cell in zip(code.co_freevars if code else (), getattr(inner, "__closure__", None) or (), strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            continue
    try:
        value = eval(text, names)
    except KernelError:
        raise
    except Exception as e:
        raise KernelError(f"Unsupported type annotation: {text!r} ({type(e).__name__}: {e})", hint=_UNKNOWN) from e
    return evaluate_annotation(function, value) if isinstance(value, str) else value


def where_defined(function: Callable[..., Any]) -> str:
    """file:line of a function, as far as it is known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)
