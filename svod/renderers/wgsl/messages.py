"""PRINT and ASSERT in WGSL: what they say goes into the record of the launch, the binding behind the launch block.

Owns: the statements that write it. Must not know who reads it; where things lie in it says svod/renderers/records.py.
Invariant: nothing is written beyond the record, whatever many work items say.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from svod.dtype import dtypes
from svod.ir.message import LINEAR_OPERANDS, Assertion, Line
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.accesses import plain
from svod.renderers.expr import ATOM, MEMORY, Expr
from svod.renderers.records import HEAD, LINES, LOST, STATE, USED, Layout, asserts

if TYPE_CHECKING:
    from svod.renderers.wgsl.body import Body


class Record(NamedTuple):
    """What the record is called, and how it is laid out."""

    name: str
    layout: Layout

    def helper(self) -> str:
        """The function that says what failed is one's own to write."""
        return f"""fn first_to_fail() -> bool {{
  loop {{
    let tried = atomicCompareExchangeWeak(&{self.name}[{STATE}], 0u, 1u);
    if (tried.exchanged) {{ return true; }}
    if (tried.old_value != 0u) {{ break; }}
  }}
  return false;
}}"""


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
    at, used, size = body.names.new("at", numbered=True), f"&{record.name}[{USED}]", 2 + 2 * len(given)
    body.do(f"var {at} = atomicLoad({used});")
    body.do(f"if ({at} < {LINES}u) {{ {at} = atomicAdd({used}, {size}u); }}")
    body.open(f"if ({at} + {size}u <= {LINES}u)")
    words = [*_pair(Line.of(u).number), *_values(body, zip(u.src, given, strict=True))]
    for k, word in enumerate(words):
        body.do(f"atomicStore(&{record.name}[{record.layout.start + k}u + {at}], {word});")
    body.close()
    body.open("else")
    body.do(f"if ({at} < {LINES}u) {{ atomicStore(&{record.name}[{record.layout.start}u + {at}], 0u); }}")
    body.do(f"atomicAdd(&{record.name}[{LOST}], 1u);")
    body.close()


def _asserted(body: Body, u: UOp, record: Record) -> None:
    """Where the condition does not hold: the first one to come says so, and everybody goes on."""
    condition, *given = [body.value(s) for s in u.src]
    body.settle(MEMORY)
    body.types.prelude.add("first_to_fail", record.helper())
    body.open(f"if (!{condition.at(ATOM)} && first_to_fail())")
    words = [*_pair(Assertion.of(u, LINEAR_OPERANDS).number), *_values(body, zip(u.src[1:], given, strict=True))]
    for k, word in enumerate(words, HEAD):
        body.do(f"atomicStore(&{record.name}[{k}], {word});")
    body.close()


def _pair(number: int) -> tuple[str, str]:
    return f"{number & 0xFFFFFFFF}u", f"{number >> 32}u"


def _values(body: Body, given: Iterable[tuple[UOp, Expr]]) -> Iterable[str]:
    """The bits of values as pairs of words."""
    for u, e in given:
        yield from _words(body, plain(u), e)


def _words(body: Body, u: UOp, e: Expr) -> tuple[str, str]:
    t, d = body.types.of(u), u.dtype
    if t == "bool":
        return f"select(0u, 1u, {e.text})", "0u"
    if t in ("i64", "u64", "f64"):
        wide = body.names.new("bits", numbered=True)
        body.do(f"let {wide} = {e.text if t == 'u64' else f'bitcast<u64>({e.text})'};")
        return f"u32({wide})", f"u32({wide} >> 32u)"
    if t == "f16":
        return f"pack2x16float(vec2<f32>(f32({e.text}), 0.0))", "0u"
    word = e.text if t == "u32" else f"bitcast<u32>({e.text})"
    if d is dtypes.index:  # of 64 bits, whatever it is held in
        return word, f"bitcast<u32>({e.at(ATOM)} >> 31u)"
    return (f"{word} & {(1 << d.bits) - 1:#x}u" if t == "i32" and d.bits < 32 else word), "0u"


