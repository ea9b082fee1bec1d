"""Well-formed graphs pass; every clause of every spec has a graph that violates it, and says so by name."""
from __future__ import annotations

import re
from typing import Any

import pytest

from svod.dtype import AddrSpace, dtypes
from svod.errors import GraphError
from svod.ir.args import (
    AtomicKind,
    AxisKind,
    BarrierScope,
    ConstArg,
    MemArg,
    MessageArg,
    ParamArg,
    RangeArg,
    ShuffleArg,
    SpecialArg,
    SpecialKind,
    VarArg,
)
from svod.ir.clause import clause
from svod.ir.ops import Op
from svod.ir.spec import KERNEL, LINEAR, SCALAR, Clause, Spec, verify
from svod.ir.uop import UOp

EMPTY = UOp(Op.GROUP)
GRID = UOp.barrier(scope=BarrierScope.GRID)
ZERO, ONE = UOp.const(0, dtypes.index), UOp.const(1, dtypes.index)
A, B, C = (UOp.param(i, dtypes.f32, 16, name=n) for i, n in enumerate("abc"))
WHOLE = UOp.param(3, dtypes.i32, name="whole")
N = UOp.variable("n", 1, 16)
X, FLAG, K = UOp.scalar("x", dtypes.f32), UOp.scalar("flag", dtypes.bool), UOp.scalar("k", dtypes.i32)
ROW, COLUMN = UOp.range(N, 0), UOp.range(4, 1)
STORE = A[ROW].store(1.0)
BITS = UOp.param(4, dtypes.bool, name="bits")
V4 = X.broadcast(4)
LANES = UOp(Op.RAMP, (ZERO, ONE), None, dtypes.index.vec(4))


def sink(*values: UOp) -> UOp:
    """A kernel in which these nodes occur: effects as they are, values stored."""
    effects = []
    for v in values:
        if v.dtype is dtypes.void or v.op is Op.ATOMIC:
            effects.append(v)
        else:
            effects.append(B[UOp.range(4, 9)].store((v.extract(0) if v.dtype.lanes > 1 else v).cast(dtypes.f32)))
    return UOp.sink(*effects, name="k")


def const(value: Any, dtype: Any) -> UOp:
    """A literal that `UOp.const` would refuse or convert."""
    return UOp(Op.CONST, (), ConstArg.of(value), dtype)


def memory(op: Op, dtype: Any, size: int = 1, name: str = "") -> UOp:
    """Memory of the kernel's own, of any pointer type."""
    return UOp(op, (), MemArg(0, size, name), dtype)


def axis(path: int, kind: AxisKind = AxisKind.LOOP, stop: UOp | int = 4) -> UOp:
    """A RANGE of any kind."""
    return UOp.range(stop, path, kind=kind)


def item(kind: SpecialKind, number: int, extent: UOp | int) -> UOp:
    """A SPECIAL."""
    return UOp.special(kind, number, extent)


def linear(*instructions: UOp) -> UOp:
    """A LINEAR program."""
    return UOp(Op.LINEAR, instructions)


def end(*ranges: UOp) -> UOp:
    """What closes loops in a LINEAR program."""
    return EMPTY.end(*ranges)


def rejected(root: UOp, spec: Spec) -> str:
    """The message with which `spec` refuses `root`."""
    with pytest.raises(GraphError) as caught:
        verify(root, spec)
    assert caught.value.at
    assert caught.value.hint
    return str(caught.value)


# --- what passes -----------------------------------------------------------------------------------------------------------------

