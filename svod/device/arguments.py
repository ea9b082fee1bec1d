"""The arguments of a launch, looked at one by one: what was given, whether the kernel can use it, and if not, what to write instead.

Owns: the checks behind `execute` and their messages. Must not know how a kernel is called, nor be fast: the fast path asks here only after
its own checks said no. Invariant: every refusal names the kernel, the argument, what was given, what is needed, and the fix; nothing was
written yet when it is raised.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from svod import errors
from svod.device import dlpack
from svod.device.buffer import Buffer
from svod.dtype.convert import from_numpy, numpy_dtype, round_to
from svod.dtype.dtypes import DType, dtypes
from svod.errors import ArgumentError, DTypeError, LaunchError, shown

ACCEPTED = ("a svod Buffer, a NumPy array, an object with __dlpack__ (torch, JAX, ...) "
            "or one with the buffer protocol (bytearray, array.array, ...)")


@dataclass(frozen=True, slots=True)
class HostView:
    """Host memory as a kernel sees it."""

    address: int
    """Of the first byte."""
    dtype: DType
    elements: int
    writable: bool
    contiguous: bool
    """In C order, without gaps."""
    aligned: bool
    """The address is a multiple of the element size."""
    owner: object = field(compare=False)
    """Keeps the memory alive: hold it for as long as the address is used. Not compared: arrays are equal element by element."""

    @property
    def nbytes(self) -> int:
        """Bytes, if contiguous."""
        return self.elements * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class BufferArg:
    """What a kernel asks of one buffer."""

    name: str
    dtype: DType
    min_elements: int
    """How many elements the kernel reaches."""
    writes: bool
    may_alias: frozenset[int] = frozenset()
    """Positions of buffers that may begin at the same address: the kernel touches element i of one only where it touches i of the other."""


@dataclass(frozen=True, slots=True)
class ScalarArg:
    """What a kernel asks of one scalar; `min` and `max` are inclusive."""

    name: str
    min: float
    max: float
    dtype: DType = dtypes.i64


# --- what was given ----------------------------------------------------------------------------------------------------------------

def host_view(value: object) -> HostView:
    """The memory of anything that shares it with the host. Never copies. ArgumentError, saying what is accepted, for anything else."""
    if isinstance(value, Buffer):
        return _view_of_buffer(value)
    array = _array_of(value)
    try:
        dtype = from_numpy(array.dtype)
    except DTypeError as e:
        raise ArgumentError(e.what, hint=e.hint) from e
    address: int = array.__array_interface__["data"][0]
    aligned = array.size == 0 or address % dtype.itemsize == 0
    return HostView(address, dtype, array.size, array.flags.writeable, array.flags.c_contiguous, aligned, array)


def _view_of_buffer(buffer: Buffer) -> HostView:
    try:
        address = buffer.address
    except errors.BufferError as e:
        raise ArgumentError(e.what, hint=e.hint) from e
    return HostView(address, buffer.dtype, buffer.size, buffer.writable, True, address % buffer.dtype.itemsize == 0, buffer)


def _array_of(value: object) -> NDArray[Any]:
    """The memory of `value` as an array that shares it."""
    if isinstance(value, np.ndarray):
        if type(value) is not np.ndarray and isinstance(value, np.ma.MaskedArray):
            raise ArgumentError("a masked array has elements that a kernel would not skip", hint="pass x.filled(value)")
        return value
    if isinstance(value, np.generic):
        raise ArgumentError(f"a NumPy scalar ({type(value).__name__}) is a value, not memory", hint="pass np.array([x]), or x as a scalar")
    if isinstance(value, dlpack.Producer):
        try:
            return dlpack.import_array(value)
        except errors.BufferError as e:
            raise ArgumentError(e.what, hint=e.hint) from e
    try:
        return np.asarray(memoryview(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, NotImplementedError) as e:
        wrappable = isinstance(value, Sequence | int | float) or hasattr(value, "__array__")
        hint = "pass np.asarray(x, dtype)" if wrappable else "pass an array: np.empty(n, dtype) makes one"
        raise ArgumentError(f"{_named(value)} is not {ACCEPTED}", hint=hint) from e


def _named(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"


# --- buffers -----------------------------------------------------------------------------------------------------------------------

def check_buffers(kernel_name: str, params: Sequence[BufferArg], args: Sequence[object],
                  view_of: Callable[[object], HostView] = host_view) -> list[HostView]:
    """The memory of every argument, after checking count, dtype, size, contiguity, writability, alignment and overlap. ArgumentError.

    `view_of` looks at one argument: devices with memory of their own give addresses in it.
    """
    if len(args) != len(params):
        raise ArgumentError(f"kernel {kernel_name!r} takes {_counted(len(params), 'buffer')}, {len(args)} given",
                            hint=f"in this order: {', '.join(p.name for p in params) or 'none'}")
    views = []
    for position, (param, value) in enumerate(zip(params, args, strict=True)):
        where = _where(kernel_name, position, param)
        try:
            view = view_of(value)
        except ArgumentError as e:
            raise ArgumentError(e.what, at=where, hint=e.hint) from e
        _check_buffer(where, param, view, value)
        views.append(view)
    _check_overlaps(kernel_name, params, views)
    return views


def list_of_buffers(kernel_name: str, names: Sequence[str], given: object) -> list[object]:
    """The buffers of a call. ArgumentError for one array where a list of them belongs, and for what is no list at all.

    An array of two or more axes is a sequence of its rows; the elements of one of one axis are values, never buffers.
    """
    rows = isinstance(given, np.ndarray) and given.ndim > 1 and len(given) == len(names)
    single = isinstance(given, Buffer | np.generic | str | bytes | bytearray | memoryview | Mapping) or hasattr(type(given), "__dlpack__")
    if not rows and (single or not isinstance(given, Iterable)):
        what = _named(given).removeprefix("an object of type ")
        raise ArgumentError(f"the buffers of kernel {kernel_name!r} come in a list, got {what}",
                            hint=f"execute([{', '.join(names)}], values), or program({', '.join(names)})")
    buffers: list[object] = list(given)  # type: ignore[call-overload]
    if isinstance(given, Iterator) and len(buffers) != len(names):
        raise ArgumentError(f"the buffers of kernel {kernel_name!r} come in a list, got an iterator, which can be read only once",
                            hint="pass list(buffers)")
    return buffers


def _where(kernel_name: str, position: int, param: BufferArg) -> str:
    return f"kernel {kernel_name!r}, argument {position} ({param.name!r})"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _check_buffer(where: str, param: BufferArg, view: HostView, value: object) -> None:
    given = f"{type(value).__name__} of {view.elements} x {view.dtype!r}"
    if view.dtype is not param.dtype:
        raise ArgumentError(f"needs {param.dtype!r}, got {given}", at=where, hint=_conversion(param, value))
    if view.elements < param.min_elements:
        raise ArgumentError(f"needs at least {_counted(param.min_elements, 'element')}, got {given}", at=where,
                            hint="pass a larger buffer, or launch over fewer elements")
    if not view.contiguous:
        fix = "pass np.ascontiguousarray(x)"
        raise ArgumentError(f"needs contiguous memory, got {given} with gaps or in another order", at=where,
                            hint=f"{fix}; the kernel writes, so copy the result back: x[...] = it" if param.writes else fix)
    if param.writes and not view.writable:
        raise ArgumentError(f"needs memory that it can write, got read-only {given}", at=where, hint="pass np.array(x), which copies")
    if not view.aligned:
        raise ArgumentError(f"needs an address that is a multiple of {param.dtype.itemsize}, got {given} at {view.address:#x}",
                            at=where, hint="pass x.copy()")


def _conversion(param: BufferArg, value: object) -> str:
    dtype = numpy_dtype(param.dtype)
    name = f"{'np' if dtype.type.__module__ == 'numpy' else dtype.type.__module__}.{dtype.type.__name__}"
    if param.writes:
        return f"pass an array of {name}: the result would not come back from a converted copy"
    return f"pass x.astype({name})" if isinstance(value, np.ndarray) else f"pass np.asarray(x).astype({name})"


def _check_overlaps(kernel_name: str, params: Sequence[BufferArg], views: Sequence[HostView]) -> None:
    """A buffer that is written may not share memory with another one, unless the kernel allows the same array for both."""
    by_address = sorted((v.address, i) for i, v in enumerate(views) if v.elements)
    for place, (_, i) in enumerate(by_address):
        for address, j in by_address[place + 1:]:
            if address >= views[i].address + views[i].nbytes:
                break
            if params[i].writes or params[j].writes:
                _check_pair(kernel_name, params, views, (min(i, j), max(i, j)))


def _check_pair(kernel_name: str, params: Sequence[BufferArg], views: Sequence[HostView], pair: tuple[int, int]) -> None:
    i, j = pair
    same = views[i].address == views[j].address and views[i].dtype.itemsize == views[j].dtype.itemsize
    allowed = j in params[i].may_alias or i in params[j].may_alias
    if same and allowed:
        return
    written = i if params[i].writes else j
    how = "are the same memory" if same else "overlap partly"
    raise ArgumentError(f"arguments {i} ({params[i].name!r}) and {j} ({params[j].name!r}) {how}, "
                        f"and the kernel writes {params[written].name!r}",
                        at=f"kernel {kernel_name!r}", hint=f"pass a copy as {params[i + j - written].name!r}: x.copy()")


# --- scalars -----------------------------------------------------------------------------------------------------------------------

def check_values(kernel_name: str, variables: Sequence[ScalarArg], vals: object) -> list[int | float]:
    """The scalars in the order of `variables`, from a sequence in that order or a mapping by name; all are checked. LaunchError."""
    if isinstance(vals, Mapping):
        given = _by_name(kernel_name, variables, vals)
    elif isinstance(vals, Sequence | np.ndarray) and not isinstance(vals, str | bytes):
        given = list(vals)
        if len(given) != len(variables):
            hint = f"in this order: {', '.join(v.name for v in variables) or 'none'}"
            if isinstance(vals, np.ndarray):
                hint = "buffers go in one list: execute([out, a], [n])"
            raise LaunchError(f"kernel {kernel_name!r} takes {_counted(len(variables), 'value')}, {len(given)} given", hint=hint)
    else:
        raise LaunchError(f"the values of kernel {kernel_name!r} are an object of type {type(vals).__name__}",
                          hint="pass a sequence in order, or a mapping by name")
    return [_check_value(kernel_name, v, value) for v, value in zip(variables, given, strict=True)]


def _by_name(kernel_name: str, variables: Sequence[ScalarArg], vals: Mapping[object, object]) -> list[object]:
    names = [v.name for v in variables]
    if unknown := [k if isinstance(k, str) else shown(k) for k in vals if k not in names]:
        raise LaunchError(f"kernel {kernel_name!r} has no variable called {', '.join(unknown)}",
                          hint=f"it has: {', '.join(names) or 'none'}")
    if missing := [n for n in names if n not in vals]:
        raise LaunchError(f"kernel {kernel_name!r} needs a value for {', '.join(missing)}", hint=f"{missing[0]}=...")
    return [vals[n] for n in names]


def _check_value(kernel_name: str, variable: ScalarArg, value: object) -> int | float:
    number = _number(kernel_name, variable, value)
    where = f"variable {variable.name!r} of kernel {kernel_name!r}"
    unbounded = variable.min == -math.inf and variable.max == math.inf  # then NaN is a value like any other
    if not unbounded and not variable.min <= number <= variable.max:
        raise LaunchError(f"{where} is {shown(number)}, outside [{variable.min}, {variable.max}]",
                          hint="the kernel is compiled for these bounds: pass such a value, or give the variable wider ones")
    if not _holds(variable.dtype, number):
        raise LaunchError(f"{where} is {shown(number)}, more than {variable.dtype!r} holds")
    return number


def _holds(dtype: DType, number: int | float) -> bool:
    """Whether a number survives in `dtype`: an integer in its range, a finite number that stays finite when it is rounded, an infinity
    where the dtype has them; nan always."""
    if not dtype.is_float:
        return bool(dtype.min <= number <= dtype.max)
    if isinstance(number, float) and not math.isfinite(number):
        return math.isnan(number) or math.isinf(round_to(number, dtype))
    return math.isfinite(round_to(number, dtype))


def _number(kernel_name: str, variable: ScalarArg, value: object) -> int | float:
    """`value` as a Python number of the variable's kind: nothing is rounded, and True is no 1."""
    is_bool = isinstance(value, bool | np.bool_)
    if variable.dtype.is_bool and is_bool:
        return int(bool(value))
    if not variable.dtype.is_bool and not is_bool:
        if isinstance(value, SupportsIndex) and not isinstance(value, np.ndarray):
            with suppress(TypeError):  # tensors have __index__, and refuse it unless they hold one whole number
                return operator.index(value)
        if variable.dtype.is_float and isinstance(value, float | np.floating):
            return float(value)
    kind = "True or False" if variable.dtype.is_bool else "a number" if variable.dtype.is_float else "a whole number"
    convertible = kind == "a whole number" and isinstance(value, float | np.floating | np.bool_ | bool)
    hint = f"int({variable.name})" if convertible else f"pass {kind}: arguments are given in the order of the parameters, or by name"
    raise LaunchError(f"variable {variable.name!r} of kernel {kernel_name!r} takes {kind} in [{variable.min}, {variable.max}], "
                      f"and {shown(value)} was given", hint=hint)
