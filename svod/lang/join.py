"""Where paths meet: what a name stands for behind a branch, a jump, a loop.

Owns: capturing and restoring what names stand for, `join`. Must not know syntax.
Invariant: a value that differs between paths, or that was computed inside one of them, goes through a cell of its own: each path stores,
one load stands behind. Names that no path can read afterwards are given up. What cannot be joined becomes Unbound: an error where it
is read.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import Any, Protocol

import numpy as np

from svod.dtype import DType, dtypes
from svod.errors import KernelError
from svod.lang import arithmetic
from svod.lang.builder import Builder, write_cell
from svod.lang.frame import Closure, Frame
from svod.lang.value import Array, Cell, Dynamic, Unbound, Vector, describe, is_dynamic, same

_MISSING = Unbound("")


class Writer(Protocol):
    """What joining needs of a Tracer."""

    builder: Builder
    frames: list[Frame]


@dataclass(slots=True, eq=False)
class State:
    """What every name stands for, and the contents of every list, dict and set that a name leads to."""

    names: list[tuple[Frame, dict[str, Any]]] = field(default_factory=list)
    contents: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    """id -> (container, copy)"""


@dataclass(slots=True, eq=False)
class Edge:
    """One way into a join: stores go to `block` at `place`."""

    block: list[Any]
    place: int
    state: State


def capture(frames: Sequence[Frame]) -> State:
    """The state now."""
    state = State()
    seen: set[int] = set()
    for frame in _all_frames(frames):
        state.names.append((frame, dict(frame.locals)))
        _contents(frame.locals.values(), state, seen)
    return state


def _all_frames(frames: Sequence[Frame]) -> list[Frame]:
    found: list[Frame] = []
    for f in frames:
        frame: Frame | None = f
        while frame is not None:
            if frame not in found:
                found.append(frame)
            frame = frame.parent
    return found


def _contents(values: Iterable[Any], state: State, seen: set[int]) -> None:
    stack = list(values)
    while stack:
        value = stack.pop()
        if isinstance(value, Closure):
            if id(value.frame) not in seen:
                seen.add(id(value.frame))
                stack.extend(value.frame.locals.values())
        elif type(value) in (list, dict, set) and id(value) not in state.contents:
            state.contents[id(value)] = (value, value.copy())
            stack.extend(value.values() if type(value) is dict else value)
        elif isinstance(value, tuple):
            stack.extend(value)


def restore(state: State) -> None:
    """Takes every name and container back to a state."""
    for frame, names in state.names:
        frame.locals.clear()
        frame.locals.update(names)
    for container, copy in state.contents.values():
        replace(container, copy)


def unchanged(before: State, now: State) -> bool:
    """True if every name stands for the same object in both states, and every container that `before` knows holds the same ones."""
    tables = {id(frame): names for frame, names in now.names}
    if any(names.keys() != (held := tables[id(frame)]).keys() or any(held[n] is not v for n, v in names.items())
           for frame, names in before.names):
        return False
    return all(_same_items(container, copy) for container, copy in before.contents.values())


def _same_items(container: Any, copy: Any) -> bool:
    if type(container) is set:
        return bool(container == copy)
    if type(container) is dict:
        return list(container) == list(copy) and all(container[k] is v for k, v in copy.items())
    return len(container) == len(copy) and all(a is b for a, b in zip(container, copy, strict=True))


def replace(container: Any, copy: Any) -> None:
    """Gives a list, dict or set the contents of another."""
    if type(container) is list:
        container[:] = copy
    else:
        container.clear()
        container.update(copy)


def join(t: Writer, entry: State, edges: list[Edge], live: frozenset[str]) -> None:
    """Sets every name to what it stands for behind the edges; loads go to the builder's `here`."""
    joiner = _Joiner(t.builder, edges)
    innermost = t.frames[-1]
    tables = [{id(f): names for f, names in e.state.names} for e in edges]
    merged: list[tuple[Frame, dict[str, Any]]] = []
    for frame, before in entry.names:
        rows = [table[id(frame)] for table in tables]
        result: dict[str, Any] = {}
        for name in sorted(set().union(*rows)):
            values = [row.get(name, _MISSING) for row in rows]
            if frame is innermost and name not in live and not all(same(v, before.get(name)) for v in values):
                result[name] = Unbound(f"{name!r} may be unbound here")
            else:
                result[name] = joiner.name(name, values, before.get(name, _MISSING))
        merged.append((frame, result))
    contents = joiner.containers(entry)
    for frame, names in merged:
        frame.locals.clear()
        frame.locals.update(names)
    for container, copy in contents:
        replace(container, copy)


