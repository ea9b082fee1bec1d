"""Values of f32 from and to narrow floats (f16, bf16, fp8) by integer arithmetic on their bits; graphs for any number of lanes.

Owns: `to_f32`, `to_f32_by_f16`, `from_f32`, `from_exact_f32`. Must not know rules or targets.
Invariant: agrees with svod.dtype.convert bit for bit: one rounding to nearest even, overflow to infinity or else NaN, never saturating;
a NaN becomes the quiet NaN of the format with its sign. No step depends on subnormals of f32 being computed with, but for those of bf16.
"""
from __future__ import annotations

import math

from svod.codegen.decompose.exact import UNSIGNED, code, full
from svod.dtype import DType, FloatFormat, dtypes, encode
from svod.errors import DTypeError
from svod.ir.uop import UOp

MANTISSA = 23
BIAS = 127
INFINITY = 0x7F800000
QUIET = 0x7FC00000


def _format(dtype: DType) -> FloatFormat:
    if dtype.fmt is None or dtype.bits > 16:
        raise DTypeError(f"{dtype} is not a narrow float", hint="f16, bf16 and the fp8 types are")
    return dtype.fmt


def _power(exponent: int) -> int:
    """The bits of the f32 2**exponent."""
    return (exponent + BIAS) << MANTISSA


# --- to f32: exact ---------------------------------------------------------------------------------------------------------------

def to_f32(x: UOp) -> UOp:
    """The value of a narrow float as f32."""
    dtype = x.dtype.scalar
    fmt, bits = _format(dtype), code(x).cast(dtypes.u32)
    if dtype is dtypes.bf16:
        return (bits << 16).bitcast(dtypes.f32)
    top = 1 << (dtype.bits - 1)
    sign = (bits & top) << (32 - dtype.bits)
    size = (bits & (top - 1)) << (MANTISSA - fmt.mantissa)
    # with 1 in the exponent's place a subnormal is 2**(1-bias) too large, and the subtraction of that is exact
    offset = _power(1 - fmt.bias)
    subnormal = code((size + offset).bitcast(dtypes.f32) - math.ldexp(1.0, 1 - fmt.bias))
    value = (size < (1 << MANTISSA)).where(subnormal, size + (offset - (1 << MANTISSA)))
    return (_special(value, size, bits, dtype) | sign).bitcast(dtypes.f32)


def to_f32_by_f16(x: UOp) -> UOp:
    """The value of an fp8 as f32 on a target that converts f16: half the work, since its codes are nearly those of f16.

    e5m2 is the upper half of an f16. The e4m3 forms are f16s of another bias whose NaN is in the place of a number. e5m2fnuz, with
    numbers where f16 has infinities, has no such way: it goes through `to_f32`.
    """
    dtype = x.dtype.scalar
    fmt, bits = _format(dtype), code(x).cast(dtypes.u16)
    if fmt.infinities:
        return (bits << 8).bitcast(dtypes.f16).cast(dtypes.f32)
    if fmt.exponent > 4:
        return to_f32(x)
    size = bits & 0x7F
    half = ((bits & 0x80) << 8) | (size << 7)
    nan = bits.eq(0x80) if fmt.unsigned_zero else size.eq(0x7F)
    wide = nan.where(full(encode(math.nan, dtypes.f16), half), half).bitcast(dtypes.f16).cast(dtypes.f32)
    return wide * math.ldexp(1.0, 15 - fmt.bias)


def _special(value: UOp, size: UOp, bits: UOp, dtype: DType) -> UOp:
    """`value` with the codes of infinity and NaN put right."""
    fmt, quiet = _format(dtype), full(QUIET, value)
    if fmt.infinities:
        top = ((1 << fmt.exponent) - 1) << MANTISSA
        return (size < top).where(value, size | INFINITY)
    nan = encode(math.nan, dtype)
    return bits.eq(nan).where(quiet, value) if fmt.unsigned_zero else size.eq(nan << (MANTISSA - fmt.mantissa)).where(quiet, value)


# --- from f32: one rounding ------------------------------------------------------------------------------------------------------

def from_f32(x: UOp, dtype: DType) -> UOp:
    """f32 rounded to the narrow float `dtype` (scalar)."""
    bits = code(x)
    sign = (bits >> (32 - dtype.bits)) & (1 << (dtype.bits - 1))
    if dtype is dtypes.bf16:
        rounded = (bits + ((bits >> 16) & 1) + 0x7FFF) >> 16
        return _coded(x.ne(x).where(sign | encode(math.nan, dtype), rounded), dtype)
    size = _magnitude(bits & 0x7FFFFFFF, dtype)
    if _format(dtype).infinities:
        size = x.ne(x).where(full(encode(math.nan, dtype), size), size)
    signed = size | sign
    return _coded(size.eq(0).where(size, signed) if _format(dtype).unsigned_zero else signed, dtype)


def _magnitude(bits: UOp, dtype: DType) -> UOp:
    """The code without sign of the f32 whose bits, sign clear, are given: the code after the greatest finite one if too large.

    Normal results: bits of the mantissa are dropped, rounding to nearest even; a carry raises the exponent by itself. Subnormal ones:
    adding a power of two whose last place is the format's least value lets the addition round. The code after the greatest finite one
    stands for infinity, or else for NaN, in every format.
    """
    fmt = _format(dtype)
    drop = MANTISSA - fmt.mantissa
    rebias = (1 << (drop - 1)) - 1 - ((BIAS - fmt.bias) << MANTISSA)
    normal = (bits + ((bits >> drop) & 1) + rebias % (1 << 32)) >> drop
    magic = 1 - fmt.bias + drop
    subnormal = code(bits.bitcast(dtypes.f32) + math.ldexp(1.0, magic)) - _power(magic)
    return (bits < _power(1 - fmt.bias)).where(subnormal, normal).minimum(encode(math.inf, dtype))


def from_exact_f32(x: UOp, dtype: DType) -> UOp:
    """As `from_f32`, for values that `dtype` holds exactly, and NaN: nothing is to be rounded."""
    if dtype is dtypes.bf16:
        return _coded(x.ne(x).where(full(encode(math.nan, dtype), x, dtypes.u32), code(x) >> 16), dtype)
    return from_f32(x, dtype)


def _coded(bits: UOp, dtype: DType) -> UOp:
    return bits.cast(UNSIGNED[dtype.bits]).bitcast(dtype)
