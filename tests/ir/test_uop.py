"""Nodes: identity, structure checks, traversal, memory, threads."""
from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from svod.dtype import dtypes
from svod.errors import DTypeError, GraphError
from svod.ir import uop as module
from svod.ir.args import ConstArg, RangeArg
from svod.ir.ops import OPS, Op
from svod.ir.uop import UOp, interned_count

x, y = UOp.variable("x", 0, 9), UOp.variable("y", 0, 9)
a, p = UOp.scalar("a", dtypes.f32), UOp.scalar("p", dtypes.bool)
DATA = UOp.param(0, dtypes.f32, 16)


# --- identity -----------------------------------------------------------------------------------------------------------------------

def test_the_same_structure_is_the_same_object() -> None:
    assert (x + y) * 2 is (x + y) * 2
    assert x + y is not y + x
    assert x + y is not x - y
    assert UOp.variable("x", 0, 8) is not x
    assert a.cast(dtypes.f64) is not a.cast(dtypes.f16)
    assert UOp(Op.ADD, (x, y), None, dtypes.index) is x + y


def test_constants_are_told_apart_by_type_and_bits() -> None:
    nodes = [UOp.const(1, dtypes.i32), UOp.const(1, dtypes.index), UOp.const(True, dtypes.bool), UOp.const(1.0, dtypes.f32),
             UOp.const(1.0, dtypes.f64), UOp.const(0.0, dtypes.f32), UOp.const(-0.0, dtypes.f32), UOp.const(float("nan"), dtypes.f32),
             UOp.const(0, dtypes.i32), UOp.const(False, dtypes.bool)]
    assert len(set(nodes)) == len(nodes)
    assert UOp.const(float("nan"), dtypes.f32) is UOp.const(float("nan"), dtypes.f32)
    assert UOp.const(1, dtypes.f32) is UOp.const(1.0, dtypes.f32) is UOp.const(True, dtypes.f32)
    assert len({ConstArg.of(v) for v in (1, True, 1.0, 0, False, 0.0, -0.0, float("nan"))}) == 8


def test_constants_are_rounded_and_checked() -> None:
    assert UOp.const(0.1, dtypes.f16).arg.value == 0.0999755859375
    assert UOp.const(3, dtypes.f32.vec(4)) is UOp.const(3.0, dtypes.f32).broadcast(4)
    with pytest.raises(DTypeError, match="300 is not a value of u8\n  hint: u8 holds 0 to 255"):
        UOp.const(300, dtypes.u8)
    with pytest.raises(DTypeError, match=r"1.5 is not a value of i32"):
        UOp.const(1.5, dtypes.i32)


@pytest.mark.parametrize("u", [(x + y) * 2, UOp.sink(DATA[x].store(a.sqrt()).end(UOp.range(4, 0)), name="k"), UOp.const(-0.0, dtypes.f16),
                               UOp.const(float("nan"), dtypes.f64), a.cast(dtypes.i8).broadcast(4).extract(2)])
def test_pickle_and_copies_give_the_same_object(u: UOp) -> None:
    assert pickle.loads(pickle.dumps(u)) is u
    assert copy.copy(u) is u
    assert copy.deepcopy(u) is u
    assert copy.deepcopy({"key": [u]})["key"][0] is u


def test_unpickling_in_another_process_interns() -> None:
    code = ("import sys, pickle; from svod.ir.uop import UOp; u, v = pickle.load(sys.stdin.buffer); x = UOp.variable('x', 0, 9); "
            "print(u is v and u is (x + 1) * (x + 1))")
    data = pickle.dumps(((x + 1) * (x + 1), (x + 1) * (x + 1)))
    assert subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True).stdout == b"True\n"


def test_a_deep_graph_can_be_pickled() -> None:
    u = x
    for _ in range(20_000):
        u = u + y
    assert pickle.loads(pickle.dumps(u)) is u


def test_nodes_cannot_be_changed() -> None:
    with pytest.raises(GraphError, match=r"a UOp cannot be changed \(op\)\n  hint: build another with .replace"):
        x.op = Op.SUB
    with pytest.raises(GraphError, match="cannot be changed"):
        x.extra = 1  # type: ignore[attr-defined]