def good_kernels() -> list[UOp]:
    """Kernels that use every op a kernel can have."""
    dot = (A[ROW * 4 + COLUMN].load() * B[COLUMN].load()).sum(COLUMN)
    gated = A.index(ROW, ROW < N).load(2.0)
    tile = UOp.memory(0, dtypes.f32, 16, AddrSpace.LOCAL, name="tile")
    fill = tile[item(SpecialKind.LOCAL, 0, 16)].store(X)
    shared = tile.after(UOp.barrier(fill))[item(SpecialKind.GLOBAL, 0, N)].load()
    scratch = UOp.memory(0, dtypes.f32, 4, AddrSpace.GLOBAL).after(UOp.barrier(A[COLUMN].store(1.0).end(COLUMN), scope=BarrierScope.GRID))
    vector = A[LANES].store(V4 * 2.0 + UOp(Op.STACK, (X, X, X, X), None, dtypes.f32.vec(4)))
    lanes = UOp(Op.LANES, (UOp(Op.SHUFFLE, (V4, V4), ShuffleArg((0, 7))),), Op.MAX, dtypes.f32)
    return [
        UOp.sink(), UOp.sink(C[ROW].store(dot), name="dot"), sink(STORE.end(ROW), gated, shared, scratch[ZERO].load()), sink(vector, lanes),
        sink(A[ROW].atomic(AtomicKind.ADD, X)), sink(UOp.group(STORE, STORE).end(ROW)), sink(N.bind(4)), sink(V4.extract(3)),
        sink(A.after(STORE, ROW, A[ZERO].load())[ONE].load()),
        sink(UOp(Op.PARAM, (UOp(Op.DEVICE, (), "CPU"),), ParamArg(7, "far"), A.dtype)[0].load()),
        sink(UOp.range(axis(0) + 1, 1) + UOp.variable("core_id", 0, 3)), sink(K.bitcast(dtypes.u32), K.cast(dtypes.bool)),
        sink(const(float("nan"), dtypes.f32), UOp.const(0.1, dtypes.f16), FLAG.reduce(Op.OR, COLUMN), STORE.after(STORE)),
    ]


@pytest.mark.parametrize("kernel", good_kernels(), ids=range(len(good_kernels())))
def test_kernels_that_are_fine(kernel: UOp) -> None:
    verify(kernel, KERNEL)


def test_scheduled_kernels_that_are_fine() -> None:
    product = A[axis(0, AxisKind.PARALLEL) * 4 + axis(1, AxisKind.VECTOR)].load()
    for kind in (AxisKind.LOOP, AxisKind.UNROLL, AxisKind.INTERLEAVE):
        verify(sink(C[axis(0, AxisKind.PARALLEL)].store(product.sum(axis(2, kind)))), SCALAR)


def good_programs() -> list[UOp]:
    """LINEAR programs of every shape."""
    load, odd = A[ROW].load(), (ROW % 2).eq(1)
    branch = UOp(Op.IF, (odd,))
    return [
        linear(), linear(A, N, ROW, A[ROW], load, B[ROW].store(load), end(ROW)),
        linear(ROW, load, B[ROW].store(load), end(ROW), GRID, ROW, end(ROW)),
        linear(ROW, ROW % 2, odd, branch, COLUMN, STORE, end(COLUMN), UOp(Op.ENDIF, (branch,)), end(ROW)),
        linear(ROW, A.after(STORE)[ROW].load(), end(ROW), UOp.barrier(), item(SpecialKind.LOCAL, 0, 8), EMPTY),
        linear(UOp(Op.LOOP), UOp(Op.LOOP), ROW, odd.src[0], odd, UOp(Op.BREAK, (odd,)), end(ROW), UOp(Op.ENDLOOP), UOp(Op.ENDLOOP)),
        linear(LANES, A[LANES].load(), B[LANES].store(A[LANES].load())),
    ]


@pytest.mark.parametrize("program", good_programs(), ids=range(len(good_programs())))
def test_programs_that_are_fine(program: UOp) -> None:
    verify(program, LINEAR)
    verify(program.src, LINEAR)


# --- what does not ---------------------------------------------------------------------------------------------------------------

