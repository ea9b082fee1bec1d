"""Vectors of lanes: comparisons, selections and functions go lane by lane, as NumPy's of small arrays do."""
# ruff: noqa: PLW0108  (the lambdas are traced: what they call is what is tested)
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod.errors import KernelError

A = np.array([-2.5, -0.0, 0.5, np.nan, 1.0, 3.0, -1.0, 7.25], np.float32)
B = np.array([1.0, 0.0, 0.5, 2.0, np.nan, -3.0, -1.0, 8.0], np.float32)
I = np.array([-7, -1, 0, 1, 5, 6, 2**31 - 1, -2**31], np.int32)  # noqa: E741
J = np.array([3, -1, 2, 0, 5, -6, 1, -1], np.int32)


def lanes(function: Any, a: Any, b: Any, out: Any, device: svod.Device) -> Any:
    """function(v, w) of vectors of 8 elements."""
    def apply(a, b, out):
        sl.store_vector(out, 0, function(sl.load_vector(a, 0, 8), sl.load_vector(b, 0, 8)))

    result = np.zeros(8, out)
    apply.__annotations__ = {"a": sl.Array[a.dtype], "b": sl.Array[b.dtype], "out": sl.Array[result.dtype]}
    sl.kernel(apply).on(device)[1, 1](a, b, result)
    return result


COMPARISONS = {
    "<": lambda v, w: v < w, "<=": lambda v, w: v <= w, ">": lambda v, w: v > w, ">=": lambda v, w: v >= w, "==": lambda v, w: v == w,
    "!=": lambda v, w: v != w, "scalar": lambda v, w: v > 1, "mirrored": lambda v, w: 1 >= v,  # noqa: SIM300
    "both": lambda v, w: (v > w) & (v != 0),
    "either": lambda v, w: (v > w) | (w > 1), "not": lambda v, w: ~(v > w),
}


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("symbol", COMPARISONS)
def test_comparisons_give_vectors_of_bool(symbol: str, device: svod.Device) -> None:
    for a, b in ((A, B), (I, J)):
        assert lanes(COMPARISONS[symbol], a, b, np.bool_, device).tolist() == COMPARISONS[symbol](a, b).tolist()


SELECTIONS = {
    "vectors": (lambda v, w: sl.select(v > w, v, w), lambda v, w: np.where(v > w, v, w)),
    "where": (lambda v, w: sl.where(v > 1, v, v * 2), lambda v, w: np.where(v > 1, v, v * 2)),
    "numpy": (lambda v, w: np.where(v > w, v, 1), lambda v, w: np.where(v > w, v, 1)),
    "scalar sides": (lambda v, w: sl.select(v > w, 1, 0), lambda v, w: np.where(v > w, 1, 0)),
    "scalar condition": (lambda v, w: sl.select(v[0] > w[0], v, w), lambda v, w: np.where(v[0] > w[0], v, w)),
    "static condition": (lambda v, w: sl.select(True, 1, w), lambda v, w: np.ones_like(w)),
    "number as condition": (lambda v, w: sl.select(v, v, w), lambda v, w: np.where(v != 0, v, w)),
    "expression": (lambda v, w: v if w[0] > 100 else w, lambda v, w: v if w[0] > 100 else w),
    "nested": (lambda v, w: sl.select(v > w, sl.select(v > 2, v, 2), w), lambda v, w: np.where(v > w, np.where(v > 2, v, 2), w)),
}


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("name", SELECTIONS)
def test_selections(name: str, device: svod.Device) -> None:
    ours, numpys = SELECTIONS[name]
    for a, b in ((A, B), (I, J)):
        with np.errstate(all="ignore"):
            expected = numpys(a, b).astype(a.dtype)
        np.testing.assert_array_equal(lanes(ours, a, b, a.dtype, device), expected)


FUNCTIONS = {
    "min": (lambda v, w: min(v, w), np.minimum), "max": (lambda v, w: sl.max(v, w, 0), lambda v, w: np.maximum(np.maximum(v, w), 0)),
    "abs": (lambda v, w: abs(v), lambda v, w: np.abs(v)), "clamp": (lambda v, w: sl.clamp(v, -1, 2), lambda v, w: np.clip(v, -1, 2)),
    "clamp by vectors": (lambda v, w: sl.clamp(v, 0, abs(w)), lambda v, w: np.minimum(np.maximum(v, 0), np.abs(w))),
    "fma": (lambda v, w: sl.fma(v, 2, w), lambda v, w: v * 2 + w), "fma of scalars": (lambda v, w: sl.fma(2, v, 1), lambda v, w: v * 2 + 1),
    "floor": (lambda v, w: sl.floor(v), lambda v, w: np.floor(v).astype(v.dtype) if v.dtype.kind == "f" else v),
    "round": (lambda v, w: round(v), lambda v, w: np.rint(v).astype(v.dtype) if v.dtype.kind == "f" else v),
    "negative": (lambda v, w: -v, lambda v, w: -v), "floor division": (lambda v, w: v // w, lambda v, w: v // w),
    "modulo": (lambda v, w: v % w, lambda v, w: v % w), "square": (lambda v, w: v ** 2, lambda v, w: v * v),
}


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, device: svod.Device) -> None:
    ours, numpys = FUNCTIONS[name]
    for a, b in ((A, B), (I, J)):
        with np.errstate(all="ignore"):
            expected = numpys(a, b)
        np.testing.assert_array_equal(lanes(ours, a, b, a.dtype, device), expected)


