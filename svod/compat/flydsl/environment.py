"""FlyDSL's environment variables, read when they are used.

Owns: their names and meaning. Must not know kernels. Invariant: they change nothing that a kernel computes.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from svod.compat.flydsl.faults import BadVariable
from svod.config import override, settings

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


def flag(name: str, default: bool = False) -> bool:
    """A variable that is on or off. BadVariable (a ValueError) for anything else."""
    text = os.environ.get(name)
    if text is None:
        return default
    if text.lower() not in (*_TRUE, *_FALSE):
        raise BadVariable(f"Failed to parse environment variable {name}={text!r}", hint=f"{' '.join(_TRUE)}, or {' '.join(_FALSE[1:])}")
    return text.lower() in _TRUE


NAMES = ("COMPILE_ONLY", "FLYDSL_DUMP_IR", "FLYDSL_RUNTIME_ENABLE_CACHE", "FLYDSL_RUNTIME_CACHE_DIR", "FLYDSL_DEBUG_AST_DIFF")


def anything() -> bool:
    """Whether any of the variables is set that change what a call does."""
    get = os.environ.get
    return any(get(name) is not None for name in NAMES)


def compile_only() -> bool:
    """COMPILE_ONLY: compile, launch nothing."""
    return flag("COMPILE_ONLY")


def dump_folder() -> Path | None:
    """FLYDSL_DUMP_IR and FLYDSL_DUMP_DIR: where what is compiled is written; None if it is not."""
    if not flag("FLYDSL_DUMP_IR"):
        return None
    return Path(os.environ.get("FLYDSL_DUMP_DIR") or Path.home() / ".flydsl" / "debug")


def notice_of_tracing() -> str:
    """FLYDSL_DEBUG_AST_DIFF: there is no rewritten source to compare with; the line that says so, or nothing."""
    if not flag("FLYDSL_DEBUG_AST_DIFF"):
        return ""
    return "[flydsl] AST_DIFF: the source is traced as it stands, nothing is rewritten; FLYDSL_DUMP_IR=1 shows the statements\n"


def architecture() -> str:
    """ARCH, for messages; empty if it is not set."""
    return os.environ.get("ARCH", "")


@contextmanager
def cache_settings() -> Iterator[None]:
    """FLYDSL_RUNTIME_ENABLE_CACHE and FLYDSL_RUNTIME_CACHE_DIR hold inside."""
    enabled, folder = flag("FLYDSL_RUNTIME_ENABLE_CACHE", True), os.environ.get("FLYDSL_RUNTIME_CACHE_DIR", "")
    if enabled and not folder:
        yield
        return
    now = settings().cache
    with override(cache=replace(now, enabled=now.enabled and enabled, dir=Path(folder) if folder else now.dir)):
        yield
