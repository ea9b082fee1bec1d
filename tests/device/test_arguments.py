"""The checks behind `execute`: what is accepted, and that each refusal names kernel, argument, what was given, what is needed, the fix."""
from __future__ import annotations

import array
import math
import mmap
import re
from typing import Any

import numpy as np
import pytest

from svod.device.allocator import DEFAULT_OPTIONS, AllocOptions, Block, HostAllocator
from svod.device.arguments import BufferArg, HostView, ScalarArg, check_buffers, check_values, host_view
from svod.device.buffer import Buffer
from svod.dtype.convert import numpy_dtype
from svod.dtype.dtypes import DType, dtypes
from svod.errors import ArgumentError, LaunchError


class Place:
    """A device in host memory."""

    name = "HOST"
    allocator = HostAllocator()


class Far(HostAllocator):
    """Memory that the host cannot address."""

    on_host = False

    def alloc(self, nbytes: int, options: AllocOptions = DEFAULT_OPTIONS) -> Block:
        return Block(bytearray(nbytes), nbytes, options, None)


class FarPlace:
    """A device elsewhere."""

    name = "FAR:0"
    allocator = Far()


class Exported:
    """An object with __dlpack__ and nothing else, on the DLPack device `where`."""

    def __init__(self, x: np.ndarray[Any, Any], where: int = 1) -> None:
        self.x, self.where = x, where

    def __dlpack__(self, **asked: Any) -> object:
        return self.x.__dlpack__(**asked)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self.where, 0)


def f32(n: int) -> np.ndarray[Any, Any]:
    return np.arange(n, dtype=np.float32)


def unaligned(n: int, dtype: str = "f4") -> np.ndarray[Any, Any]:
    size = np.dtype(dtype).itemsize
    memory = np.zeros(n * size + size, np.uint8)
    start = 1 if memory.ctypes.data % size == 0 else 0
    return memory[start:start + n * size].view(dtype)


