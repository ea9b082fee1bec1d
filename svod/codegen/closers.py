"""Rewriting the nodes that close loops (END and REDUCE), which is how every scheduling decision acts on a graph.

Owns: the bottom-up walk over closers, normal form of a SINK, guarded accesses. Must not know Opts.
Invariant: after `normalize` every effect of the SINK is closed, and effects that share a RANGE share its loop.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from svod.dtype import PtrDType, dtypes
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
    """Says in the graph when the loads of memory that is also stored are made, before any rewriting, so that no simplification changes it:
    in every iteration of the loops that store it, even if their index is the same (`o[j] = o[j] + a[i, j]` adds for each i); not before a
    store that is written before the effect that first needs them, even if they turn out to read what was read already; and not after the
    stores of that effect, even if only a later one turns out to need them. What is awaited in a loop is done in every iteration too.
    """
    new: dict[UOp, UOp] = {}
    for u in sink.toposort():
        src = tuple([new[s] for s in u.src])
        if u.op is Op.SINK:
            src = tuple(_in_turn([e for s in src for e in effects_of(s)]))
        elif u.op is Op.END:
            src = (UOp.group(*_in_turn(list(effects_of(src[0])))), *src[1:])
        v = u if src == u.src else u.replace(src=src)
        new[u] = _pinned(v) if u.op is Op.END else v
    return new[sink]


def _pinned(end: UOp) -> UOp:
    ranges = [r for r in end.src[1:] if r.op is Op.RANGE]
    own = own_nodes(end.src[0])
    stored = {_memory(x) for x in own if x.op in (Op.STORE, Op.ATOMIC)}
    table = {x: tuple(ranges) for x in own if x.op is Op.LOAD and _memory(x) in stored}
    for d in awaited(end.src[0]):
        inner = own_nodes(d)
        if depends := tuple(r for r in ranges if r in free_ranges(d)):
            table.update((x, depends) for x in inner if x.op is Op.LOAD and _memory(x) in stored and x not in table)
            own += inner
    return end.replace(src=(_delayed(end.src[0], table, own), *end.src[1:])) if table else end


def awaited(effect: UOp) -> list[UOp]:
    """The effects that others in `effect` wait for."""
    return list(dict.fromkeys(d for u in effect.toposort() if u.op is Op.AFTER for d in u.src[1:] if d.dtype is dtypes.void))


def _delayed(effect: UOp, table: dict[UOp, tuple[UOp, ...]], own: list[UOp]) -> UOp:
    """`effect` with loads that wait for what the table says. What it waits for and is not part of it stays the nodes it is."""
    mine = set(own)
    kept = {d for u in own if u.op is Op.AFTER for d in u.src[1:] if d not in mine}
    new: dict[UOp, UOp] = {d: d for d in kept}
    for u in effect.toposort(lambda x: x not in kept):
        src = tuple([new[s] for s in u.src])
        v = u if src == u.src else u.replace(src=src)
        if u in table:
            index = v.src[0]
            v = v.replace(src=(index.replace(src=(index.src[0].after(*table[u]), *index.src[1:])), *v.src[1:]))
        new[u] = v
    return new[effect]


def _held(effects: list[UOp]) -> list[UOp]:
    """Effects whose stores wait for loads that were needed before and that a later effect needs too: it gets the value from before them."""
    nodes = [own_nodes(e) for e in effects]
    stored = [{_memory(x) for x in own if x.op in (Op.STORE, Op.ATOMIC)} for own in nodes]
    first: dict[UOp, int] = {}
    waits: dict[int, list[UOp]] = {}
    for k, own in enumerate(nodes):
        for x in (x for x in own if x.op is Op.LOAD):
            for at in range(first.setdefault(x, k), k):
                if _memory(x) in stored[at] and x not in waits.setdefault(at, []):
                    waits[at].append(x)
    return [_behind(e, waits[k], nodes[k]) if k in waits else e for k, e in enumerate(effects)]


def _behind(effect: UOp, loads: list[UOp], own: list[UOp]) -> UOp:
    """`effect` with stores that are done after `loads`."""
    new: dict[UOp, UOp] = {}
    mine = set(own)
    for u in effect.toposort(lambda x: x in mine):
        v = u.replace(src=tuple([new.get(s, s) for s in u.src])) if any(new.get(s, s) is not s for s in u.src) else u
        if u.op is Op.STORE and u in mine:
            index = v.src[0]
            v = v.replace(src=(index.replace(src=(index.src[0].after(*loads), *index.src[1:])), *v.src[1:]))
        new[u] = v
    return new[effect]


def _in_turn(effects: list[UOp]) -> list[UOp]:
    """Effects one after the other, where a load that could be taken for one made earlier waits for the store between the two."""
    if len(effects) == 1:
        return effects
    out: list[UOp] = []
    stored: dict[UOp, UOp] = {}
    loaded: set[UOp] = set()
    seen: set[UOp] = set()
    changed: dict[UOp, UOp] = {}
    table: dict[UOp, tuple[UOp, ...]] = {}
    for written, e in zip(effects, _held(effects), strict=True):
        own = own_nodes(e)
        loads = [x for x in own if x.op is Op.LOAD and x not in seen]
        seen.update(loads)
        table.update((x, (stored[m],)) for x in loads if (m := _memory(x)) in stored and m in loaded)
        loaded.update(_memory(x) for x in loads)
        done = _delayed(e.substitute(changed), table, own) if any(x in table for x in own) else e.substitute(changed)
        if done is not written:
            changed[written] = done
        out.append(done)
        stored.update((_memory(x), done) for x in own_nodes(done) if x.op in (Op.STORE, Op.ATOMIC))
    return out


def own_nodes(root: UOp) -> list[UOp]:
    """The nodes of `root` itself, with the values it waits for, not those of the effects it waits for."""
    out, seen, stack = [], set(), [root]
    while stack:
        u = stack.pop()
        if u not in seen:
            seen.add(u)
            out.append(u)
            stack += u.src if u.op is not Op.AFTER else [s for k, s in enumerate(u.src) if k == 0 or s.dtype is not dtypes.void]
    return out


def _memory(access: UOp) -> UOp:
    p = access.src[0].src[0]
    while p.op is Op.AFTER:
        p = p.src[0]
    return p


def separate_axes(sink: UOp) -> UOp:
    """Gives loops of their own to closers of a range that others close too: REDUCEs beside an END or waiting for one another, and ENDs
    that other effects wait for. Afterwards a range is closed once in any nest, so substituting it in one body touches no other."""
    sink = _parted(sink)
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
            v = _renamed(v, {r: f for r in u.src[1:] if (f := fresh.of(r, level[u], taken=r in ended)) is not r})
        elif u.op is Op.END and u not in roots:
            v = _renamed(v, {r: fresh.of(r, id(u), taken=True) for r in u.src[1:] if r in twice})
        new[u] = v
    return new[sink]


def _parted(sink: UOp) -> UOp:
    """Loops over one range that are written one after the other stay two loops if the second one touches what the first has written, or
    writes what it has touched: the second gets ranges of its own, so that nothing joins the two."""
    fresh = _Fresh(max((r.arg.path[0] for r in sink.find(Op.RANGE)), default=0))
    new: dict[UOp, UOp] = {}
    for u in sink.toposort():
        src = tuple([new[s] for s in u.src])
        if u.op is Op.SINK or u.op is Op.GROUP:
            src = _siblings([e for s in src for e in effects_of(s)], fresh)
        new[u] = u if src == u.src else u.replace(src=src)
    return new[sink]


def _siblings(effects: list[UOp], fresh: _Fresh) -> tuple[UOp, ...]:
    out: list[UOp] = []
    for e in effects:
        before = [x for x in out if x.op is Op.END]
        if e.op is Op.END and any(_feeds(x, e) for x in before):
            taken = {r for x in before for r in x.src[1:]}
            out.append(_renamed(e, {r: fresh.of(r, id(e), taken=True) for r in e.src[1:] if r in taken}))
        else:
            out.append(e)
    return tuple(out)


def _renamed(closer: UOp, table: dict[UOp, UOp]) -> UOp:
    """`closer` with other ranges; the effects it waits for that have closed the old ones themselves stay the nodes they are."""
    if not table:
        return closer
    for r in nest_order(tuple(table)):  # the bounds of one may depend on another
        table[r] = table[r].replace(src=tuple(s.substitute(table) for s in table[r].src))
    kept = {u: u for u in closer.toposort() if u is not closer and u.op is Op.END and not free_ranges(u) & table.keys()}
    return closer.substitute({**kept, **table})


def _feeds(first: UOp, second: UOp) -> bool:
    """True if two loops over a common range have to stay two."""
    return bool(set(first.src[1:]) & set(second.src[1:])) and _meet(first, second)


def _meet(first: UOp, second: UOp) -> bool:
    """True if one of two effects stores to memory that the other one loads or stores."""
    (a, wa), (b, wb) = (touched([e]) for e in (first, second))
    return bool(wa & b or wb & a)


def touched(effects: Iterable[UOp]) -> tuple[set[UOp], set[UOp]]:
    """The memories that effects themselves load or store, and those they store."""
    own = [u for e in effects for u in own_nodes(e)]
    stored = {_memory(u) for u in own if u.op in (Op.STORE, Op.ATOMIC)}
    return stored | {_memory(u) for u in own if u.op is Op.LOAD}, stored


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
        same, skipped = [first], list[UOp]()
        for e in list(rest):
            if _outermost(e, outer) is order[0] and not _depends(e, rest) and not any(_meet(x, e) for x in skipped):
                same.append(e)
                rest.remove(e)
            else:
                skipped.append(e)
        common = order[:_agreed([nest_order(free_ranges(e) - outer) for e in same])]
        out.append(UOp.group(*_close(same, outer.union(common))).end(*common))
    return out


def _outermost(e: UOp, outer: frozenset[UOp]) -> UOp | None:
    order = nest_order(free_ranges(e) - outer)
    return order[0] if order else None


def _agreed(orders: list[list[UOp]]) -> int:
    """How many of the outermost ranges are the same in all of `orders`: those loops can be shared without changing any order."""
    n = 0
    while all(len(o) > n and o[n] is orders[0][n] for o in orders):
        n += 1
    return n


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
    """True if `e` waits for another effect that is still to be done. It may be done in `e`'s loops too, as a peeled split leaves it."""
    pending = set(rest) - {e}
    return bool(pending) and any(x in pending for d in awaited(e) for x in d.toposort())


def guard(body: UOp, r: UOp, valid: UOp) -> UOp:
    """`body` with every access that depends on `r` made only where `valid` holds. What it writes itself is guarded in any case."""
    new: dict[UOp, UOp] = {}
    own = set(own_nodes(body))
    for u in body.toposort():
        src = tuple([new[s] for s in u.src])
        v = u if src == u.src else u.replace(src=src)
        writes = u.op in (Op.STORE, Op.ATOMIC) and (u in own or r in free_ranges(u))
        if writes or (u.op is Op.LOAD and r in free_ranges(u.src[0])):
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
