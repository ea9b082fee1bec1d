"""What every renderer for the CPU runtime does alike: phases, where memories lie, what comes out.

Owns: the split of a program into phases, the layout of scratch. Must not know any language.
Invariant: the same program is split and laid out the same, whatever it is rendered as.
"""
from __future__ import annotations

from dataclasses import dataclass

from svod.dtype import PtrDType
from svod.errors import UnsupportedError
from svod.ir.args import BarrierScope
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.target.abi import Param

ALIGN = 64


@dataclass(frozen=True, slots=True)
class Rendered:
    """Module text and what the runtime must provide: phases to run, bytes of scratch for the launch and for each core.

    `record_words`: i64s of the record `failed`, which the runtime looks at after a launch."""

    text: str
    phases: int
    shared_bytes: int
    private_bytes: int
    record_words: int = 0


def describe(p: Param) -> str:
    """An argument, for the comment on top."""
    if not p.is_buffer:
        return f"{p.dtype} {p.name} in [{p.min}, {p.max}]"
    return f"{p.dtype}* {p.name} ({'in/out' if p.reads and p.writes else 'out' if p.writes else 'in'})"


def phases(linear: UOp) -> list[list[UOp]]:
    """The instructions between barriers of the grid. UnsupportedError for a barrier of a group."""
    out: list[list[UOp]] = [[]]
    for u in linear.src:
        if u.op is Op.BARRIER:
            if u.arg is not BarrierScope.GRID:
                raise UnsupportedError("a group barrier has no form in loop kernels", hint="it belongs to the kernel language")
            out.append([])
        else:
            out[-1].append(u)
    return out


def layout(linear: UOp, op: Op) -> tuple[dict[UOp, int], int]:
    """Byte offsets of the memories of one kind, each aligned, and the total."""
    at, offsets = 0, {}
    for u in linear.find(op):
        offsets[u] = at
        size = u.dtype.base.itemsize * u.arg.size if isinstance(u.dtype, PtrDType) else 0
        at += (size + ALIGN - 1) // ALIGN * ALIGN
    return offsets, at
