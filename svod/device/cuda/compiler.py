"""CUDA C to machine code: options that keep arithmetic exact, the architecture, the log of a refusal as a CompileError.

Owns: the options, architectures and what is made for them, disassembly. Must not know the driver, nor how the source was made.
Invariants: no option lets the compiler change what a kernel computes; the same source, architecture and NVRTC give the same bytes, and
`cache_key` tells them apart.
"""
from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from svod.device.cuda.nvrtc import headers, nvrtc, tool
from svod.device.memo import MemoryCache
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.errors import CompileError, DeviceUnavailable

OPTIONS = ("--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true", "-default-device", "--std=c++17", "--disable-warnings")
"""Each product and sum is rounded by itself, small numbers stay, quotients and roots are correctly rounded."""
IMAGES_KEPT = 256
LINES = 8
"""Source lines that a refusal shows around the first one it complains about."""
LOG_LINES = 40
SECONDS = 60
_ARCH = re.compile(r"sm_(\d{2,3})([af]?)")
_BLAMED = re.compile(r"\((\d+)\): (?:catastrophic )?error")
_INCLUDED = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Architecture:
    """What code is made for: `sm_90`, and the option that says so. `kind`: CUBIN, or PTX, which a driver compiles when it loads it."""

    name: str
    option: str
    kind: str


def number(arch: str) -> int:
    """90 for `sm_90` and `sm_90a`. DeviceUnavailable for what is no architecture."""
    if (m := _ARCH.fullmatch(arch)) is None:
        raise DeviceUnavailable(f"no CUDA architecture is called {arch!r}", hint="sm_90 is compute capability 9.0, sm_90a has its extras")
    return int(m[1])


def architecture(arch: str, known: tuple[int, ...]) -> Architecture:
    """How code for `arch` is made by a compiler that knows `known`. DeviceUnavailable for one that is older than all of them.

    One that it does not know yet gets PTX for the newest before it.
    """
    wanted = number(arch)
    if wanted in known:
        return Architecture(arch, f"--gpu-architecture={arch}", "CUBIN")
    before = [n for n in known if n < wanted]
    if not before:
        raise DeviceUnavailable(f"this NVRTC compiles for sm_{min(known)} and later, not for {arch}",
                                hint="pip install 'nvidia-cuda-nvrtc-cu12', which compiles for sm_50 and later")
    return Architecture(arch, f"--gpu-architecture=compute_{max(before)}", "PTX")


class CudaCompiler:
    """NVRTC for one architecture; `line_info` adds what profilers need to show source lines. Any number of threads may compile."""

    def __init__(self, arch: str, *, line_info: bool = False) -> None:
        self.arch, self.line_info = arch, line_info
        number(arch)
        self._images: MemoryCache[str, bytes] = MemoryCache(IMAGES_KEPT)

    @cached_property
    def made_for(self) -> Architecture:
        """What is compiled for. DeviceUnavailable without NVRTC, or if it cannot compile for the architecture."""
        return architecture(self.arch, nvrtc().architectures())

    @cached_property
    def cache_key(self) -> str:
        """NVRTC's version, the architecture and every option."""
        return f"nvrtc {'.'.join(map(str, nvrtc().version))} {self.made_for.kind} {' '.join(self._options(self.made_for))}"

    def compile(self, spec: ProgramSpec) -> CompiledSpec:
        """The compiled record: a cubin, or PTX. CompileError, with the log and the lines it names, if NVRTC refuses the source."""
        image = self._images.get_or_make(f"{spec.name}\n{spec.src}", lambda: self.image(spec.src, spec.name, self.made_for))
        return CompiledSpec.from_bytes(spec, image)

    def image(self, source: str, name: str, made_for: Architecture) -> bytes:
        """`source` of kernel `name`, compiled. CompileError as `compile`."""
        compiled = nvrtc().compile(source, f"{name}.cu", [*self._options(made_for), *_include_options(source)], made_for.kind)
        if compiled.image is None:
            raise CompileError(f"NVRTC refuses the source of kernel {name!r}\n{explained(compiled.log, source)}", at=self.arch)
        return compiled.image

    def ptx(self, source: str, name: str) -> str:
        """The PTX of `source`, which is text. CompileError as `compile`."""
        newest = max(n for n in nvrtc().architectures() if n <= number(self.arch))
        suffix = self.arch.removeprefix(f"sm_{newest}") if self.arch.startswith(f"sm_{newest}") else ""
        made_for = Architecture(self.arch, f"--gpu-architecture=compute_{newest}{suffix}", "PTX")
        return self.image(source, name, made_for).rstrip(b"\0").decode("utf-8", "replace")

    def _options(self, made_for: Architecture) -> list[str]:
        return [made_for.option, *OPTIONS, *(["--generate-line-info"] if self.line_info else [])]


@cache
def compiler_for(arch: str) -> CudaCompiler:
    """The compiler for an architecture: devices that have the same share it, and what it has compiled."""
    return CudaCompiler(arch)


def _include_options(source: str) -> list[str]:
    """Where the headers are that `source` includes."""
    folders = (headers(name) for name in _INCLUDED.findall(source))
    return [f"--include-path={folder}" for folder in dict.fromkeys(folders) if folder is not None]


def explained(log: str, source: str) -> str:
    """What a compiler said, and the lines of the source around the first one it has an error for."""
    said = [line.rstrip() for line in log.splitlines() if line.strip()][:LOG_LINES]
    lines = source.splitlines()
    found = [int(n) for line in said for n in _BLAMED.findall(line) if int(n) <= len(lines)]
    if not found:
        return "\n".join(said)
    first = max(1, found[0] - LINES // 2)
    shown = [f"{n:5}{'>' if n in found else '|'} {lines[n - 1]}" for n in range(first, min(len(lines), first + LINES) + 1)]
    return "\n".join([*said, *shown])


def disassembled(image: bytes) -> str | None:
    """A cubin as text (SASS); None without nvdisasm, or where it does not take the image."""
    command = tool("nvdisasm")
    if command is None or not image.startswith(b"\x7fELF"):
        return None
    with tempfile.TemporaryDirectory(prefix="svod-cuda-") as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(image)
        try:
            done = subprocess.run([command, "-c", str(path)], capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
    return done.stdout if done.returncode == 0 else None