CHOSEN, RETURNED = "if", "return"
"""Stand for the value of a conditional expression, and the result of a function, among the names of a frame: keywords, so no variables."""
RESULTS = (CHOSEN, RETURNED)
"""What is no variable: values of different types meet in the type in which they would be added."""


class Mismatch(Exception):
    """Values of two paths that no cell holds."""


class _Joiner:
    """Merges the values that one name has on each edge."""

    def __init__(self, builder: Builder, edges: list[Edge]) -> None:
        self.builder, self.edges = builder, edges

    def name(self, name: str, values: list[Any], before: Any) -> Any:
        if any(isinstance(v, Unbound) for v in values):
            real = next((v for v in values if isinstance(v, Unbound) and v.what), None)
            return real or Unbound(f"{name!r} may be unbound here: only some of the paths that lead here bind it")
        try:
            return self.merge(name, values, before)
        except Mismatch as e:
            a, b = e.args
            return Unbound(f"{name!r} is {describe(a)} on one path and {describe(b)} on another",
                           "give it one type on every path; cast it: f32(x)")

    def containers(self, entry: State) -> list[tuple[Any, Any]]:
        """The contents behind the edges of every container that existed before."""
        result = []
        for key, (container, before) in entry.contents.items():
            copies = [e.state.contents[key][1] if key in e.state.contents else before for e in self.edges]
            result.append((container, self.contents(container, copies, before)))
        return result

    def contents(self, container: Any, copies: list[Any], before: Any) -> Any:
        first = copies[0]
        if all(_alike(c, before) for c in copies):
            return before
        what = f"a {type(container).__name__}"
        if type(container) is set or any(_shape(c) != _shape(first) for c in copies):
            if all(_alike(c, first) for c in copies) and not is_dynamic(first):
                return first
            raise KernelError(f"{what} changes its structure on one path of dynamic control flow",
                              hint="the number of elements must not depend on it")
        try:
            if type(container) is list:
                old = before if len(before) == len(first) else [_MISSING] * len(first)
                return [self.merge("element", [c[i] for c in copies], old[i]) for i in range(len(first))]
            return {k: self.merge("element", [c[k] for c in copies], before.get(k, _MISSING)) for k in first}
        except Mismatch as e:
            a, b = e.args
            raise KernelError(f"an element of {what} is {describe(a)} on one path and {describe(b)} on another",
                              hint="give it one type on every path; cast it: f32(x)") from None

    def merge(self, name: str, values: list[Any], before: Any) -> Any:
        first = values[0]
        kept = same(first, before) or not is_dynamic(first) or isinstance(first, (list, dict, Cell)) or _whole(first)
        if kept and all(same(v, first) for v in values):
            return first
        if all(isinstance(v, (Dynamic, bool, int, float, np.number, np.bool_)) for v in values):
            return self.scalar(name, [arithmetic.number(v) for v in values], before)
        if isinstance(first, Vector):
            if any(not isinstance(v, Vector) or len(v.lanes) != len(first.lanes) for v in values):
                raise Mismatch(first, next((v for v in values if not isinstance(v, Vector)), values[-1]))
            old = before.lanes if isinstance(before, Vector) and len(before.lanes) == len(first.lanes) else (_MISSING,) * len(first.lanes)
            return Vector(tuple(self.merge(name, [v.lanes[i] for v in values], old[i]) for i in range(len(first.lanes))))
        if isinstance(first, Array) and all(_beside(first, v) for v in values):
            offsets = [Dynamic(v.offset) if v.offset is not None else 0 for v in values]
            return replaced(first, offset=self.scalar(name, [Dynamic(arithmetic.operand(o, dtypes.index)) for o in offsets]).uop, bounds=())
        if isinstance(first, (list, tuple, dict)):
            return self.structure(name, values, before)
        raise Mismatch(first, next((v for v in values if not same(v, first)), values[-1]))

    def structure(self, name: str, values: list[Any], before: Any) -> Any:
        first = values[0]
        known = type(before) is type(first) and _shape(before) == _shape(first)
        for v in values:
            if type(v) is not type(first) or _shape(v) != _shape(first):
                raise Mismatch(first, v)
        if isinstance(first, dict):
            return {k: self.merge(name, [v[k] for v in values], before[k] if known else _MISSING) for k in first}
        items = [self.merge(name, [v[i] for v in values], before[i] if known else _MISSING) for i in range(len(first))]
        if isinstance(first, list):
            return items
        return type(first)(*items) if hasattr(first, "_fields") else tuple(items)

    def scalar(self, name: str, values: list[Any], before: Any = _MISSING) -> Dynamic:
        dtype, weak = arithmetic.common(*values) if name in RESULTS else joined_type(values, before)
        cell = self.builder.cell(dtype, name)
        for edge, value in zip(self.edges, values, strict=True):
            edge.block.insert(edge.place, write_cell(cell, arithmetic.operand(value, dtype)))
            edge.place += 1
        return Dynamic(self.builder.read_cell(cell, dtype, name), weak)


