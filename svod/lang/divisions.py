"""`//` and `%` of floats as Python and NumPy define them, and powers of integers: what takes more than one operation.

Owns: these definitions. Must not know operands' promotion, vectors, syntax.
Invariant: the remainder is exact for all finite operands (before the one rounding of Python's `r + y` where the signs differ), and every
result is that of NumPy's remainder and floor_divide, bit for bit but for a NaN's payload. A divisor of zero gives what they give: NaN, and
an infinity for `//`. Nothing is called: each step is ordinary arithmetic, so that vectors of work items take it together.

How: with q = x / y rounded to an integer, r = x - q * y is congruent to x, a multiple of the last place of q times that of y, and at most
y times the last place of q: it has no more bits than y, so one subtraction gives it exactly, if the product is exact (f32 and narrower,
computed in f64, q cut to 29 bits) or fused (f64). Where r is not less than y yet, each round of a loop takes 28 (52) bits more off it;
most operands need no round. What is done with the remainder is CPython's float_floor_div and NumPy's npy_divmod.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from svod.dtype import DType, dtypes
from svod.ir.bounds import interval
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang.builder import Branch, Builder, Jump, Loop, write_cell

SHORT = (dtypes.f16, *dtypes.FP8)
"""Floats whose quotients are below 2**42: their products with the bits of y are exact in f64, and one subtraction is enough."""
_FAR = 900
"""Powers of two by which y is multiplied where x / y is greater than that, since it might not be finite (f64)."""


def float_modulo(x: UOp, y: UOp, builder: Builder) -> UOp:
    """x % y: fmod(x, y), plus y where that is not zero and has the other sign; a zero has the sign of y."""
    a, b, apart = _parts(x, y)
    m = _remainder(a, b, x.dtype, builder)
    size = (apart & m.ne(0.0)).where(b - m, m)
    return y.signbit().where(-size, size).cast(x.dtype)


def truncated_modulo(x: UOp, y: UOp, builder: Builder) -> UOp:
    """fmod(x, y): what is left of x when y has been taken off it as often as it goes, with the sign of x."""
    a, b, _ = _parts(x, y)
    m = _remainder(a, b, x.dtype, builder)
    return x.signbit().where(-m, m).cast(x.dtype)


def float_floor_divide(x: UOp, y: UOp, builder: Builder) -> UOp:
    """x // y: (x - fmod(x, y)) / y, less 1 where the remainder is not zero and has the other sign than y, as the nearest whole number."""
    a, b, apart = _parts(x, y)
    m = _remainder(a, b, x.dtype, builder)
    size = UOp(Op.FDIV, ((a.eq(0.0) | b.eq(0.0)).where(a, a - m), b))
    quotient = apart.where(m.ne(0.0).where(-1.0 - size, -size), size)
    down = quotient.floor()
    near = (full(0.5, down) < quotient - down).where(down + 1.0, down)
    return near.cast(x.dtype)


def full(value: float, like: UOp) -> UOp:
    """The constant `value` in the type of `like`."""
    return UOp.const(value, like.dtype)


def _parts(x: UOp, y: UOp) -> tuple[UOp, UOp, UOp]:
    """|x| and |y| in the type that is computed in, and whether their signs differ."""
    wide = dtypes.f64 if x.dtype is dtypes.f64 else dtypes.f32
    return x.cast(wide).abs(), y.cast(wide).abs(), x.signbit().ne(y.signbit())


def _remainder(a: UOp, b: UOp, dtype: DType, builder: Builder) -> UOp:
    """a mod b for a, b >= 0, exact: NaN where an operand is, where a is infinite, and where b is zero."""
    x, y = a.cast(dtypes.f64), b.cast(dtypes.f64)
    if dtype in SHORT:
        rest = (x < y).where(x, x - UOp(Op.FDIV, (x, y)).rint() * y)
    else:
        x, y = builder.let(x, "size"), builder.let(y, "size")
        step, first = (_far_step, _near(x, y)) if dtype is dtypes.f64 else (_step, (x < y).where(x, _step(x, y)))
        rest = _rounds(first, y, step, builder)
    return (rest < 0.0).where(rest + y, rest).cast(a.dtype)


