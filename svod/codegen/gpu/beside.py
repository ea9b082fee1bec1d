"""Values that lie side by side, loaded at once by one work item that shares the work of its group.

Owns: where that can be done, and the accesses. Must not know plans. Invariant: elements accessed at once begin at a multiple of their
number, from the start of their memory.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from svod.codegen.analysis import stride
from svod.codegen.gpu.share import Env, Share, simple
from svod.codegen.simt.emit import index
from svod.dtype import PtrDType, dtypes
from svod.ir.bounds import divides
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

AT_ONCE = 128
"""Bits of an access, at most."""


def side_by_side(loads: Sequence[UOp], axis: UOp, width: int) -> bool:
    """Whether each load, for `width` neighbours along the axis from a multiple of that on, is of one element, or of so many side by side
    that begin at a multiple of their number; and some are."""
    start, stop = axis.src
    if all(stride(a, axis) != 1 for a in loads) or not (divides(width, start) and divides(width, rewrite(stop - start, SIMPLIFY))):
        return False
    for a in loads:
        address, step = a.src[0], stride(a, axis)
        memory = address.src[0].dtype
        if len(a.src) == 2 or len(address.src) == 3 or step not in (0, 1) or not isinstance(memory, PtrDType):
            return False
        if step == 1:
            first = rewrite(address.src[1].substitute({axis: axis * width}), SIMPLIFY)
            if memory.base.is_bool or memory.base.bits * width > AT_ONCE or not divides(width, first):
                return False
    return True


def beside(memory: UOp, at: UOp, width: int) -> UOp:
    """The address of elements side by side."""
    return UOp(Op.INDEX, (memory, UOp(Op.RAMP, (simple(at), index(1)), None, dtypes.index.vec(width))))


def fetched(share: Share, memory: UOp, at: UOp, width: int) -> list[UOp]:
    """Elements side by side, now."""
    if width == 1:
        return [share.fetch(memory, simple(at))]
    vector = share.read(UOp(Op.LOAD, (beside(memory, at, width),)))
    return [UOp(Op.EXTRACT, (vector,), k, vector.dtype.scalar) for k in range(width)]


def kept(share: Share, memory: UOp, at: UOp, values: Iterable[UOp]) -> None:
    """Sets elements side by side."""
    values = tuple(map(simple, values))
    stack = UOp(Op.STACK, values, None, values[0].dtype.vec(len(values)))
    share.out.do(UOp(Op.STORE, (beside(memory, at, len(values)), stack)))


def neighbours(share: Share, value: UOp, axis: UOp, width: int, env: Env) -> list[UOp]:
    """`value` for `width` neighbours along an axis, from where it is in `env` on: each load is made once."""
    known: list[Env] = [{**env, axis: simple(env[axis] + k)} for k in range(width)]
    for a in value.find(Op.LOAD):
        address = share.value(a.src[0], env)
        if stride(a, axis) == 0:
            values = [share.read(a.replace(src=(address,)))] * width
        else:
            values = fetched(share, address.src[0], address.src[1], width)
        for own, loaded in zip(known, values, strict=True):
            own[a] = loaded
    return [share.value(value, own) for own in known]
