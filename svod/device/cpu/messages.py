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
from svod.device.specs import CompiledSpec
from svod.errors import LaunchError
from svod.ir.message import assertions, from_bits, numbered
from svod.ir.ops import Op
from svod.ir.thread_state import place
from svod.ir.threads import AXES, grid_variable
from svod.renderers.llvm.messages import HEAD, RECORD


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
            raise self._error(found, values)

    def around(self, launcher: Callable[..., bool]) -> Callable[..., bool]:
        """`launcher`, heard: it also raises what an assertion of the kernel that it ran says."""
        buffers = len(self.compiled.globals)

        def heard(*args: Any) -> bool:
            with self.heard(args[buffers:]):
                return launcher(*args)
        return heard

    def _error(self, record: list[int], values: Sequence[int | float]) -> LaunchError:
        """What the record says, in words."""
        kernel, name = self.compiled.ast, self.compiled.name
        _, number, group, item = record[:HEAD]
        known = {} if kernel is None else assertions(kernel)
        if kernel is None or number not in known:
            return LaunchError("assertion failed", at=f"kernel {name!r}, {numbered(group, item)}")
        where = numbered(group, item)
        if kernel.op is Op.THREADS:
            given = dict(zip(self.compiled.var_names, values, strict=True))
            grid = [int(given.get(grid_variable(axis).arg.name, 1)) for axis in range(len(AXES))]
            where = place(group, item, grid, kernel.arg.block)
        failed = known[number]
        return failed.error(name, where, [from_bits(bits, t) for bits, t in zip(record[HEAD:], failed.dtypes, strict=False)])
