"""svod.dtype.convert against ml_dtypes, NumPy and an oracle in exact arithmetic.

The oracle knows a format only by its table of values (read from ml_dtypes or NumPy): it looks for the two neighbours of the exact value.
"""
from __future__ import annotations

import bisect
import itertools
import math
import subprocess
import sys
from fractions import Fraction
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from svod.dtype import (
    DType,
    bitcast_array,
    convert,
    convert_array,
    decode,
    decode_array,
    dtypes,
    encode,
    encode_array,
    from_numpy,
    numpy_dtype,
    round_to,
    wrap,
)
from svod.errors import DTypeError

pytestmark = pytest.mark.filterwarnings("error")

STORAGE = {
    dtypes.bool: np.bool_, dtypes.i8: np.int8, dtypes.i16: np.int16, dtypes.i32: np.int32, dtypes.i64: np.int64,
    dtypes.u8: np.uint8, dtypes.u16: np.uint16, dtypes.u32: np.uint32, dtypes.u64: np.uint64,
    dtypes.f16: np.float16, dtypes.bf16: ml_dtypes.bfloat16, dtypes.f32: np.float32, dtypes.f64: np.float64,
    dtypes.f8e4m3: ml_dtypes.float8_e4m3fn, dtypes.f8e5m2: ml_dtypes.float8_e5m2,
    dtypes.f8e4m3fnuz: ml_dtypes.float8_e4m3fnuz, dtypes.f8e5m2fnuz: ml_dtypes.float8_e5m2fnuz,
}
NARROW = (*dtypes.FP8, dtypes.f16, dtypes.bf16)
UNSIGNED = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}
Array = NDArray[Any]


# --- oracles ---------------------------------------------------------------------------------------------------------------------

def all_codes(t: DType) -> Array:
    return np.arange(1 << t.bits, dtype=UNSIGNED[t.bits])


def wide(array: Array) -> NDArray[np.float64]:
    """The elements as float64; NumPy's remarks about signalling NaNs are not the subject here."""
    with np.errstate(all="ignore"):
        return array.astype(np.float64)


def same_codes(t: DType, got: Array, want: Array) -> None:
    """Equal bit for bit; NaNs are one class, told apart by sign only (a format with one NaN code is thereby exact)."""
    assert got.dtype == want.dtype == UNSIGNED[t.bits]
    assert got.shape == want.shape
    half = 1 << (t.bits - 1)
    nan = np.isnan(wide(want.view(STORAGE[t])))
    np.testing.assert_array_equal(np.isnan(wide(got.view(STORAGE[t]))), nan)
    np.testing.assert_array_equal(np.where(nan, got & half, got), np.where(nan, want & half, want))


def peer_encode(values: Array, t: DType) -> Array:
    """What ml_dtypes (f16: NumPy) makes of float32 values."""
    with np.errstate(all="ignore"):
        return values.astype(STORAGE[t]).view(UNSIGNED[t.bits])


@cache
def ladder(t: DType) -> Array:
    """Non-negative finite values of a narrow format in order, and then the value that would follow the greatest, as float64."""
    codes = np.arange(1 << (t.bits - 1), dtype=UNSIGNED[t.bits])
    values = wide(codes.view(STORAGE[t]))
    values = values[np.isfinite(values)]
    after: Array = np.append(values, 2 * values[-1] - values[-2])
    return after


@cache
def midpoints(t: DType) -> Array:
    """Every tie of a narrow format, the one at the edge of overflow included; exact in float32 and float64."""
    steps = ladder(t)
    ties: Array = (steps[1:] + steps[:-1]) / 2
    return ties


def oracle_encode(values: Array, t: DType) -> Array:
    """Finite float64 values -> codes by searching the ladder of values."""
    absolute = np.abs(values)
    up, down = np.searchsorted(midpoints(t), absolute, "right"), np.searchsorted(midpoints(t), absolute, "left")
    units = np.where(up % 2 == 0, up, down)  # they differ on ties only
    top = len(ladder(t)) - 1
    over = np.array([np.inf]).astype(STORAGE[t]).view(UNSIGNED[t.bits])[0] & ((1 << (t.bits - 1)) - 1)
    codes = np.where(units == top, over, units) | (np.signbit(values).astype(np.int64) << (t.bits - 1))
    if "fnuz" in t.name:
        codes = np.where(units == top, 0x80, np.where(units == 0, 0, codes))
    result: Array = codes.astype(UNSIGNED[t.bits])
    return result


