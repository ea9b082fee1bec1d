"""The part `launch`: what `execute` takes and refuses, and what buffers of a device do.

Owns: LAUNCHES. Must not know any device.
Invariant: a refused launch has written nothing.
"""
from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.device.buffer import Buffer
from svod.device.device import Device
from svod.device.program import Program
from svod.dtype import DType, dtypes
from svod.dtype.convert import numpy_dtype, round_to
from svod.errors import ArgumentError, LaunchError, SvodError
from svod.ir.uop import UOp
from svod.testing.conformance.records import Check
from svod.testing.kernels import axes, p

PART = "launch"
LAUNCHES: list[Check] = []
Array = NDArray[Any]
Body = Callable[[Device], None]
MANY = 32
"""Buffers of the kernel that has many."""


def launch(what: str) -> Callable[[Body], Body]:
    """Decorator: a body as a check of this name."""
    def add(body: Body) -> Body:
        LAUNCHES.append(Check(PART, what, body))
        return body
    return add


def refused(act: Callable[[], object], error: type[SvodError] | tuple[type[SvodError], ...], *words: str) -> None:
    """AssertionError unless `act` raises `error` (or one of several), with all the words in its text."""
    try:
        act()
    except error as e:
        text = str(e)
    else:
        named = " or ".join(e.__name__ for e in (error if isinstance(error, tuple) else (error,)))
        raise AssertionError(f"this was not refused with {named}{f': {words}' if words else ''}")
    missing = [w for w in words if w not in text]
    assert not missing, f"the refusal does not say {missing[0]!r}: {text}"


def added(device: Device) -> Program:
    """out[i] = a[i] + b[i] for i below n."""
    (i,) = axes(UOp.variable("n", 0, 1 << 20))
    return device.compile(UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(2, "b")[i].load()), name="added"))


def mirrored(device: Device) -> Program:
    """out[i] = a[999 - i] + b[i] for i below n: out and a may not be the same memory."""
    (i,) = axes(UOp.variable("n", 1, 1000))
    return device.compile(UOp.sink(p(0, "out")[i].store(p(1, "a")[i * -1 + 999].load() + p(2, "b")[i].load()), name="mirrored"))


def arrays(n: int) -> tuple[Array, Array, Array]:
    """Sevens to be written over, and two operands."""
    return np.full(n, 7, np.float32), np.arange(n, dtype=np.float32), np.ones(n, np.float32)


def equal(got: Any, want: Any, what: str = "") -> None:
    """AssertionError, with where, unless all elements are equal."""
    np.testing.assert_array_equal(np.asarray(got), want, err_msg=what)


# --- sizes and values ----------------------------------------------------------------------------------------------------------------

@launch("sizes of any number, and of none")
def sizes(device: Device) -> None:
    """One program for all; what is behind the last element stays."""
    program = added(device)
    for n in (1, 0, 7, 127, 128, 129, 1000, 70_000):
        out, a, b = arrays(n + 3)
        program.execute([out, a, b], [n])
        equal(out, np.where(np.arange(n + 3) < n, a + b, 7), f"n = {n}")


@launch("values in order and by name")
def values(device: Device) -> None:
    """Sequences, mappings, arrays."""
    program = added(device)
    for vals in ([5], (5,), {"n": 5}, np.array([5])):
        out, a, b = arrays(5)
        program.execute([out, a, b], vals)  # type: ignore[arg-type]
        equal(out, a + 1)
    out, a, b = arrays(5)
    program(out, a, b, n=3)
    equal(out, [1, 2, 3, 7, 7])


@launch("values that do not fit")
def bad_values(device: Device) -> None:
    """Count, kind and bounds are checked before anything is written."""
    program = mirrored(device)
    out, b = arrays(16)[::2]
    a = np.zeros(1000, np.float32)
    wrong: list[Any] = [[], [1, 2], {}, {"n": 3, "m": 1}, [0], [1001], [2.5], ["3"], [True], "3", [1 << 80], [10**400]]
    for vals in wrong:
        refused(lambda vals=vals: program.execute([out, a, b], vals), LaunchError, "mirrored")  # type: ignore[misc]
    equal(out, 7)


@launch("scalars of every dtype")
def scalars(device: Device) -> None:
    """Extremes keep their bits; those that a type cannot hold are refused."""
    for d in (d for d in dtypes.ALL if d.bits > 8 or not d.is_float):
        if device.target.computes(d) or not d.is_float or d.bits < 32:
            _scalar(device, d)


