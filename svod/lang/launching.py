"""A launch: a kernel with its grid and its block, waiting for arguments.

Owns: `Launch` and `Prepared`, and the way of a call: forms used lately are tried as they are, then the call is bound and checked.
Must not know how forms are made. Invariant: whatever is wrong with a call is reported before anything runs; a size of 0 runs nothing.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from svod.config import settings
from svod.device.buffer import Buffer
from svod.device.device import Device
from svod.device.stream import in_stream
from svod.errors import LaunchError
from svod.lang.binding import ArgumentType, Signature
from svod.lang.blame import largest_shared
from svod.lang.sizes import Size, check_shared, check_sizes, limits_of
from svod.lang.specialize import Request, Variant, Variants

TRIED = 4
"""Forms of one block shape that a call tries before it is bound; each takes a fraction of a microsecond to say no."""


class Site:
    """Launches of a kernel with one block shape: what they have in common."""

    def __init__(self, signature: Signature, variants: Variants, device: str | None, block: Size, counted: int) -> None:
        self.signature, self.variants, self.device, self.block, self.counted = signature, variants, device, block, counted
        self.count = signature.count
        self.recent: tuple[Variant, ...] = ()
        """Forms that the last calls used, the last one first."""

    def variant(self, types: tuple[ArgumentType, ...], devices: tuple[str, ...], grid: Size) -> Variant:
        """The form for arguments of these types, after checking the sizes. LaunchError, KernelError, CompileError, …"""
        name = self.signature.name
        if self.device is None and len(devices) > 1:
            raise LaunchError(f"the buffers of kernel {name!r} are on {' and '.join(devices)}", hint="copy one of them: buffer.to(device)")
        device = Device(self.device or (devices[0] if devices else None))
        check_sizes(grid, self.block, limits_of(device.target.limits), name)
        found = self.variants.get(Request(device.name, self.device is not None, settings().config, self.block, self.counted, types))
        found.renew()
        return found

    def remember(self, variant: Variant) -> None:
        """The next calls try this form first."""
        if variant not in self.recent[:1]:
            self.recent = (variant, *(v for v in self.recent if v is not variant))[:TRIED]


class Launch:
    """`kernel[grid, block]`: call it with the kernel's arguments. It can be kept and called any number of times, from any thread."""

    __slots__ = ("_grid", "_shared", "_site", "_threads")

    def __init__(self, site: Site, grid: Size, shared: int = 0, threads: Size = (0, 0, 0)) -> None:
        self._site, self._grid, self._shared = site, grid, shared
        self._threads: tuple[int, ...] = (*threads, shared) if shared else threads

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Runs the kernel and waits. ArgumentError or LaunchError, naming kernel and parameter, before anything is written."""
        site = self._site
        if kwargs or len(args) != site.count:
            ordered = site.signature.ordered(args, kwargs)
        else:
            ordered = args
        if ordered is not None and self._shared:
            for variant in site.recent:
                if variant.dynamic and variant.run(self._grid, ordered, self._threads):
                    return
        elif ordered is not None:
            for variant in site.recent:
                if variant.run(self._grid, ordered, self._threads):
                    return
            if site.recent and self._plain(ordered):
                return
        self._checked(args, kwargs)

    def __repr__(self) -> str:
        return f"<launch of {self._site.signature.name}: grid {self._grid}, block {self._site.block}>"

    def within(self, stream: object) -> Launch:
        """The same launch in a stream of the device, where it has streams: not waited for, unless the host takes part."""
        return StreamLaunch(self, stream)

    def compile(self, *args: Any, **kwargs: Any) -> Variant:
        """The compiled form for these arguments, which may also be types (`Array[f32]`, `f32`, `i32`). Runs nothing."""
        devices = dict.fromkeys(v.device.name for v in (*args, *kwargs.values()) if isinstance(v, Buffer))
        return self._checked_form(self._site.signature.types(args, kwargs), tuple(devices))

    def prepare(self, *args: Any, **kwargs: Any) -> Prepared:
        """The launch with its arguments: everything is checked and compiled now. Errors as a call."""
        bound = self._site.signature.bind(args, kwargs)
        return Prepared(self._checked_form(bound.types, bound.devices), self._grid, bound.values, self._threads)

    def _plain(self, ordered: tuple[Any, ...]) -> bool:
        """Whether a form used lately ran the arguments as arrays and Python numbers."""
        plain = self._site.signature.plain(ordered)
        if plain is None:
            return False
        values, device = plain
        return any(device in (None, v.request.device) and v.run(self._grid, values, self._threads) for v in self._site.recent)

    def _checked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        bound = self._site.signature.bind(args, kwargs)
        if 0 in self._site.block:
            return
        variant = self._checked_form(bound.types, bound.devices)
        if 0 not in self._grid:
            variant.launch(self._grid, bound.values, self._threads)
        self._site.remember(variant)

    def _checked_form(self, types: tuple[ArgumentType, ...], devices: tuple[str, ...]) -> Variant:
        if 0 in self._site.block:
            raise LaunchError(f"kernel {self._site.signature.name!r} cannot be compiled for a group of {self._site.block} work items",
                              hint="each axis of a block has 1 work item or more")
        variant = self._site.variant(types, devices, self._grid)
        check_shared((variant.shared_bytes, self._shared), variant.limits, self._site.signature.name,
                     lambda: largest_shared(variant.trace.places))
        return variant


class StreamLaunch(Launch):
    """A launch in a stream."""

    __slots__ = ("_stream",)

    def __init__(self, launch: Launch, stream: object) -> None:
        super().__init__(launch._site, launch._grid, launch._shared)
        self._threads, self._stream = launch._threads, stream

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Runs the kernel in the stream. Errors as `Launch`; what fails on the device is said when somebody waits for it."""
        with in_stream(self._stream):
            super().__call__(*args, **kwargs)

    def prepare(self, *args: Any, **kwargs: Any) -> Prepared:
        """The launch with its arguments, in the stream. Errors as a call."""
        made = super().prepare(*args, **kwargs)
        native, stream = made._native, self._stream

        def run() -> bool:
            with in_stream(stream):
                if not native():
                    made.variant.launch(made._grid, made._args, made._threads)
            return True
        made._native = run
        return made


class Prepared:
    """A launch with its arguments: `prepared()` runs it. It holds the arguments, and runs what was compiled when it was made.

    For the least time between two launches: a changed helper or setting is not noticed, other arguments need another one.
    """

    __slots__ = ("_args", "_grid", "_native", "_threads", "variant")

    def __init__(self, variant: Variant, grid: Size, args: tuple[Any, ...], threads: tuple[int, ...]) -> None:
        self.variant, self._grid, self._args, self._threads = variant, grid, args, threads
        self._native: Callable[[], bool] = _nothing if 0 in grid else self._bound()

    def __call__(self) -> None:
        """Runs it and waits. ArgumentError or LaunchError before anything is written."""
        if not self._native():
            self.variant.launch(self._grid, self._args, self._threads)

    def _bound(self) -> Callable[[], bool]:
        variant = self.variant
        variant.check(self._grid, self._args, self._threads)
        buffers, values = variant.arguments(self._grid, self._args, self._threads)
        launcher = variant.program.launcher
        return _not_so if launcher is None else partial(launcher, *buffers, *values)


def _nothing() -> bool:
    """A launch without work is done at once."""
    return True


def _not_so() -> bool:
    """There is no native way."""
    return False
