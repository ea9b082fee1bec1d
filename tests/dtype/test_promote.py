"""svod.dtype.promote: the lattice's laws over all types, its soundness, and the types of literals."""
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from svod.dtype import DType, convert_array, dtypes, numpy_dtype, promote, weak
from svod.errors import DTypeError

ALL = (*dtypes.ALL, dtypes.index)
NATIVE = (dtypes.bool, *dtypes.INTS, dtypes.f16, dtypes.f32, dtypes.f64)


def outcome(*types: DType) -> DType | None:
    """The promoted type; None where it is refused."""
    try:
        return promote(*types)
    except DTypeError:
        return None


def refused(*types: DType) -> bool:
    """What the module's text says is refused: u64 beside a signed integer, with no float and no index to decide."""
    return dtypes.u64 in types and not {*types}.isdisjoint(dtypes.SIGNED) and not any(t.is_float or t is dtypes.index for t in types)


@pytest.mark.parametrize("a", ALL, ids=repr)
def test_idempotent(a: DType) -> None:
    assert promote(a) is promote(a, a) is promote(a, a, a) is a


def test_commutative() -> None:
    for a, b in itertools.combinations(ALL, 2):
        assert outcome(a, b) is outcome(b, a)


def test_only_u64_beside_signed_is_refused() -> None:
    for types in itertools.product(ALL, repeat=3):
        assert (outcome(*types) is None) == refused(*types), types


def test_associative_wherever_defined() -> None:
    for a, b, c in itertools.product(ALL, repeat=3):
        together = outcome(a, b, c)
        left = outcome(ab, c) if (ab := outcome(a, b)) else None
        right = outcome(a, bc) if (bc := outcome(b, c)) else None
        assert left is together or refused(a, b), (a, b, c)
        assert right is together or refused(b, c), (a, b, c)


def test_independent_of_order_for_any_number_of_operands() -> None:
    for types in itertools.combinations((*dtypes.FP8, dtypes.f16, dtypes.bf16, dtypes.i64, dtypes.u64, dtypes.index), 4):
        assert len({outcome(*order) for order in itertools.permutations(types)}) == 1


def test_absorbing() -> None:
    """The join is an upper bound: joining an operand again changes nothing."""
    for a, b in itertools.product(ALL, repeat=2):
        if (top := outcome(a, b)) is not None:
            assert promote(a, top) is top is promote(top, b)


def test_agrees_with_numpy_except_where_documented() -> None:
    for a, b in itertools.product(NATIVE, repeat=2):
        if refused(a, b) or (a.is_float != b.is_float):
            continue
        assert numpy_dtype(promote(a, b)) == np.result_type(numpy_dtype(a), numpy_dtype(b)), (a, b)


def test_integer_joins_hold_both_ranges() -> None:
    for a, b in itertools.product((dtypes.bool, *dtypes.INTS), repeat=2):
        if (top := outcome(a, b)) is not None:
            assert top.min <= min(a.min, b.min)
            assert top.max >= max(a.max, b.max)


def test_float_joins_are_exact() -> None:
    """Every code of every narrow float survives the way to the promoted type and back."""
    for a, b in itertools.product(dtypes.FLOATS, repeat=2):
        if a.bits > 16 or (top := promote(a, b)) is a:
            continue
        codes = np.arange(1 << a.bits, dtype=f"u{a.bits // 8}")
        values = codes.view(numpy_dtype(a))
        back = convert_array(convert_array(values, a, top), top, a)
        with np.errstate(invalid="ignore"):
            numbers = ~np.isnan(values.astype(np.float64))
        np.testing.assert_array_equal(back.view(codes.dtype)[numbers], codes[numbers])


