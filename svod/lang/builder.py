"""The statements of a kernel while they are being written: nested lists, jumps out of several loops, undoing.

Owns: the statement tree, numbers of values and memories, and turning the tree into UOps. Must not know Python's syntax or values of names.
Invariant: what `close` returns holds statements in the order they were emitted. A Scope is a place to jump to the end of: it costs nothing
where no jump is left once `if … jump` is read as `if … else the rest`; else it becomes a LOOP that is left at its end.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from svod.dtype import AddrSpace, DType, PtrDType, dtypes
from svod.errors import KernelError, shown
from svod.ir.args import ValueArg
from svod.ir.kernel_clauses import CORE_ID, MAX_BYTES, RESERVED, SYMBOLS
from svod.ir.ops import Op
from svod.ir.uop import UOp


@dataclass(slots=True, eq=False)
class Branch:
    """A condition and its two blocks."""

    condition: UOp
    then: list[Any]
    other: list[Any]
    place: Any = None


@dataclass(slots=True, eq=False)
class Loop:
    """A FOR (value, start, stop, step in `header`) or, without header, a LOOP."""

    body: list[Any]
    header: tuple[UOp, ...] = ()
    place: Any = None


@dataclass(slots=True, eq=False)
class Scope:
    """Statements whose end can be jumped to."""

    body: list[Any]


@dataclass(slots=True, eq=False)
class Jump:
    """Leaves `target`; with `again`, goes on with the next iteration of `target`, a Loop."""

    target: Loop | Scope
    again: bool = False


Statement = Any
"""UOp, Branch, Loop, Scope or Jump."""


@dataclass(slots=True)
class Builder:
    """Writes statements at the end of `here`."""

    here: list[Statement] = field(default_factory=list)
    values: int = 0
    memories: int = 0
    place: Callable[[], Any] = lambda: None
    """Where what is being written stands in the author's source."""
    places: dict[UOp, Any] = field(default_factory=dict)
    """Memory, atomics, branches and loops -> where they stand: what a target may be unable to do."""

    def emit(self, statement: Statement) -> None:
        """Appends a statement."""
        if isinstance(statement, (Branch, Loop)):
            statement.place = self.place()
        self.here.append(statement)

    def value(self, dtype: DType, name: str = "") -> UOp:
        """A VALUE with a number of its own."""
        self.values += 1
        return UOp(Op.VALUE, (), ValueArg(self.values - 1, _plain(name)), dtype)

    def let(self, expression: UOp, name: str = "") -> UOp:
        """Evaluates an expression here; its VALUE."""
        value = self.value(expression.dtype, name)
        if expression.op is Op.ATOMIC:
            self.places.setdefault(expression, self.place())
        self.emit(UOp(Op.LET, (value, expression)))
        return value

    def memory(self, dtype: DType, size: int, space: AddrSpace = AddrSpace.REG, name: str = "") -> UOp:
        """Memory with a number of its own. KernelError for more than there is anywhere."""
        if size * dtype.itemsize > MAX_BYTES:
            raise KernelError(f"an array of {shown(size)} elements of {dtype!r} is larger than any memory",
                              hint="check the arithmetic of its shape")
        self.memories += 1
        memory = UOp.memory(self.memories - 1, dtype, size, space, name=_plain(name))
        if size > 1:
            self.places[memory] = self.place()
        return memory

    def load(self, pointer: UOp, index: UOp | int = 0, name: str = "") -> UOp:
        """Reads an element here; its VALUE."""
        return self.let(pointer.index(index).load(), name)

    def cell(self, dtype: DType, name: str = "") -> UOp:
        """Private memory of one element; an index is kept as i64."""
        return self.memory(dtypes.i64 if dtype is dtypes.index else dtype, 1, name=name)

    def read_cell(self, cell: UOp, dtype: DType, name: str = "") -> UOp:
        """What a cell holds, as `dtype`, the one it was made for."""
        return self.load(cell, 0, name).cast(dtype)

    def store(self, pointer: UOp, value: UOp, index: UOp | int = 0) -> None:
        """Writes an element."""
        self.emit(pointer.index(index).store(value))

    def close(self, statements: list[Statement]) -> UOp:
        """The BLOCK of a statement tree; the tree is used up."""
        return _Closer(self).block(_tidy(statements, None), None)


def _plain(name: str) -> str:
    """A name that no target reserves: an author's variable may be called `double`."""
    name = name.lstrip("_")
    if not name.isascii() or not name.isidentifier():
        return "value"
    return f"{name}_" if name in RESERVED else name


def portable(name: str, taken: Collection[str] = ()) -> str:
    """`name`, a Python identifier, as one that every target allows and that is not in `taken`: an underscore more, letters for others."""
    plain = "".join(c if c.isascii() else f"u{ord(c):x}" for c in name)
    plain = f"v{plain}" if re.match(r"_[_A-Z]|_*$", plain) else plain
    while plain in taken or plain in RESERVED or plain in SYMBOLS or plain == CORE_ID:
        plain += "_"
    return plain


def write_cell(cell: UOp, value: UOp) -> UOp:
    """The statement that stores a value into a cell."""
    assert isinstance(cell.dtype, PtrDType)
    return cell.index(0).store(value.cast(cell.dtype.base))


# --- jumps -----------------------------------------------------------------------------------------------------------------------

