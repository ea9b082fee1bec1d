"""Kernels of OpenCL: from source to a loaded kernel, and from checked arguments to a launch.

Owns: building, the log of a failed build, what a launch passes. Must not know how the source was made.
Invariants: a launch is done when `run` returns; host arrays are copied to the device before and, where the kernel writes, back after it.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from svod.device.allocator import Allocator
from svod.device.arguments import HostView
from svod.device.launch import LaunchDims
from svod.device.locks import new_lock
from svod.device.opencl.driver import Driver, bindings
from svod.device.program import Program
from svod.device.remote import Arguments, scalar, viewer
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.errors import CompileError, LaunchError
from svod.ir.ops import Op
from svod.target import Target

LINES = 8
"""Source lines that a failed build shows around the first one it complains about."""


class OpenCLCompiler:
    """Keeps the source: the driver makes machine code of it when the program is loaded, and caches it itself."""

    def __init__(self, driver: Driver, options: Sequence[str]) -> None:
        device = driver.device
        self.driver, self.options = driver, tuple(options)
        self.cache_key = f"{device.platform.name} {device.platform.version} {device.name} {device.driver_version} {' '.join(options)}"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The compiled record: source, no bytes."""
        return CompiledSpec.from_source(spec)

    def build(self, source: str, name: str) -> Any:
        """The kernel in `source`, which svod calls `name`. CompileError, with the log and the lines it names, if it does not build."""
        cl = bindings()
        program = cl.Program(self.driver.context, source)
        try:
            program.build(list(self.options))
            return program.all_kernels()[0]
        except cl.RuntimeError as e:
            raise CompileError(f"{self.driver.name} refuses the source of kernel {name!r}\n{_log(e, source)}",
                               at=str(self.driver.device.name)) from e


def _log(error: Any, source: str) -> str:
    """What a build said, and the lines of the source around the first one it names."""
    text = str(error)
    log = text.partition("Build on")[2].partition("(options:")[0] or text
    said = [line.rstrip() for line in log.splitlines()[1:] if line.strip()][:40]
    lines = source.splitlines()
    found = [int(n) for line in said if "error" in line for n in re.findall(r":(\d+):\d+:", line)]
    at = next((n for n in found if n <= len(lines)), 1)
    first = max(1, at - LINES // 2)
    shown = [f"{n:5}{'>' if n == at else '|'} {lines[n - 1]}" for n in range(first, min(len(lines), first + LINES) + 1)]
    return "\n".join([*said, *shown])


@dataclass(frozen=True)
class OpenCLRunner:
    """One loaded kernel. Launches of one kernel wait for one another: its arguments are set one by one."""

    compiled: CompiledSpec
    kernel: Any
    driver: Driver
    allocator: Allocator
    lock: Any
    dynamic: bool = False

    @staticmethod
    def of(compiled: CompiledSpec, compiler: OpenCLCompiler, allocator: Allocator) -> OpenCLRunner:
        """The runner of a compiled kernel. CompileError if it does not build."""
        kernel = compiler.build(compiled.src or "", compiled.name)
        dynamic = compiled.ast is not None and any(u.arg.dynamic for u in compiled.ast.find(Op.DEFINE_LOCAL))
        return OpenCLRunner(compiled, kernel, compiler.driver, allocator, new_lock(), dynamic)

    def fast(self) -> Callable[..., bool] | None:
        return None

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        with Arguments(self.allocator) as held:
            self._launch(held, views, values, dims)
            held.back([v for v, p in zip(views, self.compiled.meta.buffers, strict=True) if p.writes])

    def _launch(self, held: Arguments, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        buffers = [held.span(v).block.handle.buffer for v in views]
        scalars = [scalar(p.dtype, v) for p, v in zip(self.compiled.meta.scalars, values, strict=True)]
        local = dims.local_size
        total = dims.global_size if local is None else tuple(g * n for g, n in zip(dims.global_size, local, strict=True))
        self._check(local)
        cl = bindings()
        with self.lock, self.driver.errors(f"kernel {self.compiled.name!r}"):
            self.kernel.set_args(*buffers, *scalars, *self._shared(values))
            cl.enqueue_nd_range_kernel(self.driver.queue, self.kernel, total, local).wait()

    def _shared(self, values: Sequence[int | float]) -> list[Any]:
        """The dynamic memory of a group, at least one byte."""
        if not self.dynamic:
            return []
        given = dict(zip(self.compiled.var_names, values, strict=True))
        return [bindings().LocalMemory(max(1, int(given["_shared_bytes"])))]

    def _check(self, local: Sequence[int] | None) -> None:
        """LaunchError for groups of another shape than the kernel was made for, and for more work items than this very kernel can have:
        registers and memory of a group limit them further."""
        made = self.compiled.local_size
        if made is not None and local is not None and all(s.op is Op.CONST for s in made):
            wanted = tuple(s.arg.value for s in made)
            if wanted != tuple(local):
                raise LaunchError(f"kernel {self.compiled.name!r} is compiled for groups of {wanted} work items, a launch asks for "
                                  f"{tuple(local)}", hint="leave local_size out")
        cl, device = bindings(), self.driver.device
        most = self.kernel.get_work_group_info(cl.kernel_work_group_info.WORK_GROUP_SIZE, device)
        items = int(np.prod(local)) if local is not None else 1
        if items > most:
            raise LaunchError(f"kernel {self.compiled.name!r} asks for groups of {items} work items, on {self.driver.name} it can have "
                              f"{most}", hint="use smaller groups, and more of them")

    def asm(self) -> str:
        """What the driver made of the source; text where that is text."""
        binary = self.kernel.program.get_info(bindings().program_info.BINARIES)[0]
        return bytes(binary).decode("utf-8", "replace") if b"\0" not in bytes(binary) else (self.compiled.src or "")


def program(compiled: CompiledSpec, compiler: OpenCLCompiler, allocator: Allocator, target: Target) -> Program:
    """The Program of a compiled kernel."""
    return Program(compiled, OpenCLRunner.of(compiled, compiler, allocator), target.limits, viewer(compiler.driver.name))
