"""The code of one work item that shares the work of a loop kernel with its group: values, loops, sums of the whole group.

Owns: where loads are made, what a REDUCE becomes: a loop of one work item, or strides of all of them and a combination through memory of
the group. Must not know which kernels are done so.
Invariants: a load is made where its value is needed, never outside of a loop or branch that may keep it from being made; what work items
hand one another lies between two barriers, which all of them reach. Elements are combined in one order, whatever the launch.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod

from svod.codegen.analysis import trip, trips
from svod.codegen.lower import Fused, accumulate
from svod.codegen.simt.emit import Emitter, index
from svod.dtype import AddrSpace, DType
from svod.errors import GraphError
from svod.ir.args import BarrierScope, SpecialKind
from svod.ir.bounds import constant, divides, interval
from svod.ir.clause import LEAVES
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.rules.reductions import identity
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

Env = dict[UOp, UOp]
"""What nodes of the kernel are here: ranges, reductions and what was computed of them."""
LAST = 8
"""Partial results that every work item adds up by itself; of more, work items of a part of the group first add up as many each."""
COPIES = 4
"""Accumulators of a work item where it adds up many elements: as many loads are under way at once."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The groups that share a row: the `number` of each, from 0 to `count`, which is at most `most`."""

    number: UOp
    count: UOp
    most: int

    def better(self, outer: int, inner: int) -> bool:
        """Whether they had better share the iterations of an outer loop than those inside of it, of which there are so many for each work
        item."""
        return outer >= min(self.most, inner)

    def piece(self, count: UOp, by: int) -> Piece:
        """What of so many iterations is this group's, all but the last piece a multiple of `by`."""
        whole = self.count * by
        each = simple((count + (whole - 1)) // whole * by)
        start = simple(self.number * each)
        return start, simple((count - start).minimum(each).maximum(0))


Piece = tuple[UOp, UOp]
"""The first iteration, and how many there are."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """The work items of a group that share one row: `number` of each, from 0 to `size`; `row` of the group they are in, `rows` of these.
    `beside`: the groups among which what is spread is shared, where that is several."""

    number: UOp
    size: int
    row: UOp
    rows: int
    beside: Beside | None = None

    @property
    def leads(self) -> UOp:
        """Whether a work item is the first of all that share the row."""
        number = self.number if self.beside is None else self.number + self.beside.number * self.size
        return simple(number.eq(0))


class Share:
    """Writes a program. `fused`: in which dtypes products that are summed round once."""

    def __init__(self, out: Emitter, fused: Fused) -> None:
        self.out, self.fused, self.ids = out, fused, count()

    # ---- values and memory ---------------------------------------------------------------------------------------
    def value(self, root: UOp, env: Env) -> UOp:
        """`root` here. `env` learns what was computed."""
        stack = [root]
        while stack:
            u = stack[-1]
            if u in env or u.op in LEAVES:
                env.setdefault(u, u)
                stack.pop()
                continue
            if u.op is Op.REDUCE:
                stack.pop()
                self.alone([u], env)
                continue
            if u.op is Op.RANGE:
                raise GraphError(f"axis {u.arg.path} is used outside its loop", hint="close the store with .end(range), or reduce over it")
            src = u.src[:1] if u.op is Op.AFTER else u.src
            if missing := [s for s in src if s not in env]:
                stack += missing[::-1]
                continue
            stack.pop()
            env[u] = self._made(u, tuple([env[s] for s in src]))
        return env[root]

    def _made(self, u: UOp, src: tuple[UOp, ...]) -> UOp:
        if u.op is Op.AFTER:
            return src[0]
        new = u if src == u.src else u.replace(src=src)
        return self.read(new) if u.op is Op.LOAD else new if u.op is Op.INDEX else simple(new)

    def read(self, load: UOp) -> UOp:
        """Makes a load, here."""
        address = load.src[0]
        token = self.out.token(load.dtype)
        own = address.replace(src=(address.src[0].after(token), *(simple(s) for s in address.src[1:])))
        return self.out.bind(load.replace(src=(own, *load.src[1:])), token)

    def fetch(self, memory: UOp, at: UOp) -> UOp:
        """An element, now."""
        return self.read(UOp(Op.LOAD, (UOp(Op.INDEX, (memory, at)),)))

    def put(self, memory: UOp, at: UOp, value: UOp) -> None:
        """Sets an element."""
        self.out.do(UOp(Op.STORE, (UOp(Op.INDEX, (memory, simple(at))), simple(value))))

    def stores(self, stores: Sequence[UOp], env: Env) -> None:
        """STOREs of the kernel, all of their values first: buffers that are one and the same are read before they are written."""
        found = [(*(self.value(x, env) for x in s.src[0].src), self.value(s.src[1], env)) for s in stores]
        for memory, *where, value in found:
            self.out.do(UOp(Op.STORE, (UOp(Op.INDEX, (memory, *map(simple, where))), simple(value))))

    def cell(self, start: UOp, name: str = "acc") -> UOp:
        """A variable of this work item, set to `start`."""
        cell = UOp.memory(next(self.ids), start.dtype, 1, AddrSpace.REG, name=name)
        self.put(cell, index(0), start)
        return cell

    def get(self, cell: UOp) -> UOp:
        """What a variable holds now."""
        return self.fetch(cell, index(0))

    def tile(self, dtype: DType, size: int, name: str = "tile") -> UOp:
        """Memory of the group."""
        return UOp.memory(next(self.ids), dtype, size, AddrSpace.LOCAL, name=name)

    def wait(self) -> None:
        """Waits for the group."""
        self.out.do(UOp.barrier(scope=BarrierScope.GROUP))

    def bounds(self, r: UOp, env: Env) -> tuple[UOp, UOp]:
        """Where a loop starts, and how often it runs."""
        start, stop = (self.value(s, env) for s in r.src)
        return start, simple(stop - start)

    # ---- loops ---------------------------------------------------------------------------------------------------
    def nest(self, ranges: Sequence[UOp], env: Env, body: Callable[[Env], None]) -> None:
        """`body` in loops over `ranges`, outermost first."""
        if not ranges:
            body(env)
            return
        r, *rest = ranges
        start, stop = (simple(self.value(s, env)) for s in r.src)
        at = self.out.range(start, stop)
        self.nest(rest, {**env, r: at}, body)
        self.out.end_range(at)

    def spread(self, ranges: Sequence[UOp], along: UOp | None, env: Env, lanes: Lanes, body: Callable[[Env], None]) -> None:
        """`body` for the iterations of `ranges`, neighbours along the last axis, or `along`, by neighbouring lanes."""
        self._over(self.space(ranges, along, env), env, lanes, lambda flat, piece: self._strided(flat, piece, lanes, body))

    def _over(self, space: Space, env: Env, lanes: Lanes, body: Callable[[Flat, Piece | None], None]) -> None:
        """`body` for what lanes go through, in the loops around that. Groups that share it share an outer loop, or have a piece each."""
        beside = lanes.beside
        if beside is None:
            self.nest(space.around, env, lambda inner: body(space.within(self, inner), None))
        elif space.around and beside.better(trip(space.around[0]), trips(space.inner) // lanes.size):
            outermost, *rest = space.around
            start, count = self.bounds(outermost, env)
            first, length = beside.piece(count, 1)
            at = self.out.range(simple(start + first), simple(start + first + length))
            self.nest(rest, {**env, outermost: at}, lambda inner: body(space.within(self, inner), None))
            self.out.end_range(at)
        else:
            def inside(inner: Env) -> None:
                flat = space.within(self, inner)
                body(flat, beside.piece(flat.count, lanes.size))
            self.nest(space.around, env, inside)

    def space(self, ranges: Sequence[UOp], along: UOp | None, env: Env) -> Space:
        """How `ranges` are gone through by lanes."""
        order = nest_order(tuple(ranges))
        inner = [r for r in order[1:] if constant(r.src[0]) is not None and constant(r.src[1]) is not None]
        if along in (None, order[-1]) and len(inner) == len(order) - 1:
            return Space((), tuple(order))
        last = order[-1] if along is None or any(along in free_ranges(r) for r in order if r is not along) else along
        return Space(tuple(r for r in order if r is not last), (last,))

    def _strided(self, flat: Flat, piece: Piece | None, lanes: Lanes, body: Callable[[Env], None]) -> None:
        start, count = piece or (index(0), flat.count)
        k = self.out.range(index(0), simple((count - lanes.number + (lanes.size - 1)) // lanes.size))
        body(flat.env(start + lanes.number + k * lanes.size))
        self.out.end_range(k)

    # ---- reductions ----------------------------------------------------------------------------------------------
    def alone(self, group: list[UOp], env: Env) -> None:
        """REDUCEs over the same ranges, by this work item."""
        cells = [self.cell(identity(u.arg, u)) for u in group]
        self.nest(nest_order(group[0].src[1:]), env, lambda inner: self.add(group, cells, inner))
        for u, c in zip(group, cells, strict=True):
            env[u] = self.get(c)

    def add(self, group: list[UOp], cells: list[UOp], env: Env) -> None:
        """One more element into each accumulator."""
        values = [self.value(u.src[0], env) for u in group]
        for u, c, v in zip(group, cells, values, strict=True):
            self.put(c, index(0), accumulate(u.arg, self.get(c), [v], self.fused))

    def together(self, group: list[UOp], along: UOp | None, env: Env, lanes: Lanes) -> None:
        """REDUCEs over the same ranges, by all work items of the row: each adds up every `size`-th element, then the partial results are
        combined, those of the lowest numbers first."""
        partial = self.partials(group, along, env, lanes)
        for u, total in zip(group, self.combined(group, partial, lanes), strict=True):
            env[u] = total

    def partials(self, group: list[UOp], along: UOp | None, env: Env, lanes: Lanes) -> list[UOp]:
        """What each work item of the row adds up, of REDUCEs over the same ranges."""
        space = self.space(group[0].src[1:], along, env)
        longest = prod(max(0, interval(r.src[1])[1] - interval(r.src[0])[0]) for r in space.inner)
        items = lanes.size * (1 if lanes.beside is None else lanes.beside.most)
        many = not space.around and longest >= 2 * COPIES * items
        cells = [[self.cell(identity(u.arg, u)) for u in group] for _ in range(COPIES if many else 1)]
        self._over(space, env, lanes, lambda flat, piece: self._strides(group, cells, (flat, piece), lanes))
        partial = []
        for at, u in enumerate(group):
            values = [self.get(c[at]) for c in cells]
            while len(values) > 1:
                values = [accumulate(u.arg, a, [b], self.fused) for a, b in zip(values[::2], values[1::2], strict=True)]
            partial.append(values[0])
        return partial

    def _strides(self, group: list[UOp], cells: list[list[UOp]], what: tuple[Flat, Piece | None], lanes: Lanes) -> None:
        (flat, piece), size, done = what, lanes.size, index(0)
        start, count = piece or (index(0), flat.count)
        first = start + lanes.number
        trips = simple((count - lanes.number + (size - 1)) // size)
        if len(cells) > 1:
            whole = self.out.range(index(0), simple(trips // len(cells)))
            for j, own in enumerate(cells):
                self.add(group, own, flat.env(first + whole * (size * len(cells)) + size * j))
            self.out.end_range(whole)
            done = simple(trips // len(cells) * len(cells))
        if done is not trips:
            k = self.out.range(done, trips)
            self.add(group, cells[0], flat.env(first + k * size))
            self.out.end_range(k)

    def combined(self, group: list[UOp], partial: list[UOp], lanes: Lanes) -> list[UOp]:
        """What the work items of a row have, combined: the same bits for all of them."""
        tiles = [self.tile(v.dtype, lanes.size * lanes.rows, "partial") for v in partial]
        base = simple(lanes.row * lanes.size)
        for t, v in zip(tiles, partial, strict=True):
            self.put(t, base + lanes.number, v)
        self.wait()
        left = lanes.size
        while left > LAST:
            parts = min(LAST, left // LAST)
            left //= parts
            opened = self.out.branch(lanes.number < left)
            for u, t in zip(group, tiles, strict=True):
                self.put(t, base + lanes.number, self._sum(u, t, base + lanes.number, [left * j for j in range(parts)]))
            self.out.end_branch(opened)
            self.wait()
        return [self._sum(u, t, base, list(range(left))) for u, t in zip(group, tiles, strict=True)]

    def _sum(self, u: UOp, tile: UOp, at: UOp, places: list[int]) -> UOp:
        values = [self.fetch(tile, simple(at + j)) for j in places]
        return simple(accumulate(u.arg, values[0], values[1:], self.fused))


@dataclass(frozen=True, slots=True)
class Space:
    """Iterations that lanes go through: loops around, done by all of them one after the other, and axes that count as one."""

    around: tuple[UOp, ...]
    inner: tuple[UOp, ...]

    def within(self, share: Share, env: Env) -> Flat:
        """The axes that count as one, inside of the loops around."""
        starts, counts = zip(*(share.bounds(r, env) for r in self.inner), strict=True)
        return Flat(env, self.inner, starts, counts)


@dataclass(frozen=True, slots=True)
class Flat:
    """Axes that count as one, the last one fastest."""

    outer: Env
    ranges: tuple[UOp, ...]
    starts: tuple[UOp, ...]
    counts: tuple[UOp, ...]

    @property
    def count(self) -> UOp:
        """How many iterations there are."""
        total = self.counts[0]
        for n in self.counts[1:]:
            total = total * n
        return simple(total)

    def env(self, at: UOp) -> Env:
        """Iteration number `at`."""
        out = dict(self.outer)
        for r, start, n in zip(self.ranges[:0:-1], self.starts[:0:-1], self.counts[:0:-1], strict=True):
            out[r] = simple(start + at % n)
            at = at // n
        out[self.ranges[0]] = simple(self.starts[0] + at)
        return out


def simple(u: UOp) -> UOp:
    """`u` with simple index arithmetic."""
    return rewrite(u, SIMPLIFY)


def whole(extent: UOp, items: int) -> bool:
    """Whether an extent is a multiple of `items`."""
    return items == 1 or divides(items, extent)


def local(axis: int, size: int) -> UOp:
    """The number of the work item in its group along an axis."""
    return index(0) if size == 1 else UOp.special(SpecialKind.LOCAL, axis, size)


def groups(share: Share, counts: Sequence[UOp], limit: Sequence[int]) -> tuple[list[UOp], UOp | None]:
    """The number of the group along each of `counts`, the first one fastest; and the loop that it is in where a launch has fewer groups
    than there are, to be ended by `share.out.end_range`.

    Three axes or fewer are those of the launch, unless they may be too long for it; else they are counted as one.
    """
    most = [int(interval(c)[1]) for c in counts]
    if len(counts) <= 3 and all(m <= n for m, n in zip(most, limit, strict=False)):
        return [UOp.special(SpecialKind.GLOBAL, k, c) for k, c in enumerate(counts)], None
    total = counts[0]
    for c in counts[1:]:
        total = total * c
    total, opened = simple(total), None
    if interval(total)[1] <= limit[0]:
        number = UOp.special(SpecialKind.GLOBAL, 0, total)
    else:
        launched = simple(total.minimum(limit[0]))
        first = UOp.special(SpecialKind.GLOBAL, 0, launched)
        opened = share.out.range(index(0), simple((total - first + (launched - 1)) // launched))
        number = first + opened * launched
    out = []
    for c in counts[:-1]:
        out.append(simple(number % c))
        number = number // c
    return [*out, simple(number)], opened
