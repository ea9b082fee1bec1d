"""What the languages of the C family differ in, as one table for each.

Owns: `Dialect`, `Prelude` (the helper functions a kernel needs, in order). Must not know any dialect, nor UOps.
Invariant: whatever a renderer writes that is not plain C of every dialect comes out of the table; a helper is written once, behind those
it calls.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import SpecialKind
from svod.ir.ops import Op


class Piece(NamedTuple):
    """A helper function: what it is called, and its text; none where the dialect has it built in."""

    name: str
    text: str = ""


Maker = Callable[["Prelude", DType, DType], Piece]
"""Writes the helper of one kind for two dtypes, which are the same for most."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One language. Templates have their fields in braces.

    `types`: dtype name -> type of its values. `vector`: declares a vector type of {lanes} {scalar} in {bytes} bytes as {name}; `lane`: the
    lane {k} (or {x}, its number in hexadecimal digits) of {v}; `stacked`: a vector of {type} of the lanes {parts}.
    `helper`, `kernel`: what stands in front of a helper and of a kernel function. `wraps`: signed integers wrap, so that they need not be
    computed as unsigned ones. `calls`: ops that are functions, with {s} for the suffix that `suffixes` has for a dtype; `on_vectors`:
    these take vectors as well. `pieces`: kind of helper -> its maker. `ids`: how a SPECIAL of a kind is read, with {axis}, or its {letter};
    `barrier`: the statement that a group waits at; `local`: declares memory of a group inside the kernel. They are empty where there are
    no groups: then memory of a group lies where the launch puts it.
    """

    name: str
    types: Mapping[str, str]
    keywords: frozenset[str]
    vector: str
    helper: str
    kernel: str
    restrict: str
    pieces: Mapping[str, Maker]
    calls: Mapping[Op, str]
    on_vectors: bool = False
    lane: str = "{v}[{k}]"
    stacked: str = "({type}){{{parts}}}"
    suffixes: Mapping[str, str] = field(default_factory=dict)
    infinity: str = ""
    nan: str = ""
    wraps: bool = False
    jumps: bool = True
    """Has `goto`."""
    unroll: str = ""
    """What stands before a loop that is to be unrolled, where arrays of a work item may lie in registers."""
    narrow: bool = False
    """Indices that fit 32 bits are computed in these, see svod.renderers.c.widths."""
    ids: Mapping[SpecialKind, str] = field(default_factory=dict)
    barrier: str = ""
    local: str = ""
    opening: str = ""
    """Text in front of everything."""


_HELD = {dtypes.bool: dtypes.u8, dtypes.f16: dtypes.u16, dtypes.bf16: dtypes.u16, dtypes.index: dtypes.i64,
         **dict.fromkeys(dtypes.FP8, dtypes.u8)}
_INTS = {8: dtypes.i8, 16: dtypes.i16, 32: dtypes.i32, 64: dtypes.i64}


def held(dtype: DType) -> DType:
    """The dtype whose type values of `dtype` have: narrow floats are their bits, bool is 0 or 1. Vectors have a power of two of lanes: what
    is in the others is not looked at."""
    return _HELD.get(dtype.scalar, dtype.scalar).vec(room(dtype.lanes))


def room(lanes: int) -> int:
    """Lanes of the vector that holds so many."""
    return 1 << (lanes - 1).bit_length()


def mask_of(bits: int, lanes: int) -> DType:
    """The vector of truth values, all ones or zero, beside elements of `bits`."""
    return _INTS[bits].vec(room(lanes))


class Prelude:
    """The vector types and helpers that a module uses, each behind what it needs. `widest`: bytes of a vector register."""

    def __init__(self, dialect: Dialect, widest: int = 64) -> None:
        self.dialect, self.widest = dialect, widest
        self.parts: dict[str, str] = {}

    def type(self, dtype: DType) -> str:
        """The type of values of `dtype`, declared if it is a vector. UnsupportedError if the dialect has none."""
        d = held(dtype)
        if (scalar := self.dialect.types.get(d.scalar.name)) is None:
            raise UnsupportedError(f"{self.dialect.name} has no {dtype.scalar}", hint="cast to a type that the device has")
        if d.lanes == 1:
            return scalar
        if d.name and repr(d) not in self.parts:
            self.parts[repr(d)] = self.dialect.vector.format(name=d, scalar=scalar, lanes=d.lanes, bytes=d.itemsize)
        return repr(d)

    def need(self, kind: str, dtype: DType, other: DType | None = None) -> str:
        """The name of a helper, which is written if it was not. UnsupportedError if the dialect has none of that kind."""
        if (make := self.dialect.pieces.get(kind)) is None:
            raise UnsupportedError(f"{self.dialect.name} has no form for {kind} of {dtype}")
        piece = make(self, dtype, other or dtype)
        if piece.text:
            self.parts.setdefault(piece.name, f"{self.dialect.helper} {piece.text}")
        return piece.name

    def add(self, name: str, text: str) -> str:
        """Text of another kind, under its name."""
        self.parts.setdefault(name, text)
        return name

    def text(self) -> str:
        """All of it."""
        return "\n".join(self.parts.values())