@pytest.mark.parametrize(("operands", "result"), [
    ("bool bool", "bool"), ("bool i8", "i8"), ("bool u64", "u64"), ("bool bf16", "bf16"), ("bool index", "index"),
    ("u8 i8", "i16"), ("u16 i8", "i32"), ("u32 i8", "i64"), ("u8 i64", "i64"), ("u32 u64", "u64"), ("i8 i32", "i32"),
    ("index i8", "index"), ("index u64", "index"), ("index f16", "f16"), ("i64 u64 index", "index"), ("i64 u64 f32", "f32"),
    ("i64 f16", "f16"), ("u64 f8e4m3", "f8e4m3"), ("i8 f64", "f64"),
    ("f16 bf16", "f32"), ("f16 f32", "f32"), ("bf16 f32", "f32"), ("bf16 f64", "f64"), ("f32 f64", "f64"),
    ("f8e4m3 f8e5m2", "f16"), ("f8e4m3 f8e4m3fnuz", "f16"), ("f8e4m3 f16", "f16"), ("f8e4m3 bf16", "f32"), ("f8e5m2 f32", "f32"),
    ("f8e4m3 f8e5m2 bf16", "f32"),
    ("f32x4 f32", "f32x4"), ("i8x4 f16", "f16x4"), ("u8x2 i8x2", "i16x2"), ("f32x4 f64 i8x4", "f64x4"),
])
def test_table(operands: str, result: str) -> None:
    assert promote(*map(dtypes.parse, operands.split())) is dtypes.parse(result)


@pytest.mark.parametrize(("operands", "message"), [
    ((), "at least one type"),
    ((dtypes.i64, dtypes.u64), r"no integer type holds every value of i64, u64\n  hint: cast one side"),
    ((dtypes.u64, dtypes.i8, dtypes.bool), "no integer type holds every value of u64, i8, bool"),
    ((dtypes.f32.vec(4), dtypes.f32.vec(2)), r"different numbers of lanes: f32x4, f32x2\n  hint: lanes must be equal, or 1"),
    ((dtypes.void, dtypes.i32), "void is not a number type$"),
    ((dtypes.f32.ptr(), dtypes.i32), r"f32\*global is not a number type\n  hint: pointers move by INDEX"),
])
def test_refusals(operands: tuple[DType, ...], message: str) -> None:
    with pytest.raises(DTypeError, match=message):
        promote(*operands)


def test_bool_literal_takes_any_type() -> None:
    for t in ALL:
        assert weak(True, t) is t is weak(False, t)


def test_float_literal_takes_floats_and_is_f32_elsewhere() -> None:
    for t in ALL:
        for value in (0.5, -0.0, 1e300, math.inf, math.nan):
            assert weak(value, t) is (t if t.is_float else dtypes.f32)


def test_int_literal_takes_the_type_it_fits() -> None:
    for t in ALL:
        if t.is_float:
            assert weak(10**400, t) is weak(-3, t) is t
        elif t.is_bool:
            assert weak(1, t) is weak(-2**31, t) is dtypes.i32
        else:
            assert weak(int(t.min), t) is weak(int(t.max), t) is t


@pytest.mark.parametrize("t", [dtypes.bool, *dtypes.INTS, dtypes.index], ids=repr)
def test_int_literal_that_does_not_fit(t: DType) -> None:
    held = dtypes.i32 if t.is_bool else t
    for value in (int(held.min) - 1, int(held.max) + 1):
        with pytest.raises(DTypeError, match=f"^{value} does not fit {held!r}, which holds {held.min} to {held.max}\n  hint: cast"):
            weak(value, t)


def test_literals_beside_vectors_take_the_lanes() -> None:
    assert weak(1, dtypes.i8.vec(4)) is dtypes.i8.vec(4)
    assert weak(1.5, dtypes.i8.vec(4)) is dtypes.f32.vec(4)
    assert weak(7, dtypes.bool.vec(2)) is dtypes.i32.vec(2)
    with pytest.raises(DTypeError, match="300 does not fit i8, which holds -128 to 127"):
        weak(300, dtypes.i8.vec(4))


def test_literals_beside_what_is_no_number() -> None:
    for t in (dtypes.void, dtypes.i32.ptr()):
        with pytest.raises(DTypeError, match="is not a number type"):
            weak(1, t)
    with pytest.raises(DTypeError, match="a literal is a bool, int or float, not complex"):
        weak(1j, dtypes.f32)  # type: ignore[arg-type]
