"""NVIDIA's libraries that compile, as they are: where they and their headers are, and NVRTC's C interface. No driver, no GPU.

Owns: the search, loading, the calls of NVRTC. Must not know kernels, options, or devices.
Invariant: importing this loads nothing; a library is loaded once a process.

Through ctypes and not cuda-bindings: a dozen calls with plain arguments, in NVIDIA's wheels as in its toolkit, whichever is there.
Source: nvrtc.h of CUDA 11 to 13.
"""
from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from svod.errors import CompileError, DeviceUnavailable

INSTALL = "pip install nvidia-cuda-nvrtc, or install the CUDA toolkit"
_SONAMES = ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so")
_LIBRARY = re.compile(r"libnvrtc\.so\.(\d+)(?:\.\d+)*")
_COMPILATION = 6
"""NVRTC_ERROR_COMPILATION: the log says why."""


def wheels() -> list[Path]:
    """The folders of NVIDIA's wheels, each with lib, include or bin: .../nvidia/cu13, .../nvidia/cuda_nvrtc."""
    spec = importlib.util.find_spec("nvidia")
    roots = [Path(p) for p in (spec.submodule_search_locations or ())] if spec is not None else []
    return sorted((p for root in roots if root.is_dir() for p in root.iterdir() if p.is_dir()), reverse=True)


def toolkits() -> list[Path]:
    """The folders of installed toolkits: what CUDA_HOME or CUDA_PATH say, where nvcc is, /usr/local/cuda."""
    named = [os.environ.get(n, "") for n in ("CUDA_HOME", "CUDA_PATH")]
    nvcc = shutil.which("nvcc")
    found = [Path(n) for n in named if n] + ([Path(nvcc).resolve().parent.parent] if nvcc else []) + [Path("/usr/local/cuda")]
    return [p for p in dict.fromkeys(found) if p.is_dir()]


def _libraries() -> Iterator[str]:
    """Files that may be NVRTC, the newest of each folder first, then what the loader finds by name."""
    for root in (*wheels(), *toolkits()):
        for folder in (root / "lib", root / "lib64"):
            named = [(int(m[1]), p) for p in folder.glob("libnvrtc.so.*") if (m := _LIBRARY.fullmatch(p.name))]
            yield from (str(p) for _, p in sorted(named, reverse=True))
    yield from _SONAMES


def headers(name: str) -> Path | None:
    """The folder with the header `name` (cuda_fp16.h): of NVIDIA's wheels, else of a toolkit; None if it is nowhere."""
    return next((root / "include" for root in (*wheels(), *toolkits()) if (root / "include" / name).is_file()), None)


def tool(name: str) -> str | None:
    """The command `name` (nvdisasm) of NVIDIA's wheels, a toolkit, or the PATH."""
    found = [str(root / "bin" / name) for root in (*wheels(), *toolkits()) if os.access(root / "bin" / name, os.X_OK)]
    return found[0] if found else shutil.which(name)


@dataclass(frozen=True, slots=True)
class Compiled:
    """What NVRTC made of a source: the image (None if it refused), and what it said."""

    image: bytes | None
    log: str


class Nvrtc:
    """The loaded library. Any number of threads may compile."""

    def __init__(self, library: Any, path: str) -> None:
        self._library, self.path = library, path
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        self.version = (major.value, minor.value)

    def architectures(self) -> tuple[int, ...]:
        """Compute capabilities it compiles for, 90 for 9.0, ascending."""
        count = ctypes.c_int()
        self._call("nvrtcGetNumSupportedArchs", ctypes.byref(count))
        found = (ctypes.c_int * count.value)()
        self._call("nvrtcGetSupportedArchs", found)
        return tuple(sorted(found))

    def compile(self, source: str, file: str, options: Sequence[str], kind: str) -> Compiled:
        """`source`, which messages call `file`, as "CUBIN" or "PTX". CompileError if NVRTC itself fails."""
        program = ctypes.c_void_p()
        given = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
        self._call("nvrtcCreateProgram", ctypes.byref(program), source.encode(), file.encode(), 0, None, None)
        try:
            status = self._library.nvrtcCompileProgram(program, len(options), given)
            log = self._bytes("ProgramLog", program).rstrip(b"\0").decode("utf-8", "replace").strip()
            if status == _COMPILATION:
                return Compiled(None, log)
            self._check("nvrtcCompileProgram", status, log)
            return Compiled(self._bytes(kind, program), log)
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _bytes(self, what: str, program: Any) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
        held = ctypes.create_string_buffer(max(1, size.value))
        self._call(f"nvrtcGet{what}", program, held)
        return held.raw[:size.value]

    def _call(self, name: str, *args: Any) -> None:
        self._check(name, getattr(self._library, name)(*args), "")

    def _check(self, name: str, status: int, log: str) -> None:
        if status:
            text = self._library.nvrtcGetErrorString
            text.restype = ctypes.c_char_p
            raise CompileError(f"NVRTC failed: {name}: {text(status).decode()}", at=self.path, hint=log)


@cache
def nvrtc() -> Nvrtc:
    """NVRTC. DeviceUnavailable, with what to install, if it is nowhere or cannot be loaded."""
    why = ""
    for path in _libraries():
        try:
            return Nvrtc(ctypes.CDLL(path), path)
        except (OSError, AttributeError) as e:
            why = why or f": {e}" if os.path.isabs(path) else why
    raise DeviceUnavailable(f"NVRTC, the compiler of CUDA C, cannot be loaded{why or ': it is not installed'}", hint=INSTALL)
