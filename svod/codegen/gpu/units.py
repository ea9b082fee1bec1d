"""Products of matrices of narrow types on matrix units: tiles of a group in its memory, as words; sums in registers, as fragments.

Owns: which products these are, the tiles, the program. Must not know how an instruction is spelled. Which work item holds which
element is that of tensor.py, whose source is "PTX ISA": with q = lane // 4 and t = lane % 4, of the left operand the rows q and q + 8,
of the right one the column q, of both the words t and t + 4 of eight; of the sums the columns 2 t and 2 t + 1 of those rows.
Invariants: rows and columns behind the end are computed from the last one there is, and not stored; steps behind the end are zeros.
The words of a row lie so that the 32 words that a subgroup reads at once are in 32 banks.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from svod.codegen.analysis import stride, trip
from svod.codegen.closers import effects_of
from svod.codegen.gpu.product import Product, Tile
from svod.codegen.gpu.share import Env, Share, local, simple
from svod.codegen.gpu.tensor import WIDTH, operand_kind
from svod.codegen.simt.emit import index
from svod.dtype import dtypes
from svod.ir.args import MmaArg, product_name
from svod.ir.bounds import divides
from svod.ir.ops import Op
from svod.ir.scope import nest_order
from svod.ir.uop import UOp
from svod.target import Limits

WORDS = 16
"""Words of a row that are staged at once: two instructions deep."""
PITCH = WORDS + 4
"""Words from a row to the next: eight rows of four words each lie in banks of their own."""
GROUPS = 96
"""Groups that a larger tile has to leave."""
FASTER = 16
"""How many times as fast as sums in registers, at least."""


@dataclass(frozen=True, slots=True)
class Units:
    """A plan: `of` in tiles, by several subgroups."""

    of: Product
    left: UOp
    right: UOp
    layout: str
    """The instruction's name of what is multiplied."""
    shape: tuple[int, int, int]

    @property
    def tile(self) -> int:
        """Rows, and columns, of a group."""
        return self.shape[0]

    @property
    def high(self) -> int:
        """Subgroups below one another."""
        return self.shape[1]

    @property
    def wide(self) -> int:
        """Subgroups side by side."""
        return self.shape[2]

    @property
    def each(self) -> int:
        """Elements of a word."""
        return 32 // self.left.dtype.bits

    @property
    def items(self) -> int:
        """Work items of a group."""
        return WIDTH * self.high * self.wide

    @property
    def cost(self) -> float:
        """As that of the product that it is."""
        return self.of.cost / FASTER


def unit_plans(plans: list[Product], products: frozenset[str], limits: Limits) -> Iterator[Units]:
    """Plans for those products whose factors have a type that matrix units take, and whose sums have theirs."""
    for plan in plans if products else ():
        yield from _as_units(plan, products, limits)


