"""A loaded kernel and its checked call.

Owns: `Program.execute` and the diagnosing path behind it. Must not know how kernels are made.
Invariant: whatever is wrong with a call is reported before anything is written. Stateless: any number of threads may execute one program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol, runtime_checkable

from svod.codegen.reach import BELOW
from svod.device.arguments import BufferArg, HostView, ScalarArg, check_buffers, check_values, host_view, list_of_buffers
from svod.device.immediate import Immediate
from svod.device.launch import SIZES, LaunchDims, check_limits, compile_exprs, override_sizes
from svod.device.launch import dims as dims_of
from svod.device.specs import CompiledSpec
from svod.errors import ArgumentError, DeviceError, LaunchError, shown
from svod.target import Limits
from svod.target.abi import Param


class Runner(Protocol):
    """What a device does with checked arguments."""

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        """Runs the kernel and waits."""

    def fast(self) -> Callable[..., bool] | None:
        """`fast(*buffers, *values) -> bool`: ran, or did nothing because something is not plain; None if there is no such way.

        LaunchError, after it ran, for an assertion of the kernel that failed.
        """

    def asm(self) -> str:
        """The machine code as text, or what comes closest."""


@runtime_checkable
class QueuedRunner(Runner, Protocol):
    """A runner of a device with streams."""

    def queue(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims, stream: object, wait: bool) -> None:
        """Launches in a stream, None being that of the context, and waits if told to. LaunchError for what is no stream."""

    def fast_queue(self, stream: object, wait: bool, args: tuple[Any, ...]) -> bool:
        """The same without checks; False, and nothing done, if something is not plain."""


@runtime_checkable
class Telling(Protocol):
    """A runner that can show what its record does not hold."""

    def source(self) -> str:
        """The rendered text."""

    def resources(self) -> Mapping[str, int]:
        """What a launch takes of the device."""


class Program:
    """An executable kernel. `program.execute(buffers, vals)`, or `program(a, b, c, n=16)`."""

    def __init__(self, spec: CompiledSpec, runner: Runner, limits: Limits, view_of: Callable[[object], HostView] = host_view) -> None:
        """`view_of` looks at one buffer argument, see `check_buffers`."""
        self.compiled, self.limits, self._view_of = spec, limits, view_of
        self._runner = runner
        self._fast = runner.fast()
        self._queued = runner if isinstance(runner, QueuedRunner) else None
        meta = spec.meta
        self._scalars = tuple(ScalarArg(p.name, p.min, p.max, p.dtype) for p in meta.scalars)
        self._names = frozenset(meta.var_names)
        self._buffers = meta.buffers
        self._sizes = compile_exprs((*meta.global_size, *(meta.local_size or ())), meta.vars, spec.name, SIZES)
        self._ids = compile_exprs(spec.ids, meta.vars, spec.name, SIZES) if spec.ids else None
        sizes = [f"the size needed of buffer {p.name!r}" for p in meta.buffers]
        self._reach = compile_exprs(spec.reach, meta.vars, spec.name, sizes) if spec.reach else None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        hint = "send the graph, program.compiled.ast, and compile it there: what is in the disk cache is only loaded"
        raise DeviceError(f"program {self.name} cannot be pickled: it is loaded in this process", hint=hint)

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.compiled.name

    @property
    def spec(self) -> CompiledSpec:
        """The record the program was made from: arguments, launch sizes, what a launch needs."""
        return self.compiled

    @property
    def source(self) -> str:
        """The rendered text the kernel was compiled from."""
        if self.compiled.src is None and isinstance(self._runner, Telling):
            return self._runner.source()
        return self.compiled.src or ""

    @property
    def resources(self) -> Mapping[str, int]:
        """What a launch takes of the device, as its compiler found: registers, shared bytes, …; empty where nothing is known."""
        return self._runner.resources() if isinstance(self._runner, Telling) else {}

    @property
    def asm(self) -> str:
        """The assembly of the kernel."""
        return self._runner.asm()

    @property
    def var_names(self) -> tuple[str, ...]:
        """Names of the values, in the order `execute` takes them."""
        return self.compiled.var_names

    @property
    def launcher(self) -> Callable[..., bool] | None:
        """`launcher(*buffers, *vals) -> bool`: True if the kernel ran, False if something is not plain and nothing was done.

        None where the device has no such way. For callers that fall back to `execute`, which says what is wrong. LaunchError for an
        assertion of the kernel that failed.
        """
        return self._fast

    def __repr__(self) -> str:
        args = ", ".join([*(f"{p.name}: {p.dtype}*" for p in self._buffers), *(f"{s.name}: {s.dtype}" for s in self._scalars)])
        return f"Program {self.name}({args})"

    def execute(
        self,
        buffers: Sequence[object],
        vals: Sequence[int | float] | Mapping[str, int | float] = (),
        *,
        global_size: Sequence[int] | None = None,
        local_size: Sequence[int] | None = None,
        stream: object = None,
        wait: bool = True,
    ) -> None:
        """Runs the kernel on `buffers` (svod Buffers, NumPy arrays, DLPack or buffer-protocol objects) and scalar `vals`, and waits.

        `vals` come in the order of `var_names`, or by name. Explicit sizes replace the derived ones. Where the device has streams, it runs
        in `stream` (a svod.Stream, or one of torch or CuPy), and with `wait=False` is not waited for if no host array takes part. Raises
        ArgumentError or LaunchError before anything is written, or LaunchError after the launch if an assertion of the kernel failed.
        """
        try:
            plain = global_size is None and local_size is None and type(vals) in _PLAIN
            if plain and stream is None and self._fast is not None and (wait or self._queued is None):
                if self._fast(*buffers, *vals):
                    return
            elif plain and self._queued is not None and self._queued.fast_queue(stream, wait, (*buffers, *vals)):
                return
        except TypeError:  # what is no sequence cannot be unpacked: the checks below say so
            if hasattr(type(buffers), "__iter__"):
                raise
        self._checked(buffers, vals, (global_size, local_size), (stream, wait))

    def __call__(self, *buffers: object, **vals: int | float) -> None:
        """`program(out, a, b, n=16)`: buffers by position, scalars by name."""
        if self._fast is not None and vals.keys() == self._names and self._fast(*buffers, *map(vals.__getitem__, self.var_names)):
            return
        self._checked(buffers, vals, (None, None), (None, True))

    def _checked(
        self, buffers: Sequence[object], vals: Any, sizes: tuple[Sequence[int] | None, Sequence[int] | None], order: tuple[object, bool]
    ) -> None:
        stream, wait = order
        if stream is not None and self._queued is None and not isinstance(getattr(stream, "queue", None), Immediate):
            raise LaunchError(f"kernel {self.name!r} runs on a device whose launches are done when they return, {shown(stream)} was given",
                              hint="leave stream out, or make one by svod.Stream(device)")
        given = list_of_buffers(self.name, [p.name for p in self._buffers], buffers)
        values = check_values(self.name, self._scalars, vals)
        dims = self.launch_dims(values, *sizes)
        views = check_buffers(self.name, self._needs(values), given, self._view_of)
        if dims.empty:
            return
        if self._queued is not None:
            self._queued.queue(views, values, dims, stream, wait)
        else:
            self._runner.run(views, values, dims)

    def launch_dims(
        self, values: Sequence[int | float], global_size: Sequence[int] | None = None, local_size: Sequence[int] | None = None
    ) -> LaunchDims:
        """The dimensions of a launch with these values, checked against the device's limits."""
        whole = [int(v) if isinstance(v, int) else 0 for v in values]
        if self._ids is not None:  # the program loops over them: only whether they can be is looked at
            dims_of(self._ids(whole), self.name)
        flat = self._sizes(whole)
        derived = dims_of(flat, self.name)
        dims = override_sizes(derived, global_size, local_size, self.name)
        check_limits(dims, self.limits, self.name)
        return dims

    def _needs(self, values: Sequence[int | float]) -> list[BufferArg]:
        try:
            least = self._reach([int(v) if isinstance(v, int) else 0 for v in values]) if self._reach else (0,) * len(self._buffers)
        except LaunchError as e:  # the values were looked at before: what is left is that one of the sizes is no number
            raise ArgumentError(e.what, at=f"kernel {self.name!r}", hint="no buffer is that large: launch over less") from e
        aliases = dict(self.compiled.aliases)
        return [self._need(p, n, aliases) for p, n in zip(self._buffers, least, strict=True)]

    def _need(self, p: Param, least: int, aliases: Mapping[int, frozenset[int]]) -> BufferArg:
        place = {q.slot: i for i, q in enumerate(self._buffers)}
        if least == BELOW:
            raise ArgumentError(
                f"the kernel reaches below element 0 of buffer {p.name!r}",
                at=f"kernel {self.name!r}",
                hint="an index is negative for these values: start the range later, or gate the access",
            )
        allowed = frozenset(place[s] for s in aliases.get(p.slot, frozenset()) if s in place)
        return BufferArg(p.name, p.dtype, max(0, least), p.writes, allowed)


_PLAIN = (list, tuple)
