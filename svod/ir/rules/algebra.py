"""Identities of arithmetic and bits on all dtypes, and the canonical linear form of index expressions.

Owns: ALGEBRA. Must not know division (divmod.py) or comparisons.
Invariant: exact for every value of the dtype. Floats get only what holds for NaN, infinities and both zeros; fixed-width integers what
holds modulo 2**bits; index, the ideal integer, what holds for integers. A literal means a CONST or a BROADCAST of one.
"""
from __future__ import annotations

import math
from functools import cache

from svod.dtype import DType, dtypes, round_to
from svod.errors import GraphError
from svod.ir.affine import Terms, add_into, build, linear, precedes, split
from svod.ir.args import ConstArg
from svod.ir.bounds import interval
from svod.ir.effects import may_drop
from svod.ir.ops import Op
from svod.ir.pattern import Pat, RuleSet, any_, const, index_, int_, op, rule
from svod.ir.rules.constants import filled, fold, literal, ones
from svod.ir.rules.samples import A, B, I, J, K, M, N, P, X, Y, c
from svod.ir.semantics import identity
from svod.ir.uop import UOp

ASSOCIATIVE = (Op.ADD, Op.MUL, Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR)
x, y = any_("x"), any_("y")


def lit_(name: str) -> Pat:
    """Candidates for literals: a CONST or a BROADCAST; `literal` tells."""
    return op(Op.CONST, Op.BROADCAST, name=name)


# --- neutral and absorbing operands ----------------------------------------------------------------------------------------------

@rule(op(*ASSOCIATIVE, Op.CMPEQ, Op.CMPNE, src=[lit_("e"), x], name="u"), example=(c(2.0, dtypes.f32) * A, A * 2.0))
def put_literal_right(u: UOp, e: UOp, x: UOp) -> UOp | None:
    """e ∘ x == x ∘ e for ops that commute. Always."""
    return UOp(u.op, (x, e)) if literal(e) is not None and literal(x) is None else None


@cache
def _neutral(o: Op, dtype: DType) -> ConstArg | None:
    """The literal e of scalar `dtype` with x ∘ e == x for every x, signed zeros and NaN included."""
    if o is Op.ADD and dtype.is_float:
        return ConstArg.of(round_to(-0.0, dtype))  # x + 0.0 would turn -0.0 into 0.0; formats without -0.0 round it to 0.0
    if o in ASSOCIATIVE:
        try:
            return ConstArg.of(identity(o, dtype))
        except GraphError:
            return None
    one = o in (Op.FDIV, Op.IDIV, Op.FLOORDIV)
    return ConstArg.of(float(one) if dtype.is_float else int(one))


@rule(op(*ASSOCIATIVE, Op.SUB, Op.FDIV, Op.IDIV, Op.FLOORDIV, Op.SHL, Op.SHR, src=[x, lit_("e")], name="u"), example=(A * 1.0, A))
def drop_neutral(u: UOp, x: UOp, e: UOp) -> UOp | None:
    """x ∘ e == x for the neutral e on the right: x+0, x-0, x*1, x/1, x//1, x|0, x^0, x & ~0, max(x, least), x<<0. The neutral float of +
    is -0.0, that of - is 0.0."""
    e = e.src[0] if e.op is Op.BROADCAST else e
    return x if e.op is Op.CONST and e.arg == _neutral(u.op, e.dtype) else None


@rule(op(Op.MUL, Op.AND, Op.OR, Op.IDIV, Op.FLOORDIV, Op.MOD, Op.FLOORMOD, src=[x, lit_("e")], name="u"), example=(K * 0, c(0, dtypes.i32)))
def absorb(u: UOp, x: UOp, e: UOp) -> UOp | None:
    """x*0, x&0, x//0, x%0, x%1 == 0 and x | ~0 == ~0. Not for floats (NaN, infinities, -0.0)."""
    value = literal(e)
    if value is None or u.dtype.is_float:
        return None
    if u.op is Op.OR:
        return e if value == ones(u.dtype) and may_drop(x) else None
    zero = value in (0, 1) if u.op in (Op.MOD, Op.FLOORMOD) else value == 0
    return filled(0, u) if zero and may_drop(x) else None


