"""What a launch tells a shader besides its buffers: one uniform block.

Owns: where each scalar lies in it, and its bytes. Must not know devices, nor what the shader does with them.
Invariants: buffers have the bindings 0, 1, …; the block comes behind them. Its head is the first group of this dispatch (three u32) and a
zero; with direct ids the work items along each axis follow, and then the scalars in ABI order, each aligned to its size.
"""
from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from svod.dtype import dtypes
from svod.dtype.convert import encode
from svod.errors import UnsupportedError
from svod.renderers.wgsl.values import Abilities, value_type
from svod.renderers.wgsl.widths import MOST_INDEX
from svod.target.abi import Metadata, Param

_FORMATS = {"i32": "i", "u32": "I", "f32": "f", "i64": "q", "u64": "Q", "f64": "d"}


class Member(NamedTuple):
    """A member of the block: the scalar, its type there, its byte."""

    param: Param
    type: str
    offset: int


def beyond(p: Param) -> bool:
    """Whether a scalar is an index that may be more than index arithmetic of 32 bits takes."""
    return p.dtype is dtypes.index and (p.min < -MOST_INDEX or p.max > MOST_INDEX)


def stored_type(p: Param, able: Abilities, *, wide: bool = False) -> str:
    """The type of a scalar in the block: bool and narrow floats are bits in an u32. UnsupportedError for one the device lacks."""
    if p.dtype is dtypes.index:
        if wide and beyond(p) and not able.int64:
            raise UnsupportedError(f"scalar {p.name!r} goes up to {p.max}, and this device has no 64-bit integers",
                                   hint="give the variable bounds that fit 31 bits")
        return "i64" if wide and beyond(p) else "i32"
    found = value_type(p.dtype, able)
    return "u32" if found in ("bool", "f16") else found


def members(meta: Metadata, able: Abilities, *, wide: bool = False) -> tuple[list[Member], int]:
    """The scalars in the block, and its size in bytes. `wide`: of the shader for a launch with an index beyond MOST_INDEX."""
    at = 16 if meta.local_size is not None else 28
    found = []
    for p in meta.scalars:
        kind = stored_type(p, able, wide=wide)
        size = 8 if kind.endswith("64") else 4
        at = -(-at // size) * size
        found.append(Member(p, kind, at))
        at += size
    return found, -(-at // 16) * 16


class Block:
    """Makes the bytes of the block of one kernel."""

    def __init__(self, meta: Metadata, able: Abilities, *, wide: bool = False) -> None:
        self.members, self.nbytes = members(meta, able, wide=wide)
        self.direct = meta.local_size is None

    def fill(self, values: Sequence[int | float], first: Sequence[int], items: Sequence[int]) -> bytearray:
        """The block of a dispatch that begins at group `first`; `items` of the whole launch are looked at where ids are direct."""
        block = bytearray(self.nbytes)
        struct.pack_into("<4I", block, 0, *first, 0)
        if self.direct:
            struct.pack_into("<3I", block, 16, *items)
        for (p, kind, at), value in zip(self.members, values, strict=True):
            narrow = p.dtype.is_float and p.dtype.bits < 32
            word = encode(float(value), p.dtype) if narrow else float(value) if p.dtype.is_float else int(value)
            struct.pack_into(f"<{_FORMATS[kind]}", block, at, word)
        return block
