"""What the C renderer writes, run: names of the user's, odd numbers of lanes, atomics, order of reads and writes."""
from __future__ import annotations

import numpy as np
import pytest

import svod
from svod import UOp, dtypes
from svod.codegen.schedule import parse_opt
from svod.dtype import AddrSpace, DType
from svod.dtype.convert import numpy_dtype
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.renderers.c.gnu import GNU_C
from svod.renderers.c.literals import literal, short
from svod.renderers.expr import Names, sanitized
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads

pytestmark = pytest.mark.devices("CC")
ATOMICS = [(k, d) for k in (AtomicKind.ADD, AtomicKind.MIN, AtomicKind.MAX, AtomicKind.EXCHANGE)
           for d in (dtypes.f16, dtypes.f32, dtypes.f64, dtypes.i8, dtypes.u64)]


@pytest.mark.parametrize("lanes", [2, 3, 5, 6, 7, 12, 31, 64])
@pytest.mark.parametrize("op", [Op.ADD, Op.MUL, Op.MAX, Op.MIN], ids=lambda o: o.name)
@pytest.mark.parametrize("d", [dtypes.f32, dtypes.f16, dtypes.i32], ids=str)
def test_every_lane_of_a_reduction_counts_once(device: svod.Device, lanes: int, op: Op, d: DType) -> None:
    n = 2 * lanes
    (i,) = axes(n)
    ast = UOp.sink(p(0, "out", d)[0].store(p(1, "a", d)[i].load().reduce(op, i)), name="reduced")
    program = device.compile(ast, opts=[parse_opt(f"SPLIT(0 by {lanes})"), parse_opt("VECTOR(0.1)")])
    ufunc = {Op.ADD: np.add, Op.MUL: np.multiply, Op.MAX: np.maximum, Op.MIN: np.minimum}[op]
    for k in range(n):  # one lane differs from the others
        a = np.ones(n)
        a[k] = 3
        out = np.zeros(1, numpy_dtype(d))
        program(out, a.astype(numpy_dtype(d)))
        assert float(out[0]) == ufunc.reduce(a), k


@pytest.mark.parametrize("lanes", [3, 5, 16, 64])
def test_lanes_beyond_a_vector_never_trap_nor_are_written(device: svod.Device, lanes: int) -> None:
    (i,) = axes(2 * lanes)
    a, b = (p(k, "ab"[k - 1], dtypes.i32)[i].load() for k in (1, 2))
    ast = UOp.sink(p(0, "out", dtypes.i32)[i].store(UOp(Op.IDIV, (a, b))), name="divided")
    program = device.compile(ast, opts=[parse_opt(f"SPLIT(0 by {lanes})"), parse_opt("VECTOR(0.1)")])
    room = np.full(2 * lanes + 64, 77, np.int32)
    x, y = np.arange(2 * lanes, dtype=np.int32) * 9, np.arange(2 * lanes, dtype=np.int32) % 4 - 1
    program(room[:2 * lanes], x, y)
    want = np.where(y == 0, 0, np.trunc(x / np.where(y == 0, 1, y)))
    assert (room[:2 * lanes] == want).all()
    assert (room[2 * lanes:] == 77).all()


@pytest.mark.parametrize(("kind", "d"), ATOMICS, ids=lambda x: x.value if isinstance(x, AtomicKind) else str(x))
def test_atomics_do_what_the_interpreter_does(device: svod.Device, kind: AtomicKind, d: DType) -> None:
    (i,) = axes(8)
    ast = UOp.sink(p(0, "out", d)[i % 4].atomic(kind, p(1, "a", d)[i].load()), name="atomic")
    a, start = np.arange(1, 9).astype(numpy_dtype(d)), np.ones(4, numpy_dtype(d))
    if d.is_float:
        a[1], a[6], start[2] = np.nan, -0.0, 0.0
    found = []
    for where in (device, svod.Device("INTERP")):
        out = start.copy()
        where.compile(ast)(out, a)
        found.append(out)
    assert np.array_equal(np.isnan(found[0]), np.isnan(found[1]))
    valid = ~np.isnan(found[0])
    assert found[0][valid].tobytes() == found[1][valid].tobytes()


