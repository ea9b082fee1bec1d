"""Arguments of kernels on devices with memory of their own: where each lies, copies of what lies elsewhere, scalars as bits.

Owns: how a buffer argument becomes memory of the device, and host arrays get back what was written. Must not know any driver.
Invariants: the handle of a block has a `place`, a number that tells which memories overlap; an argument given twice is one memory in the
kernel; what was copied for a launch is freed with it.
"""
from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np

from svod import errors
from svod.device.allocator import Allocator, Block
from svod.device.arguments import HostView, host_view
from svod.device.buffer import Buffer
from svod.device.specs import CompiledSpec
from svod.dtype import DType, dtypes
from svod.dtype.convert import encode, numpy_dtype
from svod.errors import ArgumentError

_NARROW = {8: np.uint8, 16: np.uint16}


class Placed(Protocol):
    """What the handle of a block of such a device is."""

    @property
    def place(self) -> int:
        """Its address, or a number that stands for it."""


class Span(NamedTuple):
    """A block, and the byte in it at which an argument begins."""

    block: Block
    offset: int


def viewer(device: str) -> Callable[[object], HostView]:
    """Looks at a buffer argument of a kernel on `device`. ArgumentError for a Buffer in the memory of another one."""
    def view_of(value: object) -> HostView:
        if not isinstance(value, Buffer):
            return host_view(value)
        try:
            block = value.block
        except errors.BufferError as e:
            raise ArgumentError(e.what, hint=e.hint) from e
        if block.address is not None:
            return host_view(value)
        if value.device.name != device:
            raise ArgumentError(f"the buffer is on {value.device.name}, and the kernel runs on {device}",
                                hint=f'pass buffer.to("{device}")')
        place = block.handle.place + value.offset
        return HostView(place, value.dtype, value.size, value.writable, True, place % value.dtype.itemsize == 0, value)
    return view_of


def own(view: HostView) -> Buffer | None:
    """The Buffer of the device that an argument is; None for host memory."""
    owner = view.owner
    return owner if isinstance(owner, Buffer) and owner.block.address is None else None


class Arguments:
    """The memory of one launch: blocks of the device as they are; host memory, and parts of blocks at which a kernel cannot begin, in
    copies. A context manager: the copies are freed behind it.

    `step`: bytes of which the place of an argument inside of a block has to be a multiple; 0: a kernel sees whole blocks only.
    """

    def __init__(self, allocator: Allocator, *, step: int = 0) -> None:
        self.allocator, self.step = allocator, step
        self.copies: dict[tuple[int, int], Block] = {}

    def __enter__(self) -> Arguments:
        return self

    def __exit__(self, *_: object) -> None:
        for block in self.copies.values():
            self.allocator.free(block)
        self.copies.clear()

    def span(self, view: HostView) -> Span:
        """Where an argument lies."""
        buffer = own(view)
        if buffer is not None and (not buffer.offset or (self.step and not buffer.offset % self.step)):
            return Span(buffer.block, buffer.offset)
        key = (view.address, view.nbytes)
        if key not in self.copies:
            made = self.copies[key] = self.allocator.alloc(view.nbytes)
            if view.nbytes and buffer is not None:
                self._moved(made, 0, buffer.block, buffer.offset, view.nbytes)
            elif view.nbytes:
                self.allocator.copyin(made, 0, host_bytes(view))
        return Span(self.copies[key], 0)

    def back(self, written: Sequence[HostView]) -> None:
        """Copies what the kernel wrote to where it belongs."""
        for view in written:
            made, buffer = self.copies.get((view.address, view.nbytes)), own(view)
            if made is None or not view.nbytes:
                continue
            if buffer is not None:
                self._moved(buffer.block, buffer.offset, made, 0, view.nbytes)
            else:
                self.allocator.copyout(host_bytes(view), made, 0)

    def _moved(self, target: Block, at: int, source: Block, start: int, nbytes: int) -> None:
        """A copy on the device, through the host where there is no other way."""
        if not self.allocator.transfer(target, at, source, start, nbytes):
            kept = memoryview(bytearray(nbytes))
            self.allocator.copyout(kept, source, start)
            self.allocator.copyin(target, at, kept)


@contextmanager
def scratch(allocator: Allocator, compiled: CompiledSpec) -> Iterator[Block | None]:
    """Memory that all groups of one launch share, which has to be done when the context is left; None for a kernel that needs none."""
    if not compiled.needs.shared_bytes:
        yield None
        return
    block = allocator.alloc(compiled.needs.shared_bytes)
    try:
        yield block
    finally:
        allocator.free(block)


def host_bytes(view: HostView) -> memoryview:
    """The memory of a host argument."""
    return memoryview((ctypes.c_uint8 * view.nbytes).from_address(view.address)).cast("B")


def scalar(dtype: DType, value: int | float) -> Any:
    """A scalar as a kernel takes it: an index as i64, bool and narrow floats as their bits."""
    if dtype is dtypes.index:
        return np.int64(value)
    if dtype.is_bool:
        return np.uint8(value)
    if dtype.is_float and dtype.bits < 32:
        return _NARROW[dtype.bits](encode(float(value), dtype))
    return np.array([value if dtype.is_float else int(value)], numpy_dtype(dtype))[0]
