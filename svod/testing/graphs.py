"""Random well-typed graphs, points to evaluate them at, and comparison bit for bit: what property tests of rules and backends are made of.

Owns: `RandomGraphs`, `points`, `differences`. Must not know what is done to the graphs.
Invariant: the same seed gives the same graph and the same points in every process. Index expressions stay small enough for 64 bits.
"""
from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.dtype import DType, dtypes
from svod.ir.bounds import interval
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.ir.semantics import literal, storage
from svod.ir.uop import UOp

Point = dict[UOp | str, NDArray[Any]]
"""Values of the leaves of a graph, one array each: many evaluations at once."""

SCALARS = (dtypes.bool, dtypes.i8, dtypes.u8, dtypes.i16, dtypes.u16, dtypes.i32, dtypes.u32, dtypes.i64, dtypes.u64,
           dtypes.f16, dtypes.bf16, dtypes.f32, dtypes.f64)
WIDTHS = tuple(tuple(t for t in SCALARS if t.bits == bits) for bits in (8, 16, 32, 64))
LANES = 4
FLOAT_OPS = (Op.ADD, Op.SUB, Op.MUL, Op.FDIV, Op.MAX, Op.MIN)
FLOAT_UNARY = (Op.NEG, Op.ABS, Op.SQRT, Op.TRUNC, Op.FLOOR, Op.CEIL, Op.RINT, Op.TF32)
INT_OPS = (Op.ADD, Op.SUB, Op.MUL, Op.IDIV, Op.MOD, Op.FLOORDIV, Op.FLOORMOD, Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR, Op.SHL, Op.SHR)
INT_UNARY = (Op.NEG, Op.NOT, Op.ABS)
BOOL_OPS = (Op.AND, Op.OR, Op.XOR, Op.MAX, Op.MIN)
INDEX_OPS = (Op.ADD, Op.ADD, Op.ADD, Op.SUB, Op.MUL, Op.FLOORDIV, Op.FLOORDIV, Op.FLOORMOD, Op.FLOORMOD, Op.MAX, Op.MIN, Op.IDIV, Op.MOD)
COMPARE = (Op.CMPLT, Op.CMPLE, Op.CMPEQ, Op.CMPNE)
INDEX_LIMIT = 1 << 40


