"""Lane-wise ops as WGSL expressions.

Owns: which operator, function or helper an op is, conversions. Must not know memory, loops or naming.
Invariant: an expression has the type of `value_type`, and its value is that of the op table whatever a compiler assumes about NaN.
"""
from __future__ import annotations

from dataclasses import dataclass

from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.ops import COMPARISONS, Op
from svod.ir.uop import UOp
from svod.renderers.accesses import plain
from svod.renderers.expr import AND, ATOM, LESS, PLUS, SHIFT, TIMES, UNARY, Expr
from svod.renderers.wgsl.pieces import Prelude
from svod.renderers.wgsl.values import Abilities, value_type
from svod.renderers.wgsl.widths import RING

_INFIX: dict[Op, tuple[str, int]] = {
    Op.ADD: ("+", PLUS), Op.SUB: ("-", PLUS), Op.MUL: ("*", TIMES), Op.FDIV: ("/", TIMES), Op.IDIV: ("/", TIMES), Op.MOD: ("%", TIMES),
    Op.CMPLT: ("<", LESS), Op.CMPLE: ("<=", LESS), Op.CMPEQ: ("==", LESS), Op.CMPNE: ("!=", LESS),
}
_BITWISE = {Op.AND: "&", Op.OR: "|", Op.XOR: "^"}
_LOGICAL = {Op.AND: "&&", Op.OR: "||", Op.XOR: "!="}
_CALLS = {Op.SQRT: "sqrt", Op.TRUNC: "trunc", Op.FLOOR: "floor", Op.CEIL: "ceil", Op.RINT: "round", Op.ABS: "abs", Op.MULACC: "fma"}
_FLOATS = ("f32", "f64")
_WIDENED = {("i32", "u64"): "i64", ("u32", "i64"): "u64"}
"""Conversions that go by way of the integer that is as wide and has the sign of what is converted."""


@dataclass
class Types:
    """Which type each value has, and the helpers that are used."""

    able: Abilities
    prelude: Prelude
    wide: set[UOp]

    def of(self, u: UOp) -> str:
        """The type of a value."""
        return value_type(u.dtype, self.able, wide=u in self.wide)


def spelled(u: UOp, given: list[Expr], types: Types) -> Expr:
    """An elementwise `u` over its operands, each of the type of its node. UnsupportedError for an op without a form."""
    op = u.op
    if op is Op.CAST:
        return cast(given[0], u, types)
    if op is Op.BITCAST:
        return bitcast(given[0], u.src[0].dtype, u.dtype, types)
    if op in (Op.SHL, Op.SHR):
        return _shift(u, given, types)
    if op is Op.WHERE:
        a, b = (_index(g, s, types.of(u), types) for g, s in zip(given[1:], u.src[1:], strict=True))
        return Expr(f"select({b.text}, {a.text}, {given[0].text})", ATOM, _reads(given))
    t = _computed_in(u, types)
    e = _operated(u, t, [_index(g, s, t, types) for g, s in zip(given, u.src, strict=True)], types)
    return Expr(f"i32({e.text})", ATOM, e.reads) if u.dtype is dtypes.index and t != types.of(u) else e


def _computed_in(u: UOp, types: Types) -> str:
    """The type of the operands, and but for comparisons of the result. Index arithmetic looks at all bits of its operands, but for that
    whose low bits depend on low bits alone."""
    if plain(u.src[0]).dtype is dtypes.index and u.op not in RING:
        return "i64" if any(s in types.wide for s in (u, *map(plain, u.src))) else "i32"
    return types.of(plain(u.src[0])) if u.op in COMPARISONS else types.of(u)


