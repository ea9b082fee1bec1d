"""Opts as data: text, checks, and that no schedule changes what a kernel computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import svod
from svod import Opt, OptKind, Tail, UOp, dtypes
from svod.codegen.schedule import Panel, parse_opt
from svod.errors import ScheduleError
from svod.ir.ops import Op
from svod.testing.written_order import run_as_written

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


@pytest.mark.parametrize("text", ["", "SPLIT", "SPLIT()", "TWIST(0)", "SPLIT(0 by x)", "VECTOR(0) VECTOR(1)", "SPLIT(0..1 by 2)",
                                  "SPLIT(0. by 2)", "SWAP(- with 1)", "STAGE(0 by 1 as 0,,1)", f"SPLIT(0 by {'9' * 5000})",
                                  None, 5, b"VECTOR(0)", ["VECTOR(0)"]], ids=lambda t: str(t)[:20])  # fmt: skip
def test_what_is_no_text_of_an_opt(text: object) -> None:
    with pytest.raises(ScheduleError, match="is not an Opt"):
        parse_opt(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [
    {"kind": "SPLIT"}, {"axis": 0}, {"axis": [0]}, {"axis": (0.0,)}, {"axis": (True,)}, {"amount": 4.0}, {"amount": "4"}, {"amount": True},
    {"tail": "mask"}, {"other": [1]}, {"unit": 1.0}, {"panel": None}, {"panel": "pad 1"},
], ids=str)  # fmt: skip
def test_an_opt_has_fields_of_the_types_it_says(fields: dict[str, Any]) -> None:
    right: dict[str, Any] = {"kind": OptKind.SPLIT, "axis": (0,), "amount": 4}
    Opt(**right)
    with pytest.raises(ScheduleError, match="an Opt with"):
        Opt(**(right | fields))


@pytest.mark.parametrize("fields", [{"order": [(0,)]}, {"order": (0,)}, {"order": ((0.5,),)}, {"pad": -1}, {"pad": "1"}, {"shared": 1},
                                    {"guard": 2.0}, {"reads": True}, {"reads": -4}], ids=str)  # fmt: skip
def test_a_panel_has_fields_of_the_types_it_says(fields: dict[str, Any]) -> None:
    with pytest.raises(ScheduleError, match="a Panel with"):
        Panel(**fields)


@pytest.mark.parametrize(("kind", "amount"), [(OptKind.SPLIT, 0), (OptKind.SPLIT, -3), (OptKind.PAD, 0)])
def test_amounts_are_checked(kind: OptKind, amount: int) -> None:
    with pytest.raises(ScheduleError, match="at least 1"):
        Opt(kind, (0,), amount)


@pytest.mark.parametrize(
    ("opts", "what"),
    [
        ([Opt(OptKind.SPLIT, (7,), 4)], r"has no axis 7"),
        ([Opt(OptKind.SPLIT, (0,), 7)], r"7 does not divide"),
        ([Opt(OptKind.VECTOR, (0,)), Opt(OptKind.VECTOR, (1,))], r"VECTOR\(1\): the nest has lanes along axis 0 already"),
        ([Opt(OptKind.GROUP, (2,))], r"GROUP\(2\): the axis is not reduced over the whole kernel\n  at: "),
        ([Opt(OptKind.STAGE, (1,), 0)], r"STAGE\(1 by 0\): "),
        ([Opt(OptKind.STAGE, (1,), 9)], r"0 loads of buffer 9 move along axis 1, STAGE takes exactly one"),
        ([Opt(OptKind.MMA, (0,))], r"matrix units are not chosen by an Opt"),
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
    with pytest.raises(ScheduleError, match="depend on one another"):
        svod.Device("CPU").compile(UOp.sink(out[i // 8].store(a[i].load()).end(i)), opts=[Opt(OptKind.VECTOR, (0,))])


def test_tails_have_names() -> None:
    assert [t.value for t in Tail] == ["peel", "mask", "balanced", "exact"]


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


def effects() -> dict[str, UOp]:
    """Kernels whose result depends on the order of their effects; each was once computed wrongly under a schedule it is tested with."""
    o, q, a = (UOp.param(k, dtypes.i64, name=s) for k, s in enumerate(("out", "other", "a")))
    i, j, t = UOp.range(6, 0), UOp.range(5, 1), UOp.range(1, 0)
    cell = UOp.memory(0, dtypes.i64, 1, svod.AddrSpace.REG)
    first = cell.after(i)[0].store(1)
    now = cell.after(first, j)
    running = now[0].load() * 3 + a[i * 5 + j].load()
    x, y = o[i].load(), o[i * -1 + 11].load()
    own = UOp.memory(0, dtypes.i64, 5, svod.AddrSpace.LOCAL)
    filled = own[j].store(a.index(j, i < 0).load(7) + o[j].load()).end(j)
    return {
        "overlap": UOp.sink(o[i + j].store(a[i * 5 + j].load()).end(i, j)),
        "folded": UOp.sink(o[i % 3].store(o[i % 3].load() * 3 + a[i].load()).end(i)),
        "table": UOp.sink(o[a[i * 5 + j].load() % 7].store((i * 5 + j).cast(dtypes.i64)).end(i, j)),
        "horner": UOp.sink(o[0].store(o[0].load() * 3 + a[i * 5 + j].load()).end(i, j)),
        "rows": UOp.sink(o[j].store(o[j].load() * 3 + a[i * 5 + j].load()).end(i, j)),
        "two": UOp.sink(UOp.group(o[0].store(a[i].load()), q[i].store(o[0].load() + 1)).end(i)),
        "nested": UOp.sink(UOp.group(o[i].store(a[i].load()), o[j + 8].store(o[j + 8].load() + a[i * 5 + j].load()).end(j)).end(i)),
        "siblings": UOp.sink(o[i].store(a[i].load()).end(i), q[i].store(o[i + 1].load()).end(i)),
        "again": UOp.sink(UOp.group(o[t].store(o[t * 2].load() + a[t].load()), q[t].store(o[t * 3].load())).end(t)),
        "scan": UOp.sink(UOp.group(now[0].store(running), q[i * 5 + j].store(running)).end(j).end(i)),
        "swapped": UOp.sink(UOp.group(o[i].store(y.after(x)), o[i * -1 + 11].store(x)).end(i)),
        "vanished": UOp.sink(UOp.group(o[i].store(x - x), q[i].store(x)).end(i)),
        "never": UOp.sink(UOp.group(o.index(i, i < 0).store(x), o[i].store(a[i].load()), q[i].store(x)).end(i)),
        "filled": UOp.sink(o[i + j + 1].store(own.after(filled)[j].load() + a[j].load()).end(i, j)),
        "beside": UOp.sink(UOp.group(o[i].store(a[i].load()), UOp.group(q[0].store(i.cast(dtypes.i64)), q[j + i].store(o[j].load())).end(j))
                           .end(i)),
        "peeled": UOp.sink(o[i + j].store(o[i].load() + o[j].load() * 3).end(i, j)),
    }


@pytest.mark.parametrize("opts", [
    (), ("SPLIT(0 by 4 peel)",), ("SPLIT(1 by 2 peel)",), ("SPLIT(1 by 2 mask)",), ("PAD(0 by 4)",), ("SPLIT(0 by 4 mask)",),
    ("SWAP(0 with 1)",), ("MERGE(1 with 0)",), ("UNROLL(0)",), ("UNROLL(1)",), ("INTERLEAVE(0)",), ("VECTOR(0)",), ("VECTOR(1)",),
    ("PARALLEL(0)",), ("PARALLEL(1)",), ("SPLIT(0 by 8 peel)",), ("STAGE(0 by 0)",),
], ids=lambda t: " ".join(t) or "none")  # fmt: skip
@pytest.mark.parametrize("name", effects())
def test_a_schedule_keeps_the_order_of_effects_or_is_refused(name: str, opts: tuple[str, ...]) -> None:
    """Against the graph as it is written; the refusals are those of the Opts that would change the order."""
    kernel = effects()[name]
    given = [np.arange(40) * 7 % 31, np.zeros(40, np.int64), np.arange(40) * 5 % 13]
    given = given[:1 + max(p.arg.slot for p in kernel.find(Op.PARAM))]
    want, got = [b.copy() for b in given], [b.copy() for b in given]
    run_as_written(kernel, want)
    slots = sorted(p.arg.slot for p in kernel.find(Op.PARAM))
    for threads in (1, 3):
        with svod.override(config=svod.Config(threads=threads)):
            try:
                program = svod.Device("CPU").compile(kernel, opts=list(opts))
            except ScheduleError:
                if not opts:
                    raise
                continue
        got = [b.copy() for b in given]
        program.execute([got[k] for k in slots])
        assert all(np.array_equal(g, w) for g, w in zip(got, want, strict=True)), (threads, got, want)


@pytest.mark.parametrize(("name", "text"), [
    ("overlap", "SWAP(0 with 1)"), ("overlap", "PARALLEL(0)"), ("overlap", "UNROLL(0)"), ("folded", "VECTOR(0)"),
    ("folded", "INTERLEAVE(0)"),
    ("table", "PARALLEL(0)"),
    ("table", "MERGE(1 with 0)"), ("horner", "SWAP(0 with 1)"), ("two", "UNROLL(0)"), ("scan", "PARALLEL(1)"),
    ("scan", "SWAP(0 with 1)"), ("swapped", "VECTOR(0)"), ("swapped", "STAGE(0 by 0)"),
])  # fmt: skip
def test_what_would_change_the_order_is_refused(name: str, text: str) -> None:
    with pytest.raises(ScheduleError, match=text.partition("(")[0]):
        svod.Device("CPU").compile(effects()[name], opts=[text])


def test_iterations_that_continue_from_one_another_are_not_copied_after_a_merge() -> None:
    o, a = UOp.param(0, dtypes.i64, name="out"), UOp.param(1, dtypes.i64, name="a")
    i, j = UOp.range(8, 0), UOp.range(2, 1)
    kernel = UOp.sink(o[i].store(o[i].load() * 3 + a[i * 2 + j].load()).end(i, j), name="horner")
    with pytest.raises(ScheduleError, match="continues from the one before"):
        svod.Device("CPU").compile(kernel, opts=["MERGE(0 with 1)", "SPLIT(0.0 by 4)", "UNROLL(0.0.1)"])
    with pytest.raises(ScheduleError, match="may write the same elements"):
        svod.Device("CPU").compile(kernel, opts=["MERGE(0 with 1)", "PARALLEL(0.0)"])


@pytest.mark.parametrize(("name", "text"), [("rows", "SWAP(0 with 1)"), ("rows", "VECTOR(1)"), ("rows", "PARALLEL(1)"),
                                            ("scan", "PARALLEL(0)"), ("horner", "MERGE(0 with 1)")])  # fmt: skip
def test_what_keeps_the_order_is_accepted(name: str, text: str) -> None:
    svod.Device("CPU").compile(effects()[name], opts=[text])


@pytest.mark.parametrize("opts", [["UNROLL(1)", "SPLIT(1 by 2 peel)"], ["VECTOR(1)", "PAD(1 by 8)"], ["UNROLL(0)", "MERGE(0 with 1)"],
                                  ["UNROLL(0)", "PARALLEL(0)"], ["UNROLL(0)", "SWAP(0 with 1)"], ["VECTOR(1)", "SWAP(0 with 1)"],
                                  ["UNROLL(0)", "MERGE(1 with 0)"]], ids=" ".join)  # fmt: skip
def test_a_marked_axis_is_not_cut_any_more(opts: list[str]) -> None:
    with pytest.raises(ScheduleError, match="marked"):
        svod.Device("CPU").compile(independent()["copy"][0], opts=opts)
