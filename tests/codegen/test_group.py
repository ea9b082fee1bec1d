"""GROUP: partial results of the cores, combined in their order."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import svod
from svod import Config, UOp
from svod.codegen.group import fresh_memory
from svod.dtype import AddrSpace, dtypes
from svod.ir.args import BarrierScope
from svod.ir.interp import Interpreter
from svod.ir.ops import Op
from svod.testing.kernels import axes, p

Lower = Callable[..., UOp]
SIZE = 1000


def total(n: UOp | int = SIZE, op: Op = Op.ADD) -> UOp:
    (i,) = axes(n)
    return UOp.sink(p(0, "out")[0].store(p(1, "a")[i].load().reduce(op, i)), name="total")


def test_each_core_leaves_one_partial_result(lower_to: Lower) -> None:
    linear = lower_to(total(), opts=["GROUP(0 by 8)"])
    (scratch,) = linear.find(Op.DEFINE_SCRATCH)
    (barrier,) = (u for u in linear.src if u.op is Op.BARRIER)
    assert scratch.arg.size == 2
    assert barrier.arg is BarrierScope.GRID
    before = linear.src[:linear.src.index(barrier)]
    (store,) = (u for u in before if u.op is Op.STORE and u.src[0].src[0] is scratch)
    assert store.src[0].src[1].arg.name == "core_id"


def test_reductions_of_one_axis_share_barrier_and_loop(lower_to: Lower) -> None:
    (i,) = axes(SIZE)
    x = p(1, "a")[i].load()
    linear = lower_to(UOp.sink(p(0, "out")[0].store(x.sum(i) / x.max(i)), name="two"), opts=["GROUP(0 by 8)"])
    assert len({u.arg.id for u in linear.find(Op.DEFINE_SCRATCH)}) == 2
    assert sum(u.op is Op.BARRIER for u in linear.src) == 1


def test_partial_results_are_combined_in_the_order_of_the_cores() -> None:
    a = np.random.default_rng(3).uniform(-1, 1, SIZE).astype(np.float32)
    with svod.override(config=Config(threads=4)):
        program = svod.Device("CPU").compile(total(), opts=[svod.Opt(svod.OptKind.GROUP, (0,), 10)])
        out = np.zeros(1, np.float32)
        program(out, a)
    want = np.float32(0)
    for share in a.reshape(4, 250):
        partial = np.float32(0)
        for x in share:
            partial += x
        want += partial
    assert out[0] == want


def test_the_same_cores_give_the_same_bits() -> None:
    a = np.random.default_rng(4).uniform(-1, 1, 1 << 18).astype(np.float32)
    with svod.override(config=Config(threads=3)):
        program = svod.Device("CPU").compile(total(1 << 18))
        found = set()
        for _ in range(50):
            out = np.zeros(1, np.float32)
            program(out, a)
            found.add(out.tobytes())
    assert program.compiled.needs.phases == 2
    assert len(found) == 1


@pytest.mark.parametrize("n", [0, 1, 3, 7, 8, 9, 100])
@pytest.mark.parametrize("op", [Op.ADD, Op.MAX, Op.MIN, Op.MUL])
def test_cores_without_a_share_contribute_the_identity(op: Op, n: int) -> None:
    a = np.linspace(0.5, 1.5, n, dtype=np.float32)
    ufunc, start = {Op.ADD: (np.add, 0), Op.MUL: (np.multiply, 1), Op.MAX: (np.maximum, -np.inf), Op.MIN: (np.minimum, np.inf)}[op]
    with svod.override(config=Config(threads=4)):
        out = np.zeros(1, np.float32)
        opts = [svod.Opt(svod.OptKind.GROUP, (0,), 8)]
        svod.Device("CPU").compile(total(UOp.variable("n", 0, 1000), op), opts=opts)(out, a, n=n)
    np.testing.assert_allclose(out[0], ufunc.reduce(a, initial=np.float32(start)), rtol=1e-5)


def test_the_interpreter_agrees(lower_to: Lower) -> None:
    out, a = np.zeros(1, np.float32), np.arange(SIZE, dtype=np.float32)
    Interpreter(lower_to(total(), opts=["GROUP(0 by 8)"]), "total").run([out, a], {}, cores=2)
    assert out[0] == a.sum()


def test_fresh_memory_takes_a_number_nobody_has() -> None:
    taken = [UOp.memory(k, dtypes.f32, 4, AddrSpace.REG) for k in (0, 1, 3)]
    root = UOp.group(*(m[0].store(0.0) for m in taken))
    assert fresh_memory(root, dtypes.f32.ptr(AddrSpace.LOCAL), 5, "panel").arg.id == 2
