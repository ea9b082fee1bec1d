"""The kernels that Triton is asked to do: add, softmax, products. Imported only where Triton and a GPU are.

Owns: these kernels, with the block sizes that its tutorials begin with. Must not know how calls are timed.
Invariant: every kernel computes what the case of its name does.
"""
from __future__ import annotations

from collections.abc import Callable

import torch
import triton
import triton.language as tl
from gpu_cases import Case

KINDS = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


@triton.jit
def add_kernel(a, b, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(a + at, mask=at < n) + tl.load(b + at, mask=at < n), mask=at < n)


@triton.jit
def softmax_kernel(a, out, n, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    x = tl.load(a + row * n + at, mask=at < n, other=-float("inf"))
    e = tl.exp(x - tl.max(x, 0))
    tl.store(out + row * n + at, e / tl.sum(e, 0), mask=at < n)


@triton.jit
def matmul_kernel(a, b, out, n, SIDE: tl.constexpr, K: tl.constexpr):
    rows, columns, steps = tl.program_id(1) * SIDE + tl.arange(0, SIDE), tl.program_id(0) * SIDE + tl.arange(0, SIDE), tl.arange(0, K)
    total = tl.zeros((SIDE, SIDE), dtype=tl.float32)
    for k in range(0, n, K):
        x = tl.load(a + rows[:, None] * n + (k + steps)[None, :])
        y = tl.load(b + (k + steps)[:, None] * n + columns[None, :])
        total = tl.dot(x, y, total, input_precision="ieee")
    tl.store(out + rows[:, None] * n + columns[None, :], total.to(out.dtype.element_ty))


def call(case: Case) -> Callable[[], object] | None:
    """A launch of the case; None for one that has no kernel here."""
    args = [torch.from_numpy(x.astype("float32")).to("cuda", KINDS[str(case.dtype)]) for x in case.inputs]
    out = torch.empty(case.want.shape, dtype=KINDS[str(case.dtype)], device="cuda")
    n = case.want.shape[-1]
    if case.name == "add":
        return lambda: add_kernel[(triton.cdiv(n, 1024),)](*args, out, n, BLOCK=1024)
    if case.name == "softmax":
        return lambda: softmax_kernel[(case.want.shape[0],)](*args, out, n, BLOCK=triton.next_power_of_2(n))
    if case.name.startswith("matmul"):
        wide = 64 if str(case.dtype) == "f32" else 128
        return lambda: matmul_kernel[(n // wide, n // wide)](*args, out, n, SIDE=wide, K=32)
    return None
