"""The greatest error of every decomposition, in units in the last place of the exact result.

Owns: the figures that the documents state and the tests hold the functions to. Must not know how the functions work.
Invariant: figures are maxima measured, rounded up to tenths. f32: over all 2**32 arguments against float64; pow and atan2 over 10**8 random
pairs. f64: over 3 * 10**7 random arguments against x87 extended precision, and a margin of a twentieth. The unit is the spacing of the
format's numbers at the exact result (of the least normal number below it, of the greatest one beyond it).
"""
from __future__ import annotations

from collections.abc import Mapping

from svod.dtype import dtypes
from svod.ir.ops import Op

_WIDE: Mapping[Op | str, tuple[float, float]] = {
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
    "expm1": (1.6, 2.0),
    "log10": (1.0, 1.1),
    "log1p": (1.6, 1.8),
    "sinh": (1.9, 2.3),
    "cosh": (1.9, 1.7),
    "asin": (1.2, 1.2),
    "acos": (1.1, 1.2),
    "atan2": (1.6, 1.6),
    "cbrt": (0.6, 0.6),
    "erfc": (4.0, 4.3),
}
"""f32 and f64."""


def _all(f32: float, f64: float) -> dict[str, float]:
    """The bounds of one function by dtype. A narrow float errs by half a unit for its own rounding and by what f32 erred before."""
    narrow = {d.name: 0.5 + f32 * 2.0 ** (d.fmt.mantissa - 23) for d in (*dtypes.FP8, dtypes.f16, dtypes.bf16) if d.fmt is not None}
    return {"f32": f32, "f64": f64, **narrow}


BOUNDS: Mapping[Op | str, Mapping[str, float]] = {function: _all(*wide) for function, wide in _WIDE.items()}
"""Op (or name of a function without one) and dtype name -> units in the last place."""
