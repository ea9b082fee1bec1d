"""Loops that stop below their start: clamped once, only where needed, and empty under every schedule."""
from __future__ import annotations

import numpy as np
import pytest

import svod
from svod import UOp, Variable, dtypes
from svod.codegen.extents import clamp_extents, never_negative
from svod.codegen.schedule import parse_opt
from svod.errors import ArgumentError, LaunchError
from svod.ir.args import SpecialKind
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.testing.kernels import p

N, BELOW = Variable("n", 0, 1 << 20), Variable("m", -5, 100)
ROW = UOp.range(N, 0)


@pytest.mark.parametrize("r", [
    UOp.range(7, 1), UOp.range(0, 1), ROW, UOp.range(N // 2, 1), UOp.range(ROW + 1, 1), UOp.range(N, 1, start=ROW), UOp.range(N - ROW, 1),
    UOp.range(ROW * 2 + 3, 1, start=ROW), UOp.range((N - 4).maximum(0), 1), UOp.range(5, 1, start=-2),
], ids=lambda r: "")
def test_a_loop_that_cannot_stop_below_its_start_is_the_node_it_was(r: UOp) -> None:
    sink = UOp.sink(p(0, "out")[r].store(1.0).end(r))
    assert never_negative(r)
    assert clamp_extents(sink) is sink


@pytest.mark.parametrize("r", [
    UOp.range(N - 4, 1), UOp.range(BELOW, 1), UOp.range(-3, 1), UOp.range(ROW - 2, 1), UOp.range(ROW, 1, start=3),
    UOp.range(N, 1, start=ROW * 2), UOp.range(p(1, "a", dtypes.i32)[0].load(), 1),
], ids=lambda r: "")
def test_a_loop_that_may_is_clamped_once(r: UOp) -> None:
    assert not never_negative(r)
    once = clamp_extents(UOp.sink(p(0, "out")[r].store(1.0).end(r)))
    (new,) = [x for x in once.find(Op.RANGE) if x.arg == r.arg]
    assert new.src[1].op is Op.MAX or interval(new.src[1])[0] >= interval(new.src[0])[1]
    assert clamp_extents(once) is once


def _fill(stop: UOp | int, rows: int = 1) -> UOp:
    j = UOp.range(stop, 1)
    return UOp.sink(p(0, "out")[UOp.range(rows, 0) * N + j if rows > 1 else j].store(1.0), name="fill")


def _special(kind: SpecialKind, extent: UOp) -> UOp:
    return UOp.sink(p(0, "out")[UOp.special(kind, 0, extent)].store(1.0), name="ids")


SCHEDULES = (None, (), ("SPLIT(1 by 8 peel)", "VECTOR(1.1)"), ("SPLIT(1 by 8 mask)", "VECTOR(1.1)"), ("PARALLEL(1 by 4)",),
             ("SPLIT(1 by 8 balanced)",), ("PAD(1 by 8)",), ("PARALLEL(1 by 8)", "SPLIT(1 by 8 peel)", "VECTOR(1.1)"))


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("opts", SCHEDULES, ids=str)
def test_nothing_is_written_where_a_loop_stops_below_its_start(device: svod.Device, opts: tuple[str, ...] | None) -> None:
    if device.target.ids and any("VECTOR" in o for o in opts or ()):
        pytest.skip("a schedule for loops in a row; work items have their own")
    cases = ((_fill(N - 4), 1, []), (_fill(BELOW), -3, []), (_fill(N - 4, 3), 1, []), (_fill(N - 4), 6, [0, 1]),
             (_fill(N - 4, 3), 6, [0, 1, 6, 7, 12, 13]))
    for ast, value, written in cases:
        memory = np.zeros(1000, np.float32)
        program = device.compile(ast, opts=None if opts is None else [parse_opt(o) for o in opts])
        program.execute([memory[500:600]], [value])
        assert (np.flatnonzero(memory) - 500).tolist() == written


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("value", [0, 1, 4, 5, 37])
def test_a_reduction_over_such_a_loop_is_one_over_nothing(device: svod.Device, value: int) -> None:
    a, k, i = p(1, "a"), UOp.range(N - 4, 1), UOp.range(5, 0)
    rows = UOp.sink(p(0, "out")[i].store(a[i * 64 + k].load().sum(k)), name="rows")
    most = UOp.sink(p(0, "out")[0].store(a[k].load().max(k)), name="most")
    x, out = np.arange(1, 321, dtype=np.float32), np.zeros(5, np.float32)
    count = max(value - 4, 0)
    device.compile(rows).execute([out, x], [value])
    assert np.array_equal(out, x.reshape(5, 64)[:, :count].sum(axis=1))
    device.compile(most).execute([out, x], [value])
    assert out[0] == (x[:count].max() if count else -np.inf)


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("kind", list(SpecialKind))
def test_ids_of_a_negative_or_overflowing_extent_are_refused(device: svod.Device, kind: SpecialKind) -> None:
    size = "local_size[0]" if kind is SpecialKind.LOCAL else "global_size[0]"
    memory = np.zeros(1000, np.float32)
    program = device.compile(_special(kind, BELOW))
    with pytest.raises(LaunchError, match=rf"{size.replace('[', '.').replace(']', '.')} of kernel 'ids' is -3"):
        program.execute([memory[500:600]], [-3])
    assert not memory.any()
    program.execute([memory[500:600]], [0])
    assert not memory.any()
    program.execute([memory[500:600]], [3])
    assert np.flatnonzero(memory).tolist() == [500, 501, 502]
    with pytest.raises(ArgumentError, match="needs at least 100 elements"):
        program.execute([memory[:99]], [100])


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("least", [0, 1])
def test_ids_of_an_extent_beyond_64_bits_are_refused(device: svod.Device, least: int) -> None:
    groups = Variable("g", least, 1 << 62)
    out = np.zeros(8, np.float32)
    folded = UOp.sink(p(0, "out")[UOp.special(SpecialKind.GLOBAL, 0, groups * 4) % 8].store(1.0), name="ids")
    program = device.compile(folded)
    with pytest.raises(LaunchError, match=r"global_size.0. of kernel 'ids' overflows 64 bits: MUL of 4611686018427387904 and 4"):
        program.execute([out], [1 << 62])
    assert not out.any()
    program.execute([out], [1])
    assert out.tolist() == [1.0] * 4 + [0.0] * 4
