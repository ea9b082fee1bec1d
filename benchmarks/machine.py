"""The machine that is measured: what it is, whether it is idle, and how busy others keep it.

Owns: the facts recorded with every result, and the reading of /proc/stat. Must not know peers or cases.
Invariant: where the system does not tell, the answer is cautious ("unknown", never idle for long), and nothing fails.
"""
from __future__ import annotations

import os
import platform
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
"""Units of /proc/stat in a second."""


def cores() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def model() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def caches() -> dict[str, str]:
    """Level -> size, as Linux states them for the first CPU."""
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found[f"L{level}"] = size
    return found


def facts() -> dict[str, object]:
    """What a reader must know to compare a result with another."""
    return {"cpu": model(), "family": _family(), "cores": cores(), "caches": caches(), "system": platform.platform(),
            "python": platform.python_version()}


def _family() -> str:
    """Vendor's numbers of the processor: they tell apart machines that a cloud gives the same name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return "unknown"
    table = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}
    return "/".join(table.get(k, "?") for k in ("vendor_id", "cpu family", "model", "stepping"))


def busy_seconds() -> float:
    """CPU seconds used on this machine since it started, all CPUs and processes together; 0 where it is not told."""
    try:
        fields = [int(v) for v in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return 0.0
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def wait_until_idle(limit: float, window: float = 0.04) -> float:
    """Waits for `window` seconds in which the CPUs do nothing, at most `limit` seconds; returns the seconds waited."""
    began = time.monotonic()
    while True:
        before = busy_seconds()
        time.sleep(window if limit else 0)
        waited = time.monotonic() - began
        if busy_seconds() - before <= 1.5 / TICKS or waited >= limit:
            return waited
