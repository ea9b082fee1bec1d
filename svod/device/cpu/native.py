"""The native part of the CPU device: worker pool and launchers, LLVM IR of our own, loaded into this process.

Owns: putting the .ll files together for this platform, compiling them (or taking the object from a cache), the C signatures of what they
export. Must not know what a pool or a launcher is to Python. Invariants: exports are reached through `Native`, which keeps them loaded;
what is loaded is always made from the .ll files as they are now.

Compiling them takes 34 ms, most of the first compile on a machine. So the assembly text that comes out is kept beside them for the
platforms in PREPARED, under a digest of what it was made from, and assembling it takes 4 ms; anywhere else the IR is compiled.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_int32, c_int64, c_void_p
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from importlib.resources import files
from typing import Any

from svod.device.cpu.jit import SHORT, LoadedObject, assembly, compile_ir, host_cpu, load_object
from svod.errors import CompileError

ObjectCache = Callable[[str, Callable[[], bytes]], bytes]
"""`cache(text, compile)` returns the object of `text`: a kept one, or what `compile()` makes."""


_LAUNCH = (c_int32, c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_int64)
_EXPORTS: dict[str, tuple[Any, ...] | None] = {
    "svod_pool_create": (c_void_p, c_int64, c_int64, c_int64),
    "svod_pool_reset": (None, c_void_p),
    "svod_pool_stop": (None, c_void_p),
    "svod_pool_destroy": (None, c_void_p),
    "svod_pool_trim": (None, c_void_p),
    "svod_pool_stats": (None, c_void_p, POINTER(c_int64)),
    "svod_pool_run": _LAUNCH,
    "svod_pool_serial": _LAUNCH,
    "svod_launch": None,
    "svod_launch_raw": None,
}
"""What the code exports: ctypes signatures, None for what only CPython calls."""
_FILES = ("pool.ll", "launcher.ll")
_PASSES = ("always_inliner", *SHORT)
"""With code generation level 2. At level 0 a checked call takes 77 ns instead of 48; LLVM's O2 gains nothing."""

PREPARED = {("linux", "x86_64"): "x86-64-v2"}
"""System and machine of the assembly texts, and the CPU they are made for."""

_PAUSE = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
    "arm64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}


@dataclass(frozen=True, slots=True)
class Native:
    """The loaded code: what ctypes can call, and addresses. `native.pool_run(...)` calls `svod_pool_run`; calls release the GIL."""

    code: LoadedObject
    addresses: dict[str, int] = field(repr=False)
    functions: dict[str, Any] = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        if (function := self.functions.get(f"svod_{name}")) is None:
            raise AttributeError(name)
        return function

    def address(self, name: str) -> int:
        """Address of `svod_<name>`."""
        return self.addresses[f"svod_{name}"]


def load_native(cache: ObjectCache | None = None) -> Native:
    """Compile (or take from `cache`) and load the native code. A damaged object from the cache is compiled again.

    CompileError if this process lacks a symbol it needs (a platform without POSIX threads).
    """
    code = _load(native_source(), cache)
    addresses = {name: code.address(name) for name in _EXPORTS}
    functions = {name: CFUNCTYPE(*types)(addresses[name]) for name, types in _EXPORTS.items() if types}
    return Native(code, addresses, functions)


def prepared_assembly() -> dict[str, str]:
    """File name and text of the assembly to keep for this platform, made anew; nothing for a platform that is not in PREPARED."""
    if (cpu := PREPARED.get(_platform())) is None:
        return {}
    text = _text()
    return {_prepared_name(): f"{_mark(text)}\n{assembly(text, passes=_PASSES, cpu=cpu)}"}


def _load(source: str, cache: ObjectCache | None) -> LoadedObject:
    make = partial(compile_ir, source, passes=_PASSES)
    if cache is not None:
        try:
            return load_object(cache(source, make), tuple(_EXPORTS))
        except CompileError:
            pass  # damaged, or of another build: what is compiled here decides
    return load_object(make(), tuple(_EXPORTS))


def native_source() -> str:
    """The module to compile, key and source of the object: the kept assembly if it was made from the IR of today, else that IR."""
    kept, text = files("svod.device.cpu").joinpath(_prepared_name()) if _platform() in PREPARED else None, _text()
    if kept is None or not kept.is_file():
        return text
    mark, _, body = kept.read_text(encoding="utf-8").partition("\n")
    if mark != _mark(text):
        return text
    escaped = body.replace("\\", "\\5C").replace('"', "\\22")
    return 'module asm "' + escaped.replace("\n", '"\nmodule asm "') + '"'


def _platform() -> tuple[str, str]:
    return sys.platform, host_cpu().triple.partition("-")[0]


def _prepared_name() -> str:
    return "-".join(("native", *_platform())) + ".s"


def _mark(text: str) -> str:
    """First line of the assembly: what it was made from."""
    source = blake2b(text.encode(), digest_size=12).hexdigest()
    return f"# Made by `make native` from {' and '.join(_FILES)}; not to be edited. Source {source}"


def _text() -> str:
    """The files, and in front of them what they expect: the pause instruction, and what they must know of the system."""
    declaration, call = _PAUSE.get(host_cpu().triple.partition("-")[0], ("", 'fence syncscope("singlethread") seq_cst'))
    front = f"{declaration}\ndefine internal void @pause() alwaysinline {{\n  {call}\n  ret void\n}}\n"
    names = ("darwin.ll" if sys.platform == "darwin" else "linux.ll", *_FILES)
    return front + "".join(files("svod.device.cpu").joinpath(name).read_text(encoding="utf-8") for name in names)