def _scalar(device: Device, d: DType) -> None:
    (i,) = axes(3)
    program = device.compile(UOp.sink(p(0, "out", d)[i].store(UOp.scalar("x", d)), name="fill"))
    given = [False, True] if d.is_bool else [int(d.min), 0, 7, int(d.max)] if d.is_int else [-0.0, 1.5, -2.25, 0.1, math.inf, float(d.max)]
    for value in given:
        out = np.zeros(3, numpy_dtype(d))
        program(out, x=value)
        want = np.full(3, round_to(value, d) if d.is_float else value, numpy_dtype(d))
        assert out.tobytes() == want.tobytes(), f"{d}: {value} became {out[0]!r}"
    refused(lambda: program(np.zeros(3, numpy_dtype(d)), x=10**400), LaunchError, "'x'")


@launch("many scalars keep their order")
def many_scalars(device: Device) -> None:
    """Of different types, by name."""
    names, kinds = ("b", "zeta", "alpha", "m2", "m10"), (dtypes.f32, dtypes.i8, dtypes.u32, dtypes.f32, dtypes.i32)
    x = [UOp.scalar(n, d) for n, d in zip(names, kinds, strict=True)]
    out = p(0, "out")
    program = device.compile(UOp.sink(*(out[k].store(v.cast(dtypes.f32)) for k, v in enumerate(x)), name="many"))
    got = np.zeros(5, np.float32)
    program(got, b=1.5, zeta=-2, alpha=3, m2=4.5, m10=-5)
    equal(got, [1.5, -2, 3, 4.5, -5])


@launch("explicit sizes")
def explicit_sizes(device: Device) -> None:
    """What is no size is refused; an empty launch does nothing."""
    program = mirrored(device)
    out, b = arrays(16)[::2]
    buffers = [out, np.zeros(1000, np.float32), b]
    for size in ((-1, 1, 1), (1 << 40, 1, 1), (1, 1, 1, 1), (1.5, 1, 1), ("x",), (True, 1, 1), (10**5000,)):
        refused(lambda size=size: program.execute(buffers, [16], global_size=size), LaunchError, "mirrored")  # type: ignore[misc]
    program.execute(buffers, [16], global_size=(0, 1, 1))
    equal(out, 7)


# --- arguments -----------------------------------------------------------------------------------------------------------------------

@launch("memory of every kind")
def memory(device: Device) -> None:
    """Arrays, buffers of the device and of the host, bytes, in one launch."""
    program = added(device)
    out, a, b = arrays(8)
    program.execute([out, a.data, Buffer.from_numpy(b)], [8])
    equal(out, a + 1)
    kept = Buffer(device, 8, dtypes.f32)
    program.execute([kept, Buffer(device, 8, dtypes.f32).copyin(a), b], [8])
    equal(kept.numpy(), a + 1)
    (i,) = axes(4)
    raw = bytearray(4)
    flipped = device.compile(UOp.sink(p(0, "out", dtypes.u8)[i].store(p(1, "a", dtypes.u8)[i].load() + 1), name="bytes"))
    flipped(raw, bytes([1, 2, 3, 255]))
    assert raw == bytes([2, 3, 4, 0]), f"bytes became {raw!r}"


@launch("buffers that do not fit")
def bad_buffers(device: Device) -> None:
    """Count, type, size, gaps, alignment, read-only memory, what is no memory: refused by name, nothing written."""
    program = mirrored(device)
    out, b = arrays(16)[::2]
    a, frozen, raw = np.zeros(1000, np.float32), np.full(16, 7, np.float32), np.zeros(65, np.uint8)
    frozen.flags.writeable = False
    wrong: list[tuple[Sequence[object], str]] = [
        ([out, a], "2 given"), ([out, a, b, b], "4 given"), ([out, a.astype(np.float64), b], "f64"), ([out, a, b[:-1]], "'b'"),
        ([np.repeat(out, 2)[::2], a, b], "ascontiguousarray"), ([out, a, [1.0] * 16], "'b'"), ([out, a, None], "None"),
        ([frozen, a, b], "read-only"), ([out, a, raw[1:].view(np.float32)], "multiple of 4")]
    for buffers, word in wrong:
        refused(lambda buffers=buffers: program.execute(buffers, [16]), ArgumentError, "mirrored", word)  # type: ignore[misc]
    for given in (None, 5, "abc", out, {"out": 1}, bytearray(12)):
        refused(lambda given=given: program.execute(given, [16]), ArgumentError, "come in a list")  # type: ignore[misc]
    equal(out, 7)
    equal(frozen, 7)


