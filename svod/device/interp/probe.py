"""The interpreter as a device.

Owns: its probe, and the runner that hands checked arrays to `svod.ir.interp`. Must not know schedules: the reference target has no lanes
and one core, so programs come out as they were written. Invariant: needs no compiler and no hardware.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.config import settings
from svod.device.allocator import HostAllocator, LRUAllocator
from svod.device.arguments import HostView
from svod.device.device import Backend, Device
from svod.device.launch import LaunchDims
from svod.device.lowering import lowered
from svod.device.program import Program
from svod.device.registry import DeviceInfo
from svod.device.specs import CompiledSpec, LaunchNeeds, ProgramSpec
from svod.dtype.convert import numpy_dtype
from svod.errors import DeviceUnavailable
from svod.ir.interp import Interpreter
from svod.ir.ops import Op
from svod.ir.text import parse, to_text
from svod.ir.threads_interp import SHARED, ThreadsInterpreter
from svod.ir.uop import UOp
from svod.target import REFERENCE


class InterpRenderer:
    """The source of a kernel is the text of its linear program, or of its statements."""

    target = REFERENCE

    def render(self, ast: UOp, name: str | None = None) -> ProgramSpec:
        """The linear program, as text that parses back."""
        low = lowered(ast, self.target)
        given = ast.arg.name if ast.arg is not None else ""
        called, text = name or given or "unnamed", to_text(low.linear)
        return ProgramSpec(called, text, "INTERP", ast, low.meta, LaunchNeeds(), low.reach, low.work, low.aliases, low.ids)

    @property
    def decompositor(self) -> dict[str, str]:
        """Nothing: the interpreter has every op."""
        return {}


class InterpCompiler:
    """Nothing to compile."""

    cache_key = "interp 1"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The text is the program."""
        return CompiledSpec.from_source(spec)


@dataclass(frozen=True)
class InterpRunner:
    """One program, parsed from its text."""

    code: Interpreter | ThreadsInterpreter
    used: frozenset[str]
    compiled: CompiledSpec

    @staticmethod
    def of(compiled: CompiledSpec) -> InterpRunner:
        """The runner of a compiled kernel: its text, parsed and made ready."""
        root = parse(compiled.src or "")
        race = "race" in settings().config.check
        code = ThreadsInterpreter(root, compiled.name, race=race) if root.op is Op.THREADS else Interpreter(root, compiled.name)
        return InterpRunner(code, frozenset(v.arg.name for v in root.find(Op.DEFINE_VAR)), compiled)

    def fast(self) -> Callable[..., bool] | None:
        return None

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        meta = self.compiled.meta
        arrays = [np.empty(0)] * (1 + max((p.slot for p in meta.buffers), default=-1))
        for p, v in zip(meta.buffers, views, strict=True):
            arrays[p.slot] = _array(v)
        given = {n: v for n, v in zip(meta.var_names, values, strict=True) if n in self.used or n == SHARED}
        if isinstance(self.code, ThreadsInterpreter):
            self.code.run(arrays, given, dims.global_size)
        else:
            self.code.run(arrays, given, dims.global_size[0])

    def asm(self) -> str:
        return self.compiled.src or ""


def _array(view: HostView) -> NDArray[Any]:
    """The memory of a checked argument as an array."""
    dtype = numpy_dtype(view.dtype)
    if not view.elements:
        return np.empty(0, dtype)
    return np.ctypeslib.as_array((ctypes.c_uint8 * view.nbytes).from_address(view.address)).view(dtype)


class InterpProbe:
    """Always there."""

    name = "INTERP"

    def probe(self) -> list[DeviceInfo]:
        return [DeviceInfo("INTERP", True, "", "", {"semantics": "NumPy, one work item at a time"})]

    def open(self, index: int, arg: str) -> object:
        """The interpreter. DeviceUnavailable for another index: there is one."""
        if index:
            raise DeviceUnavailable(f"INTERP:{index} does not exist", hint="use INTERP")
        return Device.of(
            Backend(
                "INTERP",
                REFERENCE,
                LRUAllocator(HostAllocator()),
                ((InterpRenderer(), InterpCompiler()),),
                lambda c: Program(c, InterpRunner.of(c), REFERENCE.limits),
            )
        )

    def offline(self, arch: str) -> object:
        """The interpreter needs no hardware: the device itself."""
        return self.open(0, "")


PROBE = InterpProbe()
