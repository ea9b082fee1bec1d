"""Blocks of strided loads are read by rows and transposed in registers."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import svod
from svod import UOp, dtypes
from svod.codegen.transpose import transposed
from svod.ir.bounds import constant
from svod.ir.ops import Op
from svod.testing.kernels import axes, p

Lower = Callable[..., UOp]


def transpose(m: int, n: int, *, gated: bool = False) -> UOp:
    """out[j, i] = a[i, j]."""
    i, j = axes(m, n)
    at = i * n + j
    x = p(1, "a").index(at, i + j < n).load(0.0) if gated else p(1, "a")[at].load()
    return UOp.sink(p(0, "out")[j * m + i].store(x), name="transpose")


def steps(root: UOp) -> set[int | None]:
    """Strides of the vector loads; 0 for gathers."""
    indices = [u.src[0].src[1] for u in root.find(Op.LOAD) if u.dtype.lanes > 1]
    return {constant(i.src[1]) if i.op is Op.RAMP else 0 for i in indices}


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_the_network_transposes_a_block(n: int) -> None:
    block = np.arange(n * n).reshape(n, n)
    at = UOp(Op.RAMP, (UOp.const(0, dtypes.index), UOp.const(1, dtypes.index)), None, dtypes.index.vec(n))
    rows = [UOp.param(k, dtypes.f32)[at].load() for k in range(n)]
    known = dict(zip(rows, block, strict=True))

    def value(u: UOp) -> np.ndarray:
        if u not in known:
            known[u] = np.concatenate([value(s) for s in u.src])[list(u.arg.lanes)]
        return known[u]

    columns = transposed(rows)
    assert np.array_equal(np.array([value(c) for c in columns]), block.T)
    shuffles = {u for c in columns for u in c.find(Op.SHUFFLE)}
    assert len(shuffles) == n * (n.bit_length() - 1)


@pytest.mark.parametrize(("m", "n"), [(16, 16), (64, 48), (100, 70)])
def test_the_default_schedule_leaves_no_gathers(lower_to: Lower, m: int, n: int) -> None:
    before, after = (lower_to(transpose(m, n), stage) for stage in ("simplify-expanded", "transpose-blocks"))
    assert steps(before) - {1}, "there was something to transpose"
    assert list(after.find(Op.SHUFFLE))
    unguarded = {constant(u.src[0].src[1].src[1]) for u in after.find(Op.LOAD)
                 if u.dtype.lanes > 1 and len(u.src) == 1 and u.src[0].src[1].op is Op.RAMP}
    if m % 16 == n % 16 == 0:
        assert steps(after) == unguarded == {1}
        assert len(list(after.find(Op.LOAD))) == 16


@pytest.mark.parametrize(("m", "n"), [(16, 16), (33, 50), (7, 100), (100, 7), (129, 65)])
def test_the_same_elements_are_read(m: int, n: int) -> None:
    a = np.arange(m * n, dtype=np.float32).reshape(m, n)
    out = np.zeros((n, m), np.float32)
    svod.Device("CPU").compile(transpose(m, n))(out, a)
    assert np.array_equal(out, a.T)


def test_guarded_loads_are_left_alone(lower_to: Lower) -> None:
    assert not list(lower_to(transpose(64, 64, gated=True), "transpose-blocks").find(Op.SHUFFLE))


def test_contiguous_and_uniform_loads_are_left_alone(lower_to: Lower) -> None:
    (i,) = axes(64)
    ast = UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(1, "a")[i * -1 + 63].load() + p(2, "b")[0].load()), name="plain")
    expanded = lower_to(ast, "simplify-expanded")
    assert lower_to(ast, "transpose-blocks") is expanded
