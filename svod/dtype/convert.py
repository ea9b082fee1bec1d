"""Bit-exact conversions: values to codes and back, the meaning of CAST, and the NumPy type a buffer has.

Owns: rounding, wrap-around, saturation, and the mapping to NumPy. Must not know promotion (promote.py) or the IR.
Invariant: every conversion rounds once, to nearest even; the scalar and the array form of a conversion agree bit for bit (except in
the payload of a NaN, which no conversion promises to keep; its sign is kept wherever the format has one).

The rules of CAST, stated once: int to int wraps (two's complement); int to float rounds; float to int truncates toward zero and
saturates at the limits, NaN gives 0; float to float rounds and overflows as the format says (infinity, else NaN); anything to
bool is x != 0, so NaN gives True; bool to a number gives 0 or 1.

Sources: IEEE 754-2019 (binary formats); Micikevicius et al., "FP8 Formats for Deep Learning", arXiv:2209.05433 (e4m3, e5m2); Noune et al.,
"8-bit Numerical Formats for Deep Neural Networks", arXiv:2206.02915 (FNUZ). Overflow of fp8 equals ml_dtypes' astype: it never saturates.
"""
from __future__ import annotations

import math
from functools import cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from svod.dtype.dtypes import DType, FloatFormat, dtypes
from svod.errors import DTypeError

_NATIVE: dict[DType, np.dtype[Any]] = {
    d: np.dtype(t) for d, t in (
        (dtypes.bool, np.bool_), (dtypes.i8, np.int8), (dtypes.i16, np.int16), (dtypes.i32, np.int32), (dtypes.i64, np.int64),
        (dtypes.u8, np.uint8), (dtypes.u16, np.uint16), (dtypes.u32, np.uint32), (dtypes.u64, np.uint64),
        (dtypes.f16, np.float16), (dtypes.f32, np.float32), (dtypes.f64, np.float64))}
_ML_NAMES = {dtypes.bf16: "bfloat16", dtypes.f8e4m3: "float8_e4m3fn", dtypes.f8e5m2: "float8_e5m2",
             dtypes.f8e4m3fnuz: "float8_e4m3fnuz", dtypes.f8e5m2fnuz: "float8_e5m2fnuz"}
_FROM_NAME = {t.name: d for d, t in _NATIVE.items()} | {name: d for d, name in _ML_NAMES.items()}


# --- types -----------------------------------------------------------------------------------------------------------------------

@cache
def numpy_dtype(dtype: DType) -> np.dtype[Any]:
    """The NumPy dtype of a buffer of `dtype`: native, or ml_dtypes' for bf16 and fp8 (imported on first use).

    DTypeError for types no buffer has: void, index, pointers, vectors.
    """
    if dtype in _NATIVE:
        return _NATIVE[dtype]
    if dtype in _ML_NAMES:
        import ml_dtypes
        storage: np.dtype[Any] = np.dtype(getattr(ml_dtypes, _ML_NAMES[dtype]))
        return storage
    if not isinstance(dtype, DType):
        raise DTypeError(f"a dtype is needed, got {dtype!r}", hint="for example dtypes.f32; dtypes.parse('f32') reads text")
    hint = "use the type of one lane and one more axis" if dtype.lanes > 1 else f"one of {', '.join(map(repr, dtypes.ALL))}"
    raise DTypeError(f"{dtype!r} has no NumPy dtype", hint=hint)


def from_numpy(dtype: np.dtype[Any]) -> DType:
    """The type of an array's elements. DTypeError for what no buffer can hold: complex, dates, objects, strings, records, big-endian."""
    if not dtype.isnative:
        raise DTypeError(f"NumPy dtype {dtype!r} is not in this machine's byte order", hint="array.astype(array.dtype.newbyteorder('='))")
    hit = _FROM_NAME.get(dtype.name)
    if hit is None or numpy_dtype(hit) != dtype:
        raise DTypeError(f"NumPy dtype {dtype!r} has no svod type", hint=_hint_for(dtype))
    return hit


def _hint_for(dtype: np.dtype[Any]) -> str:
    match dtype.kind:
        case "c":
            return "pass the real and imaginary parts: array.real, array.imag"
        case "m" | "M":
            return "pass the ticks: array.view(np.int64)"
        case "f":
            return "convert it first: array.astype(np.float64)"
        case "O":
            return "the array holds Python objects; give it a number type: array.astype(np.float32)"
    return f"one of {', '.join(_FROM_NAME)}"


