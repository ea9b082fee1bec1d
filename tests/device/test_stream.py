"""Streams on any device, and the stream of a context. What streams of a driver do is tested there (cuda)."""
from __future__ import annotations

import threading

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod import UOp, dtypes
from svod.device.stream import current_stream, in_stream
from svod.errors import DeviceUnavailable, LaunchError


def added() -> UOp:
    i = UOp.range(UOp.variable("n", 0, 100), 0)
    out, a = UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="a")
    return UOp.sink(out[i].store(a[i].load() + 1), name="added")


@sl.kernel
def tripled(data: sl.Array[sl.f32]) -> None:
    data[sl.global_id(0)] *= 3


@pytest.mark.devices("CPU", "INTERP")
def test_streams_and_events_order_launches(device: svod.Device) -> None:
    """The same code wherever it runs; on devices that wait for each launch nothing is ever under way."""
    program, data = device.compile(added()), svod.Buffer.from_numpy(np.ones(8, np.float32), device=device)
    first, second = svod.Stream(device), svod.Stream(device.name)
    before = first.record()
    program.execute([data, data], [8], stream=first, wait=False)
    event = first.record()
    second.wait(event)
    tripled.on(device)[1, 8, 0, second](data)
    with second:
        program.execute([data, data], [8], wait=False)
    second.synchronize()
    event.synchronize()
    assert event.done
    assert event.since(before) >= 0
    assert device.name in repr(svod.Stream(device)) or "0x" in repr(svod.Stream(device))
    np.testing.assert_array_equal(data.numpy(), np.full(8, 7, np.float32))


@pytest.mark.devices("CPU")
def test_what_such_a_device_has_not_is_refused(device: svod.Device) -> None:
    for given in (device, device.name):
        with pytest.raises(DeviceUnavailable, match=f"{device.name} has no graphs\n  hint: launch the kernels themselves"):
            svod.Graph(given)
    with pytest.raises(DeviceUnavailable, match=f"streams of {device.name} have no handle"):
        _ = svod.Stream(device).handle
    with pytest.raises(LaunchError, match="done when they return, 1 was given"):
        device.compile(added()).execute([np.ones(8, np.float32)] * 2, [8], stream=1)


@pytest.mark.devices("CPU", "INTERP")
def test_what_is_no_event_and_no_device_is_refused(device: svod.Device) -> None:
    stream = svod.Stream(device)
    for wrong in (None, "x", stream):
        with pytest.raises(LaunchError, match=r"is no event\n  hint: event = stream\.record\(\)"):
            stream.wait(wrong)  # type: ignore[arg-type]
        with pytest.raises(LaunchError, match="is no event"):
            stream.record().since(wrong)  # type: ignore[arg-type]
    with pytest.raises(DeviceUnavailable, match="3 is no device"):
        svod.Stream(3)  # type: ignore[arg-type]


def test_the_stream_of_a_context() -> None:
    seen: list[object] = []
    with in_stream("outer"):
        with in_stream("inner"):
            assert current_stream() == "inner"
            thread = threading.Thread(target=lambda: seen.append(current_stream()))
            thread.start()
            thread.join()
        assert current_stream() == "outer"
        with pytest.raises(ZeroDivisionError), in_stream("failed"):
            raise ZeroDivisionError
        assert current_stream() == "outer"
    assert current_stream() is None
    assert seen == [None]
