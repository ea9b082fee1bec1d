"""`@kernel`: a Python function as a kernel that can be launched.

Owns: the decorator, `Kernel`, and what it means to call a kernel. Must not know how arguments are checked or code is made.
Invariant: a kernel is compiled when it is first launched with arguments of some types, and never again for these types.
"""
from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, overload

from svod.device.device import Device
from svod.errors import KernelError, LaunchError
from svod.lang.binding import Signature
from svod.lang.launching import Launch, Site
from svod.lang.naming import FormNames, Origin
from svod.lang.sizes import DEFAULT_BLOCKS, count, groups, size
from svod.lang.source import remember_source
from svod.lang.specialize import Variant, Variants
from svod.lang.types import Stream

SUBGROUPS = (1, 2, 4, 8, 16, 32, 64)
SITES_KEPT = 1024
"""Block shapes of one kernel that are remembered."""


@dataclass
class HostRun:
    """A run of a `@jit` function. `compiled` collects what its launches compile, if they are not to run; `pending` the kernels called."""

    compiled: list[Variant] | None = None
    pending: list[PendingLaunch] = field(default_factory=list)

    def finish(self) -> None:
        """LaunchError if a kernel was called and not launched."""
        for p in self.pending:
            if not p.launched:
                raise LaunchError(f"kernel {p.kernel.name!r} was called in a @jit function and not launched: nothing ran",
                                  hint=f"{p.kernel.name}(...).launch(grid=, block=)")


host_run: ContextVar[HostRun | None] = ContextVar("svod_jit", default=None)
"""The `@jit` function that this context is in."""


