"""Variables of dynamic loops: before the loop they are put into cells, in it they are read and written there, behind it they are loaded.

Owns: making cells, storing to them, taking them back, and finding out that a loop has to be traced again. Must not know syntax.
Invariant: a cell keeps its type; one that only held literals takes the type of the first typed value stored into it: the loop is then
traced again with a cell of that type. Until then its trace is stale: it goes on only to find out about the other cells.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from svod.dtype import DType
from svod.errors import KernelError
from svod.ir.args import ValueArg
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang import arithmetic
from svod.lang.builder import Jump, Loop, Scope, write_cell
from svod.lang.join import Edge, Mismatch, State, capture, joined_type, restore
from svod.lang.tracer import Again, Flow, Tracer
from svod.lang.value import Cell, Dynamic, Unbound, Vector, describe, has_cells, rebuild, same


def enter(t: Tracer, loop: Any, names: Iterable[str]) -> None:
    """Puts what the names stand for, and the lists and dicts the loop is known to change, into cells."""
    table = t.frame.locals
    for name in sorted(names):
        if name in table and not isinstance(table[name], Unbound):
            table[name] = _celled(t, loop, table[name], (name,))
    containers = t.known.setdefault(loop, {}).get("containers", ())
    for number, (container, _) in enumerate(list(capture(t.frames).contents.values())):
        if number in containers:
            _celled(t, loop, container, ("container", number))


def _celled(t: Tracer, loop: Any, value: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(value, (Dynamic, np.number, np.bool_)) or type(value) in (bool, int, float):
        return _cell(t, loop, value, path)
    if isinstance(value, Vector):
        return Vector(tuple(_celled(t, loop, v, (*path, i)) for i, v in enumerate(value.lanes)))
    if type(value) is list:
        value[:] = [_celled(t, loop, v, (*path, i)) for i, v in enumerate(value)]
    elif type(value) is dict:
        value.update({k: _celled(t, loop, v, (*path, k)) for k, v in value.items()})
    elif isinstance(value, tuple):
        items = [_celled(t, loop, v, (*path, i)) for i, v in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


def _cell(t: Tracer, loop: Any, value: Any, path: tuple[Any, ...]) -> Cell:
    known: tuple[DType, bool] | None = t.known.setdefault(loop, {}).get(path)
    initial = arithmetic.typed(value)
    dtype, weak = known or (initial.dtype, initial.weak)
    name = str(path[0]) if path[0] != "container" else "element"
    cell = Cell(t.builder.cell(dtype, name), dtype, weak, name, loop, path)
    t.builder.emit(write_cell(cell.memory, arithmetic.operand(value, dtype)))
    return cell


def leave(t: Tracer, loop: Any) -> None:
    """Behind the loop: its cells are loaded, wherever they are."""
    state = capture(t.frames)

    def loaded(value: Any) -> Any:
        return t.read(value) if isinstance(value, Cell) and value.loop is loop else value

    for frame, names in state.names:
        for name, value in names.items():
            if isinstance(value, (Cell, Vector, tuple)) and (isinstance(value, (Cell, Vector)) or has_cells(value)):
                frame.locals[name] = _shallow(value, loaded)
    for container, copy in state.contents.values():
        if type(container) is list and has_cells(copy):
            container[:] = [_shallow(v, loaded) for v in copy]
        elif type(container) is dict and has_cells(copy):
            container.update({k: _shallow(v, loaded) for k, v in copy.items()})


def _shallow(value: Any, leaf: Any) -> Any:
    """Leaves of tuples and vectors; lists and dicts are visited as containers."""
    return value if isinstance(value, (list, dict)) else rebuild(value, leaf) if not _holds_containers(value) else value


def _holds_containers(value: Any) -> bool:
    return isinstance(value, tuple) and any(isinstance(v, (list, dict)) or _holds_containers(v) for v in value)


def jump(t: Tracer, target: Loop | Scope, again: bool = False) -> Flow:
    """A dynamic jump: to the end of `target`, or (again) to its next iteration. Cells of the loops it leaves are loaded first."""
    if not again:
        now = capture(t.frames)
        first = t.opened.get(id(target), len(t.loops))
        for loop in reversed(t.loops[first:]):
            if loop.key is not None:
                leave(t, loop.key)
        t.edges.setdefault(id(target), []).append(Edge(t.builder.here, len(t.builder.here), capture(t.frames)))
        restore(now)
    t.builder.emit(Jump(target, again))
    return Flow.STOPPED


def store(t: Tracer, target: Any, value: Any, name: str) -> None:
    """Assigns `value` to the cells of `target`, which has to have its structure."""
    if isinstance(target, Cell):
        _store(t, target, value)
    elif isinstance(target, Vector) and isinstance(value, Vector) and len(target.lanes) == len(value.lanes):
        for a, b in zip(target.lanes, value.lanes, strict=True):
            store(t, a, b, name)
    elif isinstance(target, (list, tuple)) and type(value) is type(target) and len(value) == len(target):
        for a, b in zip(target, value, strict=True):
            store(t, a, b, name)
    elif isinstance(target, dict) and type(value) is dict and target.keys() == value.keys():
        for k, a in target.items():
            store(t, a, value[k], name)
    elif not same(target, value):
        raise KernelError(f"{name!r} changes from {describe(t.loaded(target))} to {describe(value)} in dynamic control flow",
                          hint="a variable keeps its type and its structure in a loop of the running kernel")


def _store(t: Tracer, cell: Cell, value: Any) -> None:
    if not isinstance(value, (Dynamic, bool, int, float)) and not hasattr(value, "dtype"):
        raise KernelError(f"{cell.name!r} changes from {cell.dtype!r} to {describe(value)} in dynamic control flow", hint=_KEEP)
    new = arithmetic.number(value)
    old = Dynamic(UOp(Op.VALUE, (), ValueArg(-1), cell.dtype), cell.weak)  # stands for what it holds: only its type counts
    try:
        dtype, weak = joined_type([old, new], old)
    except Mismatch:
        raise KernelError(f"{cell.name!r} is {cell.dtype!r} and is assigned {describe(value)} in dynamic control flow",
                          hint=_KEEP) from None
    if dtype is not cell.dtype or weak != cell.weak:
        if not cell.weak:
            raise KernelError(f"{cell.name!r} is {cell.dtype!r} and is assigned {describe(value)} in dynamic control flow", hint=_KEEP)
        t.known[cell.loop][cell.path] = (dtype, weak)
        t.stale.add(cell.loop)
        cell.memory, cell.dtype, cell.weak = t.builder.cell(dtype, cell.name), dtype, weak
    t.builder.emit(write_cell(cell.memory, arithmetic.operand(new, dtype)))


_KEEP = "a variable keeps its type in dynamic control flow: cast the value, or the initial one"


def check(t: Tracer, loop: Any, head: State, live: Iterable[str], bound: Iterable[str]) -> None:
    """At the end of an iteration: what changed must be in cells. Raises Again for contents of containers, KernelError for other values."""
    now = {id(f): names for f, names in capture(t.frames).names}
    for frame, before in head.names:
        for name, value in before.items():
            if frame is t.frame and (name not in live or name not in bound):
                continue
            new = now.get(id(frame), before).get(name)
            if isinstance(value, Unbound) or same(value, new) or (isinstance(value, (list, dict, set)) and value is new):
                continue
            if isinstance(new, Unbound):
                raise KernelError(new.what, hint=new.hint)
            raise KernelError(f"{name!r} changes from {describe(value)} to {describe(new)} in a loop of the running kernel",
                              hint="start it with a number or an element of its type, not with None; static values cannot change in it")
    for number, (container, before) in enumerate(head.contents.values()):
        if len(container) != len(before) or (isinstance(container, dict) and container.keys() != before.keys()):
            raise KernelError(f"a {type(container).__name__} grows or shrinks in a loop of the running kernel",
                              hint="use static_range, or a local array")
        if type(container) is set:
            changed = container != before
        else:
            keys = before if isinstance(before, dict) else range(len(before))
            changed = any(not same(container[k], before[k]) and not isinstance(before[k], (list, dict)) for k in keys)
        if changed:
            known = t.known.setdefault(loop, {}).setdefault("containers", ())
            if number in known or type(container) is set:
                raise KernelError(f"an element of a {type(container).__name__} changes its structure in a loop of the running kernel",
                                  hint=_KEEP)
            raise Again(loop, "containers", (*known, number))
