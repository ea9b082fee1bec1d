"""Locks that a forked child can go on using.

Owns: the rule for every lock of the device layer. Must not know what a lock guards.
Invariant: while a process forks, the forking thread holds every lock made here, so that the child finds what they guard whole and free.
These locks are leaves: whoever holds one takes no other, forks not, and runs no code of the caller's.
"""
from __future__ import annotations

import os
import threading
from collections.abc import Callable
from weakref import WeakMethod, WeakSet

_REGISTER = threading.Lock()
_LOCKS: WeakSet[threading.Lock] = WeakSet()
_IN_CHILD: list[WeakMethod[Callable[[], None]]] = []
_HELD: list[threading.Lock] = []
_PATIENCE = 2.0
"""Seconds to wait for a lock before forking without it (a fork from a signal handler inside a critical section)."""


def new_lock() -> threading.Lock:
    """A mutex that is free in a forked child, whichever thread held it when the process forked."""
    lock = threading.Lock()
    with _REGISTER:
        _LOCKS.add(lock)
    return lock


def call_in_child(method: Callable[[], None]) -> None:
    """Have a bound method called in every forked child for as long as its object lives: to forget what other threads were doing."""
    with _REGISTER:
        _IN_CHILD[:] = [m for m in _IN_CHILD if m() is not None]
        _IN_CHILD.append(WeakMethod(method))


def _before() -> None:
    _REGISTER.acquire()
    _HELD.extend(lock for lock in list(_LOCKS) if lock.acquire(timeout=_PATIENCE))


def _after_in_parent() -> None:
    held = list(_HELD)
    _HELD.clear()
    for lock in held:
        lock.release()
    _REGISTER.release()


def _after_in_child() -> None:
    _HELD.clear()
    for lock in list(_LOCKS):
        if lock.locked():
            lock.release()
    _REGISTER.release()
    for method in list(_IN_CHILD):
        if (call := method()) is not None:
            call()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
