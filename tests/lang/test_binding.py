"""The arguments of a call of a kernel: what each kind becomes, and what is refused."""
from __future__ import annotations

import pickle

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod.device.device import Device
from svod.errors import ArgumentError, LaunchError
from svod.lang.adapters import register_argument, unregister_argument
from svod.lang.kernels import kernel

F32 = np.float32


@kernel
def add(a: sl.Array[sl.f32], b: sl.Array[sl.f32], out: sl.Array[sl.f32], n: sl.i32) -> None:
    """Adds two arrays."""
    i = sl.global_id(0)
    if i < n:
        out[i] = a[i] + b[i]


@kernel
def scale(out: sl.Array[sl.f32], a: sl.Array[sl.f32], factor: sl.f32 = 2.0) -> None:
    i = sl.global_id(0)
    if i < len(a):
        out[i] = a[i] * factor


@kernel
def fill(out: sl.Array[sl.f32], value: sl.Constexpr = 1) -> None:
    out[sl.global_id(0)] = sl.f32(value)


@kernel
def of_type(out: sl.Array[sl.f32, 2, 3]) -> None:
    out[sl.thread_idx.y, sl.thread_idx.x] = 1.0


@kernel
def chosen(out: sl.Array[sl.f32], value: sl.Constexpr) -> None:
    out[0] = 1.0


@kernel
def scalars(out: sl.Array[sl.i64], a: sl.i8, b: sl.u32, c: sl.i64, d: sl.bool_) -> None:
    out[0], out[1], out[2] = sl.i64(a), sl.i64(b), c
    out[3] = sl.i64(1) if d else sl.i64(0)


@kernel
def with_stream(out: sl.Array[sl.f32], stream: sl.Stream = None) -> None:  # type: ignore[assignment]
    out[0] = 5.0


