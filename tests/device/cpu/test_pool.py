"""The worker pool: what runs where, how often and in which order; scratch; sleep; fork; exit."""
from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from svod.device.cpu.jit import LoadedObject
from svod.device.cpu.native import Native
from svod.device.cpu.pool import MAX_THREADS, Pool, PoolStats, available_cpus
from svod.errors import ConfigError, LaunchError, OutOfMemory

Slots = Callable[..., "ctypes.Array[ctypes.c_int64]"]
Until = Callable[[Callable[[], bool]], bool]


class Bench:
    """Launches of the test kernels on one pool."""

    def __init__(self, kernels: LoadedObject, slots: Slots) -> None:
        self.kernels, self.slots = kernels, slots

    def run(self, pool: Pool, name: str, args: tuple[object, ...], *sizes: int) -> None:
        """One launch; `sizes` are cores, phases, shared and private bytes, as far as they are not 1, 1, 0, 0."""
        filled = self.slots(*args)
        pool.run(self.kernels.address(name), ctypes.addressof(filled), *sizes, *(1, 1, 0, 0)[len(sizes):])

    def threads_of(self, pool: Pool, cores: int, spins: int) -> set[int]:
        """The threads that ran the cores of one launch."""
        out = np.zeros(cores, np.int64)
        self.run(pool, "who", (out, spins), cores)
        assert out.all()
        return set(out.tolist())


@pytest.fixture
def bench(kernels: LoadedObject, slots: Slots) -> Bench:
    return Bench(kernels, slots)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("cores", [1, 2, 3, 63, 64, 65, 130, 1000])
@pytest.mark.parametrize("phases", [1, 2, 5])
def test_every_core_runs_once_in_each_phase_and_phases_do_not_overlap(
        threads: int, cores: int, phases: int, bench: Bench, make_pool: Callable[..., Pool]) -> None:
    pool = make_pool(threads)
    for _ in range(20):
        out = np.zeros(cores + 1, np.int64)
        bench.run(pool, "count", (out, cores), cores, phases)
        assert (out[:cores] == phases).all()
        assert out[cores] == 0, "a core ran before another had finished the phase before"
    assert pool.stats().launches == (20 if threads > 1 and cores > 1 else 0)
    pool.stop()


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("parts", [1, 2, 7, 100])
def test_two_phases_meet_in_shared_scratch(threads: int, parts: int, bench: Bench, make_pool: Callable[..., Pool]) -> None:
    pool = make_pool(threads)
    values = np.random.default_rng(parts).integers(-1 << 40, 1 << 40, 10_007)
    for _ in range(10):
        out = np.zeros(1, np.int64)
        bench.run(pool, "sum", (out, values, values.size, parts), parts, 2, parts * 8, 0)
        assert out[0] == values.sum()
    pool.stop()


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("phases", [1, 3])
@pytest.mark.parametrize("scratch", [(0, 8), (1, 8), (100, 72), (64, 4096), (1 << 22, 1 << 15)])
def test_private_scratch_is_the_cores_own_aligned_and_lasts(
        threads: int, phases: int, scratch: tuple[int, int], bench: Bench, make_pool: Callable[..., Pool]) -> None:
    pool = make_pool(threads)
    for cores in (1, 2, 5, 100):
        out = np.zeros(cores, np.int64)
        bench.run(pool, "keep", (out, 200, phases), cores, phases, *scratch)
        assert out.tolist() == [7 * c + 5 for c in range(cores)]
    pool.stop()


def test_the_work_is_spread_over_threads(bench: Bench, pool: Pool, until: Until) -> None:
    if available_cpus() < 2:
        pytest.skip("one CPU")
    assert until(lambda: len(bench.threads_of(pool, 2, 200_000)) == 2)
    assert pool.stats().workers == 1


def test_a_pool_of_one_thread_starts_none(bench: Bench, make_pool: Callable[..., Pool]) -> None:
    pool = make_pool(1)
    assert bench.threads_of(pool, 8, 10) == {threading.get_ident()}
    assert pool.stats() == PoolStats(0, 0, 0, 0)


def test_one_core_stays_with_its_caller(bench: Bench, pool: Pool) -> None:
    assert bench.threads_of(pool, 1, 10) == {threading.get_ident()}
    assert pool.stats().workers == 0


def test_a_busy_pool_leaves_a_launch_to_its_caller(bench: Bench, pool: Pool, until: Until) -> None:
    flags = np.zeros(2, np.int64)
    holder = threading.Thread(target=bench.run, args=(pool, "hold", (flags, -1), 2))
    holder.start()
    try:
        assert until(lambda: bool(flags[0]))
        for _ in range(50):
            assert bench.threads_of(pool, 6, 100) == {threading.get_ident()}
    finally:
        flags[1] = 1
        holder.join()
    assert pool.stats().launches == 1


