"""R14: how many work items a kernel is for, found in its guards. Each kernel is also run: no work item beyond the number does anything."""
from __future__ import annotations

import inspect
import types
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.compat.atlas.atlas_kernel import DeviceArray, atomic_add, get_global_id, i32, i64, u32
from svod.errors import LaunchError
from svod.lang.schema import compile_to_json, item_kernel, load, work_items

Out = DeviceArray[i32]
LIMIT = 6


def store_one(a: Any, i: Any) -> None:
    """A function with an effect."""
    a[i] = 1


def harmless(v: Any) -> Any:
    """One without."""
    return v + 1


def plain(out: Out, n: u32):
    i = get_global_id()
    if i < n:
        out[i] = 1


def mirrored(out: Out, count: i64):
    thread = get_global_id()
    if count > thread:
        out[thread] = 1


def at_most(out: Out, last: i32):
    i = get_global_id()
    if i <= last:
        out[i] = 1


def inverted(out: Out, n: u32):
    i = get_global_id()
    if i >= n:
        return
    out[i] = 1


def negated(out: Out, n: u32):
    i = get_global_id()
    if not (i < n):
        return
    out[i] = 1


def other_side(out: Out, n: u32):
    i = get_global_id()
    if i >= n:
        pass
    else:
        out[i] = 1


def leaving_else(out: Out, n: u32):
    i = get_global_id()
    if i < n:
        pass
    else:
        return
    out[i] = 1


def inverted_with_more(out: Out, n: u32, go: i32):
    i = get_global_id()
    if i >= n or go == 0:
        return
    out[i] = 1


def product(out: Out, m: u32, n: u32):
    i = get_global_id()
    total = m * n
    if i < total:
        out[i] = 1


def rows(out: Out, m: u32, n: u32):
    i = get_global_id()
    row, col = i // n, i % n
    if row < m:
        out[row * n + col] = 1


def fours(out: Out, n: u32):
    i = get_global_id()
    base = i * 4
    if base < n:
        out[i] = 1


def interior(out: Out, n: u32):
    i = get_global_id() + 1
    if i < n - 1:
        out[i - 1] = 1


def two_ends(out: Out, n: u32):
    i = get_global_id()
    if 0 <= i < n and out[i] == 0:
        out[i] = 1


def nested(out: Out, n: u32, go: i32):
    i = get_global_id()
    scale = harmless(go)
    if scale > 0:
        for _ in range(1):
            if i < n:
                out[i] = 1


def two_effects(out: Out, n: u32, m: u32):
    i = get_global_id()
    if i < n:
        out[i] = 1
    if i < m:
        out[i] = 1


def both(out: Out, n: u32, m: u32):
    i = get_global_id()
    if i < n:  # noqa: SIM102
        if i < m:
            out[i] = 1


def one_item(out: Out):
    if get_global_id() == 0:
        out[0] = 1


def no_id(out: Out, n: u32):
    for i in range(n):
        if i == 0:
            out[0] = 1


def of_a_constant(out: Out):
    i = get_global_id()
    if i < LIMIT:
        out[i] = 1


def of_the_language(out: Out, n: u32):
    i = sl.global_id(0)
    if i < n:
        out[i] = 1


def converted(out: Out, n: u32):
    i = i32(get_global_id())
    if i < i32(n):
        out[i] = 1


def named(out: Out, n: u32):
    i = get_global_id()
    inside = i < n
    if inside:
        out[i] = 1


def through_a_function(out: Out, n: u32):
    i = get_global_id()
    if i < n:
        store_one(out, i)


def skipping(out: Out, n: u32):
    i = get_global_id()
    for _ in range(1):
        if i >= n:
            continue
        out[i] = 1


