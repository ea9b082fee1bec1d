"""Lane-wise ops as C expressions.

Owns: which operator, function or helper an op is. Must not know memory, loops or naming.
Invariant: every op of CPU_NATIVE has a form for every kind of dtype the target computes in; an expression has its dtype's type whatever
C promotes its operands to.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.ops import COMPARISONS, Op
from svod.ir.uop import UOp
from svod.renderers.c.dialect import Prelude, held, mask_of
from svod.renderers.c.literals import short
from svod.renderers.expr import AND, ATOM, CHOICE, EQUAL, LESS, OR, PLUS, SHIFT, TIMES, UNARY, XOR, Expr

INFIX: dict[Op, tuple[str, int]] = {
    Op.ADD: ("+", PLUS), Op.SUB: ("-", PLUS), Op.MUL: ("*", TIMES), Op.FDIV: ("/", TIMES), Op.IDIV: ("/", TIMES), Op.MOD: ("%", TIMES),
    Op.AND: ("&", AND), Op.OR: ("|", OR), Op.XOR: ("^", XOR), Op.SHL: ("<<", SHIFT), Op.SHR: (">>", SHIFT),
    Op.CMPLT: ("<", LESS), Op.CMPLE: ("<=", LESS), Op.CMPEQ: ("==", EQUAL), Op.CMPNE: ("!=", EQUAL),
}
_STAYS = COMPARISONS | {Op.AND, Op.OR, Op.XOR, Op.SHR, Op.MOD}
"""Ops of narrow integers whose result C computes wider, and which fits all the same."""
_CAREFUL = frozenset((Op.AND, Op.OR, Op.XOR, Op.SHL, Op.SHR))
"""Operators whose precedence few know by heart: their operands stand in parentheses."""
_KINDS = {"<": "less", "<=": "less_equal", "==": "equal", "!=": "unequal"}
_OVERFLOWS = frozenset((Op.ADD, Op.SUB, Op.MUL, Op.SHL))


def spelled(u: UOp, given: list[Expr], p: Prelude) -> Expr:
    """An elementwise `u` over its operands. UnsupportedError for an op without a form."""
    op, d = u.op, u.src[-1].dtype
    if op in INFIX:
        return _masks(op, given, p, d) if d.is_bool and d.lanes > 1 else _infix(u, given, p)
    reads = frozenset[str]().union(*(g.reads for g in given))
    if op is Op.WHERE:
        return _where(d, given, p, reads)
    if op is Op.NOT:
        if d.is_bool and d.lanes == 1:
            return Expr(f"!{given[0].at(UNARY)}", UNARY, reads)
        return _narrow(Expr(f"~{given[0].at(UNARY)}", UNARY, reads, given[0].mask), d, p)
    if op is Op.NEG:
        text = f"-{given[0].at(ATOM)}" if p.dialect.wraps or not _signed(d) else _unsigned(p, d, f"0 - {_as_unsigned(p, d, given[0])}")
        return _narrow(Expr(text, UNARY, reads), d, p)
    if op is Op.CAST:
        return cast(given[0], u.src[0].dtype, u.dtype, p)
    if op is Op.BITCAST:
        return bitcast(given[0], u.src[0].dtype, u.dtype, p)
    if op is Op.MULACC and not d.is_float:
        return _infix(u, [_infix(u, given[:2], p, Op.MUL), given[2]], p, Op.ADD)
    return _called(op, d, given, p)


def _called(op: Op, d: DType, given: list[Expr], p: Prelude) -> Expr:
    reads = frozenset[str]().union(*(g.reads for g in given))
    args = ", ".join(g.text for g in given)
    if op in (Op.MAX, Op.MIN):
        return Expr(f"{p.need(op.name.lower(), d)}({args})", ATOM, reads)
    if op is Op.ABS and not d.is_float:
        return Expr(f"{p.need('abs', d)}({args})", ATOM, reads)
    if op in p.dialect.calls and d.scalar in (dtypes.f32, dtypes.f64):
        direct = d.lanes == 1 or p.dialect.on_vectors
        name = p.dialect.calls[op].format(s=p.dialect.suffixes.get(d.scalar.name, "")) if direct else p.need(op.name, d)
        return Expr(f"{name}({args})", ATOM, reads)
    raise UnsupportedError(f"{op.name} of {d} has no form in {p.dialect.name}", hint="the stage decompose must rewrite it")


def _signed(d: DType) -> bool:
    """Whether arithmetic in `d` may leave it, and has to wrap then: an index never does."""
    return d.is_int and not d.is_unsigned and d.scalar is not dtypes.index


def _unsigned(p: Prelude, d: DType, text: str) -> str:
    return f"({p.type(d)})({text})"


def _as_unsigned(p: Prelude, d: DType, e: Expr) -> str:
    return f"({p.type(dtypes.parse(f'u{d.bits}').vec(d.lanes))}){e.at(UNARY)}"


def _narrow(e: Expr, d: DType, p: Prelude) -> Expr:
    """An expression that C computes as int, as the narrower integer that it is."""
    if d.lanes > 1 or not d.is_int or d.bits >= 32:
        return e
    return Expr(f"({p.type(d)}){e.at(UNARY)}", UNARY, e.reads)


def _infix(u: UOp, given: list[Expr], p: Prelude, as_op: Op | None = None) -> Expr:
    op, d = as_op or u.op, u.src[-1].dtype
    sign, prec = INFIX[op]
    a, b = given
    reads = a.reads | b.reads
    if d.lanes > 1 and op in (Op.IDIV, Op.MOD) and held(d).lanes != d.lanes:
        return Expr(f"{p.need('div' if op is Op.IDIV else 'mod', d)}({a.text}, {b.text})", ATOM, reads)
    if op in (Op.SHL, Op.SHR) and _literal(u.src[1]) is None:
        b = Expr(f"{b.at(AND)} & {d.bits - 1}", AND)
    left, right = _sides(u, (a, b), p, op)
    if d is dtypes.index and op in (Op.MUL, Op.ADD) and (less := _subtracted(u, given, p, op)) is not None:
        return less
    if op in _OVERFLOWS and not p.dialect.wraps and _signed(d):
        return Expr(_unsigned(p, d, f"{_as_unsigned(p, d, a)} {sign} {_as_unsigned(p, d, b)}"), UNARY, reads)
    text = [left.at(prec), right.at(prec + 1)]
    if op in _CAREFUL:
        text = [x.text if x.prec >= UNARY or (x.prec == prec and prec != SHIFT) else f"({x.text})" for x in (left, right)]
    e = Expr(f"{text[0]} {sign} {text[1]}", prec, reads)
    if op in COMPARISONS and d.lanes > 1:
        return _compared(u, sign, (a, b), p)
    return e if op in _STAYS else _narrow(e, d, p)


def _subtracted(u: UOp, given: list[Expr], p: Prelude, op: Op) -> Expr | None:
    """Index arithmetic, which never overflows, with a minus where a factor is negative: `31 - v` in place of `v * -1 + 31`."""
    a, b = _sides(u, (given[0], given[1]), p, op)
    reads = a.reads | b.reads
    if op is Op.MUL:
        factor = _literal(u.src[1])
        if factor is None or factor.arg.value >= 0:
            return None
        if factor.arg.value == -1:
            return Expr(f"-{a.at(ATOM)}", TIMES, reads, minus=a.at(TIMES))
        return Expr(f"{a.at(TIMES)} * {b.at(UNARY)}", TIMES, reads, minus=f"{a.at(TIMES)} * {-factor.arg.value}")
    for less, rest in ((b, a), (a, b)):
        if less.minus:
            return Expr(f"{rest.at(PLUS)} - {less.minus}", PLUS, reads)
    return None


def _compared(u: UOp, sign: str, sides: tuple[Expr, Expr], p: Prelude) -> Expr:
    """A comparison of vectors; of those beyond a register by a helper of the dialect, if it has one."""
    d, (a, b) = u.src[0].dtype, sides
    bits, reads, shape = 8 * held(d).scalar.itemsize, a.reads | b.reads, held(d).scalar.vec(d.lanes)
    if held(d).itemsize > p.widest and (kind := _KINDS[sign]) in p.dialect.pieces:
        return Expr(f"{p.need(kind, shape)}({a.text}, {b.text})", ATOM, reads, bits)
    prec = EQUAL if sign in ("==", "!=") else LESS
    left, right = _sides(u, sides, p, u.op)
    return Expr(f"({p.type(mask_of(bits, d.lanes))})({left.at(prec)} {sign} {right.at(prec + 1)})", UNARY, reads, bits)


def converted(e: Expr, src: DType, dst: DType, p: Prelude, mask: int = 0) -> Expr:
    """A vector with lanes of another type."""
    if max(held(src).itemsize, held(dst).itemsize) > p.widest and "convert" in p.dialect.pieces:
        a, b = (held(t).scalar.vec(dst.lanes) for t in (src, dst))
        return Expr(f"{p.need('convert', a, b)}({e.text})", ATOM, e.reads, mask)
    return Expr(f"__builtin_convertvector({e.text}, {p.type(dst)})", ATOM, e.reads, mask)


def _sides(u: UOp, sides: tuple[Expr, Expr], p: Prelude, op: Op) -> tuple[Expr, Expr]:
    """The operands of an operator: a literal beside something else is written short, also where it stands for a vector."""
    a, b = sides
    if len(u.src) != 2:
        return sides
    constants = [_literal(s) for s in u.src]
    if constants[0] is not None and constants[1] is None and op not in (Op.SHL, Op.SHR):
        a = _short(constants[0], p, vector=u.src[0].dtype.lanes > 1)
    elif constants[1] is not None and constants[0] is None:
        b = _short(constants[1], p, vector=u.src[0].dtype.lanes > 1)
    return a, b


def _literal(u: UOp) -> UOp | None:
    """The scalar CONST that `u` is, or has in all lanes."""
    u = u.src[0] if u.op is Op.BROADCAST else u
    return u if u.op is Op.CONST and u.dtype.scalar not in (dtypes.bool, dtypes.f16, dtypes.bf16, *dtypes.FP8) else None


def _short(c: UOp, p: Prelude, *, vector: bool) -> Expr:
    text = short(c.arg.value, c.dtype, p.dialect)
    return Expr(text, UNARY if text.startswith("-") else ATOM)


# --- truth values ------------------------------------------------------------------------------------------------------------------

def as_mask(e: Expr, bits: int, lanes: int, p: Prelude) -> Expr:
    """A vector of truth values with lanes of another width."""
    if e.mask == bits:
        return e
    one = mask_of(e.mask, lanes).scalar.vec(lanes)
    return converted(e, one, mask_of(bits, lanes).scalar.vec(lanes), p, bits)


def _masks(op: Op, given: list[Expr], p: Prelude, d: DType) -> Expr:
    """AND, OR, XOR and comparisons of vectors of bools."""
    width = max(g.mask for g in given)
    a, b = (as_mask(g, width, d.lanes, p) for g in given)
    if op in (Op.CMPEQ, Op.CMPNE, Op.XOR):
        e = Expr(f"{a.at(XOR)} ^ {b.at(XOR + 1)}", XOR, a.reads | b.reads, width)
        return e if op is not Op.CMPEQ else Expr(f"~({e.text})", UNARY, e.reads, width)
    if op in (Op.AND, Op.OR):
        sign, prec = INFIX[op]
        return Expr(f"{a.at(prec)} {sign} {b.at(prec + 1)}", prec, a.reads | b.reads, width)
    raise UnsupportedError(f"{op.name} of {d} has no form in {p.dialect.name}", hint="the stage decompose must rewrite it")


def _where(d: DType, given: list[Expr], p: Prelude, reads: frozenset[str]) -> Expr:
    c, a, b = given
    if d.lanes == 1:
        return Expr(f"{c.at(CHOICE + 1)} ? {a.at(CHOICE + 1)} : {b.at(CHOICE)}", CHOICE, reads)
    if d.is_bool:
        width = max(a.mask, b.mask)
        c, a, b = (as_mask(e, width, d.lanes, p) for e in (c, a, b))
        name = p.need("select", mask_of(width, d.lanes))
        return Expr(f"{name}({c.text}, {a.text}, {b.text})", ATOM, reads, width)
    c = as_mask(c, 8 * held(d).scalar.itemsize, d.lanes, p)
    return Expr(f"{p.need('select', held(d).scalar.vec(d.lanes))}({c.text}, {a.text}, {b.text})", ATOM, reads)


# --- casts -------------------------------------------------------------------------------------------------------------------------

def cast(e: Expr, src: DType, dst: DType, p: Prelude) -> Expr:
    """CAST between dtypes the target converts."""
    if dst.is_bool:
        if src.is_bool:
            return e
        text = f"{e.at(EQUAL)} != 0"
        if dst.lanes == 1:
            return Expr(text, EQUAL, e.reads)
        if held(src).itemsize > p.widest and "unequal" in p.dialect.pieces:
            name = p.need("unequal", held(src).scalar.vec(src.lanes))
            return Expr(f"{name}({e.text}, ({p.type(src)}){{0}})", ATOM, e.reads, 8 * held(src).scalar.itemsize)
        m = mask_of(8 * held(src).scalar.itemsize, src.lanes)
        return Expr(f"({p.type(m)})({text})", UNARY, e.reads, m.bits)
    if src.is_bool and src.lanes > 1:
        return converted(Expr(f"{e.at(AND)} & 1", AND, e.reads), mask_of(e.mask, src.lanes), dst, p)
    a, b = src.scalar, dst.scalar
    if (a, b) in ((dtypes.f16, dtypes.f32), (dtypes.f32, dtypes.f16)):
        return Expr(f"{p.need(f'{b}_from_{a}', src, dst)}({e.text})", ATOM, e.reads)
    if any(t.is_float and t not in (dtypes.f32, dtypes.f64) for t in (a, b)):
        raise UnsupportedError(f"CAST from {src} to {dst} has no form in {p.dialect.name}", hint="the stage decompose must rewrite it")
    if a.is_float and not b.is_float:
        return Expr(f"{p.need('saturate', src, dst)}({e.text})", ATOM, e.reads)
    if held(src) is held(dst):
        return e
    if dst.lanes == 1:
        return Expr(f"({p.type(dst)}){e.at(UNARY)}", UNARY, e.reads)
    return converted(e, src, dst, p)


def bitcast(e: Expr, src: DType, dst: DType, p: Prelude) -> Expr:
    """BITCAST between dtypes of one width."""
    a, b = held(src), held(dst)
    if a is b:
        return Expr(e.text, e.prec, e.reads)
    if a.lanes > 1 or (a.is_int and b.is_int):
        return Expr(f"({p.type(dst)}){e.at(UNARY)}", UNARY, e.reads)
    return Expr(f"{p.need('bits', a, b)}({e.text})", ATOM, e.reads)
