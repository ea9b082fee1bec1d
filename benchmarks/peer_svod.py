"""svod: each workload is one kernel written as a graph, scheduled by the default strategy, called through `Program.execute`.

Owns: the graphs. Needs only a module that has Kinds, Run and empty: `contract` here, or `common` of a harness that calls its own so.
Invariant: no schedule is given by hand, and every call is checked.
"""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import svod
from svod import DType, UOp, dtypes

try:
    from contract import Kinds, Run, empty
except ImportError:
    from common import Kinds, Run, empty  # type: ignore[import-not-found, no-redef]

kinds = Kinds()
Array = NDArray[Any]
Arrays = Mapping[str, Array]
Parameters = Mapping[str, Any]


def start(threads: int) -> None:
    """Before svod reads its settings."""
    os.environ["SVOD_NUM_THREADS"] = str(threads)


def version() -> str:
    """What ran."""
    return f"svod {svod.__version__} ({svod.Device('CPU').target.arch})"


# ---- the words the graphs are written in --------------------------------------------------------------------------------


def axes(*extents: int | UOp) -> tuple[UOp, ...]:
    """Ranges 0, 1, 2, … of these extents."""
    return tuple(UOp.range(e, i) for i, e in enumerate(extents))


def buffers(names: str, dtype: DType = dtypes.f32) -> tuple[UOp, ...]:
    """Buffer parameters in the order of `names`."""
    return tuple(UOp.param(i, dtype, name=n) for i, n in enumerate(names.split()))


def built(name: str, effect: UOp | Sequence[UOp], arrays: Sequence[Array], values: tuple[float, ...] = (), outputs: int = 1) -> Run:
    """The Run of a kernel on `arrays`, whose first `outputs` are its results."""
    effects = effect if isinstance(effect, Sequence) else (effect,)
    program = svod.Device("CPU").compile(UOp.sink(*effects, name=name))
    execute, fixed = program.execute, tuple(arrays)
    result = fixed[0] if outputs == 1 else fixed[:outputs]
    return Run(lambda: execute(fixed, values), lambda: result)


def floating(array: Array) -> DType:
    """The svod dtype of a float32 or float64 array."""
    return dtypes.f64 if array.dtype == np.float64 else dtypes.f32


# ---- elementwise --------------------------------------------------------------------------------------------------------


@kinds("add")
def add(x: Arrays, p: Parameters) -> Run:
    out, a, b = buffers("out a b")
    (i,) = axes(p["n"])
    return built("add", out[i].store(a[i].load() + b[i].load()), (empty(p["n"]), x["a"], x["b"]))


@kinds("saxpy")
def saxpy(x: Arrays, p: Parameters) -> Run:
    out, a, b = buffers("out a b")
    (i,) = axes(p["n"])
    alpha = UOp.scalar("alpha", dtypes.f32)
    return built("saxpy", out[i].store(a[i].load() * alpha + b[i].load()), (empty(p["n"]), x["a"], x["b"]), (p["alpha"],))


@kinds("chain")
def chain(x: Arrays, p: Parameters) -> Run:
    out, a, b, c, d = buffers("out a b c d")
    (i,) = axes(p["n"])
    v = (a[i].load() * b[i].load() + c[i].load()).maximum(0.0) * d[i].load()
    return built("chain", out[i].store(v), (empty(p["n"]), *(x[k] for k in "abcd")))


def gelu_of(v: UOp) -> UOp:
    """gelu in its tanh form."""
    return v * 0.5 * (((v + v * v * v * 0.044715) * 0.7978845608028654).tanh() + 1.0)


def elementwise(name: str, x: Arrays, p: Parameters) -> Run:
    """out = f(a)."""
    out, a = buffers("out a")
    (i,) = axes(p["n"])
    v = a[i].load()
    f = gelu_of(v) if name == "gelu" else getattr(v, name)()
    return built(name, out[i].store(f), (empty(p["n"]), x["a"]))


kinds["exp"] = lambda x, p: elementwise("exp", x, p)
kinds["tanh"] = lambda x, p: elementwise("tanh", x, p)
kinds["sin"] = lambda x, p: elementwise("sin", x, p)
kinds["gelu"] = lambda x, p: elementwise("gelu", x, p)