def _code_dtype(dtype: DType) -> np.dtype[Any]:
    return np.dtype(f"u{dtype.bits // 8}")


def _format(dtype: DType) -> FloatFormat:
    if dtype.fmt is None or dtype.lanes != 1:
        raise DTypeError(f"{dtype!r} is not a scalar float type", hint=f"one of {', '.join(map(repr, dtypes.FLOATS))}")
    return dtype.fmt


def _check_scalar(dtype: DType) -> None:
    if dtype.lanes != 1 or not (dtype.is_bool or dtype.is_int or dtype.is_float):
        raise DTypeError(f"{dtype!r} is not a scalar number type", hint=f"one of {', '.join(map(repr, dtypes.ALL))}, index")


# --- float codes -----------------------------------------------------------------------------------------------------------------
# A code's magnitude (its bits without the sign) counts the non-negative values of the format in order, so the neighbour of a code is
# code + 1, a carry out of the mantissa raises the exponent by itself, and overflow is magnitude > _largest.

def _largest(fmt: FloatFormat) -> int:
    """Magnitude code of the greatest finite value."""
    if fmt.infinities:
        return (((1 << fmt.exponent) - 1) << fmt.mantissa) - 1
    return (1 << (fmt.exponent + fmt.mantissa)) - (1 if fmt.unsigned_zero else 2)


def _nan(fmt: FloatFormat) -> int:
    """The quiet NaN that conversions produce, sign bit clear; in FNUZ formats the only NaN, which is the sign bit alone."""
    if fmt.infinities:
        return (((1 << fmt.exponent) - 1) << fmt.mantissa) | (1 << (fmt.mantissa - 1))
    return (1 << (fmt.exponent + fmt.mantissa)) - (0 if fmt.unsigned_zero else 1)


def _overflow(fmt: FloatFormat) -> int:
    """What a finite value too large, or an infinity, becomes; sign bit clear."""
    return _largest(fmt) + 1 if fmt.infinities else _nan(fmt)


def encode(value: float, dtype: DType) -> int:
    """The bit code of the value of float type `dtype` nearest to `value` (ties to even). An int of any size also rounds only once.

    Too large a value becomes infinity, or NaN where there is none; -0.0 becomes 0 in FNUZ formats. DTypeError unless a scalar float type.
    """
    fmt = _format(dtype)
    sign = 1 << (dtype.bits - 1)
    if isinstance(value, int):
        negative, magnitude = value < 0, _round(abs(value), 0, fmt)
    elif math.isnan(value):
        negative, magnitude = math.copysign(1.0, value) < 0, _nan(fmt)
    elif math.isinf(value):
        negative, magnitude = value < 0, _overflow(fmt)
    else:
        numerator, denominator = abs(value).as_integer_ratio()
        negative, magnitude = math.copysign(1.0, value) < 0, _round(numerator, 1 - denominator.bit_length(), fmt)
    if fmt.unsigned_zero and magnitude == 0:
        return 0
    return magnitude | sign if negative else magnitude


def _round(significand: int, exponent: int, fmt: FloatFormat) -> int:
    """Magnitude code nearest to significand * 2**exponent, exactly; `_overflow` if it exceeds the format."""
    if significand == 0:
        return 0
    least = 1 - fmt.bias
    top = max(significand.bit_length() - 1 + exponent, least)
    shift = top - fmt.mantissa - exponent
    if shift <= 0:
        units = significand << -shift
    else:
        units, rest, half = significand >> shift, significand & ((1 << shift) - 1), 1 << (shift - 1)
        units += rest > half or (rest == half and units & 1)
    magnitude = units + ((top - least) << fmt.mantissa)
    return magnitude if magnitude <= _largest(fmt) else _overflow(fmt)