FOUND: list[tuple[Any, dict[str, int], int]] = [
    (plain, {"n": 5}, 5), (plain, {"n": 0}, 0), (mirrored, {"count": 7}, 7), (mirrored, {"count": -3}, 0), (at_most, {"last": 4}, 5),
    (inverted, {"n": 5}, 5), (negated, {"n": 5}, 5), (other_side, {"n": 5}, 5), (leaving_else, {"n": 5}, 5),
    (inverted_with_more, {"n": 5, "go": 1}, 5), (product, {"m": 3, "n": 4}, 12), (rows, {"m": 3, "n": 4}, 12),
    (fours, {"n": 17}, 5), (interior, {"n": 9}, 7), (two_ends, {"n": 5}, 5), (nested, {"n": 5, "go": 1}, 5),
    (two_effects, {"n": 5, "m": 8}, 8), (both, {"n": 5, "m": 8}, 5), (one_item, {}, 1), (no_id, {"n": 9}, 1), (of_a_constant, {}, 6),
    (of_the_language, {"n": 5}, 5), (converted, {"n": 5}, 5), (named, {"n": 5}, 5), (through_a_function, {"n": 5}, 5),
    (skipping, {"n": 5}, 5),
]
"""Kernels whose number is found: the kernel, its scalars, the number."""


@pytest.mark.devices("CPU")
@pytest.mark.parametrize(("function", "scalars", "number"), FOUND, ids=lambda v: getattr(v, "__name__", ""))
def test_r14_the_number_is_found_and_right(function: Any, scalars: dict[str, int], number: int, device: str) -> None:
    for kernel in (item_kernel(function), load(compile_to_json(function))):
        exact, more = np.zeros(64, np.int32), np.zeros(64, np.int32)
        assert kernel.count(exact, **scalars) == number
        kernel.on(device)(exact, **scalars)
        kernel.on(device)(more, **scalars, threads=48)
        assert exact.tolist() == more.tolist() == [1] * number + [0] * (64 - number)


def test_r14_64_bit_bounds() -> None:
    def wide(out: Out, n: i64):
        i = get_global_id()
        if i < n:
            out[0] = 1

    assert item_kernel(wide).count(np.zeros(1, np.int32), 2**40) == 2**40
    assert item_kernel(wide).count(np.zeros(1, np.int32), np.int64(2**40)) == 2**40


def _unknown() -> list[Any]:  # noqa: C901
    def unguarded(out: Out, n: u32):
        out[get_global_id()] = 1

    def guarded_by_an_element(out: Out, n: u32):
        i = get_global_id()
        if i < out[0]:
            out[i] = 1

    def one_of_two(out: Out, n: u32):
        i = get_global_id()
        if i < n:
            out[i] = 1
        atomic_add(out, 0, 1)

    def one_or_the_other(out: Out, n: u32):
        i = get_global_id()
        if i < n or n == 3:
            out[i] = 1

    def lower(out: Out, n: u32):
        i = get_global_id()
        if i > n:
            out[i] = 1

    def changing(out: Out, n: u32):
        i = get_global_id()
        if i < n:
            i = i + 1
            out[i] = 1

    def changing_bound(out: Out, n: u32):
        i = get_global_id()
        n = n + 1
        if i < n:
            out[i] = 1

    def in_a_function(out: Out, n: u32):
        store_one(out, get_global_id())

    def other_axis(out: Out, n: u32):
        if sl.global_id(1) < n:
            out[0] = 1

    def never(out: Out, n: u32):
        i = get_global_id()  # noqa: F841

    return [v for v in locals().values() if isinstance(v, types.FunctionType)]


@pytest.mark.parametrize("function", _unknown(), ids=lambda f: f.__name__)
def test_r14_what_does_not_bound_the_id_is_not_taken_for_a_guard(function: Any) -> None:
    assert work_items(function) is None
    with pytest.raises(LaunchError, match="threads=n"):
        item_kernel(function).count(np.zeros(1, np.int32), 1)


def test_a_number_that_cannot_be_computed_is_an_error() -> None:
    def divided(out: Out, n: u32, m: u32):
        i = get_global_id()
        if i < n // m:
            out[i] = 1

    kernel = item_kernel(divided)
    assert kernel.count(np.zeros(1, np.int32), 9, 2) == 4
    with pytest.raises(LaunchError, match=r"cannot be computed: .*zero"):
        kernel.count(np.zeros(1, np.int32), 9, 0)
    with pytest.raises(LaunchError, match=r"cannot be computed: 1.5 is no integer"):
        kernel.count(np.zeros(1, np.int32), 1.5, 1)


def test_missing_arguments_are_named() -> None:
    kernel = item_kernel(FOUND[0][0])
    assert list(inspect.signature(kernel.kernel.function).parameters) == ["out", "n"]
    with pytest.raises(LaunchError, match="missing a required argument: 'n'"):
        kernel(np.zeros(1, np.int32))
