"""Statements of a thread kernel for some vectors of work items at once, in lockstep: each statement for all copies, then the next.

Owns: masks, variables, loops and branches of work items that may go apart. Must not know groups and barriers (a lockstep group needs none).
Invariants: a masked-off work item changes nothing and reads nothing that it could not; a loop ends when no work item is left in it.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from svod.codegen.simt.access import Access
from svod.codegen.simt.emit import Emitter, index
from svod.codegen.simt.lanes import FALSE, TRUE, Shape, both, every, some, splat, widen
from svod.codegen.simt.messages import asserted, printed
from svod.codegen.simt.shape import JUMPS, exit_arm, jumps_out
from svod.codegen.simt.uniform import Uniformity
from svod.dtype import dtypes
from svod.errors import UnsupportedError
from svod.ir.args import SpecialKind
from svod.ir.bounds import constant, vmin
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

Mask = UOp | None
CHEAP = 40
"""Nodes up to which an arm without accesses is computed for all and selected from, without a branch."""

TWICE = 1000
"""Nodes of a loop times copies up to which it is written twice: for the iterations of all work items, without masks, and for the rest."""


@dataclass
class _Loop:
    """An open loop: for each copy the memory that says which work items are in it (nothing where none leaves before the others), and
    which skip the rest of this iteration.
    """

    active: list[UOp]
    skip: list[UOp]


@dataclass(frozen=True)
class _Counter:
    """What a counted loop does at the start of an iteration (`head` reads the counter, `going` says who goes on) and at its end.

    `apart`: work items may leave one by one.
    """

    head: Callable[[], None]
    going: Callable[[], list[UOp]]
    tail: Callable[[], None]
    apart: bool


class Body:
    """The code of `copies` vectors of a group. `first` is the number of the first one, `group` holds the block's x, y, z."""

    def __init__(self, out: Emitter, shape: Shape, facts: Uniformity, group: tuple[UOp, ...], memories: Callable[[], int]) -> None:
        self.out, self.shape, self.facts, self.group, self.memories = out, shape, facts, group, memories
        self.first = index(0)
        self.values: dict[UOp, list[UOp]] = {}
        self.cells: dict[UOp, list[UOp]] = {}
        self.loops: list[_Loop] = []
        self.gone: list[UOp] = []
        self.dead = False
        self.covered = True
        self.guarded = 0
        """Open arms that only some work items take."""
        self.mask: list[Mask] = []
        self.ids: list[tuple[UOp, UOp, UOp]] = []
        self.memo: list[dict[UOp, UOp]] = []
        self.access = Access(self)

    @property
    def width(self) -> int:
        return self.shape.width

    @property
    def copies(self) -> int:
        return len(self.mask)

    def start(self, first: UOp, copies: int) -> None:
        """Takes the vectors from number `first` on."""
        self.first = first
        found = [self.shape.ids(rewrite(first + j, SIMPLIFY)) for j in range(copies)]
        self.ids = [tuple(rewrite(u, SIMPLIFY) for u in ids) for ids, _ in found]  # type: ignore[misc]
        self.mask = [None if m is None else rewrite(m, SIMPLIFY) for _, m in found]
        self.memo = [{} for _ in range(copies)]

    # ---- values -------------------------------------------------------------------------------------------------
    def value(self, expr: UOp) -> list[UOp]:
        """`expr` for each copy: scalar where all lanes agree."""
        return [widen(expr, lambda u, j=j: self._leaf(u, j), self.width, memo) for j, memo in enumerate(self.memo)]  # type: ignore[misc]

    def _leaf(self, u: UOp, j: int) -> UOp | None:
        if u.op is Op.VALUE:
            return self.values[u][j]
        if u.op is Op.SPECIAL:
            return self.ids[j][u.arg.axis] if u.arg.kind is SpecialKind.LOCAL else self.group[u.arg.axis]
        return None

    def scalar(self, values: list[UOp]) -> UOp | None:
        """The one scalar that all copies share, or None."""
        return values[0] if values[0].dtype.lanes == 1 and all(v is values[0] for v in values) else None

    # ---- statements ---------------------------------------------------------------------------------------------
    def block(self, block: UOp, *, loop: bool = False) -> None:
        """The statements of a BLOCK; `loop`: it is the body of the innermost loop."""
        opened: list[bool] = []
        for s in block.src:
            if loop and (arm := exit_arm(s)):
                self._leave(*arm)
                continue
            self.statement(s)
            if self.dead:
                break
            if jumps := jumps_out(s):
                self.after_jumps(jumps, opened, loop=loop)
        for o in reversed(opened):
            self.out.end_branch(o)

    def after_jumps(self, jumps: frozenset[Op], opened: list[bool], *, loop: bool) -> None:
        """Goes on with those that have not jumped away; what this opens is added to `opened`. `loop`: in the body of a loop itself."""
        self.mask = self._remaining(jumps)
        self.covered = len(set(self.mask)) == 1
        if loop and jumps & {Op.BREAK, Op.RETURN}:
            self.out.leave(_not(some([m for m in self._in_loop(jumps) if m is not None])))
        if not loop or Op.CONTINUE in jumps:
            opened.append(self.out.branch(some([m for m in self.mask if m is not None])))

    def _leave(self, cond: UOp, rest: UOp) -> None:
        """Work items for which `cond` holds leave the loop; the others do `rest`."""
        going = [_not(c) for c in self.value(cond)]
        if (one := self.scalar(going)) is not None and self.facts.uniform(cond):
            self.out.leave(_not(one))
        else:
            self._go_on(going)
        self.block(rest)

    def statement(self, s: UOp) -> None:
        """One statement for all copies."""
        handler = _STATEMENTS.get(s.op)
        if handler is None:
            raise UnsupportedError(f"{s.op.name} is not available on this target", at=repr(s), hint="run the kernel on INTERP")
        handler(self, s)

    def let(self, s: UOp) -> None:
        value, expr = s.src
        if expr.op is Op.LOAD:
            self.values[value] = self.access.load(expr)
        elif expr.op is Op.ATOMIC and value not in self.facts.used and self.access.combined_atomic(expr):
            pass
        elif expr.op is Op.ATOMIC:
            self.values[value] = self.access.atomic(expr)
        elif expr.op is Op.SUBGROUP:
            self.values[value] = self.access.exchange(expr)
        else:
            self.values[value] = self.value(expr)

    def store(self, s: UOp) -> None:
        self.access.store(s)

    def barrier(self, s: UOp) -> None:
        """Nothing: the whole group is here, in step."""

    # ---- branches -----------------------------------------------------------------------------------------------
    def branch(self, s: UOp) -> None:
        cond = self.value(s.src[0])
        if (one := self.scalar(cond)) is not None:
            dead = [self._arm(one, s.src[1], self.mask, s.src[0]), self._arm(_not(one), s.src[2], self.mask, s.src[0])]
        else:
            yes = [both(m, c, self.width) for m, c in zip(self.mask, cond, strict=True)]
            no = [both(m, _not(c), self.width) for m, c in zip(self.mask, cond, strict=True)]
            dead = [self._arm(None, s.src[1], yes, s.src[0]), self._arm(None, s.src[2], no, _not(s.src[0]))]
        self.dead = all(dead)

    def _arm(self, cond: UOp | None, arm: UOp, mask: list[Mask], asked: UOp) -> bool:
        """One arm, where `cond` holds, or any of `mask` if it is None: where `asked` says. Whether no work item comes out of its end."""
        if not arm.src:
            return False
        saved = self.mask, self.covered
        if cond is None:
            self.mask, self.covered = mask, len(set(mask)) == 1
        free = cond is None and _is_cheap(arm)
        whole = self._whole_arm(arm) if cond is None and not free else None
        rest = whole is not None and self.out.branch(_not(whole))
        opened = not free and self.out.branch(some([m for m in mask if m is not None]) if cond is None else cond)
        if whole is None or not self._one_by_one(arm, asked, saved[0]):
            self.guarded += whole is not None
            self.block(arm)
            self.guarded -= whole is not None
        self.out.end_branch(opened)
        self.out.end_branch(rest)
        self.mask, self.covered = saved
        dead, self.dead = self.dead, False
        return dead

    def _whole_arm(self, arm: UOp) -> UOp | None:
        """An arm that accesses memory, without masks, where all work items take it; the condition for that. None: not worth it."""
        masks = [m for m in self.mask if m is not None]
        if (self.guarded or len(masks) < self.copies or jumps_out(arm) or len(arm.toposort()) * self.copies > TWICE
                or not any(u.op in (Op.LOAD, Op.STORE) and u.src[0].src[0].op is not Op.DEFINE_REG for u in arm.toposort())):
            return None
        saved, memo = (self.mask, self.covered), [dict(m) for m in self.memo]
        self.mask, self.covered = [None] * self.copies, True
        opened = self.out.branch(whole := every(masks))
        self.block(arm)
        self.out.end_branch(opened)
        self.mask, self.covered = saved
        self.memo = memo  # what the arm has bound is bound again where only some take it
        return whole

    def _one_by_one(self, arm: UOp, asked: UOp, mask: list[Mask]) -> bool:
        """Runs an arm without jumps vector by vector, in a loop, where `asked` holds: less code than all of them. False, and nothing is
        done, unless what it uses is known from the number of the vector.
        """
        used = {*asked.toposort(), *arm.toposort()}
        own = {u.src[0] for u in used if u.op in (Op.LET, Op.FOR)}
        outside = {u: self.scalar(self.values[u]) for u in used - own if u.op is Op.VALUE}
        if self.copies == 1 or any(m is not None for m in mask) or None in outside.values() or any(u.op is Op.DEFINE_REG for u in used):
            return False
        v = self.out.range(index(0), index(self.copies))
        part = Body(self.out, self.shape, self.facts, self.group, self.memories)
        part.start(self.first + v, 1)
        part.values, part.guarded = {u: [one] for u, one in outside.items() if one is not None}, 1
        part._arm(None, arm, [both(m, c, self.width) for m, c in zip(part.mask, part.value(asked), strict=True)], asked)
        self.out.end_range(v)
        return True

    # ---- jumps --------------------------------------------------------------------------------------------------
    def jump(self, s: UOp) -> None:
        if s.op is Op.BREAK:
            self._take_out(self.loops[-1].active)
        elif s.op is Op.CONTINUE:
            self._put_in(self.loops[-1].skip)
        else:
            self._put_in(self.gone)
            for loop in self.loops:
                self._take_out(loop.active)
        self.dead = True

    def _put_in(self, cells: list[UOp]) -> None:
        for cell, m in zip(cells, self.mask, strict=True):
            self.access.write(cell, TRUE if m is None else self.access.read(cell) | splat(m, self.width), None)

    def _take_out(self, cells: list[UOp]) -> None:
        for cell, m in zip(cells, self.mask, strict=True):
            self.access.write(cell, FALSE if m is None else self.access.read(cell) & splat(_not(m), self.width), None)

    def _remaining(self, jumps: frozenset[Op]) -> list[Mask]:
        """The mask without the work items that have jumped away in one of these ways."""
        out = self.mask
        if self.loops and jumps & {Op.BREAK, Op.RETURN}:
            out = [both(m, self.access.read(c), self.width) for m, c in zip(out, self.loops[-1].active, strict=True)]
        elif Op.RETURN in jumps:
            out = self._without(out, [self.gone])
        return self._without(out, [self.loops[-1].skip]) if Op.CONTINUE in jumps else out

    def _without(self, mask: list[Mask], cells: list[list[UOp]]) -> list[Mask]:
        out = list(mask)
        for column in cells:
            out = [both(m, ~self.access.read(c), self.width) for m, c in zip(out, column, strict=True)]
        return out

    def _in_loop(self, jumps: frozenset[Op]) -> list[Mask]:
        """Who is still in the innermost loop, also those that skip the rest of this iteration."""
        loop = self.loops[-1]
        return [self.access.read(c) for c in loop.active] if loop.skip else self.mask

    def flags(self) -> list[UOp]:
        """A bool for each work item, false, in memory."""
        return self._cells([FALSE] * self.copies)

    def _cells(self, start: list[UOp] | list[Mask]) -> list[UOp]:
        cells = [self.access.cell(dtypes.bool) for _ in range(self.copies)]
        for c, m in zip(cells, start, strict=True):
            self.access.write(c, TRUE if m is None else m, None)
        return cells

    # ---- loops --------------------------------------------------------------------------------------------------
    def for_(self, s: UOp) -> None:
        value, *bounds, body = s.src
        start, stop, step = (self.scalar(self.value(b)) for b in bounds)
        by = None if step is None else constant(step)
        if start is None or stop is None or by is None or self._jumps_in(body):
            upwards = stop is not None and step is not None and vmin(step) >= 0
            self._counted(s, self._common(s, _index(stop), _index(step)) if upwards else None)  # type: ignore[arg-type]
        elif by:
            r = self._open_range(start, stop, by)
            counter = r if by == 1 else _index(start) + r * by
            self._bind_counter(value, rewrite(counter.cast(value.dtype), SIMPLIFY))
            self.block(body)
            self.out.end_range(r)

    def _open_range(self, start: UOp, stop: UOp, by: int) -> UOp:
        first, last = _index(start), _index(stop)
        if by == 1:
            return self.out.range(first, last)
        distance = last - first if by > 0 else first - last
        return self.out.range(index(0), rewrite((distance + (abs(by) - 1)) // abs(by), SIMPLIFY))

    def _bind_counter(self, value: UOp, counter: UOp) -> None:
        self.values[value] = [counter] * self.copies

    def _jumps_in(self, body: UOp) -> frozenset[Op]:
        return frozenset().union(*(jumps_out(x) for x in body.src))

    def _common(self, s: UOp, stop: UOp, step: UOp) -> UOp | None:
        """Runs the iterations of a FOR that all work items do, up to one end by one step (0 or more), without masks: the distance gone."""
        value, start, _, _, body = s.src
        if self._jumps_in(body) or len(body.toposort()) * self.copies > TWICE:
            return None
        begin = self.value(start)
        by = step.maximum(index(1))
        distance = stop - _index(_greatest(begin))
        trips = rewrite((distance + (by - 1)).maximum(index(0)) // by, SIMPLIFY)
        trips = rewrite(step.eq(index(0)).where(index(0), trips), SIMPLIFY)
        r = self.out.range(index(0), trips)
        gone = rewrite((r * step).cast(value.dtype), SIMPLIFY)
        self.values[value] = [self._plus(b, gone) for b in begin]
        self.block(body)
        self.out.end_range(r)
        self.memo = [{} for _ in self.memo]  # what the loop has bound is bound again by the rest
        return rewrite((trips * step).cast(value.dtype), SIMPLIFY)

    def _counted(self, s: UOp, done: UOp | None = None) -> None:
        """A FOR whose bounds differ, or that is left early. With one step for all, the distance gone is the same for all too.

        `done`: the distance that has been gone already.
        """
        value, *bounds, body = s.src
        start, stop, step = (self.value(b) for b in bounds)
        apart = any(self.scalar(b) is None for b in (start, stop, step))
        base = start
        if self.scalar(step) is not None:
            start = [UOp.const(0, value.dtype) if done is None else done] * self.copies
        if self.scalar(step) is None:
            cells = [self.access.cell(value.dtype) for _ in range(self.copies)]
        else:
            cells = [self.access.cell(value.dtype, lanes=1)] * self.copies
        for c, v in dict(zip(cells, start, strict=True)).items():
            self.access.write(c, v, None)
        gone: dict[UOp, UOp] = {}

        def head() -> None:
            read = {c: self.access.read(c) for c in dict.fromkeys(cells)}
            gone.update(read)
            self.values[value] = [read[c] if start is base else self._plus(b, read[c]) for c, b in zip(cells, base, strict=True)]

        def tail() -> None:
            for c, by in dict(zip(cells, step, strict=True)).items():
                self.access.write(c, self._plus(gone[c], by), None)

        def going() -> list[UOp]:
            parts = zip(self.values[value], stop, step, strict=True)
            return [rewrite(_before(*_level(p, self.width)), SIMPLIFY) for p in parts]

        self._loop(body, _Counter(head, going, tail, apart))

    def _plus(self, a: UOp, b: UOp) -> UOp:
        x, y = _level((a, b), self.width)
        return rewrite(x + y, SIMPLIFY)

    def loop(self, s: UOp) -> None:
        self._loop(s.src[0])

    def _loop(self, body: UOp, counter: _Counter | None = None) -> None:
        """Runs `body` until nobody is in the loop."""
        jumps = self._jumps_in(body)
        entry, covered = self.mask, self.covered
        apart = (counter is not None and counter.apart) or Op.RETURN in jumps or not all(self._leaves_together(x) for x in body.src)
        self.loops.append(_Loop(self._cells(entry) if apart else [], self._cells([FALSE] * self.copies) if Op.CONTINUE in jumps else []))
        self.out.loop()
        if apart:
            self.mask = [self.access.read(c) for c in self.loops[-1].active]
            self.covered = self.copies == 1
        if counter is not None:
            counter.head()
            self._go_on(counter.going())
        for c in self.loops[-1].skip:
            self.access.write(c, FALSE, None)
        self.block(body, loop=True)
        if self.dead and apart:
            self.out.leave(_not(some([self.access.read(c) for c in self.loops[-1].active])))
        if counter is not None:
            counter.tail()
        self.out.end_loop()
        self.loops.pop()
        self.mask, self.covered, self.dead = entry, covered, False

    def _leaves_together(self, s: UOp) -> bool:
        """Whether statement `s` of a loop takes all work items out of it, or none."""
        return Op.BREAK not in jumps_out(s) or ((arm := exit_arm(s)) is not None and self.facts.uniform(arm[0]))

    def _go_on(self, going: list[UOp]) -> None:
        if (one := self.scalar(going)) is not None:
            self.out.leave(_not(one))
            return
        loop = self.loops[-1]
        if loop.skip:
            saved, self.mask = self.mask, [both(m, _not(go), self.width) for m, go in zip(self.mask, going, strict=True)]
            self._take_out(loop.active)
            self.mask = saved
        self.mask = [both(m, go, self.width) for m, go in zip(self.mask, going, strict=True)]
        if not loop.skip:
            for cell, m in zip(loop.active, self.mask, strict=True):
                self.access.write(cell, TRUE if m is None else m, None)
        self.covered = len(set(self.mask)) == 1
        self.out.leave(_not(some([m for m in self._in_loop(frozenset()) if m is not None])))


def _not(u: UOp) -> UOp:
    return rewrite(~u, SIMPLIFY)


def _index(u: UOp) -> UOp:
    return rewrite(u.cast(dtypes.index), SIMPLIFY)


def _level(parts: tuple[UOp, ...], width: int) -> tuple[UOp, ...]:
    """All scalar or all vectors."""
    return tuple(splat(p, width) for p in parts) if any(p.dtype.lanes > 1 for p in parts) else parts


def _greatest(values: list[UOp]) -> UOp:
    """The greatest of all lanes of these values, a scalar."""
    ends = []
    for v in dict.fromkeys(values):
        if v.op is Op.RAMP and (by := constant(v.src[1])) is not None and by >= 0:
            ends.append(v.src[0] + v.src[1] * (v.dtype.lanes - 1))
        elif v.dtype.lanes == 1 or v.op is Op.BROADCAST:
            ends.append(v if v.dtype.lanes == 1 else v.src[0])
        else:
            ends.append(UOp(Op.LANES, (v,), Op.MAX, v.dtype.scalar))
    out = ends[0]
    for e in ends[1:]:
        out = out.maximum(e)
    return rewrite(out, SIMPLIFY)


def _before(value: UOp, stop: UOp, step: UOp) -> UOp:
    """Whether a counter is short of its end, whichever way it counts."""
    up, down = value < stop, stop < value
    by = constant(step.src[0] if step.op is Op.BROADCAST else step)
    if by is not None:
        return up if by > 0 else down if by < 0 else value.ne(value)
    zero = step * 0
    return (zero < step).where(up, (step < zero) & down)


def _is_cheap(arm: UOp) -> bool:
    """Whether the arm only sets variables from what is known, by little arithmetic."""
    nodes: set[UOp] = set()
    if len(arm.src) == 1 and arm.src[0].op in JUMPS:
        return True
    for s in arm.src:
        memory = s.src[0].src[0] if s.op is Op.STORE else s.src[1].src[0].src[0] if s.op is Op.LET and s.src[1].op is Op.LOAD else None
        if memory is None or memory.op is not Op.DEFINE_REG or memory.arg.size != 1:
            return False
        nodes.update(s.toposort())
    return len(nodes) <= CHEAP


_STATEMENTS: dict[Op, Callable[[Body, UOp], None]] = {
    Op.LET: Body.let, Op.STORE: Body.store, Op.BRANCH: Body.branch, Op.FOR: Body.for_, Op.LOOP: Body.loop, Op.BARRIER: Body.barrier,
    Op.BREAK: Body.jump, Op.CONTINUE: Body.jump, Op.RETURN: Body.jump, Op.GROUP: lambda b, s: None,
    Op.PRINT: printed, Op.ASSERT: asserted,
}
