"""Where every node is executed: invariant loads before their loop, but not past its test; effects in their order."""
from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import svod
from svod import AddrSpace, UOp, dtypes
from svod.codegen.linearize import linearize
from svod.errors import GraphError
from svod.ir.ops import Op
from svod.testing.kernels import CASES, axes, p

Lower = Callable[..., UOp]
N = UOp.variable("n", 0, 1 << 20)


def ops(linear: UOp) -> list[Op]:
    return [u.op for u in linear.src]


def loads_of(linear: UOp, slot: int) -> list[int]:
    """Positions of the loads of a buffer."""
    return [k for k, u in enumerate(linear.src) if u.op is Op.LOAD and (b := u.src[0].src[0]).op is Op.PARAM and b.arg.slot == slot]


def invariant(stop: UOp | int, size: int | None = None) -> UOp:
    """out[i] = a[5] * b[i]."""
    (i,) = axes(stop)
    a = UOp.param(1, dtypes.f32, size, name="a")
    return UOp.sink(p(0, "out")[i].store(a[5].load() * p(2, "b")[i].load()), name="invariant")


def test_an_invariant_load_leaves_a_loop_that_surely_runs(lower_to: Lower) -> None:
    linear = lower_to(invariant(8), opts=[])
    assert loads_of(linear, 1)[0] < ops(linear).index(Op.RANGE) < loads_of(linear, 2)[0]
    assert Op.IF not in ops(linear)


def test_it_stays_behind_the_test_of_a_loop_that_may_not_run(lower_to: Lower) -> None:
    linear = lower_to(invariant(N), opts=[])
    order = ops(linear)
    assert order.index(Op.IF) < loads_of(linear, 1)[0] < order.index(Op.RANGE) < order.index(Op.END) < order.index(Op.ENDIF)


def test_a_load_that_is_surely_inside_its_buffer_needs_no_test(lower_to: Lower) -> None:
    linear = lower_to(invariant(N, size=6), opts=[])
    assert loads_of(linear, 1)[0] < ops(linear).index(Op.RANGE)
    assert Op.IF not in ops(linear)
    assert Op.IF in ops(lower_to(invariant(N, size=5), opts=[]))


def test_a_gate_does_not_let_a_load_pass_that_test(lower_to: Lower) -> None:
    n = UOp.variable("n", 0, 100)
    i, j = axes(8, n)
    gated = p(1, "a").index(i + n - 1, i < 4).load(0.0)
    linear = lower_to(UOp.sink(p(0, "out")[i * 100 + j].store(gated), name="gated"), "linearize", [])
    ops = [u.op for u in linear.src]
    assert ops.index(Op.IF) < ops.index(Op.LOAD) < ops.index(Op.ENDIF)


def test_a_load_from_memory_that_the_loop_writes_stays_in_it(lower_to: Lower) -> None:
    linear = lower_to(CASES["prefix_sum"]().ast, opts=[])
    order = ops(linear)
    inside = linear.src[order.index(Op.RANGE):order.index(Op.END)]
    assert sum(u.op is Op.LOAD and u.src[0].dtype.space is AddrSpace.REG for u in inside) == 1  # type: ignore[union-attr]


def test_stores_keep_their_order(lower_to: Lower) -> None:
    out = p(0, "out")
    ast = UOp.sink(*(out[k % 3].store(float(k)) for k in range(6)), name="ordered")
    written = [u.src[1].arg.value for u in lower_to(ast).src if u.op is Op.STORE]
    assert written == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    got = np.zeros(3, np.float32)
    svod.Device("CPU").compile(ast)(got)
    assert got.tolist() == [3.0, 4.0, 5.0]


def test_reductions_over_one_axis_share_its_loop(lower_to: Lower) -> None:
    i, j = axes(4, 9)
    x = p(2, "a")[i * 9 + j].load()
    ast = UOp.sink(p(0, "total")[i].store(x.sum(j)), p(1, "top")[i].store(x.max(j)), name="two")
    linear = lower_to(ast, opts=[])
    assert ops(linear).count(Op.RANGE) == ops(linear).count(Op.END) == 2
    assert len(loads_of(linear, 2)) == 1


