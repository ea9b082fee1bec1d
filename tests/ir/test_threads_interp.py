"""Thread kernels written by hand do what Python does item after item; what goes wrong names the block and the thread."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import ArgumentError, GraphError, LaunchError
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.ir.semantics import storage
from svod.ir.thread_machine import iterations
from svod.ir.threads_interp import ThreadsInterpreter
from svod.ir.uop import UOp
from svod.testing.threads import Threads

Array = NDArray[Any]
A, B = UOp.param(0, dtypes.i32, name="a"), UOp.param(1, dtypes.i32, name="b")
X, Y = UOp.param(0, dtypes.f32, name="x"), UOp.param(1, dtypes.f32, name="y")
N = UOp.variable("n", 0, 1 << 40)


def run(k: Threads, *buffers: Array, grid: tuple[int, ...] = (1,), **values: int | float) -> list[str]:
    """Executes what was written; what it printed."""
    lines: list[str] = []
    ThreadsInterpreter(k.kernel(), write=lines.append).run(buffers, values, grid)
    return lines


def ints(*shape: int) -> Array:
    """Zeros."""
    return np.zeros(shape, np.int32)


def as_i32(u: UOp) -> UOp:
    """An index as i32."""
    return u.cast(dtypes.i32)


# --- straight lines and branches ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("count", [0, 1, 255, 256, 1000, 200_000])
def test_saxpy_of_any_length(count: int) -> None:
    k, a = Threads("saxpy", (256, 1, 1)), UOp.scalar("alpha", dtypes.f32)
    i = k.let(k.item())
    with k.if_(i < N):
        k.store(Y, i, a * k.load(X, i) + k.load(Y, i))
    x, y = np.arange(count, dtype=np.float32), np.ones(count, np.float32)
    run(k, x, y, grid=((count + 255) // 256,), n=count, alpha=0.5)
    np.testing.assert_array_equal(y, x * np.float32(0.5) + 1)


def test_a_divergent_branch_does_both_sides() -> None:
    k = Threads(block=(8, 2, 1))
    i = k.let(k.thread() + k.thread(1) * 8)
    with k.if_((i % 3).eq(0)):
        k.store(A, i, 1)
    with k.else_():
        with k.if_(i < 8):
            k.store(A, i, 2)
        with k.else_():
            k.store(A, i, 3)
        k.store(B, i, k.load(A, i) * 10)
    a, b = ints(16), ints(16)
    run(k, a, b)
    assert a.tolist() == [1 if i % 3 == 0 else 2 if i < 8 else 3 for i in range(16)]
    assert b.tolist() == [0 if i % 3 == 0 else 20 if i < 8 else 30 for i in range(16)]


def test_ids_along_three_axes() -> None:
    k, shape = Threads(block=(2, 3, 2)), (2, 2, 3)
    sizes = [b * g for b, g in zip((2, 3, 2), shape, strict=True)]
    i, j, m = (k.item(axis) for axis in range(3))
    k.store(A, (m * sizes[1] + j) * sizes[0] + i, as_i32(i + 100 * j + 10000 * m))
    a = ints(sizes[2], sizes[1], sizes[0])
    run(k, a, grid=shape)
    z, y, x = np.indices(a.shape)
    np.testing.assert_array_equal(a, x + 100 * y + 10000 * z)


def test_an_empty_grid_does_nothing() -> None:
    k = Threads()
    k.store(A, 0, 1)
    for grid in ((0,), (1, 0, 1), (5, 5, 0)):
        a = ints(1)
        assert run(k, a, grid=grid) == []
        assert a[0] == 0


def test_a_kernel_that_reads_no_id_runs_for_every_item_of_the_grid() -> None:
    k = Threads(block=(4, 2, 1))
    k.atomic(AtomicKind.ADD, A, 0, 1)
    a = ints(1)
    run(k, a, grid=(3, 5, 2))
    assert a[0] == 8 * 30


def test_the_sizes_of_the_grid_are_variables() -> None:
    k = Threads(block=(1, 1, 1))
    k.store(A, 0, as_i32(k.block(1).src[0]))
    a = ints(1)
    ThreadsInterpreter(k.kernel()).run([a], {"_grid_x": 2, "_grid_y": 3})
    assert a[0] == 3
    with pytest.raises(LaunchError, match="_grid_x"):
        ThreadsInterpreter(k.kernel()).run([a], {}, (-1,))
    with pytest.raises(LaunchError, match="4 axes"):
        ThreadsInterpreter(k.kernel()).run([a], {}, (1, 1, 1, 1))


# --- loops -------------------------------------------------------------------------------------------------------------------------

def collatz(n: int) -> int:
    """Steps to 1."""
    steps = 0
    while n != 1:
        n, steps = (n // 2 if n % 2 == 0 else 3 * n + 1), steps + 1
    return steps


def test_a_while_runs_for_each_item_as_long_as_it_needs() -> None:
    k = Threads(block=(32, 1, 1))
    i = k.let(as_i32(k.item()))
    n, steps = k.variable(dtypes.i32, i + 1), k.variable(dtypes.i32, 0)
    with k.loop():
        value = k.get(n)
        with k.if_(value.eq(1)):
            k.leave(Op.BREAK)
        with k.if_((value % 2).eq(0)):
            k.set(n, value // 2)
        with k.else_():
            k.set(n, value * 3 + 1)
        k.set(steps, k.get(steps) + 1)
    k.store(A, i, k.get(steps))
    a = ints(64)
    run(k, a, grid=(2,))
    assert a.tolist() == [collatz(i + 1) for i in range(64)]


def test_continue_break_and_return_in_a_for() -> None:
    k = Threads(block=(16, 1, 1))
    i = k.let(k.thread())
    total = k.variable(dtypes.i32, 0)
    with k.for_(0, i) as j:
        with k.if_((j % 2).eq(1)):
            k.leave(Op.CONTINUE)
        with k.if_(j > 9):
            k.leave(Op.BREAK)
        with k.if_((i.eq(7)) & j.eq(4)):
            k.store(A, i, -1)
            k.leave(Op.RETURN)
        k.set(total, k.get(total) + as_i32(j))
    k.store(A, i, k.get(total))
    a = ints(16)
    run(k, a)
    assert a.tolist() == [-1 if i == 7 else sum(j for j in range(min(i, 10)) if j % 2 == 0) for i in range(16)]


def test_break_leaves_the_innermost_loop_only() -> None:
    k = Threads(block=(4, 1, 1))
    i, count = k.let(k.thread()), k.variable(dtypes.i32, 0)
    with k.for_(0, 5), k.loop():
        k.set(count, k.get(count) + 1)
        with k.if_((k.get(count) % (as_i32(i) + 2)).eq(0)):
            k.leave(Op.BREAK)
    k.store(A, i, k.get(count))
    a = ints(4)
    run(k, a)
    assert a.tolist() == [5 * (i + 2) for i in range(4)]


@pytest.mark.parametrize(("start", "stop", "step"), [(0, 10, 3), (10, 0, -3), (0, 0, 1), (5, 2, 1), (2, 5, -1), (-7, 8, 5), (3, 4, 100)])
def test_for_counts_as_range_does(start: int, stop: int, step: int) -> None:
    expected = list(range(start, stop, step))
    for spread in (False, True):
        k = Threads(block=(3, 1, 1))
        a, b, c = (UOp.scalar(name, dtypes.i64) for name in ("from_", "to", "by"))
        count, last = k.variable(dtypes.i32, 0), k.variable(dtypes.i32, 0)
        i = k.let(k.thread().cast(dtypes.i64))
        with k.for_(a + (i if spread else 0), b + (i if spread else 0), c, dtypes.i64) as j:
            k.set(count, k.get(count) + 1)
            k.set(last, (j - (i if spread else 0)).cast(dtypes.i32))
        k.store(A, k.thread(), k.get(count))
        k.store(B, k.thread(), k.get(last))
        x, y = ints(3), ints(3)
        run(k, x, y, from_=start, to=stop, by=step)
        assert x.tolist() == [len(expected)] * 3
        assert y.tolist() == [expected[-1] if expected else 0] * 3


def test_for_with_a_step_of_zero_at_run_time_does_nothing() -> None:
    k, by = Threads(), UOp.scalar("by", dtypes.i64)
    with k.for_(0, 9, by, dtypes.i64):
        k.store(A, 0, 1)
    run(k, a := ints(1), by=0)
    assert a[0] == 0


@pytest.mark.parametrize("dtype", [dtypes.i8, dtypes.u8, dtypes.i64, dtypes.u64], ids=str)
def test_iterations_are_exact_to_the_limits(dtype: DType) -> None:
    low, high, kind = int(dtype.min), int(dtype.max), storage(dtype).type
    for a, b in ((low, high), (high, low), (high - 1, high), (low, low + 5), (0, high)):
        for step in {1, 2, 7, high} | ({-1, -2, low} if low else set[int]()):
            forth, distance = (b > a) == (step > 0), abs(b - a)  # len() of a range stops at 63 bits
            expected = (distance - 1) // abs(step) + 1 if forth else 0
            assert int(iterations(kind(a), kind(b), kind(step))) == expected


def test_a_value_is_what_its_let_computed_last() -> None:
    k = Threads(block=(2, 1, 1))
    cell = k.variable(dtypes.i32, 5)
    before = k.get(cell)
    k.set(cell, 7)
    after = k.get(cell)
    k.store(A, k.thread(), before * 10 + after)
    run(k, a := ints(2))
    assert a.tolist() == [57, 57]


def test_a_local_array_belongs_to_one_item() -> None:
    k = Threads(block=(4, 1, 1))
    own = k.memory(dtypes.i32, 8)
    i = k.let(k.thread())
    with k.for_(0, 8) as j:
        k.store(own, j, as_i32(i * 100 + j))
    k.store(A, i, k.load(own, i * 2))
    run(k, a := ints(4))
    assert a.tolist() == [0, 102, 204, 306]


def test_memory_of_a_kernel_starts_undefined() -> None:
    k = Threads(block=(2, 1, 1))
    k.store(X, k.thread(), k.get(k.memory(dtypes.f32, 1)))
    k.store(Y, k.thread(), k.load(k.memory(dtypes.f32, 4, AddrSpace.LOCAL), 3))
    x, y = np.zeros(2, np.float32), np.zeros(2, np.float32)
    run(k, x, y)
    assert np.isnan(x).all()
    assert np.isnan(y).all()


def test_a_gated_access_touches_only_where_its_gate_holds() -> None:
    k = Threads(block=(4, 1, 1))
    i = k.let(k.thread())
    near = i < 2
    k.store(B, i, k.load(A, i, near), UOp.const(True, dtypes.bool))
    k.store(A, i + 100, 5, i < 0)
    a, b = np.array([7, 8], np.int32), ints(4) - 1
    run(k, a, b)
    assert b.tolist() == [7, 8, 0, 0]


# --- groups ------------------------------------------------------------------------------------------------------------------------

def test_transpose_through_shared_memory() -> None:
    k, side = Threads(block=(8, 8, 1)), 24
    tile = k.memory(dtypes.f32, 64, AddrSpace.LOCAL, "tile")
    tx, ty, bx, by = k.thread(), k.thread(1), k.block(), k.block(1)
    k.store(tile, ty * 8 + tx, k.load(X, (by * 8 + ty) * side + bx * 8 + tx))
    k.barrier()
    k.store(Y, (bx * 8 + ty) * side + by * 8 + tx, k.load(tile, tx * 8 + ty))
    x, y = np.arange(side * side, dtype=np.float32).reshape(side, side), np.zeros((side, side), np.float32)
    run(k, x, y, grid=(3, 3))
    np.testing.assert_array_equal(y, x.T)


@pytest.mark.parametrize("groups", [1, 5, 700])
def test_tree_reduction_with_barriers_in_a_loop(groups: int) -> None:
    k = Threads(block=(128, 1, 1))
    part = k.memory(dtypes.i32, 128, AddrSpace.LOCAL, "part")
    t = k.let(k.thread())
    k.store(part, t, k.load(A, k.item()))
    k.barrier()
    width = k.variable(dtypes.i64, 64)
    with k.loop():
        w = k.get(width)
        with k.if_(w.eq(0)):
            k.leave(Op.BREAK)
        with k.if_(t.cast(dtypes.i64) < w):
            k.store(part, t, k.load(part, t) + k.load(part, t.cast(dtypes.i64) + w))
        k.barrier()
        k.set(width, w >> 1)
    with k.if_(t.eq(0)):
        k.store(B, k.block(), k.load(part, 0))
    a, b = np.arange(128 * groups, dtype=np.int32), ints(groups)
    run(k, a, b, grid=(groups,))
    np.testing.assert_array_equal(b, a.reshape(groups, 128).sum(axis=1))


def test_items_that_returned_are_not_waited_for() -> None:
    k = Threads(block=(8, 1, 1))
    shared = k.memory(dtypes.i32, 8, AddrSpace.LOCAL)
    t = k.let(k.thread())
    with k.if_(t >= 6):
        k.leave(Op.RETURN)
    k.store(shared, t, as_i32(t) * 10)
    k.barrier()
    k.store(A, t, k.load(shared, 5 - t))
    run(k, a := ints(8))
    assert a.tolist() == [50, 40, 30, 20, 10, 0, 0, 0]


def test_groups_may_take_different_ways_to_barriers() -> None:
    k = Threads(block=(4, 1, 1))
    with k.if_((k.block() % 2).eq(0)):
        k.barrier()
        k.store(A, k.item(), 1)
    with k.else_():
        with k.for_(0, k.block()):
            k.barrier()
        k.store(A, k.item(), 2)
    run(k, a := ints(16), grid=(4,))
    assert a.tolist() == [1] * 4 + [2] * 4 + [1] * 4 + [2] * 4


def test_a_divergent_barrier_names_who_is_elsewhere() -> None:
    k = Threads("split", block=(4, 2, 1))
    with k.if_((k.block() < 2) | (k.thread(1).eq(0))):
        k.barrier()
    with pytest.raises(LaunchError, match=r"divergent barrier(.|\n)*kernel 'split', block \(2, 0, 0\), thread \(0, 1, 0\)") as e:
        run(k, grid=(3,))
    assert "at the barrier: threads (0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0); elsewhere: threads (0, 1, 0), (1, 1, 0)" in str(e.value)
    k = Threads(block=(4, 1, 1))
    with k.for_(0, k.thread()):
        k.barrier()
    with pytest.raises(LaunchError, match=r"divergent barrier(.|\n)*thread \(0, 0, 0\)"):
        run(k)


def reversed_row(barrier: bool, *, write_twice: bool = False) -> Threads:
    """Each item writes its element of the group's memory and reads another's."""
    k = Threads("racy", block=(4, 1, 1))
    row, t = k.memory(dtypes.i32, 4, AddrSpace.LOCAL, "row"), k.let(k.thread())
    with k.for_(0, 2):
        k.store(row, t // 2 if write_twice else t, as_i32(t))
        if barrier:
            k.barrier()
        k.store(A, k.item(), k.load(row, 3 - t) + k.load(row, 0))
        if barrier:
            k.barrier()
    return k


def races(k: Threads) -> None:
    """Runs two groups with an eye on races."""
    ThreadsInterpreter(k.kernel(), race=True).run([ints(8)], {}, (2,))


def test_races_are_found_where_they_are_looked_for() -> None:
    races(reversed_row(barrier=True))
    run(reversed_row(barrier=False), ints(8), grid=(2,))
    with pytest.raises(LaunchError) as e:
        races(reversed_row(barrier=False))
    assert str(e.value).startswith("race: LOAD of element 3 of shared memory 'row', which block (0, 0, 0), thread (3, 0, 0) accessed since")
    assert "kernel 'racy', block (0, 0, 0), thread (0, 0, 0)" in str(e.value)
    with pytest.raises(LaunchError, match=r"race: STORE of element 0 (.|\n)*which block \(0, 0, 0\), thread \(1, 0, 0\)"):
        races(reversed_row(barrier=True, write_twice=True))


def test_a_write_of_what_others_read_is_a_race() -> None:
    k = Threads(block=(4, 1, 1))
    row = k.memory(dtypes.i32, 4, AddrSpace.LOCAL, "row")
    k.store(A, k.thread(), k.load(row, 0))
    with k.if_(k.thread().eq(2)):
        k.store(row, 0, 1)
    with pytest.raises(LaunchError, match=r"race: STORE of element 0 .* which several work items accessed"):
        races(k)


# --- atomics -----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("wanted", [False, True])
def test_histogram(wanted: bool) -> None:
    k = Threads(block=(64, 1, 1))
    i = k.let(k.item())
    old = k.atomic(AtomicKind.ADD, B, k.load(A, i), 1)
    if wanted:
        k.store(UOp.param(2, dtypes.i32, name="c"), i, old)
    a, b, c = np.random.default_rng(0).integers(0, 7, 640).astype(np.int32), ints(7), ints(640)
    run(k, a, b, *([c] if wanted else []), grid=(10,))
    np.testing.assert_array_equal(b, np.bincount(a, minlength=7))
    if wanted:
        np.testing.assert_array_equal(c, [np.count_nonzero(a[:i] == v) for i, v in enumerate(a)])


@pytest.mark.parametrize("dtype", [dtypes.i32, dtypes.u8, dtypes.f32, dtypes.f64, dtypes.f16], ids=str)
@pytest.mark.parametrize("kind", list(AtomicKind), ids=lambda a: a.value)
def test_atomics_act_in_the_order_of_items(kind: AtomicKind, dtype: DType) -> None:
    if dtype.is_float and kind in (AtomicKind.AND, AtomicKind.OR, AtomicKind.XOR):
        pytest.skip("bits have no meaning for floats")
    memory, given, out = (UOp.param(s, dtype, name=n) for s, n in enumerate(("memory", "given", "out")))
    k = Threads(block=(32, 1, 1))
    i = k.let(k.item())
    values = [k.load(given, i)] * (1 if kind is not AtomicKind.COMPARE_EXCHANGE else 2)
    if kind is AtomicKind.COMPARE_EXCHANGE:
        values[1] = k.load(given, (i + 1) % 64)
    k.store(out, i, k.atomic(kind, memory, i % 5, *values))
    kind_of = storage(dtype)
    x, m = np.random.default_rng(1).integers(0, 4, 64).astype(kind_of), np.arange(5).astype(kind_of)
    expected, olds = m.copy(), np.zeros(64, kind_of)
    plain: dict[AtomicKind, Any] = {
        AtomicKind.ADD: np.add, AtomicKind.MIN: np.minimum, AtomicKind.MAX: np.maximum, AtomicKind.AND: np.bitwise_and,
        AtomicKind.OR: np.bitwise_or, AtomicKind.XOR: np.bitwise_xor, AtomicKind.EXCHANGE: lambda _, new: new}
    for j in range(64):
        olds[j] = old = expected[j % 5]
        if kind is AtomicKind.COMPARE_EXCHANGE:
            expected[j % 5] = x[j] if old == x[(j + 1) % 64] else old
        else:
            expected[j % 5] = plain[kind](old, x[j])
    run(k, m, x, out_ := np.zeros(64, kind_of), grid=(2,))
    np.testing.assert_array_equal(m, expected)
    np.testing.assert_array_equal(out_, olds)


def test_compare_exchange_compares_bits() -> None:
    k = Threads(block=(1, 1, 1))
    k.atomic(AtomicKind.COMPARE_EXCHANGE, X, 0, 1.0, 0.0)
    k.atomic(AtomicKind.COMPARE_EXCHANGE, X, 1, 2.0, float("nan"))
    x = np.array([-0.0, float("nan")], np.float32)
    run(k, x)
    assert np.signbit(x[0])
    assert x[0] == 0
    assert x[1] == 2


def test_atomics_on_shared_memory_and_of_one_group_each() -> None:
    k = Threads(block=(16, 1, 1))
    count = k.memory(dtypes.i32, 1, AddrSpace.LOCAL)
    with k.if_(k.thread().eq(0)):
        k.store(count, 0, 0)
    k.barrier()
    with k.if_(k.thread() < k.block() + 3):
        k.atomic(AtomicKind.ADD, count, 0, 2)
    k.barrier()
    with k.if_(k.thread().eq(0)):
        k.store(A, k.block(), k.load(count, 0))
    run(k, a := ints(4), grid=(4,))
    assert a.tolist() == [6, 8, 10, 12]


# --- errors, messages --------------------------------------------------------------------------------------------------------------

def test_an_access_out_of_bounds_says_who() -> None:
    k = Threads("reads", block=(4, 1, 1))
    with k.if_(k.item() >= 2):
        k.store(B, k.item(), k.load(A, k.item() * 2))
    with pytest.raises(ArgumentError) as e:
        run(k, ints(13), b := ints(100), grid=(3, 1))
    assert str(e.value).split("\n")[:2] == [
        "LOAD at index 14 of buffer 'a', which has 13 elements", "  at: kernel 'reads', block (1, 0, 0), thread (3, 0, 0)"]
    assert not b.any()


@pytest.mark.parametrize("space", [AddrSpace.LOCAL, AddrSpace.REG])
def test_an_access_outside_a_memory_of_the_kernel(space: AddrSpace) -> None:
    k = Threads(block=(4, 1, 1))
    memory = k.memory(dtypes.i32, 4, space, "mine")
    k.store(memory, k.thread() - 1, 1)
    with pytest.raises(ArgumentError, match=r"STORE at index -1 of (shared|local) memory 'mine', which has 4 el(.|\n)*thread \(0, 0, 0\)"):
        run(k)
    k = Threads(block=(4, 1, 1))
    k.atomic(AtomicKind.ADD, A, 1, 1)
    with pytest.raises(ArgumentError, match=r"ATOMIC at index 1 of buffer 'a', which has 1 elements(.|\n)*thread \(0, 0, 0\)"):
        run(k, ints(1))


def test_items_that_are_not_active_may_have_any_index() -> None:
    k = Threads(block=(4, 1, 1))
    with k.if_(k.thread() < 2):
        k.store(A, k.thread(), k.load(B, k.thread()))
    run(k, a := ints(2), np.array([5, 6], np.int32))
    assert a.tolist() == [5, 6]


def test_wrong_arguments_are_refused() -> None:
    k = Threads()
    k.store(A, k.thread(), as_i32(N))
    kernel = ThreadsInterpreter(k.kernel())
    with pytest.raises(LaunchError, match="variable 'n' has no value"):
        kernel.run([ints(8)])
    with pytest.raises(LaunchError, match="no variable is called 'm'"):
        kernel.run([ints(8)], {"n": 1, "m": 2})
    with pytest.raises(ArgumentError, match=r"buffer 'a' \(slot 0\) is float32"):
        kernel.run([np.zeros(8, np.float32)], {"n": 1})
    frozen = ints(8)
    frozen.flags.writeable = False
    with pytest.raises(ArgumentError, match="read-only"):
        kernel.run([frozen], {"n": 1})


def test_print_says_what_each_active_item_has() -> None:
    k = Threads(block=(3, 1, 1))
    with k.if_(k.thread() > 0):
        k.print("item {} of {}: {} {}", k.thread(), N, k.thread() > 1, k.thread().cast(dtypes.f32) * 0.1)
    k.print("end")
    assert run(k, n=3) == ["item 1 of 3: False 0.1", "item 2 of 3: True 0.2", "end", "end", "end"]


def test_print_goes_to_standard_output_also_before_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(1, 1, 1))
    k.print("before")
    k.store(A, 9, 1)
    with pytest.raises(ArgumentError):
        ThreadsInterpreter(k.kernel()).run([ints(1)])
    assert capsys.readouterr().out == "before\n"


def test_a_failed_assertion_says_where_and_what() -> None:
    k = Threads("guarded", block=(4, 1, 1))
    k.check(k.item() < 6, "item {} is beyond {}", k.item(), UOp.const(6, dtypes.index), place="kernel.py:12")
    with pytest.raises(LaunchError) as e:
        run(k, grid=(2,))
    assert str(e.value) == "assertion failed: item 6 is beyond 6\n  at: kernel.py:12, kernel 'guarded', block (1, 0, 0), thread (2, 0, 0)"
    run(k, grid=(1,))
    k = Threads()
    k.check(N.eq(1))
    run(k, n=1)
    with pytest.raises(LaunchError, match=r"^assertion failed\n"):
        run(k, n=2)


def test_a_kernel_that_breaks_the_spec_is_refused() -> None:
    k = Threads()
    k.leave(Op.BREAK)
    with pytest.raises(GraphError, match="BREAK outside a loop"):
        ThreadsInterpreter(k.kernel())
