"""The schedule as data: `Opt` values that say how the loops of a kernel run, and nothing about what it computes.

Owns: the Opt kinds, their text form and checks of their arguments. Applying them is in `apply.py`; choosing them in `strategy.py`.
Must not know targets. Invariant: an Opt is hashable, prints as `SPLIT(0.1 by 16 mask)` and parses back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from svod.errors import ScheduleError
from svod.ir.text import register_arg

Path = tuple[int, ...]


class OptKind(Enum):
    """What an Opt does to its axis."""

    SPLIT = "SPLIT"
    """axis -> axis.0 (outer) and axis.1 (inner, `amount` iterations); what does not divide goes by `tail`."""
    SWAP = "SWAP"
    """Exchanges the nesting places of `axis` and `other`."""
    MERGE = "MERGE"
    """Joins `axis` and `other`, two axes that are closed together, into one axis, in which `other` runs fastest."""
    PARALLEL = "PARALLEL"
    """Spreads the axis over the cores, in shares that are multiples of `amount`; on work items with ids over groups of `amount` of them."""
    GROUP = "GROUP"
    """Splits a whole-kernel reduction over the cores: partial results, then one combination; on work items with ids `amount` share it."""
    VECTOR = "VECTOR"
    """The axis becomes the lanes of SIMD values."""
    UNROLL = "UNROLL"
    """The body is repeated for each iteration; in a reduction, chained into one accumulator."""
    INTERLEAVE = "INTERLEAVE"
    """The reduction keeps one accumulator for each iteration of the axis."""
    PAD = "PAD"
    """Rounds the axis up to a multiple of `amount`, with guarded accesses."""
    CARRY = "CARRY"
    """The reduced axis goes outside the loop `other`: each of its iterations continues from the partial result of the one before."""
    STAGE = "STAGE"
    """Copies what the body of `axis` reads of buffer `amount` into scratch memory first; the index of that load moves along `axis`."""
    MMA = "MMA"
    """Uses matrix instructions. In the language; no strategy emits it and no target has it yet."""


class Tail(Enum):
    """What a SPLIT does with iterations left over."""

    PEEL = "peel"
    """A second copy of the loop body for the rest, on axis.2."""
    MASK = "mask"
    """One more outer iteration, accesses guarded."""
    BALANCED = "balanced"
    """Equal parts of at most the amount, multiples of a unit; the last may be shorter. At least one part, which may be empty."""
    EXACT = "exact"
    """The extent must be a multiple of the amount."""


def _all(kind: type, *fields: object) -> bool:
    """True if the fields are of this very type: True is no amount."""
    return all(type(x) is kind for x in fields)


def _is_path(path: object) -> bool:
    return isinstance(path, tuple) and _all(int, *path)


@dataclass(frozen=True, slots=True)
class Panel:
    """How a STAGE lays out what it copies. As text `as 0.1,2 pad 16 shared if 2048 reads 96`, with the parts that are not the default."""

    order: tuple[Path, ...] = ()
    """The axes of the panel, outermost first, the last one contiguous. Empty for the order in which the source lies."""
    pad: int = 0
    """Elements left free after each row, a row being the last axis of the order."""
    shared: bool = False
    """One panel for all cores, of all that is read: filled before a grid barrier, each core copying its share of `axis`. Else each core
    has its own."""
    guard: int = 0
    """Unless 0: copy only where the source's rows are a multiple of this many bytes apart, which is found out at run time."""
    reads: int = 0
    """Unless 0: copy only where each element of the panel is read at least so many times, likewise."""

    def __post_init__(self) -> None:
        counts = _all(int, self.pad, self.guard, self.reads) and min(self.pad, self.guard, self.reads) >= 0
        if not (_all(tuple, self.order) and _all(bool, self.shared) and all(map(_is_path, self.order)) and counts):
            fields = f"order={self.order!r}, pad={self.pad!r}, shared={self.shared!r}, guard={self.guard!r}, reads={self.reads!r}"
            raise ScheduleError(f"a Panel with {fields}", hint="write Panel(order=((0, 1), (2,)), pad=16), or as text: as 0.1,2 pad 16")

    def __str__(self) -> str:
        order = [f"as {','.join(map(path_text, self.order))}"] * bool(self.order)
        pad = [f"pad {self.pad}"] * bool(self.pad)
        guard = [f"if {self.guard}"] * bool(self.guard)
        reads = [f"reads {self.reads}"] * bool(self.reads)
        return " ".join([*order, *pad, *["shared"] * self.shared, *guard, *reads])


DENSE = Panel()


