"""The `reach` function: checked arithmetic only where it may overflow, and sizes that may not be negative."""
from __future__ import annotations

from svod import UOp, Variable, dtypes
from svod.renderers.llvm.reach import TOO_MANY, Reach, render_reach
from svod.target.abi import describe
from svod.testing.kernels import p

SMALL, LARGE, SIGNED = Variable("n", 0, 1 << 20), Variable("s", 0, 1 << 40), Variable("d", -5, 5)
META = describe(UOp.sink(p(0, "out")[SMALL].store((LARGE + SIGNED).cast(dtypes.f32))))


def text(need: UOp, *sizes: UOp, work: UOp = SMALL) -> str:
    declarations: set[str] = set()
    body = render_reach(Reach((need,), work, sizes), META, declarations)
    assert ("overflow" in body) == any("overflow" in d for d in declarations)
    return body


def test_usual_needs_are_plain_arithmetic() -> None:
    for plain in (text(SMALL * 4096 + 7), text(SMALL * SMALL), text(SMALL, SMALL), text(SMALL, work=LARGE * LARGE)):
        assert str(TOO_MANY) not in plain
        assert "overflow" not in plain


def test_what_may_overflow_asks_for_too_many_elements() -> None:
    product = text(LARGE * LARGE + 1)
    assert product.count("@llvm.smul.with.overflow.i64(") == product.count("@llvm.sadd.with.overflow.i64(") == 1
    assert product.count(f"i64 {TOO_MANY}") == 1
    assert "@llvm.ssub.with.overflow.i64(i64 0," not in text(-SMALL)
    assert "@llvm.smul.with.overflow.i64(" in text(SMALL, LARGE * LARGE)  # a size is asked for too


def test_a_size_that_may_be_negative_is_looked_at() -> None:
    assert text(SMALL, SIGNED, SMALL).count("icmp slt i64") == 1
    assert "icmp slt" not in text(SMALL, SMALL)
