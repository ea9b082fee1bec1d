"""The rows of the benchmark: kinds of workloads, their sizes, inputs, operation and byte counts, tolerances.

Owns: CASES and the check of a result. Must not know peers or timing.
Invariant: a case is data; in every process that asks for it, its arrays are the same.

`flops` counts what the mathematics needs (a transcendental is one); `bytes` is the compulsory traffic: every input read once, every output
written once. Both are read against the ceilings of the machine, see roofline.py.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import references as ref
from contract import Array

Sizes = Mapping[str, int]
SEED = 20240607
DTYPES = {"f32": np.float32, "f64": np.float64}


@dataclass(frozen=True, slots=True)
class Input:
    """A uniform array in [low, high)."""

    shape: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of row: its inputs, reference, floating-point operations and elements moved, all from its sizes.

    `metric` is what a table shows: "GB/s", "GFLOP/s", or "us" for calls so short that the call itself counts. `constants` are what builders
    get beside the sizes. An element may be off by rtol × its own size + atol × the greatest.
    """

    inputs: Callable[[Sizes], dict[str, Input]]
    reference: Callable[[ref.Arrays], Array]
    flops: Callable[[Sizes], int]
    moved: Callable[[Sizes], int]
    metric: str = "GB/s"
    constants: Mapping[str, float] = field(default_factory=dict)
    rtol: float = 1e-5
    atol: float = 1e-5


def _vector(low: float = -1.0, high: float = 1.0, names: str = "a") -> Callable[[Sizes], dict[str, Input]]:
    return lambda s: {k: Input((s["n"],), low, high) for k in names}


def _rows(low: float = -1.0, high: float = 1.0, vectors: str = "") -> Callable[[Sizes], dict[str, Input]]:
    return lambda s: {"a": Input((s["m"], s["n"]), low, high)} | {k: Input((s["n"],)) for k in vectors}


def _map(reference: Callable[[ref.Arrays], Array], low: float, high: float, flops: int = 1) -> Workload:
    return Workload(_vector(low, high), reference, lambda s: flops * s["n"], lambda s: 2 * s["n"])


def _product(s: Sizes) -> dict[str, Input]:
    return {"a": Input((s["m"], s["k"])), "b": Input((s["k"], s["n"]))}


def _linear(s: Sizes) -> dict[str, Input]:
    return {"a": Input((s["m"], s["k"])), "b": Input((s["k"], s["n"]), -0.05, 0.05), "c": Input((s["n"],))}


def _stacks(s: Sizes) -> dict[str, Input]:
    return {"a": Input((s["b"], s["m"], s["k"])), "b": Input((s["b"], s["k"], s["n"]))}


def _image(s: Sizes) -> dict[str, Input]:
    return {"a": Input((s["b"], s["c"], s["s"], s["s"])), "w": Input((s["o"], s["c"], 3, 3), -0.1, 0.1)}


def _matrix(s: Sizes) -> int:
    return s["m"] * s["n"]


def _operands(s: Sizes) -> int:
    return s["m"] * s["k"] + s["k"] * s["n"] + s["m"] * s["n"]


