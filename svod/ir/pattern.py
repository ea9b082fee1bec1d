"""Patterns over UOps, and rules made of them. A pattern is compiled once into a plain Python function.

Owns: `Pat`, its constructors, `@rule`, `RuleSet`. Must not know any particular rule.
Invariant: the parameters of a rule are exactly the names its pattern binds; checked when the rule is defined.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from types import CodeType
from typing import Any

from svod.dtype import DType, dtypes
from svod.errors import RuleError
from svod.ir.args import ConstArg
from svod.ir.ops import BINARY, OPS, Op
from svod.ir.uop import UOp

Matcher = Callable[[UOp], "UOp | None"]
Candidates = tuple[tuple["Rule", Matcher], ...]


@dataclass(frozen=True, eq=False)
class Pat:
    """Matches a node by op(s), operands, constant value, kind of dtype. A repeated name must bind the identical node."""

    ops: tuple[Op, ...] = ()
    src: tuple[Pat, ...] | None = None
    name: str = ""
    value: int | float | None = None
    kind: str = ""
    """'' any dtype, else an attribute of DType that must be true: is_int, is_float, is_bool."""
    arg: Any = None
    dtype: DType | None = None

    def names(self) -> list[str]:
        """Names bound, in the order they are met."""
        inner = [n for p in self.src or () for n in p.names()]
        return list(dict.fromkeys(([self.name] if self.name else []) + inner))

    def named(self, name: str) -> Pat:
        """This pattern, bound to `name` too."""
        return replace(self, name=name)

    def admits(self, ops: tuple[Op, ...] | None) -> bool:
        """False if no node with operands of these ops (None: more than three) can match; for dropping rules before trying them."""
        if self.src is None:
            return True
        if ops is None or len(ops) != len(self.src):
            return ops is None and len(self.src) > 3
        orders = (ops, ops[::-1]) if self.commutes else (ops,)
        return any(all(not p.ops or o in p.ops for p, o in zip(self.src, order, strict=True)) for order in orders)

    @property
    def commutes(self) -> bool:
        """True if the operands are tried in both orders."""
        return len(self.src or ()) == 2 and len(self.ops) == 1 and OPS[self.ops[0]].commutes

    def _bin(self, op: Op, other: Pat | float) -> Pat:
        return Pat((op,), (self, _pat(other)))

    def __add__(self, o: Pat | float) -> Pat:
        return self._bin(Op.ADD, o)

    def __sub__(self, o: Pat | float) -> Pat:
        return self._bin(Op.SUB, o)

    def __mul__(self, o: Pat | float) -> Pat:
        return self._bin(Op.MUL, o)

    def __truediv__(self, o: Pat | float) -> Pat:
        return self._bin(Op.FDIV, o)

    def __floordiv__(self, o: Pat | float) -> Pat:
        return self._bin(Op.FLOORDIV, o)

    def __mod__(self, o: Pat | float) -> Pat:
        return self._bin(Op.FLOORMOD, o)

    def __and__(self, o: Pat | float) -> Pat:
        return self._bin(Op.AND, o)

    def __or__(self, o: Pat | float) -> Pat:
        return self._bin(Op.OR, o)

    def __xor__(self, o: Pat | float) -> Pat:
        return self._bin(Op.XOR, o)

    def __lt__(self, o: Pat | float) -> Pat:
        return self._bin(Op.CMPLT, o)

    def __le__(self, o: Pat | float) -> Pat:
        return self._bin(Op.CMPLE, o)

    def __neg__(self) -> Pat:
        return Pat((Op.NEG,), (self,))

    def __invert__(self) -> Pat:
        return Pat((Op.NOT,), (self,))

    def where(self, a: Pat | float, b: Pat | float) -> Pat:
        """WHERE with this condition."""
        return Pat((Op.WHERE,), (self, _pat(a), _pat(b)))


def _pat(x: Pat | float) -> Pat:
    return x if isinstance(x, Pat) else lit(x)


def any_(name: str = "", kind: str = "") -> Pat:
    """Any node."""
    return Pat(name=name, kind=kind)


def int_(name: str) -> Pat:
    """Any node of an integer dtype (index included)."""
    return Pat(name=name, kind="is_int")


def index_(name: str) -> Pat:
    """Any scalar of dtype index."""
    return Pat(name=name, dtype=dtypes.index)


def bool_(name: str) -> Pat:
    """Any node of dtype bool."""
    return Pat(name=name, kind="is_bool")


def const(name: str, kind: str = "") -> Pat:
    """Any scalar literal."""
    return Pat((Op.CONST,), (), name, kind=kind)


def lit(value: float) -> Pat:
    """The scalar literal of this value, of any dtype (bool only for True and False; -0.0 is not 0)."""
    return Pat((Op.CONST,), (), value=value)


def op(*ops: Op, src: Iterable[Pat | float] | None = None, name: str = "", arg: Any = None, dtype: DType | None = None) -> Pat:
    """A node of one of these ops."""
    return Pat(ops, None if src is None else tuple(_pat(s) for s in src), name, arg=arg, dtype=dtype)


@dataclass(frozen=True, eq=False)
class Rule:
    """A named rewrite. `fn` gets the bound nodes and returns the replacement, or None to decline."""

    name: str
    pat: Pat
    fn: Callable[..., UOp | None]
    example: tuple[UOp, UOp] | None
    at: str
    doc: str

    @cached_property
    def match(self) -> Matcher:
        """The replacement of a node, or None, unchecked. Compiled at its first use, so that importing rules stays cheap."""
        return _compile(self.pat, self.fn)

    def apply(self, u: UOp) -> UOp | None:
        """The replacement of `u`, or None. RuleError if the rule makes no progress or changes the dtype."""
        if self.pat.ops and u.op not in self.pat.ops:
            return None
        if (out := self.match(u)) is not None:
            self.check(u, out)
        return out

    def check(self, u: UOp, out: UOp) -> None:
        """RuleError unless `out` may replace `u`."""
        if out is u:
            raise RuleError(f"rule {self.name} returned its own input", at=self.at, hint="return None to decline")
        if out.dtype is not u.dtype:
            raise RuleError(f"rule {self.name} changed the dtype from {u.dtype} to {out.dtype} on {u!r}", at=self.at)


def rule(pat: Pat, example: tuple[UOp, UOp] | None = None) -> Callable[[Callable[..., UOp | None]], Rule]:
    """Makes a Rule of a function whose parameters are the names bound by `pat`; the docstring states identity and validity."""
    def deco(fn: Callable[..., UOp | None]) -> Rule:
        at = f"{fn.__code__.co_filename}:{fn.__code__.co_firstlineno}"
        params = list(inspect.signature(fn).parameters)
        if sorted(params) != sorted(pat.names()):
            raise RuleError(f"rule {fn.__name__} takes {sorted(params)} but its pattern binds {sorted(pat.names())}", at=at)
        if not fn.__doc__:
            raise RuleError(f"rule {fn.__name__} has no docstring", at=at, hint="state the identity and when it holds")
        return Rule(fn.__name__, pat, fn, example, at, fn.__doc__)
    return deco


class _Writer:
    """Generates the body of a matcher: nested `for` loops over operand orders, one `continue` per failed check."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.env: dict[str, Any] = {"Op": Op, "ConstArg": ConstArg}
        self.bound: dict[str, str] = {}
        self.depth = 2
        self.fresh = 0

    def emit(self, text: str) -> None:
        self.lines.append("  " * self.depth + text)

    def const(self, value: Any) -> str:
        name = f"k{len(self.env)}"
        self.env[name] = value
        return name

    def node(self, p: Pat, v: str, *, root: bool = False) -> None:
        if p.ops and not root:
            names = [self.const(o) for o in p.ops]
            self.emit(f"if {' and '.join(f'{v}.op is not {n}' for n in names)}: continue")
        if p.arg is not None:
            self.emit(f"if {v}.arg != {self.const(p.arg)}: continue")
        if p.dtype is not None:
            self.emit(f"if {v}.dtype is not {self.const(p.dtype)}: continue")
        if p.kind:
            self.emit(f"if not {v}.dtype.{p.kind}: continue")
        if p.value is not None:
            self.value(p.value, v)
        if p.name:
            if p.name in self.bound:
                self.emit(f"if {v} is not {self.bound[p.name]}: continue")
            else:
                self.bound[p.name] = v
        if p.src is not None and p.ops != (Op.CONST,):
            self.operands(p, v)

    def value(self, value: float, v: str) -> None:
        arg = self.const(ConstArg.of(value))
        if isinstance(value, bool):
            self.emit(f"if {v}.arg != {arg}: continue")
        else:  # an int literal in a pattern stands for the float of the same value too, sign of zero included
            self.emit(f"if {v}.arg != {arg} and {v}.arg != {self.const(ConstArg.of(float(value)))}: continue")

    def operands(self, p: Pat, v: str) -> None:
        src = p.src or ()
        self.emit(f"if len({v}.src) != {len(src)}: continue")
        if not src:
            return
        self.fresh += 1
        names = [f"u{self.fresh}_{i}" for i in range(len(src))]
        orders = f"({v}.src, {v}.src[::-1])" if p.commutes else f"({v}.src,)"
        self.emit(f"for {', '.join(names)}{',' if len(names) == 1 else ''} in {orders}:")
        self.depth += 1
        for q, n in zip(src, names, strict=True):
            self.node(q, n)