def _as_units(plan: Product, products: frozenset[str], limits: Limits) -> Iterator[Units]:
    red = plan.red
    if red.arg is not Op.ADD or red.src[0].op is not Op.MUL or len(plan.by_row) != 1 or len(plan.by_column) != 1 or plan.still:
        return
    left, right = plan.by_row[0], plan.by_column[0]
    if {left, right} != set(red.src[0].src):
        return
    given = [v.src[0] if v.op is Op.CAST else v for v in (left, right)]
    wide = dtypes.i32 if given[0].dtype.is_int else dtypes.f32
    layout = product_name(operand_kind(given[:1]), operand_kind(given[1:]))
    if layout not in products or red.dtype is not wide or trip(plan.common) < WORDS:
        return
    for tile, high, across in ((128, 2, 4), (64, 2, 2)):
        groups = 1
        for r in (plan.row, plan.column):
            groups *= -(-trip(r) // tile)
        fits = WIDTH * high * across <= limits.threads and 2 * tile * PITCH * 4 <= limits.shared_bytes
        if fits and (groups >= GROUPS or tile == 64) and min(trip(plan.row), trip(plan.column)) * 2 > tile:
            yield Units(replace(plan, side=tile, each=1), given[0], given[1], layout, (tile, high, across))
            return


# ---- the program --------------------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class _Operand:
    """One factor: its value, the axis whose rows are staged, the memory of the group, the words a work item has loaded for it."""

    value: UOp
    axis: UOp
    memory: UOp
    cells: tuple[UOp, ...]


class _Program:
    """What a work item does."""

    def __init__(self, share: Share, plan: Units, limits: Limits) -> None:
        self.share, self.plan = share, plan
        self.env: Env = {}
        self.tile = Tile(share, plan.of, self.env, limits)
        lane, self.sub = local(0, WIDTH), local(1, plan.high * plan.wide)
        self.number = simple(lane + self.sub * WIDTH)
        self.q, self.t = simple(lane // 4), simple(lane % 4)
        rows, columns = plan.tile // plan.high // 16, plan.tile // plan.wide // 8
        self.first = (simple(self.sub // plan.wide * (rows * 16)), simple(self.sub % plan.wide * (columns * 8)))
        zero = UOp.const(0, plan.of.red.dtype)
        self.sums = [[[share.cell(zero, "sum") for _ in range(4)] for _ in range(columns)] for _ in range(rows)]
        none = UOp.const(0, dtypes.u32)
        count = plan.tile * WORDS // plan.items
        self.operands = [
            _Operand(value, axis, share.tile(dtypes.u32, plan.tile * PITCH, name), tuple(share.cell(none, name) for _ in range(count)))
            for value, axis, name in ((plan.left, plan.of.row, "rows"), (plan.right, plan.of.column, "columns"))]

    def run(self) -> None:
        """All of it."""
        plan = self.plan.of
        others = [r for r in nest_order(plan.red.src[1:]) if r is not plan.common]
        self.share.nest(others, self.env, self.steps)
        self.finish()
        if self.tile.again is not None:
            self.share.wait()
            self.share.out.end_range(self.tile.again)

    def steps(self, env: Env) -> None:
        """All of the common axis. What comes next is loaded while what is there is multiplied."""
        share = self.share
        start, count = share.bounds(self.plan.of.common, env)
        deep = WORDS * self.plan.each
        opened = share.out.branch(simple(index(0) < count))
        for operand in self.operands:
            self.load(operand, (start, count, index(0)), env)
        times = simple((count + (deep - 1)) // deep)
        step = share.out.range(index(0), times)
        for operand in self.operands:
            for place, cell in zip(self.places(operand), operand.cells, strict=True):
                share.put(operand.memory, place, share.get(cell))
        share.wait()
        for operand in self.operands:
            self.load(operand, (start, count, simple((step + 1) * deep)), env)
        for half in range(WORDS // 8):
            self.multiply(8 * half)
        share.wait()
        share.out.end_range(step)
        share.out.end_branch(opened)

    # ---- staging -------------------------------------------------------------------------------------------------
    def along(self, operand: _Operand) -> bool:
        """Whether neighbours in memory are neighbours in k, not in the row."""
        loads = list(operand.value.find(Op.LOAD))
        return any(stride(a, self.plan.of.common) == 1 for a in loads) and not any(stride(a, operand.axis) == 1 for a in loads)

    def words(self, operand: _Operand) -> list[tuple[UOp, UOp]]:
        """(row, word) of what this work item stages."""
        found = []
        for s in range(len(operand.cells)):
            e = simple(self.number + self.plan.items * s)
            found.append((e // WORDS, e % WORDS) if self.along(operand) else (e % self.plan.tile, e // self.plan.tile))
        return [(simple(row), simple(word)) for row, word in found]

    def places(self, operand: _Operand) -> list[UOp]:
        """Where in memory of the group these lie."""
        return [simple(row * PITCH + word) for row, word in self.words(operand)]

    def load(self, operand: _Operand, steps: tuple[UOp, UOp, UOp], env: Env) -> None:
        """The words of the steps from `done` on, into registers."""
        start, count, done = steps
        share, each, common = self.share, self.plan.each, self.plan.of.common
        exact = divides(WORDS * each, count)
        for (row, word), cell in zip(self.words(operand), operand.cells, strict=True):
            parts = []
            for e in range(each):
                step = simple(done + word * each + e)
                here = {**env, operand.axis: self.tile.place(operand.axis, row), common: simple(start + step.minimum(count - 1))}
                value = share.value(operand.value, here).bitcast(dtypes.parse(f"u{operand.value.dtype.bits}")).cast(dtypes.u32)
                parts.append(value if exact else simple(step < count).where(value, UOp.const(0, dtypes.u32)))
            whole = parts[0]
            for e, part in enumerate(parts[1:], 1):
                whole = whole | (part << (e * operand.value.dtype.bits))
            share.put(cell, index(0), whole)

    # ---- sums ----------------------------------------------------------------------------------------------------
    def multiply(self, word: int) -> None:
        """Eight words of each row, from `word` on."""
        share, (rows, columns) = self.share, self.operands
        def held(operand: _Operand, row: UOp, more: int) -> UOp:
            return share.fetch(operand.memory, simple((row + self.q) * PITCH + (self.t + (word + more))))
        left = [[held(rows, self.first[0] + (16 * i + 8 * r), 4 * h) for h in range(2) for r in range(2)] for i in range(len(self.sums))]
        right = [[held(columns, self.first[1] + 8 * j, 4 * h) for h in range(2)] for j in range(len(self.sums[0]))]
        depth = 8 * self.plan.each
        for i, line in enumerate(self.sums):
            for j, cells in enumerate(line):
                old = [share.get(c) for c in cells]
                stacks = tuple(UOp(Op.STACK, tuple(x), None, x[0].dtype.vec(len(x))) for x in (left[i], right[j], old))
                token = share.out.token(old[0].dtype.vec(4))
                arg = MmaArg(16, 8, depth, WIDTH, self.plan.layout)
                sums = share.out.bind(UOp(Op.MMA, stacks, arg, token.dtype), token)
                for k, cell in enumerate(cells):
                    share.put(cell, index(0), UOp(Op.EXTRACT, (sums,), k, self.plan.of.red.dtype))

    def finish(self) -> None:
        """The stores, of rows and columns that are there."""
        share, tile, plan, body = self.share, self.tile, self.plan.of, self.plan.of.effect
        while body.op is Op.END:
            body = body.src[0]
        for i, line in enumerate(self.sums):
            for r in range(2):
                row = simple(self.first[0] + self.q + (16 * i + 8 * r))
                outer = _opened(share, tile.inside(plan.row, row))
                for j, c in product(range(len(line)), range(2)):
                    column = simple(self.first[1] + self.t * 2 + (8 * j + c))
                    opened = _opened(share, tile.inside(plan.column, column))
                    own = {**self.env, plan.red: share.get(line[j][2 * r + c]),
                           plan.row: simple(tile.start[plan.row] + tile.first[plan.row] + row),
                           plan.column: simple(tile.start[plan.column] + tile.first[plan.column] + column)}
                    share.stores(effects_of(body), own)
                    share.out.end_branch(opened)
                share.out.end_branch(outer)


def _opened(share: Share, condition: UOp | None) -> bool:
    return share.out.branch(condition) if condition is not None else False


def write_units(share: Share, plan: Units, limits: Limits) -> None:
    """The program of a work item."""
    _Program(share, plan, limits).run()
