"""Well-formed thread kernels pass; every clause of the spec THREADS that is its own has a kernel that violates it."""
from __future__ import annotations

import re
from typing import Any

import pytest

from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import GraphError
from svod.ir import thread_clauses
from svod.ir.args import AtomicKind, BarrierScope, MessageArg, MmaArg, SpecialKind, SubgroupArg, SubgroupKind, ThreadsInfo, ValueArg
from svod.ir.clause import Clause
from svod.ir.ops import Op
from svod.ir.spec import THREADS, verify
from svod.ir.text import parse, to_text
from svod.ir.uop import UOp
from svod.testing.threads import Threads

ZERO, ONE = UOp.const(0, dtypes.index), UOp.const(1, dtypes.index)
A = UOp.param(0, dtypes.f32, name="a")
X, FLAG, K, N = UOp.scalar("x", dtypes.f32), UOp.scalar("flag", dtypes.bool), UOp.scalar("k", dtypes.i32), UOp.variable("n", 0, 16)
EMPTY = UOp(Op.BLOCK)
STORE = A[ZERO].store(X)
V = UOp(Op.VALUE, (), ValueArg(0, "v"), dtypes.f32)
I = UOp(Op.VALUE, (), ValueArg(1, "i"), dtypes.index)  # noqa: E741
LET = UOp(Op.LET, (V, X * 2.0))


def block(*statements: UOp) -> UOp:
    """A BLOCK."""
    return UOp(Op.BLOCK, statements)


def threads(*statements: UOp, info: ThreadsInfo | None = None) -> UOp:
    """A THREADS."""
    return UOp(Op.THREADS, (block(*statements),), info or ThreadsInfo("k", (8, 1, 1)))


def value(number: int, dtype: DType, name: str = "") -> UOp:
    """A VALUE."""
    return UOp(Op.VALUE, (), ValueArg(number, name), dtype)


def let(expr: UOp, number: int = 9) -> UOp:
    """A LET of a VALUE of its own."""
    return UOp(Op.LET, (value(number, expr.dtype), expr))


def exchange(kind: SubgroupKind, *src: UOp, width: int = 8, op: Any = None, dtype: DType | None = None) -> UOp:
    """A LET of a SUBGROUP."""
    return let(UOp(Op.SUBGROUP, src, SubgroupArg(kind, width, op), dtype or src[0].dtype))


def product(shape: tuple[int, int, int] = (16, 16, 16), *, width: int = 16, drop: int = 0, sums: DType = dtypes.f32) -> UOp:
    """An MMA, without its last `drop` operands, whose bound VALUEs are of `sums`."""
    arg = MmaArg(*shape, width)
    left, right, rows = arg.held()
    values = tuple(value(20 + k, sums) for k in range(rows))
    return UOp(Op.MMA, (*values, *(X,) * (left + right + rows - drop)), arg, dtypes.void)


def message(op: Op, text: str, *src: UOp) -> UOp:
    """A PRINT or ASSERT."""
    return UOp(op, src, MessageArg(text))


def loop(start: UOp = ZERO, stop: UOp = N, step: UOp = ONE, body: UOp = EMPTY, over: UOp = I) -> UOp:
    """A FOR."""
    return UOp(Op.FOR, (over, start, stop, step, body))


def everything() -> UOp:
    """A kernel with every statement."""
    k = Threads("every", (8, 2, 1), 16)
    shared, cell = k.memory(dtypes.i32, 16, AddrSpace.LOCAL, "tile"), k.variable(dtypes.i32, 0)
    i = k.let(k.thread() + k.thread(1) * 8 + k.block(2), "i")
    k.store(shared, i, K)
    k.barrier()
    with k.if_(i < N):
        with k.for_(0, i) as j:
            with k.if_(j > 3):
                k.leave(Op.BREAK)
            with k.else_():
                k.leave(Op.CONTINUE)
        with k.loop():
            k.leave(Op.BREAK)
        k.leave(Op.RETURN)
    k.set(cell, k.atomic(AtomicKind.COMPARE_EXCHANGE, shared, 0, 1, 2))
    k.set(cell, k.subgroup(SubgroupKind.UP, k.get(cell), 1, width=16))
    k.print("{}", k.get(cell))
    k.check(FLAG, "no {} of {}", i, N)
    return k.kernel()


