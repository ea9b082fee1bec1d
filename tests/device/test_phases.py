"""Kernels of several phases on devices with work items: each begins when all groups have done the one before."""
from __future__ import annotations

import threading

import numpy as np
import pytest

import svod
from svod import UOp
from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import LaunchError
from svod.ir.args import BarrierScope, SpecialKind
from svod.testing.kernels import axes, p
from svod.testing.phases import GROUPS, ITEMS, handed_round

N = GROUPS * ITEMS
ITEM_DEVICES = pytest.mark.devices("OPENCL", "WEBGPU", "CUDA")
A = np.arange(N, dtype=np.float32)
ODD = np.arange(N, dtype=np.float32) % 2


@ITEM_DEVICES
@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.i32])
def test_every_group_sees_what_every_other_one_stored(device: svod.Device, dtype: DType) -> None:
    program = device.compile(handed_round(dtype))
    a = A if dtype is dtypes.f32 else A.astype(np.int32)
    for _ in range(3):
        out = np.zeros_like(a)
        program(out, a)
        np.testing.assert_array_equal(out, a[::-1] * 2 + ODD)


@ITEM_DEVICES
def test_buffers_of_the_device(device: svod.Device) -> None:
    program = device.compile(handed_round(scale=UOp.variable("by", 0, 100)))
    a, out = svod.Buffer.from_numpy(A, device), svod.Buffer(device, N, dtypes.f32)
    for by in (3, 4, 3):
        program(out, a, by=by)
        np.testing.assert_array_equal(out.numpy(), A[::-1] * by + ODD)


@ITEM_DEVICES
def test_threads_that_launch_one_program_share_nothing(device: svod.Device) -> None:
    program = device.compile(handed_round())
    wrong: list[int] = []

    def work(k: int) -> None:
        a, out = A + np.float32(k), np.zeros_like(A)
        for _ in range(10):
            out[:] = 0
            program(out, a)
            if not np.array_equal(out, a[::-1] * 2 + ODD):
                wrong.append(k)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert wrong == []


@ITEM_DEVICES
def test_what_a_launch_shared_is_given_back(device: svod.Device) -> None:
    program = device.compile(handed_round())
    out = np.zeros_like(A)
    program(out, A)
    before = device.allocator.stats()
    program(out, A)
    after = device.allocator.stats()
    assert (after.live_blocks, after.live_bytes) == (before.live_blocks, before.live_bytes)
    assert after.reuses - before.reuses == after.allocs - before.allocs


@ITEM_DEVICES
@pytest.mark.parametrize("by", ["ids", "loops"])
def test_a_kernel_that_says_so_itself(device: svod.Device, by: str) -> None:
    size = 8
    ids = (UOp.special(SpecialKind.GLOBAL, 0, size),) * 2
    i, j = ids if by == "ids" else axes(size, size)
    common = UOp.memory(0, dtypes.f32, size, AddrSpace.GLOBAL, name="common")
    twice = common[i].store(p(1, "a")[i].load() * 2.0)
    done = UOp.barrier(twice if by == "ids" else twice.end(i), scope=BarrierScope.GRID)
    turned = p(0, "out")[j].store(common.after(done)[j * -1 + (size - 1)].load() + p(1, "a")[j].load())
    out = np.zeros(size, np.float32)
    device.compile(UOp.sink(turned, name=by))(out, A[:size])
    np.testing.assert_array_equal(out, A[:size][::-1] * 2 + A[:size])


@ITEM_DEVICES
def test_a_long_sum_in_one_launch(device: svod.Device) -> None:
    n = UOp.variable("n", 0, 1 << 24)
    (i,) = axes(n)
    program = device.compile(UOp.sink(p(0, "out")[0].store(p(1, "a")[i].load().sum(i)), name="total"))
    assert program.compiled.needs.phases == 2
    a = np.random.default_rng(0).uniform(-1, 1, 1 << 18).astype(np.float32)
    for size in (0, 1, 1000, 1 << 18, 3):
        out = np.full(1, 7, np.float32)
        program(out, a, n=size)
        np.testing.assert_allclose(out[0], a[:size].sum(dtype=np.float64), atol=1e-2)


@pytest.mark.devices("WEBGPU")
def test_scratch_that_cannot_be_bound(device: svod.Device) -> None:
    large = UOp.memory(0, dtypes.f32, 1 << 26, AddrSpace.GLOBAL, name="large")
    (i,) = axes(8)
    filled = large[i].store(p(1, "a")[i].load()).end(i)
    program = device.compile(UOp.sink(p(0, "out")[i].store(large.after(filled)[i].load()), name="large"))
    with pytest.raises(LaunchError, match="share 268435456 bytes of scratch"):
        program(np.zeros(8, np.float32), A[:8])
