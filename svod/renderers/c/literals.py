"""Constants as C spells them.

Owns: how literals are written. Must not know vectors. Invariant: a literal reads back as the very same bits (but for what a NaN carries).
"""
from __future__ import annotations

import math

import numpy as np

from svod.dtype import DType, dtypes
from svod.dtype.convert import encode
from svod.renderers.c.dialect import Dialect

_SUFFIXES = {"u32": "u", "i64": "LL", "index": "LL", "u64": "ULL"}
"""Those of C, where a dialect has no others."""


def literal(value: bool | int | float, dtype: DType, dialect: Dialect) -> str:
    """`value` of a scalar dtype; narrow floats as their bits."""
    if dtype in (dtypes.f32, dtypes.f64):
        return _float(float(value), dtype, dialect)
    if dtype.is_float:
        return hex(encode(float(value), dtype))
    n = int(value)
    suffix = dialect.suffixes.get(dtype.name, _SUFFIXES.get(dtype.name, ""))
    if n == dtype.min and dtype.min < 0 and dtype.bits >= 32:
        return f"(-{-(n + 1)}{suffix} - 1)"
    return f"{n}{suffix}"


def short(value: bool | int | float, dtype: DType, dialect: Dialect) -> str:
    """The same beside an operand of that dtype, whose type then decides: whole numbers that any type has need no suffix."""
    if dtype.is_int and -(1 << 31) < int(value) < 1 << 31:
        return str(int(value))
    return literal(value, dtype, dialect)


def _float(x: float, dtype: DType, dialect: Dialect) -> str:
    s = dialect.suffixes.get(dtype.name, "")
    if math.isnan(x):
        return dialect.nan.format(s=s)
    if math.isinf(x):
        return ("-" if x < 0 else "") + dialect.infinity.format(s=s)
    text = repr(x) if dtype is dtypes.f64 else _shortest(x)
    return text + s


def _shortest(x: float) -> str:
    """The shortest decimal that is this float32."""
    text = np.format_float_scientific(np.float32(x), unique=True, trim="0")
    exponent = int(text.partition("e")[2])
    return np.format_float_positional(np.float32(x), unique=True, trim="0") if -5 <= exponent < 9 else text
