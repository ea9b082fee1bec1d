"""What a WEBGPU device is made of: its Target, the renderer, the composition.

Owns: how features and limits of an adapter become a Target. Must not know how WGSL is spelled (svod/renderers/wgsl).
Invariant: nothing is rendered that the device has not: types it does not compute in are decomposed, or refused by name.
"""
from __future__ import annotations

from svod.codegen.decompose import replaced_by
from svod.device.allocator import LRUAllocator
from svod.device.device import Backend, Compiler
from svod.device.lowering import lowered
from svod.device.program import Program
from svod.device.specs import CompiledSpec, LaunchNeeds, ProgramSpec
from svod.device.watch import show_source
from svod.device.webgpu.arithmetic import Rounding, rounding
from svod.device.webgpu.driver import Driver
from svod.device.webgpu.memory import WebGPUAllocator
from svod.device.webgpu.runner import WebGPUCompiler, WebGPURunner, program
from svod.dtype import dtypes
from svod.errors import UnsupportedError
from svod.ir.ops import Op
from svod.ir.threads import MAX_BLOCK, MAX_ITEMS
from svod.ir.uop import UOp
from svod.renderers.phases import item_phases, scratch
from svod.renderers.records import Layout
from svod.renderers.wgsl.ends import with_ends_seen
from svod.renderers.wgsl.module import render_wgsl, shared_bytes
from svod.renderers.wgsl.values import Abilities
from svod.renderers.wgsl.widths import MOST_GROUPS
from svod.target import Limits, Target
from svod.target.abi import Metadata
from svod.target.target import CPU_NATIVE

_BASE = frozenset((dtypes.bool, dtypes.i32, dtypes.u32, dtypes.f32, dtypes.index))
BASELINE = Limits(grid=(MOST_GROUPS,) * 3, block=(256, 256, 64), threads=256, shared_bytes=16 << 10, buffers=8)
"""What every adapter has."""
ARCHITECTURES = {
    "generic": Abilities(f16=True, int64=True, atomic64=True, f64=True), "baseline": Abilities(),
}
"""Offline: an adapter with every type, and one with nothing beyond what WebGPU promises."""


class WebGPURenderer:
    """Kernel graph to WGSL."""

    def __init__(self, target: Target, able: Abilities) -> None:
        self.target, self.able = target, able

    def render(self, ast: UOp, name: str | None = None) -> ProgramSpec:
        """The source of a kernel and its metadata. UnsupportedError for more buffers, work items or memory of a group than there are."""
        low = lowered(ast, self.target)
        called = name or (ast.arg.name if ast.arg is not None else "") or "unnamed"
        linear = with_ends_seen(low.linear, self.able.iterations)
        words = Layout.of(linear).words
        self._check(linear, low.meta, called)
        text = render_wgsl(linear, low.meta, called, self.able, low.names)
        show_source(called, text, "wgsl")
        needs = LaunchNeeds(phases=len(item_phases(linear)), shared_bytes=scratch(linear)[1], record_words=words)
        return ProgramSpec(called, text, "WEBGPU", ast, low.meta, needs, low.reach, low.work, low.aliases, low.ids)

    def wide(self, compiled: CompiledSpec) -> str:
        """The shader of a kernel for launches with an index beyond 32 bits. UnsupportedError without 64-bit integers."""
        if compiled.ast is None:
            raise UnsupportedError(f"kernel {compiled.name!r} has no graph to render again", hint="compile it from its graph")
        low = lowered(compiled.ast, self.target)
        linear = with_ends_seen(low.linear, self.able.iterations)
        return render_wgsl(linear, compiled.meta, compiled.name, self.able, low.names, wide=True)

    def _check(self, linear: UOp, meta: Metadata, name: str) -> None:
        limits = self.target.limits
        if (buffers := len(meta.buffers) + bool(scratch(linear)[1]) + bool(Layout.of(linear).words)) > limits.buffers:
            raise UnsupportedError(f"kernel {name!r} has {buffers} buffers, {self.target.name} takes {limits.buffers}",
                                   at="limit buffers", hint="put several arrays into one buffer, or make two kernels of it")
        if (shared := shared_bytes(linear, self.able)) > limits.shared_bytes:
            raise UnsupportedError(f"a group of kernel {name!r} shares {shared} bytes, {self.target.name} has {limits.shared_bytes}",
                                   at="limit shared_bytes", hint="make the shared arrays smaller: an element takes at least 4 bytes")
        sizes = [int(s.arg.value) for s in meta.local_size or () if s.op is Op.CONST]
        items = 1
        for axis, n in enumerate(sizes):
            items *= n
            if n > limits.block[axis]:
                raise UnsupportedError(f"kernel {name!r} has groups of {n} work items along axis {axis}, {self.target.name} allows "
                                       f"{limits.block[axis]}", at=f"limit block[{axis}]", hint="use smaller groups, and more of them")
        if items > limits.threads:
            raise UnsupportedError(f"kernel {name!r} has groups of {items} work items, {self.target.name} allows {limits.threads}",
                                   at="limit threads", hint="use smaller groups, and more of them")

    @property
    def decompositor(self) -> dict[str, str]:
        """Ops the target lacks, with the rule that rewrites each."""
        return replaced_by(self.target)


