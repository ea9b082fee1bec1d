"""The WEBGPU device: kernels of all kinds agree with the interpreter, buffers are its own, what is wrong is said in the user's terms."""
from __future__ import annotations

import multiprocessing
import sys
import threading
from typing import Any

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod import UOp
from svod.device.specs import CompiledSpec
from svod.device.webgpu import driver as driver_module
from svod.device.webgpu.arithmetic import rounding
from svod.device.webgpu.driver import Driver, all_adapters, reason
from svod.device.webgpu.memory import WebGPUAllocator
from svod.device.webgpu.probe import PROBE
from svod.dtype import AddrSpace, DType, dtypes
from svod.dtype.convert import numpy_dtype
from svod.errors import ArgumentError, CompileError, DeviceError, DeviceUnavailable, LaunchError, OutOfMemory, UnsupportedError
from svod.ir.args import AtomicKind, SpecialKind
from svod.ir.ops import Op
from svod.ir.threads import MAX_DYNAMIC, grid_variable
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads

WEBGPU = pytest.mark.devices("WEBGPU")
GRID = [grid_variable(k).arg.name for k in range(3)]


def launch(device: svod.Device, kernel: UOp, buffers: list[Any], groups: int, **values: Any) -> None:
    """Runs a thread kernel on groups along x."""
    device.compile(kernel).execute(buffers, {**dict(zip(GRID, (groups, 1, 1), strict=True)), **values})


def added() -> UOp:
    """out[i] = a[i] + 1 for i below n."""
    (i,) = axes(UOp.variable("n", 0, 1 << 30))
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + 1.0), name="added")


# --- kernels -------------------------------------------------------------------------------------------------------------------------

@WEBGPU
@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, 1000])
def test_a_loop_kernel_is_a_grid_of_full_groups(device: svod.Device, n: int) -> None:
    program = device.compile(added())
    a, out = np.arange(1000, dtype=np.float32), np.zeros(1000, np.float32)
    program.execute([out, a], [n])
    np.testing.assert_array_equal(out, np.where(np.arange(1000) < n, a + 1, 0))


@WEBGPU
@pytest.mark.parametrize("dtype", [dtypes.i8, dtypes.u16, dtypes.bool, dtypes.bf16, dtypes.f8e4m3], ids=str)
def test_neighbours_of_narrow_elements_stay(device: svod.Device, dtype: svod.DType) -> None:
    i = UOp.special(SpecialKind.DIRECT, 0, UOp.variable("n", 0, 1000))
    out, a = UOp.param(0, dtype, name="out"), UOp.param(1, dtype, name="a")
    kernel = UOp.sink(out[i * 2 + 1].store(a[i].load()), name="every_second")
    raw = np.random.default_rng(1).integers(0, 2 if dtype.is_bool else 256, 64 * dtype.itemsize, dtype=np.uint8)
    kind = svod.dtype.numpy_dtype(dtype)
    data, got = raw.view(kind), raw[::-1].copy().view(kind)
    want = got.copy()
    want[1:27:2] = data[:13]
    device.compile(kernel).execute([got, data], [13])
    np.testing.assert_array_equal(got.view(np.uint8), want.view(np.uint8))


def turned(data: sl.Array[sl.f32]) -> None:
    """Elements of a group in the reverse order."""
    tile = sl.shared_dynamic(sl.f32)
    tile[sl.thread_idx.x] = data[sl.global_id()]
    sl.barrier()
    data[sl.global_id()] = tile[sl.block_dim.x - 1 - sl.thread_idx.x]


def punned(data: sl.Array[sl.f32]) -> None:
    """One memory as two types."""
    sl.shared_dynamic(sl.f32)[0] = data[0]
    sl.barrier()
    data[1] = sl.f32(sl.shared_dynamic(sl.i32)[0])


def small(data: sl.Array[sl.u8]) -> None:
    """Elements that take a word each."""
    sl.shared_dynamic(sl.u8)[0] = data[0]


