"""The args of nodes as text, both ways: what stands between the parentheses of a line.

Owns: the form of every arg class, and the registry of the classes of other packages that may stand in KernelInfo.opts.
Must not know nodes. Invariant: reading what was written gives an equal arg of the same class, floats bit for bit, so equal text means
equal args.
"""
from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from svod.errors import GraphError, SvodError
from svod.ir import args
from svod.ir.lexer import Item, Line, Token
from svod.ir.ops import OPS, Op

T = TypeVar("T")
E = TypeVar("E", bound=Enum)
OP_NAMES = {op.name.lower(): op for op in Op}
_REGISTERED: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {}
"""Filled while modules are imported, by `register_arg`."""


def register_arg(cls: type[T], to: Callable[[T], str], from_: Callable[[str], T]) -> None:
    """Gives values of `cls` in KernelInfo.opts a text form: `Name("…")`; `to` writes the string, `from_` reads it back to an equal value.

    GraphError if another class of that name is registered.
    """
    if _REGISTERED.get(cls.__name__, (cls,))[0] is not cls:
        raise GraphError(f"an arg class called {cls.__name__} is registered already", at=cls.__module__)
    _REGISTERED[cls.__name__] = (cls, to, from_)


# --- writing ---------------------------------------------------------------------------------------------------------------------

def arg_text(arg: Any) -> str:
    """The text of an arg; "" for None and for an arg whose fields are all at their defaults. GraphError if it has none."""
    if arg is None:
        return ""
    if (write := _WRITE.get(type(arg))) is not None:
        return write(arg)
    return _value(arg)


def _value(v: Any) -> str:
    if isinstance(v, bool | int | float):
        return _number(v)
    if isinstance(v, str):
        return json.dumps(v)
    if isinstance(v, bytes):
        return f'b64"{base64.b64encode(v).decode()}"'
    if isinstance(v, Op):
        return v.name.lower()
    if isinstance(v, args.AtomicKind | args.BarrierScope | args.SubgroupKind):
        return str(v.value)
    if (hit := _REGISTERED.get(type(v).__name__)) is not None and hit[0] is type(v):
        return f"{type(v).__name__}({json.dumps(hit[1](v))})"
    raise GraphError(f"{v!r} has no text form", hint=f"register_arg({type(v).__name__}, to, from_) gives it one")


def _number(v: bool | int | float) -> str:
    if isinstance(v, float) and math.isnan(v):
        bits = int.from_bytes(struct.pack(">d", v), "big")
        return "nan" if bits == 0x7FF8 << 48 else f"nan:{bits:#018x}"
    return str(v).lower() if isinstance(v, bool) else repr(v)


def _fields(**named: Any) -> str:
    """`id=0, size=4`: the fields that are not None."""
    return ", ".join(f"{k}={_value(v)}" for k, v in named.items() if v is not None)


def _kernel(a: args.KernelInfo) -> str:
    opts = [] if a.opts is None else [f"opts=[{', '.join(map(_value, a.opts))}]"]
    return ", ".join([_fields(name=a.name)] * bool(a.name) + opts)


_WRITE: dict[type, Callable[[Any], str]] = {
    args.ConstArg: lambda a: _number(a.value),
    args.ParamArg: lambda a: _fields(slot=a.slot, name=a.name, size=a.size),
    args.VarArg: lambda a: _fields(name=a.name, min=a.min, max=a.max),
    args.MemArg: lambda a: _fields(id=a.id, size=a.size, name=a.name or None, dynamic=a.dynamic or None),
    args.RangeArg: lambda a: f"axis={'.'.join(map(str, a.path)) or 'none'}, {a.kind.value}",
    args.SpecialArg: lambda a: f"axis={a.axis}, {a.kind.value}",
    args.ShuffleArg: lambda a: f"[{', '.join(map(str, a.lanes))}]",
    args.KernelInfo: _kernel,
    args.ValueArg: lambda a: _fields(id=a.id, name=a.name or None),
    args.SubgroupArg: lambda a: ", ".join([a.kind.value, _fields(width=a.width, op=a.op)]),
    args.MmaArg: lambda a: _fields(m=a.m, n=a.n, k=a.k, width=a.width, layout=None if a.layout == "rows" else a.layout),
    args.MessageArg: lambda a: _fields(text=a.text, place=a.place or None, kind=a.kind or None),
    args.ThreadsInfo: lambda a: ", ".join(
        [*[_fields(name=a.name)] * bool(a.name), f"block=[{', '.join(map(str, a.block))}]", f"subgroup={a.subgroup}"]),
}


