"""What `svod doctor` reports: the facts about this machine and installation that a bug report needs.

Owns: which facts, and how each is found out. Must not print, and must not change anything (no device is opened, no cache written).
Invariant: a fact that cannot be had is reported as such, it never stops the others.
"""
from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import fields
from importlib import metadata
from pathlib import Path

import svod
from svod.config import VARIABLES, available_cores, settings
from svod.version import __version__

NEEDED = ("numpy", "llvmlite", "ml_dtypes", "platformdirs", "typer", "rich")
OPTIONAL = ("pycuda", "nvidia-cuda-nvrtc", "pyopencl", "wgpu", "scikit-learn", "pillow", "numba", "matplotlib")
NOTABLE = ("sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "avx512bf16", "avx512fp16",
           "amx-tile", "amx-bf16", "amx-int8", "neon", "fp-armv8", "dotprod", "fullfp16", "bf16", "sve", "sve2", "v")
"""The features that decide what code svod generates; `svod doctor --json` lists all."""

Report = dict[str, dict[str, str]]


def examine() -> Report:
    """section -> fact -> value, in the order in which a reader wants them. ConfigError when the environment is wrong."""
    return {
        "svod": {"version": __version__, "location": str(Path(svod.__file__).parent)},
        "system": {"python": f"{platform.python_implementation()} {platform.python_version()}", "executable": sys.executable,
                   "platform": platform.platform(), "machine": platform.machine()},
        "cpu": cpu(),
        "packages": {name: version(name) for name in (*NEEDED, *OPTIONAL)},
        "settings": in_force(),
        "environment": {v.name: os.environ[v.name] for v in VARIABLES if v.name in os.environ},
        "devices": {d.name: "available" if d.available else d.why for d in svod.devices()},
    }


def version(package: str) -> str:
    """The installed version of a distribution, or "not installed"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def cpu() -> dict[str, str]:
    """The processor, and the cores that this process may use."""
    return {
        "model": model_name(Path("/proc/cpuinfo")) or platform.processor() or "unknown",
        **llvm_view(),
        "cores": str(os.cpu_count()),
        "usable cores": str(available_cores()),
    }


def llvm_view() -> dict[str, str]:
    """The processor as LLVM sees it, or why llvmlite cannot be loaded."""
    try:
        from llvmlite import binding
    except (ImportError, OSError) as error:
        return {"llvm name": f"llvmlite cannot be loaded: {error}", "llvm version": "none", "features": ""}
    features = binding.get_host_cpu_features()
    return {
        "llvm name": binding.get_host_cpu_name(),
        "llvm version": ".".join(map(str, binding.llvm_version_info)),
        "features": " ".join(sorted(name for name, has in features.items() if has)),
    }


def model_name(cpuinfo: Path) -> str:
    """The marketing name in Linux's table of processors; empty where there is none."""
    try:
        lines: Iterable[str] = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def in_force() -> dict[str, str]:
    """The settings that a compilation would use now."""
    now = settings()
    return {
        **{f.name: spelled(getattr(now.config, f.name)) for f in fields(now.config)},
        "device": now.device or "CPU",
        "cache": "on" if now.cache.enabled else "off",
        "cache directory": str(now.cache.path),
        "cache limit": f"{now.cache.max_bytes / (1 << 20):g} MiB",
    }


def spelled(value: object) -> str:
    """A setting as a reader wants it: `frozenset({"race", "bounds"})` -> `"bounds,race"`, an empty one -> `"none"`."""
    if isinstance(value, frozenset):
        return ",".join(sorted(map(str, value))) or "none"
    return "automatic" if value is None else str(value)


def notable(features: str) -> str:
    """Those of the CPU's features that matter to a reader: `"avx2 fma"`."""
    has = set(features.split())
    return " ".join(name for name in NOTABLE if name in has)