def oracle_round(value: float, t: DType) -> float:
    """Nearest value of `t` to a Python int or float, in exact arithmetic."""
    if math.isnan(value):
        return math.nan
    if t is dtypes.f64:
        return float(value)
    if t is dtypes.f32:
        return oracle_round_f32(value)
    steps = ladder(t)
    at = bisect.bisect_left(steps, abs(value), 0, len(steps) - 1)
    if at and abs(value) <= steps[at]:
        low, high = Fraction(abs(value)) - Fraction(steps[at - 1]), Fraction(steps[at]) - Fraction(abs(value))
        at -= low < high or (low == high and at % 2 == 1)
    result = float(steps[at]) if at < len(steps) - 1 else (math.inf if t in (dtypes.f16, dtypes.bf16, dtypes.f8e5m2) else math.nan)
    return result if result == 0 and "fnuz" in t.name else math.copysign(result, value)


def oracle_round_f32(value: float) -> float:
    """Nearest float32 to a Python int or float: the best of a guess and its neighbours."""
    if abs(value) >= 2**128 - 2**103:
        return math.copysign(math.inf, value)
    guess = np.float32(min(float(abs(value)), float(np.finfo(np.float32).max)))
    with np.errstate(all="ignore"):
        near = [np.nextafter(guess, np.float32(-1)), guess, np.nextafter(guess, np.float32(np.inf))]
    exact = Fraction(abs(value))
    best = min((x for x in near if np.isfinite(x)), key=lambda x: (abs(Fraction(float(x)) - exact), int(x.view(np.uint32)) & 1))
    return math.copysign(float(best), value)


def oracle_cast(value: Any, src: DType, dst: DType) -> Any:
    """The rules of CAST, said again without looking at the implementation."""
    if dst.is_bool:
        return value != 0
    if dst.is_float:
        return oracle_round(value if src.is_float else int(value), dst)
    if not src.is_float:
        return (int(value) - int(dst.min)) % (int(dst.max) - int(dst.min) + 1) + int(dst.min)
    if math.isnan(value):
        return 0
    if value >= float(dst.max):
        return dst.max
    return dst.min if value <= float(dst.min) else int(value)


def identical(x: Any, y: Any) -> bool:
    """Same type and value; 0.0 is not -0.0, NaN is NaN."""
    if type(x) is not type(y):
        return False
    return (x == y and math.copysign(1, x) == math.copysign(1, y)) or (math.isnan(x) and math.isnan(y))


# --- codes -----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("t", NARROW, ids=repr)
def test_decode_every_code(t: DType) -> None:
    codes = all_codes(t)
    with np.errstate(invalid="ignore"):  # of NumPy's own casts; ours stay silent
        want = codes.view(STORAGE[t]).astype(np.float32)
    got = decode_array(codes, t)
    same_codes(dtypes.f32, got.view(np.uint32), want.view(np.uint32))
    for code, value in enumerate(want.tolist()):
        assert identical(decode(code, t), value)


@pytest.mark.parametrize("t", NARROW, ids=repr)
def test_encode_inverts_decode(t: DType) -> None:
    codes = all_codes(t)
    values = decode_array(codes, t)
    same_codes(t, encode_array(values, t), codes)
    same_codes(t, np.array([encode(v, t) for v in values.tolist()], codes.dtype), codes)


@pytest.mark.parametrize("t", NARROW, ids=repr)
def test_encode_float32_patterns(t: DType) -> None:
    """8.4 million patterns on an odd stride: every exponent and both signs."""
    for start in range(0, 1 << 32, 1 << 27):
        values = np.arange(start, start + (1 << 27), 509, dtype=np.uint64).astype(np.uint32).view(np.float32)
        same_codes(t, encode_array(values, t), peer_encode(values, t))


@pytest.mark.parametrize("t", NARROW, ids=repr)
def test_encode_every_tie_of_float32_and_its_neighbours(t: DType) -> None:
    ties = midpoints(t).astype(np.float32)
    np.testing.assert_array_equal(ties, midpoints(t))
    values = np.concatenate([ties, np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(np.inf))])
    values = np.concatenate([values, -values])
    same_codes(t, encode_array(values, t), peer_encode(values, t))
    same_codes(t, encode_array(values, t), oracle_encode(values.astype(np.float64), t))


