"""The operators of UOp as a new user meets them: literals, NumPy scalars, addresses that were not loaded."""
from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest

from svod.dtype import dtypes
from svod.errors import DTypeError, GraphError
from svod.ir.args import AtomicKind, SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp

a, n = UOp.param(1, dtypes.f32, name="a"), UOp.param(2, dtypes.i32, name="n")
i = UOp.range(8, 0)
x, k = a[i].load(), n[i].load()


@pytest.mark.parametrize(("ours", "plain"), [
    (x * np.float32(2), x * 2.0), (np.float32(2) * x, 2.0 * x), (x + np.float64(0.5), x + 0.5), (np.float64(0.5) - x, 0.5 - x),
    (k + np.int64(3), k + 3), (np.uint8(3) + k, 3 + k), (x * np.array(2.0), x * 2.0), (a[np.int64(4)], a[4]), (i + np.int32(1), i + 1),
    (UOp.range(np.int64(8), 0), i), (UOp.const(np.float32(0.1), dtypes.f32), UOp.const(0.1, dtypes.f32)), (k < np.int16(7), k < 7),
    (a[i].store(np.float32(1)), a[i].store(1.0)), ((k < 1).where(np.float32(1), x), (k < 1).where(1.0, x)),
])
def test_a_numpy_scalar_is_the_number_it_holds(ours: UOp, plain: UOp) -> None:
    assert ours is plain


def test_a_number_may_be_the_base_of_a_power() -> None:
    assert 2.0 ** x is UOp(Op.POW, (UOp.const(2.0, dtypes.f32), x))


@pytest.mark.parametrize(("wrong", "what"), [
    (lambda: x + "x", "str 'x' is not a number"), (lambda: x * np.ones(3), "ndarray"), (lambda: np.ones(3) * x, "ndarray"),
    (lambda: a[i].store("x"), "str 'x' is not a number"), (lambda: UOp.const(None, dtypes.i32), "NoneType None is not a number"),
    (lambda: x + 1j, "complex 1j is not a number"), (lambda: a["x"], "str 'x' is not a number"),
])
def test_what_is_no_number_is_refused(wrong: Callable[[], UOp], what: str) -> None:
    with pytest.raises(GraphError, match=f"{what}(.|\n)*UOps, numbers and bools"):
        wrong()


@pytest.mark.parametrize("wrong", [lambda: a[1.5], lambda: a[True], lambda: a[np.float32(2)], lambda: a[x]])
def test_an_index_is_an_integer(wrong: Callable[[], UOp]) -> None:
    with pytest.raises(DTypeError, match="an index must be an integer"):
        wrong()


@pytest.mark.parametrize(("wrong", "name"), [
    (lambda: a[i] + 1.0, r"a\[...\]"), (lambda: x + a[i], r"a\[...\]"), (lambda: a * 2.0, "a"), (lambda: 2.0 - a[i], r"a\[...\]"),
])
def test_an_address_in_arithmetic_is_told_to_be_loaded(wrong: Callable[[], UOp], name: str) -> None:
    told = rf"{name} is an address \(f32\*global\), not a number\n  hint: read the element: a\[i\]\.load\(\)"
    with pytest.raises(DTypeError, match=told):
        wrong()


def test_comparing_with_equals_compares_graphs() -> None:
    assert x == a[i].load()
    assert x != k
    with pytest.raises(GraphError, match=r"truth of a UOp(.|\n)*where"):
        bool(x < 1.0)


