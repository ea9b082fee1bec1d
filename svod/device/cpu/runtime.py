"""What every device that runs kernels on this machine's cores is made of: from a graph to text, from an object to a program.

Owns: the worker pool of the process, how a loaded kernel is launched, the parts of a renderer and a loader that do not depend on the
language. Must not know renderers or compilers: they are handed in.
Invariant: the fast path and the checked path run the same code with the same arguments.
"""
from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import llvmlite

from svod.codegen.decompose import rules_for
from svod.config import settings
from svod.device.arguments import HostView
from svod.device.cpu.jit import LoadedObject, host_cpu, load_object
from svod.device.cpu.launcher import BufferParam, LaunchSpec, ScalarParam, make_launcher, make_raw
from svod.device.cpu.messages import Messages
from svod.device.cpu.native import Native, load_native
from svod.device.cpu.pool import Pool
from svod.device.device import disk_cache
from svod.device.launch import LaunchDims
from svod.device.lowering import lowered
from svod.device.program import Program
from svod.device.specs import CompiledSpec, LaunchNeeds, ProgramSpec
from svod.device.watch import show_source
from svod.dtype import DType, dtypes
from svod.dtype.convert import encode
from svod.errors import CompileError, LaunchError, shown
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp
from svod.renderers.cpu_abi import Rendered
from svod.renderers.llvm.messages import RECORD
from svod.renderers.llvm.reach import Reach
from svod.target import Target
from svod.target.abi import Metadata

SYMBOLS = ("entry", "reach")
"""What every kernel exports; RECORD is there as well where the kernel has an ASSERT."""


@cache
def _native() -> Native:
    """The pool and the launchers, compiled once and kept in the disk cache."""

    def from_cache(key: str, make: Callable[[], bytes]) -> bytes:
        disk = disk_cache()
        if disk is None:
            return make()
        full = f"native\n{host_cpu().name}\n{host_cpu().features}\n{llvmlite.__version__}\n{key}"
        if (hit := disk.get(full)) is None:
            hit = make()
            disk.put(full, hit)
        return hit

    return load_native(from_cache)


@cache
def pool(threads: int) -> Pool:
    """The worker pool of this process for `threads` threads."""
    return Pool(_native(), threads)


# --- from a graph to text ----------------------------------------------------------------------------------------------------------

class RenderText(Protocol):
    """A renderer's last step."""

    def __call__(self, linear: UOp, meta: Metadata, name: str, target: Target, reach: Reach, *, apart: bool) -> Rendered:
        """The text of a linear program that exports what SYMBOLS says."""


def configured(target: Target) -> Target:
    """`target` with the cores and the vector width that the settings ask for."""
    config = settings().config
    return replace(target, cores=config.threads, vector_bits=min(target.vector_bits, config.vector_bits or target.vector_bits))


def rendered(ast: UOp, name: str | None, target: Target, device: tuple[str, str], text: RenderText) -> ProgramSpec:
    """The record of a kernel that `text` renders. `device`: its name, and what files of its language end in."""
    target = configured(target)
    low = lowered(ast, target)
    given = ast.arg.name if ast.arg is not None else ""
    called = name or given or "unnamed"
    rules = rules_for(target)
    needs, (work,), sizes = [tuple(rewrite(rewrite(e, SIMPLIFY), rules) for e in part) for part in (low.reach, (low.work,), low.ids)]
    made = text(low.linear, low.meta, called, target, Reach(needs, work, sizes), apart=ast.op is not Op.THREADS)
    show_source(called, made.text, device[1])
    resources = LaunchNeeds(made.phases, made.shared_bytes, made.private_bytes, made.record_words)
    return ProgramSpec(called, made.text, device[0], ast, low.meta, resources, low.reach, low.work, low.aliases, low.ids)


# --- from an object to a program ---------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class CPURunner:
    """One loaded kernel. Every launch of one that prints or has assertions is heard, whichever way it goes."""

    compiled: CompiledSpec
    code: LoadedObject
    target: Target
    messages: Messages
    assemble: Callable[[], str]

    def spec(self) -> LaunchSpec:
        """What the native launcher must check and run."""
        c, meta = self.compiled, self.compiled.meta
        place = {p.slot: i for i, p in enumerate(meta.buffers)}
        aliases = dict(c.aliases)
        buffers = tuple(
            BufferParam(p.dtype, 0, p.writes, frozenset(place[s] for s in aliases.get(p.slot, ()) if s in place)) for p in meta.buffers
        )
        scalars = tuple(ScalarParam(dtypes.i64 if p.dtype is dtypes.index else p.dtype, p.min, p.max) for p in meta.scalars)
        return LaunchSpec(
            self.code.address("entry"),
            buffers,
            scalars,
            self.cores,
            c.needs.phases,
            c.needs.shared_bytes,
            c.needs.private_bytes,
            reach=self.code.address("reach"),
            name=c.name,
        )

    @property
    def cores(self) -> int:
        return int(self.compiled.meta.global_size[0].arg.value)

    def fast(self) -> Callable[..., bool] | None:
        launcher = make_launcher(self.spec(), pool(settings().config.threads), owner=self.code)
        return self.messages.around(launcher) if launcher is not None and self.messages.speaks else launcher

    def raw(self) -> Callable[..., bool] | None:
        """Takes integer addresses, believed without a look; what assertions say is lost. Unsafe."""
        return make_raw(self.spec(), pool(settings().config.threads), owner=self.code)

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        if dims.global_size != (self.cores, 1, 1) or dims.local_size not in (None, (1, 1, 1)):
            raise LaunchError(
                f"kernel {self.compiled.name!r} has {self.cores} share(s) of work, a launch of {shown(dims.global_size)} would not do it",
                hint="leave global_size and local_size out",
            )
        scalars = [_bits(p.dtype, v) for p, v in zip(self.compiled.meta.scalars, values, strict=True)]
        slots = (ctypes.c_uint64 * max(1, len(views) + len(scalars)))(*[v.address for v in views], *scalars)
        needs = self.compiled.needs
        with self.messages.heard(values):
            pool(settings().config.threads).run(
                self.code.address("entry"), ctypes.addressof(slots), self.cores, needs.phases, needs.shared_bytes, needs.private_bytes
            )

    def asm(self) -> str:
        return self.assemble()


def _bits(dtype: DType, value: int | float) -> int:
    """A scalar as it lies in its slot."""
    if dtype.is_float:
        return encode(float(value), dtype)
    return int.from_bytes(struct.pack("<q" if int(value) < 1 << 63 else "<Q", int(value)), "little")


def load_kernel(
    compiled: CompiledSpec, stored: bytes | None, target: Target, build: Callable[[], bytes], assemble: Callable[[], str]
) -> tuple[Program, bytes]:
    """The program of a kernel and its object: `stored`, if this machine made that, else what `build` makes. CompileError."""
    code = None
    symbols = (*SYMBOLS, RECORD) if compiled.needs.record_words else SYMBOLS
    if stored:
        try:
            code, machine = load_object(stored, symbols), stored
        except CompileError:
            code = None  # not what this machine makes: compile
    if code is None:
        machine = build()
        code = load_object(machine, symbols)
    return Program(compiled, CPURunner(compiled, code, target, Messages(compiled, code), assemble), target.limits), machine
