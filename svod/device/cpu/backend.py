"""What a CPU device is made of: renderer, compiler, runtime.

Owns: the composition of codegen, the LLVM renderer and llvmlite for the CPU. Must not know other devices.
Invariant: the fast path and the checked path run the same code with the same arguments.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import llvmlite

from svod.codegen.decompose import replaced_by, rules_for
from svod.config import settings
from svod.device.allocator import HostAllocator, LRUAllocator
from svod.device.arguments import HostView
from svod.device.cpu.jit import LoadedObject, assembly, compile_ir, host_cpu, load_object
from svod.device.cpu.launcher import BufferParam, LaunchSpec, ScalarParam, make_launcher, make_raw
from svod.device.cpu.messages import Messages
from svod.device.cpu.native import Native, load_native
from svod.device.cpu.pool import Pool
from svod.device.cpu.probe import cpu_target
from svod.device.device import Backend, Device, disk_cache
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
from svod.renderers.llvm.messages import RECORD
from svod.renderers.llvm.module import render_module
from svod.renderers.llvm.reach import Reach
from svod.target import Target

SYMBOLS = ("entry", "reach")
"""What every kernel exports; RECORD is there as well where the kernel has an ASSERT."""


class CPURenderer:
    """Kernel graph to LLVM IR text."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def render(self, ast: UOp, name: str | None = None) -> ProgramSpec:
        """The LLVM module of a kernel and its metadata."""
        config = settings().config
        target = replace(
            self.target, cores=config.threads, vector_bits=min(self.target.vector_bits, config.vector_bits or self.target.vector_bits)
        )
        low = lowered(ast, target)
        given = ast.arg.name if ast.arg is not None else ""
        called = name or given or "unnamed"
        rules = rules_for(target)
        needs, (work,), sizes = [tuple(rewrite(rewrite(e, SIMPLIFY), rules) for e in part) for part in (low.reach, (low.work,), low.ids)]
        reach = Reach(needs, work, sizes)
        text = render_module(low.linear, low.meta, called, target.vector_bits, reach, apart=ast.op is not Op.THREADS)
        show_source(called, text.text, "ll")
        resources = LaunchNeeds(text.phases, text.shared_bytes, text.private_bytes, text.record_words)
        return ProgramSpec(called, text.text, "CPU", ast, low.meta, resources, low.reach, low.work, low.aliases, low.ids)

    @property
    def decompositor(self) -> dict[str, str]:
        """Ops the target lacks, with the rule that rewrites each."""
        return replaced_by(self.target)


class CPUCompiler:
    """Keeps the IR as source: machine code is made, or found in the cache, when the program is loaded."""

    def __init__(self, target: Target) -> None:
        host = host_cpu()
        self.cache_key = f"llvmlite {llvmlite.__version__} {host.triple} {host.name} {host.features} O{settings().config.opt_level}"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The compiled record of a JIT compiler: source, no bytes."""
        return CompiledSpec.from_source(spec)


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


@dataclass(frozen=True)
class CPURunner:
    """One loaded kernel. Every launch of one that prints or has assertions is heard, whichever way it goes."""

    compiled: CompiledSpec
    code: LoadedObject
    target: Target
    messages: Messages

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
        return assembly(self.compiled.src or "")


def _bits(dtype: DType, value: int | float) -> int:
    """A scalar as it lies in its slot."""
    if dtype.is_float:
        return encode(float(value), dtype)
    return int.from_bytes(struct.pack("<q" if int(value) < 1 << 63 else "<Q", int(value)), "little")


def _load(compiled: CompiledSpec, stored: bytes | None, target: Target) -> tuple[Program, bytes]:
    code = None
    symbols = (*SYMBOLS, RECORD) if compiled.needs.record_words else SYMBOLS
    if stored:
        try:
            code, machine = load_object(stored, symbols), stored
        except CompileError:
            code = None  # not what this machine makes: compile
    if code is None:
        machine = compile_ir(compiled.src or "", level=settings().config.opt_level)
        code = load_object(machine, symbols)
    return Program(compiled, CPURunner(compiled, code, target, Messages(compiled, code)), target.limits), machine


def open_host() -> Device:
    """The CPU of this machine."""
    host = host_cpu()
    registers = 32 if host.vector_bits == 512 or host.triple.startswith("aarch64") else 16
    target = cpu_target(f"{host.name}", host.vector_bits, registers, settings().config.threads)
    return Device.of(
        Backend(
            "CPU",
            target,
            LRUAllocator(HostAllocator()),
            ((CPURenderer(target), CPUCompiler(target)),),
            lambda compiled: _load(compiled, None, target)[0],
            lambda compiled, stored: _load(compiled, stored, target),
        )
    )


def open_offline(target: Target) -> Device:
    """A CPU that only renders."""
    return Device.of(Backend(f"CPU({target.arch})", target, None, ((CPURenderer(target), CPUCompiler(target)),), None))