IF = UOp(Op.IF, (FLAG,))
LOOP, ENDLOOP = UOp(Op.LOOP), UOp(Op.ENDLOOP)
BAD: list[tuple[Spec, str, UOp, str]] = [
    (KERNEL, "ops-of-a-kernel", UOp.sink(linear()), "LINEAR has no place"),
    (KERNEL, "ops-of-a-kernel", UOp.sink(IF), "IF has no place"),
    (KERNEL, "literal-fits", sink(const(300, dtypes.u8)), "300 does not fit u8"),
    (KERNEL, "literal-fits", sink(const(0.1, dtypes.f32)), "0.1 is no f32"),
    (KERNEL, "literal-fits", sink(const(1, dtypes.f32)), "1 is no f32"),
    (KERNEL, "literal-fits", sink(const(1, dtypes.bool)), "1 is no bool"),
    (KERNEL, "literal-fits", sink(const(True, dtypes.i32)), "True is no i32"),
    (KERNEL, "literal-fits", sink(const(1, dtypes.i32.vec(2))), "a literal of i32x2"),
    (KERNEL, "operands-are-values", sink(UOp(Op.MAX, (A, A)).after()[ZERO].load()), r"PARAM of f32\*global is an operand of MAX"),
    (KERNEL, "operands-are-values", sink(STORE.eq(STORE)), "STORE of void is an operand of CMPEQ"),
    (KERNEL, "casts-keep-lanes", sink(UOp(Op.CAST, (X,), None, dtypes.i32.vec(2))), "CAST from f32 to i32x2"),
    (KERNEL, "casts-keep-lanes", sink(UOp(Op.CAST, (K,), None, A.dtype)[ZERO].load()), r"CAST from i32 to f32\*global"),
    (KERNEL, "casts-keep-lanes", sink(UOp(Op.BITCAST, (X,), None, dtypes.f16)), "BITCAST from f32 to f16"),
    (KERNEL, "vectors-fit", sink(UOp(Op.BROADCAST, (X,), None, dtypes.i32.vec(2))), "BROADCAST of f32 is i32x2"),
    (KERNEL, "vectors-fit", sink(UOp(Op.STACK, (X, X), None, dtypes.f32.vec(4))), "STACK of f32, f32 is f32x4"),
    (KERNEL, "vectors-fit", sink(UOp(Op.RAMP, (X, X), None, dtypes.f32.vec(4))), "RAMP of f32x4"),
    (KERNEL, "vectors-fit", sink(UOp(Op.EXTRACT, (V4,), 4, dtypes.f32)), "f32x4 has no lane 4"),
    (KERNEL, "vectors-fit", sink(UOp(Op.EXTRACT, (V4,), 0, dtypes.i32)), "EXTRACT of f32x4 is i32"),
    (KERNEL, "vectors-fit", sink(UOp(Op.LANES, (V4,), Op.SUB, dtypes.f32)), "LANES cannot combine f32x4 by SUB"),
    (KERNEL, "vectors-fit", sink(UOp(Op.SHUFFLE, (V4, V4), ShuffleArg((0, 8)))), "SHUFFLE of f32x4 and f32x4"),
    (KERNEL, "reduction-combines", sink(UOp(Op.REDUCE, (X, COLUMN), Op.SUB)), "REDUCE of f32 by SUB"),
    (KERNEL, "reduction-combines", sink(X.reduce(Op.AND, COLUMN)), "REDUCE of f32 by AND"),
    (KERNEL, "reduction-combines", sink(X.reduce(Op.ADD, N)), "REDUCE over DEFINE_VAR"),
    (KERNEL, "bind-fits", sink(N.bind(17)), r"n=17 is outside \[1, 16\]"),
    (KERNEL, "bind-fits", sink(UOp(Op.BIND, (X, X))), "BIND of DEFINE_VAR f32 to DEFINE_VAR f32"),
    (KERNEL, "memory-has-elements", sink(UOp(Op.PARAM, (), ParamArg(0, "p"), dtypes.f32)), "PARAM 'p' is f32"),
    (KERNEL, "memory-has-elements", sink(UOp.param(0, dtypes.index)[ZERO].load()), r"PARAM 'data0' is index\*global"),
    (KERNEL, "memory-has-elements", sink(memory(Op.DEFINE_REG, dtypes.f32.ptr())[ZERO].load()), r"DEFINE_REG '' is f32\*global"),
    (KERNEL, "memory-has-elements", sink(UOp(Op.PARAM, (), ParamArg(-1, "p"), A.dtype)[ZERO].load()), "slot -1"),
    (KERNEL, "memory-has-elements", sink(UOp.memory(0, dtypes.f32, 0, name="acc")[ZERO].load()), "DEFINE_REG 'acc' has 0 elements"),
    (KERNEL, "memory-has-elements", sink(UOp.memory(0, dtypes.f32, 1 << 62, AddrSpace.LOCAL)[ZERO].load()),
     "has 4611686018427387904 el"),
    (KERNEL, "param-is-pinned-to-a-device", sink(UOp(Op.PARAM, (X,), ParamArg(5, "p"), A.dtype)[ZERO].load()), "PARAM 'p' has the operand"),
    (KERNEL, "index-points-into-memory", sink(UOp(Op.INDEX, (A[ZERO], ONE)).load()), "INDEX into INDEX"),
    (KERNEL, "index-is-an-integer", sink(UOp(Op.INDEX, (A, X)).load()), "an index of f32"),
    (KERNEL, "gate-is-bool", sink(UOp(Op.INDEX, (A, ZERO, K)).load()), "a gate of i32 beside an index of index"),
    (KERNEL, "gate-is-bool", sink(UOp(Op.INDEX, (A, LANES, FLAG)).store(V4)), "a gate of bool beside an index of indexx4"),
    (KERNEL, "access-goes-through-index", sink(UOp(Op.LOAD, (A,))), "LOAD through PARAM"),
    (KERNEL, "access-goes-through-index", sink(UOp(Op.STORE, (A, X))), "STORE through PARAM"),
    (KERNEL, "load-has-alternative", sink(UOp(Op.LOAD, (A.index(ZERO, FLAG),))), "a gated LOAD without a value"),
    (KERNEL, "load-has-alternative", sink(UOp(Op.LOAD, (A.index(ZERO, FLAG), K))), "LOAD of f32 or else i32"),
    (KERNEL, "stored-value-matches", sink(UOp(Op.STORE, (A[ZERO], K))), "STORE of i32 where f32 belongs"),
    (KERNEL, "stored-value-matches", sink(UOp(Op.STORE, (A[LANES], X))), "STORE of f32 where f32x4 belongs"),
    (KERNEL, "stored-value-matches", sink(UOp(Op.ATOMIC, (A[ZERO], K), AtomicKind.ADD)), "ATOMIC of i32 where f32 belongs"),
    (KERNEL, "atomic-fits", sink(A[ZERO].atomic(AtomicKind.AND, X)), "ATOMIC and of f32"),
    (KERNEL, "atomic-fits", sink(UOp.memory(0, dtypes.f32, 1)[ZERO].atomic(AtomicKind.ADD, X)), "an ATOMIC on DEFINE_REG"),
    (KERNEL, "compare-exchange-fits", sink(A[ZERO].atomic(AtomicKind.COMPARE_EXCHANGE, X)), "ATOMIC compare_exchange with 1 value "),
    (KERNEL, "compare-exchange-fits", sink(UOp(Op.ATOMIC, (A[ZERO], X, X), AtomicKind.ADD)), "ATOMIC add with 2 values"),
    (KERNEL, "compare-exchange-fits", sink(UOp(Op.ATOMIC, (A[ZERO], X, K), AtomicKind.COMPARE_EXCHANGE)), "expects i32 where f32 lies"),
    (KERNEL, "compare-exchange-fits", sink(UOp(Op.ATOMIC, (BITS[ZERO], FLAG, FLAG), AtomicKind.COMPARE_EXCHANGE)), "exchange of bool"),
    (KERNEL, "only-effects-are-done", UOp.sink(X), "DEFINE_VAR of f32 in a SINK"),
    (KERNEL, "only-effects-are-done", UOp.sink(UOp.group(STORE, X)), "DEFINE_VAR of f32 in a GROUP"),
    (KERNEL, "only-effects-are-done", sink(A.after(UOp.barrier(A[ZERO].load()))[ZERO].load()), "LOAD of f32 in a BARRIER"),
    (KERNEL, "end-closes-loops-of-an-effect", UOp.sink(X.end(ROW)), "END of DEFINE_VAR"),
    (KERNEL, "end-closes-loops-of-an-effect", UOp.sink(STORE.end(N)), "END over DEFINE_VAR"),
    (KERNEL, "closed-axes-are-distinct", sink(X.sum(COLUMN, COLUMN)), "REDUCE closes axis 1 twice"),
    (KERNEL, "closed-axes-are-distinct", UOp.sink(STORE.end(ROW, ROW)), "END closes axis 0 twice"),
    (KERNEL, "after-waits-for-effects", sink(A.after(X)[ZERO].load()), "AFTER waits for DEFINE_VAR of f32"),
    (KERNEL, "range-bounds-are-integers", sink(UOp(Op.RANGE, (ZERO, X), RangeArg((2,)))), "a bound of f32"),
    (KERNEL, "range-bounds-are-integers", sink(UOp(Op.RANGE, (ZERO, LANES), RangeArg((2,)))), "a bound of indexx4"),
    (KERNEL, "inner-bounds-depend-on-outer-axes", sink(UOp.range(axis(1) + 1, 0)), "the bounds of axis 0 depend on axis 1"),
    (KERNEL, "closed-axis-is-not-needed-outside", UOp.sink(A[UOp.range(ROW + 1, 1)].store(X).end(ROW)), "axis 0 is closed, but .* axis 1"),
    (KERNEL, "closed-axis-is-not-needed-outside", sink(UOp.range(ROW + 1, 1).sum(ROW)), "axis 0 is closed, but .* axis 1"),
    (KERNEL, "axes-agree", sink(axis(0), axis(0, stop=5)), "axis 0 is declared twice: .* from 0 to 4 and .* from 0 to 5"),
    (KERNEL, "axes-agree", sink(axis(0), axis(0, AxisKind.PARALLEL)), "axis 0 is declared twice"),
    (KERNEL, "special-has-three-axes", sink(item(SpecialKind.LOCAL, 3, 4)), "SPECIAL of axis 3"),
    (KERNEL, "special-has-three-axes", sink(UOp(Op.SPECIAL, (X,), SpecialArg(SpecialKind.LOCAL, 0))), "SPECIAL of axis 0 below f32"),
    (KERNEL, "specials-agree", sink(item(SpecialKind.LOCAL, 0, 4), item(SpecialKind.LOCAL, 0, 5)), "the local id of axis 0"),
    (KERNEL, "specials-agree", sink(item(SpecialKind.LOCAL, 0, 4), item(SpecialKind.DIRECT, 0, 4)), "direct ids beside local ids"),
    (KERNEL, "specials-agree", sink(item(SpecialKind.GLOBAL, 0, 4), item(SpecialKind.DIRECT, 1, 4)), "direct ids beside global"),
    (KERNEL, "slots-agree", sink(A[ZERO].load(), UOp.param(0, dtypes.f32, 16, name="z")[ZERO].load()), "slot 0 is declared twice"),
    (KERNEL, "slots-agree", sink(A[ZERO].load(), UOp.param(0, dtypes.f32, 8, name="a")[ZERO].load()), "slot 0 is declared twice"),
    (KERNEL, "slots-agree", sink(A[ZERO].load(), UOp.param(0, dtypes.f16, 16, name="a")[ZERO].load()), "slot 0 is declared twice"),
    (KERNEL, "memories-agree", sink(*(UOp.memory(0, dtypes.f32, s)[ZERO].load() for s in (1, 2))), "DEFINE_REG 0 is declared twice"),
    (KERNEL, "variables-agree", sink(N, UOp.variable("n", 1, 17)), "variable 'n' is declared twice"),
    (KERNEL, "variables-agree", sink(N, UOp.variable("n", 1, 16, dtypes.i32)), "variable 'n' is declared twice"),
    (KERNEL, "names-are-distinct", sink(UOp.variable("a", 0, 4), A[ZERO].load()), "the name 'a' is declared twice"),
    (KERNEL, "names-are-distinct", sink(UOp.param(5, dtypes.f32, name="a")[ZERO].load(), A[ZERO].load()), "the name 'a' is declared twice"),
    *[(KERNEL, "names-are-identifiers", sink(UOp.variable(name, 0, 4)), re.escape(f"{name!r} is no identifier"))
      for name in ("", "a b", "1st", "a.b", "größe", "__x", "_X", "a\n")],
    *[(KERNEL, "names-are-identifiers", sink(UOp.param(5, dtypes.f32, name=name)[ZERO].load()), f"{name!r} is reserved")
      for name in ("int", "kernel", "entry", "template", "core_id")],
    (KERNEL, "names-are-identifiers", UOp.sink(name="my kernel"), "'my kernel' is no identifier"),
    (KERNEL, "names-are-identifiers", sink(UOp.memory(0, dtypes.f32, 1, name="a-b")[ZERO].load()), "'a-b' is no identifier"),
    (KERNEL, "variable-has-bounds", sink(UOp(Op.DEFINE_VAR, (), VarArg("m", 5, 4), dtypes.i32)), r"'m' of i32 has bounds \[5, 4\]"),
    (KERNEL, "variable-has-bounds", sink(UOp(Op.DEFINE_VAR, (), VarArg("m", 0, 256), dtypes.u8)), r"'m' of u8 has bounds \[0, 256\]"),
    (KERNEL, "variable-has-bounds", sink(UOp(Op.DEFINE_VAR, (), VarArg("m", 0.5, 2), dtypes.u8)), r"'m' of u8 has bounds \[0.5, 2\]"),
    (KERNEL, "variable-has-bounds", sink(UOp(Op.DEFINE_VAR, (), VarArg("m", 0, 4), dtypes.i32.vec(2))), "variable 'm' is i32x2"),
    (KERNEL, "core-id-counts-from-0", sink(UOp.variable("core_id", 1, 4)), "core_id is index from 1"),
    (KERNEL, "core-id-counts-from-0", sink(UOp(Op.DEFINE_VAR, (), VarArg("core_id", 0, 3), dtypes.f32)), "core_id is f32 from 0"),

    (SCALAR, "ops-after-scheduling", sink(V4), "BROADCAST has no place"),
    (SCALAR, "ops-after-scheduling", sink(N.bind(4)), "BIND has no place"),
    (SCALAR, "copied-axes-have-constant-bounds", sink(axis(2, AxisKind.UNROLL, N)), "the bounds of unroll axis 2 are not literals"),
    (SCALAR, "cores-do-not-share-a-reduction", sink(X.sum(axis(2, AxisKind.PARALLEL))), "REDUCE over the parallel axis 2"),
    (SCALAR, "interleaved-axes-are-reduced", UOp.sink(A[axis(2, AxisKind.INTERLEAVE)].store(X)), "interleaved axis 2 is not reduced"),
    (SCALAR, "interleaved-axes-are-reduced", UOp.sink(STORE.end(axis(2, AxisKind.INTERLEAVE))), "interleaved axis 2 is not reduced"),

    (LINEAR, "only-instructions", linear(X.sum(COLUMN)), "REDUCE is no instruction"),
    (LINEAR, "only-instructions", linear(A.after(STORE)), "AFTER is no instruction"),
    (LINEAR, "only-instructions", linear(UOp.sink()), "SINK is no instruction"),
    (LINEAR, "condition-is-bool", linear(UOp(Op.IF, (K,)), UOp(Op.ENDIF, (UOp(Op.IF, (K,)),))), "IF of i32"),
    (LINEAR, "grid-barriers-are-on-top", linear(ROW, GRID, end(ROW)), "a GRID barrier inside <RANGE"),
    (LINEAR, "grid-barriers-are-on-top", linear(IF, GRID, UOp(Op.ENDIF, (IF,))), "a GRID barrier inside <IF"),
    (LINEAR, "branches-nest", linear(IF), "<IF.*> is never closed"),
    (LINEAR, "branches-nest", linear(UOp(Op.ENDIF, (IF,))), "ENDIF of <IF .* where nothing is open"),
    (LINEAR, "branches-nest", linear(IF, ROW, UOp(Op.ENDIF, (IF,)), end(ROW)), "ENDIF of <IF .* where <RANGE"),
    (LINEAR, "loops-close-in-order", linear(ROW), "<RANGE .* is never closed"),
    (LINEAR, "loops-close-in-order", linear(end(ROW)), "END of <RANGE .* where nothing is open"),
    (LINEAR, "loops-close-in-order", linear(ROW, COLUMN, end(ROW), end(COLUMN)), "END of <RANGE .* where <RANGE"),
    (LINEAR, "loops-close-in-order", linear(ROW, COLUMN, end(COLUMN, ROW)), "END of <RANGE"),
    (LINEAR, "loops-close-in-order", linear(ROW, UOp(Op.END, (EMPTY,)), end(ROW)), "END of nothing where <RANGE"),
    (LINEAR, "loops-close-in-order", linear(ROW, ROW, end(ROW), end(ROW)), "is opened inside itself"),
    (LINEAR, "condition-is-bool", linear(LOOP, UOp(Op.BREAK, (K,)), ENDLOOP), "BREAK of i32"),
    (LINEAR, "endless-loops-nest", linear(LOOP), "<LOOP.*> is never closed"),
    (LINEAR, "endless-loops-nest", linear(ENDLOOP), "ENDLOOP where nothing is open"),
    (LINEAR, "endless-loops-nest", linear(LOOP, ROW, ENDLOOP, end(ROW)), "ENDLOOP where <RANGE"),
    (LINEAR, "endless-loops-nest", linear(UOp(Op.BREAK, (FLAG,))), "BREAK outside a LOOP"),
    (LINEAR, "endless-loops-nest", linear(LOOP, UOp(Op.BREAK), ENDLOOP), "BREAK without a condition"),
    (LINEAR, "endless-loops-nest", linear(UOp(Op.LOOP, (UOp(Op.BLOCK),)), ENDLOOP), "a LOOP of a BLOCK"),
    (LINEAR, "loops-close-in-order", linear(ROW, LOOP, end(ROW), ENDLOOP), "END of <RANGE .* where <LOOP"),
    (LINEAR, "messages-are-of-one-item", linear(UOp(Op.PRINT, (X,), MessageArg("{} {}"))), r"a message with 2 \{\} for 1 values"),
    (LINEAR, "messages-are-of-one-item", linear(V4, UOp(Op.PRINT, (V4,), MessageArg("{}"))), "PRINT of f32x4"),
    (LINEAR, "messages-are-of-one-item", linear(UOp(Op.ASSERT, (FLAG,), MessageArg(""))), "ASSERT of bool"),
    (LINEAR, "messages-are-of-one-item", linear(UOp(Op.ASSERT, (K, N, N), MessageArg(""))), "ASSERT of i32 and index and index"),
    (LINEAR, "messages-are-of-one-item", linear(UOp(Op.ASSERT, (FLAG, N, X), MessageArg(""))), "ASSERT of bool and index and f32"),
    (LINEAR, "messages-are-of-one-item", linear(UOp(Op.ASSERT, (FLAG, N, N, X), MessageArg(""))), r"a message with 0 \{\} for 1 values"),
    (LINEAR, "operands-come-first", linear(LOOP, X + 1.0, ENDLOOP, B[ZERO].store(X + 1.0)), "STORE uses <ADD"),
    (LINEAR, "operands-come-first", linear(X + 1.0 + X, X + 1.0), "ADD uses <ADD .* where it is not computed"),
    (LINEAR, "operands-come-first", linear(B[ZERO].store(X + 1.0)), "STORE uses <ADD"),
    (LINEAR, "operands-come-first", linear(A[ROW].load()), "LOAD uses <RANGE"),
    (LINEAR, "operands-come-first", linear(ROW, ROW + 1, end(ROW), B[ROW + 1].store(X)), "STORE uses <ADD"),
    (LINEAR, "operands-come-first", linear(X + 1.0, GRID, B[ZERO].store(X + 1.0)), "STORE uses <ADD"),
    (LINEAR, "literal-fits", linear(const(300, dtypes.u8)), "300 does not fit u8"),
    (LINEAR, "slots-agree", linear(A, UOp.param(0, dtypes.f32, name="z")), "slot 0 is declared twice"),
]


