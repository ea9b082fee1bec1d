"""Expressions of launch sizes: the meaning of every op, every refusal, and both routes against the interpreter and exact arithmetic."""
from __future__ import annotations

import itertools
import operator
import timeit
from collections import ChainMap
from collections.abc import Callable
from fractions import Fraction
from math import floor, trunc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from svod.device import evaluation
from svod.device.evaluation import INTERVALS, compile_exprs
from svod.dtype import DType, dtypes
from svod.errors import LaunchError
from svod.ir.interp import evaluate
from svod.ir.ops import COMPARISONS, ELEMENTWISE, OPS, Op
from svod.ir.uop import UOp

LOW, HIGH = -(1 << 63), (1 << 63) - 1
N, M = UOp.variable("n", 0, 100), UOp.variable("m", -10, 10)
A, B = UOp.variable("a", LOW, HIGH), UOp.variable("b", LOW, HIGH)
ANY = UOp.variable("shift", -100, 100)


def index(value: int) -> UOp:
    return UOp.const(value, dtypes.index)


def of(expr: UOp, **values: int) -> int:
    """The value of `expr`; its variables are those in it."""
    variables = sorted(expr.find(Op.DEFINE_VAR), key=lambda v: v.arg.name)
    (result,) = compile_exprs((expr,), variables, "k", ("size",))(values)
    assert type(result) is int
    return result


def node(op: Op, *src: UOp, dtype: DType | None = None) -> UOp:
    return UOp(op, src, None, dtype)


# --- what each op means ----------------------------------------------------------------------------------------------------------

BINARY = [
    (Op.ADD, 7, -9, -2), (Op.SUB, 7, -9, 16), (Op.MUL, 7, -9, -63),
    (Op.FLOORDIV, 7, 2, 3), (Op.FLOORDIV, -7, 2, -4), (Op.FLOORDIV, 7, -2, -4), (Op.FLOORDIV, -7, -2, 3), (Op.FLOORDIV, 0, -2, 0),
    (Op.IDIV, 7, 2, 3), (Op.IDIV, -7, 2, -3), (Op.IDIV, 7, -2, -3), (Op.IDIV, -7, -2, 3), (Op.IDIV, 0, -2, 0),
    (Op.FLOORMOD, 7, 3, 1), (Op.FLOORMOD, -7, 3, 2), (Op.FLOORMOD, 7, -3, -2), (Op.FLOORMOD, -7, -3, -1), (Op.FLOORMOD, -6, 3, 0),
    (Op.MOD, 7, 3, 1), (Op.MOD, -7, 3, -1), (Op.MOD, 7, -3, 1), (Op.MOD, -7, -3, -1), (Op.MOD, -6, 3, 0),
    (Op.MAX, 3, -4, 3), (Op.MAX, -4, 3, 3), (Op.MIN, 3, -4, -4), (Op.MIN, -4, 3, -4),
    (Op.SHL, 3, 4, 48), (Op.SHL, -3, 4, -48), (Op.SHL, -1, 63, LOW), (Op.SHR, 48, 4, 3), (Op.SHR, -1, 63, -1), (Op.SHR, -5, 1, -3),
    (Op.AND, 12, 10, 8), (Op.AND, -1, 10, 10), (Op.OR, 12, 10, 14), (Op.OR, -8, 1, -7), (Op.XOR, 12, 10, 6), (Op.XOR, -1, 0, -1),
    (Op.CMPLT, 1, 2, 1), (Op.CMPLT, 2, 2, 0), (Op.CMPLE, 2, 2, 1), (Op.CMPLE, 3, 2, 0),
    (Op.CMPEQ, 2, 2, 1), (Op.CMPEQ, 2, 3, 0), (Op.CMPNE, 2, 3, 1), (Op.CMPNE, 2, 2, 0),
]


@pytest.mark.parametrize(("op", "a", "b", "expected"), BINARY, ids=str)
def test_binary_ops(op: Op, a: int, b: int, expected: int) -> None:
    assert of(node(op, A, B), a=a, b=b) == expected
    assert of(node(op, A, index(b)), a=a) == expected
    assert of(node(op, index(a), index(b))) == expected


