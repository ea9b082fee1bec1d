"""Transpositions through memory of the group: which kernels, both sides coalesced, every edge, no race."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svod import Config, UOp
from svod.codegen.pipeline import Context, lower
from svod.device.opencl.backend import opencl_target
from svod.ir.args import SpecialKind
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.testing.groups import run_groups
from svod.testing.kernels import axes, f32, p

IDS = Context(replace(opencl_target(None), vector_bits=0), Config())


def turned(m: UOp | int, n: UOp | int) -> UOp:
    """out[j, i] = a[i, j] + b[j, i]."""
    j, i = axes(n, m)
    value = p(1, "a")[i * n + j].load() + p(2, "b")[j * m + i].load()
    return UOp.sink(p(0, "out")[j * m + i].store(value), name="turned")


def tiles(linear: UOp) -> int:
    return sum(u.op is Op.DEFINE_LOCAL for u in dict.fromkeys(linear.src))


@pytest.mark.parametrize("shape", [(64, 96), (33, 31), (1, 100), (100, 1), (0, 5)])
def test_sizes_known_at_the_launch(shape: tuple[int, int]) -> None:
    m, n = shape
    linear = lower(turned(*(UOp.variable(v, 0, 1 << 20) for v in "mn")), IDS)
    assert tiles(linear) == 1
    a, b, out = f32(m, n), f32(n, m, seed=1), np.zeros((n, m), np.float32)
    run_groups(linear, [out, a, b], {"m": m, "n": n})
    np.testing.assert_array_equal(out, a.T + b)


def test_neighbours_read_and_write_neighbours() -> None:
    linear = lower(turned(1024, 1024), IDS)
    x = next(u for u in linear.src if u.op is Op.SPECIAL and u.arg.kind is SpecialKind.LOCAL and u.arg.axis == 0)
    for u in linear.src:
        if u.op in (Op.LOAD, Op.STORE) and any(m.op is Op.PARAM for m in u.src[0].toposort()):
            at = u.src[0].src[1]
            step = at.substitute({x: x.const(1, x.dtype)}) - at.substitute({x: x.const(0, x.dtype)})
            assert _values(step) == [1, 1, 1]
    assert not [u for u in linear.src if u.op is Op.IF]


def _values(u: UOp) -> list[int]:
    """What an expression is for some values of its ids."""
    ids = [s for s in u.toposort() if s.op is Op.SPECIAL]
    return [int(evaluate(u, dict.fromkeys(ids, k))) for k in (0, 1, 3)]


def test_copies_and_short_axes_need_no_tile() -> None:
    i, j = axes(128, 128)
    copy = UOp.sink(p(0, "out")[i * 128 + j].store(p(1, "a")[i * 128 + j].load()), name="copy")
    assert tiles(lower(copy, IDS)) == 0
    assert tiles(lower(turned(4, 128), IDS)) == 0