@WEBGPU
def test_dynamic_shared_memory(device: svod.Device) -> None:
    kernel = sl.kernel(turned).on(device)
    for smem in (256, 1000, 4096):
        x = np.arange(128, dtype=np.float32)
        kernel[2, 64, smem](x)
        np.testing.assert_array_equal(x, np.arange(128).reshape(2, 64)[:, ::-1].ravel())
    if (most := device.target.limits.shared_bytes) < MAX_DYNAMIC:
        with pytest.raises(LaunchError, match=f"the device allows {most} B"):
            kernel[2, 64, most + 4](x)
        with pytest.raises(LaunchError, match=f"asks for {most} bytes of dynamic shared memory, WEBGPU has {most // 4}"):
            sl.kernel(small).on(device)[1, 1, most](np.zeros(4, np.uint8))
    with pytest.raises(UnsupportedError, match="dynamic shared memory of elements of two types has no form in WGSL"):
        sl.kernel(punned).on(device)[1, 1, 256](x)


@WEBGPU
def test_more_groups_than_a_dispatch_takes(device: svod.Device) -> None:
    k = Threads("numbered", (1, 1, 1))
    k.atomic(AtomicKind.ADD, UOp.param(0, dtypes.u32, name="out"), k.block() % 7, UOp.const(1, dtypes.u32))
    out, groups = np.zeros(7, np.uint32), 3 * 65535 + 5
    launch(device, k.kernel(), [out], groups)
    np.testing.assert_array_equal(out, np.bincount(np.arange(groups) % 7))


@WEBGPU
def test_direct_ids(device: svod.Device) -> None:
    i, j = (UOp.special(SpecialKind.DIRECT, axis, UOp.variable(n, 0, 100)) for axis, n in enumerate("mn"))
    kernel = UOp.sink(UOp.param(0, dtypes.i32, name="out")[j * 100 + i].store((i + j * 3).cast(dtypes.i32)), name="plane")
    out = np.full((100, 100), -1, np.int32)
    device.compile(kernel).execute([out], {"m": 70, "n": 5})
    want = np.full((100, 100), -1)
    want[:5, :70] = np.arange(70) + 3 * np.arange(5)[:, None]
    np.testing.assert_array_equal(out, want)


@WEBGPU
def test_scalars_beyond_32_bits(device: svod.Device) -> None:
    (i,) = axes(8)
    bound = UOp.variable("bound", 0, 1 << 40)
    kernel = UOp.sink(p(0, "out", dtypes.bool)[i].store((i + 5) * (1 << 28) < bound), name="compared")
    program, out = device.compile(kernel), np.zeros(8, np.bool_)
    for value in (0, 7, 1 << 30, 9 << 28, 1 << 40):
        program.execute([out], [value])
        np.testing.assert_array_equal(out, (np.arange(8) + 5) * (1 << 28) < value)