@pytest.mark.parametrize("t", NARROW, ids=repr)
def test_encode_float64_rounds_once(t: DType) -> None:
    """One ulp of float64 beside a tie is a tie for whoever goes through float32."""
    ties = midpoints(t)
    values = np.concatenate([ties, np.nextafter(ties, 0), np.nextafter(ties, np.inf)])
    values = np.concatenate([values, -values])
    want = oracle_encode(values, t)
    same_codes(t, encode_array(values, t), want)
    assert (encode_array(values.astype(np.float32), t) != want).sum() > len(values) // 7, "the inputs expose double rounding"
    some = np.unique(np.linspace(0, len(values) - 1, 3000).astype(int))
    same_codes(t, np.array([encode(v, t) for v in values[some].tolist()], want.dtype), want[some])


@pytest.mark.parametrize("t", NARROW, ids=repr)
def test_encode_float64_extremes(t: DType) -> None:
    tiny = float(ladder(t)[1])
    values = np.array([0.0, 5e-324, 2.2e-308, 1e-300, 1e-46, tiny / 2, tiny, 1e39, 1e300, 1.7976931348623157e308])
    values = np.concatenate([values, -values])
    same_codes(t, encode_array(values, t), oracle_encode(values, t))
    same_codes(t, np.array([encode(v, t) for v in values.tolist()], UNSIGNED[t.bits]), oracle_encode(values, t))
    special = np.array([np.inf, -np.inf, np.nan, -np.nan])
    for kind in (np.float32, np.float64):
        same_codes(t, encode_array(special.astype(kind), t), peer_encode(special.astype(np.float32), t))
    same_codes(t, np.array([encode(v, t) for v in special.tolist()], UNSIGNED[t.bits]), peer_encode(special, t))


def test_wide_floats_are_the_machine_s() -> None:
    rng = np.random.default_rng(1)
    words = rng.integers(0, 1 << 64, 200_000, dtype=np.uint64)
    words[:5000] &= np.uint64((1 << 63) | ((1 << 52) - 1))  # subnormals and zeros
    words[5000:100_000] = (words[5000:100_000] & np.uint64((1 << 63) | ((1 << 52) - 1))) | rng.integers(1023 - 160, 1023 + 140, 95_000,
                                                                                                      dtype=np.uint64) << np.uint64(52)
    values = words.view(np.float64)
    same_codes(dtypes.f64, encode_array(values, dtypes.f64), words)
    np.testing.assert_array_equal(decode_array(words, dtypes.f64).view(np.uint64), words)
    with np.errstate(all="ignore"):
        single = values.astype(np.float32)
    same_codes(dtypes.f32, encode_array(values, dtypes.f32), single.view(np.uint32))
    np.testing.assert_array_equal(decode_array(single.view(np.uint32), dtypes.f32).view(np.uint32), single.view(np.uint32))
    some = slice(0, None, 20)
    same_codes(dtypes.f64, np.array([encode(v, dtypes.f64) for v in values[some].tolist()], np.uint64), words[some])
    same_codes(dtypes.f32, np.array([encode(v, dtypes.f32) for v in values[some].tolist()], np.uint32), single[some].view(np.uint32))
    for code, value in zip(words[some].tolist(), values[some].tolist(), strict=True):
        assert identical(decode(code, dtypes.f64), value)
    for code, value in zip(single[some].view(np.uint32).tolist(), single[some].tolist(), strict=True):
        assert identical(decode(code, dtypes.f32), value)


def test_known_overflow_and_nan_codes() -> None:
    """Written by hand from the formats' papers, so that an error in a peer cannot hide here."""
    e4m3, e5m2, e4m3z, e5m2z = dtypes.FP8
    assert [encode(x, e4m3) for x in (448.0, 464.0, 465.0, math.inf, -math.inf, 2.0**-9, 2.0**-10, -0.0)] == [
        0x7E, 0x7E, 0x7F, 0x7F, 0xFF, 1, 0, 0x80]
    assert [encode(x, e5m2) for x in (57344.0, 61439.0, 61440.0, -math.inf, math.nan, 2.0**-16)] == [0x7B, 0x7B, 0x7C, 0xFC, 0x7E, 1]
    assert [encode(x, e4m3z) for x in (240.0, 247.0, 248.0, math.inf, math.nan, -0.0, -2.0**-12)] == [0x7F, 0x7F, 0x80, 0x80, 0x80, 0, 0]
    assert [encode(x, e5m2z) for x in (57344.0, 61440.0, -math.inf, 2.0**-17, -0.0)] == [0x7F, 0x80, 0x80, 1, 0]
    assert [encode(x, dtypes.f16) for x in (65504.0, 65519.0, 65520.0, 2.0**-24, -0.0)] == [0x7BFF, 0x7BFF, 0x7C00, 1, 0x8000]
    assert [encode(x, dtypes.bf16) for x in (1.0, -2.0, 3.39e38, 3.4e38, 2.0**128 - 2.0**119)] == [0x3F80, 0xC000, 0x7F7F, 0x7F80, 0x7F80]
    assert [encode(x, dtypes.f32) for x in (1.0, 1e39, -math.inf)] == [0x3F800000, 0x7F800000, 0xFF800000]


