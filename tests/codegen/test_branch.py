"""Branches around rarely wanted work: one inside of another, as where a device has no fused multiply-add."""
from __future__ import annotations

import pytest

from svod import UOp
from svod.codegen.branch import branch_rare_arms
from svod.codegen.pipeline import Context, lower
from svod.config import Config
from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.target import Target
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE
from svod.testing.kernels import axes, p

TARGET = Target("bare", "", CPU_ARITHMETIC, frozenset(dtypes.ALL), CPU_NATIVE - {Op.MULACC}, fma=False, ids=True, branches=True)


def costly(x: UOp) -> UOp:
    for k in range(50):
        x = x * (k + 0.5) + 1.0
    return x


@pytest.mark.parametrize("behind", [0.0, 1.0])
def test_a_branch_inside_of_a_branch(behind: float) -> None:
    """The first arm of the outer one is the inner one itself, or has it in it."""
    (i,) = axes(64)
    x = p(1, "a")[i].load()
    inner = (x < 2.0).where(costly(x), x)
    rare = costly(inner + behind) if behind else inner
    outer = (x < 3.0).where(rare, x + 5.0)
    found = branch_rare_arms(UOp.sink(p(0, "out")[i].store(outer).end(i)))
    assert len(list(found.find(Op.DEFINE_REG))) == 1 + bool(behind)
    linear = lower(UOp.sink(p(0, "out")[i].store(outer), name="nested"), Context(TARGET, Config()))
    assert linear.op is Op.LINEAR
