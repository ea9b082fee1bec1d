"""Interval analysis: the least and greatest value of a node, and constant factors of index expressions.

Owns: `interval`, `constant`, `factor`, `divides`, `may_overflow`. Must not know rewriting.
Invariant: every value the node can take at run time lies in its interval; floats are unbounded unless constant.
Integers that may wrap at their width get the whole range of their type; index arithmetic is ideal and never wraps.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache

from svod.dtype import DType, Kind
from svod.ir.ops import COMPARISONS, Op
from svod.ir.uop import UOp

Interval = tuple[int | float, int | float]
BIG = (1 << 63) - 1


def interval(u: UOp) -> Interval:
    """(least, greatest) value of `u`, inclusive; over all lanes for vectors."""
    if (hit := u.cache.get("interval")) is not None:
        return hit  # type: ignore[no-any-return]
    for x in u.uncached("interval"):
        x.cache["interval"] = _clip(x, _own(x))
    return u.cache["interval"]  # type: ignore[no-any-return]


def vmin(u: UOp) -> int | float:
    """Least value of `u`."""
    return interval(u)[0]


def vmax(u: UOp) -> int | float:
    """Greatest value of `u`."""
    return interval(u)[1]


def constant(u: UOp) -> int | None:
    """The integer `u` always is, or None."""
    lo, hi = interval(u)
    return int(lo) if lo == hi and not u.dtype.is_float and u.dtype.kind is not Kind.VOID else None


@cache
def _whole(dtype: DType) -> Interval:
    if dtype.kind is Kind.VOID:
        return (0, 0)
    if dtype.kind is Kind.INDEX:
        return (-BIG, BIG)
    return (dtype.min, dtype.max)


def _clip(u: UOp, iv: Interval | None) -> Interval:
    whole = _whole(u.dtype)
    if iv is None or u.dtype.kind is Kind.VOID:
        return whole
    lo, hi = iv
    if (lo >= whole[0] and hi <= whole[1]) or u.op is Op.CONST:
        return iv
    if u.dtype.kind is Kind.INDEX and lo <= BIG and hi >= -BIG:
        return (max(lo, -BIG), min(hi, BIG))
    return whole  # may wrap (or is beyond what we track): nothing is known


def _own(u: UOp) -> Interval | None:
    """From the intervals of the operands; None for no more than the dtype says."""
    if (fn := _INT_RULES.get(u.op)) is not None:
        if not u.src[0].dtype.is_float:
            return fn(*[s.cache["interval"] for s in u.src])
        return (0, 1) if u.op in COMPARISONS else None
    if (rule := _RULES.get(u.op)) is not None:
        return rule(u)
    return None


def _const(u: UOp) -> Interval | None:
    v = u.arg.value
    return None if isinstance(v, float) and math.isnan(v) else (int(v), int(v)) if isinstance(v, bool) else (v, v)


def _range(u: UOp) -> Interval:
    least = interval(u.src[0])[0]
    return (least, max(interval(u.src[1])[1] - 1, least))


def _union(parts: tuple[UOp, ...]) -> Interval:
    ivs = [interval(s) for s in parts]
    return (min(i[0] for i in ivs), max(i[1] for i in ivs))


def _reduce(u: UOp) -> Interval | None:
    """Of MAX and MIN; over nothing they are a limit of the dtype."""
    some = all(interval(r.src[1])[0] > interval(r.src[0])[1] for r in u.src[1:] if r.op is Op.RANGE)
    return interval(u.src[0]) if u.arg in (Op.MAX, Op.MIN) and some and not u.dtype.is_float else None


def _ramp(u: UOp) -> Interval | None:
    (blo, bhi), (slo, shi) = interval(u.src[0]), interval(u.src[1])
    n = u.dtype.lanes - 1
    if u.dtype.is_float:
        return None
    return (blo + min(0, slo * n), bhi + max(0, shi * n))


def _cast(u: UOp) -> Interval | None:
    if u.src[0].dtype.is_float or u.dtype.is_float:
        return None
    return _cast_of(u.dtype, interval(u.src[0]))


def _cast_of(dtype: DType, value: Interval) -> Interval:
    lo, hi = value
    return (int(lo > 0 or hi < 0), int(lo != 0 or hi != 0)) if dtype.is_bool else (lo, hi)


def _mul(a: Interval, b: Interval) -> Interval:
    p = [x * y for x in a for y in b]
    return (min(p), max(p))


def _floordiv(a: Interval, b: Interval) -> Interval | None:
    if b[0] <= 0:
        return None
    q = [x // y for x in a for y in b]
    return (min(q), max(q))


def _idiv(a: Interval, b: Interval) -> Interval | None:
    if b[0] <= 0:
        return None
    q = [abs(int(x)) // int(y) * (1 if x >= 0 else -1) for x in a for y in b]
    return (min(q), max(q))


def _floormod(a: Interval, b: Interval) -> Interval | None:
    if b[0] <= 0:
        return None
    if b[0] == b[1] and a[0] // b[0] == a[1] // b[0]:
        return (a[0] % b[0], a[1] % b[0])
    return (0, min(b[1] - 1, a[1]) if a[0] >= 0 else b[1] - 1)


def _mod(a: Interval, b: Interval) -> Interval | None:
    return _floormod(a, b) if a[0] >= 0 else None


def _and(a: Interval, b: Interval) -> Interval | None:
    if a[0] >= 0 and b[0] >= 0:
        return (0, min(a[1], b[1]))
    return (0, b[1]) if b[0] >= 0 else (0, a[1]) if a[0] >= 0 else None


def _or(a: Interval, b: Interval) -> Interval | None:
    if a[0] < 0 or b[0] < 0:
        return None
    return (max(a[0], b[0]), (1 << max(int(a[1]).bit_length(), int(b[1]).bit_length())) - 1)


def _xor(a: Interval, b: Interval) -> Interval | None:
    return None if (r := _or(a, b)) is None else (0, r[1])


def _shl(a: Interval, b: Interval) -> Interval | None:
    if b[0] < 0 or b[1] > 62:
        return None
    return _mul(a, (1 << int(b[0]), 1 << int(b[1])))


def _shr(a: Interval, b: Interval) -> Interval | None:
    if b[0] < 0 or b[1] > 62:
        return None
    q = [int(x) >> int(y) for x in a for y in b]
    return (min(q), max(q))


def _cmplt(a: Interval, b: Interval) -> Interval:
    return (int(a[1] < b[0]), int(a[0] < b[1]))


def _cmple(a: Interval, b: Interval) -> Interval:
    return (int(a[1] <= b[0]), int(a[0] <= b[1]))


def _cmpeq(a: Interval, b: Interval) -> Interval:
    return (int(a[0] == a[1] == b[0] == b[1]), int(a[0] <= b[1] and b[0] <= a[1]))


def _cmpne(a: Interval, b: Interval) -> Interval:
    lo, hi = _cmpeq(a, b)
    return (1 - hi, 1 - lo)


_INT_RULES: dict[Op, Callable[..., Interval | None]] = {
    Op.ADD: lambda a, b: (a[0] + b[0], a[1] + b[1]),
    Op.SUB: lambda a, b: (a[0] - b[1], a[1] - b[0]),
    Op.MUL: _mul,
    Op.NEG: lambda a: (-a[1], -a[0]),
    Op.ABS: lambda a: (0 if a[0] <= 0 <= a[1] else min(abs(a[0]), abs(a[1])), max(abs(a[0]), abs(a[1]))),
    Op.MAX: lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    Op.MIN: lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    Op.FLOORDIV: _floordiv, Op.IDIV: _idiv, Op.FLOORMOD: _floormod, Op.MOD: _mod,
    Op.AND: _and, Op.OR: _or, Op.XOR: _xor, Op.SHL: _shl, Op.SHR: _shr,
    Op.CMPLT: _cmplt, Op.CMPLE: _cmple, Op.CMPEQ: _cmpeq, Op.CMPNE: _cmpne,
}


_RULES: dict[Op, Callable[[UOp], Interval | None]] = {
    Op.CONST: _const, Op.RANGE: _range, Op.RAMP: _ramp, Op.CAST: _cast, Op.REDUCE: _reduce,
    Op.DEFINE_VAR: lambda u: (u.arg.min, u.arg.max),
    Op.SPECIAL: lambda u: (0, max(interval(u.src[0])[1] - 1, 0)),
    Op.BIND: lambda u: interval(u.src[0]), Op.AFTER: lambda u: interval(u.src[0]),
    Op.BROADCAST: lambda u: interval(u.src[0]), Op.EXTRACT: lambda u: interval(u.src[0]),
    Op.STACK: lambda u: _union(u.src),
    Op.WHERE: lambda u: None if u.dtype.is_float else _union(u.src[1:]),
}


WHOLE = (-(1 << 63), (1 << 63) - 1)
_GROWING = (Op.ADD, Op.SUB, Op.MUL, Op.NEG, Op.SHL)


def may_overflow(order: Iterable[UOp]) -> set[UOp]:
    """The sums and products of index arithmetic in `order` (sources first) whose exact value may not fit in 64 bits, if their operands do.

    `interval` cannot tell: to it, index arithmetic is ideal.
    """
    found: set[UOp] = set()
    known: dict[UOp, Interval] = {}
    for u in order:
        exact = _exact(u, known)
        known[u] = whole = WHOLE if u.dtype.kind is Kind.INDEX else _whole(u.dtype)
        if exact is not None and whole[0] <= exact[0] and exact[1] <= whole[1]:
            known[u] = exact
        elif u.op in _GROWING and u.dtype.kind is Kind.INDEX:
            found.add(u)
    return found


def _exact(u: UOp, known: dict[UOp, Interval]) -> Interval | None:
    """From the intervals of the operands, without any limit of the dtype; None if no more is known than that."""
    if u.dtype.is_float or u.dtype.lanes > 1 or any(s.dtype.is_float for s in u.src):
        return None
    parts = [known[s] for s in u.src]
    if (fn := _INT_RULES.get(u.op)) is not None:
        return fn(*parts)
    if u.op is Op.WHERE:
        return (min(parts[1][0], parts[2][0]), max(parts[1][1], parts[2][1]))
    if u.op is Op.CAST:
        return _cast_of(u.dtype, parts[0])
    return _RULES[u.op](u) if u.op is Op.CONST or u.op is Op.DEFINE_VAR else None


def factor(u: UOp) -> int:
    """A constant that divides `u` for all values (index arithmetic); 0 for the constant 0."""
    if (hit := u.cache.get("factor")) is not None:
        return hit  # type: ignore[no-any-return]
    for x in u.uncached("factor"):
        x.cache["factor"] = _own_factor(x)
    return u.cache["factor"]  # type: ignore[no-any-return]


def _own_factor(u: UOp) -> int:
    if u.dtype.kind is not Kind.INDEX:
        return 1
    match u.op:
        case Op.CONST:
            return abs(int(u.arg.value))
        case Op.ADD | Op.SUB | Op.MAX | Op.MIN:
            return math.gcd(factor(u.src[0]), factor(u.src[1]))
        case Op.MUL:
            return factor(u.src[0]) * factor(u.src[1])
        case Op.NEG | Op.BROADCAST | Op.AFTER | Op.EXTRACT:
            return factor(u.src[0])
        case Op.RAMP | Op.STACK | Op.FLOORMOD:  # x % m is x - m * something
            return math.gcd(*(factor(s) for s in u.src))
        case Op.WHERE:
            return math.gcd(factor(u.src[1]), factor(u.src[2]))
    return 1


def divides(c: int, u: UOp) -> bool:
    """True if the constant `c` is known to divide `u`."""
    return c != 0 and factor(u) % c == 0
