"""The state of one trace, and what every construct does with it: emit, branch, join, keep variables in cells.

Owns: `Tracer`: the builder, the stack of frames, the depth of dynamic control flow, hidden parameters. Must not know Python's syntax: what
a node of the tree means is looked up in the tables it is given.
Invariant: every error leaves `evaluate` or `run` with the place of the innermost expression; `here` is the block that statements go to.
"""
from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from svod.dtype import DType, dtypes
from svod.errors import KernelError, SvodError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang import arithmetic
from svod.lang.builder import Branch, Builder, Loop, Scope
from svod.lang.frame import Dependency, Frame
from svod.lang.join import CHOSEN, Edge, State, capture, join, restore, unchanged
from svod.lang.source import Place
from svod.lang.value import Array, Cell, Dynamic, Unbound, Vector, has_cells, rebuild

Side = Callable[[], "Flow | None"]
Handler = Callable[["Tracer", Any], Any]


class Flow(Enum):
    """How the execution of a statement ended, if not at its end."""

    STOPPED = "stopped"
    """A jump of the running kernel: what follows is not reached."""
    BREAK = "break"
    CONTINUE = "continue"
    RETURN = "return"


class Again(Exception):
    """A loop has to be traced again: `key` names what `loop` has to know now."""

    def __init__(self, loop: Any, key: Any, value: Any) -> None:
        super().__init__(key)
        self.loop, self.key, self.value = loop, key, value


@dataclass(slots=True, eq=False)
class OpenLoop:
    """A loop that is being traced. `jump` is what a dynamic break leaves, `again` what a dynamic continue ends."""

    depth: int
    jump: Loop | Scope
    again: Loop | Scope
    key: Any = None
    """Of a loop of the running kernel: what its cells know it by."""


