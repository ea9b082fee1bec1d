"""What may be a buffer argument of a kernel on a CUDA device, and where it lies: Buffers, arrays of torch and CuPy, memory of the host.

Owns: arrays of other libraries in the memory of a GPU, taken as they are. Must not know launches.
Invariant: nothing is copied here; whose memory it is is told by what the view's `owner` is.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from svod import errors
from svod.device import dlpack_device
from svod.device.arguments import HostView, host_view
from svod.device.buffer import Buffer
from svod.device.cuda.driver import Driver
from svod.device.cuda.memory import KIND, is_ours
from svod.dtype.convert import from_numpy
from svod.errors import ArgumentError, DTypeError


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """Memory of another library on the GPU: the object it came as, and what else must live as long."""

    given: object
    keeps: object = None


def viewer(driver: Driver) -> Callable[[object], HostView]:
    """Looks at a buffer argument of a kernel on a device. ArgumentError for memory of another device, and for what is none."""
    def view_of(value: object) -> HostView:
        if isinstance(value, Buffer):
            return _of_buffer(value, driver)
        interface = _interface(value)
        if interface is not None:
            return _of_interface(value, interface, driver)
        if dlpack_device.kind_of(value) == KIND:
            return _of_dlpack(value, driver)
        return host_view(value)
    return view_of


def on_device(view: HostView, driver: Driver) -> bool:
    """Whether a kernel reaches the memory where it is."""
    owner = view.owner
    return isinstance(owner, Foreign) or (isinstance(owner, Buffer) and is_ours(owner.block.handle, driver))


def _of_buffer(value: Buffer, driver: Driver) -> HostView:
    try:
        block = value.block
    except errors.BufferError as e:
        raise ArgumentError(e.what, hint=e.hint) from e
    if is_ours(block.handle, driver):
        place = block.handle.place + value.offset
        return HostView(place, value.dtype, value.size, value.writable, True, place % value.dtype.itemsize == 0, value)
    if block.address is None:
        raise ArgumentError(f"the buffer is on {value.device.name}, and the kernel runs on {driver.name}",
                            hint=f'pass buffer.to("{driver.name}")')
    return host_view(value)


def _interface(value: object) -> Mapping[str, Any] | None:
    """The CUDA array interface of CuPy, torch, Numba, …; None for what has none, and for torch's types that it cannot name."""
    try:
        found: Mapping[str, Any] | None = getattr(value, "__cuda_array_interface__", None)
    except (RuntimeError, TypeError, ValueError) as e:
        if dlpack_device.kind_of(value) == KIND:
            return None
        raise ArgumentError(f"this {type(value).__name__} does not share its memory: {e}", hint="in torch: x.detach()") from e
    return found


def _of_interface(value: object, interface: Mapping[str, Any], driver: Driver) -> HostView:
    """Source: Numba's documentation, CUDA array interface, version 3."""
    try:
        dtype = from_numpy(np.dtype(interface["typestr"]))
    except (TypeError, DTypeError) as e:
        raise ArgumentError(f"elements of {interface.get('typestr')} are none that svod has", hint="convert to float32") from e
    shape, strides = tuple(interface["shape"]), interface.get("strides")
    address, read_only = interface["data"]
    if interface.get("mask") is not None:
        raise ArgumentError("a masked array has elements that a kernel would not skip", hint="pass the array without its mask")
    device = getattr(getattr(value, "device", None), "index", getattr(getattr(value, "device", None), "id", None))
    if isinstance(device, int) and device != driver.index:
        raise _elsewhere(device, driver)
    stream = interface.get("stream")
    if isinstance(stream, int) and stream > 2 and driver.api.foreign_streams:
        driver.call("waiting for another library", driver.api.synchronize, driver.api.stream_of(stream))
    elements = int(np.prod(shape, dtype=np.int64))
    contiguous = strides is None or elements < 2 or tuple(strides) == _c_order(shape, dtype.itemsize)
    place = int(address or 0)
    return HostView(place, dtype, elements, not read_only, contiguous, place % dtype.itemsize == 0, Foreign(value))


def _c_order(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    found: list[int] = []
    for extent in reversed(shape):
        found.insert(0, itemsize)
        itemsize *= extent
    return tuple(found)


def _of_dlpack(value: object, driver: Driver) -> HostView:
    try:
        taken = dlpack_device.take(value, stream=1)
    except errors.BufferError as e:
        raise ArgumentError(e.what, hint=e.hint) from e
    if taken.device[1] != driver.index:
        raise _elsewhere(taken.device[1], driver)
    place = taken.address
    return HostView(place, taken.dtype, taken.elements, taken.writable, taken.contiguous, place % taken.dtype.itemsize == 0,
                    Foreign(value, taken))


def _elsewhere(index: int, driver: Driver) -> ArgumentError:
    return ArgumentError(f"the array is on CUDA device {index}, and the kernel runs on {driver.name}", hint="copy it to this device first")
