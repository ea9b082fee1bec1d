"""The METAL device: says what it is not, renders for GPUs that are not there, within their limits."""
from __future__ import annotations

import pytest

from svod import Device, UOp
from svod.device.registry import list_devices
from svod.errors import DeviceUnavailable, UnsupportedError
from svod.testing.kernels import axes, p


def twice() -> UOp:
    (i,) = axes(64)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() * 2), name="twice")


def test_it_is_listed_as_not_there() -> None:
    (line,) = [i for i in list_devices() if i.name == "METAL"]
    assert not line.available
    assert line.why.startswith("not run on hardware")
    with pytest.raises(DeviceUnavailable, match="METAL has no runtime here"):
        Device("METAL")


def test_it_renders() -> None:
    device = Device.offline("METAL")
    spec = device.renderer.render(twice())
    assert "void twice(" in spec.src
    assert device.compiler.compile(spec).src == spec.src
    assert device.renderer.decompositor


def test_what_is_no_architecture() -> None:
    with pytest.raises(DeviceUnavailable, match="no Metal architecture is called 'm9'"):
        Device.offline("METAL", "m9")


def test_more_arguments_than_there_are_buffers_are_refused() -> None:
    (i,) = axes(8)
    total = p(1, "a1")[i].load()
    for n in range(2, 32):
        total = total + p(n, f"a{n}")[i].load()
    with pytest.raises(UnsupportedError, match="kernel 'many' has 32 arguments, METAL takes 31"):
        Device.offline("METAL").renderer.render(UOp.sink(p(0, "out")[i].store(total), name="many"))
