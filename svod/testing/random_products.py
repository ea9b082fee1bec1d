"""Random products of dense operands, summed and stored with their axes in any order: what `einsum` computes, and what often follows it.

Owns: the generator. Must not know devices or schedules. Invariant: a seed gives the same kernel everywhere; all values are whole numbers
that every dtype in use represents, so that any order of summation gives the same bits.
"""

from __future__ import annotations

import random
from math import prod

import numpy as np

from svod.dtype import DType, dtypes
from svod.dtype.convert import numpy_dtype
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.testing.kernels import Array, Case

EXTENTS = (1, 2, 3, 5, 8, 16, 17, 33, 40, 64)
TYPES = (dtypes.f32, dtypes.f16, dtypes.u8)
MOST_POINTS = 1 << 17
"""Points of the iteration space, at most: a kernel takes some milliseconds, and sums stay below 2^24."""


class Product:
    """One random kernel: two or three operands over up to four axes, some of them reduced."""

    def __init__(self, seed: int) -> None:
        self.random, self.rng, self.seed = random.Random(seed), np.random.default_rng(seed), seed
        count = self.random.randint(2, 4)
        self.extents = [self.random.choice(EXTENTS) for _ in range(count)]
        while prod(self.extents) > MOST_POINTS:
            self.extents[self.extents.index(max(self.extents))] //= 2
        self.vals: dict[str, int | float] = {}
        symbolic = self.random.random() < 0.5
        self.sizes = [self.size(k, e) if symbolic else UOp.const(e, dtypes.index) for k, e in enumerate(self.extents)]
        numbers = self.random.sample(range(count), count)  # the reduced axis may be the outermost one
        self.ranges = [UOp.range(size, number) for size, number in zip(self.sizes, numbers, strict=True)]
        kept = self.random.sample(range(count), self.random.randint(1, count - 1))
        self.kept, self.reduced = kept, [k for k in range(count) if k not in kept]
        self.arrays: list[Array] = []

    def size(self, axis: int, extent: int) -> UOp:
        """An extent that is known at the launch only."""
        self.vals[f"n{axis}"] = extent
        return UOp.variable(f"n{axis}", self.random.randint(0, 1), self.random.choice((64, 128, 4096)))

    def place(self, order: list[int]) -> UOp:
        """Where an element lies in a dense array whose axes are those of `order`, the fastest last."""
        index: UOp = UOp.const(0, dtypes.index)
        for k in order:
            index = index * self.sizes[k] + self.ranges[k]
        return index

    def operand(self, dtype: DType, total: DType, axes: list[int]) -> tuple[UOp, Array]:
        """A load of a new buffer over `axes`, perhaps gated, as `total`; and its values over all axes."""
        order = self.random.sample(axes, len(axes))
        shape = [self.extents[k] for k in order]
        data = self.rng.integers(0, 4, prod(shape)).astype(numpy_dtype(dtype))
        self.arrays.append(data)
        param, where = UOp.param(len(self.arrays), dtype, name=f"in{len(self.arrays)}"), self.place(order)
        values = self.spread(data.reshape(shape), order)
        if self.random.random() < 0.15:
            k, least = self.random.choice(order), self.random.randint(0, 5)
            grid = self.spread(np.arange(self.extents[k]), [k])
            values = np.where(grid >= least, values, np.zeros_like(values))
            return param.index(where, self.ranges[k] >= least).load(0).cast(total), values.astype(numpy_dtype(total))
        return param[where].load().cast(total), values.astype(numpy_dtype(total))

    def spread(self, array: Array, order: list[int]) -> Array:
        """`array`, whose axes are those of `order`, with all axes in their places."""
        sorted_axes = sorted(range(len(order)), key=lambda i: order[i])
        placed = array.transpose(sorted_axes)
        return placed.reshape([self.extents[k] if k in order else 1 for k in range(len(self.extents))])

    def case(self) -> Case:
        """The kernel, its inputs and its reference."""
        dtype = self.random.choice(TYPES)
        total = dtypes.u32 if dtype is dtypes.u8 else dtypes.f32
        graph, value = self.product(dtype, total)
        if self.reduced:
            op = self.random.choice((Op.ADD, Op.ADD, Op.MAX))
            graph, value = graph.reduce(op, *(self.ranges[k] for k in self.reduced)), self.fold(op, value, self.reduced)
        if self.random.random() < 0.4:  # what a softmax or a norm begins with: the same value over one of the axes that are kept
            op, k = self.random.choice((Op.ADD, Op.MAX)), self.random.choice(self.kept)
            graph, value = graph + graph.reduce(op, self.ranges[k]), value + self.fold(op, value, [k])
        order = self.random.sample(self.kept, len(self.kept))
        full = np.broadcast_to(value, [e if k in self.kept else 1 for k, e in enumerate(self.extents)])
        want = np.ascontiguousarray(np.squeeze(full, tuple(self.reduced)).transpose([sorted(order).index(k) for k in order])).reshape(-1)
        sink = UOp.sink(UOp.param(0, total, name="out")[self.place(order)].store(graph), name="random_product")
        used = {v.arg.name for v in sink.find(Op.DEFINE_VAR)}
        vals = {name: v for name, v in self.vals.items() if name in used}
        return Case(f"random_product_{self.seed}", sink, (np.zeros(want.size, want.dtype), *self.arrays), {0: want}, vals)

    def product(self, dtype: DType, total: DType) -> tuple[UOp, Array]:
        """The product of the operands, which together move along every axis."""
        axes, number = range(len(self.extents)), self.random.randint(2, 3)
        chosen = [set(self.random.sample(axes, self.random.randint(1, len(axes)))) for _ in range(number)]
        for k in axes:
            if not any(k in c for c in chosen):
                self.random.choice(chosen).add(k)
        parts = [self.operand(dtype, total, sorted(c)) for c in chosen]
        graph, value = parts[0]
        for g, v in parts[1:]:
            graph, value = graph * g, value * v
        return graph, value

    @staticmethod
    def fold(op: Op, value: Array, axes: list[int]) -> Array:
        """A reduction that leaves axes of length one."""
        folded: Array = value.sum(tuple(axes), keepdims=True, dtype=value.dtype) if op is Op.ADD else value.max(tuple(axes), keepdims=True)
        return folded


def random_product(seed: int) -> Case:
    """The random product number `seed`."""
    return Product(seed).case()
