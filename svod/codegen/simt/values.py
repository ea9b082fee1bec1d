"""Variables that need no memory: where what was last written is known, a read is that; reads and writes that nobody needs go.

Owns: these rewritings of statements. Must not know vectors. Invariant: the meaning is that of the statements as written.
"""
from __future__ import annotations

from collections.abc import Iterator

from svod.ir.ops import Op
from svod.ir.uop import UOp

Walk = Iterator[tuple[UOp, UOp, int]]


def with_values(body: UOp) -> UOp:
    """`body` with reads of variables whose value is known as that value, and without what nobody reads."""
    while True:
        once = _without_unused(_forwarded(body))
        if once is body:
            return body
        body = once


def _walk(block: UOp) -> Walk:
    """Each statement below `block`, with the BLOCK it stands in and its place there."""
    for k, s in enumerate(block.src):
        yield s, block, k
        for x in s.src:
            if x.op is Op.BLOCK:
                yield from _walk(x)


def _variable(s: UOp) -> UOp | None:
    """The variable of one element that a STORE sets, or that a LET reads."""
    address = s.src[0] if s.op is Op.STORE else s.src[1].src[0] if s.op is Op.LET and s.src[1].op is Op.LOAD else None
    if address is None or address.src[0].op is not Op.DEFINE_REG or address.src[0].arg.size != 1 or len(address.src) == 3:
        return None
    return address.src[0]


def _forwarded(block: UOp, known: dict[UOp, UOp] | None = None, values: dict[UOp, UOp] | None = None) -> UOp:
    """Reads of variables whose value is known there as that value. `known`: of variables; `values`: what VALUEs turned out to be."""
    known, values = {} if known is None else known, {} if values is None else values
    out = []
    for s in block.src:
        v = _variable(s)
        if s.op is Op.LET and v in known:
            values[s.src[0]] = known[v]
            continue
        inner = {m: e for m, e in known.items() if m not in _set_in(s)} if s.op in (Op.FOR, Op.LOOP) else known
        src = tuple(_forwarded(x, dict(inner), values) if x.op is Op.BLOCK else x.substitute(values) if values else x for x in s.src)
        new = s if src == s.src else s.replace(src=src)
        for m in _set_in(new):
            known.pop(m, None)
        if v is not None:
            known[v] = new.src[1] if new.op is Op.STORE else new.src[0]
        out.append(new)
    return UOp(Op.BLOCK, tuple(out))


def _set_in(s: UOp) -> set[UOp]:
    """The variables that a statement sets."""
    stores = [s] if s.op is Op.STORE else [u for u, _, _ in _walk(UOp(Op.BLOCK, (s,))) if u.op is Op.STORE]
    return {v for u in stores if (v := u.src[0].src[0]).op is Op.DEFINE_REG}


def _without_unused(body: UOp) -> UOp:
    statements = [s for s, _, _ in _walk(body)]
    used = {v for s in statements for x in (s.src[1:] if s.op in (Op.LET, Op.FOR) else s.src) if x.op is not Op.BLOCK
            for v in x.toposort() if v.op is Op.VALUE}
    read = {_variable(s) for s in statements if s.op is Op.LET}
    return _kept(body, used, read)


def _kept(block: UOp, used: set[UOp], read: set[UOp | None]) -> UOp:
    out = []
    for s in block.src:
        if s.op is Op.LET and s.src[1].op is Op.LOAD and s.src[0] not in used:
            continue
        if s.op is Op.STORE and (v := _variable(s)) is not None and v not in read:
            continue
        src = tuple(_kept(x, used, read) if x.op is Op.BLOCK else x for x in s.src)
        out.append(s if src == s.src else s.replace(src=src))
    return UOp(Op.BLOCK, tuple(out))
