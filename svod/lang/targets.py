"""Assignment: to names, to tuples of targets, to elements of arrays, lists and dicts.

Owns: what each kind of target means. Must not know control flow.
Invariant: a name that is kept in a cell is written there; every other name is bound again.
"""
from __future__ import annotations

import ast
from typing import Any

from svod.errors import KernelError
from svod.lang import cells
from svod.lang.builtin import Name
from svod.lang.elements import element_index, store_element
from svod.lang.tracer import Tracer
from svod.lang.value import Array, Cell, Dynamic, Unbound, Vector, describe, has_cells, static_number
from svod.lang.vectors import with_lane

_UNBOUND = Unbound("")


def assign(t: Tracer, target: ast.expr, value: Any) -> None:
    """target = value"""
    with t.located(target):
        if isinstance(target, ast.Name):
            assign_name(t, target.id, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            _unpack(t, target, value)
        elif isinstance(target, ast.Subscript):
            container, index = t.evaluate(target.value), subscript(t, target.slice)
            if isinstance(container, Vector):
                assign(t, target.value, with_lane(container, index, t.loaded(value)))
            else:
                assign_element(t, container, index, value)
        elif isinstance(target, ast.Starred):
            assign(t, target.value, value)
        else:
            raise KernelError("an attribute cannot be assigned in a kernel", hint="use a local variable, or a list or dict")


def assign_name(t: Tracer, name: str, value: Any) -> None:
    """name = value"""
    frame = t.frame.owner(name)
    if frame is None:
        raise KernelError(f"the global {name!r} cannot be assigned in a kernel", hint="use a local variable; results go to arrays")
    if frame is not t.frame and t.depth > frame.depth:
        raise KernelError(f"the nonlocal {name!r} cannot be assigned in dynamic control flow", hint="return the value")
    old = frame.locals.get(name)
    if isinstance(old, Cell) or has_cells(old) or (isinstance(old, Vector) and has_cells(old.lanes)):
        cells.store(t, old, t.loaded(value), name)
    else:
        frame.locals[name] = t.named(value, name)


def _unpack(t: Tracer, target: ast.Tuple | ast.List, value: Any) -> None:
    if isinstance(value, (Dynamic, Array)):
        raise KernelError("a dynamic value cannot be unpacked", hint="read its elements one by one")
    if isinstance(value, Name):
        value = tuple(value.read(t, attribute) for attribute in value.unpack)
    items = [t.loaded(v) if isinstance(v, (tuple, Cell)) else v for v in (value.lanes if isinstance(value, Vector) else value)]
    items = [_detached(t, v) for v in items]
    stars = [i for i, e in enumerate(target.elts) if isinstance(e, ast.Starred)]
    wanted = len(target.elts)
    if stars:
        if len(items) < wanted - 1:
            raise KernelError(f"{len(items)} values for at least {wanted - 1} targets")
        first, behind = stars[0], wanted - stars[0] - 1
        items = [*items[:first], items[first: len(items) - behind], *items[len(items) - behind:]]
    if len(items) != wanted:
        raise KernelError(f"{len(items)} values for {wanted} targets")
    for each, item in zip(target.elts, items, strict=True):
        assign(t, each, item)


def _detached(t: Tracer, value: Any) -> Any:
    """Lists whose elements are cells are read before anything is written: `a, b = b, a`."""
    return t.loaded(value) if has_cells(value) else value


def subscript(t: Tracer, node: ast.expr) -> Any:
    """The value between brackets: an index, a slice, a tuple of these."""
    if isinstance(node, ast.Slice):
        return slice(*(t.evaluate(p) if p is not None else None for p in (node.lower, node.upper, node.step)))
    if isinstance(node, ast.Tuple):
        parts = [(e, subscript(t, e.value if isinstance(e, ast.Starred) else e)) for e in node.elts]
        return tuple(x for e, part in parts for x in (_several(part) if isinstance(e, ast.Starred) else (part,)))
    return t.evaluate(node)


def _several(value: Any) -> Any:
    """The indices that `a[*value]` means."""
    if not isinstance(value, (list, tuple, range)):
        raise KernelError(f"a starred index that is {describe(value)}", hint="a list or tuple of indices: a[*index]")
    return value


def assign_element(t: Tracer, container: Any, index: Any, value: Any) -> None:
    """container[index] = value"""
    if isinstance(container, Array):
        store_element(t, container, element_index(t, container, index), value)
        return
    if isinstance(container, (list, dict)):
        _owned(t, container)
        key = static_key(index)
        old = container[key] if not isinstance(key, slice) and (isinstance(container, list) or key in container) else None
        if old is not None and (isinstance(old, Cell) or has_cells(old)):
            cells.store(t, old, t.loaded(value), "element")
        elif isinstance(key, slice) and has_cells(container):
            cells.store(t, container[key], t.loaded(list(value)), "element")
        else:
            container[key] = t.named(value, "element") if not isinstance(key, slice) else [t.read(v) for v in value]
        return
    raise KernelError(f"elements of {type(container).__name__} cannot be assigned in a kernel",
                      hint="arrays, lists and dicts have elements")


def _owned(t: Tracer, container: Any) -> None:
    """KernelError for a container from outside the kernel: it would keep what one trace puts into it."""
    if not t.owns(container):
        raise KernelError(f"a {type(container).__name__} from outside the kernel cannot be changed in it", hint="copy it first: list(x)")


def static_key(index: Any) -> Any:
    """An index of a list or dict as Python takes it. KernelError if it is dynamic."""
    if isinstance(index, Dynamic):
        known = static_number(index)
        if known is None:
            raise KernelError("a list or dict is indexed with a dynamic value",
                              hint="unroll the loop with static_range, or use local(n, T), an array")
        return known
    if isinstance(index, slice):
        return slice(*(static_key(p) for p in (index.start, index.stop, index.step)))
    return index


def delete(t: Tracer, target: ast.expr) -> None:
    """del target"""
    with t.located(target):
        if isinstance(target, ast.Name) and t.frame.owner(target.id) is t.frame:
            if isinstance(t.frame.locals.get(target.id, _UNBOUND), Unbound):
                raise KernelError(f"{target.id!r} is deleted where it may be unbound", hint="bind it on every path, or before")
            if isinstance(t.frame.locals.pop(target.id), Cell):
                raise KernelError(f"{target.id!r} cannot be deleted in a loop that changes it")
        elif isinstance(target, ast.Subscript) and isinstance(container := t.evaluate(target.value), (list, dict)):
            _owned(t, container)
            del container[static_key(subscript(t, target.slice))]
        elif isinstance(target, (ast.Tuple, ast.List)):
            for e in target.elts:
                delete(t, e)
        else:
            raise KernelError("this cannot be deleted in a kernel")