@pytest.mark.parametrize(("spec", "name", "root", "words"), BAD, ids=lambda x: x if isinstance(x, str) else "")
def test_violations(spec: Spec, name: str, root: UOp, words: str) -> None:
    message = rejected(root, spec)
    first = message.split("\n")[0]
    assert first.endswith(f"({spec.name}: {name})")
    assert re.search(words, first, re.DOTALL)
    assert f"hint: {next(c.hint or c.doc for c in spec.clauses if c.name == name)}" in message


def test_every_clause_is_violated_here() -> None:
    clauses = {c.name for spec in (KERNEL, SCALAR, LINEAR) for c in spec.clauses}
    assert clauses == {name for _, name, _, _ in BAD}


@pytest.mark.parametrize("c", {c.name: c for c in (*KERNEL.clauses, *SCALAR.clauses)}.values(), ids=lambda c: c.name)
def test_what_users_break_says_what_to_do(c: Clause) -> None:
    if c.name != "ops-after-scheduling":  # only the compiler breaks that one
        assert len(c.hint) > 15
        assert c.hint != c.doc


def test_a_reserved_name_says_why() -> None:
    for name, why in (("float", "keyword of C"), ("entry", "every compiled kernel has"), ("core_id", "number of the core")):
        message = rejected(sink(UOp.param(5, dtypes.f32, name=name)[ZERO].load()), KERNEL)
        assert re.search(f"'{name}' is reserved: .*{why}(.|\n)*choose another", message)
    assert "begins with '__'" in rejected(UOp.sink(name="__x"), KERNEL)


