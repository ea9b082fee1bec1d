"""Writes thread kernels by hand, statement after statement, for tests of what executes or compiles them.

Owns: `Threads`, a builder of THREADS. Must not know the kernel language. Invariant: VALUEs get ids of their own.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from svod.dtype import AddrSpace, DType, PtrDType, dtypes
from svod.ir.args import AtomicKind, BarrierScope, MessageArg, SubgroupArg, SubgroupKind, ThreadsInfo, ValueArg
from svod.ir.ops import Op
from svod.ir.threads import block_id, thread_id
from svod.ir.uop import UOp

Number = UOp | int | float


class Threads:
    """A thread kernel being written. `with k.if_(c):` and the like hold the statements inside; `k.kernel()` is the THREADS."""

    def __init__(self, name: str = "k", block: tuple[int, int, int] = (8, 1, 1), subgroup: int = 32) -> None:
        self.info = ThreadsInfo(name, block, subgroup)
        self.open: list[list[UOp]] = [[]]
        self.values = 0
        self.memories = 0

    def kernel(self) -> UOp:
        """What was written."""
        return UOp(Op.THREADS, (UOp(Op.BLOCK, tuple(self.open[0])),), self.info)

    # ---- ids and memories -------------------------------------------------------------------------------------------
    def thread(self, axis: int = 0) -> UOp:
        """The id of the work item in its group."""
        return thread_id(axis, self.info.block)

    def block(self, axis: int = 0) -> UOp:
        """The id of the group."""
        return block_id(axis)

    def item(self, axis: int = 0) -> UOp:
        """The id of the work item in the grid."""
        return block_id(axis) * self.info.block[axis] + self.thread(axis)

    def memory(self, dtype: DType, size: int, space: AddrSpace = AddrSpace.REG, name: str = "") -> UOp:
        """Memory of the work item, or with LOCAL of the group."""
        self.memories += 1
        return UOp.memory(self.memories, dtype, size, space, name=name)

    def variable(self, dtype: DType, start: Number, name: str = "") -> UOp:
        """A variable: memory of one element, with a value."""
        cell = self.memory(dtype, 1, name=name)
        self.set(cell, start)
        return cell

    # ---- statements -----------------------------------------------------------------------------------------------------
    def do(self, statement: UOp) -> None:
        """Adds a statement."""
        self.open[-1].append(statement)

    def let(self, expr: UOp, name: str = "") -> UOp:
        """The value of `expr`, now."""
        value = self.value(expr.dtype, name)
        self.do(UOp(Op.LET, (value, expr)))
        return value

    def value(self, dtype: DType, name: str = "") -> UOp:
        """A VALUE that nothing binds yet."""
        self.values += 1
        return UOp(Op.VALUE, (), ValueArg(self.values, name), dtype)

    def load(self, pointer: UOp, index: UOp | int, gate: UOp | None = None) -> UOp:
        """The element `index`, now; 0 where `gate` does not hold."""
        return self.let(pointer.index(cast(UOp, index), gate).load())

    def get(self, cell: UOp) -> UOp:
        """The value of a variable, now."""
        return self.load(cell, 0)

    def set(self, cell: UOp, value: Number) -> None:
        """Writes a variable."""
        self.store(cell, 0, value)

    def store(self, pointer: UOp, index: UOp | int, value: Number, gate: UOp | None = None) -> None:
        """Writes element `index`."""
        self.do(pointer.index(cast(UOp, index), gate).store(value))

    def atomic(self, kind: AtomicKind, pointer: UOp, index: UOp | int, *values: Number) -> UOp:
        """The old value of an atomic update."""
        base = cast(PtrDType, pointer.dtype).base
        given = tuple(v if isinstance(v, UOp) else UOp.const(v, base) for v in values)
        return self.let(UOp(Op.ATOMIC, (pointer.index(cast(UOp, index)), *given), kind))

    def subgroup(self, kind: SubgroupKind, value: UOp, lane: Number | None = None, *, width: int = 32, op: Op | None = None) -> UOp:
        """The result of an exchange."""
        by = () if lane is None else (lane if isinstance(lane, UOp) else UOp.const(lane, dtypes.index),)
        dtype = {SubgroupKind.ANY: dtypes.bool, SubgroupKind.ALL: dtypes.bool, SubgroupKind.BALLOT: dtypes.u64}.get(kind, value.dtype)
        return self.let(UOp(Op.SUBGROUP, (value, *by), SubgroupArg(kind, width, op), dtype))

    def barrier(self) -> None:
        """All work items of the group."""
        self.do(UOp(Op.BARRIER, (), BarrierScope.GROUP))

    def print(self, text: str, *values: UOp) -> None:
        """Prints values."""
        self.do(UOp(Op.PRINT, values, MessageArg(text)))

    def check(self, condition: UOp, text: str = "", *values: UOp, place: str = "") -> None:
        """An ASSERT."""
        self.do(UOp(Op.ASSERT, (condition, *values), MessageArg(text, place)))

    def leave(self, op: Op) -> None:
        """BREAK, CONTINUE or RETURN."""
        self.do(UOp(op))

    # ---- blocks ---------------------------------------------------------------------------------------------------------
    @contextmanager
    def if_(self, condition: UOp) -> Iterator[None]:
        """What is done where the condition holds."""
        with self.inside() as body:
            yield
        self.do(UOp(Op.BRANCH, (condition, UOp(Op.BLOCK, tuple(body)), UOp(Op.BLOCK))))

    @contextmanager
    def else_(self) -> Iterator[None]:
        """What is done where the condition of the `if_` before does not hold."""
        branch = self.open[-1].pop()
        with self.inside() as body:
            yield
        self.do(branch.replace(src=(*branch.src[:2], UOp(Op.BLOCK, tuple(body)))))

    @contextmanager
    def for_(self, start: Number, stop: Number, step: Number = 1, dtype: DType = dtypes.index) -> Iterator[UOp]:
        """What is done for each value of a range."""
        value = self.value(dtype, "i")
        bounds = tuple(b if isinstance(b, UOp) else UOp.const(b, dtype) for b in (start, stop, step))
        with self.inside() as body:
            yield value
        self.do(UOp(Op.FOR, (value, *bounds, UOp(Op.BLOCK, tuple(body)))))

    @contextmanager
    def loop(self) -> Iterator[None]:
        """What is done until a BREAK."""
        with self.inside() as body:
            yield
        self.do(UOp(Op.LOOP, (UOp(Op.BLOCK, tuple(body)),)))

    @contextmanager
    def inside(self) -> Iterator[list[UOp]]:
        """The statements of a BLOCK."""
        self.open.append([])
        yield self.open[-1]
        self.open.pop()
