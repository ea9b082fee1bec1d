"""Memory of the CUDA device: buffers, pinned memory, arrays of torch, CuPy and others, taken and given without a copy.

Runs on a GPU, and on the emulator of the driver (test_emulated.py).
"""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import svod
from svod import UOp
from svod.device.allocator import AllocOptions
from svod.dtype import dtypes
from svod.errors import ArgumentError, BufferError, OutOfMemory
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads

CUDA = pytest.mark.devices("CUDA")
N = 1000


def added(name: str = "added") -> UOp:
    """out[i] = a[i] + 1 for i below n."""
    (i,) = axes(UOp.variable("n", 0, 1 << 30))
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + 1.0), name=name)


def pair(device: svod.Device) -> tuple[svod.Buffer, svod.Buffer]:
    """out, full of zeros, and a, counting from 0."""
    a = svod.Buffer.from_numpy(np.arange(N, dtype=np.float32), device)
    return svod.Buffer.from_numpy(np.zeros(N, np.float32), device), a


# --- memory --------------------------------------------------------------------------------------------------------------------------

@CUDA
def test_buffers_of_the_device_and_views_of_them(device: svod.Device) -> None:
    out, a = pair(device)
    program = device.compile(added())
    program.execute([out, a], [N])
    np.testing.assert_array_equal(out.numpy(), np.arange(N) + 1)
    program.execute([out.view(7, 10), a.view(500, 10)], [10])
    np.testing.assert_array_equal(out.numpy()[:20], [*range(1, 8), *range(501, 511), 18, 19, 20])
    np.testing.assert_array_equal(a.to("CPU").numpy(), np.arange(N))
    np.testing.assert_array_equal(a.view(3, 4).to(device).numpy(), [3, 4, 5, 6])
    a.view(0, 900).copy_from(a.view(100, 900))
    np.testing.assert_array_equal(a.numpy()[:900], np.arange(100, N))


@CUDA
def test_one_array_in_two_places_is_one_array(device: svod.Device) -> None:
    k = Threads("doubled", (8, 1, 1))
    a, b = (UOp.param(i, dtypes.i32, name=n) for i, n in enumerate(("a", "b")))
    k.store(a, k.thread(), k.load(b, k.thread()) * 2)
    x = np.arange(8, dtype=np.int32)
    device.compile(k.kernel())(x, x, _grid_x=1, _grid_y=1, _grid_z=1)
    np.testing.assert_array_equal(x, np.arange(8) * 2)


@CUDA
def test_scalars_of_every_kind(device: svod.Device) -> None:
    kinds = {dtypes.f16: 1.5, dtypes.bf16: -2.5, dtypes.f32: 0.1, dtypes.f64: 0.1, dtypes.bool: True, dtypes.i8: -7, dtypes.u8: 200,
             dtypes.i16: -300, dtypes.u32: 1 << 31, dtypes.u64: 1 << 63, dtypes.f8e4m3: 1.5, dtypes.f8e5m2: 0.25}
    for dtype, value in kinds.items():
        kernel = UOp.sink(p(0, "out", dtype)[0].store(UOp.scalar("v", dtype)), name="scalar")
        out, want = (np.zeros(1, svod.dtype.numpy_dtype(dtype)) for _ in range(2))
        device.compile(kernel).execute([out], [value])
        svod.Device("INTERP").compile(kernel).execute([want], [value])
        np.testing.assert_array_equal(out.view(np.uint8), want.view(np.uint8))


@CUDA
def test_pinned_memory_is_of_the_host_and_of_the_device(device: svod.Device) -> None:
    x = svod.Buffer(device, N, dtypes.f32, options=AllocOptions(pinned=True))
    x.copyin(np.arange(N, dtype=np.float32))
    out, _ = pair(device)
    device.compile(added())(out, x, n=N)
    np.testing.assert_array_equal(out.numpy(), np.arange(N) + 1)
    device.compile(added())(x, out, n=N)
    shared = x.numpy()
    np.testing.assert_array_equal(shared, np.arange(N) + 2)
    shared[:] = 5
    assert x.copy_from(out).numpy()[3] == 4
    assert (shared[3], out.copy_from(x).numpy()[9]) == (4, 10)
    stream = svod.Stream(device)
    device.compile(added()).execute([x, out], [N], stream=stream, wait=False)
    target = np.zeros(N, np.float32)
    x.copyout(target)
    assert target[9] == 11
    with pytest.raises(BufferError, match="aligns blocks to 256 bytes, not 512"):
        device.allocator.alloc(8, AllocOptions(align=512))


