"""The one module that talks to NVIDIA's driver: which adapter there is, the devices, a context for each of them, failures as svod's errors.

Owns: loading, the order of adapters, contexts, what a lost context and a fork mean. Must not know kernels, buffers of svod, or targets.
Invariants: importing this loads nothing; a context is made by the first use of a device, not by looking at what there is; after a failure
that a context does not survive, and in a forked child, every call says so at once.
"""
from __future__ import annotations

import atexit
import ctypes
import importlib.util
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

from svod.device.cuda.api import LOST, MEMORY, NO_DEVICE, Api, Failure
from svod.device.cuda.with_bindings import BindingsApi
from svod.device.cuda.with_pycuda import PycudaApi
from svod.device.locks import call_in_child, new_lock
from svod.device.memo import MemoryCache
from svod.errors import DeviceError, DeviceUnavailable, OutOfMemory

T = TypeVar("T")
DRIVER = "libcuda.so.1"
INSTALL_DRIVER = "install NVIDIA's driver, and pip install pycuda or pip install cuda-bindings"
INSTALL = "pip install pycuda, or pip install cuda-bindings, which has wheels"
ADAPTERS: tuple[tuple[str, str, Callable[[], Api]], ...] = (("pycuda", "pycuda", PycudaApi), ("cuda-bindings", "cuda", BindingsApi))
"""Name, module, and how it is loaded; the first one that can be is used."""
_FORKED = "the process was forked after CUDA was used, and CUDA does not work in the child"
_SPAWN = 'start processes with multiprocessing.get_context("spawn"), or use CUDA in the child only'


class System:
    """The driver of this machine, loaded on first use."""

    def __init__(self, adapters: Sequence[tuple[str, str, Callable[[], Api]]] = ADAPTERS) -> None:
        self._adapters = tuple(adapters)
        self._made: MemoryCache[str, Api] = MemoryCache(1)
        self._used = False
        self.forked = self.ended = False
        call_in_child(self._in_child)

    def end(self) -> None:
        """The process ends: destructors call the driver no more."""
        self.ended = True

    def _in_child(self) -> None:
        self.forked = self._used

    def installed(self) -> bool:
        """Whether any adapter is there. Loads nothing."""
        return any(importlib.util.find_spec(module) is not None for _, module, _ in self._adapters)

    def api(self) -> Api:
        """The driver, initialized. DeviceUnavailable, with what to install, where it cannot be; DeviceError in a forked child."""
        if self.forked:
            raise DeviceError(_FORKED, hint=_SPAWN)
        return self._made.get_or_make("", self._loaded)

    def _loaded(self) -> Api:
        try:
            ctypes.CDLL(DRIVER, mode=ctypes.RTLD_GLOBAL)
        except OSError as e:
            raise DeviceUnavailable("NVIDIA's driver is not installed", at=str(e), hint=INSTALL_DRIVER) from e
        why: list[str] = []
        for name, _, make in self._adapters:
            try:
                api = make()
            except Exception as e:  # noqa: BLE001  (whatever a package does when it loads, the next one is tried)
                why.append(f"{name}: {type(e).__name__}: {(str(e).splitlines() or [''])[0]}")
                continue
            self._used = True
            try:
                api.init()
                return api
            except Failure as e:
                what = "there is no NVIDIA GPU" if e.code == NO_DEVICE else f"NVIDIA's driver does not start: {e.text}"
                raise DeviceUnavailable(what, at=e.call, hint="nvidia-smi shows what the driver sees") from e
        raise DeviceUnavailable("NVIDIA's driver is there, and no package that calls it", at="; ".join(why), hint=INSTALL)

    def count(self) -> int:
        """How many devices there are. Errors as `api`."""
        try:
            return self.api().count()
        except Failure as e:
            raise DeviceUnavailable(f"NVIDIA's driver does not count its devices: {e.text}", at=e.call) from e


SYSTEM = System()
"""The machine's. The driver is one for the process, as its contexts are."""
atexit.register(SYSTEM.end)


class Driver:
    """One device. Its context is the one that other libraries use, made on first use."""

    def __init__(self, system: System, index: int) -> None:
        self.system, self.index, self.api = system, index, system.api()
        self.name = f"CUDA:{index}" if index else "CUDA"
        self._lock = new_lock()
        self._context: Any = None
        self.lost = ""
        """What happened, once the context does nothing any more."""
        self.lost_hint = ""
        self.given = 0
        """Counts what the default stream was given beside launches: streams that do not wait for it look here."""
        call_in_child(self._in_child)

    def _in_child(self) -> None:
        self.lost, self.lost_hint = _FORKED, _SPAWN

    @cached_property
    def model(self) -> str:
        """The name of the card."""
        return self.asked(self.api.device_name, self.index)

    @cached_property
    def arch(self) -> str:
        """sm_90 for compute capability 9.0."""
        major, minor = self.asked(self.api.capability, self.index)
        return f"sm_{major}{minor}"

    @cached_property
    def memory(self) -> int:
        """Bytes of memory of the card."""
        return self.asked(self.api.memory, self.index)

    def attribute(self, number: int) -> int:
        """A figure of the device; 0 for one that the driver does not know."""
        try:
            return self.api.attribute(self.index, number)
        except Failure:
            return 0

    @property
    def context(self) -> Any:
        """The device's primary context."""
        if self._context is None:
            with self._lock:
                if self._context is None:
                    self._context = self.api.retain(self.index)
        return self._context

    def asked(self, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)`, which needs no context. DeviceError."""
        try:
            return function(*args)
        except Failure as e:
            raise self.error(e, "asking for its properties") from e

    def call(self, doing: str, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)` with the device's context current. OutOfMemory, DeviceError: what was being done, and what the driver says."""
        if self.lost:
            raise self.refusal()
        try:
            self.api.push(self.context)
        except Failure as e:
            raise self.error(e, doing) from e
        try:
            return function(*args)
        except Failure as e:
            raise self.error(e, doing) from e
        finally:
            self._pop()

    def settle(self) -> None:
        """Waits for everything that streams of svod were given: an event of the default stream comes after all of it. DeviceError."""
        self.call("waiting for launches", self._settle)

    def _settle(self) -> None:
        event = self.api.event(False)
        self.api.record(event, None)
        self.api.synchronize_event(event)
        self.api.destroy_event(event)

    def drop(self, function: Callable[..., object], *args: Any) -> None:
        """`call` for destructors: of a context that is lost, or of a process that ends, there is nothing to give back."""
        if not self.lost and not self.system.ended:
            with suppress(DeviceError):
                self.call("giving something back", function, *args)

    def _pop(self) -> None:
        try:
            self.api.pop()
        except Failure as e:
            if e.code in LOST:
                self._lose(e, "an earlier launch")

    def error(self, e: Failure, doing: str) -> DeviceError:
        """A failure as svod's error; notes that the context is lost."""
        if e.code == MEMORY:
            return OutOfMemory(f"{self.name} has no memory left for {doing}: {e.text}", hint="free buffers that are not needed")
        if e.code in LOST:
            self._lose(e, doing)
            return self.refusal()
        return DeviceError(f"{doing} failed on {self.name}: {e.text}", at=f"{self.api.name}, {e.call}")

    def _lose(self, e: Failure, doing: str) -> None:
        if not self.lost:
            self.lost = f"{self.name} stopped at {LOST[e.code]} in {doing}: {e.text}"
            self.lost_hint = "every use of the device fails from here on: start a new process; INTERP checks every access of a kernel"

    def refusal(self) -> DeviceError:
        """The error of every call after the context was lost."""
        return DeviceError(self.lost, hint=self.lost_hint)