# --- reading ---------------------------------------------------------------------------------------------------------------------

def read_arg(op: Op, line: Line, at: Token) -> Any:
    """The arg of a node of `op`, from the parentheses (if any) where `line` stands. TextError for anything the op does not take."""
    wanted = OPS[op].arg
    items = line.items("(", ")") if line.here.text == "(" else []
    if wanted is not None:
        reader = _Reader(line, items, at)
        value = _READ[wanted](reader)
        reader.finish(wanted.__name__)
        return value
    if items:
        raise line.error(f"{op.name} takes no arg", items[0][1].token, OPS[op].doc)
    return None


class _Reader:
    """Takes the values of one arg, by key or in order."""

    def __init__(self, line: Line, items: list[tuple[str, Item]], at: Token) -> None:
        self.line, self.at = line, at
        self.plain = [v for k, v in items if not k]
        self.named: dict[str, Item] = {}
        for k, v in items:
            if k in self.named:
                raise line.error(f"{k!r} is given twice", v.token)
            if k:
                self.named[k] = v

    def finish(self, class_name: str) -> None:
        """Fails if a value is left over."""
        for key, v in [*self.named.items(), *(("", p) for p in self.plain)]:
            what = f"{self.at.text} takes no {repr(key) if key else 'further value'}"
            raise self.line.error(what, v.token, f"its arg is {args.__name__}.{class_name}" if hasattr(args, class_name) else "")

    def take(self, key: str, *kinds: str) -> Token:
        """The token of the value of `key`, or of the next one without a key if `key` is "", which must be of one of `kinds`."""
        item = self.item(key)
        if item.token.kind not in kinds or item.inside is not None:
            raise self.line.error(f"expected a {' or '.join(kinds)}, found {item.token.text!r}", item.token)
        return item.token

    def item(self, key: str) -> Item:
        item = self.named.pop(key, None) if key else self.plain.pop(0) if self.plain else None
        if item is None:
            raise self.line.error(f"{self.at.text} needs {f'{key}=…' if key else 'a value'} in parentheses", self.at)
        return item

    def number(self, key: str = "") -> bool | int | float:
        return self.as_number(self.take(key, "number", "word"))

    def as_number(self, token: Token) -> bool | int | float:
        text = token.text
        try:
            if text in ("true", "false"):
                return text == "true"
            if text.startswith("nan:"):
                return float(struct.unpack(">d", int(text[4:], 16).to_bytes(8, "big"))[0])
            return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
        except (ValueError, OverflowError) as e:
            raise self.line.error(f"{text!r} is not a number", token, "numbers are 1, -2.5, 1e-05, inf, nan, true, false") from e

    def flag(self, key: str) -> bool:
        """A truth value; false if it is not there."""
        if key not in self.named:
            return False
        token = self.take(key, "word")
        if token.text not in ("true", "false"):
            raise self.line.error(f"{token.text!r} is neither true nor false", token)
        return token.text == "true"

    def whole(self, key: str = "") -> int:
        return self.as_whole(self.take(key, "number"))

    def as_whole(self, token: Token) -> int:
        value = self.as_number(token) if token.kind == "number" else 0.0
        if not isinstance(value, int):
            raise self.line.error(f"expected an integer, found {token.text!r}", token)
        return value

    def string(self, key: str = "", default: str | None = None) -> str:
        if default is not None and key not in self.named:
            return default
        return self.as_string(self.take(key, "string"))

    def as_string(self, token: Token) -> str:
        try:
            return str(json.loads(token.text))
        except ValueError as e:
            raise self.line.error(f"{token.text} is not a JSON string", token) from e

    def binary(self) -> bytes:
        token = self.take("", "bytes")
        try:
            return base64.b64decode(token.text[4:-1], validate=True)
        except ValueError as e:
            raise self.line.error(f"{token.text} is not base64", token) from e

    def word(self, kind: type[E], key: str = "") -> E:
        token = self.take(key, "word")
        table: dict[str, Any] = {m.name.lower() if kind is Op else str(m.value): m for m in kind}
        if token.text not in table:
            raise self.line.error(f"{token.text!r} is no {kind.__name__}", token, f"one of {', '.join(table)}")
        found: E = table[token.text]
        return found

    def path(self) -> tuple[int, ...]:
        token = self.take("axis", "number", "word")
        parts = [] if token.text == "none" else token.text.split(".")
        if not all(re.fullmatch(r"-?\d+", p) for p in parts):
            raise self.line.error(f"{token.text!r} is no path of an axis", token, "axis numbers joined by dots: 0 or 0.1; none for no path")
        return tuple(int(p) for p in parts)

    def block(self) -> tuple[int, int, int]:
        sizes = [self.as_whole(i.token) for i in self.listed("block")]
        if len(sizes) != 3:
            raise self.line.error(f"a block has 3 sizes, not {len(sizes)}", self.at)
        return (sizes[0], sizes[1], sizes[2])

    def opts(self) -> tuple[Any, ...] | None:
        if "opts" not in self.named:
            return None
        return tuple(self.opt(i) for i in self.listed("opts"))

    def listed(self, key: str = "") -> tuple[Item, ...]:
        item = self.item(key)
        if item.inside is None or item.token.text != "[":
            raise self.line.error(f"expected a list, found {item.token.text!r}", item.token, "lists are written [1, 2]")
        return item.inside

    def opt(self, item: Item) -> Any:
        token = item.token
        if item.inside is None and token.kind == "string":
            return self.as_string(token)
        if item.inside is None and (token.kind == "number" or token.text in ("true", "false")):
            return self.as_number(token)
        if token.text not in _REGISTERED or [i.token.kind for i in item.inside or ()] != ["string"]:
            known = ", ".join(f'{n}("…")' for n in sorted(_REGISTERED))
            raise self.line.error(f"{token.text!r} is no value of opts", token, f"numbers, strings{', ' if known else ''}{known}")
        inner = (item.inside or ())[0].token
        try:
            return _REGISTERED[token.text][2](self.as_string(inner))
        except SvodError as e:
            raise self.line.error(e.what, inner, e.hint) from e


