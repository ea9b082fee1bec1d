"""`//` and `%` of floats against NumPy and Python, bit for bit; powers of integers; on the interpreter and the CPU."""
from __future__ import annotations

import math
import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import svod
import svod.lang as sl
from svod.errors import KernelError
from svod.ir.uop import UOp
from svod.lang import arithmetic
from svod.lang.value import Dynamic

FLOATS = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64, "f8e4m3": ml_dtypes.float8_e4m3fn,
          "f8e5m2": ml_dtypes.float8_e5m2, "f8e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "f8e5m2fnuz": ml_dtypes.float8_e5m2fnuz}
BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
EDGES = (0.0, 1.0, 0.1, 0.3, 0.5, 1.5, 2.0, 3.0, 5.0, 6.2831853, 7.0, 1e8, 2.0**31, 1e10, 1e18, 2.0**53, 2.0**53 + 2, 1e-9, 1e-300, 5e-324,
         2.0**-149, 2.0**-1022, 1e300, 2.0**1023, math.inf, math.nan)


def division_kernel(kind: Any) -> Any:
    """Both operators and divmod() on elements of a type."""
    def divide(a, b, rest, quotient, both, n):
        i = sl.global_id()
        if i < n:
            rest[i] = a[i] % b[i]
            quotient[i] = a[i] // b[i]
            both[0, i], both[1, i] = divmod(a[i], b[i])

    divide.__annotations__ = dict.fromkeys(("a", "b", "rest", "quotient"), sl.Array[kind]) | {"both": sl.Array[kind, 2], "n": sl.i32}
    return sl.kernel(divide)


def operands(kind: Any, count: int) -> tuple[Any, Any]:
    """Edges of both signs, each with each; random bits, so all exponents; quotients close to whole numbers."""
    with np.errstate(all="ignore"):
        edges = np.array([*EDGES, float(ml_dtypes.finfo(kind).max), float(ml_dtypes.finfo(kind).smallest_subnormal)]).astype(kind)
        edges = np.concatenate([edges, -edges])
        a, b = (m.ravel() for m in np.meshgrid(edges, edges))
        rng = np.random.default_rng(7)
        bits = BITS[edges.itemsize]
        x, y = (rng.integers(0, np.iinfo(bits).max, count, bits, endpoint=True).view(kind) for _ in range(2))
        near, by = (rng.standard_normal(count) * 100).astype(kind), rng.standard_normal(count).astype(kind)
        whole = (by.astype(np.float64) * rng.integers(-2000, 2000, count)).astype(kind)
    return np.concatenate([a, x, near, whole]), np.concatenate([b, y, by, by])


def same_bits(got: Any, expected: Any) -> bool:
    """Equal bit for bit, but for what is in a NaN."""
    bits = BITS[got.itemsize]
    return bool(((got.view(bits) == expected.view(bits)) | (np.isnan(got) & np.isnan(expected))).all())


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("name", FLOATS)
def test_float_division_is_numpys(name: str, device: svod.Device) -> None:
    kind = FLOATS[name]
    a, b = operands(kind, 300 if device.name == "INTERP" else 20000)
    rest, quotient, both = np.zeros_like(a), np.zeros_like(a), np.zeros((2, len(a)), kind)
    division_kernel(getattr(sl, name)).on(device).launch(a, b, rest, quotient, both, len(a), threads=len(a), block=64)
    with np.errstate(all="ignore"):
        expected = (np.remainder(a, b).astype(kind), np.floor_divide(a, b).astype(kind))
    assert same_bits(rest, expected[0])
    assert same_bits(quotient, expected[1])
    assert same_bits(both[0], quotient)
    assert same_bits(both[1], rest)


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("name", FLOATS)
def test_fmod_is_numpys(name: str, device: svod.Device) -> None:
    kind = FLOATS[name]
    a, b = operands(kind, 50)

    def rest(a, b, out, other, n):
        i = sl.global_id()
        if i < n:
            out[i] = sl.fmod(a[i], b[i])
            other[i] = np.remainder(a[i], b[i])

    rest.__annotations__ = dict.fromkeys(("a", "b", "out", "other"), sl.Array[getattr(sl, name)]) | {"n": sl.i32}
    out, other = np.zeros_like(a), np.zeros_like(a)
    sl.kernel(rest).on(device).launch(a, b, out, other, len(a), threads=len(a), block=64)
    with np.errstate(all="ignore"):
        assert same_bits(out, np.fmod(a, b).astype(kind))
        assert same_bits(other, np.remainder(a, b).astype(kind))


