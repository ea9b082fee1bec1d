"""UOp: the one node type of the IR. Immutable and hash-consed: the same structure is the same object in the whole process.

Owns: interning, structural checks at construction, traversal. Must not know rules, stages, targets.
Invariant: `a is b` iff op, dtype, arg and sources are the same. The interning table holds nodes weakly; it is the one documented
piece of global state, guarded by a lock.
"""
from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from svod.dtype import DType, dtypes
from svod.errors import GraphError
from svod.ir import advice
from svod.ir.functions import Functions
from svod.ir.ops import BINARY, OPS, Op, OpDef

MAX_NODES = 2_000_000
"""A graph beyond this is refused: nothing downstream would finish."""


class _Ref(weakref.ref["UOp"]):
    """Weak reference that knows the key it is stored under."""

    __slots__ = ("key",)
    key: tuple[Any, ...]


_table: dict[tuple[Any, ...], _Ref] = {}
_lock = threading.RLock()
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_printers: list[Callable[[UOp], str]] = [repr]


def _drop(ref: weakref.ref[UOp]) -> None:
    """A node died: forget it, unless its place is already taken by a successor."""
    with _lock:
        if _table.get(ref.key) is ref:  # type: ignore[attr-defined]
            del _table[ref.key]


def interned_count() -> int:
    """Nodes alive in this process; for tests of memory."""
    return len(_table)


class UOp(Functions):
    """One operation. `UOp(op, src, arg, dtype)`; dtype may be left out where the op implies it. Raises GraphError on bad structure."""

    __slots__ = ("__weakref__", "arg", "cache", "dtype", "op", "src")
    op: Op
    dtype: DType
    src: tuple[UOp, ...]
    arg: Any
    cache: dict[Any, Any]
    """Facts derived from the node (interval, free ranges, digest), filled by their owners."""

    def __new__(cls, op: Op, src: tuple[UOp, ...] = (), arg: Any = None, dtype: DType | None = None) -> UOp:
        key = (op, src, arg, dtype)
        try:
            if (ref := _table.get(key)) is not None and (hit := ref()) is not None:
                return hit
            row = OPS[op]
        except (TypeError, KeyError):  # lists cannot be keys; other things are no ops
            raise advice.not_a_node(op, src, arg) from None
        _check(op, row, src, arg, dtype)
        inferred = row.result(src, arg) if row.result is not None else dtype
        if dtype is not None and dtype is not inferred:
            raise GraphError(f"{op.name} of {src[0].dtype if src else 'nothing'} is {inferred}, not {dtype}",
                             hint="leave the dtype out, it follows from the operands; cast them for another one")
        if dtype is None and row.result is not None:
            full = key
        else:
            full = (op, src, arg, inferred if row.result is None else None)
        with _lock:
            if (ref := _table.get(full)) is not None and (hit := ref()) is not None:
                return hit
            self = super().__new__(cls)
            set_ = object.__setattr__
            set_(self, "op", op)
            set_(self, "src", src)
            set_(self, "arg", arg)
            set_(self, "dtype", inferred)
            set_(self, "cache", {})
            new = _Ref(self, _drop)
            new.key = full
            _table[full] = new
            return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise GraphError(f"a UOp cannot be changed ({name})", hint="build another with .replace(...)")

    def __reduce__(self) -> tuple[Any, ...]:
        order = list(self.toposort())
        number = {u: i for i, u in enumerate(order)}
        return (_rebuild, ([(u.op, tuple(number[s] for s in u.src), u.arg, u.dtype) for u in order],))

    def __copy__(self) -> UOp:
        return self

    def __deepcopy__(self, memo: object) -> UOp:
        return self

    def replace(self, *, src: tuple[UOp, ...] | None = None, arg: Any = None, dtype: DType | None = None) -> UOp:
        """The same op with other sources, arg or dtype."""
        keep = self.dtype if OPS[self.op].result is None else None
        return UOp(self.op, self.src if src is None else src, self.arg if arg is None else arg, keep if dtype is None else dtype)

    def toposort(self, enter: Callable[[UOp], bool] | None = None) -> list[UOp]:
        """Every node reachable from here, sources first, in a fixed order. `enter(u)` False leaves u and what only it reaches out.

        Raises GraphError for a cycle or for more than MAX_NODES nodes. A SINK remembers the order, which many ask for.
        """
        if enter is None and (known := self.cache.get("below")) is not None:
            return [*known, self]
        done: dict[UOp, bool] = {}
        stack: list[UOp] = [self]
        while stack:
            u = stack[-1]
            state = done.get(u)
            if state is None:
                if enter is not None and not enter(u):
                    done[u] = True
                    stack.pop()
                    continue
                done[u] = False
                for s in reversed(u.src):
                    if (seen := done.get(s)) is None:
                        stack.append(s)
                    elif not seen:
                        raise GraphError("the graph has a cycle", at=f"{s.op.name} is its own operand", hint="UOps must form a DAG")
                if len(done) > MAX_NODES:
                    raise GraphError(f"the graph has more than {MAX_NODES} nodes", hint="use a RANGE where the graph was unrolled by hand")
            else:
                stack.pop()
                if not state:
                    del done[u]
                    done[u] = True
        if enter is not None:
            return [u for u in done if enter(u)]
        order = list(done)
        if self.op is Op.SINK:
            self.cache["below"] = order[:-1]  # without itself: a node that refers to itself would not be freed when nobody else does
        return order

    def uncached(self, fact: str) -> list[UOp]:
        """The nodes up to this one whose `cache` does not hold `fact` yet, sources first; for filling it without recursion."""
        found = []
        for s in self.src:  # nearly always at most leaves are new: graphs grow from their sources
            if fact not in s.cache:
                if s.src:
                    return self.toposort(lambda n: fact not in n.cache)
                if s not in found:
                    found.append(s)
        return [*found, self]

    def substitute(self, table: dict[UOp, UOp]) -> UOp:
        """This graph with nodes replaced by `table`; replacements are not searched again."""
        new = dict(table)
        for u in self.toposort(lambda x: x not in table):
            src = tuple(new.get(s, s) for s in u.src)
            if src != u.src:
                new[u] = u.replace(src=src)
        return new.get(self, self)

    def find(self, *ops: Op) -> Iterator[UOp]:
        """The nodes of these ops in this graph, sources first."""
        return (u for u in self.toposort() if u.op in ops)

    def __repr__(self) -> str:
        arg = f" {self.arg!r}" if self.arg is not None else ""
        return f"<{self.op.name} {self.dtype}{arg}, {len(self.src)} src>"

    def __str__(self) -> str:
        """The whole graph, one line a node."""
        return _printers[-1](self)

    @staticmethod
    def print_with(printer: Callable[[UOp], str]) -> None:
        """Lets `printer` write graphs; svod.ir.text, which itself builds UOps, registers its own."""
        _printers.append(printer)


