"""Loops whose bounds depend on others, after Opts."""

from __future__ import annotations

import pytest

from svod import UOp
from svod.codegen.nesting import badly_nested
from svod.ir.args import AxisKind, RangeArg
from svod.testing.kernels import axes, p


def triangle(kind: AxisKind = AxisKind.LOOP) -> tuple[UOp, UOp, UOp]:
    i = UOp.range(8, 0).replace(arg=RangeArg((0,), kind))
    j = UOp.range(i + 1, 1)
    return i, j, p(0, "out")[i * 8 + j].store(p(1, "a")[j].load())


def test_a_triangle_nests() -> None:
    i, j, store = triangle()
    assert badly_nested(UOp.sink(store.end(i, j))) is None
    assert badly_nested(UOp.sink(store.end(j).end(i))) is None


def test_rectangles_are_not_looked_at() -> None:
    i, j = axes(3, 4)
    assert badly_nested(UOp.sink(p(0, "out")[i * 4 + j].store(1.0).end(i, j))) is None


def test_a_loop_that_bounds_one_around_it_is_found() -> None:
    j = UOp.range(8, 1)
    i = UOp.range(j + 1, 0)
    assert badly_nested(UOp.sink(p(0, "out")[i * 8 + j].store(1.0).end(i, j))) == (i, j)


def test_a_loop_closed_before_what_it_bounds_is_found() -> None:
    i, j, store = triangle()
    assert badly_nested(UOp.sink(store.end(i).end(j))) == (j, i)


@pytest.mark.parametrize("kind", [AxisKind.UNROLL, AxisKind.VECTOR])
def test_an_expanded_loop_bounds_no_loop_of_its_own_nest(kind: AxisKind) -> None:
    i, j, store = triangle(kind)
    assert badly_nested(UOp.sink(store.end(i, j))) == (j, i)
    assert badly_nested(UOp.sink(store.end(j).end(i))) == (j, i)
