"""The operators of UOp as a new user meets them: literals, NumPy scalars, addresses that were not loaded."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from svod.dtype import dtypes
from svod.errors import DTypeError, GraphError
from svod.ir.ops import Op
from svod.ir.uop import UOp

a, n = UOp.param(1, dtypes.f32, name="a"), UOp.param(2, dtypes.i32, name="n")
i = UOp.range(8, 0)
x, k = a[i].load(), n[i].load()


@pytest.mark.parametrize(("ours", "plain"), [
    (x * np.float32(2), x * 2.0), (np.float32(2) * x, 2.0 * x), (x + np.float64(0.5), x + 0.5), (np.float64(0.5) - x, 0.5 - x),
    (k + np.int64(3), k + 3), (np.uint8(3) + k, 3 + k), (x * np.array(2.0), x * 2.0), (a[np.int64(4)], a[4]), (i + np.int32(1), i + 1),
    (UOp.range(np.int64(8), 0), i), (UOp.const(np.float32(0.1), dtypes.f32), UOp.const(0.1, dtypes.f32)), (k < np.int16(7), k < 7),
    (a[i].store(np.float32(1)), a[i].store(1.0)), ((k < 1).where(np.float32(1), x), (k < 1).where(1.0, x)),
])
def test_a_numpy_scalar_is_the_number_it_holds(ours: UOp, plain: UOp) -> None:
    assert ours is plain


def test_a_number_may_be_the_base_of_a_power() -> None:
    assert 2.0 ** x is UOp(Op.POW, (UOp.const(2.0, dtypes.f32), x))


@pytest.mark.parametrize(("wrong", "what"), [
    (lambda: x + "x", "str 'x' is not a number"), (lambda: x * np.ones(3), "ndarray"), (lambda: np.ones(3) * x, "ndarray"),
    (lambda: a[i].store("x"), "str 'x' is not a number"), (lambda: UOp.const(None, dtypes.i32), "NoneType None is not a number"),
    (lambda: x + 1j, "complex 1j is not a number"), (lambda: a["x"], "str 'x' is not a number"),
])
def test_what_is_no_number_is_refused(wrong: Callable[[], UOp], what: str) -> None:
    with pytest.raises(GraphError, match=f"{what}(.|\n)*UOps, numbers and bools"):
        wrong()


@pytest.mark.parametrize("wrong", [lambda: a[1.5], lambda: a[True], lambda: UOp.range(np.float32(2), 0), lambda: a[x]])
def test_an_index_is_an_integer(wrong: Callable[[], UOp]) -> None:
    with pytest.raises(DTypeError, match="an index must be an integer"):
        wrong()


@pytest.mark.parametrize(("wrong", "name"), [
    (lambda: a[i] + 1.0, r"a\[...\]"), (lambda: x + a[i], r"a\[...\]"), (lambda: a * 2.0, "a"), (lambda: 2.0 - a[i], r"a\[...\]"),
])
def test_an_address_in_arithmetic_is_told_to_be_loaded(wrong: Callable[[], UOp], name: str) -> None:
    told = rf"{name} is an address \(f32\*global\), not a number\n  hint: read the element: a\[i\]\.load\(\)"
    with pytest.raises(DTypeError, match=told):
        wrong()


def test_comparing_with_equals_compares_graphs() -> None:
    assert x == a[i].load()
    assert x != k
    with pytest.raises(GraphError, match=r"truth of a UOp(.|\n)*where"):
        bool(x < 1.0)
