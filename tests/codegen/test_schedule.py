"""Opts as data: text, checks, and that no schedule changes what a kernel computes."""

from __future__ import annotations

import numpy as np
import pytest

import svod
from svod import Opt, OptKind, Tail, UOp, dtypes
from svod.codegen.schedule import parse_opt
from svod.errors import ScheduleError

M, N, K = 12, 40, 32


def matmul(m: int = M, n: int = N, k: int = K) -> UOp:
    out, a, b = (UOp.param(i, dtypes.f32, name=s) for i, s in enumerate(("out", "a", "b")))
    i, j, q = UOp.range(m, 0), UOp.range(n, 1), UOp.range(k, 2)
    return UOp.sink(out[i * n + j].store((a[i * k + q].load() * b[q * n + j].load()).sum(q)), name="mm")


def row_sums(m: int = M, n: int = N) -> UOp:
    out, a = UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="a")
    i, j = UOp.range(m, 0), UOp.range(n, 1)
    return UOp.sink(out[i].store(a[i * n + j].load().sum(j)), name="rows")


SCHEDULES = [
    [],
    ["SPLIT(0 by 4)"],
    ["SPLIT(0 by 5 peel)"],
    ["SPLIT(0 by 5 mask)"],
    ["SPLIT(1 by 16 peel)", "VECTOR(1.1)"],
    ["SPLIT(1 by 16 mask)", "VECTOR(1.1)"],
    ["SPLIT(1 by 8)", "VECTOR(1.1)", "SPLIT(0 by 6)", "UNROLL(0.1)"],
    ["SPLIT(2 by 8)", "VECTOR(2.1)"],
    ["SPLIT(2 by 16)", "SPLIT(2.1 by 8)", "INTERLEAVE(2.1.0)", "VECTOR(2.1.1)"],
    ["SPLIT(2 by 4)", "UNROLL(2.1)"],
    ["SPLIT(2 by 4)", "INTERLEAVE(2.1)"],
    ["SPLIT(2 by 5 peel)", "UNROLL(2.1)", "SPLIT(2.2 by 2 mask)"],
    ["SWAP(0 with 1)"],
    ["MERGE(0 with 1)"],
    ["MERGE(0 with 1)", "SPLIT(0.0 by 7 peel)"],
    ["PAD(1 by 16)"],
    ["PAD(2 by 7)"],
    ["PARALLEL(0)"],
    ["PARALLEL(1 by 8)", "SPLIT(1 by 8 mask)", "VECTOR(1.1)"],
    ["SWAP(0 with 1)", "SPLIT(0 by 16 mask)", "VECTOR(0.1)", "SPLIT(1 by 5 peel)", "UNROLL(1.1)", "STAGE(0.0 by 2)"],
    ["SPLIT(1 by 8)", "STAGE(1.0 by 2)"],
]


@pytest.mark.parametrize("texts", SCHEDULES, ids=lambda t: " ".join(t) or "none")
def test_no_schedule_changes_the_result(texts: list[str]) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-9, 9, (M, K)).astype(np.float32), rng.integers(-9, 9, (K, N)).astype(np.float32)
    out = np.zeros((M, N), np.float32)
    svod.Device("CPU").compile(matmul(), opts=[parse_opt(t) for t in texts]).execute([out, a, b])
    assert np.array_equal(out, a @ b)


def test_group_splits_a_reduction_over_the_cores() -> None:
    out, a, i = UOp.param(0, dtypes.i64, name="out"), UOp.param(1, dtypes.i64, name="a"), UOp.range(1001, 0)
    ast = UOp.sink(out[0].store(a[i].load().sum(i)), name="total")
    program = svod.Device("CPU").compile(ast, opts=[Opt(OptKind.GROUP, (0,), 8)])
    x, got = np.arange(1001), np.zeros(1, np.int64)
    program.execute([got, x])
    assert got[0] == x.sum()
    assert program.compiled.needs.phases == 2


@pytest.mark.parametrize(
    "text", ["SPLIT(0 by 64 peel)", "SPLIT(0.1 by 4)", "SWAP(0 with 1.2)", "VECTOR(1.1)", "STAGE(0.0 by 2)", "PAD(3 by 8)"]
)
def test_opts_print_and_parse_back(text: str) -> None:
    assert str(parse_opt(text)) == text


