"""Graphs in the notation people write: infix expressions and indented loops. For documents; svod.ir.text has the form that parses back.

Owns: the notation. Must not know rules, stages or pages.
Invariant: the same graph gives the same text in every process; a graph of any op has one.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from svod.ir.args import AxisKind
from svod.ir.argtext import arg_text
from svod.ir.ops import OPS, Effect, Op
from svod.ir.scope import free_ranges, nest_order
from svod.ir.uop import UOp

_BITS = 2
INFIX = {
    Op.CMPLT: (1, "<"), Op.CMPLE: (1, "<="), Op.CMPEQ: (1, "=="), Op.CMPNE: (1, "!="),
    Op.OR: (_BITS, "|"), Op.XOR: (_BITS, "^"), Op.AND: (_BITS, "&"), Op.SHL: (_BITS, "<<"), Op.SHR: (_BITS, ">>"),
    Op.ADD: (3, "+"), Op.SUB: (3, "-"),
    Op.MUL: (4, "*"), Op.FDIV: (4, "/"), Op.FLOORDIV: (4, "//"), Op.FLOORMOD: (4, "%"),
}
"""How tightly an op binds, and its sign; all associate to the left. Operands of bit operations are always put in parentheses."""
PREFIX = {Op.NEG: "-", Op.NOT: "~"}
CALLED = {Op.MOD: "rem", Op.MULACC: "fma"}
"""Names of functions where the op's own is not the usual one."""
MEMORIES = {Op.DEFINE_REG: "register", Op.DEFINE_LOCAL: "local", Op.DEFINE_SCRATCH: "scratch"}
EFFECTS = frozenset((Op.STORE, Op.ATOMIC, Op.END, Op.GROUP, Op.BARRIER, Op.SINK))
LONG = 24
"""Characters from which a value that is used more than once gets a name in `nest`."""
_TIGHT = 5

Names = Mapping[UOp, str]


def expression(u: UOp, names: Names = MappingProxyType({})) -> str:
    """A value or effect in one line: `(i + 3) // 4`, `where(p, load(data[i]), 0.0)`. Ranges are called r0, r0.1 after their paths.

    What `names` has is written as it says there."""
    return _text(u, names, 0)


def bounds(*graphs: UOp) -> str:
    """Where the open ranges of the graphs run: `r0 in 0..8, r1 in 0..n`; empty if there are none."""
    return ", ".join(_loop(r, {}) for r in nest_order(frozenset(r for g in graphs for r in free_ranges(g))))


def nest(sink: UOp) -> str:
    """The effects of a graph as statements in loops, each after what it waits for; long values used more than once get names t1, t2, …"""
    writer = _Nest(sink)
    writer.effects(sink.src if sink.op is Op.SINK else (sink,), frozenset())
    return "\n".join(writer.lines)


def _loop(r: UOp, names: Names) -> str:
    kind = "" if r.arg.kind is AxisKind.LOOP else f"{r.arg.kind.value} "
    return f"{kind}{_plain(r, names)} in {_text(r.src[0], names, 4)}..{_text(r.src[1], names, 4)}"


def _text(u: UOp, names: Names, tight: int) -> str:
    """`u`, in parentheses if it binds less tightly than `tight`."""
    if u in names:
        return names[u]
    if (infix := INFIX.get(u.op)) is not None:
        level, sign = infix
        left, right = (_TIGHT, _TIGHT) if level == _BITS else (level, level + 1)
        text = f"{_text(u.src[0], names, left)} {sign} {_text(u.src[1], names, right)}"
        return f"({text})" if level < tight else text
    if u.op in PREFIX:
        operand = _text(u.src[0], names, _TIGHT)
        return f"{PREFIX[u.op]}({operand})" if u.src[0].op is Op.CONST else f"{PREFIX[u.op]}{operand}"
    return _plain(u, names)


