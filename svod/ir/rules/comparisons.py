"""Comparisons: decided by intervals, and on index in one canonical form.

Owns: COMPARISON. Must not know gates (gates.py) or vectors.
Invariant: an index comparison is `terms < terms`, `terms == terms` or `terms != terms`, all coefficients positive and without a common
factor, no term on both sides, the constant on the right (on the left only where nothing else is). CMPLE does not survive on index.
"""
from __future__ import annotations

import math

from svod.dtype import dtypes
from svod.ir.affine import Terms, bounds, build, integer, linear, ordered
from svod.ir.bounds import interval
from svod.ir.effects import may_drop
from svod.ir.ops import COMPARISONS, Op
from svod.ir.pattern import RuleSet, any_, bool_, const, index_, op, rule
from svod.ir.rules.constants import filled, literal
from svod.ir.rules.samples import A, B, I, J, K, M, N, P, X, Y, c
from svod.ir.uop import UOp

x, y = any_("x"), any_("y")


@rule(op(*COMPARISONS, src=[x, y], name="u"), example=(I < 8, c(True, dtypes.bool)))
def decide_comparison(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """A comparison whose interval is one value is that literal. Integers and bools; floats are unbounded."""
    if x.dtype.is_float:
        return None
    lo, hi = interval(u)
    return filled(bool(lo), u) if lo == hi and may_drop(x, y) else None


@rule(op(*COMPARISONS, src=[x, x], name="u"), example=(UOp(Op.CMPLE, (K, K)), c(True, dtypes.bool)))
def compare_same(u: UOp, x: UOp) -> UOp | None:
    """x < x is false; x <= x, x == x are true and x != x is false but for floats (NaN)."""
    if not may_drop(x):
        return None
    if u.op is Op.CMPLT:
        return filled(False, u)
    return None if x.dtype.is_float else filled(u.op is not Op.CMPNE, u)


# --- negation --------------------------------------------------------------------------------------------------------------------

@rule(~(x < y), example=(~(K < M), M <= K))
def negate_less(x: UOp, y: UOp) -> UOp | None:
    """not (x < y) == y <= x. Not for floats: with NaN both are false."""
    return None if x.dtype.is_float else y <= x


@rule(~(x <= y), example=(~(K <= M), M < K))
def negate_less_equal(x: UOp, y: UOp) -> UOp | None:
    """not (x <= y) == y < x. Not for floats: with NaN both are false."""
    return None if x.dtype.is_float else y < x


@rule(~op(Op.CMPEQ, Op.CMPNE, src=[x, y], name="u"), example=(~A.eq(B), A.ne(B)))
def negate_equal(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """not (x == y) == (x != y). Always: with NaN == is false and != is true."""
    return UOp(Op.CMPNE if u.op is Op.CMPEQ else Op.CMPEQ, (x, y))


@rule(op(Op.CMPEQ, Op.CMPNE, src=[bool_("x"), op(Op.CONST, Op.BROADCAST, name="e")], name="u"), example=(P.eq(False), ~P))
def compare_bool(u: UOp, x: UOp, e: UOp) -> UOp | None:
    """x == True is x, x == False is ~x; != the other way round. Bools."""
    if (value := literal(e)) is None:
        return None
    return x if value is (u.op is Op.CMPEQ) else ~x


# --- index -----------------------------------------------------------------------------------------------------------------------

@rule(op(Op.CMPLE, src=[index_("a"), index_("b")]), example=(X <= Y, X < Y + 1))
def less_equal_as_less(a: UOp, b: UOp) -> UOp | None:
    """a <= b == a < b + 1. Index."""
    return a < UOp(Op.ADD, (b, integer(1)))


@rule(op(Op.CMPLT, src=[index_("a"), index_("b")], name="u"), example=(X * 4 + J + 6 < J - Y * 4, X + Y < -1))
def order_less(u: UOp, a: UOp, b: UOp) -> UOp | None:
    """a < b with all terms that are positive in a - b on the left, the others on the right, divided by their common factor; the constant
    is rounded so that the same integers satisfy it. Index."""
    if (a.op is Op.CONST and not _compound(b)) or (b.op is Op.CONST and not _compound(a)):
        return None
    terms, k = _difference(a, b)
    if not terms:
        return filled(k < 0, u) if may_drop(a, b) else None
    terms, k = _reduced(terms, k)
    return _changed(u, _sides(Op.CMPLT, terms, -k), a, b)


@rule(op(Op.CMPEQ, Op.CMPNE, src=[index_("a"), index_("b")], name="u"), example=((X * 4 + 8).eq(Y * 4), X.eq(Y + -2)))
def order_equal(u: UOp, a: UOp, b: UOp) -> UOp | None:
    """a == b with terms of a - b on the left if positive, else on the right, divided by their common factor; no multiple of the factor
    equals anything else, so it may be decided. Likewise a != b. Index."""
    if b.op is Op.CONST and not _compound(a):
        return None
    terms, k = _difference(a, b)
    g = math.gcd(*terms.values())
    if not terms or k % g:
        return filled((u.op is Op.CMPEQ) is (not terms and k == 0), u) if may_drop(a, b) else None
    sign = -g if terms[ordered(terms)[0]] < 0 else g
    return _changed(u, _sides(u.op, {t: v // sign for t, v in terms.items()}, -k // sign), a, b)


def _compound(u: UOp) -> bool:
    return u.op is Op.ADD or u.op is Op.MUL


def _difference(a: UOp, b: UOp) -> tuple[Terms, int]:
    terms, k = linear(a)
    other, kb = linear(b)
    for t, v in other.items():
        terms[t] = terms.get(t, 0) - v
    return {t: v for t, v in terms.items() if v}, k - kb


def _reduced(terms: Terms, k: int) -> tuple[Terms, int]:
    """`sum(terms) + k < 0` with smaller coefficients: sum(g*t) + r + k < 0 == sum(t) + k//g < 0 where 0 <= r + k%g < g always."""
    for g in sorted({abs(v) for v in terms.values()} | {math.gcd(*terms.values())}, reverse=True):
        if g > 1:
            rest = {t: v for t, v in terms.items() if v % g}
            lo, hi = bounds(rest, k % g)
            if len(rest) < len(terms) and lo >= 0 and hi < g and may_drop(*rest):
                return {t: v // g for t, v in terms.items() if v % g == 0}, k // g
    return terms, k


def _sides(o: Op, terms: Terms, right: int) -> UOp | None:
    """The node of `sum(terms) o right` with positive coefficients only."""
    plus, minus = {t: v for t, v in terms.items() if v > 0}, {t: -v for t, v in terms.items() if v < 0}
    left = build(plus, 0) if plus else build({}, -right)
    other = build(minus, right if plus else 0)
    return None if left is None or other is None else UOp(o, (left, other))


def _changed(u: UOp, out: UOp | None, a: UOp, b: UOp) -> UOp | None:
    """`out` unless it is `u` or would lose an effect."""
    if out is None or out is u:
        return None
    kept = set(_difference(*out.src)[0])
    return out if may_drop(a, b) or all(t in kept for t in (*linear(a)[0], *linear(b)[0])) else None


@rule(op(Op.FLOORDIV, src=[index_("a"), const("d")]) < const("k"), example=(X // 8 < 3, X < 24))
def less_than_quotient(a: UOp, d: UOp, k: UOp) -> UOp | None:
    """a // d < k == a < k * d. Index, d > 0."""
    return a < limit if d.arg.value > 0 and (limit := build({}, k.arg.value * d.arg.value)) is not None else None


@rule(const("k") < op(Op.FLOORDIV, src=[index_("a"), const("d")]), example=(c(3) < X // 8, c(31) < X))
def quotient_greater(a: UOp, d: UOp, k: UOp) -> UOp | None:
    """k < a // d == k*d + d - 1 < a. Index, d > 0."""
    limit = build({}, k.arg.value * d.arg.value + d.arg.value - 1)
    return limit < a if d.arg.value > 0 and limit is not None else None


@rule(op(Op.CMPLT, src=[op(Op.RANGE, src=[any_("start"), index_("n")]), index_("n")]), example=(UOp.range(N, 0) < N, c(True, dtypes.bool)))
def below_own_stop(start: UOp, n: UOp) -> UOp | None:
    """i < n for a loop variable i of start..n. Index."""
    return c(True, dtypes.bool) if may_drop(start, n) else None


COMPARISON = RuleSet("COMPARISON", (
    compare_same, below_own_stop, decide_comparison, compare_bool, less_equal_as_less, less_than_quotient, quotient_greater, order_less,
    order_equal, negate_less, negate_less_equal, negate_equal))
"""Comparisons decided, or put in canonical form."""