class RandomGraphs:
    """Grows graphs node by node from leaves; operands are what was grown before, recent nodes more often.

    `types` are the scalar dtypes to use; without them each seed draws a few, so that the nodes of one dtype meet often.
    """

    def __init__(self, seed: int, types: tuple[DType, ...] = ()) -> None:
        self.rng = random.Random(seed)
        index, truth = dtypes.index, dtypes.bool
        mixes = ((index,), (index, truth), (index, index, self.rng.choice(SCALARS)), (*self.rng.sample(SCALARS, 2), truth),
                 (*self.rng.sample(SCALARS, 3), index), self.rng.choice(WIDTHS))
        self.types = types or self.rng.choice(mixes)
        self.grown: dict[DType, list[UOp]] = {}
        loops = [UOp.range(8, 0), UOp.range(4, 1), UOp.range(5, 2, start=4), UOp.range(UOp.variable("n", 1, 12), 3)]
        self.grown[dtypes.index] = [UOp.variable("n", 1, 12), UOp.variable("x", -20, 20), UOp.variable("w", 0, 63), *loops]
        self.loops = loops[:3]

    def graph(self, size: int) -> UOp:
        """A graph grown in `size` attempts: the deepest one."""
        depth: dict[UOp, int] = {}
        for _ in range(size):
            made = self.node(self.rng.choice(self.types).vec(self.rng.choice((1, 1, 1, LANES))))
            if made is not None:
                depth[made] = 1 + max((depth.get(s, 0) for s in made.src), default=0)
        return max(depth, key=lambda u: depth[u]) if depth else self.literal(dtypes.i32)

    def pick(self, dtype: DType) -> UOp:
        """An operand: grown before, or a variable."""
        nodes = self.grown.setdefault(dtype, [])
        if not nodes or self.rng.random() < 0.15:
            return self.variable(dtype)
        return nodes[-1 - int(len(nodes) * self.rng.random() ** 3)]

    def other(self, dtype: DType) -> UOp:
        """A second operand: often a literal."""
        return self.literal(dtype) if self.rng.random() < 0.3 else self.pick(dtype)

    def pair(self, dtype: DType) -> tuple[UOp, UOp]:
        """Two operands, the literal on either side, sometimes the same twice."""
        a, b = self.pick(dtype), self.other(dtype)
        return (b, a) if self.rng.random() < 0.2 else (a, a) if self.rng.random() < 0.05 else (a, b)

    def variable(self, dtype: DType) -> UOp:
        """A scalar parameter, broadcast for vectors."""
        if dtype.scalar is dtypes.index:
            return self.rng.choice(self.grown[dtypes.index][:7]).broadcast(dtype.lanes)
        return UOp.scalar(f"{dtype.scalar}_{self.rng.randrange(2)}", dtype.scalar).broadcast(dtype.lanes)

    def literal(self, dtype: DType) -> UOp:
        """A literal: often a special value."""
        one = dtype.scalar
        if one is dtypes.index:
            return UOp.const(self.rng.choice((0, 1, -1, 2, 3, 4, 5, 8, 12, 16, 64, -4, self.rng.randrange(-70, 70))), dtype)
        if one.is_float:
            return UOp.const(self.rng.choice((0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -4.0, 3.0, float("inf"), float("-inf"), float("nan"))), dtype)
        low, high = int(one.min), int(one.max)
        return UOp.const(self.rng.choice((0, 1, min(2, high), min(7, high), min(8, high), low, high, self.rng.randint(low, high))), dtype)

    def node(self, dtype: DType) -> UOp | None:
        """Grows one node of `dtype`; None if the attempt would leave what 64 bits of index can hold."""
        made = self.vector(dtype) if dtype.lanes > 1 and self.rng.random() < 0.4 else self.operation(dtype)
        if made.dtype.scalar is dtypes.index and max(map(abs, interval(made))) > INDEX_LIMIT:
            return None
        self.grown.setdefault(dtype, []).append(made)
        return made

    def operation(self, dtype: DType) -> UOp:
        """An elementwise op, a conversion, a choice, a reduction or a lane."""
        roll = self.rng.random()
        if roll < 0.08:
            return UOp(Op.WHERE, (self.pick(dtypes.bool.vec(dtype.lanes)), *self.pair(dtype)))
        if roll < 0.18:
            return self.conversion(dtype)
        if roll < 0.24 and dtype.lanes == 1:
            return self.narrowing(dtype)
        if dtype.is_bool:
            return self.condition(dtype)
        if roll < 0.35:
            return UOp(self.rng.choice(FLOAT_UNARY if dtype.is_float else INT_UNARY), (self.pick(dtype),))
        if roll < 0.38:
            return UOp(Op.MULACC, (self.pick(dtype), self.literal(dtype), self.pick(dtype)))
        if dtype.scalar is dtypes.index:
            return self.index_operation(dtype)
        return UOp(self.rng.choice(FLOAT_OPS if dtype.is_float else INT_OPS), self.pair(dtype))

    def index_operation(self, dtype: DType) -> UOp:
        """Arithmetic of index; divisors, factors and shifts are mostly literals, as in real kernels."""
        o = self.rng.choice(INDEX_OPS)
        if o in (Op.ADD, Op.SUB, Op.MAX, Op.MIN) or self.rng.random() < 0.1:
            return UOp(o, self.pair(dtype))
        if self.rng.random() < 0.1:
            how = self.rng.choice(((Op.SHL, 3), (Op.SHR, 2), (Op.AND, 7), (Op.SHR, 0)))
            return UOp(how[0], (self.pick(dtype), UOp.const(how[1], dtype)))
        return UOp(o, (self.pick(dtype), self.literal(dtype)))

    def condition(self, dtype: DType) -> UOp:
        """A comparison or an operation on bools."""
        roll = self.rng.random()
        if roll < 0.2 and dtypes.index in self.types:
            of = dtypes.index.vec(dtype.lanes)
            return UOp(self.rng.choice(COMPARE), (self.variable(of), self.literal(of)))
        if roll < 0.5:
            of = self.rng.choice([t for t in self.types if t is not dtypes.bool]).vec(dtype.lanes)
            return UOp(self.rng.choice(COMPARE), self.pair(of))
        if self.rng.random() < 0.2:
            return ~self.pick(dtype)
        return UOp(self.rng.choice((*BOOL_OPS, *COMPARE)), self.pair(dtype))

    def conversion(self, dtype: DType) -> UOp:
        """A CAST from any dtype, or a BITCAST from an integer of the same width (not from floats: the payload of a NaN says nothing)."""
        of = self.rng.choice(self.types).vec(dtype.lanes)
        value = self.pick(of)
        if dtype.scalar is dtypes.index and (of.is_float or of.bits > 32) and of.scalar is not dtypes.index:
            value = value.cast(dtypes.i16)
        fits = of.bits == dtype.bits and of.is_int and of is not dtype and dtypes.index not in (of.scalar, dtype.scalar)
        if fits and self.rng.random() < 0.5:
            return value.bitcast(dtype.scalar)
        return UOp(Op.CAST, (value,), None, dtype)

    def narrowing(self, dtype: DType) -> UOp:
        """A scalar from a vector or from a loop."""
        vector = self.pick(dtype.vec(LANES))
        if self.rng.random() < 0.4:
            return vector.extract(self.rng.randrange(LANES))
        kinds = (Op.MAX, Op.MIN) if dtype.is_float else (Op.AND, Op.OR, Op.XOR, Op.MAX, Op.MIN, *(() if dtype.is_bool else (Op.ADD,)))
        how = self.rng.choice(kinds)
        if self.rng.random() < 0.5:
            return UOp(Op.LANES, (vector,), how, dtype)
        return self.pick(dtype).reduce(how, *self.rng.sample(self.loops, self.rng.randrange(1, 3)))

    def vector(self, dtype: DType) -> UOp:
        """A vector made of scalars."""
        one, roll = dtype.scalar, self.rng.random()
        if one is dtypes.index and roll < 0.5:
            return UOp(Op.RAMP, (self.pick(one), self.pick(one) if roll < 0.1 else self.literal(one)), None, dtype)
        if roll < 0.8:
            return self.pick(one).broadcast(dtype.lanes)
        return UOp(Op.STACK, tuple(self.pick(one) for _ in range(dtype.lanes)), None, dtype)