@pytest.mark.parametrize("text", ["", "SPLIT", "SPLIT()", "TWIST(0)", "SPLIT(0 by x)", "VECTOR(0) VECTOR(1)"])
def test_text_that_is_no_opt(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse_opt(text)


@pytest.mark.parametrize(("kind", "amount"), [(OptKind.SPLIT, 0), (OptKind.SPLIT, -3), (OptKind.PAD, 0)])
def test_amounts_are_checked(kind: OptKind, amount: int) -> None:
    with pytest.raises(ScheduleError, match="at least 1"):
        Opt(kind, (0,), amount)


@pytest.mark.parametrize(
    ("opts", "what"),
    [
        ([Opt(OptKind.SPLIT, (7,), 4)], r"has no axis 7"),
        ([Opt(OptKind.SPLIT, (0,), 7)], r"7 does not divide"),
        ([Opt(OptKind.VECTOR, (0,)), Opt(OptKind.VECTOR, (1,))], r"two VECTOR axes"),
        ([Opt(OptKind.GROUP, (2,))], r"reduced over the whole kernel"),
        ([Opt(OptKind.STAGE, (1,), 9)], r"buffer 9 has 0 loads"),
        ([Opt(OptKind.MMA, (0,))], r"no target has matrix instructions"),
        ([Opt(OptKind.MERGE, (0,), other=(2,))], r"not closed together"),
        ([Opt(OptKind.PARALLEL, (2,))], r"is reduced"),
    ],
)
def test_opts_that_do_not_fit_are_refused_by_name(opts: list[Opt], what: str) -> None:
    with pytest.raises(ScheduleError, match=what):
        svod.Device("CPU").compile(matmul(), opts=opts)


def test_a_symbolic_axis_is_marked_only_after_a_split() -> None:
    n, out, a = UOp.variable("n", 0, 100), UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="a")
    i = UOp.range(n, 0)
    with pytest.raises(ScheduleError, match="not a constant"):
        svod.Device("CPU").compile(UOp.sink(out[i].store(a[i].load())), opts=[Opt(OptKind.VECTOR, (0,))])


def test_a_store_that_does_not_move_is_not_vectorized() -> None:
    out, a, i = UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="a"), UOp.range(8, 0)
    with pytest.raises(ScheduleError, match="does not move along the VECTOR axis"):
        svod.Device("CPU").compile(UOp.sink(out[i // 8].store(a[i].load()).end(i)), opts=[Opt(OptKind.VECTOR, (0,))])


def test_tails_have_names() -> None:
    assert [t.value for t in Tail] == ["peel", "mask", "exact"]


def independent() -> dict[str, tuple[UOp, int]]:
    """Kernels whose iterations are independent, and the elements of their output."""
    o, a = UOp.param(0, dtypes.i64, name="out"), UOp.param(1, dtypes.i64, name="a")
    i, j, t = UOp.range(37, 0), UOp.range(29, 1), UOp.range(33, 0)
    k = UOp.range(t + 1, 1)
    return {
        "copy": (UOp.sink(o[i * 29 + j].store(a[i * 29 + j].load() * 2), name="copy"), 37 * 29),
        "nested": (UOp.sink(o[0].store(a[i * 29 + j].load().max(j).sum(i)), name="nested"), 1),
        "triangle": (UOp.sink(o[t].store(a[k].load().sum(k)), name="triangle"), 33),
    }


@pytest.mark.parametrize(
    ("name", "opts"),
    [
        ("copy", ["SPLIT(1 by 7 peel)", "PARALLEL(1.1)"]),
        ("copy", ["SPLIT(1 by 7 peel)", "PARALLEL(1.0)"]),
        ("nested", ["UNROLL(0)"]),
        ("nested", ["SPLIT(0 by 3 peel)", "UNROLL(0.1)"]),
        ("nested", ["INTERLEAVE(0)"]),
        ("triangle", ["UNROLL(0)", "SPLIT(1 by 32 peel)"]),
        ("triangle", ["SPLIT(1 by 3 peel)", "UNROLL(0)"]),
        ("triangle", ["SPLIT(1 by 4 mask)", "UNROLL(0)"]),
    ],
)
def test_combinations_keep_the_result(name: str, opts: list[str]) -> None:
    ast, n = independent()[name]
    x = np.random.default_rng(1).integers(0, 1000, 37 * 29)
    got, want = np.zeros(n, np.int64), np.zeros(n, np.int64)
    svod.Device("CPU").compile(ast, opts=opts).execute([got, x])
    svod.Device("INTERP").compile(ast).execute([want, x])
    assert np.array_equal(got, want)


@pytest.mark.parametrize(
    ("name", "opts", "what"),
    [
        ("copy", ["PARALLEL(0)", "PARALLEL(1)"], "spread over the cores already"),
        ("copy", ["PARALLEL(0)", "PARALLEL(0)"], "spread over the cores already"),
        ("nested", ["GROUP(0)", "GROUP(0)"], "spread over the cores already"),
        ("copy", ["STAGE(0 by 1)", "UNROLL(0)"], "copies would share it"),
        ("copy", ["VECTOR"], "is not an Opt"),
        ("copy", [None], "is no Opt"),
        ("copy", "VECTOR(1)", "opts is a list"),
        ("copy", 5, "opts is a list"),
    ],
)
def test_combinations_that_are_refused(name: str, opts: object, what: str) -> None:
    with pytest.raises(ScheduleError, match=what):
        svod.Device("CPU").compile(independent()[name][0], opts=opts)  # type: ignore[arg-type]
