"""What thread kernels need of their buffers is found where it can be, and a launch with less is refused before anything is written."""
from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.codegen.simt import threads_elements
from svod.device.evaluation import compile_exprs
from svod.dtype import dtypes
from svod.errors import ArgumentError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang.kernels import Kernel
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


Matrix = sl.Array[sl.f32, 2]


def both(a: Matrix, n: sl.i32, m: sl.i32) -> None:
    i, j = sl.global_id(1), sl.global_id(0)
    if i < n and j < m:
        a[i, j] = 1.0


def either_returns(a: Floats, n: sl.i32, m: sl.i32) -> None:
    i, j = sl.global_id(1), sl.global_id(0)
    if i >= n or j >= m:
        return
    a[i * m + j] = 1.0


def returns_twice(a: Floats, n: sl.i32, m: sl.i32) -> None:
    i, j = sl.global_id(1), sl.global_id(0)
    if i >= n:
        return
    if j >= m:
        return
    a[i * m + j] = 1.0


def negated(a: Floats, n: sl.i32, m: sl.i32) -> None:
    i = sl.i32(sl.global_id())
    if not (i >= min(n, 2 * m)):
        a[i] = 1.0


def neither(a: Floats, n: sl.i32, m: sl.i32) -> None:
    i = sl.global_id()
    if not (i >= n or 2 * i + 1 >= m):
        a[3 * i] = 1.0


def grid_stride(a: Floats, n: sl.i32, m: sl.i32) -> None:
    i = sl.global_id()
    while i < n:
        a[i + m] = 1.0
        i += sl.block_dim.x * sl.grid_dim.x


def strided_range(a: Floats, n: sl.i32, m: sl.i32) -> None:
    for i in range(sl.global_id() + m, n, sl.block_dim.x * sl.grid_dim.x):
        a[i] = 1.0


def block_stride(a: Matrix, n: sl.i32, m: sl.i32) -> None:
    for k in range(sl.thread_idx.x, m, sl.block_dim.x):
        a[sl.block_idx.x, k] = 1.0


def by_two_and_down(a: Floats, n: sl.i32, m: sl.i32) -> None:
    for i in range(n - 1, m, -3):
        a[i] = 1.0
    for i in range(m, n, 2):
        a[i] = 1.0


def vectors_of_four(a: Floats, n: sl.i32, m: sl.i32) -> None:
    i = sl.global_id() * 4
    if i + 3 < n:
        for k in sl.static_range(4):
            a[i + k] = 1.0


def first_of_each_block(a: Floats, n: sl.i32, m: sl.i32) -> None:
    if sl.thread_idx.x == 0:
        a[sl.block_idx.x + n] = 1.0
    if sl.global_id() == m:
        a[sl.global_id()] = 1.0


def skips(a: Floats, n: sl.i32, m: sl.i32) -> None:
    for k in range(n):
        if k >= m:
            continue
        a[k] = 1.0


def rows_of_tiles(a: Matrix, n: sl.i32, m: sl.i32) -> None:
    row, column = sl.block_idx.y * sl.block_dim.y + sl.thread_idx.y, sl.global_id(0)
    if row < n and column < m:
        a[row, column] = 1.0


def wraps(a: Floats, n: sl.i32, m: sl.i32) -> None:
    i = sl.global_id()
    if i < n * m * (1 << 26):
        a[i] = 1.0
    if sl.i8(i) < n:
        a[sl.i32(sl.i8(i)) + 128] = 1.0


UNDERSTOOD = (both, either_returns, returns_twice, negated, neither, grid_stride, strided_range, block_stride, by_two_and_down,
              vectors_of_four, first_of_each_block, skips, rows_of_tiles)
"""What these need is found exactly."""


def one_strided_id_beside_itself(a: Floats, n: sl.i32, m: sl.i32) -> None:
    for k in range(sl.thread_idx.x, n, sl.block_dim.x):
        a[k * 8 + sl.thread_idx.x] = 1.0
        for j in range(sl.thread_idx.x):
            a[k * 8 + 2 * j] = 1.0


