"""The statements of a THREADS as Python closures over a Run: each is executed for all active work items at once.

Owns: `compile_threads`, expressions, control flow by masks. Must not know launches (threads_interp.py) nor memory (thread_memory.py).
Invariant: a statement changes values, memories and masks of active items only, as far as anyone can see; a closure keeps no state of its
own. An expression without VALUEs is computed once in a Run, any other by the statement that uses it.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from svod.ir import thread_memory as memory
from svod.ir.clause import LEAVES
from svod.ir.machine import Code
from svod.ir.message import Assertion, filled, word
from svod.ir.ops import Op
from svod.ir.semantics import PURE, literal, meaning
from svod.ir.thread_exchange import exchange
from svod.ir.thread_state import Loop, Mask, Run, narrowed, same_or_none, union, without
from svod.ir.threads import needed_values
from svod.ir.uop import UOp

Plain = Callable[[Run, Mask], None]
Control = Callable[[Run, Mask], Mask | None]
Body = Callable[[Run, Mask], Mask | None]


class Statements:
    """A compiled thread kernel: `body` executes it for a mask, `code` tells the places of leaves and memories."""

    def __init__(self, threads: UOp, name: str) -> None:
        self.code = Code(name)
        self.fixed: dict[UOp, None] = {}
        """Ids, and expressions without VALUEs, in the order in which they can be computed."""
        self.used = _used(threads)
        self.written = ""
        """Where the statement that is compiled next was written, if an ASSERT of that kind says so."""
        for u in threads.find(Op.PARAM, Op.DEFINE_VAR, Op.DEFINE_LOCAL, Op.DEFINE_REG):
            self.at(u)
        self.body = self.block(threads.src[0])
        self.prologue = [_computed(u, self.at(u), [self.at(s) for s in u.src]) for u in self.fixed if u.op is not Op.SPECIAL]

    def at(self, u: UOp) -> int:
        """The place of a node."""
        if (hit := self.code.place.get(u)) is not None:
            return hit
        k = self.code.place[u] = len(self.code.frame)
        self.code.frame.append(literal(u.arg.value, u.dtype) if u.op is Op.CONST else None)
        self.code.by_op[u.op].append((u, k))
        return k

    # ---- expressions ------------------------------------------------------------------------------------------------
    def needs(self, *roots: UOp) -> list[Callable[[list[Any]], None]]:
        """The steps that compute `roots` for a statement; what has no VALUE in it is computed with the Run."""
        steps: dict[UOp, Callable[[list[Any]], None]] = {}
        for root in roots:
            for u in root.toposort():
                if u.op not in PURE and u.op is not Op.SPECIAL:
                    if u.op in LEAVES:
                        self.at(u)
                elif not needed_values(u):
                    self.at(u)
                    self.fixed[u] = None
                elif u not in steps:
                    steps[u] = _computed(u, self.at(u), [self.at(s) for s in u.src])
        return list(steps.values())

    def after(self, step: Plain, *roots: UOp) -> Plain:
        """`step`, after the expressions it uses."""
        needs = self.needs(*roots)
        if not needs:
            return step
        if len(needs) == 1:
            only = needs[0]

            def after_one(run: Run, mask: Mask) -> None:
                only(run.values)
                step(run, mask)
            return after_one

        def after_all(run: Run, mask: Mask) -> None:
            for n in needs:
                n(run.values)
            step(run, mask)
        return after_all

    # ---- statements ---------------------------------------------------------------------------------------------------
    def block(self, block: UOp) -> Body:
        """The statements of a BLOCK, as far as any item gets."""
        steps = [(s.op in _CONTROL, self.located(s, before)) for before, s in zip((None, *block.src), block.src, strict=False)
                 if not _is_place(s)]

        def body(run: Run, mask: Mask) -> Mask | None:
            for control, step in steps:
                if control:
                    left: Mask | None = step(run, mask)
                    if left is None:
                        return None
                    mask = left
                else:
                    step(run, mask)
            return mask
        return body

    def located(self, u: UOp, before: UOp | None) -> Callable[[Run, Mask], Any]:
        """A statement, whose place may be told by the one before it."""
        self.written = before.arg.place if before is not None and _is_place(before) else ""
        return self.statement(u)

    def statement(self, u: UOp) -> Callable[[Run, Mask], Any]:
        return _CONTROL[u.op](self, u) if u.op in _CONTROL else _PLAIN[u.op](self, u)

    def let(self, u: UOp) -> Plain:
        value, expr = u.src
        k = self.at(value)
        if expr.op is Op.LOAD:
            inner = self.roots(expr)
            step = memory.load_cell(expr, k) if memory.is_cell(expr.src[0]) else memory.load(expr, k, self.at, self.written)
            return self.after(step, *inner)
        if expr.op is Op.ATOMIC:
            self.code.written.add(expr.src[0].src[0])
            return self.after(memory.atomic(expr, k, self.at, value in self.used, self.written), *self.roots(expr))
        if expr.op is Op.SUBGROUP:
            return self.after(exchange(expr, k, self.at), *expr.src)
        return self.after(_bound(k, self.at(expr)), expr)

    def roots(self, access: UOp) -> list[UOp]:
        """The expressions of an access."""
        return [*access.src[0].src[1:], *access.src[1:]]

    def store(self, u: UOp) -> Plain:
        self.code.written.add(u.src[0].src[0])
        step = memory.store_cell(u, self.at) if memory.is_cell(u.src[0]) else memory.store(u, self.at, self.written)
        return self.after(step, *self.roots(u))

    def barrier(self, u: UOp) -> Plain:
        written = self.written

        def step(run: Run, mask: Mask) -> None:
            if run.races is not None:
                run.races.barrier(run, mask)
            if mask is run.full:
                return
            waited = mask.reshape(run.groups, run.group)
            absent = (run.full & ~mask if run.returned is None else ~mask & ~run.returned).reshape(run.groups, run.group)
            if (split := waited.any(axis=1) & absent.any(axis=1)).any():
                group = int(np.flatnonzero(split)[0])
                item = group * run.group + int(np.flatnonzero(absent[group])[0])
                who = f"at the barrier: {run.named(waited, group)}; elsewhere: {run.named(absent, group)}"
                raise run.failed("divergent barrier: a work item of the group is elsewhere", item, written=written,
                                 hint=f"{who}. All work items of a group that have not returned reach it together: take it out of the "
                                      "branch or loop")
        return step

    def print_(self, u: UOp) -> Plain:
        places, text, kinds = [self.at(s) for s in u.src], u.arg.text, [s.dtype for s in u.src]

        def step(run: Run, mask: Mask) -> None:
            for item in run.members(mask).tolist():
                words = [word(v, t) for v, t in zip(_of_item(run, places, item), kinds, strict=True)]
                run.printed.append(filled(text, words))
        return self.after(step, *u.src)

    def assert_(self, u: UOp) -> Plain:
        condition, places, assertion = self.at(u.src[0]), [self.at(s) for s in u.src[1:]], Assertion.of(u)

        def step(run: Run, mask: Mask) -> None:
            holds = run.values[condition]
            if np.ndim(holds) == 0 and holds:
                return
            if (bad := narrowed(mask, ~holds)) is not None:
                item = int(run.members(bad)[0])
                raise assertion.error(run.kernel, run.place(item), _of_item(run, places, item))
        return self.after(step, *u.src)

    # ---- control --------------------------------------------------------------------------------------------------------
    def branch(self, u: UOp) -> Control:
        condition, then, other = self.at(u.src[0]), self.block(u.src[1]), self.block(u.src[2])
        needs = self.needs(u.src[0])

        def step(run: Run, mask: Mask) -> Mask | None:
            for n in needs:
                n(run.values)
            inside = narrowed(mask, run.values[condition])
            outside = without(mask, inside)
            after = then(run, inside) if inside is not None else None
            beside = other(run, outside) if outside is not None else None
            if after is inside and beside is outside:
                return mask
            return union(after, beside)
        return step

    def loop(self, u: UOp) -> Control:
        body = self.block(u.src[0])

        def step(run: Run, mask: Mask) -> Mask | None:
            left, active = None, mask
            while True:
                run.loops.append(now := Loop())
                rest = body(run, active)
                run.loops.pop()
                left = union(left, now.broken)
                if (again := union(rest, now.continued)) is None:
                    break
                active = again
            return None if left is None else same_or_none(left, mask)
        return step

    def for_(self, u: UOp) -> Control:
        k, bounds = self.at(u.src[0]), [self.at(s) for s in u.src[1:4]]
        needs, body = self.needs(*u.src[1:4]), self.block(u.src[4])

        def step(run: Run, mask: Mask) -> Mask | None:
            for n in needs:
                n(run.values)
            value, stop, by = (run.values[b] for b in bounds)
            counts = iterations(value, stop, by)
            done, active = without(mask, narrowed(mask, counts > 0)), narrowed(mask, counts > 0)
            turn = 0
            while active is not None:
                run.values[k] = value
                run.loops.append(now := Loop())
                rest = body(run, active)
                run.loops.pop()
                done, active, turn = union(done, now.broken), union(rest, now.continued), turn + 1
                if active is not None:
                    more = narrowed(active, counts > turn)
                    done, active = union(done, without(active, more)), more
                    value = value + by
            return None if done is None else same_or_none(done, mask)
        return step

    def break_(self, u: UOp) -> Control:
        def step(run: Run, mask: Mask) -> Mask | None:
            run.loops[-1].broken = union(run.loops[-1].broken, mask)
            return None
        return step

    def continue_(self, u: UOp) -> Control:
        def step(run: Run, mask: Mask) -> Mask | None:
            run.loops[-1].continued = union(run.loops[-1].continued, mask)
            return None
        return step

    def return_(self, u: UOp) -> Control:
        def step(run: Run, mask: Mask) -> Mask | None:
            run.returned = union(run.returned, mask)
            return None
        return step


_PLAIN: dict[Op, Callable[[Statements, UOp], Plain]] = {
    Op.LET: Statements.let, Op.STORE: Statements.store, Op.BARRIER: Statements.barrier, Op.PRINT: Statements.print_,
    Op.ASSERT: Statements.assert_}
_CONTROL: dict[Op, Callable[[Statements, UOp], Control]] = {
    Op.BRANCH: Statements.branch, Op.LOOP: Statements.loop, Op.FOR: Statements.for_, Op.BREAK: Statements.break_,
    Op.CONTINUE: Statements.continue_, Op.RETURN: Statements.return_}


def _is_place(u: UOp) -> bool:
    """An ASSERT that does nothing but say where the statement behind it was written."""
    return u.op is Op.ASSERT and u.arg.kind == "place"


def _bound(k: int, p: int) -> Plain:
    """The step of a LET of an expression in place `p`. Items that are not active cannot see the VALUE, so all get the new one."""
    def step(run: Run, mask: Mask) -> None:
        run.values[k] = run.values[p]
    return step


def _used(threads: UOp) -> frozenset[UOp]:
    """The VALUEs that something is computed from."""
    used: set[UOp] = set()
    for u in threads.toposort():
        operands = u.src[1:] if u.op in (Op.LET, Op.FOR) else u.src
        used.update(s for s in operands if s.op is Op.VALUE)
    return frozenset(used)


def _computed(u: UOp, k: int, places: Sequence[int]) -> Callable[[list[Any]], None]:
    """The step that computes a pure node into place `k`."""
    fn = meaning(u.op, u.dtype, u.src[0].dtype, u.arg)
    if len(places) == 1:
        a, = places

        def one(v: list[Any]) -> None:
            v[k] = fn(v[a])
        return one
    if len(places) == 2:
        a, b = places

        def two(v: list[Any]) -> None:
            v[k] = fn(v[a], v[b])
        return two

    def many(v: list[Any]) -> None:
        v[k] = fn(*[v[p] for p in places])
    return many


def iterations(start: Any, stop: Any, step: Any) -> Any:
    """How many values Python's range(start, stop, step) has, exactly, as u64; 0 for a step of 0. Integers of one dtype, or arrays."""
    up, down = (step > 0) & (start < stop), (step < 0) & (start > stop)
    low, high, size = (np.asarray(x).astype(np.uint64) for x in (start, stop, step))
    distance = np.where(up, high - low, low - high)
    size = np.where(up, size, np.uint64(0) - size)
    return np.where(up | down, (distance - np.uint64(1)) // np.where(size == 0, np.uint64(1), size) + np.uint64(1), np.uint64(0))


def _of_item(run: Run, places: Sequence[int], item: int) -> list[Any]:
    """The values of one work item."""
    values = [run.values[p] for p in places]
    return [v if np.ndim(v) == 0 else v[item] for v in values]
