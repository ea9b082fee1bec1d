"""LLVM spellings of types and constants.

Owns: how dtypes and literals are written. Must not know instructions.
Invariant: bool is i1 as a value and i8 in memory; bf16 and fp8 are their bit patterns; index is i64.
"""
from __future__ import annotations

import struct

from svod.dtype import DType, Kind, PtrDType, dtypes
from svod.dtype.convert import encode
from svod.ir.uop import UOp

_FLOATS = {dtypes.f32: "float", dtypes.f64: "double", dtypes.f16: "half"}


def value_type(dtype: DType) -> str:
    """The LLVM type of an SSA value."""
    if isinstance(dtype, PtrDType):
        return "ptr"
    return _vector(_FLOATS.get(dtype.scalar) or f"i{dtype.bits}", dtype.lanes)


def memory_type(dtype: DType) -> str:
    """The LLVM type of the value in memory."""
    return _vector("i8", dtype.lanes) if dtype.is_bool else value_type(dtype)


def _vector(scalar: str, lanes: int) -> str:
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


def literal(u: UOp) -> str:
    """A scalar CONST as an LLVM literal of its value type."""
    v, dtype = u.arg.value, u.dtype
    if dtype.kind is Kind.FLOAT:
        if dtype is dtypes.f64 or dtype is dtypes.f32:
            return f"0x{struct.unpack('<Q', struct.pack('<d', v))[0]:016X}"
        code = encode(v, dtype)
        return f"0xH{code:04X}" if dtype is dtypes.f16 else str(code)
    if dtype.is_bool:
        return "true" if v else "false"
    return str(v)


def mangled(dtype: DType) -> str:
    """The suffix of an overloaded intrinsic: f32, v16f32, i64."""
    t = {dtypes.f32: "f32", dtypes.f64: "f64", dtypes.f16: "f16"}.get(dtype.scalar) or f"i{dtype.bits}"
    return t if dtype.lanes == 1 else f"v{dtype.lanes}{t}"
