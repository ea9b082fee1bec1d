"""Rewriting the nodes that close loops (END and REDUCE), which is how every scheduling decision acts on a graph.

Owns: the bottom-up walk over closers, normal form of a SINK, guarded accesses. Must not know Opts.
Invariant: after `normalize` every effect of the SINK is closed, and effects that share a RANGE share its loop.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from svod.dtype import PtrDType
from svod.ir.ops import Op
from svod.ir.rules.reductions import identity
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

Closer = Callable[[UOp], UOp]


def closed_ranges(u: UOp) -> tuple[UOp, ...]:
    """The ranges an END or REDUCE closes."""
    return u.src[1:] if u.op in (Op.END, Op.REDUCE) else ()


def map_closers(root: UOp, change: Closer) -> UOp:
    """`root` with `change` applied to each END and REDUCE, inner ones first. `change` returns its argument to keep it."""
    new: dict[UOp, UOp] = {}
    for u in root.toposort():
        src = tuple([new[s] for s in u.src])
        v = u if src == u.src else u.replace(src=src)
        new[u] = change(v) if v.op is Op.END or v.op is Op.REDUCE else v
    return new[root]


def axes(root: UOp) -> dict[tuple[int, ...], UOp]:
    """The RANGEs of a graph by path."""
    return {r.arg.path: r for r in root.find(Op.RANGE)}


def effects_of(u: UOp) -> tuple[UOp, ...]:
    """The effects in a GROUP, or the one effect."""
    return tuple(e for s in u.src for e in effects_of(s)) if u.op is Op.GROUP else (u,)


def normalize(sink: UOp) -> UOp:
    """The SINK with every effect closed over its free ranges; effects of one outer RANGE share the loop."""
    return sink.replace(src=tuple(_close([e for s in sink.src for e in effects_of(s)], frozenset())))


def pin_loads(sink: UOp) -> UOp:
    """Loads of memory that the loops around them also store are made in every iteration of those loops, even if their index is the same:
    `o[j] = o[j] + a[i, j]` adds for each i. Says so before any rewriting, so that no simplification can change it.
    """
    def pin(u: UOp) -> UOp:
        if u.op is not Op.END:
            return u
        ranges = [r for r in u.src[1:] if r.op is Op.RANGE]
        own = own_nodes(u.src[0])
        stored = {_memory(x) for x in own if x.op in (Op.STORE, Op.ATOMIC)}
        table: dict[UOp, UOp] = {}
        for x in own:
            if x.op is Op.LOAD and _memory(x) in stored:
                index = x.src[0]
                table[x] = x.replace(src=(index.replace(src=(index.src[0].after(*ranges), *index.src[1:])), *x.src[1:]))
        return u.replace(src=(u.src[0].substitute(table), *u.src[1:])) if table else u
    return map_closers(sink, pin)


def own_nodes(root: UOp) -> list[UOp]:
    """The nodes of `root` itself, not of the effects it waits for."""
    out, seen, stack = [], set(), [root]
    while stack:
        u = stack.pop()
        if u not in seen:
            seen.add(u)
            out.append(u)
            stack += u.src[:1] if u.op is Op.AFTER else u.src
    return out


def _memory(access: UOp) -> UOp:
    p = access.src[0].src[0]
    while p.op is Op.AFTER:
        p = p.src[0]
    return p


def separate_axes(sink: UOp) -> UOp:
    """Gives loops of their own to closers of a range that others close too: REDUCEs beside an END or waiting for one another, and ENDs
    that other effects wait for. Afterwards a range is closed once in any nest, so substituting it in one body touches no other."""
    order = sink.toposort()
    fresh = _Fresh(max((r.arg.path[0] for r in order if r.op is Op.RANGE), default=0))
    roots = {e for s in sink.src for e in _nested(s)}
    ended = {r for u in order if u.op is Op.END for r in u.src[1:]}
    twice = {r for r in ended if sum(u.op is Op.END and r in u.src[1:] for u in order) > 1}
    level: dict[UOp, int] = {}
    new: dict[UOp, UOp] = {}
    for u in order:
        level[u] = max((level[s] for s in u.src), default=0) + (u.op is Op.REDUCE)
        src = tuple([new[s] for s in u.src])
        v = u if src == u.src else u.replace(src=src)
        if u.op is Op.REDUCE:
            v = v.substitute({r: f for r in u.src[1:] if (f := fresh.of(r, level[u], taken=r in ended)) is not r})
        elif u.op is Op.END and u not in roots:
            v = v.substitute({r: fresh.of(r, id(u), taken=True) for r in u.src[1:] if r in twice})
        new[u] = v
    return new[sink]


def _nested(effect: UOp) -> list[UOp]:
    """The ENDs that nest below an effect without another effect waiting for them."""
    if effect.op is Op.GROUP:
        return [e for s in effect.src for e in _nested(s)]
    return [effect, *_nested(effect.src[0])] if effect.op is Op.END else []


class _Fresh:
    """Hands out ranges with axis numbers nobody uses, one for each range and user."""

    def __init__(self, used: int) -> None:
        self.used = used
        self.made: dict[tuple[UOp, int], UOp] = {}

    def of(self, r: UOp, user: int, *, taken: bool) -> UOp:
        """The range `user` closes in place of `r`: `r` itself for the first user, unless it is taken."""
        if (hit := self.made.get((r, user))) is None:
            own = not taken and all(k[0] is not r for k in self.made)
            self.used += not own
            hit = self.made[(r, user)] = r if own else r.replace(arg=replace(r.arg, path=(self.used,)))
        return hit


def _close(effects: list[UOp], outer: frozenset[UOp]) -> list[UOp]:
    """Closes the effects over their ranges that are not in `outer`, sharing loops from the outermost inwards."""
    out: list[UOp] = []
    rest = list(effects)
    while rest:
        first = rest.pop(0)
        order = [r for r in nest_order(free_ranges(first)) if r not in outer]
        if not order:
            out.append(first)
            continue
        same = [first]
        for e in list(rest):
            if order[0] in free_ranges(e) and not _depends(e, rest):
                same.append(e)
                rest.remove(e)
        common = [r for r in order if all(r in free_ranges(e) for e in same)]
        out.append(UOp.group(*_close(same, outer.union(common))).end(*common))
    return out


def reopen(sink: UOp) -> UOp:
    """The SINK with its outermost ENDs taken away, except those that other effects wait for."""
    awaited = {d for u in sink.toposort() if u.op is Op.AFTER or u.op is Op.BARRIER for s in u.src for d in effects_of(s)}
    return sink.replace(src=tuple(e for s in sink.src for e in _opened(s, awaited)))


def _opened(effect: UOp, awaited: set[UOp]) -> list[UOp]:
    if effect.op is Op.GROUP:
        return [x for e in effects_of(effect) for x in _opened(e, awaited)]
    if effect.op is Op.END and effect not in awaited:
        inner = [x for e in effects_of(effect.src[0]) for x in _opened(e, awaited)]
        if all(r in free_ranges(e) for e in inner for r in effect.src[1:]):
            return inner
    return [effect]


def _depends(e: UOp, rest: list[UOp]) -> bool:
    """True if `e` comes after another effect that still waits."""
    pending = set(rest) - {e}
    return bool(pending) and any(x in pending for x in e.toposort())


def guard(body: UOp, r: UOp, valid: UOp) -> UOp:
    """`body` with every access that depends on `r` made only where `valid` holds. Direct effects are guarded in any case."""
    new: dict[UOp, UOp] = {}
    direct = set(effects_of(body))
    for u in body.toposort():
        src = tuple([new[s] for s in u.src])
        v = u if src == u.src else u.replace(src=src)
        if u.op in (Op.LOAD, Op.STORE, Op.ATOMIC) and (u in direct or r in free_ranges(u.src[0])):
            v = _guarded(v, valid)
        new[u] = v
    return new[body]


def _guarded(access: UOp, valid: UOp) -> UOp:
    index = access.src[0]
    gate = valid if len(index.src) == 2 else index.src[2] & valid
    gated = UOp(Op.INDEX, (index.src[0], index.src[1], gate))
    if access.op is not Op.LOAD:
        return access.replace(src=(gated, access.src[1]))
    ptr = index.dtype
    alt = access.src[1] if len(access.src) == 2 else UOp.const(0, ptr.base) if isinstance(ptr, PtrDType) else access
    return UOp(Op.LOAD, (gated, alt))


def mask_value(reduce_op: Op, value: UOp, valid: UOp) -> UOp:
    """`value` where `valid`, else the identity of the reduction."""
    return valid.where(value, identity(reduce_op, value))