def test_replace() -> None:
    assert (x + y).replace(src=(y, x)) is y + x
    assert UOp.range(4, 0).replace(arg=RangeArg((1,))) is UOp.range(4, 1)
    assert a.cast(dtypes.f64).replace(src=(x,)) is x.cast(dtypes.f64)
    assert a.cast(dtypes.f64).replace(dtype=dtypes.f16) is a.cast(dtypes.f16)


def test_a_node_prints_what_it_is() -> None:
    assert repr(x + y) == "<ADD index, 2 src>"
    assert repr(UOp.const(1, dtypes.i32)).startswith("<CONST i32 ConstArg(value=1")


# --- memory -------------------------------------------------------------------------------------------------------------------------

def test_nodes_are_freed_when_nobody_holds_them() -> None:
    gc.collect()
    before = interned_count()
    u = UOp.variable("fresh", 0, 77)
    for i in range(1000):
        u = u * 3 + i
    assert interned_count() >= before + 2000
    del u
    gc.collect()
    assert interned_count() <= before


def test_a_freed_node_can_be_made_again() -> None:
    u = UOp.variable("again", 0, 5) + 1
    del u
    again = UOp.variable("again", 0, 5) + 1
    assert again is UOp.variable("again", 0, 5) + 1


def test_freeing_a_deep_graph_does_not_overflow_the_stack() -> None:
    u = UOp.variable("deep", 0, 5)
    for _ in range(100_000):
        u = u + 1
    del u
    gc.collect()


# --- threads ------------------------------------------------------------------------------------------------------------------------

def in_threads(work: Callable[[int], object], count: int = 8) -> list[object]:
    """What `work(0)`, …, `work(count - 1)` return, each in a thread, started together."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(i: int) -> None:
        barrier.wait()
        results[i] = work(i)  # type: ignore[call-overload]
    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results  # type: ignore[return-value]


@pytest.fixture
def busy_threads() -> object:
    """Threads change as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("busy_threads")
def test_threads_that_build_the_same_graph_get_the_same_nodes() -> None:
    for round_ in range(20):
        def build(_: int, name: str = f"t{round_}") -> UOp:
            u = UOp.variable(name, 0, 9)
            for i in range(60):
                u = (u + i) * (u - i)
            return u
        assert len(set(map(id, in_threads(build)))) == 1


@pytest.mark.usefixtures("busy_threads")
def test_threads_that_build_and_drop_different_graphs_leave_nothing() -> None:
    gc.collect()
    before = interned_count()

    def churn(i: int) -> bool:
        good = True
        for n in range(60):
            u = UOp.variable(f"c{(i + n) % 3}", 0, 9)
            for k in range(30):
                u = u + (k + n % 5)
            good &= u is u.replace(src=u.src) and u.src[0].op is Op.ADD
        return good
    assert all(in_threads(churn))
    gc.collect()
    assert interned_count() <= before


# --- traversal ----------------------------------------------------------------------------------------------------------------------

def test_toposort_has_sources_first_and_each_node_once() -> None:
    s = x + y
    order = (s * s + x).toposort()
    assert order == [x, y, s, s * s, s * s + x]


def test_toposort_does_not_enter_what_it_is_told_not_to() -> None:
    s = x + y
    assert (s * 2).toposort(lambda u: u is not s) == [UOp.const(2, dtypes.index), s * 2]


def test_a_deep_graph_is_sorted() -> None:
    u = x
    for _ in range(100_000):
        u = u + y
    assert len(u.toposort()) == 100_002


def test_uncached_finds_what_lacks_a_fact() -> None:
    u = (UOp.variable("lacking", 0, 3) + 1) * 2
    assert u.uncached("fact") == u.toposort()
    for v in u.src[0].toposort():
        v.cache["fact"] = True
    assert u.uncached("fact") == [UOp.const(2, dtypes.index), u]


def test_find_and_substitute() -> None:
    u = (x + 1) * (y + 1)
    assert list(u.find(Op.DEFINE_VAR)) == [x, y]
    assert u.substitute({x: y}) is (y + 1) * (y + 1)
    assert u.substitute({x + 1: x, x: y}) is x * (y + 1)
    assert u.substitute({a: a * 2.0}) is u
    assert u.substitute({u: x}) is x