def test_kernels_that_are_fine() -> None:
    verify(everything(), THREADS)
    verify(threads(), THREADS)
    verify(threads(LET, LET, UOp(Op.BRANCH, (FLAG, block(A[ZERO].store(V)), EMPTY))), THREADS)
    verify(threads(let(UOp.scalar("_A_shape_0", dtypes.index) + UOp.scalar("__x_shape_1", dtypes.index))), THREADS)


def test_a_thread_kernel_has_a_text() -> None:
    assert parse(to_text(everything())) is everything()


BAD: list[tuple[str, UOp, str]] = [
    ("ops-of-a-thread-kernel", threads(let(X.sum(UOp.range(4, 0)))), "RANGE has no place"),
    ("ops-of-a-thread-kernel", threads(let(X.broadcast(4).extract(0))), "BROADCAST has no place"),
    ("ops-of-a-thread-kernel", threads(let(UOp.memory(0, dtypes.f32, 4, AddrSpace.GLOBAL)[ZERO].load())), "DEFINE_SCRATCH has no place"),
    ("ops-of-a-thread-kernel", threads(let(UOp(Op.NEG, (value(3, dtypes.f32.vec(2)),)))), "VALUE of the vector f32x2"),
    ("statements-stand-in-blocks", threads(X), "DEFINE_VAR of f32 is no statement"),
    ("statements-stand-in-blocks", threads(EMPTY), "BLOCK of void is no statement"),
    ("statements-stand-in-blocks", threads(UOp(Op.LOOP)), "a LOOP without a BLOCK"),
    ("statements-stand-in-blocks", UOp(Op.THREADS, (STORE,), ThreadsInfo()), "operand 0 of THREADS is STORE"),
    ("statements-stand-in-blocks", threads(UOp(Op.BRANCH, (FLAG, EMPTY, STORE))), "operand 2 of BRANCH is STORE"),
    ("statements-stand-in-blocks", threads(UOp(Op.BREAK, (EMPTY,))), "operand 0 of BREAK is BLOCK"),
    ("statements-stand-in-blocks", threads(UOp(Op.BARRIER, (STORE,), BarrierScope.GROUP)), "the statement STORE is an operand of BARRIER"),
    ("actions-are-bound", threads(let(A[ZERO].load() + 1.0)), "LOAD is an operand of ADD"),
    ("actions-are-bound", threads(A[ZERO].store(A[ONE].load())), "LOAD is an operand of STORE"),
    ("actions-are-bound", threads(message(Op.PRINT, "{}", A)), r"PARAM of f32\*global is an operand of PRINT"),
    ("actions-are-bound", threads(UOp(Op.LET, (V, A[ZERO]))), r"INDEX of f32\*global is an operand of LET"),
    ("value-is-a-number", threads(let(UOp(Op.MAX, (value(3, A.dtype), value(3, A.dtype))))), r"a VALUE of f32\*global"),
    ("value-is-a-number", threads(UOp(Op.LET, (value(3, dtypes.f32, "a b"), X))), "the name 'a b' of a VALUE"),
    ("let-fits", threads(UOp(Op.LET, (X, X))), "LET binds DEFINE_VAR"),
    ("let-fits", threads(UOp(Op.LET, (V, K))), "LET binds a VALUE of f32 to DEFINE_VAR of i32"),
    ("conditions-are-bool", threads(UOp(Op.BRANCH, (K, EMPTY, EMPTY))), "BRANCH on i32"),
    ("conditions-are-bool", threads(message(Op.ASSERT, "", X)), "ASSERT on f32"),
    ("for-counts-integers", threads(loop(over=N)), "FOR binds DEFINE_VAR of index"),
    ("for-counts-integers", threads(loop(over=V)), "FOR binds VALUE of f32"),
    ("for-counts-integers", threads(loop(stop=K)), "FOR over index with a bound or step of i32"),
    ("for-counts-integers", threads(loop(step=ZERO)), "FOR with a step of 0"),
    ("jumps-take-no-operand", threads(loop(body=block(UOp(Op.BREAK, (FLAG,))))), "BREAK of DEFINE_VAR"),
    ("jumps-take-no-operand", threads(UOp.barrier(scope=BarrierScope.GRID)), "a BARRIER of scope grid"),
    ("subgroup-fits", threads(exchange(SubgroupKind.UP, X, K, width=3)), "a SUBGROUP of width 3"),
    ("subgroup-fits", threads(exchange(SubgroupKind.UP, X, K, width=128)), "a SUBGROUP of width 128"),
    ("subgroup-fits", threads(exchange(SubgroupKind.UP, X)), "SUBGROUP up of f32$"),
    ("subgroup-fits", threads(exchange(SubgroupKind.XOR, X, X)), "SUBGROUP xor of f32 and f32"),
    ("subgroup-fits", threads(exchange(SubgroupKind.ANY, K)), "SUBGROUP any of i32"),
    ("subgroup-fits", threads(exchange(SubgroupKind.REDUCE, X)), "SUBGROUP reduce of f32 by None"),
    ("subgroup-fits", threads(exchange(SubgroupKind.REDUCE, X, op=Op.AND)), "SUBGROUP reduce of f32 by AND"),
    ("subgroup-fits", threads(exchange(SubgroupKind.BALLOT, FLAG)), "SUBGROUP ballot of bool is bool"),
    ("mma-fits", threads(product((16, 8, 16))), "an MMA of 16 x 8 x 16 by 16 work items"),
    ("mma-fits", threads(product(width=128)), "an MMA of 16 x 16 x 16 by 128 work items"),
    ("mma-fits", threads(product(drop=1)), "an MMA with 63 operands, not 64"),
    ("mma-fits", threads(product(sums=dtypes.f64)), "an MMA of f32, f32"),
    ("group-fits", threads(product(width=64)), "an MMA of width 64 where a subgroup has 32"),
    ("message-fits", threads(message(Op.PRINT, "{} {}", X)), "a message with 2 {} for 1 values"),
    ("message-fits", threads(message(Op.ASSERT, "{}", FLAG)), "a message with 1 {} for 0 values"),
    ("group-fits", threads(info=ThreadsInfo("k", (0, 1, 1))), "a group of 0 x 1 x 1"),
    ("group-fits", threads(info=ThreadsInfo("k", (32, 32, 2))), "a group of 32 x 32 x 2"),
    ("group-fits", threads(info=ThreadsInfo("k", (1, 1, 128))), "a group of 1 x 1 x 128"),
    ("group-fits", threads(info=ThreadsInfo("k", (8, 1, 1), 24)), "a subgroup of 24 work items"),
    ("group-fits", threads(exchange(SubgroupKind.UP, X, K, width=64)), "a SUBGROUP of width 64 where a subgroup has 32"),
    ("ids-are-of-the-launch", threads(let(UOp.special(SpecialKind.DIRECT, 0, N))), "a direct id"),
    ("ids-are-of-the-launch", threads(let(UOp.special(SpecialKind.GLOBAL, 0, N))), "the global id of axis 0 below <DEFINE_VAR"),
    ("ids-are-of-the-launch", threads(let(UOp.special(SpecialKind.LOCAL, 0, 4))), "the local id of axis 0 below <CONST"),
    ("hidden-variables-agree", threads(let(UOp.variable("_grid_y", 0, 5))), "the variable '_grid_y' of index from 0 to 5"),
    ("hidden-variables-agree", threads(let(UOp.variable("core_id", 0, 5))), "the variable 'core_id' in a thread kernel"),
    ("values-are-bound-once", threads(LET, UOp(Op.LET, (V, X))), "the VALUE 0 'v' is bound twice"),
    ("values-are-bound-once", threads(LET, let(K, 0)), "the VALUE 0 is declared twice"),
    ("values-are-in-scope", threads(A[ZERO].store(V), LET), "STORE uses the VALUE 0 'v' where it is not bound"),
    ("values-are-in-scope", threads(UOp(Op.BRANCH, (FLAG, block(LET), block(A[ZERO].store(V))))), "STORE uses the VALUE 0"),
    ("values-are-in-scope", threads(UOp(Op.BRANCH, (FLAG, block(LET), EMPTY)), A[ZERO].store(V)), "STORE uses the VALUE 0"),
    ("values-are-in-scope", threads(loop(stop=I)), "FOR uses the VALUE 1 'i'"),
    ("values-are-in-scope", threads(UOp(Op.LET, (V, V))), "LET uses the VALUE 0 'v'"),
    ("values-are-in-scope", threads(loop(), A[I].store(X)), "STORE uses the VALUE 1 'i'"),
    ("values-are-in-scope", threads(UOp(Op.LET, (V, V * 2.0))), "LET uses the VALUE 0"),
    ("jumps-stand-in-loops", threads(UOp(Op.BRANCH, (FLAG, block(UOp(Op.BREAK)), EMPTY))), "BREAK outside a loop"),
    ("jumps-stand-in-loops", threads(loop(), UOp(Op.CONTINUE)), "CONTINUE outside a loop"),
]


