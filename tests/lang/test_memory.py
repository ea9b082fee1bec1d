"""Memory, atomics, exchanges and whole-block functions of kernels, on every device that runs them."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import KernelError, LaunchError
from svod.lang.trace import ArrayType, Constant, trace

F32 = sl.f32.dtype
on_devices = pytest.mark.devices("INTERP", "CPU", "OPENCL")


def launch(device: Any, function: Any, grid: Any, block: Any, *args: Any, **options: Any) -> None:
    sl.kernel(**options)(function).on(device)[grid, block](*args)


@on_devices
def test_rows_columns_and_extents(device: Any) -> None:
    def transpose(a: sl.Array[sl.f32, 2], b: sl.Array[sl.f32, 2], s: sl.Array[sl.i32]) -> None:
        i, j = sl.global_id(0), sl.global_id(1)
        if i < a.shape[0] and j < a.shape[1]:
            row = a[i]
            b[j, i] = row[j] + a.flat[i * a.shape[1] + j]
        s[0], s[1], s[2], s[3] = len(a), a.shape[1], a.size, a.ndim

    a, b, s = np.arange(35, dtype=np.float32).reshape(5, 7), np.zeros((7, 5), np.float32), np.zeros(4, np.int32)
    launch(device, transpose, (2, 2), (4, 4), a, b, s)
    assert b.tolist() == (2 * a.T).tolist()
    assert s.tolist() == [5, 7, 35, 2]


@on_devices
def test_rows_chosen_in_branches(device: Any) -> None:
    def choose(a: sl.Array[sl.f32, 2], r: sl.Array[sl.f32]) -> None:
        i = sl.global_id()
        if i % 2 == 0:
            row = a[i]
        else:
            row = a[0]
        for k in sl.static_range(2):
            part = a[i]
            if part[k] > 4:
                break
        r[i] = row[1] + part[0]

    a, r = np.arange(8, dtype=np.float32).reshape(4, 2), np.zeros(4, np.float32)
    launch(device, choose, 1, 4, a, r)
    assert r.tolist() == [1 + 0, 1 + 2, 5 + 4, 1 + 6]


@on_devices
def test_a_tiled_product_of_matrices(device: Any) -> None:
    tile = 4

    def matmul(a: sl.Array[sl.f32, 2], b: sl.Array[sl.f32, 2], c: sl.Array[sl.f32, 2]) -> None:
        left, right = sl.shared((tile, tile), sl.f32), sl.shared((tile, tile), sl.f32)
        x, y = sl.thread_idx.x, sl.thread_idx.y
        row, column = sl.block_idx.y * tile + y, sl.block_idx.x * tile + x
        acc = 0.0
        for start in range(0, a.shape[1], tile):
            left[y, x] = a[row, start + x] if row < a.shape[0] and start + x < a.shape[1] else 0.0
            right[y, x] = b[start + y, column] if start + y < b.shape[0] and column < b.shape[1] else 0.0
            sl.barrier()
            for k in sl.static_range(tile):
                acc += left[y, k] * right[k, x]
            sl.barrier()
        if row < c.shape[0] and column < c.shape[1]:
            c[row, column] = acc

    rng = np.random.default_rng(0)
    a, b, c = rng.random((9, 7), np.float32), rng.random((7, 6), np.float32), np.zeros((9, 6), np.float32)
    launch(device, matmul, (2, 3), (tile, tile), a, b, c)
    assert np.allclose(c, a @ b, rtol=1e-6)


@on_devices
def test_negative_and_static_indices(device: Any) -> None:
    def ends(a: sl.Array[sl.f32], b: sl.Array[sl.f32, (None, 3)], r: sl.Array[sl.f32]) -> None:
        r[0] = a[-1] + b[0, -1]
        r[-1] = b[-1, -3]

    a, b, r = np.arange(5, dtype=np.float32), np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(3, np.float32)
    launch(device, ends, 1, 1, a, b, r)
    assert r.tolist() == [6.0, 0.0, 3.0]


@on_devices
def test_shared_memory_and_barriers(device: Any) -> None:
    def reverse(a: sl.Array[sl.i32], r: sl.Array[sl.i32]) -> None:
        tile = sl.shared((4, 4), sl.i32)
        x, y = sl.thread_idx.x, sl.thread_idx.y
        base = sl.block_idx.x * 16
        tile[y, x] = a[base + y * 4 + x]
        sl.barrier()
        r[base + y * 4 + x] = tile[x, 3 - y]

    a, r = np.arange(32, dtype=np.int32), np.zeros(32, np.int32)
    launch(device, reverse, 2, (4, 4), a, r)
    y, x = np.mgrid[0:4, 0:4]
    assert r.reshape(2, 4, 4).tolist() == a.reshape(2, 4, 4)[:, x, 3 - y].tolist()


@on_devices
def test_local_arrays_take_dynamic_indices(device: Any) -> None:
    def histogram(a: sl.Array[sl.i32, 2], r: sl.Array[sl.i32, 2]) -> None:
        i = sl.global_id()
        count = sl.local(4, sl.i32, fill=0)
        for k in range(a.shape[1]):
            count[a[i, k]] += 1
        for k in sl.static_range(4):
            r[i, k] = count[k]

    a, r = np.random.default_rng(1).integers(0, 4, (3, 20)).astype(np.int32), np.zeros((3, 4), np.int32)
    launch(device, histogram, 1, 3, a, r)
    assert r.tolist() == [np.bincount(row, minlength=4).tolist() for row in a]


@on_devices
def test_augmented_elements_are_indexed_once(device: Any) -> None:
    def count(a: sl.Array[sl.i32], n: sl.Array[sl.i32]) -> None:
        a[sl.i32(sl.atomic_add(n, 0, 1))] += 5

    a, n = np.ones(3, np.int32), np.zeros(1, np.int32)
    launch(device, count, 1, 1, a, n)
    assert (a.tolist(), n.tolist()) == ([6, 1, 1], [1])


@pytest.mark.parametrize(("name", "start", "expected"), [
    ("atomic_add", 10, 10 + 28), ("atomic_sub", 10, 10 - 28), ("atomic_min", 3, 0), ("atomic_max", 3, 7), ("atomic_and", 255, 0),
    ("atomic_or", 8, 15), ("atomic_xor", 0, 0)])
@on_devices
def test_atomics(device: Any, name: str, start: int, expected: int) -> None:
    atomic = getattr(sl, name)

    def combine(a: sl.Array[sl.i32], s: sl.Array[sl.i32]) -> None:
        i = sl.i32(sl.global_id())
        atomic(a, 0, i)
        tile = sl.shared(1, sl.i32)
        if i % 4 == 0:
            tile[0] = start
        sl.barrier()
        atomic(tile, 0, i)
        sl.barrier()
        s[sl.block_idx.x] = tile[0]

    a, s = np.array([start], np.int32), np.zeros(2, np.int32)
    launch(device, combine, 2, 4, a, s)
    assert a.tolist() == [expected]
    python = {"atomic_add": lambda x: start + sum(x), "atomic_sub": lambda x: start - sum(x), "atomic_min": lambda x: min(start, *x),
              "atomic_max": lambda x: max(start, *x), "atomic_and": lambda x: np.bitwise_and.reduce([start, *x]),
              "atomic_or": lambda x: np.bitwise_or.reduce([start, *x]), "atomic_xor": lambda x: np.bitwise_xor.reduce([start, *x])}[name]
    assert s.tolist() == [int(python(range(4))), int(python(range(4, 8)))]


@on_devices
def test_old_values_and_exchanges(device: Any) -> None:
    def tickets(n: sl.Array[sl.i32], r: sl.Array[sl.i32], flag: sl.Array[sl.u32], won: sl.Array[sl.i32]) -> None:
        i = sl.global_id()
        r[i] = sl.atomic_add(n, 0, 1)
        if sl.atomic_cas(flag, 0, 0, sl.u32(i) + 1) == 0:
            sl.atomic_add(won, 0, 1)
        sl.atomic_exchange(flag, 1, 7)

    n, r, flag, won = np.zeros(1, np.int32), np.zeros(12, np.int32), np.zeros(2, np.uint32), np.zeros(1, np.int32)
    launch(device, tickets, 3, 4, n, r, flag, won)
    assert sorted(r.tolist()) == list(range(12))
    assert won[0] == 1
    assert 1 <= flag[0] <= 12
    assert flag[1] == 7


@on_devices
def test_buffers_with_bounds(device: Any) -> None:
    def shifted(a: sl.Array[sl.f32], r: sl.Array[sl.f32], v: sl.Array[sl.f32]) -> None:
        i = sl.global_id()
        x = sl.buffer_load(a, i - 2)
        sl.buffer_store(x, r, i + 1, mask=i != 3)
        quad = sl.buffer_load(a, i, 4, mask=i < 4)
        sl.buffer_store(quad, v, i * 4)

    a, r, v = np.arange(1, 6, dtype=np.float32), np.full(5, -1, np.float32), np.full(16, -1, np.float32)
    launch(device, shifted, 1, 8, a, r, v)
    assert r.tolist() == [-1, 0, 0, 1, -1]
    assert v.tolist() == [1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 0, 4, 5, 0, 0]


@on_devices
def test_ids_in_three_dimensions(device: Any) -> None:
    def where(r: sl.Array[sl.i32, 2]) -> None:
        x, y, z = sl.global_id(0), sl.global_id(1), sl.global_id(2)
        a, b, c = sl.thread_idx
        n = (z * (sl.grid_dim.y * sl.block_dim.y) + y) * (sl.grid_dim.x * sl.block_dim.x) + x
        r[n, 0] = a + 10 * b + 100 * c
        r[n, 1] = sum(v * 10 ** k for k, v in enumerate([*sl.block_idx]))

    r = np.zeros((2 * 3 * 2 * 1 * 2 * 2, 2), np.int32)
    launch(device, where, (2, 1, 2), (3, 2, 2), r)
    z, y, x = np.mgrid[0:4, 0:2, 0:6]
    expected = np.stack([x % 3 + 10 * (y % 2) + 100 * (z % 2), x // 3 + 10 * (y // 2) + 100 * (z // 2)], -1).reshape(-1, 2)
    assert r.tolist() == expected.tolist()


@on_devices
def test_shuffles_votes_and_scans(device: Any) -> None:
    def exchange(a: sl.Array[sl.i32], r: sl.Array[sl.i32, 2]) -> None:
        i = sl.thread_idx.x
        v = a[i]
        r[i, 0] = sl.shuffle(v, 3)
        r[i, 1] = sl.shuffle_up(v, 1)
        r[i, 2] = sl.shuffle_down(v, 1, 4)
        r[i, 3] = sl.shuffle_xor(v, 1)
        r[i, 4] = sl.subgroup_reduce_add(v)
        r[i, 5] = sl.inclusive_scan_add(v)
        r[i, 6] = sl.exclusive_scan_max(v)
        r[i, 7] = sl.i32(sl.any_(v > 6)) + 2 * sl.i32(sl.all_(v >= 0)) + 4 * sl.i32(sl.ballot(v > 5))
        r[i, 8] = sl.i32(sl.lane_id()) + 100 * sl.i32(sl.subgroup_id()) + 1000 * sl.subgroup_size()

    a, r = np.arange(16, dtype=np.int32), np.zeros((16, 9), np.int32)
    launch(device, exchange, 1, 16, a, r, subgroup=8)
    lanes = a.reshape(2, 8)
    assert r[:, 0].tolist() == np.repeat(lanes[:, 3], 8).tolist()
    assert r[:, 1].reshape(2, 8).tolist() == np.concatenate([lanes[:, :1], lanes[:, :-1]], 1).tolist()
    assert r[:, 2].reshape(4, 4).tolist() == [[1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11], [13, 14, 15, 15]]
    assert r[:, 3].tolist() == (a ^ 1).tolist()
    assert r[:, 4].tolist() == np.repeat(lanes.sum(1), 8).tolist()
    assert r[:, 5].tolist() == np.cumsum(lanes, 1).ravel().tolist()
    assert r[:, 6].tolist() == [-2**31, *range(7), -2**31, *range(8, 15)]
    assert r[:, 7].tolist() == [1 + 2 + 4 * 0b11000000] * 8 + [1 + 2 + 4 * 255] * 8
    assert r[:, 8].tolist() == [lane % 8 + 100 * (lane // 8) + 8000 for lane in range(16)]


@pytest.mark.devices("CPU", "INTERP")
def test_a_subgroup_of_one(device: Any) -> None:
    """Every exchange gives a work item its own value."""
    def alone(a: sl.Array[sl.i32], r: sl.Array[sl.i32, 2]):
        i = sl.global_id()
        r[i, 0] = sl.shuffle(a[i], 5) + 10 * sl.shuffle_up(a[i], 1)
        r[i, 1] = sl.shuffle_down(a[i], 1) + 10 * sl.shuffle_xor(a[i], 1)
        r[i, 2] = sl.subgroup_reduce_add(a[i]) + 10 * sl.inclusive_scan_add(a[i])
        r[i, 3] = sl.exclusive_scan_add(a[i])
        r[i, 4] = sl.exclusive_scan_max(a[i])
        r[i, 5] = sl.i32(sl.any_(a[i] > 2)) + 10 * sl.i32(sl.all_(a[i] > 2)) + 100 * sl.i32(sl.ballot(a[i] > 2))
        if a[i] > 3:
            r[i, 6] = sl.shuffle_xor(a[i], 1, 1) + sl.i32(sl.ballot(True))

    a, r = np.arange(6, dtype=np.int32), np.zeros((6, 7), np.int32)
    launch(device, alone, 1, 6, a, r, subgroup=1)
    least = np.iinfo(np.int32).min
    assert r.tolist() == [[11 * x, 11 * x, 11 * x, 0, least, 111 * (x > 2), (x > 3) * (x + 1)] for x in range(6)]


@pytest.mark.parametrize(("block", "subgroup"), [(1, 32), (2, 32), (7, 32), (7, 1), (32, 32), (33, 32), (100, 32), (100, 8)])
@pytest.mark.devices("INTERP", "CPU")
def test_block_functions(device: Any, block: int, subgroup: int) -> None:
    def combine(a: sl.Array[sl.f32], r: sl.Array[sl.f32, 2]) -> None:
        i = sl.global_id()
        r[i, 0] = sl.block_reduce_add(a[i])
        r[i, 1] = sl.block_reduce_max(a[i])
        r[i, 2] = sl.block_reduce_min(a[i])
        r[i, 3] = sl.block_scan_add(a[i])

    a = np.random.default_rng(0).integers(-50, 50, 2 * block).astype(np.float32)
    r = np.zeros((2 * block, 4), np.float32)
    launch(device, combine, 2, block, a, r, subgroup=subgroup)
    rows = a.reshape(2, block)
    expected = np.stack([np.repeat(f(rows, 1), block) for f in (np.sum, np.max, np.min)] + [np.cumsum(rows, 1).ravel()], -1)
    assert r.tolist() == expected.tolist()


@on_devices
def test_printing_and_assertions(device: Any, capfd: pytest.CaptureFixture[str]) -> None:
    def says(a: sl.Array[sl.i32], t: sl.Constexpr[str]) -> None:
        i = sl.global_id()
        if i == 1:
            sl.printf("{}: i = {}, a = {}\n", t, i, a[i])
            print("item", i)
        assert a[i] < 10, "too large"
        sl.assert_(a[i] > -5, "a is {}", a[i])  # noqa: PT009

    traced = trace(says, {"a": ArrayType(sl.i32.dtype), "t": Constant("row")})
    text = str(traced.threads)
    assert "row: i = {}, a = {}" in text
    assert "item {}" in text
    assert "too large" in text
    launch(device, says, 1, 2, np.array([3, 4], np.int32), "row")
    assert capfd.readouterr().out == "row: i = 1, a = 4\nitem 1\n"
    where = r"test_memory\.py:\d+:\d+, kernel 'says', block \(0, 0, 0\), thread \(0, 0, 0\)"
    with pytest.raises(LaunchError, match=rf"assertion failed: too large\n  at: .*{where}"):
        launch(device, says, 1, 2, np.array([10, 4], np.int32), "row")
    with pytest.raises(LaunchError, match=r"assertion failed: a is -5\n.*thread \(1, 0, 0\)"):
        launch(device, says, 1, 2, np.array([3, -5], np.int32), "row")


@on_devices
def test_guarded_work_items_return_at_once(device: Any) -> None:
    def ones(a: sl.Array[sl.f32]) -> None:
        a[sl.global_id()] = 1.0

    a = np.zeros(10, np.float32)
    sl.kernel(ones).on(device).launch(a, threads=7, block=4)
    assert a.tolist() == [1.0] * 7 + [0.0] * 3


def test_a_barrier_wants_all_work_items() -> None:
    def waits(a: sl.Array[sl.f32]) -> None:
        sl.barrier()

    with pytest.raises(KernelError, match=r"barrier\(\) in a kernel launched with threads=n"):
        trace(waits, {"a": ArrayType(F32)}, guarded=True)


@on_devices
def test_vectors_in_lists_are_carried_by_loops(device: Any) -> None:
    def accumulate(r: sl.Array[sl.f32], n: sl.i32) -> None:
        sums = [[sl.vec(sl.f32, 2)(0.0)], [sl.vec(sl.f32, 2)(1.0)]]
        for i in range(n):
            for j in range(i, i + 1):
                for k in sl.static_range(2):
                    sums[k][0] = sums[k][0] * 2 + j
        for k in sl.static_range(2):
            r[k] = sums[k][0][1]

    r = np.zeros(2, np.float32)
    launch(device, accumulate, 1, 1, r, 3)
    assert r.tolist() == [0 + 2 + 2, 8 + 2 + 2]
