"""LOOP, BREAK and compare-exchange in LINEAR programs written by hand: the CPU does what the interpreter does."""
from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import svod
from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.ir.semantics import storage
from svod.ir.spec import LINEAR, verify
from svod.ir.text import parse, show, to_text
from svod.ir.uop import UOp

DEVICES = ("INTERP", "CPU")
ZERO, ONE = UOp.const(0, dtypes.index), UOp.const(1, dtypes.index)
OUT, SRC = UOp.param(0, dtypes.i64, name="out"), UOp.param(1, dtypes.i64, name="src")
ROW = UOp.range(UOp.variable("n", 0, 100), 0)
LOOP, ENDLOOP = UOp(Op.LOOP), UOp(Op.ENDLOOP)


def linear(*instructions: UOp) -> UOp:
    """A LINEAR program."""
    program = UOp(Op.LINEAR, instructions)
    verify(program, LINEAR)
    return program


def cell(number: int, dtype: DType = dtypes.i64) -> UOp:
    """The address of a variable."""
    return UOp.memory(number, dtype, 1)[ZERO]


def run(where: str, program: UOp, *buffers: NDArray[Any], **values: int) -> None:
    """Compiles and executes."""
    svod.Device(where).compile(program)(*buffers, **values)


def when(condition: UOp) -> tuple[UOp, UOp]:
    """An IF and its ENDIF."""
    opened = UOp(Op.IF, (condition,))
    return opened, UOp(Op.ENDIF, (opened,))


def idiv(x: UOp, by: int) -> UOp:
    """The quotient, of numbers that are not negative; the CPU has no other."""
    return UOp(Op.IDIV, (x, UOp.const(by, x.dtype)))


def mod(x: UOp, by: int) -> UOp:
    """The remainder."""
    return UOp(Op.MOD, (x, UOp.const(by, x.dtype)))


def collatz() -> UOp:
    """out[i] = how many steps src[i] takes to 1."""
    value, steps = cell(0), cell(1)
    start, v, s = SRC[ROW].load(), value.load(), steps.load()
    done, half, triple = v.eq(1), idiv(v, 2), v * 3 + 1
    odd = mod(v, 2).eq(1)
    chosen = odd.where(triple, half)
    return linear(
        ROW, start, value.store(start), steps.store(0), LOOP, v, done, UOp(Op.BREAK, (done,)), *nodes(chosen, v), value.store(chosen),
        s, s + 1, steps.store(s + 1), ENDLOOP, s, OUT[ROW].store(s), UOp.group().end(ROW))


def nodes(root: UOp, *known: UOp) -> list[UOp]:
    """The arithmetic that makes `root`, in order."""
    skip = {x for k in known for x in k.toposort()}
    return [u for u in root.toposort() if u not in skip]


