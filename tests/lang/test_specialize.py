"""Compiled forms of a kernel: compiling without running, the short way of a call, prepared launches, threads."""
from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod.device.device import Device
from svod.errors import ArgumentError, LaunchError
from svod.lang.kernels import kernel
from svod.lang.launching import Launch
from svod.lang.specialize import Variant

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
def count_items(out: sl.Array[sl.i32]) -> None:
    sl.atomic_add(out, 0, 1)


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


# --- compiled forms ----------------------------------------------------------------------------------------------------------------

def test_compile_without_running() -> None:
    k = kernel(add.function)
    with pytest.raises(LaunchError, match="not compiled yet"):
        _ = k.source
    a, b, out = arrays(8)
    by_value = k[1, 64].compile(a, b, out, 8)
    by_type = k.compile(sl.Array[sl.f32], sl.f32, np.float32, sl.i32, block=64)
    assert by_value is by_type is k.last
    assert not out.any()
    assert k.source == by_type.source != ""
    assert k.ir == by_type.ir
    assert "threads" in k.ir
    assert k.asm
    assert by_type.name == by_type.program.name == "add"
    assert len(k.variants()) == 1
    assert "(64, 1, 1)" in repr(by_type)
    assert k.compile(*[sl.ArrayType(svod.dtypes.f32)] * 3, sl.ScalarType(svod.dtypes.i32), block=64) is by_value
    for wrong in ((sl.f64, sl.f32, sl.f32, sl.i32), (sl.f32, sl.f32, sl.f32, sl.i64), (sl.ScalarType(svod.dtypes.f32), b, out, 8)):
        with pytest.raises(ArgumentError, match="'add'"):
            k.compile(*wrong)
    buffer = svod.Buffer("INTERP", 8, svod.dtypes.f32)
    assert k.compile(buffer, buffer, buffer, sl.i32).request.device == "INTERP"
    assert fill.compile(sl.f32, sl.Constant(3)) is fill.compile(sl.f32, 3)
    with pytest.raises(LaunchError, match="cannot be compiled"):
        k.compile(a, b, out, 8, block=0)


@pytest.mark.devices("CPU")
def test_calls_with_known_types_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are neither bound nor checked in Python: not by position, by name, with NumPy's numbers, with Buffers."""
    a, b, out = arrays(100)
    shared = [svod.Buffer.from_numpy(x) for x in (a, b, out)]
    k = kernel(scale.function)
    k[4, 32](out, a)
    k.launch(out, a, threads=100)
    add[4, 32](a, b, out, 100)
    prepared = add[4, 32].prepare(a, b, out, 100)

    def checked(*_: object) -> None:
        raise AssertionError("this call was checked in Python")

    monkeypatch.setattr(Launch, "_checked", checked)
    monkeypatch.setattr(Variant, "launch", checked)
    calls: list[Callable[[], object]] = [
        lambda: add[4, 32](a, b, out, 100), lambda: add[4, 32](a, b, n=100, out=out),
        lambda: add[(4, 1, 1), (32,)](a, b, out, np.int32(100)), lambda: add[4, 32](*shared, 100),
        lambda: add[4, 32](Shared(a), b, out, 100), prepared,
        lambda: k[4, 32](out, a, 1.5), lambda: k[4, 32](a=a, out=out), lambda: k[4, 32](out, a, 2), lambda: k.launch(out, a, threads=100),
    ]
    for call in calls:
        out[:] = 0
        call()
        assert out[1:].all()
    with pytest.raises(AssertionError, match="checked in Python"):
        add[4, 32](a, b, out.astype(np.float64), 100)


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    made = add.compile(*arrays(4), 4)
    made.print_ir()
    made.print_ir(compiled=False)
    told = capsys.readouterr().out
    assert f"Compiled {made.name} IR:" in told
    assert f"Original {made.name} IR:" in told
    assert made.ir in told


def test_a_name_of_its_own() -> None:
    k = kernel(name="other")(add.function)
    assert k.compile(*arrays(4), 4).program.name == "other"


@pytest.mark.devices("CPU", "INTERP")
def test_a_prepared_launch(device: Device) -> None:
    a, b, out = arrays(100)
    prepared = add.on(device)[4, 32].prepare(a, b, out, 100)
    assert not out.any()
    for i in range(3):
        a += i
        prepared()
        assert np.array_equal(out, a + b)
    items = np.zeros(1, np.int32)
    count_items.on(device)[3, 2].prepare(items)()
    count_items.on(device).over(7).prepare(items)()
    assert items[0] == 13
    with pytest.raises(ArgumentError):
        add.on(device)[4, 32].prepare(a, b, out)


def test_dumps(tmp_path: object) -> None:
    with svod.override(debug=svod.config.Debug(dump=tmp_path)):  # type: ignore[arg-type]
        kernel(name="dumped")(add.function)[1, 4](*arrays(4), 4)
    assert "threads" in (tmp_path / "dumped.threads").read_text()  # type: ignore[operator]


def test_eight_threads_launch_the_same_and_different_kernels() -> None:
    one, two = kernel(add.function), kernel(scale.function)
    wrong: list[str] = []

    def work(number: int) -> None:
        a, b, out = arrays(64 + number)
        for turn in range(1000):
            if turn % 2:
                one[4, 32](a, b, out, len(a))
                want = a + b
            else:
                two[4, 32](out, a, float(number))
                want = a * number
            if not np.array_equal(out, want):
                wrong.append(f"thread {number}, turn {turn}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert (one.traces, two.traces) == (1, 1)


def test_a_thousand_sizes_are_one_compilation() -> None:
    k = kernel(add.function)
    buffers = arrays(1000)
    for n in range(1, 1001):
        a, b, out = (x[:n] for x in buffers)
        k[-(-n // 32), 32](a, b, out, n)
        assert out[n - 1] == a[n - 1] + b[n - 1]
    assert np.array_equal(buffers[2], buffers[0] + buffers[1])
    assert (k.traces, len(k.variants())) == (1, 1)
