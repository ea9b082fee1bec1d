"""The part `bad`: bad inputs of each kind, refused by a typed error; afterwards the device is as good as before.

Owns: BAD. Must not know any device.
Invariant: nothing here hangs, and nothing is written by what is refused.
"""
# mypy: disable-error-code="valid-type,operator,misc,index,untyped-decorator"
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import svod.lang as sl
from svod.device.allocator import AllocOptions, Block, HostAllocator
from svod.device.buffer import Buffer
from svod.device.device import Device
from svod.dtype import dtypes
from svod.errors import ArgumentError, CompileError, GraphError, LaunchError, OutOfMemory, SvodError, TextError, UnsupportedError
from svod.ir.uop import UOp
from svod.lang.sizes import limits_of
from svod.testing.conformance.launches import added, arrays, equal, refused
from svod.testing.conformance.records import Check
from svod.testing.kernels import axes, p

PART = "bad"
BAD: list[Check] = []
Body = Callable[[Device], None]
NONSENSE = "\nsvod_nonsense ( } 1 ] ;\n"
"""In no language that kernels are compiled from."""


def bad(what: str) -> Callable[[Body], Body]:
    """Decorator: a body as a check of this name; behind it a good kernel must run."""
    def add(body: Body) -> Body:
        def whole(device: Device) -> None:
            body(device)
            out, a, b = arrays(100)
            added(device).execute([out, a, b], [100])
            equal(out, a + 1, "a good kernel behind it")
        BAD.append(Check(PART, what, whole))
        return body
    return add


@sl.kernel
def ones(out: sl.Array[sl.f32]) -> None:
    out[sl.global_id()] = 1.0


# --- more than there is ---------------------------------------------------------------------------------------------------------------

@bad("groups of too many work items")
def too_many_threads(device: Device) -> None:
    """The limit is named."""
    most, out = limits_of(device.target.limits), np.full(4, 7, np.float32)
    kernel = ones.on(_named(device))
    for block in (most.threads + 1, most.block[0] + 1, (1, 1, most.block[2] + 1), 1 << 40):
        refused(lambda block=block: kernel[1, block](out), SvodError, "ones", "limit")
    equal(out, 7)


@bad("a grid of too many groups")
def too_many_groups(device: Device) -> None:
    """Along each axis."""
    grid, out = device.target.limits.grid, np.full(4, 7, np.float32)
    kernel = ones.on(_named(device))
    for axis in range(3):
        size = tuple(grid[axis] + 1 if a == axis else 1 for a in range(3))
        refused(lambda size=size: kernel[size, 1](out), LaunchError, "ones", f"limit grid[{axis}]")
    equal(out, 7)


@bad("too much shared memory")
def too_much_shared(device: Device) -> None:
    """When it is compiled, or when it is launched; the limit is named."""
    most, out = device.target.limits.shared_bytes, np.full(8, 7, np.float32)

    @sl.kernel
    def greedy(o: sl.Array[sl.f32]) -> None:
        tile = sl.shared(most + 1, sl.u8)
        x = sl.thread_idx.x
        tile[x] = sl.u8(1)
        sl.barrier()
        o[x] = sl.f32(tile[7 - x])

    refused(lambda: greedy.on(_named(device))[1, 8](out), SvodError, "greedy", str(most))
    equal(out, 7)


@bad("more memory than there is")
def out_of_memory(device: Device) -> None:
    """OutOfMemory, and a small buffer afterwards."""
    refused(lambda: Buffer(device, 1 << 45, dtypes.u8).block, OutOfMemory)
    for size in (-1, 1 << 60, 2.5, "many", True):
        refused(lambda size=size: Buffer(device, size, dtypes.f32).block, SvodError)
    equal(Buffer(device, 3, dtypes.f32).copyin(np.ones(3, np.float32)).numpy(), 1)


# --- what is not for this device ------------------------------------------------------------------------------------------------------

class _FarAllocator(HostAllocator):
    """Gives memory that the host cannot reach, as far as others know."""

    @property
    def on_host(self) -> bool:
        return False

    def alloc(self, nbytes: int, options: AllocOptions = AllocOptions()) -> Block:  # noqa: B008  (frozen)
        return replace(super().alloc(nbytes, options), address=None)


class _Far:
    """A device of which nothing else is known."""

    name = "ELSEWHERE"
    allocator = _FarAllocator()


@bad("a buffer of another device")
def foreign_buffer(device: Device) -> None:
    """ArgumentError that says how to copy it."""
    out, a, b = arrays(16)
    program, far = added(device), Buffer(_Far(), 16, dtypes.f32)
    refused(lambda: program.execute([out, far, b], [16]), ArgumentError, "added", "'a'", "to(")
    refused(lambda: program.execute([far, a, b], [16]), ArgumentError, "added", "'out'")
    equal(out, 7)


@bad("what is no kernel")
def no_kernel(device: Device) -> None:
    """GraphError."""
    for given in (UOp.const(1, dtypes.i32) + UOp.variable("v", 0, 1, dtypes.i32), "added", None, [1]):
        refused(lambda given=given: device.compile(given), GraphError, "takes a SINK")
    a, b = (UOp.param(0, dtypes.f32, name=n) for n in "ab")
    refused(lambda: device.compile(UOp.sink(a[0].store(b[0].load()))), GraphError, "slot 0")


@bad("reaching outside of a buffer")
def out_of_bounds(device: Device) -> None:
    """What can be known before the launch is refused before it."""
    (i,) = axes(UOp.variable("n", 0, 9))
    below = device.compile(UOp.sink(p(0, "out")[i - 5].store(-1.0), name="below"))
    whole = np.arange(30, dtype=np.float32)
    refused(lambda: below(whole[10:20], n=3), ArgumentError, "below element 0 of buffer 'out'")
    out, a, b = arrays(10)
    refused(lambda: added(device).execute([out, a, b], [11]), ArgumentError, "at least 11 elements")
    equal(whole, np.arange(30))


@bad("source that does not compile")
def broken_source(device: Device) -> None:
    """CompileError with what the compiler said; the interpreter's text is parsed instead."""
    (i,) = axes(4)
    spec = device.renderer.render(UOp.sink(p(0, "out")[i].store(2.0), name="broken"))
    wrong = replace(spec, src=spec.src + NONSENSE)
    refused(lambda: device.runtime(device.compiler.compile(wrong)), (CompileError, TextError), "svod_nonsense")


def _named(device: Device) -> Any:
    """The device, as kernels take it. UnsupportedError if it cannot be opened by its name."""
    try:
        known = Device(device.name) is device
    except SvodError:
        known = False
    if not known:
        raise UnsupportedError(f"no device can be opened as {device.name}, and kernels name theirs")
    return device
