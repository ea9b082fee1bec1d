"""What kernels say on devices whose work items can say nothing themselves: the record of a launch, before it and after it.

Owns: its memory, the lines and the errors that are made of it. Must not know drivers, nor who wrote it (svod/renderers/records.py says
how it lies). Invariants: each launch has a record of its own; lines come in the order in which they were begun, after the launch and
before its error; a launch in which an assertion failed raises, and no other does.
"""
from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from svod.device.allocator import Allocator, Block
from svod.device.specs import CompiledSpec
from svod.errors import LaunchError
from svod.ir.message import CUT, assertions, from_bits, lines, numbered, write_line
from svod.ir.ops import Op
from svod.ir.thread_state import place
from svod.ir.threads import AXES, grid_variable
from svod.renderers.records import FAILED, HEAD, LOST, STATE, USED, Layout

Words = NDArray[np.uint32]


class Records:
    """Of one loaded kernel. Any number of threads may launch it.

    `with records.heard(allocator, values) as block:` launches and brings results home; `block` is the record, which the kernel takes behind
    all other arguments, None for a kernel that says nothing. Where a launch is not waited for, `prepared` and `told` are its two halves.
    """

    def __init__(self, compiled: CompiledSpec) -> None:
        self.compiled = compiled
        self.layout = Layout.with_words(compiled.needs.record_words)

    @contextmanager
    def heard(self, allocator: Allocator, values: Sequence[int | float]) -> Iterator[Block | None]:
        """Around a launch with these scalars. Prints its lines; LaunchError if an assertion failed in it."""
        if not self.layout.words:
            yield None
            return
        block = self.prepared(allocator)
        try:
            yield block
            self.told(allocator, block, values)
        finally:
            allocator.free(block)

    def prepared(self, allocator: Allocator) -> Block:
        """A record in which nothing is said yet, whoever asks frees it."""
        block = allocator.alloc(4 * self.layout.words)
        allocator.copyin(block, 0, np.zeros(HEAD, np.uint32).data.cast("B"))
        return block

    def told(self, allocator: Allocator, block: Block, values: Sequence[int | float]) -> None:
        """Prints the lines of a launch that is done, then raises the LaunchError of the assertion that failed, if one did."""
        head = _read(allocator, block, 0, self.layout.start)
        if head[USED] or head[LOST]:
            self._print(_read(allocator, block, self.layout.start, min(int(head[USED]), self.layout.lines)), int(head[LOST]))
        if head[STATE]:
            raise failure(self.compiled, _pairs(head[HEAD:]), values)

    def _print(self, words: Words, lost: int) -> None:
        """The lines, up to the first that did not fit."""
        if sys.stdout is None:
            return
        known = {} if self.compiled.ast is None else lines(self.compiled.ast)
        at = 0
        while at + 1 < len(words) and words[at]:
            found = known.get(_pairs(words[at:at + 2])[0])
            if found is None:
                write_line(f"kernel {self.compiled.name!r} printed what cannot be read without its graph")
                break
            size = 2 * len(found.dtypes)
            bits = _pairs(words[at + 2:at + 2 + size])
            write_line(found.said([from_bits(b, t) for b, t in zip(bits, found.dtypes, strict=True)]))
            at += 2 + size
        if lost:
            what = "more line" if lost == 1 else "more lines"
            write_line(f"{lost} {what} of kernel {self.compiled.name!r} did not fit in {4 * self.layout.lines >> 10} KiB")


def _read(allocator: Allocator, block: Block, first: int, count: int) -> Words:
    """Words of the record, copied to the host."""
    kept = np.zeros(count, np.uint32)
    if count:
        allocator.copyout(kept.data.cast("B"), block, 4 * first)
    return kept


def _pairs(words: Words) -> list[int]:
    """Pairs of words, the low one first, as numbers of 64 bits."""
    return [int(low) | int(high) << 32 for low, high in zip(words[::2], words[1::2], strict=True)]


def failure(compiled: CompiledSpec, failed: Sequence[int], values: Sequence[int | float]) -> LaunchError:
    """The error of a launch with these scalars: `failed` is the number of the ASSERT, those of the group and of the work item in it, and
    the bits of its values. ArgumentError, a LaunchError, for an index out of its axis."""
    kernel, name = compiled.ast, compiled.name
    number, group, item = failed[:FAILED]
    known = {CUT.number: CUT} | ({} if kernel is None else assertions(kernel))
    if number not in known:
        return LaunchError("assertion failed", at=f"kernel {name!r}, {numbered(group, item)}")
    where = numbered(group, item)
    if kernel is not None and kernel.op is Op.THREADS:
        given = dict(zip(compiled.var_names, values, strict=True))
        grid = [int(given.get(grid_variable(axis).arg.name, 1)) for axis in range(len(AXES))]
        where = place(group, item, grid, kernel.arg.block)
    said = known[number]
    return said.error(name, where, [from_bits(bits, t) for bits, t in zip(failed[FAILED:], said.dtypes, strict=False)])