@CUDA
def test_memory_that_was_freed_is_used_again(device: svod.Device) -> None:
    before = device.memory_stats()
    for _ in range(3):
        with svod.Buffer(device, 12345, dtypes.f64) as b:
            b.copyin(np.ones(12345))
    after = device.memory_stats()
    assert after.reuses - before.reuses >= 2
    assert after.live_bytes == before.live_bytes


@CUDA
def test_a_buffer_too_large(device: svod.Device) -> None:
    with pytest.raises(OutOfMemory, match="no memory for"):
        device.allocator.alloc(1 << 46)


# --- arrays of other libraries ---------------------------------------------------------------------------------------------------------

class Elsewhere:
    """An array of another library, in the memory of a Buffer."""

    def __init__(self, buffer: svod.Buffer, **changes: Any) -> None:
        self._held = buffer
        self.__cuda_array_interface__ = buffer.__cuda_array_interface__ | changes


class Producer:
    """The same, that speaks DLPack only."""

    def __init__(self, buffer: svod.Buffer, versioned: bool) -> None:
        self._held, self._versioned = buffer, versioned
        self.asked: list[object] = []

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._held.__dlpack_device__()

    def __dlpack__(self, *, stream: object = None, **more: Any) -> Any:
        self.asked.append(stream)
        if more and not self._versioned:
            raise TypeError("max_version is not known")
        return self._held.__dlpack__(stream=stream, **more)


