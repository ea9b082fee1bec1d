"""Plain C with OpenMP, called through ctypes: gcc -O3 -march=native, and with BENCH_FAST_MATH=1 also -ffast-math (and so libmvec).

Owns: building loops.c and calling it. Invariant: the library is built once for its source and flags, and found again after that.
"""
from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from contract import Array, Kinds, Run, empty

kinds = Kinds()
SOURCE = Path(__file__).with_name("loops.c")
FLAGS = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
FAST = ("-ffast-math", "-mprefer-vector-width=512")


def start(threads: int) -> None:
    """OpenMP has read its threads from the environment; the library is built here, not in a measurement."""
    library()


def flags() -> tuple[str, ...]:
    """What gcc is told."""
    return FLAGS + FAST if os.environ.get("BENCH_FAST_MATH") == "1" else FLAGS


def version() -> str:
    """What ran."""
    number = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    return f"gcc {number} {' '.join(f for f in flags() if f not in ('-shared', '-fPIC'))}"


@cache
def library(source: Path = SOURCE) -> ctypes.CDLL:
    """loops.c, or another file, compiled. CalledProcessError with gcc's message if it cannot be."""
    told = " ".join(flags())
    name = f"{source.stem}-{hashlib.sha256(told.encode() + source.read_bytes()).hexdigest()[:16]}"
    folder = Path(os.environ.get("BENCH_CACHE") or tempfile.gettempdir())
    built = folder / f"{name}.so"
    if not built.exists():
        partial = folder / f"{name}-{os.getpid()}.so"
        subprocess.run(["gcc", *flags(), str(source), "-o", str(partial), "-lm"], check=True)
        partial.replace(built)
    return ctypes.CDLL(str(built))


def function(name: str, *args: Array | int | float, source: Path = SOURCE) -> Any:
    """A call of `name` with these arguments, converted beforehand."""
    f = getattr(library(source), name)
    given = [_argument(a) for a in args]
    f.restype, f.argtypes = None, [type(g) for g in given]
    return lambda: (f(*given), args)[0]


def _argument(a: Array | int | float) -> Any:
    if isinstance(a, np.ndarray):
        return ctypes.c_void_p(a.ctypes.data)
    return ctypes.c_long(a) if isinstance(a, int) else ctypes.c_float(a)


def running(name: str, inputs: tuple[Array, ...], out: Array, *rest: int | float, note: str = "") -> Run:
    """`name(*inputs, out, *rest)`."""
    return Run(function(name, *inputs, out, *rest), lambda: out, note=note)


@kinds("add")
def add(x: Any, p: Any) -> Run:
    n, out = p["n"], empty(p["n"])
    if n >= 1 << 14:
        return running("add", (x["a"], x["b"]), out, n)
    repeat = library().repeat_add
    repeat.restype, repeat.argtypes = None, [ctypes.c_void_p] * 3 + [ctypes.c_long] * 2
    addresses = [v.ctypes.data for v in (x["a"], x["b"], out)]
    return Run(function("add_small", x["a"], x["b"], out, n), lambda: out, lambda k: repeat(*addresses, n, k))


kinds["saxpy"] = lambda x, p: running("saxpy", (x["a"], x["b"]), empty(p["n"]), p["n"], float(p["alpha"]))
kinds["chain"] = lambda x, p: running("chain", tuple(x[k] for k in "abcd"), empty(p["n"]), p["n"])
kinds["exp"] = lambda x, p: running("map_exp", (x["a"],), empty(p["n"]), p["n"])
kinds["tanh"] = lambda x, p: running("map_tanh", (x["a"],), empty(p["n"]), p["n"])
kinds["sin"] = lambda x, p: running("map_sin", (x["a"],), empty(p["n"]), p["n"])
kinds["gelu"] = lambda x, p: running("map_gelu", (x["a"],), empty(p["n"]), p["n"])
kinds["sum"] = lambda x, p: running("sum", (x["a"],), empty(1), p["n"])
kinds["dot"] = lambda x, p: running("dot", (x["a"], x["b"]), empty(1), p["n"])
kinds["softmax"] = lambda x, p: running("softmax", (x["a"],), empty(x["a"].shape), p["m"], p["n"])
kinds["layernorm"] = lambda x, p: running("layernorm", (x["a"], x["g"], x["h"]), empty(x["a"].shape), p["m"], p["n"], float(p["eps"]))
kinds["rmsnorm"] = lambda x, p: running("rmsnorm", (x["a"], x["g"]), empty(x["a"].shape), p["m"], p["n"], float(p["eps"]))
kinds["argmax"] = lambda x, p: running("argmax", (x["a"],), empty(p["m"], np.int64), p["m"], p["n"])
kinds["gemv"] = lambda x, p: running("gemv", (x["a"], x["b"]), empty(p["m"]), p["m"], p["k"])
kinds["stencil"] = lambda x, p: running("stencil", (x["a"],), empty(x["a"].shape), p["m"], p["n"])
kinds["transpose"] = lambda x, p: running("transpose", (x["a"],), empty((p["n"], p["m"])), p["m"], p["n"], note="in blocks of 32 by 32")


@kinds("gemm")
def gemm(x: Any, p: Any) -> Run:
    name = "gemm_f64" if x["a"].dtype == np.float64 else "gemm_f32"
    return running(name, (x["a"], x["b"]), empty((p["m"], p["n"]), x["a"].dtype), p["m"], p["n"], p["k"], note="loops, no BLAS")


@kinds("bmm")
def bmm(x: Any, p: Any) -> Run:
    sizes = (p["b"], p["m"], p["n"], p["k"])
    return running("bmm", (x["a"], x["b"]), empty(sizes[:3]), *sizes, note="loops, no BLAS")


@kinds("linear_gelu")
def linear_gelu(x: Any, p: Any) -> Run:
    sizes = (p["m"], p["n"], p["k"])
    return running("linear_gelu", (x["a"], x["b"], x["c"]), empty(sizes[:2]), *sizes, note="loops, no BLAS")


@kinds("conv2d")
def conv2d(x: Any, p: Any) -> Run:
    sizes = (p["b"], p["c"], p["o"], p["s"])
    return running("conv2d", (x["a"], x["w"]), empty((p["b"], p["o"], p["s"], p["s"])), *sizes)
