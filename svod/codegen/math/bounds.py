"""The greatest error of every decomposition, in units in the last place of the exact result.

Owns: the figures that the documents state and the tests hold the functions to. Must not know how the functions work.
Invariant: figures are maxima measured, rounded up to tenths. f32: over all 2**32 arguments against float64; pow, atan2 and hypot over
10**8 random pairs. f64: over 3 * 10**7 random arguments against x87 extended precision, and a margin of a twentieth. The unit is the
spacing of the format's numbers at the exact result (of the least normal number below it, of the greatest one beyond it).
"""
from __future__ import annotations

from collections.abc import Mapping

from svod.dtype import dtypes
from svod.ir.ops import Op

_WIDE: Mapping[Op, tuple[float, float]] = {
    Op.EXP: (0.9, 1.0),
    Op.EXP2: (0.9, 0.9),
    Op.LOG: (0.9, 1.3),
    Op.LOG2: (1.0, 1.1),
    Op.SIN: (0.9, 1.0),
    Op.COS: (0.9, 1.0),
    Op.TAN: (1.6, 1.8),
    Op.TANH: (2.0, 2.2),
    Op.ATAN: (1.1, 0.9),
    Op.ERF: (1.9, 1.8),
    Op.SIGMOID: (1.3, 1.6),
    Op.RSQRT: (1.5, 1.6),
    Op.POW: (1.0, 1.2),
    Op.EXPM1: (1.6, 2.0),
    Op.LOG10: (1.0, 1.1),
    Op.LOG1P: (1.6, 1.8),
    Op.SINH: (1.9, 2.3),
    Op.COSH: (1.9, 1.7),
    Op.ASIN: (1.2, 1.2),
    Op.ACOS: (1.1, 1.2),
    Op.ATAN2: (1.6, 1.6),
    Op.CBRT: (0.6, 0.6),
    Op.HYPOT: (1.0, 1.1),
    Op.ERFC: (4.0, 4.3),
}
"""f32 and f64."""


def _all(f32: float, f64: float) -> dict[str, float]:
    """The bounds of one function by dtype. A narrow float errs by half a unit for its own rounding and by what f32 erred before."""
    narrow = {d.name: 0.5 + f32 * 2.0 ** (d.fmt.mantissa - 23) for d in (*dtypes.FP8, dtypes.f16, dtypes.bf16) if d.fmt is not None}
    return {"f32": f32, "f64": f64, **narrow}


BOUNDS: Mapping[Op, Mapping[str, float]] = {function: _all(*wide) for function, wide in _WIDE.items()}
"""Op and dtype name -> units in the last place."""