def test_a_launch_inside_a_launch_runs_on_its_own_thread(bench: Bench, pool: Pool, native: Native, slots: Slots) -> None:
    for _ in range(200):
        out, inner_out = np.zeros(4, np.int64), np.zeros(3, np.int64)
        inner = slots(inner_out, 3)
        # the kernel `who` is harmless when several threads run it on one array at once
        args = (out, native.address("pool_run"), pool.address, bench.kernels.address("who"), ctypes.addressof(inner), 3)
        bench.run(pool, "nest", args, 4)
        assert out.tolist() == [100] * 4
        assert inner_out.all()
    assert pool.stats().launches == 200


@pytest.mark.parametrize("threads", [2, 4])
def test_many_python_threads_launch_at_once(threads: int, bench: Bench, make_pool: Callable[..., Pool]) -> None:
    pool = make_pool(threads)
    failures: list[object] = []

    def work(seed: int) -> None:
        values = np.random.default_rng(seed).integers(-1 << 40, 1 << 40, 2000 + seed)
        expected = values.sum()
        for i in range(1000):
            out = np.zeros(1, np.int64)
            parts = 2 + (i + seed) % 7
            bench.run(pool, "sum", (out, values, values.size, parts), parts, 2, parts * 8, i % 3 * 64)
            if out[0] != expected:
                failures.append((seed, i))

    callers = [threading.Thread(target=work, args=(s,)) for s in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures
    assert pool.stats().launches > 0
    pool.stop()


@pytest.mark.parametrize("counts", [(1, 1), (3, 1), (4, 2)])
@pytest.mark.parametrize("scratch", [(1 << 50, 0), (0, 1 << 50), (1 << 61, 1 << 61), ((1 << 63) - 1, 1), (0, 1 << 62), (1 << 62, 0)])
def test_no_memory_for_scratch_is_an_error_and_nothing_runs(
        counts: tuple[int, int], scratch: tuple[int, int], bench: Bench, pool: Pool) -> None:
    """Also where the sum of the bytes does not fit into 64 bits, or is 0 in them."""
    cores, phases = counts
    out = np.zeros(cores + 1, np.int64)
    for _ in range(3):
        with pytest.raises(OutOfMemory, match="for scratch"):
            bench.run(pool, "count", (out, cores), cores, phases, *scratch)
        assert not out.any()
    bench.run(pool, "count", (out, cores), cores, phases)
    assert out.tolist() == [phases] * cores + [0]


@pytest.mark.parametrize("numbers", [(0, 1, 0, 0), (1, 0, 0, 0), (1, 1, -1, 0), (1, 1, 0, -1), (-2, 1, 0, 0)])
def test_launches_that_make_no_sense_are_refused(numbers: tuple[int, int, int, int], pool: Pool, kernels: LoadedObject) -> None:
    with pytest.raises(LaunchError, match="makes no sense"):
        pool.run(kernels.address("nothing"), 0, *numbers)


def test_thread_counts(native: Native) -> None:
    assert Pool(native, 1000).threads == MAX_THREADS
    with pytest.raises(ConfigError, match="at least 1 thread, not 0"):
        Pool(native, 0)


def test_all_the_threads_there_may_be(bench: Bench, make_pool: Callable[..., Pool]) -> None:
    pool = make_pool(MAX_THREADS)
    for _ in range(20):
        out = np.zeros(301, np.int64)
        bench.run(pool, "count", (out, 300), 300, 2)
        assert out.tolist() == [2] * 300 + [0]
    assert pool.stats().workers == MAX_THREADS - 1
    pool.stop()
    assert pool.stats().workers == 0


def test_scratch_is_kept_reused_and_trimmed(bench: Bench, make_pool: Callable[..., Pool]) -> None:
    pool = make_pool(2, keep_bytes=1 << 20)
    out = np.zeros(101, np.int64)

    def launch(cores: int, *scratch: int) -> int:
        bench.run(pool, "nothing", (out,), cores, 1, *scratch)
        return pool.stats().kept_bytes

    assert launch(2, 0, 0) == 0
    assert launch(2, 100, 1) == 128 + 2 * 64
    assert launch(2, 100, 0) == 256, "a block that is large enough is taken again"
    assert launch(2, 1000, 0) == 1024, "a larger one takes the place of a smaller one"
    assert launch(100, 0, 512) == 1024, "one phase: threads need scratch, not cores"
    assert launch(2, 1 << 21, 0) == 0, "above keep_bytes: freed, like the smaller one it replaced"
    assert launch(2, 1 << 20, 0) == 1 << 20
    pool.trim()
    assert pool.stats().kept_bytes == 0
    many = make_pool(8)
    bench.run(many, "nothing", (out,), 2, 1, 0, 64)
    assert many.stats().kept_bytes == 2 * 64, "fewer cores than threads: cores need scratch"
    many.stop()
    assert many.stats().kept_bytes == 0


def test_memory_is_steady(bench: Bench, pool: Pool, resident: Callable[[], int]) -> None:
    out = np.zeros(4, np.int64)

    def cycle(count: int) -> None:
        for i in range(count):
            bench.run(pool, "nothing", (out,), 1 + i % 3, 1 + i % 2, i % 5 * 1000, i % 7 * 4096)

    cycle(1000)
    before = resident()
    cycle(20_000)
    assert resident() - before < 1 << 20


def test_idle_workers_sleep(bench: Bench, make_pool: Callable[..., Pool], until: Until) -> None:
    pool = make_pool(4)
    bench.threads_of(pool, 8, 1000)
    assert pool.stats().workers == 3
    assert until(lambda: pool.stats().parked == 3)
    used = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - used < 0.1, "sleeping workers use the CPU"
    for _ in range(100):  # and wake, whether or not they have gone back to sleep
        out = np.zeros(9, np.int64)
        bench.run(pool, "count", (out, 8), 8, 2)
        assert out.tolist() == [2] * 8 + [0]
    pool.stop()


def test_sleeping_workers_are_woken(bench: Bench, pool: Pool, until: Until) -> None:
    if available_cpus() < 2:
        pytest.skip("one CPU")

    def spread_from_sleep() -> bool:
        """Whether a launch that found the worker asleep ran on two threads."""
        assert until(lambda: pool.stats().parked == 1)
        return len(bench.threads_of(pool, 2, 2_000_000)) == 2

    bench.threads_of(pool, 2, 10)
    assert until(spread_from_sleep)


def test_launches_at_the_moment_of_falling_asleep_are_not_lost(bench: Bench, make_pool: Callable[..., Pool]) -> None:
    """Pauses around the spin time, where sleeper and waker race."""
    pool = make_pool(3, spin_us=5)
    out = np.zeros(7, np.int64)
    for i in range(3000):
        out[:] = 0
        bench.run(pool, "count", (out, 6), 6, 2)
        assert out.tolist() == [2] * 6 + [0]
        end = time.perf_counter_ns() + i % 40 * 500
        while time.perf_counter_ns() < end:
            pass
    pool.stop()


def test_a_caller_sleeps_while_a_worker_is_slow(bench: Bench, make_pool: Callable[..., Pool], until: Until) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.exists() or available_cpus() < 2:
        pytest.skip("no /proc/self/task on this system, or one CPU")
    pool = make_pool(2, spin_us=20_000)  # so that the worker is awake when the next launch comes

    def caller_slept() -> bool:
        """One launch whose core 1 is held; true if a worker held it, and the caller went to sleep meanwhile."""
        flags = np.zeros(2, np.int64)
        caller = threading.Thread(target=bench.run, args=(pool, "hold", (flags, 1), 2))
        caller.start()
        assert until(lambda: bool(flags[0]))
        elsewhere = bool(flags[0] != caller.ident)
        slept = elsewhere and until(lambda: "State:\tS" in (tasks / str(caller.native_id) / "status").read_text(encoding="ascii"))
        flags[1] = 1
        caller.join()
        assert slept == elsewhere
        return slept

    assert until(caller_slept)
    pool.stop()


def test_stopped_pools_start_again(bench: Bench, pool: Pool) -> None:
    for _ in range(20):
        bench.threads_of(pool, 4, 10)
        assert pool.stats().workers == 1
        pool.stop()
        pool.stop()
        assert (pool.stats().workers, pool.stats().parked) == (0, 0)


def test_a_collected_pool_ends_its_threads(bench: Bench, make_pool: Callable[..., Pool]) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("no /proc/self/task on this system")
    gc.collect()
    before = len(list(tasks.iterdir()))
    pool = make_pool(5)
    bench.threads_of(pool, 8, 10)
    assert len(list(tasks.iterdir())) == before + 4
    del pool
    gc.collect()
    assert len(list(tasks.iterdir())) == before


def test_signals_go_to_pythons_threads(bench: Bench, pool: Pool, until: Until) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("no /proc/self/task on this system")

    def blocks(task: str, number: signal.Signals) -> bool:
        mask = (tasks / task / "status").read_text(encoding="ascii").partition("SigBlk:")[2].split()[0]
        return bool(int(mask, 16) >> (number - 1) & 1)

    own = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGINT not in own
    before = {t.name for t in tasks.iterdir()}
    bench.threads_of(pool, 4, 10)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == own, "a launch leaves its caller's mask as it was"
    worker, = {t.name for t in tasks.iterdir()} - before
    assert blocks(worker, signal.SIGINT)
    # a thread that is just starting blocks everything
    assert until(lambda: not blocks(worker, signal.SIGSEGV)), "a fault in a kernel must be reported"
    assert blocks(worker, signal.SIGINT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
class TestFork:
    """A child has the pool, without its workers."""

    def child(self, body: Callable[[], bool]) -> int:
        """Exit status of a forked child that runs `body`."""
        child = os.fork()
        if child == 0:
            good = False
            try:
                good = body()
            finally:
                os._exit(0 if good else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def works(self, bench: Bench, pool: Pool) -> bool:
        """Whether launches give the right results, with a worker of this process."""
        values = np.arange(1000)
        for _ in range(50):
            out = np.zeros(1, np.int64)
            bench.run(pool, "sum", (out, values, 1000, 4), 4, 2, 32, 64)
            if out[0] != values.sum():
                return False
        return pool.stats().workers == 1

    @pytest.mark.parametrize("pause", [0.0, 0.01])
    def test_a_child_launches(self, pause: float, bench: Bench, pool: Pool) -> None:
        assert self.works(bench, pool)
        time.sleep(pause)  # forked while the worker spins, or while it sleeps
        assert self.child(lambda: pool.stats().workers == 0 and self.works(bench, pool)) == 0
        assert self.works(bench, pool)

    def test_a_child_of_a_child_launches(self, bench: Bench, pool: Pool) -> None:
        assert self.works(bench, pool)
        assert self.child(lambda: self.works(bench, pool) and self.child(lambda: self.works(bench, pool)) == 0) == 0

    def test_a_child_forked_during_a_launch_launches(self, bench: Bench, pool: Pool, until: Until) -> None:
        flags = np.zeros(2, np.int64)
        holder = threading.Thread(target=bench.run, args=(pool, "hold", (flags, -1), 2, 1, 64, 64))
        holder.start()
        try:
            assert until(lambda: bool(flags[0]))
            assert self.child(lambda: self.works(bench, pool)) == 0
        finally:
            flags[1] = 1
            holder.join()
        assert self.works(bench, pool)

    def test_a_child_stops_and_drops_the_pool(self, bench: Bench, make_pool: Callable[..., Pool]) -> None:
        pools = [make_pool(3)]
        bench.threads_of(pools[0], 8, 10)

        def drop() -> bool:
            pools[0].stop()
            pools.clear()
            gc.collect()
            return True

        assert self.child(drop) == 0
        pools[0].stop()


EXIT = """
    import sys, threading, time
    import ctypes
    from svod.device.cpu.jit import compile_ir, load_object
    from svod.device.cpu.native import load_native
    from svod.device.cpu.pool import Pool
    text = '''define void @entry(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {{
    entry:
      br label %next
    next:
      %i = phi i64 [ 0, %entry ], [ %j, %next ]
      %j = add i64 %i, 1
      store volatile i64 %j, ptr %shared
      %more = icmp slt i64 %j, 20000
      br i1 %more, label %next, label %end
    end:
      ret void
    }}'''
    kernel = load_object(compile_ir(text), ["entry"])
    endless = load_object(compile_ir(text.replace("br i1 %more, label %next, label %end", "br label %next")), ["entry"])
    pool = Pool(load_native(), 2)
    def never_ends():
        pool.run(endless.address("entry"), 0, 4, 2, 64, 0)
    def launch():
        pool.run(kernel.address("entry"), 0, 4, 2, 64, 0)
    launch()
    def forever():
        while True:
            launch()
    {ending}
    print("end", flush=True)
"""


@pytest.mark.parametrize("ending", [
    "pass  # the worker is still spinning",
    "time.sleep(0.05)  # the worker sleeps",
    "threading.Thread(target=forever, daemon=True).start(); time.sleep(0.05)",
    "[threading.Thread(target=forever, daemon=True).start() for _ in range(4)]; time.sleep(0.05)",
    "del pool",
    "threading.Thread(target=never_ends, daemon=True).start(); time.sleep(0.05)",
    "keep = [pool, kernel]; keep.append(keep)",
    "import atexit; atexit.register(launch)",
])
def test_interpreters_end_quietly(ending: str) -> None:
    script = textwrap.dedent(EXIT).format(ending=ending)
    command = [sys.executable, "-X", "faulthandler", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_available_cpus() -> None:
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)
