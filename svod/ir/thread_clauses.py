"""The clauses about thread kernels: statements in blocks, values bound once and used in scope, jumps inside loops, ids, exchanges.

Owns: what a well-formed THREADS is, beyond types and memory (kernel_clauses.py). Must not know how it runs, nor targets.
Invariant: a kernel that passes can be executed without meeting a value that was not bound, or a jump that has no loop.
"""
from __future__ import annotations

from collections.abc import Iterator

from svod.dtype import PtrDType, dtypes
from svod.ir.args import BarrierScope, SpecialKind, SubgroupKind
from svod.ir.clause import LEAVES, clause
from svod.ir.kernel_clauses import CORE_ID
from svod.ir.ops import MEMORIES, REDUCTIONS, Op
from svod.ir.semantics import PURE, VECTOR_OPS, reduces
from svod.ir.threads import ACTIONS, AXES, MAX_BLOCK, MAX_GROUPS, MAX_ITEMS, MAX_SUBGROUP, STATEMENTS, bound_by, grid_variable
from svod.ir.threads import needed_values as needed
from svod.ir.uop import UOp

THREAD_OPS = (LEAVES - {Op.DEFINE_SCRATCH}) | (PURE - VECTOR_OPS) | STATEMENTS | ACTIONS | {
    Op.SPECIAL, Op.VALUE, Op.INDEX, Op.BLOCK, Op.THREADS}
_BLOCKS = {Op.THREADS: (0,), Op.BRANCH: (1, 2), Op.FOR: (4,), Op.LOOP: (0,)}
"""Which operands of a statement are BLOCKs."""
_ACCESSES = frozenset((Op.LOAD, Op.STORE, Op.ATOMIC))
_WITH_LANE = frozenset((SubgroupKind.SHUFFLE, SubgroupKind.UP, SubgroupKind.DOWN, SubgroupKind.XOR))
_VOTES = {SubgroupKind.ANY: dtypes.bool, SubgroupKind.ALL: dtypes.bool, SubgroupKind.BALLOT: dtypes.u64}
_COMBINES = frozenset((SubgroupKind.REDUCE, SubgroupKind.INCLUSIVE, SubgroupKind.EXCLUSIVE))


@clause(hint="a thread kernel is made of statements in BLOCKs, arithmetic, accesses, ids and VALUEs; loops are FOR and LOOP, not RANGE")
def ops_of_a_thread_kernel(u: UOp) -> str | None:
    """A thread kernel is made of leaves, arithmetic on scalars, accesses, ids, VALUEs and statements; no vectors, no RANGE, no REDUCE."""
    if u.op not in THREAD_OPS:
        return f"{u.op.name} has no place in a thread kernel"
    return f"{u.op.name} of the vector {u.dtype}" if u.dtype.lanes > 1 else None


@clause(hint="a statement stands in a BLOCK; BLOCKs are operands of THREADS, BRANCH, FOR and LOOP only, and do not nest in one another")
def statements_stand_in_blocks(u: UOp) -> str | None:
    """BLOCKs hold statements only; THREADS, BRANCH, FOR and LOOP hold BLOCKs where the op table says so, and nothing else does."""
    if u.op is Op.BLOCK:
        bad = next((s for s in u.src if s.op not in STATEMENTS), None)
        return None if bad is None else f"{bad.op.name} of {bad.dtype} is no statement"
    blocks = _BLOCKS.get(u.op, ())
    if u.op is Op.LOOP and not u.src:
        return "a LOOP without a BLOCK"
    for k, s in enumerate(u.src):
        if (s.op is Op.BLOCK) != (k in blocks):
            return f"operand {k} of {u.op.name} is {s.op.name}"
        if s.op in STATEMENTS or s.op is Op.THREADS:
            return f"the statement {s.op.name} is an operand of {u.op.name}"
    return None


