"""The value of pure graphs, and hand-written LINEAR programs against what their author says they do."""
from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import ArgumentError, DTypeError, GraphError, LaunchError, SvodError, UnsupportedError
from svod.ir.args import AtomicKind, BarrierScope, SpecialKind
from svod.ir.interp import Interpreter, evaluate, run_linear
from svod.ir.ops import Op
from svod.ir.semantics import storage
from svod.ir.uop import UOp

EMPTY = UOp(Op.GROUP)
GRID = UOp.barrier(scope=BarrierScope.GRID)
ZERO = UOp.const(0, dtypes.index)
N = UOp.variable("n", 0, 1 << 20)
ROW, COLUMN = UOp.range(N, 0), UOp.range(4, 1)
SRC, DST = UOp.param(0, dtypes.f32, name="src"), UOp.param(1, dtypes.f32, name="dst")


def linear(*instructions: UOp) -> UOp:
    """A LINEAR program."""
    return UOp(Op.LINEAR, instructions)


def end(r: UOp) -> UOp:
    """Closes a loop."""
    return EMPTY.end(r)


def lanes(count: int, base: UOp = ZERO) -> UOp:
    """The index vector base, base + 1, …"""
    return UOp(Op.RAMP, (base, UOp.const(1, dtypes.index)), None, dtypes.index.vec(count))


def f32(*values: float) -> np.ndarray[Any, Any]:
    """An array of f32."""
    return np.array(values, np.float32)


# --- evaluate --------------------------------------------------------------------------------------------------------------------

X, Y = UOp.scalar("x", dtypes.f32), UOp.scalar("y", dtypes.i32)


def test_evaluate_takes_names_nodes_numbers_and_arrays() -> None:
    load = SRC[3].load()
    root = X * 2.0 + load
    assert evaluate(root, {"x": 3, load: 1.5}) == 7.5
    got = evaluate(root, {X: f32(1, 2, 3), load: f32(10, 20, 30)})
    assert got.dtype == np.float32
    assert got.tolist() == [12, 24, 36]


def test_evaluate_broadcasts_and_keeps_lanes_last() -> None:
    v = X.broadcast(4) + UOp(Op.STACK, tuple(UOp.const(float(k), dtypes.f32) for k in range(4)), None, dtypes.f32.vec(4))
    got = evaluate(v, {"x": f32(0, 10)})
    assert got.tolist() == [[0, 1, 2, 3], [10, 11, 12, 13]]
    assert evaluate(UOp(Op.LANES, (v,), Op.ADD, dtypes.f32), {"x": f32(0, 10)}).tolist() == [6, 46]
    w = UOp.param(0, dtypes.f32)[lanes(4)].load()
    assert evaluate(w.extract(2) + X, {w: np.arange(8, dtype=np.float32).reshape(2, 4), "x": 1}).tolist() == [3, 7]
    assert evaluate(w, {w: 2}).tolist() == [2, 2, 2, 2]


