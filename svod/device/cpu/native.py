"""The native part of the CPU device: worker pool and launchers, LLVM IR of our own, loaded into this process.

Owns: putting the .ll files together for this platform, compiling them (or taking the objects from a cache), the C signatures of what they
export. Must not know what a pool or a launcher is to Python. Invariant: exports are reached through `Native`, which keeps them loaded.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_int32, c_int64, c_void_p
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from typing import Any

from svod.device.cpu.jit import SHORT, LoadedObject, compile_ir, host_cpu, load_object
from svod.errors import CompileError

ObjectCache = Callable[[str, Callable[[], bytes]], bytes]
"""`cache(text, compile)` returns the object of `text`: a kept one, or what `compile()` makes."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One .ll file, how well it is compiled, and the functions it exports: their ctypes signature, or None if only CPython calls them."""

    file: str
    level: int
    passes: tuple[str, ...]
    exports: dict[str, tuple[Any, ...] | None]


_LAUNCH = (c_int32, c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_int64)
_PARTS = (
    # A hand-off is made of cache misses: level 0 makes it 248 instead of 233 ns, and compiles six times faster.
    _Part("pool.ll", 0, (), {
        "svod_pool_create": (c_void_p, c_int64, c_int64, c_int64),
        "svod_pool_reset": (None, c_void_p),
        "svod_pool_stop": (None, c_void_p),
        "svod_pool_destroy": (None, c_void_p),
        "svod_pool_trim": (None, c_void_p),
        "svod_pool_stats": (None, c_void_p, POINTER(c_int64)),
        "svod_pool_run": _LAUNCH,
        "svod_pool_serial": _LAUNCH,
    }),
    # A checked call is made of instructions: at level 0 it takes 77 ns instead of 48. LLVM's O2 gains nothing and takes twice as long.
    _Part("launcher.ll", 2, ("always_inliner", *SHORT), {"svod_launch": None, "svod_launch_raw": None}),
)
_PAUSE = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
    "arm64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}


@dataclass(frozen=True, slots=True)
class Native:
    """The loaded code: what ctypes can call, and addresses. `native.pool_run(...)` calls `svod_pool_run`; calls release the GIL."""

    code: tuple[LoadedObject, ...]
    addresses: dict[str, int] = field(repr=False)
    functions: dict[str, Any] = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        if (function := self.functions.get(f"svod_{name}")) is None:
            raise AttributeError(name)
        return function

    def address(self, name: str) -> int:
        """Address of `svod_<name>`."""
        return self.addresses[f"svod_{name}"]


def native_ir() -> tuple[str, ...]:
    """The IR texts of pool and launchers for this platform: keys and sources of the objects."""
    return tuple(_text(part) for part in _PARTS)


def load_native(cache: ObjectCache | None = None) -> Native:
    """Compile (or take from `cache`) and load the native code. A damaged object from the cache is compiled again.

    CompileError if this process lacks a symbol it needs (a platform without POSIX threads).
    """
    code = tuple(_load(part, cache) for part in _PARTS)
    addresses = {name: loaded.address(name) for part, loaded in zip(_PARTS, code, strict=True) for name in part.exports}
    functions = {name: CFUNCTYPE(*types)(addresses[name]) for part in _PARTS for name, types in part.exports.items() if types}
    return Native(code, addresses, functions)


def _load(part: _Part, cache: ObjectCache | None) -> LoadedObject:
    text, symbols = _text(part), tuple(part.exports)
    make = partial(compile_ir, text, level=part.level, passes=part.passes)
    if cache is not None:
        try:
            return load_object(cache(text, make), symbols)
        except CompileError:
            pass  # damaged, or of another build: what is compiled here decides
    return load_object(make(), symbols)


def _text(part: _Part) -> str:
    """The file, and in front of it what it expects: the pause instruction, and what it must know of the system."""
    declaration, call = _PAUSE.get(host_cpu().triple.partition("-")[0], ("", 'fence syncscope("singlethread") seq_cst'))
    front = f"{declaration}\ndefine internal void @pause() alwaysinline {{\n  {call}\n  ret void\n}}\n"
    names = ("darwin.ll" if sys.platform == "darwin" else "linux.ll", part.file)
    return front + "".join(files("svod.device.cpu").joinpath(name).read_text(encoding="utf-8") for name in names)
