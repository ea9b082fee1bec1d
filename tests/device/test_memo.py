"""Made once: bounded memory, one maker at a time, and no deadlock."""
from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import svod.device.memo as module
from svod.device.memo import MemoryCache, SingleFlight
from svod.errors import CompileError, DeviceError

ROOT = Path(module.__file__).parents[2]


def together(n: int, work: Callable[[int], None]) -> None:
    """Run work(0..n-1) in n threads that start at the same moment; errors of a thread are the caller's."""
    start, failed = threading.Barrier(n), list[BaseException]()

    def run(i: int) -> None:
        start.wait()
        try:
            work(i)
        except BaseException as e:  # noqa: BLE001
            failed.append(e)
    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=20)
        assert not t.is_alive(), "a thread hangs"
    if failed:
        raise failed[0]


# --- MemoryCache -------------------------------------------------------------------------------------------------------------------

def test_the_entry_not_used_for_longest_goes_first() -> None:
    cache: MemoryCache[str, int] = MemoryCache(3)
    for i, k in enumerate("abc"):
        cache.put(k, i)
    assert cache.get("a") == 0
    cache.put("d", 3)
    assert [cache.get(k) for k in "abcd"] == [0, None, 2, 3]
    cache.put("a", 9)
    assert (cache.get("a"), len(cache), cache.discard("a"), cache.discard("a"), len(cache)) == (9, 3, 9, None, 2)
    assert (cache.clear(), len(cache), cache.get("c")) == (2, 0, None)


def test_a_value_that_goes_may_use_the_cache_in_its_destructor() -> None:
    cache: MemoryCache[int, object] = MemoryCache(1)
    seen = []

    class Dying:
        def __del__(self) -> None:
            seen.append(len(cache))
            cache.get(5)
    for i in range(3):
        cache.put(i, Dying())
    cache.put(2, 5)
    assert seen == [1, 1, 1]


def test_eight_threads_hammer_a_small_cache() -> None:
    cache: MemoryCache[int, tuple[int, int]] = MemoryCache(10)

    def work(me: int) -> None:
        rng = random.Random(me)
        for _ in range(2000):
            key = rng.randrange(20)
            value = cache.get_or_make(key, lambda key=key: (key, me))  # type: ignore[misc]
            assert value[0] == key
            if rng.random() < 0.1:
                cache.discard(key)
    together(8, work)
    assert len(cache) <= 10


def test_eight_threads_make_each_key_once() -> None:
    cache, made = MemoryCache[int, object](100), list[int]()

    def make(key: int) -> object:
        made.append(key)
        time.sleep(0.002)
        return object()
    seen: list[list[object]] = [[] for _ in range(8)]

    def work(me: int) -> None:
        seen[me] = [cache.get_or_make(key, lambda key=key: make(key)) for key in range(20)]  # type: ignore[misc]
    together(8, work)
    assert sorted(made) == list(range(20))
    assert all(s == seen[0] for s in seen)


def test_what_was_made_between_the_look_and_the_turn_is_not_made_again() -> None:
    class Late(MemoryCache[str, int]):
        looks = 0

        def get(self, key: str) -> int | None:
            self.looks += 1
            return None if self.looks == 1 else super().get(key)
    cache = Late(3)
    cache.put("k", 5)
    assert cache.get_or_make("k", lambda: 6) == 5


def test_an_exception_is_not_kept() -> None:
    cache: MemoryCache[str, int] = MemoryCache(3)

    def fail() -> int:
        raise CompileError("no")
    for _ in range(2):
        with pytest.raises(CompileError):
            cache.get_or_make("k", fail)
    assert cache.get_or_make("k", lambda: 5) == cache.get_or_make("k", fail) == 5


# --- SingleFlight ------------------------------------------------------------------------------------------------------------------

def test_all_who_wait_get_the_result_or_the_exception_and_nothing_is_kept() -> None:
    for failing in (False, True):
        flight, runs, outcomes, gate = SingleFlight[str, object](), list[int](), list[object](), threading.Event()

        def make(runs: list[int] = runs, gate: threading.Event = gate, failing: bool = failing) -> object:
            runs.append(1)
            gate.wait(10)
            if failing:
                raise CompileError("refused")
            return object()

        def work(me: int, flight: SingleFlight[str, object] = flight, outcomes: list[object] = outcomes,
                 make: Callable[[], object] = make, gate: threading.Event = gate) -> None:
            if me == 0:  # the gate opens when all others wait, which shows in the table of waiting threads
                deadline = time.monotonic() + 10
                while len(flight._waiting) < 6 and time.monotonic() < deadline:
                    time.sleep(0.001)
                gate.set()
                return
            try:
                outcomes.append(flight.run("k", make))
            except CompileError as e:
                outcomes.append(e)
        together(8, work)
        assert len(runs) == 1
        assert len(outcomes) == 7
        assert len(set(map(id, outcomes))) == 1
        assert isinstance(outcomes[0], CompileError) is failing
        assert not flight._flights
        assert not flight._waiting
        gate.set()
        assert flight.run("k", lambda: 5) == 5


