"""Every pair of dtypes converts by what a target has, rounding once."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from svod.codegen.decompose import rules_for, unsupported
from svod.codegen.decompose.support import native_casts
from svod.dtype import DType, convert, dtypes
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.uop import UOp
from svod.target import Target

NUMBERS = (*dtypes.ALL, dtypes.index)
WIDE = (dtypes.f64, dtypes.i64, dtypes.u64, dtypes.index)


@pytest.mark.parametrize("src", NUMBERS, ids=repr)
def test_every_pair_on_the_cpu(src: DType, cpu: Target, samples: Any, keeps_meaning: Callable[..., UOp]) -> None:
    """Exhaustive for sources of 8 and 16 bits; edges, midpoints and random values for the others."""
    x = UOp.scalar("x", src)
    for dst in NUMBERS:
        keeps_meaning(UOp(Op.CAST, (x,), None, dst), cpu, {"x": samples.all(src)})


@pytest.mark.parametrize("src", [t for t in NUMBERS if t not in WIDE], ids=repr)
def test_every_pair_of_at_most_32_bits_without_narrow_types(
        src: DType, bare: Target, samples: Any, keeps_meaning: Callable[..., UOp]) -> None:
    """With integer arithmetic for f16, and clamps for the integers of 8 and 16 bits."""
    x = UOp.scalar("x", src)
    for dst in NUMBERS:
        if dst not in WIDE:
            keeps_meaning(UOp(Op.CAST, (x,), None, dst), bare, {"x": samples.all(src)})


@pytest.mark.parametrize("src", NUMBERS, ids=repr)
def test_every_pair_on_four_lanes(src: DType, cpu: Target, samples: Any, keeps_meaning: Callable[..., UOp]) -> None:
    x = UOp.scalar("x", src.vec(4))
    for dst in NUMBERS:
        keeps_meaning(UOp(Op.CAST, (x,), None, dst.vec(4)), cpu, samples.lanes({"x": samples.few(src)}))


@pytest.mark.parametrize("dst", [*dtypes.FP8, dtypes.bf16], ids=repr)
def test_literals_are_converted_at_once(dst: DType, cpu: Target) -> None:
    for value, src in ((1 << 24 | 1, dtypes.i32), (1.0009765625, dtypes.f64), (-0.0, dtypes.f32), (True, dtypes.bool)):
        new = rewrite(UOp.const(value, src.vec(4)).cast(dst), rules_for(cpu))
        assert new is UOp.const(convert(value, src, dst), dst.vec(4))


def test_native_casts_are_left_alone(cpu: Target) -> None:
    for src, dst in ((dtypes.f32, dtypes.i8), (dtypes.f16, dtypes.f32), (dtypes.f32, dtypes.f16), (dtypes.u64, dtypes.f32),
                     (dtypes.bool, dtypes.i32), (dtypes.index, dtypes.i32), (dtypes.f64, dtypes.f32)):
        cast = UOp.scalar("x", src).cast(dst)
        assert (src.name, dst.name) in native_casts(cpu)
        assert rewrite(cast, rules_for(cpu)) is cast


def test_f16_is_converted_natively_only_where_it_is_stored(cpu: Target, bare: Target) -> None:
    assert ("f16", "f32") in native_casts(cpu)
    assert ("f16", "f32") not in native_casts(bare)


def test_known_small_integers_skip_the_clamp(cpu: Target) -> None:
    small = rewrite(UOp.variable("i", -1000, 1000, dtypes.i64).cast(dtypes.f8e5m2), rules_for(cpu))
    large = rewrite(UOp.scalar("i", dtypes.i64).cast(dtypes.f8e5m2), rules_for(cpu))
    assert [u for u in small.find(Op.MAX, Op.MIN) if u.dtype.is_int and not u.dtype.is_unsigned] == []
    assert len([u for u in large.find(Op.MAX, Op.MIN) if u.dtype is dtypes.i64]) == 2


def test_64_bits_are_not_invented(bare: Target) -> None:
    """f64 and i64 stay where the target lacks them, to be refused by name."""
    for src in WIDE:
        assert unsupported(rewrite(UOp.scalar("x", src).cast(dtypes.bf16), rules_for(bare)), bare)