def _operated(u: UOp, t: str, given: list[Expr], types: Types) -> Expr:
    op, reads = u.op, _reads(given)
    if t in _FLOATS and op in COMPARISONS and plain(u.src[0]) is plain(u.src[1]) and op is not Op.CMPLT:
        return Expr(f"{'' if op is Op.CMPNE else '!'}{types.prelude.nan(t)}({given[0].text})", UNARY, reads)
    if t in _FLOATS and op is Op.CMPNE:  # != is false for NaN in some compilers of WGSL
        return Expr(f"!({given[0].at(PLUS)} == {given[1].at(PLUS)})", UNARY, reads)
    if t == "f32" and op in (Op.FDIV, Op.SQRT) and types.able.by_f64:
        a, *b = (f"f64({g.text})" for g in given)
        return Expr(f"f32({a} / {b[0]})" if b else f"f32(sqrt({a}))", ATOM, reads)
    if t == "i64" and op in (Op.CMPLT, Op.CMPLE):  # Mesa 22.3 compares a widened i32 with a constant as if both were unsigned
        given = [Expr(f"{types.prelude.exact('i64')}({given[0].text})", ATOM, given[0].reads), given[1]]
    if op in _INFIX:
        sign, prec = _INFIX[op]
        least = prec if prec != LESS else PLUS
        return Expr(f"{given[0].at(least)} {sign} {given[1].at(least + (prec != LESS))}", prec, reads)
    if op in _BITWISE:
        sign = (_LOGICAL if t == "bool" else _BITWISE)[op]
        least = LESS if t == "bool" and op is not Op.XOR else UNARY
        return Expr(f"{given[0].at(least)} {sign} {given[1].at(least)}", AND, reads)
    if op is Op.NOT:
        return Expr(f"{'!' if t == 'bool' else '~'}{given[0].at(ATOM)}", UNARY, reads)
    if op is Op.NEG:
        text = f"-{given[0].at(ATOM)}" if t[0] != "u" else f"0{_suffix(t)} - {given[0].at(TIMES)}"
        return Expr(text, UNARY if t[0] != "u" else PLUS, reads)
    return _called(u, t, given, types)


def _called(u: UOp, t: str, given: list[Expr], types: Types) -> Expr:
    args, reads = ", ".join(g.text for g in given), _reads(given)
    if u.op in (Op.MAX, Op.MIN):
        kind = u.op.name.lower()
        return Expr(f"{types.prelude.extreme(kind, t) if t in _FLOATS else kind}({args})", ATOM, reads)
    if u.op in _CALLS and (t in _FLOATS or u.op is Op.ABS):
        return Expr(f"{_CALLS[u.op]}({args})", ATOM, reads)
    raise UnsupportedError(f"{u.op.name} of {u.src[0].dtype} has no form in WGSL", hint="the stage decompose must rewrite it")


def _reads(given: list[Expr]) -> frozenset[str]:
    return frozenset[str]().union(*(g.reads for g in given))


def _suffix(t: str) -> str:
    return {"u32": "u", "i64": "li", "u64": "lu"}.get(t, "")


def _shift(u: UOp, given: list[Expr], types: Types) -> Expr:
    """By a count that is less than the width."""
    count = plain(u.src[1])
    t = types.of(u) if u.op is Op.SHL else _computed_in(u, types)
    x = _index(given[0], u.src[0], t, types)
    by = f"{count.arg.value}u" if count.op is Op.CONST else given[1].at(UNARY) if types.of(count) == "u32" else f"u32({given[1].text})"
    e = Expr(f"{x.at(UNARY)} {'<<' if u.op is Op.SHL else '>>'} {by}", SHIFT, _reads(given))
    return Expr(f"i32({e.text})", ATOM, e.reads) if u.dtype is dtypes.index and t != types.of(u) else e


def _index(e: Expr, s: UOp, t: str, types: Types) -> Expr:
    """An operand of index arithmetic in the width that is computed in."""
    s = plain(s)
    if s.dtype is not dtypes.index or types.of(s) == t or t not in ("i32", "i64"):
        return e
    return Expr(f"{t}({e.text})", ATOM, e.reads)


def in_32_bits(e: Expr, s: UOp, types: Types) -> Expr:
    """The low bits of an index: an address."""
    return _index(e, s, "i32", types)


# --- conversions ---------------------------------------------------------------------------------------------------------------------