@pytest.mark.parametrize(("name", "root", "words"), BAD, ids=lambda x: x if isinstance(x, str) else "")
def test_violations(name: str, root: UOp, words: str) -> None:
    with pytest.raises(GraphError) as caught:
        verify(root, THREADS)
    first, clause = str(caught.value).split("\n")[0], next(c for c in THREADS.clauses if c.name == name)
    assert first.endswith(f"(THREADS: {name})")
    assert re.search(words, first.removesuffix(f" (THREADS: {name})"))
    assert caught.value.hint == clause.hint
    assert len(clause.hint) > 15


def test_clauses_shared_with_other_kernels_hold_here_too() -> None:
    for root, name in ((threads(A[ZERO].store(X), info=ThreadsInfo("my kernel")), "names-are-identifiers"),
                       (threads(STORE, let(UOp.param(0, dtypes.f32, name="b")[ZERO].load())), "slots-agree"),
                       (threads(let(UOp(Op.ATOMIC, (A[ZERO], X), AtomicKind.COMPARE_EXCHANGE))), "compare-exchange-fits"),
                       (threads(UOp(Op.STORE, (A[ZERO], K))), "stored-value-matches")):
        with pytest.raises(GraphError, match=rf"\(THREADS: {name}\)"):
            verify(root, THREADS)


def test_every_clause_is_violated_here() -> None:
    own = {c.name for c in vars(thread_clauses).values() if isinstance(c, Clause)}
    assert own == {name for name, _, _ in BAD}
    assert own <= {c.name for c in THREADS.clauses}


def test_names_that_belong_to_c_are_still_refused() -> None:
    for name in ("_X", "__x", "_A_shape_", "_A_shape_0x"):
        with pytest.raises(GraphError, match="names-are-identifiers"):
            verify(threads(let(UOp.variable(name, 0, 4))), THREADS)


def test_a_kernel_nested_and_long_is_verified_in_time() -> None:
    body = block(*[UOp(Op.LET, (value(k, dtypes.index), ONE * k)) for k in range(100, 3100)])
    for k in range(60):
        body = block(loop(over=value(k, dtypes.index), body=body))
    verify(UOp(Op.THREADS, (body,), ThreadsInfo("k")), THREADS)
