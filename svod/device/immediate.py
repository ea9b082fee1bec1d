"""Streams of devices whose launches are done when they return: code written for streams runs there unchanged.

Owns: their queue and its marks. Must not know any device. Invariant: a queue is always empty.
"""
from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import NoReturn

from svod.errors import DeviceUnavailable


class Passed:
    """A moment that has passed already, on the host's clock."""

    def __init__(self) -> None:
        self.time = perf_counter_ns()

    done = True

    def synchronize(self) -> None:
        """Nothing is under way."""

    def since(self, earlier: Passed) -> float:
        """Milliseconds from another mark to this one."""
        return (self.time - earlier.time) / 1e6


class Immediate:
    """The queue of a Stream of device `name`."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def handle(self) -> int:
        """DeviceUnavailable: no other library knows it."""
        raise DeviceUnavailable(f"streams of {self.name} have no handle", hint="its launches are done when they return")

    def synchronize(self) -> None:
        """Nothing is under way."""

    def record(self) -> Passed:
        """Now."""
        return Passed()

    def wait(self, mark: object) -> None:
        """Every mark has passed."""

    def begin(self) -> NoReturn:
        """DeviceUnavailable: launches are done at once, and not written down."""
        raise DeviceUnavailable(f"{self.name} has no graphs", hint="launch the kernels themselves")

    def end(self) -> Callable[[object], None]:
        """DeviceUnavailable, as `begin`."""
        self.begin()
