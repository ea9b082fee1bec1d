"""The HIP device: says what it is not, renders and compiles for GPUs that are not there."""
from __future__ import annotations

from dataclasses import replace

import pytest

from svod import Device, UOp
from svod.device.device import Device as Opened
from svod.device.hip.compiler import CANDIDATES, HipCompiler, clang
from svod.device.registry import list_devices
from svod.dtype import AddrSpace, dtypes
from svod.errors import CompileError, DeviceUnavailable, UnsupportedError
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads


def twice() -> UOp:
    (i,) = axes(64)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() * 2), name="twice")


def compiles(arch: str) -> Opened:
    """The device for an architecture. Skips without clang."""
    if clang() is None:
        pytest.skip("clang 17 or later is not installed: apt install clang-19 lld-19")
    return Device.offline("HIP", arch)


def test_it_is_listed_as_not_there() -> None:
    (line,) = [i for i in list_devices() if i.name == "HIP"]
    assert not line.available
    assert line.why.startswith("not run on hardware")
    with pytest.raises(DeviceUnavailable, match="HIP has no runtime here"):
        Device("HIP")


def test_it_renders_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    device = Device.offline("HIP", "generic")
    assert device.name == "HIP(gfx942)"
    spec = device.renderer.render(twice())
    assert "void twice(" in spec.src
    assert device.renderer.decompositor
    with pytest.raises(DeviceUnavailable, match="no clang is installed"):
        HipCompiler("gfx942").compile(spec)


@pytest.mark.parametrize("arch", ["gfx90a", "gfx942", "gfx1100"])
def test_it_compiles_for_an_architecture(arch: str) -> None:
    device = compiles(arch)
    compiled = device.compiler.compile(device.renderer.render(twice()))
    assert compiled.bytes.startswith(b"\x7fELF")
    assert arch in device.compiler.cache_key


def test_what_clang_refuses_is_shown_with_its_lines() -> None:
    device = compiles("gfx942")
    spec = replace(device.renderer.render(twice()), src="int fine;\nint wrong = nonsense;\n")
    with pytest.raises(CompileError, match=r"refuses the source of kernel 'twice'(?s:.*)undeclared identifier 'nonsense'") as caught:
        device.compiler.compile(spec)
    assert "> " in caught.value.at
    assert "nonsense" in caught.value.at


def test_what_is_no_architecture() -> None:
    with pytest.raises(DeviceUnavailable, match="'sm_90' is no architecture of AMD GPUs"):
        Device.offline("HIP", "sm_90")


def test_too_much_memory_of_a_group_is_refused() -> None:
    k = Threads("large", (64, 1, 1))
    tile, out = k.memory(dtypes.f32, 20000, AddrSpace.LOCAL, "tile"), UOp.param(0, dtypes.f32, name="out")
    k.store(tile, k.thread(), 1.0)
    k.store(out, k.item(), k.load(tile, k.thread()))
    with pytest.raises(UnsupportedError, match="a group of kernel 'large' shares 80000 bytes, HIP has 65536"):
        Device.offline("HIP", "gfx942").renderer.render(k.kernel())


def test_every_compiler_that_is_tried_is_a_clang() -> None:
    assert all(name.startswith("clang") for name in CANDIDATES)
