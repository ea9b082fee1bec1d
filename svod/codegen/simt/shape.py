"""The statements of a thread kernel brought into a form that is easy to run in lockstep.

Owns: pure LETs written out where they are used; what follows an early return or a `continue` moved into the other arm; which jumps leave a
statement. Must not know vectors. Invariant: the meaning is that of the statements as written.
"""
from __future__ import annotations

from functools import cache

from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.uop import UOp

JUMPS = frozenset((Op.BREAK, Op.CONTINUE, Op.RETURN))
ROOTS = frozenset((Op.LOAD, Op.ATOMIC, Op.SUBGROUP))
"""What a LET must do where it stands; everything else it binds is pure."""
EMPTY = UOp(Op.BLOCK)


def prepared(body: UOp, names: dict[UOp, str] | None = None) -> UOp:
    """The BLOCK of a kernel in that form. `names` gets what the author calls values that are written out."""
    return _without_last(_restructured(_inlined(body, {}, {} if names is None else names)), Op.RETURN)


def _inlined(block: UOp, known: dict[UOp, UOp], names: dict[UOp, str]) -> UOp:
    """Without pure LETs: their VALUEs are replaced by what they bind."""
    out = []
    for s in block.src:
        if s.op is Op.LET:
            expr = s.src[1].substitute(known) if known else s.src[1]
            if expr.op in ROOTS:
                out.append(UOp(Op.LET, (s.src[0], expr)))
            else:
                known[s.src[0]] = expr
                if s.src[0].arg.name:
                    names.setdefault(expr, s.src[0].arg.name)
            continue
        src = tuple(_inlined(x, known, names) if x.op is Op.BLOCK else x.substitute(known) if known else x for x in s.src)
        out.append(s if src == s.src else s.replace(src=src))
    return UOp(Op.BLOCK, tuple(out))


def _restructured(block: UOp) -> UOp:
    """Statements behind a branch whose one arm returns or continues become part of its other arm."""
    src = block.src
    for k, s in enumerate(src):
        rest = src[k + 1:]
        if s.op is Op.BRANCH and rest and not any(has_barrier(r) for r in rest):
            for arm, other in ((1, 2), (2, 1)):
                if _ends(s.src[arm]):
                    arms = {arm: s.src[arm], other: UOp(Op.BLOCK, (*s.src[other].src, *rest))}
                    return _restructured(UOp(Op.BLOCK, (*src[:k], UOp(Op.BRANCH, (s.src[0], arms[1], arms[2])))))
    return UOp(Op.BLOCK, tuple(_within(s) for s in src))


def _within(s: UOp) -> UOp:
    if s.op is Op.BRANCH:
        return s.replace(src=(s.src[0], _restructured(s.src[1]), _restructured(s.src[2])))
    if s.op in (Op.FOR, Op.LOOP):
        return s.replace(src=(*s.src[:-1], _without_last(_restructured(s.src[-1]), Op.CONTINUE)))
    return s


def _ends(block: UOp) -> bool:
    """Whether every way through the block ends in a RETURN or CONTINUE."""
    if not block.src:
        return False
    last = block.src[-1]
    return last.op in (Op.RETURN, Op.CONTINUE) or (last.op is Op.BRANCH and _ends(last.src[1]) and _ends(last.src[2]))


def _without_last(block: UOp, op: Op) -> UOp:
    """Without jumps of kind `op` where they are the last thing done anyway."""
    if not block.src:
        return block
    *first, last = block.src
    if last.op is op:
        return _without_last(UOp(Op.BLOCK, tuple(first)), op)
    if last.op is Op.BRANCH:
        last = last.replace(src=(last.src[0], _without_last(last.src[1], op), _without_last(last.src[2], op)))
    return UOp(Op.BLOCK, (*first, last))


@cache
def _facts(s: UOp) -> tuple[frozenset[Op], bool]:
    if s.op in JUMPS:
        return frozenset((s.op,)), False
    if s.op is Op.BARRIER:
        return frozenset(), True
    parts = [_facts(x) for x in s.src if x.op is Op.BLOCK] if s.op is not Op.BLOCK else [_facts(x) for x in s.src]
    jumps: frozenset[Op] = frozenset().union(*(p[0] for p in parts))
    if s.op in (Op.FOR, Op.LOOP):
        jumps &= {Op.RETURN}
    return jumps, any(p[1] for p in parts)


def jumps_out(s: UOp) -> frozenset[Op]:
    """The kinds of jumps that leave statement (or BLOCK) `s`."""
    return _facts(s)[0]


def has_barrier(s: UOp) -> bool:
    """Whether there is a BARRIER in `s`."""
    return _facts(s)[1]


def exit_arm(s: UOp) -> tuple[UOp, UOp] | None:
    """For a branch whose one arm does nothing but leave the loop: the condition to leave, and the arm that goes on."""
    if s.op is Op.BRANCH:
        for arm, other in ((1, 2), (2, 1)):
            if [x.op for x in s.src[arm].src] == [Op.BREAK] and not jumps_out(s.src[other]):
                return (s.src[0] if arm == 1 else rewrite(~s.src[0], SIMPLIFY)), s.src[other]
    return None
