"""MMA on matrix units as NVIDIA's mma.sync has them: operands to and from the layout of its fragments, inside of a subgroup of 32.

Owns: who holds which element there, and the exchanges. Must not know how an instruction is spelled.
Source: "PTX ISA", fragments of mma.m16n8k8, m16n8k16 and m16n8k32. With q = lane // 4 and t = lane % 4, a work item holds of the 16 rows
of the left operand those of q and q + 8, and of each 16 bytes of a row the word t; of the 8 columns of the right one that of q; of the
sums the columns 2 t and 2 t + 1 of those two rows.

The product is computed transposed: the rows of `svod.lang.mma`'s sums lie in registers of one work item, as the columns of these sums
do. Then what a work item lacks is held by those whose number is the same modulo 8, and a transposition of four registers over four work
items brings it: four shuffles, each of which moves a register to everybody.
Invariant: sums are added in an order, and rounded, as the matrix unit does: not as `svod.ir.products`.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

from svod.codegen.gpu.shared_mma import multiply_rows
from svod.dtype import dtypes
from svod.ir.args import MmaArg, SubgroupArg, SubgroupKind, ValueArg, product_name
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.semantics import apply, literal
from svod.ir.threads import thread_number
from svod.ir.uop import UOp

if TYPE_CHECKING:
    from svod.codegen.gpu.items import Item

WIDTH = 32
REGISTERS = 4
"""Words of the left operand that a work item gives to one instruction."""


def fragments(threads: UOp, products: frozenset[str]) -> UOp:
    """`threads` with instructions of the matrix unit in place of each MMA whose operands are of one of the types `products`."""
    if not any(_fits(u, products) for u in threads.find(Op.MMA)):
        return threads
    values = count(1 + max(u.arg.id for u in threads.find(Op.VALUE)))
    return threads.replace(src=(_block(threads.src[0], threads.arg.block, products, values),))


def _fits(mma: UOp, products: frozenset[str]) -> bool:
    return mma.arg.layout == "rows" and mma.arg.width == WIDTH and _layout(mma) in products


def _layout(mma: UOp) -> str:
    """The instruction that does a product, transposed."""
    left, right, sums = mma.arg.held()
    a, b = mma.src[sums:sums + left], mma.src[sums + left:sums + left + right]
    return product_name(operand_kind(b), operand_kind(a))


def operand_kind(values: Sequence[UOp]) -> str:
    """The type of an operand, as products are named: f32 that are all rounded by TF32 are those."""
    return "tf32" if values[0].dtype is dtypes.f32 and all(map(_rounded, values)) else values[0].dtype.name


def _rounded(value: UOp) -> bool:
    if value.op is Op.CONST:
        return bool(apply(Op.TF32, value.dtype, None, literal(value.arg.value, value.dtype)) == value.arg.value)
    return value.op is Op.TF32


def _block(block: UOp, shape: tuple[int, int, int], products: frozenset[str], values: Iterator[int]) -> UOp:
    out: list[UOp] = []
    for s in block.src:
        if s.op is Op.MMA and _fits(s, products):
            out += _Fragments(shape, values).run(s)
        else:
            src = tuple(_block(x, shape, products, values) if x.op is Op.BLOCK else x for x in s.src)
            out.append(s if src == s.src else s.replace(src=src))
    return UOp(Op.BLOCK, tuple(out))


class _Fragments:
    """The statements of one product."""

    def __init__(self, shape: tuple[int, int, int], values: Iterator[int]) -> None:
        lane = rewrite(thread_number(shape) % WIDTH, SIMPLIFY).cast(dtypes.u32)
        self.values = values
        self.out: list[UOp] = []
        self.row, self.turn, self.eighth = (self.bound(x) for x in (lane // 4, lane % 4, lane // 8))
        self.column = self.bound(lane % 8)

    def bound(self, expr: UOp) -> UOp:
        """The VALUE of an expression."""
        value = UOp(Op.VALUE, (), ValueArg(next(self.values)), expr.dtype)
        self.out.append(UOp(Op.LET, (value, expr)))
        return value

    def run(self, mma: UOp) -> list[UOp]:
        """A product in the layout "rows"."""
        left, right, rows = mma.arg.held()
        given = mma.src[rows:]
        a, b = (_words(given[:left]), _words(given[left:left + right]))
        sums = [self.scattered(mma.src[-rows:][i::2]) for i in range(2)]
        parts = [[sums[i][v + 2 * h] for v in range(2) for i in range(2)] for h in range(2)]
        for at in range(0, len(a), REGISTERS):
            across, along = (self.scattered([self.bound(w) for w in words[at:at + REGISTERS]]) for words in (b, a))
            parts = [self.product(across, [along[h], along[2 + h]], parts[h], (_layout(mma), given[0].dtype.bits)) for h in range(2)]
        for i in range(2):
            back = self.gathered([parts[u // 2][2 * (u % 2) + i] for u in range(4)])
            self.out += [UOp(Op.LET, (mma.src[2 * j + i], back[j])) for j in range(4)]
        return self.out

    def product(self, a: Sequence[UOp], b: Sequence[UOp], c: Sequence[UOp], kind: tuple[str, int]) -> list[UOp]:
        """One instruction, of operands of that name and so many bits: its sums."""
        sums = [UOp(Op.VALUE, (), ValueArg(next(self.values)), c[0].dtype) for _ in c]
        arg = MmaArg(16, 8, 16 * 16 // kind[1], WIDTH, kind[0])
        self.out.append(UOp(Op.MMA, (*sums, *a, *b, *c), arg, dtypes.void))
        return sums

    def scattered(self, words: Sequence[UOp]) -> list[UOp]:
        """From each work item's four words, of the four work items `row` + 8 u that a fragment is held by, word `turn`: for u = 0 to 3."""
        got = []
        for s in range(4):
            word = self.picked(words, self.eighth - s)
            got.append(self.shuffled(word, self.row + 8 * ((self.turn + s) & 3)))
        return [self.bound(self.picked(got, _less(u, self.turn))) for u in range(4)]

    def gathered(self, words: Sequence[UOp]) -> list[UOp]:
        """The other way round: of the four work items 4 `column` + j, word `eighth`: for j = 0 to 3."""
        got = []
        for s in range(4):
            word = self.picked(words, self.turn - s)
            got.append(self.shuffled(word, 4 * self.column + ((self.eighth + s) & 3)))
        return [self.picked(got, _less(j, self.eighth)) for j in range(4)]

    def shuffled(self, word: UOp, lane: UOp) -> UOp:
        return self.bound(UOp(Op.SUBGROUP, (self.bound(word), lane), SubgroupArg(SubgroupKind.SHUFFLE, WIDTH), word.dtype))

    def picked(self, words: Sequence[UOp], number: UOp) -> UOp:
        """The word of that number, modulo 4."""
        low, high = (number & 1).ne(0), (number & 2).ne(0)
        return high.where(low.where(words[3], words[2]), low.where(words[1], words[0]))