@WEBGPU
def test_what_kernels_say(device: svod.Device, capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads("speaking", (4, 1, 1))
    small, flag = UOp.param(0, dtypes.i8, name="small"), UOp.scalar("wide", dtypes.u64)
    value = k.load(small, k.item())
    k.print("{} {} {} {}", k.item(), value, flag, value < 0)
    k.check(value < 3, "{} at {} is too large", value, k.item())
    program = device.compile(k.kernel())
    launch(device, k.kernel(), [np.array([-1, 2, 0, -128], np.int8)], 1, wide=1 << 63)
    assert sorted(capfd.readouterr().out.splitlines()) == [f"{i} {v} {1 << 63} {v < 0}" for i, v in enumerate((-1, 2, 0, -128))]
    with pytest.raises(LaunchError, match="7 at 5 is too large"):
        program.execute([np.array([0, 0, 0, 0, 0, 7, 0, 0], np.int8)], {**dict(zip(GRID, (2, 1, 1), strict=True)), "wide": 0})


# --- buffers -------------------------------------------------------------------------------------------------------------------------

@WEBGPU
def test_buffers_of_the_device_and_views_of_them(device: svod.Device) -> None:
    a = svod.Buffer(device, 1000, dtypes.f32).copyin(np.arange(1000, dtype=np.float32))
    out = svod.Buffer(device, 1000, dtypes.f32).copyin(np.zeros(1000, np.float32))
    program = device.compile(added())
    program.execute([out, a], [1000])
    np.testing.assert_array_equal(out.numpy(), np.arange(1000) + 1)
    program.execute([out.view(7, 10), a.view(500, 10)], [10])
    np.testing.assert_array_equal(out.numpy()[:20], [*range(1, 8), *range(501, 511), 18, 19, 20])
    program.execute([out.view(64, 10), out.view(0, 10)], [10])
    np.testing.assert_array_equal(out.numpy()[64:74], out.numpy()[:10] + 1)
    np.testing.assert_array_equal(a.to("CPU").numpy(), np.arange(1000))
    np.testing.assert_array_equal(a.view(3, 4).to(device).numpy(), [3, 4, 5, 6])


@WEBGPU
def test_copies_of_any_size_to_any_place(device: svod.Device) -> None:
    rng = np.random.default_rng(0)
    block, want = device.allocator.alloc(37), np.zeros(37, np.uint8)
    device.allocator.copyin(block, 0, memoryview(want))
    for _ in range(60):
        start, stop = sorted(int(x) for x in rng.integers(0, 38, 2))
        part = rng.integers(0, 256, stop - start, dtype=np.uint8)
        want[start:stop] = part
        device.allocator.copyin(block, start, memoryview(part))
        found = bytearray(37 - start)
        device.allocator.copyout(memoryview(found), block, start)
        assert bytes(found) == want[start:].tobytes()
    other = device.allocator.alloc(37)
    assert device.allocator.transfer(other, 4, block, 8, 12)
    assert not device.allocator.transfer(other, 4, block, 8, 13)
    assert not device.allocator.transfer(block, 0, block, 8, 4)
    with pytest.raises(svod.errors.BufferError, match="bytes 30 to 40 are not inside a block of 37 bytes"):
        device.allocator.copyin(block, 30, memoryview(bytes(10)))


@WEBGPU
def test_one_array_in_two_places_is_one_array(device: svod.Device) -> None:
    k = Threads("shifted", (8, 1, 1))
    a, b = (UOp.param(i, dtypes.i32, name=n) for i, n in enumerate(("a", "b")))
    k.store(a, k.thread(), k.load(b, k.thread()) * 2)
    x = np.arange(8, dtype=np.int32)
    launch(device, k.kernel(), [x, x], 1)
    np.testing.assert_array_equal(x, np.arange(8) * 2)


@WEBGPU
def test_scalars_of_every_kind(device: svod.Device) -> None:
    kinds = {dtypes.f16: 1.5, dtypes.bf16: -2.5, dtypes.f32: 0.1, dtypes.f64: 0.1, dtypes.bool: True, dtypes.i8: -7, dtypes.u64: 1 << 40}
    for dtype, value in kinds.items():
        kernel = UOp.sink(p(0, "out", dtype)[0].store(UOp.scalar("v", dtype)), name="scalar")
        out, want = (np.zeros(1, svod.dtype.numpy_dtype(dtype)) for _ in range(2))
        device.compile(kernel).execute([out], [value])
        svod.Device("INTERP").compile(kernel).execute([want], [value])
        np.testing.assert_array_equal(out.view(np.uint8), want.view(np.uint8))


@WEBGPU
def test_one_program_in_many_threads(device: svod.Device) -> None:
    program, wrong = device.compile(added()), []

    def work(n: int) -> None:
        a, out = np.full(500, n, np.float32), np.zeros(500, np.float32)
        for _ in range(5):
            program.execute([out, a], [500])
        wrong.extend([n] * bool((out != n + 1).any()))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# --- bad inputs ----------------------------------------------------------------------------------------------------------------------

@WEBGPU
def test_checks_come_before_the_launch(device: svod.Device) -> None:
    program = device.compile(added())
    a, out = np.zeros(10, np.float32), np.zeros(10, np.float32)
    with pytest.raises(ArgumentError, match="needs at least 11 elements"):
        program.execute([out, a], [11])
    with pytest.raises(ArgumentError, match="needs f32, got ndarray of 10 x f64"):
        program.execute([out.astype(np.float64), a], [1])
    with pytest.raises(LaunchError, match=r"compiled for groups of \(128, 1, 1\)"):
        program.execute([out, a], [10], local_size=(64, 1, 1))
    with pytest.raises(LaunchError, match="the device allows"):
        program.execute([out, a], [10], global_size=(1 << 22, 1, 1))


@WEBGPU
def test_a_buffer_of_another_device(device: svod.Device) -> None:
    other = svod.Device.of(svod.Device("OPENCL").backend) if _there("OPENCL") else None
    if other is None:
        pytest.skip("there is no other device with memory of its own")
    x = svod.Buffer(other, 10, dtypes.f32).copyin(np.zeros(10, np.float32))
    with pytest.raises(ArgumentError, match="the buffer is on OPENCL, and the kernel runs on WEBGPU"):
        device.compile(added()).execute([x, x], [10])


def _there(name: str) -> bool:
    try:
        return bool(svod.Device(name))
    except DeviceUnavailable:
        return False


@WEBGPU
def test_too_much_of_everything_is_refused_by_the_limit(device: svod.Device) -> None:
    limits = device.target.limits
    k = Threads("greedy", (8, 1, 1))
    tile = k.memory(dtypes.f32, limits.shared_bytes // 4 + 1, AddrSpace.LOCAL, "tile")
    k.store(tile, k.thread(), UOp.const(1.0, dtypes.f32))
    with pytest.raises(UnsupportedError, match=f"shares {limits.shared_bytes + 4} bytes"):
        device.compile(k.kernel())
    for block, says in (((512, 1, 1), "512 work items along axis 0, webgpu allows 256"), ((32, 16, 1), "groups of 512 work items,")):
        k = Threads("crowded", block)
        k.store(UOp.param(0, dtypes.f32, name="out"), k.thread(), UOp.const(1.0, dtypes.f32))
        with pytest.raises(UnsupportedError, match=says):
            svod.Device.offline("WEBGPU", "baseline").renderer.render(k.kernel())
    (i,) = axes(4)
    total = sum((p(n + 1, f"in{n}")[i].load() for n in range(limits.buffers)), UOp.const(0.0, dtypes.f32))
    with pytest.raises(UnsupportedError, match=f"has {limits.buffers + 1} buffers, webgpu takes {limits.buffers}"):
        device.compile(UOp.sink(p(0, "out")[i].store(total), name="many"))


@WEBGPU
def test_a_buffer_that_cannot_be_bound(device: svod.Device) -> None:
    most = Driver(0, all_adapters()[0]).limit("max-storage-buffer-binding-size")
    if most > 1 << 28:
        pytest.skip(f"this adapter binds {most} bytes")
    x = svod.Buffer(device, most + 4, dtypes.u8)
    with pytest.raises(LaunchError, match=f"lets a kernel see {most} of one") as e:
        device.compile(UOp.sink(p(0, "out", dtypes.u8)[0].store(UOp.const(1, dtypes.u8)), name="one")).execute([x])
    assert "limit max-storage-buffer-binding-size" in str(e.value)


@WEBGPU
def test_a_buffer_too_large(device: svod.Device) -> None:
    with pytest.raises(OutOfMemory, match="no memory for"):
        device.allocator.alloc(1 << 46)


@WEBGPU
@pytest.mark.parametrize("dtype", [dtypes.i64, dtypes.u64, dtypes.f64, dtypes.f32, dtypes.u8], ids=repr)
def test_empty_buffers(device: svod.Device, dtype: DType) -> None:
    """Of the host, of the device, and the empty end of one."""
    if dtype not in device.target.storage:
        pytest.skip(f"the adapter has no {dtype!r}")
    i, j = axes(UOp.variable("m", 0, 99), n := UOp.variable("n", 0, 99))
    out, a = UOp.param(0, dtype, name="out"), UOp.param(1, dtype, name="a")
    program = device.compile(UOp.sink(out[i].store(a[i * n + j].load().sum(j)), name="row_sums"))
    host = numpy_dtype(dtype)
    full = svod.Buffer.from_numpy(np.ones(256, host), device=device)
    for empty in (np.zeros(0, host), svod.Buffer(device, 0, dtype), full.view(256, 0)):
        got = np.ones(4, host)
        program(got, empty, m=3, n=0)
        np.testing.assert_array_equal(got, [0, 0, 0, 1])


@WEBGPU
def test_source_that_does_not_compile_is_shown_with_its_line(device: svod.Device) -> None:
    spec = device.renderer.render(added())
    source = spec.src.replace("+ 1.0", "+ nonesuch")
    with pytest.raises(CompileError, match="refuses the source of kernel 'broken'") as e:
        device.runtime(CompiledSpec("broken", source, b"", spec.ast, spec.meta))
    assert "no definition in scope for identifier: `nonesuch`" in e.value.what
    assert "^^^^^^^^" in e.value.what


@WEBGPU
def test_a_lost_device_is_said_to_be_lost() -> None:
    driver = Driver(0, all_adapters()[0])
    allocator = WebGPUAllocator(driver)
    block = allocator.alloc(64)
    driver.device.destroy()
    for use in (lambda: allocator.alloc(64), lambda: allocator.copyin(block, 0, memoryview(bytes(64))),
                lambda: allocator.copyout(memoryview(bytearray(64)), block, 0)):
        with pytest.raises(DeviceError, match="WEBGPU is lost"):
            use()


@WEBGPU
def test_what_webgpu_lacks_is_refused_by_name(device: svod.Device) -> None:
    k = Threads("narrow", (8, 1, 1))
    k.atomic(AtomicKind.ADD, UOp.param(0, dtypes.u8, name="out"), 0, UOp.const(1, dtypes.u8))
    with pytest.raises(UnsupportedError, match="ATOMIC add of u8 is not available in WGSL"):
        device.compile(k.kernel())


@WEBGPU
def test_a_device_that_is_not_there(device: svod.Device) -> None:
    with pytest.raises(DeviceUnavailable, match="WEBGPU:99 does not exist"):
        svod.Device("WEBGPU:99")


def _inherited() -> str:
    try:
        svod.Device("WEBGPU").allocator.alloc(1 << 20)
    except DeviceError as e:
        return e.what
    return "nothing"


@WEBGPU
@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_device_that_a_fork_inherited(device: svod.Device) -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert "was opened before this process was forked" in pool.apply_async(_inherited).get(30)


# --- the adapter ---------------------------------------------------------------------------------------------------------------------

@WEBGPU
def test_what_is_computed_is_tried() -> None:
    found = rounding(Driver(0, all_adapters()[0]))
    assert found.subnormals
    assert found.iterations == 0 or found.iterations > 1000


@WEBGPU
def test_the_probe_shows_limits(device: svod.Device) -> None:
    line = PROBE.probe()[0]
    assert line.available
    assert {"adapter", "buffers of a kernel", "group", "shared memory", "groups of a dispatch", "binding", "types"} <= line.details.keys()


def test_without_wgpu_the_probe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (line,) = PROBE.probe()
    assert (line.available, line.why) == (False, "wgpu is not installed")
    assert "pip install wgpu" in line.hint
    monkeypatch.setitem(sys.modules, "wgpu", None)
    with pytest.raises(DeviceUnavailable, match="wgpu cannot be loaded") as e:
        PROBE.open(0, "")
    assert "apt-get install mesa-vulkan-drivers" in e.value.hint


def test_whatever_wgpu_raises_the_probe_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise RuntimeError("no loader")

    monkeypatch.setattr("svod.device.webgpu.probe.installed", lambda: True)
    monkeypatch.setattr("svod.device.webgpu.probe.all_adapters", broken)
    (line,) = PROBE.probe()
    assert (line.available, line.why) == (False, "RuntimeError: no loader")
    monkeypatch.setattr("svod.device.webgpu.probe.all_adapters", list)
    assert PROBE.probe()[0].why == "no adapter is there"


def test_a_message_is_what_is_left_of_an_error() -> None:
    text = "Validation Error\n\nCaused by:\n  In wgpuDeviceCreateShaderModule\n\nShader '' parsing error: no\n  ┌─ wgsl:1:2\n"
    assert reason(ValueError(text)) == "Shader '' parsing error: no\n  ┌─ wgsl:1:2"
    assert driver_module.INSTALL


def test_rendering_needs_no_device() -> None:
    assert "@workgroup_size(128, 1, 1)" in svod.Device.offline("WEBGPU").renderer.render(added()).src
    assert dtypes.f64 not in svod.Device.offline("WEBGPU", "baseline").target.arithmetic
    assert svod.Device.offline("WEBGPU").renderer.decompositor["FLOORDIV"] == "compute_in_32_bits, floor_quotient"
    with pytest.raises(DeviceUnavailable, match="no WebGPU architecture"):
        svod.Device.offline("WEBGPU", "gfx1")
    assert Op.MULACC not in svod.Device.offline("WEBGPU").target.native
