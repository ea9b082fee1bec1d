"""What conformance finds out, as values: what failed, what was skipped for want of a capability, what passed; and how one body is run.

Owns: the records, `Check`, `Report`. Must not know any check.
Invariant: everything that is looked at leaves exactly one record. A refusal by name (UnsupportedError, or a LaunchError at a limit of the
device) is a skip, unless the device says of itself that it has what it refuses; any other exception is a failure.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from svod.device.device import Device
from svod.errors import LaunchError, UnsupportedError
from svod.testing.conformance.several import in_order


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that a device does differently."""

    part: str
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Skip:
    """One thing that a device refuses; `missing` is the capability it lacks, in its own words."""

    part: str
    what: str
    missing: str


@dataclass(frozen=True, slots=True)
class Passed:
    """One thing that a device does as it is defined."""

    part: str
    what: str


Record = Failure | Skip | Passed


@dataclass(frozen=True, slots=True)
class Check:
    """One body that is run on a device: it returns, or raises AssertionError, or UnsupportedError for what the device lacks."""

    part: str
    what: str
    body: Callable[[Device], None]

    def __str__(self) -> str:
        return self.what.replace(" ", "-")

    def on(self, device: Device) -> Record:
        """Runs it."""
        return outcome(self.part, self.what, lambda: self.body(device))


def outcome(part: str, what: str, body: Callable[[], object]) -> Record:
    """The record of one body."""
    try:
        body()
    except UnsupportedError as e:
        return Skip(part, what, e.what)
    except LaunchError as e:
        return Skip(part, what, e.what) if e.at.startswith("limit ") else Failure(part, what, f"{type(e).__name__}: {e}")
    except Exception as e:  # noqa: BLE001  (whatever a device does, the rest is looked at; the record says what it was)
        return Failure(part, what, f"{type(e).__name__}: {e}")
    return Passed(part, what)


@dataclass
class Report:
    """All records of one run."""

    device: str
    records: list[Record] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each part took."""

    @property
    def failures(self) -> list[Failure]:
        """What the device does differently."""
        return [r for r in self.records if isinstance(r, Failure)]

    @property
    def skips(self) -> list[Skip]:
        """What it lacks."""
        return [r for r in self.records if isinstance(r, Skip)]

    @property
    def passed(self) -> list[Passed]:
        """What it does as defined."""
        return [r for r in self.records if isinstance(r, Passed)]

    def counts(self) -> dict[str, dict[str, int]]:
        """part -> how many passed, failed, were skipped."""
        found: dict[str, dict[str, int]] = {}
        for r in self.records:
            row = found.setdefault(r.part, {"passed": 0, "failed": 0, "skipped": 0})
            row["passed" if isinstance(r, Passed) else "failed" if isinstance(r, Failure) else "skipped"] += 1
        return found

    def __str__(self) -> str:
        lines = [f"{self.device}: {len(self.passed)} passed, {len(self.failures)} failed, {len(self.skips)} skipped"]
        lines += [f"FAILED {f.part}: {f.what}: {f.detail}" for f in self.failures]
        lines += [f"skipped {s.part}: {s.what}: {s.missing}" for s in self.skips]
        return "\n".join(lines)


def run_checks(device: Device, checks: Iterable[Check], many: int = 1) -> Iterator[Record]:
    """Runs `many` at a time; the records come in the order of the checks."""
    yield from in_order((lambda c=c: c.on(device) for c in checks), many)  # type: ignore[misc]
