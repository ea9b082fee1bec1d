"""PyTorch, eager: one operator after the other, on the same NumPy memory as everyone, `out=` wherever an operator has it.

Owns: what a PyTorch user writes for each kind. Invariant: no gradients, no compilation.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from contract import Array, Kinds, Run, empty

kinds = Kinds()
ALLOCATES = "allocates its result"


def start(threads: int) -> None:
    """Size of the pool; no gradients."""
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)


def version() -> str:
    """What ran."""
    mkl = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    return f"torch {torch.__version__} ({'MKL, ' if mkl else ''}oneDNN)"


def tensor(array: Array) -> torch.Tensor:
    """The same memory as a tensor."""
    return torch.from_numpy(array)


def into(operator: Callable[..., Any], shape: Any, *arrays: Array, dtype: Any = None) -> Run:
    """An operator that writes into `out=`."""
    result = empty(shape, dtype or arrays[0].dtype)
    out, given = tensor(result), tuple(tensor(a) for a in arrays)
    return Run(lambda: operator(*given, out=out), lambda: result)


def returning(function: Callable[..., torch.Tensor], *arrays: Array) -> Run:
    """An operator without `out=`: a new tensor each time."""
    given = tuple(tensor(a) for a in arrays)
    last: list[torch.Tensor] = []

    def call() -> None:
        last[:] = (function(*given),)

    def out() -> Array:
        array: Array = last[0].numpy()
        return array

    return Run(call, out, note=ALLOCATES)


kinds["exp"] = lambda x, p: into(torch.exp, p["n"], x["a"])
kinds["tanh"] = lambda x, p: into(torch.tanh, p["n"], x["a"])
kinds["sin"] = lambda x, p: into(torch.sin, p["n"], x["a"])
kinds["add"] = lambda x, p: into(torch.add, p["n"], x["a"], x["b"])
kinds["saxpy"] = lambda x, p: into(lambda a, b, out: torch.add(b, a, alpha=p["alpha"], out=out), p["n"], x["a"], x["b"])
kinds["sum"] = lambda x, p: into(lambda a, out: torch.sum(a, 0, out=out), (), x["a"])
kinds["dot"] = lambda x, p: into(torch.dot, (), x["a"], x["b"])
kinds["gelu"] = lambda x, p: into(gelu_into, p["n"], x["a"])
kinds["softmax"] = lambda x, p: into(lambda a, out: torch.softmax(a, 1, out=out), x["a"].shape, x["a"])
kinds["argmax"] = lambda x, p: into(lambda a, out: torch.argmax(a, 1, out=out), p["m"], x["a"], dtype="int64")
kinds["gemv"] = lambda x, p: into(torch.mv, p["m"], x["a"], x["b"])
kinds["gemm"] = lambda x, p: into(torch.mm, (p["m"], p["n"]), x["a"], x["b"])
kinds["bmm"] = lambda x, p: into(torch.bmm, (p["b"], p["m"], p["n"]), x["a"], x["b"])
kinds["transpose"] = lambda x, p: into(lambda a, out: out.copy_(a.t()), (p["n"], p["m"]), x["a"])
kinds["rmsnorm"] = lambda x, p: returning(lambda a, g: F.rms_norm(a, (p["n"],), g, p["eps"]), x["a"], x["g"])
kinds["conv2d"] = lambda x, p: returning(lambda a, w: F.conv2d(a, w, padding=1), x["a"], x["w"])


def gelu_into(a: torch.Tensor, out: torch.Tensor) -> None:
    """gelu in its tanh form."""
    torch.ops.aten.gelu.out(a, approximate="tanh", out=out)


@kinds("chain")
def chain(x: Any, p: Any) -> Run:
    def f(a: Any, b: Any, c: Any, d: Any, out: Any) -> None:
        torch.addcmul(c, a, b, out=out)
        out.relu_()
        out.mul_(d)

    return into(f, p["n"], *(x[k] for k in "abcd"))


@kinds("layernorm")
def layernorm(x: Any, p: Any) -> Run:
    mean, scale = (tensor(empty((p["m"], 1))) for _ in range(2))

    def f(a: Any, g: Any, h: Any, out: Any) -> None:
        torch.ops.aten.native_layer_norm.out(a, (p["n"],), g, h, p["eps"], out0=out, out1=mean, out2=scale)

    return into(f, x["a"].shape, x["a"], x["g"], x["h"])


@kinds("linear_gelu")
def linear_gelu(x: Any, p: Any) -> Run:
    linear = tensor(empty((p["m"], p["n"])))

    def f(a: Any, b: Any, c: Any, out: Any) -> None:
        torch.addmm(c, a, b, out=linear)
        gelu_into(linear, out)

    return into(f, (p["m"], p["n"]), x["a"], x["b"], x["c"])


@kinds("stencil")
def stencil(x: Any, p: Any) -> Run:
    def f(a: Any, out: Any) -> None:
        inner = out[1:-1, 1:-1]
        torch.add(a[:-2, 1:-1], a[2:, 1:-1], out=inner)
        inner.add_(a[1:-1, :-2]).add_(a[1:-1, 2:]).mul_(0.25).sub_(a[1:-1, 1:-1])

    return into(f, x["a"].shape, x["a"])