@pytest.mark.devices("CPU", "INTERP")
def test_division_of_mixed_operands_and_in_place(device: svod.Device) -> None:
    @sl.kernel
    def mixed(x: sl.Array[sl.f32], n: sl.i32, k: sl.Array[sl.i32], out: sl.Array[sl.f64]):
        out[0] = x[0] % n
        out[1] = 7 % x[0]
        out[2] = k[0] // x[0]
        v = x[0]
        v %= 0.7
        out[3] = v
        out[4] = 10.0
        out[4] //= x[0]
        cells = [x[0]]
        cells[0] //= 0.3
        out[5] = cells[0]
        out[6] = x[0] % 0.7 if n > 2 else x[0] // 0.7
        w = sl.load_vector(x, 0, 2) % sl.vec(sl.f32, 2)(0.25, 0.75)
        out[7], out[8] = w[0], w[1]

    x, out = np.array([2.3, -1.0], np.float32), np.zeros(9)
    mixed.on(device)[1, 1](x, 3, np.array([-9], np.int32), out)
    f = np.float32
    expected = [x[0] % f(3), f(7) % x[0], f(-9) // x[0], x[0] % f(0.7), np.floor_divide(10.0, np.float64(x[0])), x[0] // f(0.3),
                x[0] % f(0.7), x[0] % f(0.25), x[1] % f(0.75)]
    assert out.tolist() == [float(e) for e in expected]


