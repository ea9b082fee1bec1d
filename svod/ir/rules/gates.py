"""Conditions: selects, gates of memory accesses, and the effects that a false gate leaves empty.

Owns: GATES. Must not know how a condition is decided (comparisons.py).
Invariant: an access whose gate is true loses the gate, one whose gate is false is gone; no GROUP is nested, repeated or single.
"""
from __future__ import annotations

from svod.dtype import dtypes
from svod.ir.effects import may_drop
from svod.ir.ops import Op
from svod.ir.pattern import RuleSet, any_, bool_, op, rule
from svod.ir.rules.constants import filled, literal, ones
from svod.ir.rules.samples import DATA, OUT, A, B, I, J, P, Q, X, c
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

TRUE, FALSE = c(True, dtypes.bool), c(False, dtypes.bool)
g, h, x, y, z = any_("g"), any_("h"), any_("x"), any_("y"), any_("z")
lit = op(Op.CONST, Op.BROADCAST, name="e")


# --- selects ---------------------------------------------------------------------------------------------------------------------

@rule(lit.where(x, y), example=(UOp(Op.WHERE, (TRUE, A, B)), A))
def choose_arm(e: UOp, x: UOp, y: UOp) -> UOp | None:
    """where(true, x, y) == x, where(false, x, y) == y. Always."""
    if (value := literal(e)) is None:
        return None
    kept, gone = (x, y) if value else (y, x)
    return kept if may_drop(gone) else None


@rule(g.where(x, x), example=(P.where(A, A), A))
def merge_arms(g: UOp, x: UOp) -> UOp | None:
    """where(g, x, x) == x. Always."""
    return x if may_drop(g) else None


@rule((~g).where(x, y), example=((~P).where(A, B), P.where(B, A)))
def swap_arms(g: UOp, x: UOp, y: UOp) -> UOp | None:
    """where(not g, x, y) == where(g, y, x). Always."""
    return g.where(y, x)


@rule(g.where(g.where(x, y), z), example=(P.where(P.where(A, 1.0), B), P.where(A, B)))
def drop_inner_true(g: UOp, x: UOp, y: UOp, z: UOp) -> UOp | None:
    """where(g, where(g, x, y), z) == where(g, x, z). Always."""
    return g.where(x, z) if may_drop(y) else None


@rule(g.where(x, g.where(y, z)), example=(P.where(A, P.where(1.0, B)), P.where(A, B)))
def drop_inner_false(g: UOp, x: UOp, y: UOp, z: UOp) -> UOp | None:
    """where(g, x, where(g, y, z)) == where(g, x, z). Always."""
    return g.where(x, z) if may_drop(y) else None


@rule(g.where(lit, bool_("y")), example=(P.where(UOp.const(True, dtypes.bool), Q), P | Q))
def select_as_or(g: UOp, e: UOp, y: UOp) -> UOp | None:
    """where(g, true, y) == g | y, where(g, false, true) == ~g. Bools."""
    if (value := literal(e)) is None:
        return None
    return g | y if value else ~g if literal(y) is True else None


@rule(g.where(bool_("x"), lit), example=(P.where(Q, False), P & Q))
def select_as_and(g: UOp, x: UOp, e: UOp) -> UOp | None:
    """where(g, x, false) == g & x. Bools."""
    return g & x if literal(e) is False else None


# --- conjunctions ----------------------------------------------------------------------------------------------------------------

@rule(x & ~x, example=(P & ~P, FALSE))
def contradict(x: UOp) -> UOp | None:
    """x & ~x == 0. Bits and bools."""
    return filled(0, x) if may_drop(x) else None


@rule(op(Op.AND, name="u", dtype=dtypes.bool), example=((X < 4) & (P & (X < 8)), (X < 4) & P))
def prune_conjunction(u: UOp) -> UOp | None:
    """A conjunction without what its other members imply: repeated ones, and of bounds on one value all but the tightest; bounds that
    exclude each other give false. Scalar bools."""
    x, y = u.src
    if not (Op.AND in (x.op, y.op) or x.op is y.op is Op.CMPLT):
        return None
    members = _members(u)
    kept = _tightest(members)
    if kept is None:
        return FALSE if may_drop(u) else None
    if len(kept) == len(members) or not may_drop(u):
        return None
    out = kept[0]
    for m in kept[1:]:
        out = out & m
    return out


def _members(u: UOp) -> list[UOp]:
    """The operands of a tree of ANDs, in order."""
    found, stack = [], [u]
    while stack:
        n = stack.pop()
        if n.op is Op.AND:
            stack += (n.src[1], n.src[0])
        else:
            found.append(n)
    return found


def _tightest(members: list[UOp]) -> list[UOp] | None:
    """Members that none other implies; None if two exclude each other."""
    above: dict[UOp, UOp] = {}
    below: dict[UOp, UOp] = {}
    for m in members:
        if m.op is Op.CMPLT and m.src[1].op is Op.CONST and not m.src[0].dtype.is_float:
            v = m.src[0]
            if v not in below or m.src[1].arg.value < below[v].src[1].arg.value:
                below[v] = m
        elif m.op is Op.CMPLT and m.src[0].op is Op.CONST and not m.src[1].dtype.is_float:
            v = m.src[1]
            if v not in above or m.src[0].arg.value > above[v].src[0].arg.value:
                above[v] = m
    if any(v in above and above[v].src[0].arg.value + 1 >= m.src[1].arg.value for v, m in below.items()):
        return None
    best = {*above.values(), *below.values()}
    bounded = {m for m in members if m.op is Op.CMPLT and ((m.src[0] in below and m.src[1].op is Op.CONST) or m.src[1] in above)}
    return [m for m in dict.fromkeys(members) if m not in bounded or m in best]


