"""What SVOD_DEBUG and SVOD_DUMP show of a compilation. Watches only: nothing here changes a kernel.

Owns: the listener that prints and writes stages. Must not know renderers.
Invariant: with both settings off there is no listener, and compiling pays nothing.
"""
from __future__ import annotations

import sys
from itertools import count

from svod.codegen.pipeline import Listener, Stage
from svod.config import settings
from svod.ir.uop import UOp

_kernels = count()


def stage_listener(name: str) -> Listener | None:
    """Prints a line for each stage from SVOD_DEBUG=2 on (1: only the schedule), and writes each stage's graph below SVOD_DUMP."""
    debug = settings().debug
    if debug.debug < 1 and debug.dump is None:
        return None
    folder = None if debug.dump is None else debug.dump / f"{next(_kernels):04}-{name}"
    number = count()

    def listen(stage: Stage, result: UOp, seconds: float) -> None:
        if debug.debug >= 2:
            sys.stderr.write(f"svod: {name}: {stage.name}: {seconds * 1e3:.2f} ms, {len(result.toposort())} nodes\n")
        if debug.debug >= 1 and stage.name == "choose-schedule":
            sys.stderr.write(f"svod: {name}: schedule: {', '.join(map(str, result.arg.opts)) or 'none'}\n")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{next(number):02}-{stage.name}.txt").write_text(f"{result}\n", encoding="utf-8")

    return listen


def show_source(name: str, text: str, suffix: str) -> None:
    """Prints rendered source from SVOD_DEBUG=4 on, and writes it below SVOD_DUMP."""
    debug = settings().debug
    if debug.debug >= 4:
        sys.stderr.write(text)
    if debug.dump is not None:
        debug.dump.mkdir(parents=True, exist_ok=True)
        (debug.dump / f"{name}.{suffix}").write_text(text, encoding="utf-8")
