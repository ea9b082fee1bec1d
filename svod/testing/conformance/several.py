"""Several bodies at once, their results in order: most of the time of conformance goes into compilers that are processes of their own.

Owns: how many, and the settings that they run under: those of the caller. Must not know what they do.
Invariant: results come in the order of the bodies; no more than twice as many are under way as there are workers.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from svod.config import available_cores
from svod.device.device import Device

T = TypeVar("T")
MOST = 8


def workers(device: Device) -> int:
    """How many for a device: as many as there are cores where kernels are compiled and run by them, one elsewhere."""
    return min(MOST, available_cores()) if device.target.vector_bits and device.allocator.on_host else 1


def in_order(bodies: Iterable[Callable[[], T]], many: int) -> Iterator[T]:
    """What each gives, in order, `many` at a time."""
    if many == 1:
        yield from (body() for body in bodies)
        return
    with ThreadPoolExecutor(many) as pool:
        waiting: deque[Future[T]] = deque()
        for body in bodies:
            waiting.append(pool.submit(copy_context().run, body))
            if len(waiting) >= 2 * many:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
