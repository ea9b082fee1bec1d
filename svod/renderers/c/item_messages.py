"""PRINT and ASSERT of work items in the C family: what they say goes into the record of the launch, the last argument of the kernel.

Owns: the statements that write it. Must not know any one language, nor who reads it; where things lie in it says svod/renderers/records.py.
Invariant: nothing is written beyond the record, whatever many work items say.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from svod.dtype import dtypes
from svod.ir.message import LINEAR_OPERANDS, Assertion, Line
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c.function import Body
from svod.renderers.c.messages import bits_of
from svod.renderers.expr import MEMORY, SHIFT, UNARY, Expr
from svod.renderers.records import HEAD, LINES, LOST, STATE, USED, Layout, asserts


class Record(NamedTuple):
    """The parameter, how it is laid out, and where it lies, as the names of atomic helpers have it."""

    name: str
    layout: Layout
    space: str


def said(body: Body, u: UOp, record: Record) -> None:
    """Writes a PRINT or an ASSERT."""
    if u.op is Op.PRINT:
        _printed(body, u, record)
    elif asserts(u):
        _asserted(body, u, record)


def _printed(body: Body, u: UOp, record: Record) -> None:
    """A line, if there is room for it. What is in use is looked at first, so that it does not grow without end."""
    given = [body.value(s) for s in u.src]
    body.settle(MEMORY)
    add, word = body.prelude.need(_helper("atomic_add", record), dtypes.u32), body.prelude.type(dtypes.u32)
    name, start, size, used = record.name, record.layout.start, 2 + 2 * len(given), f"{record.name} + {USED}"
    at = body.names.new("at", numbered=True)
    body.do(f"{word} {at} = {add}({used}, 0u);")
    body.do(f"if ({at} < {LINES}u) {at} = {add}({used}, {size}u);")
    body.open(f"if ({at} + {size}u <= {LINES}u)")
    number = _pair(Line.of(u).number)
    _pairs(body, f"{name}[{start} + {at} + {{k}}]", [number, *_values(body, zip(u.src, given, strict=True))])
    body.close()
    body.other()
    body.do(f"if ({at} < {LINES}u) {name}[{start} + {at}] = 0u;")
    body.do(f"{add}({name} + {LOST}, 1u);")
    body.close()


def _asserted(body: Body, u: UOp, record: Record) -> None:
    """Where the condition does not hold: the first one to come says so, and everybody goes on."""
    condition, *given = [body.value(s) for s in u.src]
    body.settle(MEMORY)
    exchange = body.prelude.need(_helper("compare_exchange", record), dtypes.u32)
    number = Assertion.of(u, LINEAR_OPERANDS).number
    free = f"{exchange}({record.name} + {STATE}, 0u, 1u) == 0u"
    fails = f"!{condition.at(UNARY)} && " if u.src[0].op is not Op.CONST else ""
    body.open(f"if ({fails}{free})")
    _pairs(body, f"{record.name}[{{k}}]", [_pair(number), *_values(body, zip(u.src[1:], given, strict=True))], HEAD)
    body.close()


def _helper(kind: str, record: Record) -> str:
    """The kind of an atomic helper for the record."""
    return f"{kind}_{record.space}" if record.space else kind


def _values(body: Body, given: Iterable[tuple[UOp, Expr]]) -> list[tuple[str, str]]:
    """The bits of values as pairs of words."""
    word, out = body.prelude.type(dtypes.u32), []
    for u, e in given:
        bits = Expr(bits_of(body.prelude, u, e), UNARY if e.prec >= UNARY else 0)
        if u.dtype is not dtypes.index and u.dtype.bits <= 32:
            out.append((f"({word}){bits.at(UNARY)}", "0u"))
            continue
        wide = body.names.new("bits", numbered=True)
        body.do(f"{body.prelude.type(dtypes.u64)} {wide} = {bits.text};")
        out.append((f"({word}){wide}", f"({word})({Expr(wide).at(SHIFT)} >> 32)"))
    return out


def _pair(number: int) -> tuple[str, str]:
    return f"{number & 0xFFFFFFFF}u", f"{number >> 32}u"


def _pairs(body: Body, place: str, pairs: list[tuple[str, str]], first: int = 0) -> None:
    for k, text in enumerate((w for pair in pairs for w in pair), first):
        body.do(f"{place.format(k=k)} = {text};")