WORKLOADS: dict[str, Workload] = {
    "add": Workload(_vector(names="ab"), ref.add, lambda s: s["n"], lambda s: 3 * s["n"]),
    "saxpy": Workload(_vector(names="ab"), ref.saxpy, lambda s: 2 * s["n"], lambda s: 3 * s["n"], constants={"alpha": ref.ALPHA}),
    "chain": Workload(_vector(names="abcd"), ref.chain, lambda s: 4 * s["n"], lambda s: 5 * s["n"]),
    "exp": _map(ref.exp, -10, 10),
    "tanh": _map(ref.tanh, -4, 4),
    "gelu": _map(ref.gelu, -5, 5, 9),
    "sin": _map(ref.sin, -30, 30),
    # 16 M elements in some chains of float32: honest results are off by up to 2e-4 of the sum
    "sum": Workload(_vector(0, 1), ref.total, lambda s: s["n"], lambda s: s["n"], atol=1e-3),
    "dot": Workload(_vector(0, 1, "ab"), ref.dot, lambda s: 2 * s["n"], lambda s: 2 * s["n"], atol=1e-3),
    "softmax": Workload(_rows(-4, 4), ref.softmax, lambda s: 5 * _matrix(s), lambda s: 2 * _matrix(s)),
    "layernorm": Workload(_rows(-2, 3, "gh"), ref.layernorm, lambda s: 8 * _matrix(s), lambda s: 2 * _matrix(s),
                          constants={"eps": ref.EPSILON}, rtol=1e-4),
    "rmsnorm": Workload(_rows(-2, 3, "g"), ref.rmsnorm, lambda s: 5 * _matrix(s), lambda s: 2 * _matrix(s),
                        constants={"eps": ref.EPSILON}, rtol=1e-4),
    "argmax": Workload(_rows(), ref.argmax, _matrix, _matrix, rtol=0, atol=0),
    "gemv": Workload(lambda s: {"a": Input((s["m"], s["k"])), "b": Input((s["k"],))}, ref.matmul, lambda s: 2 * s["m"] * s["k"],
                     lambda s: s["m"] * s["k"] + s["k"] + s["m"]),
    "stencil": Workload(_rows(), ref.stencil, lambda s: 5 * _matrix(s), lambda s: 2 * _matrix(s)),
    "transpose": Workload(_rows(), ref.transpose, lambda s: 0, lambda s: 2 * _matrix(s), rtol=0, atol=0),
    "gemm": Workload(_product, ref.matmul, lambda s: 2 * s["m"] * s["n"] * s["k"], _operands, "GFLOP/s"),
    "bmm": Workload(_stacks, ref.matmul, lambda s: 2 * s["b"] * s["m"] * s["n"] * s["k"], lambda s: s["b"] * _operands(s), "GFLOP/s"),
    "linear_gelu": Workload(_linear, ref.linear_gelu, lambda s: 2 * s["m"] * s["n"] * s["k"] + 10 * _matrix(s),
                            lambda s: _operands(s) + s["n"], "GFLOP/s", rtol=1e-4, atol=1e-4),
    "conv2d": Workload(_image, ref.conv2d, lambda s: 18 * s["b"] * s["c"] * s["o"] * s["s"] ** 2,
                       lambda s: s["b"] * (s["c"] + s["o"]) * s["s"] ** 2 + 9 * s["c"] * s["o"], "GFLOP/s", rtol=1e-4, atol=1e-4),
}
"""kind -> what it is."""


@dataclass(frozen=True, slots=True)
class Case:
    """A row: a workload at one size. `small` is the size of `--scale small`, for a look at whether everything still works."""

    name: str
    kind: str
    full: Sizes
    small: Sizes
    dtype: str = "f32"
    metric: str = ""
    tolerance: float | None = None
    """Replaces the workload's rtol and atol."""

    def sizes(self, scale: str) -> Sizes:
        """The sizes at scale "full" or "small"."""
        return self.full if scale == "full" else self.small

    def parameters(self, scale: str) -> dict[str, float]:
        """What a builder gets: sizes and constants."""
        return {**self.sizes(scale), **self.workload.constants}

    @property
    def workload(self) -> Workload:
        return WORKLOADS[self.kind]

    @property
    def shown(self) -> str:
        """The unit of its column."""
        return self.metric or self.workload.metric

    def flops(self, scale: str) -> int:
        """Floating-point operations of one call."""
        return self.workload.flops(self.sizes(scale))

    def bytes(self, scale: str) -> int:
        """Bytes one call must move."""
        return self.workload.moved(self.sizes(scale)) * np.dtype(DTYPES[self.dtype]).itemsize

    def inputs(self, scale: str) -> dict[str, Array]:
        """The inputs, always the same."""
        rng = np.random.default_rng(SEED)
        return {k: _uniform(rng, i, DTYPES[self.dtype]) for k, i in self.workload.inputs(self.sizes(scale)).items()}

    def value(self, seconds: float, scale: str) -> float:
        """A time in the unit of the row."""
        if self.shown == "us":
            return seconds * 1e6
        return (self.flops(scale) if self.shown == "GFLOP/s" else self.bytes(scale)) / seconds / 1e9


