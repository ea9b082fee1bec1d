"""Building blocks: exactness of the error-free transforms, NaN through clamps, powers of two to the ends of the format."""
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from svod.codegen.math import blocks
from svod.codegen.math.blocks import F32, F64, Format
from svod.dtype import dtypes
from svod.errors import UnsupportedError
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.ir.uop import UOp

FORMATS = [F32, F64]


def numbers(fmt: Format, seed: int, spread: int, count: int = 2000) -> Any:
    """Random numbers of many sizes."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, count) * 2.0 ** rng.integers(-spread, spread, count)
    return values.astype(np.float32 if fmt is F32 else np.float64)


def both(pair: Callable[[UOp, UOp], tuple[UOp, UOp]], fmt: Format, a: Any, b: Any) -> list[tuple[Fraction, Fraction]]:
    """The two results of an error-free transform as fractions."""
    x, y = UOp.scalar("x", fmt.real), UOp.scalar("y", fmt.real)
    first, second = (evaluate(u, {"x": a, "y": b}) for u in pair(x, y))
    return [(Fraction(float(s)), Fraction(float(e))) for s, e in zip(first, second, strict=True)]


@pytest.mark.parametrize("fmt", FORMATS, ids=["f32", "f64"])
def test_two_sum_and_two_product_lose_nothing(fmt: Format) -> None:
    a, b = numbers(fmt, 1, 30), numbers(fmt, 2, 30)
    exact = [(Fraction(float(p)), Fraction(float(q))) for p, q in zip(a, b, strict=True)]
    assert all(s + e == p + q for (s, e), (p, q) in zip(both(blocks.two_sum, fmt, a, b), exact, strict=True))
    assert all(s + e == p * q for (s, e), (p, q) in zip(both(blocks.two_product, fmt, a, b), exact, strict=True))


@pytest.mark.parametrize("fmt", FORMATS, ids=["f32", "f64"])
def test_fast_two_sum_wants_the_greater_first(fmt: Format) -> None:
    a, b = numbers(fmt, 1, 30), numbers(fmt, 2, 30)
    large, small = np.where(abs(a) >= abs(b), a, b), np.where(abs(a) >= abs(b), b, a)
    exact = [Fraction(float(p)) + Fraction(float(q)) for p, q in zip(a, b, strict=True)]
    assert [s + e for s, e in both(blocks.fast_two_sum, fmt, large, small)] == exact
    assert [s + e for s, e in both(blocks.fast_two_sum, fmt, small, large)] != exact


def test_clamps_let_nan_through_and_keep_the_rest() -> None:
    x = UOp.scalar("x", dtypes.f32)
    values = np.array([np.nan, -np.inf, -3.0, -0.0, 0.5, 3.0, np.inf], np.float32)
    got = evaluate(blocks.at_least(blocks.at_most(x, 2.0), -1.0), {"x": values})
    np.testing.assert_array_equal(got, np.array([np.nan, -1, -1, 0, 0.5, 2, 2], np.float32))
    assert np.signbit(got[3])


@pytest.mark.parametrize("fmt", FORMATS, ids=["f32", "f64"])
def test_scaling_rounds_once_from_overflow_to_gradual_underflow(fmt: Format) -> None:
    kind = np.float32 if fmt is F32 else np.float64
    n = np.arange(1 - fmt.bias - fmt.mantissa - 3, fmt.bias + 3)
    x, e = UOp.scalar("x", fmt.real), UOp.scalar("e", fmt.real)
    biased, _ = blocks.nearest_integer(e, 1.0, 2 * fmt.bias)
    for factor in (1.0, 1.25, 0.75, 1 + 2.0**-20):
        got = evaluate(blocks.scale_by_power(x, biased, fmt), {"x": kind(factor), "e": n.astype(kind)})
        with np.errstate(over="ignore", under="ignore"):
            np.testing.assert_array_equal(got, np.ldexp(kind(factor), n))


def test_signs_are_copied_onto_zeros_and_nan_stays() -> None:
    x, y = UOp.scalar("x", dtypes.f32), UOp.scalar("y", dtypes.f32)
    got = evaluate(blocks.with_sign_of(x, y), {"x": np.array([0, 0, 2, np.nan], np.float32), "y": np.array([-0.0, 1, -5, -1], np.float32)})
    np.testing.assert_array_equal(got, np.array([0, 0, -2, np.nan], np.float32))
    assert list(np.signbit(got[:3])) == [True, False, True]


def test_types_other_than_f32_and_f64_are_refused_by_name() -> None:
    for dtype in (dtypes.f16, dtypes.bf16, dtypes.i32):
        with pytest.raises(UnsupportedError, match=f"not {dtype}"):
            blocks.format_of(UOp.scalar("x", dtype))
    assert blocks.format_of(UOp.scalar("x", dtypes.f32).broadcast(4)) is F32


def test_horner_takes_one_multiply_add_a_coefficient() -> None:
    x = UOp.scalar("x", dtypes.f64)
    polynomial = blocks.horner(x, (1.0, -2.0, 3.0, 0.5))
    assert [u.op for u in polynomial.find(Op.MULACC, Op.ADD, Op.MUL)] == [Op.MULACC] * 3
    assert evaluate(polynomial, {"x": 2.0}) == 1 - 4 + 12 + 4
