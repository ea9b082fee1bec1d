"""Loads, stores and atomics of vectors of work items: which memory, which addresses, which lanes take part.

Owns: the memory that variables and local arrays live in, gates, lanes done one after the other. Must not know control flow.
Invariants: a lane that is masked off touches nothing; where lanes store to one address, the highest one that takes part wins.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from svod.codegen.simt.emit import index
from svod.codegen.simt.exchange import exchanged, neutral_of
from svod.codegen.simt.lanes import both, ramp, some, splat
from svod.dtype import AddrSpace, DType, PtrDType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

if TYPE_CHECKING:
    from svod.codegen.simt.body import Body, Mask

REDUCING = {AtomicKind.ADD: Op.ADD, AtomicKind.MIN: Op.MIN, AtomicKind.MAX: Op.MAX, AtomicKind.AND: Op.AND, AtomicKind.OR: Op.OR,
            AtomicKind.XOR: Op.XOR}

STRAIGHT = 4
"""Atomics of lanes written one after the other in an iteration, where all lanes take part."""


class Access:
    """The memory accesses of one Body."""

    def __init__(self, body: Body) -> None:
        self.body, self.out = body, body.out
        self.ideal: set[UOp] = set()
        """Cells of the dtype index: they hold 64 bits."""

    # ---- memory of its own -----------------------------------------------------------------------------------------
    def cell(self, dtype: DType, *, lanes: int = 0, size: int = 1) -> UOp:
        """New memory for `size` elements of each lane (of all lanes together if `lanes` is 1)."""
        kept = dtypes.i64 if dtype is dtypes.index else dtype
        cell = UOp.memory(self.body.memories(), kept, size * (lanes or self.body.width), AddrSpace.REG, name="v")
        if kept is not dtype:
            self.ideal.add(cell)
        return cell

    def read(self, cell: UOp) -> UOp:
        """The element of each lane (the one element of a shared cell) as it is now."""
        value = self._bind(cell, ramp(index(0), cell.arg.size), None, None)
        return value.cast(dtypes.index.vec(value.dtype.lanes)) if cell in self.ideal else value

    def write(self, cell: UOp, value: UOp, mask: Mask) -> None:
        """Sets the elements of the lanes in `mask`."""
        lanes = cell.arg.size
        value = splat(value, lanes)
        if mask is not None and lanes > 1:
            value = splat(mask, lanes).where(value, self.read(cell))
        if cell in self.ideal:
            value = value.cast(dtypes.i64.vec(lanes))
        self.out.do(UOp(Op.STORE, (UOp(Op.INDEX, (cell, ramp(index(0), lanes))), rewrite(value, SIMPLIFY))))

    def fetch(self, memory: UOp, at: UOp) -> UOp:
        """The elements of `memory` at `at`, ungated."""
        return self._bind(memory, at, None, None)

    def keep(self, memory: UOp, at: UOp, value: UOp) -> None:
        """Stores `value` at `at`, ungated."""
        self.out.do(UOp(Op.STORE, (UOp(Op.INDEX, (memory, at)), rewrite(splat(value, at.dtype.lanes), SIMPLIFY))))

    def cells_of(self, memory: UOp) -> list[UOp]:
        """The memories that hold a variable or local array: one for each copy, or one for all if it is the same everywhere."""
        cells = self.body.cells
        if memory not in cells:
            if memory not in self.body.facts.varying:
                cells[memory] = [self.cell(_element(memory), lanes=1, size=memory.arg.size)] * self.body.copies
            else:
                cells[memory] = [self.cell(_element(memory), size=memory.arg.size) for _ in range(self.body.copies)]
        return cells[memory]

    # ---- addresses -----------------------------------------------------------------------------------------------
    def _places(self, address: UOp) -> list[tuple[UOp, UOp]]:
        """Pointer and index for each copy."""
        memory, at = address.src[0], self.body.value(address.src[1])
        if memory.op is not Op.DEFINE_REG:
            return [(memory, i) for i in at]
        width = self.body.width
        out = []
        for cell, i in zip(self.cells_of(memory), at, strict=True):
            if cell.arg.size == memory.arg.size and memory not in self.body.facts.varying:
                out.append((cell, i))
            elif i.dtype.lanes == 1:
                out.append((cell, rewrite(ramp(i * width, width), SIMPLIFY)))
            else:
                out.append((cell, rewrite(i * splat(index(width), width) + ramp(index(0), width), SIMPLIFY)))
        return out

    def _gates(self, address: UOp) -> list[UOp | None]:
        if len(address.src) == 3:
            return list(self.body.value(address.src[2]))
        return [None] * self.body.copies

    def _bind(self, memory: UOp, at: UOp, gate: UOp | None, alt: UOp | None) -> UOp:
        """A LOAD done here; what it yields."""
        token = self.out.token(_element(memory).vec(at.dtype.lanes))
        pointer = memory.after(token)
        if gate is None:
            return self.out.bind(UOp(Op.LOAD, (UOp(Op.INDEX, (pointer, at)),)), token)
        other = alt if alt is not None else UOp.const(0, token.dtype)
        return self.out.bind(UOp(Op.LOAD, (UOp(Op.INDEX, (pointer, at, gate)), other)), token)

    # ---- loads ---------------------------------------------------------------------------------------------------
    def load(self, load: UOp) -> list[UOp]:
        """What a LOAD yields for each copy; copies that read the same element share it."""
        address = load.src[0]
        alts = self.body.value(load.src[1]) if len(load.src) == 2 else [None] * self.body.copies
        single = address.src[0].op is Op.DEFINE_REG and address.src[0].arg.size == 1
        done: dict[tuple[UOp | None, ...], UOp] = {}
        out = []
        masks = [None] * self.body.copies if single else self.body.mask
        for (memory, at), gate, alt, mask in zip(self._places(address), self._gates(address), alts, masks, strict=True):
            key = (memory, at, gate, alt, None if at.dtype.lanes == 1 and self.body.covered else mask)
            if key not in done:
                done[key] = self._load(memory, at, gate, alt, mask)
            out.append(done[key])
        return out

    def _load(self, memory: UOp, at: UOp, gate: UOp | None, alt: UOp | None, mask: Mask) -> UOp:
        lanes, width = at.dtype.lanes, self.body.width
        if lanes > 1:
            m = both(gate, None if self._whole(mask) else mask, width)
            return self._bind(memory, at, None if m is None else splat(m, width), None if alt is None else splat(alt, width))
        if gate is None:
            return self._bind(memory, at, None if mask is None or self.body.covered else some([mask]), None)
        m = both(gate, mask, width)
        scalar = gate.dtype.lanes == 1 and alt is not None and alt.dtype.lanes == 1
        taken = m if m is not None and m.dtype.lanes == 1 else some([gate if m is None else m])
        value = self._bind(memory, at, taken, alt if scalar else None)
        if scalar:
            return value
        other = alt if alt is not None else UOp.const(0, value.dtype)
        return rewrite(splat(gate, width).where(splat(value, width), splat(other, width)), SIMPLIFY)

    def _whole(self, mask: Mask) -> bool:
        """Whether a mask is the same for all lanes, and known to hold here."""
        return mask is None or (mask.dtype.lanes == 1 and self.body.covered)

    # ---- stores --------------------------------------------------------------------------------------------------
    def store(self, store: UOp) -> None:
        """A STORE by each copy in turn."""
        address = store.src[0]
        memory = address.src[0]
        values = self.body.value(store.src[1])
        if memory.op is Op.DEFINE_REG and memory.arg.size == 1 and len(address.src) == 2:
            written = set()
            for cell, value, mask in zip(self.cells_of(memory), values, self.body.mask, strict=True):
                if cell not in written:
                    self.write(cell, value, mask)
                written.add(cell)
            return
        last = None
        for (pointer, at), gate, value, mask in zip(self._places(address), self._gates(address), values, self.body.mask, strict=True):
            this = (pointer, at, gate, value, mask)
            if this != last:
                self._store(*this)
            last = this

    def _store(self, memory: UOp, at: UOp, gate: UOp | None, value: UOp, mask: Mask) -> None:
        width = self.body.width
        m = both(gate, None if self._whole(mask) else mask, width)
        if at.dtype.lanes == 1 and value.dtype.lanes == 1:
            if gate is None and self.body.covered:
                m = None
            elif m is not None and m.dtype.lanes > 1:
                m = some([m])
        elif at.dtype.lanes == 1 and m is None:
            value = UOp(Op.EXTRACT, (value,), width - 1, value.dtype.scalar)
        else:
            at, value, m = splat(at, width), splat(value, width), None if m is None else splat(m, width)
        src = (memory, at) if m is None else (memory, at, m)
        self.out.do(UOp(Op.STORE, (UOp(Op.INDEX, src), value)))

    # ---- atomics -------------------------------------------------------------------------------------------------
    def atomic(self, atomic: UOp) -> list[UOp]:
        """The old values, for each copy."""
        address = atomic.src[0]
        operands = [self.body.value(s) for s in atomic.src[1:]]
        out = []
        for j, ((memory, at), gate) in enumerate(zip(self._places(address), self._gates(address), strict=True)):
            if memory.op is Op.DEFINE_REG:
                raise UnsupportedError("an atomic on a variable of one work item", hint="a plain assignment does")
            out.append(self._one_by_one(atomic, memory, at, both(gate, self.body.mask[j], self.body.width), [o[j] for o in operands]))
        return out

    def combined_atomic(self, atomic: UOp) -> bool:
        """An ATOMIC whose old values nobody wants, at one address for all lanes: their values are combined first. False if it is not so."""
        address, kind = atomic.src[0], atomic.arg
        places, gates = self._places(address), self._gates(address)
        if kind not in REDUCING or any(at.dtype.lanes > 1 or m.op is Op.DEFINE_REG for m, at in places):
            return False
        together: dict[tuple[UOp, UOp], list[tuple[UOp, Mask]]] = {}
        for place, gate, value, mask in zip(places, gates, self.body.value(atomic.src[1]), self.body.mask, strict=True):
            together.setdefault(place, []).append((value, both(gate, mask, self.body.width)))
        for (memory, at), parts in together.items():
            self._combined(memory, at, parts, kind)
        return True

    def _combined(self, memory: UOp, at: UOp, parts: list[tuple[UOp, Mask]], kind: AtomicKind) -> None:
        op, width = REDUCING[kind], self.body.width
        kept = [v if m is None else splat(m, width).where(v, splat(neutral_of(op, v.dtype.scalar), width))
                for v, m in ((splat(v, width), m) for v, m in parts)]
        joined = kept[0]
        for k in kept[1:]:
            joined = UOp(op, (joined, k))
        total = joined if width == 1 else UOp(Op.LANES, (joined,), op, joined.dtype.scalar)
        masks = [m for _, m in parts if m is not None]
        opened = len(masks) == len(parts) and self.out.branch(some(masks))
        self._atomic(UOp(Op.ATOMIC, (UOp(Op.INDEX, (memory, at)), total), kind), memory, at, [rewrite(total, SIMPLIFY)])
        self.out.end_branch(opened)

    def _one_by_one(self, atomic: UOp, memory: UOp, at: UOp, mask: Mask, operands: list[UOp]) -> UOp:
        """Each lane that takes part does its atomic, the lowest first."""
        width = self.body.width
        if width == 1:
            old = self.cell(operands[0].dtype)
            opened = mask is not None and self.out.branch(mask)
            self.write(old, self._atomic(atomic, memory, at, operands), None)
            self.out.end_branch(opened)
            return self.read(old)
        old = self.cell(operands[0].dtype.scalar)
        flag, *of = (_uniform if u is None or u.dtype.lanes == 1 else self._one_of(u) for u in (mask, at, *operands))
        step = STRAIGHT if mask is None and width % STRAIGHT == 0 else 1
        r = self.out.range(index(0), index(width // step))
        for k in range(step):
            lane = rewrite(r * step + k, SIMPLIFY)
            opened = mask is not None and self.out.branch(flag(mask, lane))
            got = self._atomic(atomic, memory, of[0](at, lane), [f(o, lane) for f, o in zip(of[1:], operands, strict=True)])
            self.out.do(UOp(Op.STORE, (UOp(Op.INDEX, (old, lane)), got)))
            self.out.end_branch(opened)
        self.out.end_range(r)
        return self.read(old)

    def _atomic(self, atomic: UOp, memory: UOp, at: UOp, operands: list[UOp]) -> UOp:
        """One work item's atomic. Of memory of the group it need not be one: a group runs on one core."""
        if memory.op is Op.DEFINE_LOCAL:
            old = self._bind(memory, at, None, None)
            self.out.do(UOp(Op.STORE, (UOp(Op.INDEX, (memory, at)), rewrite(_updated(atomic.arg, old, operands), SIMPLIFY))))
            return old
        token = self.out.token(operands[0].dtype)
        return self.out.bind(UOp(Op.ATOMIC, (UOp(Op.INDEX, (memory.after(token), at)), *operands), atomic.arg), token)

    def _one_of(self, vector: UOp) -> Callable[[UOp, UOp], UOp]:
        """What gives one lane of `vector`: from memory, where it is as narrow as it came."""
        narrow = vector
        while narrow.op is Op.CAST and narrow.src[0].dtype.scalar.is_int and narrow.src[0].dtype.itemsize < narrow.dtype.itemsize:
            narrow = narrow.src[0]
        cell, kind = self._spilled(narrow), narrow.dtype.scalar
        return lambda whole, lane: rewrite(self._bind(cell, lane, None, None).cast(kind).cast(whole.dtype.scalar), SIMPLIFY)

    def _spilled(self, vector: UOp) -> UOp:
        """Memory that holds the lanes of `vector`, to be read one by one."""
        kept = vector.cast(dtypes.i64.vec(vector.dtype.lanes)) if vector.dtype.scalar is dtypes.index else vector
        cell = self.cell(kept.dtype.scalar)
        self.write(cell, kept, None)
        return cell

    def picked(self, vector: UOp, lanes: UOp) -> UOp:
        """Lane `lanes[l]` of `vector` in lane l."""
        return self._bind(self._spilled(vector), lanes, None, None)

    # ---- exchanges -----------------------------------------------------------------------------------------------
    def exchange(self, subgroup: UOp) -> list[UOp]:
        """What a SUBGROUP yields for each copy."""
        operands = [self.body.value(s) for s in subgroup.src]
        return [exchanged(self, subgroup, [o[j] for o in operands], self.body.mask[j], self.body.width) for j in range(self.body.copies)]


def _uniform(value: UOp, lane: UOp) -> UOp:
    """The one value of all lanes."""
    return value


def _updated(kind: AtomicKind, old: UOp, operands: list[UOp]) -> UOp:
    """What an atomic leaves in memory that held `old`."""
    new = operands[0]
    if kind in REDUCING:
        return UOp(REDUCING[kind], (old, new))
    if kind is AtomicKind.EXCHANGE:
        return new
    bits = {1: dtypes.u8, 2: dtypes.u16, 4: dtypes.u32, 8: dtypes.u64}[new.dtype.itemsize]
    same = old.eq(operands[1]) if new.dtype.is_int else old.bitcast(bits).eq(operands[1].bitcast(bits))
    return same.where(new, old)


def _element(memory: UOp) -> DType:
    assert isinstance(memory.dtype, PtrDType)
    return memory.dtype.base
