"""What thread kernels are made of: the sizes of the grid, the ids, which VALUEs an expression needs, the limits of a group.

Owns: the names of the hidden variables and the shape of the ids. Must not know the clauses (thread_clauses.py) nor how anything runs.
Invariant: the variables and ids made here are the only ones of their kind that the spec THREADS lets through.
"""
from __future__ import annotations

from svod.ir.args import SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp

AXES = "xyz"
MAX_GROUPS = (1 << 31) - 1
"""Groups along one axis of a grid."""
MAX_BLOCK = (1024, 1024, 64)
"""Work items of a group along x, y, z: what every GPU allows."""
MAX_ITEMS = 1024
"""Work items of a group."""
MAX_SUBGROUP = 64
MAX_DYNAMIC = 1 << 20
"""Bytes of dynamic shared memory that a launch may give a group; devices may allow less."""
STATEMENTS = frozenset((
    Op.LET, Op.STORE, Op.BRANCH, Op.FOR, Op.LOOP, Op.BREAK, Op.CONTINUE, Op.RETURN, Op.BARRIER, Op.PRINT, Op.ASSERT,
    Op.MMA))
"""What a BLOCK holds."""
ACTIONS = frozenset((Op.LOAD, Op.ATOMIC, Op.SUBGROUP))
"""What stands as the second operand of a LET only: it happens there, once."""
NOTHING: frozenset[UOp] = frozenset()


def bound_by(statement: UOp) -> tuple[UOp, ...]:
    """The VALUEs that a statement binds: for what comes behind it, or, a FOR, for its BLOCK."""
    if statement.op is Op.MMA:
        return statement.src[:statement.arg.held()[2]]
    return statement.src[:1] if statement.op in (Op.LET, Op.FOR) else ()


def grid_variable(axis: int) -> UOp:
    """The hidden scalar parameter of a thread kernel: how many groups the grid has along `axis` (0 to 2)."""
    return UOp.variable(f"_grid_{AXES[axis]}", 0, MAX_GROUPS)


def block_id(axis: int) -> UOp:
    """The number of the work item's group along `axis` (0 to 2)."""
    return UOp.special(SpecialKind.GLOBAL, axis, grid_variable(axis))


def thread_id(axis: int, block: tuple[int, int, int]) -> UOp:
    """The number of the work item in its group along `axis` (0 to 2); `block` is the shape of the group."""
    return UOp.special(SpecialKind.LOCAL, axis, block[axis])


def thread_number(block: tuple[int, int, int]) -> UOp:
    """The number of the work item in its group, counted with x fastest."""
    x, y, z = (thread_id(axis, block) for axis in range(3))
    return x + block[0] * (y + block[1] * z)


def shared_variable() -> UOp:
    """The hidden scalar parameter of a thread kernel with dynamic shared memory: how many bytes of it a launch gives each group."""
    return UOp.variable("_shared_bytes", 0, MAX_DYNAMIC)


def needed_values(u: UOp) -> frozenset[UOp]:
    """The VALUEs that an expression is computed from."""
    if (hit := u.cache.get("values")) is not None:
        return hit  # type: ignore[no-any-return]
    for x in u.uncached("values"):
        parts = [p for s in x.src if (p := s.cache["values"])]
        own = frozenset((x,)) if x.op is Op.VALUE else NOTHING
        x.cache["values"] = parts[0] if len(parts) == 1 and not own else own.union(*parts)
    return u.cache["values"]  # type: ignore[no-any-return]