@pytest.mark.parametrize(("src", "dst"), [*itertools.permutations(dtypes.FP8, 2), (dtypes.f16, dtypes.bf16), (dtypes.bf16, dtypes.f16),
                                          *((a, b) for a in dtypes.FP8 for b in (dtypes.f16, dtypes.bf16)),
                                          *((b, a) for a in dtypes.FP8 for b in (dtypes.f16, dtypes.bf16))], ids=repr)
def test_every_code_between_narrow_formats(src: DType, dst: DType) -> None:
    codes = all_codes(src)
    with np.errstate(all="ignore"):
        want = codes.view(STORAGE[src]).astype(np.float32).astype(STORAGE[dst]).view(UNSIGNED[dst.bits])
        direct = codes.view(STORAGE[src]).astype(STORAGE[dst]).view(UNSIGNED[dst.bits])
    got = convert_array(codes.view(STORAGE[src]), src, dst)
    assert got.dtype == STORAGE[dst]
    same_codes(dst, got.view(UNSIGNED[dst.bits]), want)
    same_codes(dst, got.view(UNSIGNED[dst.bits]), direct)


@given(st.one_of(st.floats(), st.floats(-1e5, 1e5), st.floats(-1e-4, 1e-4), st.integers()), st.sampled_from(dtypes.FLOATS))
def test_round_to_is_the_nearest_value(value: float, t: DType) -> None:
    value = value if abs(value) < 2**1023 or not isinstance(value, int) else 2**1023
    got = round_to(value, t)
    assert identical(got, oracle_round(value, t))
    assert identical(round_to(got, t), got)


def test_ints_of_any_size_round_once() -> None:
    for t in dtypes.FLOATS:
        assert identical(round_to(10**400, t), round_to(math.inf, t))
        assert identical(round_to(-(10**400), t), round_to(-math.inf, t))
    assert round_to(2**200 + 1, dtypes.f64) == 2.0**200
    assert round_to(2**53 + 1, dtypes.f64) == 2.0**53
    assert round_to(2**53 + 3, dtypes.f64) == 2.0**53 + 4
    assert (encode(0, dtypes.f32), encode(-3, dtypes.f16), encode(True, dtypes.f16)) == (0, 0xC200, 0x3C00)


# --- CAST ------------------------------------------------------------------------------------------------------------------------

INT_EDGES = sorted(
    {s * (2**e + d) for e in (0, 3, 4, 7, 8, 11, 15, 16, 24, 31, 32, 53, 62, 63, 64) for d in (-1, 0, 1) for s in (1, -1)}
    | {s * (2**62 + 2**k + d) for k in (54, 38, 9) for d in (-1, 0, 1) for s in (1, -1)}
    | {2**63 + 2**k + d for k in (55, 39, 10) for d in (-1, 0, 1)}
    | {448, 464, 465, 57344, 61440, 65504, 65519, 65520, 248, -248})
FLOAT_EDGES = [
    0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 127.0, 127.5, 128.0, 128.5, 255.5, 256.0, 448.0, 464.0, 480.0, 32767.5, 32768.0, 57344.0, 61440.0,
    65504.0, 65520.0, 65535.5, 65536.0, 2.0**31 - 1, 2.0**31 - 0.5, 2.0**31, 2.0**32 - 1, 2.0**32, 2.0**53 + 2, 2.0**63 - 1024, 2.0**63,
    2.0**64 - 2048, 2.0**64, 3.5e38, 1e300, 2.0**-9, 2.0**-10, 2.0**-16, 2.0**-24, 2.0**-25, 2.0**-126, 2.0**-133, 2.0**-149, 2.0**-150,
    5e-324, 1.0 + 2.0**-8 + 2.0**-40, 1.0 + 2.0**-11 + 2.0**-40, 1.0 + 2.0**-24 + 2.0**-50, math.inf, math.nan]