_READ: dict[type, Callable[[_Reader], Any]] = {
    args.ConstArg: lambda r: args.ConstArg.of(r.number()),
    args.ParamArg: lambda r: args.ParamArg(r.whole("slot"), r.string("name"), r.whole("size") if "size" in r.named else None),
    args.VarArg: lambda r: args.VarArg(r.string("name"), r.number("min"), r.number("max")),
    args.MemArg: lambda r: args.MemArg(r.whole("id"), r.whole("size"), r.string("name", ""), r.flag("dynamic")),
    args.RangeArg: lambda r: args.RangeArg(r.path(), r.word(args.AxisKind)),
    args.SpecialArg: lambda r: args.SpecialArg(r.word(args.SpecialKind), r.whole("axis")),
    args.ShuffleArg: lambda r: args.ShuffleArg(tuple(r.as_whole(i.token) for i in r.listed())),
    args.KernelInfo: lambda r: args.KernelInfo(r.string("name", ""), r.opts()),
    args.ValueArg: lambda r: args.ValueArg(r.whole("id"), r.string("name", "")),
    args.SubgroupArg: lambda r: args.SubgroupArg(r.word(args.SubgroupKind), r.whole("width"),
                                                 r.word(Op, "op") if "op" in r.named else None),
    args.MmaArg: lambda r: args.MmaArg(r.whole("m"), r.whole("n"), r.whole("k"), r.whole("width"), r.string("layout", "rows")),
    args.MessageArg: lambda r: args.MessageArg(r.string("text"), r.string("place", ""), r.string("kind", "")),
    args.ThreadsInfo: lambda r: args.ThreadsInfo(r.string("name", ""), r.block(), r.whole("subgroup")),
    args.BarrierScope: lambda r: r.word(args.BarrierScope),
    args.AtomicKind: lambda r: r.word(args.AtomicKind),
    Op: lambda r: r.word(Op),
    int: lambda r: r.whole(),
    str: lambda r: r.string(),
    bytes: lambda r: r.binary(),
}
if missing := {row.arg for row in OPS.values() if row.arg is not None} - _READ.keys():
    raise ImportError(f"args without a text form: {missing}")
