"""What every pure op means, on NumPy arrays: the definition that rules, renderers and the interpreter are held to.

Owns: `apply` and `meaning`, the value of each op of the table; `storage`, `literal`, `identity`. Must not know graphs, memory, control
flow. Invariant: follows the arithmetic policy at the top of ops.py bit for bit, except in the payload of a NaN. The functions work on
arrays and on NumPy scalars alike, and both give the same bits. A value of a vector dtype carries a trailing axis of its lanes.

Where a float result has to be rounded once, it is computed in float64 and rounded from there: exact for the narrow formats, since 53
bits are at least 2p + 2 for sum, product, quotient and root (Figueroa, "When is double rounding innocuous?", SIGNUM 30(3), 1995); math
functions of f64 are NumPy's, within the 4 ulp that NumPy states.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.dtype import DType, Kind, bitcast_array, convert_array, decode, dtypes, encode, encode_array, numpy_dtype, wrap
from svod.errors import GraphError
from svod.ir.ops import COMPARISONS, ELEMENTWISE, REDUCTIONS, Op

Function = Callable[..., Any]
"""From NumPy arrays or scalars of the operands' storage dtypes to one of the result's. Does not guard against NumPy's warnings."""


# --- values ----------------------------------------------------------------------------------------------------------------------

@cache
def storage(dtype: DType) -> np.dtype[Any]:
    """The NumPy dtype of one lane of `dtype`; index is int64. DTypeError for void and pointers."""
    return np.dtype(np.int64) if dtype.kind is Kind.INDEX else numpy_dtype(dtype.scalar)


@cache
def _from_storage(of: np.dtype[Any]) -> DType:
    return next(t for t in dtypes.ALL if numpy_dtype(t) == of)


def literal(value: bool | int | float, dtype: DType) -> Any:
    """A Python number as a NumPy scalar of `dtype` (scalar or one lane of a vector): integers wrap, floats are rounded once."""
    kind = storage(dtype)
    if dtype.is_float:
        bits = np.array(encode(value, dtype.scalar), f"u{kind.itemsize}")
        return bits.view(kind)[()]
    return kind.type(value != 0 if dtype.is_bool else wrap(int(value), dtype.scalar))


def identity(op: Op, dtype: DType) -> bool | int | float:
    """The value a reduction by `op` over nothing has: x op identity is x (but for ADD, where -0.0 becomes 0.0). `op` is in REDUCTIONS.

    The least and the greatest float are infinities where the format has them. GraphError for other ops and for dtypes the op does not take.
    """
    one = dtype.scalar
    if not reduces(op, one):
        raise GraphError(f"{op.name} does not reduce {dtype}", hint=f"one of {', '.join(sorted(o.name for o in REDUCTIONS))}")
    if one.is_bool:
        return op in (Op.AND, Op.MIN)
    if op in (Op.MAX, Op.MIN):
        return _least(one) if op is Op.MAX else _greatest(one)
    number = {Op.ADD: 0, Op.MUL: 1, Op.OR: 0, Op.XOR: 0, Op.AND: -1}[op]
    return float(number) if one.is_float else wrap(number, one)


def reduces(op: Op, dtype: DType) -> bool:
    """True if values of `dtype` can be combined by `op`: ADD and MUL take numbers, AND, OR and XOR bits, MAX and MIN both."""
    if op in (Op.MAX, Op.MIN):
        return dtype.kind is not Kind.VOID
    if op in (Op.AND, Op.OR, Op.XOR):
        return dtype.is_int or dtype.is_bool
    return op in (Op.ADD, Op.MUL) and (dtype.is_int or dtype.is_float)


def _greatest(dtype: DType) -> int | float:
    if not dtype.is_float or (dtype.fmt is not None and dtype.fmt.infinities):
        return dtype.max
    finite = (decode(code, dtype) for code in range(1 << (dtype.bits - 1)))
    return max(v for v in finite if not math.isnan(v))


def _least(dtype: DType) -> int | float:
    return -_greatest(dtype) if dtype.is_float else dtype.min


# --- the two entries -------------------------------------------------------------------------------------------------------------

def apply(op: Op, dtype: DType, arg: Any, *values: NDArray[Any]) -> NDArray[Any]:
    """The value of a node of pure `op` with result `dtype` and `arg`, for operands `values`: storage arrays of shapes that broadcast.

    Returns an array of `storage(dtype)` and that shape, with a trailing axis of lanes if `dtype` is a vector. GraphError for ops that
    are not functions of their operands: leaves, memory, structure.
    """
    arrays = [np.asarray(v) for v in values]
    operand = _from_storage(arrays[0].dtype) if arrays else dtype
    with np.errstate(all="ignore"):
        return np.asarray(meaning(op, dtype, operand, arg)(*arrays))


