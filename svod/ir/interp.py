"""Executes the IR with NumPy: the value of a pure graph, and the run of a linear program on buffers. The definition of both.

Owns: order, loops, branches, memory, atomics, phases and cores. Must not know what an op computes (semantics.py), nor devices.
Invariant: a run touches nothing but the buffers and the memories of the program; an access out of bounds raises before it happens.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.errors import DTypeError, GraphError
from svod.ir.ops import ELEMENTWISE, Op
from svod.ir.scope import free_ranges, nest_order
from svod.ir.semantics import identity, literal, meaning, storage
from svod.ir.uop import UOp

Number = bool | int | float
Given = NDArray[Any] | Number
PURE = ELEMENTWISE | {Op.BROADCAST, Op.RAMP, Op.STACK, Op.EXTRACT, Op.LANES}
"""Ops whose value is a function of the values of their operands."""


# --- pure graphs -----------------------------------------------------------------------------------------------------------------

def evaluate(root: UOp, env: Mapping[UOp | str, Given] | None = None) -> NDArray[Any]:
    """The value of `root`: an array of the storage dtype of its dtype, with a trailing axis of lanes if that is a vector.

    `env` gives nodes (leaves, or any node: a LOAD, say) and variables by name their values: Python numbers, which are converted, or
    arrays of the node's storage dtype and of any shapes that broadcast, for many evaluations at once. REDUCE loops over its ranges, AFTER
    is its first operand, BIND its value. GraphError for nodes that have no value, DTypeError for an array of another dtype.
    """
    values: dict[UOp, Any] = {}
    names: dict[str, Given] = {}
    for key, given in (env or {}).items():
        if isinstance(key, UOp):
            values[key] = _given(key, given)
        else:
            names[key] = given
    with np.errstate(all="ignore"):
        return np.asarray(_Evaluation(values, names).value(root))


def _given(u: UOp, value: Given) -> Any:
    if not isinstance(value, np.ndarray | np.generic):
        return literal(value, u.dtype) if u.dtype.lanes == 1 else np.full(u.dtype.lanes, literal(value, u.dtype))
    if value.dtype != (kind := storage(u.dtype)):
        raise DTypeError(f"the value given for {u!r} has NumPy dtype {value.dtype}, not {kind}", hint="use array.astype(…), or a number")
    if u.dtype.lanes > 1 and (value.ndim == 0 or value.shape[-1] != u.dtype.lanes):
        raise DTypeError(f"the value given for {u!r} has shape {value.shape}", hint=f"the last axis holds the {u.dtype.lanes} lanes")
    return value


class _Evaluation:
    """Values of nodes found so far; explicit stack, so that graphs of any depth work."""

    def __init__(self, values: dict[UOp, Any], names: dict[str, Given]) -> None:
        self.values, self.names = values, names
        self.fixed = frozenset(values)

    def value(self, root: UOp) -> Any:
        values, stack = self.values, [root]
        while stack:
            u = stack[-1]
            if u in values:
                stack.pop()
                continue
            missing = [s for s in self.needs(u) if s not in values]
            if missing:
                stack.extend(missing)
            else:
                values[u] = self.own(u)
                stack.pop()
        return values[root]

    def needs(self, u: UOp) -> tuple[UOp, ...]:
        if u.op in PURE:
            return u.src
        if u.op is Op.AFTER:
            return u.src[:1]
        return u.src[1:] if u.op is Op.BIND else ()

    def own(self, u: UOp) -> Any:
        """The value of a node whose needs have values."""
        op, values = u.op, self.values
        if op in PURE:
            return meaning(op, u.dtype, u.src[0].dtype, u.arg)(*[values[s] for s in u.src])
        if op is Op.CONST:
            return _given(u, u.arg.value)
        if op is Op.DEFINE_VAR and u.arg.name in self.names:
            return _given(u, self.names[u.arg.name])
        if op in (Op.AFTER, Op.BIND):
            return values[self.needs(u)[0]]
        if op is Op.REDUCE:
            return self.reduce(u)
        key = repr(u.arg.name) if op is Op.DEFINE_VAR else "node"
        raise GraphError(f"{u!r} has no value of its own", hint=f"give it one: evaluate(root, {{{key}: …}})")

    def reduce(self, u: UOp) -> Any:
        body, ranges = u.src[0], nest_order(u.src[1:])
        combine, total = meaning(u.arg, u.dtype, u.dtype), _given(u, identity(u.arg, u.dtype))
        inside = [n for n in body.toposort() if n not in self.fixed]
        stale = {r: [n for n in inside if r in free_ranges(n)] for r in ranges}
        outer = {r: self.values.get(r) for r in ranges}
        for _ in self.iterations(ranges, stale):
            total = combine(total, self.value(body))
        for r in ranges:
            self.rebind(r, outer[r], stale[r])
        return total

    def iterations(self, ranges: list[UOp], stale: dict[UOp, list[UOp]]) -> Iterator[None]:
        """Once for each iteration of the loops `ranges`, outermost first, their variables set."""
        if not ranges:
            yield
            return
        r, inner = ranges[0], ranges[1:]
        for i in range(*[self.bound(s) for s in r.src]):
            self.rebind(r, storage(r.dtype).type(i), stale[r])
            yield from self.iterations(inner, stale)

    def bound(self, u: UOp) -> int:
        value = np.asarray(self.value(u))
        if value.size != 1:
            raise GraphError(f"a bound of a reduced RANGE has {value.size} values", at=repr(u), hint="give the variables in it one value")
        return int(value.item())

    def rebind(self, r: UOp, value: Any, stale: list[UOp]) -> None:
        """Sets a loop variable (None: forgets it), and forgets what was computed from the value it had."""
        for n in (r, *stale):
            self.values.pop(n, None)
        if value is not None:
            self.values[r] = value
