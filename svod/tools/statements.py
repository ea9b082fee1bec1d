"""Thread kernels in the notation people write: statements one below the other, blocks indented. For documents; svod.ir.text parses back.

Owns: the notation of statements. Must not know rules, stages or pages.
Invariant: the same kernel gives the same text in every process; two VALUEs of one kernel have two names.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from svod.ir.args import SpecialKind
from svod.ir.ops import MEMORIES, Op
from svod.ir.threads import AXES
from svod.ir.uop import UOp
from svod.tools.notation import Names, expression

IDS = {SpecialKind.GLOBAL: "block_idx", SpecialKind.LOCAL: "thread_idx"}
BARE = frozenset((Op.BREAK, Op.CONTINUE, Op.RETURN, Op.BARRIER))


def statements(threads: UOp) -> str:
    """The body of a THREADS. A value whose name is that of another one or of a memory has its number behind it: `k.4`."""
    return "\n".join(_block(threads.src[0], _names(threads), ""))


def _names(threads: UOp) -> Names:
    values = list(threads.find(Op.VALUE))
    taken = Counter([v.arg.name for v in values] + [str(u.arg.name) for u in threads.find(*MEMORIES, Op.DEFINE_VAR)])
    names = {v: v.arg.name if v.arg.name and taken[v.arg.name] == 1 else f"{v.arg.name or 'value'}.{v.arg.id}" for v in values}
    return names | {s: f"{IDS[s.arg.kind]}.{AXES[s.arg.axis]}" for s in threads.find(Op.SPECIAL)}


def _block(block: UOp, names: Names, indent: str) -> Iterator[str]:
    for statement in block.src:
        yield from _statement(statement, names, indent)


def _statement(u: UOp, names: Names, indent: str) -> Iterator[str]:
    inner = f"{indent}    "
    match u.op:
        case Op.LET | Op.STORE:
            yield f"{indent}{expression(u.src[0], names)} = {expression(u.src[1], names)}"
        case Op.BRANCH:
            yield f"{indent}if {expression(u.src[0], names)}:"
            yield from _block(u.src[1], names, inner)
            if u.src[2].src:
                yield f"{indent}else:"
                yield from _block(u.src[2], names, inner)
        case Op.FOR:
            counter, *bounds = (expression(s, names) for s in u.src[:4])
            yield f"{indent}for {counter} in range({', '.join(bounds)}):"
            yield from _block(u.src[4], names, inner)
        case Op.LOOP:
            yield f"{indent}loop:"
            yield from _block(u.src[0], names, inner)
        case op if op in BARE:
            yield f"{indent}{op.name.lower()}"
        case _:
            yield f"{indent}{expression(u, names)}"
