"""The driver that is not there: what is said, and what to install. Nothing here needs a GPU, or any package of CUDA."""
from __future__ import annotations

import pytest

from svod.device.cuda import driver
from svod.device.cuda.api import Failure, Packed
from svod.device.cuda.driver import System
from svod.device.cuda.probe import CudaProbe
from svod.errors import DeviceError, DeviceUnavailable


def absent() -> object:
    """An adapter whose package is not installed."""
    raise ModuleNotFoundError("No module named 'pycuda'")


def without(monkeypatch: pytest.MonkeyPatch, library: str) -> System:
    """A machine with this library in place of the driver, and no package that calls it."""
    monkeypatch.setattr(driver, "DRIVER", library)
    return System([("pycuda", "no_such_module_of_cuda", absent), ("cuda-bindings", "no_such_module_of_cuda", absent)])  # type: ignore[list-item]


def test_without_a_driver_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    system = without(monkeypatch, "libcuda-that-is-not-there.so.1")
    with pytest.raises(DeviceUnavailable, match="NVIDIA's driver is not installed") as e:
        CudaProbe(system).open(0, "")
    assert "install NVIDIA's driver, and pip install pycuda or pip install cuda-bindings" in e.value.hint
    (line,) = CudaProbe(system).probe()
    assert (line.name, line.available, line.why) == ("CUDA", False, "NVIDIA's driver is not installed")
    assert "pip install" in line.hint
    assert not system.installed()


def test_with_a_driver_and_no_package_it_is_said_which(monkeypatch: pytest.MonkeyPatch) -> None:
    system = without(monkeypatch, "libc.so.6")
    with pytest.raises(DeviceUnavailable, match="and no package that calls it") as e:
        CudaProbe(system).open(0, "")
    assert e.value.at == "; ".join(f"{name}: ModuleNotFoundError: No module named 'pycuda'" for name in ("pycuda", "cuda-bindings"))
    assert "cuda-bindings, which has wheels" in e.value.hint
    (line,) = CudaProbe(system).probe()
    assert not line.available


def test_the_next_package_is_tried_where_one_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        name = "broken"

        def init(self) -> None:
            raise Failure(3, "cuInit", "initialization error")

    monkeypatch.setattr(driver, "DRIVER", "libc.so.6")
    system = System([("pycuda", "pycuda", absent), ("broken", "broken", Broken)])  # type: ignore[list-item]
    with pytest.raises(DeviceUnavailable, match="NVIDIA's driver does not start: initialization error"):
        system.api()


def test_whatever_a_driver_does_the_listing_goes_on() -> None:
    class Rotten(System):
        def count(self) -> int:
            raise ZeroDivisionError("surprise")

    (line,) = CudaProbe(Rotten()).probe()
    assert (line.available, line.why) == (False, "ZeroDivisionError: surprise")


def test_after_a_fork_the_driver_is_refused() -> None:
    system = System()
    system.forked = True
    with pytest.raises(DeviceError, match="the process was forked after CUDA was used"):
        system.api()


def test_arguments_are_packed_as_c_lays_them_out() -> None:
    packed = Packed("QBHfqd", (1, 2, 3, 4.0, 5, 6.0))
    assert packed.offsets == (0, 8, 10, 12, 16, 24)
    assert len(packed.data) == 32
    assert Packed("", ()).data == b""
