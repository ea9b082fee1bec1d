"""A forked child can use every lock, and finds what it guards whole."""
from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import svod.device.locks as module
from svod.device.locks import call_in_child, new_lock

ROOT = Path(module.__file__).parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

HELD_BY_ANOTHER_THREAD = """
import os, sys, threading, time
from svod.device.locks import new_lock
{make}
pair = [0, 0]
def work():
    while True:
        with lock:
            pair[0] += 1
            time.sleep(0.0005)
            pair[1] += 1
threading.Thread(target=work, daemon=True).start()
for _ in range(20):
    time.sleep(0.0007)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if lock.acquire(timeout=0.3) and pair[0] == pair[1] else 7)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        print("broken"); sys.stdout.flush(); os._exit(0)
with lock:
    print("whole"); sys.stdout.flush()
os._exit(0)
"""


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True, timeout=60).stdout.strip()


@pytest.mark.parametrize(("make", "outcome"), [("lock = new_lock()", "whole"), ("lock = threading.Lock()", "broken")])
def test_a_child_finds_the_lock_free_and_the_data_whole(make: str, outcome: str) -> None:
    """The second case shows that the test can fail: an ordinary lock is taken in the child by a thread that is not there."""
    assert run(HELD_BY_ANOTHER_THREAD.format(make=make)) == outcome


def test_the_parent_goes_on_after_a_fork() -> None:
    lock = new_lock()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if lock.acquire(timeout=1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert lock.acquire(timeout=1)
    lock.release()


def test_methods_are_called_in_the_child_only_and_only_while_their_object_lives() -> None:
    class Counter:
        calls = 0

        def add(self) -> None:
            Counter.calls += 1
    kept, dropped = Counter(), Counter()
    call_in_child(kept.add)
    call_in_child(dropped.add)
    del dropped
    gc.collect()
    pid = os.fork()
    if pid == 0:
        os._exit(Counter.calls)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert Counter.calls == 0
    assert kept is not None


def test_two_threads_fork_at_once() -> None:
    new_locks, codes = [new_lock() for _ in range(10)], []

    def fork() -> None:
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if all(lock.acquire(timeout=1) for lock in new_locks) else 1)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    threads = [threading.Thread(target=fork) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=30)
    assert codes == [0] * 10