@cache
def meaning(op: Op, dtype: DType, operand: DType, arg: Any = None) -> Function:
    """The function that a node of `op` computes; `operand` is the dtype of its first operand. Call it under `np.errstate(all="ignore")`."""
    if op in COMPARISONS:
        return _COMPARE[op]
    if op is Op.CAST:
        return _cast(_plain(operand), _plain(dtype))
    if op is Op.BITCAST:
        return _bitcast(_plain(operand), _plain(dtype))
    if op in _VECTOR:
        return _VECTOR[op](dtype, operand, arg)
    if op is Op.WHERE:
        return np.where
    if op is Op.MULACC:
        return _mulacc(dtype.scalar)
    if op in _ROUNDED_MATH:
        return _through_f64(_ROUNDED_MATH[op], dtype.scalar)
    if op in (Op.MAX, Op.MIN):
        return _extremum(op, dtype)
    if op is Op.TF32:
        return _to_tf32(dtype.scalar)
    if (found := _DIRECT.get(op)) is None:
        raise GraphError(f"{op.name} is not a function of values", hint="only pure ops have a value of their own")
    return found


def _plain(dtype: DType) -> DType:
    """One lane, and i64 for index: the dtype of what is stored."""
    return dtypes.i64 if dtype.kind is Kind.INDEX else dtype.scalar


# --- integers and plain arithmetic -----------------------------------------------------------------------------------------------
# NumPy's integer arithmetic is the policy's: wraps; // and % floor, fmod truncates, all give 0 for a zero divisor and MIN // -1 is MIN;
# shifts by the width or more, or by a negative count, shift everything out. tests/ir/test_semantics.py holds it to that.

def _idiv(a: Any, b: Any) -> Any:
    return (a - np.fmod(a, b)) // b


_COMPARE: dict[Op, Function] = {Op.CMPLT: operator.lt, Op.CMPLE: operator.le, Op.CMPEQ: operator.eq, Op.CMPNE: operator.ne}
_DIRECT: dict[Op, Function] = {
    Op.NEG: operator.neg, Op.NOT: operator.invert, Op.ABS: np.abs,
    Op.ADD: operator.add, Op.SUB: operator.sub, Op.MUL: operator.mul, Op.FDIV: operator.truediv,
    Op.IDIV: _idiv, Op.MOD: np.fmod, Op.FLOORDIV: operator.floordiv, Op.FLOORMOD: operator.mod,
    Op.AND: operator.and_, Op.OR: operator.or_, Op.XOR: operator.xor, Op.SHL: operator.lshift, Op.SHR: operator.rshift,
    Op.SQRT: np.sqrt, Op.TRUNC: np.trunc, Op.FLOOR: np.floor, Op.CEIL: np.ceil, Op.RINT: np.rint,
}


def _extremum(op: Op, dtype: DType) -> Function:
    pick, better = (np.maximum, operator.gt) if op is Op.MAX else (np.minimum, operator.lt)
    if not dtype.is_float:
        return pick
    highest = op is Op.MAX

    def extremum(a: Any, b: Any) -> Any:
        if not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray):  # scalars: the same, several times faster
            if better(a, b) or a != a:  # noqa: PLR0124  (a NaN)
                return a
            return (b if np.signbit(a) == highest else a) if a == b else b
        # equal operands differ at most in the sign of zero, which np.maximum does not order
        return np.where(a == b, np.where(np.signbit(a) == highest, b, a), pick(a, b))
    return extremum


# --- floats ----------------------------------------------------------------------------------------------------------------------

TF32_MANTISSA = 10
"""Explicit bits of mantissa of what matrix units take for f32."""


def _to_tf32(dtype: DType) -> Function:
    """What is dropped is halfway or more: one more in magnitude. A carry goes into the exponent, at last to infinity, as it should."""
    drop = 0 if dtype.fmt is None else dtype.fmt.mantissa - TF32_MANTISSA
    if drop <= 0:
        return lambda x: x
    bits = dtypes.parse(f"u{dtype.bits}")
    whole, kind, back = storage(bits).type, _bitcast(dtype, bits), _bitcast(bits, dtype)

    def rounded(x: Any) -> Any:
        code = kind(x) + whole(1 << (drop - 1)) & ~whole((1 << drop) - 1)
        return np.where(x == x, back(code), x)[()]  # noqa: PLR0124  (not a NaN)
    return rounded

def _narrow(dtype: DType) -> Function:
    """float64 -> `dtype`, rounded once. NumPy's own conversions do that for its own types; ml_dtypes' may go through f32."""
    kind = storage(dtype)
    if dtype in (dtypes.f16, dtypes.f32, dtypes.f64):
        return lambda x: x.astype(kind)
    return lambda x: encode_array(np.asarray(x), dtype).view(kind)[()]


