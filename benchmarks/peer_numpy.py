"""NumPy, with the BLAS of its wheel: whole-array operations, `out=` wherever NumPy has it, temporaries allocated before.

Owns: what a NumPy user writes for each kind. Invariant: no loop over elements in Python.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from contract import Array, Kinds, Run, empty
from references import GELU_CUBIC, GELU_SCALE

kinds = Kinds()
single = np.float32


def start(threads: int) -> None:
    """OpenBLAS has read its threads from the environment."""


def version() -> str:
    """What ran."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"numpy {np.__version__} ({blas['name']} {blas['version']})"


def unary(function: Callable[..., Any]) -> Callable[[Any, Any], Run]:
    """The builder of out = f(a)."""

    def build(x: Any, p: Any) -> Run:
        a, out = x["a"], empty(x["a"].shape)
        return Run(lambda: function(a, out=out), lambda: out)

    return build


kinds["exp"], kinds["tanh"], kinds["sin"] = unary(np.exp), unary(np.tanh), unary(np.sin)


@kinds("add")
def add(x: Any, p: Any) -> Run:
    a, b, out = x["a"], x["b"], empty(p["n"])
    return Run(lambda: np.add(a, b, out=out), lambda: out)


@kinds("saxpy")
def saxpy(x: Any, p: Any) -> Run:
    a, b, out, alpha = x["a"], x["b"], empty(p["n"]), single(p["alpha"])

    def call() -> None:
        np.multiply(a, alpha, out=out)
        np.add(out, b, out=out)

    return Run(call, lambda: out)


@kinds("chain")
def chain(x: Any, p: Any) -> Run:
    a, b, c, d, out = x["a"], x["b"], x["c"], x["d"], empty(p["n"])

    def call() -> None:
        np.multiply(a, b, out=out)
        np.add(out, c, out=out)
        np.maximum(out, 0, out=out)
        np.multiply(out, d, out=out)

    return Run(call, lambda: out)


def gelu_into(a: Array, out: Array, spare: Array) -> None:
    """gelu(a) into `out`, which may be `a`."""
    np.multiply(a, a, out=spare)
    np.multiply(spare, single(GELU_CUBIC), out=spare)
    np.add(spare, single(1), out=spare)
    np.multiply(spare, a, out=spare)
    np.multiply(spare, single(GELU_SCALE), out=spare)
    np.tanh(spare, out=spare)
    np.add(spare, single(1), out=spare)
    np.multiply(spare, a, out=spare)
    np.multiply(spare, single(0.5), out=out)


@kinds("gelu")
def gelu(x: Any, p: Any) -> Run:
    a, out, spare = x["a"], empty(p["n"]), empty(p["n"])
    return Run(lambda: gelu_into(a, out, spare), lambda: out)


@kinds("sum")
def total(x: Any, p: Any) -> Run:
    a, out = x["a"], empty(())
    return Run(lambda: np.sum(a, out=out), lambda: out)


@kinds("dot")
def dot(x: Any, p: Any) -> Run:
    a, b, out = x["a"], x["b"], empty(())
    return Run(lambda: np.dot(a, b, out=out), lambda: out)


@kinds("softmax")
def softmax(x: Any, p: Any) -> Run:
    a, out = x["a"], empty(x["a"].shape)

    def call() -> None:
        np.subtract(a, a.max(1, keepdims=True), out=out)
        np.exp(out, out=out)
        np.divide(out, out.sum(1, keepdims=True), out=out)

    return Run(call, lambda: out)


@kinds("layernorm")
def layernorm(x: Any, p: Any) -> Run:
    a, g, h, out, spare = x["a"], x["g"], x["h"], empty(x["a"].shape), empty(x["a"].shape)

    def call() -> None:
        np.subtract(a, a.mean(1, keepdims=True), out=out)
        np.multiply(out, out, out=spare)
        np.multiply(out, 1 / np.sqrt(spare.mean(1, keepdims=True) + single(p["eps"])), out=out)
        np.multiply(out, g, out=out)
        np.add(out, h, out=out)

    return Run(call, lambda: out)


@kinds("rmsnorm")
def rmsnorm(x: Any, p: Any) -> Run:
    a, g, out = x["a"], x["g"], empty(x["a"].shape)

    def call() -> None:
        np.multiply(a, a, out=out)
        np.multiply(a, 1 / np.sqrt(out.mean(1, keepdims=True) + single(p["eps"])), out=out)
        np.multiply(out, g, out=out)

    return Run(call, lambda: out)


@kinds("argmax")
def argmax(x: Any, p: Any) -> Run:
    a, out = x["a"], empty(p["m"], np.int64)
    return Run(lambda: np.argmax(a, 1, out=out), lambda: out)


@kinds("gemv", "gemm", "bmm")
def matmul(x: Any, p: Any) -> Run:
    a, b = x["a"], x["b"]
    out = empty((*a.shape[:-1], *b.shape[b.ndim - 1 :]) if b.ndim > 1 else a.shape[0], a.dtype)
    return Run(lambda: np.matmul(a, b, out=out), lambda: out)


@kinds("linear_gelu")
def linear_gelu(x: Any, p: Any) -> Run:
    a, b, c, out, spare = x["a"], x["b"], x["c"], empty((p["m"], p["n"])), empty((p["m"], p["n"]))

    def call() -> None:
        np.matmul(a, b, out=out)
        np.add(out, c, out=out)
        gelu_into(out, out, spare)

    return Run(call, lambda: out)


@kinds("conv2d")
def conv2d(x: Any, p: Any) -> Run:
    """The nine shifted images side by side, then one matrix product for each image."""
    batch, channels, outputs, s = p["b"], p["c"], p["o"], p["s"]
    a, w = x["a"], np.ascontiguousarray(x["w"].reshape(outputs, channels * 9))
    framed, columns, out = empty((batch, channels, s + 2, s + 2)), empty((batch, channels, 9, s, s)), empty((batch, outputs, s, s))

    def call() -> None:
        framed[:, :, 1:-1, 1:-1] = a
        for i in range(3):
            for j in range(3):
                columns[:, :, 3 * i + j] = framed[:, :, i : i + s, j : j + s]
        np.matmul(w, columns.reshape(batch, channels * 9, s * s), out=out.reshape(batch, outputs, s * s))

    return Run(call, lambda: out, note="columns by hand, then BLAS")


@kinds("transpose")
def transpose(x: Any, p: Any) -> Run:
    a, out = x["a"], empty((p["n"], p["m"]))
    return Run(lambda: np.copyto(out, a.T), lambda: out)


@kinds("stencil")
def stencil(x: Any, p: Any) -> Run:
    a, out = x["a"], empty(x["a"].shape)
    inner = out[1:-1, 1:-1]

    def call() -> None:
        np.add(a[:-2, 1:-1], a[2:, 1:-1], out=inner)
        np.add(inner, a[1:-1, :-2], out=inner)
        np.add(inner, a[1:-1, 2:], out=inner)
        np.multiply(inner, single(0.25), out=inner)
        np.subtract(inner, a[1:-1, 1:-1], out=inner)

    return Run(call, lambda: out)
