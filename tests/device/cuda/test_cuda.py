"""The CUDA device: kernels of all kinds agree with the interpreter, memory is its own, launches are in the order that streams say.

Runs on a GPU, and on the emulator of the driver (test_emulated.py), which shows that the driver is called as its rules demand.
"""
from __future__ import annotations

import ctypes
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import svod
from svod import UOp
from svod.device.stream import Stream
from svod.dtype import AddrSpace, dtypes, numpy_dtype
from svod.errors import ArgumentError, DeviceUnavailable, LaunchError
from svod.ir.args import SpecialKind, product_types
from svod.ir.ops import Op
from svod.ir.semantics import apply
from svod.ir.threads import grid_variable
from svod.testing.conformance import check_entry, table
from svod.testing.kernels import CASES, axes, p
from svod.testing.threads import Threads

CUDA = pytest.mark.devices("CUDA")
GRID = [grid_variable(k).arg.name for k in range(3)]
N = 1000


def launch(device: svod.Device, kernel: UOp, buffers: list[Any], groups: int, **values: Any) -> None:
    """Runs a thread kernel on groups along x."""
    device.compile(kernel).execute(buffers, {**dict(zip(GRID, (groups, 1, 1), strict=True)), **values})


def added(name: str = "added") -> UOp:
    """out[i] = a[i] + 1 for i below n."""
    (i,) = axes(UOp.variable("n", 0, 1 << 30))
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + 1.0), name=name)


def pair(device: svod.Device) -> tuple[svod.Buffer, svod.Buffer]:
    """out, full of zeros, and a, counting from 0."""
    a = svod.Buffer.from_numpy(np.arange(N, dtype=np.float32), device)
    return svod.Buffer.from_numpy(np.zeros(N, np.float32), device), a


# --- kernels -------------------------------------------------------------------------------------------------------------------------

@CUDA
@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, N])
def test_a_loop_kernel_is_a_grid_of_full_groups(device: svod.Device, n: int) -> None:
    program = device.compile(added())
    a, out = np.arange(N, dtype=np.float32), np.zeros(N, np.float32)
    program.execute([out, a], [n])
    np.testing.assert_array_equal(out, np.where(np.arange(N) < n, a + 1, 0))


@CUDA
@pytest.mark.parametrize("name", CASES)
def test_loop_kernels(device: svod.Device, name: str) -> None:
    case = CASES[name]()
    buffers = case.fresh()
    device.compile(case.ast).execute(buffers, case.vals)
    case.check(buffers)


@CUDA
@pytest.mark.parametrize("entry", table()[::67], ids=str)
def test_elementwise_ops_at_their_edges(device: svod.Device, entry: Any) -> None:
    assert check_entry(device, entry) is None


@CUDA
@pytest.mark.parametrize("sizes", [(64, 64, 64), (80, 112, 48), (67, 45, 51)])
@pytest.mark.parametrize("name", ["f16", "bf16", "tf32", "i8", "i8_u8", "f8e4m3", "f8e4m3_f8e5m2"])
def test_products_on_matrix_units(device: svod.Device, name: str, sizes: tuple[int, int, int]) -> None:
    """Every bit: sums of small whole numbers are exact. For tf32 those of one operand lie between two numbers that it has."""
    if name not in device.target.products:
        pytest.skip(f"{device.target.arch} has no units for {name}")
    (m, n, k), kinds = sizes, product_types(name)
    i, j, q = axes(m, n, k)
    wide = dtypes.i32 if kinds[0].is_int else dtypes.f32
    loads = [UOp.param(s, d, name="cab"[s])[at].load() for s, d, at in ((1, kinds[0], i * k + q), (2, kinds[1], q * n + j))]
    given = [x.tf32() if name == "tf32" else x.cast(wide) for x in loads]
    program = device.compile(UOp.sink(UOp.param(0, wide, name="c")[i * n + j].store((given[0] * given[1]).sum(q)), name="product"))
    assert "mma.sync" in program.source
    a, b = (np.random.default_rng(s).integers(0 if d is dtypes.u8 else -3, 4, shape).astype(numpy_dtype(d))
            for s, (d, shape) in enumerate(zip(kinds, ((m, k), (k, n)), strict=True)))
    if name == "tf32":
        a = a * np.float32(1 + 2.0**-11)
    c = np.zeros((m, n), numpy_dtype(wide))
    program.execute([c, a, b])
    left = apply(Op.TF32, dtypes.f32, None, a) if name == "tf32" else a.astype(c.dtype)
    np.testing.assert_array_equal(c, left @ b.astype(c.dtype))


