"""MMA of thread kernels as exchanges and multiplications: what it means, and how targets without matrix units do it.

Owns: that expansion, of every layout. Must not know targets.
Invariant: an element of the sums gets its products in order of k, one rounding a step.
"""
from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import count

from svod.dtype import DType, dtypes
from svod.ir.args import SubgroupArg, SubgroupKind, ValueArg, product_types
from svod.ir.ops import Op
from svod.ir.threads import thread_number
from svod.ir.uop import UOp


def without_products(threads: UOp, kept: Collection[str] = ()) -> UOp:
    """`threads` with exchanges and multiplications in place of each MMA, but for those in the layouts `kept`."""
    if all(u.arg.layout in kept for u in threads.find(Op.MMA)):
        return threads
    values = count(1 + max(u.arg.id for u in threads.find(Op.VALUE)))
    return threads.replace(src=(_block(threads.src[0], threads.arg.block, kept, values),))


def _block(block: UOp, shape: tuple[int, int, int], kept: Collection[str], values: Iterator[int]) -> UOp:
    out: list[UOp] = []
    for s in block.src:
        if s.op is Op.MMA and s.arg.layout not in kept:
            out += _Expansion(s, shape, values).out
        else:
            src = tuple(_block(x, shape, kept, values) if x.op is Op.BLOCK else x for x in s.src)
            out.append(s if src == s.src else s.replace(src=src))
    return UOp(Op.BLOCK, tuple(out))


class _Expansion:
    """The statements of one MMA, in `out`."""

    def __init__(self, mma: UOp, shape: tuple[int, int, int], values: Iterator[int]) -> None:
        self.mma, self.values = mma, values
        self.out: list[UOp] = []
        left, right, rows = mma.arg.held()
        given = mma.src[rows:]
        self.a, self.b, self.sums = given[:left], given[left:left + right], list(given[left + right:])
        self.kind = self.sums[0].dtype
        lane = thread_number(shape) % mma.arg.width
        if mma.arg.layout == "rows":
            self.rows(lane)
        else:
            self.fragments(lane)
        for value, total in zip(mma.src[:rows], self.sums, strict=True):
            self.bound(total, value)

    def bound(self, expr: UOp, value: UOp | None = None) -> UOp:
        """The VALUE of an expression."""
        value = value if value is not None else UOp(Op.VALUE, (), ValueArg(next(self.values)), expr.dtype)
        self.out.append(UOp(Op.LET, (value, expr)))
        return value

    def taken(self, value: UOp, lane: UOp) -> UOp:
        """What another lane has."""
        return self.bound(UOp(Op.SUBGROUP, (value, lane), SubgroupArg(SubgroupKind.SHUFFLE, self.mma.arg.width), value.dtype))

    def add(self, number: int, x: UOp, y: UOp) -> None:
        self.sums[number] = self.bound(UOp(Op.MULACC, (x, y, self.sums[number])))

    def rows(self, lane: UOp) -> None:
        """Lane l % 16 + 16 * part holds the rows (of b: columns) l % 16 of the part of k."""
        edge, rows = self.mma.arg.m, len(self.sums)
        column, first_row = lane % edge, lane // edge * rows
        a, b = ([self.bound(x.cast(self.kind)) for x in part] for part in (self.a, self.b))
        for part in range(edge // rows):
            for x, y in zip(a, b, strict=True):
                other = self.taken(y, column + edge * part)
                for r in range(rows):
                    self.add(r, self.taken(x, first_row + (r + edge * part)), other)

    def fragments(self, lane: UOp) -> None:
        """Fragments of mma.sync, see "PTX ISA": words of 32 bits. With q = lane // 4, t = lane % 4: of a the rows q and q + 8, of b the
        column q, of both the words t and t + 4 of the eight in k; of the sums the columns 2 t and 2 t + 1 of the rows q and q + 8."""
        kinds = product_types(self.mma.arg.layout)
        q, t = lane // 4, lane % 4
        for word in range(8):
            held, half = word % 4, word // 4
            left = [self.elements(self.taken(self.a[2 * half + r], q * 4 + held), kinds[0]) for r in range(2)]
            right = [self.elements(self.taken(self.b[half], (t * 2 + c) * 4 + held), kinds[1]) for c in range(2)]
            for e in range(32 // kinds[0].bits):
                for r in range(2):
                    for c in range(2):
                        self.add(2 * r + c, left[r][e], right[c][e])

    def elements(self, word: UOp, dtype: DType) -> list[UOp]:
        """What is in a word, the lowest bits first."""
        bits = dtypes.parse(f"u{dtype.bits}")
        parts = [(word >> (k * dtype.bits)).cast(bits).bitcast(dtype) for k in range(32 // dtype.bits)]
        return [self.bound(p.cast(self.kind)) for p in parts]
