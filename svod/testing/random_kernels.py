"""Random loop kernels with NumPy references: ranges (empty ones, and ones that stop below 0), gates, reductions, casts, schedules.

Owns: the generator. Must not know devices. Invariant: a seed gives the same kernel everywhere; every access is in bounds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from svod.dtype import DType, dtypes
from svod.dtype.convert import convert_array, numpy_dtype
from svod.ir.ops import Op
from svod.ir.semantics import apply, identity
from svod.ir.uop import UOp
from svod.testing.kernels import Array, Case

TYPES = (dtypes.f32, dtypes.f64, dtypes.i32, dtypes.i64, dtypes.u8, dtypes.u32, dtypes.i16)
FLOAT_OPS = (Op.ADD, Op.SUB, Op.MUL, Op.MAX, Op.MIN)
INT_OPS = (*FLOAT_OPS, Op.AND, Op.OR, Op.XOR, Op.FLOORDIV, Op.FLOORMOD)


class Sizes:
    """Symbolic extents, some over variables that may be below 0, or less a constant, and some that are empty or negative at the launch."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(f"sizes {seed}")
        self.vals: dict[str, int | float] = {}
        self.empty: set[str] = set()

    def symbolic(self, extent: int, name: str, low: int, high: int) -> UOp:
        """An extent over a new variable, which is `extent` at the launch, or 0 or less."""
        if self.random.random() < 0.7:
            self.vals[name] = extent
            return UOp.variable(name, low, high)
        less = self.random.choice((0, 0, 1, 4))
        self.vals[name] = extent + less
        if self.random.random() < 0.4:
            self.empty.add(name)
            self.vals[name] = less - self.random.randint(0, 9)
        size = UOp.variable(name, -9, high + less)
        return size - less if less else size


@dataclass
class _Value:
    """A graph, its dtype, and its value for every iteration of the axes (an array over them)."""

    graph: UOp
    array: Array

    @property
    def dtype(self) -> DType:
        return self.graph.dtype


