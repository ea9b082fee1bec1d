"""What the CC device is made of: the C renderer, the system's compiler, the CPU's runtime.

Owns: that composition, and what the compiler's target means for a Target. Must not know how C is written.
Invariant: a kernel of CC is loaded, checked and launched by the very code that does so for the CPU.
"""
from __future__ import annotations

from dataclasses import replace

from svod.codegen.decompose import replaced_by
from svod.config import settings
from svod.device.allocator import HostAllocator, LRUAllocator
from svod.device.cc.compiler import SystemCompiler, system_compiler
from svod.device.cpu.jit import host_cpu, seal
from svod.device.cpu.probe import cpu_target
from svod.device.cpu.runtime import load_kernel, rendered
from svod.device.device import Backend, Device
from svod.device.program import Program
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.dtype import dtypes
from svod.ir.uop import UOp
from svod.renderers.c.module import render_c
from svod.renderers.cpu_abi import Rendered
from svod.renderers.llvm.reach import Reach
from svod.target import Target
from svod.target.abi import Metadata

HARDEST = 2
"""The most that -O is given. Kernels are explicit vector code: at 3 gcc 12 takes up to four times as long (matrix products by fragments:
85 s, not 21), and copies, softmax and matrix products are as fast at 2."""


def effort() -> int:
    """The level of -O that the settings ask for."""
    return min(settings().config.opt_level, HARDEST)


class CCRenderer:
    """Kernel graph to C text."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def render(self, ast: UOp, name: str | None = None) -> ProgramSpec:
        """The C file of a kernel and its metadata."""
        return rendered(ast, name, self.target, ("CC", "c"), _c)

    @property
    def decompositor(self) -> dict[str, str]:
        """Ops the target lacks, with the rule that rewrites each."""
        return replaced_by(self.target)


def _c(linear: UOp, meta: Metadata, name: str, target: Target, reach: Reach, *, apart: bool) -> Rendered:
    return render_c(linear, meta, name, target.vector_bits, reach, apart=apart)


class CCCompiler:
    """Keeps the C as source: it is compiled, or its object found in the cache, when the program is loaded."""

    def __init__(self, compiler: SystemCompiler) -> None:
        self.cache_key = f"{compiler.key} O{effort()}"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The record with its source, and no bytes."""
        return CompiledSpec.from_source(spec)


def _load(compiled: CompiledSpec, stored: bytes | None, target: Target, compiler: SystemCompiler) -> tuple[Program, bytes]:
    text = compiled.src or ""
    return load_kernel(compiled, stored, target, lambda: seal(compiler.compile(text, effort())),
                       lambda: compiler.assembly(text, effort()))


def target_of(compiler: SystemCompiler) -> Target:
    """This machine as the compiler knows it: vectors as wide, fma and f16 conversions only where it compiles to them."""
    host, features = host_cpu(), compiler.features
    arm = "__aarch64__" in features
    bits = host.vector_bits if arm else 512 if "__AVX512F__" in features else 256 if "__AVX__" in features else 128
    registers = 32 if bits == 512 or arm else 16
    target = cpu_target(host.name, min(bits, host.vector_bits), registers, settings().config.threads)
    halves = arm or "__F16C__" in features
    return replace(target, name="cpu-c", fma=arm or "__FMA__" in features,
                   storage=target.storage if halves else target.storage - {dtypes.f16})


def open_host() -> Device:
    """The CPU of this machine, by way of C. DeviceUnavailable without a compiler."""
    compiler = system_compiler()
    target = target_of(compiler)
    return Device.of(
        Backend(
            "CC",
            target,
            LRUAllocator(HostAllocator()),
            ((CCRenderer(target), CCCompiler(compiler)),),
            lambda compiled: _load(compiled, None, target, compiler)[0],
            lambda compiled, stored: _load(compiled, stored, target, compiler),
        )
    )


class _Source:
    """Compiles nothing: keeps the source."""

    cache_key = "cc offline"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The source as it is."""
        return CompiledSpec.from_source(spec)


def open_offline(target: Target) -> Device:
    """A CC that only renders: no compiler is looked for."""
    named = replace(target, name="cpu-c")
    return Device.of(Backend(f"CC({target.arch})", named, None, ((CCRenderer(named), _Source()),), None))
