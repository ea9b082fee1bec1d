"""Memory of a device: blocks, who makes them, and the pool that keeps freed ones for the next request of the same kind.

Owns: sizes that may be asked for, the Allocator protocol, host memory, the reuse pool and its figures. Must not know dtypes or devices.
Invariant: a block is handed to one holder at a time, and given back once; a second time is an error, not a corruption.
"""
from __future__ import annotations

import ctypes
import operator
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from svod import errors
from svod.device.locks import new_lock
from svod.errors import OutOfMemory

ALIGNMENT = 64
"""Bytes. One cache line and one AVX-512 register; an unaligned block makes an L1-resident kernel up to twice as slow."""
MAX_BYTES = 1 << 48
"""More than any address space of today holds: such a size is a mistake in the caller's arithmetic, not a request."""
DEFAULT_POOL_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class AllocOptions:
    """What kind of memory is asked for. Blocks are reused only for equal options."""

    align: int = ALIGNMENT
    """Bytes, a power of two."""
    pinned: bool = False
    """Host memory that the device reads and writes directly; on devices that live in host memory this changes nothing."""


DEFAULT_OPTIONS = AllocOptions()


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One allocation. Contents are undefined at first."""

    handle: Any
    """Means something only to the allocator that made the block."""
    nbytes: int
    options: AllocOptions
    address: int | None
    """Where the host reads and writes it; None if it cannot."""


class Allocator(Protocol):
    """What a device gives: memory, and the way there and back. All methods may be called from any thread."""

    @property
    def on_host(self) -> bool:
        """Every block has an address, and any host memory can stand in for a block (zero-copy)."""

    def alloc(self, nbytes: int, options: AllocOptions = DEFAULT_OPTIONS) -> Block:
        """A block of `nbytes` bytes (0 is allowed). BufferError for a size without meaning, OutOfMemory if there is none left."""

    def free(self, block: Block) -> None:
        """Give a block back. Called from destructors: it must not block for long."""

    def copyin(self, block: Block, offset: int, source: memoryview) -> None:
        """Copy host bytes (contiguous, format B) to `block` from byte `offset` on; done when it returns."""

    def copyout(self, target: memoryview, block: Block, offset: int) -> None:
        """Copy bytes of `block` from byte `offset` on to host memory (contiguous, writable, format B); done when it returns."""

    def transfer(self, target: Block, target_offset: int, source: Block, source_offset: int, nbytes: int) -> bool:
        """Copy between blocks of this device without the host. False, and nothing done, if it cannot be done directly."""


def check_size(nbytes: object) -> int:
    """`nbytes` as an int. BufferError unless it is a whole number from 0 to MAX_BYTES (bool does not count as a number)."""
    if isinstance(nbytes, bool) or not hasattr(nbytes, "__index__"):
        raise errors.BufferError(f"{nbytes!r} is not a number of bytes", hint="a whole number: int(n), or n // 2 instead of n / 2")
    size = operator.index(nbytes)
    if size < 0:
        raise errors.BufferError(f"a block cannot have {size} bytes")
    if size > MAX_BYTES:
        raise errors.BufferError(f"a block cannot have {size} bytes: the limit is 2**48", hint="check the arithmetic of the size")
    return size


class HostAllocator:
    """Ordinary memory of this process, aligned, through NumPy.

    Why NumPy and not aligned_alloc from libc: it is the same memory (malloc, huge pages asked for from 4 MB on) on every system, Windows
    included, where aligned memory needs a `free` of its own; it is counted by tracemalloc; and it is owned by a reference, so that an
    array handed out keeps its memory alive and an address can never dangle. It costs `align` bytes; a block of 4 KB takes 1.6 us
    (aligned_alloc and free through ctypes: 0.75).
    """

    __slots__ = ()

    @property
    def on_host(self) -> bool:
        """Always."""
        return True

    def alloc(self, nbytes: int, options: AllocOptions = DEFAULT_OPTIONS) -> Block:
        """A block at an address that is a multiple of `options.align`. BufferError, OutOfMemory as the protocol says."""
        size, align = check_size(nbytes), options.align
        if align < 1 or align & (align - 1):
            raise errors.BufferError(f"alignment {align} is not a power of two")
        try:
            memory = np.empty(size + align, np.uint8)
        except (MemoryError, ValueError) as e:
            raise OutOfMemory(f"this process cannot get {size} bytes of memory") from e
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory.data))  # four times as fast as asking the array
        return Block(memory, size, options, start + -start % align)

    def free(self, block: Block) -> None:
        """Nothing to do: the memory goes when the last reference to the block does."""

    def copyin(self, block: Block, offset: int, source: memoryview) -> None:
        """Copy into the block; BufferError beyond its end."""
        ctypes.memmove(_span(block, offset, source.nbytes), _address_of(source), source.nbytes)

    def copyout(self, target: memoryview, block: Block, offset: int) -> None:
        """Copy out of the block; BufferError beyond its end."""
        ctypes.memmove(_address_of(target), _span(block, offset, target.nbytes), target.nbytes)

    def transfer(self, target: Block, target_offset: int, source: Block, source_offset: int, nbytes: int) -> bool:
        """Copy between two blocks, which may overlap; BufferError beyond an end."""
        ctypes.memmove(_span(target, target_offset, nbytes), _span(source, source_offset, nbytes), nbytes)
        return True


def _span(block: Block, offset: int, nbytes: int) -> int:
    """Address of bytes [offset, offset + nbytes) of a block."""
    if offset < 0 or nbytes < 0 or offset + nbytes > block.nbytes:
        raise errors.BufferError(f"bytes {offset} to {offset + nbytes} are not inside a block of {block.nbytes} bytes")
    if block.address is None:
        raise errors.BufferError("the host cannot reach this block")
    return block.address + offset


def _address_of(view: memoryview) -> int:
    address: int = np.frombuffer(view, np.uint8).__array_interface__["data"][0] if view.nbytes else 0
    return address


@dataclass(frozen=True, slots=True)
class MemoryStats:
    """Figures of a pool, in bytes and counts since it was made."""

    live_bytes: int
    """In blocks that are in use."""
    live_blocks: int
    cached_bytes: int
    """In blocks kept for reuse."""
    cached_blocks: int
    peak_bytes: int
    """Greatest `live_bytes` so far."""
    allocs: int
    """Blocks asked for."""
    reuses: int
    """How many of those came from the pool."""


class LRUAllocator:
    """Keeps freed blocks of another allocator and hands them out again for the same size and options; contents are what they were.

    Holds at most `max_bytes` of unused memory: the blocks given back longest ago go first. When the other allocator is out of memory, all
    unused blocks go, once, before OutOfMemory is raised. Safe to use from any thread, from destructors, and after a fork.
    """

    def __init__(self, base: Allocator, max_bytes: int = DEFAULT_POOL_BYTES) -> None:
        self._base, self._max_bytes = base, check_size(max_bytes)
        self._lock = new_lock()
        self._returned: deque[Block] = deque()
        """Given back, not yet sorted in: a destructor may run while its own thread holds the lock, so `free` never waits for it."""
        self._live: dict[int, Block] = {}
        self._unused: OrderedDict[int, Block] = OrderedDict()
        self._by_kind: dict[tuple[int, AllocOptions], deque[Block]] = {}
        self._live_bytes = self._cached_bytes = self._peak = self._allocs = self._reuses = 0

    @property
    def on_host(self) -> bool:
        """As the other allocator."""
        return self._base.on_host

    def alloc(self, nbytes: int, options: AllocOptions = DEFAULT_OPTIONS) -> Block:
        """A block given back before, else a new one. BufferError for a size without meaning; OutOfMemory after the pool was drained."""
        size = check_size(nbytes)
        with self._lock:
            dropped = self._sort_in()
            block = self._take(size, options)
            self._reuses += block is not None
        self._release(dropped)
        if block is None:
            block = self._new(size, options)
        with self._lock:
            self._live[id(block)] = block
            self._allocs += 1
            self._live_bytes += size
            self._peak = max(self._peak, self._live_bytes)
        return block

    def free(self, block: Block) -> None:
        """Keep a block for reuse. BufferError if this pool did not hand it out, or has it back already."""
        if self._live.pop(id(block), None) is not block:
            raise errors.BufferError(f"a block of {block.nbytes} bytes is freed twice, or by an allocator that did not make it")
        self._returned.append(block)
        self._settle()

    def drain(self) -> int:
        """Give all unused blocks to the other allocator; how many bytes that were."""
        with self._lock:
            dropped = self._sort_in() + self._evict(0)
        self._release(dropped)
        return sum(b.nbytes for b in dropped)

    def stats(self) -> MemoryStats:
        """The figures now."""
        with self._lock:
            dropped = self._sort_in()
            found = MemoryStats(self._live_bytes, len(self._live), self._cached_bytes, len(self._unused), self._peak, self._allocs,
                                self._reuses)
        self._release(dropped)
        return found

    def copyin(self, block: Block, offset: int, source: memoryview) -> None:
        """As the other allocator."""
        self._base.copyin(block, offset, source)

    def copyout(self, target: memoryview, block: Block, offset: int) -> None:
        """As the other allocator."""
        self._base.copyout(target, block, offset)

    def transfer(self, target: Block, target_offset: int, source: Block, source_offset: int, nbytes: int) -> bool:
        """As the other allocator."""
        return self._base.transfer(target, target_offset, source, source_offset, nbytes)

    def _new(self, size: int, options: AllocOptions) -> Block:
        try:
            return self._base.alloc(size, options)
        except OutOfMemory:
            self.drain()
        try:
            return self._base.alloc(size, options)
        except OutOfMemory as e:
            live = self.stats()
            raise OutOfMemory(f"no memory for {size} bytes, with no unused block left: {live.live_bytes} bytes are in use in "
                              f"{live.live_blocks} blocks", hint="free buffers that are not needed: buffer.free(), or a with block") from e

    def _settle(self) -> None:
        """Sort in what was given back, unless someone is at it; they, or the next call, will see it."""
        while self._returned and self._lock.acquire(blocking=False):
            try:
                dropped = self._sort_in()
            finally:
                self._lock.release()
            self._release(dropped)

    def _release(self, blocks: list[Block]) -> None:
        for block in blocks:
            self._base.free(block)

    # The rest runs with the lock held, and returns the blocks to release after it.

    def _sort_in(self) -> list[Block]:
        while self._returned:
            block = self._returned.popleft()
            self._live_bytes -= block.nbytes
            self._unused[id(block)] = block
            self._by_kind.setdefault((block.nbytes, block.options), deque()).append(block)
            self._cached_bytes += block.nbytes
        return self._evict(self._max_bytes)

    def _take(self, size: int, options: AllocOptions) -> Block | None:
        """The block of this kind that was given back last, which is the likeliest to be in a CPU cache."""
        kind = (size, options)
        if not (same := self._by_kind.get(kind)):
            return None
        block = same.pop()
        if not same:
            del self._by_kind[kind]
        del self._unused[id(block)]
        self._cached_bytes -= size
        return block

    def _evict(self, limit: int) -> list[Block]:
        """Oldest first, until at most `limit` bytes are unused. The oldest of all is the oldest of its kind."""
        dropped = []
        while self._cached_bytes > limit or (limit == 0 and self._unused):
            _, block = self._unused.popitem(last=False)
            kind = (block.nbytes, block.options)
            self._by_kind[kind].popleft()
            if not self._by_kind[kind]:
                del self._by_kind[kind]
            self._cached_bytes -= block.nbytes
            dropped.append(block)
        return dropped
