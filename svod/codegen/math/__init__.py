"""Math functions as decompositions into basic arithmetic: +, -, *, fused multiply-add, division, square root, comparisons, selects,
casts, bit operations and roundings to integers. Every function is pure and branch-free, for f32 and f64 and vectors of them.

Owns: which op has which decomposition, and the error each guarantees. Must not know targets, nor which of them need it.
Invariant: `DECOMPOSITIONS[op](*sources)` has the dtype of its sources and contains no op that has a decomposition itself.

Narrow floats are computed in f32 and rounded, which whoever applies the table does. Special values are those of C99 Annex F: subnormals
are neither flushed on the way in nor out, results overflow to infinity exactly where rounding does, NaN goes through, -0.0 keeps its sign
in odd functions.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping

from svod.codegen.math.bounds import BOUNDS
from svod.codegen.math.error_function import erf, erfc
from svod.codegen.math.exponential import exp, exp2, expm1, sigmoid
from svod.codegen.math.hyperbolic import cosh, sinh, tanh
from svod.codegen.math.inverse_trigonometric import acos, asin, atan, atan2
from svod.codegen.math.logarithm import log, log1p, log2, log10
from svod.codegen.math.power import cbrt, hypot, pow, rsqrt
from svod.codegen.math.trigonometric import cos, sin, tan
from svod.ir.ops import Op
from svod.ir.uop import UOp

DECOMPOSITIONS: Mapping[Op, Callable[..., UOp]] = {
    Op.EXP: exp,
    Op.EXP2: exp2,
    Op.LOG: log,
    Op.LOG2: log2,
    Op.SIN: sin,
    Op.COS: cos,
    Op.TAN: tan,
    Op.TANH: tanh,
    Op.ATAN: atan,
    Op.ERF: erf,
    Op.SIGMOID: sigmoid,
    Op.RSQRT: rsqrt,
    Op.POW: pow,
    Op.EXPM1: expm1,
    Op.LOG10: log10,
    Op.LOG1P: log1p,
    Op.SINH: sinh,
    Op.COSH: cosh,
    Op.ASIN: asin,
    Op.ACOS: acos,
    Op.ATAN2: atan2,
    Op.CBRT: cbrt,
    Op.HYPOT: hypot,
    Op.ERFC: erfc,
}
"""The function that replaces a node of each op, given its sources."""

__all__ = ["BOUNDS", "DECOMPOSITIONS"]
