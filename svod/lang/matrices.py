"""Products of small matrices by a whole subgroup: `mma`, and who holds which element.

Owns: mma, its layouts, what it accepts. Must not know how it is carried out (svod.ir.products, or a target's matrix units).
Invariant: products are exact for types narrower than f32 and for integers.
"""
from __future__ import annotations

import math
from typing import Any

from svod.dtype import DType, dtypes
from svod.errors import KernelError
from svod.ir.args import MmaArg
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang import arithmetic
from svod.lang.builtin import builtin
from svod.lang.tracer import Tracer
from svod.lang.value import Dynamic, Vector, describe, is_dynamic, static_number

EDGE = 16
"""Rows and columns of the result."""
SHAPES = ((16, 16, 16), (16, 16, 32))
_FLOATS = (dtypes.f32, dtypes.f16, dtypes.bf16, *dtypes.FP8)
_INTEGERS = (dtypes.i8, dtypes.u8)


@builtin()
def mma(t: Tracer, a: Any, b: Any, c: Any, *shape: Any, precision: Any = "") -> tuple[Dynamic, ...]:
    """mma(a, b, c) or mma(a, b, c, m, n, k): a @ b + c for m × k, k × n and m × n matrices, spread over a subgroup.

    m, n, k is 16, 16, 16 (the default) or 16, 16, 32; the subgroup has s = 16, 32 or 64 work items. Each, as lane l, gives and gets tuples
    of scalars. With parts = s // 16 and g = l // 16: `a` is row l % 16, columns g * k / parts and on (k / parts values); `b` is column
    l % 16, rows g * k / parts and on; `c` and the result are column l % 16, rows g * 16 / parts and on (16 / parts values). 64 lanes hold
    4 values of each for k = 16. Types: f32, f16, bf16, fp8 with f32 in c; i8, u8 with i32; a and b may differ. Every lane of the subgroup
    has to take part. The layouts for 64 lanes are those of AMD's v_mfma_*_16x16x16 and 16x16x32 instructions.

    precision="tf32" rounds each f32 of a and b as tf32() does, on every device; without it all of their bits count. Each sum gets its
    products in order of k, one rounding a step; on GPUs whose matrix units are used (CUDA, subgroup=32) in the unit's order and rounding:
    of f16, bf16, f32 with precision="tf32", i8 and u8 in any pair, f8e4m3 and f8e5m2 in any pair.
    """
    known = tuple(map(static_number, shape)) if shape else SHAPES[0]
    if known not in SHAPES:
        raise KernelError(f"mma() of {' × '.join(map(repr, shape))}", hint=f"m, n, k is one of {', '.join(map(str, SHAPES))}")
    _whole_subgroups(t)
    parts = t.subgroup // EDGE
    left, right = (_rounded(_fragment(v, name, SHAPES[SHAPES.index(known)][2] // parts), name, precision)
                   for v, name in ((a, "a"), (b, "b")))
    kind = _accumulated(left[0].dtype, right[0].dtype)
    held = tuple(arithmetic.implicit(v, kind, "an element of c of mma()") for v in _entries(c, "c", EDGE // parts))
    sums = [t.builder.value(kind, "sum") for _ in held]
    given = (*(v.uop for v in (*left, *right)), *held)
    t.builder.emit(UOp(Op.MMA, (*sums, *given), MmaArg(*known, t.subgroup), dtypes.void))
    return tuple(map(Dynamic, sums))


def _whole_subgroups(t: Tracer) -> None:
    """KernelError unless all lanes of every subgroup are there."""
    if t.subgroup % EDGE:
        raise KernelError(f"mma() in a subgroup of {t.subgroup} work items", hint="@kernel(subgroup=64), or 32, or 16")
    if math.prod(t.block) % t.subgroup:
        raise KernelError(f"mma() in a block of {' × '.join(map(str, t.block))} work items, which is no number of subgroups",
                          hint=f"a multiple of {t.subgroup} work items")
    if t.guarded:
        raise KernelError("mma() in a kernel launched with threads=n: the work items beyond n do not take part",
                          hint="launch it with kernel[grid, block](…) and test the index where results are stored")


def _entries(fragment: Any, name: str, count: int) -> tuple[Any, ...]:
    values = tuple(fragment.lanes) if isinstance(fragment, Vector) else fragment
    if not isinstance(values, (tuple, list)) or len(values) != count:
        raise KernelError(f"the fragment {name} of mma() is {describe(fragment)}", hint=f"a tuple of {count} scalars in each work item")
    return tuple(values)


def _fragment(fragment: Any, name: str, count: int) -> tuple[Dynamic, ...]:
    """The values of a or b, which have one type."""
    values = tuple(arithmetic.typed(v) for v in _entries(fragment, name, count))
    if len({v.dtype for v in values}) > 1:
        raise KernelError(f"the fragment {name} of mma() holds {', '.join(sorted({repr(v.dtype) for v in values}))}", hint="one type")
    return values


def _rounded(fragment: tuple[Dynamic, ...], name: str, precision: Any) -> tuple[Dynamic, ...]:
    """The values of a or b in the precision that is asked for."""
    asked = describe(precision) if is_dynamic(precision) else repr(precision)
    if asked == "''":
        return fragment
    if asked != "'tf32'":
        raise KernelError(f"mma() with precision={asked}",
                          hint='precision="tf32" rounds f32 for matrix units; without it every bit of them counts')
    if (kind := fragment[0].dtype) is not dtypes.f32:
        raise KernelError(f'mma() with precision="tf32" of {kind!r} in the fragment {name}',
                          hint="it is for f32: leave it out, narrower types are exact" if kind.bits < 32 else f"sl.f32(…) of each {kind!r}")
    return tuple(Dynamic(v.uop.tf32()) for v in fragment)


def _accumulated(left: DType, right: DType) -> DType:
    """The type of c."""
    for kinds, kind in ((_FLOATS, dtypes.f32), (_INTEGERS, dtypes.i32)):
        if left in kinds and right in kinds:
            return kind
    names = ", ".join(map(repr, (*_FLOATS, *_INTEGERS)))
    raise KernelError(f"mma() of {left!r} and {right!r}", hint=f"floats with floats, integers with integers: {names}")
