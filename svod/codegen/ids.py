"""Work items on a device without them: the ids of a kernel become loops around it, and so does the number of the core, where asked.

Owns: which loop an id becomes. Must not know barriers: kernels whose work items wait for one another belong to the kernel language.
Invariant: groups are the outer loops, axis 2 outermost and axis 0 innermost, as consecutive ids are on a GPU.
"""
from __future__ import annotations

from svod.dtype import dtypes
from svod.errors import LaunchError, UnsupportedError
from svod.ir.args import BarrierScope, RangeArg, SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.target.abi import CORE_ID

_FIRST = {SpecialKind.GLOBAL: -7, SpecialKind.DIRECT: -7, SpecialKind.LOCAL: -4}
_CORE = -10


def loops_for_ids(sink: UOp) -> UOp:
    """`sink` with a RANGE, outside of all of the kernel's own, in place of every SPECIAL. UnsupportedError for GROUP barriers."""
    for b in sink.find(Op.BARRIER):
        if b.arg is BarrierScope.GROUP:
            raise UnsupportedError("a GROUP BARRIER needs work items that run together, and this target has none", at=sink.arg.name,
                                   hint="order effects with .after(effect.end(range)), which every loop kernel can")
    zero = UOp.const(0, dtypes.index)
    table = {u: UOp(Op.RANGE, (zero, u.src[0]), RangeArg((_FIRST[u.arg.kind] - u.arg.axis,))) for u in sink.find(Op.SPECIAL)}
    return sink.substitute(table) if table else sink


def has_core(sink: UOp) -> bool:
    """True if the kernel as written says by core_id what each core does."""
    return any(v.arg.name == CORE_ID for v in sink.find(Op.DEFINE_VAR))


def loop_for_core(sink: UOp) -> UOp:
    """`sink` with a RANGE in place of the number of the core, for questions about all cores together. Unchanged if it does not have it."""
    zero = UOp.const(0, dtypes.index)
    cores = [v for v in sink.find(Op.DEFINE_VAR) if v.arg.name == CORE_ID]
    return sink.substitute({v: UOp(Op.RANGE, (zero, zero.const(int(v.arg.max) + 1, dtypes.index)), RangeArg((_CORE,))).cast(v.dtype)
                            for v in cores}) if cores else sink


def variables_for_binds(sink: UOp) -> UOp:
    """A BIND inside a kernel stands for its variable: the value comes with each launch. LaunchError for a value outside its bounds."""
    table = {}
    for u in sink.find(Op.BIND):
        variable, value = u.src
        if value.op is Op.CONST and not variable.arg.min <= value.arg.value <= variable.arg.max:
            bounds = f"[{variable.arg.min}, {variable.arg.max}]"
            raise LaunchError(f"variable {variable.arg.name!r} is bound to {value.arg.value}, outside {bounds}")
        table[u] = variable
    return sink.substitute(table)
