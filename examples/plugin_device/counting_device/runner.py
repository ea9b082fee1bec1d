"""What a launch does: it is counted, and handed on."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from svod.device.arguments import HostView
from svod.device.launch import LaunchDims
from svod.device.program import Runner

_counts: Counter[str] = Counter()
_lock = Lock()


def launches() -> dict[str, int]:
    """How often each kernel was launched in this process, by name."""
    with _lock:
        return dict(_counts)


@dataclass(frozen=True)
class CountingRunner:
    """One loaded kernel. Any number of threads may launch it at once."""

    name: str
    inner: Runner

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        """Runs the kernel on checked arguments, and is done when it returns."""
        with _lock:
            _counts[self.name] += 1
        self.inner.run(views, values, dims)

    def fast(self) -> Callable[..., bool] | None:
        """No shortcut past the checks: every launch comes through `run`."""
        return None

    def asm(self) -> str:
        """What `program.asm` shows."""
        return self.inner.asm()
