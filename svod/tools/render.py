"""Source of a kernel for any target: what `svod render` does, as functions that return text.

Owns: how a kernel is found in a Python file, and made ready to be rendered. Must not know the command line, nor run a kernel.
Invariant: no hardware is used where the device can do without it; what is wrong with the file or the request is an SvodError.
"""
from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from svod.codegen.schedule import parse_opt
from svod.device.device import Device, prepared
from svod.device.registry import open_device
from svod.device.watch import listening
from svod.errors import ConfigError, DeviceUnavailable, SvodError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang.kernels import Kernel
from svod.lang.sizes import DEFAULT_BLOCKS, size
from svod.lang.trace import trace
from svod.lang.types import ArrayType, Constant, Parameter, ScalarType

GRAPHS = frozenset((Op.SINK, Op.LINEAR, Op.THREADS))
SOURCE, GRAPH = "source", "ir"
"""What is shown besides the stages of the pipeline: the rendered text, and the kernel as it was given."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be rendered. `block`: work items of a group of a language kernel; `threads`: axes along which a launch counts work items,
    0 if it counts groups; `values`: of compile-time parameters; `opts`: a schedule for a loop kernel."""

    device: str = ""
    arch: str = ""
    stage: str = SOURCE
    block: tuple[int, ...] = ()
    threads: int = 0
    values: Mapping[str, Any] | None = None
    opts: Sequence[str] | None = None


def render_file(where: str, wanted: Wanted) -> str:
    """The text for `FILE.py`, or `FILE.py:name`.

    ConfigError for a file that cannot be run, for no kernel in it, for several if none is named, for an unknown stage; DeviceUnavailable,
    with those there are, for an unknown architecture; else what compiling raises.
    """
    file, name = _split(where)
    device = device_for(wanted.device, wanted.arch)
    with loaded(file) as module:
        made = chosen(module, name, file)
        return rendered(_graph(made, wanted), device, wanted)


def device_for(name: str, arch: str) -> Device:
    """The device, without its hardware if it can do without it. DeviceUnavailable."""
    called = name or Device.DEFAULT
    try:
        return Device.offline(called, arch)
    except DeviceUnavailable:
        if arch or _renders_offline(called):
            raise
        return Device(called)


def _renders_offline(name: str) -> bool:
    """Whether a device of this name can be had without hardware, in an architecture of its own choice."""
    try:
        open_device(name, offline="generic")
    except SvodError:
        return False
    return True


def rendered(kernel: UOp, device: Device, wanted: Wanted) -> str:
    """The text of one stage of a kernel. ConfigError for a stage that it does not go through."""
    if wanted.stage == GRAPH:
        return f"{kernel}\n"
    seen: dict[str, str] = {}
    with listening(lambda stage, result, _: seen.update({stage.name: f"{result}\n"})):
        source = device.renderer.render(kernel).src
    seen[SOURCE] = source if source.endswith("\n") else f"{source}\n"
    if wanted.stage not in seen:
        raise ConfigError(f"the kernel goes through no stage called {wanted.stage!r}", hint=f"one of {', '.join((GRAPH, *seen))}")
    return seen[wanted.stage]


# --- finding it ------------------------------------------------------------------------------------------------------------------------

def _split(where: str) -> tuple[Path, str]:
    """`a/b.py:name` -> (a/b.py, name)."""
    file, colon, name = where.rpartition(":")
    if not colon or not file or name.endswith(".py"):
        file, name = where, ""
    path = Path(file)
    if not path.is_file():
        raise ConfigError(f"there is no file {file}", hint="svod render FILE.py, or FILE.py:kernel")
    return path, name


@contextmanager
def loaded(file: Path) -> Iterator[ModuleType]:
    """The file as a module, run as an import runs it, with its folder to import from. ConfigError if it raises."""
    name = f"svod_render_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        try:
            spec.loader.exec_module(module)
        except SvodError:
            raise
        except (Exception, SystemExit) as e:
            raise ConfigError(f"{file} cannot be run: {type(e).__name__}: {e}", at=_line(e, file)) from e
        yield module
    finally:
        sys.path.remove(str(file.resolve().parent))
        sys.modules.pop(name, None)


def _line(error: BaseException, file: Path) -> str:
    """Where in the file it was raised."""
    lines, step = [], error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(file.resolve()):
            lines.append(step.tb_lineno)
        step = step.tb_next
    if isinstance(error, SyntaxError) and error.lineno:
        lines.append(error.lineno)
    return f"{file}:{lines[-1]}" if lines else str(file)


