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

from svod.config import Config, override, settings
from svod.device.collector import without_collector
from svod.device.device import Device
from svod.device.evaluation import Evaluator, compile_exprs
from svod.device.locks import new_lock
from svod.device.memo import MemoryCache
from svod.device.program import Program
from svod.device.watch import listening, show_source
from svod.dtype import PtrDType
from svod.errors import LaunchError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang.binding import ArgumentType
from svod.lang.blame import with_places
from svod.lang.builder import portable
from svod.lang.checked import STOP, TELL
from svod.lang.fastcall import Meaning, Plan, constant_key, fast_call
from svod.lang.freshness import Freshness
from svod.lang.memory import DYNAMIC
from svod.lang.naming import FormNames, Origin
from svod.lang.sizes import Size, check_dynamic, limits_of, most_dynamic
from svod.lang.trace import Trace, trace
from svod.lang.types import Constant
from svod.target import Limits

AXES = 3
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


@dataclass(frozen=True, slots=True)
class DynamicShared:
    """The dynamic shared memory a kernel uses: `known` bytes at least, and what `needs` says, over `variables` of the launch."""

    known: int
    variables: tuple[UOp, ...]
    needs: Evaluator

    @staticmethod
    def of(traced: Trace) -> DynamicShared | None:
        """What is seen of it. None for a kernel that declares none."""
        if not traced.shared:
            return None
        known = [int(n.arg.value) for n in traced.shared if n.op is Op.CONST]
        told = [n for n in traced.shared if n.op is not Op.CONST and _of_the_launch(n, traced)]
        variables = tuple(dict.fromkeys(v for n in told for v in n.find(Op.DEFINE_VAR)))
        return DynamicShared(max(known, default=0), variables, compile_exprs(told, variables, traced.name))

    def least(self, values: Sequence[Any]) -> int:
        """Bytes that a launch with these values of `variables` must give."""
        return max((self.known, *self.needs(values)))


def _of_the_launch(need: UOp, traced: Trace) -> bool:
    """Whether whole numbers that are given at the launch are all there is in it."""
    leaves = (u for u in need.toposort() if not u.src)
    return all(u.op is Op.CONST or (u.op is Op.DEFINE_VAR and u.dtype.is_int and u.arg.name in traced.scalars) for u in leaves)


