"""Device: the composition of a target, an allocator, (renderer, compiler) pairs and a runtime; and the road from a graph to a Program.

Owns: `Device`, its default, the compilation caches. Must not know any particular device.
Invariant: a Program is made once for a kernel, configuration, target and compiler; threads asking for the same one wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol

from svod.codegen.pipeline import Context, lower
from svod.codegen.schedule import Opt, parse_opt
from svod.config import settings
from svod.device.allocator import Allocator
from svod.device.buffer import set_device_resolver
from svod.device.cache import DiskCache
from svod.device.collector import without_collector
from svod.device.entry import join_key
from svod.device.fingerprint import code_fingerprint
from svod.device.memo import MemoryCache
from svod.device.offline import OfflineRuntime
from svod.device.program import Program
from svod.device.registry import DeviceInfo, base_key, list_devices, open_device, parse_name
from svod.device.specs import CompiledSpec, ProgramSpec, from_payload, to_payload
from svod.device.stream import Queue, set_stream_device_resolver
from svod.device.watch import watched
from svod.dtype import dtypes
from svod.errors import DeviceError, DeviceUnavailable, GraphError, ScheduleError, SpecError
from svod.ir.args import KernelInfo
from svod.ir.digest import digest
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.target import Target
from svod.version import __version__

PROGRAMS_KEPT = 4096
"""Programs kept in memory, least recently used ones go."""
ABI = 1
"""Changes whenever compiled code of an older svod could not be called by this one."""


class Renderer(Protocol):
    """Graph in, text out."""

    target: Target

    def render(self, ast: UOp, name: str | None = None) -> ProgramSpec:
        """The source of a kernel and everything a launch needs to know."""

    @property
    def decompositor(self) -> dict[str, str]:
        """Ops the target lacks, and how each is rewritten."""


class Compiler(Protocol):
    """Text in, something loadable out."""

    @property
    def cache_key(self) -> str:
        """Compiler, version, flags, target and features."""

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """CompileError if the source is refused."""


class Runtime(Protocol):
    """Makes compiled kernels callable."""

    def __call__(self, compiled: CompiledSpec) -> Program:
        """Loads `compiled`."""


@dataclass(frozen=True)
class Backend:
    """What a probe opens: everything a Device is made of. `load(compiled, stored)` may use cached code and gives back what to cache.

    `queues(capturing)` makes the queue of a Stream, or of a Graph that is being written (svod/device/stream.py); None: it has no streams.
    """

    name: str
    target: Target
    allocator: Allocator | None
    pairs: tuple[tuple[Renderer, Compiler], ...]
    runtime: Runtime | None
    load: Callable[[CompiledSpec, bytes | None], tuple[Program, bytes | None]] | None = None
    queues: Callable[[bool], Queue] | None = None


_scope: ContextVar[str | None] = ContextVar("svod_default_device", default=None)
_chosen: list[str] = []


class _DeviceType(type):
    """Gives the class its DEFAULT."""

    @property
    def DEFAULT(cls) -> str:
        """Name of the default device: a `with` scope, else set_default, else the environment's DEVICE, else CPU."""
        return _scope.get() or (_chosen[-1] if _chosen else settings().device or "CPU")


