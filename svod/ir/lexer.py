"""The words of the text form: one line as tokens and bracketed values, and errors that point into it.

Owns: what a token is, lists of values, the caret. Must not know ops or args.
Invariant: every character of a line belongs to a token, white space or a comment, or the line is refused.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from svod.errors import TextError

_TOKEN = re.compile(r"""
    (?P<node>%\w+) | (?P<bytes>b64"[A-Za-z0-9+/=]*") | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<number>[-+]?(?:\d[\w.+-]*|inf\b|nan\b(?::0x[0-9a-f]+)?)) | (?P<word>[A-Za-z_]\w*(?:\*[a-z]+)*)
  | (?P<punctuation>[()=,\[\]]) | (?P<space>[ \t]+|\#.*)
""", re.VERBOSE)
_KINDS = {"node": "a name like %0", "word": "a word", "punctuation": "punctuation"}
FORM = "a line is `%name = op(arg) dtype %operand, %operand`"


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a line; `kind` is a group of the pattern, or "end"; `column` counts from 0."""

    kind: str
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Item:
    """A value: its token, and for `[…]` and `name(…)` the values inside."""

    token: Token
    inside: tuple[Item, ...] | None = None


class Line:
    """One line: its tokens and a place among them. TextError for what is no token."""

    def __init__(self, text: str, number: int) -> None:
        self.text, self.number, self.place = text, number, 0
        self.tokens: list[Token] = []
        column = 0
        while column < len(text):
            if (m := _TOKEN.match(text, column)) is None:
                hint = "the string does not end on this line" if text[column] == '"' else FORM
                raise self.error(f"unexpected {text[column]!r}", Token("", text[column], column), hint)
            if m.lastgroup != "space":
                self.tokens.append(Token(str(m.lastgroup), m[0], column))
            column = m.end()
        self.tokens.append(Token("end", "end of line", len(text)))

    def error(self, what: str, token: Token, hint: str = "") -> TextError:
        """An error at `token`: line, column (from 1), the text around it, a caret below."""
        begin = max(0, token.column - 60)
        window = self.text[begin:begin + 120].replace("\t", " ")
        at = f"line {self.number}, column {token.column + 1}\n    {window}\n    {' ' * (token.column - begin)}^"
        return TextError(what, at=at, hint=hint)

    @property
    def here(self) -> Token:
        return self.tokens[self.place]

    def next(self, kind: str, text: str = "", hint: str = FORM) -> Token:
        """Takes a token of this kind (and text), or fails."""
        token = self.here
        if token.kind != kind or (text and token.text != text):
            raise self.error(f"expected {repr(text) if text else _KINDS[kind]}, found {token.text!r}", token, hint)
        self.place += 1
        return token

    def skip(self, text: str) -> bool:
        """Takes this punctuation if it is here."""
        found = self.here.kind == "punctuation" and self.here.text == text
        self.place += found
        return found

    def items(self, begin: str, end: str) -> list[tuple[str, Item]]:
        """The (key or "", value) pairs between two brackets."""
        self.next("punctuation", begin)
        found: list[tuple[str, Item]] = []
        while not self.skip(end):
            if found:
                self.next("punctuation", ",", f"values are separated by commas and end with {end!r}")
            key = ""
            if self.here.kind == "word" and self.tokens[self.place + 1].text == "=":
                key = self.next("word").text
                self.next("punctuation", "=")
            found.append((key, self.item()))
        return found

    def item(self) -> Item:
        """One value."""
        token = self.here
        if token.text == "[":
            return Item(token, tuple(v for _, v in self.items("[", "]")))
        if token.kind not in ("number", "string", "bytes", "word"):
            raise self.error(f"expected a value, found {token.text!r}", token, 'values are numbers, words, "strings", b64"…" and [lists]')
        self.place += 1
        if token.kind == "word" and self.here.text == "(":
            return Item(token, tuple(v for _, v in self.items("(", ")")))
        return Item(token)

    def separated(self, take: Callable[[], Token]) -> Sequence[Token]:
        """What `take` takes, separated by commas, up to the end of the line."""
        found: list[Token] = []
        while self.here.kind != "end":
            if found:
                self.next("punctuation", ",", "operands are separated by commas")
            found.append(take())
        return found