@kinds("hash")
def hash_(x: Arrays, p: Parameters) -> Run:
    out, a = buffers("out a", dtypes.u32)
    (i,) = axes(p["n"])
    v = a[i].load()
    v = (v ^ (v >> 16)) * 0x7FEB352D
    v = (v ^ (v >> 15)) * 0x846CA68B
    return built("hash", out[i].store(v ^ (v >> 16)), (empty(p["n"], np.uint32), x["a"]))


@kinds("blackscholes")
def blackscholes(x: Arrays, p: Parameters) -> Run:
    call, put, s, k, t = buffers("call put s k t")
    (i,) = axes(p["n"])
    spot, strike, years, rate, sigma = s[i].load(), k[i].load(), t[i].load(), p["r"], p["sigma"]
    spread = years.sqrt() * sigma
    d = ((spot / strike).log() + years * (rate + sigma * sigma / 2)) / spread
    due = strike * (years * -rate).exp()

    def below(v: UOp) -> UOp:
        return ((v * 0.7071067811865476).erf() + 1.0) * 0.5

    price = spot * below(d) - due * below(d - spread)
    effects = (call[i].store(price), put[i].store(price - spot + due))
    return built("blackscholes", effects, (empty(p["n"]), empty(p["n"]), *(x[q] for q in "skt")), outputs=2)


# ---- reductions and rows ------------------------------------------------------------------------------------------------


@kinds("sum")
def sum_(x: Arrays, p: Parameters) -> Run:
    out, a = buffers("out a")
    (i,) = axes(p["n"])
    return built("sum", out[0].store(a[i].load().sum(i)), (empty(1), x["a"]))


@kinds("dot")
def dot(x: Arrays, p: Parameters) -> Run:
    out, a, b = buffers("out a b")
    (i,) = axes(p["n"])
    return built("dot", out[0].store((a[i].load() * b[i].load()).sum(i)), (empty(1), x["a"], x["b"]))


@kinds("softmax")
def softmax(x: Arrays, p: Parameters) -> Run:
    m, n = p["m"], p["n"]
    out, a = buffers("out a")
    i, j, k, q = axes(m, n, n, n)
    top = a[i * n + j].load().max(j)
    total = (a[i * n + k].load() - top).exp().sum(k)
    return built("softmax", out[i * n + q].store((a[i * n + q].load() - top).exp() / total), (empty((m, n)), x["a"]))


@kinds("layernorm")
def layernorm(x: Arrays, p: Parameters) -> Run:
    m, n = p["m"], p["n"]
    out, a, g, h = buffers("out a g h")
    i, j, k, q = axes(m, n, n, n)
    mean = a[i * n + j].load().sum(j) * (1 / n)
    off = a[i * n + k].load() - mean
    scale = ((off * off).sum(k) * (1 / n) + p["eps"]).rsqrt()
    v = (a[i * n + q].load() - mean) * scale * g[q].load() + h[q].load()
    return built("layernorm", out[i * n + q].store(v), (empty((m, n)), x["a"], x["g"], x["h"]))


@kinds("rmsnorm")
def rmsnorm(x: Arrays, p: Parameters) -> Run:
    m, n = p["m"], p["n"]
    out, a, g = buffers("out a g")
    i, k, q = axes(m, n, n)
    v = a[i * n + k].load()
    scale = ((v * v).sum(k) * (1 / n) + p["eps"]).rsqrt()
    return built("rmsnorm", out[i * n + q].store(a[i * n + q].load() * scale * g[q].load()), (empty((m, n)), x["a"], x["g"]))


@kinds("argmax")
def argmax(x: Arrays, p: Parameters) -> Run:
    m, n = p["m"], p["n"]
    out, a = UOp.param(0, dtypes.i64, name="out"), UOp.param(1, dtypes.f32, name="a")
    i, j, k = axes(m, n, n)
    top = a[i * n + j].load().max(j)
    place = a[i * n + k].load().eq(top).where(k.cast(dtypes.i32), UOp.const(n, dtypes.i32)).min(k)
    return built("argmax", out[i].store(place.cast(dtypes.i64)), (empty(m, np.int64), x["a"]))


# ---- products -----------------------------------------------------------------------------------------------------------


