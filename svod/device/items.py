"""What renderers of kernels of one work item have in common, whatever the language: a graph to a ProgramSpec, within the target's limits.

Owns: that, and how much memory of a group a kernel declares. Must not know languages.
Invariant: nothing is rendered that a launch could not pass or hold.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from svod.codegen.decompose import replaced_by
from svod.device.lowering import lowered
from svod.device.specs import LaunchNeeds, ProgramSpec
from svod.device.watch import show_source
from svod.dtype import PtrDType
from svod.errors import UnsupportedError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.accesses import root
from svod.renderers.phases import group_memory, item_phases, scratch
from svod.renderers.records import Layout
from svod.target import Target
from svod.target.abi import Metadata

Write = Callable[[UOp, Metadata, str, Collection[int], Mapping[UOp, str]], str]
"""The source of a LINEAR program, its metadata, its name, the slots whose buffers may be the same memory, the author's names of values."""


@dataclass(slots=True)
class ItemsRenderer:
    """Kernel graph to the source of one work item. `device` is the name in the ProgramSpec, `ending` that of files of the language.

    `apart`: scalars are arguments like buffers, of which the target takes `limits.buffers` together. `declared`: bytes of a group's memory
    that arrays of known size may take, 0 for all there are. `aligned`: what is accessed at once has to begin at a multiple of its size.
    """

    target: Target
    device: str
    ending: str
    write: Write
    apart: bool = False
    declared: int = 0
    aligned: bool = False

    def render(self, ast: UOp, name: str | None = None) -> ProgramSpec:
        """The source of a kernel and its metadata. UnsupportedError for more memory of a group, or more arguments, than there are."""
        low, limits = lowered(ast, self.target), self.target.limits
        called = name or (ast.arg.name if ast.arg is not None else "") or "unnamed"
        most = self.declared or limits.shared_bytes
        if (shared := shared_bytes(low.linear)) > most:
            more = f", or use dynamic shared memory, up to {limits.shared_bytes} bytes" if most < limits.shared_bytes else ""
            raise UnsupportedError(f"a group of kernel {called!r} shares {shared} bytes, {self.device} has {most}"
                                   f"{' for arrays of known size' if more else ''}", at="limit shared_bytes",
                                   hint=f"make the shared arrays smaller{more}")
        words = Layout.of(low.linear).words
        common = scratch(low.linear)[1]
        arguments = len(low.meta.buffers) + bool(words) + bool(common) + len(low.meta.scalars) * self.apart
        if arguments > limits.buffers:
            raise UnsupportedError(f"kernel {called!r} has {arguments} arguments, {self.device} takes {limits.buffers}", at="limit buffers",
                                   hint="put several arrays into one")
        together = {b.slot for b in low.meta.buffers} if ast.op is Op.THREADS else {slot for slot, others in low.aliases if others}
        text = self.write(low.linear, low.meta, called, together, low.names)
        show_source(called, text, self.ending)
        align = widest(low.linear) if self.aligned else 1
        needs = LaunchNeeds(phases=len(item_phases(low.linear)), shared_bytes=common, record_words=words, align=align)
        return ProgramSpec(called, text, self.device, ast, low.meta, needs, low.reach, low.work, low.aliases, low.ids)

    @property
    def decompositor(self) -> dict[str, str]:
        """Ops the target lacks, with the rule that rewrites each."""
        return replaced_by(self.target)


def shared_bytes(linear: UOp) -> int:
    """Bytes of memory of a group that a program declares, but for what the launch gives: the most of all phases."""
    return max(sum(map(_bytes, phase)) for phase in group_memory(linear))


def widest(linear: UOp) -> int:
    """Bytes of the largest piece of a buffer that a program accesses at once."""
    found = [1]
    for u in linear.src:
        if u.op in (Op.LOAD, Op.STORE) and u.src[0].src[1].dtype.lanes > 1 and root(u.src[0]).op is Op.PARAM:
            found.append((u.src[1] if u.op is Op.STORE else u).dtype.itemsize)
    return max(found)


def _bytes(memory: UOp) -> int:
    base = memory.dtype.base if isinstance(memory.dtype, PtrDType) else memory.dtype
    return int(base.itemsize * memory.arg.size)