@dataclass(slots=True)
class Tracer:
    """One trace of one kernel."""

    expressions: dict[type[ast.AST], Handler]
    statements: dict[type[ast.AST], Handler]
    block: tuple[int, int, int]
    subgroup: int
    guarded: bool
    builder: Builder = field(default_factory=Builder)
    frames: list[Frame] = field(default_factory=list)
    loops: list[OpenLoop] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    edges: dict[int, list[Edge]] = field(default_factory=dict)
    """id of a Scope or Loop -> where jumps leave it."""
    depth: int = 0
    path: list[Any] = field(default_factory=list)
    """Calls and unrolled iterations around the current point, which tell visits of one loop apart."""
    known: dict[Any, dict[Any, Any]] = field(default_factory=dict)
    """What earlier attempts at a loop found out."""
    stale: set[Any] = field(default_factory=set)
    """Loops that have to be traced again, once the attempt under way has come to its end."""
    scalars: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    dependencies: list[Dependency] = field(default_factory=list)
    hidden: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Hidden scalar parameters that would be needed for the extents of arrays."""
    foreign: set[int] = field(default_factory=set)
    """ids of containers from outside the kernel."""
    opened: dict[int, int] = field(default_factory=dict)
    """id of a Scope -> how many loops were open when it was opened."""
    calls: list[Any] = field(default_factory=list)
    """Where the functions begin that are being traced, outermost first."""
    sites: list[ast.Call] = field(default_factory=list)
    """Calls around the current point, for messages of the running kernel."""
    keep: list[Any] = field(default_factory=list)
    """Objects whose id is a key."""
    state: dict[Any, Any] = field(default_factory=dict)
    """What builtins remember while this kernel is traced."""
    checks: str = ""
    """How the kernel checks its indices when it runs (checked.py); "": not at all."""
    nodes: list[ast.AST] = field(default_factory=list)
    """Statements and expressions that are being traced, the innermost last."""
    wanted: dict[ast.AST, str] = field(default_factory=dict)
    """What the values of expressions will be called, where a name is assigned."""

    def __post_init__(self) -> None:
        self.builder.place = lambda: self.place(self.nodes[-1]) if self.nodes else None

    # ---- evaluation ---------------------------------------------------------------------------------------------------------------
    @property
    def frame(self) -> Frame:
        """The innermost frame."""
        return self.frames[-1]

    def evaluate(self, node: ast.expr) -> Any:
        """The value of an expression."""
        handler = self.expressions.get(type(node))
        with self.located(node):
            if handler is None:
                raise KernelError(f"Unsupported expression: {type(node).__name__}", hint="the kernel language has no such expression")
            return handler(self, node)

    def execute(self, body: list[ast.stmt]) -> Flow | None:
        """Executes statements; how they ended."""
        for node in body:
            handler = self.statements.get(type(node))
            with self.located(node):
                if handler is None:
                    raise KernelError(f"Unsupported statement: {type(node).__name__}", hint="the kernel language has no such statement")
                if (flow := handler(self, node)) is not None:
                    return flow  # type: ignore[no-any-return]
        return None

    @contextmanager
    def located(self, node: ast.AST) -> Iterator[None]:
        """Errors inside carry the place of `node`, unless they have one already."""
        self.nodes.append(node)
        try:
            yield
        except Again:
            raise
        except KernelError as e:
            if e.at:
                raise
            raise KernelError(e.what, at=self.place(node).shown(), hint=e.hint) from e
        except RecursionError:
            raise
        except SvodError as e:
            raise KernelError(e.what, at=self.place(node).shown(), hint=e.hint) from e
        except Exception as e:
            raise KernelError(f"{type(e).__name__}: {e}", at=self.place(node).shown(),
                              hint="raised by Python while the kernel was traced") from e
        finally:
            self.nodes.pop()

    def here(self) -> str:
        """file:line:column of what is being traced."""
        return str(self.place(self.nodes[-1])) if self.nodes else ""

    def place(self, node: ast.AST) -> Place:
        """Where a node of the current function was written."""
        return Place.of(self.frame.source.file, node)

    def note(self, dependency: Dependency) -> None:
        """Remembers what was read of the outside."""
        self.dependencies.append(dependency)
        stack = [dependency.value]
        while stack:
            value = stack.pop()
            if isinstance(value, (list, dict, set, tuple)) and id(value) not in self.foreign:
                self.foreign.add(id(value))
                stack.extend(value.values() if isinstance(value, dict) else value)

    def owns(self, container: object) -> bool:
        """True if a list, dict or set was made by the traced code."""
        return id(container) not in self.foreign

    # ---- values -------------------------------------------------------------------------------------------------------------------
    def read(self, value: Any) -> Any:
        """A value as an expression sees it: cells are loaded, also in tuples and vectors; lists and dicts stay themselves."""
        if isinstance(value, Cell):
            return Dynamic(self.builder.read_cell(value.memory, value.dtype, value.name), value.weak)
        if isinstance(value, (tuple, Vector)) and has_cells(value if isinstance(value, tuple) else value.lanes):
            if isinstance(value, Vector):
                return Vector(tuple(self.read(v) for v in value.lanes))
            items = [self.read(v) for v in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        return value

    def loaded(self, value: Any) -> Any:
        """A value without cells: containers that hold some are copied."""
        if isinstance(value, Cell) or has_cells(value) or (isinstance(value, Vector) and has_cells(value.lanes)):
            return rebuild(value, self.read)
        return value

    def named(self, value: Any, name: str) -> Any:
        """A value that is kept under a name: what has to be computed is computed here, once."""
        if isinstance(value, Dynamic) and value.uop.op not in _LEAVES:
            return Dynamic(self.builder.let(value.uop, name), value.weak)
        if isinstance(value, Vector):
            return Vector(tuple(self.named(v, name) for v in value.lanes))
        if isinstance(value, tuple) and any(isinstance(v, (Dynamic, Vector, tuple)) for v in value):
            items = [self.named(v, name) for v in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        return value

    def variable(self, name: str, meaning: tuple[Any, ...]) -> UOp:
        """The hidden scalar parameter `name`, an index from 0 on."""
        self.scalars[name] = meaning
        most = (1 << 31) - 1 if meaning[0] == "grid" else (1 << 62)
        return UOp.variable(name, 0, most)

    def load(self, array: Array, index: UOp, name: str = "") -> Dynamic:
        """Reads element `index` of an array here."""
        return Dynamic(self.builder.load(array.pointer, index, name or array.name))

    # ---- dynamic control flow -----------------------------------------------------------------------------------------------------
    @contextmanager
    def block_of(self, statements: list[Any]) -> Iterator[None]:
        """Statements go to `statements` meanwhile."""
        outer, self.builder.here = self.builder.here, statements
        try:
            yield
        finally:
            self.builder.here = outer

    def fork(self, condition: Dynamic, then: Side, other: Side, live: frozenset[str]) -> Flow | None:
        """A dynamic branch; the values of names are joined behind it."""
        entry = capture(self.frames)
        branch = Branch(condition.uop, [], [])
        edges = []
        self.depth += 1
        for statements, side in ((branch.then, then), (branch.other, other)):
            with self.block_of(statements):
                if side() is None:
                    edges.append(Edge(statements, len(statements), capture(self.frames)))
            restore(entry)
        self.depth -= 1
        self.builder.emit(branch)
        if not edges:
            return Flow.STOPPED
        join(self, entry, edges, live)
        return None

    def choose(self, condition: Dynamic, then: Callable[[], Any], other: Callable[[], Any]) -> Any:
        """`then()` where the condition holds, else `other()`: a select if neither needs more than variables read, else a branch."""
        entry = capture(self.frames)
        branch, values, edges, simple = Branch(condition.uop, [], []), [], [], []
        self.depth += 1
        for statements, side in ((branch.then, then), (branch.other, other)):
            with self.block_of(statements):
                values.append(side())
                simple.append(_selectable(values[-1]) and all(map(_reads_variable, statements))
                              and (not statements or unchanged(entry, capture(self.frames))))
                self.frame.locals[CHOSEN] = values[-1] if simple[-1] else self.named(self.loaded(values[-1]), "chosen")
            edges.append(Edge(statements, len(statements), capture(self.frames)))
            restore(entry)
        self.depth -= 1
        if all(simple):
            for statement in (*branch.then, *branch.other):
                self.builder.emit(statement)
            return arithmetic.select(condition, *values)
        self.builder.emit(branch)
        join(self, entry, edges, self.everything() | {CHOSEN})
        result = self.frame.locals.pop(CHOSEN)
        if isinstance(result, Unbound):
            raise KernelError(result.what.replace(repr(CHOSEN), "the value"), hint=result.hint)
        return result

    def everything(self) -> frozenset[str]:
        """All names bound in the current frame."""
        return frozenset(self.frame.locals)

    @contextmanager
    def scope(self) -> Iterator[Scope]:
        """A place whose end dynamic jumps can lead to; the caller joins its edges."""
        scope = Scope([])
        self.keep.append(scope)
        self.edges[id(scope)] = []
        self.opened[id(scope)] = len(self.loops)
        self.builder.emit(scope)
        self.scopes.append(scope)
        try:
            with self.block_of(scope.body):
                yield scope
        finally:
            self.scopes.pop()

    def close_scope(self, scope: Scope, entry: State, flow: Flow | None, live: frozenset[str]) -> Flow | None:
        """Joins what jumped to the end of a scope with what got there. `flow` says how its statements ended."""
        edges = self.edges.pop(id(scope))
        if not edges:
            return flow
        if flow is None:
            edges.append(Edge(scope.body, len(scope.body), capture(self.frames)))
        join(self, entry, edges, live)
        return None

    def divergent(self, depth: int, scope: Scope | None) -> bool:
        """True if not all work items that entered a construct at `depth` (whose end is `scope`) are here."""
        if self.depth != depth:
            return True
        first = 0 if scope is None else self.scopes.index(scope) + 1
        return any(self.edges[id(s)] for s in self.scopes[first:])

    def returned(self) -> None:
        """This work item is done."""
        self.builder.emit(UOp(Op.RETURN))

    def constant(self, value: int, dtype: DType = dtypes.index) -> UOp:
        """A literal."""
        return UOp.const(value, dtype)


def _selectable(value: object) -> bool:
    return isinstance(value, (Dynamic, Vector, bool, int, float))


def _reads_variable(statement: Any) -> bool:
    """True for the LET of a variable: wherever it stands, it harms nothing and costs little."""
    if not isinstance(statement, UOp) or statement.op is not Op.LET or statement.src[1].op is not Op.LOAD:
        return False
    memory = statement.src[1].src[0].src[0]
    return memory.op is Op.DEFINE_REG and memory.arg.size == 1


_LEAVES = frozenset((Op.VALUE, Op.CONST, Op.DEFINE_VAR, Op.SPECIAL))