@launch("one array as two arguments")
def aliases(device: Device) -> None:
    """In place where element i meets element i alone; refused where order would matter, also for parts that overlap."""
    program = added(device)
    _, a, b = arrays(100)
    program.execute([a, a, b], [100])
    equal(a, np.arange(100) + 1)
    whole, ones = np.arange(1000, dtype=np.float32), np.ones(16, np.float32)
    turned = mirrored(device)
    refused(lambda: turned.execute([whole[:16], whole, ones], [16]), ArgumentError, "'out'", "'a'", "copy")
    refused(lambda: program.execute([a[:50], a[1:51], b], [50]), ArgumentError, "overlap partly")
    mine = Buffer(device, 100, dtypes.f32).copyin(a)
    refused(lambda: program.execute([mine.view(0, 50), mine.view(1, 50), b], [50]), ArgumentError, "overlap partly")
    program.execute([mine.view(0, 50), mine.view(50, 50), b], [50])
    equal(mine.numpy()[:50], a[50:] + 1)


@launch("as many buffers as the device takes, up to 32")
def many_buffers(device: Device) -> None:
    """Each is the one it was given as."""
    many = min(MANY, device.target.limits.buffers)
    (i,) = axes(5)
    value = p(1, "x1")[i].load()
    for k in range(2, many):
        value = value * 2.0 + p(k, f"x{k}")[i].load()
    program = device.compile(UOp.sink(p(0, "out")[i].store(value), name="many_buffers"))
    given = [np.full(5, k % 2, np.float32) for k in range(1, many)]
    out, want = np.zeros(5, np.float32), given[0]
    for x in given[1:]:
        want = want * np.float32(2) + x
    program.execute([out, *given])
    equal(out, want)


# --- buffers -------------------------------------------------------------------------------------------------------------------------

@launch("views with offsets")
def views(device: Device) -> None:
    """Kernels begin anywhere in a block; a view may have another type."""
    program = added(device)
    a, b, out = (Buffer(device, 1000, dtypes.f32).copyin(np.full(1000, k, np.float32)) for k in (1, 2, 7))
    a.copyin(np.arange(1000, dtype=np.float32))
    program.execute([out.view(7, 10), a.view(500, 10), b.view(3, 10)], [10])
    equal(out.numpy()[:20], [7] * 7 + [502 + k for k in range(10)] + [7] * 3)
    equal(out.view(7, 10).view(2, 3).numpy(), [504, 505, 506])
    equal(out.view(7, 1, dtypes.u8).numpy(), np.float32(502).tobytes()[0])
    refused(lambda: out.view(995, 6), SvodError, "not inside")


@launch("copies in and out")
def copies(device: Device) -> None:
    """Of every type; to the host and back, to a buffer of the same device."""
    for d in dtypes.ALL:
        raw = np.random.default_rng(0).integers(0, 2 if d.is_bool else 100, 9 * d.itemsize, dtype=np.uint8).view(numpy_dtype(d))
        mine = Buffer(device, 9, d).copyin(raw)
        back = np.empty_like(raw)
        mine.copyout(back)
        twin = Buffer(device, 9, d).copy_from(mine)
        for got in (back, mine.numpy(), twin.numpy(), mine.to("CPU").numpy(), mine.to("CPU").to(device).numpy()):
            equal(got.view(np.uint8), raw.view(np.uint8), str(d))
    refused(lambda: Buffer(device, 9, dtypes.f32).copyin(np.zeros(8, np.float32)), SvodError, "bytes")
    Buffer(device, 0, dtypes.f32).copyin(np.zeros(0, np.float32))


@launch("buffers that were freed")
def freed(device: Device) -> None:
    """Every use is refused; their memory can be had again."""
    out, a, b = arrays(16)
    mine = Buffer(device, 16, dtypes.f32).copyin(a)
    part = mine.view(2, 4)
    mine.free()
    program = added(device)
    refused(lambda: program.execute([out, mine, b], [16]), ArgumentError, "freed")
    other = Buffer("CPU", 16, dtypes.f32)
    for act in (mine.numpy, part.numpy, lambda: mine.to("CPU"), lambda: mine.copyin(a), lambda: other.copy_from(mine)):
        refused(act, SvodError, "freed")
    equal(out, 7)
    equal(Buffer(device, 16, dtypes.f32).copyin(b).numpy(), b)


@launch("one program from several threads")
def several_threads(device: Device) -> None:
    """Launches do not disturb one another."""
    program, wrong = added(device), []

    def work(k: int) -> None:
        a, b = np.full(300, k, np.float32), np.arange(300, dtype=np.float32)
        for _ in range(10):
            out = np.zeros(300, np.float32)
            program.execute([out, a, b], [300])
            if not np.array_equal(out, a + b):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, f"threads {sorted(set(wrong))} got wrong results"