def _plain(u: UOp, names: Names) -> str:
    """What needs no parentheses: leaves, addresses, calls."""
    match u.op:
        case Op.CONST:
            return arg_text(u.arg)
        case Op.PARAM | Op.DEFINE_VAR:
            return str(u.arg.name)
        case Op.RANGE:
            return "r" + ".".join(map(str, u.arg.path))
        case Op.INDEX:
            gate = f" if {_text(u.src[2], names, 0)}" if len(u.src) == 3 else ""
            return f"{_text(u.src[0], names, _TIGHT)}[{_text(u.src[1], names, 0)}{gate}]"
        case Op.CAST | Op.BITCAST:
            return f"{'bits_' if u.op is Op.BITCAST else ''}{u.dtype}({_text(u.src[0], names, 0)})"
    if u.op in MEMORIES:
        return str(u.arg.name or f"{MEMORIES[u.op]}{u.arg.id}")
    return _call(u, names)


def _call(u: UOp, names: Names) -> str:
    name, closes = CALLED.get(u.op, u.op.name.lower()), u.op in (Op.REDUCE, Op.END)
    operands = [_loop(s, names) if closes and k and s.op is Op.RANGE else _text(s, names, 0) for k, s in enumerate(u.src)]
    if u.op in (Op.REDUCE, Op.LANES):
        name = f"{name}_{arg_text(u.arg)}"
    elif u.op in (Op.BROADCAST, Op.RAMP):
        operands.append(str(u.dtype.lanes))
    elif u.arg is not None and u.op is not Op.SINK:
        operands.append(arg_text(u.arg))
    return f"{name}({', '.join(operands)})"


class _Nest:
    """Writes effects, loops around them. Order is shown by the lines, so an AFTER is written as what it stands for."""

    def __init__(self, sink: UOp) -> None:
        self.lines: list[str] = []
        self.done: set[UOp] = set()
        self.names: dict[UOp, str] = {}
        for u in sink.toposort():
            if u.op is Op.AFTER:
                self.names[u] = _text(u.src[0], self.names, 0)
        self.shared = _shared(sink)

    def effects(self, effects: Iterable[UOp], opened: frozenset[UOp]) -> None:
        for e in effects:
            self.effect(e, opened)

    def effect(self, e: UOp, opened: frozenset[UOp]) -> None:
        """`e` inside of the loops `opened`, unless it was done there before."""
        if e in self.done:
            return
        self.done.add(e)
        self.prepare(e, opened)
        if e.op in (Op.GROUP, Op.SINK):
            self.effects(e.src, opened)
        elif e.op is Op.END:
            for r in nest_order([x for x in e.src[1:] if x.op is Op.RANGE]):
                self.prepare(e, opened)
                self.write(f"for {_loop(r, self.names)}:", opened)
                opened |= {r}
            self.effect(e.src[0], opened)
        elif e.op is Op.STORE:
            self.write(f"{_text(e.src[0], self.names, 0)} = {_text(e.src[1], self.names, 0)}", opened)
        else:
            self.write(f"barrier {arg_text(e.arg)}" if e.op is Op.BARRIER else _text(e, self.names, 0), opened)

    def prepare(self, e: UOp, opened: frozenset[UOp]) -> None:
        """What `e` waits for, and names for what it uses, as far as the open loops allow."""
        for u in e.toposort():
            if u.op in (Op.AFTER, Op.BARRIER):
                self.effects([s for s in u.src[u.op is Op.AFTER:] if s.op in EFFECTS and free_ranges(s) <= opened], opened)
            if u in self.shared and u not in self.names and free_ranges(u) <= opened and len(text := _text(u, self.names, 0)) >= LONG:
                name = f"t{sum(1 for s in self.shared if s in self.names) + 1}"
                self.write(f"{name} = {text}", opened)
                self.names[u] = name

    def write(self, text: str, opened: frozenset[UOp]) -> None:
        self.lines.append("    " * len(opened) + text)


def _shared(sink: UOp) -> set[UOp]:
    """The values without effect that more than one node uses."""
    users: dict[UOp, int] = {}
    for u in sink.toposort():
        for s in set(u.src):
            users[s] = users.get(s, 0) + 1
    return {u for u, n in users.items() if n > 1 and u.src and OPS[u.op].effect is Effect.PURE and u.op not in (Op.RANGE, Op.INDEX)}
