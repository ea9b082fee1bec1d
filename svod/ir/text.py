"""The text form of graphs: one line a node, sources first; parsing it gives back the identical node.

    %0 = param(slot=0, name="a", size=16) f32*global
    %1 = const(0) index
    %2 = index f32*global %0, %1
    %3 = load f32 %2

A line is `%name = op(arg) dtype operands`; an arg at its defaults, an implied void and missing operands are left out. Floats are written
so that they read back bit for bit (`-0.0`, `inf`, `nan`, other NaNs as `nan:0x…`), strings as JSON, bytes as base64. `#` starts a comment.
The last line is the root.

Owns: lines and the names in them. Must not know the forms of args (argtext.py) nor what a node means.
Invariant: `parse(to_text(u)) is u` for every u, so equal text means the same node.
"""
from __future__ import annotations

import difflib
from collections.abc import Iterable

from svod.dtype import DType, dtypes
from svod.errors import DTypeError, GraphError, TextError
from svod.ir.argtext import OP_NAMES, arg_text, read_arg, register_arg
from svod.ir.lexer import Line, Token
from svod.ir.ops import OPS, Op
from svod.ir.uop import UOp

__all__ = ["parse", "register_arg", "show", "to_text"]


def to_text(root: UOp) -> str:
    """The graph of `root`, one line a node. GraphError for an arg that has no text form."""
    order = root.toposort()
    name = {u: f"%{i}" for i, u in enumerate(order)}
    return "\n".join(_line(u, name[u], [name[s] for s in u.src]) for u in order)


def show(root: UOp) -> str:
    """What print() shows: a LINEAR program in execution order, with its loops and branches indented; of anything else `to_text`.

    Operands that are no instructions are shown too, leaves at the top and addresses where they are used; AFTER as what it stands for.
    """
    if root.op is not Op.LINEAR:
        return to_text(root)
    order = _shown(root)
    name = {u: f"%{i}" for i, u in enumerate(dict.fromkeys(order))}
    lines, depth = [], 0
    for u in order:
        depth = max(0, depth - (u.op in (Op.END, Op.ENDIF, Op.ENDLOOP)))
        lines.append("  " * depth + _line(u, name[u], [name[s] for s in map(_executed, u.src) if s in name]))
        depth += u.op in (Op.RANGE, Op.IF, Op.LOOP)
    return "\n".join(lines)


def _executed(u: UOp) -> UOp:
    """What stands for an operand in a linear program."""
    while u.op is Op.AFTER:
        u = u.src[0]
    return u


def _shown(linear: UOp) -> list[UOp]:
    """The instructions, with the operands that are not listed among them."""
    listed = set(linear.src)
    leaves: dict[UOp, None] = {}
    order: list[UOp] = []
    for u in linear.src:
        operands = [s for s in map(_executed, u.src) if s not in listed]
        addresses = [s for s in operands if s.op is Op.INDEX]
        operands += [x for a in addresses for x in map(_executed, a.src) if x not in listed]
        leaves.update((s, None) for s in operands if s.op not in (Op.INDEX, Op.GROUP))
        order += [*addresses, u]
    return [*leaves, *order]


def _line(u: UOp, name: str, operands: list[str]) -> str:
    arg = arg_text(u.arg)
    implied = u.dtype is dtypes.void and OPS[u.op].result is not None
    parts = [f"{name} = {u.op.name.lower()}{f'({arg})' if arg else ''}", "" if implied else repr(u.dtype), ", ".join(operands)]
    return " ".join(p for p in parts if p)


def parse(text: str) -> UOp:
    """The node whose text form is `text`; the names of lines may be any words. TextError with line, caret and hint for anything else."""
    nodes: dict[str, UOp] = {}
    unused: dict[str, Line] = {}
    name = ""
    for number, content in enumerate(text.split("\n"), 1):
        line = Line(content.rstrip("\r"), number)
        if line.here.kind == "end":
            continue
        name, node, operands = _statement(line, nodes)
        for s in operands:
            unused.pop(s, None)
        nodes[name], unused[name] = node, line
    if not nodes:
        raise TextError("the text holds no node", hint="a node is written like `%0 = const(1) i32`")
    del unused[name]
    for other, line in unused.items():
        hint = "the last line is the root, every other node an operand; of a linear program, to_text(program) parses, print() is a listing"
        raise line.error(f"{other} is used by nothing", line.tokens[0], hint)
    return nodes[name]


def _statement(line: Line, nodes: dict[str, UOp]) -> tuple[str, UOp, list[str]]:
    """Name, node and names of the operands of a line."""
    name = line.next("node")
    if name.text in nodes:
        raise line.error(f"{name.text} is defined twice", name, "every line needs a name of its own")
    line.next("punctuation", "=")
    word = line.next("word")
    if (op := OP_NAMES.get(word.text)) is None:
        raise line.error(f"no op is called {word.text!r}", word, _near(word.text, OP_NAMES, "ops are those of svod.ir.ops, in lower case"))
    arg = read_arg(op, line, word)
    dtype = _dtype(line)

    def operand() -> Token:
        token = line.next("node")
        if token.text not in nodes:
            raise line.error(f"{token.text} is not defined", token, _near(token.text, nodes, "operands are defined above their users"))
        return token
    operands = [t.text for t in line.separated(operand)]
    try:
        return name.text, UOp(op, tuple(nodes[s] for s in operands), arg, dtype), operands
    except (GraphError, DTypeError) as e:
        raise line.error(e.what, word, e.hint) from e


def _dtype(line: Line) -> DType | None:
    if line.here.kind != "word":
        return None
    token = line.next("word")
    try:
        return dtypes.parse(token.text)
    except DTypeError as e:
        raise line.error(e.what, token, e.hint) from e


def _near(word: str, known: Iterable[str], otherwise: str) -> str:
    found = difflib.get_close_matches(word, list(known), 1)
    return f"did you mean {found[0]}?" if found else otherwise


UOp.print_with(show)
