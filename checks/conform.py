"""Conformance of one device, in a process of its own: `conform.py OPENCL language,loops`. Fails where a check fails; one for which the
device has not enough memory (simulators have little) is skipped."""
from __future__ import annotations

import sys

from svod.testing.conformance import Failure, Record, run_conformance


def too_large(record: Record) -> bool:
    """Whether there was no memory for it."""
    return isinstance(record, Failure) and record.detail.startswith("OutOfMemory")


def told(record: Record) -> None:
    """Says at once what is not as it should be."""
    if isinstance(record, Failure) and not too_large(record):
        print(f"FAILED {record.part}: {record.what}: {record.detail}", flush=True)


def main(device: str, parts: str = "") -> int:
    """Runs the parts, all by default. 1 if something failed, or nothing passed."""
    report = run_conformance(device, parts=parts.split(",") if parts else None, told=told)
    failed = [r for r in report.failures if not too_large(r)]
    missing = {r.missing for r in report.skips} | {f"memory for {r.what}" for r in report.failures if too_large(r)}
    for what in sorted(missing):
        print(f"skipped: {what}")
    print(f"{device}: {len(report.passed)} passed, {len(failed)} failed, {len(report.records) - len(report.passed) - len(failed)} skipped")
    return int(bool(failed) or not report.passed)



if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
