"""The OPENCL device: kernels of all kinds agree with the interpreter, buffers are its own, what is wrong is said in the user's terms."""
from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod import UOp
from svod.device.opencl.driver import POCL, all_devices
from svod.device.opencl.probe import PROBE
from svod.device.specs import CompiledSpec
from svod.dtype import AddrSpace, dtypes
from svod.errors import ArgumentError, CompileError, DeviceUnavailable, LaunchError, OutOfMemory, UnsupportedError
from svod.ir.args import AtomicKind
from svod.ir.threads import MAX_DYNAMIC, grid_variable
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads

OPENCL = pytest.mark.devices("OPENCL")
GRID = [grid_variable(k).arg.name for k in range(3)]


def launch(device: svod.Device, kernel: UOp, buffers: list[Any], groups: int, **values: Any) -> None:
    """Runs a thread kernel on groups along x."""
    device.compile(kernel).execute(buffers, {**dict(zip(GRID, (groups, 1, 1), strict=True)), **values})


def added() -> UOp:
    """out[i] = a[i] + 1 for i below n."""
    (i,) = axes(UOp.variable("n", 0, 1 << 30))
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + 1.0), name="added")


# --- kernels -------------------------------------------------------------------------------------------------------------------------

@OPENCL
@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, 1000])
def test_a_loop_kernel_is_a_grid_of_full_groups(device: svod.Device, n: int) -> None:
    program = device.compile(added())
    a, out = np.arange(1000, dtype=np.float32), np.zeros(1000, np.float32)
    assert program.launch_dims([n]).global_size == (-(-n // 128), 1, 1)
    assert program.launch_dims([n]).local_size == (128, 1, 1)
    program.execute([out, a], [n])
    np.testing.assert_array_equal(out, np.where(np.arange(1000) < n, a + 1, 0))


# --- buffers -------------------------------------------------------------------------------------------------------------------------

@OPENCL
def test_buffers_of_the_device_and_views_of_them(device: svod.Device) -> None:
    a = svod.Buffer(device, 1000, dtypes.f32).copyin(np.arange(1000, dtype=np.float32))
    out = svod.Buffer(device, 1000, dtypes.f32).copyin(np.zeros(1000, np.float32))
    program = device.compile(added())
    program.execute([out, a], [1000])
    np.testing.assert_array_equal(out.numpy(), np.arange(1000) + 1)
    program.execute([out.view(7, 10), a.view(500, 10)], [10])
    np.testing.assert_array_equal(out.numpy()[:20], [*range(1, 8), *range(501, 511), 18, 19, 20])
    np.testing.assert_array_equal(a.to("CPU").numpy(), np.arange(1000))
    np.testing.assert_array_equal(a.view(3, 4).to(device).numpy(), [3, 4, 5, 6])


@OPENCL
def test_one_array_in_two_places_is_one_array(device: svod.Device) -> None:
    k = Threads("shifted", (8, 1, 1))
    a, b = (UOp.param(i, dtypes.i32, name=n) for i, n in enumerate(("a", "b")))
    k.store(a, k.thread(), k.load(b, k.thread()) * 2)
    x = np.arange(8, dtype=np.int32)
    launch(device, k.kernel(), [x, x], 1)
    np.testing.assert_array_equal(x, np.arange(8) * 2)


@OPENCL
def test_scalars_of_every_kind(device: svod.Device) -> None:
    kinds = {dtypes.f16: 1.5, dtypes.bf16: -2.5, dtypes.f32: 0.1, dtypes.f64: 0.1, dtypes.bool: True, dtypes.i8: -7, dtypes.u64: 1 << 40}
    for dtype, value in kinds.items():
        v = UOp.scalar("v", dtype)
        kernel = UOp.sink(p(0, "out", dtype)[0].store(v), name="scalar")
        out, want = (np.zeros(1, svod.dtype.numpy_dtype(dtype)) for _ in range(2))
        device.compile(kernel).execute([out], [value])
        svod.Device("INTERP").compile(kernel).execute([want], [value])
        np.testing.assert_array_equal(out.view(np.uint8), want.view(np.uint8))


@OPENCL
def test_a_buffer_too_large(device: svod.Device) -> None:
    with pytest.raises(OutOfMemory, match="no memory for"):
        device.allocator.alloc(1 << 46)


# --- bad inputs ----------------------------------------------------------------------------------------------------------------------

@OPENCL
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
        program.execute([out, a], [10], local_size=(1 << 20, 1, 1))


@OPENCL
def test_too_much_shared_memory(device: svod.Device) -> None:
    k = Threads("greedy", (8, 1, 1))
    most = device.target.limits.shared_bytes
    tile = k.memory(dtypes.u8, most + 1, AddrSpace.LOCAL, "tile")
    k.store(tile, k.thread(), UOp.const(1, dtypes.u8))
    with pytest.raises(UnsupportedError, match=f"shares {most + 1} bytes"):
        device.compile(k.kernel())


@OPENCL
def test_too_much_dynamic_shared_memory(device: svod.Device) -> None:
    k = Threads("greedy", (8, 1, 1))
    own, given = k.memory(dtypes.f32, 8, AddrSpace.LOCAL, "own"), k.memory(dtypes.f32, MAX_DYNAMIC // 4, AddrSpace.LOCAL, "given")
    given = given.replace(arg=replace(given.arg, dynamic=True))
    k.store(own, k.thread(), 1.0)
    k.store(given, k.thread(), k.load(own, k.thread()))
    k.store(UOp.param(0, dtypes.f32, name="out"), k.thread(), k.load(given, k.thread()))
    out, most = np.zeros(8, np.float32), device.target.limits.shared_bytes
    launch(device, k.kernel(), [out], 1, _shared_bytes=32)
    np.testing.assert_array_equal(out, np.ones(8))
    if most > MAX_DYNAMIC + 32 - 4:
        pytest.skip(f"{device.name} has more shared memory than a launch can ask for")
    with pytest.raises(LaunchError, match=f"shares {most + 4} B, {device.name} has {most} B"):
        launch(device, k.kernel(), [out], 1, _shared_bytes=most + 4 - 32)


@OPENCL
def test_source_that_does_not_build_is_shown_with_its_lines(device: svod.Device) -> None:
    spec = device.renderer.render(added())
    source = "__kernel void broken(__global float *out) {\n  out[0] = 1;\n  out[1] = nonesuch;\n}\n"
    broken = CompiledSpec("broken", source, b"", spec.ast, spec.meta)
    with pytest.raises(CompileError, match="nonesuch") as e:
        device.runtime(broken)
    assert "3>   out[1] = nonesuch;" in e.value.what


@OPENCL
def test_what_opencl_lacks_is_refused_by_name(device: svod.Device) -> None:
    k = Threads("narrow", (8, 1, 1))
    k.atomic(AtomicKind.ADD, UOp.param(0, dtypes.u8, name="out"), 0, UOp.const(1, dtypes.u8))
    with pytest.raises(UnsupportedError, match="ATOMIC add of u8 is not available in OpenCL C"):
        device.compile(k.kernel())


@OPENCL
def test_a_device_that_is_not_there(device: svod.Device) -> None:
    with pytest.raises(DeviceUnavailable, match="OPENCL:99 does not exist"):
        svod.Device("OPENCL:99")


def test_without_pyopencl_the_probe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (line,) = PROBE.probe()
    assert (line.available, line.why) == (False, "pyopencl is not installed")
    assert "pip install pyopencl" in line.hint
    monkeypatch.setitem(sys.modules, "pyopencl", None)
    with pytest.raises(DeviceUnavailable, match="pyopencl cannot be loaded") as e:
        PROBE.open(0, "")
    assert "pip install pyopencl" in e.value.hint


def test_rendering_needs_no_device() -> None:
    offline = svod.Device.offline("OPENCL")
    source = offline.renderer.render(added()).src
    assert "reqd_work_group_size(128, 1, 1)" in source
    assert "if (" in source
    with pytest.raises(DeviceUnavailable, match="no OpenCL architecture"):
        svod.Device.offline("OPENCL", "gfx1")


# --- the disk cache ------------------------------------------------------------------------------------------------------------------

AGAIN = """
import numpy as np
import svod
from svod.device.opencl.runner import OpenCLCompiler
from svod.testing.threads import Threads
from svod.ir.uop import UOp
built, build = [], OpenCLCompiler.build
OpenCLCompiler.build = lambda self, *args: built.append(1) or build(self, *args)
k = Threads("again", (4, 1, 1))
k.store(UOp.param(0, svod.dtypes.i32, name="a"), k.thread(), k.thread().cast(svod.dtypes.i32) + 5)
k.print("item {}", k.thread())
a = np.zeros(4, np.int32)
svod.Device("OPENCL").compile(k.kernel())(a, _grid_x=1, _grid_y=1, _grid_z=1)
print(len(built), a.tolist())
"""


def binaries(device: svod.Device) -> None:
    """Skips where the driver keeps what it compiled itself."""
    if all_devices()[0].platform.name == POCL:
        pytest.skip(f"{device.name}: PoCL keeps what it compiled in a cache of its own")


@OPENCL
def test_a_binary_in_the_disk_cache_is_not_built_again(device: svod.Device, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    binaries(device)
    monkeypatch.setenv("SVOD_CACHE_DIR", str(tmp_path))
    runs = [subprocess.run([sys.executable, "-c", AGAIN], text=True, capture_output=True, check=True, timeout=60).stdout for _ in range(2)]
    lines = "".join(f"item {i}\n" for i in range(4))
    assert [r.splitlines()[-1] for r in runs] == ["1 [5, 6, 7, 8]", "0 [5, 6, 7, 8]"]
    assert all(sorted(r.splitlines()[:4]) == lines.splitlines() for r in runs)


@OPENCL
def test_a_binary_that_the_driver_refuses_is_a_miss(device: svod.Device) -> None:
    binaries(device)
    load = device.backend.load
    assert load is not None
    spec = device.compile(added()).spec
    program, made = load(spec, b"made by another driver")
    a, out = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    program.execute([out, a], [8])
    np.testing.assert_array_equal(out, a + 1)
    assert made
    again, kept = load(spec, made)
    assert kept is made
    out[:] = 0
    again.execute([out, a], [8])
    np.testing.assert_array_equal(out, a + 1)


@sl.kernel
def rows_of_halves(b: sl.Array[sl.f16, 2], out: sl.Array[sl.f32]) -> None:
    t = sl.thread_idx.x
    rows = sl.shared((4, 32), sl.f16)
    for i in sl.static_range(4):
        rows[i, t] = b[i, t]
    sl.barrier()
    total = sl.f32(0)
    for k in range(4):
        x = sl.f32(rows[k, t])
        total += x * sl.f32(rows[k, 0]) + x * sl.f32(rows[k, 1])
    out[t] = total


@OPENCL
def test_halves_behind_a_barrier_are_those_of_each_work_item(device: svod.Device) -> None:
    b, out = np.arange(128).reshape(4, 32).astype(np.float16), np.zeros(32, np.float32)
    rows_of_halves.on(device)[1, 32](b, out)
    wide = b.astype(np.float32)
    np.testing.assert_array_equal(out, (wide * wide[:, :1] + wide * wide[:, 1:2]).sum(0))


@OPENCL
@pytest.mark.parametrize("n", [32_768, 65_537])
def test_reductions_beside_one_another(device: svod.Device, n: int) -> None:
    """Several of everything, also into one array, and one that what follows needs."""
    i, data = UOp.range(n, 0), np.random.default_rng(1).random(n, np.float32)
    out, two, a = (UOp.param(k, dtypes.f32, name=s) for k, s in enumerate(("out", "two", "a")))
    x = a[i].load()
    kernel = UOp.sink(two[0].store(x.sum(i)), out[i].store(x + x.min(i)), two[1].store(x.max(i)), name="beside")
    got, both = np.zeros(n, np.float32), np.zeros(2, np.float32)
    program = device.compile(kernel)
    program.execute([got, both, data])
    assert "groups of 1 x 1 x 1" not in program.source
    np.testing.assert_array_equal(got, data + data.min())
    np.testing.assert_allclose(both, [data.sum(dtype=np.float64), data.max()], rtol=1e-5)
