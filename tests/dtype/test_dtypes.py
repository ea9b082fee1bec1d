"""svod.dtype.dtypes: identity of types, their layout, their names."""
from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import sys
import threading
from collections.abc import Callable

import pytest

from svod.dtype import AddrSpace, DType, Kind, PtrDType, dtypes
from svod.errors import DTypeError

SCALARS = (dtypes.void, dtypes.index, *dtypes.ALL)
VECTORS = tuple(t.vec(n) for t in SCALARS[1:] for n in (2, 3, 4, 16))
POINTERS = tuple(t.ptr(space) for t in (dtypes.void, dtypes.f32, dtypes.f8e4m3fnuz, dtypes.i8.vec(4)) for space in AddrSpace)
EVERY = SCALARS + VECTORS + POINTERS

COPIES: dict[str, Callable[[DType], DType]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy-in-a-list": lambda t: copy.deepcopy([t])[0],
    "parse-repr": lambda t: dtypes.parse(repr(t)),
}


def test_types_are_distinct_and_print_apart() -> None:
    assert len({id(t) for t in EVERY}) == len(EVERY)
    assert len({repr(t) for t in EVERY}) == len(EVERY)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_unpickled_types_are_the_same_objects(protocol: int) -> None:
    for t in EVERY:
        assert pickle.loads(pickle.dumps(t, protocol)) is t


@pytest.mark.parametrize("how", COPIES)
def test_every_copy_is_the_same_object(how: str) -> None:
    for t in EVERY:
        assert COPIES[how](t) is t


@pytest.mark.parametrize("t", SCALARS[1:], ids=repr)
def test_vectors_and_pointers_are_interned(t: DType) -> None:
    assert t.vec(4) is t.vec(4) is t.vec(2).vec(4)
    assert t.vec(1) is t is t.vec(4).scalar is t.vec(4).vec(1)
    assert t.ptr() is t.ptr(AddrSpace.GLOBAL) is not t.ptr(AddrSpace.LOCAL)
    assert t.ptr(AddrSpace.REG).base is t


def test_interning_is_thread_safe() -> None:
    """Threads that race to build the same new types all get the same objects."""
    start, seen = threading.Barrier(8), [list[DType]() for _ in range(8)]

    def build(out: list[DType]) -> None:
        start.wait()
        for lanes in range(1001, 1301):
            vector = dtypes.i16.vec(lanes)
            out += [vector, vector.ptr(AddrSpace.LOCAL), dtypes.parse(f"u16x{lanes}")]

    threads = [threading.Thread(target=build, args=(out,)) for out in seen]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert all(len(out) == 900 for out in seen)
    assert all(x is y for out in seen[1:] for x, y in zip(seen[0], out, strict=True))


@pytest.mark.parametrize(("name", "bits", "itemsize", "kind"), [
    ("bool", 1, 1, Kind.BOOL), ("i8", 8, 1, Kind.INT), ("u16", 16, 2, Kind.UINT), ("i64", 64, 8, Kind.INT), ("index", 64, 8, Kind.INDEX),
    ("void", 0, 0, Kind.VOID), ("f8e5m2", 8, 1, Kind.FLOAT), ("bf16", 16, 2, Kind.FLOAT), ("f64", 64, 8, Kind.FLOAT),
])
def test_layout(name: str, bits: int, itemsize: int, kind: Kind) -> None:
    t = dtypes.parse(name)
    assert (t.name, t.bits, t.itemsize, t.kind, t.lanes) == (name, bits, itemsize, kind, 1)
    if kind is not Kind.VOID:
        assert (t.vec(3).bits, t.vec(3).itemsize, t.vec(3).lanes) == (bits, 3 * itemsize, 3)


def test_float_formats_fill_their_bits() -> None:
    for t in SCALARS:
        assert (t.fmt is not None) == t.is_float
        if t.fmt is not None:
            assert 1 + t.fmt.exponent + t.fmt.mantissa == t.bits
            assert t.vec(2).fmt is t.fmt


def test_kind_predicates() -> None:
    assert {t for t in SCALARS if t.is_float} == set(dtypes.FLOATS)
    assert {t for t in SCALARS if t.is_int} == {*dtypes.INTS, dtypes.index}
    assert {t for t in SCALARS if t.is_unsigned} == set(dtypes.UNSIGNED)
    assert {t for t in SCALARS if t.is_bool} == {dtypes.bool}
    assert not any(t.is_float or t.is_int or t.is_bool for t in POINTERS)


def test_limits() -> None:
    assert [(t.min, t.max) for t in (dtypes.bool, dtypes.i8, dtypes.u8, dtypes.i64, dtypes.u64, dtypes.index)] == [
        (0, 1), (-128, 127), (0, 255), (-2**63, 2**63 - 1), (0, 2**64 - 1), (-2**63, 2**63 - 1)]
    assert all((t.min, t.max) == (-math.inf, math.inf) for t in dtypes.FLOATS)
    assert (dtypes.i8.vec(4).min, dtypes.i8.vec(4).max) == (-128, 127)


@pytest.mark.parametrize("t", [dtypes.void, dtypes.f32.ptr()], ids=repr)
def test_types_without_values_have_no_limits(t: DType) -> None:
    with pytest.raises(DTypeError, match="no least value"):
        _ = t.min
    with pytest.raises(DTypeError, match="no greatest value"):
        _ = t.max


@pytest.mark.parametrize(("t", "lanes"), [(dtypes.f32, 0), (dtypes.f32, -1), (dtypes.void, 2), (dtypes.f32.ptr(), 4)], ids=repr)
def test_vectors_that_do_not_exist(t: DType, lanes: int) -> None:
    with pytest.raises(DTypeError, match=f"has no vector of {lanes} lanes"):
        t.vec(lanes)


@pytest.mark.parametrize("text", ["", "x", "x4", "f33", "float32", "f32x", "f32x-1", "f32x1.5", "f32x0", "voidx2", "f32*", "f32*nowhere",
                                  "f33*local", "f32x²", " f32"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(DTypeError):
        dtypes.parse(text)


def test_parse_names_the_text_and_the_choices() -> None:
    with pytest.raises(DTypeError, match=r"no dtype is called 'float32'\n  hint: one of bool, i8, .*, f64, or f32x4 for vectors"):
        dtypes.parse("float32")


@pytest.mark.parametrize("t", [dtypes.f32, dtypes.f32.vec(4), dtypes.f32.ptr()], ids=repr)
def test_types_are_frozen(t: DType) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        t.bits = 16  # type: ignore[misc]


def test_pointers_know_base_and_space() -> None:
    p = dtypes.bf16.vec(2).ptr(AddrSpace.LOCAL)
    assert isinstance(p, PtrDType)
    assert (p.base, p.space, p.lanes, p.bits, repr(p)) == (dtypes.bf16.vec(2), AddrSpace.LOCAL, 1, 64, "bf16x2*local")


@pytest.mark.parametrize(("make", "what"), [
    (lambda: dtypes.parse(5), "the name of a dtype is text, got 5"), (lambda: dtypes.f32.vec("4"), "no vector of '4' lanes"),
    (lambda: dtypes.f32.vec(0), "no vector of 0 lanes"), (lambda: dtypes.f32.ptr("global"), "'global' is no address space"),
])
def test_arguments_of_other_types(make: Callable[[], DType], what: str) -> None:
    with pytest.raises(DTypeError, match=f"{what}(.|\n)*hint: "):
        make()
