"""Casts of float vectors to integers: truncate, saturate, NaN to 0, without the intrinsic that x86 takes apart lane by lane.

Owns: that instruction sequence. Must not know loops or memory.
Invariant: `fptosi` out of range is poison, and a select that does not choose it is not; so every lane is defined.
"""
from __future__ import annotations

from collections.abc import Callable

from svod.dtype import DType, dtypes
from svod.ir.uop import UOp
from svod.renderers.llvm.types import literal, value_type

Let = Callable[[str], str]


def saturated(let: Let, x: str, src: DType, dst: DType) -> str:
    """Instructions for CAST of the float vector `x`; `let` writes one and returns its name."""
    return _through_i32(let, x, src, dst) if dst.bits <= 16 else _direct(let, x, src, dst)


def _splat(value: float, dtype: DType) -> str:
    return f"splat ({value_type(dtype.scalar)} {literal(UOp.const(value, dtype.scalar))})"


def _select(let: Let, condition: str, yes: tuple[str, str], no: str) -> str:
    t, value = yes
    lanes = t[1 : t.index(" ")]
    return let(f"select <{lanes} x i1> {condition}, {t} {value}, {t} {no}")


def _through_i32(let: Let, x: str, src: DType, dst: DType) -> str:
    """The limits of narrow integers are exact floats: clamp first, then convert."""
    t, low, high = value_type(src), _splat(float(dst.min), src), _splat(float(dst.max), src)
    clamped = _select(let, let(f"fcmp olt {t} {x}, {low}"), (t, low), x)
    clamped = _select(let, let(f"fcmp ogt {t} {clamped}, {high}"), (t, high), clamped)
    clamped = _select(let, let(f"fcmp uno {t} {x}, {x}"), (t, "zeroinitializer"), clamped)
    wide = value_type(dtypes.i32.vec(dst.lanes))
    return let(f"trunc {wide} {let(f'fptosi {t} {clamped} to {wide}')} to {value_type(dst)}")


def _direct(let: Let, x: str, src: DType, dst: DType) -> str:
    """One past the greatest integer is a power of two, so an exact float: convert, then put the limits in."""
    t, r = value_type(src), value_type(dst)
    out = let(f"fpto{'u' if dst.is_unsigned else 's'}i {t} {x} to {r}")
    out = _select(let, let(f"fcmp oge {t} {x}, {_splat(float(int(dst.max) + 1), src)}"), (r, _splat(dst.max, dst)), out)
    if dst.is_unsigned:  # also NaN
        return _select(let, let(f"fcmp ult {t} {x}, zeroinitializer"), (r, "zeroinitializer"), out)
    out = _select(let, let(f"fcmp olt {t} {x}, {_splat(float(dst.min), src)}"), (r, _splat(dst.min, dst)), out)
    return _select(let, let(f"fcmp uno {t} {x}, {x}"), (r, "zeroinitializer"), out)
