"""Kernels of several phases on devices with work items: each begins when all groups have done the one before."""
from __future__ import annotations

import threading

import numpy as np
import pytest

import svod
from svod import UOp
from svod.dtype import DType, dtypes
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
