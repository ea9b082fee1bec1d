"""The statements of one work item in WGSL.

Owns: how instructions are spelled, jumps out of nested loops. Must not know the module around it.
Invariant: the text is valid for any LINEAR program of a work item whose ops the language has.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from svod.dtype import PtrDType
from svod.errors import UnsupportedError
from svod.ir.args import SpecialKind
from svod.ir.ops import ELEMENTWISE, MEMORIES, Op
from svod.ir.semantics import apply
from svod.ir.semantics import literal as scalar_of
from svod.ir.uop import UOp
from svod.renderers.accesses import plain, root, whole_registers
from svod.renderers.expr import ATOM, MEMORY, UNARY, Expr, Names
from svod.renderers.statements import Statements
from svod.renderers.uses import uses_of
from svod.renderers.wgsl.elementwise import Types, in_32_bits, spelled
from svod.renderers.wgsl.exactness import Guards
from svod.renderers.wgsl.memory import Memory
from svod.renderers.wgsl.messages import Record, said
from svod.renderers.wgsl.values import ZERO, literal

PRIVATE_BYTES = 64 << 10
"""Memory of one work item that one array may take."""
_AXES = "xyz"
DIRECT_ITEMS = 64
"""Work items of a group along x where a kernel counts them directly."""
IDS = {SpecialKind.GLOBAL: "launch.first.{a} + group.{a}", SpecialKind.LOCAL: "item.{a}"}


def direct_id(axis: int) -> str:
    """The number of a work item of a kernel that knows no groups; an u32."""
    a = _AXES[axis]
    return f"launch.first.{a} + group.{a}" if axis else f"(launch.first.x + group.x) * {DIRECT_ITEMS}u + item.x"


class Scope(NamedTuple):
    """What the functions of a shader have in common: types, what parameters are called, the record, what the author calls values."""

    types: Types
    leaf: dict[UOp, Expr]
    record: Record
    called: Mapping[UOp, str]


class Body(Statements):
    """Writes statements. `memories`: those that are declared outside of the function."""

    def __init__(self, instructions: list[UOp], scope: Scope, names: Names, memories: dict[UOp, Memory]) -> None:
        self.types, self.leaf, self.record = scope.types, scope.leaf, scope.record
        self.memories = memories
        self.whole = {m for m in whole_registers(instructions) if m.arg.size == 1}
        super().__init__(names, uses_of(instructions, self.whole), scope.called)
        self.guards = Guards(instructions)
        self.folded: dict[UOp, UOp] = {}
        self.left: set[str] = set()
        """Flags of the LOOPs that are left out of a counted loop."""
        self.opened: dict[str, int] = {}

    # ---- writing ------------------------------------------------------------------------------------------------------
    def declared(self, u: UOp, e: Expr, name: str) -> Expr:
        self.top.append(f"var {name}: {self.types.of(u)};")
        return Expr(name)

    def bound(self, u: UOp, e: Expr, name: str) -> Expr:
        self.do(f"let {name} = {e.text};")
        return Expr(name)

    def dropped(self, e: Expr) -> str:
        return f"{e.text};" if e.text.startswith("atomic") else f"_ = {e.text};"

    # ---- operands -----------------------------------------------------------------------------------------------------
    def value(self, u: UOp) -> Expr:
        """The expression of an operand."""
        u = plain(u)
        if (computed := self.known(u)) is not None:
            return computed
        if (c := self.constant(u)) is not None:
            text = literal(c.arg.value, c.dtype, self.types.able, wide=u in self.types.wide)
            return Expr(text, UNARY if text.startswith("-") else ATOM)
        if (leaf := self.leaf.get(u)) is not None:
            return leaf
        raise UnsupportedError(f"{u.op.name} is used before it is computed", at=repr(u), hint="the linear program is out of order")

    def constant(self, u: UOp) -> UOp | None:
        """The CONST that an operand is."""
        u = plain(u)
        return u if u.op is Op.CONST else self.folded.get(u)

    def memory(self, index: UOp) -> Memory:
        """The memory of an INDEX; one of the work item is declared at its first use."""
        m = root(index)
        if m not in self.memories:
            if m.op is not Op.DEFINE_REG:
                raise UnsupportedError(f"{m.op.name} has no form in WGSL", at=repr(m), hint="make two kernels, and keep it in a buffer")
            base = m.dtype.base if isinstance(m.dtype, PtrDType) else m.dtype
            if base.itemsize * m.arg.size > PRIVATE_BYTES:
                raise UnsupportedError(f"{m.arg.size} x {base} of local memory are too many for a work item ({PRIVATE_BYTES} B are given)",
                                       at=m.arg.name, hint="make the local array smaller, or keep it in shared memory or a buffer", about=m)
            name = self.names.new(m.arg.name or "acc", numbered=not m.arg.name)
            self.memories[m] = Memory(name, base, self.types.able, self.types.prelude)
            held = self.memories[m].value
            self.top.append(f"var {name}: {held};" if m in self.whole else f"var {name}: array<{held}, {m.arg.size}>;")
        return self.memories[m]

    def hidden(self, u: UOp) -> list[Expr]:
        """The operands of an elementwise op, those that a compiler must not see through behind a function."""
        given = []
        for k, s in enumerate(u.src):
            e = self.value(s)
            if self.guards.hides(u, k):
                e = Expr(f"{self.types.prelude.exact(self.types.of(plain(s)))}({e.text})", ATOM, e.reads)
            given.append(e)
        return given

    # ---- instructions -------------------------------------------------------------------------------------------------
    def run(self, u: UOp) -> None:
        """Writes instruction `u`. UnsupportedError for one that has no form."""
        if u.op in MEMORIES or u.op in (Op.CONST, Op.DEFINE_VAR, Op.INDEX, Op.GROUP):
            return
        if u.op in ELEMENTWISE:
            self.elementwise(u)
        elif (handler := _HANDLERS.get(u.op)) is not None:
            handler(self, u)
        else:
            raise UnsupportedError(f"{u.op.name} has no form in WGSL", at=repr(u), hint="its work items are scalar")

    def elementwise(self, u: UOp) -> None:
        if u not in self.uses.used:
            return
        known = [self.constant(s) for s in u.src]
        if all(c is not None for c in known):  # a compiler may refuse a constant expression that overflows
            self.folded[u] = _evaluated(u, [c for c in known if c is not None])
            return
        self.define(u, spelled(u, self.hidden(u), self.types))

    def special(self, u: UOp) -> None:
        axis = _AXES[u.arg.axis]
        text = IDS[u.arg.kind].format(a=axis) if u.arg.kind in IDS else direct_id(u.arg.axis)
        self.define(u, Expr(f"i32({text})"), name=f"{'group' if u.arg.kind is SpecialKind.GLOBAL else 'item'}_{axis}")

    def load(self, u: UOp) -> None:
        """LOAD: a variable of ours, or an element. WGSL never reads beyond an array, so that a gated one may be read in any case."""
        index = u.src[0]
        memory = self.memory(index)
        if root(index) in self.whole:
            self.define(u, Expr(memory.name, ATOM, frozenset((memory.name,))), name=f"{memory.name}_")
            return
        at = self.address(index)
        e = Expr(memory.read(at.text), ATOM, at.reads | {self.kind(index)})
        if len(index.src) == 3:
            gate, other = self.value(index.src[2]), self.value(u.src[1])
            e = Expr(f"select({other.text}, {e.text}, {gate.text})", ATOM, e.reads | gate.reads | other.reads)
        self.define(u, e, name=f"{memory.name}_")

    def store(self, u: UOp) -> None:
        """STORE: to a variable of ours, or an element."""
        index, e = u.src[0], self.value(u.src[1])
        memory = self.memory(index)
        known = self.constant(u.src[1]) is not None and root(index).op is Op.DEFINE_REG
        if known and memory.value in ("f32", "f64") and ZERO not in e.text:
            e = Expr(f"{self.types.prelude.exact(memory.value)}({e.text})", ATOM)
        if root(index) in self.whole:
            self.settle(memory.name)
            self.do(f"{memory.name} = {e.text};")
            return
        at = self.address(index)
        gate = f"if ({self.value(index.src[2]).text}) {{ " if len(index.src) == 3 else ""
        self.settle(self.kind(index))
        self.do(f"{gate}{memory.write(at.text, e.text)}{' }' * bool(gate)}")

    def atomic(self, u: UOp) -> None:
        """ATOMIC, at once: its value is what was there."""
        index = u.src[0]
        memory = self.memory(index)
        if len(index.src) == 3 or root(index).op is Op.DEFINE_REG:
            what = "a gated ATOMIC" if len(index.src) == 3 else "an ATOMIC on memory of one work item"
            raise UnsupportedError(f"{what} has no form in WGSL", about=u, hint="use a branch in place of a gate, and memory of the group")
        at, given = self.address(index), [self.value(s).text for s in u.src[1:]]
        self.settle(MEMORY)
        self.define(u, Expr(memory.change(u.arg, at.text, given)), name="old", at_once=True)

    def address(self, index: UOp) -> Expr:
        """The number of an element."""
        return in_32_bits(self.value(index.src[1]), index.src[1], self.types)

    def kind(self, index: UOp) -> str:
        """What a write through an INDEX can change: a variable of ours, or memory."""
        return self.memory(index).name if root(index).op is Op.DEFINE_REG else MEMORY

    # ---- control ------------------------------------------------------------------------------------------------------
    def range(self, u: UOp) -> None:
        t, bounds = self.types.of(u), [self.value(s) for s in u.src]
        self.settle()
        start, stop = bounds
        held = "i64" if "i64" in (t, self.types.of(plain(u.src[1]))) else "i32"
        if t != self.types.of(plain(u.src[0])):
            start = Expr(f"{t}({start.text})")
        if held != self.types.of(plain(u.src[1])):
            stop = Expr(f"{held}({stop.text})")
        if held == "i64":
            stop = Expr(f"{self.types.prelude.exact(held)}({stop.text})")
        if not self.simple(stop, plain(u.src[1])):
            name = self.names.new("stop", numbered=True)
            self.do(f"let {name} = {stop.text};")
            stop = Expr(name)
        i = self.names.new(self.called.get(u, f"i{u.arg.label}"))
        self.values[u] = Expr(i)
        below = i if held == t else f"{held}({i})"
        self.open(f"for (var {i}: {t} = {start.text}; {below} < {stop.text}; {i} += {'1li' if t == 'i64' else '1'})")
        self.blocks.append("")

    def if_(self, u: UOp) -> None:
        condition = self.value(u.src[0])
        self.open(f"if ({condition.text})")
        self.blocks.append("if")

    def loop(self, u: UOp) -> None:
        self.open("loop")
        self.blocks.append(self.names.new("done", numbered=True))
        self.opened[self.blocks[-1]] = len(self.lines) - 1

    def end(self, u: UOp) -> None:
        """Closes a block; behind a counted loop out of which a LOOP was left, that is left too."""
        self.close()
        if self.blocks.pop() == "" and (flag := self._around()) in self.left:
            self.do(f"if ({flag}) {{ break; }}")

    def _around(self) -> str:
        """The flag of the innermost LOOP."""
        return next((b for b in reversed(self.blocks) if b not in ("", "if")), "")

    def _within(self) -> list[str]:
        """The blocks inside of it."""
        flag = self._around()
        return self.blocks[self.blocks.index(flag) + 1:] if flag else []

    def break_(self, u: UOp) -> None:
        """Leaves the innermost LOOP; through the counted loops in between by a flag that is asked for behind each."""
        condition = self.value(u.src[0])
        self.settle()
        if "" not in self._within():
            self.do(f"if ({condition.text}) {{ break; }}")
            return
        flag = self._around()
        if flag not in self.left:
            self.left.add(flag)
            self.top.append(f"var {flag}: bool;")
            opening = self.lines[self.opened[flag]]
            self.lines.insert(self.opened[flag], f"{opening[:len(opening) - len(opening.lstrip())]}{flag} = false;")
        self.do(f"{flag} = {condition.text};")
        self.do(f"if ({flag}) {{ break; }}")

    def barrier(self, u: UOp) -> None:
        self.settle()
        self.do("storageBarrier();")
        self.do("workgroupBarrier();")

    def message(self, u: UOp) -> None:
        said(self, u, self.record)


def _evaluated(u: UOp, constants: list[UOp]) -> UOp:
    """The constant that an elementwise op of constants is."""
    found = apply(u.op, u.dtype, u.arg, *(scalar_of(c.arg.value, c.dtype) for c in constants)).item()
    return UOp.const(float(found) if u.dtype.is_float else bool(found) if u.dtype.is_bool else int(found), u.dtype)


_HANDLERS: dict[Op, Callable[[Body, UOp], None]] = {
    Op.SPECIAL: Body.special, Op.LOAD: Body.load, Op.STORE: Body.store, Op.ATOMIC: Body.atomic, Op.RANGE: Body.range, Op.END: Body.end,
    Op.LOOP: Body.loop, Op.ENDLOOP: Body.end, Op.BREAK: Body.break_, Op.IF: Body.if_, Op.ENDIF: Body.end, Op.BARRIER: Body.barrier,
    Op.PRINT: Body.message, Op.ASSERT: Body.message,
}
