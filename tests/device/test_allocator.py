"""Memory: sizes, alignment, reuse, bounds, exhaustion, threads."""
from __future__ import annotations

import ctypes
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

import svod.device.allocator as module
from svod import errors
from svod.device.allocator import (
    ALIGNMENT,
    DEFAULT_OPTIONS,
    MAX_BYTES,
    AllocOptions,
    Block,
    HostAllocator,
    LRUAllocator,
    MemoryStats,
    check_size,
)
from svod.errors import OutOfMemory

ROOT = Path(module.__file__).parents[2]
HOST = HostAllocator()


class Quota(HostAllocator):
    """Host memory of which there are only `limit` bytes; counts what is asked of it."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used, self.asked, self.freed = limit, 0, 0, 0

    def alloc(self, nbytes: int, options: AllocOptions = DEFAULT_OPTIONS) -> Block:
        self.asked += 1
        if self.used + nbytes > self.limit:
            raise OutOfMemory(f"{nbytes} bytes asked, {self.limit - self.used} left")
        self.used += nbytes
        return super().alloc(nbytes, options)

    def free(self, block: Block) -> None:
        self.used -= block.nbytes
        self.freed += 1


def fill(block: Block, value: int) -> None:
    assert block.address is not None
    ctypes.memset(block.address, value, block.nbytes)


def contents(block: Block) -> bytes:
    assert block.address is not None
    return ctypes.string_at(block.address, block.nbytes)


# --- sizes -------------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [-1, MAX_BYTES + 1, 1 << 200, 1.5, 8.0, "8", None, True, np.float64(8), [8]])
def test_sizes_without_meaning_are_refused(size: object) -> None:
    for alloc in (check_size, HOST.alloc, LRUAllocator(HOST).alloc):
        with pytest.raises(errors.BufferError):
            alloc(size)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "value"), [(0, 0), (np.int64(7), 7), (np.uint8(255), 255), (MAX_BYTES, MAX_BYTES)])
def test_whole_numbers_of_any_kind_are_sizes(size: object, value: int) -> None:
    assert check_size(size) == value


# --- host memory -------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 4095, 4096, 5 << 20])
@pytest.mark.parametrize("align", [1, 64, 4096])
def test_host_memory_is_aligned_and_all_of_it_is_there(size: int, align: int) -> None:
    block = HOST.alloc(size, AllocOptions(align))
    assert block.address is not None
    assert block.address > 0
    assert block.address % align == 0
    fill(block, 0xA5)
    assert contents(block) == b"\xa5" * size


def test_the_default_alignment_is_a_cache_line() -> None:
    blocks = [HOST.alloc(n) for n in range(1, 200)]
    assert {b.address % ALIGNMENT for b in blocks if b.address is not None} == {0}
    assert ALIGNMENT >= 64


@pytest.mark.parametrize("align", [0, -64, 3, 48])
def test_an_alignment_is_a_power_of_two(align: int) -> None:
    with pytest.raises(errors.BufferError, match="power of two"):
        HOST.alloc(8, AllocOptions(align))


def test_more_memory_than_there_is_is_a_typed_error() -> None:
    with pytest.raises(OutOfMemory, match=str(1 << 47)):
        HOST.alloc(1 << 47)


def test_copies_go_in_and_out_at_offsets() -> None:
    block, out = HOST.alloc(10), bytearray(4)
    fill(block, 0)
    HOST.copyin(block, 3, memoryview(b"abcd"))
    HOST.copyout(memoryview(out), block, 2)
    assert (contents(block), bytes(out)) == (b"\0\0\0abcd\0\0\0", b"\0abc")
    assert HOST.transfer(block, 0, block, 3, 5)
    assert contents(block) == b"abcd\0cd\0\0\0"
    HOST.copyin(block, 10, memoryview(b""))


@pytest.mark.parametrize(("offset", "n"), [(-1, 2), (9, 2), (11, 0), (0, 11)])
def test_copies_stay_inside_the_block(offset: int, n: int) -> None:
    block, other = HOST.alloc(10), HOST.alloc(100)
    fill(block, 1)
    with pytest.raises(errors.BufferError, match="not inside"):
        HOST.copyin(block, offset, memoryview(bytes(n)))
    with pytest.raises(errors.BufferError, match="not inside"):
        HOST.copyout(memoryview(bytearray(n)), block, offset)
    with pytest.raises(errors.BufferError, match="not inside"):
        HOST.transfer(other, 0, block, offset, n)
    assert contents(block) == b"\1" * 10


def test_a_block_of_another_device_has_no_host_bytes() -> None:
    with pytest.raises(errors.BufferError, match="cannot reach"):
        HOST.copyin(Block(None, 8, AllocOptions(), None), 0, memoryview(b"x"))


# --- the pool ----------------------------------------------------------------------------------------------------------------------

def test_blocks_are_reused_by_size_and_options_only() -> None:
    pool = LRUAllocator(HOST)
    first = pool.alloc(1000)
    pool.free(first)
    assert pool.alloc(1001) is not first
    assert pool.alloc(1000, AllocOptions(128)) is not first
    assert pool.alloc(1000, AllocOptions(pinned=True)) is not first
    assert pool.alloc(1000) is first
    assert pool.alloc(1000) is not first
    assert pool.stats() == MemoryStats(live_bytes=5001, live_blocks=5, cached_bytes=0, cached_blocks=0, peak_bytes=5001, allocs=6, reuses=1)


def test_the_block_given_back_last_is_reused_first() -> None:
    pool = LRUAllocator(HOST)
    a, b = pool.alloc(64), pool.alloc(64)
    pool.free(a)
    pool.free(b)
    assert pool.alloc(64) is b
    assert pool.alloc(64) is a


def test_unused_memory_is_bounded_and_the_oldest_goes_first() -> None:
    base = Quota(1 << 20)
    pool = LRUAllocator(base, 1000)
    blocks = [pool.alloc(n) for n in (300, 400, 300, 350, 1001)]
    for b in blocks:
        pool.free(b)
    stats = pool.stats()
    assert (stats.cached_bytes, stats.cached_blocks, stats.live_bytes, stats.peak_bytes) == (0, 0, 0, 2351)
    assert base.used == 0
    for b in (blocks := [pool.alloc(n) for n in (300, 400, 300, 350)]):
        pool.free(b)
    assert pool.stats().cached_bytes == 650
    assert pool.alloc(350) is blocks[3]
    assert pool.alloc(300) is blocks[2]
    assert base.used == 650


def test_a_pool_of_no_bytes_keeps_nothing_not_even_empty_blocks() -> None:
    pool = LRUAllocator(HOST, 0)
    for size in (0, 10):
        block = pool.alloc(size)
        pool.free(block)
        assert pool.stats().cached_blocks == 0


def test_out_of_memory_drains_the_pool_once_and_tries_again() -> None:
    base = Quota(1000)
    pool = LRUAllocator(base)
    for b in [pool.alloc(n) for n in (300, 300, 300)]:
        pool.free(b)
    base.asked = 0
    big = pool.alloc(900)
    assert (big.nbytes, base.asked, base.freed) == (900, 2, 3)
    base.asked = 0
    with pytest.raises(OutOfMemory) as e:
        pool.alloc(200)
    assert base.asked == 2
    assert "200 bytes" in e.value.what
    assert "900 bytes are in use in 1 block" in e.value.what
    pool.free(big)
    assert pool.alloc(200).nbytes == 200


def test_the_peak_stays_when_memory_goes_back() -> None:
    pool = LRUAllocator(HOST)
    pool.free(pool.alloc(1000))
    block = pool.alloc(10)
    assert (pool.stats().peak_bytes, pool.stats().live_bytes, block.nbytes) == (1000, 10, 10)


def test_draining_gives_everything_unused_back() -> None:
    base = Quota(1000)
    pool = LRUAllocator(base)
    kept, freed, empty = pool.alloc(100), pool.alloc(200), pool.alloc(0)
    pool.free(freed)
    pool.free(empty)
    assert pool.drain() == 200
    assert (base.used, base.freed, pool.drain()) == (100, 2, 0)
    assert kept.nbytes == pool.stats().live_bytes == 100


def test_freeing_twice_or_a_strangers_block_is_an_error() -> None:
    pool, other = LRUAllocator(HOST), LRUAllocator(HOST)
    block = pool.alloc(10)
    with pytest.raises(errors.BufferError, match="did not make it"):
        other.free(block)
    pool.free(block)
    with pytest.raises(errors.BufferError, match="freed twice"):
        pool.free(block)
    assert pool.stats() == MemoryStats(0, 0, 10, 1, 10, 1, 0)


def test_a_destructor_may_free_while_its_own_thread_holds_the_lock() -> None:
    pool = LRUAllocator(HOST)
    block, start = pool.alloc(10), time.monotonic()
    with pool._lock:
        pool.free(block)
    assert time.monotonic() - start < 1
    assert pool.stats().cached_bytes == 10
    assert pool.alloc(10) is block


def test_the_pool_copies_as_the_allocator_below_it() -> None:
    pool, out = LRUAllocator(HOST), bytearray(3)
    a, b = pool.alloc(3), pool.alloc(3)
    pool.copyin(a, 0, memoryview(b"xyz"))
    assert pool.transfer(b, 0, a, 0, 3)
    pool.copyout(memoryview(out), b, 0)
    assert (bytes(out), pool.on_host) == (b"xyz", True)


def test_eight_threads_never_share_a_block() -> None:
    pool, failures = LRUAllocator(HOST, 20_000), list[str]()

    def work(me: int) -> None:
        rng, mine = random.Random(me), list[Block]()
        for _ in range(400):
            if mine and rng.random() < 0.5:
                block = mine.pop(rng.randrange(len(mine)))
                if contents(block) != bytes([me]) * block.nbytes:
                    failures.append(f"thread {me}: a block was written by another")
                pool.free(block)
            else:
                mine.append(block := pool.alloc(rng.choice((0, 64, 100, 1000, 3000))))
                fill(block, me)
            if rng.random() < 0.02:
                pool.drain()
        for block in mine:
            pool.free(block)
    threads = [threading.Thread(target=work, args=(i + 1,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    stats = pool.stats()
    assert not failures
    assert (stats.live_bytes, stats.live_blocks) == (0, 0)
    assert stats.cached_bytes <= 20_000
    assert stats.reuses > 0


FORKING = """
import os, sys, threading
from svod.device.allocator import HostAllocator, LRUAllocator
pool = LRUAllocator(HostAllocator(), 10_000)
def work():
    while True:
        for b in [pool.alloc(n) for n in (64, 128, 4000, 9000)]:
            pool.free(b)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        import signal; signal.alarm(5)
        for b in [pool.alloc(n) for n in (64, 128, 4000, 9000)]:
            pool.free(b)
        s = pool.stats()
        os._exit(0 if s.cached_bytes <= 10_000 and s.live_bytes >= 0 else 3)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        print("child", code, flush=True); os._exit(1)