def decode(code: int, dtype: DType) -> float:
    """The value of a bit code of float type `dtype`; exact. DTypeError unless 0 <= code < 2**bits and `dtype` is a scalar float type."""
    fmt = _format(dtype)
    if not 0 <= code < 1 << dtype.bits:
        raise DTypeError(f"{code} is not a code of {dtype!r}", hint=f"codes go from 0 to {(1 << dtype.bits) - 1}")
    sign = -1.0 if code >> (dtype.bits - 1) else 1.0
    magnitude = code & ((1 << (dtype.bits - 1)) - 1)
    if magnitude > _largest(fmt) or (fmt.unsigned_zero and code == _nan(fmt)):
        return math.copysign(math.inf if fmt.infinities and magnitude == _overflow(fmt) else math.nan, sign)
    field, fraction = magnitude >> fmt.mantissa, magnitude & ((1 << fmt.mantissa) - 1)
    if field:
        field, fraction = field - 1, fraction | (1 << fmt.mantissa)
    return sign * math.ldexp(fraction, field + 1 - fmt.bias - fmt.mantissa)


def encode_array(values: NDArray[Any], dtype: DType) -> NDArray[Any]:
    """`encode` of every element: float32 or float64 array -> unsigned codes of the same shape (uint8, 16, 32 or 64 by `dtype.bits`).

    DTypeError for arrays of another type, or unless `dtype` is a scalar float type.
    """
    fmt = _format(dtype)
    if values.dtype not in (np.float32, np.float64):
        raise DTypeError(f"encode_array takes float32 or float64, not {values.dtype}", hint="convert_array takes any type")
    with np.errstate(all="ignore"):
        if dtype in (dtypes.f32, dtypes.f64):
            return values.astype(_NATIVE[dtype]).view(_code_dtype(dtype))
        wide = np.asarray(values, np.float64)
        absolute = np.abs(wide)
        magnitude = _round_array(absolute, fmt)
        magnitude = np.where(np.isnan(wide), _nan(fmt), np.where(magnitude > _largest(fmt), _overflow(fmt), magnitude))
        negative = np.signbit(wide)
        if fmt.unsigned_zero:
            negative = negative & (magnitude != 0)
        return np.asarray(magnitude | (negative.astype(np.int64) << (dtype.bits - 1))).astype(_code_dtype(dtype))


def _round_array(absolute: NDArray[np.float64], fmt: FloatFormat) -> NDArray[np.int64]:
    """Magnitude codes nearest to non-negative float64s, for formats narrower than f32; more than `_largest` where they overflow.

    Scaling by a power of two that makes one unit in the last place of the result equal to 1 is exact, so `rint` is the only rounding.
    """
    finite = np.asarray(np.where(np.isfinite(absolute), absolute, np.finfo(np.float64).max))
    least = 1 - fmt.bias
    top = np.maximum((finite.view(np.int64) >> 52) - 1023, least)
    scale = np.asarray((fmt.mantissa - top + 1023) << 52).view(np.float64)
    units = np.asarray(np.rint(finite * scale)).astype(np.int64)
    return np.asarray(units + ((top - least) << fmt.mantissa))


