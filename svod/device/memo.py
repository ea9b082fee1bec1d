"""Making a thing once: a bounded memory of what was made, and one maker at a time for each key.

Owns: MemoryCache and SingleFlight. Must not know what is made.
Invariant: no lock is held while a maker runs, so makers may make other things, fork, and take as long as they need.
"""
from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from svod.device.locks import call_in_child, new_lock
from svod.errors import DeviceError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Flight(Generic[V]):
    """One run of a maker, and what came of it."""

    __slots__ = ("done", "error", "owner", "value")

    def __init__(self, owner: int) -> None:
        self.owner, self.done = owner, threading.Event()
        self.value: list[V] = []
        self.error: Exception | None = None


class SingleFlight(Generic[K, V]):
    """Threads that ask for one key at the same time run the maker once; all get its result, or its exception. Nothing is kept afterwards.

    A maker may ask for other keys. One that (through other threads too) waits for its own key is a DeviceError instead of a deadlock.
    If the maker is interrupted (KeyboardInterrupt, SystemExit), only its own thread is: another one that waits takes over.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._flights: dict[K, _Flight[V]] = {}
        self._waiting: dict[int, _Flight[V]] = {}
        call_in_child(self._forget)

    def run(self, key: K, make: Callable[[], V]) -> V:
        """What `make()` gives, from this thread or from the one that is at it already."""
        me = threading.get_ident()
        while True:
            with self._lock:
                flight = self._flights.get(key)
                if flight is None:
                    mine = self._flights[key] = _Flight(me)
                    break
                self._refuse_circle(key, flight, me)
                self._waiting[me] = flight
            try:
                flight.done.wait()
            finally:
                self._waiting.pop(me, None)
            if flight.value:
                return flight.value[0]
            try:
                if flight.error is not None:
                    raise flight.error
            finally:
                del flight  # the exception's traceback would refer to this frame, and this frame to the exception
        try:
            value = make()
            mine.value.append(value)
            return value
        except Exception as e:
            mine.error = e
            raise
        finally:
            with self._lock:
                if self._flights.get(key) is mine:
                    del self._flights[key]
            mine.done.set()
            del mine

    def _refuse_circle(self, key: K, flight: _Flight[V], me: int) -> None:
        """Follow who waits for whom; with the lock held."""
        ahead: _Flight[V] | None = flight
        while ahead is not None and not ahead.done.is_set():
            if ahead.owner == me:
                raise DeviceError(f"making {key!r} needs {key!r} itself", hint="a maker must not ask for what waits for it")
            ahead = self._waiting.get(ahead.owner)

    def _forget(self) -> None:
        """In a forked child the other threads are gone, and what they were making never ends."""
        self._flights.clear()
        self._waiting.clear()


class MemoryCache(Generic[K, V]):
    """The `max_entries` values used last. Values are never None. Safe to use from any thread."""

    def __init__(self, max_entries: int) -> None:
        self.max_entries = max(1, max_entries)
        self._lock = new_lock()
        self._values: OrderedDict[K, V] = OrderedDict()
        self._flight: SingleFlight[K, V] = SingleFlight()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, which becomes the one used last; None if there is none."""
        with self._lock:
            if (value := self._values.get(key)) is not None:
                self._values.move_to_end(key)
        return value

    def values(self) -> list[V]:
        """All values, the one used last at the end."""
        with self._lock:
            return list(self._values.values())

    def put(self, key: K, value: V) -> None:
        """Keep a value in place of what the key had; the one not used for longest goes if there are too many."""
        with self._lock:
            old = [self._values.pop(key, None)]
            self._values[key] = value
            while len(self._values) > self.max_entries:
                old.append(self._values.popitem(last=False)[1])
        del old  # destructors run here, without the lock

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """The value; if there is none, what `make()` gives, run by one thread at a time for each key. Exceptions are not kept."""
        def fresh() -> V:
            if (found := self.get(key)) is not None:  # made between our look and our turn
                return found
            made = make()
            self.put(key, made)
            return made
        hit = self.get(key)
        return hit if hit is not None else self._flight.run(key, fresh)

    def discard(self, key: K) -> V | None:
        """Forget a key; its value, or None."""
        with self._lock:
            return self._values.pop(key, None)

    def clear(self) -> int:
        """Forget everything; how many values that were."""
        with self._lock:
            old, self._values = self._values, OrderedDict()
        return len(old)
