"""Shifts, bool and integer ops that a target lacks, from those every target has. Division has a module of its own.

Owns: SHL, SHR; comparisons, MAX and MIN of bool; ABS, MAX, MIN and MULACC of integers; integers of 8 and 16 bits on targets that compute
in 32 only. Must not know floats.
Invariant: the count of every SHL and SHR left is proved to lie in [0, width): hardware masks it or leaves it undefined.
"""
from __future__ import annotations

from svod.codegen.decompose.exact import UNSIGNED, full
from svod.codegen.decompose.support import NOT_FOR_BOOL, SMALL_INTS
from svod.dtype import dtypes
from svod.ir.bounds import interval
from svod.ir.ops import BINARY, COMPARISONS, Op
from svod.ir.pattern import Rule, any_, bool_, int_, op, rule
from svod.ir.rules.samples import K, M, P, Q, S
from svod.ir.uop import UOp
from svod.target import Target


def integer_rules(target: Target) -> tuple[Rule, ...]:
    """The rules `target` needs, but for division."""
    lacking = tuple(r for o, r in ((Op.MAX, greater_integer), (Op.MIN, lesser_integer)) if not target.has(o))
    absolute = drop_unsigned_abs if target.has(Op.ABS) else integer_abs
    return (*_widening_rules(target), bool_by_logic, bool_lanes_by_logic, shift_left_in_range, shift_right_in_range, absolute,
            split_integer_multiply_add, *lacking)


# --- bool ------------------------------------------------------------------------------------------------------------------------

@rule(op(*NOT_FOR_BOOL, src=(bool_("x"), bool_("y")), name="u"), example=(P < Q, ~P & Q))
def bool_by_logic(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """Of bools: x < y == ~x & y; x <= y == ~x | y; x == y == ~(x ^ y); x != y == x ^ y; max is or, min is and."""
    match u.op:
        case Op.CMPLT:
            return ~x & y
        case Op.CMPLE:
            return ~x | y
        case Op.CMPEQ:
            return ~(x ^ y)
        case Op.CMPNE:
            return x ^ y
    return x | y if u.op is Op.MAX else x & y


@rule(op(Op.LANES, src=(bool_("x"),), name="u"),
      example=(UOp(Op.LANES, (P.broadcast(4),), Op.MAX, dtypes.bool), UOp(Op.LANES, (P.broadcast(4),), Op.OR, dtypes.bool)))
def bool_lanes_by_logic(u: UOp, x: UOp) -> UOp | None:
    """The greatest of bool lanes is their or, the least their and."""
    logic = {Op.MAX: Op.OR, Op.MIN: Op.AND}.get(u.arg)
    return None if logic is None else UOp(Op.LANES, (x,), logic, u.dtype)


# --- shifts ----------------------------------------------------------------------------------------------------------------------

def _in_range(count: UOp) -> bool:
    if count.op in (Op.STACK, Op.BROADCAST):
        return all(_in_range(s) for s in count.src)
    low, high = interval(count)
    return low >= 0 and high < count.dtype.bits


def _split(x: UOp, count: UOp) -> tuple[UOp, UOp, int]:
    """(true where the count is in range, the count modulo the width, the greatest count in range)."""
    last = x.dtype.bits - 1
    return count.cast(UNSIGNED[x.dtype.bits]) <= last, count & last, last


@rule(op(Op.SHL, src=(any_("x"), any_("y"))),
      example=(K << M, (M.cast(dtypes.u32) <= 31).where(K << (M & 31), 0)))
def shift_left_in_range(x: UOp, y: UOp) -> UOp | None:
    """x << y == x << (y & (width - 1)) if 0 <= y < width, else 0."""
    if _in_range(y):
        return None
    inside, low, _ = _split(x, y)
    return inside.where(x << low, full(0, x))


@rule(op(Op.SHR, src=(any_("x"), any_("y"))),
      example=(K >> M, K >> (M.cast(dtypes.u32) <= 31).where(M & 31, 31)))
def shift_right_in_range(x: UOp, y: UOp) -> UOp | None:
    """x >> y == x >> (y & (width - 1)) if 0 <= y < width, else x >> (width - 1) for signed x, 0 for unsigned."""
    if _in_range(y):
        return None
    inside, low, last = _split(x, y)
    return inside.where(x >> low, full(0, x)) if x.dtype.is_unsigned else x >> inside.where(low, full(last, x))


# --- the others ------------------------------------------------------------------------------------------------------------------

@rule(op(Op.ABS, src=(int_("x"),)), example=(S.cast(dtypes.u8).abs(), S.cast(dtypes.u8)))
def drop_unsigned_abs(x: UOp) -> UOp | None:
    """|x| == x for unsigned x."""
    return x if x.dtype.is_unsigned else None


@rule(op(Op.ABS, src=(int_("x"),)), example=(S.abs(), (S ^ (S >> 7)) - (S >> 7)))
def integer_abs(x: UOp) -> UOp | None:
    """|x| == (x ^ s) - s with s == x >> (width - 1), -1 for negative x; wraps for the least integer. Unsigned: x."""
    if x.dtype.is_unsigned:
        return x
    sign = x >> (x.dtype.bits - 1)
    return (x ^ sign) - sign


@rule(op(Op.MAX, src=(int_("x"), any_("y"))), example=(K.maximum(M), (K < M).where(M, K)))
def greater_integer(x: UOp, y: UOp) -> UOp | None:
    """max(x, y) == y if x < y else x."""
    return (x < y).where(y, x)


@rule(op(Op.MIN, src=(int_("x"), any_("y"))), example=(K.minimum(M), (K < M).where(K, M)))
def lesser_integer(x: UOp, y: UOp) -> UOp | None:
    """min(x, y) == x if x < y else y."""
    return (x < y).where(x, y)


@rule(op(Op.MULACC, src=(int_("x"), any_("y"), any_("z"))), example=(K.fma(M, 3), K * M + 3))
def split_integer_multiply_add(x: UOp, y: UOp, z: UOp) -> UOp | None:
    """fma(x, y, z) == x * y + z for integers, which wrap either way; compilers fuse it where that pays."""
    return x * y + z


# --- narrow integers -------------------------------------------------------------------------------------------------------------

def _widening_rules(target: Target) -> tuple[Rule, ...]:
    """Rules for targets that convert integers of 8 and 16 bits, but do not compute in them."""
    small = frozenset(t.name for t in SMALL_INTS if t not in target.arithmetic)
    if not small:
        return ()

    @rule(op(*BINARY, Op.NEG, Op.NOT, Op.ABS, Op.MULACC, name="u"))
    def compute_in_32_bits(u: UOp) -> UOp | None:
        """f(x, y) of narrow integers == f(x, y) in 32 bits, wrapped: their bits extend theirs, for shift counts and division too."""
        if u.src[0].dtype.name not in small:
            return None
        wide = dtypes.u32 if u.src[0].dtype.is_unsigned else dtypes.i32
        result = UOp(u.op, tuple([s.cast(wide) for s in u.src]))
        return result if u.op in COMPARISONS else result.cast(u.dtype)

    @rule(op(Op.LANES, src=(any_("x"),), name="u"))
    def combine_narrow_lanes_in_32_bits(u: UOp, x: UOp) -> UOp | None:
        """Lanes of narrow integers == their lanes in 32 bits, wrapped."""
        wide = dtypes.u32 if u.dtype.is_unsigned else dtypes.i32
        return UOp(Op.LANES, (x.cast(wide),), u.arg, wide).cast(u.dtype) if u.dtype.name in small else None

    return (compute_in_32_bits, combine_narrow_lanes_in_32_bits)
