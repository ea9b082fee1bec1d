"""HIP C++ to code objects of AMD GPUs, by clang and lld alone: no ROCm, no header.

Owns: finding clang, the options, its messages as a CompileError. Must not know how the source was made.
Invariant: no option lets the compiler change what a kernel computes.
"""
from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path

from svod.device.cc.compiler import blamed
from svod.device.memo import MemoryCache
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.errors import CompileError, DeviceUnavailable

CANDIDATES = ("clang-22", "clang-21", "clang-20", "clang-19", "clang")
INSTALL = "install clang 19 or later with lld (apt install clang-19 lld-19)"
OPTIONS = ("-nogpulib", "-nogpuinc", "--cuda-device-only", "--no-gpu-bundle-output", "-fuse-ld=lld", "-O3", "-ffp-contract=off",
           "-fno-strict-aliasing", "-w")
IMAGES_KEPT = 256
MESSAGE_LINES = 12
SECONDS = 120
_OLDEST = 17
_VERSION = re.compile(r"clang version (\d+)\S*")


def clang() -> tuple[str, str] | None:
    """The command, and what it says of its version; None if none is installed that is new enough."""
    for name in CANDIDATES:
        if shutil.which(name) is None:
            continue
        try:
            said = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=SECONDS, check=False).stdout
        except (OSError, subprocess.TimeoutExpired):
            continue
        if (m := _VERSION.search(said)) is not None and int(m[1]) >= _OLDEST:
            return name, m[0]
    return None


class HipCompiler:
    """clang for one architecture. Any number of threads may compile."""

    def __init__(self, arch: str) -> None:
        self.arch = arch
        self._images: MemoryCache[str, bytes] = MemoryCache(IMAGES_KEPT)

    @cached_property
    def found(self) -> tuple[str, str]:
        """The command and its version. DeviceUnavailable, with what to install, if there is none."""
        if (found := clang()) is None:
            raise DeviceUnavailable("no clang is installed that compiles for AMD GPUs", hint=INSTALL)
        return found

    @cached_property
    def cache_key(self) -> str:
        """The compiler's version, the architecture and every option."""
        return f"{self.found[1]} {self.arch} {' '.join(OPTIONS)}"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The compiled record: a code object. CompileError, with the message and the lines it names, if clang refuses the source."""
        made = self._images.get_or_make(f"{spec.name}\n{spec.src}", lambda: self.made(spec.src, spec.name))
        return CompiledSpec.from_bytes(spec, made)

    def assembly(self, source: str, name: str) -> str:
        """The same as text."""
        return self.made(source, name, "-S").decode("utf-8", "replace")

    def made(self, source: str, name: str, *more: str) -> bytes:
        """What clang makes of `source`, of kernel `name`. CompileError as `compile`."""
        with tempfile.TemporaryDirectory(prefix="svod-hip-") as folder:
            out = Path(folder) / "kernel.o"
            command = [self.found[0], "-x", "hip", f"--offload-arch={self.arch}", *OPTIONS, *more, "-", "-o", str(out)]
            try:
                done = subprocess.run(command, input=source, capture_output=True, text=True, timeout=SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired) as e:
                raise CompileError(f"{self.found[0]} cannot be run: {e}", at=self.arch, hint=INSTALL) from None
            if done.returncode != 0 or not out.exists():
                said = "\n".join(done.stderr.strip().splitlines()[:MESSAGE_LINES])
                raise CompileError(f"{self.found[0]} refuses the source of kernel {name!r}\n{said}", at=blamed(source, done.stderr))
            return out.read_bytes()
