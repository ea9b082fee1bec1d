"""Every device conforms: the checks of the library, one test each, on each device that is there; a skip names the capability it lacks.

Owns: nothing. The bodies are in svod/testing/conformance.
"""
from __future__ import annotations

import json
from itertools import groupby

import pytest

import svod
from svod.device.registry import BUILT_IN
from svod.testing.conformance import (
    BAD,
    FEATURES,
    LAUNCHES,
    Check,
    Entry,
    Failure,
    Record,
    Skip,
    check_ops,
    gallery_checks,
    loop_checks,
    table,
)
from svod.tools.support import RESULTS

DEVICES = tuple(name for name in BUILT_IN if name != "NULL")
ROWS = {str(d): list(rows) for d, rows in groupby(table(), key=lambda row: row.dtypes[-1])}
"""The rows of the op table, by the type of their operands."""

everywhere = pytest.mark.devices(*DEVICES)


def refused_now(records: list[Record], device: svod.Device) -> list[Failure]:
    """What is skipped, and was not in the run that is kept in docs/conformance: nothing may be on devices that have everything, anything
    on a device that may have less than the one of that run."""
    path = RESULTS / f"{device.name}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"on": None, "counts": {}, "skips": []}
    if device.name not in ("CPU", "CC", "INTERP") and kept["on"] not in [dict(d.details) for d in svod.devices() if d.name == device.name]:
        return []
    known = {(part, what) for part, what, _ in kept["skips"]}
    return [Failure(r.part, r.what, f"refused now: {r.missing}") for r in records
            if isinstance(r, Skip) and r.part in kept["counts"] and (r.part, r.what) not in known]


def judge(records: list[Record], device: svod.Device) -> None:
    """Fails, also for what the run that is kept did not skip; skips where nothing else was left to do."""
    failures = [*(r for r in records if isinstance(r, Failure)), *refused_now(records, device)]
    if failures:
        pytest.fail("\n".join(f"{f.what}: {f.detail}" for f in failures), pytrace=False)
    skips = [r for r in records if isinstance(r, Skip)]
    if skips and len(skips) == len(records):
        pytest.skip(f"{device.name}: {skips[0].missing}")


@everywhere
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_ops_at_their_edges(device: svod.Device, rows: list[Entry]) -> None:
    judge(list(check_ops(device, rows)), device)


@everywhere
@pytest.mark.parametrize("check", [*LAUNCHES, *BAD, *FEATURES], ids=str)
def test_launches_bad_inputs_and_the_language(device: svod.Device, check: Check) -> None:
    judge([check.on(device)], device)


@pytest.mark.devices(*(d for d in DEVICES if d not in ("CPU", "INTERP")))
@pytest.mark.parametrize("check", [*loop_checks(), *gallery_checks()], ids=str)
def test_loop_kernels_and_the_gallery(device: svod.Device, check: Check) -> None:
    """On the CPU and the interpreter, tests/codegen/test_cases.py and tests/examples/test_kernels.py run the same bodies."""
    judge([check.on(device)], device)
