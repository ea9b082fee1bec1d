"""Python's cycle collector, kept quiet while a kernel is made.

Owns: `without_collector`. Must not know what is made.
Invariant: the collector runs again as soon as nothing is being made, in every thread and in a forked child; a program that turned it off
itself finds it off.

A compilation makes some ten thousand small objects and few cycles. The collector, which counts only how many objects were made, then walks
over all that the imports left (20 ms of a first compilation of 60) to find nothing.
"""
from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from svod.device.locks import call_in_child, new_lock


class _Collector:
    """How many makers are at work, and whether the collector ran before the first of them."""

    def __init__(self) -> None:
        self._lock, self._makers, self._ran = new_lock(), 0, False
        call_in_child(self._forget)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No collection by itself inside; `gc.collect()` works as ever."""
        with self._lock:
            if self._makers == 0:
                self._ran = gc.isenabled()
                gc.disable()
            self._makers += 1
        try:
            yield
        finally:
            with self._lock:
                self._makers = max(0, self._makers - 1)
                if self._makers == 0 and self._ran:
                    gc.enable()

    def _forget(self) -> None:
        """In a forked child the makers of other threads are gone; one that forked itself ends its pause as ever."""
        if self._makers and self._ran:
            gc.enable()
        self._makers = 0


without_collector = _Collector().paused
"""A context in which the cycle collector does not start by itself."""