@pytest.mark.parametrize("d", [dtypes.bf16, dtypes.f8e4m3], ids=str)
def test_floats_that_are_bit_patterns_have_no_atomic_arithmetic(device: svod.Device, d: DType) -> None:
    ast = UOp.sink(p(0, "out", d)[0].atomic(AtomicKind.ADD, p(1, "a", d)[0].load()), name="atomic")
    with pytest.raises(UnsupportedError, match=f"ATOMIC add of {d} is not available"):
        device.compile(ast)


@pytest.mark.parametrize("d", [dtypes.u8, dtypes.f16, dtypes.bool, dtypes.f32], ids=str)
def test_a_gated_gather_touches_nothing_where_its_gate_is_false(device: svod.Device, d: DType) -> None:
    """Element 10^12 lies in no memory."""
    (i,) = axes(64)
    at = p(2, "at", dtypes.i64)[i].load().cast(dtypes.index)
    source = p(1, "a", d).index(at, at < 100).load(1)
    kernel = UOp.sink(p(0, "out", d)[i].store(source), name="gated_gather")
    program = device.compile(kernel, opts=[parse_opt("SPLIT(0 by 16)"), parse_opt("VECTOR(0.1)")])
    where = np.where(np.arange(64) % 3 == 0, 10**12, np.arange(64)[::-1])
    a, out = (np.arange(100) % 7).astype(numpy_dtype(d)), np.zeros(64, numpy_dtype(d))
    program(out, a, where)
    assert np.array_equal(out, np.where(where < 100, a[np.minimum(where, 99)], np.ones(1, a.dtype)))


@pytest.mark.parametrize("name", ["core", "scratch", "args", "f32x16", "load_f32x8", "linux", "INLINE", "v1", "exp"])
def test_any_name_of_the_users_is_a_name_in_c(device: svod.Device, name: str) -> None:
    (i,) = axes(40)
    ast = UOp.sink(p(0, name)[i].store(p(1, "a")[i].load() + 1.0), name=name)
    out, a = np.zeros(40, np.float32), np.arange(40, dtype=np.float32)
    device.compile(ast).execute([out, a])
    assert (out == a + 1).all()


def test_names_differ() -> None:
    names = Names({"int"})
    assert [names.new("int"), names.new("a"), names.new("a"), names.new("a!"), names.new("v", numbered=True)] == [
        "int1", "a", "a1", "a_", "v1"]
    assert [sanitized(n) for n in ("x2", "_grid_x", "max_f32", "i0", "9", "")] == ["x2", "grid_x", "max_f32_", "i0", "n9", "unnamed"]


@pytest.mark.parametrize(("value", "d", "text"), [
    (0.1, dtypes.f32, "0.1f"), (1e10, dtypes.f32, "1.0e+10f"), (-0.0, dtypes.f32, "-0.0f"), (0.1, dtypes.f64, "0.1"),
    (float("inf"), dtypes.f32, "__builtin_inff()"), (float("-inf"), dtypes.f64, "-__builtin_inf()"), (1.5, dtypes.bf16, "0x3fc0"),
    (-(1 << 31), dtypes.i32, "(-2147483647 - 1)"), ((1 << 64) - 1, dtypes.u64, "18446744073709551615ULL"), (True, dtypes.bool, "1"),
    (-(1 << 63), dtypes.i64, "(-9223372036854775807LL - 1)"), (7, dtypes.u32, "7u"),
])
def test_literals(value: float, d: DType, text: str) -> None:
    assert literal(value, d, GNU_C) == text


def test_literals_beside_something_else_are_short() -> None:
    assert (short(7, dtypes.i64, GNU_C), short(1 << 40, dtypes.i64, GNU_C)) == ("7", "1099511627776LL")


def test_local_memory_that_fits_no_stack_is_refused(device: svod.Device) -> None:
    k = Threads(block=(1, 1, 1))
    big = k.memory(dtypes.f64, 1 << 20, AddrSpace.REG, "big")
    with k.for_(0, 100) as i:
        k.store(big, i, 1.0)
    k.store(p(0, "out", dtypes.f64), 0, k.load(big, k.load(p(1, "at", dtypes.i32), 0).cast(dtypes.index)))
    with pytest.raises(UnsupportedError, match="local memory do not fit a stack"):
        device.compile(k.kernel())
