"""Arithmetic in narrow floats through f32: exhaustive for pairs of 8 bits, edges and random values for 16."""
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from svod.codegen.decompose import rules_for, unsupported
from svod.dtype import DType, decode, dtypes, numpy_dtype
from svod.ir.interp import evaluate
from svod.ir.ops import COMPARISONS, Op
from svod.ir.rewrite import rewrite
from svod.ir.uop import UOp
from svod.target import Target

Check = Callable[..., UOp]
SMALL = (*dtypes.FP8, dtypes.f16, dtypes.bf16)
ONE = (Op.NEG, Op.ABS, Op.SQRT, Op.TRUNC, Op.FLOOR, Op.CEIL, Op.RINT, Op.TF32)
TWO = (Op.ADD, Op.SUB, Op.MUL, Op.FDIV, Op.MAX, Op.MIN, *sorted(COMPARISONS, key=lambda o: o.value))


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
@pytest.mark.parametrize("op", ONE, ids=lambda o: o.name)
def test_one_operand(op: Op, dtype: DType, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    keeps_meaning(UOp(op, (UOp.scalar("x", dtype),)), cpu, {"x": samples.all(dtype)})


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
@pytest.mark.parametrize("op", TWO, ids=lambda o: o.name)
def test_two_operands(op: Op, dtype: DType, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    keeps_meaning(UOp(op, (UOp.scalar("x", dtype), UOp.scalar("y", dtype))), cpu, samples.mixed(dtype, "xy"))


def subnormal_operands(op: Op) -> dict[str, Any]:
    """Codes of bf16 whose product or quotient is subnormal, where the two roundings fall on the same bits."""
    rng = np.random.default_rng(4)
    a, b = (rng.integers(0, 128, 200_000) for _ in range(2))
    total = rng.integers(-135, -124, 200_000) + (127 if op is Op.MUL else -127) + (0 if op is Op.FDIV else 127)
    first = rng.integers(1, 254, 200_000)
    second = total - first if op is Op.MUL else first - total - 127
    good = (second > 0) & (second < 255)
    codes = ((first << 7 | a)[good], (second << 7 | b)[good])
    return {name: c.astype(np.uint16).view(numpy_dtype(dtypes.bf16)) for name, c in zip("xy", codes, strict=True)}


@pytest.mark.parametrize("op", [Op.MUL, Op.FDIV], ids=lambda o: o.name)
def test_subnormal_results_of_bf16(op: Op, cpu: Target, keeps_meaning: Check) -> None:
    """bf16 shares the exponents of f32, so that f32 rounds a subnormal result too."""
    env = subnormal_operands(op)
    result = evaluate(UOp(op, (UOp.scalar("x", dtypes.bf16), UOp.scalar("y", dtypes.bf16))), env).astype(np.float32)
    assert ((np.abs(result) < 2.0**-126) & (result != 0)).mean() > 0.3, "the sample is not about subnormal results"
    keeps_meaning(UOp(op, (UOp.scalar("x", dtypes.bf16), UOp.scalar("y", dtypes.bf16))), cpu, env)


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
def test_multiply_add(dtype: DType, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    x, y, z = (UOp.scalar(n, dtype) for n in "xyz")
    keeps_meaning(x.fma(y, z), cpu, samples.mixed(dtype, "xyz"))


@pytest.mark.parametrize("dtype", [dtypes.f16, dtypes.bf16], ids=repr)
def test_multiply_add_next_to_a_midpoint(dtype: DType, cpu: Target, keeps_meaning: Check) -> None:
    """The product lies halfway between two values and the addend, however small, decides: rounding twice would lose it."""
    tiny, ulp = (2.0**-24, 2.0**-10) if dtype is dtypes.f16 else (2.0**-100, 2.0**-7)
    table = {"x": [1.5] * 3, "y": [1 + ulp] * 3, "z": [0.0, tiny, -tiny]}
    env = {name: np.array(v).astype(numpy_dtype(dtype)) for name, v in table.items()}
    x, y, z = (UOp.scalar(n, dtype) for n in "xyz")
    got = evaluate(keeps_meaning(x.fma(y, z), cpu, env), env).astype(np.float64)
    assert len(set(got.tolist())) == 2, "the sample does not lie at a midpoint"


def test_the_definition_of_multiply_add_is_right(cpu: Target) -> None:
    """evaluate() itself, against fractions, where it matters most."""
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 0x7C00, (3, 300)).astype(np.uint16)
    env = dict(zip("xyz", codes.view(np.float16), strict=True))
    x, y, z = (UOp.scalar(n, dtypes.f16) for n in "xyz")
    got = evaluate(rewrite(x.fma(y, z), rules_for(cpu)), env)
    for a, b, c, r in zip(*(v.tolist() for v in env.values()), got.tolist(), strict=True):
        exact = Fraction(a) * Fraction(b) + Fraction(c)
        if abs(r) < 65504:
            near = [decode(int(np.array(r, np.float16).view(np.uint16)) + step, dtypes.f16) for step in (-1, 1) if r > 0 or step > 0]
            assert all(abs(exact - Fraction(r)) <= abs(exact - Fraction(v)) for v in near)


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
@pytest.mark.parametrize("op", [Op.MAX, Op.MIN, Op.ADD, Op.MUL], ids=lambda o: o.name)
def test_lanes(op: Op, dtype: DType, cpu: Target, samples: Any) -> None:
    """MAX and MIN exactly; sums and products in one of the orders the policy allows, each step rounded."""
    x = UOp.scalar("x", dtype.vec(4))
    new = rewrite(UOp(Op.LANES, (x,), op, dtype), rules_for(cpu))
    assert unsupported(new, cpu) == []
    sample = samples.lanes({"x": np.random.default_rng(6).permutation(samples.all(dtype))[:4000]})
    a, b, c, d = (x.extract(i) for i in range(4))
    pairs = UOp(op, (UOp(op, (a, b)), UOp(op, (c, d))))
    got, want = (evaluate(g.cast(dtypes.f32), sample) for g in (new, pairs))
    assert np.array_equal(got, want, equal_nan=True)
    assert np.array_equal(np.signbit(got) | np.isnan(got), np.signbit(want) | np.isnan(want))


def test_five_lanes_are_all_combined(cpu: Target) -> None:
    new = rewrite(UOp(Op.LANES, (UOp.scalar("x", dtypes.bf16.vec(5)),), Op.ADD, dtypes.bf16), rules_for(cpu))
    assert evaluate(new, {"x": np.array([1, 2, 4, 8, 16]).astype(numpy_dtype(dtypes.bf16))}) == 31


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
def test_selection_and_bits_keep_the_dtype(dtype: DType, cpu: Target) -> None:
    x, y = UOp.scalar("x", dtype), UOp.scalar("y", dtype)
    select = UOp.scalar("c", dtypes.bool).where(x, y)
    assert rewrite(select, rules_for(cpu)) is select
    bits = x.bitcast(dtypes.u8 if dtype.bits == 8 else dtypes.i16)
    assert rewrite(bits, rules_for(cpu)) is bits


def test_a_shared_operand_is_converted_once(cpu: Target) -> None:
    x, y = UOp.scalar("x", dtypes.bf16), UOp.scalar("y", dtypes.bf16)
    new = rewrite(UOp.sink(UOp.group(x + y, x * y, (x < y))), rules_for(cpu))
    assert len(list(new.find(Op.SHL))) == 2


def test_a_target_that_computes_in_f16_does(cpu: Target) -> None:
    has = Target("half", arithmetic=cpu.arithmetic | {dtypes.f16}, native=cpu.native)
    x = UOp.scalar("x", dtypes.f16)
    for u in (x + x, x * x, x.sqrt(), x.fma(x, x), x < 1.0, x.floor(), -x):
        assert rewrite(u, rules_for(has)) is u
    assert unsupported(rewrite(x.cast(dtypes.f64), rules_for(has)), has) == []


def test_multiply_add_of_bf16_needs_f64(bare: Target) -> None:
    x = UOp.scalar("x", dtypes.bf16)
    assert [u.op for u in unsupported(rewrite(x.fma(x, x), rules_for(bare)), bare)] == [Op.MULACC]


@pytest.mark.parametrize("dtype", SMALL, ids=repr)
def test_arithmetic_on_the_barest_target(dtype: DType, bare: Target, samples: Any, keeps_meaning: Check) -> None:
    x, y, z = (UOp.scalar(n, dtype) for n in "xyz")
    env = samples.mixed(dtype, "xyz")
    for u in (x + y, x.maximum(y), x.minimum(y), x / y, x.floor(), x.le(y), x.abs(), *(() if dtype is dtypes.bf16 else (x.fma(y, z),))):
        keeps_meaning(u, bare, env)
