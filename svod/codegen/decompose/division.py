"""Integer division: floor forms from truncating ones, powers of two from shifts, and divisors that hardware may be given.

Owns: FLOORDIV, FLOORMOD, IDIV, MOD. Must not know other ops' rules.
Invariant: an IDIV or MOD left in the graph never divides by zero, nor the least signed integer by -1, whatever its operands hold: hardware
traps on that, and pure ops are evaluated speculatively. What bounds prove costs nothing.

A guarded divisor is WHERE(bad, 1, y). Dividing by 1 gives what the policy asks for in all bad cases but the quotient by zero, which is
replaced by 0 afterwards.
"""
from __future__ import annotations

from svod.codegen.decompose.exact import full
from svod.dtype import dtypes
from svod.ir.bounds import BIG, constant, interval
from svod.ir.ops import Op
from svod.ir.pattern import Rule, any_, op, rule
from svod.ir.rules.samples import J, K, M, X, Y
from svod.ir.uop import UOp
from svod.target import Target


def division_rules(target: Target) -> tuple[Rule, ...]:
    """The rules `target` needs."""
    floors = tuple(r for o, r in ((Op.FLOORDIV, floor_quotient), (Op.FLOORMOD, floor_remainder)) if not target.has(o))
    return (*floors, safe_quotient, safe_remainder, *_lane_rules(target))


# --- what is known ---------------------------------------------------------------------------------------------------------------

def _bounds(u: UOp) -> tuple[int, int]:
    low, high = interval(u)
    if low <= -BIG and u.dtype.is_int and not u.dtype.is_unsigned:  # index arithmetic is not tracked beyond that
        low = u.dtype.min
    return int(low), int(high)


def _may_be(u: UOp, value: int) -> bool:
    """False if no lane of `u` ever is `value`."""
    if u.op in (Op.STACK, Op.BROADCAST):
        return any(_may_be(s, value) for s in u.src)
    low, high = _bounds(u)
    return low <= value <= high


def _shift_of(u: UOp) -> int | None:
    """n if `u` is the constant 2**n."""
    value = constant(u)
    return value.bit_length() - 1 if value is not None and value > 0 and value & (value - 1) == 0 else None


def _overflows(x: UOp, y: UOp) -> bool:
    """True if x / y may be the least integer by -1."""
    return not y.dtype.is_unsigned and _may_be(y, -1) and _may_be(x, int(x.dtype.min))


def _terms(condition: UOp) -> list[UOp]:
    """The operands of nested ORs."""
    return [t for s in condition.src for t in _terms(s)] if condition.op is Op.OR else [condition]


def _guarded(x: UOp, y: UOp) -> bool:
    """True if x / y never traps: by bounds, or because y is WHERE(bad, 1, z) and `bad` holds whenever x / z traps."""
    if not _may_be(y, 0) and not _overflows(x, y):
        return True
    if y.op is not Op.WHERE or constant(y.src[1]) != 1:
        return False
    terms, z = _terms(y.src[0]), y.src[2]
    both = {z.eq(-1), x.eq(int(x.dtype.min))} if _overflows(x, z) else set()
    return ((not _may_be(z, 0) or z.eq(0) in terms)
            and (not both or z.eq(-1) in terms or any(t.op is Op.AND and set(t.src) == both for t in terms)))


def _safe(x: UOp, y: UOp) -> UOp:
    """`y`, or 1 where x / y would trap."""
    if _guarded(x, y):
        return y
    bad = [y.eq(0)] if _may_be(y, 0) else []
    bad += [y.eq(-1) & x.eq(int(x.dtype.min))] if _overflows(x, y) else []
    return (bad[0] if len(bad) == 1 else bad[0] | bad[1]).where(full(1, y), y)


def _zero_where_zero(y: UOp, quotient: UOp) -> UOp:
    return y.eq(0).where(full(0, quotient), quotient) if _may_be(y, 0) else quotient


# --- truncating ------------------------------------------------------------------------------------------------------------------