@pytest.mark.parametrize(("expr", "value", "expected"), [
    (-A, 5, -5), (-A, HIGH, -HIGH), (abs(A), -5, 5), (abs(A), 5, 5), (A, LOW, LOW), (index(-3), 0, -3),
    ((A < 3).where(A, 10), 2, 2), ((A < 3).where(A, 10), 3, 10), (A.ne(0).cast(dtypes.index) + 1, 7, 2),
    ((A < 3) & (A > 0), 2, 1), ((A < 3) | (A > 0), 9, 1), ((A < 3) ^ (A > 0), 2, 0), ((A < 3).maximum(A > 0), 9, 1),
    (A.after(UOp.param(0, dtypes.f32)[0].store(1.0)), 4, 4),
    (UOp.const(True, dtypes.bool).where(A, 0), 4, 4), (UOp.const(True, dtypes.bool), 0, 1),
    (UOp.const(200, dtypes.u8).cast(dtypes.index) + A, 1, 201),
], ids=lambda v: v.op.name if isinstance(v, UOp) else str(v))
def test_other_ops(expr: UOp, value: int, expected: int) -> None:
    assert compile_exprs((expr,), (A,), "k")({"a": value}) == (expected,)


def test_every_op_that_has_a_meaning_is_in_the_tables_above() -> None:
    tested = {op for op, *_ in BINARY} | {Op.NEG, Op.ABS, Op.WHERE, Op.CAST}
    integer = {op for op in ELEMENTWISE if OPS[op].takes != "float"} - {Op.NOT, Op.MULACC, Op.BITCAST}
    assert tested == integer


def test_bind_is_its_value() -> None:
    assert of(N.bind(64) + 1, n=3) == 65


