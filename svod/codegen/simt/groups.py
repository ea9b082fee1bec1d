"""A group with barriers and more work items than run in lockstep: region by region, each region for all vectors before the next.

Owns: where regions begin and end, and what lives across them. Must not know how statements run (body.py does).
Invariants: a region runs for all work items before the next one begins; what is uniform is done once for the group, in written order.
"""
from __future__ import annotations

from collections.abc import Callable

from svod.codegen.simt.body import Body
from svod.codegen.simt.emit import Emitter, index
from svod.codegen.simt.lanes import Shape, ramp, some
from svod.codegen.simt.shape import exit_arm, has_barrier, jumps_out
from svod.codegen.simt.uniform import Uniformity
from svod.dtype import AddrSpace, DType, PtrDType, dtypes
from svod.errors import UnsupportedError
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

Together = Callable[[UOp, int], int]


class Group(Body):
    """The whole group: does what is uniform itself, and has regions run for its vectors. `kernel` is the BLOCK of all statements."""

    def __init__(self, out: Emitter, shape: Shape, facts: Uniformity, group: tuple[UOp, ...], memories: Callable[[], int]) -> None:
        super().__init__(out, shape, facts, group, memories)
        self.mask, self.memo = [None], [{}]
        self.ids = [(index(0), index(0), index(0))]
        self.arrays: dict[UOp, UOp] = {}
        self.kernel = UOp(Op.BLOCK)
        self.depth = 0

    def run(self, kernel: UOp, together: Together) -> None:
        """The statements of the kernel; `together(region, vectors)` says how many vectors run in lockstep."""
        self.kernel, self.together = kernel, together
        if self.facts.returns:
            self.flags_array = self._array(dtypes.bool)
            self._each_vector(UOp(Op.BLOCK), self._clear)
        self.block(kernel)

    def block(self, block: UOp, *, loop: bool = False) -> None:
        self.depth += loop
        pending: list[UOp] = []
        opened: list[bool] = []
        for k, s in enumerate(block.src):
            rest = block.src[k + 1:]
            if s.op is Op.BARRIER:
                pending = self._flush(pending, block.src[k:])
            elif loop and not has_barrier(s) and (arm := exit_arm(s)) and self.facts.uniform(arm[0]):
                pending = self._flush(pending, block.src[k:])
                self.out.leave(self.value(arm[0])[0])
                self.block(UOp(Op.BLOCK, (*arm[1].src, *rest)))
                break
            elif has_barrier(s) or jumps_out(s) - {Op.RETURN}:
                pending = self._flush(pending, block.src[k:])
                self._control(s)
                if self.dead:
                    break
                if jumps := jumps_out(s) - {Op.RETURN}:
                    self.after_jumps(jumps, opened, loop=loop)
            elif self._is_uniform(s):
                if _ordered(s, pending):
                    pending = self._flush(pending, block.src[k:])
                self.statement(s)
            else:
                pending.append(s)
        else:
            self._flush(pending, ())
        for o in reversed(opened):
            self.out.end_branch(o)
        self.depth -= loop

    def _control(self, s: UOp) -> None:
        """A branch or loop with a barrier in it: all work items go the same way."""
        if not all(self.facts.uniform(x) for x in s.src if x.op not in (Op.BLOCK, Op.VALUE)):
            raise UnsupportedError("a barrier where work items may go different ways: its condition differs between them", at=s.op.name,
                                   hint="take the barrier out of the branch, or make the condition the same for the whole group", about=s)
        self.statement(s)

    def _is_uniform(self, s: UOp) -> bool:
        """Whether the whole group does `s` as one."""
        if s.op is Op.LET:
            return s.src[0] not in self.facts.varying and s.src[1].op is Op.LOAD
        return s.op is Op.STORE and s.src[0].src[0].op is Op.DEFINE_REG and s.src[0].src[0] not in self.facts.varying

    # ---- regions ------------------------------------------------------------------------------------------------
    def _flush(self, statements: list[UOp], rest: tuple[UOp, ...]) -> list[UOp]:
        """Runs the statements for all vectors; `rest` is what comes after them in the same BLOCK."""
        if statements:
            region = UOp(Op.BLOCK, tuple(statements))
            later = set().union(*(r.toposort() for r in rest)) if rest else set()
            kept = [s.src[0] for s in statements if s.op is Op.LET and s.src[0] in later and s.src[0] in self.facts.varying]
            given = [v for v in self.arrays if v.op is Op.VALUE and v in set(region.toposort())]
            cells = self._cells_of(region)
            common = [m for m in _written(region) if m not in self.facts.varying]
            shared = {m: (self.access.cell(_base(m), lanes=1), self.access.cells_of(m)[0]) for m in common}
            self._each_vector(region, lambda part, at: self._region(part, at, region, (kept, given, cells), shared))
            for after, top in shared.values():
                self.access.write(top, self.access.read(after), None)
        return []

    def _each_vector(self, region: UOp, run: Callable[[Body, list[UOp]], None]) -> None:
        n = self.shape.vectors
        copies = self.together(region, n)
        v = self.out.range(index(0), index(n // copies)) if n > copies else None
        first = index(0) if v is None else rewrite(v * copies, SIMPLIFY)
        part = Body(self.out, self.shape, self.facts, self.group, self.memories)
        part.start(first, copies)
        run(part, [rewrite(ramp((first + j) * self.width, self.width), SIMPLIFY) for j in range(copies)])
        if v is not None:
            self.out.end_range(v)

    def _clear(self, part: Body, at: list[UOp]) -> None:
        for i in at:
            self._put(self.flags_array, i, UOp.const(False, dtypes.bool.vec(self.width)))

    def _region(self, part: Body, at: list[UOp], region: UOp, crossing: tuple[list[UOp], list[UOp], list[UOp]],
                shared: dict[UOp, tuple[UOp, UOp]]) -> None:
        kept, given, cells = crossing
        part.values = {v: u * part.copies for v, u in self.values.items()}
        part.values |= {v: [self._get(self.arrays[v], i) for i in at] for v in given}
        part.cells = {m: c * part.copies for m, c in self.cells.items()}
        for m, (_, top) in shared.items():
            local = part.access.cell(_base(m), lanes=1)
            part.access.write(local, self.access.read(top), None)
            part.cells[m] = [local] * part.copies
        for m in cells:
            part.cells[m] = [part.access.cell(_base(m), size=m.arg.size) for _ in at]
            self._move(part, m, at, load=True)
        opened = self._enter(part, at)
        part.block(region)
        for v in kept:
            for i, u in zip(at, part.values[v], strict=True):
                self._put(self._array_of(v, v.dtype), i, u)
        self.out.end_branch(opened)
        for m in cells:
            if m in _written(region):
                self._move(part, m, at, load=False)
        for m, (after, _) in shared.items():
            part.access.write(after, part.access.read(part.cells[m][0]), None)
        if self.facts.returns:
            for i, c in zip(at, part.gone, strict=True):
                self._put(self.flags_array, i, part.access.read(c))

    def _enter(self, part: Body, at: list[UOp]) -> bool:
        """Takes the work items that have returned out of the mask."""
        if not self.facts.returns:
            return False
        part.gone = [part.access.cell(dtypes.bool) for _ in at]
        for i, c in zip(at, part.gone, strict=True):
            part.access.write(c, self._get(self.flags_array, i), None)
        part.mask = part._without(part.mask, [part.gone])
        part.covered = len(part.mask) == 1
        return self.out.branch(some([m for m in part.mask if m is not None]))

    # ---- what lives across regions ------------------------------------------------------------------------------
    def _cells_of(self, region: UOp) -> list[UOp]:
        """The variables of each work item that `region` uses and that live beyond it."""
        used = [m for m in _memories(region) if m in self.facts.varying]
        return [m for m in used if _uses(self.kernel, m) > _uses(region, m) or (self.depth and m.arg.size > 1)]

    def _array(self, dtype: DType, size: int = 1) -> UOp:
        kept = dtypes.i64 if dtype is dtypes.index else dtype
        return UOp.memory(self.memories(), kept, self.shape.vectors * self.width * size, AddrSpace.LOCAL, name="items")

    def _array_of(self, what: UOp, dtype: DType, size: int = 1) -> UOp:
        if what not in self.arrays:
            self.arrays[what] = self._array(dtype, size)
        return self.arrays[what]

    def _get(self, array: UOp, at: UOp) -> UOp:
        return self.access.fetch(array, at)

    def _put(self, array: UOp, at: UOp, value: UOp) -> None:
        self.access.keep(array, at, value)

    def _move(self, part: Body, memory: UOp, at: list[UOp], *, load: bool) -> None:
        """Copies a variable (each element of a local array) between its array over all work items and the copies of a region."""
        size, width = memory.arg.size, self.width
        array = self._array_of(memory, _base(memory), size)
        for i, cell in zip(at, part.cells[memory], strict=True):
            first = i.src[0] if i.op is Op.RAMP else i
            for k in range(size):
                there = i if size == 1 else rewrite(ramp(first * size + k * width, width), SIMPLIFY)
                here = ramp(index(k * width), width)
                if load:
                    self.access.keep(cell, here, self._get(array, there))
                else:
                    self._put(array, there, self.access.fetch(cell, here))


def _base(memory: UOp) -> DType:
    assert isinstance(memory.dtype, PtrDType)
    return memory.dtype.base


def _memories(block: UOp) -> list[UOp]:
    return [u for u in block.toposort() if u.op is Op.DEFINE_REG]


def _written(block: UOp) -> list[UOp]:
    return list(dict.fromkeys(u.src[0].src[0] for u in block.toposort() if u.op is Op.STORE and u.src[0].src[0].op is Op.DEFINE_REG))


def _uses(block: UOp, memory: UOp) -> int:
    """How many statements touch `memory`; a statement that stands twice counts twice."""
    return sum(_uses(s, memory) if s.op is Op.BLOCK else sum(_uses(x, memory) for x in s.src if x.op is Op.BLOCK) if s.op in
               (Op.BRANCH, Op.FOR, Op.LOOP) else memory in s.toposort() for s in block.src)


def _ordered(s: UOp, pending: list[UOp]) -> bool:
    """Whether a uniform statement must wait for the statements before it."""
    if not pending:
        return False
    region = UOp(Op.BLOCK, tuple(pending))
    if s.op is Op.STORE:
        return s.src[0].src[0] in _memories(region)
    memory = s.src[1].src[0].src[0]
    if memory.op is Op.DEFINE_REG:
        return memory in _written(region)
    return any(u.op in (Op.STORE, Op.ATOMIC) and u.src[0].src[0].op is not Op.DEFINE_REG for u in region.toposort())
