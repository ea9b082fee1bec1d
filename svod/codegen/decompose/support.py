"""What a target has: which casts are native, and which nodes of a graph it can neither do nor be given a replacement for.

Owns: `native_casts`, `computed`, `unsupported`, `require_supported`. Must not know rules.
Invariant: reads only fields of Target. What holds for every target is stated here:
- Values of any dtype can be selected (WHERE), read as other bits (BITCAST) and moved; integers of 8 and 16 bits convert to wider ones
  and back.
- An elementwise op in `native` exists for every dtype of `arithmetic` its row of the op table takes, with these exceptions: on bool
  only AND, OR, XOR, NOT and WHERE; MULACC only for floats, and only with `fma`; IDIV, MOD, SHL and SHR only where policy and hardware
  agree.
- CASTs are native between integers, from bool to integers, between integers and f32 or f64 (floats to integers truncate and saturate),
  between f32 and f64, and between f32 and each narrower float that is computed in. f16 converts to f32 and back wherever it is stored;
  a target that does not list `storage` stores everything.
"""
from __future__ import annotations

from functools import cache
from itertools import permutations, product

from svod.dtype import Kind, dtypes
from svod.errors import UnsupportedError
from svod.ir.ops import COMPARISONS, ELEMENTWISE, Op
from svod.ir.uop import UOp
from svod.target import Target

SMALL_FLOATS = (*dtypes.FP8, dtypes.f16, dtypes.bf16)
SMALL_INTS = (dtypes.i8, dtypes.i16, dtypes.u8, dtypes.u16)
NOT_FOR_BOOL = COMPARISONS | {Op.MAX, Op.MIN}
"""Ops that take bool by the op table, but that every target does by AND, OR, XOR and NOT."""


def complete(target: Target) -> bool:
    """True for the interpreter's target: it has every op in every dtype, by the policy, and nothing is to be decomposed."""
    return target.native >= ELEMENTWISE and target.arithmetic >= {*dtypes.ALL, dtypes.index}


@cache
def native_casts(target: Target) -> frozenset[tuple[str, str]]:
    """The (from, to) names of scalar dtypes that CAST converts natively."""
    if complete(target):
        names = [t.name for t in (*dtypes.ALL, dtypes.index)]
        return frozenset(product(names, names))
    has = target.arithmetic
    ints = [t for t in (*dtypes.INTS, dtypes.index) if t in has or t in SMALL_INTS]
    floats = [t for t in (dtypes.f32, dtypes.f64) if t in has]
    pairs = [*permutations(ints, 2), *permutations(floats, 2), *((dtypes.bool, t) for t in ints)]
    pairs += [pair for i in ints if i in has for f in floats for pair in ((i, f), (f, i))]
    if dtypes.f32 in has:
        halves = {dtypes.f16} if dtypes.f16 in target.storage or not target.storage else set()
        pairs += [pair for t in SMALL_FLOATS if t in has or t in halves for pair in ((t, dtypes.f32), (dtypes.f32, t))]
    return frozenset((a.name, b.name) for a, b in pairs)


@cache
def computed(target: Target) -> frozenset[tuple[Op, str]]:
    """The (op, name of the first operand's scalar dtype) of elementwise ops that the target has; casts apart."""
    pairs = {(o, t) for o in target.native for t in target.arithmetic}
    if not complete(target):
        pairs = {(o, t) for o, t in pairs if not (t.is_bool and o in NOT_FOR_BOOL)
                 and (o is not Op.MULACC or (target.fma and t.is_float))}
    return frozenset((o, t.name) for o, t in pairs)


def unsupported(root: UOp, target: Target) -> list[UOp]:
    """The nodes of `root` that are ops on values the target does not have, sources first. Whether an IDIV may trap is not asked."""
    has, casts = computed(target), native_casts(target)

    def lacking(u: UOp) -> bool:
        if u.op is Op.LANES:
            return (u.arg, u.dtype.name) not in has
        if u.op not in ELEMENTWISE or u.op is Op.WHERE or u.op is Op.BITCAST:
            return False
        operand = u.src[0].dtype
        if u.op is Op.CAST:
            return (operand.name, u.dtype.name) not in casts and operand.kind is not Kind.VOID
        return (u.op, operand.name) not in has

    return [u for u in root.toposort() if lacking(u)]


def require_supported(root: UOp, target: Target) -> None:
    """UnsupportedError naming op, dtype and target if anything in `root` is unsupported."""
    if not (found := unsupported(root, target)):
        return
    u = found[0]
    more = f", and {len(found) - 1} more of {', '.join(sorted({x.op.name for x in found}))}" if len(found) > 1 else ""
    raise UnsupportedError(f"target {target.name} has no {_described(u)}{more}", at=repr(u), hint=_hint(u, target))


def _described(u: UOp) -> str:
    if u.op is Op.CAST:
        return f"CAST from {u.src[0].dtype} to {u.dtype}"
    if u.op is Op.LANES:
        return f"{u.arg.name} over the lanes of {u.src[0].dtype}"
    return f"{u.op.name} of {u.src[0].dtype}"


def _hint(u: UOp, target: Target) -> str:
    missing = [t for t in (u.src[0].dtype.scalar, u.dtype.scalar) if t.bits > 16 and t not in target.arithmetic]
    if dtypes.index in missing:
        return "index arithmetic must be given a width before it is decomposed"
    if missing:
        fitting = "f32" if missing[0].is_float else "a 32-bit integer"
        return f"{target.name} does not compute in {missing[0]}; cast to {fitting} if the values allow it"
    if u.op is Op.MULACC:
        return "there is no fused multiply-add to build it from: write a * b + c, which rounds twice"
    return "nothing replaces it for this dtype; run decompose rules before asking, or cast the operands to f32"
