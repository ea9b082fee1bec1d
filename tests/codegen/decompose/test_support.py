"""What is unsupported is found, and refused in words."""
from __future__ import annotations

import pytest

from svod.codegen.decompose import require_supported, rules_for, unsupported
from svod.codegen.decompose.support import complete, native_casts
from svod.dtype import dtypes
from svod.errors import UnsupportedError
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.uop import UOp
from svod.target import REFERENCE, Target


def test_nothing_is_lacking_in_a_plain_kernel(cpu: Target) -> None:
    i = UOp.range(64, 0)
    a, b = UOp.param(0, dtypes.f32, 64), UOp.param(1, dtypes.f32, 64)
    sink = UOp.sink(b[i].store(a[i].load() * 2.0 + 1.0).end(i))
    assert unsupported(sink, cpu) == []
    require_supported(sink, cpu)
    assert rewrite(sink, rules_for(cpu)) is sink


def test_moving_values_of_any_dtype_is_no_arithmetic(cpu: Target, bare: Target) -> None:
    i = UOp.range(64, 0)
    for t in dtypes.ALL:
        a, b = UOp.param(0, t, 64), UOp.param(1, t, 64)
        assert unsupported(UOp.sink(b[i].store(a[i].load()).end(i)), bare) == []
        assert unsupported(UOp.scalar("c", dtypes.bool).where(UOp.scalar("x", t), UOp.scalar("y", t)), cpu) == []


@pytest.mark.parametrize(("u", "what"), [
    (UOp.scalar("x", dtypes.bf16) + 1.0, "ADD of bf16"),
    (UOp.scalar("x", dtypes.f32).exp(), "EXP of f32"),
    (UOp.scalar("x", dtypes.i32) // 3, "FLOORDIV of i32"),
    (UOp.scalar("x", dtypes.bool).lt(UOp.scalar("y", dtypes.bool)), "CMPLT of bool"),
    (UOp.scalar("x", dtypes.i32).fma(2, 3), "MULACC of i32"),
    (UOp.scalar("x", dtypes.f64.vec(4)).cast(dtypes.f16), "CAST from f64x4 to f16x4"),
    (UOp.scalar("x", dtypes.f32).cast(dtypes.bool), "CAST from f32 to bool"),
    (UOp(Op.LANES, (UOp.scalar("x", dtypes.f16.vec(4)),), Op.ADD, dtypes.f16), "ADD over the lanes of f16x4"),
])
def test_each_is_named(u: UOp, what: str, cpu: Target) -> None:
    assert unsupported(u, cpu) == [u]
    with pytest.raises(UnsupportedError, match=f"target cpu has no {what}\n") as caught:
        require_supported(u, cpu)
    assert caught.value.hint
    assert caught.value.at == repr(u)
    if u.op is not Op.EXP:
        require_supported(rewrite(u, rules_for(cpu)), cpu)


def test_how_many_more(cpu: Target) -> None:
    x = UOp.scalar("x", dtypes.f16)
    with pytest.raises(UnsupportedError, match="no MUL of f16, and 2 more of ADD, MUL, SQRT"):
        require_supported((x * x + 1.0).sqrt(), cpu)


@pytest.mark.parametrize(("u", "what", "hint"), [
    (UOp.scalar("x", dtypes.f64) + 1.0, "ADD of f64", "cast to f32"),
    (UOp.scalar("x", dtypes.f64).exp(), "EXP of f64", "cast to f32"),
    (UOp.scalar("x", dtypes.i64) * 3, "MUL of i64", "32-bit integer"),
    (UOp.scalar("x", dtypes.i64).cast(dtypes.f32), "CAST from i64 to f32", "32-bit integer"),
    (UOp.scalar("x", dtypes.f32).cast(dtypes.f64), "CAST from f32 to f64", "cast to f32"),
    (UOp.scalar("x", dtypes.index) + 3, "ADD of index", "width"),
    (UOp.scalar("x", dtypes.f32).fma(2.0, 3.0), "MULACC of f32", r"a \* b \+ c"),
    (UOp.scalar("x", dtypes.bf16).fma(2.0, 3.0), "MULACC of bf16", r"a \* b \+ c"),
])
def test_what_no_rule_replaces(u: UOp, what: str, hint: str, bare: Target) -> None:
    with pytest.raises(UnsupportedError, match=f"target bare has no {what}[\\s\\S]*hint: .*{hint}"):
        require_supported(rewrite(u, rules_for(bare)), bare)


def test_the_reference_lacks_nothing() -> None:
    assert complete(REFERENCE)
    assert rules_for(REFERENCE).rules == ()
    x = UOp.scalar("x", dtypes.f8e4m3)
    for u in (x.exp(), x.cast(dtypes.bool), x.fma(x, x), UOp.scalar("i", dtypes.index) // 3, UOp.scalar("p", dtypes.bool).lt(True)):
        assert unsupported(u, REFERENCE) == []
    assert len(native_casts(REFERENCE)) == 18 * 18


def test_a_target_is_not_complete_for_want_of_one_dtype() -> None:
    assert not complete(Target("almost", arithmetic=REFERENCE.arithmetic - {dtypes.f8e5m2}, native=REFERENCE.native))
