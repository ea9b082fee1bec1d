"""Vectors kept in the forms BROADCAST(x) and RAMP(base, stride), so that what is uniform or affine over lanes is computed once, on scalars.

Owns: VECTORS. Must not know how a schedule makes vectors.
Invariant: rules on RAMP hold for dtype index, the ideal integer; rules on BROADCAST for all dtypes, since elementwise ops act lane by lane.
"""
from __future__ import annotations

from math import gcd

from svod.dtype import dtypes, wrap
from svod.ir.affine import Terms, build, integer, linear
from svod.ir.bounds import factor
from svod.ir.effects import may_drop
from svod.ir.ops import BINARY, CASTS, UNARY, Op
from svod.ir.pattern import Pat, RuleSet, any_, op, rule
from svod.ir.rules.samples import DATA, A, B, I, N, P, X, Y, c
from svod.ir.uop import UOp

x, y, z = any_("x"), any_("y"), any_("z")
V = DATA[UOp(Op.RAMP, (I, c(5)), None, dtypes.index.vec(4))].load()


def ramp(base: UOp, stride: UOp | int, lanes: int) -> UOp:
    """The vector base, base + stride, … of `lanes` lanes."""
    step = stride if isinstance(stride, UOp) else integer(stride)
    return UOp(Op.RAMP, (base, step), None, base.dtype.vec(lanes))


def stack(*lanes: UOp) -> UOp:
    """The vector of these scalars."""
    return UOp(Op.STACK, lanes, None, lanes[0].dtype.vec(len(lanes)))


def lanes(o: Op, vector: UOp) -> UOp:
    """The lanes of a vector combined by `o`."""
    return UOp(Op.LANES, (vector,), o, vector.dtype.scalar)


def spread(p: Pat) -> Pat:
    """BROADCAST of `p`."""
    return op(Op.BROADCAST, src=[p])


def affine_(name: str) -> Pat:
    """A BROADCAST or a RAMP."""
    return op(Op.BROADCAST, Op.RAMP, name=name)


# --- BROADCAST moves out of elementwise ops --------------------------------------------------------------------------------------

@rule(op(*UNARY, *CASTS, src=[spread(x)], name="u"), example=(A.broadcast(4).sqrt(), A.sqrt().broadcast(4)))
def spread_unary(u: UOp, x: UOp) -> UOp | None:
    """f(spread(x)) == spread(f(x)). Always."""
    return UOp(u.op, (x,), None, u.dtype.scalar if u.op in CASTS else None).broadcast(u.dtype.lanes)


