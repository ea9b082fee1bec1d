"""Kernels as objects: the decorator, launches and their sizes."""
from __future__ import annotations

import inspect
import types

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod.device.device import Device
from svod.errors import ArgumentError, KernelError, LaunchError
from svod.lang.kernels import Kernel, kernel

F32 = np.float32


@kernel
def add(a: sl.Array[sl.f32], b: sl.Array[sl.f32], out: sl.Array[sl.f32], n: sl.i32) -> None:
    """Adds two arrays."""
    i = sl.global_id(0)
    if i < n:
        out[i] = a[i] + b[i]


@kernel
def fill(out: sl.Array[sl.f32], value: sl.Constexpr = 1) -> None:
    out[sl.global_id(0)] = sl.f32(value)


@kernel
def coordinates(out: sl.Array[sl.i32, 3]) -> None:
    x, y, z = sl.global_id(0), sl.global_id(1), sl.global_id(2)
    out[z, y, x] = out[z, y, x] + sl.i32(x + 100 * y + 10000 * z)


@kernel
def count_items(out: sl.Array[sl.i32]) -> None:
    sl.atomic_add(out, 0, 1)


def arrays(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.arange(n, dtype=F32), np.ones(n, F32), np.zeros(n, F32)


# --- the decorator -----------------------------------------------------------------------------------------------------------------

def test_the_decorator_with_and_without_parentheses() -> None:
    def body(out: sl.Array[sl.f32]) -> None:
        """Says so."""
        out[0] = 1.0

    for made in (kernel(body), kernel()(body), kernel(name="other", subgroup=64, device="INTERP")(body)):
        assert isinstance(made, Kernel)
        assert (made.__name__, made.__doc__, made.__module__) == ("body", "Says so.", __name__)
        assert inspect.signature(made) == inspect.signature(body)
        assert made.function is body
    assert (made.name, made.subgroup, made.device) == ("other", 64, "INTERP")
    assert repr(add).startswith("<kernel add(a:")


def test_what_is_no_kernel_is_refused() -> None:
    with pytest.raises(KernelError, match="functions"):
        kernel(3)  # type: ignore[call-overload]
    with pytest.raises(KernelError, match="subgroup of 3"):
        kernel(subgroup=3)(add.function)
    with pytest.raises(KernelError, match="type annotations"):
        kernel(lambda a: None)


def test_a_direct_call_says_what_to_write() -> None:
    with pytest.raises(LaunchError, match="can only be called inside @jit function") as e:
        add(*arrays(4), 4)
    assert "add[grid, block]" in str(e.value)


def test_a_kernel_called_in_a_kernel_is_part_of_it(device: Device) -> None:
    @kernel
    def twice(a: sl.Array[sl.f32], out: sl.Array[sl.f32], n: sl.i32) -> None:
        add(a, a, out, n)

    a, _, out = arrays(100)
    twice.on(device)[1, 128](a, out, 100)
    assert np.array_equal(out, a * 2)


# --- launches ----------------------------------------------------------------------------------------------------------------------

@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize(("grid", "block"), [
    (4, 32), ((4,), (32,)), ([4], [32, 1]), ((4, 1, 1), np.int64(32)), (np.array([4]), (32, 1, 1)),
])
def test_sizes_in_every_form(device: Device, grid: object, block: object) -> None:
    a, b, out = arrays(100)
    add.on(device)[grid, block](a, b, out, 100)
    assert np.array_equal(out, a + b)


@pytest.mark.devices("CPU", "INTERP")
def test_three_axes(device: Device) -> None:
    out = np.zeros((4, 6, 8), np.int32)
    coordinates.on(device)[(2, 3, 4), (4, 2, 1)](out)
    z, y, x = np.meshgrid(np.arange(4), np.arange(6), np.arange(8), indexing="ij")
    assert np.array_equal(out, x + 100 * y + 10000 * z)


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("sizes", [(1, 1), (8, 4), ((2, 3, 4), (2, 1, 3)), (1, (4, 4))])
def test_items_that_use_no_id_are_all_there(device: Device, sizes: tuple[object, object]) -> None:
    """Nothing in the kernel depends on the grid; every work item still runs."""
    out = np.zeros(1, np.int32)
    for _ in range(2):
        count_items.on(device)[sizes](out)
    assert out[0] == 2 * int(np.prod(sizes[0]) * np.prod(sizes[1]))


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("n", [1, 255, 256, 257, 1000])
def test_a_count_of_work_items(device: Device, n: int) -> None:
    out = np.zeros(n + 5, F32)
    fill.on(device).launch(out, threads=n)
    assert (out[:n] == 1).all()
    assert (out[n:] == 0).all()
    items = np.zeros(1, np.int32)
    count_items.on(device).launch(items, threads=n, block=7)
    assert items[0] == n


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("block", [None, (4, 4, 1), (8, 1)])
def test_counts_along_several_axes(device: Device, block: object) -> None:
    for shape in ((3, 5, 7), (1, 9, 2)):
        out = np.zeros(shape, np.int32)
        coordinates.on(device).launch(out, threads=shape[::-1], block=block)
        z, y, x = np.meshgrid(*map(np.arange, shape), indexing="ij")
        assert np.array_equal(out, x + 100 * y + 10000 * z)
    items = np.zeros(1, np.int32)
    count_items.on(device).launch(items, threads=(5, 9))
    assert items[0] == 45


def test_a_count_needs_a_kernel_without_barrier() -> None:
    @kernel
    def waits(out: sl.Array[sl.f32]) -> None:
        sl.barrier()
        out[0] = 1.0

    for threads in (10, (10, 10)):
        with pytest.raises(KernelError, match="barrier"):
            waits.launch(np.zeros(1, F32), threads=threads)


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("sizes", [(0, 32), (4, 0), ((4, 0), 32), (4, (32, 0))])
def test_a_size_of_zero_runs_nothing(device: Device, sizes: tuple[object, object]) -> None:
    a, b, out = arrays(8)
    add.on(device)[sizes](a, b, out, 8)
    add.on(device).launch(a, b, out, 8, threads=0)
    add.on(device)[sizes[0], 4].prepare(a, b, out, 0)()
    assert not out.any()
    with pytest.raises(ArgumentError, match="out"):
        add.on(device)[sizes](a, b, out.astype(np.float64), 8)


@pytest.mark.parametrize(("sizes", "says"), [
    ((-1, 32), "grid of kernel 'add' is -1"), ((1, -32), "block of kernel 'add' is -32"), (((1, -2), 32), "negative"),
    ((1.0, 32), "whole number"), ((1, 32.0), "whole number"), ((True, 32), "whole number"), ((1, "32"), "whole number"),
    (((), 32), "0 axes"), (((1, 1, 1, 1), 32), "4 axes"), ((1, (1, 2, 3, 4)), "4 axes"), ((None, 4), "whole number"),
    ((1, 1025), "1025 work items along axis 0, the device allows 1024"), ((1, (64, 64)), "4096 work items"),
    ((1, (1, 1, 65)), "along axis 2"), ((1 << 31, 1), "groups along axis 0"), (((1, 1 << 31), 1), "groups along axis 1"),
])
def test_sizes_that_make_no_sense(sizes: tuple[object, object], says: str) -> None:
    a, b, out = arrays(8)
    add[1, 32](a, b, out, 8)
    out[:] = 0
    with pytest.raises(LaunchError, match=says):
        add[sizes](a, b, out, 8)
    assert not out.any()


def test_a_launch_needs_grid_and_block() -> None:
    for key in (4, (4,), (1, 2, 3, None, 5)):
        with pytest.raises(LaunchError, match=r"write add\[grid, block\]"):
            add[key]
    with pytest.raises(LaunchError, match="counts work items along 1"):
        add.launch(*arrays(4), 4, threads=4, block=(2, 2))
    with pytest.raises(LaunchError, match="threads of kernel 'add' is -1"):
        add.launch(*arrays(4), 4, threads=-1)


def test_shared_memory_and_stream_of_a_launch() -> None:
    a, b, out = arrays(8)
    for stream in (None, 0, 7, sl.Stream(None), types.SimpleNamespace(cuda_stream=7)):
        add[1, 32, 64, stream](a, b, out, 8)
    assert out.any()
    with pytest.raises(LaunchError, match="shared memory"):
        add[1, 32, 1 << 40](a, b, out, 8)
    for smem in (-1, 1.5, "x", True):
        with pytest.raises(LaunchError, match="smem"):
            add[1, 32, smem]


def test_where_a_kernel_runs() -> None:
    a, b, out = arrays(8)
    n = add.traces
    with Device.default("INTERP"):
        add[1, 32](a, b, out, 8)
    assert add.last.request.device == "INTERP"
    with svod.override(device="interp"):
        add[1, 32](a, b, out, 8)
        add[1, 32](a, b, out, 8)
    assert add.on("interp") is add.on("INTERP") is add.on(Device("INTERP"))
    add[1, 32](a, b, out, 8)
    kernel(device="INTERP")(add.function)[1, 8](a, b, out, 8)
    assert add.traces > n
    with pytest.raises(svod.errors.DeviceUnavailable):
        add.on("NOWHERE")


def test_the_device_is_that_of_the_buffers() -> None:
    a, b, out = (svod.Buffer.from_numpy(x, "INTERP") for x in arrays(50))
    k = kernel(add.function)
    k[2, 32](a, b, out, 50)
    assert k.last.request.device == "INTERP"
    assert np.array_equal(out.numpy(), a.numpy() + 1)
    with pytest.raises(LaunchError, match="are on INTERP and CPU"):
        k[2, 32](a, svod.Buffer("CPU", 50, svod.dtypes.f32), out, 50)
    k[2, 32](*arrays(50), 50)
    assert k.last.request.device == "CPU"


def test_a_launch_needs_work_items_and_groups_of_some() -> None:
    out = np.zeros(4, F32)
    with pytest.raises(LaunchError, match=r"without a number of work items(.|\n)*threads=n"):
        fill.launch(out)
    with pytest.raises(LaunchError, match="cannot run 4 work items in groups of 0"):
        fill.launch(out, threads=4, block=0)
    assert not out.any()
