"""Quotients and remainders of index expressions: what splitting, merging and flattening loops leave behind.

Owns: DIVMOD. Must not know comparisons.
Invariant: exact for floor division of any sign; what needs a range is taken only where the intervals prove it. Numerators are looked at
as linear forms: sum of core * coefficient, plus a constant.
"""
from __future__ import annotations

from math import gcd

from svod.dtype import dtypes
from svod.ir.affine import Terms, add_into, bounds, build, integer, linear
from svod.ir.bounds import interval
from svod.ir.effects import may_drop
from svod.ir.ops import Op
from svod.ir.pattern import RuleSet, any_, const, index_, int_, op, rule
from svod.ir.rules.constants import filled
from svod.ir.rules.samples import I, J, K, N, X, Y, c
from svod.ir.uop import UOp

x, y = any_("x"), any_("y")
_QUOTIENTS = (Op.FLOORDIV, Op.IDIV)
_REMAINDERS = (Op.FLOORMOD, Op.MOD)


# --- any integer dtype -----------------------------------------------------------------------------------------------------------

@rule(op(*_QUOTIENTS, *_REMAINDERS, src=[int_("x"), int_("y")], name="u"), example=((K & 7) // 8, c(0, dtypes.i32)))
def decide_division(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """x // y or x % y whose interval is one value is that literal. Integers."""
    lo, hi = interval(u)
    return filled(int(lo), u) if lo == hi and may_drop(x, y) else None


@rule(op(*_REMAINDERS, src=[int_("x"), int_("y")]), example=(J % (N + 63), J))
def drop_remainder(x: UOp, y: UOp) -> UOp | None:
    """x % y == x for 0 <= x < y. Integers."""
    lo, hi = interval(x)
    return x if lo >= 0 and hi < interval(y)[0] and may_drop(y) else None


@rule(op(Op.AND, src=[int_("x"), const("m")]), example=(J & 127, J))
def drop_mask(x: UOp, m: UOp) -> UOp | None:
    """x & (2**k - 1) == x for 0 <= x < 2**k. Integers."""
    mask = m.arg.value
    lo, hi = interval(x)
    return x if mask > 0 and mask & (mask + 1) == 0 and lo >= 0 and hi <= mask else None


# --- index: one spelling ---------------------------------------------------------------------------------------------------------

@rule(op(Op.IDIV, src=[index_("x"), index_("y")]), example=(J.idiv(I), J // I))
def truncating_as_floor(x: UOp, y: UOp) -> UOp | None:
    """Truncating and floor division agree where neither operand is negative. Index."""
    return x // y if interval(x)[0] >= 0 and interval(y)[0] >= 0 else None


@rule(op(Op.MOD, src=[index_("x"), index_("y")]), example=(J.rem(I), J % I))
def remainder_as_modulo(x: UOp, y: UOp) -> UOp | None:
    """The remainders of truncating and floor division agree where neither operand is negative. Index."""
    return x % y if interval(x)[0] >= 0 and interval(y)[0] >= 0 else None


@rule(op(Op.SHR, src=[index_("x"), const("k")]), example=(X >> 3, X // 8))
def shift_as_quotient(x: UOp, k: UOp) -> UOp | None:
    """x >> k == x // 2**k. Index, for literal k in 0..62."""
    return x // (1 << k.arg.value) if 0 <= k.arg.value <= 62 else None


@rule(op(Op.AND, src=[index_("x"), const("m")]), example=(X & 7, X % 8))
def mask_as_modulo(x: UOp, m: UOp) -> UOp | None:
    """x & (2**k - 1) == x % 2**k. Index."""
    mask = m.arg.value
    return x % (mask + 1) if mask > 0 and mask & (mask + 1) == 0 and mask < 1 << 62 else None


@rule(op(Op.FLOORDIV, src=[index_("x"), const("d")]), example=(X // -4, (X * -1) // 4))
def divide_by_negative(x: UOp, d: UOp) -> UOp | None:
    """x // -d == (-x) // d. Index."""
    if d.arg.value >= 0 or d.arg.value == dtypes.index.min:
        return None
    terms, k = linear(x)
    flipped = build({t: -v for t, v in terms.items()}, -k)
    return None if flipped is None else flipped // -d.arg.value


# --- index: nested ---------------------------------------------------------------------------------------------------------------

@rule(op(Op.FLOORDIV, src=[index_("x"), const("d")]) // const("e"), example=((X // 4) // 8, X // 32))
def join_quotients(x: UOp, d: UOp, e: UOp) -> UOp | None:
    """(x // d) // e == x // (d*e). Index, d, e > 0."""
    return _over(x, d.arg.value * e.arg.value) if d.arg.value > 0 and e.arg.value > 0 else None


@rule((op(Op.FLOORDIV, src=[index_("x"), const("d")]) + const("k")) // const("e"), example=((X // 4 + 1) // 8, (X + 4) // 32))
def join_shifted_quotients(x: UOp, d: UOp, k: UOp, e: UOp) -> UOp | None:
    """(x // d + k) // e == (x + k*d) // (d*e). Index, d, e > 0."""
    if d.arg.value <= 0 or e.arg.value <= 0:
        return None
    terms, constant = linear(x)
    top = build(terms, constant + k.arg.value * d.arg.value)
    return None if top is None else _over(top, d.arg.value * e.arg.value)


@rule(op(Op.FLOORMOD, src=[index_("x"), const("m")]) // const("d"), example=((X % 32) // 8, (X // 8) % 4))
def quotient_of_modulo(x: UOp, m: UOp, d: UOp) -> UOp | None:
    """(x % m) // d == (x // d) % (m // d) where d divides m. Index, d, m > 0."""
    mv, dv = m.arg.value, d.arg.value
    return (x // dv) % (mv // dv) if mv > 0 and dv > 0 and mv % dv == 0 else None


def _over(x: UOp, d: int) -> UOp | None:
    below = build({}, d)
    return None if below is None else x // below


# --- index: linear numerators ----------------------------------------------------------------------------------------------------

@rule(op(Op.FLOORDIV, src=[index_("x"), const("d")], name="u"), example=((I * 128 + J + 70) // 64, I * 2 + (J + 6) // 64 + 1))
def split_quotient(u: UOp, x: UOp, d: UOp) -> UOp | None:
    """(a*d + b) // d == a + b // d for all terms and the part of the constant that d divides. Index, d > 0."""
    n = d.arg.value
    if n <= 1 or x.op not in (Op.ADD, Op.MUL):
        return None
    terms, k = linear(x)
    out = {t: v // n for t, v in terms.items() if v % n == 0}
    if not out and 0 <= k < n:
        return None
    return _sum(out, k // n, {t: v for t, v in terms.items() if v % n}, k % n, n)


def _sum(out: Terms, constant: int, rest: Terms, k: int, n: int) -> UOp | None:
    """out + constant + (rest + k) // n."""
    if not rest:
        return build(out, constant)  # k < n
    numerator = build(rest, k)
    if numerator is None:
        return None
    quotient = UOp(Op.FLOORDIV, (numerator, integer(n)))
    out[quotient] = out.get(quotient, 0) + 1
    return build(out, constant)


@rule(op(Op.FLOORDIV, src=[index_("x"), const("d")]), example=((X * 16 + I) // 128, X // 8))
def reduce_quotient(x: UOp, d: UOp) -> UOp | None:
    """(a*g + b) // (g*e) == a // e for 0 <= b < g, and (a*g + k) // (g*e) == (a + k//g) // e. Index, g, e > 0."""
    n = d.arg.value
    if n <= 1 or x.op not in (Op.ADD, Op.MUL):
        return None
    terms, k = linear(x)
    for g in _factors(terms, n):
        rest = {t: v for t, v in terms.items() if v % g}
        if _within(rest, k % g, g) and may_drop(*rest):
            top = build({t: v // g for t, v in terms.items() if v % g == 0}, k // g)
            return top if top is None or g == n else UOp(Op.FLOORDIV, (top, integer(n // g)))
    return None


def _factors(terms: Terms, n: int) -> list[int]:
    """The common factors of n and the coefficients, greatest first, without 1."""
    return sorted({g for v in terms.values() if (g := gcd(v, n)) > 1}, reverse=True)


def _within(terms: Terms, k: int, n: int) -> bool:
    """True if 0 <= terms + k < n always."""
    lo, hi = bounds(terms, k)
    return lo >= 0 and hi < n


@rule(op(Op.FLOORMOD, src=[index_("x"), const("d")], name="u"), example=((I * 64 + X * 9 + (Y % 16) + 9) % 8, (X + Y + 1) % 8))
def reduce_coefficients(u: UOp, x: UOp, d: UOp) -> UOp | None:
    """(a*d + b) % d == b % d, coefficients and the constant modulo d, and (y % (d*e)) inside is y. Index, d > 0."""
    n = d.arg.value
    if n <= 1:
        return None
    terms, k = linear(x)
    new: Terms = {}
    constant = k
    for t, v in terms.items():
        small = v % n if v > 0 else -(-v % n)
        inner = t.op is Op.FLOORMOD and t.src[1].op is Op.CONST and t.src[1].arg.value > 0 and small * t.src[1].arg.value % n == 0
        constant += add_into(new, t.src[0] if inner else t, small)
    dropped = [t for t, v in new.items() if v == 0]
    new = {t: v for t, v in new.items() if v}
    if (new == terms and 0 <= k < n) or not may_drop(*dropped):
        return None
    top = build(new, constant % n)
    if not new or top is None:
        return top
    out = UOp(Op.FLOORMOD, (top, d))
    return None if out is u else out


@rule(op(Op.FLOORMOD, src=[index_("x"), const("d")]), example=((X * 16 + I) % 64, I + (X % 4) * 16))
def split_modulo(x: UOp, d: UOp) -> UOp | None:
    """(a*g + b) % (g*e) == (a % e) * g + b for 0 <= b < g; a constant gives its quotient by g to a. Index, g, e > 0."""
    n = d.arg.value
    if n <= 1 or x.op not in (Op.ADD, Op.MUL):
        return None
    terms, k = linear(x)
    for g in _factors(terms, n):
        rest = {t: v for t, v in terms.items() if v % g}
        if g < n and _within(rest, k % g, g):
            top = build({t: v // g for t, v in terms.items() if v % g == 0}, k // g)
            if top is None:
                return None
            part = UOp(Op.FLOORMOD, (top, integer(n // g)))
            rest[part] = rest.get(part, 0) + g
            return build(rest, k % g)
    return None


@rule(op(Op.FLOORMOD, src=[index_("x"), const("d")]), example=(UOp.range(16, 0, start=8) % 8, UOp.range(16, 0, start=8) + -8))
def subtract_block(x: UOp, d: UOp) -> UOp | None:
    """x % d == x - d*q where q == x // d always. Index, d > 0."""
    n = d.arg.value
    lo, hi = interval(x)
    if n <= 0 or not lo // n == hi // n != 0:
        return None
    terms, k = linear(x)
    return build(terms, k - n * int(lo // n))


# --- index: divisors that are not literals ---------------------------------------------------------------------------------------

@rule(op(Op.FLOORDIV, src=[op(Op.RANGE, src=[any_("start"), index_("n")]), index_("n")]), example=(UOp.range(N, 0) // N, c(0)))
def divide_by_own_stop(start: UOp, n: UOp) -> UOp | None:
    """i // n == 0 for a loop variable i of start..n. Index, start >= 0."""
    return integer(0) if interval(start)[0] >= 0 and may_drop(n) else None


@rule(op(Op.FLOORMOD, src=[op(Op.RANGE, src=[any_("start"), index_("n")], name="i"), index_("n")]),
      example=(UOp.range(N, 0) % N, UOp.range(N, 0)))
def modulo_own_stop(i: UOp, start: UOp, n: UOp) -> UOp | None:
    """i % n == i for a loop variable i of start..n. Index, start >= 0."""
    return i if interval(start)[0] >= 0 else None


@rule(op(Op.FLOORDIV, src=[index_("x"), index_("n")]), example=((UOp.range(8, 0) * N + X) // N, X // N + UOp.range(8, 0)))
def split_symbolic_quotient(x: UOp, n: UOp) -> UOp | None:
    """(a*n + b) // n == a + b // n. Index, n > 0 and not a literal."""
    if n.op is Op.CONST or interval(n)[0] <= 0 or (parts := _multiples(x, n)) is None:
        return None
    out, constant, rest, k = parts
    below = build(rest, k)
    if below is None:
        return None
    quotient = UOp(Op.FLOORDIV, (below, n))
    return build({**out, quotient: out.get(quotient, 0) + 1}, constant)


@rule(op(Op.FLOORMOD, src=[index_("x"), index_("n")]), example=((UOp.range(8, 0) * N + X) % N, X % N))
def reduce_symbolic_modulo(x: UOp, n: UOp) -> UOp | None:
    """(a*n + b) % n == b % n. Index, n > 0 and not a literal."""
    if n.op is Op.CONST or interval(n)[0] <= 0 or (parts := _multiples(x, n)) is None or not may_drop(*parts[0]):
        return None
    below = build(parts[2], parts[3])
    return None if below is None else below % n


def _multiples(x: UOp, n: UOp) -> tuple[Terms, int, Terms, int] | None:
    """x == (out + constant) * n + rest + k; None if no term of x is a multiple of n."""
    out: Terms = {}
    constant, rest = 0, {}
    terms, k = linear(x)
    for t, v in terms.items():
        if t is n:
            constant += v
        elif t.op is Op.MUL and n in t.src:
            constant += add_into(out, t.src[t.src[0] is n], v)
        else:
            rest[t] = v
    return (out, constant, rest, k) if len(rest) < len(terms) else None


DIVMOD = RuleSet("DIVMOD", (
    truncating_as_floor, remainder_as_modulo, decide_division, drop_remainder, drop_mask, shift_as_quotient, mask_as_modulo,
    divide_by_negative, join_quotients, join_shifted_quotients, quotient_of_modulo, split_quotient, reduce_quotient, reduce_coefficients,
    split_modulo, subtract_block, divide_by_own_stop, modulo_own_stop, split_symbolic_quotient, reduce_symbolic_modulo))
"""Quotients and remainders, on linear forms."""