# --- mistakes at the front door -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("wrong", "what", "hint"), [
    (lambda: a[:], "an index is one integer, got :", "over a range"), (lambda: a[2:5], "got 2:5", "over a range"),
    (lambda: a[...], r"got \.\.\.", "over a range"), (lambda: a[None], "got None", "over a range"),
    (lambda: a[i, i], "an index is one integer, got 2 of them", r"a\[i \* columns \+ j\]"),
    (lambda: a[i][i], r"a\[...\] is an element already", r"a\[i \* columns \+ j\]"),
    (lambda: x[i], "only pointers can be indexed, LOAD is f32", r"a\[i\]\.load\(\)"),
    (a.load, "LOAD reads through an INDEX, not PARAM", r"a\[i\]\.load\(\)"),
    (x.load, "LOAD reads through an INDEX, not LOAD", "leave .load"),
    (lambda: a.store(1.0), "STORE writes through an INDEX, not PARAM", r"a\[i\]\.store\(x\)"),
    (lambda: x.store(1.0), "STORE writes through an INDEX, not LOAD", "write to a buffer"),
    (lambda: a.__setitem__(i, 1.0), "an effect of the kernel, not an assignment", r"store\(x\)"),
    (lambda: a.atomic(AtomicKind.ADD, 1.0), "ATOMIC goes through an INDEX, not PARAM", r"out\[i\]\.atomic"),
    (lambda: a[i].atomic("add", 1.0), "the kind of an atomic is 'add'", r"AtomicKind\.ADD"),
    (lambda: UOp.memory(0, dtypes.f32, 4, "reg"), "the space of a memory is 'reg'", r"AddrSpace\.REG"),
    (lambda: UOp.memory("acc", dtypes.f32, 4), "the id of a memory is a whole number of 0 or more, got 'acc'", "counts from 0"),
    (lambda: UOp.memory(0, dtypes.f32, 4.0), "the size of a memory in elements is a whole number", "counts from 0"),
    (lambda: UOp.memory(0, dtypes.f32, 4, name=5), "a name is text, got 5", "name="),
    (lambda: UOp.special("global", 0, 4), "the kind of an id is 'global'", r"SpecialKind\.GLOBAL"),
    (lambda: UOp.special(SpecialKind.GLOBAL, "x", 4), "the axis of an id is a whole number of 0 or more, got 'x'", "counts from 0"),
    (lambda: UOp.range(4, 0, kind="vector"), "the kind of a range is 'vector'", r"AxisKind\.VECTOR"),
    *[(lambda v=v: UOp.range(4, v), f"the axis of a range is a whole number of 0 or more, got {re.escape(repr(v))}", "counts from 0")
      for v in (1.0, True, -1, "i", np.float64(1), np.bool_(True))],
    *[(lambda v=v: UOp.param(v, dtypes.f32), "a slot is a whole number of 0 or more", "counts from 0")
      for v in (1.0, True, -1, "a", None, np.float32(1))],
    *[(lambda v=v: UOp.param(0, dtypes.f32, v), "the size of a buffer in elements is a whole number", "counts from 0")
      for v in (-1, 2.5, True, (4, 4))],
    (lambda: UOp.param(0, dtypes.f32, UOp.variable("m", 1, 4)), "the size of a buffer", "known when the kernel is built"),
    (lambda: UOp.sink(name=5), "a name is text, got 5", "name="),
    (lambda: UOp.sink(opts="VECTOR(0)"), r"opts is a list of Opts, got 'VECTOR\(0\)'", r"VECTOR\(0\.1\)"),
    (lambda: UOp.sink(opts=5), "opts is a list of Opts, got 5", r"VECTOR\(0\.1\)"),
    (lambda: UOp.variable("m", 1.5, 3), "the bounds of variable 'm' are 1.5 and 3, not whole numbers", "int"),
    (lambda: UOp.variable("m", 1, "9"), "str '9' is not a number", "UOps, numbers"),
    (lambda: UOp.variable("m", 9, 1), r"variable 'm' has an empty range \[9, 1\]", "least value first"),
    (lambda: UOp.variable("m", 0, 200, dtypes.i8), r"variable 'm' has the bounds \[0, 200\]", "i8 holds -128 to 127"),
    (lambda: i.bind(3), "only a variable can be bound, this is a RANGE", "Variable"),
    (lambda: x.reduce(Op.SUB, i), "a reduction cannot combine by SUB", r"Op\.ADD"),
    (lambda: x.reduce("sum", i), "a reduction cannot combine by 'sum'", r"Op\.ADD"),
    (lambda: x.broadcast("4"), "a number of lanes is a whole number of 1 or more, got '4'", "counts from 1"),
    (lambda: x.broadcast(4).extract("x"), "a lane is a whole number", "counts from 0"),
    (lambda: (x < 1).where(1.0, None), "NoneType None is not a number", "UOps, numbers"),
    (lambda: range(UOp.variable("m", 1, 4)), "the value of a UOp is not known", r"UOp\.range\(n, axis\)"),
    (lambda: float(x), "the value of a UOp is not known", r"x\.cast\(dtype\)"),
    (lambda: math.sqrt(x), "the value of a UOp is not known", r"x\.sqrt\(\)"),
])
def test_a_mistake_is_told_where_it_is_made(wrong: Callable[[], object], what: str, hint: str) -> None:
    with pytest.raises(GraphError, match=f"{what}(.|\n)*hint: (.|\n)*{hint}"):
        wrong()