@cache
def edges(t: DType) -> Array:
    """Values of `t` in its storage type: all of them for 8-bit types, else the edges of every type, as far as `t` holds them."""
    if t.is_bool:
        return np.array([False, True])
    if t.bits == 8:
        return all_codes(t).view(STORAGE[t])
    if t.is_int:
        return np.array([v for v in INT_EDGES if t.min <= v <= t.max], STORAGE[t])
    with np.errstate(all="ignore"):
        values = np.array(FLOAT_EDGES + [-v for v in FLOAT_EDGES]).astype(STORAGE[t])
    ends = np.array([1, (1 << (t.bits - 1)) - 1, 1 << (t.bits - 1)], UNSIGNED[t.bits]).view(STORAGE[t])
    return np.concatenate([values, ends])


def python_values(array: Array) -> list[Any]:
    """The elements as bool, int or float."""
    values: list[Any] = (array if array.dtype.isbuiltin == 1 else wide(array)).tolist()
    return values


@pytest.mark.parametrize("src", dtypes.ALL, ids=repr)
def test_every_cast_pair_on_edge_values(src: DType) -> None:
    values = edges(src)
    numbers = python_values(values)
    assert len(numbers) >= 2
    for dst in dtypes.ALL:
        arrays = convert_array(values, src, dst)
        assert arrays.dtype == STORAGE[dst]
        for value, array_result in zip(numbers, python_values(arrays), strict=True):
            want = oracle_cast(value, src, dst)
            assert identical(convert(value, src, dst), want), f"convert({value!r}, {src}, {dst}) is not {want!r}"
            assert identical(array_result, want), f"convert_array({value!r}, {src}, {dst}) gives {array_result!r}, not {want!r}"


def test_float_to_int_saturates() -> None:
    """By hand: the limits that float64 cannot hold, and truncation toward zero."""
    x = np.array([np.nan, np.inf, -np.inf, -0.0, -0.99, 1.99, -1.99, 2.0**63, -(2.0**63), 2.0**64, 1e300])
    low, high, full = -(2**63), 2**63 - 1, 2**64 - 1
    assert convert_array(x, dtypes.f64, dtypes.i64).tolist() == [0, high, low, 0, 0, 1, -1, high, low, high, high]
    assert convert_array(x, dtypes.f64, dtypes.u64).tolist() == [0, full, 0, 0, 0, 1, 0, 2**63, 0, full, full]
    assert convert_array(x, dtypes.f64, dtypes.i8).tolist() == [0, 127, -128, 0, 0, 1, -1, 127, -128, 127, 127]


@pytest.mark.parametrize("dst", dtypes.FLOATS, ids=repr)
def test_64_bit_integers_round_once(dst: DType) -> None:
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 1 << 64, 500, dtype=np.uint64) >> rng.integers(0, 64, 500, dtype=np.uint64)
    near = (np.uint64(1) << np.arange(10, 64, dtype=np.uint64))  # a tie of bf16 plus or minus one, at every magnitude
    ties = near + (near >> np.uint64(8))
    for src in (dtypes.u64, dtypes.i64):
        values = np.concatenate([bits, ties, ties - np.uint64(1), ties + np.uint64(1)]).view(STORAGE[src])
        for value, result in zip(values.tolist(), python_values(convert_array(values, src, dst)), strict=True):
            assert identical(result, oracle_round(value, dst)), (value, result)


def test_64_bit_integers_that_expose_double_rounding() -> None:
    value = 2**62 + 2**54 + 1
    assert round_to(float(value), dtypes.bf16) == 2.0**62
    assert convert(value, dtypes.i64, dtypes.bf16) == 2.0**62 + 2.0**55
    arrays = convert_array(np.array([value, -value]), dtypes.i64, dtypes.bf16)
    assert python_values(arrays) == [2.0**62 + 2.0**55, -(2.0**62) - 2.0**55]
    value = 2**63 + 2**39 + 1
    assert convert_array(np.array([value], np.uint64), dtypes.u64, dtypes.f32).tolist() == [2.0**63 + 2.0**40]