# --- what they refuse ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("expr", "values", "message"), [
    (A + B, {"a": HIGH, "b": 1}, f"size of kernel 'k' overflows 64 bits: ADD of {HIGH} and 1"),
    (A + B, {"a": LOW, "b": -1}, f"overflows 64 bits: ADD of {LOW} and -1"),
    (A - B, {"a": LOW, "b": 1}, "overflows 64 bits: SUB"), (A * B, {"a": 1 << 32, "b": 1 << 31}, "overflows 64 bits: MUL"),
    (A * 3, {"a": HIGH // 2}, "overflows 64 bits: MUL"), (-A, {"a": LOW}, f"overflows 64 bits: NEG of {LOW}"),
    (abs(A), {"a": LOW}, "overflows 64 bits: ABS"), (A.idiv(B), {"a": LOW, "b": -1}, "overflows 64 bits: IDIV"),
    (A // B, {"a": LOW, "b": -1}, "overflows 64 bits: FLOORDIV"), (A << B, {"a": 1, "b": 63}, "overflows 64 bits: SHL"),
    ((A + 1) - 1, {"a": HIGH}, "overflows 64 bits: ADD"),
    *((node(op, A, B), {"a": 5, "b": 0}, rf"divides 5 by zero \({op.name}\)") for op in (Op.IDIV, Op.MOD, Op.FLOORDIV, Op.FLOORMOD)),
    *((node(op, A, ANY), {"a": 5, "shift": c}, rf"shifts 5 by {c} \({op.name}\)") for op in (Op.SHL, Op.SHR) for c in (-1, 64)),
    (A.cast(dtypes.i32), {"a": 1 << 31}, "casts 2147483648 to i32, which holds -2147483648 to 2147483647"),
    (A.cast(dtypes.u8), {"a": -1}, "casts -1 to u8, which holds 0 to 255"), (A.cast(dtypes.u64), {"a": -1}, "casts -1 to u64"),
    (N.bind(101), {"n": 1}, r"variable 'n' of kernel 'k' is bound to 101, outside \[0, 100\]"),
    (UOp(Op.BIND, (N, A)), {"a": -1, "n": 1}, r"variable 'n' of kernel 'k' is bound to -1, outside \[0, 100\]"),
], ids=lambda v: v.op.name if isinstance(v, UOp) else None)
def test_values_that_have_no_result(expr: UOp, values: dict[str, int], message: str) -> None:
    with pytest.raises(LaunchError, match=message):
        of(expr, **values)


@pytest.mark.parametrize(("op", "bad"), [*((op, 0) for op in (Op.IDIV, Op.MOD, Op.FLOORDIV, Op.FLOORMOD)),
                                         *((op, count) for op in (Op.SHL, Op.SHR) for count in (-1, 64, LOW, HIGH))])
def test_an_operand_that_never_works_is_an_error_of_the_launch(op: Op, bad: int) -> None:
    evaluator = compile_exprs((node(op, N, index(bad)) + 1,), (N,), "k")
    with pytest.raises(LaunchError, match="divides 5 by zero" if bad == 0 else f"shifts 5 by {bad}"):
        evaluator((5,))


def test_a_constant_expression_without_a_value_is_an_error_of_the_launch() -> None:
    evaluator = compile_exprs((index(1) // index(0),), (), "k")
    for _ in range(2):
        with pytest.raises(LaunchError, match="divides 1 by zero"):
            evaluator(())


ROW = UOp.param(0, dtypes.i32)


@pytest.mark.parametrize(("expr", "message"), [
    (ROW[A].load().cast(dtypes.index), "size of kernel 'k' cannot be evaluated: it contains the op LOAD"),
    (UOp.range(4, 0) + 1, "contains the op RANGE"), (~(A < 3), "contains the op NOT"),
    (A.fma(2, 1), "contains the op MULACC"), (A.bitcast(dtypes.u64), "contains the op BITCAST"),
    (UOp.range(4, 0).sum(UOp.range(4, 0)), "contains the op REDUCE"),
    (UOp.const(1.5, dtypes.f32), "1.5 is f32, not an integer"),
    (A + UOp.const(2.0, dtypes.f64).cast(dtypes.index), "2.0 is f64, not an integer"),
    (A.cast(dtypes.f32), "the result of CAST is f32, not an integer"), (A.broadcast(4), "contains the op BROADCAST"),
    (UOp.scalar("x", dtypes.f32).cast(dtypes.index), "'x' is f32, not an integer"), (A.cast(dtypes.f32).sqrt(), "contains the op SQRT"),
    (UOp.const(1 << 63, dtypes.u64), "the constant 9223372036854775808 does not fit in 64 bits"),
    (UOp(Op.BIND, (index(3), index(3))), "binds a CONST of index, not an integer variable"),
    (UOp.variable("other", 0, 3), "'other' is no variable of the kernel"),
    (UOp.variable("a", 0, 3), "the kernel's variable 'a' has other bounds or another dtype"),
], ids=lambda v: v.op.name if isinstance(v, UOp) else None)
def test_what_can_be_no_expression_is_named_when_it_is_compiled(expr: UOp, message: str) -> None:
    with pytest.raises(LaunchError, match=message):
        compile_exprs((A, expr), (A, UOp.scalar("x", dtypes.f32)), "k", ("other", "size"))


def test_labels_are_numbers_where_none_are_given() -> None:
    with pytest.raises(LaunchError, match="expression 1 of kernel 'k' cannot be evaluated"):
        compile_exprs((A, UOp.range(4, 0)), (A,), "k")


def test_neither_the_effects_of_after_nor_the_variable_of_bind_are_evaluated() -> None:
    assert compile_exprs((A.after(ROW[0].store(ROW[1].load())), N.bind(3)), (A,), "k")((7,)) == (7, 3)


def test_only_the_arm_that_where_takes_must_have_a_value() -> None:
    expr = N.ne(0).where(index(100) // N, 0) + (N < 50).where(0, A + HIGH)
    evaluator = compile_exprs((expr,), (A, N), "k")
    assert [evaluator({"n": n, "a": 1}) for n in (0, 3)] == [(0,), (33,)]
    assert evaluator({"n": 60, "a": -1}) == (1 + HIGH - 1,)
    with pytest.raises(LaunchError, match="overflows"):
        evaluator({"n": 60, "a": 1})


# --- variables -------------------------------------------------------------------------------------------------------------------

SIZES = ((N + 15) // 16, M * M + 1, index(1))


def both(values: Any, *exprs: UOp) -> tuple[int, ...]:
    return compile_exprs(exprs or SIZES, (M, N), "scale")(values)


@pytest.mark.parametrize("values", [
    (3, 40), [3, 40], {"n": 40, "m": 3}, {"m": 3, "n": 40}, ChainMap({"n": 40}, {"m": 3}), np.array([3, 40]), (np.int8(3), np.uint64(40)),
    {"n": np.int32(40), "m": 3},
], ids=lambda v: type(v).__name__)
def test_values_by_name_and_in_order(values: Any) -> None:
    result = both(values)
    assert result == (3, 10, 1)
    assert {type(v) for v in result} == {int}


@pytest.mark.parametrize(("values", "message"), [
    ((3,), "'scale' takes 2 values, 1 given"), ((3, 4, 5), "takes 2 values, 3 given"), ((), "takes 2 values, 0 given"),
    ({"n": 1}, "'scale' needs a value for m"), ({}, "needs a value for m, n"), ({"n": 1, "m": 2, "k": 3}, "no variable called k"),
    ({"n": 1, "k": 3}, "no variable called k"), ((3, 101), r"variable 'n' of kernel 'scale' is 101, outside \[0, 100\]"),
    ((-11, 1), r"variable 'm' of kernel 'scale' is -11, outside \[-10, 10\]"), ({"n": -1, "m": 0}, "'n' of kernel 'scale' is -1"),
    ((3, True), "variable 'n' .* takes a whole number .* True was given"), ((1.0, 3), "'m' .* takes a whole number"),
    ((3, "4"), "'n' .* takes a whole"), ((3, None), "None was given"),
    ("ab", "object of type str"), (5, "object of type int"), ({3, 4}, "object of type set"), (None, "NoneType"),
    (iter((3, 4)), "object of type tuple_iterator"),
])
def test_wrong_values(values: Any, message: str) -> None:
    for exprs in (SIZES, (index(1),)):
        with pytest.raises(LaunchError, match=message):
            both(values, *exprs)


@pytest.mark.parametrize("values", [(1,), {"n": 1}, None, 0, [2], iter(())])
def test_a_program_without_variables_takes_no_values(values: Any) -> None:
    evaluator = compile_exprs((index(4), index(2)), (), "k")
    assert evaluator(()) == evaluator([]) == evaluator({}) == evaluator(np.zeros(0, np.int64)) == (4, 2)
    with pytest.raises(LaunchError):
        evaluator(values)


def test_a_bool_variable_is_0_or_1() -> None:
    flag = UOp.scalar("flag", dtypes.bool)
    evaluator = compile_exprs((flag, flag.where(N, 7)), (flag, N), "k")
    for values in ((True, 5), (1, 5), {"flag": True, "n": 5}, (True, np.int64(5)), {"flag": True, "n": np.int64(5)}):
        assert [(v, type(v)) for v in evaluator(values)] == [(1, int), (5, int)]
    assert evaluator((False, 5)) == (0, 7)
    with pytest.raises(LaunchError, match=r"'flag' of kernel 'k' is 2, outside \[0, 1\]"):
        evaluator((2, 5))
    with pytest.raises(LaunchError, match=r"'n' .* True was given"):
        evaluator((True, True))


def test_a_float_variable_is_counted_and_left_to_others() -> None:
    scale = UOp.scalar("scale", dtypes.f32)
    evaluator = compile_exprs((N,), (N, scale), "k")
    assert evaluator((3, 0.5)) == evaluator((3, 0)) == evaluator({"n": 3, "scale": float("nan")}) == (3,)
    with pytest.raises(LaunchError, match="needs a value for scale"):
        evaluator({"n": 3})


def test_a_variable_beyond_64_bits_signed() -> None:
    wide = UOp.scalar("w", dtypes.u64)
    used, unused = (compile_exprs((e,), (wide,), "k") for e in (wide // 4, index(1)))
    assert used((HIGH,)) == (HIGH // 4,)
    assert unused((1 << 63,)) == (1,)
    with pytest.raises(LaunchError, match="uses variable 'w', and 9223372036854775808 does not fit in 64 bits"):
        used((1 << 63,))
    for evaluator in (used, unused):
        with pytest.raises(LaunchError, match="outside"):
            evaluator((1 << 64,))


# --- the two routes --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("expr", [
    (N + 15) // 16 * 16, N.rem(7) - M.idiv(3), (N < M).where(N, M), N << 3, (N >> 1) & 7, N.maximum(M).cast(dtypes.i32), A + B,
])
def test_plain_values_take_the_fast_route_and_others_the_slow_one(expr: UOp, monkeypatch: pytest.MonkeyPatch) -> None:
    slow: list[object] = []
    walk = evaluation._Walk.__call__
    monkeypatch.setattr(evaluation._Walk, "__call__", lambda self, values: slow.append(values) or walk(self, values))
    evaluator, expected = compile_exprs((expr,), (A, B, M, N), "k"), (evaluate(expr, {"a": 5, "b": 6, "m": 3, "n": 40}),)
    assert evaluator((5, 6, 3, 40)) == evaluator([5, 6, 3, 40]) == evaluator({"a": 5, "b": 6, "m": 3, "n": 40}) == expected
    assert not slow
    other = (5, 6, np.int64(3), 40)
    assert evaluator(other) == expected
    assert slow == [other]


@pytest.mark.parametrize("source", ["(7, 300)", "by_name"])
def test_evaluation_is_fast(source: str) -> None:
    n, batch = UOp.variable("n", 1, 1 << 20), UOp.variable("batch", 0, 64)
    evaluator = compile_exprs(((n + 255) // 256, batch, index(1), index(256), index(1), index(1)), (batch, n), "k")
    timer = timeit.Timer(f"evaluator({source})", globals={"evaluator": evaluator, "by_name": {"batch": 7, "n": 300}})
    best = min(timer.repeat(20, 2000)) / 2000
    assert best < 2e-6, f"{best * 1e9:.0f} ns; measured when written: 0.23 us in order, 0.30 us by name"


def test_graphs_of_any_depth_and_with_shared_nodes() -> None:
    deep = shared = N
    for i in range(20_000):
        deep = deep + i % 3
    for _ in range(60):
        shared = (shared < 90).where(shared + 1, shared - 1)
    evaluator = compile_exprs((deep, shared), (N,), "k")
    assert evaluator((0,)) == evaluator((np.int64(0),)) == (sum(i % 3 for i in range(20_000)), 60)


# --- against other definitions ---------------------------------------------------------------------------------------------------

EXACT: dict[Op, Callable[..., int]] = {
    Op.ADD: operator.add, Op.SUB: operator.sub, Op.MUL: operator.mul, Op.NEG: operator.neg, Op.ABS: operator.abs,
    Op.FLOORDIV: lambda a, b: floor(Fraction(a, b)), Op.FLOORMOD: lambda a, b: a - b * floor(Fraction(a, b)),
    Op.IDIV: lambda a, b: trunc(Fraction(a, b)), Op.MOD: lambda a, b: a - b * trunc(Fraction(a, b)),
    Op.MAX: max, Op.MIN: min, Op.SHL: lambda a, b: a * 2**b, Op.SHR: lambda a, b: floor(Fraction(a, 2**b)),
    Op.AND: operator.and_, Op.OR: operator.or_, Op.XOR: operator.xor,
    Op.CMPLT: operator.lt, Op.CMPLE: operator.le, Op.CMPEQ: operator.eq, Op.CMPNE: operator.ne,
}
SHIFTS = (Op.SHL, Op.SHR)
DIVISIONS = (Op.IDIV, Op.MOD, Op.FLOORDIV, Op.FLOORMOD)


class NoValueError(Exception):
    """The expression has no value."""


def exact(u: UOp, values: dict[str, int]) -> int:
    """The definition, in rational arithmetic; only the arm that a WHERE takes."""
    if u.op is Op.CONST:
        return int(u.arg.value)
    if u.op is Op.DEFINE_VAR:
        return values[u.arg.name]
    if u.op is Op.WHERE:
        return exact(u.src[1] if exact(u.src[0], values) else u.src[2], values)
    src = [exact(s, values) for s in u.src]
    if u.op is Op.CAST:
        return checked(int(src[0] != 0) if u.dtype.is_bool else src[0], u.dtype)
    if (u.op in DIVISIONS and src[1] == 0) or (u.op in SHIFTS and not 0 <= src[1] <= 63):
        raise NoValueError
    return checked(int(EXACT[u.op](*src)), dtypes.i64)


def checked(value: int, dtype: DType) -> int:
    if not dtype.min <= value <= dtype.max:
        raise NoValueError
    return value


RANGES = [(low, high) for low in range(-4, 5) for high in range(low, 5)]


@pytest.mark.parametrize("op", sorted(set(INTERVALS) & set(EXACT), key=lambda op: op.name), ids=str)
def test_no_value_lies_outside_its_interval(op: Op) -> None:
    ranges: list[tuple[tuple[int, int], ...]] = [(a, b) for a in RANGES for b in RANGES]
    if OPS[op].arity[0] == 1:
        ranges = [(a,) for a in RANGES]
    elif op in SHIFTS:
        ranges = [(a, b) for a, b in ranges if b[0] >= 0]
    for given_ in ranges:
        low, high = INTERVALS[op](*given_)
        for values in itertools.product(*(range(a, b + 1) for a, b in given_)):
            if op not in DIVISIONS or values[1]:
                assert low <= EXACT[op](*values) <= high, (given_, values)


def test_the_interval_of_where_covers_both_arms() -> None:
    assert INTERVALS[Op.WHERE]((0, 1), (-5, 2), (0, 9)) == (-5, 9)


def test_intervals_are_tight_enough_for_what_sizes_are_made_of() -> None:
    assert INTERVALS[Op.FLOORDIV]((0, 1023), (16, 16)) == (0, 63)
    assert INTERVALS[Op.FLOORMOD]((-100, 100), (1, 16)) == (0, 15)
    assert INTERVALS[Op.MOD]((0, 100), (1, 16)) == (0, 15)
    assert INTERVALS[Op.SHR]((0, 1023), (4, 4)) == (0, 63)


@st.composite
def expressions(draw: st.DrawFn) -> UOp:
    """An index expression over n, m, a and small and large constants, with shared parts."""
    numbers = st.one_of(st.integers(-3, 9), st.sampled_from([63, 64, LOW, HIGH, 1 << 31, -1 << 31]))
    pool = [N, M, A, *(index(draw(numbers)) for _ in range(3))]
    arithmetic = sorted(set(EXACT) - COMPARISONS, key=lambda op: op.name)
    for _ in range(draw(st.integers(1, 10))):
        x, y = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        op = draw(st.sampled_from([*arithmetic, *COMPARISONS, Op.WHERE, Op.CAST]))
        if op is Op.CAST:
            pool.append(x.cast(draw(st.sampled_from([*dtypes.INTS, dtypes.bool]))).cast(dtypes.index))
        elif op is Op.WHERE:
            pool.append((x < y).where(draw(st.sampled_from(pool)), draw(st.sampled_from(pool))))
        else:
            made = node(op, *(x, y)[:OPS[op].arity[0]])
            pool.append(made.cast(dtypes.index))
    return pool[-1]


@given(expressions(), st.integers(0, 100), st.integers(-10, 10), st.one_of(st.integers(LOW, HIGH), st.integers(-70, 70)))
def test_random_expressions_agree_with_the_interpreter_and_with_exact_arithmetic(expr: UOp, n: int, m: int, a: int) -> None:
    values = {"n": n, "m": m, "a": a}
    note(f"{expr!r} {values}")
    evaluator = compile_exprs((expr,), (A, M, N), "k")
    routes = (values, (a, m, n), (a, m, np.int64(n)))
    try:
        expected = exact(expr, values)
    except NoValueError:
        for given_ in routes:
            with pytest.raises(LaunchError):
                evaluator(given_)
        return
    assert [evaluator(given_) for given_ in routes] == [(expected,)] * 3
    assert int(evaluate(expr, values)) == expected