@rule(op(Op.OR, name="u"), example=((P | Q) | P, P | Q))
def prune_disjunction(u: UOp) -> UOp | None:
    """(x | y) | x == x | y. Bits and bools."""
    x, y = u.src
    if x.op is Op.OR and y in x.src:
        return x
    return y if y.op is Op.OR and x in y.src else None


@rule(x | ~x, example=(P | ~P, TRUE))
def exhaust(x: UOp) -> UOp | None:
    """x | ~x == ~0. Bits and bools."""
    return filled(ones(x.dtype), x) if may_drop(x) else None


# --- memory ----------------------------------------------------------------------------------------------------------------------

@rule(op(Op.INDEX, src=[x, y, lit]), example=(DATA.index(I, TRUE), DATA.index(I)))
def drop_true_gate(x: UOp, y: UOp, e: UOp) -> UOp | None:
    """An access that always happens needs no gate."""
    return UOp(Op.INDEX, (x, y)) if literal(e) is True else None


@rule(op(Op.LOAD, src=[op(Op.INDEX, src=[x, y], name="i"), z]), example=(UOp(Op.LOAD, (DATA[I], A)), DATA[I].load()))
def drop_alternative(i: UOp, x: UOp, y: UOp, z: UOp) -> UOp | None:
    """The alternative of a load without a gate is never used."""
    return i.load() if may_drop(z) else None


@rule(op(Op.LOAD, src=[op(Op.INDEX, src=[x, y, lit]), z]), example=(DATA.index(I, FALSE).load(A), A))
def load_alternative(x: UOp, y: UOp, e: UOp, z: UOp) -> UOp | None:
    """A load that never happens is its alternative."""
    return z if literal(e) is False and may_drop(x, y) else None


@rule(op(Op.STORE, src=[op(Op.INDEX, src=[x, y, lit]), z]), example=(OUT.index(I, FALSE).store(A), UOp(Op.GROUP)))
def drop_false_store(x: UOp, y: UOp, e: UOp, z: UOp) -> UOp | None:
    """A store that never happens is no effect."""
    return UOp(Op.GROUP) if literal(e) is False and may_drop(x, y, z) else None


# --- effects ---------------------------------------------------------------------------------------------------------------------

_STORES = (OUT[I].store(A), OUT[J].store(B))


@rule(op(Op.GROUP, name="u"), example=(UOp(Op.GROUP, (UOp.group(*_STORES), UOp(Op.GROUP), _STORES[0])), UOp.group(*_STORES)))
def flatten_group(u: UOp) -> UOp | None:
    """A GROUP holds each effect once, no GROUP, and not just one."""
    flat = _flat(u.src)
    if len(flat) == 1:
        return flat[0]
    return None if flat == u.src else UOp(Op.GROUP, flat)


def _flat(src: tuple[UOp, ...]) -> tuple[UOp, ...]:
    """The effects with the operands of GROUPs in place of the GROUPs, each once. GROUPs below are flat already."""
    found: dict[UOp, None] = {}
    for s in src:
        found.update(dict.fromkeys(s.src if s.op is Op.GROUP else (s,)))
    return tuple(found)


@rule(op(Op.SINK, Op.BARRIER, name="u"), example=(UOp.sink(UOp(Op.GROUP, _STORES)), UOp.sink(*_STORES)))
def spread_group(u: UOp) -> UOp | None:
    """SINK and BARRIER take the operands of a GROUP as their own."""
    return u.replace(src=_flat(u.src)) if any(s.op is Op.GROUP for s in u.src) else None


@rule(op(Op.END, name="u"), example=(UOp(Op.GROUP).end(UOp.range(4, 0)), UOp(Op.GROUP)))
def drop_empty_end(u: UOp) -> UOp | None:
    """No effect, repeated, is no effect. Graphs only: in a LINEAR program the END of an empty GROUP closes a loop."""
    return u.src[0] if u.src[0].op is Op.GROUP and not u.src[0].src else None


@rule(op(Op.AFTER, name="u"), example=(DATA.after(UOp(Op.GROUP, _STORES), c(0)), DATA.after(*_STORES)))
def clean_after(u: UOp) -> UOp | None:
    """AFTER waits for effects and loops: GROUPs and AFTERs are spread, an index expression stands for its loops, nothing is nothing."""
    value, *deps = u.src
    if value.op is Op.AFTER:
        value, deps = value.src[0], [*value.src[1:], *deps]
    wanted: list[UOp] = []
    for d in deps:
        if d.op is Op.GROUP:
            wanted += d.src
        elif d.dtype.is_int and d.op not in (Op.RANGE, Op.AFTER) and may_drop(d) and next(d.find(Op.LOAD), None) is None:
            wanted += nest_order(free_ranges(d))
        else:
            wanted.append(d)
    src = (value, *dict.fromkeys(wanted))
    return None if src == u.src else value.after(*src[1:])


GATES = RuleSet("GATES", (
    choose_arm, merge_arms, swap_arms, drop_inner_true, drop_inner_false, select_as_or, select_as_and, contradict, exhaust,
    prune_conjunction, prune_disjunction, drop_true_gate, drop_alternative, load_alternative, drop_false_store, flatten_group,
    spread_group, drop_empty_end, clean_after))
"""Conditions, and effects that a decided condition leaves empty."""
