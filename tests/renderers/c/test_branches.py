"""Conditions that are each other's opposite, and those that only look it."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import svod
from svod import UOp
from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.renderers.c.branches import opposite, repeated
from svod.testing.threads import Threads

X, Y = UOp.variable("x", 0, 9), UOp.variable("y", 0, 9)
NONE: frozenset[UOp] = frozenset()


@pytest.mark.parametrize(("first", "second", "wanted"), [
    (X < Y, UOp(Op.NOT, (X < Y,)), True), (UOp(Op.NOT, (X < Y,)), X < Y, True), (X < 5, UOp.const(4, dtypes.index) < X, True),
    (X < Y, Y < X, False), (X < Y, X < Y, False), (X < 5, UOp.const(5, dtypes.index) < X, False)])
def test_opposites(first: UOp, second: UOp, wanted: bool) -> None:
    assert opposite(first, second, NONE) is wanted


def test_what_is_computed_again_may_have_changed() -> None:
    less = X < Y
    assert repeated([less, X, less]) == {less}
    assert not opposite(less, UOp(Op.NOT, (less,)), repeated([less, less]))


def branches() -> UOp:
    """Two arms; the first changes what the condition was read from, and a branch behind it asks that again."""
    k = Threads("branches", (32, 1, 1))
    data = UOp.param(0, dtypes.f32, name="data")
    here = k.let(k.load(data, k.item()) < 3.0)
    with k.if_(here):
        k.store(data, k.item(), 7.0)
    with k.else_():
        k.store(data, k.item(), -1.0)
    with k.if_(k.load(data, k.item()) < 3.0):
        k.store(data, k.item() + 64, 1.0)
    with k.if_(UOp(Op.NOT, (k.load(data, k.item()) < 3.0,))):
        k.store(data, k.item() + 64, 2.0)
    return k.kernel()


def test_arms_are_written_as_such() -> None:
    text = svod.Device.offline("OPENCL").renderer.render(branches()).src
    assert text.count("} else {") == 1
    assert text.count("if (") == 3


def asked_again() -> UOp:
    """Two pairs of arms, one behind the other, by one condition; then its opposite alone."""
    k = Threads("asked_again", (32, 1, 1))
    data = UOp.param(0, dtypes.f32, name="data")
    here = k.let(k.load(data, k.item()) < 3.0)
    for step in (1.0, 10.0):
        with k.if_(here):
            k.store(data, k.item(), k.load(data, k.item()) + step)
        with k.else_():
            k.store(data, k.item(), k.load(data, k.item()) - step)
    with k.if_(UOp(Op.NOT, (here,))):
        k.store(data, k.item(), k.load(data, k.item()) * 2.0)
    return k.kernel()


def test_an_arm_has_one_other() -> None:
    text = svod.Device.offline("OPENCL").renderer.render(asked_again()).src
    assert 1 <= text.count("} else {") < text.count("if (")


@pytest.mark.parametrize("make", [branches, asked_again])
@pytest.mark.devices("CC", "OPENCL")
def test_arms_do_what_they_should(device: svod.Device, make: Callable[[], UOp]) -> None:
    data = np.tile(np.arange(8, dtype=np.float32), 16)
    wanted = data.copy()
    for d, to in ((device, data), (svod.Device("INTERP"), wanted)):
        d.compile(make()).execute([to], dict(zip(("_grid_x", "_grid_y", "_grid_z"), (2, 1, 1), strict=True)))
    np.testing.assert_array_equal(data, wanted)
