"""What thread kernels need of their buffers is found where it can be, and a launch with less is refused before anything is written."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.codegen.simt import threads_elements
from svod.dtype import dtypes
from svod.errors import ArgumentError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.testing.threads import Threads

Floats = sl.Array[sl.f32]


def add(a: Floats, b: Floats, n: sl.i32) -> None:
    i = sl.global_id()
    if i < n:
        b[i] = a[i]


def returns_early(a: Floats, b: Floats, n: sl.i32) -> None:
    i = sl.global_id()
    if i >= n:
        return
    b[i] = a[i]


def shifted(a: Floats, b: Floats, n: sl.i32) -> None:
    i = sl.global_id()
    if 0 < i < n - 1:
        b[i] = a[i - 1] + a[i + 1]


def unguarded(a: Floats, b: Floats, n: sl.i32) -> None:
    b[sl.global_id()] = a[sl.global_id() + 1]


def by_block(a: Floats, b: Floats, n: sl.i32) -> None:
    total = sl.f32(0)
    for k in range(10):
        total += a[sl.global_id() * 10 + k]
    b[sl.block_idx.x] = total


CASES: list[tuple[Callable[..., None], int, int]] = [
    (add, 100, 100), (returns_early, 100, 100), (shifted, 100, 99), (unguarded, 129, 128), (by_block, 1280, 2)]
"""Kernels, and what they need of a and b with n = 100 in two blocks of 64."""


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize(("body", "a", "b"), CASES, ids=lambda v: getattr(v, "__name__", ""))
def test_a_launch_needs_what_its_work_items_touch(body: Callable[..., None], a: int, b: int, device: Any) -> None:
    kernel = sl.kernel(body).on(device)
    kernel[2, 64](np.ones(a, np.float32), np.zeros(b, np.float32), 100)
    for less_a, less_b, what in ((1, 0, "'a'"), (0, 1, "'b'")):
        out = np.zeros(b - less_b, np.float32)
        need = (a, b)[less_b]
        with pytest.raises(ArgumentError, match=f"needs at least {need} elements, got ndarray of {need - 1} x f32") as e:
            kernel[2, 64](np.ones(a - less_a, np.float32), out, 100)
        assert what in str(e.value)
        assert not out.any()


@pytest.mark.devices("CPU", "INTERP")
def test_a_number_of_work_items_is_a_guard_too(device: Any) -> None:
    def double(a: Floats) -> None:
        a[sl.global_id()] = a[sl.global_id()] * 2

    kernel, a = sl.kernel(double).on(device), np.ones(100, np.float32)
    kernel.launch(a, threads=100)
    assert (a == 2).all()
    with pytest.raises(ArgumentError, match="needs at least 101 elements"):
        kernel.launch(a, threads=101)
    assert (a == 2).all()


@pytest.mark.devices("CPU", "INTERP")
def test_an_index_below_0_is_refused(device: Any) -> None:
    def before(a: Floats, b: Floats) -> None:
        b[sl.global_id()] = a[sl.global_id() - 1]

    with pytest.raises(ArgumentError, match="the kernel reaches below element 0 of buffer 'a'"):
        sl.kernel(before).on(device)[1, 64](np.ones(64, np.float32), np.ones(64, np.float32))


@pytest.mark.devices("CPU", "INTERP")
def test_what_may_not_happen_is_not_asked_for(device: Any) -> None:
    """Behind a condition on data or on a float, in a loop of no iteration, after some have left, without groups, behind a gate."""
    def careful(a: Floats, b: Floats, n: sl.i32, scale: sl.f32) -> None:
        i = sl.global_id()
        if scale > 1:
            b[i + 1000] = 1
        if a[i] > 1:
            b[i + 1000] = 2
        for k in range(n):
            b[k + 1000] = 3
        for _ in range(5):
            if a[i] < 5:
                break
            b[i + 1000] = 4
        b[i + 1000 if a[i] > 5 else i] = 5
        if n > 0:
            b[1000] = 6

    b = np.zeros(8, np.float32)
    sl.kernel(careful).on(device)[1, 8](np.ones(8, np.float32), b, 0, 0.5)
    assert (b == 5).all()
    sl.kernel(unguarded).on(device)[0, 64](np.ones(1, np.float32), np.ones(1, np.float32), 0)
    with pytest.raises(ArgumentError, match="needs at least 1002 elements"):
        sl.kernel(careful).on(device)[1, 8](np.ones(8, np.float32), b, 2, 0.5)


def test_gates_and_indices_from_memory_are_passed_over() -> None:
    k = Threads("gated", (64, 1, 1))
    a, b = (UOp.param(i, dtypes.i32, name=n) for i, n in enumerate("ab"))
    found = k.load(a, k.item(), k.item() < 10)
    k.store(b, found.cast(dtypes.index), 1)
    with k.loop():
        k.store(b, 1000, 1)
        k.leave(Op.BREAK)
    assert not threads_elements(k.kernel())
    k.store(a, 7, 1)
    assert set(threads_elements(k.kernel())) == {0}