class Kernel:
    """A kernel. `k[grid, block](*args)` launches it: `grid` groups of `block` work items, each a number or 1 to 3 of them.

    `k.launch(*args, threads=n)` counts work items. Arguments are NumPy arrays, svod Buffers, anything with `__dlpack__`, and numbers.
    """

    def __init__(self, function: Callable[..., Any], *, name: str = "", subgroup: int = 32, device: str | None = None,
                 forms: FormNames | None = None) -> None:
        if not isinstance(function, types.FunctionType):
            raise KernelError(f"@kernel is for functions, not for {function!r}", hint="put it on a def; options are keywords")
        if subgroup not in SUBGROUPS or isinstance(subgroup, bool):
            raise KernelError(f"a subgroup of {subgroup!r} work items", hint=f"one of {', '.join(map(str, SUBGROUPS))}")
        functools.update_wrapper(self, function)
        remember_source(function)
        self.function, self.name, self.subgroup = function, name or function.__name__, subgroup
        self.device = None if device is None else str(device)
        self.signature = Signature(function, self.name)
        self._variants = Variants(function, self.name, [p.name for p in self.signature.parameters], subgroup, forms)
        self._sites: dict[Any, Site] = {}
        self._placed: dict[str, Kernel] = {}

    # --- launching -----------------------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Launch:
        """`k[grid, block]`, `k[grid, block, smem, stream]`. LaunchError for sizes that are negative or no whole numbers."""
        if type(key) is not tuple or not 2 <= len(key) <= 4:
            raise LaunchError(f"kernel {self.name!r} is launched with {key!r}", hint=f"write {self.name}[grid, block](...)")
        grid, block = key[0], key[1]
        site = self._sites.get(block) if type(block) is int else None
        if site is None:
            site = self._site(block, 0)
        if len(key) == 4 and not Stream.fits(key[3]):
            raise LaunchError(f"kernel {self.name!r}: stream is {key[3]!r}", hint="None, sl.Stream(…), or a stream of torch or CuPy")
        shared = count(key[2], "smem", self.name) if len(key) > 2 and key[2] is not None else 0
        launch = Launch(site, (grid, 1, 1) if type(grid) is int and grid >= 0 else size(grid, "grid", self.name), shared)
        return launch if len(key) < 4 or default_stream(key[3]) else launch.within(key[3])

    def launch(self, *args: Any, threads: Any = None, block: Any = None, **kwargs: Any) -> None:
        """Runs the kernel for `threads` work items, along 1 to 3 axes: as many groups as it takes, whose surplus items do nothing."""
        if threads is None:
            raise LaunchError(f"kernel {self.name!r}: launch() without a number of work items", hint=f"{self.name}.launch(..., threads=n)")
        self.over(threads, block)(*args, **kwargs)

    def over(self, threads: Any, block: Any = None) -> Launch:
        """The Launch of `threads` work items: to be called, prepared or compiled."""
        usual = block is None or type(block) is int
        if usual and type(threads) is int and threads > 0 and (site := self._sites.get(("items", block))) is not None:
            return Launch(site, (-(-threads // site.block[0]), 1, 1), 0, (threads, 1, 1))
        items = size(threads, "threads", self.name)
        axes = len(threads) if hasattr(threads, "__len__") else 1
        site = self._site(DEFAULT_BLOCKS[axes] if block is None else block, axes)
        if 0 in site.block:
            raise LaunchError(f"kernel {self.name!r} cannot run {threads} work items in groups of {block}",
                              hint="each axis of a block has 1 work item or more")
        if max((1, *site.block[axes:])) > 1:
            raise LaunchError(f"kernel {self.name!r} counts work items along {axes} of the axes, and has a block of {site.block}",
                              hint="threads=(x, y, z) counts along three axes")
        if usual and axes == 1:
            self._sites["items", block] = site
        grid = (0, 0, 0) if 0 in items else groups(items, site.block)
        return Launch(site, grid, 0, items)

    def on(self, device: str | Device) -> Kernel:
        """This kernel on a device: `k.on("INTERP")[grid, block](...)`. What was compiled is shared."""
        name = Device(device).name if isinstance(device, str) else device.name
        if (placed := self._placed.get(name)) is None:
            placed = Kernel(self.function, name=self.name, subgroup=self.subgroup, device=name)
            placed._variants = self._variants
            placed = self._placed.setdefault(name, placed)
        return placed

    def __call__(self, *args: Any, **kwargs: Any) -> PendingLaunch:
        """Inside a `@jit` function: the kernel with its arguments, to be launched with `.launch(grid=, block=)`. LaunchError outside."""
        run = host_run.get()
        if run is None:
            raise LaunchError(f"@kernel can only be called inside @jit function: {self.name!r} was called as a Python function",
                              hint=f"launch it: {self.name}[grid, block](...), or {self.name}.launch(..., threads=n)")
        run.pending.append(PendingLaunch(self, args, kwargs, run))
        return run.pending[-1]

    def _site(self, block: Any, counted: int) -> Site:
        shape = size(block, "block", self.name)
        if (site := self._sites.get((shape, counted))) is None:
            if len(self._sites) >= SITES_KEPT:
                self._sites.clear()
            site = self._sites.setdefault((shape, counted), Site(self.signature, self._variants, self.device, shape, counted))
        if not counted and type(block) is int:
            self._sites[block] = site
        return site

    # --- what was compiled ---------------------------------------------------------------------------------------------------------

    def compile(self, *args: Any, block: Any = 1, **kwargs: Any) -> Variant:
        """The compiled form for these arguments, which may also be types, and a block. Runs nothing."""
        return self[1, block].compile(*args, **kwargs)

    def variants(self) -> Sequence[Variant]:
        """Every compiled form there is, those used last at the end."""
        return tuple(self._variants)

    @property
    def traces(self) -> int:
        """How often the function was traced in this process."""
        return self._variants.traces

    @property
    def last(self) -> Variant:
        """The form that was compiled last. LaunchError if there is none yet."""
        if self._variants.last is None:
            raise LaunchError(f"kernel {self.name!r} was not compiled yet", hint=f"launch it, or {self.name}.compile(...)")
        return self._variants.last

    source = property(lambda self: self.last.source, doc="The rendered text of the form compiled last.")
    ir = property(lambda self: self.last.ir, doc="The statements of the form compiled last.")
    asm = property(lambda self: self.last.asm, doc="The machine code of the form compiled last.")

    def __repr__(self) -> str:
        where = f" on {self.device}" if self.device else ""
        return f"<kernel {self.name}{inspect.signature(self.function)}{where}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickled by name, as functions are, with its options. KernelError for a kernel that no other process could find."""
        origin = Origin.of(self.function)
        return origin.qualname if origin.owner() is self else (_unpickled, (origin, self.name, self.subgroup, self.device))

    def __copy__(self) -> Kernel:
        return self

    def __deepcopy__(self, memo: object) -> Kernel:
        return self


def default_stream(stream: Any) -> bool:
    """Whether it is none, or a Stream of none."""
    return stream is None or (isinstance(stream, Stream) and stream.handle is None)


def _unpickled(origin: Origin, name: str, subgroup: int, device: str | None) -> Kernel:
    """A kernel that has no name of its own in its module."""
    known = origin.owner()
    if origin.annotations is not None or not isinstance(known, Kernel) or (known.name, known.subgroup) != (name, subgroup):
        return Kernel(origin.function(), name=name, subgroup=subgroup, device=device)
    return known if device is None else known.on(device)


class PendingLaunch:
    """A kernel with its arguments, in a `@jit` function. Nothing happens before `launch`."""

    __slots__ = ("_run", "args", "kernel", "kwargs", "launched")

    def __init__(self, kernel: Kernel, args: tuple[Any, ...], kwargs: dict[str, Any], run: HostRun) -> None:
        self.kernel, self.args, self.kwargs, self._run = kernel, args, kwargs, run
        self.launched = False

    def __repr__(self) -> str:
        return f"<{self.kernel.name} with its arguments, to be launched: .launch(grid=, block=)>"

    def launch(self, *, grid: Any = (1, 1, 1), block: Any = (1, 1, 1), smem: Any = 0, stream: Any = None) -> None:
        """Runs `grid` groups of `block` work items, after all launches before it. Errors as `kernel[grid, block, smem, stream](...)`."""
        launch = self.kernel[grid, block, smem, stream]
        if not self.launched:
            self.launched = True
            self._run.pending.remove(self)
        if self._run.compiled is None:
            launch(*self.args, **self.kwargs)
        else:
            self._run.compiled.append(launch.compile(*self.args, **self.kwargs))


@overload
def kernel(function: Callable[..., Any]) -> Kernel: ...
@overload
def kernel(*, name: str = "", subgroup: int = 32, device: str | None = None) -> Callable[[Callable[..., Any]], Kernel]: ...
def kernel(
    function: Callable[..., Any] | None = None, *, name: str = "", subgroup: int = 32, device: str | None = None
) -> Kernel | Callable[[Callable[..., Any]], Kernel]:
    """Makes a kernel of a function; `@kernel` and `@kernel(subgroup=64)` both work.

    `subgroup`: how many work items exchange values with one another, a power of two up to 64. `device`: where it always runs.
    KernelError for a function whose parameters are no kernel's.
    """
    if function is None:
        return lambda f: Kernel(f, name=name, subgroup=subgroup, device=device)
    return Kernel(function, name=name, subgroup=subgroup, device=device)
