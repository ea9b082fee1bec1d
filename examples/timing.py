"""A stopwatch for the examples: competitors take turns, so that whatever else the machine does hits all of them alike.

Owns: `medians`, `gigabytes` and `disturbance`. Must not know kernels.
Invariant: every competitor is called once before the clock starts, and then once in each round.
"""
from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable


def medians(rounds: int, **competitors: Callable[[], object]) -> dict[str, float]:
    """Median seconds of each competitor over `rounds` rounds; in a round each of them runs once, in the order given."""
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    for call in competitors.values():
        call()
    for _ in range(rounds):
        for name, call in competitors.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(s) for name, s in seconds.items()}


def gigabytes(nbytes: int, seconds: float) -> float:
    """GB/s (10**9 bytes) of a call that has to move `nbytes`: what it reads and what it writes, each once."""
    return nbytes / seconds / 1e9


def disturbance() -> str:
    """A sentence to print beside timings if other programs want more processors than there are; else nothing."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= cores + 0.5:
        return ""
    return f"careful: the load is {load:.1f} on {cores} processors; the figures above are not those of a quiet machine"
