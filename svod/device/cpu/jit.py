"""LLVM IR text to machine code in this process: compile to object bytes, load them, unload them.

Owns: the only use of llvmlite: host detection, the pass list, object files, their memory. Must not know kernels, the ABI, the disk cache
or Python callables. Invariants: `load_object` loads exactly what `compile_ir` made (a seal over the bytes is checked first), and the memory
of a loaded object is given back after `close()`.

Choices that were measured (llvmlite 0.50, LLVM 22, AMD Zen 4; a vector add of 49 lines / a 6x4 register tile of 381 lines):
- passes: SHORT takes 0.20 / 0.74 ms and leaks 1 to 5 KB a compile, LLVM's O3 takes 7.2 / 5.5 ms, leaks 79 / 115 KB and gives the same
  inner loop, as kernels are explicit vector code. Without `sroa` the register tile stays in memory (50 stack accesses in that loop, not 0).
- code generation: level 1, 2 and 3 cost the same (2.5 / 4.2 ms); level 0 costs 0.5 / 1.3 ms and keeps values on the stack.
- a context of its own for each compile: the global one keeps every constant ever seen (6.6 KB for 40 new ones).
- a linker lasts for ENGINE_CAPACITY objects: LLVM keeps 9 KB for every object ever linked until its engine goes; a new engine costs 0.4 ms.
"""
from __future__ import annotations

import re
import struct
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import CDLL
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import count, groupby
from os import register_at_fork
from typing import Any

import llvmlite.binding as llvm

from svod.errors import CompileError, ConfigError, DeviceError

SHORT = ("sroa", "simplify_cfg", "instruction_combine")
"""The default passes: registers for stack arrays, no empty blocks, algebra on scalars. In this order: into an empty block at the end of a
loop the last pass would move what the loop adds up, last first, and memory that is read backwards comes at a third of its speed."""

PIPELINES = ("O1", "O2", "O3")
"""Names that stand for LLVM's own pipelines, loop and straight-line vectorizers on."""

ENGINE_CAPACITY = 32
"""Objects linked by one engine before the next one is made."""

_MAGIC = b"SVODOBJ1"
_DIGEST = 16
_CONTEXT_LINES = 2
_LLVM = threading.RLock()
"""Held around every use of LLVM, and across fork(), so that no child inherits LLVM in the middle of something."""

register_at_fork(before=_LLVM.acquire, after_in_parent=_LLVM.release, after_in_child=_LLVM.release)


@dataclass(frozen=True, slots=True)
class HostCPU:
    """This machine as LLVM names it. `features` is LLVM's list ("+avx2,-amx-tile"), `vector_bits` the width of the widest SIMD register."""

    name: str
    features: str
    triple: str
    vector_bits: int

    def has(self, feature: str) -> bool:
        """Whether LLVM reports `feature` ("avx512f") as present."""
        return f"+{feature}" in self.features.split(",")


class LoadedObject:
    """Machine code in memory, from `load_object`. Its addresses are valid until `close()`, or until it is collected."""

    __slots__ = ("__weakref__", "_addresses", "_unload")

    def __init__(self, engine: _Engine, tracker: Any, addresses: dict[str, int]) -> None:
        self._addresses = addresses
        self._unload = weakref.finalize(self, engine.unload, tracker)
        self._unload.atexit = False  # code may still be running in other threads; the process gives the memory back

    def address(self, symbol: str) -> int:
        """Address of an exported function. DeviceError after `close()`, or if it was not among the symbols asked for."""
        if not self._unload.alive:
            raise DeviceError(f"the object that holds {symbol!r} has been unloaded", hint="keep it open while its code is in use")
        if symbol not in self._addresses:
            raise DeviceError(f"symbol {symbol!r} was not asked for when the object was loaded; {', '.join(self._addresses)} were")
        return self._addresses[symbol]

    def close(self) -> None:
        """Unload the code now; closing twice is fine. Nobody may be running it."""
        with _LLVM:
            self._unload()