def _compile(pat: Pat, fn: Callable[..., UOp | None]) -> Matcher:
    w = _Writer()
    w.node(pat, "u", root=True)
    names = fn.__code__.co_varnames[:fn.__code__.co_argcount]
    w.emit(f"r = fn({', '.join(w.bound[n] for n in names)})")
    w.emit("if r is not None: return r")
    text = "def match(u):\n  for _ in (0,):\n" + "\n".join(w.lines) + "\n  return None\n"
    w.env["fn"] = fn
    exec(_code(text), w.env)
    return w.env["match"]  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def _code(text: str) -> CodeType:
    """One compilation for all patterns of one form: they differ in constants alone."""
    return compile(text, "<pattern>", "exec")


@dataclass(frozen=True, eq=False)
class RuleSet:
    """An ordered set of rules. The first that fires wins; order is written order."""

    name: str
    rules: tuple[Rule, ...]
    index: dict[tuple[Any, ...], Candidates] = field(init=False, repr=False, default_factory=dict)
    """The rules that can fire, by op, dtype and the ops of the operands; filled as kinds of nodes are met."""
    by_op: dict[Op, tuple[Rule, ...]] = field(init=False, repr=False, default_factory=dict)
    """The rules whose pattern takes an op at its root; filled as ops are met."""

    def __post_init__(self) -> None:
        names = [r.name for r in self.rules]
        if len(set(names)) != len(names):
            raise RuleError(f"rule set {self.name} has two rules of one name", at=str(sorted(n for n in names if names.count(n) > 1)))

    def candidates(self, u: UOp) -> Candidates:
        """The rules that can fire on nodes of the kind of `u`, in order, with their matchers."""
        src = u.src
        n = len(src)
        key: tuple[Any, ...]
        if n == 2:
            key = (u.op, u.dtype, src[0].dtype, src[0].op, src[1].op)
        elif n == 1:
            key = (u.op, u.dtype, src[0].dtype, src[0].op)
        else:
            key = (u.op, u.dtype, src[0].dtype, *[s.op for s in src]) if 0 < n <= 3 else (u.op, u.dtype, n)
        hit = self.index.get(key)
        return self._select(key, u) if hit is None else hit

    def _select(self, key: tuple[Any, ...], u: UOp) -> Candidates:
        ops = tuple(s.op for s in u.src) if len(u.src) <= 3 else None
        rules = self.by_op.get(u.op)
        if rules is None:
            rules = self.by_op[u.op] = tuple(r for r in self.rules if not r.pat.ops or u.op in r.pat.ops)
        found = tuple((r, r.match) for r in rules if _may_match(r.pat, u, ops))
        self.index[key] = found
        return found

    def __add__(self, other: RuleSet) -> RuleSet:
        return RuleSet(f"{self.name}+{other.name}", self.rules + other.rules)


def _may_match(p: Pat, u: UOp, ops: tuple[Op, ...] | None) -> bool:
    """What the dtype, the operands' ops of `u` and the dtype of its first operand say about `p`, which takes its op."""
    if not _takes(p, u.dtype):
        return False
    if p.src and u.src:
        alike = p.src if u.op in BINARY else p.src[:1]
        if not all(_takes(q, u.src[0].dtype) for q in alike):
            return False
    return p.admits(ops)


def _takes(p: Pat, dtype: DType) -> bool:
    return (p.dtype is None or dtype is p.dtype) and (not p.kind or bool(getattr(dtype, p.kind)))
