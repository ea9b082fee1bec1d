"""Products of matrices of narrow types on matrix units: tiles of a group, by several subgroups; sums in registers, as fragments.

Owns: which products these are, the program. Must not know how an instruction is spelled, nor how operands get there (panels.py). Which
work item holds which element is that of tensor.py, whose source is "PTX ISA": with q = lane // 4 and t = lane % 4, of the left operand the
rows q and q + 8, of the right one the column q; of the sums the columns 2 t and 2 t + 1 of those rows.
Invariants: rows and columns behind the end are computed from the last one there is, and not stored. There is one barrier a step.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from svod.codegen.analysis import trip
from svod.codegen.closers import effects_of
from svod.codegen.gpu.panels import WORDS, Panel, panel_bytes
from svod.codegen.gpu.product import Product, Tile
from svod.codegen.gpu.share import Env, Share, local, simple
from svod.codegen.gpu.tensor import WIDTH, operand_kind
from svod.codegen.simt.emit import index
from svod.dtype import dtypes
from svod.ir.args import MmaArg, product_name
from svod.ir.ops import Op
from svod.ir.scope import nest_order
from svod.ir.uop import UOp
from svod.target import Limits

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
        fits = WIDTH * high * across <= limits.threads and 2 * panel_bytes(tile) <= limits.shared_bytes
        if fits and (groups >= GROUPS or tile == 64) and min(trip(plan.row), trip(plan.column)) * 2 > tile:
            yield Units(replace(plan, side=tile, each=1), given[0], given[1], layout, (tile, high, across))
            return


# ---- the program --------------------------------------------------------------------------------------------------------------------

class _Program:
    """What a work item does."""

    def __init__(self, share: Share, plan: Units, limits: Limits) -> None:
        self.share, self.plan = share, plan
        self.env: Env = {}
        self.tile = Tile(share, plan.of, self.env, limits)
        lane, self.sub = local(0, WIDTH), local(1, plan.high * plan.wide)
        self.q, self.t = simple(lane // 4), simple(lane % 4)
        rows, columns = plan.tile // plan.high // 16, plan.tile // plan.wide // 8
        self.first = (simple(self.sub // plan.wide * (rows * 16)), simple(self.sub % plan.wide * (columns * 8)))
        zero = UOp.const(0, plan.of.red.dtype)
        self.sums = [[[share.cell(zero, "sum") for _ in range(4)] for _ in range(columns)] for _ in range(rows)]
        number = simple(lane + self.sub * WIDTH)
        self.panels = [Panel(self.tile, value, axis, number, (self.q, self.t))
                       for value, axis in ((plan.left, plan.of.row), (plan.right, plan.of.column))]
        self.others = [r for r in nest_order(plan.of.red.src[1:]) if r is not plan.of.common]

    def run(self) -> None:
        """All of it."""
        self.share.nest(self.others, self.env, self.steps)
        self.finish()
        if self.tile.again is not None:
            self.share.wait()
            self.share.out.end_range(self.tile.again)

    def steps(self, env: Env) -> None:
        """All of the common axis. What comes next is loaded while what is there is multiplied: into registers, then into the other panels
        of the two, whose reading has ended before the barrier that is behind."""
        share = self.share
        start, count = share.bounds(self.plan.of.common, env)
        deep = WORDS * self.plan.each
        opened = share.out.branch(simple(index(0) < count))
        for panel in self.panels:
            panel.load((start, count, index(0)), env)
        times = simple((count + (deep - 1)) // deep)
        step = share.out.range(index(0), times)
        for panel in self.panels:
            panel.store(step)
        share.wait()
        exact = all(panel.exact(count) for panel in self.panels)
        following = (step + 1).minimum(times - 1) if exact else step + 1
        for panel in self.panels:
            panel.load((start, count, simple(following * deep)), env)
        self.multiply(step)
        share.out.end_range(step)
        if self.others:  # the panels of the last step may be those of the first one of the next time
            share.wait()
        share.out.end_branch(opened)

    # ---- sums ----------------------------------------------------------------------------------------------------
    def multiply(self, step: UOp) -> None:
        """The panels of a step."""
        rows, columns = self.panels
        left = [rows.fragment(step, self.first[0], i) for i in range(len(self.sums))]
        right = [columns.fragment(step, self.first[1], j) for j in range(len(self.sums[0]))]
        for half in range(2):
            for a, line in zip(left, self.sums, strict=True):
                for b, cells in zip(right, line, strict=True):
                    self.product(a[half], b[half], cells)

    def product(self, left: list[UOp], right: list[UOp], cells: list[UOp]) -> None:
        """One instruction."""
        share = self.share
        old = [share.get(c) for c in cells]
        stacks = tuple(UOp(Op.STACK, tuple(x), None, x[0].dtype.vec(len(x))) for x in (left, right, old))
        token = share.out.token(old[0].dtype.vec(4))
        arg = MmaArg(16, 8, 8 * self.plan.each, WIDTH, self.plan.layout)
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