class Generator:
    """One random kernel over up to three output axes and one reduced axis."""

    def __init__(self, seed: int) -> None:
        self.random, self.rng = random.Random(seed), np.random.default_rng(seed)
        self.seed = seed
        self.extents = [self.random.choice((1, 2, 3, 5, 8, 17, 33, 64, 70, 128)) for _ in range(self.random.randint(1, 2))]
        self.depth = self.random.choice((1, 3, 16, 40, 65))
        self.sizes = Sizes(seed)
        self.ranges = [UOp.range(self.size(e, f"n{k}"), k) for k, e in enumerate(self.extents)]
        self.inner = UOp.range(self.size(self.depth, "k"), len(self.extents))
        self.shape = (*self.extents, self.depth)
        self.buffers: list[Array] = []
        self.params: list[UOp] = []

    def size(self, extent: int, name: str) -> UOp | int:
        """An extent as a constant, or over a variable."""
        if self.random.random() < 0.6:
            return extent
        return self.sizes.symbolic(extent, name, 0, self.random.choice((extent, 200, 1 << 20)))

    def grid(self, axis: int) -> Array:
        """The values of a loop variable over all axes."""
        return np.broadcast_to(
            np.arange(self.shape[axis], dtype=np.int64).reshape([-1 if i == axis else 1 for i in range(len(self.shape))]), self.shape
        )

    def load(self, dtype: DType, *, inner: bool) -> _Value:
        """A read of a fresh buffer at an affine index, perhaps gated."""
        axes = [(r, self.grid(i)) for i, r in enumerate([*self.ranges, *([self.inner] if inner else [])])]
        index, where = UOp.const(self.random.randint(0, 3), dtypes.index), np.zeros(self.shape, np.int64)
        where = where + int(index.arg.value)
        step = 1
        for r, g in reversed(self.random.sample(axes, self.random.randint(1, len(axes)))):
            index, where = index + r * step, where + g * step
            step *= self.random.choice((1, 2, int(g.max()) + 1))
        size = int(where.max()) + 1 if where.size else 1
        data = self.data(dtype, size)
        param = UOp.param(len(self.buffers) + 1, dtype, name=f"in{len(self.buffers)}")
        self.buffers.append(data)
        self.params.append(param)
        if self.random.random() < 0.3:
            r, g = self.random.choice(axes)
            limit = self.random.randint(0, 40)
            alt = 1
            return _Value(param.index(index, r < limit).load(alt), np.where(g < limit, data[where], np.asarray(alt).astype(data.dtype)))
        return _Value(param[index].load(), data[where])

    def data(self, dtype: DType, size: int) -> Array:
        if dtype.is_float:
            return self.rng.integers(-8, 9, size).astype(numpy_dtype(dtype)) * numpy_dtype(dtype).type(0.5)  # type: ignore[no-any-return]
        low, high = (0, 50) if dtype.is_unsigned else (-50, 50)
        return self.rng.integers(low, high, size).astype(numpy_dtype(dtype))

    def expression(self, depth: int, *, inner: bool) -> _Value:
        """A random expression over loads and loop variables."""
        if depth == 0 or self.random.random() < 0.2:
            if self.random.random() < 0.2:
                i = self.random.randrange(len(self.ranges))
                return self.cast(_Value(self.ranges[i].cast(dtypes.i64), self.grid(i)), self.random.choice(TYPES))
            return self.load(self.random.choice(TYPES), inner=inner)
        a = self.expression(depth - 1, inner=inner)
        b = self.cast(self.expression(depth - 1, inner=inner), a.dtype)
        if self.random.random() < 0.2:
            c = self.cast(self.expression(depth - 1, inner=inner), a.dtype)
            cond = apply(Op.CMPLT, dtypes.bool, None, a.array, b.array)
            return _Value((a.graph < b.graph).where(b.graph, c.graph), np.where(cond, b.array, c.array))
        op = self.random.choice(FLOAT_OPS if a.dtype.is_float else INT_OPS)
        return _Value(UOp(op, (a.graph, b.graph)), apply(op, a.dtype, None, a.array, b.array))

    def cast(self, v: _Value, to: DType) -> _Value:
        return v if v.dtype is to else _Value(v.graph.cast(to), convert_array(v.array, v.dtype, to))

    def reduced(self) -> _Value:
        """A reduction of an expression over the inner axis; small whole numbers, so that every order gives the same sum."""
        v = self.expression(self.random.randint(0, 2), inner=True)
        op = self.random.choice((Op.ADD, Op.MAX, Op.MIN) if v.dtype.is_float else (Op.ADD, Op.MAX, Op.MIN, Op.XOR))
        if v.dtype.is_float and op is Op.ADD:
            v = self.cast(self.cast(v, dtypes.i16), dtypes.f64)
        total = v.array[..., 0]
        for k in range(1, self.depth):
            total = apply(op, v.dtype, None, total, v.array[..., k])
        if "k" in self.sizes.empty:
            total = np.full_like(total, identity(op, v.dtype))
        return _Value(v.graph.reduce(op, self.inner), np.broadcast_to(total[..., None], self.shape))

    def case(self) -> Case:
        """The kernel, its inputs and its reference."""
        v = self.reduced() if self.random.random() < 0.6 else self.expression(2, inner=False)
        if self.random.random() < 0.4:
            w = self.cast(self.expression(1, inner=False), v.dtype)
            v = _Value(v.graph + w.graph, apply(Op.ADD, v.dtype, None, v.array, w.array))
        want = np.ascontiguousarray(v.array[..., 0])
        if self.sizes.empty - {"k"}:
            want = np.zeros_like(want)
        index: UOp = UOp.const(0, dtypes.index)
        for r, e in zip(self.ranges, self.extents, strict=True):
            index = index * e + r
        store = UOp.param(0, v.dtype, name="out")[index].store(v.graph)
        sink = UOp.sink(store, name="random")
        used = {v.arg.name for v in sink.find(Op.DEFINE_VAR)}
        vals = {name: v for name, v in self.sizes.vals.items() if name in used}
        return Case(f"random_{self.seed}", sink, (np.zeros(want.size, want.dtype), *self.buffers), {0: want.reshape(-1)}, vals)


def random_case(seed: int) -> Case:
    """The random kernel number `seed`."""
    return Generator(seed).case()