def _uniform(rng: np.random.Generator, spec: Input, dtype: Any) -> Array:
    array = rng.random(spec.shape, dtype=np.float32)
    array *= np.float32(spec.high - spec.low)
    array += np.float32(spec.low)
    return array.astype(dtype, copy=False)


def _cases() -> list[Case]:
    many, some, side = 1 << 24, 1 << 22, {"m": 4096, "n": 4096}
    odd, few, block = {"n": 5003}, {"n": 3001}, {"m": 37, "n": 67}
    out = [Case(f"add_{n}", "add", {"n": n}, {"n": n}, metric="us") for n in (100, 1000, 3072)]
    out += [Case(f"{k}_16M", k, {"n": many}, odd) for k in ("add", "saxpy", "chain")]
    out += [Case(f"{k}_4M", k, {"n": some}, few) for k in ("exp", "tanh", "gelu", "sin")]
    out += [Case(f"{k}_16M", k, {"n": many}, odd) for k in ("sum", "dot")]
    out += [Case(f"{k}_4096", k, side, block) for k in ("softmax", "layernorm", "rmsnorm")]
    out += [Case("argmax_rows", "argmax", side, block), Case("gemv_4096", "gemv", {"m": 4096, "k": 4096}, {"m": 37, "k": 67})]
    out += [Case(f"{k}_4096", k, side, block) for k in ("stencil", "transpose")]
    out += [_gemm(f"gemm_{n}", n, n, n) for n in (128, 256, 512, 1024, 2048)]
    out += [_gemm("gemm_1000x777x1313", 1000, 777, 1313), _gemm("gemm_f64_1024", 1024, 1024, 1024, "f64", 1e-11)]
    out += [
        Case("bmm_64x128", "bmm", {"b": 64, "m": 128, "n": 128, "k": 128}, {"b": 3, "m": 17, "n": 35, "k": 9}),
        Case("linear_gelu_1024", "linear_gelu", {"m": 1024, "n": 1024, "k": 1024}, {"m": 33, "n": 65, "k": 29}),
        Case("conv2d_3x3", "conv2d", {"b": 8, "c": 64, "o": 64, "s": 56}, {"b": 2, "c": 3, "o": 5, "s": 19}),
    ]
    return out


def _gemm(name: str, m: int, n: int, k: int, dtype: str = "f32", tolerance: float | None = None) -> Case:
    return Case(name, "gemm", {"m": m, "n": n, "k": k}, {"m": 7 + m % 11, "n": 35, "k": 13}, dtype, tolerance=tolerance)


CASES = {c.name: c for c in _cases()}
"""name -> row, in the order of the tables."""


def check(case: Case, got: Any, reference: Array) -> str:
    """Empty if `got` agrees with the float64 reference, else what is wrong."""
    out = np.asarray(got)
    if out.size != reference.size:
        return f"shape {out.shape} instead of {reference.shape}"
    out, want = out.reshape(-1), reference.reshape(-1)
    rtol, atol = (case.workload.rtol, case.workload.atol) if case.tolerance is None else (case.tolerance,) * 2
    slack = atol * float(np.abs(want).max())
    for start in range(0, want.size, 1 << 20):
        part, wanted = out[start : start + (1 << 20)].astype(np.float64), want[start : start + (1 << 20)]
        error = np.abs(part - wanted)
        bad = ~(error <= rtol * np.abs(wanted) + slack)
        if bad.any():
            at = int(np.argmax(np.where(bad, np.nan_to_num(error, nan=np.inf), -1.0)))
            return f"element {start + at} is {part[at]!r} instead of {wanted[at]!r} ({int(bad.sum())} wrong nearby)"
    return ""
