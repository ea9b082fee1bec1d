"""What a kernel's graph says about calling it: buffers, scalars, launch dimensions. Derived, never trusted from outside.

Owns: `Metadata` and its derivation, the one argument order (`Abi`). Must not know renderers or devices.
Invariant: buffers come first, by slot; then scalars, by name. `core_id` is set by the launch and is no argument.
"""
from __future__ import annotations

from dataclasses import dataclass

from svod.dtype import AddrSpace, DType, PtrDType, dtypes
from svod.errors import GraphError
from svod.ir.args import SpecialKind, VarArg
from svod.ir.ops import Op
from svod.ir.threads import grid_variable, shared_variable
from svod.ir.uop import UOp

CORE_ID = "core_id"


@dataclass(frozen=True, slots=True)
class Param:
    """One argument of a kernel. Scalars have `slot` -1 and no address space."""

    name: str
    dtype: DType
    slot: int = -1
    space: AddrSpace | None = None
    reads: bool = False
    writes: bool = False
    size: int | None = None
    """Elements of a buffer, where the graph knows them."""
    min: int | float = 0
    max: int | float = 0

    @property
    def is_buffer(self) -> bool:
        return self.slot >= 0


@dataclass(frozen=True, slots=True)
class Metadata:
    """Everything a launch needs to know of a kernel, in one value."""

    params: tuple[Param, ...]
    vars: tuple[UOp, ...]
    globals: tuple[int, ...]
    outs: tuple[int, ...]
    ins: tuple[int, ...]
    global_size: tuple[UOp, UOp, UOp]
    local_size: tuple[UOp, UOp, UOp] | None

    @property
    def var_names(self) -> tuple[str, ...]:
        """Names of the values `execute` takes, in order."""
        return tuple(v.arg.name for v in self.vars)

    @property
    def buffers(self) -> tuple[Param, ...]:
        return tuple(p for p in self.params if p.is_buffer)

    @property
    def scalars(self) -> tuple[Param, ...]:
        return tuple(p for p in self.params if not p.is_buffer)


def describe(ast: UOp) -> Metadata:
    """The metadata of a SINK, LINEAR or THREADS. GraphError where the graph contradicts itself.

    A THREADS has the three sizes of its grid among its scalars, and the bytes of its dynamic shared memory if it has such, whether or not
    anything reads them: a launch needs all of them.
    """
    nodes = ast.toposort()
    if ast.op is Op.THREADS:
        dynamic = any(u.op is Op.DEFINE_LOCAL and u.arg.dynamic for u in nodes)
        hidden = [*map(grid_variable, range(3)), *[shared_variable()] * dynamic]
        nodes += [v for v in hidden if v not in nodes]
    outs, ins = _accesses(nodes)
    buffers = _buffers(nodes, outs, ins)
    variables = _variables(nodes)
    global_size, local_size = _group_sizes(ast) if ast.op is Op.THREADS else _sizes(nodes, variables)
    named = [variables[n] for n in sorted(variables) if n != CORE_ID]
    scalars = [Param(v.arg.name, v.dtype, min=v.arg.min, max=v.arg.max) for v in named]
    return Metadata((*buffers, *scalars), tuple(named), tuple(p.slot for p in buffers), outs, ins, global_size, local_size)


def root_param(pointer: UOp) -> UOp | None:
    """The PARAM behind an INDEX, AFTER or CAST of a pointer; None for memory of the kernel's own."""
    while pointer.op in (Op.INDEX, Op.AFTER, Op.CAST, Op.BITCAST):
        pointer = pointer.src[0]
    return pointer if pointer.op is Op.PARAM else None


def _accesses(nodes: list[UOp]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    outs: set[int] = set()
    ins: set[int] = set()
    for u in nodes:
        if u.op in (Op.LOAD, Op.STORE, Op.ATOMIC) and (p := root_param(u.src[0])) is not None and not p.src:
            if u.op is not Op.LOAD:
                outs.add(p.arg.slot)
            if u.op is not Op.STORE:
                ins.add(p.arg.slot)
    return tuple(sorted(outs)), tuple(sorted(ins))


def _buffers(nodes: list[UOp], outs: tuple[int, ...], ins: tuple[int, ...]) -> list[Param]:
    slots: dict[int, UOp] = {}
    for u in nodes:
        if u.op is not Op.PARAM or u.src:
            continue
        if slots.setdefault(u.arg.slot, u) is not u:
            raise GraphError(f"buffer slot {u.arg.slot} is declared twice, as {slots[u.arg.slot].arg} and as {u.arg}",
                             hint="use one UOp.param for each slot")
    out = []
    for s, u in sorted(slots.items()):
        if not isinstance(u.dtype, PtrDType):
            raise GraphError(f"parameter {u.arg.name!r} is {u.dtype}, not a pointer")
        if s < 0:
            raise GraphError(f"parameter {u.arg.name!r} has slot {s}", hint="slots count from 0")
        out.append(Param(u.arg.name, u.dtype.base, s, u.dtype.space, s in ins, s in outs, u.arg.size))
    return out


def _variables(nodes: list[UOp]) -> dict[str, UOp]:
    found: dict[str, UOp] = {}
    for u in nodes:
        if u.op is not Op.DEFINE_VAR:
            continue
        if (old := found.setdefault(u.arg.name, u)) is not u:
            raise GraphError(f"variable {u.arg.name!r} has bounds [{old.arg.min}, {old.arg.max}] {old.dtype} in one place and "
                             f"[{u.arg.min}, {u.arg.max}] {u.dtype} in another", hint="define it once and use that node")
    return found


def _group_sizes(threads: UOp) -> tuple[tuple[UOp, UOp, UOp], tuple[UOp, UOp, UOp]]:
    x, y, z = (UOp.const(n, dtypes.index) for n in threads.arg.block)
    return (grid_variable(0), grid_variable(1), grid_variable(2)), (x, y, z)


def _sizes(nodes: list[UOp], variables: dict[str, UOp]) -> tuple[tuple[UOp, UOp, UOp], tuple[UOp, UOp, UOp] | None]:
    one = UOp.const(1, dtypes.index)
    extents: dict[SpecialKind, dict[int, UOp]] = {k: {} for k in SpecialKind}
    for u in nodes:
        if u.op is Op.SPECIAL:
            if u.arg.axis not in range(3):
                raise GraphError(f"a {u.arg.kind.value} id has axis {u.arg.axis}", hint="a launch has the axes 0, 1 and 2")
            if extents[u.arg.kind].setdefault(u.arg.axis, u.src[0]) is not u.src[0]:
                raise GraphError(f"two {u.arg.kind.value} ids of axis {u.arg.axis} have different extents")
    direct, local, global_ = (extents[k] for k in (SpecialKind.DIRECT, SpecialKind.LOCAL, SpecialKind.GLOBAL))
    if direct and local:
        raise GraphError("direct and local ids are mixed in one kernel", hint="a kernel counts work items directly or in groups, not both")
    if direct and global_:
        raise GraphError("direct and group ids are mixed in one kernel", hint="a kernel counts work items directly or in groups, not both")
    counted = direct or global_
    size = [counted.get(i, one) for i in range(3)]
    if (core := variables.get(CORE_ID)) is not None:
        if not isinstance(core.arg, VarArg) or core.arg.min != 0 or 0 in counted:
            raise GraphError("core_id must count from 0 and cannot be combined with ids of axis 0")
        size[0] = UOp.const(int(core.arg.max) + 1, dtypes.index)
    locals_ = None if direct else (local.get(0, one), local.get(1, one), local.get(2, one))
    return (size[0], size[1], size[2]), locals_