class _Engine:
    """One LLVM linker and the number of objects that live in it; gone when it is full and the last of them goes."""

    def __init__(self, orphans: deque[tuple[_Engine, Any]]) -> None:
        self.jit = llvm.create_lljit_compiler(_machine(2), suppress_errors=True)
        self.orphans = orphans
        self.linked = self.live = 0

    def take_place(self) -> None:
        """Count one more object, before it is linked: a collection in the middle must not find the engine empty."""
        self.linked += 1
        self.live += 1

    def give_place(self) -> None:
        """One object less; the last of a full engine takes the engine with it."""
        self.live -= 1
        if self.linked >= ENGINE_CAPACITY and self.live == 0:
            self.jit.close()

    def unload(self, tracker: Any) -> None:
        """Give the memory of one object back. A collection calls this under any lock, so it never waits: else the next link does it."""
        if not _LLVM.acquire(blocking=False):
            self.orphans.append((self, tracker))
            return
        try:
            tracker.close()
            self.give_place()
        finally:
            _LLVM.release()


class _Linker:
    """Links objects, each into a library of its own, replacing its engine from time to time."""

    def __init__(self) -> None:
        self.orphans: deque[tuple[_Engine, Any]] = deque()
        self.engine = _Engine(self.orphans)
        self.names = count()

    def link(self, image: bytes, symbols: Sequence[str]) -> LoadedObject:
        """RuntimeError (LLVM's) if a symbol is missing or a reference cannot be resolved."""
        with _LLVM:
            while self.orphans:
                engine, tracker = self.orphans.popleft()
                engine.unload(tracker)
            if self.engine.linked >= ENGINE_CAPACITY:
                self.engine = _Engine(self.orphans)
            engine = self.engine
            engine.take_place()
            builder = llvm.JITLibraryBuilder().add_object_img(image).add_current_process()
            for symbol in symbols:
                builder.export_symbol(symbol)
            try:
                tracker = builder.link(engine.jit, f"object{next(self.names)}")
            except RuntimeError:
                engine.give_place()
                raise
            return LoadedObject(engine, tracker, {symbol: tracker[symbol] for symbol in symbols})


@cache
def host_cpu() -> HostCPU:
    """The CPU of this machine, detected once."""
    _initialize()
    try:
        found: dict[str, bool] = llvm.get_host_cpu_features()
    except RuntimeError:  # LLVM cannot detect features on this platform
        found = {}
    features = ",".join(f"{'+' if present else '-'}{name}" for name, present in sorted(found.items()))
    return HostCPU(llvm.get_host_cpu_name(), features, llvm.get_default_triple(), _vector_bits({n for n, p in found.items() if p}))


def compile_ir(text: str, *, level: int = 2, passes: Sequence[str] = SHORT) -> bytes:
    """Object code of one module of LLVM IR text for this machine, sealed for `load_object`.

    `passes` are run in order: names of llvmlite's passes ("sroa"), or one of PIPELINES; `level` (0 to 3) is that of code generation.
    CompileError with LLVM's message and the numbered lines it complains about; ConfigError for an unknown pass or level.
    """
    with _optimized(text, level, passes) as (module, machine):
        return seal(machine.emit_object(module))


def assembly(text: str, *, level: int = 2, passes: Sequence[str] = SHORT, cpu: str = "") -> str:
    """What `compile_ir` would make, as assembly text; same arguments and errors. For this CPU, or for the one that LLVM calls `cpu`."""
    with _optimized(text, level, passes, cpu) as (module, machine):
        return str(machine.emit_assembly(module))


def load_object(obj: bytes, symbols: Sequence[str]) -> LoadedObject:
    """Map object bytes from `compile_ir` or `seal` into memory, ready to run; references are resolved against this process.

    CompileError if the bytes are damaged, a symbol is not in them, or a reference cannot be resolved.
    """
    image = _unseal(obj)
    try:
        return _linker().link(image, symbols)
    except RuntimeError as error:
        missing = _unresolved(image)
        hint = f"not found in this process: {', '.join(missing)}" if missing else ""
        raise CompileError(f"LLVM cannot link the object: {error}", at=f"symbols {', '.join(symbols)}", hint=hint) from None


@contextmanager
def _optimized(text: str, level: int, passes: Sequence[str], cpu: str = "") -> Iterator[tuple[Any, Any]]:
    """The module of `text` after the passes, and the machine to emit it with."""
    with _LLVM:
        machine, context = _machine(level, cpu), llvm.create_context()
        module = None
        try:
            module = llvm.parse_assembly(text, context)
            module.triple, module.data_layout = machine.triple, str(machine.target_data)
            module.verify()
            _run_passes(module, machine, passes)
            yield module, machine
        except RuntimeError as error:
            raise CompileError(f"LLVM refuses the IR: {str(error).strip()}", at=_lines_blamed(text, str(error))) from None
        finally:
            if module is not None:
                module.close()
            context.close()


