"""What a kernel says: the text of a PRINT, the error of an ASSERT that does not hold. The same words wherever it runs.

Owns: how values read as text, how the ASSERTs of a kernel are told apart. Must not know what executes them.
Invariant: ASSERTs of one number say the same, and so do PRINTs.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from svod.dtype import DType, dtypes
from svod.errors import ArgumentError, LaunchError
from svod.ir.ops import Op
from svod.ir.semantics import storage
from svod.ir.uop import UOp

LINEAR_OPERANDS = 3
"""Operands of an ASSERT in a linear program before its values: the condition, the numbers of the group and of the work item in it."""


def write_line(text: str) -> None:
    """Where PRINT goes unless a kernel is told otherwise: a line of standard output."""
    sys.stdout.write(line(text))


def line(text: str) -> str:
    """The text with a line break at its end, if it has none."""
    return text if text.endswith("\n") else text + "\n"


def word(value: Any, dtype: DType) -> str:
    """A value as text: an integer, True or False, or the shortest decimal that reads back as this float of this dtype, laid out as Python
    does: with an exponent below 0.0001 and from 1e16 on. NumPy's own layout differs between its versions."""
    text = str(np.asarray(value, storage(dtype))[()])
    return repr(float(text)) if dtype.is_float else text


def filled(text: str, words: Sequence[str]) -> str:
    """The text with a word in place of each {}."""
    return "".join(part + w for part, w in zip(text.split("{}"), [*words, ""], strict=True))


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an ASSERT says where it does not hold: its text, where it was written, the dtypes of its values."""

    text: str
    place: str
    dtypes: tuple[DType, ...]
    kind: str = ""

    @staticmethod
    def of(u: UOp, before: int = 1) -> Assertion:
        """Of an ASSERT with `before` operands before its values: 1 in a thread kernel, LINEAR_OPERANDS in a linear program."""
        return Assertion(u.arg.text, u.arg.place, tuple(s.dtype for s in u.src[before:]), u.arg.kind)

    @property
    def number(self) -> int:
        """A positive number of 62 bits, another one for whatever says something else; the same in every process."""
        return 1 + _digest((self.text, self.place, [repr(t) for t in self.dtypes], *filter(None, (self.kind,))))

    def what(self, values: Sequence[Any]) -> str:
        """What failed, with the values of the work item it failed in."""
        text = filled(self.text, [word(v, t) for v, t in zip(values, self.dtypes, strict=True)])
        if self.kind:
            return text
        return f"assertion failed: {text}" if text else "assertion failed"

    def error(self, kernel: str, where: str, values: Sequence[Any]) -> LaunchError:
        """The error of a launch; `where` names the work item. An index out of its axis is an ArgumentError."""
        if self.kind == "loops":
            return LaunchError(f"{self.what(values)} in kernel {kernel!r}: what it wrote is not complete", at="limit iterations",
                               hint="let more work items do less each")
        at = ", ".join(p for p in (self.place, f"kernel {kernel!r}", where) if p)
        if self.kind == "bounds":
            return ArgumentError(self.what(values), at=at, hint="guard the access by a condition, or pass an array that is large enough")
        return LaunchError(self.what(values), at=at)


CUT = Assertion("the device ended a loop of a work item early", "", (), "loops")
"""Said by kernels for devices that do only so many iterations; no kernel has it in its graph."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a PRINT says: its text, the dtypes of its values. Floats of fewer than 32 bits are printed as the f32 of that value."""

    text: str
    dtypes: tuple[DType, ...]

    @staticmethod
    def of(u: UOp) -> Line:
        """Of a PRINT."""
        return Line(u.arg.text, tuple(dtypes.f32 if s.dtype.is_float and s.dtype.bits < 32 else s.dtype for s in u.src))

    @property
    def number(self) -> int:
        """An odd number of 62 bits, another one for whatever says something else; the same in every process."""
        return 1 | _digest((self.text, [repr(t) for t in self.dtypes]))

    def said(self, values: Sequence[Any]) -> str:
        """The line, with the values of a work item."""
        return filled(self.text, [word(v, t) for v, t in zip(values, self.dtypes, strict=True)])


def _digest(what: tuple[Any, ...]) -> int:
    """62 bits of it."""
    return int.from_bytes(blake2b(repr(what).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") >> 2


def lines(kernel: UOp) -> dict[int, Line]:
    """The PRINTs of a thread kernel or a linear program, by number."""
    return {x.number: x for x in map(Line.of, kernel.find(Op.PRINT))}


def assertions(kernel: UOp) -> dict[int, Assertion]:
    """The ASSERTs of a thread kernel or a linear program, by number."""
    before = LINEAR_OPERANDS if kernel.op is Op.LINEAR else 1
    return {a.number: a for a in (Assertion.of(u, before) for u in kernel.find(Op.ASSERT))}


def numbered(group: Any, item: Any) -> str:
    """Which work item it was, where the shapes of grid and block are not known."""
    return f"group {group}, work item {item}"


def from_bits(bits: int, dtype: DType) -> Any:
    """The value whose bits are the low ones of a 64-bit word."""
    kind = storage(dtype)
    return np.frombuffer((bits & (1 << 64) - 1).to_bytes(8, "little")[:kind.itemsize], kind)[0]