def arrays(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.arange(n, dtype=F32), np.ones(n, F32), np.zeros(n, F32)


class Shared:
    """Memory that is shared through DLPack only."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **options: object) -> object:
        return self.array.__dlpack__(**options)  # type: ignore[arg-type]

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()  # type: ignore[return-value]


# --- arguments ---------------------------------------------------------------------------------------------------------------------

@pytest.mark.devices("CPU", "INTERP")
def test_arrays_of_every_kind(device: Device) -> None:
    class Mine(np.ndarray):
        pass

    for wrap in (lambda x: x, Shared, memoryview, svod.Buffer.from_numpy, lambda x: x.view(Mine)):
        a, b, out = arrays(100)
        for _ in range(2):
            add.on(device)[4, 32](wrap(a), wrap(b), wrap(out), 100)
        assert np.array_equal(out, a + b)


@pytest.mark.devices("CPU", "INTERP")
def test_defaults_and_keywords(device: Device) -> None:
    a, _, out = arrays(10)
    k = scale.on(device)[1, 32]
    calls = (((out, a), {}, 2), ((out, a, 3.0), {}, 3), ((), {"a": a, "out": out, "factor": 4}, 4), ((out, a), {"factor": 5}, 5))
    for args, kwargs, factor in calls:
        k(*args, **kwargs)  # type: ignore[arg-type]
        assert np.array_equal(out, a * factor)


@pytest.mark.devices("CPU", "INTERP")
def test_numbers(device: Device) -> None:
    out = np.zeros(4, np.int64)
    k = scalars.on(device)[1, 1]
    for values in ((-128, 2**32 - 1, -2**63, True), (127, 0, 2**63 - 1, False)):
        for kinds in ((int, int, int, bool), (np.int8, np.uint32, np.int64, np.bool_), (np.int64, np.int64, np.int64, np.bool_)):
            k(out, *(kind(v) for kind, v in zip(kinds, values, strict=True)))
            assert out.tolist() == list(values)
    wrong_ones = ((0, 128), (0, -129), (1, -1), (1, 2**32), (2, 2**63), (0, 1.0), (3, 1), (0, True), (0, "1"), (0, None), (0, np.zeros(3)))
    for position, wrong in wrong_ones:
        good = [1, 2, 3, True]
        good[position] = wrong  # type: ignore[call-overload]
        out[:] = 7
        with pytest.raises(LaunchError, match=f"'{'abcd'[position]}'.*'scalars'|'scalars'.*'{'abcd'[position]}'"):
            k(out, *good)
        assert (out == 7).all()
    a, _, floats = arrays(4)
    for factor in (3, 3.0, F32(3), np.float64(3), np.int16(3)):
        scale.on(device)[1, 32](floats, a, factor)
        assert np.array_equal(floats, a * 3)


@pytest.mark.devices("CPU", "INTERP")
def test_wide_numbers_and_narrow_floats(device: Device) -> None:
    @kernel
    def wide(out: sl.Array[sl.u64], a: sl.u64, n: sl.index, halved: sl.Array[sl.f16], x: sl.f16) -> None:
        out[0], out[1] = a, sl.u64(n)
        halved[0] = x

    out, halved = np.zeros(2, np.uint64), np.zeros(1, np.float16)
    for a, n, x in ((2**64 - 1, 2**40, 1.5), (3, 0, np.float16(2)), (np.uint64(2**63), np.int64(7), 65504)):
        wide.on(device)[1, 1](out, a, n, halved, x)
        assert out.tolist() == [int(a), int(n)]
        assert halved[0] == x
    for wrong in ((2**64, 1, 1.0), (1, 2**63, 1.0), (1, 1, 1e6)):
        with pytest.raises(LaunchError, match="'wide'"):
            wide.on(device)[1, 1](out, wrong[0], wrong[1], halved, wrong[2])


@pytest.mark.devices("CPU", "INTERP")
def test_a_kernel_without_parameters(device: Device) -> None:
    @kernel
    def nothing() -> None:
        pass

    for _ in range(2):
        nothing.on(device)[2, 2]()
        nothing.on(device).launch(threads=3)
        with pytest.raises(ArgumentError, match="too many"):
            nothing.on(device)[2, 2](1)


@pytest.mark.devices("CPU", "INTERP")
def test_one_array_for_two_parameters(device: Device) -> None:
    a, b, _ = arrays(100)
    want = a + b
    add.on(device)[4, 32](a, b, a, 100)
    assert np.array_equal(a, want)


def test_a_constant_is_part_of_the_kernel() -> None:
    k = kernel(fill.function)
    out = np.zeros(4, F32)
    for value in (1, 2, 1.5, True, np.float32(2.5)):
        for _ in range(3):
            k[1, 4](out, value)
            assert (out == float(value)).all()
    assert k.traces == 5
    k[1, 4](out, 0.0)
    k[1, 4](out, -0.0)
    assert np.signbit(out).all()
    with pytest.raises(ArgumentError, match="'value'") as e:
        k[1, 4](out, [1])
    assert "tuple" in str(e.value)


def test_constants_that_are_equal_are_one_kernel() -> None:
    k, out = kernel(chosen.function), np.zeros(4, F32)
    for value in ((1, 2.5, "a"), 0.1, float("nan"), sl.f32, frozenset((1, 2)), None):
        for same in (value, pickle.loads(pickle.dumps(value))):
            for _ in range(2):
                k[1, 4](out, same)
    assert k.traces == 6
    zeros = (np.float64(0.0), np.float64(-0.0), 0.0, -0.0, 0j, -0j)
    for other in ((1.0, 2.5, "a"), (True, 2.5, "a"), frozenset((1.0, 2)), np.float64(0.1), *zeros):
        k[1, 4](out, other)
    assert k.traces == 16


def test_parameters_that_are_given_by_name_only() -> None:
    @kernel
    def named(out: sl.Array[sl.f32], *, value: sl.f32) -> None:
        out[0] = value

    out = np.zeros(1, F32)
    for _ in range(2):
        named[1, 1](out, value=2.0)
        with pytest.raises(ArgumentError, match="too many positional"):
            named[1, 1](out, 3.0)
    assert out[0] == 2


def test_a_constant_of_a_type() -> None:
    @kernel
    def typed(out: sl.Array[sl.f32], n: sl.Constexpr[int], x: sl.Constexpr[float] = 1.0) -> None:
        for i in range(n):
            out[i] = x

    out = np.zeros(4, F32)
    typed[1, 1](out, 2)
    assert out.tolist() == [1, 1, 0, 0]
    for wrong in (1.0, True, "1"):
        with pytest.raises(ArgumentError, match="Constexpr of int"):
            typed[1, 1](out, wrong)


@pytest.mark.devices("CPU", "INTERP")
def test_a_stream_is_no_argument_of_the_kernel(device: Device) -> None:
    k = with_stream.on(device)[1, 1]
    for args in ((), (None,), (3,), (sl.Stream(3),), (object(),)):
        out = np.zeros(1, F32)
        k(out, *args)
        assert out[0] == 5


@pytest.mark.devices("CPU", "INTERP")
def test_wrong_arguments_are_named(device: Device) -> None:
    a, b, out = arrays(8)
    frozen = out.copy()
    frozen.flags.writeable = False
    k = add.on(device)[1, 32]
    k(a, b, out, 8)
    out[:] = 0
    cases: list[tuple[tuple[object, ...], dict[str, object], str]] = [
        ((a, b, out), {}, "missing a required argument: 'n'"), ((a, b, out, 8, 9), {}, "too many"),
        ((a, b, out, 8), {"m": 1}, "unexpected.*'m'"), ((a, b, out, 8), {"n": 1}, "multiple values.*'n'"),
        ((a.astype(np.float64), b, out, 8), {}, "f32.*f64"), ((a.reshape(2, 4), b, out, 8), {}, "1 axis"),
        ((np.ones(16, F32)[::2], b, out, 8), {}, "contiguous"), ((a, b, frozen, 8), {}, "read-only"), ((a, 3, out, 8), {}, "int"),
        ((a, None, out, 8), {}, "None"), ((a, [1.0], out, 8), {}, "list"), ((a, np.ma.masked_array(b), out, 8), {}, "masked"),
        ((a, b.astype(complex), out, 8), {}, "complex"), ((a, b.astype(">f4"), out, 8), {}, "byte order"),
    ]
    for args, kwargs, says in cases:
        with pytest.raises(ArgumentError, match=says) as e:
            k(*args, **kwargs)
        assert "'add'" in str(e.value)
        assert not out.any()


def test_declared_extents() -> None:
    out = np.zeros((2, 3), F32)
    for _ in range(2):
        of_type[1, (3, 2)](out)
    assert out.all()
    for shape, says in (((3, 2), "extent 2 along axis 0"), ((2, 4), "extent 3 along axis 1"), ((6,), "2 axes"), ((1, 2, 3), "2 axes")):
        with pytest.raises(ArgumentError, match=says) as e:
            of_type[1, (3, 2)](np.zeros(shape, F32))
        assert "'out'" in str(e.value)


def test_arguments_that_the_kernel_does_not_use() -> None:
    @kernel
    def unused(out: sl.Array[sl.f32], a: sl.Array[sl.f32], n: sl.i8, x: sl.f32, f: sl.bool_) -> None:
        out[0] = 1.0

    out, a = np.zeros(1, F32), np.zeros(1, F32)
    for _ in range(2):
        unused[1, 1](out, a, 1, 1.0, True)
        for wrong in ((out, a.astype(int), 1, 1.0, True), (out, a, 128, 1.0, True), (out, a, 1, "1", True), (out, a, 1, 1.0, 1),
                      (out, 1, 1, 1.0, True)):
            with pytest.raises(LaunchError, match="'unused'"):
                unused[1, 1](*wrong)
    assert unused.traces == 1


def test_types_of_users() -> None:
    class Line:
        def __init__(self, y: np.ndarray, factor: float) -> None:
            self.y, self.factor = y, factor

    class Short(Line):
        pass

    register_argument(Line, lambda line: (line.y, line.factor))
    try:
        a, _, out = arrays(4)
        scale[1, 4](out, Line(a, 3.0))
        assert np.array_equal(out, a * 3)
        scale[1, 4](out, Short(a, 4.0))
        assert np.array_equal(out, a * 4)
        with pytest.raises(ArgumentError, match="registered already"):
            register_argument(Line, list)
        broken = Line(a, 1.0)
        del broken.y
        with pytest.raises(ArgumentError, match="AttributeError"):
            scale[1, 4](out, broken)
    finally:
        unregister_argument(Line)
    with pytest.raises(ArgumentError, match="'a'"):
        scale[1, 4](out, Line(a, 3.0))
    for wrong in (int, np.ndarray, 3):
        with pytest.raises(ArgumentError):
            register_argument(wrong, list)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="not registered"):
        unregister_argument(Line)
