"""Memory of a CUDA device: blocks of it, pinned memory of the host, copies, and the pool around them.

Owns: allocation and copies; what of other libraries' memory is this device's. Must not know kernels.
Invariants: a place is the address that kernels use, one address space for the host and all devices; what the default stream is given
happens in order, and after what all other streams of svod were given before it.
"""
from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from svod import errors
from svod.device.allocator import DEFAULT_OPTIONS, AllocOptions, Block, LRUAllocator, check_size
from svod.device.cuda.api import POOLS
from svod.device.cuda.driver import Driver
from svod.device.cuda.streams import Lanes, Launched
from svod.device.dlpack_device import Taken, take
from svod.errors import OutOfMemory

if TYPE_CHECKING:
    from svod.device.buffer import Buffer

ALIGNMENT = 256
"""What the driver aligns blocks to."""
KIND = 2
"""kDLCUDA: what DLPack calls such memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Where a block is, and whose."""

    place: int
    driver: Driver
    pinned: bool = False
    keeps: object = None
    """What must live as long as memory of another library."""


class CudaAllocator:
    """Gives blocks of one device. `handle` of a Block is a Memory."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._queued: bool | None = None

    @property
    def on_host(self) -> bool:
        """Never: the host reads and writes blocks by copies."""
        return False

    @property
    def queued(self) -> bool:
        """Whether memory is given and taken back in the order of the default stream, without waiting for the device."""
        if self._queued is None:
            self._queued = self.driver.api.pools and bool(self.driver.attribute(POOLS))
        return self._queued

    def alloc(self, nbytes: int, options: AllocOptions = DEFAULT_OPTIONS) -> Block:
        """A block. BufferError for a size or an alignment without meaning, OutOfMemory if there is none of that size, DeviceError."""
        size = check_size(nbytes)
        if options.align < 1 or options.align & (options.align - 1):
            raise errors.BufferError(f"alignment {options.align} is not a power of two")
        if options.align > ALIGNMENT:
            raise errors.BufferError(f"{self.driver.name} aligns blocks to {ALIGNMENT} bytes, not {options.align}")
        driver, asked = self.driver, max(1, size)
        if options.pinned:
            start = driver.call(f"{size} bytes of pinned memory", driver.api.pinned, asked)
            return Block(Memory(start, driver, True), size, options, start)
        if asked > driver.memory:
            raise OutOfMemory(f"{driver.name} has {driver.memory} bytes of memory, {size} were asked for", hint="use several buffers")
        driver.given += 1
        return Block(Memory(self._start(size, asked), driver), size, options, None)

    def _start(self, size: int, asked: int) -> int:
        """Where a new block is. What was freed in the order of the stream is free when the stream has come there: it is waited for once."""
        driver = self.driver
        try:
            return driver.call(f"a block of {size} bytes", driver.api.alloc, asked, self.queued)
        except OutOfMemory:
            if not self.queued:
                raise
        driver.settle()
        return driver.call(f"a block of {size} bytes", driver.api.alloc, asked, self.queued)

    def free(self, block: Block) -> None:
        """Give a block back. Of a lost context there is nothing left to give back."""
        memory, driver = block.handle, self.driver
        if memory.pinned:
            driver.drop(driver.api.free_pinned, memory.place)
        else:
            driver.drop(driver.api.free, memory.place, self.queued)

    def copyin(self, block: Block, offset: int, source: memoryview) -> None:
        """Copy into the block; BufferError beyond its end."""
        _check_span(block, offset, source.nbytes)
        if not source.nbytes:
            return
        host, driver = address_of(source), self.driver
        if block.address is not None:
            driver.settle()
            ctypes.memmove(block.address + offset, host, source.nbytes)
            return
        driver.given += 1
        driver.call("a copy to the device", driver.api.to_device, block.handle.place + offset, host, source.nbytes)

    def copyout(self, target: memoryview, block: Block, offset: int) -> None:
        """Copy out of the block; BufferError beyond its end."""
        _check_span(block, offset, target.nbytes)
        if not target.nbytes:
            return
        host, driver = address_of(target), self.driver
        if block.address is not None:
            driver.settle()
            ctypes.memmove(host, block.address + offset, target.nbytes)
            return
        driver.call("a copy from the device", driver.api.to_host, host, block.handle.place + offset, target.nbytes)

    def transfer(self, target: Block, target_offset: int, source: Block, source_offset: int, nbytes: int) -> bool:
        """Copy between blocks, also of two CUDA devices; BufferError beyond an end. Not, if they are parts of one block that overlap."""
        _check_span(target, target_offset, nbytes)
        _check_span(source, source_offset, nbytes)
        if target is source and abs(target_offset - source_offset) < nbytes:
            return False
        mine, theirs = target.handle, source.handle
        if not isinstance(theirs, Memory) or not isinstance(mine, Memory):
            return False
        if nbytes:
            self._moved(mine, mine.place + target_offset, theirs, theirs.place + source_offset, nbytes)
        return True

    def _moved(self, mine: Memory, to: int, theirs: Memory, start: int, nbytes: int) -> None:
        driver = self.driver
        driver.given += 1
        if mine.driver is not theirs.driver and not mine.pinned and not theirs.pinned:
            ends = (to, mine.driver.context), (start, theirs.driver.context)
            theirs.driver.settle()
            driver.call("a copy between devices", driver.api.to_peer, *ends, nbytes)
            return
        driver.call("a copy on the device", driver.api.on_device, to, start, nbytes)
        if mine.pinned:
            driver.settle()


class CudaPool(LRUAllocator):
    """The pool of a device, with what sharing memory with other libraries takes."""

    def __init__(self, driver: Driver, lanes: Lanes) -> None:
        super().__init__(CudaAllocator(driver))
        self.driver, self.lanes = driver, lanes

    @property
    def dlpack_device(self) -> tuple[int, int]:
        """What DLPack calls the device."""
        return (KIND, self.driver.index)

    def reaches(self, other: object) -> bool:
        """Whether `transfer` copies from blocks of another allocator too."""
        return isinstance(other, CudaPool)

    def enqueued(self, target: Buffer, source: Buffer) -> bool:
        """Copies in the stream of this context, if it is one of this device and both buffers are its; whether it did."""
        lane, mine, theirs = self.lanes.of(None), target.block.handle, source.block.handle
        if lane is self.lanes.usual or not (is_ours(mine, self.driver) and is_ours(theirs, self.driver)):
            return False
        to, start, nbytes = mine.place + target.offset, theirs.place + source.offset, target.nbytes
        if not nbytes or abs(to - start) < nbytes:
            return False
        held = (target.hold(), source.hold())
        if lane.foreign:
            lane.follow()
        self.driver.call("a copy on the device", self.driver.api.on_device, to, start, nbytes, lane.stream)
        lane.launched(Launched("a copy", held))
        return True

    def taken(self, source: object) -> Taken:
        """What another library shares, used behind what is in its default stream. BufferError for memory of another device."""
        taken = take(source, stream=1)
        if taken.device != self.dlpack_device:
            raise errors.BufferError(f"the memory is on DLPack device {taken.device}, and {self.driver.name} is {self.dlpack_device}",
                                     hint="copy it to this device first")
        if not taken.contiguous:
            raise errors.BufferError("the memory has gaps, or another order", hint="x.contiguous() in torch, cupy.ascontiguousarray(x)")
        return taken

    def placed(self, taken: Taken) -> Memory:
        """That memory, as the handle of a block."""
        return Memory(taken.address, self.driver, keeps=taken)

    def ready_for(self, stream: object) -> None:
        """Lets a consumer's stream (its number, by the array API standard; None and 1: the default one) wait for all launches so far."""
        driver = self.driver
        if stream in (None, 0, 1, -1):
            return
        if not isinstance(stream, int) or stream < 0 or stream == 2 or not driver.api.foreign_streams:
            driver.settle()
            return
        driver.call("waiting for launches", self._passed, stream)

    def _passed(self, stream: int) -> None:
        api = self.driver.api
        event = api.event(False)
        api.record(event, None)
        api.wait_for(api.stream_of(stream), event)
        api.destroy_event(event)


def address_of(memory: memoryview) -> int:
    """Where host memory begins, also where it is read-only."""
    address: int = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
    return address


def _check_span(block: Block, offset: int, nbytes: int) -> None:
    if offset < 0 or nbytes < 0 or offset + nbytes > block.nbytes:
        raise errors.BufferError(f"bytes {offset} to {offset + nbytes} are not inside a block of {block.nbytes} bytes")


def is_ours(handle: Any, driver: Driver) -> bool:
    """Whether a block's handle is memory that kernels of this device reach as it is."""
    return isinstance(handle, Memory) and (handle.driver is driver or handle.pinned)
