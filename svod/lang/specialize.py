"""One compiled form of a kernel, and the memory of all of them.

Owns: what a form is made for (its key), how it is made, and its calls: a generated one for arguments that are just as it wants them, and a
checked one that says what is wrong. Must not know how arguments are bound. Invariant: the generated call does nothing, and says so, unless
device, settings, sources, sizes and every argument are what the form was made for.
"""
from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

from svod.config import Config, settings
from svod.device.device import Device
from svod.device.locks import new_lock
from svod.device.memo import MemoryCache
from svod.device.program import Program
from svod.device.watch import show_source
from svod.dtype import PtrDType
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang.binding import ArgumentType
from svod.lang.builder import portable
from svod.lang.fastcall import Meaning, Plan, constant_key, fast_call
from svod.lang.freshness import Freshness
from svod.lang.sizes import Size, limits_of
from svod.lang.trace import Trace, trace
from svod.lang.types import Constant
from svod.target import Limits

VARIANTS_KEPT = 4096
"""Forms of one kernel that are kept; those not used for longest go."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a form is made for. Values of numbers and sizes of arrays are not in it."""

    device: str
    pinned: bool
    """The device was asked for: the default device plays no part."""
    config: Config
    block: Size
    counted: int
    """Axes along which work items are counted: those beyond the number do nothing. 0: all groups are whole."""
    types: tuple[ArgumentType, ...]

    def key(self) -> Hashable:
        """Different for whatever may compile to something else."""
        types = tuple((Constant, constant_key(t.value)) if isinstance(t, Constant) else t for t in self.types)
        return (self.device, self.pinned, self.config, self.block, self.counted, types)


class Variant:
    """A kernel compiled for one Request."""

    def __init__(self, request: Request, names: Sequence[str], traced: Trace, fresh: Freshness) -> None:
        self.request, self.trace, self.fresh = request, traced, fresh
        self.program: Program = Device(request.device).compile(traced.threads)
        self.limits: Limits = limits_of(Device(request.device).target.limits)
        self.shared_bytes = shared_bytes(traced.threads)
        self.buffers = tuple(traced.buffers[slot] for slot in self.program.spec.globals)
        self.scalars: tuple[Meaning, ...] = tuple(_meaning(name, traced) for name in self.program.var_names)
        self.names = tuple(names)
        self.run, self.direct, self._scope = fast_call(self._plan())

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.trace.name

    @property
    def source(self) -> str:
        """The rendered text the kernel was compiled from."""
        return self.program.source

    @property
    def ir(self) -> str:
        """The statements, as text that parses back."""
        text: str = str(self.trace.threads)
        return text

    @property
    def asm(self) -> str:
        """The machine code as text."""
        return self.program.asm

    def __repr__(self) -> str:
        r = self.request
        return f"<{self.name} for {r.device}, block {r.block}{', counted' if r.counted else ''}: {', '.join(map(str, r.types))}>"

    def renew(self) -> None:
        """Lets the generated call take the settings in force, which were found to be as good as those the form was made under."""
        default = Device.DEFAULT
        self._scope["chosen"] = settings()
        if not self.request.pinned and Device(default).name == self.request.device:
            self._scope["device"] = default

    def launch(self, grid: Size, args: tuple[Any, ...], threads: Size) -> None:
        """Runs the kernel on bound arguments, with every check. ArgumentError or LaunchError before anything is written."""
        if not self.direct(grid, args, threads):
            self.program.execute(*self.arguments(grid, args, threads))

    def arguments(self, grid: Size, args: tuple[Any, ...], threads: Size) -> tuple[list[Any], list[Any]]:
        """Buffers and scalars of the program for bound arguments."""
        places = dict(zip(self.names, args, strict=True))
        return [places[name] for name in self.buffers], [self._value(meaning, places, grid, threads) for meaning in self.scalars]

    def print_ir(self, *, compiled: bool = True) -> None:
        """Writes the rendered source, or the statements, to standard output under a headline."""
        kind, text = ("Compiled", self.source) if compiled else ("Original", self.ir)
        sys.stdout.write(f"{kind} {self.name} IR:\n{text}\n")

    def _value(self, meaning: Meaning, places: Mapping[str, Any], grid: Size, threads: Size) -> Any:
        match meaning:
            case ("param", name):
                return places[name]
            case ("shape", name, axis):
                array = places[name]
                return array.shape[axis] if hasattr(array, "shape") else array.size
            case ("grid", axis):
                return grid[axis]
            case _:
                return threads[meaning[1] if len(meaning) > 1 else 0]

    def _plan(self) -> Plan:
        types = dict(zip(self.names, self.request.types, strict=True))
        conditions = ["settings() is chosen", *self.fresh.conditions]
        if not self.request.pinned:
            conditions.append("Device.DEFAULT == device")
        scope = {"settings": settings, "chosen": settings(), "Device": Device, "device": self.request.device, **self.fresh.scope}
        return Plan(types, self.buffers, self.scalars, self.limits.grid, self.program.launcher, tuple(conditions), scope)


class Variants:
    """All forms of one kernel. Any number of threads may ask at once; each form is made once."""

    def __init__(self, function: FunctionType, name: str, names: Sequence[str], subgroup: int) -> None:
        self.function, self.name, self.names, self.subgroup = function, name, tuple(names), subgroup
        self._cache: MemoryCache[Hashable, Variant] = MemoryCache(VARIANTS_KEPT)
        self._lock = new_lock()
        self.traces = 0
        """How often the kernel was traced in this process."""
        self.last: Variant | None = None
        """The form that was made last."""

    def __iter__(self) -> Iterator[Variant]:
        """The forms there are, those used last at the end."""
        return iter(self._cache.values())

    def get(self, request: Request) -> Variant:
        """The form for a request, made anew if something it was made from has changed. KernelError, CompileError, …"""
        key = request.key()
        found = self._cache.get_or_make(key, lambda: self._make(request))
        if found.fresh():
            return found
        if self._cache.get(key) is found:
            self._cache.discard(key)
        return self._cache.get_or_make(key, lambda: self._make(request))

    def _make(self, request: Request) -> Variant:
        arguments = {name: t for name, t in zip(self.names, request.types, strict=True) if t is not None}
        with self._lock:
            self.traces += 1
        traced = trace(self.function, arguments, block=request.block, subgroup=self.subgroup, guarded=request.counted)
        if self.name != traced.name:
            threads = traced.threads.replace(arg=replace(traced.threads.arg, name=portable(self.name)))
            traced = replace(traced, threads=threads, name=self.name)
        show_source(traced.name, f"{traced.threads}\n", "threads")
        made = Variant(request, self.names, traced, Freshness(self.function, traced.dependencies))
        self.last = made
        return made


_GRID: Mapping[str, Meaning] = {f"_grid_{axis}": ("grid", i) for i, axis in enumerate("xyz")}


def _meaning(name: str, traced: Trace) -> Meaning:
    """What a scalar of the program is; sizes of the grid are there also where the kernel does not read them."""
    return traced.scalars[name] if name in traced.scalars else _GRID[name]


def shared_bytes(threads: UOp) -> int:
    """Bytes of the shared memory that a kernel declares itself."""
    return sum(u.arg.size * u.dtype.base.itemsize for u in threads.find(Op.DEFINE_LOCAL) if isinstance(u.dtype, PtrDType))