def cast(e: Expr, u: UOp, types: Types) -> Expr:
    """CAST between dtypes the target converts."""
    source, src, dst = plain(u.src[0]), u.src[0].dtype, u.dtype
    a, b = types.of(source), types.of(u)
    if src is dst and a == b:
        return e
    if dst.is_bool:
        zero = f"0{_suffix(a)}" if a not in _FLOATS else "0.0" + "lf" * (a == "f64")
        return Expr(f"!({e.at(PLUS)} == {zero})" if src.is_float else f"{e.at(PLUS)} != {zero}", UNARY if src.is_float else LESS, e.reads)
    if src.is_bool:
        if dst.is_float:
            return Expr(f"{b}({e.text})", ATOM, e.reads)
        return Expr(f"select(0{_suffix(b)}, 1{_suffix(b)}, {e.text})", ATOM, e.reads)
    if src.is_float and dst.is_float:
        return _between_floats(e, src, dst, types)
    if src.is_float:
        return narrowed(Expr(f"{types.prelude.saturate(a, b)}({e.text})", ATOM, e.reads), dst)
    whole = _whole(e, a, b)
    keeps = dst.is_float or dst is dtypes.index or (src.is_int and src.min >= dst.min and src.max <= dst.max)
    return whole if keeps else narrowed(whole, dst)


def _whole(e: Expr, a: str, b: str) -> Expr:
    """Between the types that integers are held in, and to floats."""
    if a == b:
        return e
    if (a, b) in _WIDENED:  # compilers go by the sign of either
        return Expr(f"{b}({_WIDENED[a, b]}({e.text}))", ATOM, e.reads)
    return Expr(f"{b}({e.text})", ATOM, e.reads)


def narrowed(e: Expr, dst: DType) -> Expr:
    """An integer of 32 bits as the narrower one that it is to be."""
    if not dst.is_int or dst.bits >= 32:
        return e
    if dst.is_unsigned:
        return Expr(f"{e.at(UNARY)} & {(1 << dst.bits) - 1:#x}u", AND, e.reads)
    return Expr(f"extractBits({e.text}, 0u, {dst.bits}u)", ATOM, e.reads)


def _between_floats(e: Expr, src: DType, dst: DType, types: Types) -> Expr:
    known = (dtypes.f32, dtypes.f64, *([dtypes.f16] if types.able.f16 else []))
    if src not in known or dst not in known or {src, dst} == {dtypes.f16, dtypes.f64}:
        raise UnsupportedError(f"CAST from {src} to {dst} has no form in WGSL", hint="the stage decompose must rewrite it")
    if dst is dtypes.f16:
        return Expr(f"{types.prelude.halved()}({e.text})", ATOM, e.reads)
    return Expr(f"{dst.name}({e.text})", ATOM, e.reads)


def bitcast(e: Expr, src: DType, dst: DType, types: Types) -> Expr:
    """BITCAST between dtypes of one width."""
    a, b = value_type(src, types.able), value_type(dst, types.able)
    if src is dst:
        return e
    if a == "f16":
        e, a = Expr(f"pack2x16float(vec2<f32>(f32({e.text}), 0.0))", ATOM, e.reads), "u32"
    if b == "f16":
        code = e.text if a == "u32" else f"bitcast<u32>({e.text})"
        return Expr(f"f16(unpack2x16float({code}).x)", ATOM, e.reads)
    if src.is_bool:
        return Expr(f"select(0{_suffix(b)}, 1{_suffix(b)}, {e.text})", ATOM, e.reads)
    if dst.is_bool:
        return Expr(f"{e.at(PLUS)} != 0{_suffix(a)}", LESS, e.reads)
    if a != b:
        e = Expr(f"bitcast<{b}>({e.text})", ATOM, e.reads)
    if dst.bits < 32 and a != b:  # the sign of a narrow integer fills what is above it, of bits alone it does not
        return narrowed(e, dst if dst.is_int else dtypes.parse(f"u{dst.bits}"))
    return e