class Variant:
    """A kernel compiled for one Request."""

    def __init__(self, request: Request, maker: Variants, traced: Trace, fresh: Freshness) -> None:
        self.request, self.trace, self.fresh = request, traced, fresh
        self._made_of = (maker.function, maker.name, maker.names, maker.subgroup)
        self.program: Program = with_places(lambda: Device(request.device).compile(traced.threads), traced.places)
        self.limits: Limits = limits_of(Device(request.device).target.limits)
        self.shared_bytes = shared_bytes(traced.threads)
        self.dynamic = DynamicShared.of(traced)
        """What a launch must give of dynamic shared memory; None of a kernel that has none."""
        self.buffers = tuple(traced.buffers[slot] for slot in self.program.spec.globals)
        self.scalars: tuple[Meaning, ...] = tuple(_meaning(name, traced) for name in self.program.var_names)
        self.names = maker.names
        self.run, self.direct, self._scope = fast_call(self._plan())

    @property
    def name(self) -> str:
        """The kernel's name, with a number behind it if it is not the first form of the kernel."""
        return self.trace.name

    def stages(self) -> tuple[tuple[str, str], ...]:
        """Each stage from the statements to the linear program, with what it gave, as text; there are none on INTERP. Made anew."""
        seen: list[tuple[str, str]] = []
        with override(config=self.request.config), listening(lambda stage, result, _: seen.append((stage.name, f"{result}\n"))):
            Device(self.request.device).renderer.render(self.trace.threads)
        return tuple(seen)

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

    def check(self, grid: Size, args: tuple[Any, ...], threads: tuple[int, ...]) -> None:
        """LaunchError if a launch gives less dynamic shared memory than the kernel is seen to use."""
        if self.dynamic is not None:
            places = dict(zip(self.names, args, strict=True))
            values = [self._value(self.trace.scalars[v.arg.name], places, grid, threads) for v in self.dynamic.variables]
            check_dynamic(self.dynamic.least(values), threads[3] if len(threads) > AXES else 0, self._made_of[1])

    def _enough(self, grid: Size, args: tuple[Any, ...], threads: tuple[int, ...]) -> bool:
        """Whether `check` finds nothing."""
        try:
            self.check(grid, args, threads)
        except LaunchError:
            return False
        return True

    def launch(self, grid: Size, args: tuple[Any, ...], threads: tuple[int, ...]) -> None:
        """Runs the kernel on bound arguments, with every check. ArgumentError or LaunchError before anything is written."""
        self.check(grid, args, threads)
        if not self.direct(grid, args, threads):
            self.program.execute(*self.arguments(grid, args, threads))

    def arguments(self, grid: Size, args: tuple[Any, ...], threads: tuple[int, ...]) -> tuple[list[Any], list[Any]]:
        """Buffers and scalars of the program for bound arguments."""
        places = dict(zip(self.names, args, strict=True))
        return [places[name] for name in self.buffers], [self._value(meaning, places, grid, threads) for meaning in self.scalars]

    def print_ir(self, *, compiled: bool = True) -> None:
        """Writes the rendered source, or the statements, to standard output under a headline."""
        kind, text = ("Compiled", self.source) if compiled else ("Original", self.ir)
        sys.stdout.write(f"{kind} {self.name} IR:\n{text}\n")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what it was made for: it is made again, or found in a cache, where it is loaded. KernelError as for its kernel."""
        function, *options = self._made_of
        return _remade, (Origin.of(function), *options, self.request)

    def __copy__(self) -> Variant:
        return self

    def __deepcopy__(self, memo: object) -> Variant:
        return self

    def _value(self, meaning: Meaning, places: Mapping[str, Any], grid: Size, threads: tuple[int, ...]) -> Any:
        match meaning:
            case ("param", name):
                return places[name]
            case ("shape", name, axis):
                array = places[name]
                return array.shape[axis] if hasattr(array, "shape") else array.size
            case ("grid", axis):
                return grid[axis]
            case ("shared",):
                return threads[3] if len(threads) > AXES else 0
            case _:
                return threads[meaning[1] if len(meaning) > 1 else 0]

    def _plan(self) -> Plan:
        types = dict(zip(self.names, self.request.types, strict=True))
        conditions = ["settings() is chosen", *self.fresh.conditions]
        if not self.request.pinned:
            conditions.append("Device.DEFAULT == device")
        scope = {"settings": settings, "chosen": settings(), "Device": Device, "device": self.request.device, **self.fresh.scope}
        native, shared = self.program.launcher, None
        if self.dynamic is not None:
            shared = (self.dynamic.known, most_dynamic(self.shared_bytes, self.limits))
            if self.dynamic.variables:
                conditions.append("enough(grid, args, threads)")
                scope["enough"] = self._enough
        return Plan(types, self.buffers, self.scalars, self.limits.grid, native, shared, tuple(conditions), scope)


class Variants:
    """All forms of one kernel. Any number of threads may ask at once; each form is made once."""

    def __init__(self, function: FunctionType, name: str, names: Sequence[str], subgroup: int, forms: FormNames | None = None) -> None:
        self.function, self.name, self.names, self.subgroup = function, name, tuple(names), subgroup
        self.forms = forms or FormNames(name)
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
        target = Device(request.device).target
        checks = TELL if target.statements else STOP if "bounds" in request.config.check else ""
        with without_collector():
            return self._traced(request, trace(self.function, arguments, block=request.block, subgroup=self.subgroup,
                                               guarded=request.counted, checks=checks))

    def _traced(self, request: Request, traced: Trace) -> Variant:
        if self.name != traced.name:
            threads = traced.threads.replace(arg=replace(traced.threads.arg, name=portable(self.name)))
            traced = replace(traced, threads=threads)
        traced = replace(traced, name=self.forms.of((self.function, request.key())))
        show_source(traced.name, f"{traced.threads}\n", "threads")
        made = Variant(request, self, traced, Freshness(self.function, traced.dependencies))
        self.last = made
        return made


_HIDDEN: Mapping[str, Meaning] = {f"_grid_{axis}": ("grid", i) for i, axis in enumerate("xyz")} | {DYNAMIC: ("shared",)}


def _meaning(name: str, traced: Trace) -> Meaning:
    """What a scalar of the program is; sizes of the grid and of dynamic shared memory are there also where the kernel does not read
    them."""
    return traced.scalars[name] if name in traced.scalars else _HIDDEN[name]


def shared_bytes(threads: UOp) -> int:
    """Bytes of the shared memory that a kernel declares itself."""
    own = (u for u in threads.find(Op.DEFINE_LOCAL) if not u.arg.dynamic)
    return sum(u.arg.size * u.dtype.base.itemsize for u in own if isinstance(u.dtype, PtrDType))


def _remade(origin: Origin, name: str, names: tuple[str, ...], subgroup: int, request: Request) -> Variant:
    """A form that was pickled: one of the kernel that is found by the same name, if it is the same."""
    known = getattr(origin.owner(), "_variants", None)
    if origin.annotations is None and isinstance(known, Variants) and (known.name, known.names, known.subgroup) == (name, names, subgroup):
        return known.get(request)
    return Variants(origin.function(), name, names, subgroup).get(request)
