"""Shaders of WebGPU: from source to a pipeline, and from checked arguments to a launch.

Owns: compiling, the message of a shader that is refused, what a launch binds, launches of more groups than a dispatch takes.
Must not know how the source was made. Invariants: a launch is done when `run` returns; host arrays are copied to the device before and,
where the kernel writes, back after it; a kernel is submitted whole or not at all.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

from svod.device.allocator import Allocator
from svod.device.arguments import HostView
from svod.device.launch import LaunchDims
from svod.device.locks import new_lock
from svod.device.memo import MemoryCache
from svod.device.program import Program
from svod.device.records import Records
from svod.device.remote import Arguments, scratch, viewer
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.device.webgpu.driver import Driver, bindings, reason
from svod.device.webgpu.memory import LEAST, words
from svod.dtype import PtrDType
from svod.errors import CompileError, LaunchError
from svod.ir.ops import Op
from svod.renderers.wgsl.body import DIRECT_ITEMS
from svod.renderers.wgsl.launch import Block, beyond
from svod.renderers.wgsl.module import DYNAMIC, element_bytes
from svod.renderers.wgsl.values import Abilities
from svod.renderers.wgsl.widths import MOST_INDEX
from svod.target import Target

PIPELINES_KEPT = 4096
APART = 256
"""Bytes between the launch blocks of the dispatches of one launch: the most that an adapter asks for."""
_BINDINGS = re.compile(r"^@group\(0\) @binding\((\d+)\) var<([a-z_, ]+)>", re.MULTILINE)
_PHASES = re.compile(r"^@compute .*\nfn (\w+)\(", re.MULTILINE)
_LAYOUT = {"storage, read": "read-only-storage", "storage, read_write": "storage", "uniform": "uniform"}
"""An automatic layout would leave out the buffers that a kernel takes and does not use."""
Binding = tuple[Any, int, int]
"""A buffer, the byte at which it begins, how many it has."""
Resources = tuple[list[Binding], list[Binding]]
"""What is bound in front of the launch block, and behind it."""


class WebGPUCompiler:
    """Keeps the source: the driver makes machine code of it when the program is loaded."""

    def __init__(self, driver: Driver, able: Abilities) -> None:
        self.driver, self.able = driver, able
        self.cache_key = f"{driver.identity} {able}"
        self._pipelines: MemoryCache[tuple[str, int], tuple[Any, ...]] = MemoryCache(PIPELINES_KEPT)

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The compiled record: source, no bytes."""
        return CompiledSpec.from_source(spec)

    def pipelines(self, source: str, name: str, dynamic: int = 0) -> tuple[Any, ...]:
        """The pipelines of the shader `source`, which svod calls `name`, one for each of its phases, with so many elements of dynamic
        memory; the same ones for the same.

        CompileError, with the message and the line it names, if it is refused."""
        return self._pipelines.get_or_make((source, dynamic), lambda: self._made(source, name, dynamic))

    def _made(self, source: str, name: str, dynamic: int) -> tuple[Any, ...]:
        device = self.driver.device
        stage: dict[str, Any] = {"constants": {DYNAMIC: dynamic}} if dynamic else {}
        entries = [{"binding": int(n), "visibility": bindings().ShaderStage.COMPUTE, "buffer": {"type": _LAYOUT[kind]}}
                   for n, kind in _BINDINGS.findall(source)]
        try:
            stage["module"] = device.create_shader_module(label=name, code=source)
            layout = device.create_pipeline_layout(bind_group_layouts=[device.create_bind_group_layout(entries=entries)])
            return tuple([device.create_compute_pipeline(label=phase, layout=layout, compute={**stage, "entry_point": phase})
                          for phase in _PHASES.findall(source)])
        except bindings().GPUError as e:
            raise CompileError(f"{self.driver.name} refuses the source of kernel {name!r}\n{reason(e)}", at=self.driver.model) from e


class _Form(NamedTuple):
    """The shader of a launch: its source, its launch block, elements of dynamic memory."""

    source: str
    block: Block
    dynamic: int