def test_index_casts_as_64_bit() -> None:
    assert convert(-1, dtypes.index, dtypes.u8) == 255
    assert convert(2**64 - 1, dtypes.u64, dtypes.index) == -1
    assert convert(1e30, dtypes.f32, dtypes.index) == 2**63 - 1
    assert convert(3, dtypes.index, dtypes.f16) == 3.0


@pytest.mark.parametrize("t", [*dtypes.INTS, dtypes.index], ids=repr)
def test_wrap(t: DType) -> None:
    for value in (*INT_EDGES, 3 * 2**70 + 5, -(10**30)):
        assert t.min <= wrap(value, t) <= t.max
        assert (wrap(value, t) - value) % 2**t.bits == 0


# --- arrays ----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("src", dtypes.ALL, ids=repr)
def test_arrays_keep_shape_and_input(src: DType) -> None:
    base = np.zeros((4, 6), STORAGE[src])
    base[1::2] = 1
    base.flags.writeable = False
    for values in (base, base[::2, ::3], base.T, base[:0], base[1, 1, ...]):
        for dst in dtypes.ALL:
            got = convert_array(values, src, dst)
            assert isinstance(got, np.ndarray)
            assert got.shape == values.shape
            assert got.dtype == STORAGE[dst]
            assert got.flags.writeable
            assert not np.shares_memory(got, values)
            np.testing.assert_array_equal(got.astype(np.float64), values.astype(np.float64))


@pytest.mark.parametrize("t", dtypes.FLOATS, ids=repr)
def test_code_arrays_keep_shape(t: DType) -> None:
    for shape in ((), (0,), (2, 3)):
        for kind in (np.float32, np.float64):
            codes = encode_array(np.ones(shape, kind), t)
            assert isinstance(codes, np.ndarray)
            assert codes.shape == shape
            assert codes.dtype == UNSIGNED[t.bits]
            values = decode_array(codes, t)
            assert isinstance(values, np.ndarray)
            assert values.shape == shape
            assert values.dtype == (np.float64 if t is dtypes.f64 else np.float32)
            assert (values == 1).all()


def test_bitcast() -> None:
    for src, dst in itertools.product(dtypes.ALL, repeat=2):
        values = edges(src)
        if src.bits != dst.bits:
            with pytest.raises(DTypeError, match=rf"cannot bitcast {src} \({src.bits} bits\) to {dst} \({dst.bits} bits\)\n  hint: the"):
                bitcast_array(values, src, dst)
            continue
        got = bitcast_array(values, src, dst)
        assert got.dtype == STORAGE[dst]
        assert got.shape == values.shape
        assert np.shares_memory(got, values)
        assert got.tobytes() == values.tobytes()
    assert bitcast_array(np.array(1.0, np.float32), dtypes.f32, dtypes.u32) == 0x3F800000


# --- NumPy's types ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("t", dtypes.ALL, ids=repr)
def test_numpy_dtype_and_back(t: DType) -> None:
    assert numpy_dtype(t) == STORAGE[t]
    assert numpy_dtype(t).itemsize == t.itemsize
    assert from_numpy(np.dtype(STORAGE[t])) is t
    assert from_numpy(numpy_dtype(t)) is t


def test_from_numpy_knows_c_names_by_width() -> None:
    assert [from_numpy(np.dtype(n)) for n in ("byte", "longlong", "ulonglong", "intc", "half")] == [
        dtypes.i8, dtypes.i64, dtypes.u64, dtypes.i32, dtypes.f16]


@pytest.mark.parametrize(("numpy_type", "hint"), [
    ("complex64", "array.real"), ("M8[ns]", "np.int64"), ("m8[s]", "np.int64"), ("O", "array.astype"), ("S3", "one of bool"),
    ("U2", "one of bool"), ("V4", "one of bool"), ("i4,f4", "one of bool"),
    (ml_dtypes.int4, "one of bool"), (ml_dtypes.float8_e4m3b11fnuz, "one of bool"),
    pytest.param("longdouble", "float64", marks=pytest.mark.skipif(np.dtype("longdouble").itemsize == 8, reason="float64 by another name")),
])
def test_from_numpy_refuses(numpy_type: Any, hint: str) -> None:
    with pytest.raises(DTypeError, match=f"has no svod type\n  hint: .*{hint}"):
        from_numpy(np.dtype(numpy_type))