@pytest.mark.devices("CPU", "INTERP")
def test_division_in_loops_and_conditions(device: svod.Device) -> None:
    """The rounds of a remainder stand inside other control flow: loops, `and`, conditions of `while`, comprehensions."""
    @sl.kernel
    def tangled(x: sl.Array[sl.f64], y: sl.Array[sl.f64], out: sl.Array[sl.f64], n: sl.i32):
        i = sl.global_id()
        if i >= n:
            return
        total = sl.f64(0.0)
        for k in range(5):
            if x[i] > 0.0 and x[i] % y[i] > 0.25:
                total += (x[i] + k) % y[i]
            elif k == 3:
                break
        left = x[i]
        while left // y[i] > 2.0:
            left = left % (left * 0.6)
        out[i] = total + left + sum([x[i] % d for d in (0.3, 1e-200)])

    def python(x: float, y: float) -> float:
        total, left = 0.0, x
        for k in range(5):
            if x > 0.0 and x % y > 0.25:
                total += (x + k) % y
            elif k == 3:
                break
        while left // y > 2.0:
            left = left % (left * 0.6)
        return total + left + (x % 0.3 + x % 1e-200)

    rng = np.random.default_rng(3)
    x, y = rng.standard_normal(75) * 1e3, np.abs(rng.standard_normal(75)) + 0.1
    x[:4] = 1e300, 3e250, 1e17, 0.0
    x, out = x * (np.arange(75) % 5 > 0), np.zeros(75)
    tangled.on(device).launch(x, y, out, 75, threads=75, block=16)
    assert out.tolist() == [python(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]


@pytest.mark.devices("CPU", "INTERP")
def test_static_division_is_the_same(device: svod.Device) -> None:
    """What Python computes while the kernel is traced, what constants of a type are folded to, and what runs."""
    pairs = [(7.0, 0.1), (1.0, 0.1), (-7.5, 2.0), (5.0, math.inf), (-5.0, math.inf), (2.0**90, 3.0), (-0.0, 3.0), (-6.0, 3.0)]

    @sl.kernel
    def fold(a: sl.Array[sl.f64], out: sl.Array[sl.f64, 2]):
        for k in sl.static_range(len(pairs)):
            x, y = pairs[k]
            out[0, k] = x % y
            out[1, k] = x // y
            out[2, k] = sl.f64(x) % y
            out[3, k] = sl.f64(x) // y
            out[4, k] = a[k] % y
            out[5, k] = a[k] // y

    out = np.zeros((6, len(pairs)))
    fold.on(device)[1, 1](np.array([x for x, _ in pairs]), out)
    assert all(same_bits(out[row], np.array([x % y for x, y in pairs])) for row in (0, 2, 4))
    assert all(same_bits(out[row], np.array([x // y for x, y in pairs])) for row in (1, 3, 5))


def test_division_takes_vectors_and_calls_nothing() -> None:
    """The code for the CPU: vectors of lanes from end to end."""
    kernel = division_kernel(sl.f32).on("NULL:x86-64-v3")
    source = kernel.compile(*[sl.Array[sl.f32]] * 4, sl.Array[sl.f32, 2], sl.i32, block=256).source
    called = set(re.findall(r"call [^@]*@([\w.]+)", source))
    assert re.search(r"fdiv <\d+ x double>", source)
    assert not re.search(r"fdiv double|frem", source)
    assert all(name.startswith("llvm.") for name in called), called


# --- powers ----------------------------------------------------------------------------------------------------------------------

INTS = {"i8": np.int8, "u8": np.uint8, "i32": np.int32, "u32": np.uint32, "i64": np.int64, "u64": np.uint64}


def power_of(base: int, exponent: int, kind: Any) -> int:
    """What `**` gives: wraps; negative exponents round to zero."""
    if exponent < 0:
        return {1: 1, -1: -1 if exponent % 2 else 1}.get(base, 0)
    bits = np.iinfo(kind).bits
    value = pow(base, exponent, 1 << bits)
    return value - (1 << bits) if np.iinfo(kind).min < 0 and value >> (bits - 1) else value


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("name", INTS)
def test_integer_powers_wrap(name: str, device: svod.Device) -> None:
    kind = INTS[name]
    info = np.iinfo(kind)
    some = [v for v in (-7, -2, -1, 0, 1, 2, 3, 10, 31, 33, 100, info.min, info.max) if info.min <= v <= info.max]
    a, b = (m.ravel() for m in np.meshgrid(np.array(some, kind), np.array(some, kind)))

    def power(a, b, out, n):
        i = sl.global_id()
        if i < n:
            out[i, 0] = a[i] ** b[i]
            out[i, 1] = 3 ** b[i]
            out[i, 2] = 2 ** b[i]
            out[i, 3] = pow(a[i], b[i])
            v = a[i]
            v **= b[i]
            out[i, 4] = v

    array = sl.Array[getattr(sl, name)]
    power.__annotations__ = {"a": array, "b": array, "out": sl.Array[getattr(sl, name), 2], "n": sl.i32}
    out = np.zeros((len(a), 5), kind)
    sl.kernel(power).on(device).launch(a, b, out, len(a), threads=len(a), block=32)
    for x, y, row in zip(a.tolist(), b.tolist(), out.tolist(), strict=True):
        own = power_of(x, y, kind)
        assert row == [own, power_of(3, y, kind), power_of(2, y, kind), own, own], (x, y)


@pytest.mark.devices("CPU", "INTERP")
def test_powers_of_mixed_integers(device: svod.Device) -> None:
    """Types meet as for other operators; a counter, a scalar, a bool are exponents; a negative one that is known gives a float."""
    @sl.kernel
    def mixed(a: sl.Array[sl.i8], n: sl.i32, out: sl.Array[sl.i64], real: sl.Array[sl.f32]):
        for k in range(5):
            out[k] = 3 ** k
        out[5] = a[0] ** n
        out[6] = n ** n
        out[7] = (n > 1) ** n
        out[8] = n ** (n > 1)
        out[9] = n ** sl.i32(3)
        v = sl.vec(sl.i32, 2)(2, 5) ** n
        out[10], out[11] = v[0], v[1]
        real[0] = n ** -1
        real[1] = n ** 2.0

    out, real = np.zeros(12, np.int64), np.zeros(2, np.float32)
    mixed.on(device)[1, 1](np.array([-5], np.int8), 4, out, real)
    assert out.tolist() == [1, 3, 9, 27, 81, 625, 256, 1, 4, 64, 16, 625]
    assert real.tolist() == [0.25, 16.0]


def test_powers_need_a_place_for_statements() -> None:
    """Where there is no kernel around, there is none."""
    x = Dynamic(UOp.variable("x", 0, 10))
    with pytest.raises(KernelError, match=r"`\*\*` takes statements"):
        arithmetic.binary("**", x, x)
