"""Memory of an OpenCL device: cl.Buffer objects, and copies from and to the host through its queue.

Owns: allocation and copies, the numbers that stand for addresses. Must not know kernels.
Invariant: blocks have places of their own in an address space that means nothing but which of them overlap: none do.
"""
from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from svod import errors
from svod.device.allocator import ALIGNMENT, DEFAULT_OPTIONS, AllocOptions, Block, check_size
from svod.device.opencl.driver import Driver, bindings
from svod.errors import OutOfMemory

_FIRST = 1 << 60
"""Where these places begin: no address of the host is so high."""
_APART = 1 << 49
"""More than any block has bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """A cl.Buffer, and its place."""

    buffer: Any
    place: int


class OpenCLAllocator:
    """Gives blocks of one device. `handle` of a Block is a Memory."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._places = count()

    @property
    def on_host(self) -> bool:
        """Never: the host reads and writes blocks by copies."""
        return False

    def alloc(self, nbytes: int, options: AllocOptions = DEFAULT_OPTIONS) -> Block:
        """A block. BufferError for a size or an alignment without meaning, OutOfMemory if the device has none of that size."""
        size = check_size(nbytes)
        if options.align < 1 or options.align & (options.align - 1):
            raise errors.BufferError(f"alignment {options.align} is not a power of two")
        if options.align > ALIGNMENT:
            raise errors.BufferError(f"{self.driver.name} aligns blocks to {ALIGNMENT} bytes, not {options.align}")
        most = int(self.driver.device.max_mem_alloc_size)
        if size > most:
            raise OutOfMemory(f"{self.driver.name} gives blocks of up to {most} bytes, {size} were asked for", hint="use several buffers")
        cl = bindings()
        with self.driver.errors(f"a block of {size} bytes"):
            made = cl.Buffer(self.driver.context, cl.mem_flags.READ_WRITE, max(1, size))
        return Block(Memory(made, _FIRST + next(self._places) * _APART), size, options, None)

    def free(self, block: Block) -> None:
        """The memory goes when the last launch that uses it is done."""
        block.handle.buffer.release()

    def copyin(self, block: Block, offset: int, source: memoryview) -> None:
        """Copy into the block; BufferError beyond its end."""
        _check_span(block, offset, source.nbytes)
        if source.nbytes:
            with self.driver.errors("a copy to the device"):
                host = np.frombuffer(source, np.uint8)
                bindings().enqueue_copy(self.driver.queue, block.handle.buffer, host, dst_offset=offset, is_blocking=True)

    def copyout(self, target: memoryview, block: Block, offset: int) -> None:
        """Copy out of the block; BufferError beyond its end."""
        _check_span(block, offset, target.nbytes)
        if target.nbytes:
            with self.driver.errors("a copy from the device"):
                host = np.frombuffer(target, np.uint8)
                bindings().enqueue_copy(self.driver.queue, host, block.handle.buffer, src_offset=offset, is_blocking=True)

    def transfer(self, target: Block, target_offset: int, source: Block, source_offset: int, nbytes: int) -> bool:
        """Copy between two blocks; BufferError beyond an end. Not, if they are parts of one block that overlap."""
        _check_span(target, target_offset, nbytes)
        _check_span(source, source_offset, nbytes)
        if target is source and abs(target_offset - source_offset) < nbytes:
            return False
        if nbytes:
            with self.driver.errors("a copy on the device"):
                bindings().enqueue_copy(self.driver.queue, target.handle.buffer, source.handle.buffer, src_offset=source_offset,
                                        dst_offset=target_offset, byte_count=nbytes).wait()
        return True


def _check_span(block: Block, offset: int, nbytes: int) -> None:
    if offset < 0 or nbytes < 0 or offset + nbytes > block.nbytes:
        raise errors.BufferError(f"bytes {offset} to {offset + nbytes} are not inside a block of {block.nbytes} bytes")
