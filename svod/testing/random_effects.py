"""Random kernels whose result depends on the order of their effects: several stores, updates in place, passes, scatters, own memory.

Owns: the generator. Must not know schedules, devices. Invariant: a seed gives the same kernel everywhere; every access is in bounds.
"""
from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from svod.dtype import AddrSpace, DType, PtrDType, dtypes
from svod.dtype.convert import numpy_dtype
from svod.ir.effects import memory
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.testing.case import Array, Case
from svod.testing.random_kernels import Sizes
from svod.testing.written_order import run_as_written

TYPES = (dtypes.i32, dtypes.i64, dtypes.i16, dtypes.u8)
EXTENTS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17)
MOST_ITERATIONS = 400
OPS = (Op.ADD, Op.ADD, Op.SUB, Op.MUL, Op.MAX, Op.XOR)


@dataclass(frozen=True)
class _Axis:
    """A loop and how often it runs at most."""

    range: UOp
    extent: int


@dataclass(frozen=True)
class _Address:
    """An index and the greatest value it has."""

    index: UOp
    most: int


class EffectKernels:
    """One random kernel."""

    def __init__(self, seed: int) -> None:
        self.random, self.rng, self.seed = random.Random(seed), np.random.default_rng(seed), seed
        self.symbols = Sizes(seed)
        self.params: list[UOp] = []
        self.sizes: list[int] = []
        self.tables: dict[int, Array] = {}
        self.memories = 0
        self.axes_made = 0
        self.outs = [self.param(self.random.choice(TYPES), "out") for _ in range(self.random.randint(1, 2))]

    # ---- leaves ------------------------------------------------------------------------------------------------------
    def param(self, dtype: DType, name: str) -> UOp:
        self.params.append(UOp.param(len(self.params), dtype, name=f"{name}{len(self.params)}"))
        self.sizes.append(1)
        return self.params[-1]

    def axis(self, extents: tuple[int, ...] = EXTENTS) -> _Axis:
        """A new loop, of constant or symbolic size."""
        extent, number = self.random.choice(extents), self.axes_made
        self.axes_made += 1
        if self.random.random() < 0.3:
            low, high = self.random.randint(0, 1), self.random.choice((extent, 40))
            size: UOp | int = self.symbols.symbolic(extent, f"n{number}", low, high)
        else:
            size = extent
        return _Axis(UOp.range(size, number), extent)

    def axes(self, count: int) -> list[_Axis]:
        """New loops, not too many iterations together; perhaps the second one is bounded by the first."""
        out: list[_Axis] = []
        for _ in range(count):
            room = MOST_ITERATIONS // int(np.prod([a.extent for a in out], dtype=int))
            if len(out) == 1 and self.random.random() < 0.1:
                self.axes_made += 1
                more = self.symbols.random.choice((1, 1, 0, -2))  # from -2 on, the first loops stop below their start
                out.append(_Axis(UOp.range(out[0].range + more, self.axes_made - 1), out[0].extent))
            else:
                out.append(self.axis(tuple(e for e in EXTENTS if e <= room)))
        return out

    def dense(self, axes: list[_Axis]) -> _Address:
        """Row-major over the axes, in any order."""
        index, most = UOp.const(0, dtypes.index), 0
        for a in self.random.sample(axes, len(axes)):
            index, most = index * a.extent + a.range, most * a.extent + a.extent - 1
        return _Address(index, most)

    def address(self, axes: list[_Axis], *, tables: bool = True) -> _Address:
        """A random index over some of the axes: dense, overlapping, folded, or read from a table."""
        some = self.random.sample(axes, self.random.randint(min(1, len(axes)), len(axes)))
        way = self.random.random()
        at = self.dense(axes if way < 0.4 else some)
        if 0.6 < way < 0.75:
            at = _Address(UOp.const(0, dtypes.index), 0)
            for a in some:
                step = self.random.randint(1, 3)
                at = _Address(at.index + a.range * step, at.most + (a.extent - 1) * step)
        elif 0.75 < way < 0.85:
            n = self.random.randint(1, 6)
            at = _Address(at.index % n, n - 1) if self.random.random() < 0.5 else _Address(at.index // n, at.most // n)
        elif way > 0.9 and tables:
            return self.looked_up(at)
        shift = self.random.choice((0, 0, 0, 1, 2, 8))
        if self.random.random() < 0.15:
            return _Address(at.index * -1 + (at.most + shift), at.most + shift)
        return _Address(at.index + shift, at.most + shift)

    def looked_up(self, at: _Address) -> _Address:
        """An index that is read from memory."""
        table, limit = self.param(dtypes.i32, "table"), self.random.choice((2, 9, 40))
        slot = table.arg.slot
        self.tables[slot] = self.rng.integers(0, limit, at.most + 1).astype(np.int32)
        self.sizes[slot] = at.most + 1
        return _Address(table[at.index].load(), limit - 1)

    def at(self, buffer: UOp, where: _Address, gate: UOp | None = None) -> UOp:
        """The place in a buffer, which is made large enough."""
        slot = memory(buffer).arg.slot
        self.sizes[slot] = max(self.sizes[slot], where.most + 1)
        return buffer.index(where.index, gate)

    # ---- values ------------------------------------------------------------------------------------------------------
    def value(self, axes: list[_Axis], near: _Address, outs: list[UOp], depth: int = 2) -> UOp:
        """A value over inputs, loop variables and the outputs; `near` is where it is going to be stored."""
        if depth == 0 or self.random.random() < 0.2:
            return self.leaf(axes, near, outs)
        if self.random.random() < 0.15:
            return self.reduced(axes, near, outs)
        a = self.value(axes, near, outs, depth - 1)
        b = self.value(axes, near, outs, depth - 1).cast(a.dtype)
        if self.random.random() < 0.1:
            return (a < b).where(b, a + 3)
        return UOp(self.random.choice(OPS), (a, b))

    def leaf(self, axes: list[_Axis], near: _Address, outs: list[UOp]) -> UOp:
        way = self.random.random()
        if way < 0.4:
            where = near if self.random.random() < 0.6 else self.address(axes)
            return self.at(self.random.choice(outs), where).load()
        if way < 0.5 and axes:
            return self.random.choice(axes).range.cast(self.random.choice(TYPES))
        where = self.address(axes)
        gate = None
        if axes and self.random.random() < 0.15:
            gate = self.random.choice(axes).range < self.random.randint(0, 9)
        source = self.at(self.param(self.random.choice(TYPES), "in"), where, gate)
        return source.load() if gate is None else source.load(7)

    def reduced(self, axes: list[_Axis], near: _Address, outs: list[UOp]) -> UOp:
        k = self.axis((1, 2, 3, 5, 8, 9))
        v = self.value([*axes, k], near, outs, 1)
        return v.reduce(self.random.choice((Op.ADD, Op.MAX, Op.MIN, Op.XOR)), k.range)

    # ---- effects -----------------------------------------------------------------------------------------------------
    def store(self, axes: list[_Axis], outs: list[UOp] | None = None) -> UOp:
        """A store into one of the outputs; `outs` are the pointers to load from."""
        out, where = self.random.choice(self.outs), self.address(axes)
        gate = None
        if axes and self.random.random() < 0.15:
            gate = self.random.choice(axes).range < self.random.randint(0, 9)
        v = self.value(axes, where, outs or self.outs).cast(_element(out))
        if self.random.random() < 0.35:  # an update: the load is of the very same place
            v = UOp(self.random.choice(OPS), (self.at(out, where).load(), v))
        return self.at(out, where, gate).store(v)

    def nest(self, outs: list[UOp] | None = None) -> UOp:
        """Loops around one to three stores, closed; perhaps with stores and loops beside the innermost loop."""
        axes = self.axes(self.random.randint(1, 3))
        ranges = [a.range for a in axes]
        inner = UOp.group(*[self.store(axes, outs) for _ in range(self.random.choice((1, 1, 2, 3)))])
        if len(axes) < 2 or self.random.random() < 0.6:
            return inner.end(*ranges)
        parts = [inner.end(ranges[-1])]
        if self.random.random() < 0.7:
            parts.insert(0, self.store(axes[:-1], outs))
        if self.random.random() < 0.5:
            parts.append(self.store(axes[:-1], outs))
        if self.random.random() < 0.3:  # the same axis again, after the first loop over it
            parts.append(self.store(axes, outs).end(ranges[-1]))
        return UOp.group(*parts).end(*ranges[:-1])

    def passes(self) -> list[UOp]:
        """Two or three nests; a later one may wait for those before it, or merely follow."""
        done = [self.nest()]
        for _ in range(self.random.randint(1, 2)):
            waits = self.random.random() < 0.6
            done.append(self.nest([o.after(*done) for o in self.outs] if waits else None))
        return done if self.random.random() < 0.5 else [UOp.group(*done)]

    def swap(self) -> list[UOp]:
        """Two elements exchanged by two stores: the second value waits for the load of the first."""
        (a,) = self.axes(1)
        out = self.random.choice(self.outs)
        one, other = self.address([a], tables=False), self.address([a], tables=False)
        x, y = self.at(out, one).load(), self.at(out, other).load()
        return [UOp.group(self.at(out, one).store(y.after(x)), self.at(out, other).store(x)).end(a.range)]

    def with_memory(self) -> list[UOp]:
        """A part of the kernel's own memory is filled, perhaps once for each iteration of an outer loop, and read in another order."""
        outer, inner = self.axes(self.random.randint(0, 1)), self.axes(self.random.randint(1, 2))
        dtype = self.random.choice(TYPES)
        spot = self.dense(inner)
        space = self.random.choice((AddrSpace.REG, AddrSpace.LOCAL, AddrSpace.GLOBAL))
        own = UOp.memory(0, dtype, spot.most + 1, space, name="own")
        filled = own[spot.index].store(self.value([*outer, *inner], spot, self.outs, 1).cast(dtype)).end(*(a.range for a in inner))
        v = own.after(filled)[spot.index].load()
        again = inner
        if all(a.range.src[1].op is Op.CONST for a in inner) and self.random.random() < 0.7:  # all of it is filled
            again = [self.axis((a.extent,)) for a in inner]
            read = self.dense(again)
            v = own.after(filled)[self.random.choice((read.index, read.index * -1 + read.most))].load()
        out, where = self.random.choice(self.outs), self.address([*outer, *again])
        v = UOp(Op.ADD, (v, self.value([*outer, *again], where, self.outs, 1).cast(dtype))).cast(_element(out))
        return [self.at(out, where).store(v).end(*(a.range for a in (*outer, *again)))]

    def scan(self) -> list[UOp]:
        """A running value in a register, carried from iteration to iteration, perhaps once for each iteration of an outer loop."""
        *outer, a = self.axes(self.random.randint(1, 2))
        dtype = self.random.choice(TYPES)
        cell = UOp.memory(0, dtype, 1, AddrSpace.REG, name="cell")
        first = cell.after(*(x.range for x in outer))[0].store(self.random.randint(0, 3))
        now = cell.after(first, a.range)
        out, where = self.random.choice(self.outs), self.address([*outer, a])
        running = UOp(self.random.choice((Op.ADD, Op.MAX, Op.XOR)), (now[0].load(), self.leaf([*outer, a], where, self.outs).cast(dtype)))
        body = UOp.group(now[0].store(running), self.at(out, where).store(running.cast(_element(out))))
        return [body.end(a.range).end(*(x.range for x in outer)) if outer else body.end(a.range)]

    def case(self) -> Case:
        """The kernel, its inputs, and what it gives as it is written."""
        kinds = (lambda: [self.nest()], self.passes, self.with_memory, self.scan, self.swap)
        effects = self.random.choices(kinds, (8, 4, 3, 1, 1))[0]()
        sink = UOp.sink(*effects, name=f"effects_{self.seed}")
        used = {p.arg.slot for p in sink.find(Op.PARAM)}
        sink = sink.substitute({p: UOp.param(sorted(used).index(p.arg.slot), _element(p), name=p.arg.name) for p in sink.find(Op.PARAM)})
        buffers = [self.contents(k) for k in sorted(used)]
        want = [b.copy() for b in buffers]
        variables = {v.arg.name for v in sink.find(Op.DEFINE_VAR)}
        vals = {name: v for name, v in self.symbols.vals.items() if name in variables}
        run_as_written(sink, want, vals)
        return Case(sink.arg.name, sink, tuple(buffers), dict(enumerate(want)), vals)

    def contents(self, slot: int) -> Array:
        """What a buffer holds at first."""
        if slot in self.tables:
            return self.tables[slot]
        return self.rng.integers(0, 50, self.sizes[slot]).astype(numpy_dtype(_element(self.params[slot])))


def _element(pointer: UOp) -> DType:
    assert isinstance(pointer.dtype, PtrDType)
    return pointer.dtype.base


def effect_case(seed: int) -> Case:
    """The random kernel with effects number `seed`."""
    return EffectKernels(seed).case()
