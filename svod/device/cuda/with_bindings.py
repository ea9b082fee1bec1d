"""The driver through cuda-bindings, NVIDIA's own: wheels for every Python, every call there is.

Owns: the form of its calls. Must not know what they are for. Invariant: importing this loads nothing.
"""
from __future__ import annotations

import ctypes
from importlib import import_module
from typing import Any

from svod.device.cuda.api import Failure, Packed, Size

_BLOCKING, _NON_BLOCKING = 0, 1
_UNTIMED = 2
_PORTABLE_MAPPED = 3
_RELAXED = 2
_NOT_READY = 600


class BindingsApi:
    """`Api` through the module cuda.bindings.driver."""

    name = "cuda-bindings"
    foreign_streams = True
    graphs = True
    occupancies = True
    pools = True

    def __init__(self) -> None:
        self._driver: Any = import_module("cuda.bindings.driver")

    def _call(self, name: str, *args: Any) -> Any:
        try:
            status, *result = getattr(self._driver, name)(*args)
        except RuntimeError as e:  # a call that this driver has not
            raise Failure(999, name, str(e)) from e
        if status.value:
            raise Failure(status.value, name, self._said(status))
        return result[0] if len(result) == 1 else tuple(result)

    def _said(self, status: Any) -> str:
        text = self._driver.cuGetErrorString(status)[1]
        return text.decode() if text else str(status.name)

    # --- devices and contexts --------------------------------------------------------------------------------------------------

    def init(self) -> None:
        self._call("cuInit", 0)

    def version(self) -> int:
        return int(self._call("cuDriverGetVersion"))

    def count(self) -> int:
        return int(self._call("cuDeviceGetCount"))

    def device_name(self, index: int) -> str:
        raw: bytes = self._call("cuDeviceGetName", 256, self._call("cuDeviceGet", index))
        return raw.partition(b"\0")[0].decode("utf-8", "replace").strip()

    def capability(self, index: int) -> tuple[int, int]:
        return self.attribute(index, 75), self.attribute(index, 76)

    def memory(self, index: int) -> int:
        return int(self._call("cuDeviceTotalMem", self._call("cuDeviceGet", index)))

    def attribute(self, index: int, number: int) -> int:
        kind = self._driver.CUdevice_attribute(number)
        return int(self._call("cuDeviceGetAttribute", kind, self._call("cuDeviceGet", index)))

    def retain(self, index: int) -> Any:
        return self._call("cuDevicePrimaryCtxRetain", self._call("cuDeviceGet", index))

    def push(self, context: Any) -> None:
        self._call("cuCtxPushCurrent", context)

    def pop(self) -> None:
        self._call("cuCtxPopCurrent")

    # --- memory ----------------------------------------------------------------------------------------------------------------

    def alloc(self, nbytes: int, queued: bool) -> int:
        return int(self._call("cuMemAllocAsync", nbytes, 0) if queued else self._call("cuMemAlloc", nbytes))

    def free(self, address: int, queued: bool) -> None:
        if queued:
            self._call("cuMemFreeAsync", address, 0)
        else:
            self._call("cuMemFree", address)

    def pinned(self, nbytes: int) -> int:
        return int(self._call("cuMemHostAlloc", nbytes, _PORTABLE_MAPPED))

    def free_pinned(self, address: int) -> None:
        self._call("cuMemFreeHost", address)

    def free_memory(self) -> int:
        return int(self._call("cuMemGetInfo")[0])

    def to_device(self, target: int, source: int, nbytes: int, stream: Any = None, wait: bool = True) -> None:
        if wait and stream is None:
            self._call("cuMemcpyHtoD", target, source, nbytes)
            return
        self._call("cuMemcpyHtoDAsync", target, source, nbytes, stream or 0)
        if wait:
            self.synchronize(stream)

    def to_host(self, target: int, source: int, nbytes: int, stream: Any = None, wait: bool = True) -> None:
        if wait and stream is None:
            self._call("cuMemcpyDtoH", target, source, nbytes)
            return
        self._call("cuMemcpyDtoHAsync", target, source, nbytes, stream or 0)
        if wait:
            self.synchronize(stream)

    def on_device(self, target: int, source: int, nbytes: int, stream: Any = None) -> None:
        self._call("cuMemcpyDtoDAsync", target, source, nbytes, stream or 0)

    def to_peer(self, target: tuple[int, Any], source: tuple[int, Any], nbytes: int) -> None:
        self._call("cuMemcpyPeer", *target, *source, nbytes)

    # --- streams and events ----------------------------------------------------------------------------------------------------

    def stream(self, blocking: bool) -> Any:
        return self._call("cuStreamCreate", _BLOCKING if blocking else _NON_BLOCKING)

    def stream_of(self, number: int) -> Any:
        return self._driver.CUstream(number)

    def number_of(self, stream: Any) -> int:
        return int(stream or 0)

    def destroy_stream(self, stream: Any) -> None:
        self._call("cuStreamDestroy", stream)

    def synchronize(self, stream: Any) -> None:
        self._call("cuStreamSynchronize", stream or 0)

    def wait_for(self, stream: Any, event: Any) -> None:
        self._call("cuStreamWaitEvent", stream or 0, event, 0)

    def event(self, timed: bool) -> Any:
        return self._call("cuEventCreate", 0 if timed else _UNTIMED)

    def record(self, event: Any, stream: Any) -> None:
        self._call("cuEventRecord", event, stream or 0)

    def done(self, event: Any) -> bool:
        (status,) = self._driver.cuEventQuery(event)
        if status.value not in (0, _NOT_READY):
            raise Failure(status.value, "cuEventQuery", self._said(status))
        return bool(status.value == 0)

    def synchronize_event(self, event: Any) -> None:
        self._call("cuEventSynchronize", event)

    def elapsed(self, start: Any, end: Any) -> float:
        return float(self._call("cuEventElapsedTime", start, end))

    def destroy_event(self, event: Any) -> None:
        self._call("cuEventDestroy", event)

    # --- code ------------------------------------------------------------------------------------------------------------------

    def load(self, image: bytes) -> Any:
        return self._call("cuModuleLoadData", image + b"\0")

    def unload(self, module: Any) -> None:
        self._call("cuModuleUnload", module)

    def function(self, module: Any, name: str) -> Any:
        return self._call("cuModuleGetFunction", module, name.encode())

    def function_attribute(self, function: Any, number: int) -> int:
        return int(self._call("cuFuncGetAttribute", self._driver.CUfunction_attribute(number), function))

    def set_function_attribute(self, function: Any, number: int, value: int) -> None:
        self._call("cuFuncSetAttribute", function, self._driver.CUfunction_attribute(number), value)

    def occupancy(self, function: Any, threads: int, shared: int) -> int:
        return int(self._call("cuOccupancyMaxActiveBlocksPerMultiprocessor", function, threads, shared))

    def launch(self, function: Any, sizes: tuple[Size, Size, int], stream: Any, args: Packed) -> None:
        grid, block, shared = sizes
        if args.native is None:
            data = ctypes.create_string_buffer(args.data, max(1, len(args.data)))
            start = ctypes.addressof(data)
            places = (ctypes.c_void_p * max(1, len(args.offsets)))(*(start + o for o in args.offsets))
            args.native = (ctypes.addressof(places), places, data)
        (status,) = self._driver.cuLaunchKernel(function, *grid, *block, shared, stream or 0, args.native[0], 0)
        if status.value:
            raise Failure(status.value, "cuLaunchKernel", self._said(status))

    # --- graphs ----------------------------------------------------------------------------------------------------------------

    def begin_capture(self, stream: Any) -> None:
        self._call("cuStreamBeginCapture", stream, self._driver.CUstreamCaptureMode(_RELAXED))

    def end_capture(self, stream: Any) -> Any:
        graph = self._call("cuStreamEndCapture", stream)
        try:
            return self._call("cuGraphInstantiate", graph, 0)
        finally:
            self._call("cuGraphDestroy", graph)

    def launch_graph(self, graph: Any, stream: Any) -> None:
        self._call("cuGraphLaunch", graph, stream or 0)

    def destroy_graph(self, graph: Any) -> None:
        self._call("cuGraphExecDestroy", graph)