def test_reductions_that_need_one_another_have_loops_of_their_own(lower_to: Lower) -> None:
    linear = lower_to(CASES["softmax"]().ast, opts=[])
    assert ops(linear).count(Op.RANGE) == 4  # rows; max, sum, store


@pytest.mark.parametrize("name", CASES)
def test_operands_come_before_their_users(lower_to: Lower, name: str) -> None:
    seen: set[UOp] = set()
    for u in lower_to(CASES[name]().ast).src:
        needed = [s.src[0] if s.op is Op.AFTER else s for s in u.src if s.op is not Op.GROUP]
        assert all(s in seen or s.op is Op.AFTER for s in needed), u
        seen.add(u)


def test_an_axis_outside_its_loop_is_reported() -> None:
    (i,) = axes(4)
    with pytest.raises(GraphError, match=r"axis \(0,\) is used outside its loop"):
        linearize(UOp.sink(p(0, "out")[i].store(1.0)))


# ---- nothing is read past the end: buffers before a page that cannot be touched --------------------------------------------------------


def at_the_end_of_a_page(elements: int) -> np.ndarray:
    """An array of f32 behind which lies a page without any access."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address + page), ctypes.c_size_t(page), 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    return np.ndarray((elements,), np.float32, memory, page - 4 * elements)


def guarded_runs() -> None:
    """In a child process: kernels on exact buffers of many sizes, on one core and on several."""
    cpu = svod.Device("CPU")
    i = UOp.range(N, 0)
    out, a = p(0, "out"), p(1, "a")
    first = cpu.compile(UOp.sink(out[i].store(a[0].load() + p(2, "b")[i].load()), name="first"))
    add = cpu.compile(UOp.sink(out[i].store(a[i].load() + p(2, "b")[i].load()), name="add"))
    total = cpu.compile(UOp.sink(out[0].store(a[i].load().sum(i)), name="total"))
    inner = cpu.compile(UOp.sink(out[0].store((a[0].load() * p(2, "b")[i].load()).sum(i)), name="inner"))
    flipped = cpu.compile(UOp.sink(out[i].store(a[i * -1 + (N - 1)].load() + p(2, "b")[0].load()), name="flipped"))
    for n in (0, 1, 2, 5, 15, 16, 17, 63, 64, 65, 127, 129, 500):
        whole, one, cell = at_the_end_of_a_page(n), at_the_end_of_a_page(min(n, 1)), at_the_end_of_a_page(1)
        result, b = at_the_end_of_a_page(n), at_the_end_of_a_page(n)
        whole[:], one[:], b[:] = np.arange(n), 7.0, 1.0
        first(result, one, b, n=n)
        assert (result == 8.0).all()
        add(result, whole, b, n=n)
        assert np.array_equal(result, whole + 1)
        total(cell, whole, n=n)
        assert cell[0] == whole.sum()
        inner(cell, one, b, n=n)
        assert cell[0] == 7.0 * n
        flipped(result, whole, b[:min(n, 1)], n=n)
        assert np.array_equal(result, whole[::-1] + 1)


def in_a_child(call: str) -> subprocess.CompletedProcess[str]:
    program = f"import runpy; module = runpy.run_path({__file__!r}); {call}"
    env = {**os.environ, "PYTHONPATH": str(Path(svod.__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=300, check=False)


def test_kernels_read_nothing_past_the_end_of_their_buffers() -> None:
    done = in_a_child("module['guarded_runs'](); print('done')")
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


def test_the_page_behind_cannot_be_read() -> None:
    done = in_a_child("import ctypes; a = module['at_the_end_of_a_page'](3); ctypes.string_at(a.ctypes.data, 13)")
    assert done.returncode == -11