@rule(op(Op.IDIV, src=(any_("x"), any_("y")), name="u"), example=(X.idiv(Y), Y.eq(0).where(0, X.idiv(Y.eq(0).where(1, Y)))))
def safe_quotient(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """x / y with y replaced by 1 where it would trap, then 0 where y is 0. x / 2**n == x >> n for x >= 0; x / -1 == -x."""
    if (value := constant(y)) is not None and -1 <= value <= 1:
        return x if value == 1 else -x if value == -1 else full(0, x)
    if (n := _shift_of(y)) is not None and _bounds(x)[0] >= 0:
        return x >> n
    return None if _guarded(x, y) else _zero_where_zero(y, x.idiv(_safe(x, y)))


@rule(op(Op.MOD, src=(any_("x"), any_("y")), name="u"),
      example=(K.rem(M), K.rem((M.eq(0) | (M.eq(-1) & K.eq(-1 << 31))).where(1, M))))
def safe_remainder(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """x rem y with y replaced by 1 where it would trap: x rem 1 == 0. x rem 2**n == x & (2**n - 1) for x >= 0."""
    if (value := constant(y)) is not None and -1 <= value <= 1:
        return full(0, x)
    if (n := _shift_of(y)) is not None and _bounds(x)[0] >= 0:
        return x & ((1 << n) - 1)
    return None if _guarded(x, y) else x.rem(_safe(x, y))


# --- lanes -----------------------------------------------------------------------------------------------------------------------
# No SIMD unit divides integers, all divide floats and multiply 32 bits. A float that holds both operands exactly has a quotient whose
# rounding error is less than 1/|y|, so that truncating it is exact: i32 in f64, 16 bits in f32, 64 bits where bounds prove 53.

def _lane_rules(target: Target) -> tuple[Rule, ...]:
    """Rules for vectors; they come after those that guard divisors."""
    floats = [(t, 2 << t.fmt.mantissa) for t in (dtypes.f32, dtypes.f64) if t in target.arithmetic and t.fmt is not None]

    def quotient(x: UOp, y: UOp) -> UOp | None:
        if x.dtype.lanes == 1 or not _guarded(x, y):
            return None
        bounds = (*_bounds(x), *_bounds(y))
        short = dtypes.i32 if all(dtypes.i32.min <= b <= dtypes.i32.max for b in bounds) else x.dtype.scalar
        if (value := constant(y)) is not None:  # a multiplication by its reciprocal, for the compiler to find
            return x.cast(short).idiv(full(value, x, short)).cast(x.dtype) if x.dtype.bits > short.bits else None
        wide = next((t for t, limit in floats if all(-limit < b < limit for b in bounds)), None)
        return (x.cast(short).cast(wide) / y.cast(short).cast(wide)).cast(short).cast(x.dtype) if wide is not None else None

    @rule(op(Op.IDIV, src=(any_("x"), any_("y"))))
    def quotient_of_lanes(x: UOp, y: UOp) -> UOp | None:
        """x / y of vectors == trunc(x / y in a float that holds both); by a literal: in 32 bits where they hold both."""
        return quotient(x, y)

    @rule(op(Op.MOD, src=(any_("x"), any_("y"))))
    def remainder_of_lanes(x: UOp, y: UOp) -> UOp | None:
        """x rem y of vectors == x - trunc(x / y) * y, with the quotient of `quotient_of_lanes`."""
        return None if (q := quotient(x, y)) is None else x - q * y

    return (quotient_of_lanes, remainder_of_lanes)


# --- rounding down ---------------------------------------------------------------------------------------------------------------

def _sign(x: UOp) -> UOp:
    """-1 where x < 0, else 0."""
    return x >> (x.dtype.bits - 1)


@rule(op(Op.FLOORDIV, src=(any_("x"), any_("y"))), example=(J // 3, J.idiv(3)))
def floor_quotient(x: UOp, y: UOp) -> UOp | None:
    """floor(x / y) == x / y for x, y >= 0; x >> n for y = 2**n; ~(~x / y) for x < 0 < y.

    Else x / y, less 1 where the remainder is not 0 and has not y's sign.
    """
    if (n := _shift_of(y)) is not None:
        return x >> n if n else x
    low = _bounds(y)[0]
    if (low >= 0 and _bounds(x)[0] >= 0) or (value := constant(y)) == 0 or value == -1:
        return x.idiv(y)
    if low > 0:
        folded = x ^ _sign(x) if x.dtype.lanes == 1 else x.maximum(-1 - x)  # the same, but for bounds, which lanes divide faster by
        return folded.idiv(y) ^ _sign(x)
    divisor = _safe(x, y)
    quotient = x.idiv(divisor)
    rest = x - quotient * divisor
    down = rest.ne(0) & ((rest ^ divisor) < 0)
    return _zero_where_zero(y, quotient - down.cast(x.dtype))


@rule(op(Op.FLOORMOD, src=(any_("x"), any_("y"))), example=(X % 8, X & 7))
def floor_remainder(x: UOp, y: UOp) -> UOp | None:
    """x mod y == x rem y for x, y >= 0; x & (2**n - 1) for y = 2**n; else x rem y, plus y where that is not zero and has the other sign."""
    if (n := _shift_of(y)) is not None:
        return x & ((1 << n) - 1)
    low = _bounds(y)[0]
    if (low >= 0 and _bounds(x)[0] >= 0) or (value := constant(y)) == 0 or value == -1:
        return x.rem(y)
    if low >= 0:
        rest = x.rem(y)  # 0 where y is
        return rest + (y & _sign(rest))
    divisor = _safe(x, y)
    rest = x.rem(divisor)
    return (rest.ne(0) & ((rest ^ divisor) < 0)).where(rest + divisor, rest)
