"""What the function renderer writes, run: odd numbers of lanes, and atomics as the interpreter defines them."""
from __future__ import annotations

import numpy as np
import pytest

import svod
from svod import UOp, dtypes
from svod.codegen.schedule import parse_opt
from svod.dtype import DType
from svod.dtype.convert import numpy_dtype
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.testing.kernels import axes, p

FLOATS = (dtypes.f16, dtypes.f32, dtypes.f64)
ATOMICS = [(k, d) for k in (AtomicKind.ADD, AtomicKind.MIN, AtomicKind.MAX, AtomicKind.EXCHANGE) for d in (*FLOATS, dtypes.i8, dtypes.u64)]


@pytest.mark.parametrize("lanes", [2, 3, 5, 6, 7, 11, 12, 16, 31])
@pytest.mark.parametrize("op", [Op.ADD, Op.MUL, Op.MAX, Op.MIN], ids=lambda o: o.name)
@pytest.mark.parametrize("d", [*FLOATS, dtypes.bf16, dtypes.i32], ids=str)
def test_every_lane_of_a_reduction_counts_once(lanes: int, op: Op, d: DType) -> None:
    n = 2 * lanes
    (i,) = axes(n)
    ast = UOp.sink(p(0, "out", d)[0].store(p(1, "a", d)[i].load().reduce(op, i)), name="reduced")
    program = svod.Device("CPU").compile(ast, opts=[parse_opt(f"SPLIT(0 by {lanes})"), parse_opt("VECTOR(0.1)")])
    ufunc = {Op.ADD: np.add, Op.MUL: np.multiply, Op.MAX: np.maximum, Op.MIN: np.minimum}[op]
    for k in range(n):  # one lane differs from the others
        a = np.ones(n)
        a[k] = 3
        out = np.zeros(1, numpy_dtype(d))
        program(out, a.astype(numpy_dtype(d)))
        assert float(out[0]) == ufunc.reduce(a), k


@pytest.mark.parametrize(("kind", "d"), ATOMICS, ids=lambda x: x.value if isinstance(x, AtomicKind) else str(x))
def test_atomics_do_what_the_interpreter_does(kind: AtomicKind, d: DType) -> None:
    (i,) = axes(8)
    ast = UOp.sink(p(0, "out", d)[i % 4].atomic(kind, p(1, "a", d)[i].load()), name="atomic")
    a, start = np.arange(1, 9).astype(numpy_dtype(d)), np.ones(4, numpy_dtype(d))
    if d.is_float:
        a[1], a[6], start[2] = np.nan, -0.0, 0.0
    found = []
    for device in ("CPU", "INTERP"):
        out = start.copy()
        svod.Device(device).compile(ast)(out, a)
        found.append(out)
    assert np.array_equal(np.isnan(found[0]), np.isnan(found[1]))
    valid = ~np.isnan(found[0])
    assert found[0][valid].tobytes() == found[1][valid].tobytes()


@pytest.mark.parametrize("d", [dtypes.bf16, dtypes.f8e4m3, dtypes.f8e5m2], ids=str)
@pytest.mark.parametrize("kind", [AtomicKind.ADD, AtomicKind.MIN, AtomicKind.MAX])
def test_floats_that_are_bit_patterns_have_no_atomic_arithmetic(kind: AtomicKind, d: DType) -> None:
    ast = UOp.sink(p(0, "out", d)[0].atomic(kind, p(1, "a", d)[0].load()), name="atomic")
    with pytest.raises(UnsupportedError, match=f"ATOMIC {kind.value} of {d} is not available"):
        svod.Device("CPU").compile(ast)


@pytest.mark.parametrize("d", [dtypes.u8, dtypes.f16, dtypes.bool, dtypes.f32], ids=str)
def test_a_gated_gather_touches_nothing_where_its_gate_is_false(d: DType) -> None:
    """Element 10^12 lies in no memory; narrow elements are read without a branch all the same, from a place on the stack."""
    (i,) = axes(64)
    at = p(2, "at", dtypes.i64)[i].load().cast(dtypes.index)
    source = p(1, "a", d).index(at, at < 100).load(1)
    kernel = UOp.sink(p(0, "out", d)[i].store(source), name="gated_gather")
    program = svod.Device("CPU").compile(kernel, opts=[parse_opt("SPLIT(0 by 16)"), parse_opt("VECTOR(0.1)")])
    where = np.where(np.arange(64) % 3 == 0, 10**12, np.arange(64)[::-1])
    a, out = (np.arange(100) % 7).astype(numpy_dtype(d)), np.zeros(64, numpy_dtype(d))
    program(out, a, where)
    assert np.array_equal(out, np.where(where < 100, a[np.minimum(where, 99)], np.ones(1, a.dtype)))
    assert ("%nowhere" in program.source) is (d.itemsize < 4)
