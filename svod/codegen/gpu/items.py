"""Statements of a thread kernel as the instructions of one work item, for targets whose work items have ids and wait for one another.

Owns: jumps as conditions and BREAKs, counters, which work items still take part behind an early return. Must not know targets.
Invariants: instructions stand in the order of the statements; every work item of a group arrives at each BARRIER that any of them meets,
also one that has returned: it goes on without an effect on memory that others see.
"""
from __future__ import annotations

from collections.abc import Callable

from svod.codegen.gpu.exchange import Exchange
from svod.codegen.gpu.tensor import mma
from svod.codegen.gpu.together import exchanges, goes_together, left_together, meets, returns_together
from svod.codegen.simt.emit import Emitter, index
from svod.codegen.simt.shape import exit_arm, has_barrier, jumps_out
from svod.codegen.simt.uniform import Uniformity
from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import BarrierScope, SpecialKind
from svod.ir.bounds import constant
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.threads import grid_variable, needed_values, thread_id
from svod.ir.uop import UOp

TRUE, FALSE = UOp.const(True, dtypes.bool), UOp.const(False, dtypes.bool)
JUMPS = frozenset((Op.BREAK, Op.CONTINUE, Op.RETURN))


class Item:
    """The code of one work item. `memories` gives numbers of memories that the kernel does not have yet."""

    def __init__(self, out: Emitter, facts: Uniformity, block: tuple[int, int, int], memories: Callable[[], int]) -> None:
        self.out, self.facts, self.shape, self.memories = out, facts, block, memories
        self.values: dict[UOp, UOp] = {}
        self.skips: list[UOp | None] = []
        """For each open loop the flag that says that the rest of this iteration is skipped; None where nothing sets it."""
        self.gone: UOp | None = None
        self.apart = False
        """Some work items may have returned where others still wait for them: what others could see is done by those alone."""
        self.masks: list[UOp] = []
        """Flags of the open arms that all go through: whether this work item does what is in it."""
        self.divided = 0
        """How many of these arms are not taken by all or none."""
        self.kept: set[UOp] = set()
        """VALUEs read in such an arm: those that do not take it have not got them."""
        self.exchange = Exchange(self, number(SpecialKind.LOCAL, block))
        self.stale = False
        """Variables that are the same for all others may have another value in work items that have returned."""

    # ---- values and memory ---------------------------------------------------------------------------------------
    def value(self, expr: UOp) -> UOp:
        """`expr` over what the VALUEs are bound to."""
        return expr.substitute(self.values)

    def cell(self, dtype: DType, start: UOp, name: str) -> UOp:
        """A variable of this work item, set to `start`."""
        cell = UOp.memory(self.memories(), dtype, 1, AddrSpace.REG, name=name)
        self.set(cell, start)
        return cell

    def set(self, cell: UOp, value: UOp) -> None:
        self.put(cell, index(0), value)

    def get(self, cell: UOp) -> UOp:
        """What a variable holds now."""
        return self.fetch(cell, index(0))

    def put(self, memory: UOp, at: UOp, value: UOp) -> None:
        """Sets an element."""
        self.out.do(UOp(Op.STORE, (UOp(Op.INDEX, (memory, at)), value)))

    def fetch(self, memory: UOp, at: UOp) -> UOp:
        """An element, now."""
        return self.read(UOp(Op.LOAD, (UOp(Op.INDEX, (memory, at)),)))

    def wait(self) -> None:
        """Waits for the group."""
        self.out.do(UOp.barrier(scope=BarrierScope.GROUP))

    def read(self, action: UOp) -> UOp:
        """Does a LOAD or ATOMIC here; what it yields."""
        address = action.src[0]
        token = self.out.token(action.dtype)
        own = address.replace(src=(address.src[0].after(token), *address.src[1:]))
        return self.out.bind(action.replace(src=(own, *action.src[1:])), token)

    # ---- statements ----------------------------------------------------------------------------------------------
    def block(self, block: UOp) -> None:
        """The statements of a BLOCK."""
        opened: list[bool] = []
        for k, s in enumerate(block.src):
            if self.skips and (arm := exit_arm(s)) is not None:
                self.out.leave(self.value(arm[0]))
                self.block(arm[1])
                continue
            if self.apart or self.masks:
                self.alone(s)
            else:
                self.statement(s)
            if s.op in JUMPS:
                break
            if jumps := jumps_out(s):
                opened += self.after_jumps(s, jumps, block.src[k + 1:])
        for o in reversed(opened):
            self.out.end_branch(o)

    def statement(self, s: UOp) -> None:
        """One statement."""
        handler = _STATEMENTS.get(s.op)
        if handler is None:
            raise UnsupportedError(f"{s.op.name} is not available on this target", at=repr(s), hint="run the kernel on CPU or INTERP")
        handler(self, s)

    def after_jumps(self, s: UOp, jumps: frozenset[Op], rest: tuple[UOp, ...]) -> list[bool]:
        """Goes on behind `s`, out of which some jump: with those that did not. The branches that this opens."""
        waits = any(meets(r) for r in rest)
        out = []
        if Op.RETURN in jumps and self.gone is not None:
            if self.skips:
                if s.op in (Op.FOR, Op.LOOP):
                    self.out.leave(self.get(self.gone))
            elif waits and not returns_together(s, self.facts):
                self.apart = True
            elif rest and not self.apart:
                out.append(self.out.branch(self.untrue(self.gone)))
        if rest and Op.CONTINUE in jumps and self.skips and (skip := self.skips[-1]) is not None:
            out.append(self.out.branch(self.untrue(skip)))
        return out

    def untrue(self, flag: UOp) -> UOp:
        return rewrite(~self.get(flag), SIMPLIFY)

    def let(self, s: UOp) -> None:
        value, expr = s.src
        real = self.value(expr)
        if expr.op is Op.SUBGROUP:
            self.values[value] = self.exchange.run(real, self.taking())
            return
        self.values[value] = self.read(real) if expr.op in (Op.LOAD, Op.ATOMIC) else real
        if value.arg.name and not (expr.op is Op.LOAD and value.arg.name == expr.src[0].src[0].arg.name):
            self.out.called.append((self.values[value], value.arg.name))

    def store(self, s: UOp) -> None:
        self.out.do(self.value(s))

    def barrier(self, s: UOp) -> None:
        self.wait()

    def branch(self, s: UOp) -> None:
        cond = rewrite(self.value(s.src[0]), SIMPLIFY)
        if meets(s) and not (self.facts.uniform(s.src[0]) and next(s.find(Op.LOOP), None) is not None):
            self.arms_of_all(s, cond)
            return
        for holds, arm in ((cond, s.src[1]), (rewrite(~cond, SIMPLIFY), s.src[2])):
            if arm.src and holds is not FALSE:
                opened = self.out.branch(holds)
                self.block(arm)
                self.out.end_branch(opened)

    def jump(self, s: UOp) -> None:
        if s.op is Op.RETURN and self.gone is not None:
            self.set(self.gone, TRUE)
        if s.op is Op.CONTINUE:
            if (skip := self.skips[-1]) is not None:
                self.set(skip, TRUE)
        elif self.skips:
            self.out.leave(TRUE)

    # ---- those that take no part ---------------------------------------------------------------------------------
    def taking(self) -> UOp | None:
        """Whether this work item takes part in what is done here; None: all do."""
        flags = [self.get(self.masks[-1])] if self.masks else []
        if self.apart and self.gone is not None:
            flags.append(self.untrue(self.gone))
        return rewrite(flags[0] & flags[-1], SIMPLIFY) if flags else None

    def arms_of_all(self, s: UOp, cond: UOp) -> None:
        """A BRANCH in which work items meet: all of them go through both arms, with a flag for each that says whether they take it.

        Also where all of them take the same one, as some compilers (PoCL 3.0) lose variables that a branch with a barrier sets; but not
        around a LOOP, which would not end where nobody takes the arm.
        """
        outer, apart = self.taking(), not self.facts.uniform(s.src[0])
        self.divided += apart
        for holds, arm in ((cond, s.src[1]), (rewrite(~cond, SIMPLIFY), s.src[2])):
            if arm.src:
                self.masks.append(self.cell(dtypes.bool, holds if outer is None else outer & holds, "taken"))
                self.block(arm)
                self.masks.pop()
        self.divided -= apart

    def alone(self, s: UOp) -> None:
        """A statement that only those do that take part; the others keep what is the same for all, and come to where all meet."""
        together = s.op in (Op.BRANCH, Op.FOR, Op.LOOP) and not self.stale and not self.masks
        if self.masks and s.op is Op.FOR and meets(s):
            together = not (self.divided and any(needed_values(b) & self.kept for b in s.src[1:4]))
        if s.op in (Op.BARRIER, Op.MMA) or (together and goes_together(s, self.facts)):
            self.statement(s)
        elif s.op is Op.BRANCH and meets(s):
            self.arms_of_all(s, rewrite(self.value(s.src[0]), SIMPLIFY))
        elif s.op in (Op.FOR, Op.LOOP) and meets(s):
            raise UnsupportedError("work items that have returned, or take another branch, cannot follow the others through a loop in "
                                   "which these wait for one another", at=repr(s), hint="let all of them go through the loop together")
        elif s.op is Op.LET:
            self.let_alone(s)
        elif not self.masks and s.op is Op.STORE and s.src[0].src[0].op is Op.DEFINE_REG and s.src[0].src[0].arg.size == 1:
            self.store(s)
        else:
            self.stale |= any(u.op is Op.STORE and u.src[0].src[0].op is Op.DEFINE_REG and u.src[0].src[0] not in self.facts.varying
                              for u in s.toposort())
            opened = self.out.branch(self._taking())
            saved, self.apart, self.masks = (self.apart, self.masks), False, []
            self.statement(s)
            self.apart, self.masks = saved
            self.out.end_branch(opened)

    def _taking(self) -> UOp:
        taking = self.taking()
        return TRUE if taking is None else taking

    def let_alone(self, s: UOp) -> None:
        value, expr = s.src
        own = expr.op is Op.LOAD and expr.src[0].src[0].op is Op.DEFINE_REG and expr.src[0].src[0].arg.size == 1
        if own or expr.op not in (Op.LOAD, Op.ATOMIC):
            self.let(s)
            return
        if self.divided:
            self.kept.add(value)
        kept = dtypes.i64 if expr.dtype is dtypes.index else expr.dtype
        cell = self.cell(kept, UOp.const(0, kept), value.arg.name or "kept")
        opened = self.out.branch(self._taking())
        self.let(s)
        self.set(cell, self.values[value].cast(kept))
        self.out.end_branch(opened)
        self.values[value] = self.get(cell).cast(expr.dtype)

    # ---- loops ---------------------------------------------------------------------------------------------------
    def for_(self, s: UOp) -> None:
        value, *bounds, body = s.src
        start, stop, step = (rewrite(self.value(b).cast(dtypes.index), SIMPLIFY) for b in bounds)
        if exchanges(body) and not all(self.facts.uniform(b) for b in bounds):
            raise UnsupportedError("SUBGROUP in a loop of which each work item does as many iterations as it will is not available on this "
                                   "target", at=repr(s), hint="give the loop the same bounds for all work items of the group")
        by = constant(step)
        if by == 0:
            return
        if by is None or _jumps_in(body) & {Op.BREAK, Op.RETURN}:
            self.counted(s, start, stop, step)
            return
        if by == 1:
            r = counter = self.out.range(start, stop)
        else:
            distance = stop - start if by > 0 else start - stop
            r = self.out.range(index(0), rewrite((distance + (abs(by) - 1)) // abs(by), SIMPLIFY))
            counter = start + r * by
        self.values[value] = rewrite(counter.cast(value.dtype), SIMPLIFY)
        if value.arg.name:
            self.out.called.append((r if by == 1 else self.values[value], value.arg.name))
        self.iteration(body)
        self.out.end_range(r)

    def counted(self, s: UOp, start: UOp, stop: UOp, step: UOp) -> None:
        """A FOR that is left early, or whose step is not known: its counter is a variable."""
        value, body = s.src[0], s.src[4]
        cell = self.cell(dtypes.i64, start.cast(dtypes.i64), value.arg.name or "i")
        self.out.loop()
        at = self.get(cell).cast(dtypes.index)
        by = constant(step)
        up, down = at < stop, stop < at
        going = (up if by > 0 else down) if by is not None else (step < 0).where(down, (index(0) < step) & up)
        self.out.leave(rewrite(~going, SIMPLIFY))
        self.values[value] = rewrite(at.cast(value.dtype), SIMPLIFY)
        self.iteration(body)
        self.set(cell, (at + step).cast(dtypes.i64))
        self.out.end_loop()

    def loop(self, s: UOp) -> None:
        self.out.loop()
        self.iteration(s.src[0])
        self.out.end_loop()

    def iteration(self, body: UOp) -> None:
        """The body of a loop, once."""
        if has_barrier(body) and not all(returns_together(x, self.facts) for x in body.src):
            raise UnsupportedError("some work items return out of a loop in which the others meet at a BARRIER", at=repr(body),
                                   hint="leave the loop together, or put what the others do under `if`")
        if exchanges(body) and not left_together(body, self.facts):
            raise UnsupportedError("SUBGROUP in a loop that work items leave one by one is not available on this target", at=repr(body),
                                   hint="let all work items of the group go through the loop together, or run the kernel on CPU")
        skip = self.cell(dtypes.bool, FALSE, "skip") if Op.CONTINUE in _jumps_in(body) else None
        self.skips.append(skip)
        self.block(body)
        self.skips.pop()

    # ---- messages ------------------------------------------------------------------------------------------------
    def printed(self, s: UOp) -> None:
        values = [self.value(v.cast(dtypes.f32) if v.dtype.is_float and v.dtype.bits < 32 else v) for v in s.src]
        self.out.do(UOp(s.op, tuple(values), s.arg))

    def asserted(self, s: UOp) -> None:
        """An ASSERT of a linear program says which group and which work item it is."""
        where = (number(SpecialKind.GLOBAL, self.shape), number(SpecialKind.LOCAL, self.shape))
        cond, *values = (self.value(x) for x in s.src)
        self.out.do(UOp(s.op, (cond, *where, *values), s.arg))


def number(kind: SpecialKind, block: tuple[int, int, int]) -> UOp:
    """The number of the group in the grid, or of the work item in its group, counted with x fastest."""
    if kind is SpecialKind.LOCAL:
        extents = [index(n) for n in block]
        ids = [thread_id(axis, block) for axis in range(3)]
    else:
        extents = [grid_variable(axis) for axis in range(3)]
        ids = [UOp.special(kind, axis, grid_variable(axis)) for axis in range(3)]
    return rewrite(ids[0] + extents[0] * (ids[1] + extents[1] * ids[2]), SIMPLIFY)


def _jumps_in(body: UOp) -> frozenset[Op]:
    return frozenset().union(*(jumps_out(x) for x in body.src))


_STATEMENTS: dict[Op, Callable[[Item, UOp], None]] = {
    Op.LET: Item.let, Op.STORE: Item.store, Op.BRANCH: Item.branch, Op.FOR: Item.for_, Op.LOOP: Item.loop, Op.BARRIER: Item.barrier,
    Op.BREAK: Item.jump, Op.CONTINUE: Item.jump, Op.RETURN: Item.jump, Op.PRINT: Item.printed, Op.ASSERT: Item.asserted,
    Op.MMA: mma,
}