@dataclass(frozen=True, slots=True)
class Opt:
    """One scheduling decision. `axis` and `other` are paths of axes as the RANGEs name them."""

    kind: OptKind
    axis: Path
    amount: int = 0
    tail: Tail = Tail.EXACT
    other: Path = ()
    unit: int = 1
    panel: Panel = DENSE

    def __post_init__(self) -> None:
        self._check_types()
        if not self.axis:
            raise ScheduleError(f"{self.kind.name} names no axis")
        if self.kind in (OptKind.SPLIT, OptKind.PAD) and self.amount < 1:
            raise ScheduleError(f"{self.kind.name} of axis {path_text(self.axis)} by {self.amount}", hint="the amount must be at least 1")
        if self.unit < 1 or (self.unit > 1 and (self.tail is not Tail.BALANCED or self.amount % self.unit)):
            raise ScheduleError(f"{self}: a unit of {self.unit}", hint="a unit divides the amount of a balanced SPLIT")
        if self.panel != DENSE and self.kind is not OptKind.STAGE:
            raise ScheduleError(f"{self}: a panel", hint="only STAGE has one")
        if self.kind in (OptKind.SWAP, OptKind.MERGE, OptKind.CARRY) and not self.other:
            raise ScheduleError(f"{self.kind.name} of axis {path_text(self.axis)} names no second axis")

    def _check_types(self) -> None:
        """ScheduleError for fields of other types than they say."""
        kinds = _all(OptKind, self.kind) and _all(Tail, self.tail) and _all(Panel, self.panel)
        if not (kinds and _all(int, self.amount, self.unit) and _is_path(self.axis) and _is_path(self.other)):
            fields = f"kind={self.kind!r}, axis={self.axis!r}, amount={self.amount!r}, tail={self.tail!r}, other={self.other!r}"
            hint = "write Opt(OptKind.SPLIT, (0,), 16, Tail.MASK), or its text: SPLIT(0 by 16 mask)"
            raise ScheduleError(f"an Opt with {fields}", hint=hint)

    def __str__(self) -> str:
        parts = [path_text(self.axis)]
        if self.other:
            parts.append(f"with {path_text(self.other)}")
        if self.amount or self.kind is OptKind.STAGE:  # there it is a buffer: 0 is one
            parts.append(f"by {self.amount}")
        if self.unit > 1:
            parts.append(f"unit {self.unit}")
        if self.tail is not Tail.EXACT:
            parts.append(self.tail.value)
        if self.panel != DENSE:
            parts.append(str(self.panel))
        return f"{self.kind.value}({' '.join(parts)})"


def path_text(path: Path) -> str:
    """'0.1.0' for (0, 1, 0)."""
    return ".".join(map(str, path))


_PATH = r"-?\d{1,18}(?:\.-?\d{1,18})*"
_COUNT = r"\d{1,18}"
_FORM = re.compile(
    rf"(?P<kind>[A-Z]+)\((?P<axis>{_PATH})(?: with (?P<other>{_PATH}))?(?: by (?P<amount>{_COUNT}))?(?: unit (?P<unit>{_COUNT}))?"
    rf"(?: (?P<tail>peel|mask|balanced))?(?: as (?P<order>{_PATH}(?:,{_PATH})*))?(?: pad (?P<pad>{_COUNT}))?(?P<shared> shared)?"
    rf"(?: if (?P<guard>{_COUNT}))?(?: reads (?P<reads>{_COUNT}))?\)"
)


def _matched(text: object) -> re.Match[str] | None:
    return _FORM.fullmatch(text.strip()) if isinstance(text, str) else None


def parse_opt(text: str) -> Opt:
    """The Opt that prints as `text`. ScheduleError if there is none."""
    if (m := _matched(text)) is None or m["kind"] not in OptKind.__members__:
        raise ScheduleError(f"{text!r} is not an Opt", hint="for example SPLIT(0 by 64 peel), SWAP(0 with 1), VECTOR(0.1)")
    return Opt(
        OptKind[m["kind"]],
        _path(m["axis"]),
        int(m["amount"] or 0),
        Tail(m["tail"] or "exact"),
        _path(m["other"]) if m["other"] else (),
        int(m["unit"] or 1),
        Panel(_order(m["order"]), int(m["pad"] or 0), m["shared"] is not None, int(m["guard"] or 0), int(m["reads"] or 0)),
    )


def _path(text: str) -> Path:
    return tuple(int(p) for p in text.split("."))


def _order(text: str | None) -> tuple[Path, ...]:
    return tuple(map(_path, text.split(","))) if text else ()


register_arg(Opt, str, parse_opt)