@clause(hint="bind it first: LET(VALUE, LOAD(...)), then use the VALUE; memory is used through LOAD, STORE and ATOMIC of an INDEX")
def actions_are_bound(u: UOp) -> str | None:
    """LOAD, ATOMIC and SUBGROUP stand only as the second operand of a LET, an INDEX only in an access, memory only in an INDEX."""
    for k, s in enumerate(u.src):
        if s.op in ACTIONS and not (u.op is Op.LET and k == 1):
            return f"{s.op.name} is an operand of {u.op.name}"
        if (s.op is Op.INDEX and not (u.op in _ACCESSES and k == 0)) or (s.op in MEMORIES and not (u.op is Op.INDEX and k == 0)):
            return f"{s.op.name} of {s.dtype} is an operand of {u.op.name}"
    return None


@clause(Op.VALUE, hint="a VALUE has the dtype of what its LET binds: a number or a bool")
def value_is_a_number(u: UOp) -> str | None:
    """A VALUE is a scalar number or bool; its name is an identifier or none."""
    if isinstance(u.dtype, PtrDType) or u.dtype.scalar is dtypes.void:
        return f"a VALUE of {u.dtype}"
    return None if not u.arg.name or u.arg.name.isidentifier() else f"the name {u.arg.name!r} of a VALUE"


@clause(Op.LET, hint="the VALUE takes the dtype of the expression: UOp(Op.VALUE, (), ValueArg(id, name), expr.dtype)")
def let_fits(u: UOp) -> str | None:
    """LET binds a VALUE to an expression of the same dtype."""
    value, expr = u.src
    if value.op is not Op.VALUE:
        return f"LET binds {value.op.name}"
    return None if value.dtype is expr.dtype else f"LET binds a VALUE of {value.dtype} to {expr.op.name} of {expr.dtype}"


@clause(Op.BRANCH, Op.ASSERT, hint="compare it: x.ne(0)")
def conditions_are_bool(u: UOp) -> str | None:
    """The condition of a BRANCH and of an ASSERT is a bool."""
    return None if u.src[0].dtype is dtypes.bool else f"{u.op.name} on {u.src[0].dtype}"


@clause(Op.FOR, hint="cast the bounds to the dtype of the VALUE; a step of 0 would never arrive")
def for_counts_integers(u: UOp) -> str | None:
    """FOR binds a VALUE of an integer dtype; start, stop and step have that dtype too, and a literal step is not 0."""
    value, *bounds = u.src[:4]
    if value.op is not Op.VALUE or not value.dtype.is_int:
        return f"FOR binds {value.op.name} of {value.dtype}"
    if (bad := next((b for b in bounds if b.dtype is not value.dtype), None)) is not None:
        return f"FOR over {value.dtype} with a bound or step of {bad.dtype}"
    return "FOR with a step of 0" if bounds[2].op is Op.CONST and bounds[2].arg.value == 0 else None


@clause(Op.BREAK, Op.BARRIER, hint="these take no operand in a thread kernel: the condition is a BRANCH around it, the scope is the group")
def jumps_take_no_operand(u: UOp) -> str | None:
    """BREAK has no condition, BARRIER waits for the group and holds nothing."""
    if u.op is Op.BARRIER and u.arg is not BarrierScope.GROUP:
        return f"a BARRIER of scope {u.arg.value}"
    return f"{u.op.name} of {u.src[0].op.name}" if u.src else None


@clause(Op.SUBGROUP, hint="SHUFFLE, UP, DOWN and XOR take a value and an integer; votes take a bool; REDUCE and scans name a reduction op")
def subgroup_fits(u: UOp) -> str | None:
    """A SUBGROUP has a power of two up to 64 as width, the operands of its kind, and the dtype of its value (a vote: bool, BALLOT: u64)."""
    kind, width, op = u.arg.kind, u.arg.width, u.arg.op
    value = u.src[0].dtype
    if not 1 <= width <= MAX_SUBGROUP or width & (width - 1):
        return f"a SUBGROUP of width {width}"
    if (len(u.src) == 2) != (kind in _WITH_LANE) or (len(u.src) == 2 and not u.src[1].dtype.is_int):
        return f"SUBGROUP {kind.value} of {' and '.join(str(s.dtype) for s in u.src)}"
    if kind in _VOTES and not value.is_bool:
        return f"SUBGROUP {kind.value} of {value}"
    if (op is not None) != (kind in _COMBINES) or (op is not None and (op not in REDUCTIONS or not reduces(op, value))):
        return f"SUBGROUP {kind.value} of {value} by {op.name if isinstance(op, Op) else op}"
    wanted = _VOTES.get(kind, value)
    return None if u.dtype is wanted else f"SUBGROUP {kind.value} of {value} is {u.dtype}"