@pytest.mark.devices("CPU", "INTERP")
def test_functions_that_give_another_type(device: svod.Device) -> None:
    assert lanes(lambda v, w: sl.isnan(v), A, B, np.bool_, device).tolist() == np.isnan(A).tolist()
    assert lanes(lambda v, w: sl.popcount(v), I, J, np.int32, device).tolist() == [int(i & 0xFFFFFFFF).bit_count() for i in I.tolist()]
    powers = lanes(lambda v, w: 3 ** abs(w), I, J, np.int32, device)
    assert powers.tolist() == [3 ** abs(w) for w in J.tolist()]


@pytest.mark.devices("CPU", "INTERP")
def test_lanes_are_combined(device: svod.Device) -> None:
    def combine(v: Any, w: Any) -> Any:
        return sl.vec(sl.i32, 8)(min(v), max(v), sum(v), sl.i32(any(v > 6)), sl.i32(all(v > w)), len(v), v[1], w[-1])

    assert lanes(combine, J, I, np.int32, device).tolist() == [-6, 5, 3, 0, 0, 8, -1, -2**31]


def test_the_types_of_lanes_meet() -> None:
    """A literal takes the type of the other side, also where it is the one that is chosen; two types meet as operands do."""
    expected = ["f32", "f32", "f32", "i8", "bool"]

    @sl.kernel
    def meet(x: sl.Array[sl.f32], n: sl.Array[sl.i8]):
        v, w = sl.load_vector(x, 0, 4), sl.load_vector(n, 0, 4)
        made = (sl.select(v > 0, 1, v), sl.select(True, 1, v), sl.select(w > 0, w, v), sl.select(v > 0, w, 1), v > w)
        kinds = [repr(m.dtype) for m in made]
        sl.static_assert(kinds == expected, str(kinds))
        x[0] = v[0]

    assert meet.compile(sl.Array[sl.f32], sl.Array[sl.i8]).name == "meet"
    expected[0] = "i32"
    with pytest.raises(KernelError, match="'f32', 'f32', 'f32', 'i8'"):
        meet.compile(sl.Array[sl.f32], sl.Array[sl.i8])


def refused(kernel: Any) -> KernelError:
    with pytest.raises(KernelError) as caught:
        sl.kernel(kernel).compile(sl.Array[sl.f32])
    assert "test_vectors.py" in caught.value.at
    assert "^" in caught.value.at
    return caught.value


def test_refusals() -> None:
    def truth(x: sl.Array[sl.f32]):
        if sl.load_vector(x, 0, 4) > 1.0:
            x[0] = 1.0

    def widths(x: sl.Array[sl.f32]):
        sl.store_vector(x, 0, sl.select(sl.load_vector(x, 0, 2) > 0.0, sl.load_vector(x, 0, 4), 0.0))

    def text(x: sl.Array[sl.f32]):
        sl.store_vector(x, 0, sl.select(sl.load_vector(x, 0, 2) > 0.0, "a", 0.0))

    error = refused(truth)
    assert "the truth of a vector is not one value" in error.what
    assert "select(v, a, b)" in error.hint
    assert "vectors of 2 and 4 lanes" in refused(widths).what
    assert "str 'a' is not a number" in refused(text).what


@sl.kernel
def lanes_by_number(out: sl.Array[sl.i32, 2], n: sl.i32) -> None:
    """Reads and changes lanes whose numbers the launch gives; a vector is a value."""
    i = sl.global_id()
    v = sl.vec(sl.i32, 4)(10, 20, 30, 40)
    w = v
    v[1] = 21
    v[i] = 0
    v[n] += 5
    v[-1] -= 1
    both = [v, w]
    both[0][0] = 7
    for k in sl.static_range(4):
        out[i, k] = v[k]
    out[i, 4] = w[i]
    out[i, 5] = v[9 * n]
    out[i, 6] = both[0][0] + w[0]


@pytest.mark.devices("CPU", "INTERP")
def test_lanes_by_number(device: Any) -> None:
    out = np.zeros((4, 7), np.int32)
    lanes_by_number.on(device)[1, 4](out, 2)
    for i, row in enumerate(out.tolist()):
        v = [10, 21, 30, 40]
        v[i] = 0
        v[2] += 5
        v[-1] -= 1
        assert row == [*v, (10, 20, 30, 40)[i], v[0], 17], "a number out of range reads lane 0"
