"""Kernels of OpenCL: from source to a loaded kernel, and from checked arguments to a launch.

Owns: building, the log of a failed build, what a launch passes. Must not know how the source was made.
Invariants: a launch is done when `run` returns; host arrays are copied to the device before and, where the kernel writes, back after it.
"""
from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod import errors
from svod.device.arguments import HostView, host_view
from svod.device.buffer import Buffer
from svod.device.launch import LaunchDims
from svod.device.locks import new_lock
from svod.device.opencl.driver import Driver, bindings
from svod.device.program import Program
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.dtype import DType, dtypes
from svod.dtype.convert import encode, numpy_dtype
from svod.errors import ArgumentError, CompileError, LaunchError
from svod.ir.ops import Op
from svod.target import Target

LINES = 8
"""Source lines that a failed build shows around the first one it complains about."""
_WIDTHS: Mapping[int, Any] = {8: np.uint8, 16: np.uint16}


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
    lock: Any
    dynamic: bool = False

    @staticmethod
    def of(compiled: CompiledSpec, compiler: OpenCLCompiler, *, dynamic: bool = False) -> OpenCLRunner:
        """The runner of a compiled kernel. CompileError if it does not build."""
        kernel = compiler.build(compiled.src or "", compiled.name)
        return OpenCLRunner(compiled, kernel, compiler.driver, new_lock(), dynamic)

    def fast(self) -> Callable[..., bool] | None:
        return None

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        held = _Arguments(self.driver)
        with self.driver.errors(f"kernel {self.compiled.name!r}"):
            buffers = [held.buffer(v) for v in views]
        scalars = [scalar(p.dtype, v) for p, v in zip(self.compiled.meta.scalars, values, strict=True)]
        local = dims.local_size
        total = dims.global_size if local is None else tuple(g * n for g, n in zip(dims.global_size, local, strict=True))
        self._check(local)
        cl = bindings()
        with self.lock, self.driver.errors(f"kernel {self.compiled.name!r}"):
            self.kernel.set_args(*buffers, *scalars, *self._shared(values))
            cl.enqueue_nd_range_kernel(self.driver.queue, self.kernel, total, local).wait()
        with self.driver.errors(f"kernel {self.compiled.name!r}"):
            held.back([v for v, p in zip(views, self.compiled.meta.buffers, strict=True) if p.writes])

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


class _Arguments:
    """The buffers of one launch: those of this device as they are; host memory, and views that begin inside of a block (a device may
    have no address for these), in copies, one for each."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.copies: dict[tuple[int, int], Any] = {}

    def buffer(self, view: HostView) -> Any:
        cl = bindings()
        own = _own(view)
        if own is not None and not own.offset:
            return own.block.handle.buffer
        key = (view.address, view.nbytes)
        if key not in self.copies:
            made = cl.Buffer(self.driver.context, cl.mem_flags.READ_WRITE, max(1, view.nbytes))
            if view.nbytes and own is not None:
                cl.enqueue_copy(self.driver.queue, made, own.block.handle.buffer, src_offset=own.offset, byte_count=view.nbytes).wait()
            elif view.nbytes:
                cl.enqueue_copy(self.driver.queue, made, _bytes(view), is_blocking=True)
            self.copies[key] = made
        return self.copies[key]

    def back(self, written: Sequence[HostView]) -> None:
        """Copies what the kernel wrote to the host."""
        for view in written:
            made, own = self.copies.get((view.address, view.nbytes)), _own(view)
            if made is None or not view.nbytes:
                continue
            if own is not None:
                bindings().enqueue_copy(self.driver.queue, own.block.handle.buffer, made, dst_offset=own.offset,
                                        byte_count=view.nbytes).wait()
            else:
                bindings().enqueue_copy(self.driver.queue, _bytes(view), made, is_blocking=True)


def _own(view: HostView) -> Buffer | None:
    """The Buffer of this device that an argument is."""
    owner = view.owner
    return owner if isinstance(owner, Buffer) and owner.block.address is None else None


def _bytes(view: HostView) -> NDArray[np.uint8]:
    """The memory of a host argument."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * view.nbytes).from_address(view.address))


def scalar(dtype: DType, value: int | float) -> Any:
    """A scalar as the kernel takes it: an index as i64, bool and narrow floats as their bits."""
    if dtype is dtypes.index:
        return np.int64(value)
    if dtype.is_bool:
        return np.uint8(value)
    if dtype.is_float and dtype.bits < 32:
        return _WIDTHS[dtype.bits](encode(float(value), dtype))
    if dtype.is_float:
        return numpy_dtype(dtype).type(value)
    return numpy_dtype(dtype).type(int(value))


def viewer(driver: Driver) -> Callable[[object], HostView]:
    """Looks at a buffer argument of a kernel on this device. ArgumentError for a Buffer in the memory of another one."""
    def view_of(value: object) -> HostView:
        if not isinstance(value, Buffer):
            return host_view(value)
        try:
            block = value.block
        except errors.BufferError as e:
            raise ArgumentError(e.what, hint=e.hint) from e
        if block.address is not None:
            return host_view(value)
        if value.device.name != driver.name:
            raise ArgumentError(f"the buffer is on {value.device.name}, and the kernel runs on {driver.name}",
                                hint=f'pass buffer.to("{driver.name}")')
        place = block.handle.place + value.offset
        return HostView(place, value.dtype, value.size, value.writable, True, place % value.dtype.itemsize == 0, value)
    return view_of


def program(compiled: CompiledSpec, compiler: OpenCLCompiler, target: Target, *, dynamic: bool) -> Program:
    """The Program of a compiled kernel."""
    return Program(compiled, OpenCLRunner.of(compiled, compiler, dynamic=dynamic), target.limits, viewer(compiler.driver))
