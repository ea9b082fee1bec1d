"""What a pipeline is made of: stages, what they may know, and running them one after the other.

Owns: `Stage`, `Context`, `through`. Must not know any one stage. Invariant: what a stage gives satisfies the spec that it names.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from svod.config import Config
from svod.errors import UnsupportedError
from svod.ir.ops import Op
from svod.ir.spec import Spec, verify
from svod.ir.uop import UOp
from svod.target import Target


@dataclass(frozen=True, slots=True)
class Context:
    """What stages may know besides the graph, and what they leave for others."""

    target: Target
    config: Config
    names: dict[UOp, str] = field(default_factory=dict, compare=False)
    """What the author calls values of the LINEAR program, where a stage knows it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: a unique verb, why it exists, what it does, and the spec its result satisfies."""

    name: str
    why: str
    run: Callable[[UOp, Context], UOp]
    ensures: Spec | None = None


def require_checks(threads: UOp, ctx: Context) -> None:
    """UnsupportedError if run-time checks that were asked for are not there. Those of bounds the kernel language traces."""
    lacking = ctx.config.check - ctx.target.checks
    if "bounds" in lacking and any(u.op is Op.ASSERT and u.arg.kind == "bounds" for u in threads.toposort()):
        lacking -= {"bounds"}
    if lacking:
        raise UnsupportedError(f"target {ctx.target.name} has no run-time checks for {', '.join(sorted(lacking))}", at=threads.arg.name,
                               hint="INTERP checks bounds and races; kernels of the kernel language check bounds on every device")


Listener = Callable[[Stage, UOp, float], None]


def through(stages: tuple[Stage, ...], sink: UOp, ctx: Context, listen: Listener | None) -> UOp:
    """What `stages` make of `sink`, one after the other; `listen` sees every result and its seconds."""
    out = sink
    for stage in stages:
        if out.op is Op.LINEAR and sink.op is not Op.LINEAR:
            break
        began = time.perf_counter()
        out = stage.run(out, ctx)
        if stage.ensures is not None:
            verify(out, stage.ensures)
        if listen is not None:
            listen(stage, out, time.perf_counter() - began)
    return out