@clause(Op.MMA, hint="svod.lang.mma makes one: its description says how many values each work item gives of what")
def mma_fits(u: UOp) -> str | None:
    """An MMA binds as many VALUEs as it is given sums, of their dtype; the values of a are of one dtype, and so are those of b."""
    if u.arg.layout == "rows" and ((u.arg.m, u.arg.n) != (16, 16) or u.arg.width not in (16, 32, 64) or u.arg.k not in (16, 32)):
        return f"an MMA of {u.arg.m} x {u.arg.n} x {u.arg.k} by {u.arg.width} work items"
    left, right, sums = u.arg.held()
    if len(u.src) != left + right + 2 * sums:
        return f"an MMA with {len(u.src)} operands, not {left + right + 2 * sums}"
    kinds = [{s.dtype for s in u.src[sums:][:left]}, {s.dtype for s in u.src[sums + left:][:right]},
             {s.dtype for s in (*u.src[:sums], *u.src[-sums:])}]
    if any(s.op is not Op.VALUE for s in u.src[:sums]):
        return "an MMA that binds no VALUEs"
    return None if all(len(kind) == 1 for kind in kinds) else f"an MMA of {', '.join(sorted(str(s.dtype) for s in u.src))}"


@clause(Op.PRINT, Op.ASSERT, hint="write one {} for each value")
def message_fits(u: UOp) -> str | None:
    """A message has a {} for each value, which is a number or a bool."""
    values = u.src[u.op is Op.ASSERT:]
    bad = next((v for v in values if v.dtype.scalar is dtypes.void), None)
    if bad is not None:
        return f"{u.op.name} of {bad.dtype}"
    holes = u.arg.text.count("{}")
    return None if holes == len(values) else f"a message with {holes} {{}} for {len(values)} values"


@clause(Op.THREADS, hint=f"use a smaller group: at most {MAX_ITEMS} work items, at most {' x '.join(map(str, MAX_BLOCK))}")
def group_fits(u: UOp) -> str | None:
    """A group has from 1 to 1024 work items along x and y, to 64 along z, and at most 1024 in all; a subgroup a power of two up to 64."""
    x, y, z = u.arg.block
    if not all(type(n) is int and 1 <= n <= most for n, most in zip((x, y, z), MAX_BLOCK, strict=True)) or x * y * z > MAX_ITEMS:
        return f"a group of {x} x {y} x {z} work items"
    width = u.arg.subgroup
    if not 1 <= width <= MAX_SUBGROUP or width & (width - 1):
        return f"a subgroup of {width} work items"
    wide = next((s for s in u.find(Op.SUBGROUP, Op.MMA) if s.arg.width > width), None)
    if wide is None:
        return None
    return f"{'an MMA' if wide.op is Op.MMA else 'a SUBGROUP'} of width {wide.arg.width} where a subgroup has {width} work items"


@clause(Op.THREADS, hint="svod.ir.threads.block_id(axis) and thread_id(axis, block) make the ids")
def ids_are_of_the_launch(u: UOp) -> str | None:
    """GLOBAL ids are below _grid_x, _grid_y or _grid_z, LOCAL ids below the literal size of the group; there are no DIRECT ids."""
    for s in u.find(Op.SPECIAL):
        kind, axis = s.arg.kind, s.arg.axis
        if kind is SpecialKind.DIRECT:
            return "a direct id in a thread kernel"
        wanted = grid_variable(axis) if kind is SpecialKind.GLOBAL else UOp.const(u.arg.block[axis], dtypes.index)
        if s.src[0] is not wanted:
            return f"the {kind.value} id of axis {axis} below {s.src[0]!r}"
    return None


