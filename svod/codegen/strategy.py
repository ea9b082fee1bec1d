"""The default strategy of the CPU: chooses the Opts of a loop kernel. Decisions only; facts come from `analysis.py`.

Owns: which axis becomes SIMD lanes, which loops are unrolled, tiled, staged and spread over cores, and why.
Must not know rendering. Invariant: the result is a list of Opts that anyone could have written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from svod.codegen.analysis import (
    ACCESSES,
    Reach,
    bounded_by_memory,
    conflicts,
    crossing,
    injective,
    owns_memory,
    pointer,
    reach,
    step,
    stride,
    trip,
    trips,
)
from svod.codegen.carry import fits_output
from svod.codegen.closers import effects_of
from svod.codegen.order import Order, order_of
from svod.codegen.plan import UNIT, Lanes, Plan, Scheduler, merged, schedule, smaller
from svod.codegen.schedule import Opt, OptKind, Panel, Path
from svod.dtype import DType, PtrDType, dtypes
from svod.errors import ScheduleError
from svod.ir.bounds import constant, interval
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp
from svod.target import Target


@dataclass(frozen=True, slots=True)
class Tuning:
    """The constants of the strategy, with what they were chosen by."""

    gather: float = 1.5
    """Cost of one gathered or scattered element, in scalar accesses."""
    uniform: float = 0.35
    """Cost of a scalar load with broadcast, in vector accesses."""
    parallel_work: int = 1 << 15
    """Element operations below which a kernel of constant size stays on one core: about 10 µs, a few hand-offs."""
    unroll_small: int = 24
    """Bodies of at most this many nodes are unrolled 4 times, of twice as many 2 times, larger ones not."""
    rows_together: int = 2
    """Rows of a stencil computed together: 5 loads a point become 4. Four rows (3.5 loads) were no faster."""
    spare_registers: int = 8
    """Vector registers a tile of accumulators leaves for operands and addresses."""
    stage_bytes: int = 256 << 10
    """Operands beyond this are staged even when their row stride is harmless."""
    peelable_rows: int = 96
    """From this many rows on, the fullest tile wins even if some rows are left over; below, a tile that divides the extent is preferred."""
    bad_stride: int = 2048
    """Row strides that are multiples of this many bytes fall into few cache sets."""
    code: int = 1024
    """Estimated instructions of a loop body beyond which less is copied: LLVM takes about half a millisecond for each."""
    gathered: int = 4
    """Bytes from which on an element is gathered by one instruction for all lanes; narrower ones take one for each lane."""
    block: int = 1024
    """Iterations of a reduction after which the tile goes on to other operands, where all of them do not fit half the L2, or are
    not known: 512 writes the output too often, 2 to 5 % slower."""


TUNING = Tuning()
def default_opts(sink: UOp, target: Target) -> tuple[Opt, ...]:
    """The Opts for a kernel in normal form: the first of `schedules`."""
    return next(schedules(sink, target))


def schedules(sink: UOp, target: Target) -> Iterator[tuple[Opt, ...]]:
    """Opts for a kernel in normal form, from what is best to none at all, which is the first for targets without vectors and cores.

    What is planned for one axis may turn out not to fit what is planned for another. Then lanes and cores alone are tried, then lanes.
    """
    if target.vector_bits or target.cores > 1:
        order = order_of(sink)
        spread = target.cores > 1 and sum(_work(e) for e in sink.src) > TUNING.parallel_work
        for tiled, shared in dict.fromkeys(((True, spread), (False, spread), (False, False))):
            s = Scheduler(sink, target, order)
            planner = Planner(target, sink, order, tiled=tiled)
            plans = [planner.root(e) for e in sink.src]
            if any(p.serial for p in plans) or (len(plans) > 1 and conflicts(sink.src)):
                break
            try:
                for p in merged(plans, s, target, spread=shared):
                    schedule(s, p)
            except ScheduleError:
                continue
            yield tuple(s.opts)
    yield ()


def _work(effect: UOp) -> int:
    """Element operations of an effect, at most."""
    total = _most(effect.src[1:]) if effect.op is Op.END else 1
    for u in effect.toposort():
        if u.op is Op.REDUCE:
            total = max(total, _most(free_ranges(u.src[0]) | frozenset(u.src[1:])))
    return total * 2


def _most(ranges: Iterable[UOp]) -> int:
    n = 1
    for r in ranges:
        n *= int(max(1, interval(r.src[1])[1] - interval(r.src[0])[0]))
    return n





class Planner:
    """Looks at one root effect and plans it; without tiles, blocks and panels unless `tiled`."""

    def __init__(self, target: Target, sink: UOp, order: Order, *, tiled: bool = True) -> None:
        self.target, self.sink, self.order, self.tiled = target, sink, order, tiled
        self.bounding = frozenset(q for r in sink.find(Op.RANGE) for q in free_ranges(r) if q is not r)
        self.closers = list(sink.find(Op.END, Op.REDUCE))
        self.lanes: list[UOp] = []

    def free(self, kind: OptKind, axis: UOp) -> bool:
        """True if an Opt of this kind leaves the order of effects as it has to be, and the bounds of other axes alone."""
        marks = kind is not OptKind.PARALLEL
        return not (marks and axis in self.bounding) and not self.order.refuses(Opt(kind, axis.arg.path), self.sink)

    def root(self, effect: UOp) -> Plan:
        if conflicts([effect]) or owns_memory(effect) or next(effect.find(Op.ATOMIC, Op.SPECIAL, Op.BARRIER), None) is not None:
            return Plan(serial=True)
        plan = Plan()
        self.effect(effect, plan)
        while self.code(effect, plan) > TUNING.code and smaller(plan):
            pass
        self.cores(effect, plan)
        return plan

    def code(self, effect: UOp, plan: Plan) -> int:
        """About how many instructions the copies of all bodies are: each node once for each copy of the axes that it moves along."""
        copied = {x.path: x.copies for x in plan.lanes}
        if plan.tile is not None:
            copied[plan.tile[0]] = copied.get(plan.tile[0], 1) * plan.tile[1]
        lanes, total = {x.path: x.lanes for x in plan.lanes}, 0
        for u in effect.toposort():
            times = _scalars(u, lanes)
            for r in free_ranges(u) if copied else ():
                times *= copied.get(r.arg.path, 1)
            total += times
        return total

    def effect(self, effect: UOp, plan: Plan) -> None:
        """Plans an effect and those nested in it."""
        ranges = list(effect.src[1:]) if effect.op is Op.END else []
        body = effects_of(effect.src[0]) if effect.op is Op.END else (effect,)
        nested = [e for e in body if e.op is Op.END]
        stores = [e for e in body if e.op is Op.STORE]
        for e in nested:
            self.effect(e, plan)
        if not stores:
            return
        info = reach(stores)
        best = self.best_axis(info, [] if nested else ranges, ranges)
        if best is None:
            self.reduces(info, None, plan)
            return
        self.vectorize(best, info, plan, ranges)
        self.reduces(info, best, plan)

    def best_axis(self, info: Reach, candidates: list[UOp], ranges: list[UOp]) -> UOp | None:
        """The axis whose vectorization costs least, or None where lanes inside the reductions are better."""
        usable = [c for c in candidates if self.usable(c, info) and self.free(OptKind.VECTOR, c) and not self.crosses(c)]
        options: list[tuple[float, int, UOp | None]] = [(self.cost(info, None, ranges), 1, None)]
        options += [(self.cost(info, c, ranges), -i, c) for i, c in enumerate(usable)]
        return min(options, key=lambda o: o[:2])[2]

    def crosses(self, c: UOp) -> bool:
        """True if a nest that `c` is in has lanes along another axis already, perhaps because it shares a reduction with another nest."""
        return crossing(self.closers, c, self.lanes) is not None

    def usable(self, c: UOp, info: Reach) -> bool:
        if constant(c.src[0]) != 0 or trip(c) < 4 or bounded_by_memory(c):
            return False
        bounded = any(c in free_ranges(s) for r in _inner_ranges(info) for s in r.src)
        stores = [a for a in info.accesses if a.op is Op.STORE]
        return not bounded and all(stride(a, c) not in (0, None) for a in stores)

    def cost(self, info: Reach, c: UOp | None, ranges: list[UOp]) -> float:
        """Relative cost of one iteration of `ranges` if `c` is vectorized."""
        n = self.target.lanes(dtypes.f32)
        total = 0.0
        for a in info.accesses:
            total += self.access_cost(a, c, n)
        total += info.nodes * (0.2 / n if c is not None else 0.2)
        for r in info.reduces:
            times = trips(r.src[1:]) / max(1, trips(x for x in ranges if x not in free_ranges(r)))
            inner = reach([r], inside=r)
            if c is not None and c in free_ranges(r):
                total += times * self.cost(inner, c, list(r.src[1:]))
            else:
                total += times * min(self.cost(inner, q, list(r.src[1:])) for q in (None, *r.src[1:]))
        return total

    @staticmethod
    def access_cost(a: UOp, c: UOp | None, n: int) -> float:
        if c is None:
            return 1.0
        s = stride(a, c)
        if s == 0:
            return TUNING.uniform / n if a.op is Op.LOAD else 4.0
        return 1.0 / n if s in (1, -1) else TUNING.gather * (2 if a.op is Op.STORE else 1)

    def lanes_of(self, info: Reach) -> int:
        """Lanes of a register for the widest element this body handles."""
        widest = max((_element(a).bits for a in _all_accesses(info)), default=32)
        return max(1, self.target.vector_bits // max(8, widest))

    def copies(self, info: Reach) -> int:
        """How many registers side by side hide latency without spilling."""
        n = info.nodes
        return 4 if n <= TUNING.unroll_small * 2 else 2 if n <= TUNING.unroll_small * 6 else 1

    def vectorize(self, c: UOp, info: Reach, plan: Plan, ranges: list[UOp]) -> None:
        lanes = self.lanes_of(info)
        extent = _constant_extent(c)
        while extent is not None and lanes > 4 and lanes >= 2 * extent:
            lanes //= 2
        copies = self.copies(info)
        rows = [m for m in ranges if self.tiled and m is not c and self.free(OptKind.UNROLL, m)]
        tile = self.tile(c, info, rows, lanes)
        if tile is not None:
            copies = tile[2]
        elif (across := self.across(c, info, rows, lanes)) is not None:
            plan.tile, plan.square, copies = (across.arg.path, lanes), True, 1
        elif (beside := self.neighbours(c, info, rows)) is not None:
            plan.tile, copies = (beside.arg.path, TUNING.rows_together), min(copies, 2)
        if extent is not None:
            copies = max(1, min(copies, (extent + lanes - 1) // lanes))
        spec = Lanes(c.arg.path, lanes, copies, reduced=False)
        plan.lanes.append(spec)
        self.lanes.append(c)
        if tile is not None:
            m, height, _ = tile
            plan.products = True
            self.blocked(info, (c, m), plan, spec)
            plan.tile = (m.arg.path, height if spec.copies == copies else self.rows(m, spec.copies))

    def tile(self, c: UOp, info: Reach, ranges: list[UOp], lanes: int) -> tuple[UOp, int, int] | None:
        """(axis, rows, registers a row) of a register tile, where a reduction reuses operands along a second axis."""
        for red in info.reduces:
            if c not in free_ranges(red):
                continue
            inner = reach([red], inside=red)
            loads = [a for a in inner.accesses if a.op is Op.LOAD]
            for m in ranges:
                if m is c or m not in free_ranges(red) or not inner.nodes < 64:
                    continue
                if any(stride(a, m) == 0 and stride(a, c) != 0 for a in loads) and any(stride(a, c) == 0 for a in loads):
                    return (m, *self.tile_shape(c, m, lanes))
        return None

    @staticmethod
    def across(c: UOp, info: Reach, ranges: list[UOp], lanes: int) -> UOp | None:
        """The axis along which a load that is strided in `c` is contiguous: a block of both is transposed in registers."""
        if lanes & (lanes - 1) or trip(c) < lanes:
            return None
        strided = [
            a
            for a in info.accesses
            if a.op is Op.LOAD and len(a.src) == 1 and stride(a, c) not in (-1, 0, 1) and step(a.src[0].src[1], c) is not None
        ]
        axes_ = [m for m in ranges if m is not c and trip(m) >= lanes and any(stride(a, m) == 1 for a in strided)]
        return axes_[0] if axes_ else None

    @staticmethod
    def neighbours(c: UOp, info: Reach, ranges: list[UOp]) -> UOp | None:
        """The axis along which the next iteration reads again what this one reads (a stencil): some rows together share their loads."""
        loads = [a for a in info.accesses if a.op is Op.LOAD and len(a.src) == 1]
        if info.reduces or len(loads) < 3 or info.nodes > 2 * TUNING.unroll_small:
            return None
        indices = {rewrite(a.src[0].src[1], SIMPLIFY) for a in loads}
        for m in ranges:
            if m is c or trip(m) < 4 * TUNING.rows_together:
                continue
            if any(rewrite(x.substitute({m: m + 1}), SIMPLIFY) in indices for x in indices if m in free_ranges(x)):
                return m
        return None

    def tile_shape(self, c: UOp, m: UOp, lanes: int) -> tuple[int, int]:
        """Rows and registers a row: as square as the accumulators allow, fitted to constant extents."""
        free = max(4, self.target.registers - TUNING.spare_registers + 1)
        wide = 4 if free >= 24 else 2
        if (e := _constant_extent(c)) is not None:
            wide = max(1, min(wide, (e + lanes - 1) // lanes))
        return self.rows(m, wide), wide

    def rows(self, m: UOp, wide: int) -> int:
        """Rows of a tile `wide` registers wide."""
        free = max(4, self.target.registers - TUNING.spare_registers + 1)
        rows = min(free // wide - (1 if wide * (free // wide) + wide + 1 > self.target.registers else 0), 14)
        if (e := _constant_extent(m)) is not None:
            rows = min(rows, e)
            if e < TUNING.peelable_rows:
                rows = next((r for r in range(rows, rows // 2, -1) if e % r == 0), rows)
        return max(1, rows)

    def blocked(self, info: Reach, tile: tuple[UOp, UOp], plan: Plan, spec: Lanes) -> None:
        """Plans the panel of the operand that moves with the tile's columns, and blocks of the reduction where it would be too large."""
        red = next(r for r in info.reduces if tile[0] in free_ranges(r) and tile[1] in free_ranges(r))
        load = self.operand(red, *tile)
        if load is None or trip(tile[1]) < TUNING.peelable_rows or (panel := self.panel(load, red, tile)) is None:
            return
        ks = list(red.src[1:])
        row = _element(load).itemsize * spec.copies * spec.lanes
        known = all(_constant_extent(k) is not None for k in ks)
        if not known or trips(ks) * row > self.target.caches.l2 // 2:
            stores = [a for a in info.accesses if a.op is Op.STORE]
            if len(ks) > 1 or len(stores) != 1 or not fits_output(UOp.group(*stores), stores[0], [red]):
                if not known or not self.narrowed(spec, trips(ks) * row):
                    return
            else:
                plan.block = (ks[0].arg.path, max(64, min(TUNING.block, self.target.caches.l2 // 4 // row)) // UNIT * UNIT)
        spec.masked = _constant_extent(tile[0]) is not None
        plan.stage, plan.panel = (pointer(load).arg.slot, tile[0].arg.path), panel
        if tile[1].arg.path < tile[0].arg.path:
            plan.swap = (tile[1].arg.path, tile[0].arg.path)

    def narrowed(self, spec: Lanes, size: int) -> bool:
        """Makes the tile narrower until a panel of `size` bytes fits three quarters of the L2; leaves it as it is if none does."""
        copies, most = spec.copies, self.target.caches.l2 * 3 // 4
        while copies > 1 and size * copies // spec.copies > most:
            copies //= 2
        fits = size * copies // spec.copies <= most
        spec.copies = copies if fits else spec.copies
        return fits

    @staticmethod
    def operand(red: UOp, c: UOp, m: UOp) -> UOp | None:
        """The load that is contiguous along `c` and used again along `m`, if it is the only one and its buffer can be staged."""
        loads = [a for a in reach([red], inside=red).accesses if a.op is Op.LOAD and stride(a, m) == 0 and stride(a, c) == 1]
        return loads[0] if len(loads) == 1 and pointer(loads[0]).op is Op.PARAM and len(loads[0].src) == 1 else None

    @staticmethod
    def panel(load: UOp, red: UOp, tile: tuple[UOp, UOp]) -> Panel | None:
        """How `load` is staged, with a guard for what is not known before the launch; None if it is better read where it lies."""
        width = _element(load).itemsize
        steps = [step(load.src[0].src[1], k) for k in red.src[1:]]
        spans = free_ranges(load)
        if any(d is None for d in steps):
            return None
        reads = 0 if _constant_extent(tile[1]) is not None else TUNING.peelable_rows
        rows = [abs(interval(d)[1]) * width for d in steps if d is not None]
        far = max(rows, default=0)
        big = all(_constant_extent(r) is not None for r in spans) and trips(spans) * width > TUNING.stage_bytes
        if big or (all(d is not None and constant(d) is not None for d in steps) and far % TUNING.bad_stride == 0):
            return Panel(reads=reads)
        if all(d is not None and constant(d) is not None for d in steps) or far < TUNING.bad_stride or len(steps) > 1:
            return None
        return Panel(guard=TUNING.bad_stride, reads=reads)

    def reduces(self, info: Reach, c: UOp | None, plan: Plan) -> None:
        """Lanes inside the reductions that `c` does not vectorize."""
        for r in info.reduces:
            inner = reach([r], inside=r)
            mine = c if c is not None and c in free_ranges(r) else None
            if mine is None:
                options = [q for q in r.src[1:] if self.usable(q, inner) and not self.crosses(q)]
                scored = [(self.cost(inner, None, list(r.src[1:])), 1, None)] + [
                    (self.cost(inner, q, list(r.src[1:])), 0, q) for q in options
                ]
                mine = min(scored, key=lambda o: o[:2])[2]
                if mine is not None and all(x.path != mine.arg.path for x in plan.lanes):
                    self.reduction_lanes(mine, inner, plan)
            self.reduces(inner, mine, plan)

    def reduction_lanes(self, q: UOp, inner: Reach, plan: Plan) -> None:
        lanes = self.lanes_of(inner)
        extent = _constant_extent(q)
        while extent is not None and lanes > 4 and lanes >= 2 * extent:
            lanes //= 2
        copies = 8 if inner.nodes <= TUNING.unroll_small else self.copies(inner)
        if extent is not None:
            copies = max(1, min(copies, extent // lanes))
        plan.lanes.append(Lanes(q.arg.path, lanes, copies, reduced=True))
        self.lanes.append(q)

    def cores(self, effect: UOp, plan: Plan) -> None:
        """The outermost axis whose iterations write apart goes to the cores; without one, the largest full reduction is grouped."""
        ranges = [r for r in nest_order(effect.src[1:]) if not bounded_by_memory(r)] if effect.op is Op.END else []
        stores = [u for u in effect.toposort() if u.op is Op.STORE]
        first = None if plan.swap is None else plan.swap[1]
        order = sorted(ranges, key=lambda r: r.arg.path != first)
        apart = all(injective(s, _ranges_around(effect, s)) for s in stores)
        for r in order:
            if apart and trip(r) >= 2 * self.target.cores and constant(r.src[0]) == 0 and self.free(OptKind.PARALLEL, r):
                plan.parallel = r.arg.path
                return
        whole = [u for u in effect.toposort() if u.op is Op.REDUCE and not free_ranges(u)]
        if whole and effect.op is not Op.END:
            outer = nest_order(whole[0].src[1:])[0]
            if not bounded_by_memory(outer) and all(outer in u.src[1:] for u in whole) and trip(outer) >= 64:
                plan.group = outer.arg.path


def _scalars(u: UOp, lanes: dict[Path, int]) -> int:
    """Instructions for one vector of `u`: one for each lane of narrow elements that lie apart."""
    if u.op not in ACCESSES or _element(u).itemsize >= TUNING.gathered:
        return 1
    return max((n for r in free_ranges(u) if (n := lanes.get(r.arg.path, 1)) > 1 and stride(u, r) not in (-1, 0, 1)), default=1)


def _ranges_around(effect: UOp, store: UOp) -> list[UOp]:
    return [r for u in effect.toposort() if u.op is Op.END for r in u.src[1:] if store in u.src[0].toposort()]


def _inner_ranges(info: Reach) -> list[UOp]:
    return [r for red in info.reduces for r in red.src[1:]]


def _all_accesses(info: Reach) -> list[UOp]:
    out = list(info.accesses)
    for r in info.reduces:
        out += [u for u in r.toposort() if u.op in ACCESSES]
    return out


def _element(access: UOp) -> DType:
    """What an access reads or writes, one lane of it."""
    ptr = access.src[0].dtype
    return ptr.base if isinstance(ptr, PtrDType) else access.dtype.scalar


def _constant_extent(r: UOp) -> int | None:
    return constant(rewrite(r.src[1] - r.src[0], SIMPLIFY))
