"""Expressions in languages like C: text with its precedence, and names that are nobody else's.

Owns: where parentheses go, what a name of the user's becomes. Must not know ops.
Invariant: an expression means the same wherever `at` puts it; no two names of one scope are equal, and none is a word of the language.
"""
from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ATOM, UNARY, TIMES, PLUS, SHIFT, LESS, EQUAL, AND, XOR, OR, CHOICE = 16, 14, 13, 12, 11, 10, 9, 8, 7, 6, 3
"""Precedences of C; the greater binds tighter."""
MEMORY = "memory"
_HELPER = re.compile(r"(?:\w+_)?(?:[iuf](?:8|16|32|64)|bf16|bool|f8e\w+)(?:x\d+)?_?")


@dataclass(frozen=True, slots=True)
class Expr:
    """`reads`: what must not be written before it is evaluated. `mask`: the width of the lanes of a vector of truth values, else 0.

    `literal`: the scalar literal of a constant, also of a vector that has it in all lanes. `minus`: what it is the negative of, as text for
    a product; empty where that is not known."""

    text: str
    prec: int = ATOM
    reads: frozenset[str] = frozenset()
    mask: int = 0
    literal: str = ""
    minus: str = ""

    def at(self, prec: int) -> str:
        """The text where an operator of that precedence takes it."""
        return self.text if self.prec >= prec else f"({self.text})"


class Names:
    """The names of one scope."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)

    def new(self, wanted: str, *, numbered: bool = False) -> str:
        """A name like `wanted`, or with a number behind it, which none has."""
        base = sanitized(wanted)
        n, name = 0, base
        while numbered or name in self.taken:
            n += 1
            numbered = False
            name = f"{base}{'_' if base[-1].isdigit() else ''}{n}"
        self.taken.add(name)
        return name


def sanitized(name: str) -> str:
    """`name` as an identifier: none that the language keeps for itself, nor one of a helper."""
    text = re.sub(r"[^0-9A-Za-z_]", "_", name) or "unnamed"
    text = re.sub(r"^_+", "", text) or "unnamed"
    if text[0].isdigit():
        text = f"n{text}"
    return f"{text}_" if _HELPER.fullmatch(text) else text
