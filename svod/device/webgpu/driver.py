"""The one module that talks to wgpu: which adapters there are, a device of one of them, its errors as svod's.

Owns: loading wgpu, adapters and devices, what an error says. Must not know kernels, buffers of svod, or targets.
Invariants: importing this loads nothing; a device is requested by its first use, once, with all that its adapter can do; whatever wgpu
finds invalid is raised where it was asked for.
"""
from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from svod.device.locks import new_lock
from svod.errors import DeviceError, DeviceUnavailable, OutOfMemory

INSTALL = "pip install wgpu; for an adapter that runs on the processor: apt-get install mesa-vulkan-drivers libvulkan1"
WANTED = ("shader-f16", "shader-f64", "shader-int64", "shader-int64-atomic-all-ops", "shader-int64-atomic-min-max")
"""What a device is asked for where its adapter has it."""
_QUIET = "NODEVICE_SELECT"
"""Keeps a layer of Mesa that asks the desktop which adapter comes first from complaining where there is no desktop."""
_lock = new_lock()
_chosen: list[str] = []


def installed() -> bool:
    """Whether wgpu is there. Loads nothing."""
    return importlib.util.find_spec("wgpu") is not None


def bindings() -> Any:
    """The module wgpu. DeviceUnavailable, with what to install, if it cannot be loaded."""
    try:
        found = importlib.import_module("wgpu")
        if sys.platform == "linux" and not _chosen:
            _chosen.append("Vulkan")  # OpenGL would find the same adapters again, and want a desktop
            with _quietly():
                importlib.import_module("wgpu.backends.wgpu_native.extras").set_instance_extras(backends=["Vulkan"])
    except (ImportError, OSError, RuntimeError) as e:
        raise DeviceUnavailable(f"wgpu cannot be loaded: {e}", hint=INSTALL) from e
    return found


def all_adapters() -> list[Any]:
    """The adapters, in the order in which wgpu reports them. DeviceUnavailable without wgpu."""
    with _lock:
        wgpu = bindings()
        with _quietly():
            return list(wgpu.gpu.enumerate_adapters_sync())


@contextmanager
def _quietly() -> Iterator[None]:
    """Without that layer, where there is no desktop."""
    quiet = sys.platform == "linux" and not os.path.isdir(os.environ.get("XDG_RUNTIME_DIR", "")) and _QUIET not in os.environ
    if quiet:
        os.environ[_QUIET] = "1"
    try:
        yield
    finally:
        if quiet:
            del os.environ[_QUIET]


class Driver:
    """One adapter, with one device and its queue, made on first use."""

    def __init__(self, number: int, adapter: Any) -> None:
        self.number, self.adapter = number, adapter
        self.lock = new_lock()
        self._process = 0

    @property
    def name(self) -> str:
        """What svod calls it."""
        return f"WEBGPU:{self.number}" if self.number else "WEBGPU"

    @property
    def model(self) -> str:
        """What the adapter calls itself."""
        return str(self.adapter.info["device"])

    @property
    def identity(self) -> str:
        """Adapter, driver and version of wgpu: what a compiled shader depends on."""
        info = self.adapter.info
        return f"{info['vendor']} {info['device']} {info['description']} wgpu {bindings().__version__}"

    @property
    def features(self) -> frozenset[str]:
        """What the device is asked for and has."""
        return frozenset(WANTED) & frozenset(self.adapter.features)

    def limit(self, name: str) -> int:
        """A limit of the adapter, by its name in WebGPU with hyphens."""
        return int(self.adapter.limits[name])

    @cached_property
    def _device(self) -> Any:
        self._process = os.getpid()
        with self.errors("opening the device"), _quietly():
            limits: Mapping[str, int] = {k: v for k, v in self.adapter.limits.items() if k.startswith(("max-", "min-"))}
            return self.adapter.request_device_sync(required_features=sorted(self.features), required_limits=limits)

    @property
    def device(self) -> Any:
        """The device. DeviceError if the adapter gives none, and in a process that inherited it by a fork."""
        with self.lock:
            made = self._device
        if self.inherited:
            raise DeviceError(f"{self.name} was opened before this process was forked, and does not work in it",
                              hint="start processes by spawn, or open the device in the child alone")
        return made

    @property
    def inherited(self) -> bool:
        """Whether this process has the device from the one that it was forked from."""
        return self._process not in (0, os.getpid())

    @property
    def queue(self) -> Any:
        """The queue that everything goes through."""
        return self.device.queue

    def wait(self) -> None:
        """Until all that was submitted is done."""
        self.device._poll_wait()  # on_submitted_work_done_sync cannot be called in wgpu 0.32: its callback has another type than wgpu's own

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """What wgpu says inside, as OutOfMemory or DeviceError."""
        wgpu = bindings()
        try:
            yield
        except wgpu.GPUOutOfMemoryError as e:
            raise OutOfMemory(f"{self.name} has no memory left for {doing}", hint="free buffers that are not needed") from e
        except (wgpu.GPUError, RuntimeError) as e:
            said = reason(e)
            if "lost" in said.lower():
                raise DeviceError(f"{self.name} is lost: {doing} failed", at=self.model, hint="start the process again") from e
            if "not enough memory" in said.lower():
                raise OutOfMemory(f"{self.name} has no memory left for {doing}", hint="free buffers that are not needed") from e
            raise DeviceError(f"{doing} failed on {self.name}: {said}", at=self.model) from e


def reason(error: Exception) -> str:
    """What an error of wgpu says, without the names of the calls on the way."""
    lines = [line.rstrip() for line in str(error).splitlines()]
    own = [line for line in lines if line.strip() and line.strip() not in ("Validation Error", "Caused by:")
           and not line.strip().startswith("In wgpu")]
    least = min((len(line) - len(line.lstrip()) for line in own), default=0)
    return "\n".join(line[least:] for line in own) or type(error).__name__