def _less(a: int, b: UOp) -> UOp:
    return UOp.const(a, b.dtype) - b


def _words(values: Sequence[UOp]) -> list[UOp]:
    """The values of a row as words of 32 bits, the first one lowest; zero words to fill the registers of an instruction."""
    bits = values[0].dtype.bits
    whole = [v.bitcast(dtypes.parse(f"u{bits}")).cast(dtypes.u32) for v in values]
    each = 32 // bits
    words = [_joined(whole[k:k + each], bits) for k in range(0, len(whole), each)]
    return words + [UOp.const(0, dtypes.u32)] * (-len(words) % REGISTERS)


def _joined(parts: Sequence[UOp], bits: int) -> UOp:
    word = parts[0]
    for k, part in enumerate(parts[1:], 1):
        word = word | (part << (k * bits))
    return word


def mma(item: Item, s: UOp) -> None:
    """A product, as one work item has it: an instruction of the matrix unit, or a loop."""
    if s.arg.layout == "rows":
        multiply_rows(item, item.exchange.number, s)
        return
    left, right, rows = s.arg.held()
    given = [item.value(x) for x in s.src[rows:]]
    a, b, c = given[:left], given[left:left + right], given[left + right:]
    stacks = tuple(UOp(Op.STACK, tuple(x), None, x[0].dtype.vec(len(x))) for x in (a, b, c))
    token = item.out.token(c[0].dtype.vec(rows))
    sums = item.out.bind(UOp(Op.MMA, stacks, s.arg, token.dtype), token)
    for k, value in enumerate(s.src[:rows]):
        item.values[value] = UOp(Op.EXTRACT, (sums,), k, value.dtype)