@rule(op(*BINARY, src=[spread(x), spread(y)], name="u"), example=(A.broadcast(4) + B.broadcast(4), (A + B).broadcast(4)))
def spread_binary(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """spread(x) ∘ spread(y) == spread(x ∘ y). Always."""
    return UOp(u.op, (x, y)).broadcast(u.dtype.lanes)


@rule(op(Op.WHERE, Op.MULACC, src=[spread(x), spread(y), spread(z)], name="u"),
      example=(P.broadcast(4).where(A.broadcast(4), B.broadcast(4)), P.where(A, B).broadcast(4)))
def spread_ternary(u: UOp, x: UOp, y: UOp, z: UOp) -> UOp | None:
    """f(spread(x), spread(y), spread(z)) == spread(f(x, y, z)). Always."""
    return UOp(u.op, (x, y, z)).broadcast(u.dtype.lanes)


@rule(op(Op.LOAD, src=[op(Op.INDEX, src=[x, spread(y)])], name="u"), example=(DATA[I.broadcast(4)].load(), DATA[I].load().broadcast(4)))
def spread_load(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """Loading one element in every lane is loading it once. Always."""
    return x.index(y).load().broadcast(u.dtype.lanes)


@rule(op(Op.LOAD, src=[op(Op.INDEX, src=[x, spread(y), spread(any_("g"))]), spread(z)], name="u"),
      example=(DATA.index(I.broadcast(4), P.broadcast(4)).load(A.broadcast(4)), DATA.index(I, P).load(A).broadcast(4)))
def spread_gated_load(u: UOp, x: UOp, y: UOp, g: UOp, z: UOp) -> UOp | None:
    """Loading one element in every lane under one gate is loading it once. Where the alternative is one value too."""
    return x.index(y, g).load(z).broadcast(u.dtype.lanes)


# --- affine vectors: RAMP and BROADCAST of index ---------------------------------------------------------------------------------

def _affine(u: UOp) -> tuple[UOp, UOp | None]:
    """Base and stride of a RAMP; a BROADCAST has none."""
    return (u.src[0], u.src[1] if u.op is Op.RAMP else None)


@rule(op(Op.RAMP, src=[x, op(Op.CONST, name="s")], name="u"), example=(ramp(X, 0, 4), X.broadcast(4)))
def ramp_of_nothing(u: UOp, x: UOp, s: UOp) -> UOp | None:
    """ramp(x, 0) == spread(x). Always."""
    return x.broadcast(u.dtype.lanes) if s.arg.value == 0 else None


@rule(op(Op.ADD, Op.SUB, src=[affine_("x"), affine_("y")], name="u"), example=(ramp(X, 2, 4) + Y.broadcast(4), ramp(X + Y, c(2), 4)))
def add_ramps(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """ramp(a, s) ± ramp(b, t) == ramp(a ± b, s ± t), where spread(b) is ramp(b, 0). Index."""
    (a, s), (b, t) = _affine(x), _affine(y)
    if a.dtype is not dtypes.index:
        return None
    if t is None:
        stride = s
    elif s is None:
        stride = t if u.op is Op.ADD else _times(t, integer(-1))
    else:
        stride = _literal_sum(u.op, s, t)
    return None if stride is None else ramp(UOp(u.op, (a, b)), stride, u.dtype.lanes)


def _literal_sum(o: Op, s: UOp, t: UOp) -> UOp | None:
    if s.op is Op.CONST and t.op is Op.CONST:
        return build({}, s.arg.value + t.arg.value if o is Op.ADD else s.arg.value - t.arg.value)
    return UOp(o, (s, t))


def _times(a: UOp, b: UOp) -> UOp | None:
    if a.op is Op.CONST and b.op is Op.CONST:
        return build({}, a.arg.value * b.arg.value)
    return UOp(Op.MUL, (a, b))


@rule(op(Op.ADD, src=[op(Op.ADD, src=[x, affine_("y")]), affine_("z")]),
      example=((DATA[ramp(X, 5, 4)].load().cast(dtypes.index) + ramp(X, 1, 4)) + Y.broadcast(4),
               DATA[ramp(X, 5, 4)].load().cast(dtypes.index) + ramp(X + Y, 1, 4)))
def gather_ramps(x: UOp, y: UOp, z: UOp) -> UOp | None:
    """(x + ramp) + ramp == x + (ramp + ramp), so that the affine parts meet. Index."""
    if x.op in (Op.RAMP, Op.BROADCAST) or x.dtype.scalar is not dtypes.index:
        return None
    both = y + z if Op.RAMP not in (y.op, z.op) else add_ramps.apply(y + z)
    return None if both is None else x + both


@rule(op(Op.MUL, src=[op(Op.RAMP, src=[x, any_("s")], name="r"), spread(y)]),
      example=(ramp(X, 2, 4) * c(3).broadcast(4), ramp(X * 3, 6, 4)))
def scale_ramp(r: UOp, x: UOp, s: UOp, y: UOp) -> UOp | None:
    """ramp(x, s) * spread(y) == ramp(x*y, s*y). Index, where y or s is a literal."""
    if x.dtype is not dtypes.index or Op.CONST not in (y.op, s.op):
        return None
    stride = y if s.op is Op.CONST and s.arg.value == 1 else _times(s, y)
    return None if stride is None else ramp(UOp(Op.MUL, (x, y)), stride, r.dtype.lanes)


@rule(-op(Op.RAMP, src=[x, op(Op.CONST, name="s")], name="r"), example=(-ramp(X, 2, 4), ramp(-X, -2, 4)))
def negate_ramp(r: UOp, x: UOp, s: UOp) -> UOp | None:
    """-ramp(x, s) == ramp(-x, -s). Index, for a literal s."""
    stride = _times(s, integer(-1)) if x.dtype is dtypes.index else None
    return None if stride is None else ramp(-x, stride, r.dtype.lanes)


# --- lanes that agree ------------------------------------------------------------------------------------------------------------

def agree(base: UOp, offset: int, stride: int, lanes: int, block: int = 0) -> bool:
    """True if (base + offset + lane * stride) // g is the same for all lanes, g being some divisor of `block` (0: any g)."""
    return _agree(*linear(base), offset, stride * (lanes - 1), block)


def _agree(terms: Terms, constant: int, offset: int, reach: int, block: int) -> bool:
    g = gcd(block, *[v * factor(t) for t, v in terms.items()])
    if g == 0:
        return reach == 0
    first = (constant + offset) % g
    return 0 <= first + reach < g


_DIVISION = [op(Op.RAMP, src=[x, op(Op.CONST, name="s")], name="r"), spread(op(Op.CONST, name="d"))]


@rule(op(Op.FLOORDIV, src=_DIVISION), example=(ramp(X * 4, 1, 4) // c(8).broadcast(4), ((X * 4) // 8).broadcast(4)))
def divide_ramp(r: UOp, x: UOp, s: UOp, d: UOp) -> UOp | None:
    """ramp(x, s) // spread(d) == ramp(x // d, s // d) if d divides s, spread(x // d) if all lanes stay in one block of d. Index, d > 0."""
    n, step, lanes = d.arg.value, s.arg.value, r.dtype.lanes
    if x.dtype is not dtypes.index or n <= 0:
        return None
    if step % n == 0:
        return ramp(x // d, step // n, lanes)
    return (x // d).broadcast(lanes) if agree(x, 0, step, lanes, n) else None


@rule(op(Op.FLOORMOD, src=_DIVISION), example=(ramp(X * 4, 1, 4) % c(8).broadcast(4), ramp((X * 4) % 8, 1, 4)))
def modulo_ramp(r: UOp, x: UOp, s: UOp, d: UOp) -> UOp | None:
    """ramp(x, s) % spread(d) == spread(x % d) if d divides s, and ramp(x % d, s) if all lanes stay in one block of d. Index, d > 0."""
    n, step, lanes = d.arg.value, s.arg.value, r.dtype.lanes
    if x.dtype is not dtypes.index or n <= 0:
        return None
    if step % n == 0:
        return (x % d).broadcast(lanes)
    return ramp(x % d, s, lanes) if agree(x, 0, step, lanes, n) else None


@rule(op(Op.CMPLT, Op.CMPLE, src=[affine_("x"), affine_("y")], name="u"),
      example=(ramp(X * 4, 1, 4) < (N * 8).broadcast(4), (X * 4 < N * 8).broadcast(4)))
def compare_ramps(u: UOp, x: UOp, y: UOp) -> UOp | None:
    """ramp(a, s) < ramp(b, t) == spread(a < b) if a - b + lane * (s - t) has one sign for all lanes, since it stays in one block. Index."""
    (a, s), (b, t) = _affine(x), _affine(y)
    if a.dtype is not dtypes.index or any(v is not None and v.op is not Op.CONST for v in (s, t)):
        return None
    step = (0 if s is None else s.arg.value) - (0 if t is None else t.arg.value)
    if not agree(UOp(Op.SUB, (a, b)), -int(u.op is Op.CMPLE), step, u.dtype.lanes):
        return None
    return UOp(u.op, (a, b)).broadcast(u.dtype.lanes)


# --- lanes in and out ------------------------------------------------------------------------------------------------------------

@rule(op(Op.EXTRACT, src=[spread(x)]), example=(A.broadcast(4).extract(2), A))
def extract_spread(x: UOp) -> UOp | None:
    """Every lane of spread(x) is x. Always."""
    return x


@rule(op(Op.EXTRACT, src=[op(Op.RAMP, src=[x, any_("s")])], name="u"), example=(ramp(X, 3, 4).extract(2), X + 6))
def extract_ramp(u: UOp, x: UOp, s: UOp) -> UOp | None:
    """Lane l of ramp(x, s) is x + s*l. Index."""
    if u.arg == 0:
        return x
    step = _times(s, integer(u.arg)) if x.dtype is dtypes.index else None
    return None if step is None else UOp(Op.ADD, (x, step))


@rule(op(Op.EXTRACT, src=[op(Op.STACK, name="v")], name="u"), example=(stack(A, B).extract(1), B))
def extract_stack(u: UOp, v: UOp) -> UOp | None:
    """Lane l of a STACK is its operand l. Where dropping the others drops no effect."""
    kept = v.src[u.arg]
    return kept if may_drop(*(s for s in v.src if s is not kept)) else None


@rule(op(Op.STACK, name="u"), example=(stack(A, A, A), A.broadcast(3)))
def stack_of_same(u: UOp) -> UOp | None:
    """A STACK of one scalar, repeated, is its BROADCAST. Always."""
    first = u.src[0]
    return first.broadcast(len(u.src)) if all(s is first for s in u.src) else None


@rule(op(Op.STACK, name="u"), example=(stack(X, X + 3, X + 6), ramp(X, 3, 3)))
def stack_as_ramp(u: UOp) -> UOp | None:
    """A STACK of x, x + k, x + 2k, … is ramp(x, k). Index, for a literal k."""
    if u.src[0].dtype is not dtypes.index:
        return None
    terms, first = linear(u.src[0])
    step = None
    for i, s in enumerate(u.src[1:], 1):
        other, constant = linear(s)
        if step is None:
            step = constant - first
        if other != terms or constant - first != step * i:
            return None
    return None if not step or (stride := build({}, step)) is None else ramp(u.src[0], stride, len(u.src))


@rule(op(Op.STACK, src=None, name="u"), example=(stack(*(V.extract(i) for i in range(4))), V))
def stack_of_lanes(u: UOp) -> UOp | None:
    """A STACK of all lanes of a vector, in order, is the vector. Always."""
    whole = u.src[0].src[0] if u.src[0].op is Op.EXTRACT else None
    if whole is None or whole.dtype is not u.dtype:
        return None
    return whole if all(s.op is Op.EXTRACT and s.src[0] is whole and s.arg == i for i, s in enumerate(u.src)) else None


@rule(op(Op.LANES, src=[spread(x)], name="u"), example=(lanes(Op.MAX, A.broadcast(4)), A))
def combine_spread(u: UOp, x: UOp) -> UOp | None:
    """max(x, x, …) == min(…) == x & x == x | x == x, always; x + x + … == x * lanes for integers."""
    if u.arg in (Op.MAX, Op.MIN, Op.AND, Op.OR):
        return x
    if u.arg is Op.ADD and x.dtype.is_int:
        return x * UOp.const(wrap(u.src[0].dtype.lanes, x.dtype), x.dtype)
    return None


VECTORS = RuleSet("VECTORS", (
    spread_unary, spread_binary, spread_ternary, spread_load, spread_gated_load, ramp_of_nothing, add_ramps, gather_ramps, scale_ramp,
    negate_ramp, divide_ramp, modulo_ramp, compare_ramps, extract_spread, extract_ramp, extract_stack, stack_of_same, stack_of_lanes,
    stack_as_ramp, combine_spread))
"""Vectors in the forms BROADCAST and RAMP."""
