"""Buffers between devices: every pair that is there, and kernels on buffers of another device in host memory."""
from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod import Buffer, Device, UOp
from svod.device.registry import BUILT_IN
from svod.dtype import dtypes
from svod.dtype.convert import numpy_dtype
from svod.errors import ArgumentError, DeviceUnavailable, LaunchError
from svod.testing.kernels import axes, p

NAMES = tuple(name for name in BUILT_IN if name != "NULL")
HOST = ("CPU", "CC", "INTERP")
pytestmark = pytest.mark.devices("CPU", "INTERP")


def opened(name: str) -> Device:
    """The device, or a skip with the reason."""
    try:
        return Device(name)
    except DeviceUnavailable as e:
        pytest.skip(f"{name}: {e.what}")


def doubled(device: Device) -> svod.Program:
    (i,) = axes(UOp.variable("n", 0, 1000))
    return device.compile(UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() * 2.0), name="doubled"))


@pytest.mark.parametrize(("source", "target"), list(product(NAMES, NAMES)))
def test_contents_arrive(source: str, target: str) -> None:
    one, other = opened(source), opened(target)
    for d in (dtypes.f32, dtypes.u8, dtypes.bf16, dtypes.i64, dtypes.bool):
        x = np.random.default_rng(0).integers(0, 2, 100 * d.itemsize, dtype=np.uint8).view(numpy_dtype(d))
        start = Buffer(one, 100, d).copyin(x)
        for moved in (start.to(other), start.to(target), start.to(other, copy=True), Buffer(other, 100, d).copy_from(start)):
            assert moved.device is other
            assert moved.numpy().tobytes() == x.tobytes()
        assert start.view(3, 7).to(other).numpy().tobytes() == x[3:10].tobytes()
        part = Buffer(other, 100, d).copyin(np.zeros(100, numpy_dtype(d)))
        part.view(50, 7).copy_from(start.view(3, 7))
        assert part.numpy()[50:57].tobytes() == x[3:10].tobytes()
        assert not part.numpy()[57:].view(np.uint8).any()
    empty = Buffer(one, 0, dtypes.f32).to(other)
    assert (empty.size, empty.device) == (0, other)


@pytest.mark.parametrize(("source", "target"), list(product(NAMES, NAMES)))
def test_what_is_shared_and_what_is_copied(source: str, target: str) -> None:
    start = Buffer(opened(source), 10, dtypes.f32).copyin(np.zeros(10, np.float32))
    moved = start.to(opened(target))
    copied = start.to(target, copy=True)
    start.copyin(np.ones(10, np.float32))
    shared = source == target or {source, target} <= set(HOST)
    assert (moved is start) == (source == target)
    assert moved.numpy().tolist() == [float(shared)] * 10
    assert copied.numpy().tolist() == [0.0] * 10


@pytest.mark.parametrize(("where", "ran_on"), list(product(HOST, NAMES)))
def test_kernels_take_buffers_in_host_memory_of_any_device(where: str, ran_on: str) -> None:
    program = doubled(opened(ran_on))
    a = Buffer(opened(where), 100, dtypes.f32).copyin(np.arange(100, dtype=np.float32))
    out = Buffer(where, 100, dtypes.f32).copyin(np.zeros(100, np.float32))
    program.execute([out, a], [100])
    assert out.numpy().tolist() == (np.arange(100) * 2).tolist()
    program.execute([out.view(7, 10), a.view(50, 10)], [10])
    assert out.numpy()[7:17].tolist() == (np.arange(50, 60) * 2).tolist()


@pytest.mark.parametrize(("where", "ran_on"), [(w, d) for w, d in product(NAMES, NAMES) if w not in HOST and w != d])
def test_kernels_refuse_buffers_in_the_memory_of_another_device(where: str, ran_on: str) -> None:
    program, out = doubled(opened(ran_on)), np.zeros(4, np.float32)
    far = Buffer(opened(where), 4, dtypes.f32).copyin(np.ones(4, np.float32))
    with pytest.raises(ArgumentError, match=r"argument 1 \('a'\)(.|\n)*to\("):
        program.execute([out, far], [4])
    program.execute([out, far.to(ran_on)], [4])
    assert out.tolist() == [2.0] * 4


def test_a_kernel_without_a_device_takes_that_of_its_buffers_if_it_is_one() -> None:
    @sl.kernel
    def twice(a: sl.Array[sl.f32], o: sl.Array[sl.f32]) -> None:
        o[sl.global_id()] = a[sl.global_id()] * 2.0

    a, o = Buffer("INTERP", 4, dtypes.f32).copyin(np.ones(4, np.float32)), Buffer("CPU", 4, dtypes.f32)
    with pytest.raises(LaunchError, match=r"are on INTERP and CPU(.|\n)*buffer\.to\(device\)"):
        twice[1, 4](a, o)
    twice[1, 4](a.to("CPU"), o)
    assert o.numpy().tolist() == [2.0] * 4