def webgpu_target(arch: str, able: Abilities, limits: Limits = BASELINE, *, fused: bool = False) -> Target:
    """The Target of a device with these optional types. Narrow integers are stored and converted everywhere, and computed in 32 bits."""
    wide = {dtypes.i64, dtypes.u64} if able.int64 else set()
    floats = {dtypes.f64} if able.f64 else set()
    absent = {dtypes.i64, dtypes.u64, dtypes.f64, dtypes.f16} - wide - floats - ({dtypes.f16} if able.f16 else set())
    native = CPU_NATIVE if fused else CPU_NATIVE - {Op.MULACC}
    return Target("webgpu", arch, _BASE | wide | floats, frozenset(dtypes.ALL) - absent, native, fma=fused, ids=True, phases=True,
                  branches=True, limits=limits)


def abilities(driver: Driver, found: Rounding) -> Abilities:
    """What an adapter has; f64 only beside 64-bit integers, which are its bits."""
    has = driver.features
    wide = "shader-int64" in has
    f64 = wide and "shader-f64" in has
    return Abilities("shader-f16" in has, wide, wide and "shader-int64-atomic-all-ops" in has, f64,
                     by_f64=f64 and not (found.quotient and found.root), iterations=found.iterations)


def _limits(driver: Driver) -> Limits:
    x, y, z = (driver.limit(f"max-compute-workgroup-size-{axis}") for axis in "xyz")
    return Limits(grid=(MOST_GROUPS,) * 3, block=(min(x, MAX_BLOCK[0]), min(y, MAX_BLOCK[1]), min(z, MAX_BLOCK[2])),
                  threads=min(MAX_ITEMS, driver.limit("max-compute-invocations-per-workgroup")),
                  shared_bytes=driver.limit("max-compute-workgroup-storage-size"),
                  buffers=driver.limit("max-storage-buffers-per-shader-stage"))


class Offline:
    """Compiles nothing: that is the driver's, when it loads."""

    cache_key = "webgpu offline"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The source as it is."""
        return CompiledSpec.from_source(spec)


def offline_pair(arch: str) -> tuple[WebGPURenderer, Compiler]:
    """The renderer and compiler of a device that only renders, for one of ARCHITECTURES."""
    able = ARCHITECTURES[arch]
    return WebGPURenderer(webgpu_target(arch, able), able), Offline()


def backend(driver: Driver) -> Backend:
    """Everything a Device is made of. DeviceError if the adapter gives no device, or computes nothing."""
    found = rounding(driver)
    able = abilities(driver, found)
    target = webgpu_target(driver.model, able, _limits(driver), fused=found.fused)
    compiler = WebGPUCompiler(driver, able)
    allocator = LRUAllocator(WebGPUAllocator(driver))
    renderer = WebGPURenderer(target, able)

    def runtime(compiled: CompiledSpec) -> Program:
        return program(WebGPURunner.of(compiled, compiler, allocator, renderer.wide), target)

    return Backend(driver.name, target, allocator, ((renderer, compiler),), runtime)