# --- points ----------------------------------------------------------------------------------------------------------------------

def points(roots: tuple[UOp, ...], seed: int, count: int = 40) -> Point:
    """Values for the variables and loops that `roots` depend on, `count` of each: limits and special values first, then random ones.

    Loop variables are within their bounds; bounds that are variables are at least 1 above the start.
    """
    rng = np.random.default_rng(seed)
    found: Point = {}
    for u in UOp.sink(*roots).toposort():
        if u.op is Op.DEFINE_VAR:
            found[u] = rng.permutation(_values(u, rng, count))
        elif u.op is Op.RANGE:
            start, stop = (np.broadcast_to(evaluate(s, found), (count,)) for s in u.src)
            found[u] = start + rng.integers(0, 1 << 30, count) % np.maximum(1, stop - start)
    return found


def _values(u: UOp, rng: np.random.Generator, count: int) -> NDArray[Any]:
    kind, dtype = storage(u.dtype), u.dtype
    if not dtype.is_float:
        low, high = int(u.arg.min), int(u.arg.max)
        limits = [v for v in (low, high, 0, 1, -1, low + 1, high - 1) if low <= v <= high]
        drawn = [low + int(r * (high - low + 1)) for r in rng.random(count - len(limits))]
        return np.array([min(v, high) for v in limits + drawn], kind)
    special = [0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"), 0.5, 3.0, 1e-40, 6e4, -2.5]
    codes = rng.integers(0, (1 << dtype.bits) - 1, count - len(special), f"u{dtype.bits // 8}", endpoint=True)
    return np.concatenate([np.array([literal(v, dtype) for v in special], kind), codes.view(kind)])


def differences(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Where two arrays of one storage dtype differ in a bit; all NaNs count as the same."""
    a, b = np.broadcast_arrays(a, b)
    if a.dtype.kind in "biu":
        return np.asarray(a != b)
    code = np.dtype(f"u{a.dtype.itemsize}")
    with np.errstate(invalid="ignore"):
        both_nan = np.isnan(a) & np.isnan(b)
    return np.asarray((np.ascontiguousarray(a).view(code) != np.ascontiguousarray(b).view(code)) & ~both_nan)


def disagreement(before: UOp, after: UOp, at: Mapping[UOp | str, NDArray[Any]]) -> str:
    """Empty if both graphs have the same value at all points, else the first point where they differ and both values."""
    a, b = evaluate(before, at), evaluate(after, at)
    wrong = differences(a, b)
    if not wrong.any():
        return ""
    a, b = np.broadcast_arrays(a, b)
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    point = where[0] if where else 0
    leaves = {getattr(u.arg, "name", f"axis {u.arg}"): at[u] for u in UOp.sink(before, after).toposort() if u in at}
    values = ", ".join(f"{name}={np.broadcast_to(v, a.shape[:1] or (1,))[point]}" for name, v in leaves.items())
    return f"{a[where]} became {b[where]} at {values}"
