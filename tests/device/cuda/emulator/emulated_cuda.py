"""An EMULATOR of CUDA for tests of svod's side of it: a driver library of its own, and kernels as code of the host. Never a GPU.

Owns: building both with g++, and putting them in place of NVIDIA's driver and compiler in this process (`install`). As a pytest plugin
(`python -m pytest -p emulated_cuda`, this folder on PYTHONPATH) it does so for a whole run: then `DEVICE=CUDA` is the emulator.
Must not be loaded by any process that uses a real GPU. What it shows is that svod calls the driver as its rules demand; nothing about
hardware. CUDA_EMULATOR_ADAPTER chooses pycuda or cuda-bindings.
"""
from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCES = ("libcuda.cpp", "items.cpp", "items.h", "shim.h", "emulated_cuda.py")
FLAGS = ("-std=c++17", "-fPIC", "-shared", "-U_FORTIFY_SOURCE", "-ffp-contract=off", "-fwrapv", "-fno-strict-aliasing", "-w")
_DYNAMIC = re.compile(r"extern\s+__shared__\s+(?:__align__\(\d+\)\s+)?([\w ]+?)\s+(\w+)\[\];")
_EXTREME = re.compile(r'asm\("(max|min)\.NaN\.f32 [^"]*" : "=f"\(r\) : "f"\(a\), "f"\(b\)\);')
_MMA = re.compile(r'asm volatile\("mma\.sync\.aligned\.m16n8k(\d+)\.row\.col\.\w+\.(\w+)\.(\w+)\.\w+ [^"]*"\s*: [^:]*: ([^;]*)\);')
_KERNEL = re.compile(r'extern "C" __global__\s+(?:__launch_bounds__\([^)]*\)\s*)?void\s+(\w+)\(')


def folder() -> Path:
    """Where what was built is kept: a folder of this user, for these sources."""
    digest = hashlib.sha256(b"".join((HERE / s).read_bytes() for s in SOURCES)).hexdigest()[:16]
    found = Path(tempfile.gettempdir()) / f"svod-cuda-emulator-{os.getuid()}-{digest}"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def built(command: list[str], target: Path, source: str | None = None) -> Path:
    """`target`, made by g++ if it is not there yet; several processes may do so at the same time."""
    if not target.exists():
        fresh = target.with_name(f"{target.name}.{os.getpid()}.{id(command)}")
        done = subprocess.run([*command, "-o", str(fresh)], input=source, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"g++ refuses it:\n{done.stderr[:2000]}\n{source or ''}")
        fresh.replace(target)
    return target


def driver_library() -> Path:
    """The emulated libcuda.so.1."""
    sources = [str(HERE / s) for s in SOURCES if s.endswith(".cpp")]
    return built(["g++", "-O1", *FLAGS, "-fvisibility=hidden", "-Wl,-soname,libcuda.so.1", *sources, "-ldl"], folder() / "libcuda.so.1")


def mma(found: re.Match[str]) -> str:
    """An instruction of the matrix units as a call of the shim's."""
    words = re.findall(r'"r"\(([ab])\.s\[(\d)\]\)', found[4])
    left, right = (", ".join(f"{v}.s[{k}]" for v, k in words if v == side) for side in "ab")
    return f"emulated_mma<emulated_{found[2]}, emulated_{found[3]}, {found[1]}>(c.s, {{{left}}}, {{{right}}});"


def host_image(source: str) -> bytes:
    """CUDA C as a shared object of the host, which the emulated driver loads in place of a cubin."""
    text = _DYNAMIC.sub(r"\1 *\2 = (\1 *)emulated_dynamic;", source)
    text = _EXTREME.sub(lambda m: f"r = emulated_extreme(a, b, {'1' if m[1] == 'max' else '-1'});", _MMA.sub(mma, text))
    for name in _KERNEL.findall(source):  # functions of C may have the same name
        text = re.sub(rf"\b{name}(?=\()", f"kernel__{name}", text) + f"\nEMULATED(kernel__{name}, {name})\n"
    target = folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.so"
    return built(["g++", "-O1", *FLAGS, "-include", str(HERE / "shim.h"), "-x", "c++", "-"], target, text).read_bytes()


class HostCompiler:
    """In place of svod.device.cuda.compiler.CudaCompiler."""

    cache_key = "emulator"

    def __init__(self, arch: str) -> None:
        self.arch = arch

    def compile(self, spec: Any) -> Any:
        from svod.device.specs import CompiledSpec
        from svod.errors import CompileError
        try:
            return CompiledSpec.from_bytes(spec, host_image(spec.src))
        except RuntimeError as e:
            raise CompileError(str(e)) from e

    def ptx(self, source: str, name: str) -> str:
        return source


def install() -> None:
    """Puts the emulator in place, before the first use of CUDA in this process."""
    ctypes.CDLL(str(driver_library()), mode=ctypes.RTLD_GLOBAL)
    from svod.device.cuda import driver, probe
    probe.backend = functools.partial(probe.backend, compilers=HostCompiler)  # type: ignore[assignment]
    probe.nvrtc = lambda: None  # type: ignore[assignment, return-value]
    wanted = os.environ.get("CUDA_EMULATOR_ADAPTER")
    if wanted:
        driver.SYSTEM._adapters = tuple(a for a in driver.ADAPTERS if a[0] == wanted)


def pytest_configure() -> None:
    """For `-p emulated_cuda`."""
    install()
