"""Streams, events and graphs of the CUDA device: what is done in which order, what is kept until it is done, what is refused.

Runs on a GPU, and on the emulator of the driver (test_emulated.py), which puts off what is in a stream for as long as it may.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod import UOp
from svod.device.allocator import AllocOptions
from svod.device.stream import Graph, Stream
from svod.dtype import dtypes
from svod.errors import LaunchError
from svod.ir.threads import grid_variable
from svod.testing.kernels import axes, p
from svod.testing.phases import GROUPS, ITEMS, handed_round
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


# --- streams, events, graphs -----------------------------------------------------------------------------------------------------------

@CUDA
def test_launches_of_a_stream_are_done_in_their_order(device: svod.Device) -> None:
    stream, program = Stream(device), device.compile(added())
    a, b = pair(device)
    b.copyin(np.zeros(N, np.float32))
    for _ in range(5):
        program.execute([a, b], [N], stream=stream, wait=False)
        program.execute([b, a], [N], stream=stream, wait=False)
    stream.synchronize()
    assert (b.numpy() == 10).all()
    assert stream.handle > 2
    assert "Stream 0x" in repr(stream)


@CUDA
def test_the_default_stream_comes_after_all_others(device: svod.Device) -> None:
    stream, program = Stream(device), device.compile(added())
    a, b = pair(device)
    program.execute([a, b], [N], stream=stream, wait=False)
    program.execute([b, a], [N], wait=False)
    np.testing.assert_array_equal(b.numpy(), np.arange(N) + 2)


@CUDA
def test_one_stream_waits_for_an_event_of_another(device: svod.Device) -> None:
    first, second, program = Stream(device), Stream(device), device.compile(added())
    a, b = pair(device)
    c = svod.Buffer(device, N, dtypes.f32)
    program.execute([a, b], [N], stream=first, wait=False)
    event = first.record()
    second.wait(event)
    program.execute([c, a], [N], stream=second, wait=False)
    end = second.record()
    end.synchronize()
    assert event.done
    assert end.done
    assert end.since(event) >= 0
    np.testing.assert_array_equal(c.numpy(), np.arange(N) + 2)


@CUDA
def test_inside_of_a_stream_nothing_is_waited_for(device: svod.Device) -> None:
    a, b = pair(device)
    program, host = device.compile(added()), np.zeros(N, np.float32)
    with Stream(device) as stream:
        for _ in range(3):
            program(a, b, n=N)
            program.execute([b, a], [N])
        program(host, b, n=N)
        assert host[1] == 8
    stream.synchronize()
    np.testing.assert_array_equal(b.numpy(), np.arange(N) + 6)


@CUDA
def test_memory_of_a_launch_is_not_given_to_others_before_it_is_done(device: svod.Device) -> None:
    stream, program = Stream(device), device.compile(added())
    out = svod.Buffer(device, N, dtypes.f32)
    a = svod.Buffer.from_numpy(np.ones(N, np.float32), device)
    program.execute([out, a], [N], stream=stream, wait=False)
    address = a.block.handle.place
    a.free()
    del a
    other = svod.Buffer.from_numpy(np.full(N, 9, np.float32), device)
    assert other.block.handle.place != address
    stream.synchronize()
    assert (out.numpy() == 2).all()


@CUDA
def test_a_stream_that_goes_is_waited_for(device: svod.Device) -> None:
    out = svod.Buffer(device, N, dtypes.f32)
    a = svod.Buffer.from_numpy(np.ones(N, np.float32), device)
    with Stream(device):
        device.compile(added()).execute([out, a], [N])
    a.free()
    other = Stream(device)
    b = svod.Buffer.from_numpy(np.full(N, 9, np.float32), device)
    device.compile(added()).execute([b, out], [N], stream=other, wait=False)
    other.synchronize()
    assert (out.numpy() == 2).all()
    assert (b.numpy() == 3).all()


@CUDA
def test_a_thousand_launches_may_be_under_way(device: svod.Device) -> None:
    stream, program = Stream(device), device.compile(added())
    a, b = pair(device)
    for _ in range(600):
        program.execute([a, b], [N], stream=stream, wait=False)
        program.execute([b, a], [N], stream=stream, wait=False)
    stream.synchronize()
    assert b.numpy()[0] == 1200


@CUDA
def test_copies_in_a_stream_are_not_waited_for(device: svod.Device) -> None:
    """Up from pinned memory, a launch, down into pinned memory: in order, and all of it under way."""
    options = AllocOptions(pinned=True)
    up, down = (svod.Buffer(device, N, dtypes.f32, options=options) for _ in range(2))
    up.numpy()[:], down.numpy()[:] = np.arange(N), -1
    out, a = (svod.Buffer(device, N, dtypes.f32) for _ in range(2))
    program = device.compile(added())
    with Stream(device) as s:
        a.copy_from(up)
        program.execute([out, a], [N])
        down.copy_from(out)
        out.copy_from(a)
        event = s.record()
    event.synchronize()
    np.testing.assert_array_equal(down.numpy(), np.arange(N) + 1)
    np.testing.assert_array_equal(out.numpy(), np.arange(N))


@CUDA
def test_buffers_of_a_copy_are_kept_until_it_is_done(device: svod.Device) -> None:
    up, a = svod.Buffer(device, N, dtypes.f32, options=AllocOptions(pinned=True)), svod.Buffer(device, N, dtypes.f32)
    up.numpy()[:] = 3
    with Stream(device) as s:
        a.copy_from(up)
        up.free()
    again = svod.Buffer(device, N, dtypes.f32, options=AllocOptions(pinned=True))
    again.numpy()[:] = 7
    s.synchronize()
    assert set(a.numpy().tolist()) == {3}


@CUDA
def test_copies_are_part_of_a_graph(device: svod.Device) -> None:
    out, a = pair(device)
    b = svod.Buffer(device, N, dtypes.f32)
    program = device.compile(added())
    graphs(device)
    with Graph(device) as graph:
        program.execute([out, a], [N])
        b.copy_from(out)
    for k in range(2):
        a.copyin(np.full(N, k, np.float32))
        graph.launch()
        assert set(b.numpy().tolist()) == {k + 1}


@CUDA
def test_what_is_no_stream_is_refused(device: svod.Device) -> None:
    out, a = pair(device)
    program = device.compile(added())
    for wrong in ("s", 1.5, True, -3):
        with pytest.raises(LaunchError, match="is no stream"):
            program.execute([out, a], [N], stream=wrong)
    with pytest.raises(LaunchError, match="the stream is of another device"):
        program.execute([out, a], [N], stream=Stream("CPU"))
    for default in (0, 1, 3, 3, 7):
        program.execute([out, a], [N], stream=default)
    np.testing.assert_array_equal(out.numpy(), np.arange(N) + 1)


@CUDA
def test_streams_of_other_libraries(device: svod.Device) -> None:
    stream, program = Stream(device), device.compile(added())
    a, b = pair(device)

    class Torch:
        cuda_stream = stream.handle

    class Cupy:
        ptr = stream.handle

    class Protocol:
        def __cuda_stream__(self) -> tuple[int, int]:
            return (0, stream.handle)

    if not device.allocator.driver.api.foreign_streams:
        with pytest.raises(LaunchError, match="pycuda cannot use a stream of another library"):
            program.execute([a, b], [N], stream=Torch())
        return
    for given in (Torch(), Cupy(), Protocol(), stream.handle):
        program.execute([a, b], [N], stream=given, wait=False)
        program.execute([b, a], [N], stream=given, wait=False)
    host = np.zeros(N, np.float32)
    program.execute([host, b], [N], stream=Torch())
    np.testing.assert_array_equal(host, np.arange(N) + 9)


@sl.kernel
def increased(a: sl.Array[sl.f32], out: sl.Array[sl.f32]) -> None:
    i = sl.global_id()
    if i < len(out):
        out[i] = a[i] + 1.0


@CUDA
def test_kernels_of_the_language_in_streams_and_graphs(device: svod.Device) -> None:
    a, b = pair(device)
    stream, kernel = Stream(device), increased.on(device)
    launch = kernel[8, 128, 0, stream]
    for _ in range(3):
        launch(b, a)
        launch(a, b)
    again = launch.prepare(b, a)
    again()
    kernel[8, 128, 0, sl.Stream(None)](a, b)
    kernel[8, 128, 0, sl.Stream(stream)](b, a)
    kernel[8, 128](a, b)
    np.testing.assert_array_equal(b.numpy(), np.arange(N) + 10)
    if device.allocator.driver.api.foreign_streams:
        kernel[8, 128, 0, sl.Stream(stream.handle)](b, a)
        stream.synchronize()
        np.testing.assert_array_equal(a.numpy(), np.arange(N) + 11)
    on_cpu = np.zeros(4, np.float32)
    increased.on("CPU")[1, 4, 0, stream](np.ones(4, np.float32), on_cpu)
    assert (on_cpu == 2).all()


@CUDA
def test_what_an_assertion_says_waits_for_who_synchronizes(device: svod.Device) -> None:
    k = Threads("strict", (8, 1, 1))
    out = UOp.param(0, dtypes.i32, name="out")
    k.check(k.thread() < 5, "item {} is too large", k.thread().cast(dtypes.i32))
    k.store(out, k.thread(), UOp.const(1, dtypes.i32))
    got = svod.Buffer(device, 8, dtypes.i32)
    with pytest.raises(LaunchError, match="is too large"):
        launch(device, k.kernel(), [got], 1)
    assert got.numpy()[4] == 1
    launch(device, added_one(), [got], 1)


def added_one() -> UOp:
    """out += 1."""
    k = Threads("increased", (8, 1, 1))
    out = UOp.param(0, dtypes.i32, name="out")
    k.store(out, k.thread(), k.load(out, k.thread()) + 1)
    return k.kernel()


def graphs(device: svod.Device) -> None:
    """Skips where the driver is called through something that has no graphs."""
    if not device.allocator.driver.api.graphs:
        pytest.skip("pycuda has no graphs")


@CUDA
def test_a_graph_runs_a_sequence_as_often_as_it_is_told(device: svod.Device) -> None:
    graphs(device)
    a, b = pair(device)
    program = device.compile(added())
    with Graph(device) as graph:
        program(a, b, n=N)
        program(b, a, n=N)
    np.testing.assert_array_equal(b.numpy(), np.arange(N))
    graph.launch()
    np.testing.assert_array_equal(b.numpy(), np.arange(N) + 2)
    stream = Stream(device)
    for _ in range(3):
        graph.launch(stream, wait=False)
    stream.synchronize()
    np.testing.assert_array_equal(b.numpy(), np.arange(N) + 8)
    place, again = a.block.handle.place, None
    del a
    again = svod.Buffer(device, N, dtypes.f32)
    assert again.block.handle.place != place
    graph.launch()
    np.testing.assert_array_equal(b.numpy(), np.arange(N) + 10)


@CUDA
def test_what_cannot_be_part_of_a_graph(device: svod.Device) -> None:
    graphs(device)
    a, b = pair(device)
    program = device.compile(added())
    graph = Graph(device)
    with pytest.raises(LaunchError, match="holds nothing that can run"):
        graph.launch()
    with graph:
        with pytest.raises(LaunchError, match="takes an array of the host, which cannot be part of a graph"):
            program(a, np.zeros(N, np.float32), n=N)
        program(a, b, n=N)
    with pytest.raises(LaunchError, match="a graph is written once"), graph:
        pass
    graph.launch()
    np.testing.assert_array_equal(a.numpy(), np.arange(N) + 1)
    broken = Graph(device)
    with pytest.raises(ZeroDivisionError), broken:
        raise ZeroDivisionError
    with pytest.raises(LaunchError, match="holds nothing"):
        broken.launch()


@CUDA
def test_a_stream_that_waits_for_nobody_waits_for_copies_to_the_device(device: svod.Device) -> None:
    if not device.allocator.driver.api.foreign_streams:
        pytest.skip("pycuda cannot use a stream of another library")
    driver = device.allocator.driver
    apart = driver.call("a stream", driver.api.stream, False)
    number, program = int(apart), device.compile(added())
    for value in (3, 4):
        a = svod.Buffer.from_numpy(np.full(N, value, np.float32), device)
        b, out = a.to(device), svod.Buffer(device, N, dtypes.f32)
        program.execute([out, b], [N], stream=number, wait=False)
        driver.call("waiting", driver.api.synchronize, apart)
        assert (out.numpy() == value + 1).all()


# --- kernels of several phases -------------------------------------------------------------------------------------------------------

@CUDA
def test_phases_in_two_streams_share_nothing(device: svod.Device) -> None:
    program, many = device.compile(handed_round()), GROUPS * ITEMS
    streams = [Stream(device) for _ in range(2)]
    inputs = [np.arange(many, dtype=np.float32) + k for k in range(6)]
    made = [(svod.Buffer(device, many, dtypes.f32), svod.Buffer.from_numpy(a, device)) for a in inputs]
    for k, (out, a) in enumerate(made):
        program.execute([out, a], [], stream=streams[k % 2], wait=False)
    for s in streams:
        s.synchronize()
    for (out, _), a in zip(made, inputs, strict=True):
        np.testing.assert_array_equal(out.numpy(), a[::-1] * 2 + np.arange(many) % 2)


@CUDA
def test_phases_in_a_graph(device: svod.Device) -> None:
    graphs(device)
    program, many = device.compile(handed_round()), GROUPS * ITEMS
    a = np.arange(many, dtype=np.float32)
    x, y, z = (svod.Buffer.from_numpy(a, device) for _ in range(3))
    with Graph(device) as graph:
        program(y, x)
        program(z, y)
    odd = np.arange(many, dtype=np.float32) % 2
    for k in range(3):
        x.copyin(a + np.float32(k))
        graph.launch()
        once = (a + np.float32(k))[::-1] * 2 + odd
        np.testing.assert_array_equal(z.numpy(), once[::-1] * 2 + odd)


@CUDA
def test_what_a_kernel_of_several_phases_takes(device: svod.Device) -> None:
    found = device.compile(handed_round()).resources
    assert found["work_items"] >= ITEMS
    assert found["registers"] >= 0
