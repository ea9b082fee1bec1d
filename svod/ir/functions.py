"""Functions of mathematics as methods of UOp. Sugar only: one node each, or a few of basic arithmetic.

Owns: their names, those of C and NumPy. Must not know how an op is computed, nor rewriting, nor stages.
Invariant: operands are floats (GraphError otherwise); errors in units in the last place are stated in docs/math.md.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from svod.dtype import DType, dtypes
from svod.errors import DTypeError
from svod.ir.arithmetic import Arithmetic
from svod.ir.ops import Op

if TYPE_CHECKING:
    from svod.ir.uop import UOp


class Functions(Arithmetic):
    """Mixin of UOp; never instantiated by itself."""

    __slots__ = ()

    def sqrt(self) -> UOp:
        """Square root, correctly rounded."""
        return self._one(Op.SQRT)

    def rsqrt(self) -> UOp:
        """1 / sqrt(x)."""
        return self._one(Op.RSQRT)

    def cbrt(self) -> UOp:
        """Cube root, of negative numbers too."""
        return self._one(Op.CBRT)

    def trunc(self) -> UOp:
        """Rounded toward zero."""
        return self._one(Op.TRUNC)

    def floor(self) -> UOp:
        """Rounded down."""
        return self._one(Op.FLOOR)

    def ceil(self) -> UOp:
        """Rounded up."""
        return self._one(Op.CEIL)

    def rint(self) -> UOp:
        """Rounded to the nearest whole number, ties to even, as Python's and NumPy's round."""
        return self._one(Op.RINT)

    def tf32(self) -> UOp:
        """Rounded to 10 bits of mantissa, ties away from zero: the precision that matrix units have for f32. A product of two such values
        may be left to them; see docs/decisions/013-matrix-units.md."""
        return self._one(Op.TF32)

    def exp(self) -> UOp:
        """e to the x."""
        return self._one(Op.EXP)

    def exp2(self) -> UOp:
        """2 to the x."""
        return self._one(Op.EXP2)

    def expm1(self) -> UOp:
        """e to the x, minus 1, without cancellation near 0."""
        return self._one(Op.EXPM1)

    def log(self) -> UOp:
        """Natural logarithm."""
        return self._one(Op.LOG)

    def log2(self) -> UOp:
        """Binary logarithm."""
        return self._one(Op.LOG2)

    def log10(self) -> UOp:
        """Decimal logarithm."""
        return self._one(Op.LOG10)

    def log1p(self) -> UOp:
        """Natural logarithm of 1 + x, without cancellation near 0."""
        return self._one(Op.LOG1P)

    def sin(self) -> UOp:
        """Sine of radians."""
        return self._one(Op.SIN)

    def cos(self) -> UOp:
        """Cosine of radians."""
        return self._one(Op.COS)

    def tan(self) -> UOp:
        """Tangent of radians."""
        return self._one(Op.TAN)

    def asin(self) -> UOp:
        """Arc sine in radians; NaN outside of [-1, 1]."""
        return self._one(Op.ASIN)

    def acos(self) -> UOp:
        """Arc cosine in radians; NaN outside of [-1, 1]."""
        return self._one(Op.ACOS)

    def atan(self) -> UOp:
        """Arc tangent in radians."""
        return self._one(Op.ATAN)

    def sinh(self) -> UOp:
        """Hyperbolic sine."""
        return self._one(Op.SINH)

    def cosh(self) -> UOp:
        """Hyperbolic cosine."""
        return self._one(Op.COSH)

    def tanh(self) -> UOp:
        """Hyperbolic tangent."""
        return self._one(Op.TANH)

    def erf(self) -> UOp:
        """Error function."""
        return self._one(Op.ERF)

    def erfc(self) -> UOp:
        """1 - erf(x), without cancellation."""
        return self._one(Op.ERFC)

    def sigmoid(self) -> UOp:
        """1 / (1 + exp(-x))."""
        return self._one(Op.SIGMOID)

    def atan2(self, x: UOp | float) -> UOp:
        """The angle of the point (x, this) in radians, -pi to pi; special cases as in C99."""
        return self._two(Op.ATAN2, x)

    def hypot(self, o: UOp | float) -> UOp:
        """sqrt(x * x + o * o) without overflow in between; infinite if either is, even beside NaN."""
        return self._two(Op.HYPOT, o)

    # ---- the parts of a float -------------------------------------------------------------------------------------
    def signbit(self) -> UOp:
        """Whether the sign bit is set (bool): of -0.0 it is, of a NaN it may be."""
        me = _float(self)
        return me.bitcast(_SIGNED[me.dtype.scalar.bits]) < 0

    def copysign(self, o: UOp | float) -> UOp:
        """This magnitude with the sign of `o`. Where the format has no -0.0, zero stays zero."""
        me, size = _float(self), abs(_float(self))
        other = o if isinstance(o, Arithmetic) else me.const(o, me.dtype)
        return cast("Functions", other).signbit().where(-size, size)

    def isnan(self) -> UOp:
        """Whether this is no number (bool)."""
        me = _float(self)
        return me.ne(me)

    def isinf(self) -> UOp:
        """Whether this is an infinity (bool); false in a format without them."""
        me = _float(self)
        return abs(me).eq(math.inf) if _infinities(me.dtype) else me.const(False, dtypes.bool.vec(me.dtype.lanes))

    def isfinite(self) -> UOp:
        """Whether this is a number and no infinity (bool)."""
        me = _float(self)
        return abs(me) < math.inf if _infinities(me.dtype) else me.eq(me)


_SIGNED = {8: dtypes.i8, 16: dtypes.i16, 32: dtypes.i32, 64: dtypes.i64}


def _infinities(dtype: DType) -> bool:
    return dtype.fmt is None or dtype.fmt.infinities


def _float(x: Arithmetic) -> UOp:
    me = cast("UOp", x)
    if not me.dtype.is_float:
        raise DTypeError(f"signs, infinities and NaN are those of floats, got {me.dtype}", hint="cast it, or compare: x < 0")
    return me