@kinds("gemv")
def gemv(x: Arrays, p: Parameters) -> Run:
    m, k = p["m"], p["k"]
    out, a, b = buffers("out a b")
    i, q = axes(m, k)
    return built("gemv", out[i].store((a[i * k + q].load() * b[q].load()).sum(q)), (empty(m), x["a"], x["b"]))


@kinds("gemm")
def gemm(x: Arrays, p: Parameters) -> Run:
    m, n, k = p["m"], p["n"], p["k"]
    out, a, b = buffers("out a b", floating(x["a"]))
    i, j, q = axes(m, n, k)
    v = (a[i * k + q].load() * b[q * n + j].load()).sum(q)
    return built("gemm", out[i * n + j].store(v), (empty((m, n), x["a"].dtype), x["a"], x["b"]))


@kinds("bmm")
def bmm(x: Arrays, p: Parameters) -> Run:
    h, m, n, k = p["b"], p["m"], p["n"], p["k"]
    out, a, b = buffers("out a b")
    g, i, j, q = axes(h, m, n, k)
    v = (a[(g * m + i) * k + q].load() * b[(g * k + q) * n + j].load()).sum(q)
    return built("bmm", out[(g * m + i) * n + j].store(v), (empty((h, m, n)), x["a"], x["b"]))


@kinds("linear_gelu")
def linear_gelu(x: Arrays, p: Parameters) -> Run:
    m, n, k = p["m"], p["n"], p["k"]
    out, a, b, c = buffers("out a b c")
    i, j, q = axes(m, n, k)
    v = (a[i * k + q].load() * b[q * n + j].load()).sum(q) + c[j].load()
    return built("linear_gelu", out[i * n + j].store(gelu_of(v)), (empty((m, n)), x["a"], x["b"], x["c"]))


@kinds("conv2d")
def conv2d(x: Arrays, p: Parameters) -> Run:
    """The border is a gate: what lies outside of the image is 0."""
    count, channels, outputs, side = p["b"], p["c"], p["o"], p["s"]
    out, image, weights = buffers("out image weights")
    n, o, y, z, c, u, v = axes(count, outputs, side, side, channels, 3, 3)
    row, column = y + u - 1, z + v - 1
    inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    pixel = image.index(((n * channels + c) * side + row) * side + column, inside).load(0.0)
    total = (pixel * weights[((o * channels + c) * 3 + u) * 3 + v].load()).sum(c, u, v)
    place = ((n * outputs + o) * side + y) * side + z
    return built("conv2d", out[place].store(total), (empty((count, outputs, side, side)), x["a"], x["w"]))


@kinds("nbody")
def nbody(x: Arrays, p: Parameters) -> Run:
    ax, ay, az, *inputs = buffers("ax ay az x y z m")
    i, j = axes(p["n"], p["n"])
    away = [c[j].load() - c[i].load() for c in inputs[:3]]
    r2 = away[0] * away[0] + away[1] * away[1] + away[2] * away[2] + p["eps2"]
    pull = inputs[3][j].load() / (r2 * r2.sqrt())
    effects = [o[i].store((d * pull).sum(j)) for o, d in zip((ax, ay, az), away, strict=True)]
    return built("nbody", effects, (*(empty(p["n"]) for _ in range(3)), *(x[k] for k in "xyzm")), outputs=3)


# ---- movement -----------------------------------------------------------------------------------------------------------


@kinds("transpose")
def transpose(x: Arrays, p: Parameters) -> Run:
    m, n = p["m"], p["n"]
    out, a = buffers("out a")
    i, j = axes(n, m)
    return built("transpose", out[i * m + j].store(a[j * n + i].load()), (empty((n, m)), x["a"]))


@kinds("stencil")
def stencil(x: Arrays, p: Parameters) -> Run:
    """The inner points; the border of the result is 0 from the start."""
    m, n = p["m"], p["n"]
    out, a = buffers("out a")
    y, z = (r + 1 for r in axes(m - 2, n - 2))

    def at(u: UOp, v: UOp) -> UOp:
        return a[u * n + v].load()

    v = (at(y - 1, z) + at(y + 1, z) + at(y, z - 1) + at(y, z + 1)) * 0.25 - at(y, z)
    return built("stencil", out[y * n + z].store(v), (empty((m, n)), x["a"]))


