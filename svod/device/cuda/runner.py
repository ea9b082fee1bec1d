"""Kernels of CUDA devices: from an image to a loaded function, and from checked arguments to a launch.

Owns: loading, what a launch passes, launches that were seen before. Must not know how images are made, nor who calls the driver.
Invariants: host arrays are copied to the device before and, where the kernel writes, back after a launch, which is waited for; a launch
that nobody waits for keeps its buffers, and what its groups share, until it is done; phases of a kernel are launched one behind the other
in one stream; what was found good of places, sizes and values is good the next time.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from svod.device.arguments import HostView
from svod.device.buffer import Buffer
from svod.device.cuda.api import (
    FUNCTION_DYNAMIC,
    FUNCTION_LOCAL,
    FUNCTION_REGISTERS,
    FUNCTION_SHARED,
    FUNCTION_THREADS,
    Packed,
    Size,
)
from svod.device.cuda.driver import Driver
from svod.device.cuda.memory import CudaPool, Memory
from svod.device.cuda.streams import Lane, Lanes, Launched
from svod.device.cuda.views import Foreign, on_device
from svod.device.launch import LaunchDims, compile_dims
from svod.device.records import Records
from svod.device.remote import Arguments
from svod.device.specs import CompiledSpec
from svod.device.stream import current_stream
from svod.dtype import DType, dtypes
from svod.dtype.convert import encode
from svod.errors import ArgumentError, LaunchError
from svod.ir.ops import Op
from svod.ir.threads import shared_variable
from svod.target import Limits

SEEN = 256
"""Launches that are remembered."""
USUAL_SHARED = 48 << 10
"""Bytes of a group's memory that need not be asked for."""
USUAL_GROUP = 256
"""Work items of a group, at most, where a kernel counts them directly."""
_LETTERS = {"f64": "d", "f32": "f", "i64": "q", "u64": "Q", "i32": "i", "u32": "I", "i16": "h", "u16": "H", "i8": "b", "u8": "B"}
_SHARED = shared_variable().arg.name
_PLAIN = frozenset((int, float, bool))


@dataclass(frozen=True, slots=True)
class Places:
    """The device a program is loaded on: its driver, memory, streams and limits."""

    driver: Driver
    pool: CudaPool
    lanes: Lanes
    limits: Limits


class Texts(NamedTuple):
    """What a program can show of itself, made when it is asked for."""

    source: Callable[[CompiledSpec], str]
    asm: Callable[[CompiledSpec], str]


class Launch(NamedTuple):
    """Sizes and arguments: what the driver is given."""

    sizes: tuple[Size, Size, int]
    args: Packed


class Common:
    """Memory that all groups of one launch share: given back when this goes, which is when the launch is done."""

    def __init__(self, pool: CudaPool, nbytes: int) -> None:
        self.pool, self.block = pool, pool.alloc(nbytes)

    @property
    def place(self) -> int:
        """Its address."""
        place: int = self.block.handle.place
        return place

    def __del__(self) -> None:
        if (block := self.__dict__.pop("block", None)) is not None:
            self.pool.free(block)


def letter(dtype: DType) -> str:
    """How a scalar is packed: an index as i64, bool and narrow floats as their bits."""
    if dtype is dtypes.index:
        return "q"
    if dtype.is_bool or (dtype.is_float and dtype.bits == 8):
        return "B"
    return "H" if dtype.is_float and dtype.bits == 16 else _LETTERS[repr(dtype)]


def packed_value(dtype: DType, value: int | float) -> int | float:
    """A scalar as `letter` packs it."""
    if dtype.is_bool:
        return int(bool(value))
    return encode(float(value), dtype) if dtype.is_float and dtype.bits < 32 else float(value) if dtype.is_float else int(value)


