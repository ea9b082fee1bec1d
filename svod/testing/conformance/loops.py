"""The part `loops`: every loop kernel of the case library, against NumPy.

Owns: how a case is run on a device. Must not know any case.
Invariant: a case is a check by being in CASES.
"""
from __future__ import annotations

from svod.device.device import Device
from svod.testing.conformance.records import Check
from svod.testing.kernels import CASES, Maker

PART = "loops"


def run_case(device: Device, make: Maker) -> None:
    """AssertionError unless `device` computes what the case expects."""
    made = make()
    buffers = made.fresh()
    device.compile(made.ast).execute(buffers, made.vals)
    made.check(buffers)


def loop_checks() -> list[Check]:
    """One for each case."""
    return [Check(PART, name, lambda device, make=make: run_case(device, make)) for name, make in CASES.items()]  # type: ignore[misc]
