"""Conformance of a device, as one call: every part, one after another, as a stream of records or as a report.

Owns: PARTS. Must not know what a part looks at, nor any device.
Invariant: a device conforms if no Failure comes; a Skip names a capability that it lacks.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from svod.device.device import Device
from svod.errors import ConfigError, DeviceUnavailable, SvodError
from svod.testing.conformance.bad import BAD
from svod.testing.conformance.features import FEATURES
from svod.testing.conformance.gallery import gallery_checks
from svod.testing.conformance.launches import LAUNCHES
from svod.testing.conformance.loops import loop_checks
from svod.testing.conformance.ops import check_ops
from svod.testing.conformance.records import Check, Failure, Passed, Record, Report, Skip, run_checks
from svod.testing.conformance.several import workers

PRINTS = "printf"


def language_checks() -> list[Check]:
    """Features of the kernel language, then the gallery."""
    return [*FEATURES, *gallery_checks()]


def _language(device: Device) -> Iterator[Record]:
    try:
        known = Device(device.name) is device
    except (DeviceUnavailable, SvodError):
        known = False
    if known:
        yield from run_checks(device, [f for f in FEATURES if f.what == PRINTS])  # standard output is the process's, so it is alone
        yield from run_checks(device, [f for f in language_checks() if f.what != PRINTS], workers(device))
    else:
        yield Skip("language", "kernels of the kernel language", f"no device can be opened as {device.name}, and kernels name theirs")


PARTS: Mapping[str, Callable[[Device], Iterator[Record]]] = {
    "ops": check_ops,
    "loops": lambda device: run_checks(device, loop_checks(), workers(device)),
    "language": _language,
    "launch": lambda device: run_checks(device, LAUNCHES),
    "bad": lambda device: run_checks(device, BAD),
}
"""name -> what it yields. ops: every elementwise op in every dtype at its edges; loops: the loop kernels of the core; language: features of
the kernel language and the gallery; launch: launches and buffers; bad: bad inputs."""


def chosen(parts: Iterable[str] | None) -> list[str]:
    """The names of parts, all for None. ConfigError for a name that is none."""
    named = list(PARTS) if parts is None else [parts] if isinstance(parts, str) else list(parts)
    if unknown := [p for p in named if p not in PARTS]:
        raise ConfigError(f"conformance has no part called {unknown[0]!r}", hint=f"one of {', '.join(PARTS)}")
    return named


def conformance(device: Device | str, *, parts: Iterable[str] | None = None) -> Iterator[Failure | Skip]:
    """Everything that `device` (one, or its name) does differently from the definition, and everything it refuses to do for want of a
    capability. No Failure: it conforms. ConfigError for an unknown part, DeviceUnavailable for a device that is not there."""
    names, opened = chosen(parts), _opened(device)
    return (r for name in names for r in PARTS[name](opened) if not isinstance(r, Passed))


def run_conformance(device: Device | str, *, parts: Iterable[str] | None = None, told: Callable[[Record], object] | None = None) -> Report:
    """The same as a report: `failures`, `skips`, `passed`. `told` hears of each record as it comes. Errors as there."""
    names, opened = chosen(parts), _opened(device)
    report = Report(opened.name)
    for name in names:
        began = time.perf_counter()
        for record in PARTS[name](opened):
            report.records.append(record)
            if told is not None:
                told(record)
        report.seconds[name] = time.perf_counter() - began
    return report


def _opened(device: Device | str) -> Device:
    return Device(device) if isinstance(device, str) else device