def kernels_in(module: ModuleType) -> dict[str, Kernel | UOp | Callable[[], UOp]]:
    """The kernels that a module makes: language kernels and graphs at its top level, functions without parameters that say they return a
    UOp. One object under two names counts once; what is imported from another module does not."""
    found: dict[str, Any] = {}
    for name, value in vars(module).items():
        own = (isinstance(value, Kernel) and value.function.__module__ == module.__name__) or (
            isinstance(value, UOp) and value.op in GRAPHS) or (
            inspect.isfunction(value) and value.__module__ == module.__name__ and not inspect.signature(value).parameters
            and value.__annotations__.get("return") in (UOp, "UOp", "svod.UOp"))
        if own and not any(value is other for other in found.values()):
            found[name] = value
    return found


def chosen(module: ModuleType, name: str, file: Path) -> Any:
    """The kernel called `name`, or the only one. ConfigError."""
    found = kernels_in(module)
    if name:
        value = vars(module).get(name)
        if isinstance(value, Kernel | UOp) or inspect.isfunction(value):
            return value
        listed = ", ".join(found) or "none"
        raise ConfigError(f"{file} has no kernel called {name!r}", hint=f"it has: {listed}")
    if not found:
        raise ConfigError(f"{file} has no kernel", hint="a function with @sl.kernel, a UOp.sink(...), or a function that returns one")
    if len(found) > 1:
        raise ConfigError(f"{file} has {len(found)} kernels: {', '.join(found)}", hint=f"name one: svod render {file}:{next(iter(found))}")
    return next(iter(found.values()))


# --- making it ready -------------------------------------------------------------------------------------------------------------------

def _graph(made: Any, wanted: Wanted) -> UOp:
    """The kernel as a graph with a name."""
    if isinstance(made, Kernel):
        if wanted.opts:
            raise ConfigError(f"{made.name} is a kernel of the kernel language, which takes no schedule", hint="leave opt=… out")
        return traced(made, wanted)
    value = made() if inspect.isfunction(made) else made
    if not isinstance(value, UOp) or value.op not in GRAPHS:
        raise ConfigError(f"{getattr(made, '__name__', 'it')} is no kernel: {type(value).__name__}", hint="a UOp.sink(...), or @sl.kernel")
    if wanted.block or wanted.threads or wanted.values:
        raise ConfigError("a graph takes neither a block nor values", hint="leave --with out")
    return prepared(value, None, None if wanted.opts is None else [parse_opt(o) for o in wanted.opts])


def traced(kernel: Kernel, wanted: Wanted) -> UOp:
    """A language kernel as a graph, for the types that it is declared with. ConfigError for compile-time parameters, KernelError."""
    values = dict(wanted.values or {})
    arguments = {p.name: t for p in kernel.signature.parameters if (t := _argument(kernel, p, values)) is not None}
    if values:
        names = ", ".join(p.name for p in kernel.signature.parameters if p.kind == "constexpr") or "none"
        raise ConfigError(f"{kernel.name} has no compile-time parameter called {next(iter(values))!r}", hint=f"it has: {names}")
    block = size(wanted.block or DEFAULT_BLOCKS[wanted.threads or 1], "block", kernel.name)
    return trace(kernel.function, arguments, block=block, subgroup=kernel.subgroup, guarded=wanted.threads).threads


def _argument(kernel: Kernel, p: Parameter, values: dict[str, Any]) -> ArrayType | ScalarType | Constant | None:
    """What a parameter is rendered for: the types it is declared with, the value of a compile-time one."""
    if p.kind == "array" and p.dtype is not None:
        return ArrayType(p.dtype, p.rank or 1, p.shape or (None,))
    if p.kind == "scalar" and p.dtype is not None:
        return ScalarType(p.dtype)
    if p.kind != "constexpr":
        return None
    value = values.pop(p.name, p.default)
    if value is inspect.Parameter.empty:
        raise ConfigError(f"{kernel.name} needs a value for the compile-time parameter {p.name!r}", hint=f"--with {p.name}=16")
    return Constant(value)


def wanted(device: str, arch: str, stage: str, given: Sequence[str]) -> Wanted:
    """What a command line asks for; `given` are NAME=VALUE: block, threads, opt, or a compile-time parameter. ConfigError."""
    pairs = [_pair(text) for text in given]
    values = {name: _value(text) for name, text in pairs if name not in ("block", "threads", "opt")}
    block, threads = ([text for name, text in pairs if name == wanted] for wanted in ("block", "threads"))
    opts = [text for name, text in pairs if name == "opt"]
    axes = _numbers(threads[-1], "threads") if threads else (0,)
    if len(axes) != 1 or not 0 <= axes[0] <= 3:
        raise ConfigError(f"a launch cannot count along {threads[-1]} axes", hint="threads=1, threads=2 or threads=3")
    return Wanted(device, arch, stage, _numbers(block[-1], "block") if block else (), axes[0], values, opts or None)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ConfigError(f"{text!r} says nothing", hint="--with NAME=VALUE")
    return name, value


def _value(text: str) -> Any:
    """A Python literal, else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _numbers(text: str, what: str) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError:
        raise ConfigError(f"{text!r} is no {what}", hint="block=128, or block=16,8" if what == "block" else "threads=1") from None
