"""Streams on devices that have none, and the stream of a context. What streams do is tested where there are some (cuda)."""
from __future__ import annotations

import threading

import pytest

import svod
from svod.device.stream import current_stream, in_stream
from svod.errors import DeviceUnavailable


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("make", [svod.Stream, svod.Graph])
def test_a_device_without_streams_says_so(device: svod.Device, make: type) -> None:
    for given in (device, device.name):
        with pytest.raises(DeviceUnavailable, match=f"{device.name} has no streams\n  hint: its launches are done when they return"):
            make(given)


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