def _through_f64(fn: Function, dtype: DType) -> Function:
    if dtype is dtypes.f64:
        return fn
    narrow = _narrow(dtype)
    return lambda *values: narrow(fn(*(v.astype(np.float64) for v in values)))


def _erf(x: Any) -> Any:
    return np.array([math.erf(v) for v in np.ravel(x)], np.float64).reshape(np.shape(x))[()]


def _sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small)[()] / (1.0 + small)


def _erfc(x: Any) -> Any:
    return np.array([math.erfc(v) for v in np.ravel(x)], np.float64).reshape(np.shape(x))[()]


def _power(x: Any, y: Any) -> Any:
    """x**y with the special cases of C99 (F.10.4.4), of which NumPy misses some where all of y is 0.5: it takes a square root."""
    r, size = np.power(x, y), np.abs(x)
    odd = np.isfinite(y) & (np.fmod(np.abs(y), 2.0) == 1.0)
    limit = np.where((size > 1.0) == (y > 0.0), np.inf, 0.0)  # what |x|**y is where x is 0 or infinite, or y is infinite
    r = np.where((x == 0.0) | np.isinf(x), np.where(odd & np.signbit(x), -limit, limit), r)
    r = np.where(np.isinf(y), np.where(size == 1.0, 1.0, limit), r)
    r = np.where(np.isnan(x) | np.isnan(y), np.nan, r)
    return np.where((y == 0.0) | (x == 1.0), 1.0, r)[()]


def _rsqrt(x: Any) -> Any:
    return 1.0 / np.sqrt(x)


_ROUNDED_MATH: dict[Op, Function] = {
    Op.EXP: np.exp, Op.EXP2: np.exp2, Op.LOG: np.log, Op.LOG2: np.log2, Op.SIN: np.sin, Op.COS: np.cos, Op.TAN: np.tan, Op.TANH: np.tanh,
    Op.ATAN: np.arctan, Op.ERF: _erf, Op.SIGMOID: _sigmoid, Op.RSQRT: _rsqrt, Op.POW: _power,
    Op.EXPM1: np.expm1, Op.LOG10: np.log10, Op.LOG1P: np.log1p, Op.SINH: np.sinh, Op.COSH: np.cosh, Op.ASIN: np.arcsin, Op.ACOS: np.arccos,
    Op.CBRT: np.cbrt, Op.ERFC: _erfc, Op.ATAN2: np.arctan2, Op.HYPOT: np.hypot,
}


def _mulacc(dtype: DType) -> Function:
    if not dtype.is_float:
        return lambda a, b, c: a * b + c
    if dtype is dtypes.f64:
        return _fma_f64
    narrow = _narrow(dtype)

    def fma(a: Any, b: Any, c: Any) -> Any:
        if not any(isinstance(v, np.ndarray) for v in (a, b, c)):
            return narrow(np.float64(_odd_sum(float(a) * float(b), float(c))))
        return narrow(_odd_sums(a.astype(np.float64) * b.astype(np.float64), c.astype(np.float64)))
    return fma


def _odd_sum(p: float, c: float) -> float:
    """p + c rounded to odd: rounding that to a format of at most 50 bits is as if from the exact sum.

    Knuth's TwoSum gives what was rounded away; where that is not zero and the sum is even, the odd neighbour on its side replaces the sum
    (Boldo and Melquiond, "Emulation of FMA and Correctly Rounded Sums", IEEE TC 57(4), 2008).
    """
    total = p + c
    back = total - p
    lost = (p - (total - back)) + (c - back)
    if lost == 0 or not math.isfinite(total) or math.isnan(lost):
        return total
    even = int(math.ldexp(math.frexp(total)[0], 53)) % 2 == 0
    return math.nextafter(total, math.copysign(math.inf, lost)) if even else total


def _odd_sums(p: NDArray[Any], c: NDArray[Any]) -> NDArray[Any]:
    """`_odd_sum` of arrays of float64."""
    total = np.asarray(p + c)
    back = total - p
    lost = (p - (total - back)) + (c - back)
    move = (lost != 0) & np.isfinite(total) & ~np.isnan(lost) & (total.view(np.int64) & 1 == 0)
    return np.where(move, np.nextafter(total, np.copysign(np.inf, lost)), total)


def _fma_f64(a: Any, b: Any, c: Any) -> Any:
    """a * b + c rounded once: error-free transformations where nothing in them can overflow or underflow, integers elsewhere."""
    if not any(isinstance(v, np.ndarray) for v in (a, b, c)):
        return np.float64(_fma_one(float(a), float(b), float(c)))
    a, b, c = np.broadcast_arrays(a, b, c)
    if a.size < 8:
        return _fma_exact(a, b, c)
    easy = _within(a, -450, 450) & _within(b, -450, 450) & (_within(c, -950, 950) | (c == 0))
    result = np.asarray(_fma_transformed(a, b, c))
    if not easy.all():
        result[~easy] = _fma_exact(a[~easy], b[~easy], c[~easy])
    return result


