"""Index expressions as linear forms: sums of `core * coefficient` plus a constant, in one canonical order.

Owns: `linear`, `build`, the order of terms. Must not know rewriting.
Invariant: `build(*linear(u))` equals `u` for all values, and is the same node for every spelling of the same linear form. Terms go from
outer to inner loops, so that what an inner loop adds comes last and the rest can be hoisted; the constant is last of all.
Valid because dtype index is an ideal integer that never wraps.
"""
from __future__ import annotations

import hashlib
from itertools import pairwise

from svod.dtype import dtypes
from svod.ir.args import ConstArg
from svod.ir.bounds import Interval, interval
from svod.ir.ops import Op
from svod.ir.scope import free_ranges
from svod.ir.uop import UOp

Terms = dict[UOp, int]
"""Coefficient of each core; a core is an index expression that is no sum, no product with a constant and no constant."""

LIMIT = 1 << 63


def linear(u: UOp) -> tuple[Terms, int]:
    """The terms and the constant of the scalar index expression `u`; coefficients are never 0."""
    terms: Terms = {}
    constant = add_into(terms, u, 1)
    return (terms, constant) if all(terms.values()) else ({t: c for t, c in terms.items() if c}, constant)


def add_into(terms: Terms, u: UOp, scale: int) -> int:
    """Adds `scale * u` to `terms` (whose coefficients may become 0); returns its constant part."""
    constant = 0
    stack = [(u, scale)]
    while stack:
        x, c = stack.pop()
        op = x.op
        if op is Op.ADD:
            stack += ((x.src[1], c), (x.src[0], c))
        elif op is Op.CONST:
            constant += c * x.arg.value
        elif op is Op.MUL and x.src[1].op is Op.CONST:
            stack.append((x.src[0], c * x.src[1].arg.value))
        elif op is Op.MUL and x.src[0].op is Op.CONST:
            stack.append((x.src[1], c * x.src[0].arg.value))
        elif op is Op.SUB:
            stack += ((x.src[1], -c), (x.src[0], c))
        elif op is Op.NEG:
            stack.append((x.src[0], -c))
        else:
            terms[x] = terms.get(x, 0) + c
    return constant


def build(terms: Terms, constant: int) -> UOp | None:
    """The canonical node of a linear form, None if a number in it does not fit the dtype."""
    if not (-LIMIT <= constant < LIMIT and all(-LIMIT <= c < LIMIT for c in terms.values())):
        return None
    total: UOp | None = None
    for t in ordered(terms):
        x = t if terms[t] == 1 else UOp(Op.MUL, (t, integer(terms[t])))
        total = x if total is None else UOp(Op.ADD, (total, x))
    if total is None:
        return integer(constant)
    return UOp(Op.ADD, (total, integer(constant))) if constant else total


def integer(value: int) -> UOp:
    """The index constant `value`, which must fit."""
    return UOp(Op.CONST, (), ConstArg(value, ("i", value)), dtypes.index)


def split(u: UOp) -> tuple[UOp, int]:
    """Core and coefficient of one term of a canonical sum."""
    return (u.src[0], u.src[1].arg.value) if u.op is Op.MUL and u.src[1].op is Op.CONST else (u, 1)


def bounds(terms: Terms, constant: int) -> Interval:
    """Interval of a linear form."""
    lo: int | float = constant
    hi: int | float = constant
    for t, c in terms.items():
        a, b = interval(t)
        lo, hi = (lo + c * a, hi + c * b) if c > 0 else (lo + c * b, hi + c * a)
    return lo, hi


# --- the order of terms ----------------------------------------------------------------------------------------------------------

_PLACE = {op: i for i, op in enumerate(Op)}


def precedes(a: UOp, b: UOp) -> bool:
    """True if core `a` comes before core `b`: by the innermost loop it depends on, then op, then structure. False for `a is b`."""
    ra, rb = rank(a), rank(b)
    if ra != rb:
        return ra < rb
    return a is not b and fingerprint(a) < fingerprint(b)


def ordered(terms: Terms) -> list[UOp]:
    """The cores in canonical order."""
    if len(terms) < 2:
        return list(terms)
    ranked = sorted(terms, key=rank)
    if any(rank(a) == rank(b) for a, b in pairwise(ranked)):
        ranked.sort(key=lambda u: (rank(u), fingerprint(u)))
    return ranked


def rank(u: UOp) -> tuple[tuple[int, ...], int, str]:
    """Path of the innermost loop that `u` depends on (empty: none), the place of its op in the table, its name if it is a variable."""
    if (hit := u.cache.get("rank")) is None:
        path = max([r.arg.path for r in free_ranges(u)], default=())
        hit = u.cache["rank"] = (path, _PLACE[u.op], u.arg.name if u.op is Op.DEFINE_VAR else "")
    return hit


def fingerprint(u: UOp) -> bytes:
    """Told by the structure of `u` alone: the same in every process, different for different nodes (64 bits).

    Not the content hash of digest.py: that one refuses args without a text form, and the order of terms must not fail.
    """
    if (hit := u.cache.get("fingerprint")) is None:
        for x in u.uncached("fingerprint"):
            text = f"{x.op.name} {x.dtype!r} {x.arg!r}".encode()
            x.cache["fingerprint"] = hashlib.blake2b(b"".join([text, *(s.cache["fingerprint"] for s in x.src)]), digest_size=8).digest()
        hit = u.cache["fingerprint"]
    return hit  # type: ignore[no-any-return]
