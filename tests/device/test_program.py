"""Programs: the road to one in three steps, the two ways into it, and everything that can be passed."""
from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
import pytest

import svod
from svod import Config, Program, UOp, dtypes
from svod.device.device import Device
from svod.dtype import DType
from svod.dtype.convert import numpy_dtype, round_to
from svod.errors import ArgumentError, LaunchError
from svod.testing.kernels import axes, p

SCALARS = tuple(d for d in dtypes.ALL if not d.name.startswith("f8"))
N = UOp.variable("n", 0, 1 << 20)


def add(n: UOp | int = N) -> UOp:
    (i,) = axes(n)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(2, "b")[i].load()), name="add")


def arrays(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(n, np.float32), np.arange(n, dtype=np.float32), np.ones(n, np.float32)


@pytest.mark.devices("CPU", "INTERP")
def test_the_road_in_three_steps(device: Device) -> None:
    spec = device.renderer.render(add(3), name="E_3")
    compiled = device.compiler.compile(spec)
    program = device.runtime(compiled)
    buffers = list(arrays(3))
    program.execute(buffers, [])
    assert buffers[0].tolist() == [1, 2, 3]
    assert (spec.name, compiled.name, program.name) == ("E_3", "E_3", "E_3")
    assert program.compiled is compiled
    assert program.source == spec.src


@pytest.mark.devices("CPU", "INTERP")
def test_values_by_order_and_by_name(device: Device) -> None:
    program = device.compile(add())
    for vals in ([5], (5,), {"n": 5}, np.array([5])):
        out, a, b = arrays(5)
        program.execute([out, a, b], vals)  # type: ignore[arg-type]
        assert out.tolist() == [1, 2, 3, 4, 5]
    out, a, b = arrays(5)
    program(out, a, b, n=3)
    assert out.tolist() == [1, 2, 3, 0, 0]
    assert program.var_names == ("n",)


def test_what_a_program_says_of_itself() -> None:
    with svod.override(config=Config(threads=2)):
        program = Device("CPU").compile(add())
    assert repr(program) == "Program add(out: f32*, a: f32*, b: f32*, n: index)"
    assert "define void @entry" in program.source
    assert "entry:" in program.asm
    assert ".text" in program.asm
    assert (program.compiled.globals, program.compiled.outs, program.compiled.ins) == ((0, 1, 2), (0,), (1, 2))
    interp = Device("INTERP").compile(add())
    assert interp.asm == interp.source
    assert "linear" in interp.source


# ---- which way was taken ------------------------------------------------------------------------------------------------------------


class Refusing(Program):
    """A program whose checked path is closed."""

    def _checked(self, *args: Any) -> NoReturn:
        raise AssertionError("the checked path was entered")


def refusing(ast: UOp) -> Refusing:
    made = Device("CPU").compile(ast)
    return Refusing(made.compiled, made._runner, made.limits)


def test_plain_arrays_and_numbers_take_the_fast_way() -> None:
    program = refusing(add())
    for n in (0, 1, 5, 1000, 1 << 18):
        out, a, b = arrays(n)
        program.execute([out, a, b], [n])
        assert np.array_equal(out, a + 1)
        program.execute((out, a, b), (n,))


@pytest.mark.parametrize("given", [{}, {"n": 7}], ids=["none", "n"])
def test_a_call_takes_the_fast_way(given: dict[str, int]) -> None:
    out, a, b = arrays(7)
    refusing(add() if given else add(7))(out, a, b, **given)
    assert np.array_equal(out, a + 1)


@pytest.mark.parametrize("given", ["strided", "dtype", "short", "value", "numpy value", "bytearray"])
def test_everything_else_is_looked_at(given: str) -> None:
    out, a, b = arrays(8)
    calls: dict[str, tuple[list[object], list[Any]]] = {
        "strided": ([out, np.zeros(16, np.float32)[::2], b], [8]), "dtype": ([out, a.astype(np.float64), b], [8]),
        "short": ([out, a[:7], b], [8]), "value": ([out, a, b], [-1]), "numpy value": ([out, a, b], [np.int64(8)]),
        "bytearray": ([out, bytearray(32), b], [8])}
    with pytest.raises(AssertionError, match="the checked path was entered"):
        refusing(add()).execute(*calls[given])


def test_a_refused_call_has_written_nothing() -> None:
    program = Device("CPU").compile(add())
    out, a, b = arrays(8)
    for buffers, vals in (([out, a[:7], b], [8]), ([out, a, b], [-1]), ([out, a, a[::2]], [4]), ([out, a], [8])):
        with pytest.raises((ArgumentError, LaunchError)):
            program.execute(buffers, vals)
    assert not out.any()


# ---- arguments ----------------------------------------------------------------------------------------------------------------------


class Shared:
    """What torch and others are: an object with __dlpack__."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


@pytest.mark.devices("CPU", "INTERP")
def test_memory_of_every_kind(device: Device) -> None:
    program = device.compile(add(4))
    out, a, b = arrays(4)
    program(out, Shared(a), memoryview(b))
    assert out.tolist() == [1, 2, 3, 4]
    kept = svod.Buffer.from_numpy(np.zeros(4, np.float32))
    program(kept, a, b)
    assert kept.numpy().tolist() == [1, 2, 3, 4]
    (i,) = axes(4)
    raw = bytearray(4)
    device.compile(UOp.sink(p(0, "out", dtypes.u8)[i].store(p(1, "a", dtypes.u8)[i].load() + 1), name="bytes"))(raw, bytes([1, 2, 3, 255]))
    assert raw == bytes([2, 3, 4, 0])
    shared = Shared(np.zeros(4, np.float32))
    program(shared, a, b)
    assert shared.array.tolist() == [1, 2, 3, 4]


@pytest.mark.devices("CPU", "INTERP")
def test_a_buffer_may_be_updated_in_place(device: Device) -> None:
    _, a, b = arrays(100)
    want = a + b
    device.compile(add())(a, a, b, n=100)
    assert np.array_equal(a, want)
    same = refusing(add())
    same.execute([a, a, b], [100])
    assert np.array_equal(a, want + 1)
    with pytest.raises(ArgumentError, match="overlap partly"):
        device.compile(add())(a[:50], a[1:51], b, n=50)


def extremes(d: DType) -> list[Any]:
    if d.is_bool:
        return [False, True]
    if d.is_int:
        return [int(d.min), -1 if d.min else 1, 0, 7, int(d.max)]
    return [0.0, -0.0, 1.5, -2.25, 0.1, float("inf"), float("-inf"), float("nan"), float(d.max)]


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("d", SCALARS, ids=str)
def test_scalars_of_every_dtype(device: Device, d: DType) -> None:
    (i,) = axes(3)
    x = UOp.scalar("x", d)
    program = device.compile(UOp.sink(p(0, "out", d)[i].store(x), name="fill"))
    for value in extremes(d):
        out = np.zeros(3, numpy_dtype(d))
        program(out, x=value)
        want = np.full(3, round_to(value, d) if d.is_float else value, numpy_dtype(d))
        same = out.tobytes() == want.tobytes()
        assert same or (np.isnan(value) and np.isnan(out.astype(np.float64)).all()), value
        again = np.zeros(3, numpy_dtype(d))
        program.execute([again], [value])
        assert again.tobytes() == out.tobytes(), value


@pytest.mark.devices("CPU", "INTERP")
def test_many_scalars_keep_their_order(device: Device) -> None:
    names = ("b", "zeta", "alpha", "m2", "m10")
    kinds = (dtypes.f64, dtypes.i8, dtypes.u64, dtypes.f32, dtypes.i64)
    x = [UOp.scalar(n, d) for n, d in zip(names, kinds, strict=True)]
    out = p(0, "out", dtypes.f64)
    program = device.compile(UOp.sink(*(out[k].store(v.cast(dtypes.f64)) for k, v in enumerate(x)), name="many"))
    got = np.zeros(5)
    program(got, b=1.5, zeta=-2, alpha=3, m2=4.5, m10=-5)
    assert got.tolist() == [1.5, -2, 3, 4.5, -5]
    assert program.var_names == tuple(sorted(names))


@pytest.mark.parametrize("value", [1.5, "3", None, True, -1, (1 << 20) + 1])
def test_a_value_that_does_not_fit_is_refused(value: Any) -> None:
    with pytest.raises(LaunchError):
        Device("CPU").compile(add())(*arrays(4), n=value)


# ---- symbolic kernels ---------------------------------------------------------------------------------------------------------------


def test_a_symbolic_kernel_is_made_once_for_all_values() -> None:
    device = Device.of(Device("CPU").backend)
    out, a, b = arrays(1000)
    programs = set()
    for n in range(1000):
        program = device.compile(add())
        programs.add(program)
        out[:] = 0
        program.execute([out, a, b], [n])
        assert out[:n].sum() == a[:n].sum() + n
        assert not out[n:].any()
    assert len(programs) == len(device._programs) == 1


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("given", [None, 5, "abc", np.zeros(3, np.float32), {"out": 1}, svod.Buffer("CPU", 3, dtypes.f32), bytearray(12)])
def test_buffers_come_in_a_list(device: Device, given: Any) -> None:
    program = device.compile(add())
    for vals in ([3], {"n": 3}, []):
        with pytest.raises(ArgumentError, match=r"buffers of kernel 'add' come in a list, got (.|\n)*execute\(\[out, a, b\], values\)"):
            program.execute(given, vals)


@pytest.mark.devices("CPU", "INTERP")
def test_rows_and_iterators_are_lists_of_buffers(device: Device) -> None:
    program, rows = device.compile(add()), np.ones((3, 4), np.float32)
    program.execute(rows, [4])
    assert (rows[0] == 2).all()
    program.execute(iter(list(rows)), [4])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"got an iterator, which can be read only once(.|\n)*list\(buffers\)"):
        program.execute(iter([rows[0], rows[1]]), [4])  # type: ignore[arg-type]


@pytest.mark.devices("CPU")
def test_a_type_error_of_the_callers_own_iterator_is_not_hidden(device: Device) -> None:
    class Strange(list[np.ndarray]):
        def __iter__(self) -> NoReturn:
            raise TypeError("mine")
    with pytest.raises(TypeError, match="mine"):
        device.compile(add()).execute(Strange(arrays(3)), [3])


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("dtype", [d for d in dtypes.ALL if d.is_float], ids=repr)
def test_a_float_argument_is_rounded_or_refused_never_made_infinite(device: Device, dtype: DType) -> None:
    """The same on every device, for every float type: a finite number stays finite, an infinity needs a type that has one."""
    program = device.compile(UOp.sink(p(0, "out", dtypes.f64)[0].store(UOp.scalar("x", dtype).cast(dtypes.f64)), name="keep"))
    out = np.zeros(1)
    beyond: list[float] = [] if dtype is dtypes.f64 else [1e300, -1e300]
    for value in (*beyond, 10**400, *(() if dtype.fmt is not None and dtype.fmt.infinities else (math.inf, -math.inf))):
        with pytest.raises(LaunchError, match=f"variable 'x' of kernel 'keep' is .*, more than {dtype!r} holds"):
            program.execute([out], [value])
    assert out[0] == 0
    for value in (0.1, -0.0, 3, 1e-300, *((math.inf, -math.inf) if dtype.fmt is None or dtype.fmt.infinities else ())):
        program.execute([out], [value])
        assert out[0] == round_to(value, dtype)
    program.execute([out], [math.nan])
    assert math.isnan(out[0])


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.f64], ids=repr)
def test_nan_is_within_no_bounds(device: Device, dtype: DType) -> None:
    bounded = UOp.variable("x", 0, 1, dtype)
    program = device.compile(UOp.sink(p(0, "out", dtype)[0].store(bounded), name="unit"))
    out = np.full(1, 7, numpy_dtype(dtype))
    with pytest.raises(LaunchError, match=r"is nan, outside \[0, 1\]"):
        program.execute([out], [math.nan])
    assert out[0] == 7
    program.execute([out], [0.5])
    assert out[0] == 0.5


@pytest.mark.devices("CPU", "INTERP")
def test_values_of_thousands_of_digits_are_refused_in_words(device: Device) -> None:
    program, huge = device.compile(add()), 10**5000
    buffers = list(arrays(3))
    for call in (lambda: program.execute(buffers, [huge]), lambda: program.execute(buffers, {"n": -huge}),
                 lambda: program(*buffers, n=huge),
                 lambda: program.execute(buffers, [3], global_size=(huge,)), lambda: program.execute(buffers, [3], global_size=[-huge]),
                 lambda: program.execute(buffers, [[huge]]), lambda: program.execute(buffers, {huge: 3})):
        with pytest.raises(LaunchError, match=r"an integer of (16610 bits|too many digits)"):
            call()