def _near(x: UOp, y: UOp) -> UOp:
    """x - rint(x / y) * y in f64, exact; x itself where it is less than y, or the quotient 2**53 or more."""
    quotient = UOp(Op.FDIV, (x, y)).rint()
    return ((x < y) | (full(2.0**53, quotient) <= quotient)).where(x, (-quotient).fma(y, x))


def _step(rest: UOp, b: UOp) -> UOp:
    """rest - q * b, of f32 values in f64: q keeps 29 bits, so that the product with the 24 of b is exact."""
    quotient = UOp(Op.FDIV, (rest, b)).rint()
    kept = (quotient.bitcast(dtypes.u64) & ((1 << 64) - (1 << 24))).bitcast(dtypes.f64)
    return rest - kept * b


def _far_step(rest: UOp, b: UOp) -> UOp:
    """rest - q * b in f64, where b is multiplied by a power of two first if the quotient might not be finite: it is below 2**2099."""
    size, multiple = rest.abs() * 2.0**-_FAR, b
    for _ in range(2):
        multiple = (multiple <= size).where(multiple * 2.0**_FAR, multiple)
    quotient = UOp(Op.FDIV, (rest, multiple)).rint()
    return (-quotient).fma(multiple, rest)


def _rounds(first: UOp, b: UOp, step: Callable[[UOp, UOp], UOp], builder: Builder) -> UOp:
    """`first` after as many steps as it takes to be less than b."""
    cell = _cell(builder, first, "rest")
    with _loop(builder) as leave:
        rest = builder.load(cell, 0, "rest")
        leave(~(b <= rest.abs()))
        builder.emit(write_cell(cell, step(rest, b)))
    return builder.load(cell, 0, "rest")


# --- powers ----------------------------------------------------------------------------------------------------------------------

def integer_power(base: UOp, exponent: UOp, builder: Builder) -> UOp:
    """base ** exponent of integers of one type, by squaring; wraps. A negative exponent gives base**-n rounded to zero: 0, but for ±1."""
    base, exponent = builder.let(base, "base"), builder.let(exponent, "exponent")
    negative = exponent < 0 if interval(exponent)[0] < 0 else None
    result = _cell(builder, UOp.const(1, base.dtype), "power")
    square = _cell(builder, base, "square")
    left = _cell(builder, exponent if negative is None else negative.where(UOp.const(0, exponent.dtype), exponent), "left")
    with _loop(builder) as leave:
        rest = builder.read_cell(left, exponent.dtype, "left")
        leave(rest.eq(0))
        factor, power = builder.read_cell(square, base.dtype, "square"), builder.read_cell(result, base.dtype, "power")
        builder.emit(write_cell(result, (rest & 1).ne(0).where(power * factor, power)))
        builder.emit(write_cell(square, factor * factor))
        builder.emit(write_cell(left, rest >> 1))
    power = builder.read_cell(result, base.dtype, "power")
    if negative is None:
        return power
    unit = base.eq(1) | base.eq(-1)
    inverse = unit.where((exponent & 1).ne(0).where(base, UOp.const(1, base.dtype)), UOp.const(0, base.dtype))
    return negative.where(inverse, power)


# --- loops -----------------------------------------------------------------------------------------------------------------------

def _cell(builder: Builder, value: UOp, name: str) -> UOp:
    cell = builder.cell(value.dtype, name)
    builder.emit(write_cell(cell, value))
    return cell


@contextmanager
def _loop(builder: Builder) -> Iterator[Callable[[UOp], None]]:
    """Statements emitted inside are the body of a loop; what is given leaves it where its argument holds."""
    loop = Loop([])

    def leave(condition: UOp) -> None:
        builder.emit(Branch(condition, [Jump(loop)], []))

    outer, builder.here = builder.here, loop.body
    try:
        yield leave
    finally:
        builder.here = outer
    builder.emit(loop)
