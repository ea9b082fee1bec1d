"""What SVOD_DEBUG and SVOD_DUMP show of a compilation. Watches only: nothing here changes a kernel.

Owns: the listener that prints and writes stages. Must not know renderers.
Invariant: with both settings off there is no listener, and compiling pays nothing.
"""
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from pathlib import Path

from svod.codegen.pipeline import Listener, Stage
from svod.config import settings
from svod.errors import ConfigError
from svod.ir.uop import UOp

_kernels = count()


_told: ContextVar[Listener | None] = ContextVar("svod_stages", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """`listener` is told of every stage of what is lowered inside, in place of what the settings show."""
    token = _told.set(listener)
    try:
        yield
    finally:
        _told.reset(token)


def watched() -> bool:
    """Whether compilations are to be seen: what lies on disk already is compiled again then, as there is nothing to see of it."""
    debug = settings().debug
    return debug.debug > 0 or debug.dump is not None


def stage_listener(name: str) -> Listener | None:
    """Prints a line for each stage from SVOD_DEBUG=2 on (1: only the schedule), and writes each stage's graph below SVOD_DUMP.

    Inside of `listening`: the listener given there.
    """
    debug = settings().debug
    if (told := _told.get()) is not None:
        return told
    if not watched():
        return None
    folder = None if debug.dump is None else debug.dump / f"{next(_kernels):04}-{name}"
    number = count()

    def listen(stage: Stage, result: UOp, seconds: float) -> None:
        if debug.debug >= 2:
            sys.stderr.write(f"svod: {name}: {stage.name}: {seconds * 1e3:.2f} ms, {len(result.toposort())} nodes\n")
        if debug.debug >= 1 and stage.name == "choose-plainer":
            sys.stderr.write(f"svod: {name}: {stage.why}\n")
        if debug.debug >= 1 and stage.name in ("choose-schedule", "choose-plainer"):
            sys.stderr.write(f"svod: {name}: schedule: {', '.join(map(str, result.arg.opts)) or 'none'}\n")
        if folder is not None:
            _write(folder / f"{next(number):02}-{stage.name}.txt", f"{result}\n")

    return listen


def show_source(name: str, text: str, suffix: str) -> None:
    """Prints rendered source from SVOD_DEBUG=4 on, and writes it below SVOD_DUMP."""
    debug = settings().debug
    if debug.debug >= 4:
        sys.stderr.write(text)
    if debug.dump is not None:
        _write(debug.dump / f"{name}.{suffix}", text)


def _write(path: Path, text: str) -> None:
    """ConfigError where the folder cannot be made or written: a dump that was asked for and is missing would mislead."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"SVOD_DUMP: {path} cannot be written: {e.strerror}", at=str(settings().debug.dump),
                          hint="name a directory that exists or can be made, and can be written; or unset SVOD_DUMP") from e