class Device(metaclass=_DeviceType):
    """`Device("CPU")`, `Device("CUDA:1")`: an open device; the same name gives the same object. `with device:` makes it the default.

    `Device("CUDA(sm_90)")` is `Device.offline("CUDA", "sm_90")`: it renders and compiles, and runs nothing.
    """

    backend: Backend
    _programs: MemoryCache[str, Program]
    _tokens: list[Any]

    def __new__(cls, name: str | None = None) -> Device:
        try:
            opened = open_device(name or cls.DEFAULT)
        except DeviceUnavailable as e:
            if name or settings().device != cls.DEFAULT:
                raise
            raise DeviceUnavailable(e.what, at=e.at or "the environment variable DEVICE", hint=e.hint) from None
        if not isinstance(opened, Device):
            raise DeviceUnavailable(
                f"the probe of {name!r} opened {type(opened).__name__}, not a Device", hint="make it with Device.of(backend)"
            )
        return opened

    @classmethod
    def of(cls, backend: Backend) -> Device:
        """The device made of `backend`: what probes return."""
        self = object.__new__(cls)
        self.backend, self._programs, self._tokens = backend, MemoryCache(PROGRAMS_KEPT), []
        return self

    @staticmethod
    def set_default(name: str) -> None:
        """Makes the device of this name the process's default. DeviceUnavailable if it cannot be opened."""
        open_device(name)
        _chosen[:] = [name]

    @staticmethod
    @contextmanager
    def default(name: str) -> Iterator[Device]:
        """`with Device.default("INTERP"):` makes it the default in this scope."""
        token = _scope.set(name)
        try:
            yield Device(name)
        finally:
            _scope.reset(token)

    @staticmethod
    def offline(name: str, arch: str = "") -> Device:
        """A device that renders and compiles for `arch` without the hardware; it cannot run anything."""
        return open_device(name, offline=arch or "generic")  # type: ignore[return-value]

    # ---- what it is ---------------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        return self.backend.name

    @property
    def base_key(self) -> str:
        """The name without its number: compiled code is shared by devices of one architecture."""
        return base_key(self.name)

    @property
    def target(self) -> Target:
        return self.backend.target

    @property
    def allocator(self) -> Allocator:
        if self.backend.allocator is None:
            raise DeviceUnavailable(f"{self.name} is offline: it has no memory", hint="open the device itself")
        return self.backend.allocator

    @property
    def renderer(self) -> Renderer:
        return self.backend.pairs[0][0]

    @property
    def compiler(self) -> Compiler:
        return self.backend.pairs[0][1]

    @property
    def runtime(self) -> Runtime:
        if self.backend.runtime is None:
            return OfflineRuntime(self.name, self.target, self.renderer.render)
        return self.backend.runtime

    def memory_stats(self) -> Any:
        """What the allocator holds, see MemoryStats."""
        return self.allocator.stats()  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"Device({self.name!r})"

    def __enter__(self) -> Device:
        self._tokens.append(_scope.set(self.name))
        return self

    def __exit__(self, *exc: object) -> None:
        _scope.reset(self._tokens.pop())

    # ---- from a graph to a program --------------------------------------------------------------------------------
    def compile(self, ast: UOp, *, name: str | None = None, opts: Sequence[Opt | str] | None = None) -> Program:
        """The Program of a kernel graph (a SINK, a LINEAR program, a THREADS). `opts` replaces the schedule; None lets the strategy choose.

        Raises GraphError, ScheduleError, UnsupportedError or CompileError.
        """
        kernel = prepared(ast, name, opts)
        key = self._key(kernel)
        with without_collector():
            return self._programs.get_or_make(key, lambda: self._make(kernel, key))

    def schedule(self, ast: UOp) -> tuple[Opt, ...]:
        """The Opts this device's strategy chooses for a kernel: a start for `compile(ast, opts=…)`. Raises GraphError."""
        context = Context(self.target, settings().config)
        kernel = _on_this_device(prepared(ast, None, None), self.name)
        opts: tuple[Opt, ...] = lower(kernel, context, stop_after="choose-schedule").arg.opts
        return opts

    def cache_key(self, ast: UOp, *, name: str | None = None, opts: Sequence[Opt | str] | None = None) -> str:
        """What the disk cache calls the program that `compile` makes of the same arguments, for `svod cache explain`. Raises as it does."""
        return self._key(prepared(ast, name, opts))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise DeviceError(f"device {self.name} cannot be pickled", hint=f"send its name: Device({self.name!r}) opens it there")

    def _key(self, kernel: UOp) -> str:
        return join_key(
            {
                "svod": __version__,
                "code": code_fingerprint(),
                "abi": str(ABI),
                "device": self.base_key,
                "target": self.target.key(),
                "compiler": self.compiler.cache_key,
                "config": settings().config.key(),
                "kernel": f"{getattr(kernel.arg, 'name', '') or 'kernel'} {digest(kernel)}",
            }
        )

    def _make(self, kernel: UOp, key: str) -> Program:
        kernel, load = _on_this_device(kernel, self.name), self.backend.load
        if load is None:
            return self.runtime(self.compiler.compile(self.renderer.render(kernel)))
        disk = disk_cache()
        if disk is not None and not watched() and (payload := disk.get(key)) is not None:
            try:
                compiled, stored = from_payload(payload)
                return load(replace(compiled, ast=kernel), stored)[0]
            except SpecError:
                pass  # written by something else, or damaged in a way the checksum cannot see: compile
        compiled = self.compiler.compile(self.renderer.render(kernel))
        program, machine_code = load(compiled, None)
        if disk is not None:
            disk.put(key, to_payload(compiled, machine_code or b""))
        return program


_disks: MemoryCache[str, DiskCache] = MemoryCache(8)


