"""Variables that count: split into what they were set to, and how far they have advanced since.

Owns: that rewriting. Must not know vectors. Invariant: the sum of the two parts is the variable as it was written, always.

Where work items start at different places and advance together (a grid-stride loop), the second part is one number for all of them, and
addresses made of the sum stay contiguous.
"""
from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from svod.codegen.simt.uniform import Uniformity
from svod.dtype import PtrDType, dtypes
from svod.ir.args import ValueArg
from svod.ir.ops import Op
from svod.ir.uop import UOp


def with_counters(body: UOp, facts: Uniformity) -> UOp:
    """`body` with each varying integer variable that is advanced by what is the same for all split in two."""
    ids = count(1 + max((u.arg.id for u in body.find(Op.DEFINE_REG, Op.DEFINE_LOCAL)), default=0))
    steps: dict[UOp, list[UOp]] = {}
    for block, k in _stores(body):
        if (step := advance(block, k)) is not None:
            steps.setdefault(_memory(block.src[k]), []).append(step)
    split = {}
    for memory, found in steps.items():
        base = memory.dtype.base if isinstance(memory.dtype, PtrDType) else memory.dtype
        if memory in facts.varying and memory.arg.size == 1 and base.is_int and all(map(facts.uniform, found)):
            split[memory] = UOp.memory(next(ids), base, 1, name="gone")
    return _Splitter(split, count(1 + max((u.arg.id for u in body.find(Op.VALUE)), default=0))).block(body) if split else body


def _memory(statement: UOp) -> UOp:
    """The memory that a STORE, or a LET of a LOAD, is about."""
    return statement.src[0].src[0] if statement.op is Op.STORE else statement.src[1].src[0].src[0]


def _stores(block: UOp) -> Iterator[tuple[UOp, int]]:
    for k, s in enumerate(block.src):
        if s.op is Op.STORE and _memory(s).op is Op.DEFINE_REG:
            yield block, k
        for x in s.src:
            if x.op is Op.BLOCK:
                yield from _stores(x)


def advance(block: UOp, k: int) -> UOp | None:
    """What statement k of a BLOCK, a STORE, adds to its variable: its value is a sum with what was read from it just before, there."""
    store = block.src[k]
    memory, value = _memory(store), _plain(store.src[1])
    if value.op is not Op.ADD:
        return None
    terms = tuple(map(_plain, value.src))
    for s in reversed(block.src[:k]):
        if s.op is Op.LET and s.src[1].op is Op.LOAD and _memory(s) is memory:
            if s.src[0] in terms:
                return value.src[1 - terms.index(s.src[0])].cast(s.src[0].dtype)
        elif any(u.op is Op.STORE and _memory(u) is memory for u in s.toposort()):
            return None
    return None


def _plain(u: UOp) -> UOp:
    """`u` without casts between the ideal integers and those of 64 bits, which change nothing."""
    wide = (dtypes.index, dtypes.i64)
    while u.op is Op.CAST and u.dtype in wide and u.src[0].dtype in wide:
        u = u.src[0]
    return u


class _Splitter:
    """Rewrites the statements; `split` gives the memory of the second part, `known` what VALUEs read from such variables are now."""

    def __init__(self, split: dict[UOp, UOp], values: Iterator[int]) -> None:
        self.split, self.values = split, values
        self.known: dict[UOp, UOp] = {}

    def block(self, block: UOp) -> UOp:
        out: list[UOp] = []
        for k, s in enumerate(block.src):
            if s.op is Op.STORE and (gone := self.split.get(_memory(s))) is not None:
                out += self.store(s, gone, advance(block, k))
            elif s.op is Op.LET and s.src[1].op is Op.LOAD and (gone := self.split.get(_memory(s))) is not None:
                base = self.value(s.src[0])
                out += [UOp(Op.LET, (base, s.src[1])), *(read := self.read(gone))]
                self.known[s.src[0]] = base + read[0].src[0]
            else:
                src = tuple(self.block(x) if x.op is Op.BLOCK else x.substitute(self.known) for x in s.src)
                out.append(s if src == s.src else s.replace(src=src))
        return UOp(Op.BLOCK, tuple(out))

    def store(self, store: UOp, gone: UOp, step: UOp | None) -> list[UOp]:
        zero = UOp.const(0, dtypes.index)
        if step is None:
            return [store.replace(src=(store.src[0], store.src[1].substitute(self.known))), gone[zero].store(0)]
        read = self.read(gone)
        return [*read, gone[zero].store(read[0].src[0] + step.substitute(self.known))]

    def read(self, gone: UOp) -> list[UOp]:
        load = gone[UOp.const(0, dtypes.index)].load()
        return [UOp(Op.LET, (UOp(Op.VALUE, (), ValueArg(next(self.values), "gone"), load.dtype), load))]

    def value(self, like: UOp) -> UOp:
        return UOp(Op.VALUE, (), ValueArg(next(self.values), like.arg.name), like.dtype)