def test_a_cycle_is_reported() -> None:
    u = UOp.variable("cyclic", 0, 9) + 1
    v = u * 2
    object.__setattr__(u, "src", (v, u.src[1]))
    with pytest.raises(GraphError, match=r"the graph has a cycle\n  at: .* is its own operand\n  hint: UOps must form a DAG"):
        v.toposort()
    object.__setattr__(u, "src", (x, x))


def test_a_graph_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NODES", 50)
    u = x
    for i in range(60):
        u = u + i
    with pytest.raises(GraphError, match="the graph has more than 50 nodes\n  hint: use a RANGE"):
        u.toposort()


# --- structure ----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("make", "message"), [
    (lambda: UOp(Op.ADD, (x,)), "ADD takes 2 operands, got 1\n  hint: ADD is: Sum."),
    (lambda: UOp(Op.WHERE, (p, x)), "WHERE takes 3 operands, got 2"),
    (lambda: UOp(Op.STACK, (), None, dtypes.f32.vec(2)), "STACK takes 1 to any number operands, got 0"),
    (lambda: UOp(Op.LOAD, (DATA[0], a, a)), "LOAD takes 1 to 2 operands, got 3"),
    (lambda: UOp(Op.ADD, (x, 3)), "an operand of ADD is 3, not a UOp\n  hint: wrap numbers"),  # type: ignore[arg-type]
    (lambda: UOp(Op.ADD, (x, y), 7), "ADD takes no arg, got 7"),
    (lambda: UOp(Op.CONST, (), 7, dtypes.i32), "CONST takes an arg of type ConstArg, got 7"),
    (lambda: UOp(Op.EXTRACT, (a.broadcast(4),), None, dtypes.f32), "EXTRACT takes an arg of type int, got None"),
    (lambda: UOp(Op.EXTRACT, (a.broadcast(4),), True, dtypes.f32), "EXTRACT takes an arg of type int, got True"),
    (lambda: UOp(Op.CAST, (x,)), "CAST needs a dtype"),
    (lambda: UOp(Op.ADD, (x, y), None, dtypes.i32), "ADD of index is index, not i32\n  hint: leave the dtype out"),
    (lambda: UOp(Op.ADD, (x, a)), "operands of ADD have dtypes index and f32\n  hint: cast one of them: x.cast"),
    (lambda: UOp(Op.MULACC, (a, a, x)), "operands of MULACC have dtypes f32 and f32 and index"),
    (lambda: UOp(Op.WHERE, (p, x, a)), "operands of WHERE have dtypes bool and index and f32"),
    (lambda: UOp(Op.WHERE, (x, a, a)), "the condition of WHERE is index, not bool\n  hint: compare it: c.ne"),
    (lambda: UOp(Op.WHERE, (p, a.broadcast(4), a.broadcast(4))), "the condition of WHERE is bool, not boolx4"),
    (lambda: UOp(Op.SQRT, (x,)), "SQRT takes a float, got index"),
    (lambda: UOp(Op.ADD, (p, p)), "ADD takes a number, got bool"),
    (lambda: UOp(Op.NOT, (a,)), "NOT takes an integer or bool, got f32"),
    (lambda: UOp(Op.SHL, (a, a)), "SHL takes an integer, got f32"),
    (lambda: UOp(Op.NEG, (DATA,)), r"NEG takes a number, got f32\*global"),
])
def test_structure_is_checked_when_a_node_is_built(make: Callable[[], UOp], message: str) -> None:
    before = interned_count()
    with pytest.raises(GraphError, match=message):
        make()
    assert interned_count() <= before + 4


def test_the_result_dtype_is_inferred() -> None:
    assert (x < y).dtype is dtypes.bool
    assert (a.broadcast(4) < 1.0).dtype is dtypes.bool.vec(4)
    assert DATA[x].load().dtype is dtypes.f32
    assert DATA[x.broadcast(4)].load().dtype is dtypes.f32.vec(4)
    assert DATA[x].store(a).dtype is dtypes.void
    assert p.where(a, 2.0).dtype is dtypes.f32


def test_every_op_has_a_row() -> None:
    assert set(OPS) == set(Op)
    assert all(row.doc.endswith(("." , "…")) for row in OPS.values())