@rule(op(Op.IDIV, Op.FLOORDIV, Op.MOD, Op.FLOORMOD, Op.SHL, Op.SHR, src=[lit_("e"), x], name="u"), example=(c(0) // X, c(0)))
def keep_zero(u: UOp, e: UOp, x: UOp) -> UOp | None:
    """0 // x == 0 % x == 0 << x == 0 >> x == 0. Integers; also for x == 0, by the arithmetic policy."""
    return e if literal(e) == 0 and may_drop(x) else None


@rule(op(Op.SUB, Op.XOR, Op.MOD, Op.FLOORMOD, src=[x, x], name="u"), example=(K - K, c(0, dtypes.i32)))
def cancel_same(u: UOp, x: UOp) -> UOp | None:
    """x - x == x ^ x == x % x == 0. Not for floats (NaN, infinities)."""
    return None if u.dtype.is_float or not may_drop(x) else filled(0, u)


@rule(op(Op.AND, Op.OR, Op.MAX, Op.MIN, src=[x, x]), example=(K & K, K))
def merge_same(x: UOp) -> UOp | None:
    """x & x == x | x == max(x, x) == min(x, x) == x. Always."""
    return x


# --- negation and absolute value -------------------------------------------------------------------------------------------------

@rule(-op(Op.NEG, src=[x]), example=(UOp(Op.NEG, (-A,)), A))
def drop_double_negation(x: UOp) -> UOp | None:
    """-(-x) == x. Always: integers wrap twice, floats flip the sign bit twice."""
    return x


@rule(~(~x), example=(~(~P), P))
def drop_double_not(x: UOp) -> UOp | None:
    """~~x == x. Always."""
    return x


@rule(op(Op.XOR, src=[x, lit_("e")], name="u"), example=(K ^ -1, ~K))
def xor_as_not(u: UOp, x: UOp, e: UOp) -> UOp | None:
    """x ^ ~0 == ~x. Bits and bools."""
    return ~x if (value := literal(e)) is not None and value == ones(u.dtype) else None


@rule(op(Op.ABS, src=[op(Op.NEG, Op.ABS, src=[x])]), example=((-A).abs(), A.abs()))
def absolute_of_negation(x: UOp) -> UOp | None:
    """|-x| == ||x|| == |x|. Signed dtypes: -x of an unsigned one is 2**bits - x."""
    return None if x.dtype.is_unsigned else x.abs()


@rule(op(Op.ABS, src=[int_("x")]), example=(I.abs(), I))
def drop_absolute(x: UOp) -> UOp | None:
    """|x| == x. Integers that are never negative."""
    return x if interval(x)[0] >= 0 else None


@rule(x + -y, example=(A + -B, A - B))
def add_negation(x: UOp, y: UOp) -> UOp | None:
    """x + -y == x - y. Always (IEEE 754 defines subtraction so)."""
    return None if x.dtype is dtypes.index else x - y


@rule(x - -y, example=(A - -B, A + B))
def subtract_negation(x: UOp, y: UOp) -> UOp | None:
    """x - -y == x + y. Always."""
    return None if x.dtype is dtypes.index else x + y


# --- literals of a chain, on fixed-width integers and bits -----------------------------------------------------------------------

@rule(op(*ASSOCIATIVE, src=[op(*ASSOCIATIVE, src=[x, lit_("d")], name="inner"), lit_("e")], name="u"), example=((K * 6) * 7, K * 42))
def join_literals(u: UOp, inner: UOp, x: UOp, d: UOp, e: UOp) -> UOp | None:
    """(x ∘ d) ∘ e == x ∘ (d ∘ e) for literals. Integers and bools modulo 2**bits; of floats only max and min (sums would round twice)."""
    if inner.op is not u.op or literal(e) is None or literal(d) is None:
        return None
    if (u.dtype.is_float and u.op not in (Op.MAX, Op.MIN)) or (u.dtype is dtypes.index and u.op in (Op.ADD, Op.MUL)):
        return None
    both = fold(UOp(u.op, (_scalar(d), _scalar(e))))
    return None if both is None else UOp(u.op, (x, both.broadcast(u.dtype.lanes)))


def _scalar(u: UOp) -> UOp:
    return u.src[0] if u.op is Op.BROADCAST else u


_SUM = (Op.ADD, Op.SUB)


@rule(op(*_SUM, src=[op(*_SUM, src=[int_("x"), const("d")], name="inner"), const("e")], name="u"), example=((K - 3) + 10, K + 7))
def join_differences(u: UOp, inner: UOp, x: UOp, d: UOp, e: UOp) -> UOp | None:
    """(x ± d) ± e == x + k or x - k with k = ±d ± e. Fixed-width integers, modulo 2**bits; the form with the smaller literal."""
    if u.op is inner.op is Op.ADD or u.dtype is dtypes.index:
        return None
    k = (d.arg.value if inner.op is Op.ADD else -d.arg.value) + (e.arg.value if u.op is Op.ADD else -e.arg.value)
    size = 1 << u.dtype.bits
    up, down = k % size, -k % size
    if up == 0:
        return x
    return x + up if up <= min(down, u.dtype.max) else x - down if down <= u.dtype.max else None


@rule((int_("x") + y) - y, example=((K + M) - M, K))
def cancel_added(x: UOp, y: UOp) -> UOp | None:
    """(x + y) - y == x. Integers, modulo 2**bits."""
    return x if may_drop(y) else None


@rule((int_("x") - y) + y, example=((K - M) + M, K))
def cancel_subtracted(x: UOp, y: UOp) -> UOp | None:
    """(x - y) + y == x. Integers, modulo 2**bits."""
    return x if may_drop(y) else None


# --- extrema ---------------------------------------------------------------------------------------------------------------------

@rule(op(Op.MAX, Op.MIN, src=[x, y], name="u"), example=(I.maximum(-1), I))
def choose_extremum(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """max(x, y) == x where x >= y always; min likewise. Integers and bools whose intervals decide."""
    if u.dtype.is_float:
        return None
    (xl, xh), (yl, yh) = interval(x), interval(y)
    if u.op is Op.MIN:
        (xl, xh), (yl, yh) = (-xh, -xl), (-yh, -yl)
    if xl >= yh:
        return x if may_drop(y) else None
    return y if yl >= xh and may_drop(x) else None


# --- index: linear forms ---------------------------------------------------------------------------------------------------------

@rule(op(Op.ADD, name="u", dtype=dtypes.index), example=((I * 64 + J) - I * 64 + 3 + J, J * 2 + 3))
def collect_terms(u: UOp) -> UOp | None:
    """A sum is flattened, equal terms are collected, terms ordered (outer loops first), constants folded and put last; also
    (x//c)*c + x%c == x and (x//c%d)*c + x%c == x % (c*d). Index, the ideal integer."""
    if _canonical(*u.src):
        return None
    terms, constant = linear(u)
    while _rejoin(terms):
        constant += _flatten(terms)
    out = build(terms, constant)
    return None if out is u or not (may_drop(u) or _keeps_cores(u, terms)) else out


def _keeps_cores(u: UOp, terms: Terms) -> bool:
    found: Terms = {}
    add_into(found, u, 1)
    return all(t in terms for t in found)


_DIVISIONS = (Op.FLOORDIV, Op.FLOORMOD)


def _canonical(a: UOp, b: UOp) -> bool:
    """True if a + b is canonical, given that a and b are."""
    if b.op is Op.CONST:
        return b.arg.value != 0 and a.op is not Op.CONST and not (a.op is Op.ADD and a.src[1].op is Op.CONST)
    last = a.src[1] if a.op is Op.ADD else a
    if b.op is Op.ADD or last.op is Op.CONST:
        return False
    core, k = split(b)
    if not precedes(split(last)[0], core):
        return False
    return core.op not in _DIVISIONS or not _rejoin({**linear(a)[0], core: k})


def _rejoin(terms: Terms) -> bool:
    """Replaces one pair (x//c)*(c*k) + (x%c)*k by x*k, or (x//c%d)*(c*k) + (x%c)*k by (x%(c*d))*k; True if there was one."""
    for t, k in terms.items():
        if t.op is not Op.FLOORMOD or t.src[1].op is not Op.CONST or (m := t.src[1].arg.value) <= 0:
            continue
        inner = t.src[0]
        for q, kq in terms.items():
            if kq == k * m and (whole := _whole(inner, m, q)) is not None:
                del terms[t], terms[q]
                terms[whole] = terms.get(whole, 0) + k
                return True
    return False


def _whole(x: UOp, m: int, q: UOp) -> UOp | None:
    """What x % m is the low part of if `q` is the high part: x for x // m, x % (m*d) for x // m % d."""
    d = 0
    if q.op is Op.FLOORMOD and q.src[1].op is Op.CONST:
        q, d = q.src[0], q.src[1].arg.value
    if q.op is not Op.FLOORDIV or q.src[1].op is not Op.CONST or _quotient(x, m) != (q.src[0], q.src[1].arg.value):
        return None
    if d == 0:
        return x
    return None if d < 0 or (size := build({}, m * d)) is None else UOp(Op.FLOORMOD, (x, size))


def _quotient(u: UOp, m: int) -> tuple[UOp, int]:
    """Numerator and divisor of u // m, where u itself may be a quotient."""
    if u.op is Op.FLOORDIV and u.src[1].op is Op.CONST and u.src[1].arg.value > 0:
        return u.src[0], u.src[1].arg.value * m
    return u, m


def _flatten(terms: Terms) -> int:
    """Makes cores of the parts of those terms that are sums; returns their constant part."""
    constant = 0
    for t in [t for t in terms if t.op in (Op.ADD, Op.MUL)]:
        constant += add_into(terms, t, terms.pop(t))
    for t in [t for t, k in terms.items() if k == 0]:
        del terms[t]
    return constant


@rule(op(Op.SUB, src=[index_("a"), index_("b")]), example=(X - Y * 2, X + Y * -2))
def subtract_as_add(a: UOp, b: UOp) -> UOp | None:
    """a - b == a + b * -1. Index."""
    return None if (negative := _scaled(b, -1)) is None else UOp(Op.ADD, (a, negative))


@rule(op(Op.NEG, src=[index_("a")]), example=(-X, X * -1))
def negate_as_scale(a: UOp) -> UOp | None:
    """-a == a * -1. Index."""
    return _scaled(a, -1)


@rule(op(Op.MUL, src=[index_("a"), const("k")], name="u"), example=((X * 2 + Y + 3) * 4, X * 8 + Y * 4 + 12))
def scale_terms(u: UOp, a: UOp, k: UOp) -> UOp | None:
    """(a*d + b + e) * k == a*(d*k) + b*k + e*k. Index; the coefficients are part of the linear form and cost nothing."""
    if a.op is Op.ADD or (a.op is Op.MUL and a.src[1].op is Op.CONST):
        return _scaled(a, k.arg.value)
    return None


@rule(op(Op.SHL, src=[index_("a"), const("k")]), example=(X << 3, X * 8))
def shift_as_scale(a: UOp, k: UOp) -> UOp | None:
    """a << k == a * 2**k. Index, for literal k in 0..62."""
    return _scaled(a, 1 << k.arg.value) if 0 <= k.arg.value <= 62 else None


def _scaled(a: UOp, k: int) -> UOp | None:
    if k == 0 and not may_drop(a):
        return None
    terms, constant = linear(a)
    return build({t: v * k for t, v in terms.items()} if k else {}, constant * k)


@rule(op(Op.MUL, name="u", dtype=dtypes.index), example=((X * 3) * N, (N * X) * 3))
def order_factors(u: UOp) -> UOp | None:
    """a*b == b*a and (a*k)*b == (a*b)*k. Index; factors in the order of terms, literals last."""
    a, b = u.src
    if b.op is Op.CONST or a.op is Op.CONST:
        return None
    (ca, ka), (cb, kb) = split(a), split(b)
    product = UOp(Op.MUL, (cb, ca) if precedes(cb, ca) else (ca, cb))
    out = product if ka * kb == 1 else build({product: ka * kb}, 0)
    return None if out is u else out


# --- floats ----------------------------------------------------------------------------------------------------------------------

@rule(op(Op.FDIV, src=[x, lit_("e")]), example=(A / 4.0, A * 0.25))
def divide_by_power_of_two(x: UOp, e: UOp) -> UOp | None:
    """x / 2**k == x * 2**-k. Floats, where the dtype holds 2**-k: both round the same real number once."""
    value = literal(e)
    if value is None or value == 0 or not math.isfinite(value) or abs(math.frexp(value)[0]) != 0.5:
        return None
    inverse = 1.0 / value
    return x * filled(inverse, x) if round_to(inverse, x.dtype.scalar) == inverse else None


ALGEBRA = RuleSet("ALGEBRA", (
    put_literal_right, drop_neutral, absorb, keep_zero, cancel_same, merge_same, drop_double_negation, drop_double_not, xor_as_not,
    absolute_of_negation, drop_absolute, subtract_as_add, negate_as_scale, scale_terms, shift_as_scale, order_factors, collect_terms,
    add_negation, subtract_negation, join_literals, join_differences, cancel_added, cancel_subtracted, choose_extremum,
    divide_by_power_of_two))
"""Identities of arithmetic and bits; canonical linear forms of index expressions."""