@CUDA
@pytest.mark.parametrize("sizes", [(7, 1, 1), (1000, 3, 1), (997, 1, 2), (4096, 2, 2)])
def test_work_items_that_are_counted_directly(device: svod.Device, sizes: tuple[int, int, int]) -> None:
    x, y, z = (UOp.special(SpecialKind.DIRECT, axis, size) for axis, size in enumerate(sizes))
    at = (z * sizes[1] + y) * sizes[0] + x
    out = np.zeros(int(np.prod(sizes)) + 8, np.int32)
    device.compile(UOp.sink(p(0, "out", dtypes.i32)[at].store(at.cast(dtypes.i32) + 1), name="direct")).execute([out])
    np.testing.assert_array_equal(out, [*range(1, int(np.prod(sizes)) + 1), *[0] * 8])


def reversed_dynamic(device: svod.Device, count: int) -> svod.Program:
    """A program that reverses 1024 numbers by dynamic memory of the group."""
    k = Threads("reversed", (1024, 1, 1))
    data = UOp.param(0, dtypes.i32, name="data")
    tile = k.memory(dtypes.i32, 1 << 18, AddrSpace.LOCAL, "tile")
    tile = tile.replace(arg=replace(tile.arg, dynamic=True))
    k.store(tile, k.thread() + (count - 1024), k.load(data, k.thread()))
    k.barrier()
    k.store(data, k.thread(), k.load(tile, count - 1 - k.thread()))
    return device.compile(k.kernel())