def test_from_numpy_is_not_fooled_by_a_name() -> None:
    record = np.dtype((type("float", (np.void,), {}), 4))
    assert record.name == "float32"
    with pytest.raises(DTypeError, match="has no svod type"):
        from_numpy(record)


def test_from_numpy_refuses_the_other_byte_order() -> None:
    for name in ("f4", "i8", "u2"):
        with pytest.raises(DTypeError, match=r"is not in this machine's byte order\n  hint: array.astype\(array.dtype.newbyteorder"):
            from_numpy(np.dtype(name).newbyteorder())


NO_BUFFER = (dtypes.void, dtypes.index, dtypes.f32.ptr(), dtypes.f32.vec(4), dtypes.bf16.vec(2))


@pytest.mark.parametrize("t", NO_BUFFER, ids=repr)
def test_types_no_buffer_has(t: DType) -> None:
    one = np.ones(1, np.float32)
    for act in (lambda: numpy_dtype(t), lambda: convert_array(one, t, dtypes.f32), lambda: convert_array(one, dtypes.f32, t),
                lambda: bitcast_array(one, t, dtypes.f32), lambda: bitcast_array(one, dtypes.f32, t)):
        hint = "use the type of one lane" if t.lanes > 1 else "one of bool, i8"
        with pytest.raises(DTypeError, match=f"has no NumPy dtype\n  hint: {hint}"):
            act()


@pytest.mark.parametrize("t", [dtypes.bool, dtypes.i32, *NO_BUFFER], ids=repr)
def test_only_scalar_floats_have_codes(t: DType) -> None:
    for act in (lambda: encode(1.0, t), lambda: decode(0, t), lambda: round_to(1.0, t), lambda: encode_array(np.ones(1), t),
                lambda: decode_array(np.zeros(1, np.uint8), t)):
        with pytest.raises(DTypeError, match="is not a scalar float type\n  hint: one of f8e4m3, "):
            act()


@pytest.mark.parametrize("t", [dtypes.bool, dtypes.f32, dtypes.void, dtypes.i8.vec(2), dtypes.i8.ptr()], ids=repr)
def test_only_scalar_integers_wrap(t: DType) -> None:
    with pytest.raises(DTypeError, match=r"is not a scalar integer type\n  hint: one of i8, .*, index"):
        wrap(1, t)


@pytest.mark.parametrize("t", [dtypes.void, dtypes.i8.vec(2), dtypes.i8.ptr()], ids=repr)
def test_only_scalar_numbers_convert(t: DType) -> None:
    for src, dst in ((t, dtypes.f32), (dtypes.f32, t)):
        with pytest.raises(DTypeError, match=r"is not a scalar number type\n  hint: one of bool, .*, index"):
            convert(1, src, dst)


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(DTypeError, match=r"encode_array takes float32 or float64, not float16\n  hint: convert_array"):
        encode_array(np.ones(1, np.float16), dtypes.bf16)
    with pytest.raises(DTypeError, match=r"codes of bf16 are uint16, not uint32\n  hint: view the storage: array.view\(np.uint16\)"):
        decode_array(np.ones(1, np.uint32), dtypes.bf16)
    with pytest.raises(DTypeError, match=r"an array of f32 has NumPy dtype float32, not float64\n  hint: from_numpy"):
        convert_array(np.ones(1), dtypes.f32, dtypes.i8)
    with pytest.raises(DTypeError, match="an array of bf16 has NumPy dtype bfloat16, not uint16"):
        bitcast_array(np.ones(1, np.uint16), dtypes.bf16, dtypes.u16)


@pytest.mark.parametrize("code", [-1, 256])
def test_codes_out_of_range(code: int) -> None:
    with pytest.raises(DTypeError, match=f"^{code} is not a code of f8e5m2\n  hint: codes go from 0 to 255"):
        decode(code, dtypes.f8e5m2)


def test_ml_dtypes_is_imported_on_first_use_only() -> None:
    script = ("import sys, numpy; import svod.dtype as d;"
              "d.numpy_dtype(d.dtypes.f32); d.encode(1.0, d.dtypes.f8e4m3); d.from_numpy(numpy.dtype('f8'));"
              "assert 'ml_dtypes' not in sys.modules; d.numpy_dtype(d.dtypes.bf16); assert 'ml_dtypes' in sys.modules")
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": ":".join(sys.path)})
