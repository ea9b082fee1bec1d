"""Vectors on targets whose work items compute with scalars: neighbours are loaded and stored at once, everything else is done lane by lane.

Owns: that rewriting of a LINEAR program. Must not know targets. Invariant: the only vectors left are those that a LOAD yields, whose lanes
are taken by EXTRACT, and those that a STORE takes, which a STACK makes; both access elements that lie side by side, without a gate.
"""
from __future__ import annotations

from collections.abc import Iterator

from svod.dtype import DType, PtrDType
from svod.errors import UnsupportedError
from svod.ir.clause import executed
from svod.ir.ops import ELEMENTWISE, Op
from svod.ir.uop import UOp


def with_scalars(linear: UOp) -> UOp:
    """A LINEAR program in that form. UnsupportedError for what has none."""
    if all(s.dtype.lanes == 1 for u in linear.src for s in (u, *u.src)):
        return linear
    lanes = _Lanes()
    return UOp(Op.LINEAR, tuple(x for u in linear.src for x in lanes.run(u)))


_OF_BOOLS = {Op.MAX: Op.OR, Op.MIN: Op.AND, Op.ADD: Op.OR, Op.MUL: Op.AND}


class _Lanes:
    """What each vector is, lane by lane."""

    def __init__(self) -> None:
        self.of: dict[UOp, tuple[UOp, ...]] = {}
        self.same: dict[UOp, UOp] = {}

    def run(self, u: UOp) -> Iterator[UOp]:
        """The instructions that `u` becomes."""
        if u.op is Op.LOAD and u.dtype.lanes > 1:
            yield from self._load(u)
        elif u.op is Op.STORE and u.src[1].dtype.lanes > 1:
            yield from self._store(u)
        elif u.op is Op.INDEX and u.src[1].dtype.lanes > 1:
            return
        elif u.dtype.lanes > 1:
            self.of[u] = self._made(u)
            if u.op is Op.RAMP:
                yield from self.of[u][1:]
            elif u.op in ELEMENTWISE:
                yield from self.of[u]
        elif u.op is Op.LANES:
            yield from self._combined(u)
        elif u.op is Op.EXTRACT:
            self.same[u] = self.lane(u.src[0], u.arg)
        else:
            yield self.scalar(u)

    def scalar(self, u: UOp) -> UOp:
        """A scalar instruction over what its operands became."""
        if any(s.dtype.lanes > 1 for s in u.src):
            raise UnsupportedError(f"{u.op.name} of {u.src[0].dtype} is not available on a target that computes with scalars", at=repr(u),
                                   hint="leave out the Opt VECTOR")
        return u.substitute(self.same) if self.same else u

    def lane(self, u: UOp, k: int) -> UOp:
        """Lane `k` of a vector; of a scalar the scalar."""
        if u.dtype.lanes == 1:
            return self.scalar(u)
        if u not in self.of:
            self.of[u] = self._made(u)
        return self.of[u][k]

    def _made(self, u: UOp) -> tuple[UOp, ...]:
        n = range(u.dtype.lanes)
        if u.op is Op.AFTER:
            return tuple(self.lane(u.src[0], k) for k in n)
        if u.op is Op.BROADCAST:
            return (self.scalar(u.src[0]),) * u.dtype.lanes
        if u.op is Op.RAMP:
            base, step = map(self.scalar, u.src)
            if step.op is not Op.CONST:
                raise UnsupportedError("a RAMP of unknown steps is not available on a target that computes with scalars", at=repr(u),
                                       hint="leave out the Opt VECTOR")
            return tuple(base + UOp.const(step.arg.value * k, step.dtype) if k else base for k in n)
        if u.op is Op.STACK:
            return tuple(map(self.scalar, u.src))
        if u.op is Op.SHUFFLE:
            width = u.src[0].dtype.lanes
            return tuple(self.lane(u.src[k // width], k % width) for k in u.arg.lanes)
        if u.op in ELEMENTWISE:
            return tuple(UOp(u.op, tuple(self.lane(s, k) for s in u.src), u.arg, u.dtype.scalar) for k in n)
        raise UnsupportedError(f"{u.op.name} of {u.dtype} is not available on a target that computes with scalars", at=repr(u),
                               hint="leave out the Opt VECTOR")

    def _combined(self, u: UOp) -> Iterator[UOp]:
        """LANES: one half of the lanes with the other, until one is left."""
        x = u.src[0]
        left, odd = [self.lane(x, k) for k in range(x.dtype.lanes)], []
        op = _OF_BOOLS.get(u.arg, u.arg) if x.dtype.is_bool else u.arg
        while len(left) > 1:
            odd += left[len(left) // 2 * 2:]
            half = len(left) // 2
            left = [UOp(op, (left[k], left[k + half])) for k in range(half)]
            yield from left
        for other in odd:
            left = [UOp(op, (left[0], other))]
            yield left[0]
        self.same[u] = left[0]

    def _apart(self, index: UOp) -> list[UOp]:
        """The address of each lane."""
        memory, at, *gate = index.src
        return [UOp(Op.INDEX, (memory, self.lane(at, k), *(self.lane(g, k) for g in gate))) for k in range(at.dtype.lanes)]

    def _beside(self, index: UOp) -> UOp | None:
        """The address of elements side by side."""
        memory, at, *gate = index.src
        if gate or executed(memory).op is Op.DEFINE_REG or _element(memory).is_bool:
            return None
        if at.op is not Op.RAMP or at.src[1].op is not Op.CONST or at.src[1].arg.value != 1:
            return None
        return index.replace(src=(memory, at.replace(src=(self.scalar(at.src[0]), at.src[1]))))

    def _load(self, u: UOp) -> Iterator[UOp]:
        index = u.src[0]
        if (beside := self._beside(index)) is not None:
            whole = u.replace(src=(beside,))
            yield from (beside.src[1], whole)
            self.of[u] = tuple(UOp(Op.EXTRACT, (whole,), k, u.dtype.scalar) for k in range(u.dtype.lanes))
        else:
            rest = [() if len(u.src) == 1 else (self.lane(u.src[1], k),) for k in range(u.dtype.lanes)]
            self.of[u] = tuple(UOp(Op.LOAD, (address, *r)) for address, r in zip(self._apart(index), rest, strict=True))
        yield from self.of[u]

    def _store(self, u: UOp) -> Iterator[UOp]:
        index, value = u.src
        lanes = [self.lane(value, k) for k in range(value.dtype.lanes)]
        if (beside := self._beside(index)) is not None:
            stack = UOp(Op.STACK, tuple(lanes), None, value.dtype)
            yield from (stack, beside.src[1], u.replace(src=(beside, stack)))
        else:
            yield from (UOp(Op.STORE, (address, x)) for address, x in zip(self._apart(index), lanes, strict=True))


def _element(memory: UOp) -> DType:
    return memory.dtype.base if isinstance(memory.dtype, PtrDType) else memory.dtype