def _check(op: Op, row: OpDef, src: tuple[UOp, ...], arg: Any, dtype: DType | None) -> None:
    """Structure only: arity, type of arg, kinds and agreement of operands. Meaning is checked at stage edges by spec.py."""
    if type(src) is not tuple:
        raise advice.not_a_node(op, src, arg)
    least, most = row.arity
    if len(src) < least or (most is not None and len(src) > most):
        raise advice.wrong_count(op, len(src))
    for s in src:
        if not isinstance(s, UOp):
            raise advice.wrong_operand(op, s)
    if (row.arg is None) != (arg is None) or (row.arg is not None and type(arg) is not row.arg):
        raise advice.wrong_arg(op, arg)
    if row.result is None and not isinstance(dtype, DType):
        raise advice.wrong_dtype(op, dtype)
    if row.takes != "any" and not _takes(row.takes, src[0].dtype):
        raise advice.wrong_kind(op, src[0].dtype)
    if op in _ALIKE:
        last = src[-1].dtype
        for s in src[1:-1] if op is Op.WHERE else src[:-1]:
            if s.dtype is not last:
                raise advice.different_dtypes(op, [x.dtype for x in src])
        if op is Op.WHERE and src[0].dtype is not dtypes.bool.vec(last.lanes):
            raise advice.wrong_condition(src[0].dtype, dtypes.bool.vec(last.lanes))


_ALIKE = BINARY | {Op.WHERE, Op.MULACC}
"""Ops whose operands (but for the condition of WHERE) have one dtype."""


@cache
def _takes(kind: str, dtype: DType) -> bool:
    return {"number": dtype.is_int or dtype.is_float, "float": dtype.is_float, "int": dtype.is_int,
            "bits": dtype.is_int or dtype.is_bool}[kind]


def _rebuild(rows: list[tuple[Op, tuple[int, ...], Any, DType]]) -> UOp:
    nodes: list[UOp] = []
    for op, src, arg, dtype in rows:
        nodes.append(UOp(op, tuple(nodes[i] for i in src), arg, dtype if OPS[op].result is None else None))
    return nodes[-1]
