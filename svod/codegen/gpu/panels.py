"""Operands of a product on matrix units: from buffers into memory of the group, as words of 32 bits, and from there into fragments.

Owns: where a word lies, which words a work item brings, in accesses of how many bytes. Must not know the instruction, nor the sums.
A panel has `tile` rows (of the left operand, or columns of the right one) of 16 words along k. Two of them take turns, so that one is
filled while the other one is read. A work item brings eight words: where k is contiguous in memory twice four of a row, 16 bytes at once,
and stores as many; where rows are, one word of each of eight rows, from so many loads of eight neighbours as a word has elements. Where
such places are not known to begin at multiples of that, it loads elements one by one.
For its fragments it takes four words at once, so that they lie in registers as an instruction wants them: of a right operand the words
4 t to 4 t + 3 of a row, which are those of two instructions, whose steps may be done in any order; of a left one two words of a row and two
of the row eight below.
Invariants: rows behind the end are those of the last ones there are, steps behind the end are zeros. Two rows are a line of 32 words, of
whose quarters each line begins with another one: what 8 work items access at once in 16 bytes, and 32 in words, is in banks of its own,
but for single words that are brought along the rows. The first row of a subgroup is a multiple of 32.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from svod.codegen.analysis import stride
from svod.codegen.gpu.beside import fetched, kept, neighbours, side_by_side
from svod.codegen.gpu.product import Product, Tile
from svod.codegen.gpu.share import Env, simple
from svod.codegen.simt.emit import index
from svod.dtype import dtypes
from svod.ir.bounds import divides
from svod.ir.ops import Op
from svod.ir.uop import UOp

WORDS = 16
"""Words of a row that are staged at once: two instructions deep."""
BROUGHT = 8
"""Words that a work item brings."""
QUAD = 4
"""Words that are accessed at once: 16 bytes."""
LINE = 2 * WORDS

Steps = tuple[UOp, UOp, UOp]
"""Where the common axis starts, how long it is, and which of its steps come next."""


def panel_bytes(tile: int) -> int:
    """Memory of the group for one operand."""
    return 2 * tile * WORDS * 4


@dataclass(frozen=True, slots=True)
class Way:
    """How a panel is brought: `along` k or along its rows, `width` elements at once."""

    along: bool
    width: int


def way_of(value: UOp, row: UOp, common: UOp) -> Way:
    """How the operand `value` is brought: several elements at once in the one direction or the other, if it can be."""
    loads = list(value.find(Op.LOAD))
    along = any(stride(a, common) == 1 for a in loads) and not any(stride(a, row) == 1 for a in loads)
    most = QUAD * 32 // value.dtype.bits
    ways = (Way(True, most), Way(False, min(BROUGHT, most)))
    for way in ways if along else ways[::-1]:
        if side_by_side(loads, common if way.along else row, way.width):
            return way
    return Way(along, 1)


class Panel:
    """One operand: `value`, whose rows are those of `row`. `number`: of the work item in its group; `lane`: q and t of its subgroup."""

    def __init__(self, tile: Tile[Product], value: UOp, row: UOp, number: UOp, lane: tuple[UOp, UOp]) -> None:
        self.tile, self.value, self.row, self.number, self.share = tile, value, row, number, tile.share
        self.rows, self.common = tile.plan.tile, tile.plan.common
        self.way, self.each = way_of(value, row, self.common), 32 // value.dtype.bits
        name = "rows" if row is tile.plan.row else "columns"
        self.memory = self.share.tile(dtypes.u32, 2 * self.rows * WORDS, name)
        self.cells = [self.share.cell(UOp.const(0, dtypes.u32), name) for _ in range(BROUGHT)]
        self.left = row is tile.plan.row
        self.lane = lane

    # ---- places --------------------------------------------------------------------------------------------------
    def brought(self) -> list[tuple[UOp, UOp]]:
        """(row, word) of what this work item brings."""
        n, items = self.number, self.rows * WORDS // BROUGHT
        if self.way.width > 1 and self.way.along:
            found = [(n // LINE * 16 + n // QUAD % 8 + 8 * s, n % QUAD * QUAD + w) for s in range(2) for w in range(QUAD)]
        elif self.way.width > 1:  # lanes 4 w + r: words w of eight, of the rows 8 r and on
            found = [((n // 64 * 4 + n % 4) * BROUGHT + r, n // 4 % WORDS) for r in range(BROUGHT)]
        else:
            along = [simple(n + items * s) for s in range(BROUGHT)]
            found = [(e // WORDS, e % WORDS) if self.way.along else (e % self.rows, e // self.rows) for e in along]
        return [(simple(row), simple(word)) for row, word in found]

    def place(self, row: UOp, word: UOp) -> UOp:
        """Where in a panel a word lies."""
        if self.left:
            quarter = (word // 2 + row % 2 + row // 16 * 4) % 8
            return simple((row // 16 * 8 + row % 8) * LINE + quarter * QUAD + word % 2 * 2 + row // 8 % 2)
        quarter = (row % 2 * QUAD + word // QUAD + row // 8 * 2) % 8
        return simple(row // 2 * LINE + quarter * QUAD + word % QUAD)

    def turn(self, step: UOp) -> UOp:
        """Where the panel of a step begins."""
        return simple(step % 2 * (self.rows * WORDS))

    # ---- bringing ------------------------------------------------------------------------------------------------
    def load(self, steps: Steps, env: Env) -> None:
        """The words of the steps that come next, into registers."""
        if self.way.width == 1:
            words = self._one_by_one(steps, env)
        else:
            words = self._along(steps, env) if self.way.along else self._across(steps, env)
        for cell, word in zip(self.cells, words, strict=True):
            self.share.put(cell, index(0), word)

    def store(self, step: UOp) -> None:
        """These, into the panel of `step`."""
        share, turn = self.share, self.turn(step)
        words = dict(zip(self.brought(), map(share.get, self.cells), strict=True))
        if not (self.way.along and self.way.width > 1):
            for at, word in words.items():
                share.put(self.memory, self.place(*at) + turn, word)
            return
        order = list(words)
        if self.left:  # two words of each of the two rows
            order = [order[4 * r + 2 * s + w] for s in range(2) for w in range(2) for r in range(2)]
        for s in range(0, BROUGHT, QUAD):
            kept(share, self.memory, self.place(*order[s]) + turn, [words[at] for at in order[s:s + QUAD]])

    def _one_by_one(self, steps: Steps, env: Env) -> list[UOp]:
        start, count, done = steps
        words = []
        for row, word in self.brought():
            parts = []
            for e in range(self.each):
                step = simple(done + word * self.each + e)
                here = {**env, self.row: self.tile.place(self.row, row), self.common: self._step(start, step, count)}
                parts.append(self._there(_code(self.share.value(self.value, here)), step, count))
            words.append(self._joined(parts))
        return words

    def _along(self, steps: Steps, env: Env) -> list[UOp]:
        start, count, done = steps
        words = []
        for row, word in self.brought()[::QUAD]:
            step = simple(done + word * self.each)
            here = {**env, self.row: self.tile.place(self.row, row), self.common: self._step(start, step, count, self.way.width)}
            codes = [_code(v) for v in neighbours(self.share, self.value, self.common, self.way.width, here)]
            words += [self._there(self._joined(codes[k:k + self.each]), step, count) for k in range(0, len(codes), self.each)]
        return words

    def _across(self, steps: Steps, env: Env) -> list[UOp]:
        start, count, done = steps
        (first, word), parts = self.brought()[0], []
        for e in range(self.each):
            step = simple(done + word * self.each + e)
            codes: list[UOp] = []
            for r in range(0, BROUGHT, self.way.width):
                place = self.tile.place(self.row, simple(first + r), self.way.width)
                here = {**env, self.row: place, self.common: self._step(start, step, count)}
                codes += [_code(v) for v in neighbours(self.share, self.value, self.row, self.way.width, here)]
            parts.append([self._there(code, step, count) for code in codes])
        return [self._joined(word) for word in zip(*parts, strict=True)]

    def exact(self, count: UOp) -> bool:
        """Whether the common axis is a number of whole panels."""
        return divides(WORDS * self.each, count)

    def _step(self, start: UOp, step: UOp, count: UOp, width: int = 1) -> UOp:
        """A step, or the last one there is; of `width` together the first one."""
        return simple(start + (step if self.exact(count) else step.minimum(count - width)))

    def _there(self, code: UOp, step: UOp, count: UOp) -> UOp:
        """Bits of a step, or zeros behind the end."""
        return code if self.exact(count) else simple(step < count).where(code, UOp.const(0, dtypes.u32))

    def _joined(self, codes: Sequence[UOp]) -> UOp:
        """Elements as a word, the first one lowest."""
        word = codes[0]
        for k, code in enumerate(codes[1:], 1):
            word = word | (code << (k * self.value.dtype.bits))
        return word

    # ---- fragments -----------------------------------------------------------------------------------------------
    def fragment(self, step: UOp, first: UOp, number: int) -> list[list[UOp]]:
        """What two instructions take, one after the other, from row `first` on: of the left operand the 16 rows of that number, each in
        four words, of the right one the eight columns, in two."""
        q, t = self.lane
        if self.left:
            places = [q * LINE + (t * 2 + h + q % 2 + number % 2 * 4) % 8 * QUAD + number * 16 * WORDS for h in range(2)]
            return [self._quad(step, first, at) for at in places]
        words = self._quad(step, first, q // 2 * LINE + (q % 2 * QUAD + t + number % 4 * 2) % 8 * QUAD + number * 8 * WORDS)
        return [words[:2], words[2:]]

    def _quad(self, step: UOp, first: UOp, at: UOp) -> list[UOp]:
        return fetched(self.share, self.memory, simple(at) + first * WORDS + self.turn(step), QUAD)


def _code(value: UOp) -> UOp:
    """The bits of an element."""
    return value.bitcast(dtypes.parse(f"u{value.dtype.bits}")).cast(dtypes.u32)