def frozen(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    x.flags.writeable = False
    return x


IN, OUT = BufferArg("x", dtypes.f32, 4, writes=False), BufferArg("out", dtypes.f32, 4, writes=True)


# --- what is accepted --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
def test_arrays_and_buffers_of_every_type(dtype: DType) -> None:
    x = np.zeros((2, 3), numpy_dtype(dtype))
    assert host_view(x) == HostView(x.ctypes.data, dtype, 6, True, True, True, x)
    assert host_view(x).owner is x
    b = Buffer(Place(), 6, dtype)
    assert host_view(b) == HostView(b.address, dtype, 6, True, True, True, b)
    v = b.view(1, 2)
    assert (host_view(v).address, host_view(v).elements, host_view(v).nbytes) == (b.address + dtype.itemsize, 2, 2 * dtype.itemsize)


def test_dlpack_objects() -> None:
    x = np.arange(6, dtype=np.int16).reshape(2, 3)
    view = host_view(Exported(x))
    assert (view.address, view.dtype, view.elements, view.writable, view.contiguous) == (x.ctypes.data, dtypes.i16, 6, True, True)
    assert not host_view(Exported(x.T)).contiguous


@pytest.mark.parametrize(("make", "dtype", "elements", "writable"), [
    (lambda: bytearray(5), dtypes.u8, 5, True), (lambda: b"12345", dtypes.u8, 5, False),
    (lambda: memoryview(b"12345")[1:], dtypes.u8, 4, False),
    (lambda: array.array("f", (1, 2)), dtypes.f32, 2, True), (lambda: array.array("q", (1, 2)), dtypes.i64, 2, True),
    (lambda: array.array("H", (1, 2)), dtypes.u16, 2, True), (lambda: mmap.mmap(-1, 4096), dtypes.u8, 4096, True),
    (lambda: memoryview(bytearray(16)).cast("d"), dtypes.f64, 2, True), (lambda: memoryview(bytearray(4)).cast("?"), dtypes.bool, 4, True)])
def test_anything_with_the_buffer_protocol(make: Any, dtype: DType, elements: int, writable: bool) -> None:
    value = make()
    view = host_view(value)
    assert (view.dtype, view.elements, view.writable, view.contiguous, view.aligned) == (dtype, elements, writable, True, True)
    assert view.address == np.asarray(memoryview(value)).ctypes.data


def test_a_view_keeps_its_memory_alive() -> None:
    view = host_view(bytearray(b"kept"))
    assert bytes(np.asarray(view.owner)) == b"kept"


def test_layout_flags() -> None:
    x = np.zeros((4, 6), np.float32)
    assert [host_view(v).contiguous for v in (x, x[1:], x[:, 1:], x.T, x[::-1], x[0])] == [True, True, False, False, False, True]
    assert not host_view(frozen(f32(3))).writable
    assert not host_view(unaligned(3)).aligned
    assert host_view(unaligned(0)).aligned


@pytest.mark.parametrize(("value", "what", "hint"), [
    (None, "None is not", ""), (5, "type int", "np.asarray"), ([1.0, 2.0], "type list", "np.asarray"), ("text", "type str", "np.asarray"),
    (object(), "type object", ""), (np.float32(1), "NumPy scalar (float32)", "np.array([x])"), ({}, "type dict", ""),
    (np.ma.masked_array(f32(2), [True, False]), "masked array", "filled"), (np.zeros(2, np.complex64), "complex64", "array.real"),
    (np.zeros(2, ">f4"), "byte order", "newbyteorder"), (np.array([None]), "no svod type", "astype"),
    (np.zeros(2, "S4"), "no svod type", ""), (np.zeros(2, "M8[s]"), "no svod type", "int64"), (Exported(f32(3), where=2), "CUDA", ".cpu()"),
    (Buffer(FarPlace(), 3, dtypes.f32), "not in host memory", ".to(")])
def test_anything_else_is_refused_with_what_is_accepted(value: object, what: str, hint: str) -> None:
    with pytest.raises(ArgumentError) as e:
        host_view(value)
    assert what in e.value.what
    assert hint in e.value.hint
    if value is None or isinstance(value, int | list | dict):
        assert "__dlpack__" in e.value.what


# --- check_buffers -----------------------------------------------------------------------------------------------------------------

def test_good_arguments_pass_in_order() -> None:
    x, out = f32(4), f32(9)
    views = check_buffers("k", (IN, OUT), (x, out))
    assert [v.address for v in views] == [x.ctypes.data, out.ctypes.data]
    assert check_buffers("k", (), ()) == []
    assert check_buffers("k", (BufferArg("x", dtypes.f32, 0, True),), (f32(0),))[0].elements == 0
    assert check_buffers("k", (IN,), (frozen(f32(4)),))[0].writable is False


REFUSALS: list[tuple[object, BufferArg, str, str]] = [
    (np.zeros(4), IN, "needs f32, got ndarray of 4 x f64", "x.astype(np.float32)"),
    (Buffer(Place(), 4, dtypes.i32), IN, "needs f32, got Buffer of 4 x i32", "np.asarray(x).astype(np.float32)"),
    (f32(4), BufferArg("x", dtypes.bf16, 4, False), "needs bf16", "x.astype(ml_dtypes.bfloat16)"),
    (np.zeros(4), OUT, "needs f32", "pass an array of np.float32: the result would not come back"),
    (f32(3), IN, "needs at least 4 elements, got ndarray of 3 x f32", "larger"),
    (f32(0), BufferArg("x", dtypes.f32, 1, False), "needs at least 1 element, got", "larger"),
    (f32(8)[::2], IN, "needs contiguous memory", "np.ascontiguousarray(x)"),
    (f32(8)[::-1], OUT, "needs contiguous memory", "x[...] = it"),
    (frozen(f32(4)), OUT, "got read-only ndarray", "np.array(x)"),
    (bytes(16), BufferArg("out", dtypes.u8, 4, True), "got read-only bytes of 16 x u8", "np.array(x)"),
    (unaligned(4), IN, "a multiple of 4, got ndarray", "x.copy()"),
    (None, IN, "None is not", ""),
    ([1, 2, 3, 4], IN, "type list", "np.asarray"),
]


@pytest.mark.parametrize(("value", "param", "what", "hint"), REFUSALS)
@pytest.mark.parametrize("position", [0, 2])
def test_each_refusal_names_kernel_argument_need_and_fix(value: object, param: BufferArg, what: str, hint: str, position: int) -> None:
    fine, args = BufferArg("fine", dtypes.i8, 1, False), [np.zeros(1, np.int8) for _ in range(3)]
    params = [fine, fine, fine]
    params[position] = param
    with pytest.raises(ArgumentError) as e:
        check_buffers("gelu", params, [value if i == position else a for i, a in enumerate(args)])
    assert e.value.at == f"kernel 'gelu', argument {position} ('{param.name}')"
    assert what in e.value.what
    assert hint in e.value.hint


@pytest.mark.parametrize(("params", "given", "what"), [((IN, OUT), 1, "takes 2 buffers, 1 given"), ((IN,), 2, "takes 1 buffer, 2 given"),
                                                       ((), 1, "takes 0 buffers, 1 given")])
def test_a_wrong_number_of_buffers(params: tuple[BufferArg, ...], given: int, what: str) -> None:
    with pytest.raises(ArgumentError, match=what) as e:
        check_buffers("k", params, [f32(4)] * given)
    assert ", ".join(p.name for p in params) in e.value.hint


BASE = f32(100)
ALIAS = BufferArg("out", dtypes.f32, 4, True, frozenset((0,)))


@pytest.mark.parametrize(("x", "out", "param", "allowed"), [
    (BASE[:10], BASE[10:20], OUT, True), (BASE[:10], BASE[9:20], OUT, False), (BASE[:10], BASE[9:20], ALIAS, False),
    (BASE[:10], BASE[:10], OUT, False), (BASE[:10], BASE[:10], ALIAS, True), (BASE[:10], BASE[:5], ALIAS, True),
    (BASE[20:40], BASE[25:30], OUT, False), (BASE[25:30], BASE[20:40], OUT, False), (BASE[:10], f32(10), OUT, True)])
@pytest.mark.parametrize("swapped", [False, True])
def test_written_memory_may_not_overlap(x: Any, out: Any, param: BufferArg, allowed: bool, swapped: bool) -> None:
    params, args = [IN, param], [x, out]
    if swapped:
        params, args = [BufferArg("out", dtypes.f32, 4, True, frozenset(1 - i for i in param.may_alias)), IN], [out, x]
    if allowed:
        assert len(check_buffers("k", params, args)) == 2
        return
    with pytest.raises(ArgumentError, match=r"\('out'\)") as e:
        check_buffers("k", params, args)
    assert "('x')" in e.value.what
    assert "writes 'out'" in e.value.what
    assert e.value.hint == "pass a copy as 'x': x.copy()"


def test_either_side_may_allow_the_alias_and_reading_twice_is_fine() -> None:
    x = f32(10)
    reader = BufferArg("x", dtypes.f32, 4, False, frozenset((1,)))
    assert len(check_buffers("k", (reader, OUT), (x, x))) == 2
    assert len(check_buffers("k", (IN, IN, IN), (x, x[1:], x))) == 3


def test_the_same_memory_as_another_type_is_no_exact_alias() -> None:
    x = np.zeros(16, np.float32)
    half = BufferArg("h", dtypes.f16, 4, True, frozenset((0,)))
    with pytest.raises(ArgumentError, match="overlap partly"):
        check_buffers("k", (IN, half), (x, x.view(np.float16)))


def test_overlaps_are_found_among_many() -> None:
    """Against the definition, on random intervals: some pair, one of them written, shares an element."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        n = int(rng.integers(2, 6))
        spans = [(int(a), int(a) + int(w)) for a, w in zip(rng.integers(0, 90, n), rng.integers(0, 10, n), strict=True)]
        writes = rng.random(n) < 0.5
        params = [BufferArg(f"b{i}", dtypes.f32, 0, bool(w)) for i, w in enumerate(writes)]
        shared = any((writes[i] or writes[j]) and max(spans[i][0], spans[j][0]) < min(spans[i][1], spans[j][1])
                     for i in range(n) for j in range(i))
        args = [BASE[a:b] for a, b in spans]
        if shared:
            with pytest.raises(ArgumentError, match=r"overlap|same memory"):
                check_buffers("k", params, args)
        else:
            check_buffers("k", params, args)


def test_an_empty_array_overlaps_nothing() -> None:
    x = f32(10)
    assert len(check_buffers("k", (IN, BufferArg("out", dtypes.f32, 0, True)), (x, x[3:3]))) == 2


# --- check_values ------------------------------------------------------------------------------------------------------------------

N, M = ScalarArg("n", 1, 100), ScalarArg("m", -5, 5, dtypes.i8)
SCALE = ScalarArg("scale", -math.inf, math.inf, dtypes.f32)
UNIT, HALF = ScalarArg("unit", 0.0, 1.0, dtypes.f64), ScalarArg("half", -math.inf, math.inf, dtypes.f16)
FLAG = ScalarArg("flag", 0, 1, dtypes.bool)


@pytest.mark.parametrize("vals", [(7, -5), [7, -5], {"m": -5, "n": 7}, np.array([7, -5]), (np.int64(7), np.int8(-5)), range(7, -17, -12)])
def test_values_come_in_order_or_by_name(vals: Any) -> None:
    found = check_values("k", (N, M), vals)
    assert found == [7, -5]
    assert [type(v) for v in found] == [int, int]


@pytest.mark.parametrize(("vals", "message"), [
    ((7,), "takes 2 values, 1 given.*n, m"), ((7, 1, 2), "takes 2 values, 3 given"), ((), "takes 2 values, 0 given"),
    ({"n": 7}, "needs a value for m"), ({}, "needs a value for n, m"), ({"n": 7, "m": 1, "q": 2}, "no variable called q.*it has: n, m"),
    ({"n": 7, 0: 1}, "no variable called 0"), ("ab", "an object of type str"), (5, "an object of type int"), (None, "NoneType"),
    ((0, 0), r"variable 'n' of kernel 'k' is 0, outside \[1, 100\]"), ((101, 0), r"is 101, outside \[1, 100\]"), ((1, -6), r"'m'.* is -6"),
    ((1.0, 0), r"takes a whole number in \[1, 100\], and 1.0 was given.*int\(n\)"), ((np.float64(2), 0), "whole number"),
    ((True, 0), "whole number.*True"), ((np.True_, 0), "whole number"), (("1", 0), "whole number.*'1'"), ((None, 0), "None was given"),
    ((np.array(3), 0), "whole number"), ((1 << 70, 0), "outside")])
def test_wrong_values_are_refused_by_name(vals: Any, message: str) -> None:
    with pytest.raises(LaunchError) as e:
        check_values("k", (N, M), vals)
    assert re.search(message, str(e.value), re.DOTALL)
    assert "'k'" in str(e.value)


def test_a_tensor_that_is_no_whole_number_is_refused() -> None:
    class Tensor:
        def __index__(self) -> int:
            raise TypeError("only integer tensors of a single element can be converted to an index")

        def __repr__(self) -> str:
            return "tensor([1., 2.])"
    with pytest.raises(LaunchError, match=r"tensor\(\[1\., 2\.\]\) was given"):
        check_values("k", (N,), (Tensor(),))


@pytest.mark.parametrize("value", [1.5, 3, np.float32(2.5), np.float16(1), math.inf, -math.inf, np.int8(3), -0.0])
def test_floats_take_any_real_number(value: Any) -> None:
    found = check_values("k", (SCALE,), (value,))
    assert found == [value]
    assert math.copysign(1, found[0]) == math.copysign(1, float(value))
    assert math.isnan(check_values("k", (SCALE,), (math.nan,))[0])


@pytest.mark.parametrize(("variable", "value", "message"), [
    (SCALE, 1e300, "more than f32 holds"), (SCALE, 10 ** 400, "more than f32 holds"), (SCALE, True, "takes a number"),
    (SCALE, "1", "a number"), (SCALE, 1j, "a number"), (UNIT, math.nan, "outside"), (UNIT, 1.5, "outside"),
    (HALF, 65520, "more than f16 holds"), (ScalarArg("i", -math.inf, math.inf, dtypes.i32), 1 << 31, "more than i32 holds"),
    (FLAG, 1, "True or False"), (FLAG, 0.0, "True or False")])
def test_no_value_is_narrowed_in_silence(variable: ScalarArg, value: Any, message: str) -> None:
    with pytest.raises(LaunchError, match=message):
        check_values("k", (variable,), {variable.name: value})


def test_bools_are_for_bools() -> None:
    assert check_values("k", (FLAG, FLAG), (True, np.False_)) == [1, 0]
    assert check_values("k", (), ()) == check_values("k", (), {}) == []
