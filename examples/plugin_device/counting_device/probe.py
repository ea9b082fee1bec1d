"""How svod finds and opens the device."""
from __future__ import annotations

from collections.abc import Sequence

from counting_device.backend import backend
from svod.device.device import Device
from svod.device.registry import DeviceInfo
from svod.errors import DeviceUnavailable


class CountingProbe:
    """The probe of COUNTING. `probe` opens nothing: it is called by `svod devices`."""

    name = "COUNTING"

    def probe(self) -> Sequence[DeviceInfo]:
        """What is there: one device, always."""
        return [DeviceInfo("COUNTING", True, details={"counts": "launches", "runs on": "the interpreter"})]

    def open(self, index: int, arg: str) -> object:
        """The device. DeviceUnavailable for COUNTING:1 and COUNTING:word."""
        if index or arg:
            raise DeviceUnavailable(f"COUNTING:{arg or index} does not exist", hint="use COUNTING")
        return Device.of(backend())


PROBE = CountingProbe()