@pytest.mark.parametrize("where", DEVICES)
def test_a_loop_whose_end_the_data_decides(where: str) -> None:
    def steps(n: int) -> int:
        return 0 if n == 1 else 1 + steps(n // 2 if n % 2 == 0 else 3 * n + 1)
    src, out = np.arange(1, 51), np.zeros(50, np.int64)
    run(where, collatz(), out, src, n=50)
    assert out.tolist() == [steps(int(n)) for n in src]


@pytest.mark.parametrize("where", DEVICES)
def test_break_leaves_the_innermost_loop_from_inside_a_branch(where: str) -> None:
    outer, inner = cell(0), cell(1)
    a, b = outer.load(), inner.load()
    enough, multiple = a >= 20, mod(a + b, 7).eq(0)
    if_, endif = when(b > 2)
    program = linear(
        outer.store(0), LOOP, a, enough, UOp(Op.BREAK, (enough,)), inner.store(0), LOOP, b, b > 2,
        if_, a, a + b, *nodes(multiple, a, b, a + b), UOp(Op.BREAK, (multiple,)), endif, b, b + 1, inner.store(b + 1), ENDLOOP,
        a, b, a + b, *nodes(a.cast(dtypes.index), a), OUT[a].store(a + b), a + 1, outer.store(a + 1), ENDLOOP)
    out = np.zeros(20, np.int64)
    run(where, program, out)
    expected = []
    for x in range(20):
        y = 0
        while not (y > 2 and (x + y) % 7 == 0):
            y += 1
        expected.append(x + y)
    assert out.tolist() == expected


@pytest.mark.parametrize("where", DEVICES)
def test_break_leaves_ranges_inside_the_loop_too(where: str) -> None:
    total = cell(0)
    t = total.load()
    column = UOp.range(10, 1)
    wide, row = column.cast(dtypes.i64), ROW.cast(dtypes.i64)
    far, always = t + wide > 30, ZERO.eq(0)
    program = linear(
        ROW, total.store(0), LOOP, column, wide, t, t + wide, *nodes(far, t + wide), UOp(Op.BREAK, (far,)), total.store(t + wide),
        UOp.group().end(column), always, UOp(Op.BREAK, (always,)), ENDLOOP, t, row, t + row, OUT[ROW].store(t + row), UOp.group().end(ROW))
    out = np.zeros(4, np.int64)
    run(where, program, out, n=4)
    assert out.tolist() == [28 + i for i in range(4)]


def test_loops_are_shown_indented_and_read_back() -> None:
    text = show(collatz()).split("\n")
    depth = {line.split("= ")[1].split(" ")[0]: len(line) - len(line.lstrip()) for line in text}
    assert (depth["loop"], depth["break"], depth["endloop"]) == (2, 4, 2)
    assert parse(to_text(collatz())) is collatz()


INTEGERS = (dtypes.i32, dtypes.u8, dtypes.i64, dtypes.u16)


@pytest.mark.parametrize("where", DEVICES)
@pytest.mark.parametrize("dtype", [*INTEGERS, dtypes.f32, dtypes.f64, dtypes.f16, dtypes.bf16], ids=str)
def test_compare_exchange(where: str, dtype: DType) -> None:
    memory, out = UOp.param(0, dtype, name="memory"), UOp.param(1, dtype, name="old")
    swap = UOp(Op.ATOMIC, (memory[ROW], UOp.const(7, dtype), UOp.const(2, dtype)), AtomicKind.COMPARE_EXCHANGE)
    program = linear(ROW, swap, out[ROW].store(swap), UOp.group().end(ROW))
    m, old = np.array([1, 2, 3, 2]).astype(storage(dtype)), np.zeros(4, storage(dtype))
    run(where, program, m, old, n=4)
    assert m.astype(int).tolist() == [1, 7, 3, 7]
    assert old.astype(int).tolist() == [1, 2, 3, 2]


@pytest.mark.parametrize("where", DEVICES)
def test_compare_exchange_compares_the_bits_of_floats(where: str) -> None:
    memory = UOp.param(0, dtypes.f32, name="memory")
    at = [UOp(Op.ATOMIC, (memory[k], UOp.const(1.0, dtypes.f32), UOp.const(e, dtypes.f32)), AtomicKind.COMPARE_EXCHANGE)
          for k, e in enumerate((0.0, -0.0, float("nan")))]
    m = np.array([-0.0, -0.0, float("nan")], np.float32)
    run(where, linear(*at), m)
    assert m.tolist() == [0, 1, 1]
    assert np.signbit(m[0])


@pytest.mark.parametrize("where", DEVICES)
def test_a_float_sum_by_compare_exchange(where: str) -> None:
    total, src = UOp.param(0, dtypes.f64, name="total"), UOp.param(1, dtypes.f64, name="src")
    x, old = src[ROW].load(), total[ZERO].load()
    swap = UOp(Op.ATOMIC, (total[ZERO], old + x, old), AtomicKind.COMPARE_EXCHANGE)
    same = swap.bitcast(dtypes.i64).eq(old.bitcast(dtypes.i64))
    program = linear(ROW, x, LOOP, old, old + x, swap, *nodes(same, swap, old), UOp(Op.BREAK, (same,)), ENDLOOP, UOp.group().end(ROW))
    found, values = np.zeros(1), np.arange(1.0, 51.0)
    compiled = svod.Device(where).compile(program)
    if where == "CPU":  # at once from several threads: nothing is lost
        def often() -> None:
            for _ in range(100):
                compiled(found, values, n=50)
        workers = [threading.Thread(target=often) for _ in range(4)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        assert found[0] == 400 * 1275
    else:
        compiled(found, values, n=50)
        assert found[0] == 1275


def test_what_the_cpu_has_not_is_refused() -> None:
    swap = UOp(Op.ATOMIC, (OUT.index(ZERO, UOp.scalar("on", dtypes.bool)), SRC[ZERO].load(), SRC[ZERO].load()), AtomicKind.COMPARE_EXCHANGE)
    with pytest.raises(UnsupportedError, match="gated or vector ATOMIC compare_exchange"):
        svod.Device("CPU").compile(linear(SRC[ZERO].load(), swap))