def test_a_maker_may_ask_for_other_keys() -> None:
    flight: SingleFlight[int, int] = SingleFlight()

    def fib(n: int) -> int:
        return n if n < 2 else flight.run(n - 1, lambda: fib(n - 1)) + flight.run(n - 2, lambda: fib(n - 2))
    assert fib(12) == 144
    together(8, lambda _: _same(fib(12), 144))


def _same(a: int, b: int) -> None:
    assert a == b


def test_a_maker_that_needs_itself_is_an_error() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
    with pytest.raises(DeviceError, match="'k' needs 'k' itself"):
        flight.run("k", lambda: flight.run("k", lambda: 1))
    with pytest.raises(DeviceError, match="'a' needs 'a' itself"):
        flight.run("a", lambda: flight.run("b", lambda: flight.run("a", lambda: 1)))
    assert flight.run("k", lambda: 2) == 2


def test_two_threads_that_need_each_other_get_an_error_and_no_deadlock() -> None:
    flight, both, errors = SingleFlight[str, int](), threading.Barrier(2), list[DeviceError]()

    def make(other: str) -> int:
        both.wait(10)
        return flight.run(other, lambda: 7)

    def work(me: int) -> None:
        mine, other = ("a", "b") if me else ("b", "a")
        try:
            flight.run(mine, lambda: make(other))
        except DeviceError as e:
            errors.append(e)
    together(2, work)
    assert len(errors) >= 1
    assert all("itself" in e.what for e in errors)
    assert not flight._flights


def test_who_waited_for_what_is_done_by_now_makes_no_circle() -> None:
    """Another thread makes k; it waited for something of ours, which is done, but it has not woken up yet."""
    flight: SingleFlight[str, int] = SingleFlight()
    other, got = threading.get_ident() + 1, list[int]()
    k = flight._flights["k"] = module._Flight(other)

    def finish() -> None:
        k.value.append(3)
        k.done.set()

    def ask(_: int) -> None:
        done: module._Flight[int] = module._Flight(threading.get_ident())
        done.done.set()
        flight._waiting[other] = done
        threading.Timer(0.05, finish).start()
        got.append(flight.run("k", lambda: 4))
    together(1, ask)
    assert got == [3]


def test_an_interrupted_maker_interrupts_its_own_thread_only() -> None:
    flight, entered, runs, got = SingleFlight[str, int](), threading.Event(), list[int](), list[object]()

    def make() -> int:
        runs.append(1)
        if len(runs) == 1:
            entered.set()
            while not flight._waiting:
                time.sleep(0.001)
            raise KeyboardInterrupt
        return 42

    def work(me: int) -> None:
        if me:
            entered.wait(10)
        try:
            got.append(flight.run("k", make))
        except KeyboardInterrupt:
            got.append("interrupted")
    together(2, work)
    assert sorted(map(str, got)) == ["42", "interrupted"]
    assert len(runs) == 2


IN_FLIGHT = """
import os, signal, threading, time
from svod.device.memo import MemoryCache
cache, entered = MemoryCache(4), threading.Event()
def slow():
    entered.set(); time.sleep(30)
threading.Thread(target=lambda: cache.get_or_make("k", slow), daemon=True).start()
entered.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(5)
    os._exit(cache.get_or_make("k", lambda: 17))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_makes_what_the_parent_was_making() -> None:
    done = subprocess.run([sys.executable, "-c", IN_FLIGHT], cwd=ROOT, text=True, capture_output=True, check=True, timeout=30)
    assert done.stdout.strip() == "17"


def test_all_values_in_order_of_use() -> None:
    memory: MemoryCache[str, int] = MemoryCache(3)
    for key, value in (("a", 1), ("b", 2), ("c", 3)):
        memory.put(key, value)
    memory.get("a")
    assert memory.values() == [2, 3, 1]
