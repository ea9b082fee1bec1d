"""The kernels of examples/kernels as C with OpenMP: those of kernels.c, and where loops.c has the same loop, that one.

Owns: which C function computes a kernel. Invariant: a builder `(inputs of the Bench, {}) -> Run`, as for the other peers.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import peer_gcc
from contract import Array, Kinds, Run, empty
from kernels_shared import same_loops

SOURCE = Path(__file__).with_name("kernels.c")
kinds = Kinds(same_loops(peer_gcc.kinds))
start, version = peer_gcc.start, peer_gcc.version


def running(name: str, inputs: tuple[Array, ...], out: Array, *rest: int | float, note: str = "") -> Run:
    """`name(*inputs, out, *rest)` of kernels.c."""
    return Run(peer_gcc.function(name, *inputs, out, *rest, source=SOURCE), lambda: out, note=note)


@kinds("fused_elementwise")
def fused_elementwise(x: Any, p: Any) -> Run:
    return running("fused_elementwise", (x["x"], x["a"], x["b"]), empty(x["x"].size), x["x"].size)


@kinds("heat3d")
def heat3d(x: Any, p: Any) -> Run:
    u = x["u"]
    return running("heat3d", (u,), empty(u.shape), *u.shape, float(x["kappa"]))


@kinds("nbody")
def nbody(x: Any, p: Any) -> Run:
    n = len(x["bodies"])
    return running("nbody", (x["bodies"],), empty((n, 3)), n)


@kinds("histogram")
def histogram(x: Any, p: Any) -> Run:
    return running("histogram", (x["data"],), empty(256, np.int32), x["data"].size)


@kinds("scan")
def scan(x: Any, p: Any) -> Run:
    return running("scan", (x["a"],), empty(x["a"].size, np.int32), x["a"].size, note="one thread")


@kinds("compaction")
def compaction(x: Any, p: Any) -> Run:
    a = x["a"]
    out = empty(a.size)
    run = running("compaction", (a,), out, a.size, note="one thread")
    return Run(run.call, lambda: out[:np.count_nonzero(a > 0)], note=run.note)


@kinds("mandelbrot")
def mandelbrot(x: Any, p: Any) -> Run:
    return running("mandelbrot", (), empty(x["shape"], np.int32), *x["shape"], x["steps"])


@kinds("rmsnorm")
def rmsnorm(x: Any, p: Any) -> Run:
    return running("rmsnorm", (x["x"], x["gamma"]), empty(x["x"].shape, np.float16), *x["x"].shape, float(x["eps"]))


@kinds("black_scholes")
def black_scholes(x: Any, p: Any) -> Run:
    options = (x["spot"], x["strike"], x["years"])
    n = x["spot"].size
    return running("black_scholes", options, empty((2, n)), n, float(x["rate"]), float(x["volatility"]))


@kinds("spmv_csr")
def spmv_csr(x: Any, p: Any) -> Run:
    rows = len(x["starts"]) - 1
    return running("spmv_csr", (x["starts"], x["columns"], x["values"], x["x"]), empty(rows), rows)


@kinds("game_of_life")
def game_of_life(x: Any, p: Any) -> Run:
    return running("game_of_life", (x["cells"],), empty(x["cells"].shape, np.uint8), *x["cells"].shape)


@kinds("row_argmax")
def row_argmax(x: Any, p: Any) -> Run:
    return running("row_argmax", (x["x"],), empty(len(x["x"]), np.int32), *x["x"].shape)