def _run_passes(module: Any, machine: Any, passes: Sequence[str]) -> None:
    """Neighbours share a manager, as each builder that runs leaks 1.6 KB. Neither is used twice: a builder gets slower with each use, a
    manager aborts the process.
    """
    for name, group in groupby(passes, lambda p: p if p in PIPELINES else ""):
        options = llvm.create_pipeline_tuning_options(int(name[1:] or 2))
        options.loop_vectorization = options.slp_vectorization = True
        builder = llvm.create_pass_builder(machine, options)
        manager = builder.getModulePassManager() if name else _manager_of(group)
        manager.run(module, builder)


def _manager_of(passes: Iterable[str]) -> Any:
    manager = llvm.create_new_module_pass_manager()
    for name in passes:
        if (add := getattr(manager, f"add_{name}_pass", None)) is None:
            raise ConfigError(f"llvmlite has no pass {name!r}", hint=f"by default {', '.join(SHORT)}; pipelines are {', '.join(PIPELINES)}")
        add()
    return manager


@cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()


@cache
def _machine(level: int, cpu: str = "") -> Any:
    if level not in (0, 1, 2, 3):
        raise ConfigError(f"LLVM has no code generation level {level!r}", hint="one of 0, 1, 2, 3")
    host = host_cpu()
    target = llvm.Target.from_triple(host.triple)
    features = "" if cpu else host.features
    return target.create_target_machine(cpu=cpu or host.name, features=features, opt=level, reloc="pic", codemodel="small")


@cache
def _linker() -> _Linker:
    with _LLVM:
        return _Linker()


def _vector_bits(features: set[str]) -> int:
    """Width of the widest SIMD register these features name; 128 is the least that the vector code is written for."""
    widths = {"avx512f": 512, "avx": 256}
    return max((bits for feature, bits in widths.items() if feature in features), default=128)


def seal(image: bytes) -> bytes:
    """Object bytes with magic and digest behind them: linkers ignore what follows an object."""
    return image + _MAGIC + blake2b(image, digest_size=_DIGEST).digest()


def _unseal(obj: bytes) -> bytes:
    image, magic, digest = obj[:-len(_MAGIC) - _DIGEST], obj[-len(_MAGIC) - _DIGEST:-_DIGEST], obj[-_DIGEST:]
    if magic != _MAGIC or digest != blake2b(image, digest_size=_DIGEST).digest():
        raise CompileError(f"the object code is damaged ({len(obj)} bytes, seal {'broken' if magic == _MAGIC else 'missing'})",
                           hint="compile it again; only bytes from compile_ir or seal can be loaded")
    return image


def _lines_blamed(text: str, message: str) -> str:
    """The lines of `text` that `message` names by number or quotes, numbered, marked with `>`, with their neighbours."""
    lines = text.splitlines()
    blamed = {int(n) for n in re.findall(r"<string>:(\d+):", message)}
    if not blamed:
        quoted = {line.strip() for line in message.splitlines()} - {""}
        blamed = {i for i, line in enumerate(lines, 1) if line.strip() in quoted}
    if not blamed:
        return ""
    near = sorted({i for b in blamed for i in range(b - _CONTEXT_LINES, b + _CONTEXT_LINES + 1) if 1 <= i <= len(lines)})
    numbered = "".join(f"\n  {'>' if i in blamed else ' '}{i:5}| {lines[i - 1]}" for i in near)
    return f"IR line {', '.join(map(str, sorted(blamed)))}{numbered}"


def _unresolved(image: bytes) -> list[str]:
    """Names that a 64-bit ELF object refers to and this process does not have; nothing for other formats."""
    if image[:6] != b"\x7fELF\x02\x01":
        return []
    start, size, number = struct.unpack_from("<40xQ10xHH", image)
    headers = [struct.unpack_from("<IIQQQQIIQQ", image, start + i * size) for i in range(number)]
    names: list[str] = []
    for header in headers:
        if header[1] == 2:  # SHT_SYMTAB: offset at [4], bytes at [5], its string table at [6]
            strings = image[headers[header[6]][4]:]
            entries = struct.iter_unpack("<IBBHQQ", image[header[4]:header[4] + header[5]])
            names += [strings[e[0]:strings.index(0, e[0])].decode() for e in entries if e[3] == 0 and e[0]]
    process = CDLL(None)
    return [name for name in names if not hasattr(process, name)]