@clause(Op.DEFINE_VAR, hint="choose another name; the size of the grid is svod.ir.threads.grid_variable(axis)")
def hidden_variables_agree(u: UOp) -> str | None:
    """The variables _grid_x, _grid_y and _grid_z are indices from 0 to 2**31 - 1; no variable is called core_id."""
    name = u.arg.name
    if name == CORE_ID:
        return f"the variable {name!r} in a thread kernel"
    if name not in ("_grid_x", "_grid_y", "_grid_z") or u is grid_variable(AXES.index(name[-1])):
        return None
    return f"the variable {name!r} of {u.dtype} from {u.arg.min} to {u.arg.max}, not an index from 0 to {MAX_GROUPS}"


@clause(Op.THREADS, hint="give every LET and FOR a VALUE with an id of its own; a variable that changes is a DEFINE_REG")
def values_are_bound_once(u: UOp) -> str | None:
    """One LET, FOR or MMA binds a VALUE; one id is one VALUE."""
    binder: dict[int, UOp] = {}
    known: dict[int, UOp] = {}
    for n in u.toposort():
        if n.op is Op.VALUE and known.setdefault(n.arg.id, n) is not n:
            return f"the VALUE {n.arg.id} is declared twice: {known[n.arg.id]!r} and {n!r}"
        for v in bound_by(n):
            if v.op is Op.VALUE and binder.setdefault(v.arg.id, n) is not n:
                return f"the VALUE {v.arg.id} {v.arg.name!r} is bound twice"
    return None


@clause(Op.THREADS, hint="bind it earlier, in this BLOCK or in one around it; what leaves a loop or a branch goes through a DEFINE_REG")
def values_are_in_scope(u: UOp) -> str | None:
    """A VALUE is used after its LET or MMA in the same BLOCK or in BLOCKs inside it, or inside the FOR that binds it."""
    for statement, bound, _ in walk(u):
        for s in statement.src[len(bound_by(statement)):]:
            if s.op is not Op.BLOCK and (lost := needed(s) - bound):
                first = min(lost, key=lambda v: int(v.arg.id))
                return f"{statement.op.name} uses the VALUE {first.arg.id} {first.arg.name!r} where it is not bound"
    return None


@clause(Op.THREADS, hint="BREAK and CONTINUE stand inside a FOR or a LOOP; RETURN ends the work item")
def jumps_stand_in_loops(u: UOp) -> str | None:
    """BREAK and CONTINUE stand inside a FOR or LOOP."""
    bad = next((s for s, _, looped in walk(u) if s.op in (Op.BREAK, Op.CONTINUE) and not looped), None)
    return None if bad is None else f"{bad.op.name} outside a loop"


def walk(threads: UOp) -> Iterator[tuple[UOp, set[UOp], bool]]:
    """Each statement with the VALUEs bound before it, and whether it is inside a loop. A BLOCK met twice is walked twice."""
    stack: list[tuple[Iterator[UOp], set[UOp], bool]] = []

    def enter(block: UOp, bound: set[UOp], looped: bool) -> None:
        if block.op is Op.BLOCK:
            stack.append((iter(block.src), bound, looped))
    enter(threads.src[0], set(), False)
    while stack:
        statements, bound, looped = stack[-1]
        if (s := next(statements, None)) is None:
            stack.pop()
            continue
        yield s, bound, looped
        if s.op is not Op.FOR:
            bound.update(bound_by(s))
        for k in reversed(_BLOCKS.get(s.op, ())[:len(s.src)]):
            inside = bound | {s.src[0]} if s.op is Op.FOR else set(bound)
            enter(s.src[k], inside, looped or s.op in (Op.FOR, Op.LOOP))
