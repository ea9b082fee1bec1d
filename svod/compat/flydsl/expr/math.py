"""`math`: functions of floats, on scalars and on vectors lane by lane. Owns: the names. Must not know how they are computed.
Invariant: they are svod's, with svod's error bounds (docs/math.md). `fastmath=` is taken, and changes nothing.
"""
from __future__ import annotations

from svod.compat.flydsl.expr.arith import with_flags
from svod.lang import mathematics

absf = with_flags(mathematics.abs_, "absf")
acos = with_flags(mathematics.acos)
asin = with_flags(mathematics.asin)
atan = with_flags(mathematics.atan)
atan2 = with_flags(mathematics.atan2)
cbrt = with_flags(mathematics.cbrt)
ceil = with_flags(mathematics.ceil)
copysign = with_flags(mathematics.copysign)
cos = with_flags(mathematics.cos)
cosh = with_flags(mathematics.cosh)
erf = with_flags(mathematics.erf)
erfc = with_flags(mathematics.erfc)
exp = with_flags(mathematics.exp)
exp2 = with_flags(mathematics.exp2)
expm1 = with_flags(mathematics.expm1)
floor = with_flags(mathematics.floor)
fma = with_flags(mathematics.fma)
isfinite = with_flags(mathematics.isfinite)
isinf = with_flags(mathematics.isinf)
isnan = with_flags(mathematics.isnan)
log = with_flags(mathematics.log)
log1p = with_flags(mathematics.log1p)
log2 = with_flags(mathematics.log2)
log10 = with_flags(mathematics.log10)
powf = with_flags(mathematics.pow_, "powf")
round = with_flags(mathematics.round)  # noqa: A001
rsqrt = with_flags(mathematics.rsqrt)
sin = with_flags(mathematics.sin)
sinh = with_flags(mathematics.sinh)
sqrt = with_flags(mathematics.sqrt)
tan = with_flags(mathematics.tan)
tanh = with_flags(mathematics.tanh)
trunc = with_flags(mathematics.trunc)

__all__ = [
    "absf",
    "acos",
    "asin",
    "atan",
    "atan2",
    "cbrt",
    "ceil",
    "copysign",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "fma",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log1p",
    "log2",
    "log10",
    "powf",
    "round",
    "rsqrt",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
]
