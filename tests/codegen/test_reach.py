"""What a launch needs of its arguments: elements of each buffer, work, and which buffers may be the same."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import svod
from svod import UOp, dtypes
from svod.codegen.reach import NS_PER_OP, aliases, check_inside, elements, work
from svod.codegen.schedule import parse_opt
from svod.device.evaluation import compile_exprs
from svod.errors import ArgumentError, GraphError, ScheduleError
from svod.ir.ops import Op
from svod.testing.kernels import CASES, axes, p

N = UOp.variable("n", 0, 1000)
M = UOp.variable("m", 0, 1000)


def values(exprs: list[UOp], n: int, m: int = 0) -> tuple[int, ...]:
    return compile_exprs(exprs, (N, M), "test")((n, m))


def needed(ast: UOp, n: int = 0, m: int = 0) -> dict[int, int]:
    """Elements of each buffer for values of the variables."""
    found = elements(ast)
    return dict(zip(found, values(list(found.values()), n, m), strict=True))


def flat(index: Callable[[UOp], UOp | int], stop: UOp | int = N) -> UOp:
    """out[i] = a[index(i)]."""
    (i,) = axes(stop)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[index(i)].load()))


@pytest.mark.parametrize(
    ("index", "want"),
    [
        (lambda i: i, {0: (0, 0), 1: (1, 1), 10: (10, 10)}),
        (lambda i: i + 3, {0: (0, 0), 1: (1, 4), 10: (10, 13)}),
        (lambda i: i * 4, {0: (0, 0), 1: (1, 1), 10: (10, 37)}),
        (lambda i: i // 4, {0: (0, 0), 1: (1, 1), 10: (10, 3)}),
        (lambda i: i * -1 + (N - 1), {0: (0, 0), 1: (1, 1), 10: (10, 10)}),
        (lambda i: i * -2 + 50, {0: (0, 0), 1: (1, 51), 10: (10, 51)}),
        (lambda i: 7, {0: (0, 0), 1: (1, 8), 10: (10, 8)}),
        (lambda i: i + M, {0: (0, 0), 1: (1, 6), 10: (10, 15)}),
    ],
    ids=["plain", "offset", "strided", "divided", "reversed", "reversed-strided", "uniform", "variable"],
)
def test_elements(index: Callable[[UOp], UOp | int], want: dict[int, tuple[int, int]]) -> None:
    found = {n: needed(flat(index), n, 5) for n in want}
    assert {n: (e[0], e.get(1, 0)) for n, e in found.items()} == want


def test_a_load_in_a_loop_that_does_not_run_needs_nothing() -> None:
    (i,) = axes(N)
    product = UOp.sink(p(0, "out")[0].store((p(1, "a")[5].load() * p(2, "b")[i].load()).sum(i)))
    assert (needed(product, 0), needed(product, 3)) == ({0: 1, 1: 0, 2: 0}, {0: 1, 1: 6, 2: 3})


def test_a_load_used_in_two_loops_needs_its_element_if_either_runs() -> None:
    i, j = axes(N, M)
    x = p(2, "a")[0].load()
    both = UOp.sink(p(0, "x")[i].store(x + i.cast(dtypes.f32)), p(1, "y")[j].store(x + j.cast(dtypes.f32)))
    assert [needed(both, n, m)[2] for n, m in ((1, 0), (0, 1), (1, 1))] == [1, 1, 1]


def test_matmul_needs_its_three_matrices() -> None:
    i, j, q = axes(N, M, 4)
    ast = UOp.sink(p(0, "out")[i * M + j].store((p(1, "a")[i * 4 + q].load() * p(2, "b")[q * M + j].load()).sum(q)))
    assert needed(ast, 3, 5) == {0: 15, 1: 12, 2: 20}
    assert needed(ast, 0, 5)[0] == needed(ast, 3, 0)[0] == 0


def test_what_is_guarded_gathered_or_not_monotone_is_not_asked_for() -> None:
    (i,) = axes(N)
    gated = UOp.sink(p(0, "out")[i].store(p(1, "a").index(i * 100, i < 3).load(0.0)))
    gathered = flat(lambda i: p(2, "at", dtypes.i32)[i].load())
    folded = flat(lambda i: (i - 5) * (i - 5))
    assert 1 not in needed(gated, 9)
    assert 1 not in needed(gathered, 9)
    assert needed(gathered, 9)[2] == 9
    assert needed(folded, 9).get(1, 0) == 0
    assert [needed(flat(lambda i: i % 7), n)[1] for n in (0, 3, 9)] == [0, 3, 7]


@pytest.mark.parametrize("name", [n for n in CASES if n != "far_offsets"])
def test_no_case_is_asked_for_more_than_it_has(name: str) -> None:
    case = CASES[name]()
    found = elements(case.ast)
    variables = list(case.ast.find(Op.DEFINE_VAR))
    given = compile_exprs(list(found.values()), variables, name)([case.vals[v.arg.name] for v in variables])  # type: ignore[misc]
    assert all(need <= case.buffers[slot].size for slot, need in zip(found, given, strict=True))


@pytest.mark.devices("CPU", "INTERP")
def test_a_launch_of_nothing_takes_empty_buffers(device: svod.Device) -> None:
    program = device.compile(flat(lambda i: 0))
    program(np.zeros(0, np.float32), np.zeros(0, np.float32), n=0)
    with pytest.raises(ArgumentError, match="needs at least 1 element"):
        program(np.zeros(1, np.float32), np.zeros(0, np.float32), n=1)


# ---- work ---------------------------------------------------------------------------------------------------------------------------


def test_work_counts_the_iterations_of_stores_and_reductions() -> None:
    i, j = axes(N, M)
    copy = UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load()))
    rows = UOp.sink(p(0, "out")[i].store(p(1, "a")[i * M + j].load().sum(j)))
    assert values([work(copy)], 64) == (64 * 4 // NS_PER_OP,)
    assert values([work(rows)], 10, 20) == ((10 * 20 + 10) * 4 // NS_PER_OP,)
    assert values([work(rows)], 0, 20) == values([work(copy)], 0) == (0,)


def test_work_of_a_triangle_is_that_of_its_square() -> None:
    i = UOp.range(N, 0)
    k = UOp.range(i + 1, 1)
    ast = UOp.sink(p(0, "out")[i].store(p(1, "a")[k].load().sum(k)))
    assert values([work(ast)], 8) == ((8 * 9 + 8) * 4 // NS_PER_OP,)


# ---- aliases ------------------------------------------------------------------------------------------------------------------------


def test_buffers_that_are_touched_at_one_index_may_be_the_same() -> None:
    i, j = axes(8, 8)
    a, b, out = p(1, "a"), p(2, "b"), p(0, "out")
    together = UOp.sink(out[i].store(a[i].load() + b[i].load()))
    shifted = UOp.sink(out[i].store(a[i].load() + b[i + 1].load()))
    turned = UOp.sink(out[i * 8 + j].store(a[j * 8 + i].load()))
    twice = UOp.sink(out[i].store(a[i].load() + a[i + 1].load()))
    narrow = UOp.sink(out[i].store(p(1, "a", dtypes.f16)[i].load().cast(dtypes.f32)))
    assert aliases(together) == {0: {1, 2}, 1: {0, 2}, 2: {0, 1}}
    assert aliases(shifted) == {0: {1}, 1: {0}, 2: set()}
    assert aliases(turned) == aliases(twice) == aliases(narrow) == {0: set(), 1: set()}


# ---- what is certainly outside -------------------------------------------------------------------------------------------------------


def own(index: UOp | int, space: svod.AddrSpace = svod.AddrSpace.REG) -> UOp:
    """A kernel that reads element `index` of four of its own."""
    m = UOp.memory(0, dtypes.f32, 4, space, name="tile")
    return UOp.sink(p(0, "out")[0].store(m.after(m[0].store(1.0))[index].load()), name="outside")


def sized(index: UOp | int) -> UOp:
    """A kernel that reads element `index` of a buffer of two."""
    return UOp.sink(p(0, "out")[0].store(UOp.param(1, dtypes.f32, 2, name="two")[index].load()), name="outside")


@pytest.mark.parametrize(("make", "what"), [
    (lambda: sized(5), "reads element 5 of 'two', which has 2"), (lambda: sized(-1), "reads below element 0 of 'two'"),
    (lambda: own(4), "reads element 4 of 'tile', which has 4"), (lambda: own(7, svod.AddrSpace.LOCAL), "element 7 of 'tile'"),
    (lambda: own(9, svod.AddrSpace.GLOBAL), "element 9 of 'tile'"),
    (lambda: UOp.sink(UOp.param(0, dtypes.f32, 2, name="two")[2].store(1.0)), "writes element 2 of 'two', which has 2"),
    (lambda: UOp.sink(UOp.param(0, dtypes.f32, 2, name="two")[UOp.range(16, 0)].store(1.0)), "writes element 15 of 'two', which has 2"),
    (lambda: UOp.sink(p(0, "out")[UOp.range(4, 0) - 2].store(1.0)), "writes below element 0 of 'out'"),
])
@pytest.mark.devices("CPU", "INTERP", "NULL")
def test_what_is_certainly_outside_is_refused_when_it_is_compiled(device: svod.Device, make: Callable[[], UOp], what: str) -> None:
    with pytest.raises(GraphError, match=f"{what}(.|\n)*hint: elements"):
        device.compile(make(), name="outside")


@pytest.mark.parametrize("make", [
    lambda: sized(1), lambda: own(3), lambda: sized(UOp.range(N, 0)).substitute({}),
    lambda: UOp.sink(UOp.param(0, dtypes.f32, 2, name="two").index(5, N < 3).store(1.0)),
    lambda: UOp.sink(UOp.param(0, dtypes.f32, 2, name="two")[UOp.range(0, 0) + 7].store(1.0)),
])
def test_what_may_be_inside_passes(make: Callable[[], UOp]) -> None:
    check_inside(make())


WIDE = (1 << 62) + (1 << 40)
STRIDES = {"s": UOp.variable("s", 0, 1 << 40), "t": UOp.variable("t", 0, 1 << 40)}


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("writes", [False, True])
def test_an_index_that_overflows_64_bits_is_refused(device: svod.Device, writes: bool) -> None:
    """The stride 2**62 + 2**40, five times: 2**42 elements to the compiled code, if nothing looked."""
    (i,) = axes(N)
    out, a = p(0, "out"), p(1, "a")
    program = device.compile(UOp.sink(out[i * WIDE].store(a[i].load()) if writes else out[i].store(a[i * WIDE].load()), name="far"))
    x, y = np.zeros(100, np.float32), np.arange(100, dtype=np.float32)
    with pytest.raises(ArgumentError, match=f"size needed of buffer '{'out' if writes else 'a'}' of kernel 'far' overflows 64 bits: MUL"):
        program.execute([x, y], [5])
    assert not x.any()
    program.execute([x, y + 1], [1])
    assert x[0] == 1


@pytest.mark.devices("CPU", "INTERP")
def test_a_product_of_variables_that_overflows_64_bits_is_refused(device: svod.Device) -> None:
    (i,) = axes(N)
    program = device.compile(UOp.sink(p(0, "out")[i].store(p(1, "a")[i * (STRIDES["s"] * STRIDES["t"])].load()), name="strided"))
    x, y = np.zeros(100, np.float32), np.arange(100, dtype=np.float32)
    for s, t, n in (((1 << 31) + 1, 1 << 31, 5), (1 << 40, 1 << 40, 2), (1 << 32, 1 << 31, 3)):
        with pytest.raises(ArgumentError, match="overflows 64 bits"):
            program.execute([x, y], {"n": n, "s": s, "t": t})
    with pytest.raises(ArgumentError, match=f"needs at least {(1 << 41) + 1} elements"):
        program.execute([x, y], {"n": 3, "s": 1 << 20, "t": 1 << 20})
    program.execute([x, y], {"n": 3, "s": 4, "t": 10})
    assert x[:3].tolist() == [0, 40, 80]


@pytest.mark.devices("CPU", "INTERP")
def test_a_size_that_overflows_in_the_arm_not_taken_is_no_reason_to_refuse(device: svod.Device) -> None:
    (i,) = axes(N)
    at = (STRIDES["s"] < 100).where(STRIDES["s"], (STRIDES["s"] * STRIDES["t"]).minimum(7))
    program = device.compile(UOp.sink(p(0, "out")[i].store(p(1, "a")[at].load()), name="arms"))
    x, y = np.zeros(4, np.float32), np.arange(100, dtype=np.float32)
    program.execute([x, y], {"n": 4, "s": 9, "t": 1 << 40})
    assert x.tolist() == [9.0] * 4
    with pytest.raises(ArgumentError, match="overflows 64 bits"):
        program.execute([x, y], {"n": 4, "s": 1 << 40, "t": 1 << 40})


@pytest.mark.devices("CPU", "INTERP")
def test_the_number_of_the_core_reaches_all_its_values(device: svod.Device) -> None:
    core, (i,) = UOp.variable("core_id", 0, 2), axes(4)
    program = device.compile(UOp.sink(p(0, "out")[core * 4 + i].store(core.cast(dtypes.f32) + 1), name="cores"))
    with pytest.raises(ArgumentError, match="needs at least 12 elements"):
        program.execute([np.zeros(11, np.float32)])
    out = np.zeros(12, np.float32)
    program.execute([out])
    assert out.tolist() == [1.0] * 4 + [2.0] * 4 + [3.0] * 4


@pytest.mark.devices("CPU", "INTERP")
def test_what_does_not_go_by_core_is_done_once(device: svod.Device) -> None:
    core = UOp.variable("core_id", 0, 1)
    out = np.full(2, 9, np.float32)
    device.compile(UOp.sink(p(0, "out")[0].store(core.cast(dtypes.f32)), name="first")).execute([out])
    assert out.tolist() == [0.0, 9.0]


@pytest.mark.devices("CPU")
def test_a_kernel_that_says_what_each_core_does_is_not_spread_again(device: svod.Device) -> None:
    core, (i,) = UOp.variable("core_id", 0, 1), axes(1 << 20)
    ast = UOp.sink(p(0, "out")[i].store(core.cast(dtypes.f32) + 1), name="spread")
    with svod.override(config=svod.Config(threads=3)):
        program = device.compile(ast)
        with pytest.raises(ScheduleError, match="the kernel says what each core does, by core_id"):
            device.compile(ast, opts=[parse_opt("PARALLEL(0 by 8)")])
    out = np.zeros(1 << 20, np.float32)
    program.execute([out])
    assert (out == 1).all()


def test_a_bound_from_memory_is_not_known_before_the_launch() -> None:
    i = UOp.range(10, 0)
    t = UOp.range(UOp.param(2, dtypes.i32, name="length")[i].load().cast(dtypes.index), 1)
    ast = UOp.sink(UOp.param(0, dtypes.f32)[i].store(UOp.param(1, dtypes.f32)[i * 9 + t].load().sum(t)))
    known = elements(ast)
    assert (known[0].arg.value, known[2].arg.value) == (10, 10)
    assert 1 not in known
    assert work(ast).op is Op.CONST


def test_an_inner_loop_that_an_outer_one_may_leave_empty() -> None:
    """`for i < n: for k < i: a[5] = 1` touches nothing if n is 1: nothing is asked. A loop that certainly runs is no reason not to ask."""
    i = UOp.range(N, 0)
    k, sure = UOp.range(i, 1), UOp.range(i + 1, 1)
    a = UOp.param(0, dtypes.f32, name="a")
    for index in (UOp.const(5, dtypes.index), i, N - 1 - i):
        assert needed(UOp.sink(a[index].store(1.0).end(k, i), name="triangle"), n=1).get(0, 0) == 0
        svod.Device("CPU").compile(UOp.sink(a[index].store(1.0).end(k, i), name="triangle")).execute([np.zeros(0, np.float32)], [1])
    assert needed(UOp.sink(a[5 + i].store(1.0).end(sure, i), name="sure"), n=7) == {0: 12}