def joined_type(values: list[Any], before: Any = _MISSING) -> tuple[DType, bool]:
    """The type of a variable that has one of these values, and had `before`. Raises where types differ, or a float literal would be cut.

    Values of type index, which loops count with, convert to the type of number that the variable has, as where they are stored into an
    element; integers convert to an index in the same way. A variable that had no type is an index where one of its values is.
    """
    strong = [v for v in values if isinstance(v, Dynamic) and not v.weak]
    if any(v.dtype is dtypes.index for v in strong) and (kept := _kept(values, before)) is not None:
        return kept
    dtype, weak = arithmetic.common(*values)
    if strong:
        other = next((v for v in strong if v.dtype is not strong[0].dtype), None)
        if other is not None and not (dtype is dtypes.index and all(v.dtype.is_int for v in strong)):
            raise Mismatch(strong[0], other)
        if other is None and dtype is not strong[0].dtype:
            raise Mismatch(strong[0], next(v for v in values if not isinstance(v, Dynamic) or v.weak))
    elif dtype.is_int:
        wide = [arithmetic.typed(v).dtype for v in values]
        dtype = max(wide, key=lambda d: d.bits)
    return dtype, weak


def _kept(values: list[Any], before: Any) -> tuple[DType, bool] | None:
    """The type of `before`, if it is that of one of the values and the others go into it; None: nothing is known before."""
    typed = arithmetic.typed(before) if isinstance(before, float) else before
    if not isinstance(typed, (Dynamic, Cell)) or (typed.weak and not typed.dtype.is_float):
        return None
    if not any(same(v, before) or (isinstance(v, Dynamic) and v.dtype is typed.dtype) for v in values):
        return None
    return (typed.dtype, typed.weak) if all(_goes_into(v, typed.dtype) for v in values) else None


def _goes_into(value: Any, dtype: DType) -> bool:
    """True for a value of the type, an index for a number, an integer for an index, a literal that loses nothing."""
    if not isinstance(value, Dynamic) or value.weak:
        return arithmetic.common(value, Dynamic(arithmetic.operand(0, dtype)))[0] is dtype
    if value.dtype is dtypes.index:
        return dtype.is_int or dtype.is_float
    return value.dtype is dtype or (dtype is dtypes.index and value.dtype.is_int)


def _whole(value: Any) -> bool:
    """An array that begins where its memory does: no value of the running kernel is in it."""
    return isinstance(value, Array) and value.offset is None


def _beside(a: Array, b: Any) -> bool:
    """Two rows of one array."""
    return isinstance(b, Array) and a.pointer is b.pointer and a.shape == b.shape


def _alike(a: Any, b: Any) -> bool:
    """True if two copies of a container hold the same."""
    if type(a) is set:
        return bool(a == b)
    if type(a) is dict:
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))


def _shape(value: Any) -> Any:
    return tuple(value) if isinstance(value, dict) else len(value)


__all__ = ["Cell", "Edge", "Mismatch", "State", "capture", "join", "joined_type", "replace", "restore"]