def decode_array(codes: NDArray[Any], dtype: DType) -> NDArray[Any]:
    """`decode` of every element: codes as an unsigned array of `dtype.bits` -> float32 array of the same shape (float64 for f64).

    DTypeError for arrays of another type, or unless `dtype` is a scalar float type.
    """
    _format(dtype)
    if codes.dtype != _code_dtype(dtype):
        raise DTypeError(f"codes of {dtype!r} are {_code_dtype(dtype)}, not {codes.dtype}",
                         hint=f"view the storage: array.view(np.{_code_dtype(dtype)})")
    if dtype is dtypes.bf16:
        return np.asarray(codes.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if dtype in _NATIVE:
        with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
            return codes.view(_NATIVE[dtype]).astype(np.float64 if dtype is dtypes.f64 else np.float32)
    return np.asarray(_decode_table(dtype)[codes])


@cache
def _decode_table(dtype: DType) -> NDArray[np.float32]:
    table = np.array([decode(code, dtype) for code in range(1 << dtype.bits)], np.float32)
    table.flags.writeable = False
    return table


# --- CAST on Python values -------------------------------------------------------------------------------------------------------

def wrap(value: int, dtype: DType) -> int:
    """`value` modulo 2**bits, in the range of the integer type `dtype` (index: 64 bits). DTypeError unless a scalar integer type."""
    if not dtype.is_int or dtype.lanes != 1:
        raise DTypeError(f"{dtype!r} is not a scalar integer type", hint=f"one of {', '.join(map(repr, dtypes.INTS))}, index")
    low = value & ((1 << dtype.bits) - 1)
    return low - (1 << dtype.bits) if low > dtype.max else low


def round_to(value: float, dtype: DType) -> float:
    """The value of float type `dtype` nearest to `value` (a float, or an int of any size), rounded once. Errors as `encode`."""
    return decode(encode(value, dtype), dtype)


def convert(value: float, src: DType, dst: DType) -> bool | int | float:
    """CAST of one value of type `src` to `dst`, by the rules at the top of this module; bool, int or float by `dst`.

    `value` must be a value of `src`: it is not rounded to it first. DTypeError for void, pointers and vectors.
    """
    _check_scalar(src)
    _check_scalar(dst)
    number = float(value) if src.is_float else int(value)
    if dst.is_bool:
        return number != 0
    if dst.is_float:
        return round_to(number, dst)
    return wrap(number, dst) if isinstance(number, int) else _saturate(number, dst)


def _saturate(value: float, dtype: DType) -> int:
    low, high = cast(int, dtype.min), cast(int, dtype.max)
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return high if value > 0 else low
    return min(max(math.trunc(value), low), high)


# --- CAST on arrays --------------------------------------------------------------------------------------------------------------

def convert_array(values: NDArray[Any], src: DType, dst: DType) -> NDArray[Any]:
    """`convert` of every element: an array of `numpy_dtype(src)` -> a new array of `numpy_dtype(dst)` of the same shape.

    DTypeError if the array is not of `numpy_dtype(src)`, or if `src` or `dst` is no type a buffer has.
    """
    _check_storage(values, src)
    storage = numpy_dtype(dst)
    if src is dst:
        return values.copy()
    with np.errstate(all="ignore"):
        numbers = decode_array(values.view(_code_dtype(src)), src) if src.is_float else values
        if dst.is_bool:
            return np.asarray(numbers != 0)
        if dst.is_float:
            if dst is dtypes.f64:
                return numbers.astype(np.float64)
            return encode_array(numbers if src.is_float else _odd_float64(numbers), dst).view(storage)
        return _saturate_array(numbers, dst) if src.is_float else values.astype(storage)


def bitcast_array(values: NDArray[Any], src: DType, dst: DType) -> NDArray[Any]:
    """The same bits read as `dst`: a view of `values`, of the same shape. DTypeError unless both are storage types of equal width.

    bool takes part only with itself: its one bit is stored in a byte whose other values mean nothing.
    """
    _check_storage(values, src)
    storage = numpy_dtype(dst)
    if src.bits != dst.bits:
        raise DTypeError(f"cannot bitcast {src!r} ({src.bits} bits) to {dst!r} ({dst.bits} bits)", hint="the widths must be equal")
    return values.view(storage)


def _check_storage(values: NDArray[Any], dtype: DType) -> None:
    if values.dtype != numpy_dtype(dtype):
        raise DTypeError(f"an array of {dtype!r} has NumPy dtype {numpy_dtype(dtype)}, not {values.dtype}",
                         hint="from_numpy(array.dtype) is the array's own type")


def _odd_float64(values: NDArray[Any]) -> NDArray[np.float64]:
    """Integers or bools as float64, rounded to odd where they do not fit 53 bits.

    Round-to-odd: the last bit kept says "something non-zero was dropped", so a later rounding to at most 50 bits is as if from the integer
    (Boldo and Melquiond, "Emulation of FMA and Correctly Rounded Sums", IEEE TC 57(4), 2008).
    """
    if values.dtype.itemsize < 8:
        return values.astype(np.float64)
    negative = values < 0
    bits = np.asarray(values.view(np.uint64))
    bits = np.where(negative, np.uint64(0) - bits, bits)
    dropped = np.asarray(bits & np.uint64(0xFFF))
    odd = (bits - dropped) | np.where(dropped != 0, np.uint64(0x1000), np.uint64(0))
    result = np.where(bits < np.uint64(1 << 53), bits, odd).astype(np.float64)
    return np.where(negative, -result, result)


def _saturate_array(values: NDArray[Any], dtype: DType) -> NDArray[Any]:
    """float32 or float64 -> integers: truncated, clamped to the limits, NaN -> 0. Limits are compared as 2**n, which is exact."""
    storage = numpy_dtype(dtype)
    whole = np.trunc(values.astype(np.float64))
    below, above = whole < float(dtype.min), whole >= float(dtype.max + 1)
    inside = np.where(below | above | np.isnan(whole), 0.0, whole).astype(storage)
    return np.where(above, storage.type(dtype.max), np.where(below, storage.type(dtype.min), inside))
