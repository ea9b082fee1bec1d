"""What the default strategy wants of a kernel, and how that becomes Opts.

Owns: plans, the order in which their parts are applied, what gives way where a plan asks for too much code. Must not know why anything
is wanted: that is `strategy.py`. Invariant: every Opt is applied as it is recorded, so a plan that does not fit is a ScheduleError here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from svod.codegen.apply import apply_opts
from svod.codegen.closers import axes
from svod.codegen.order import Order, refusal
from svod.codegen.schedule import DENSE, Opt, OptKind, Panel, Path, Tail
from svod.ir.bounds import constant, divides, interval
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp
from svod.target import Target

UNIT = 4
"""Blocks of a reduction are multiples of this: whole vectors of a row that is read in place."""


@dataclass
class Scheduler:
    """A kernel being scheduled: the graph so far and the Opts that led to it."""

    sink: UOp
    target: Target
    order: Order
    opts: list[Opt] = field(default_factory=list)

    def do(self, kind: OptKind, axis: Path, amount: int = 0, *, tail: Tail = Tail.EXACT, other: Path = ()) -> None:
        """Applies one Opt and records it; an axis that simplification has removed needs none."""
        self.opt(Opt(kind, axis, amount, tail, other))

    def opt(self, opt: Opt) -> None:
        """Like `do`, of an Opt with more to say. ScheduleError if it comes between iterations that depend on one another."""
        if self.axis(opt.axis) is None:
            return
        if self.order.refuses(opt, self.sink):
            raise refusal(self.sink, opt)
        self.sink = apply_opts(self.sink, (opt,), self.target.cores)
        self.order = self.order.after(opt, self.sink)
        self.opts.append(opt)

    def axis(self, path: Path) -> UOp | None:
        """The axis of this path, if the graph still has it."""
        return axes(self.sink).get(path)

    def extent(self, path: Path) -> int | None:
        """Constant extent of an axis."""
        r = self.axis(path)
        return None if r is None else constant(rewrite(r.src[1] - r.src[0], SIMPLIFY))


@dataclass
class Lanes:
    """An axis to vectorize: `lanes` a register, `copies` registers side by side, as accumulators if it is reduced."""

    path: Path
    lanes: int
    copies: int
    reduced: bool
    masked: bool = False


@dataclass
class Plan:
    """What is wanted for one root effect. Paths name axes of the kernel as written.

    `tile` is an axis and how many of its iterations are done together: `square`, as many as a register has lanes, to transpose a block of
    both; `products`, for a tile of accumulators; else for loads that they share.
    """

    serial: bool = False
    lanes: list[Lanes] = field(default_factory=list)
    tile: tuple[Path, int] | None = None
    square: bool = False
    products: bool = False
    parallel: Path | None = None
    group: Path | None = None
    stage: tuple[int, Path] | None = None
    panel: Panel = DENSE
    block: tuple[Path, int] | None = None
    swap: tuple[Path, Path] | None = None
    small: list[Path] = field(default_factory=list)


def smaller(plan: Plan) -> bool:
    """Halves what copies most, accumulators first; False if nothing is left. What registers bound already stays."""
    copied = [x for x in plan.lanes if x.copies > 1 and (x.reduced or not plan.products)]
    most = max(copied, key=lambda x: (x.reduced, x.copies), default=None)
    if most is not None:
        most.copies //= 2
    elif plan.tile is not None and plan.square and plan.tile[1] > 4:
        size = plan.tile[1] // 2
        plan.tile = (plan.tile[0], size)
        for x in plan.lanes:
            x.lanes = x.lanes if x.reduced else min(x.lanes, size)
    elif plan.tile is not None and not plan.products:
        plan.tile, plan.square = None, False
    else:
        return False
    return True


def merged(plans: list[Plan], s: Scheduler, target: Target, *, spread: bool) -> list[Plan]:
    """Plans that agree: an axis shared by several effects is planned once."""
    seen: set[Path] = set()
    out = []
    for p in plans:
        if p.serial:
            continue
        p.lanes = [x for x in p.lanes if x.path not in seen]
        seen.update(x.path for x in p.lanes)
        p.parallel = None if not spread or p.parallel in seen - {x.path for x in p.lanes} else p.parallel
        p.group = p.group if spread else None
        out.append(p)
    return out


def schedule(s: Scheduler, p: Plan) -> None:
    if p.swap is not None:
        s.do(OptKind.SWAP, p.swap[0], other=p.swap[1])
        p = _renamed(p, dict((p.swap, p.swap[::-1])))
    spec = {x.path: x for x in p.lanes}
    if p.group is not None:
        x = spec.get(p.group)
        s.do(OptKind.GROUP, p.group, x.lanes * x.copies if x else 1)
    if p.block is not None and p.tile is not None:
        path, amount = p.block
        s.opt(Opt(OptKind.SPLIT, path, amount, Tail.BALANCED, unit=UNIT))
        s.do(OptKind.CARRY, (*path, 0), other=min(p.tile[0], *spec))
    if p.parallel is not None:
        x = spec.get(p.parallel)
        alone = p.tile[1] if p.tile and p.tile[0] == p.parallel else 1
        unit = x.lanes * (1 if p.panel.guard else x.copies) if x else alone
        s.do(OptKind.PARALLEL, p.parallel, unit)
    if p.tile is not None:
        path, rows = p.tile
        s.do(OptKind.SPLIT, path, rows, tail=Tail.PEEL)
        if rows > 1:
            s.do(OptKind.UNROLL, (*path, 1))
    for x in p.lanes:
        _lanes(s, x)
    if p.stage is not None:
        s.opt(Opt(OptKind.STAGE, (*p.stage[1], 0), p.stage[0], panel=p.panel))


def _renamed(p: Plan, names: dict[Path, Path]) -> Plan:
    """The plan after two axes exchanged their paths."""
    for x in p.lanes:
        x.path = names.get(x.path, x.path)
    if p.tile is not None:
        p.tile = (names.get(p.tile[0], p.tile[0]), p.tile[1])
    if p.stage is not None:
        p.stage = (p.stage[0], names.get(p.stage[1], p.stage[1]))
    p.parallel = names.get(p.parallel, p.parallel) if p.parallel is not None else None
    return p


def _lanes(s: Scheduler, x: Lanes) -> None:
    """SPLIT into whole blocks of `copies` registers, the rest in single masked registers."""
    r = s.axis(x.path)
    if r is None or x.lanes == 1:
        return
    count = rewrite(r.src[1] - r.src[0], SIMPLIFY)
    most = int(interval(count)[1])
    if not x.masked:
        x.copies = max(1, min(x.copies, most // x.lanes))
    block = x.lanes * x.copies
    if divides(block, count):
        tail = Tail.EXACT
    else:
        tail = Tail.MASK if x.masked or most < block else Tail.PEEL
    s.do(OptKind.SPLIT, x.path, block, tail=tail)
    _registers(s, (*x.path, 1), x)
    rest = (*x.path, 2)
    s.do(OptKind.SPLIT, rest, x.lanes, tail=Tail.MASK)
    s.do(OptKind.VECTOR, (*rest, 1))


def _registers(s: Scheduler, path: Path, x: Lanes) -> None:
    if x.copies > 1:
        s.do(OptKind.SPLIT, path, x.lanes)
        s.do(OptKind.INTERLEAVE if x.reduced else OptKind.UNROLL, (*path, 0))
        path = (*path, 1)
    s.do(OptKind.VECTOR, path)