def _tidy(statements: list[Statement], scope: Scope | None) -> list[Statement]:
    """The statements with scopes dissolved where their jumps can be read as `else`; `scope` ends where these statements end."""
    out: list[Statement] = []
    statements = _flat(statements)
    for place, s in enumerate(statements):
        if isinstance(s, Jump) and s.target is scope and not s.again:
            return out
        if isinstance(s, Jump):
            return [*out, s]
        if isinstance(s, Scope):
            body = _tidy(s.body, s)
            out.extend(body if not _targets(body, s) else [_scoped(body, s)])
        elif isinstance(s, Loop):
            out.append(_retarget(Loop(_tidy(s.body, None), s.header, s.place), s))
        elif isinstance(s, Branch):
            rest = statements[place + 1:]
            if scope is not None and rest and (_leaves(s.then, scope) or _leaves(s.other, scope)):
                then = s.then if _leaves(s.then, scope) else s.then + rest
                other = s.other if _leaves(s.other, scope) else s.other + rest
                return [*out, Branch(s.condition, _tidy(then, scope), _tidy(other, scope), s.place)]
            last = not rest
            out.append(Branch(s.condition, _tidy(s.then, scope if last else None), _tidy(s.other, scope if last else None), s.place))
        else:
            out.append(s)
    return out


def _flat(statements: list[Statement]) -> list[Statement]:
    """The statements, scopes that nothing jumps to replaced by what is in them."""
    out: list[Statement] = []
    for s in statements:
        if isinstance(s, Scope) and not _targets(s.body, s):
            out.extend(_flat(s.body))
        else:
            out.append(s)
    return out


def _leaves(block: list[Statement], scope: Scope) -> bool:
    """True if the end of a block is never reached: it jumps (to the end of `scope` or elsewhere) or returns on every path."""
    if not block:
        return False
    last = block[-1]
    if isinstance(last, Branch):
        return _leaves(last.then, scope) and _leaves(last.other, scope)
    return isinstance(last, Jump) or (isinstance(last, UOp) and last.op is Op.RETURN)


def _targets(block: list[Statement], target: Loop | Scope) -> bool:
    """True if a jump to `target` is left in a block."""
    for s in block:
        if isinstance(s, Jump) and s.target is target:
            return True
        if isinstance(s, Branch) and (_targets(s.then, target) or _targets(s.other, target)):
            return True
        if isinstance(s, (Loop, Scope)) and _targets(s.body, target):
            return True
    return False


def _scoped(body: list[Statement], scope: Scope) -> Loop:
    """The scope as a loop that is left at its end."""
    loop = Loop(body)
    _retarget(loop, scope)
    body.append(Jump(loop))
    return loop


def _retarget(loop: Loop, old: Loop | Scope) -> Loop:
    """`loop` with the jumps to `old` in it leading to it."""
    stack: list[Statement] = list(loop.body)
    while stack:
        s = stack.pop()
        if isinstance(s, Jump) and s.target is old:
            s.target = loop
        elif isinstance(s, Branch):
            stack += s.then + s.other
        elif isinstance(s, (Loop, Scope)):
            stack += s.body
    return loop


class _Closer:
    """Turns a tidied tree into UOps. A jump out of several loops sets a flag and leaves the innermost; the flag is asked behind each."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.flags: dict[tuple[int, bool], UOp] = {}

    def block(self, statements: list[Statement], inside: Loop | None) -> UOp:
        out: list[UOp] = []
        for s in statements:
            if isinstance(s, UOp):
                out.append(s)
            elif isinstance(s, Branch):
                out.append(UOp(Op.BRANCH, (s.condition, self.block(s.then, inside), self.block(s.other, inside))))
                self.builder.places.setdefault(out[-1], s.place)
            elif isinstance(s, Jump):
                out.extend(self.jump(s, inside))
            else:
                out.extend(self.loop(s, inside))
        return UOp(Op.BLOCK, tuple(out))

    def jump(self, jump: Jump, inside: Loop | None) -> list[UOp]:
        if jump.target is inside:
            return [UOp(Op.CONTINUE if jump.again else Op.BREAK)]
        flag = self.flag(jump)
        return [flag.index(0).store(UOp.const(True, dtypes.bool)), UOp(Op.BREAK)]

    def flag(self, jump: Jump) -> UOp:
        key = (id(jump.target), jump.again)
        if key not in self.flags:
            self.flags[key] = self.builder.memory(dtypes.bool, 1, name="left")
        return self.flags[key]

    def loop(self, loop: Loop, inside: Loop | None) -> list[UOp]:
        body = self.block(loop.body, loop)
        statement = UOp(Op.FOR, (*loop.header, body)) if loop.header else UOp(Op.LOOP, (body,))
        self.builder.places.setdefault(statement, loop.place)
        before, behind = [], []
        for jump in _outward(loop):
            flag = self.flag(jump)
            before.append(flag.index(0).store(UOp.const(False, dtypes.bool)))
            left = self.builder.value(dtypes.bool, "left")
            behind.append(UOp(Op.LET, (left, flag.index(0).load())))
            behind.append(UOp(Op.BRANCH, (left, UOp(Op.BLOCK, tuple(self.jump(jump, inside))), UOp(Op.BLOCK))))
        return [*before, statement, *behind]


def _outward(loop: Loop) -> list[Jump]:
    """The jumps in a loop that lead out of it, one for each target and kind."""
    own: set[int] = {id(loop)}
    found: dict[tuple[int, bool], Jump] = {}
    stack: list[Statement] = list(loop.body)
    while stack:
        s = stack.pop()
        if isinstance(s, Jump):
            found.setdefault((id(s.target), s.again), s)
        elif isinstance(s, Branch):
            stack += s.then + s.other
        elif isinstance(s, Loop):
            own.add(id(s))
            stack += s.body
    return [j for (target, _), j in found.items() if target not in own]