def inside_a_triangle(a: Floats, n: sl.i32, m: sl.i32) -> None:
    for i in range(n):
        for _ in range(i):
            a[m + 100] = 1.0


def few_stride(a: Floats, n: sl.i32, m: sl.i32) -> None:
    if sl.thread_idx.x < 3:
        for k in range(sl.thread_idx.x, n, sl.block_dim.x):
            a[k] = 1.0


def two_in_a_guard(a: Floats, n: sl.i32, m: sl.i32) -> None:
    i, j = sl.global_id(1), sl.global_id(0)
    if i * 3 + j < n or i < m:
        a[i * 50 + j] = 1.0


ALL = (*UNDERSTOOD, wraps, one_strided_id_beside_itself, inside_a_triangle, few_stride, two_in_a_guard)


@pytest.mark.devices("INTERP")
@pytest.mark.parametrize("body", ALL, ids=lambda f: f.__name__)
def test_no_more_is_asked_for_than_is_touched(body: Callable[..., None], device: Any) -> None:
    """With n, m and the grid small, large, 0, negative: what is asked for is what one sees the kernel touch, where it is understood."""
    kernel = sl.kernel(body).on(device)
    matrix = next(p for p in kernel.signature.parameters if p.name == "a").rank == 2
    block = (4, 2)
    for n, m, grid in itertools.product((-3, 0, 1, 5, 40), (-1, 0, 2, 7, 33), ((1, 1), (2, 3), (3, 1))):
        a = np.zeros((64, 64) if matrix else 4096, np.float32)
        try:
            kernel[grid, block](a, n, m)
        except ArgumentError as e:
            assert e.what.startswith("index -") or "below element 0" in e.what  # noqa: PT017
            continue
        touched = int(np.max(np.flatnonzero(a) + 1, initial=0))
        form = kernel.last
        need = form.program.compiled.reach[0]
        values = form.arguments((*grid, 1), (a, n, m), (0, 0, 0))[1]
        asked = compile_exprs([need], form.program.compiled.vars, "k")(values)[0]
        assert asked <= touched, (n, m, grid)
        assert body not in UNDERSTOOD or asked == touched, (n, m, grid)


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


def reached(k: Kernel, size: int, block: int, *scalars: int) -> bool:
    """Whether the CPU lets the kernel have an array of `size` elements."""
    try:
        k[1, block](np.zeros(64, np.float32)[:size], *scalars)
    except ArgumentError:
        return False
    return True


def test_bounds_that_wrap_are_what_they_then_are() -> None:
    """n - 1 of an unsigned 0 is the greatest number, n + n of a great one may be negative: as in the kernel."""
    assert not reached(below_less_one, 4, 8, 0)
    assert reached(below_less_one, 8, 8, 0)
    assert reached(below_less_one, 4, 8, 5)
    assert not reached(below_twice, 4, 8, -1_500_000_000)
    assert reached(below_twice, 0, 8, 1_500_000_000)
    assert not reached(offset, 4, 4, 0)
    assert reached(offset, 4, 4, 8)


def test_a_stride_of_the_launch_goes_either_way() -> None:
    assert not reached(strided_by, 35, 8, 5)
    assert reached(strided_by, 36, 8, 5)
    assert reached(strided_by, 1, 8, 0)
    assert not reached(strided_by, 60, 8, -1)


@sl.kernel
def below_less_one(x: sl.Array[sl.f32], n: sl.u32) -> None:
    """A guard that wraps."""
    i = sl.global_id()
    if i < n - 1:
        x[i] = 1.0


@sl.kernel
def below_twice(x: sl.Array[sl.f32], n: sl.i32) -> None:
    """Another."""
    i = sl.global_id()
    if i < n + n:
        x[i] = 1.0


@sl.kernel
def offset(x: sl.Array[sl.f32], n: sl.u32) -> None:
    """An index that wraps."""
    x[sl.global_id() + (n - 8)] = 1.0


@sl.kernel
def strided_by(x: sl.Array[sl.f32], n: sl.i32) -> None:
    """A stride whose sign the launch gives."""
    x[sl.global_id() * n] = 1.0