def test_evaluate_wraps_and_leaks_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluate(Y * Y + 1, {"y": 1 << 30}).tolist() == 1
        assert evaluate(Y // 0, {"y": 5}) == 0


def test_evaluate_passes_through_after_and_bind() -> None:
    n = UOp.variable("n", 1, 8)
    assert evaluate(n.bind(5).after(SRC[0].store(1.0)) + 1) == 6


def test_evaluate_reduces_over_loops_whose_bounds_depend_on_each_other() -> None:
    i = UOp.range(UOp.variable("n", 0, 10), 0)
    j = UOp.range(i + 1, 1)
    root = (i * j).sum(j, i)
    assert evaluate(root, {"n": 5}) == sum(a * b for a in range(5) for b in range(a + 1))
    nested = ((i * j).sum(j) * 2 + X.cast(dtypes.index)).max(i)
    assert evaluate(nested, {"n": 5, "x": 100.0}) == max(2 * sum(a * b for b in range(a + 1)) for a in range(5)) + 100
    assert evaluate(root, {"n": 0}) == 0


@pytest.mark.parametrize(("op", "want"), [(Op.MAX, -np.inf), (Op.MIN, np.inf), (Op.ADD, 0), (Op.MUL, 1)])
def test_evaluate_of_an_empty_reduction_is_the_identity(op: Op, want: float) -> None:
    assert evaluate(X.reduce(op, UOp.range(0, 0)), {"x": 5}) == want


def test_evaluate_reduces_a_batch_at_once_and_keeps_an_outer_range() -> None:
    r = UOp.range(3, 0)
    assert evaluate((X * r.cast(dtypes.f32)).sum(r), {"x": f32(1, 10)}).tolist() == [3, 30]
    outer = r + (r * 2).sum(r)  # the same axis open and reduced
    assert evaluate(outer, {r: 1}) == 1 + 6
    assert evaluate((r * 2).sum(r) + r, {r: 1}) == 7


def test_evaluate_is_iterative_and_fast() -> None:
    deep = X
    for k in range(20_000):
        deep = deep + (1.0 if k % 2 else -1.0)
    assert evaluate(deep, {"x": 5}) == 5
    small = (X + 1.0) * X - Y.cast(dtypes.f32)
    began = time.perf_counter()
    for _ in range(2000):
        evaluate(small, {"x": 1.0, "y": 2})
    assert time.perf_counter() - began < 2.0


@pytest.mark.parametrize(("root", "env", "error", "words"), [
    (X + 1.0, {}, GraphError, r"has no value of its own(.|\n)*\{'x': …\}"),
    (SRC[0].load(), {}, GraphError, "LOAD f32.* has no value"),
    (UOp.sink(), {}, GraphError, "SINK"),
    (X, {"x": np.zeros(3)}, DTypeError, "float64, not float32"),
    (X.broadcast(4) + 1.0, {X.broadcast(4): f32(1, 2)}, DTypeError, r"shape \(2,\)(.|\n)*the 4 lanes"),
    (X.sum(UOp.range(N, 0)), {"x": 1, N: np.array([3, 4])}, GraphError, "2 values"),
])
def test_evaluate_refuses(root: UOp, env: dict[Any, Any], error: type[SvodError], words: str) -> None:
    with pytest.raises(error, match=words):
        evaluate(root, env)


# --- loops and memory ------------------------------------------------------------------------------------------------------------

def doubled() -> UOp:
    """dst[i] = src[i] * 2 for i < n."""
    load = SRC[ROW].load()
    return linear(SRC, DST, N, ROW, SRC[ROW], load, load * 2.0, DST[ROW], DST[ROW].store(load * 2.0), end(ROW))


@pytest.mark.parametrize("count", [0, 1, 5, 5000])
def test_loop(count: int) -> None:
    src, dst = np.arange(6000, dtype=np.float32), np.zeros(6000, np.float32)
    run_linear(doubled(), [src, dst], {"n": count})
    assert (dst[:count] == src[:count] * 2).all()
    assert not dst[count:].any()


def test_buffers_may_have_any_shape_and_are_changed_in_place() -> None:
    src, dst = np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((3, 2), np.float32)
    run_linear(doubled(), [src, dst], {"n": 6})
    assert dst.tolist() == [[0, 2], [4, 6], [8, 10]]


def test_accumulator_in_nested_loops_is_reset_where_it_is_stored() -> None:
    acc = UOp.memory(0, dtypes.f32, 1, AddrSpace.REG)
    first, value = acc.after(ROW)[ZERO].store(0.0), SRC[ROW * 4 + COLUMN].load()
    slot = acc.after(first, COLUMN)[ZERO]
    update = slot.store(slot.load() + value)
    out = acc.after(update.end(COLUMN))[ZERO].load()
    program = linear(ROW, first, ROW * 4, COLUMN, ROW * 4 + COLUMN, value, slot.load(), slot.load() + value, update, end(COLUMN),
                     out, DST[ROW].store(out), end(ROW))
    src, dst = np.arange(12, dtype=np.float32), np.zeros(3, np.float32)
    run_linear(program, [src, dst], {"n": 3})
    assert dst.tolist() == [6, 22, 38]


def test_a_node_listed_again_is_executed_again() -> None:
    load = SRC[ZERO].load()
    program = linear(load, DST[ZERO].store(load), SRC[ZERO].store(7.0), load, DST[UOp.const(1, dtypes.index)].store(load))
    src, dst = f32(3), f32(0, 0)
    run_linear(program, [src, dst])
    assert dst.tolist() == [3, 7]


def test_the_same_loop_can_run_twice() -> None:
    twice = SRC[ROW].store(ROW.cast(dtypes.f32))
    again = DST[ROW].store(SRC.after(twice.end(ROW))[ROW].load())
    load = again.src[1]
    src, dst = np.zeros(3, np.float32), np.zeros(3, np.float32)
    run_linear(linear(ROW, ROW.cast(dtypes.f32), twice, end(ROW), ROW, load, again, end(ROW)), [src, dst], {"n": 3})
    assert dst.tolist() == [0, 1, 2]


def test_branch() -> None:
    odd = (ROW % 2).eq(1)
    branch = UOp(Op.IF, (odd,))
    program = linear(ROW, ROW % 2, odd, branch, DST[ROW].store(5.0), UOp(Op.ENDIF, (branch,)), end(ROW))
    dst = np.zeros(5, np.float32)
    run_linear(program, [dst, dst], {"n": 5})
    assert dst.tolist() == [0, 5, 0, 5, 0]


def test_gated_access_touches_nothing_where_the_gate_is_false() -> None:
    gate = ROW < 3
    load = SRC.index(ROW, gate).load(-1.0)
    store = DST.index(ROW, gate).store(load)
    program = linear(ROW, gate, load, ROW + 5, DST[ROW + 5].store(load), store, end(ROW))
    src, dst = f32(1, 2, 3), np.zeros(10, np.float32)
    run_linear(program, [src, dst], {"n": 5})
    assert dst.tolist() == [1, 2, 3, 0, 0, 1, 2, 3, -1, -1]


def test_vector_accesses() -> None:
    index = lanes(4, ROW * 4)
    load = SRC[index].load()
    backwards = UOp(Op.RAMP, (ROW * -4 + 7, UOp.const(-1, dtypes.index)), None, dtypes.index.vec(4))
    program = linear(ROW, ROW * 4, index, load, load + load, ROW * -4, ROW * -4 + 7, backwards, DST[backwards].store(load + load), end(ROW))
    src, dst = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    run_linear(program, [src, dst], {"n": 2})
    assert dst.tolist() == [14, 12, 10, 8, 6, 4, 2, 0]


def test_gated_vector_accesses_touch_only_lanes_whose_gate_is_true() -> None:
    index = lanes(4)
    gate = index < N.broadcast(4)
    load = SRC.index(index, gate).load(-1.0)
    store, all_ = DST.index(index, gate).store(load * 10.0), DST[lanes(4, UOp.const(4, dtypes.index))].store(load)
    alt = load.src[1]
    program = linear(index, N.broadcast(4), gate, alt, load, (load * 10.0).src[1], load * 10.0, store, all_.src[0].src[1], all_)
    for count in (0, 3, 4):
        src, dst = np.arange(1, 1 + count, dtype=np.float32), np.zeros(8, np.float32)
        run_linear(program, [src, dst], {"n": count})
        have = list(range(1, 1 + count))
        assert dst.tolist() == [*(10 * x for x in have), *[0] * (4 - count), *have, *[-1] * (4 - count)]


@pytest.mark.parametrize(("kind", "dtype", "old", "new", "want"), [
    (AtomicKind.ADD, dtypes.i32, 2**31 - 1, 2, -(2**31) + 1), (AtomicKind.MIN, dtypes.f32, 2.0, -1.0, -1.0),
    (AtomicKind.MAX, dtypes.u8, 3, 200, 200), (AtomicKind.AND, dtypes.i32, 6, 3, 2), (AtomicKind.OR, dtypes.i32, 6, 3, 7),
    (AtomicKind.XOR, dtypes.u64, 6, 3, 5), (AtomicKind.EXCHANGE, dtypes.f16, 1.0, 2.0, 2.0)])
def test_atomic_yields_the_old_value(kind: AtomicKind, dtype: DType, old: float, new: float, want: float) -> None:
    cell, out = UOp.param(0, dtype), UOp.param(1, dtype)
    atomic = cell[ZERO].atomic(kind, UOp.const(new, dtype))
    a, b = np.array([old], storage(dtype)), np.zeros(1, storage(dtype))
    run_linear(linear(atomic, out[ZERO].store(atomic)), [a, b])
    assert (a[0], b[0]) == (want, old)


def test_atomic_lanes_follow_one_another_and_gates_hold() -> None:
    cell, out = UOp.param(0, dtypes.i32), UOp.param(1, dtypes.i32)
    index, gate = ZERO.broadcast(4), lanes(4) < UOp.const(3, dtypes.index).broadcast(4)
    atomic = cell.index(index, gate).atomic(AtomicKind.ADD, UOp.const(5, dtypes.i32).broadcast(4))
    scalar = cell.index(ZERO, UOp.scalar("on", dtypes.bool)).atomic(AtomicKind.ADD, UOp.const(100, dtypes.i32))
    program = linear(index, lanes(4), gate.src[1], gate, atomic.src[1], atomic, out[lanes(4)].store(atomic), scalar)
    a, b = np.array([1], np.int32), np.zeros(4, np.int32)
    run_linear(program, [a, b], {"on": False})
    assert (a[0], b.tolist()) == (16, [1, 6, 11, 0])
    run_linear(program, [a, b], {"on": True})
    assert a[0] == 131


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
def test_every_storage_type(dtype: DType) -> None:
    src, dst = UOp.param(0, dtype), UOp.param(1, dtype)
    reg = UOp.memory(0, dtype, 2, AddrSpace.REG)
    load, again = src[ROW].load(), reg[ZERO].load()
    value = again if dtype.is_bool else again + again
    program = linear(ROW, load, reg[ZERO].store(load), again, value, dst[ROW].store(value), end(ROW))
    a = np.array([0, 1, 1, 0, 1], storage(dtype))
    b = np.zeros(5, storage(dtype))
    run_linear(program, [a, b], {"n": 5})
    assert b.tolist() == [x if dtype.is_bool else x + x for x in a.tolist()]


def test_scalar_parameters_keep_their_dtype() -> None:
    x, flag = UOp.scalar("x", dtypes.f32), UOp.scalar("flag", dtypes.bool)
    value = flag.where(x, 0.5)
    program = linear(value, DST[ZERO].store(value))
    dst = f32(0)
    for given, on, want in ((0.1, True, np.float32(0.1)), (np.float64(2.0), np.True_, 2), (7, False, 0.5), (float("nan"), False, 0.5)):
        run_linear(program, [dst, dst], {"x": given, "flag": on})
        assert dst[0] == want


# --- phases, cores, work items ---------------------------------------------------------------------------------------------------

def core(count: int) -> UOp:
    """The number of the core, of `count`."""
    return UOp.variable("core_id", 0, count - 1)


def test_a_phase_begins_when_all_cores_have_finished_the_one_before() -> None:
    """Each core writes its number to scratch; after the barrier each reads its neighbour's."""
    c = core(4)
    scratch = UOp.memory(0, dtypes.i32, 4, AddrSpace.GLOBAL)
    out = UOp.param(0, dtypes.i32)
    write, neighbour = scratch[c].store(c.cast(dtypes.i32)), (c + 1) % 4
    read = scratch.after(GRID)[neighbour].load()
    program = linear(c.cast(dtypes.i32), write, GRID, c + 1, neighbour, read, out[c].store(read))
    result = np.zeros(4, np.int32)
    run_linear(program, [result], cores=4)
    assert result.tolist() == [1, 2, 3, 0]


def test_local_memory_lasts_for_the_launch_of_a_core_and_registers_for_a_phase() -> None:
    c = core(2)
    local, reg = UOp.memory(0, dtypes.f32, 1, AddrSpace.LOCAL), UOp.memory(0, dtypes.f32, 1, AddrSpace.REG)
    mine = c.cast(dtypes.f32)
    a, b = local[ZERO].load(), reg[ZERO].load()
    program = linear(mine, local[ZERO].store(mine), reg[ZERO].store(mine), GRID, a, b, SRC[c].store(a), DST[c].store(b))
    src, dst = f32(9, 9), f32(9, 9)
    run_linear(program, [src, dst], cores=2)
    assert src.tolist() == [0, 1]
    assert np.isnan(dst).all()


def test_memory_starts_undefined() -> None:
    """What nobody stored is NaN, all ones or True, so that a program that reads it does not look right."""
    for dtype, want in ((dtypes.f32, np.nan), (dtypes.i32, -1), (dtypes.u8, 255), (dtypes.bool, True), (dtypes.bf16, np.nan)):
        reg, out = UOp.memory(0, dtype, 3, AddrSpace.REG), UOp.param(0, dtype)
        load = reg[UOp.const(2, dtypes.index)].load()
        got = np.zeros(1, storage(dtype))
        run_linear(linear(load, out[ZERO].store(load)), [got])
        assert np.array_equal(got.astype(np.float64), [want], equal_nan=True)


def test_cores_share_scratch_of_one_run_only() -> None:
    scratch = UOp.memory(0, dtypes.f32, 1, AddrSpace.GLOBAL)
    load = scratch[ZERO].load()
    interpreter = Interpreter(linear(load, DST[ZERO].store(load), scratch[ZERO].store(1.0)))
    for _ in range(2):
        dst = f32(0)
        interpreter.run([dst, dst])
        assert np.isnan(dst[0])


@pytest.mark.parametrize("kind", [SpecialKind.GLOBAL, SpecialKind.DIRECT])
def test_work_items_of_a_grid(kind: SpecialKind) -> None:
    x, y = UOp.special(kind, 0, N), UOp.special(kind, 1, 2)
    at = y * N + x
    program = linear(x, y, y * N, at, at.cast(dtypes.f32), DST[at].store(at.cast(dtypes.f32)), GRID)
    dst = np.full(6, 9, np.float32)
    run_linear(program, [dst, dst], {"n": 3})
    assert dst.tolist() == [0, 1, 2, 3, 4, 5]


def test_one_interpreter_serves_any_values() -> None:
    interpreter = Interpreter(doubled(), "double")
    for count in (2, 4):
        dst = np.zeros(4, np.float32)
        interpreter.run([np.ones(4, np.float32), dst], {"n": count})
        assert dst.sum() == 2 * count


def test_a_hundred_thousand_iterations_take_about_a_second() -> None:
    src, dst = np.zeros(100_000, np.float32), np.zeros(100_000, np.float32)
    began = time.perf_counter()
    run_linear(doubled(), [src, dst], {"n": 100_000})
    assert time.perf_counter() - began < 4.0


# --- errors ----------------------------------------------------------------------------------------------------------------------

def run_doubled(src: Any, dst: Any, values: dict[str, Any] | None = None, cores: int = 1) -> None:
    """The kernel `double` on these arguments."""
    Interpreter(doubled(), "double").run([src, dst], {"n": 3} if values is None else values, cores)


@pytest.mark.parametrize(("count", "words"), [
    (4, r"STORE at index 3 of buffer 'dst', which has 3 elements(.|\n)*kernel 'double'"),
    (7, "LOAD at index 6 of buffer 'src', which has 6 elements")])
def test_out_of_bounds(count: int, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        run_doubled(np.zeros(6, np.float32), np.zeros(3 if count == 4 else 9, np.float32), {"n": count})


SPIKE = UOp(Op.STACK, (ZERO, UOp.const(99, dtypes.index), ZERO), None, dtypes.index.vec(3))
AROUND = UOp(Op.RAMP, (UOp.const(0, dtypes.i8), UOp.const(64, dtypes.i8)), None, dtypes.i8.vec(5))
"""0, 64, -128, -64, 0: wraps, so that its ends are inside and the rest is not."""


@pytest.mark.parametrize(("make", "words"), [
    (lambda p: (SPIKE, SRC[SPIKE].load()), "LOAD at index 99 of buffer 'src'"),
    (lambda p: (AROUND, UOp(Op.INDEX, (SRC, AROUND)).load()), "LOAD at index 64 of buffer 'src'"),
    (lambda p: (SRC[UOp.const(-1, dtypes.index)].load(),), "LOAD at index -1 of buffer 'src'"),
    (lambda p: (p, SRC[p].load()), "LOAD at index 6 of buffer 'src'"),
    (lambda p: (p, UOp.const(1.0, dtypes.f32.vec(4)), DST[p].store(UOp.const(1.0, dtypes.f32.vec(4)))), "STORE at index 6 of buffer 'dst'"),
    (lambda p: (p, UOp.const(1, dtypes.i32.vec(4)), UOp.memory(3, dtypes.i32, 2, AddrSpace.LOCAL, name="tile")[p].atomic(
        AtomicKind.ADD, UOp.const(1, dtypes.i32.vec(4)))), "ATOMIC at index 3 of DEFINE_LOCAL 'tile'"),
    (lambda p: (UOp.memory(3, dtypes.f32, 2, AddrSpace.REG)[UOp.const(2, dtypes.index)].store(1.0),), "STORE at index 2 of DEFINE_REG 3"),
    (lambda p: (UOp.memory(3, dtypes.f32, 2, AddrSpace.GLOBAL)[UOp.const(9, dtypes.index)].atomic(AtomicKind.ADD, 1.0),),
     "ATOMIC at index 9 of DEFINE_SCRATCH 3, which has 2 elements"),
], ids=["inner-lane", "wrapping", "negative", "vector-load", "vector-store", "vector-atomic", "register", "atomic"])
def test_every_access_is_checked(make: Callable[[UOp], tuple[UOp, ...]], words: str) -> None:
    ramp = lanes(4, UOp.const(3, dtypes.index))
    with pytest.raises(ArgumentError, match=words):
        run_linear(linear(*make(ramp)), [np.zeros(6, np.float32), np.zeros(6, np.float32)])


FLOATS = np.zeros(4, np.float32)
FROZEN = np.zeros(4, np.float32)
FROZEN.flags.writeable = False


@pytest.mark.parametrize(("src", "dst", "values", "cores", "error", "words"), [
    (FLOATS.astype(np.float64), FLOATS, {"n": 1}, 1, ArgumentError, r"buffer 'src' \(slot 0\) is float64, not float32"),
    ([1.0], FLOATS, {"n": 1}, 1, ArgumentError, "buffer 'src'.* is list"),
    (np.zeros((4, 4), np.float32)[:, 0], FLOATS, {"n": 1}, 1, ArgumentError, "not contiguous"),
    (FLOATS, FROZEN, {"n": 1}, 1, ArgumentError, "'dst'.* is read-only"),
    (FLOATS, FLOATS, {}, 1, LaunchError, "variable 'n' has no value"),
    (FLOATS, FLOATS, {"n": 1, "m": 2}, 1, LaunchError, r"no variable is called 'm'(.|\n)*variables: n"),
    (FLOATS, FLOATS, {"n": -1}, 1, LaunchError, r"'n' is -1, outside \[0, 1048576\]"),
    (FLOATS, FLOATS, {"n": 2.0}, 1, LaunchError, "'n' of index cannot be 2.0"),
    (FLOATS, FLOATS, {"n": "2"}, 1, LaunchError, "'n' of index cannot be '2'"),
    (FLOATS, FLOATS, {"n": 1}, 2, LaunchError, "made for 1 core, not 2"),
])
def test_wrong_arguments(src: Any, dst: Any, values: dict[str, Any], cores: int, error: type[SvodError], words: str) -> None:
    with pytest.raises(error, match=words):
        run_doubled(src, dst, values, cores)
    assert not FLOATS.any()


def test_read_only_inputs_are_fine() -> None:
    run_doubled(FROZEN, np.zeros(4, np.float32))


def test_missing_and_short_buffers() -> None:
    with pytest.raises(ArgumentError, match=r"'dst' \(slot 1\) is missing: 1 buffers"):
        run_linear(doubled(), [FLOATS], {"n": 1})
    declared = UOp.param(0, dtypes.f32, 5, name="a")
    with pytest.raises(ArgumentError, match="has 4 elements, the kernel declares 5"):
        run_linear(linear(declared[ZERO].store(1.0)), [FLOATS])


def test_cores_must_be_those_the_program_is_made_for() -> None:
    program = linear(DST[core(4)].store(1.0))
    with pytest.raises(LaunchError, match="made for 4 cores, not 1"):
        run_linear(program, [FLOATS, FLOATS])
    with pytest.raises(LaunchError, match="no variable is called 'core_id'"):
        run_linear(program, [FLOATS, FLOATS], {"core_id": 1}, cores=4)


def test_thread_kernels_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="BARRIER of scope GROUP"):
        Interpreter(linear(UOp.barrier()))
    with pytest.raises(UnsupportedError, match="SPECIAL of kind local"):
        Interpreter(linear(UOp.special(SpecialKind.LOCAL, 0, 32)))


def test_malformed_programs_are_refused_before_they_run() -> None:
    with pytest.raises(GraphError, match="never closed"):
        Interpreter(linear(ROW))
    with pytest.raises(GraphError, match="where it is not computed"):
        Interpreter(linear(DST[ROW].store(1.0)))
