"""Kernels of OpenCL: from source to a loaded kernel, and from checked arguments to a launch.

Owns: building, the log of a failed build, what a launch passes. Must not know how the source was made.
Invariants: a launch is done when `run` returns; host arrays are copied to the device before and, where the kernel writes, back after it.
"""
from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from svod.device.allocator import Allocator
from svod.device.arguments import HostView
from svod.device.launch import LaunchDims
from svod.device.locks import new_lock
from svod.device.opencl.driver import Driver, bindings
from svod.device.program import Program
from svod.device.records import Records
from svod.device.remote import Arguments, scalar, scratch, viewer
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.dtype import PtrDType
from svod.errors import CompileError, LaunchError
from svod.ir.ops import Op
from svod.ir.threads import shared_variable
from svod.ir.uop import UOp
from svod.target import Target

LINES = 8
"""Source lines that a failed build shows around the first one it complains about."""


class Built(NamedTuple):
    """The kernels that the driver made, one for each phase, and their program, which some drivers (Intel's) cannot say of them."""

    program: Any
    kernels: tuple[Any, ...]

    @property
    def binary(self) -> bytes:
        """What the driver made of the source."""
        return bytes(self.program.get_info(bindings().program_info.BINARIES)[0])


class OpenCLCompiler:
    """Keeps the source: the driver makes machine code of it when the program is loaded, if the cache does not have it."""

    def __init__(self, driver: Driver, options: Sequence[str]) -> None:
        device = driver.device
        self.driver, self.options = driver, tuple(options)
        who = (device.platform.name, device.platform.version, device.name, device.version, device.driver_version)
        self.cache_key = " ".join([*who, *options])

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The compiled record: source, no bytes."""
        return CompiledSpec.from_source(spec)

    def build(self, source: str, name: str) -> Built:
        """The kernels in `source`, which svod calls `name`. CompileError, with the log and the lines it names, if it does not build."""
        try:
            return self._built(bindings().Program(self.driver.context, source), cache_dir=False)
        except bindings().Error as e:
            for kept in re.findall(r"\(source saved as (.+)\)", str(e)):  # the error shows what matters of it
                Path(kept).unlink(missing_ok=True)
            raise CompileError(f"{self.driver.name} refuses the source of kernel {name!r}\n{_log(e, source)}",
                               at=str(self.driver.device.name)) from e

    def restore(self, binary: bytes) -> Built | None:
        """The kernels in what `binary` gave; None if the driver does not take it any more."""
        try:
            return self._built(bindings().Program(self.driver.context, [self.driver.device], [binary]))
        except bindings().Error:
            return None

    def _built(self, program: Any, **options: bool) -> Built:
        warnings.filterwarnings("ignore", category=bindings().CompilerWarning)  # compilers say something every time
        made = program.build(list(self.options), **options)
        if not (kernels := made.all_kernels()):
            raise CompileError(f"{self.driver.name} built a program without a kernel in it", at=str(self.driver.device.name),
                               hint="its cache may be damaged; PoCL keeps one in ~/.cache/pocl, or where POCL_CACHE_DIR says")
        if len(kernels) > 1:  # in the order of the phases: each name but the first is that, with a number behind it
            kernels = sorted(kernels, key=lambda k: (len(k.function_name), k.function_name))
        return Built(made, tuple(kernels))


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
    """One loaded kernel. Launches of one kernel wait for one another: its arguments are set one by one.

    Its phases are launched one after the other; memory that all groups share is allocated for each launch."""

    compiled: CompiledSpec
    built: Built
    driver: Driver
    allocator: Allocator
    lock: Any
    records: Records
    shared_bytes: int | None
    """Bytes that a group shares, where the launch gives it more; None where it gives none."""
    most_shared: int

    @staticmethod
    def of(compiled: CompiledSpec, built: Built, driver: Driver, allocator: Allocator) -> OpenCLRunner:
        """The runner of a kernel that was built."""
        memories = () if compiled.ast is None else tuple(compiled.ast.find(Op.DEFINE_LOCAL))
        shared = group_bytes(memories) if any(u.arg.dynamic for u in memories) else None
        most = int(driver.device.local_mem_size)
        return OpenCLRunner(compiled, built, driver, allocator, new_lock(), Records(compiled), shared, most)

    def fast(self) -> Callable[..., bool] | None:
        return None

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        allocator = self.allocator
        with Arguments(allocator) as held, self.records.heard(allocator, values) as record, scratch(allocator, self.compiled) as common:
            buffers = [held.span(v).block.handle.buffer for v in views]
            scalars = [scalar(p.dtype, v) for p, v in zip(self.compiled.meta.scalars, values, strict=True)]
            behind = [b.handle.buffer for b in (record, common) if b is not None]
            self._launch([*buffers, *scalars, *self._shared(values), *behind], dims)
            held.back([v for v, p in zip(views, self.compiled.meta.buffers, strict=True) if p.writes])

    def _launch(self, arguments: Sequence[Any], dims: LaunchDims) -> None:
        local = dims.local_size
        total = dims.global_size if local is None else tuple(g * n for g, n in zip(dims.global_size, local, strict=True))
        self._check(local)
        cl = bindings()
        with self.lock, self.driver.errors(f"kernel {self.compiled.name!r}"):
            for kernel in self.built.kernels:  # the queue is in order: each phase begins when the one before is done
                kernel.set_args(*arguments)
                last = cl.enqueue_nd_range_kernel(self.driver.queue, kernel, total, local)
            last.wait()

    def _shared(self, values: Sequence[int | float]) -> list[Any]:
        """The dynamic memory of a group, at least one byte. LaunchError for more than the device has."""
        if self.shared_bytes is None:
            return []
        given = int(dict(zip(self.compiled.var_names, values, strict=True))[shared_variable().arg.name])
        if given + self.shared_bytes > self.most_shared:
            raise LaunchError(f"a group of kernel {self.compiled.name!r} shares {given + self.shared_bytes} B, {self.driver.name} has "
                              f"{self.most_shared} B", at="limit shared_bytes", hint="give less dynamic shared memory")
        return [bindings().LocalMemory(max(1, given))]

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
        most = min(k.get_work_group_info(cl.kernel_work_group_info.WORK_GROUP_SIZE, device) for k in self.built.kernels)
        items = int(np.prod(local)) if local is not None else 1
        if items > most:
            raise LaunchError(f"kernel {self.compiled.name!r} asks for groups of {items} work items, on {self.driver.name} it can have "
                              f"{most}", hint="use smaller groups, and more of them")

    def asm(self) -> str:
        """What the driver made of the source where that is text, else the source."""
        made = self.built.binary if self.driver.keeps_binaries else b"\0"
        return made.decode("utf-8", "replace") if b"\0" not in made else (self.compiled.src or "")


def group_bytes(memories: Iterable[UOp]) -> int:
    """Bytes of DEFINE_LOCALs whose size is known before a launch."""
    known = [(u.dtype.base if isinstance(u.dtype, PtrDType) else u.dtype, u.arg.size) for u in memories if not u.arg.dynamic]
    return sum(int(base.itemsize * size) for base, size in known)


class Loader:
    """Makes Programs of compiled kernels on one device."""

    def __init__(self, compiler: OpenCLCompiler, allocator: Allocator, target: Target) -> None:
        self.compiler, self.allocator, self.target = compiler, allocator, target

    def __call__(self, compiled: CompiledSpec) -> Program:
        """The Program of a kernel, built from its source. CompileError."""
        return self._program(compiled, self.compiler.build(compiled.src or "", compiled.name))

    def cached(self, compiled: CompiledSpec, stored: bytes | None) -> tuple[Program, bytes]:
        """The Program and its binary, none if the driver keeps it: `stored`, if it takes that, else built from the source. CompileError."""
        if not self.compiler.driver.keeps_binaries:
            return self(compiled), b""
        built = self.compiler.restore(stored) if stored else None
        if built is not None and stored:
            return self._program(compiled, built), stored
        built = self.compiler.build(compiled.src or "", compiled.name)
        return self._program(compiled, built), built.binary

    def _program(self, compiled: CompiledSpec, built: Built) -> Program:
        driver = self.compiler.driver
        return Program(compiled, OpenCLRunner.of(compiled, built, driver, self.allocator), self.target.limits, viewer(driver.name))
