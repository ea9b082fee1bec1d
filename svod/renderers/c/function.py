"""One phase of a LINEAR program as a C function body.

Owns: how instructions are spelled, but for accesses (memory.py). Must not know the module around it.
Invariant: the text is valid for any LINEAR program whose ops the dialect has.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping

from svod.dtype import DType, PtrDType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import SpecialKind
from svod.ir.ops import ELEMENTWISE, MEMORIES, Op
from svod.ir.uop import UOp
from svod.renderers.accesses import is_lane_mask, plain, whole_registers
from svod.renderers.c.branches import opposite, repeated
from svod.renderers.c.dialect import Prelude, held, mask_of
from svod.renderers.c.elementwise import as_mask, cast, spelled
from svod.renderers.c.literals import literal
from svod.renderers.c.widths import kept, narrow, operands, read, result
from svod.renderers.expr import ATOM, CHOICE, PLUS, UNARY, Expr, Names
from svod.renderers.statements import Statements
from svod.renderers.uses import constant_vector, unrolled, uses_of

STACK_BYTES = 64 << 10
"""REG memory one array may take: it lies on the stack of whichever thread runs the kernel."""
FLAGS = 8
"""Bits of the lanes of a vector of bools that is kept in a variable."""
Handler = Callable[["Body", UOp], None]


class Body(Statements):
    """Writes statements. `leaf` gives the names of parameters, variables and memories; `names` those that are taken."""

    def __init__(self, leaf: dict[UOp, str], prelude: Prelude, instructions: list[UOp], names: Names,
                 called: Mapping[UOp, str] | None = None) -> None:
        self.leaf, self.prelude, self.whole = leaf, prelude, whole_registers(instructions)
        super().__init__(names, uses_of(instructions, self.whole), called or {})
        self.unrolled = unrolled(instructions, self.whole) if prelude.dialect.unroll else set[UOp]()
        self.left: set[str] = set()
        self.again = repeated(instructions)
        self.ended: tuple[UOp, int] | None = None
        """The condition of the branch that ended last, and how many lines there were then."""

    # ---- writing ----------------------------------------------------------------------------------------------
    def declared(self, u: UOp, e: Expr, name: str) -> Expr:
        mask = e.mask and FLAGS
        self.top.append(f"{self.type(kept(u, self.prelude), mask)} {name};")
        return Expr(name, mask=mask)

    def assigned(self, u: UOp, e: Expr) -> str:
        return (as_mask(e, FLAGS, u.dtype.lanes, self.prelude) if e.mask else e).text

    def bound(self, u: UOp, e: Expr, name: str) -> Expr:
        self.do(f"{self.type(kept(u, self.prelude), e.mask)} {name} = {e.text};")
        return Expr(name, mask=e.mask)

    def other(self) -> None:
        """The other arm of the branch whose end is the last line."""
        self.lines[-1] = "  " * self.depth + "} else {"
        self.depth += 1

    def type(self, dtype: DType, mask: int = 0) -> str:
        """The type of a variable; of one of truth values if `mask` says how wide its lanes are."""
        return self.prelude.type(mask_of(mask, dtype.lanes) if mask else dtype)

    # ---- operands ---------------------------------------------------------------------------------------------
    def value(self, u: UOp) -> Expr:
        """The expression of an operand."""
        u = plain(u)
        if (computed := self.known(u)) is not None:
            return computed
        if u.op is Op.CONST:
            text = literal(u.arg.value, u.dtype, self.prelude.dialect)
            return Expr(text, UNARY if text.startswith("-") else ATOM)
        if constant_vector(u):
            return self.constant(u)
        if (leaf := self.leaf.get(u)) is not None:
            return read(u, Expr(leaf), self.prelude)
        if u.op is Op.DEFINE_REG:
            return Expr(self.register(u))
        raise UnsupportedError(f"{u.op.name} is used before it is computed", at=repr(u), hint="the linear program is out of order")

    def constant(self, u: UOp) -> Expr:
        """A vector of constants."""
        if u.dtype.is_bool:
            zero = f"({self.type(u.dtype, FLAGS)}){{0}}"
            return Expr(f"~{zero}" if u.src[0].arg.value else zero, UNARY, mask=FLAGS)
        t, one = self.type(u.dtype), literal(u.src[0].arg.value, u.src[0].dtype, self.prelude.dialect)
        if u.op is Op.RAMP:
            b, s = (x.arg.value for x in u.src)
            return Expr(f"({t}){{{', '.join(str(b + s * k) for k in range(u.dtype.lanes))}}}")
        if one in ("0", "0.0", "0.0f", "0x0", "0u", "0LL", "0ULL"):
            return Expr(f"({t}){{0}}", UNARY)
        return Expr(f"{self.prelude.need('splat', self.shape(u.dtype))}({one})")

    def shape(self, dtype: DType) -> DType:
        """The vector type that values of `dtype` have, with the lanes that they have."""
        return held(dtype).scalar.vec(dtype.lanes)

    def register(self, u: UOp) -> str:
        """The variable of a DEFINE_REG, declared once, at the top."""
        base = u.dtype.base if isinstance(u.dtype, PtrDType) else u.dtype
        if base.itemsize * u.arg.size > STACK_BYTES:
            raise UnsupportedError(f"{u.arg.size} x {base} of local memory do not fit a stack ({STACK_BYTES} B are given)", at=u.arg.name,
                                   hint="make the local array smaller, or keep it in an array that is shared or passed in", about=u)
        name = self.leaf[u] = self.names.new(u.arg.name or "acc", numbered=not u.arg.name)
        if u in self.whole:
            self.top.append(f"{self.type(base.vec(u.arg.size), FLAGS if base.is_bool and u.arg.size > 1 else 0)} {name};")
        else:
            self.top.append(f"{self.type(base)} {name}[{u.arg.size}] __attribute__((aligned(64)));")
        return name

    # ---- instructions -----------------------------------------------------------------------------------------
    def run(self, u: UOp) -> None:
        """Writes instruction `u`."""
        if u.op in MEMORIES or u.op in (Op.CONST, Op.DEFINE_VAR, Op.INDEX, Op.GROUP):
            return
        if u.op in PURE and (u not in self.uses.used or constant_vector(u)):
            return
        if u.op in ELEMENTWISE:
            self.elementwise(u)
        elif (handler := HANDLERS.get(u.op)) is not None:
            handler(self, u)
        else:
            raise UnsupportedError(f"{u.op.name} has no form in {self.prelude.dialect.name}", at=repr(u))

    def elementwise(self, u: UOp) -> None:
        if is_lane_mask(u):
            a, b = (self.value(s.src[0]) for s in u.src)
            name = self.prelude.need("below", dtypes.i32.vec(u.dtype.lanes))
            self.define(u, Expr(f"{name}({b.at(PLUS)} - {a.at(PLUS + 1)})", ATOM, a.reads | b.reads, 32))
        else:
            given = operands(u, [self.value(s) for s in u.src], self.prelude)
            short = u.op is Op.CAST and narrow(u, self.prelude)
            e = cast(given[0], u.src[0].dtype, dtypes.i32, self.prelude) if short else spelled(u, given, self.prelude)
            self.define(u, e if short else result(u, e, self.prelude))

    def broadcast(self, u: UOp) -> None:
        x = self.value(u.src[0])
        if u.dtype.is_bool:
            flags = mask_of(FLAGS, u.dtype.lanes).scalar.vec(u.dtype.lanes)
            self.define(u, Expr(f"{self.prelude.need('splat', flags)}({_flag(x)})", ATOM, x.reads, FLAGS))
            return
        self.define(u, Expr(f"{self.prelude.need('splat', self.shape(u.dtype))}({x.text})", ATOM, x.reads))

    def ramp(self, u: UOp) -> None:
        base, stride = (self.value(s) for s in u.src)
        name, t = self.prelude.need("splat", self.shape(u.dtype)), self.type(u.dtype)
        iota = f"({t}){{{', '.join(map(str, range(u.dtype.lanes)))}}}"
        steps = iota if u.src[1].op is Op.CONST and u.src[1].arg.value == 1 else f"{name}({stride.text}) * {iota}"
        self.define(u, Expr(f"{name}({base.text}) + {steps}", PLUS, base.reads | stride.reads))

    def stack(self, u: UOp) -> None:
        given = [self.value(s) for s in u.src]
        mask = FLAGS if u.dtype.is_bool else 0
        parts = ", ".join(_flag(x) if mask else x.at(CHOICE) for x in given)
        text = self.prelude.dialect.stacked.format(type=self.type(u.dtype, mask), parts=parts)
        self.define(u, Expr(text, ATOM, frozenset[str]().union(*(x.reads for x in given)), mask))

    def extract(self, u: UOp) -> None:
        x = self.value(u.src[0])
        text = self.prelude.dialect.lane.format(v=x.at(ATOM), k=u.arg, x=f"{u.arg:x}")
        self.define(u, Expr(f"({text} != 0)" if x.mask else text, ATOM, x.reads))

    def shuffle(self, u: UOp) -> None:
        a, b = (self.value(s) for s in u.src)
        n, there = u.src[0].dtype.lanes, held(u.src[0].dtype).lanes
        mask = max(a.mask, b.mask)
        if mask:
            a, b = (as_mask(x, mask, n, self.prelude) for x in (a, b))
        picks = [k if k < n else k - n + there for k in u.arg.lanes]
        picks += [-1] * (held(u.dtype).lanes - len(picks))
        self.type(u.dtype, mask)
        text = f"__builtin_shufflevector({a.text}, {b.text}, {', '.join(map(str, picks))})"
        self.define(u, Expr(text, ATOM, a.reads | b.reads, mask))

    def lanes(self, u: UOp) -> None:
        x, op, n = self.value(u.src[0]), u.arg, u.src[0].dtype.lanes
        if not x.mask:
            name = self.prelude.need(f"lanes_{op.name}", self.shape(u.src[0].dtype))
            self.define(u, Expr(f"{name}({x.text})", ATOM, x.reads))
            return
        op = {Op.MAX: Op.OR, Op.MIN: Op.AND, Op.ADD: Op.OR, Op.MUL: Op.AND}.get(op, op)
        name = self.prelude.need(f"lanes_{op.name}", mask_of(x.mask, n).scalar.vec(n))
        self.define(u, Expr(f"({name}({x.text}) != 0)", ATOM, x.reads))

    # ---- control ----------------------------------------------------------------------------------------------
    def range(self, u: UOp) -> None:
        start, stop = (Expr(str(s.arg.value)) if s.op is Op.CONST else self.value(s) for s in u.src)
        self.settle()
        if not self.simple(stop, plain(u.src[1])):
            name = self.names.new("stop", numbered=True)
            self.do(f"{self.type(kept(u.src[1], self.prelude))} {name} = {stop.text};")
            stop = Expr(name)
        i = self.names.new(self.called.get(u, f"i{u.arg.label}"))
        self.values[u] = Expr(i)
        if u in self.unrolled:
            self.do(self.prelude.dialect.unroll)
        self.open(f"for ({self.type(kept(u, self.prelude))} {i} = {start.text}; {i} < {stop.text}; ++{i})")
        self.blocks.append("")

    def if_(self, u: UOp) -> None:
        if self.otherwise(u.src[0]):
            self.pending.pop(u.src[0], None)
            self.other()
            self.blocks.append("else")
        else:
            condition = self.value(u.src[0])
            self.open(f"if ({condition.text})")
            self.blocks.append("if")

    def otherwise(self, condition: UOp) -> bool:
        """Whether a branch ended just now, and this is that its condition did not hold."""
        if self.ended is None or self.ended[1] != len(self.lines) or not set(self.pending) <= {condition}:
            return False
        return opposite(self.ended[0], condition, self.again)

    def loop(self, u: UOp) -> None:
        self.open("for (;;)")
        self.blocks.append(self.names.new("done", numbered=True))

    def end(self, u: UOp) -> None:
        self.close()
        if (block := self.blocks.pop()) in self.left:
            self.do(f"{block}:;")
        if u.op is Op.ENDIF:
            self.ended = (u.src[0].src[0], len(self.lines)) if block == "if" else None

    def break_(self, u: UOp) -> None:
        """Leaves the innermost LOOP, by its label where a RANGE lies in between."""
        condition = self.value(u.src[0])
        self.settle()
        inside = [b for b in self.blocks if b not in ("if", "else")]
        if inside[-1]:
            self.do(f"if ({condition.text}) break;")
            return
        if not self.prelude.dialect.jumps:
            raise UnsupportedError(f"{self.prelude.dialect.name} cannot leave a loop out of another one", at=repr(u),
                                   hint="leave the inner loop first, with a flag")
        self.left.add(next(b for b in reversed(inside) if b))
        self.do(f"if ({condition.text}) goto {next(b for b in reversed(inside) if b)};")

    def special(self, u: UOp) -> None:
        if (form := self.prelude.dialect.ids.get(u.arg.kind)) is None:
            raise UnsupportedError(f"{self.prelude.dialect.name} has no ids of work items", at=repr(u))
        text = f"({self.type(kept(u, self.prelude))}){form.format(axis=u.arg.axis, letter='xyz'[u.arg.axis])}"
        self.define(u, Expr(text, UNARY), name=f"{'group' if u.arg.kind is SpecialKind.GLOBAL else 'item'}_{'xyz'[u.arg.axis]}")

    def barrier(self, u: UOp) -> None:
        if not self.prelude.dialect.barrier:
            raise UnsupportedError("a group barrier has no form in loop kernels", hint="it belongs to the kernel language")
        self.settle()
        self.do(self.prelude.dialect.barrier)


def _flag(x: Expr) -> str:
    """A bool as a lane of truth values."""
    return f"-({x.text})"


PURE = ELEMENTWISE | {Op.BROADCAST, Op.RAMP, Op.STACK, Op.EXTRACT, Op.SHUFFLE, Op.LANES, Op.SPECIAL}
HANDLERS: dict[Op, Handler] = {
    Op.BROADCAST: Body.broadcast, Op.RAMP: Body.ramp, Op.STACK: Body.stack, Op.EXTRACT: Body.extract, Op.SHUFFLE: Body.shuffle,
    Op.LANES: Body.lanes, Op.RANGE: Body.range, Op.END: Body.end, Op.LOOP: Body.loop, Op.ENDLOOP: Body.end, Op.BREAK: Body.break_,
    Op.IF: Body.if_, Op.ENDIF: Body.end, Op.SPECIAL: Body.special, Op.BARRIER: Body.barrier,
}
"""What writes an instruction; memory.py and messages.py write theirs."""
