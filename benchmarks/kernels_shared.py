"""Kernels of examples/kernels that are rows of the benchmark of graphs too: their loops in C and Numba are there already.

Owns: what such a kernel is called there, and its inputs by the names used there. Must not know a peer.
Invariant: inputs are those of the kernel's `Bench`.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contract import Builder, Run

Inputs = Mapping[str, Any]


def _product(x: Inputs) -> tuple[str, Inputs, Inputs]:
    (m, k), n = x["a"].shape, x["b"].shape[1]
    return "gemm", {"a": x["a"], "b": x["b"]}, {"m": m, "n": n, "k": k}


def _sides(kind: str, x: Inputs, a: Any, **constants: float) -> tuple[str, Inputs, Inputs]:
    return kind, {**x, "a": a}, {"m": a.shape[0], "n": a.shape[1], **constants}


SHARED: dict[str, Callable[[Inputs], tuple[str, Inputs, Inputs]]] = {
    "vector_add": lambda x: ("add", {"a": x["a"], "b": x["b"]}, {"n": x["a"].size}),
    "saxpy": lambda x: ("saxpy", {"a": x["x"], "b": x["y"]}, {"n": x["x"].size, "alpha": x["alpha"]}),
    "transpose": lambda x: _sides("transpose", {}, x["a"]),
    "tree_reduction": lambda x: ("sum", {"a": x["a"]}, {"n": x["a"].size}),
    "warp_reduction": lambda x: ("sum", {"a": x["a"]}, {"n": x["a"].size}),
    "softmax": lambda x: _sides("softmax", {}, x["x"]),
    "layernorm": lambda x: _sides("layernorm", {"g": x["gamma"], "h": x["beta"]}, x["x"], eps=x["eps"]),
    "stencil5": lambda x: _sides("stencil", {}, x["a"]),
    "matmul_naive": _product,
    "matmul_tiled": _product,
    "matmul_blocked": _product,
    "conv2d": lambda x: ("conv2d", {"a": x["image"], "w": x["weight"]}, {
        "b": x["image"].shape[0], "c": x["image"].shape[1], "o": x["weight"].shape[0], "s": x["image"].shape[2]}),
}
"""Kernel -> (kind of workload, its inputs, its sizes and constants), from the inputs of its Bench."""


def same_loops(kinds: Mapping[str, Builder]) -> dict[str, Builder]:
    """The kernels that a peer of the other benchmark can compute, as builders from the inputs of a Bench."""
    def builder(kernel: str) -> Builder:
        def build(x: Any, p: Any) -> Run:
            kind, inputs, sizes = SHARED[kernel](x)
            return kinds[kind](inputs, sizes)
        return build

    return {kernel: builder(kernel) for kernel in SHARED}
