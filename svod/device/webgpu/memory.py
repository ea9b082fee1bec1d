"""Memory of a WebGPU device: GPUBuffer objects, and copies from and to the host through its queue.

Owns: allocation and copies, the numbers that stand for addresses. Must not know kernels.
Invariants: blocks have places of their own in an address space that means nothing but which of them overlap: none do. WebGPU copies whole
words: what shares a word with a copy stays as it is.
"""
from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from svod import errors
from svod.device.allocator import ALIGNMENT, DEFAULT_OPTIONS, AllocOptions, Block, check_size
from svod.device.webgpu.driver import Driver, bindings
from svod.errors import OutOfMemory

WORD = 4
LEAST = 8
"""Bytes that every block has, and that are bound of an empty one: shaders want an element, of which the largest has so many."""
_FIRST = 1 << 61
"""Where these places begin: no address of the host is so high."""
_APART = 1 << 49
"""More than any block has bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """A GPUBuffer, and its place."""

    buffer: Any
    place: int


def words(nbytes: int) -> int:
    """Bytes of the words that so many bytes lie in."""
    return -(-nbytes // WORD) * WORD


class WebGPUAllocator:
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
        most = self.driver.limit("max-buffer-size")
        if words(size) > most:
            raise OutOfMemory(f"{self.driver.name} gives blocks of up to {most} bytes, {size} were asked for", hint="use several buffers")
        usage = bindings().BufferUsage
        with self.driver.errors(f"a block of {size} bytes"):
            made = self.driver.device.create_buffer(size=max(LEAST, words(size)), usage=usage.STORAGE | usage.COPY_SRC | usage.COPY_DST)
        return Block(Memory(made, _FIRST + next(self._places) * _APART), size, options, None)

    def free(self, block: Block) -> None:
        """The memory goes when the last launch that uses it is done; not in a process that was forked, whose it is not."""
        if not self.driver.inherited:
            block.handle.buffer.destroy()

    def copyin(self, block: Block, offset: int, source: memoryview) -> None:
        """Copy into the block; BufferError beyond its end."""
        _check_span(block, offset, source.nbytes)
        if not source.nbytes:
            return
        start, end = offset // WORD * WORD, words(offset + source.nbytes)
        with self.driver.errors("a copy to the device"):
            data: Any = source
            if (start, end) != (offset, offset + source.nbytes):
                data = bytearray(end - start)
                if offset > start:
                    data[:WORD] = self._read(block, start, WORD)
                if end > offset + source.nbytes:
                    data[-WORD:] = self._read(block, end - WORD, WORD) if end - start > WORD or offset == start else data[-WORD:]
                data[offset - start:offset - start + source.nbytes] = source
            self.driver.queue.write_buffer(block.handle.buffer, start, data)

    def copyout(self, target: memoryview, block: Block, offset: int) -> None:
        """Copy out of the block; BufferError beyond its end."""
        _check_span(block, offset, target.nbytes)
        if not target.nbytes:
            return
        start, end = offset // WORD * WORD, words(offset + target.nbytes)
        with self.driver.errors("a copy from the device"):
            found = self._read(block, start, end - start)
        target[:] = found[offset - start:offset - start + target.nbytes]

    def _read(self, block: Block, start: int, nbytes: int) -> memoryview:
        return memoryview(self.driver.queue.read_buffer(block.handle.buffer, start, nbytes)).cast("B")

    def transfer(self, target: Block, target_offset: int, source: Block, source_offset: int, nbytes: int) -> bool:
        """Copy between two blocks; BufferError beyond an end. Not, within a block, and where words would be cut."""
        _check_span(target, target_offset, nbytes)
        _check_span(source, source_offset, nbytes)
        if target is source or (target_offset | source_offset | nbytes) % WORD:
            return False
        if nbytes:
            with self.driver.errors("a copy on the device"):
                encoder = self.driver.device.create_command_encoder()
                encoder.copy_buffer_to_buffer(source.handle.buffer, source_offset, target.handle.buffer, target_offset, nbytes)
                self.driver.queue.submit([encoder.finish()])
        return True


def _check_span(block: Block, offset: int, nbytes: int) -> None:
    if offset < 0 or nbytes < 0 or offset + nbytes > block.nbytes:
        raise errors.BufferError(f"bytes {offset} to {offset + nbytes} are not inside a block of {block.nbytes} bytes")
