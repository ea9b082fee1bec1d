"""The one module that talks to pyopencl: which devices there are, a context and a queue for one of them, its errors as svod's.

Owns: loading pyopencl, contexts. Must not know kernels, buffers of svod, or targets.
Invariant: importing this loads nothing; a context is made by the first use of a device, once, and not by looking at what there is.
"""
from __future__ import annotations

import ctypes
import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from svod.errors import DeviceError, DeviceUnavailable, OutOfMemory

INSTALL = "pip install pyopencl pocl-binary-distribution"
"""The bindings, and an implementation that runs on the processor."""
POCL = "Portable Computing Language"
_EXHAUSTED = frozenset(("MEM_OBJECT_ALLOCATION_FAILURE", "OUT_OF_HOST_MEMORY", "INVALID_BUFFER_SIZE"))


def installed() -> bool:
    """Whether pyopencl is there. Loads nothing."""
    return importlib.util.find_spec("pyopencl") is not None


def bindings() -> Any:
    """The module pyopencl. DeviceUnavailable, with what to install, if it cannot be loaded."""
    try:
        return importlib.import_module("pyopencl")
    except ImportError as e:
        raise DeviceUnavailable(f"pyopencl cannot be loaded: {e}", hint=INSTALL) from e


def all_devices() -> list[Any]:
    """The devices of all platforms, in the order in which both are reported. DeviceUnavailable without pyopencl or a platform."""
    cl = bindings()
    try:
        platforms = cl.get_platforms()
    except cl.Error as e:
        raise DeviceUnavailable(f"no OpenCL implementation is installed: {_code(e)}", hint=INSTALL) from e
    found = []
    for platform in platforms:
        try:
            found += platform.get_devices()
        except cl.Error:  # a platform without a device is one that has nothing for us
            continue
    return found


class Driver:
    """One device of OpenCL, with one context and one queue, in order, made on first use."""

    def __init__(self, number: int, device: Any) -> None:
        self.number, self.device = number, device

    @property
    def name(self) -> str:
        """What svod calls it."""
        return f"OPENCL:{self.number}" if self.number else "OPENCL"

    @property
    def keeps_binaries(self) -> bool:
        """Whether svod's own cache holds what the driver compiled. PoCL (3.0) keeps a cache itself, and crashes the process now and then
        where it is asked for a binary while other processes compile."""
        return str(self.device.platform.name) != POCL

    @cached_property
    def context(self) -> Any:
        """The context. DeviceError if the device does not give one.

        Some compilers (Intel's for CPUs) leave divisions of 128 bits to the C compiler's library, and find it only if everybody can see it.
        """
        with suppress(OSError):
            ctypes.CDLL("libgcc_s.so.1", ctypes.RTLD_GLOBAL)
        with self.errors("making a context"):
            return bindings().Context([self.device])

    @cached_property
    def queue(self) -> Any:
        """The queue that everything goes through."""
        with self.errors("making a queue"):
            return bindings().CommandQueue(self.context, self.device)

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """What OpenCL says inside, as OutOfMemory or DeviceError."""
        cl = bindings()
        try:
            yield
        except cl.MemoryError as e:
            raise OutOfMemory(f"{self.name} has no memory left for {doing}: {_code(e)}", hint="free buffers that are not needed") from e
        except cl.Error as e:
            if _code(e) in _EXHAUSTED:
                raise OutOfMemory(f"{self.name} has no memory left for {doing}: {_code(e)}", hint="free buffers that are not needed") from e
            raise DeviceError(f"{doing} failed on {self.name}: {_code(e)}", at=str(self.device.name)) from e


def _code(error: Any) -> str:
    """The name of an error's code, INVALID_VALUE for one, or what it says."""
    code = getattr(error, "code", None)
    found = bindings().status_code.to_string(code, "") if isinstance(code, int) else ""
    return str(found) or (str(error).splitlines() or [type(error).__name__])[0]