@pytest.mark.parametrize(("wrong", "what", "hint"), [
    (lambda: a[i].store(a[i]), r"STORE of a\[...\], which is an address", r"did you mean a\[i\]\.load\(\)\?"),
    (lambda: a[i].store(a), "STORE of a, which is an address", r"did you mean a\[i\]\.load\(\)\?"),
    (lambda: a[n[i]], r"an index must be an integer, got i32\*global", r"n\[i\]\.load\(\)"),
    (lambda: UOp.range(4.0, 0), "the stop of a range must be an integer, got 4.0", "int"),
    (lambda: UOp.range(4, 0, start=0.5), "the start of a range must be an integer, got 0.5", "int"),
    (lambda: UOp.special(SpecialKind.LOCAL, 0, 4.0), "the extent of an id must be an integer, got 4.0", "int"),
    (lambda: a[i].cast(dtypes.i32), r"a\[...\] is an address", r"a\[i\]\.load\(\)"),
    (lambda: a[i].bitcast(dtypes.i32), r"a\[...\] is an address", r"a\[i\]\.load\(\)"),
    (lambda: a[i].sum(i), r"a\[...\] is an address", r"a\[i\]\.load\(\)"),
    (lambda: x.bitcast(dtypes.f16), "BITCAST from f32 to f16 changes the width", "cast"),
    (lambda: x.broadcast(4).broadcast(4), "BROADCAST of f32x4", "extract"),
    (lambda: x.broadcast(4).extract(7), "f32x4 has no lane 7", "0 to 3"),
    (lambda: UOp.const(1, "f32"), "a dtype is needed, got 'f32'", r"dtypes\.f32"),
    (lambda: UOp.memory(0, "f32", 4), "a dtype is needed, got 'f32'", r"dtypes\.f32"),
])
def test_a_wrong_type_is_told_where_it_is_made(wrong: Callable[[], object], what: str, hint: str) -> None:
    with pytest.raises(DTypeError, match=f"{what}(.|\n)*hint: (.|\n)*{hint}"):
        wrong()


def test_numpy_integers_count_as_slots_axes_and_sizes() -> None:
    assert UOp.param(np.int64(1), dtypes.f32, np.int32(4)) is UOp.param(1, dtypes.f32, 4)
    assert type(UOp.param(np.int64(6), dtypes.f32, name="six").arg.slot) is int
    assert UOp.range(8, np.uint8(0)) is i
    assert UOp.variable("m", np.int64(1), np.int64(9)) is UOp.variable("m", 1, 9)
    assert UOp.sink(opts=["VECTOR(0)"]).arg.opts == ("VECTOR(0)",)


h, e = UOp.param(3, dtypes.f16, name="h")[i].load(), UOp.param(4, dtypes.f8e4m3, name="e")[i].load()


@pytest.mark.parametrize("wrong", [
    lambda: x + 1e300, lambda: -1e300 * x, lambda: x + np.float64(1e300), lambda: x + 10**50, lambda: x * 10**5000, lambda: h + 65520.0,
    lambda: a[i].store(1e39), lambda: a.index(i, i < 3).load(1e39), lambda: (i < 3).where(1e39, x), lambda: e + 1e6, lambda: e * math.inf,
    lambda: x.broadcast(4) + 1e300,
], ids=lambda f: "")
def test_a_literal_that_a_float_type_does_not_hold_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(DTypeError, match=r"is more than (f32|f16|f8e4m3) holds(.|\n)*hint: cast the other operand to a wider type"):
        wrong()


def test_the_greatest_literals_infinities_and_nan_are_held() -> None:
    for u, value in ((x, 3.4028235677973362e38), (x, -math.inf), (h, 65519.0), (h, math.inf), (e, 448.0)):
        assert (u + value).src[1].arg.value in (value, 3.4028234663852886e38, 65504.0)
    assert math.isnan((x + math.nan).src[1].arg.value)
    assert math.isnan((e + math.nan).src[1].arg.value)


@pytest.mark.parametrize("wrong", [
    lambda: UOp.const(10**5000, dtypes.i32), lambda: k + 10**5000, lambda: UOp.param(10**5000, dtypes.f32), lambda: UOp.range(10**5000, 0),
    lambda: UOp.variable("v", 10**5000, 5), lambda: a[-10**5000],
], ids=lambda f: "")
def test_integers_of_thousands_of_digits_are_refused_in_words(wrong: Callable[[], object]) -> None:
    with pytest.raises((DTypeError, GraphError), match="an integer of 16610 bits"):
        wrong()


def test_a_buffer_has_no_elements_of_void() -> None:
    with pytest.raises(DTypeError, match=r"buffer bytes has elements of void\n  hint: void has no values"):
        UOp.param(0, dtypes.void, name="bytes")
