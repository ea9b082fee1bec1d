"""The driver through pycuda.

Owns: the form of its calls, and what is missing in it: streams of other libraries, graphs, occupancy. Must not know what calls are for.
Invariant: importing this loads nothing; each object of pycuda is dropped with the context current that it belongs to.
"""
from __future__ import annotations

import ctypes
from importlib import import_module
from typing import Any, NoReturn

from svod.device.cuda.api import LOST, MEMORY, UNKNOWN, Failure, Packed, Size

_TEXTS = {"illegal memory access": 700, "timed out": 702, "assert triggered": 710, "ECC": 214, "stack error": 714,
          "illegal instruction": 715, "misaligned address": 716, "not supported on global/shared": 717, "invalid program counter": 718,
          "unspecified launch failure": 719, "no CUDA-capable device": 100, "out of memory": MEMORY}
"""Words of the driver's messages, and its numbers: pycuda keeps the words only."""
_NON_BLOCKING = 1
_UNTIMED = 2


class PycudaApi:
    """`Api` through the module pycuda.driver."""

    name = "pycuda"
    foreign_streams = False
    graphs = False
    occupancies = False
    pools = False

    def __init__(self) -> None:
        self._driver: Any = import_module("pycuda.driver")
        self._blocks: dict[int, Any] = {}
        """Address -> what pycuda gave: dropping it frees the memory."""

    def _call(self, function: Any, *args: Any) -> Any:
        try:
            return function(*args)
        except self._driver.Error as e:
            raise self._failure(e) from e

    def _failure(self, error: Exception) -> Failure:
        call, _, text = str(error).partition(" failed: ")
        code = next((n for words, n in _TEXTS.items() if words in text), UNKNOWN)
        if code == UNKNOWN and isinstance(error, self._driver.MemoryError):
            code = MEMORY
        return Failure(code, call, LOST.get(code, text) or call)

    # --- devices and contexts --------------------------------------------------------------------------------------------------

    def init(self) -> None:
        self._call(self._driver.init)

    def version(self) -> int:
        return int(self._driver.get_driver_version())

    def count(self) -> int:
        return int(self._call(self._driver.Device.count))

    def _device(self, index: int) -> Any:
        return self._call(self._driver.Device, index)

    def device_name(self, index: int) -> str:
        return str(self._call(self._device(index).name)).strip()

    def capability(self, index: int) -> tuple[int, int]:
        major, minor = self._call(self._device(index).compute_capability)
        return int(major), int(minor)

    def memory(self, index: int) -> int:
        return int(self._call(self._device(index).total_memory))

    def attribute(self, index: int, number: int) -> int:
        kind = self._driver.device_attribute.values.get(number)
        return 0 if kind is None else int(self._call(self._device(index).get_attribute, kind))

    def retain(self, index: int) -> Any:
        return self._call(self._device(index).retain_primary_context)

    def push(self, context: Any) -> None:
        self._call(context.push)

    def pop(self) -> None:
        self._call(self._driver.Context.pop)

    # --- memory ----------------------------------------------------------------------------------------------------------------

    def alloc(self, nbytes: int, queued: bool) -> int:
        made = self._call(self._driver.mem_alloc, nbytes)
        self._blocks[int(made)] = made
        return int(made)

    def free(self, address: int, queued: bool) -> None:
        self._call(self._blocks.pop(address).free)

    def pinned(self, nbytes: int) -> int:
        flags = self._driver.host_alloc_flags
        made = self._call(self._driver.pagelocked_empty, nbytes, "u1", "C", int(flags.PORTABLE) | int(flags.DEVICEMAP))
        address = int(made.ctypes.data)
        self._blocks[address] = made.base
        return address

    def free_pinned(self, address: int) -> None:
        self._call(self._blocks.pop(address).free)

    def free_memory(self) -> int:
        return int(self._call(self._driver.mem_get_info)[0])

    def to_device(self, target: int, source: int, nbytes: int, stream: Any = None, wait: bool = True) -> None:
        host = (ctypes.c_uint8 * nbytes).from_address(source)
        if wait and stream is None:
            self._call(self._driver.memcpy_htod, target, host)
            return
        self._call(self._driver.memcpy_htod_async, target, host, stream)
        if wait:
            self.synchronize(stream)

    def to_host(self, target: int, source: int, nbytes: int, stream: Any = None, wait: bool = True) -> None:
        host = (ctypes.c_uint8 * nbytes).from_address(target)
        if wait and stream is None:
            self._call(self._driver.memcpy_dtoh, host, source)
            return
        self._call(self._driver.memcpy_dtoh_async, host, source, stream)
        if wait:
            self.synchronize(stream)

    def on_device(self, target: int, source: int, nbytes: int, stream: Any = None) -> None:
        self._call(self._driver.memcpy_dtod_async, target, source, nbytes, stream)

    def to_peer(self, target: tuple[int, Any], source: tuple[int, Any], nbytes: int) -> None:
        self._call(self._driver.memcpy_dtod, target[0], source[0], nbytes)  # its memcpy_peer takes the current context for both
        self.synchronize(None)

    # --- streams and events ----------------------------------------------------------------------------------------------------

    def stream(self, blocking: bool) -> Any:
        return self._call(self._driver.Stream, 0 if blocking else _NON_BLOCKING)

    def stream_of(self, number: int) -> Any:
        self._missing("streams of other libraries")

    def number_of(self, stream: Any) -> int:
        return 0 if stream is None else int(stream.handle)

    def destroy_stream(self, stream: Any) -> None:
        """It goes with its last reference."""

    def synchronize(self, stream: Any) -> None:
        if stream is not None:
            self._call(stream.synchronize)
            return
        event = self.event(timed=False)
        self.record(event, None)
        self.synchronize_event(event)

    def wait_for(self, stream: Any, event: Any) -> None:
        if stream is None:
            self.synchronize_event(event)
        else:
            self._call(stream.wait_for_event, event)

    def event(self, timed: bool) -> Any:
        return self._call(self._driver.Event, 0 if timed else _UNTIMED)

    def record(self, event: Any, stream: Any) -> None:
        self._call(event.record, stream)

    def done(self, event: Any) -> bool:
        return bool(self._call(event.query))

    def synchronize_event(self, event: Any) -> None:
        self._call(event.synchronize)

    def elapsed(self, start: Any, end: Any) -> float:
        return float(self._call(start.time_till, end))

    def destroy_event(self, event: Any) -> None:
        """It goes with its last reference."""

    # --- code ------------------------------------------------------------------------------------------------------------------

    def load(self, image: bytes) -> Any:
        return self._call(self._driver.module_from_buffer, image + b"\0")

    def unload(self, module: Any) -> None:
        """It goes with its last reference."""

    def function(self, module: Any, name: str) -> Any:
        return self._call(module.get_function, name)

    def function_attribute(self, function: Any, number: int) -> int:
        return int(self._call(function.get_attribute, self._driver.function_attribute.values[number]))

    def set_function_attribute(self, function: Any, number: int, value: int) -> None:
        self._call(function.set_attribute, self._driver.function_attribute.values[number], value)

    def occupancy(self, function: Any, threads: int, shared: int) -> int:
        self._missing("the occupancy of kernels")

    def launch(self, function: Any, sizes: tuple[Size, Size, int], stream: Any, args: Packed) -> None:
        grid, block, shared = sizes
        self._call(function._launch_kernel, grid, block, args.data, shared, stream)

    # --- graphs ----------------------------------------------------------------------------------------------------------------

    def begin_capture(self, stream: Any) -> None:
        self._missing("graphs")

    def end_capture(self, stream: Any) -> Any:
        self._missing("graphs")

    def launch_graph(self, graph: Any, stream: Any) -> None:
        self._missing("graphs")

    def destroy_graph(self, graph: Any) -> None:
        self._missing("graphs")

    def _missing(self, what: str) -> NoReturn:
        raise Failure(UNKNOWN, "pycuda", f"pycuda has no way to {what}")