@CUDA
def test_dynamic_shared_memory_beyond_what_is_usual(device: svod.Device) -> None:
    most = device.target.limits.shared_bytes
    assert most > 48 << 10
    for nbytes in (4096, most, 8192):
        data = np.arange(1024, dtype=np.int32)
        reversed_dynamic(device, nbytes // 4)(data, _grid_x=1, _grid_y=1, _grid_z=1, _shared_bytes=nbytes)
        np.testing.assert_array_equal(data, np.arange(1024)[::-1])
    with pytest.raises(LaunchError, match=f"asks for {most + 4} bytes of shared memory, .* allows {most}"):
        reversed_dynamic(device, 1024)(np.zeros(1024, np.int32), _grid_x=1, _grid_y=1, _grid_z=1, _shared_bytes=most + 4)


@CUDA
def test_what_kernels_say(device: svod.Device, capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads("talks", (4, 1, 1))
    out = UOp.param(0, dtypes.i32, name="out")
    k.print("item {}", k.thread().cast(dtypes.i32))
    k.store(out, k.thread(), k.thread().cast(dtypes.i32) * 2)
    got = np.zeros(4, np.int32)
    launch(device, k.kernel(), [got], 1)
    assert sorted(capfd.readouterr().out.splitlines()) == [f"item {i}" for i in range(4)]
    np.testing.assert_array_equal(got, [0, 2, 4, 6])


# --- launches ----------------------------------------------------------------------------------------------------------------------------

@CUDA
def test_a_launch_like_one_before_takes_the_short_way(device: svod.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    out, a = pair(device)
    program = device.compile(added("shortcut"))
    program.execute([out, a], [N])
    checks: list[object] = []
    checked = program._checked
    monkeypatch.setattr(program, "_checked", lambda *args: checks.append(args) or checked(*args))
    out.copyin(np.zeros(N, np.float32))
    program.execute([out, a], [N])
    program(out, a, n=N)
    program.execute([out, a], [N], stream=Stream(device), wait=False)
    np.testing.assert_array_equal(out.numpy(), np.arange(N) + 1)
    assert not checks
    for buffers, values in (([out, a], [N - 1]), ([a, out], [N]), ([out.view(1, 9), a], [9]), ([out, np.zeros(N, np.float32)], [N])):
        program.execute(buffers, values)
    assert len(checks) == 4
    program.execute([out, a], [N], global_size=(1, 1, 1))
    for bad in ([True], [float(N)], ["1"]):
        with pytest.raises(LaunchError):
            program.execute([out, a], bad)
    a.free()
    with pytest.raises(ArgumentError, match="freed"):
        program.execute([out, a], [N])


@CUDA
def test_zero_has_a_sign_on_the_short_way_too(device: svod.Device) -> None:
    program = device.compile(UOp.sink(p(0, "out")[0].store(UOp.scalar("v", dtypes.f32)), name="stored"))
    out = svod.Buffer(device, 1, dtypes.f32)
    for _ in range(2):
        for value in (0.0, -0.0, float("inf"), 1, 1.0):
            program.execute([out], [value])
            assert (float(out.numpy()[0]), bool(np.signbit(out.numpy()[0]))) == (value, str(value).startswith("-"))


@CUDA
def test_threads_launch_at_the_same_time(device: svod.Device) -> None:
    program, failed = device.compile(added()), []

    def work(start: int) -> None:
        a = svod.Buffer.from_numpy(np.full(N, start, np.float32), device)
        out = svod.Buffer(device, N, dtypes.f32)
        for _ in range(20):
            program.execute([out, a], [N])
            program.execute([a, out], [N])
        if (a.numpy() != start + 40).any():
            failed.append(start)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


@CUDA
def test_checks_come_before_the_launch(device: svod.Device) -> None:
    program = device.compile(added())
    a, out = np.zeros(10, np.float32), np.zeros(10, np.float32)
    with pytest.raises(ArgumentError, match="needs at least 11 elements"):
        program.execute([out, a], [11])
    with pytest.raises(ArgumentError, match="needs f32, got ndarray of 10 x f64"):
        program.execute([out.astype(np.float64), a], [1])
    with pytest.raises(LaunchError, match="compiled for groups of"):
        program.execute([out, a], [10], local_size=(64, 1, 1))
    with pytest.raises(LaunchError, match="the device allows"):
        program.execute([out, a], [10], local_size=(1 << 20, 1, 1))
    with pytest.raises(ArgumentError, match="is not a svod Buffer"):
        program.execute([out, "text"], [10])


@CUDA
def test_what_a_kernel_takes_of_the_device(device: svod.Device) -> None:
    k = Threads("turned", (128, 1, 1))
    data, tile = UOp.param(0, dtypes.f32, name="data"), k.memory(dtypes.f32, 128, AddrSpace.LOCAL, "tile")
    k.store(tile, k.thread(), k.load(data, k.thread()))
    k.barrier()
    k.store(data, k.thread(), k.load(tile, UOp.const(127, dtypes.index) - k.thread()))
    program = device.compile(k.kernel())
    found = program.resources
    assert found["shared_bytes"] >= 512
    assert found["registers"] > 0
    assert found["work_items"] >= 128
    assert ("groups" in found) == (device.allocator.driver.api.name != "pycuda")
    assert "__shared__ __align__(16) float tile[128];" in program.source


@CUDA
def test_compiled_code_is_shared_by_devices_and_processes(device: svod.Device) -> None:
    assert device.base_key == "CUDA"
    key = device.cache_key(added("cached"))
    device.compile(added("cached"))
    assert svod.device.device.disk_cache().get(key) is not None
    if len([i for i in svod.devices() if i.name.startswith("CUDA")]) == 1:
        with pytest.raises(DeviceUnavailable, match="CUDA:1 does not exist: there is one, CUDA"):
            svod.Device("CUDA:1")
        return
    other = svod.Device("CUDA:1")
    if other.target.key() != device.target.key():
        pytest.skip("the other device is of another kind")
    assert other.cache_key(added("cached")) == key
    a = svod.Buffer.from_numpy(np.arange(N, dtype=np.float32), other)
    out = svod.Buffer(other, N, dtypes.f32)
    other.compile(added("cached")).execute([out, a], [N])
    np.testing.assert_array_equal(out.to(device).numpy(), np.arange(N) + 1)
    with pytest.raises(ArgumentError, match="the buffer is on CUDA:1, and the kernel runs on CUDA"):
        device.compile(added("cached")).execute([out, a], [N])
    with pytest.raises(LaunchError, match="the stream is of another device"):
        device.compile(added()).execute(list(pair(device)), [N], stream=Stream(other))


@CUDA
def test_looking_at_devices_makes_no_context(device: svod.Device) -> None:
    (line, *_) = [i for i in svod.devices() if i.name == "CUDA"]
    assert line.available
    assert {"model", "architecture", "memory", "driver", "through"} <= line.details.keys()


@CUDA
def test_no_context_stays_current_behind_a_call(device: svod.Device) -> None:
    program = device.compile(added())
    current = ctypes.c_void_p(1)
    found: list[object] = []

    def work() -> None:
        program.execute(list(pair(device)), [N])
        ctypes.CDLL("libcuda.so.1").cuCtxGetCurrent(ctypes.byref(current))
        found.append(current.value)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]
