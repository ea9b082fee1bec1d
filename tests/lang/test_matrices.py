"""mma: its layouts, types and refusals, on every device that runs kernels."""
from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import svod.lang as sl
from svod.dtype import dtypes, numpy_dtype
from svod.errors import KernelError
from svod.ir.ops import Op
from svod.ir.semantics import apply
from svod.lang.trace import ArrayType, trace

on_devices = pytest.mark.devices("INTERP", "CPU", "OPENCL")
FLOATS = (sl.f32, sl.f16, sl.bf16, sl.f8e4m3, sl.f8e5m2, sl.f8e4m3fnuz, sl.f8e5m2fnuz)
INTEGERS = (sl.i8, sl.u8)


def product(kind: Any, other: Any, lanes: int, depth: int) -> sl.Kernel:
    """d = a @ b + c with one subgroup: every lane gathers its fragments from rows of values that the test has laid out."""
    sums = sl.i32 if kind in INTEGERS else sl.f32

    @sl.kernel(subgroup=lanes)
    def multiply(a: sl.Array[kind, 2], b: sl.Array[other, 2], c: sl.Array[sums, 2], d: sl.Array[sums, 2]) -> None:
        lane, group = sl.thread_idx.x, sl.subgroup_id() * lanes
        left = tuple(kind(a[group + lane % lanes, e]) for e in sl.static_range(depth * 16 // lanes))
        right = tuple(other(b[group + lane % lanes, e]) for e in sl.static_range(depth * 16 // lanes))
        held = [sums(c[group + lane % lanes, r]) for r in sl.static_range(256 // lanes)]
        for r, value in enumerate(sl.mma(left, right, held, 16, 16, depth)):
            d[group + lane % lanes, r] = value

    return multiply


def values(rng: np.random.Generator, shape: tuple[int, ...], kind: Any) -> np.ndarray[Any, Any]:
    """Random elements of a type; of the narrow ones all bit patterns that are numbers."""
    if kind in INTEGERS:
        return rng.integers(-128 if kind is sl.i8 else 0, 128 if kind is sl.i8 else 256, shape).astype(numpy_dtype(kind.dtype))
    return rng.standard_normal(shape).astype(numpy_dtype(kind.dtype))


def layouts(lanes: int, depth: int) -> tuple[list[Any], list[Any], list[Any]]:
    """(row, k), (k, column), (row, column) that lane l holds, in the words of the documentation."""
    parts = lanes // 16
    inner = [[(lane // 16) * depth // parts + e for e in range(depth // parts)] for lane in range(lanes)]
    rows = [[(lane // 16) * 16 // parts + r for r in range(16 // parts)] for lane in range(lanes)]
    a = [[(lane % 16, k) for k in inner[lane]] for lane in range(lanes)]
    b = [[(k, lane % 16) for k in inner[lane]] for lane in range(lanes)]
    return a, b, [[(row, lane % 16) for row in rows[lane]] for lane in range(lanes)]


def laid_out(matrix: Any, places: list[Any]) -> Any:
    """One row of values for each lane."""
    return np.array([[matrix[place] for place in row] for row in places])


def in_order(a: Any, b: Any, c: Any) -> Any:
    """a @ b + c, added in the order of k: f32 rounded once a step (its products are exact in f64), i32 wrapping."""
    result = c.copy()
    for k in range(a.shape[1]):
        if result.dtype == np.int32:
            result = result + np.multiply.outer(a[:, k].astype(np.int32), b[k].astype(np.int32))
        else:
            result = (np.multiply.outer(a[:, k].astype(np.float64), b[k].astype(np.float64)) + result).astype(np.float32)
    return result


@pytest.mark.parametrize(("kind", "other"), [
    *((k, k) for k in (*FLOATS, *INTEGERS)), (sl.f8e4m3, sl.f8e5m2), (sl.i8, sl.u8), (sl.u8, sl.i8), (sl.f16, sl.bf16)])
@on_devices
def test_products_of_every_type(device: Any, kind: Any, other: Any) -> None:
    compare(device, kind, other, 64, 16)


@pytest.mark.parametrize(("kind", "lanes", "depth"), [
    (sl.i8, 16, 16), (sl.f32, 16, 32), (sl.f16, 32, 16), (sl.f32, 32, 32), (sl.f8e4m3, 64, 32)])
@on_devices
def test_products_of_every_layout(device: Any, kind: Any, lanes: int, depth: int) -> None:
    compare(device, kind, kind, lanes, depth)


def compare(device: Any, kind: Any, other: Any, lanes: int, depth: int) -> None:
    """Two subgroups, each with matrices of its own. Narrow floats and integers: every bit; f32: its products are rounded with the sum."""
    rng = np.random.default_rng([lanes, depth])
    wide = sl.i32 if kind in INTEGERS else sl.f32
    matrices = [(values(rng, (16, depth), kind), values(rng, (depth, 16), other),
                 np.asarray(rng.standard_normal((16, 16)) * 50).astype(numpy_dtype(wide.dtype))) for _ in range(2)]
    places = layouts(lanes, depth)
    a, b, c = (np.concatenate([laid_out(m[k], places[k]) for m in matrices]) for k in range(3))
    d = np.zeros_like(c)
    product(kind, other, lanes, depth).on(device)[1, 2 * lanes](a, b, c, d)
    expected = np.concatenate([laid_out(in_order(*m), places[2]) for m in matrices])
    if kind is sl.f32:
        np.testing.assert_allclose(d, expected, rtol=1e-5, atol=1e-5)
    else:
        assert d.tolist() == expected.tolist()


@on_devices
def test_precision_rounds_f32_everywhere(device: Any) -> None:
    """Every bit: products of ten bits each are exact in f32, so one rounding a step is all there is."""
    @sl.kernel(subgroup=32)
    def multiply(a: sl.Array[sl.f32, 2], b: sl.Array[sl.f32, 2], d: sl.Array[sl.f32, 2]) -> None:
        lane, part = sl.lane_id() % 16, sl.lane_id() // 16
        left = [a[lane, part * 8 + e] for e in sl.static_range(8)]
        right = [b[part * 8 + e, lane] for e in sl.static_range(8)]
        for r, value in enumerate(sl.mma(left, right, (0.0,) * 8, precision="tf32")):
            d[part * 8 + r, lane] = value

    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((16, 16)).astype(np.float32) for _ in range(2))
    d = np.zeros((16, 16), np.float32)
    multiply.on(device)[1, 32](a, b, d)
    rounded = [apply(Op.TF32, dtypes.f32, None, x) for x in (a, b)]
    assert d.tolist() == in_order(*rounded, np.zeros((16, 16), np.float32)).tolist()
    assert np.abs(d - a @ b).max() > 1e-4


@on_devices
def test_sums_carried_by_a_loop(device: Any) -> None:
    @sl.kernel(subgroup=64)
    def panels(a: sl.Array[sl.bf16, 2], b: sl.Array[sl.bf16, 2], d: sl.Array[sl.f32, 2]) -> None:
        i, part = sl.lane_id() % 16, sl.lane_id() // 16
        acc = (0.0,) * 4
        for start in range(0, a.shape[1], 16):
            left = sl.vec(sl.bf16, 4)(*(a[i, start + part * 4 + e] for e in sl.static_range(4)))
            acc = sl.mma(left, [b[start + part * 4 + e, i] for e in sl.static_range(4)], acc)
        for r in sl.static_range(4):
            d[part * 4 + r, i] = acc[r]

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype(ml_dtypes.bfloat16) for s in ((16, 80), (80, 16)))
    d = np.zeros((16, 16), np.float32)
    panels.on(device)[1, 64](a, b, d)
    assert d.tolist() == in_order(a, b, np.zeros((16, 16), np.float32)).tolist()


@pytest.mark.parametrize(("call", "says"), [
    ("sl.mma((x,) * 4, (x,) * 4, (x,) * 4, 16, 16, 8)", "mma() of 16 × 16 × 8"),
    ("sl.mma((x,) * 4, (x,) * 4, (x,) * 4, 16, 16, i)", "mma() of 16 × 16 × <dynamic"),
    ("sl.mma((x,) * 3, (x,) * 4, (x,) * 4)", "the fragment a of mma() is tuple of 3"),
    ("sl.mma((x,) * 4, x, (x,) * 4)", "the fragment b of mma() is f32"),
    ("sl.mma((x,) * 4, (x,) * 4, (x,) * 8)", "the fragment c of mma() is tuple of 8"),
    ("sl.mma((x, x, x, h), (x,) * 4, (x,) * 4)", "the fragment a of mma() holds f16, f32"),
    ("sl.mma((x,) * 4, (b,) * 4, (x,) * 4)", "mma() of f32 and i8"),
    ("sl.mma((i,) * 4, (i,) * 4, (0,) * 4)", "mma() of index and index"),
    ('sl.mma((h,) * 4, (x,) * 4, (x,) * 4, precision="tf32")', 'mma() with precision="tf32" of f16 in the fragment a'),
    ('sl.mma((x,) * 4, (b,) * 4, (x,) * 4, precision="tf32")', 'mma() with precision="tf32" of i8 in the fragment b'),
    ('sl.mma((x,) * 4, (x,) * 4, (x,) * 4, precision="ieee")', "mma() with precision='ieee'"),
    ("sl.mma((x,) * 4, (x,) * 4, (x,) * 4, precision=i)", "mma() with precision=index"),
    ("sl.mma((x,) * 4, (x,) * 4, (x,) * 4, precise=True)", "mma() has no argument 'precise'"),
    ("sl.mma((b,) * 4, (b,) * 4, (x,) * 4)", "an element of c of mma() is i32, the value is f32"),
])
def test_refusals(call: str, says: str, tmp_path: Any) -> None:
    path = tmp_path / "refused.py"
    path.write_text(f"import svod.lang as sl\ndef bad(a: sl.Array[sl.f32]) -> None:\n    i = sl.global_id()\n    x = a[i]\n"
                    f"    b, h = sl.i8(x), sl.f16(x)\n    r = {call}\n    a[i] = r[0]\n")
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    with pytest.raises(KernelError) as caught:
        trace(names["bad"], {"a": ArrayType(sl.f32.dtype)}, block=(32, 2, 1), subgroup=64)
    assert says in str(caught.value)
    assert f"{path}:6" in str(caught.value)


@pytest.mark.parametrize(("options", "says"), [
    ({"block": (8, 1, 1), "subgroup": 8}, r"mma\(\) in a subgroup of 8 work items"),
    ({"block": (16, 3, 1), "subgroup": 64}, r"mma\(\) in a block of 16 × 3 × 1 work items"),
    ({"block": (64, 1, 1), "subgroup": 64, "guarded": True}, r"mma\(\) in a kernel launched with threads=n"),
])
def test_subgroups_that_are_not_whole(options: dict[str, Any], says: str) -> None:
    def tile(a: sl.Array[sl.f32]) -> None:
        x = a[0]
        a[0] = sl.mma((x,) * 4, (x,) * 4, (x,) * 4)[0]

    with pytest.raises(KernelError, match=says):
        trace(tile, {"a": ArrayType(sl.f32.dtype)}, **options)