@dataclass
class WebGPURunner:
    """One loaded kernel. Launches of one kernel wait for one another: they share a launch block.

    `dynamic`: bytes of an element of its dynamic memory on the device, and as the kernel counts them; None without such memory.
    """

    compiled: CompiledSpec
    compiler: WebGPUCompiler
    allocator: Allocator
    limits: dict[str, int]
    sources: Callable[[CompiledSpec], str]
    """Renders the shader for launches with an index beyond 32 bits."""
    records: Records
    dynamic: tuple[int, int] | None = None
    lock: Any = field(default_factory=new_lock)
    forms: dict[bool, tuple[str, Block]] = field(default_factory=dict)
    bound: tuple[Any, ...] = ()
    """The last pipeline with its buffers, bind group, launch block, what is in that: a kernel is mostly launched with the same again."""

    @staticmethod
    def of(compiled: CompiledSpec, compiler: WebGPUCompiler, allocator: Allocator, wide: Callable[[CompiledSpec], str]) -> WebGPURunner:
        """The runner of a compiled kernel. CompileError if it is refused. `wide` renders the shader for an index beyond 32 bits."""
        names = {"groups": "max-compute-workgroups-per-dimension", "binding": "max-storage-buffer-binding-size",
                 "step": "min-storage-buffer-offset-alignment", "shared": "max-compute-workgroup-storage-size"}
        limits = {k: compiler.driver.limit(v) for k, v in names.items()}
        memory = next((u for u in compiled.ast.find(Op.DEFINE_LOCAL) if u.arg.dynamic), None) if compiled.ast is not None else None
        dynamic = None
        if memory is not None and isinstance(memory.dtype, PtrDType):
            dynamic = (element_bytes(memory, compiler.able), memory.dtype.base.itemsize)
        compiler.pipelines(compiled.src or "", compiled.name, dynamic is not None)
        return WebGPURunner(compiled, compiler, allocator, limits, wide, Records(compiled), dynamic)

    def fast(self) -> Callable[..., bool] | None:
        return None

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        self._check(views, dims)
        form = self._form(values)
        allocator = self.allocator
        with (Arguments(allocator, step=self.limits["step"]) as held, self.records.heard(allocator, values) as record,
              scratch(allocator, self.compiled) as common):
            spans = [held.span(v) for v in views]
            bound = [(s.block.handle.buffer, *((s.offset, words(v.nbytes)) if v.nbytes else (0, LEAST)))
                     for s, v in zip(spans, views, strict=True)]
            behind = [(b.handle.buffer, 0, words(b.nbytes)) for b in (record, common) if b is not None]
            if self._alias(bound):
                form = form._replace(source=form.source.replace("<storage, read>", "<storage, read_write>"))
            blocks = [(size, form.block.fill(values, first, dims.global_size)) for first, size in self._parts(dims)]
            self._launch((bound, behind), form, blocks)
            held.back([v for v, p in zip(views, self.compiled.meta.buffers, strict=True) if p.writes])

    def _launch(self, resources: Resources, form: _Form, blocks: list[tuple[tuple[int, ...], bytearray]]) -> None:
        """Submits a dispatch for each of `blocks`, groups and launch block, and waits. Those of a phase come before those of the next: each
        sees what the ones before it stored."""
        driver = self.compiler.driver
        pipelines = self.compiler.pipelines(form.source, self.compiled.name, form.dynamic)
        with self.lock, driver.errors(f"kernel {self.compiled.name!r}"):
            encoder = driver.device.create_command_encoder()
            work = encoder.begin_compute_pass()
            groups = self._groups(pipelines[0], resources, [block for _, block in blocks])
            for pipeline in pipelines:
                work.set_pipeline(pipeline)
                for group, (size, _) in zip(groups, blocks, strict=True):
                    work.set_bind_group(0, group)
                    work.dispatch_workgroups(*size)
            work.end()
            driver.queue.submit([encoder.finish()])
            driver.wait()

    def _parts(self, dims: LaunchDims) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """The dispatches of a launch: the first group of each, and how many it has."""
        x, y, z = dims.global_size
        groups = (x, y, z) if dims.local_size is not None else (-(-x // DIRECT_ITEMS), y, z)
        most = self.limits["groups"]
        if max(groups) <= most:
            yield (0, 0, 0), groups
            return
        for first in product(*(range(0, n, most) for n in groups)):
            yield first, tuple(min(most, n - f) for n, f in zip(groups, first, strict=True))

    def _groups(self, pipeline: Any, resources: Resources, blocks: list[bytearray]) -> list[Any]:
        """A bind group for each dispatch, which has a block; the last one again, with what it says, if nothing is another than it was."""
        bound, behind = resources
        key = (pipeline, *bound, *behind)
        if len(blocks) == 1 and self.bound and self.bound[0] == key:
            _, group, uniform, written = self.bound
            if written != blocks[0]:
                self.bound = ()
                self.compiler.driver.queue.write_buffer(uniform, 0, blocks[0])
                self.bound = (key, group, uniform, blocks[0])
            return [group]
        device, usage = self.compiler.driver.device, bindings().BufferUsage
        apart = APART * -(-len(blocks[0]) // APART)
        uniform = device.create_buffer(size=apart * len(blocks), usage=usage.UNIFORM | usage.COPY_DST)
        layout, made = pipeline.get_bind_group_layout(0), []
        for k, block in enumerate(blocks):
            device.queue.write_buffer(uniform, k * apart, block)
            everything = [*bound, (uniform, k * apart, len(block)), *behind]
            entries = [{"binding": n, "resource": {"buffer": b, "offset": at, "size": size}} for n, (b, at, size) in enumerate(everything)]
            made.append(device.create_bind_group(layout=layout, entries=entries))
        self.bound = (key, made[0], uniform, blocks[0]) if len(blocks) == 1 else ()
        return made

    def _alias(self, bound: list[Binding]) -> bool:
        """Whether a buffer that is written is also given in another place: then it must be declared writable there too."""
        written = {id(b[0]) for b, p in zip(bound, self.compiled.meta.buffers, strict=True) if p.writes}
        return any(id(b[0]) in written for b, p in zip(bound, self.compiled.meta.buffers, strict=True) if not p.writes)

    def _form(self, values: Sequence[int | float]) -> _Form:
        """The shader of a launch with these values. LaunchError for too much dynamic memory, and for an index that the device has not."""
        meta, able, dynamic = self.compiled.meta, self.compiler.able, 0
        large = next((p for p, v in zip(meta.scalars, values, strict=True) if beyond(p) and abs(v) > MOST_INDEX), None)
        if large is not None and not able.int64:
            raise LaunchError(f"scalar {large.name!r} of kernel {self.compiled.name!r} is beyond {MOST_INDEX}, and "
                              f"{self.compiler.driver.name} has no 64-bit integers", at="feature shader-int64", hint="launch over less")
        if self.dynamic is not None:
            each, counted = self.dynamic
            asked = int(dict(zip(self.compiled.var_names, values, strict=True))["_shared_bytes"])
            dynamic = max(1, asked // counted)
            if dynamic * each > self.limits["shared"]:
                raise LaunchError(f"kernel {self.compiled.name!r} asks for {asked} bytes of dynamic shared memory, "
                                  f"{self.compiler.driver.name} has {self.limits['shared'] * counted // each}", at="limit shared_bytes",
                                  hint="share less, or use smaller groups")
        wide = large is not None
        if wide not in self.forms:
            source = self.sources(self.compiled) if wide else self.compiled.src or ""
            self.forms[wide] = (source, Block(meta, able, wide=wide))
        return _Form(*self.forms[wide], dynamic)

    def _check(self, views: Sequence[HostView], dims: LaunchDims) -> None:
        """LaunchError for groups of another shape than the kernel was made for, and for a buffer that cannot be bound."""
        made, local = self.compiled.local_size, dims.local_size
        if made is not None and local is not None and (wanted := tuple(s.arg.value for s in made)) != tuple(local):
            raise LaunchError(f"kernel {self.compiled.name!r} is compiled for groups of {wanted} work items, a launch asks for "
                              f"{tuple(local)}", hint="leave local_size out")
        if (common := self.compiled.needs.shared_bytes) > self.limits["binding"]:
            raise LaunchError(f"the groups of kernel {self.compiled.name!r} share {common} bytes of scratch, {self.compiler.driver.name} "
                              f"lets a kernel see {self.limits['binding']} of one buffer", at="limit max-storage-buffer-binding-size",
                              hint="make the scratch memory smaller")
        for v, p in zip(views, self.compiled.meta.buffers, strict=True):
            if v.nbytes > self.limits["binding"]:
                raise LaunchError(f"buffer {p.name!r} of kernel {self.compiled.name!r} has {v.nbytes} bytes, {self.compiler.driver.name} "
                                  f"lets a kernel see {self.limits['binding']} of one", at="limit max-storage-buffer-binding-size",
                                  hint="launch on parts: views of the buffer")

    def asm(self) -> str:
        """The source: what the driver makes of it cannot be had."""
        return self.compiled.src or ""


def program(runner: WebGPURunner, target: Target) -> Program:
    """The Program of a loaded kernel."""
    return Program(runner.compiled, runner, target.limits, viewer(runner.compiler.driver.name))
