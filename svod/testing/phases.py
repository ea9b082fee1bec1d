"""A program of work items in two phases, to see that devices begin the second one when all groups have done the first.

Owns: that program. Must not know devices. Invariant: the result is right only if every group sees what every other one stored.
"""
from __future__ import annotations

from svod.codegen.simt.emit import LEAVES, Emitter, index
from svod.dtype import AddrSpace, DType, dtypes
from svod.ir.args import SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp

GROUPS, ITEMS = 40, 32


def handed_round(dtype: DType = dtypes.f32, *, scale: UOp | None = None) -> UOp:
    """out[i] = a[n - 1 - i] * 2 + i % 2, for n = GROUPS * ITEMS elements: twice a goes through memory that all groups share, and what is
    added through bytes of it. `scale`, an index variable, in place of the 2."""
    out, a = (UOp.param(k, dtype, name=n) for k, n in enumerate(("out", "a")))
    size = GROUPS * ITEMS
    twice = UOp.memory(0, dtype, size, AddrSpace.GLOBAL, name="twice")
    odd = UOp.memory(1, dtypes.u8, size, AddrSpace.GLOBAL, name="odd")
    code = Emitter(())
    at = UOp.special(SpecialKind.GLOBAL, 0, GROUPS) * ITEMS + UOp.special(SpecialKind.LOCAL, 0, ITEMS)
    by = (index(2) if scale is None else scale).cast(dtype)

    def load(memory: UOp, where: UOp) -> UOp:
        token = code.token(memory.dtype.base)  # type: ignore[attr-defined]
        return code.bind(memory.after(token)[where].load(), token)

    code.do(twice[at].store(load(a, at) * by))
    code.do(odd[at].store(UOp(Op.AND, (at, index(1))).cast(dtypes.u8)))
    code.phase()
    other = index(size - 1) - at
    code.do(out[at].store(load(twice, other) + load(odd, at).cast(dtype)))
    leaves = dict.fromkeys(u for u in UOp(Op.LINEAR, tuple(code.chain[0].items)).toposort() if u.op in LEAVES)
    return code.program(list(leaves))