def cut(dims: LaunchDims, limits: Limits) -> tuple[Size, Size]:
    """Groups and work items of a group. Where work items are counted directly, the largest group that divides them: none is surplus."""
    if dims.local_size is not None:
        return dims.global_size, dims.local_size
    room, block = min(USUAL_GROUP, limits.threads), []
    for total, most in zip(dims.global_size, limits.block, strict=True):
        size = next(n for n in range(min(room, most, max(1, total)), 0, -1) if total % n == 0)
        block.append(size)
        room //= size
    x, y, z = (total // size for total, size in zip(dims.global_size, block, strict=True))
    return (x, y, z), (block[0], block[1], block[2])


class CudaRunner:
    """One loaded kernel. Any number of threads may launch it."""

    def __init__(self, compiled: CompiledSpec, on: Places, names: Sequence[str], texts: Texts) -> None:
        self.compiled, self.on, self.texts = compiled, on, texts
        self.driver, api = on.driver, on.driver.api
        self.module = self.driver.call(f"loading kernel {compiled.name!r}", api.load, compiled.bytes)
        self.functions = [self.driver.call(f"loading kernel {compiled.name!r}", api.function, self.module, name) for name in names]
        self.records = Records(compiled)
        self._doing = f"kernel {compiled.name!r}"
        meta = compiled.meta
        self._buffers, self._scalars = len(meta.buffers), meta.scalars
        self._writes = tuple(p.writes for p in meta.buffers)
        record = "Q" if compiled.needs.record_words else ""
        self._kinds = "Q" * self._buffers + "".join(letter(p.dtype) for p in meta.scalars) + record
        self._dynamic = compiled.var_names.index(_SHARED) if _SHARED in compiled.var_names else None
        self._static = max(self._attributes(FUNCTION_SHARED))
        self._threads = min(self._attributes(FUNCTION_THREADS))
        self._granted = USUAL_SHARED - self._static
        known = meta.local_size is not None and all(s.op is Op.CONST for s in meta.local_size)
        self._block = tuple(s.arg.value for s in meta.local_size or ()) if known else None
        self._derived = compile_dims(meta, compiled.name)
        self._seen: dict[tuple[object, ...], Launch] = {}

    # --- launching ---------------------------------------------------------------------------------------------------------------

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        """Launches and waits."""
        self.queue(views, values, dims, None, True)

    def queue(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims, stream: object, wait: bool) -> None:
        """Launches in a stream (None: that of the context, else the default one); waits if told to, or if the host takes part.

        LaunchError for what is no stream, and for host arrays and assertions in a graph.
        """
        lane = self.on.lanes.of(stream)
        wait = wait and not (stream is None and current_stream() is not None)
        remote = [v for v in views if not self._in_place(v)]
        sizes = self._sizes(values, dims)
        if lane.capturing and (remote or self.records.layout.words):
            self._refuse_capture(bool(remote))
        if not remote and not self.records.layout.words:
            launch = Launch(sizes, self._packed([v.address for v in views], values, None))
            if dims == self._derived([v if isinstance(v, int) else 0 for v in values]):
                self._remember(views, values, launch)
            self._go(launch, lane, wait, [v.owner for v in views])
            return
        with Arguments(self.on.pool, step=self.compiled.needs.align) as held:
            places = [v.address if self._in_place(v) else self._copied(held, v) for v in views]
            with self.records.heard(self.on.pool, values) as record:
                args = self._packed(places, values, None if record is None else record.handle.place)
                self._go(Launch(sizes, args), lane, True, ())
                held.back([v for v, w in zip(views, self._writes, strict=True) if w and not self._in_place(v)])

    def fast(self) -> Callable[..., bool] | None:
        """Launches with buffers of the device, plain values, and sizes that follow from them, as they were launched before."""
        return self._again if not self.compiled.needs.record_words else None

    def fast_queue(self, stream: object, wait: bool, args: tuple[Any, ...]) -> bool:
        """The same in a stream."""
        if (launch := self._seen_before(args)) is None or self.compiled.needs.record_words:
            return False
        lane = self.on.lanes.of(stream)
        self._go(launch, lane, wait and not (stream is None and current_stream() is not None), args[:self._buffers])
        return True

    def _again(self, *args: Any) -> bool:
        if current_stream() is not None:
            return self.fast_queue(None, True, args)
        if (launch := self._seen_before(args)) is None:
            return False
        packed, common = self._complete(launch)
        self.driver.call(self._doing, self._launch_and_wait, launch.sizes, packed)
        del common
        return True

    def _launch_and_wait(self, sizes: tuple[Size, Size, int], args: Packed) -> None:
        self._launch(sizes, None, args)
        self.driver.api.synchronize(None)

    def _launch(self, sizes: tuple[Size, Size, int], stream: Any, args: Packed) -> None:
        """All phases: what is given a stream is done one behind the other."""
        for function in self.functions:
            self.driver.api.launch(function, sizes, stream, args)

    def _complete(self, launch: Launch) -> tuple[Packed, Common | None]:
        """All arguments, and the memory that all groups share, if there is any, which has to live until the launch is done."""
        nbytes = self.compiled.needs.shared_bytes
        if not nbytes:
            return launch.args, None
        common = Common(self.on.pool, nbytes)
        return launch.args.also(common.place), common

    def _go(self, launch: Launch, lane: Lane, wait: bool, keeps: Sequence[object]) -> None:
        driver, idle = self.driver, lane.idle
        held = () if wait and idle else [b.hold() if isinstance(b, Buffer) else b for b in keeps]
        args, common = self._complete(launch)
        if lane.foreign:  # behind what was allocated
            lane.follow()
        driver.call(self._doing, self._launch, launch.sizes, lane.stream, args)
        if wait and idle:
            driver.call(self._doing, driver.api.synchronize, lane.stream)
            return
        lane.launched(Launched(self._doing, (held, args, common, self)))
        if wait and not lane.capturing:
            lane.synchronize()

    # --- what was launched before ------------------------------------------------------------------------------------------------

    def _seen_before(self, args: tuple[Any, ...]) -> Launch | None:
        n = self._buffers
        key: list[object] = []
        try:
            for b in args[:n]:
                if type(b) is not Buffer or type(memory := b.block.handle) is not Memory:
                    return None
                key += (memory.place + b.offset, b.size, b.dtype, b.writable)
            for v in args[n:]:
                if (kind := type(v)) not in _PLAIN:
                    return None
                key += (kind, v.hex() if kind is float else v)
        except Exception:  # noqa: BLE001  (a buffer that was freed, …: the checks say so)
            return None
        return self._seen.get(tuple(key))

    def _remember(self, views: Sequence[HostView], values: Sequence[int | float], launch: Launch) -> None:
        key: list[object] = []
        for v in views:
            if not isinstance(v.owner, Buffer):
                return
            key += (v.address, v.elements, v.dtype, v.writable)
        for value, p in zip(values, self._scalars, strict=True):
            given = bool(value) if p.dtype.is_bool else value
            key += (type(given), given.hex() if isinstance(given, float) else given)
        if len(self._seen) >= SEEN:
            self._seen.clear()
        self._seen[tuple(key)] = launch

    # --- arguments and sizes -----------------------------------------------------------------------------------------------------

    def _packed(self, places: Sequence[int], values: Sequence[int | float], record: int | None) -> Packed:
        scalars = (packed_value(p.dtype, v) for p, v in zip(self._scalars, values, strict=True))
        return Packed(self._kinds, (*places, *scalars, *(() if record is None else (record,))))

    def _in_place(self, view: HostView) -> bool:
        """Whether the kernel uses the memory as it is: on this device, beginning where all that it accesses at once can begin."""
        return on_device(view, self.driver) and view.address % self.compiled.needs.align == 0

    def _copied(self, held: Arguments, view: HostView) -> int:
        """Where a copy of host memory is, or of a buffer that begins in between. ArgumentError for such an array of another library."""
        if isinstance(view.owner, Foreign):
            raise ArgumentError(f"an array begins at an address that is not a multiple of {self.compiled.needs.align} bytes",
                                at=f"kernel {self.compiled.name!r}", hint="pass a copy of it: x.clone(), or x.copy()")
        block, offset = held.span(view)
        place: int = block.handle.place
        return place + offset

    def _sizes(self, values: Sequence[int | float], dims: LaunchDims) -> tuple[Size, Size, int]:
        """Groups, work items of a group, bytes of dynamic memory. LaunchError for what the kernel or the device cannot do."""
        grid, block = cut(dims, self.on.limits)
        name = self.compiled.name
        if self._block is not None and block != self._block:
            raise LaunchError(f"kernel {name!r} is compiled for groups of {self._block} work items, a launch asks for {block}",
                              hint="leave local_size out")
        if math.prod(block) > self._threads:
            raise LaunchError(f"kernel {name!r} asks for groups of {math.prod(block)} work items, on {self.driver.name} it can have "
                              f"{self._threads}: its work items take {max(self._attributes(FUNCTION_REGISTERS))} registers each",
                              hint="use smaller groups, and more of them")
        return grid, block, 0 if self._dynamic is None else self._shared(int(values[self._dynamic]))

    def _shared(self, nbytes: int) -> int:
        most = self.on.limits.shared_bytes
        if self._static + nbytes > most:
            raise LaunchError(f"kernel {self.compiled.name!r} asks for {self._static + nbytes} bytes of shared memory, "
                              f"{self.driver.name} ({self.driver.arch}) allows {most}", hint="use smaller shared arrays")
        if nbytes > self._granted:
            granted = most - self._static
            for function in self.functions:
                self.driver.call(self._doing, self.driver.api.set_function_attribute, function, FUNCTION_DYNAMIC, granted)
            self._granted = granted
        return nbytes

    def _attributes(self, number: int) -> list[int]:
        """Of the function of each phase."""
        return [self.driver.call(self._doing, self.driver.api.function_attribute, f, number) for f in self.functions]

    def _refuse_capture(self, arrays: bool) -> None:
        what = "takes an array of the host" if arrays else "prints or checks something"
        raise LaunchError(f"kernel {self.compiled.name!r} {what}, which cannot be part of a graph",
                          hint=f'copy it before: svod.Buffer.from_numpy(x, "{self.driver.name}")' if arrays else "launch it by itself")

    # --- what it is --------------------------------------------------------------------------------------------------------------

    def asm(self) -> str:
        """SASS, or PTX where there is no disassembler."""
        return self.texts.asm(self.compiled)

    def source(self) -> str:
        """The CUDA C it was compiled from, rendered again."""
        return self.texts.source(self.compiled)

    def resources(self) -> dict[str, int]:
        """What a work item and a group take, as the compiler found, in the phase that takes most; `groups`: how many a multiprocessor
        runs at a time."""
        found = {"registers": max(self._attributes(FUNCTION_REGISTERS)), "shared_bytes": self._static,
                 "spilled_bytes": max(self._attributes(FUNCTION_LOCAL)), "work_items": self._threads}
        if self.driver.api.occupancies:
            threads = math.prod(self._block) if self._block else USUAL_GROUP
            occupancy = self.driver.api.occupancy
            found["groups"] = min(self.driver.call(self._doing, occupancy, f, threads, 0) for f in self.functions)
        return found

    def __del__(self) -> None:
        module = self.__dict__.pop("module", None)
        if module is not None:
            self.driver.drop(self.driver.api.unload, module)
