"""The notation of documents: precedence as in the examples of rules, statements in the loops where they are done."""
from __future__ import annotations

import pytest

from svod import AddrSpace, AxisKind, BarrierScope, Op, UOp, dtypes
from svod.codegen.apply import apply_opts
from svod.codegen.closers import normalize
from svod.codegen.schedule import parse_opt
from svod.ir.args import AtomicKind, RangeArg
from svod.ir.rules.samples import DATA, OUT, A, I, J, K, M, N, P, X, Y, c
from svod.testing.kernels import CASES
from svod.tools.notation import bounds, expression, nest

R = UOp.range(N, 0)
FLOAT = c(2.0, dtypes.f32)


@pytest.mark.parametrize(("graph", "text"), [
    (X + Y * 2, "x + y * 2"),
    ((X + Y) * 2, "(x + y) * 2"),
    (X - (Y - 1), "x - (y - 1)"),
    (X // 4 % 8, "x // 4 % 8"),
    (-(X + Y), "-(x + y)"),
    (UOp(Op.NEG, (c(3),)), "-(3)"),
    ((X < 4) & P, "(x < 4) & p"),
    ((K + M) << 4, "(k + m) << 4"),
    (K.idiv(M), "idiv(k, m)"),
    (K.rem(M), "rem(k, m)"),
    (K.fma(M, 3), "fma(k, m, 3)"),
    (P.where(A, -0.0), "where(p, a, -0.0)"),
    (K.cast(dtypes.f32), "f32(k)"),
    (A.bitcast(dtypes.i32), "bits_i32(a)"),
    (A.broadcast(4), "broadcast(a, 4)"),
    (UOp(Op.EXTRACT, (A.broadcast(4),), 2, dtypes.f32), "extract(broadcast(a, 4), 2)"),
    (UOp(Op.LANES, (A.broadcast(4),), Op.MAX, dtypes.f32), "lanes_max(broadcast(a, 4))"),
    (DATA.index(I, P).load(A), "load(data[i if p], a)"),
    (OUT[I].store(FLOAT), "store(out[i], 2.0)"),
    (DATA[R].load().sum(R), "reduce_add(load(data[r0]), r0 in 0..n)"),
    (OUT.after(OUT[I].store(A)), "after(out, store(out[i], a))"),
    (UOp(Op.ATOMIC, (OUT[I], A), AtomicKind.ADD), "atomic(out[i], a, add)"),
    (UOp.memory(3, dtypes.f32, 4, AddrSpace.REG), "register3"),
])
def test_expressions(graph: UOp, text: str) -> None:
    assert expression(graph) == text


def test_bounds_are_those_of_open_ranges() -> None:
    inner = UOp.range(R, 1)
    assert bounds(R + 1, inner) == "r0 in 0..n, r1 in 0..r0"
    assert bounds(DATA[R].load().sum(R)) == ""


def test_statements_stand_in_their_loops() -> None:
    unrolled = UOp.range(4, 1).replace(arg=RangeArg((1,), AxisKind.UNROLL))
    sink = UOp.sink(OUT[R * 4 + unrolled].store(A).end(unrolled).end(R), OUT[I].store(FLOAT))
    assert nest(sink).splitlines() == [
        "for r0 in 0..n:",
        "    for unroll r1 in 0..4:",
        "        out[r0 * 4 + r1] = a",
        "out[i] = 2.0"]


def test_what_an_access_waits_for_stands_before_it_as_far_out_as_it_can() -> None:
    panel = UOp.memory(0, dtypes.f32, 8, AddrSpace.LOCAL, name="panel")
    fill, use = UOp.range(8, 1), UOp.range(8, 2)
    done = panel[fill].store(DATA[R * 8 + fill].load()).end(fill)
    sink = UOp.sink(OUT[R * 8 + use].store(panel.after(done)[7 - use].load()).end(use).end(R))
    assert nest(sink).splitlines() == [
        "for r0 in 0..n:",
        "    for r1 in 0..8:",
        "        panel[r1] = load(data[r0 * 8 + r1])",
        "    for r2 in 0..8:",
        "        out[r0 * 8 + r2] = load(panel[7 - r2])"]


def test_barriers_and_other_effects_are_statements() -> None:
    barrier = UOp.barrier(OUT[I].store(A), scope=BarrierScope.GRID)
    sink = UOp.sink(OUT[J].store(DATA.after(barrier)[J].load()), UOp(Op.ATOMIC, (OUT[I], A), AtomicKind.MAX))
    assert nest(sink).splitlines() == ["out[i] = a", "barrier grid", "out[j] = load(data[j])", "atomic(out[i], a, max)"]


def test_long_values_used_twice_get_a_name_once() -> None:
    long = (X + Y * 1000 + N * 100 + 17) // 1000
    sink = UOp.sink(OUT[R + long].store(DATA[R + long].load()).end(R), OUT[long].store(A))
    text = nest(sink)
    assert text.splitlines()[0] == "t1 = (x + y * 1000 + n * 100 + 17) // 1000"
    assert text.count("17") == 1


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_kernel_has_a_notation(name: str) -> None:
    assert "\n".join(nest(normalize(CASES[name]().ast)).splitlines())


def test_a_schedule_is_seen() -> None:
    sink = apply_opts(normalize(UOp.sink(OUT[R].store(DATA[R].load()))), (parse_opt("SPLIT(0 by 8 mask)"),), 1)
    assert nest(sink).splitlines()[1:2] == ["    for r0.1 in 0..8:"]