@pytest.mark.parametrize("spec", [KERNEL, SCALAR, LINEAR], ids=lambda s: s.name)
def test_clauses_are_written_down(spec: Spec) -> None:
    for c in spec.clauses:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", c.name)
        assert c.doc.endswith(".")
        assert spec.name.isupper()


def test_the_first_complaint_is_about_the_deepest_node() -> None:
    bad = const(300, dtypes.u8)
    assert "literal-fits" in rejected(UOp.sink(X, B[ZERO].store(bad.cast(dtypes.f32))), KERNEL)


def test_a_list_is_a_linear_program() -> None:
    verify([ROW, end(ROW)], LINEAR)
    with pytest.raises(GraphError, match="loops-close-in-order"):
        verify([ROW], LINEAR)


def test_what_after_waits_for_is_not_part_of_a_linear_program() -> None:
    verify(linear(A.after(B[ZERO].store(X.sum(COLUMN)))[ZERO].load()), LINEAR)


def test_specs_and_clauses_are_checked_when_they_are_made() -> None:
    with pytest.raises(GraphError, match=r"two clauses of one name(.|\n)*literal-fits"):
        Spec("TWICE", (*KERNEL.clauses, KERNEL.clauses[1]))
    with pytest.raises(GraphError, match="clause nameless has no docstring"):
        @clause(Op.CONST)
        def nameless(u: UOp) -> str | None:
            return None


def test_a_spec_can_be_extended() -> None:
    @clause(Op.SINK)
    def kernel_has_a_name(u: UOp) -> str | None:
        """Here, kernels are named."""
        return None if u.arg.name else "a kernel without a name"
    own = Spec("OWN", (*KERNEL.clauses, kernel_has_a_name))
    verify(UOp.sink(name="k"), own)
    assert rejected(UOp.sink(), own).startswith("a kernel without a name (OWN: kernel-has-a-name)")
    assert isinstance(kernel_has_a_name, Clause)
