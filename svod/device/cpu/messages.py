"""What kernels say while they run on the CPU: the order of their lines among Python's, and the errors of their assertions.

Owns: the record `failed` between launches. Must not know how it is written (svod/renderers/llvm/messages.py says how it lies).
Invariant: a launch in which an assertion failed raises, and no other does: launches of one kernel with assertions wait for one another.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import c_uint64
from typing import Any

from svod.device.cpu.jit import LoadedObject
from svod.device.locks import new_lock
from svod.device.records import failure
from svod.device.specs import CompiledSpec
from svod.ir.ops import Op
from svod.renderers.llvm.messages import RECORD


class Messages:
    """Of one loaded kernel. Any number of threads may launch it."""

    __slots__ = ("_lock", "_record", "compiled", "prints")

    def __init__(self, compiled: CompiledSpec, code: LoadedObject) -> None:
        words, ast = compiled.needs.record_words, compiled.ast
        self.compiled = compiled
        self.prints = ast is not None and next(iter(ast.find(Op.PRINT)), None) is not None
        self._record: Any = (c_uint64 * words).from_address(code.address(RECORD)) if words else None
        self._lock = new_lock()

    @property
    def speaks(self) -> bool:
        """Whether a launch has to be heard."""
        return self.prints or self._record is not None

    @contextmanager
    def heard(self, values: Sequence[int | float]) -> Iterator[None]:
        """Around a launch with these scalars. LaunchError if an assertion failed in it."""
        if self.prints and sys.stdout is not None:
            sys.stdout.flush()
        if self._record is None:
            yield
            return
        with self._lock:
            self._record[0] = 0
            yield
            found = list(self._record) if self._record[0] else None
        if found is not None:
            raise failure(self.compiled, found[1:], values)

    def around(self, launcher: Callable[..., bool]) -> Callable[..., bool]:
        """`launcher`, heard: it also raises what an assertion of the kernel that it ran says."""
        buffers = len(self.compiled.globals)

        def heard(*args: Any) -> bool:
            with self.heard(args[buffers:]):
                return launcher(*args)
        return heard