def disk_cache() -> DiskCache | None:
    """The disk cache the settings ask for."""
    chosen = settings().cache
    if not chosen.enabled:
        return None
    return _disks.get_or_make(f"{chosen.path}:{chosen.max_bytes}", lambda: DiskCache(chosen.path, chosen.max_bytes))


def prepared(ast: Any, name: str | None, opts: Sequence[Opt | str] | None) -> UOp:
    """A kernel as renderers take it: with a name, and with the schedule that is given. GraphError for what is no kernel."""
    if not isinstance(ast, UOp) or ast.op not in (Op.SINK, Op.LINEAR, Op.THREADS):
        raise _no_kernel(ast)
    if name is not None and not isinstance(name, str):
        raise GraphError(f"the name of a kernel is text, got {name!r}", hint='compile(ast, name="scale")')
    if ast.op is Op.THREADS:
        return _named_threads(ast, name, opts)
    if ast.arg is not None and opts is None and ast.arg.opts:
        opts = ast.arg.opts
    if ast.op is Op.LINEAR or (name is None and opts is None and ast.arg.name):
        return ast
    chosen = ast.arg.opts if opts is None else _opts(opts)
    return ast.replace(arg=KernelInfo(name or ast.arg.name or "unnamed", chosen))


def _named_threads(threads: UOp, name: str | None, opts: Sequence[Opt | str] | None) -> UOp:
    """A thread kernel with a name. GraphError for a schedule: it has none, its work items are its author's."""
    if opts:
        raise GraphError(f"a thread kernel takes no schedule, got {' '.join(map(str, opts))}", at=threads.arg.name, hint="leave opts out")
    return threads.replace(arg=replace(threads.arg, name=name or threads.arg.name or "unnamed"))


def _no_kernel(ast: Any) -> GraphError:
    """What compile was given in place of a kernel, and how to make one of it."""
    what, hint = type(ast).__name__, "a kernel is a graph of effects: UOp.sink(out[i].store(x))"
    if isinstance(ast, UOp):
        what = f"{'an' if ast.op.name[0] in 'AEIOU' else 'a'} {ast.op.name}"
        if ast.op is Op.PROGRAM:
            hint = "compile its first operand: program.src[0]"
        elif ast.dtype is dtypes.void:
            hint = "wrap the stores: UOp.sink(out[i].store(x))"
        else:
            hint = "store the value, and wrap the store: UOp.sink(out[i].store(x))"
    elif isinstance(ast, list | tuple):
        hint = "wrap the stores: UOp.sink(*effects)"
    elif isinstance(ast, Program):
        hint = "it is compiled already: program.execute(buffers, values)"
    return GraphError(f"compile takes a SINK, got {what}", hint=hint)


def _on_this_device(kernel: UOp, name: str) -> UOp:
    """`kernel` without the DEVICE operands of its PARAMs. GraphError if one names another device than the one that compiles."""
    table = {}
    for p in kernel.find(Op.PARAM):
        if not p.src or p.src[0].op is not Op.DEVICE:
            continue
        if str(parse_name(p.src[0].arg)) != str(parse_name(name.partition("(")[0])):
            raise GraphError(f"buffer {p.arg.name!r} is pinned to {p.src[0].arg}, and the kernel is compiled for {name}",
                             at=kernel.arg.name if kernel.arg else "",
                             hint=f'one kernel runs on one device: leave the DEVICE operand out, and pass buffer.to("{name}")')
        table[p] = p.replace(src=())
    return kernel.substitute(table) if table else kernel


def _opts(opts: Any) -> tuple[Opt, ...]:
    """A schedule given by hand: Opts, or their text."""
    if isinstance(opts, str) or not isinstance(opts, Sequence):
        raise ScheduleError(f"opts is a list of Opts, got {opts!r}", hint='for example ["SPLIT(0 by 16 mask)", "VECTOR(0.1)"]')
    chosen = tuple(parse_opt(o) if isinstance(o, str) else o for o in opts)
    if wrong := [o for o in chosen if not isinstance(o, Opt)]:
        raise ScheduleError(f"{wrong[0]!r} is no Opt", hint="write Opt(OptKind.SPLIT, (0,), 16), or its text: SPLIT(0 by 16)")
    return chosen


def devices() -> list[DeviceInfo]:
    """Every device svod knows: there or not, why not, and what to install."""
    return list_devices()


set_device_resolver(Device)
set_stream_device_resolver(Device)
