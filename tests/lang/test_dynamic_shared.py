"""Shared memory whose size is given at the launch: one form for all sizes, too little and too much are refused."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import ArgumentError, KernelError, LaunchError
from svod.ir.ops import Op
from svod.ir.text import parse
from svod.ir.threads import MAX_DYNAMIC
from svod.lang.trace import ArrayType, ScalarType, trace

on_devices = pytest.mark.devices("INTERP", "CPU", "OPENCL")
Floats = sl.Array[sl.f32]
F32 = np.float32


def reverse(a: Floats, o: Floats, counts: sl.Array[sl.i32]) -> None:
    tile = sl.shared_dynamic(sl.f32)
    x = sl.thread_idx.x
    tile[x] = a[sl.global_id()]
    sl.barrier()
    o[sl.global_id()] = tile[sl.block_dim.x - 1 - x]
    counts[sl.block_idx.x] = len(tile)


@on_devices
def test_the_launch_says_how_much(device: Any) -> None:
    k = sl.kernel(reverse).on(device)
    a = np.arange(64, dtype=F32)
    for block in (8, 32):
        for smem in (4 * block, 4 * block + 3, 4000, min(MAX_DYNAMIC, device.target.limits.shared_bytes)):
            for _ in range(2):  # checked, then by the form used last
                o, counts = np.zeros(64, F32), np.zeros(8, np.int32)
                k[64 // block, block, smem](a, o, counts)
                assert o.tolist() == a.reshape(-1, block)[:, ::-1].ravel().tolist()
                assert counts[:64 // block].tolist() == [smem // 4] * (64 // block)
    assert k.traces == 2, "one for each block, none for another size"


@on_devices
def test_too_little_and_too_much(device: Any) -> None:
    k = sl.kernel(reverse).on(device)
    a, o, counts = np.arange(8, dtype=F32), np.zeros(8, F32), np.zeros(8, np.int32)
    for _ in range(2):
        for smem in (None, 0, 3):
            with pytest.raises(LaunchError, match=r"kernel 'reverse' uses 4 B of dynamic shared memory, the launch gives [03] B") as e:
                k[1, 8, smem](a, o, counts)
            assert "reverse[grid, block, 4]" in e.value.hint
        with pytest.raises(LaunchError, match="uses 4 B of dynamic shared memory, the launch gives 0 B"):
            k[1, 8](a, o, counts)
        most = min(MAX_DYNAMIC, device.target.limits.shared_bytes)
        for smem in (most + 1, MAX_DYNAMIC + 1, 1 << 70):
            with pytest.raises(LaunchError, match=f"the device allows {most} B") as e:
                k[1, 8, smem](a, o, counts)
            assert e.value.hint
        assert not o.any()
        k[1, 8, 32](a, a.copy(), counts)
    assert k[1, 8].compile(a, o, counts).dynamic is not None, "compiling gives no memory"


def test_what_is_too_little_for_an_index_is_found_on_interp() -> None:
    a, o, counts = np.arange(8, dtype=F32), np.zeros(8, F32), np.zeros(8, np.int32)
    with pytest.raises(ArgumentError, match="index 4 is out of range: axis 0 of dynamic has 4 elements") as e:
        sl.kernel(reverse).on("INTERP")[1, 8, 16](a, o, counts)
    assert "thread (4, 0, 0)" in e.value.at


def two(a: Floats, o: Floats, n: sl.i32) -> None:
    """Pairs of floats, and behind them integers."""
    pairs = sl.shared_dynamic(sl.f32, (n, 2))
    order = sl.shared_dynamic(sl.i32, n, offset=8 * n)
    x = sl.thread_idx.x
    if x < n:
        pairs[x, 0], pairs[x, 1] = a[x], 10 * a[x]
        order[x] = n - 1 - x
    sl.barrier()
    if x < n:
        o[x] = pairs[order[x], 0] + pairs[order[x], 1]


@on_devices
def test_shapes_and_offsets_of_the_launch(device: Any) -> None:
    k = sl.kernel(two).on(device)
    a = np.arange(1, 9, dtype=F32)
    for n in (8, 5, 8):
        o = np.zeros(8, F32)
        k[1, 8, 12 * n](a, o, n)
        assert o[:n].tolist() == (11 * a[:n][::-1]).tolist()
        with pytest.raises(LaunchError, match=f"kernel 'two' uses {12 * n} B of dynamic shared memory, the launch gives {12 * n - 1} B"):
            k[1, 8, 12 * n - 1](a, o, n)
    assert k.traces == 1
    prepared = k[1, 8, 96].prepare(a, o := np.zeros(8, F32), 8)
    prepared()
    assert o.tolist() == (11 * a[::-1]).tolist()
    with pytest.raises(LaunchError, match="the launch gives 95 B"):
        k[1, 8, 95].prepare(a, o, 8)


@on_devices
def test_static_beside_dynamic(device: Any) -> None:
    def both(o: Floats) -> None:
        own, more = sl.shared(4, sl.f32), sl.shared_dynamic(sl.f32)
        again = sl.shared_dynamic(sl.f32, 2, offset=8)
        x = sl.thread_idx.x
        own[x], more[x] = 1.0, sl.f32(x)
        sl.barrier()
        o[x] = own[3 - x] + more[3 - x] + 10 * again[x % 2]

    o = np.zeros(4, F32)
    sl.kernel(both).on(device)[1, 4, 16](o)
    assert o.tolist() == [1 + 3 + 20, 1 + 2 + 30, 1 + 1 + 20, 1 + 0 + 30], "all calls look at the same bytes"


@on_devices
def test_jit_passes_it_on(device: Any) -> None:
    k = sl.kernel(reverse).on(device)

    @sl.jit
    def run(a: Any, o: Any, counts: Any, n: int) -> None:
        k(a, o, counts).launch(grid=1, block=n, smem=4 * n)

    a, o, counts = np.arange(8, dtype=F32), np.zeros(8, F32), np.zeros(1, np.int32)
    run(a, o, counts, 8)
    assert o.tolist() == a[::-1].tolist()
    assert counts[0] == 8


def test_memory_that_a_kernel_does_not_declare_is_looked_at_only() -> None:
    def plain(o: Floats) -> None:
        o[0] = 1.0

    o, k = np.zeros(1, F32), sl.kernel(plain)
    k[1, 1, 64](o)
    assert o[0] == 1
    with pytest.raises(LaunchError, match=f"the device allows {MAX_DYNAMIC} B"):
        k[1, 1, MAX_DYNAMIC + 1](o)


@pytest.mark.parametrize(("dtype", "options", "says"), [
    (sl.f32, {"offset": 6}, "an offset of 6 B"), (sl.f64, {"offset": -8}, "an offset of -8 B"),
    (sl.f32, {"shape": 0}, "numbers of 1 or more"),
    (sl.f32, {"shape": ()}, "numbers of 1 or more"), (sl.f32, {"shape": 1.5}, "not an integer"), (3, {}, "no type|not a type")])
def test_what_makes_no_sense(dtype: Any, options: dict[str, Any], says: str) -> None:
    def bad(o: Floats) -> None:
        o[0] = sl.shared_dynamic(dtype, **options)[0]

    with pytest.raises(KernelError, match=says) as e:
        trace(bad, {"o": ArrayType(sl.f32.dtype)})
    assert "sl.shared_dynamic(dtype" in e.value.at


def test_its_text_parses_back() -> None:
    traced = trace(two, {"a": ArrayType(sl.f32.dtype), "o": ArrayType(sl.f32.dtype), "n": ScalarType(sl.i32.dtype)}, block=(8, 1, 1))
    assert parse(str(traced.threads)) is traced.threads
    memories = list(traced.threads.find(Op.DEFINE_LOCAL))
    assert [m.arg.dynamic for m in memories] == [True, True]
