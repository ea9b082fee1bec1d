"""`SmemAllocator`: arrays in shared memory, declared outside of the kernel that uses them.

Owns: the arrays that are declared, their places, the limits by architecture. Must not know kernels.
Invariant: each declared array is memory of its own, one for each block of a launch; its contents are undefined at first. `finalize` is
optional: the first use in a kernel checks as well.
"""
from __future__ import annotations

import math
from typing import Any

from svod.compat.flydsl.expr.typing import element_type
from svod.compat.flydsl.faults import SharedMemoryOverflow
from svod.dtype import AddrSpace, DType
from svod.errors import KernelError
from svod.lang.builtin import Builtin
from svod.lang.elements import element_index, read_element, store_element
from svod.lang.tracer import Tracer
from svod.lang.value import Array, Vector

CAPACITY = {"gfx942": 65536, "gfx950": 163840}
"""Bytes of shared memory of a block, by architecture."""
ROUNDING = 128


class SmemBase:
    """What get_base() gives: which allocator's memory a view is of."""

    def __init__(self, allocator: SmemAllocator) -> None:
        self.allocator = allocator


class SmemPtr:
    """A view of shared memory in a kernel: `.load([i])`, `.store(value, [i])`, `.get()`; without an index: element 0."""

    def __init__(self, array: Array) -> None:
        self.array, self.shape = array, array.shape
        self.get = Builtin(lambda t: array, "get")
        self.load = Builtin(lambda t, index=None: read_element(t, array, self._index(index)), "load")
        self.store = Builtin(self._store, "store")

    def _store(self, t: Tracer, value: Any, index: Any = None) -> None:
        if isinstance(value, Vector):
            raise KernelError("SmemPtr.store() of a vector", hint="vector.store(v, view.get(), [i])")
        store_element(t, self.array, element_index(t, self.array, self._index(index)), value)

    def _index(self, index: Any) -> tuple[Any, ...]:
        if index is None:
            return (0,) * len(self.shape)
        return tuple(index) if isinstance(index, (list, tuple)) else (index,)


class SmemArray(Builtin):
    """A declared array. In a kernel, called with the base, it gives a SmemPtr."""

    def __init__(self, allocator: SmemAllocator, dtype: DType, shape: tuple[int, ...], offset: int) -> None:
        self.allocator, self.dtype, self.shape, self.offset = allocator, dtype, shape, offset
        super().__init__(self._view, f"{allocator.name}+{offset}")

    def _view(self, t: Tracer, base: Any) -> SmemPtr:
        if not isinstance(base, SmemBase) or base.allocator is not self.allocator:
            raise KernelError("a view of shared memory is made from the base of its own allocator", hint="view(allocator.get_base())")
        if (found := t.state.get(self)) is None:
            memory = t.builder.memory(self.dtype, math.prod(self.shape), AddrSpace.LOCAL, self.allocator.name)
            found = t.state[self] = SmemPtr(Array(memory, self.dtype, self.shape, self.allocator.name))
        return found


class SmemAllocator:
    """Declares shared memory: `a = allocator.allocate_array(T.f32, 256)`; in the kernel `view = a(allocator.get_base())`."""

    def __init__(self, ctx: Any = None, arch: str | None = None, global_sym_name: str = "smem_storage") -> None:
        self.arch, self.name, self.size, self.finalized = arch, global_sym_name, 0, False
        self.get_base = Builtin(self._base, "get_base")

    def allocate_array(self, dtype: Any, shape: Any, alignment: int | None = None) -> SmemArray:
        """Declares an array of a number of elements, or of a shape. KernelError after `finalize`, or for a shape that is no number."""
        if self.finalized:
            raise KernelError(f"{self.name} was finalized", hint="allocate before the kernel that uses it, and before finalize()")
        extents = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
        if not extents or any(type(e) is not int or e < 1 for e in extents):
            raise KernelError(f"an array of shape {shape!r} in shared memory", hint="numbers of 1 or more")
        kind = element_type(dtype)
        step = alignment or min(kind.itemsize, 16)
        offset = -(-self.size // step) * step
        self.size = offset + math.prod(extents) * kind.itemsize
        return SmemArray(self, kind, extents, offset)

    def finalize(self) -> None:
        """Nothing is allocated from here on. SharedMemoryOverflow (a RuntimeError) if there is too much. May be called again."""
        self.check()
        self.finalized = True

    def check(self) -> None:
        """SharedMemoryOverflow if the architecture has less than is allocated."""
        total, limit = -(-self.size // ROUNDING) * ROUNDING, CAPACITY.get(self.arch or "")
        if limit is not None and total > limit:
            raise SharedMemoryOverflow(f"Shared Memory Overflow: Requested {total} bytes, but device {self.arch} limit is {limit} bytes.")

    def _base(self, t: Tracer) -> SmemBase:
        self.check()
        if (base := t.state.get(self)) is None:
            base = t.state[self] = SmemBase(self)
        return base