@CUDA
def test_arrays_with_a_cuda_interface_are_taken_as_they_are(device: svod.Device) -> None:
    out, a = pair(device)
    program = device.compile(added())
    program.execute([Elsewhere(out), Elsewhere(a)], [N])
    np.testing.assert_array_equal(out.numpy(), np.arange(N) + 1)
    interface = a.view(10, 5).__cuda_array_interface__
    assert interface["shape"] == (5,)
    assert interface["data"][0] == a.__cuda_array_interface__["data"][0] + 40
    assert not hasattr(svod.Buffer("CPU", 1, dtypes.f32), "__cuda_array_interface__")
    address = a.__cuda_array_interface__["data"][0]
    for changes, said in (({"shape": (N // 2,), "strides": (8,)}, "contiguous memory"), ({"data": (address, True)}, "it can write"),
                          ({"typestr": "<c8"}, "none that svod has"), ({"mask": 1}, "masked"), ({"typestr": "<i4"}, "needs f32"),
                          ({"shape": (3,)}, "at least 1000 elements"), ({"data": (address + 2, False)}, "multiple of 4")):
        with pytest.raises(ArgumentError, match=said):
            program.execute([Elsewhere(a, **changes), out], [N if "shape" not in changes or said != "contiguous memory" else 2])
    whole = Elsewhere(a, shape=(10, 100), strides=(400, 4))
    program.execute([out, whole], [N])


@CUDA
@pytest.mark.parametrize("versioned", [True, False])
def test_arrays_that_speak_dlpack_are_taken_as_they_are(device: svod.Device, versioned: bool) -> None:
    out, a = pair(device)
    producer = Producer(a, versioned)
    device.compile(added()).execute([out, producer], [N])
    np.testing.assert_array_equal(out.numpy(), np.arange(N) + 1)
    assert producer.asked[-1] == 1
    same = svod.Buffer.from_dlpack(Producer(out, versioned), device)
    assert same.__cuda_array_interface__["data"] == out.__cuda_array_interface__["data"]
    same.copyin(np.full(N, 3, np.float32))
    assert out.numpy()[N - 1] == 3
    del same
    assert out.numpy()[0] == 3


@CUDA
@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_every_type_goes_through_dlpack_and_back(device: svod.Device, dtype: svod.DType) -> None:
    b = svod.Buffer(device, 7, dtype).copyin(np.arange(7 * dtype.itemsize, dtype=np.uint8) % 2)
    back = svod.Buffer.from_dlpack(b, device)
    assert (back.dtype, back.size) == (dtype, 7)
    np.testing.assert_array_equal(back.numpy().view(np.uint8), b.numpy().view(np.uint8))


@CUDA
def test_memory_lives_as_long_as_a_consumer(device: svod.Device) -> None:
    live = device.memory_stats().live_bytes
    b = svod.Buffer.from_numpy(np.arange(999, dtype=np.float32), device)
    taken, unused = svod.Buffer.from_dlpack(b, device), b.__dlpack__()
    b.free()
    assert taken.numpy()[998] == 998
    del taken
    assert device.memory_stats().live_bytes > live
    del unused, b
    assert device.memory_stats().live_bytes == live


@CUDA
def test_what_cannot_be_shared_is_refused(device: svod.Device) -> None:
    out, a = pair(device)
    assert a.__dlpack_device__() == (2, 0)
    with pytest.raises(BufferError, match=r"is on DLPack device \(2, 0\), not \(1, 0\)"):
        a.__dlpack__(dl_device=(1, 0))
    with pytest.raises(BufferError, match="memory of CUDA, which the host cannot reach"):
        svod.Buffer.from_dlpack(a, "CPU")
    a.__dlpack__(stream=2)
    with pytest.raises(ArgumentError, match="is not in host memory"):
        svod.Device("CPU").compile(added()).execute([np.zeros(N, np.float32), a], [N])
    moved = Producer(a, True)
    moved.__dlpack_device__ = lambda: (2, 7)  # type: ignore[method-assign]
    assert device.compile(added()).execute([out, moved], [N]) is None


def library(device: svod.Device, name: str) -> Any:
    """A library that talks to the driver itself, which must be NVIDIA's then."""
    if device.allocator.driver.model.startswith("emulated"):
        pytest.skip(f"{name} needs a GPU")
    return pytest.importorskip(name)


@CUDA
def test_tensors_of_torch_both_ways(device: svod.Device) -> None:
    torch = library(device, "torch")
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    x, out = torch.arange(N, dtype=torch.float32, device="cuda"), torch.zeros(N, device="cuda")
    program = device.compile(added())
    program.execute([out, x], [N])
    assert torch.equal(out, x + 1)
    b = svod.Buffer.from_dlpack(x, device)
    b.copyin(np.full(N, 2, np.float32))
    assert x.sum().item() == 2 * N
    assert torch.from_dlpack(b).data_ptr() == x.data_ptr()
    assert torch.as_tensor(b, device="cuda").data_ptr() == x.data_ptr()
    half = torch.ones(8, dtype=torch.bfloat16, device="cuda")
    assert svod.Buffer.from_dlpack(half, device).dtype is dtypes.bf16
    with pytest.raises(ArgumentError, match="does not share its memory"):
        program.execute([torch.zeros(N, device="cuda", requires_grad=True), x], [N])
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        y = x + 1
        program.execute([out, y], [N], stream=side, wait=False)
        z = out * 2
    side.synchronize()
    assert torch.equal(z, (x + 2) * 2)


@CUDA
def test_arrays_of_cupy_both_ways(device: svod.Device) -> None:
    cupy = library(device, "cupy")
    if not cupy.cuda.is_available():
        pytest.skip("CuPy sees no GPU")
    x, out = cupy.arange(N, dtype=cupy.float32), cupy.zeros(N, dtype=cupy.float32)
    device.compile(added()).execute([out, x], [N])
    assert (out == x + 1).all()
    b = svod.Buffer.from_numpy(np.arange(4, dtype=np.float32), device)
    assert cupy.asarray(b).sum() == 6
    assert cupy.from_dlpack(b).data.ptr == b.__cuda_array_interface__["data"][0]