def _within(x: NDArray[Any], low: int, high: int) -> NDArray[np.bool_]:
    size = np.abs(x)
    return np.asarray((size > 2.0**low) & (size < 2.0**high))


def _split(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Veltkamp: x as the sum of two floats of 26 bits."""
    big = x * 134217729.0
    high = big - (big - x)
    return high, x - high


def _fma_transformed(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> NDArray[Any]:
    """Boldo and Melquiond's Fmadd: exact product and sums as pairs, the two tails added rounding to odd."""
    high = a * b
    (a1, a0), (b1, b0) = _split(a), _split(b)
    low = a0 * b0 - (((high - a1 * b1) - a0 * b1) - a1 * b0)
    top, tail = _two_sum(c, low)
    first, rest = _two_sum(high, top)
    return np.asarray(first + _odd_sums(tail, rest))


def _two_sum(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    total = x + y
    back = total - x
    return total, (x - (total - back)) + (y - back)


def _fma_exact(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> NDArray[Any]:
    flat = [_fma_one(x, y, z) for x, y, z in zip(a.ravel().tolist(), b.ravel().tolist(), c.ravel().tolist(), strict=True)]
    return np.array(flat, np.float64).reshape(a.shape)


def _fma_one(a: float, b: float, c: float) -> float:
    if a == 0 or b == 0 or not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        if math.isinf(c) and math.isfinite(a) and math.isfinite(b):
            return c  # also where a * b overflows to the other infinity
        return float(np.float64(a) * np.float64(b) + np.float64(c))
    (an, ad), (bn, bd), (cn, cd) = a.as_integer_ratio(), b.as_integer_ratio(), c.as_integer_ratio()
    numerator, denominator = an * bn * cd + cn * ad * bd, ad * bd * cd
    try:
        return numerator / denominator  # Python rounds the quotient of integers once, to nearest even, subnormals included
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf


# --- casts -----------------------------------------------------------------------------------------------------------------------

def _cast(src: DType, dst: DType) -> Function:
    if src is dst:
        return lambda x: x
    kind = storage(dst)
    if dst.is_bool:
        return lambda x: x != 0
    native = (dtypes.f16, dtypes.f32, dtypes.f64)
    if (not src.is_float and (dst.is_int or (dst in native[1:] and src.bits <= 32))) or (src in native and dst in native):
        return lambda x: x.astype(kind)  # what convert_array does here too, without its checks
    return lambda x: convert_array(np.asarray(x), src, dst)[()]


def _bitcast(src: DType, dst: DType) -> Function:
    return lambda x: bitcast_array(np.asarray(x), src, dst)[()]


# --- vectors ---------------------------------------------------------------------------------------------------------------------

def _broadcast(dtype: DType, operand: DType, arg: Any) -> Function:
    lanes = dtype.lanes
    return lambda x: np.repeat(np.asarray(x)[..., None], lanes, axis=-1)


def _ramp(dtype: DType, operand: DType, arg: Any) -> Function:
    steps = np.arange(dtype.lanes).astype(storage(dtype))
    return lambda base, stride: np.asarray(base)[..., None] + steps * np.asarray(stride)[..., None]


def _stack(dtype: DType, operand: DType, arg: Any) -> Function:
    return lambda *values: np.stack(np.broadcast_arrays(*values), axis=-1)


def _extract(dtype: DType, operand: DType, arg: Any) -> Function:
    return lambda x: x[..., arg]


def _shuffle(dtype: DType, operand: DType, arg: Any) -> Function:
    lanes = list(arg.lanes) if dtype.lanes > 1 else arg.lanes[0]
    return lambda a, b: np.concatenate(np.broadcast_arrays(a, b), axis=-1)[..., lanes]


def _lanes(dtype: DType, operand: DType, arg: Any) -> Function:
    if not reduces(arg, operand):
        raise GraphError(f"LANES cannot combine {operand} by {arg.name}")
    combine = meaning(arg, dtype.scalar, operand.scalar)
    return lambda x: reduce(combine, [x[..., lane] for lane in range(x.shape[-1])])


_VECTOR: dict[Op, Callable[[DType, DType, Any], Function]] = {
    Op.BROADCAST: _broadcast, Op.RAMP: _ramp, Op.STACK: _stack, Op.EXTRACT: _extract, Op.SHUFFLE: _shuffle,
    Op.LANES: _lanes,
}
VECTOR_OPS = frozenset(_VECTOR)
"""Ops that make vectors, or take them apart."""
PURE = ELEMENTWISE | VECTOR_OPS
"""Ops whose value is a function of the values of their operands."""
