"""Executes the IR with NumPy: the value of a pure graph, and the run of a LINEAR program on buffers. The definition of both.

Owns: `evaluate`; launches: arguments and their checks, cores, work items, phases, the memories of a kernel's own.
Must not know what an op computes (semantics.py) nor what an instruction does (machine.py), nor devices.
Invariant: a run touches nothing but the buffers stored to; wrong arguments raise before anything is executed, an access out of bounds
before it happens.
"""
from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.dtype import PtrDType
from svod.errors import ArgumentError, DTypeError, GraphError, LaunchError
from svod.ir.kernel_clauses import CORE_ID
from svod.ir.machine import Code, Frame, compile_linear, fresh
from svod.ir.ops import Op
from svod.ir.scope import free_ranges, nest_order
from svod.ir.semantics import PURE, identity, literal, meaning, storage
from svod.ir.spec import LINEAR, verify
from svod.ir.uop import UOp

Number = bool | int | float
Given = NDArray[Any] | Number


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


# --- linear programs -------------------------------------------------------------------------------------------------------------

def run_linear(linear: UOp, buffers: Sequence[NDArray[Any]], values: Mapping[str, int | float] | None = None, cores: int = 1) -> None:
    """Executes a LINEAR program once, in place; see `Interpreter.run`."""
    Interpreter(linear).run(buffers, values, cores)


class Arguments:
    """Checks what a launch is given against the leaves of a compiled program, and puts it into a frame."""

    def __init__(self, code: Code, name: str) -> None:
        self.code = code
        self.at = f"kernel {name!r}"

    def buffer(self, p: UOp, buffers: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The array given for a PARAM, flat."""
        slot, name, size = p.arg.slot, p.arg.name, p.arg.size
        what = f"buffer {name!r} (slot {slot})"
        if slot >= len(buffers):
            raise ArgumentError(f"{what} is missing: {len(buffers)} buffers were given", at=self.at)
        array = buffers[slot]
        kind = storage(p.dtype.base if isinstance(p.dtype, PtrDType) else p.dtype)
        if not isinstance(array, np.ndarray) or array.dtype != kind:
            given = getattr(array, "dtype", type(array).__name__)
            raise ArgumentError(f"{what} is {given}, not {kind}", at=self.at, hint=f"pass a NumPy array of {kind}")
        if not array.flags.c_contiguous:
            raise ArgumentError(f"{what} is not contiguous", at=self.at, hint="np.ascontiguousarray makes a copy that is")
        if size is not None and array.size < size:
            raise ArgumentError(f"{what} has {array.size} elements, the kernel declares {size}", at=self.at)
        if p in self.code.written and not array.flags.writeable:
            raise ArgumentError(f"{what} is written by the kernel, but the array is read-only", at=self.at, hint="pass a copy")
        return array.reshape(-1)

    def set_variables(self, launch: Frame, values: Mapping[str, int | float], cores: int) -> None:
        """Puts the variables into a frame, checked; checks the number of cores."""
        variables = {u.arg.name: (u, k) for u, k in self.code.by_op[Op.DEFINE_VAR]}
        shares = int(variables.pop(CORE_ID)[0].arg.max) + 1 if CORE_ID in variables else 1
        if cores != shares:
            raise LaunchError(f"the program is made for {shares} core{'s' * (shares > 1)}, not {cores}", at=self.at)
        if unknown := sorted(values.keys() - variables.keys()):
            known = ", ".join(sorted(variables)) or "none"
            raise LaunchError(f"no variable is called {unknown[0]!r}", at=self.at, hint=f"the kernel's variables: {known}")
        for name, (u, k) in variables.items():
            if name not in values:
                raise LaunchError(f"variable {name!r} has no value", at=self.at, hint=f"it goes from {u.arg.min} to {u.arg.max}")
            launch[k] = literal(self.checked(u, values[name]), u.dtype)

    def checked(self, u: UOp, value: Any) -> int | float:
        """A value given for a variable, as a Python number within its bounds."""
        number = value.item() if isinstance(value, np.generic) else value
        if not isinstance(number, int | float) or (isinstance(number, float) and not u.dtype.is_float):
            raise LaunchError(f"variable {u.arg.name!r} of {u.dtype} cannot be {value!r}", at=self.at)
        if not (u.arg.min <= number <= u.arg.max or math.isnan(number)):
            raise LaunchError(f"variable {u.arg.name!r} is {number}, outside [{u.arg.min}, {u.arg.max}]", at=self.at)
        return number


class Interpreter(Arguments):
    """A LINEAR program ready to be executed with NumPy semantics, any number of times and from any thread.

    Cores run one after the other in each phase, a phase begins when all have finished the one before. A core runs the work items of the
    grid (ids of kind GLOBAL or DIRECT) one after the other. DEFINE_REG is new in every phase of every work item, DEFINE_LOCAL of every work
    item, DEFINE_SCRATCH of every run; all start undefined (NaN, all bits set).
    """

    def __init__(self, linear: UOp, name: str = "") -> None:
        """Checks and compiles. GraphError if the program violates the spec LINEAR; UnsupportedError for GROUP barriers and LOCAL ids."""
        verify(linear, LINEAR)
        super().__init__(compile_linear(linear, name), name)

    def run(self, buffers: Sequence[NDArray[Any]], values: Mapping[str, int | float] | None = None, cores: int = 1) -> None:
        """Executes the program. `buffers[slot]` is a C-contiguous array of the storage dtype of that PARAM, of any shape; `values` are the
        variables by name. ArgumentError for an unsuitable buffer or an access out of bounds, LaunchError for variables and cores."""
        launch = self.code.frame.copy()
        for p, k in self.code.by_op[Op.PARAM]:
            launch[k] = self.buffer(p, buffers)
        self.set_variables(launch, values or {}, cores)
        self.set_memories(launch, Op.DEFINE_SCRATCH)
        made = self.items(launch, cores)
        items = made if len(self.code.phases) == 1 else list(made)
        with np.errstate(all="ignore"):
            for phase in self.code.phases:
                for item in items:
                    frame = item.copy()
                    self.set_memories(frame, Op.DEFINE_REG)
                    for step in phase:
                        step(frame)

    def items(self, launch: Frame, cores: int) -> Iterator[Frame]:
        """The frames of all work items, core after core, with their numbers and local memories."""
        core_ids = [(k, storage(u.dtype)) for u, k in self.code.by_op[Op.DEFINE_VAR] if u.arg.name == CORE_ID]
        specials = sorted(self.code.by_op[Op.SPECIAL], key=lambda uk: -uk[0].arg.axis)
        grid = [range(self.extent(u, launch)) for u, _ in specials]
        for core, ids in itertools.product(range(cores), itertools.product(*grid)):
            item = launch.copy()
            for k, kind in core_ids:
                item[k] = kind.type(core)
            for (u, k), i in zip(specials, ids, strict=True):
                item[k] = storage(u.dtype).type(i)
            self.set_memories(item, Op.DEFINE_LOCAL)
            yield item

    def extent(self, special: UOp, launch: Frame) -> int:
        """How many ids a SPECIAL counts."""
        known: dict[UOp | str, Given] = {u: launch[k] for u, k in self.code.by_op[Op.DEFINE_VAR] if launch[k] is not None}
        return int(evaluate(special.src[0], known))

    def set_memories(self, frame: Frame, op: Op) -> None:
        for u, k in self.code.by_op[op]:
            frame[k] = fresh(u)
