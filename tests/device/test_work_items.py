"""What kernels of work items do on every device that has them: the same bodies for OPENCL, WEBGPU and CUDA (there also on the emulator)."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import svod
from svod import UOp
from svod.dtype import AddrSpace, dtypes
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.ir.threads import grid_variable
from svod.testing.random_threads import random_thread_case
from svod.testing.threads import Threads

ITEMS = pytest.mark.devices("OPENCL", "WEBGPU", "CUDA")
GRID = [grid_variable(k).arg.name for k in range(3)]


def launch(device: svod.Device, kernel: UOp, buffers: list[Any], groups: int, **values: Any) -> None:
    """Runs a thread kernel on groups along x."""
    device.compile(kernel).execute(buffers, {**dict(zip(GRID, (groups, 1, 1), strict=True)), **values})


@ITEMS
@pytest.mark.parametrize("first", range(0, 40, 20))
def test_random_thread_kernels(device: svod.Device, first: int) -> None:
    for seed in range(first, first + 20):
        case = random_thread_case(seed)
        wanted, got = ([b.copy() for b in case.buffers] for _ in range(2))
        device.compile(case.threads).execute(got, case.values)
        svod.Device("INTERP").compile(case.threads).execute(wanted, case.values)
        for a, b in zip(wanted, got, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"seed {seed}")


def summed(block: int) -> UOp:
    """Sums of groups through shared memory, halving the work items that add."""
    k = Threads("summed", (block, 1, 1))
    data, out = UOp.param(0, dtypes.f32, name="data"), UOp.param(1, dtypes.f32, name="out")
    tile = k.memory(dtypes.f32, block, AddrSpace.LOCAL, "tile")
    k.store(tile, k.thread(), k.load(data, k.item()))
    k.barrier()
    half = block // 2
    while half:
        with k.if_(k.thread() < half):
            k.store(tile, k.thread(), k.load(tile, k.thread()) + k.load(tile, k.thread() + half))
        k.barrier()
        half //= 2
    with k.if_(k.thread().eq(0)):
        k.store(out, k.block(), k.load(tile, 0))
    return k.kernel()


@ITEMS
@pytest.mark.parametrize("block", [32, 128, 1024])
def test_a_reduction_through_shared_memory(device: svod.Device, block: int) -> None:
    if block > device.target.limits.threads:
        pytest.skip(f"groups have up to {device.target.limits.threads} work items")
    data, out = np.arange(2048, dtype=np.float32), np.zeros(2048 // block, np.float32)
    launch(device, summed(block), [data, out], 2048 // block)
    np.testing.assert_array_equal(out, data.reshape(-1, block).sum(1))


@ITEMS
@pytest.mark.parametrize("dtype", [dtypes.i32, dtypes.u64, dtypes.f32, dtypes.f64], ids=str)
@pytest.mark.parametrize("kind", [AtomicKind.ADD, AtomicKind.MIN, AtomicKind.MAX, AtomicKind.EXCHANGE])
def test_atomics_on_global_and_shared_memory(device: svod.Device, dtype: svod.DType, kind: AtomicKind) -> None:
    k = Threads("counted", (64, 1, 1))
    out = UOp.param(0, dtype, name="out")
    tile = k.memory(dtype, 1, AddrSpace.LOCAL, "tile")
    with k.if_(k.thread().eq(0)):
        k.store(tile, 0, UOp.const(5, dtype))
    k.barrier()
    value = UOp.const(3, dtype) if kind is AtomicKind.EXCHANGE else k.thread().cast(dtype)
    k.atomic(kind, tile, 0, value)
    k.barrier()
    with k.if_(k.thread().eq(0)):
        k.atomic(kind, out, 0, k.load(tile, 0))
    wanted, got = (np.full(1, 7, svod.dtype.numpy_dtype(dtype)) for _ in range(2))
    launch(device, k.kernel(), [got], 1)
    launch(svod.Device("INTERP"), k.kernel(), [wanted], 1)
    np.testing.assert_array_equal(got, wanted)


@ITEMS
def test_a_work_item_that_has_returned_meets_the_others_at_barriers(device: svod.Device) -> None:
    k = Threads("early", (32, 1, 1))
    out = UOp.param(0, dtypes.i32, name="out")
    tile = k.memory(dtypes.i32, 32, AddrSpace.LOCAL, "tile")
    with k.if_(k.thread() < 5):
        k.leave(Op.RETURN)
    with k.for_(0, 3) as i:
        k.store(tile, k.thread(), (k.thread() + i).cast(dtypes.i32))
        k.barrier()
        seen = k.load(tile, 36 - k.thread())
        k.barrier()
        k.store(out, k.thread() * 3 + i, seen)
    wanted, got = (np.full(96, -1, np.int32) for _ in range(2))
    launch(device, k.kernel(), [got], 1)
    launch(svod.Device("INTERP"), k.kernel(), [wanted], 1)
    np.testing.assert_array_equal(got, wanted)
    assert (got[:15] == -1).all()
