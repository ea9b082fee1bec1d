"""CASTs that a target lacks, built from those it has.

Owns: the choice of a way for each pair of dtypes. The arithmetic is in encode.py and exact.py.
Invariant: every way rounds once. From f64 and from 64-bit integers to a narrow float the value goes through a wider one rounded to odd.
"""
from __future__ import annotations

from svod.codegen.decompose.encode import from_f32, to_f32, to_f32_by_f16
from svod.codegen.decompose.exact import code, full, odd_f32, odd_int
from svod.codegen.decompose.support import SMALL_FLOATS, SMALL_INTS, native_casts
from svod.dtype import DType, Kind, convert, dtypes
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.ir.pattern import Rule, op, rule
from svod.ir.uop import UOp
from svod.target import Target

Pairs = frozenset[tuple[str, str]]
BEYOND = 1 << 17
"""More than the greatest finite f16 and fp8, and every integer up to it is exact in f32."""


def cast_rules(target: Target) -> tuple[Rule, ...]:
    """The rule that builds casts for `target`."""
    native = native_casts(target)

    @rule(op(Op.CAST, name="u"))
    def build_cast(u: UOp) -> UOp | None:
        """A CAST between dtypes the target does not convert natively == a graph of those it does, and of integer arithmetic."""
        x = u.src[0]
        if (x.dtype.name, u.dtype.name) in native or x.dtype.kind is Kind.VOID:
            return None
        return _built(x, u.dtype.scalar, native)

    return (build_cast,)


def _built(x: UOp, dst: DType, native: Pairs) -> UOp | None:
    src = x.dtype.scalar
    if src is dst:
        return x
    if (literal := x.src[0] if x.op is Op.BROADCAST else x).op is Op.CONST:
        return full(convert(literal.arg.value, src, dst), x, dst)
    if dst.is_bool:
        return _to_bool(x)
    if src.is_bool:
        return x.where(full(1, x, dst), full(0, x, dst))
    if src in SMALL_FLOATS:
        return (x.cast(dtypes.f32) if (src.name, "f32") in native else _decoded(x, native)).cast(dst)
    if dst in SMALL_FLOATS:
        return from_f32(x, dst) if src is dtypes.f32 else _to_small(x, dst) if _reaches(src, native) else None
    if src in SMALL_INTS and dst.is_float:
        return x.cast(dtypes.i32).cast(dst)
    if src.is_float and dst in SMALL_INTS:
        return x.cast(dtypes.i32).maximum(int(dst.min)).minimum(int(dst.max)).cast(dst)
    return None


def _decoded(x: UOp, native: Pairs) -> UOp:
    return to_f32_by_f16(x) if x.dtype.bits == 8 and ("f16", "f32") in native else to_f32(x)


def _to_bool(x: UOp) -> UOp:
    """x != 0, true for NaN. Narrow floats by their bits: all but the sign, or with one zero all."""
    fmt = x.dtype.fmt
    if fmt is None or x.dtype.bits > 16:
        return x.ne(full(0, x))
    bits = code(x)
    return bits.ne(0) if fmt.unsigned_zero else (bits & ((1 << (x.dtype.bits - 1)) - 1)).ne(0)


def _reaches(src: DType, native: Pairs) -> bool:
    """True if the target can take `src` the first step towards a narrow float; f64 and 64-bit integers are not everywhere."""
    return src.bits <= 32 or (src.name, "f32") in native


def _to_small(x: UOp, dst: DType) -> UOp:
    """f64, integers and other narrow floats to a narrow float, rounded once."""
    src = x.dtype.scalar
    if src is dtypes.f64:
        return odd_f32(x).cast(dst)
    if src.is_float or src.bits <= 16:
        return x.cast(dtypes.f32).cast(dst)
    if src is dtypes.index:
        return x.cast(dtypes.i64).cast(dst)
    if dst is dtypes.bf16:
        return odd_int(x, 24).cast(dtypes.f32).cast(dst) if src.bits == 32 else odd_f32(odd_int(x, 53).cast(dtypes.f64)).cast(dst)
    low, high = interval(x)
    if high > BEYOND:
        x = x.minimum(BEYOND)
    if low < -BEYOND:
        x = x.maximum(-BEYOND)
    return x.cast(dtypes.i32).cast(dtypes.f32).cast(dst)
