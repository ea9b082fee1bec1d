"""The worker pool seen from Python: its life, its launches, what it is doing.

Owns: which native pools exist, and their reset in a forked child. Must not know kernels, arrays or descriptors; the hand-off is pool.ll.
Invariants: a pool's native memory and code outlive its workers; at interpreter exit nothing is joined or unmapped, so exit neither hangs
nor crashes.
"""
from __future__ import annotations

import os
import weakref
from ctypes import c_int64
from dataclasses import dataclass

from svod import config
from svod.device.cpu.native import Native
from svod.errors import ConfigError, LaunchError, OutOfMemory

MAX_THREADS = config.MAX_THREADS
"""One bit a slot in one word: more threads than this are never used at once."""

SPIN_US = 100.0
"""How long an idle thread watches for work before it sleeps. A watching thread takes work over in 0.25 us. Waking a sleeping one costs its
caller 10 us, and it arrives after 110 us (two virtual CPUs of an AMD Zen 4); meanwhile the caller goes on alone."""

KEEP_BYTES = 256 << 20
"""Scratch blocks up to this size are kept for the next launch."""

_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()
"""Every live pool: the one thing that must be found again in a forked child, where the workers are gone."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """`workers` threads exist beside the callers, `parked` of them sleep; `launches` were spread; `kept_bytes` of scratch await reuse."""

    workers: int
    parked: int
    launches: int
    kept_bytes: int


class Pool:
    """Threads that share the cores of a launch with its caller. Thread-safe: a launch that finds the pool busy runs on its caller alone.

    Workers start with the first launch that can use them.
    """

    __slots__ = ("__weakref__", "_destroy", "address", "native", "threads")

    def __init__(self, native: Native, threads: int, *, spin_us: float = SPIN_US, keep_bytes: int = KEEP_BYTES) -> None:
        """`threads` counts the caller; above MAX_THREADS it is cut. ConfigError below 1, OutOfMemory if the pool's 4 KiB cannot be had."""
        if threads < 1:
            raise ConfigError(f"a worker pool needs at least 1 thread, not {threads}", hint="set SVOD_NUM_THREADS to 1 or more")
        self.native, self.threads = native, min(threads, MAX_THREADS)
        self.address: int = native.pool_create(self.threads, int(spin_us * 1000), keep_bytes) or 0
        if not self.address:
            raise OutOfMemory("no memory for the worker pool")
        self._destroy = weakref.finalize(self, native.pool_destroy, self.address)
        self._destroy.atexit = False
        _POOLS.add(self)

    def run(self, entry: int, args: int, cores: int, phases: int, shared_bytes: int, private_bytes: int) -> None:
        """Run the kernel at address `entry` on the argument slots at address `args`, spread over the pool, and wait. Releases the GIL.

        `shared_bytes` of scratch for the launch, `private_bytes` for each core. LaunchError for counts that make no sense; OutOfMemory if
        the scratch cannot be had: then nothing ran. The addresses are believed.
        """
        if cores < 1 or phases < 1 or shared_bytes < 0 or private_bytes < 0:
            raise LaunchError(f"a launch of {cores} cores, {phases} phases, {shared_bytes} and {private_bytes} B of scratch makes no sense")
        if self.native.pool_run(self.address, entry, args, cores, phases, shared_bytes, private_bytes):
            raise OutOfMemory(f"no memory for scratch: {shared_bytes} B and {private_bytes} B for each of {cores} cores")

    def stats(self) -> PoolStats:
        """What the pool is doing now; approximate while launches run."""
        out = (c_int64 * 4)()
        self.native.pool_stats(self.address, out)
        return PoolStats(*out)

    def trim(self) -> None:
        """Free the kept scratch."""
        self.native.pool_trim(self.address)

    def stop(self) -> None:
        """End the workers once no launch is under way, and free the kept scratch. A later launch starts new workers."""
        self.native.pool_stop(self.address)

    def reset(self) -> None:
        """Forget the workers without ending them: only right in a forked child, where they do not exist."""
        self.native.pool_reset(self.address)


def available_cpus() -> int:
    """CPUs this process may use: its affinity where the system tells, else all of them."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _reset_in_child() -> None:
    for pool in _POOLS:
        pool.reset()


os.register_at_fork(after_in_child=_reset_in_child)
