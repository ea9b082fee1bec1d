"""How values, elements of memory and constants are written in WGSL.

Owns: `Abilities`, the type of a value and of an element, literals. Must not know ops.
Invariants: a type the device lacks is refused by name; a literal is the very same bits, and none is an expression that a compiler
may refuse to evaluate: what is no plain number is made at run time, from its bits and a zero that the compiler does not know.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from svod.dtype import DType, dtypes
from svod.dtype.convert import encode
from svod.errors import UnsupportedError

ZERO = "launch.zero"
"""An u32 that is 0 in every launch, as no compiler can know."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a device has and lacks: f16 in memory, 64-bit integers, atomic operations on them, f64.

    `by_f64`: quotients and roots of f32 are to go through f64, as those of the device are not correctly rounded.
    `iterations`: after how many, of all its loops, a work item is stopped without a word; 0: it is not.
    """

    f16: bool = False
    int64: bool = False
    atomic64: bool = False
    f64: bool = False
    by_f64: bool = False
    iterations: int = 0


FEATURES = {"f16": "shader-f16", "i64": "shader-int64", "u64": "shader-int64", "f64": "shader-f64"}
"""What has to be there for a type, by its name in WebGPU."""


def refuse(dtype: DType) -> UnsupportedError:
    """The error for a type that the device lacks."""
    feature = FEATURES.get(dtype.name, "")
    return UnsupportedError(f"this device has no {dtype}{f', as it lacks the feature {feature}' if feature else ''}",
                            hint="use f32 and 32-bit integers, or run the kernel on another device")


def value_type(dtype: DType, able: Abilities, *, wide: bool = False) -> str:
    """The type that values of a scalar dtype have; narrow integers are held in 32 bits, other narrow floats as their bits in an u32.

    `wide`: whether an index takes 64 bits. UnsupportedError for vectors, and for what the device lacks.
    """
    if dtype.lanes > 1:
        raise UnsupportedError(f"WGSL takes no {dtype}: its work items are the lanes", hint="the schedule must not make vectors")
    if dtype is dtypes.index:
        dtype = dtypes.i64 if wide else dtypes.i32
    if dtype.is_bool or dtype in (dtypes.f32, dtypes.i32, dtypes.u32):
        return dtype.name
    if dtype in (dtypes.i64, dtypes.u64, dtypes.f64):
        if not (able.f64 if dtype is dtypes.f64 else able.int64):
            raise refuse(dtype)
        return dtype.name
    if dtype is dtypes.f16 and able.f16:
        return "f16"
    return "i32" if dtype.is_int and not dtype.is_unsigned else "u32"


def packed(dtype: DType, able: Abilities) -> bool:
    """Whether elements of buffers share a word, as WGSL has no type of their size."""
    return dtype.bits < 32 and not (dtype is dtypes.f16 and able.f16)


def literal(value: bool | int | float, dtype: DType, able: Abilities, *, wide: bool = False) -> str:
    """A constant of a scalar dtype."""
    if dtype.is_bool:
        return "true" if value else "false"
    held = value_type(dtype, able, wide=wide)
    if dtype.is_float:
        if dtype in (dtypes.f32, dtypes.f64):
            return _float(float(value), dtype)
        code = encode(float(value), dtype)
        return f"f16(unpack2x16float({code:#x}u).x)" if held == "f16" else f"{code:#x}u"
    n = int(value)
    if dtype is dtypes.index and held == "i32":
        n = (n + (1 << 31)) % (1 << 32) - (1 << 31)
    suffix = {"u32": "u", "i64": "li", "u64": "lu"}.get(held, "")
    if (held, n) in (("i32", -(1 << 31)), ("i64", -(1 << 63))):
        return f"({n + 1}{suffix} - 1{suffix})"
    return f"{n}{suffix}"


def _float(x: float, dtype: DType) -> str:
    single = dtype is dtypes.f32
    least = 2.0**-126 if single else 2.0**-1022
    if not math.isfinite(x) or 0 < abs(x) < least or (x == 0 and math.copysign(1, x) < 0):
        code = encode(x, dtype)
        return f"bitcast<f32>({code:#x}u ^ {ZERO})" if single else f"bitcast<f64>({code:#x}lu ^ u64({ZERO}))"
    if not single:
        return f"{x!r}lf"
    text = np.format_float_scientific(np.float32(x), unique=True, trim="0")
    exponent = int(text.partition("e")[2])
    return np.format_float_positional(np.float32(x), unique=True, trim="0") if -5 <= exponent < 9 else text