print("done", flush=True); os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_goes_on_with_the_pool() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], cwd=ROOT, text=True, capture_output=True, timeout=60, check=False)
    assert done.stdout.strip() == "done", done.stdout + done.stderr


class PoolMachine(RuleBasedStateMachine):
    """Any order of calls: live blocks keep their contents, the figures add up, unused memory is bounded, nothing leaks below."""

    live = Bundle("live")

    def __init__(self) -> None:
        super().__init__()
        self.base, self.marks, self.count = Quota(3000), dict[int, int](), 0
        self.pool, self.held = LRUAllocator(self.base, 1000), dict[int, Block]()

    @rule(target=live, size=st.sampled_from((0, 1, 64, 65, 300, 1000, 1001)), align=st.sampled_from((64, 128)))
    def alloc(self, size: int, align: int) -> Block | None:
        try:
            block = self.pool.alloc(size, AllocOptions(align))
        except OutOfMemory:
            assert self.pool.stats().cached_blocks == 0
            assert self.base.used + size > self.base.limit
            return None
        assert id(block) not in self.held
        assert (block.nbytes, block.options.align) == (size, align)
        self.count = (self.count + 1) % 256
        self.held[id(block)], self.marks[id(block)] = block, self.count
        fill(block, self.count)
        return block

    @rule(block=consumes(live))
    def free(self, block: Block | None) -> None:
        if block is not None:
            del self.held[id(block)]
            self.pool.free(block)

    @rule()
    def drain(self) -> None:
        self.pool.drain()
        assert self.pool.stats().cached_blocks == 0

    @invariant()
    def figures_add_up(self) -> None:
        stats = self.pool.stats()
        assert stats.live_bytes == sum(b.nbytes for b in self.held.values())
        assert stats.live_blocks == len(self.held)
        assert stats.cached_bytes <= 1000
        assert self.base.used == stats.live_bytes + stats.cached_bytes
        assert stats.peak_bytes >= stats.live_bytes

    @invariant()
    def contents_stay(self) -> None:
        for block in self.held.values():
            assert contents(block) == bytes([self.marks[id(block)]]) * block.nbytes


TestPool = PoolMachine.TestCase
TestPool.settings = settings(stateful_step_count=30)
