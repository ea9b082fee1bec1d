"""How a call is timed: warm, several at a time where it is short, and interleaved with others.

Owns: the length of a sample. Must not know what is called. Invariant: a sample lasts long enough that reading the clock does not show.
"""
from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Call = Callable[[], object]
SAMPLE = 300e-6
"""Seconds a sample lasts at least: shorter calls are timed several at a time."""
WARM_CALLS = 50
"""Calls made before anything is timed, if they take less than 0.2 s."""
SLOW = 1.0
"""Seconds a call from which it is not repeated just to warm up."""


def warm(call: Call) -> float:
    """Seconds of a warm call: the best of some. Calls of a second and more are made once."""
    best, left = float("inf"), 0.2
    for _ in range(WARM_CALLS):
        began = time.perf_counter()
        call()
        taken = time.perf_counter() - began
        best, left = min(best, taken), left - taken
        if left < 0:
            break
    return best


def samples(call: Call, once: float, seconds: float) -> list[float]:
    """Seconds a call, for `seconds` and at least once; `once` is what a warm call takes."""
    out, clock = [], time.perf_counter
    batch = range(max(1, int(SAMPLE / once)))
    end = clock() + seconds
    while True:
        began = clock()
        for _ in batch:
            call()
        now = clock()
        out.append((now - began) / len(batch))
        if now >= end:
            return out


def interleaved(calls: Mapping[str, Call], rounds: int = 7, seconds: float = 0.03) -> dict[str, float]:
    """Median over rounds of each call's median, the rounds going A B C A B C."""
    once = {name: warm(call) for name, call in calls.items()}
    medians: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            medians[name].append(statistics.median(samples(call, once[name], seconds)))
    return {name: statistics.median(m) for name, m in medians.items()}
