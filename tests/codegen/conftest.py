"""What the tests of codegen share: the pipeline for a CPU that is the same on every machine."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.codegen.schedule import parse_opt
from svod.device.cpu.probe import cpu_target
from svod.target import Caches, Target

Lower = Callable[..., UOp]


@pytest.fixture
def cpu4() -> Target:
    """512 bits, 32 registers, two cores, caches of fixed sizes."""
    return replace(cpu_target("x86-64-v4", 512, 32, 2), caches=Caches())


@pytest.fixture
def lower_to(cpu4: Target) -> Lower:
    """`lower_to(ast, stage="linearize", opts=None)`: what the stage gives for `cpu4`. `opts` are texts; None lets the strategy choose."""
    def run(ast: UOp, stage: str = "linearize", opts: list[str] | None = None) -> UOp:
        if opts is not None:
            ast = ast.replace(arg=replace(ast.arg, opts=tuple(map(parse_opt, opts))))
        return lower(ast, Context(cpu4, Config(threads=2)), stop_after=stage)
    return run
