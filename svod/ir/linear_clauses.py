"""The clauses about LINEAR programs: the order of instructions, loops and branches as brackets, phases.

Owns: what makes a list of instructions executable from top to bottom. Must not know how they got there, nor targets.
Invariant: a program that passes can be executed without meeting a value that was not computed before, in a block still open.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from svod.dtype import dtypes
from svod.ir.args import BarrierScope
from svod.ir.clause import LEAVES, clause, executed
from svod.ir.message import LINEAR_OPERANDS
from svod.ir.ops import Op
from svod.ir.semantics import PURE
from svod.ir.uop import UOp

INSTRUCTIONS = LEAVES | PURE | {
    Op.SPECIAL, Op.RANGE, Op.END, Op.LOOP, Op.ENDLOOP, Op.BREAK, Op.IF, Op.ENDIF, Op.INDEX, Op.LOAD, Op.STORE,
    Op.ATOMIC, Op.BARRIER, Op.GROUP, Op.PRINT, Op.ASSERT, Op.MMA, Op.SUBGROUP}
"""What may stand in a LINEAR program. A GROUP does nothing there."""


BRACKETS = frozenset((Op.END, Op.ENDIF, Op.ENDLOOP, Op.BARRIER, Op.GROUP))
"""Instructions whose operands say what they belong to, and are not values."""


@dataclass(frozen=True, slots=True)
class Block:
    """An open stretch of instructions: the program (`opened_by` None), a loop (its RANGE or LOOP), a branch (its IF)."""

    opened_by: UOp | None
    done: set[UOp] = field(default_factory=set)


def walk(linear: UOp) -> Iterator[tuple[UOp, list[Block]]]:
    """Each instruction with the blocks open before it, outermost first. Brackets that do not match are passed over."""
    blocks = [Block(None)]
    for u in linear.src:
        yield u, blocks
        if u.op is Op.BARRIER and u.arg is BarrierScope.GRID and len(blocks) == 1:
            blocks[0].done.clear()
        elif u.op in (Op.RANGE, Op.IF, Op.LOOP):
            blocks.append(Block(u, {u}))
        elif u.op is Op.ENDLOOP:
            if (opened := blocks[-1].opened_by) is not None and opened.op is Op.LOOP:
                blocks.pop()
        elif u.op in (Op.END, Op.ENDIF):
            if len(blocks) > 1 and blocks[-1].opened_by is u.src[-1]:
                blocks.pop()
        else:
            blocks[-1].done.add(u)


@clause(Op.LINEAR)
def only_instructions(u: UOp) -> str | None:
    """A linear program holds leaves, arithmetic, accesses, loops, branches and barriers; no REDUCE, no AFTER, no SINK."""
    bad = next((s for s in u.src if s.op not in INSTRUCTIONS), None)
    return None if bad is None else f"{bad.op.name} is no instruction"


@clause(Op.LINEAR)
def operands_come_first(u: UOp) -> str | None:
    """Every operand is computed before its user, in a block that is still open and after the last GRID barrier; leaves and addresses need
    not be listed."""
    for instruction, blocks in walk(u):
        if instruction.op in BRACKETS:
            continue
        for s in map(executed, instruction.src):
            needs = map(executed, s.src) if s.op is Op.INDEX else (s,)
            if (lost := next((n for n in needs if n.op not in LEAVES and not any(n in b.done for b in blocks)), None)) is not None:
                return f"{instruction.op.name} uses {lost!r} where it is not computed"
    return None


@clause(Op.LINEAR)
def loops_close_in_order(u: UOp) -> str | None:
    """RANGE opens a loop that is not open yet; END closes exactly the loop or branch opened last; none is left open."""
    blocks: list[Block] = []
    for instruction, blocks in walk(u):
        opened = [b.opened_by for b in blocks]
        if instruction.op is Op.RANGE and instruction in opened:
            return f"{instruction!r} is opened inside itself"
        if instruction.op is Op.END and (len(instruction.src) != 2 or instruction.src[1] is not opened[-1]):
            return f"END of {', '.join(map(repr, instruction.src[1:])) or 'nothing'} where {_words(blocks[-1])} is open"
    return _left_open(blocks, Op.RANGE)


@clause(Op.LINEAR)
def branches_nest(u: UOp) -> str | None:
    """IF opens a branch and ENDIF closes the one opened last, by naming its IF; none is left open."""
    blocks: list[Block] = []
    for instruction, blocks in walk(u):
        if instruction.op is Op.ENDIF and instruction.src[0] is not blocks[-1].opened_by:
            return f"ENDIF of {instruction.src[0]!r} where {_words(blocks[-1])} is open"
    return _left_open(blocks, Op.IF)


@clause(Op.LINEAR)
def endless_loops_nest(u: UOp) -> str | None:
    """LOOP, without operands, opens a loop that ENDLOOP closes if it was opened last; BREAK, on a condition, stands inside a LOOP, also
    inside loops and branches in it, and leaves the innermost one; none is left open."""
    blocks: list[Block] = []
    for instruction, blocks in walk(u):
        opened = [b.opened_by.op for b in blocks if b.opened_by is not None]
        if instruction.op is Op.LOOP and instruction.src:
            return "a LOOP of a BLOCK"
        if instruction.op is Op.ENDLOOP and opened[-1:] != [Op.LOOP]:
            return f"ENDLOOP where {_words(blocks[-1])} is open"
        if instruction.op is Op.BREAK and Op.LOOP not in opened:
            return "BREAK outside a LOOP"
        if instruction.op is Op.BREAK and not instruction.src:
            return "BREAK without a condition"
    return _left_open(blocks, Op.LOOP)


def _left_open(blocks: list[Block], op: Op) -> str | None:
    return next((f"{b.opened_by!r} is never closed" for b in reversed(blocks) if b.opened_by is not None and b.opened_by.op is op), None)


def _words(block: Block) -> str:
    return "nothing" if block.opened_by is None else repr(block.opened_by)


@clause(Op.LINEAR)
def grid_barriers_are_on_top(u: UOp) -> str | None:
    """A GRID barrier ends a phase of the whole program, so it stands in no loop and no branch."""
    for instruction, blocks in walk(u):
        if instruction.op is Op.BARRIER and instruction.arg is BarrierScope.GRID and len(blocks) > 1:
            return f"a GRID barrier inside {blocks[-1].opened_by!r}"
    return None


@clause(Op.IF, Op.BREAK)
def condition_is_bool(u: UOp) -> str | None:
    """The condition of an IF, and of a BREAK, is a scalar bool."""
    return None if not u.src or u.src[0].dtype is dtypes.bool else f"{u.op.name} of {u.src[0].dtype}"


@clause(Op.PRINT, Op.ASSERT, hint="work items print and check one by one: take the lanes of a vector apart")
def messages_are_of_one_item(u: UOp) -> str | None:
    """A PRINT, and an ASSERT behind its condition, a bool, and the numbers of the group and of the work item in it, integers, has a scalar
    number or bool for each {} of its text."""
    before = LINEAR_OPERANDS if u.op is Op.ASSERT else 0
    head, values = [s.dtype for s in u.src[:before]], u.src[before:]
    if len(head) < before or (head and (head[0] is not dtypes.bool or not all(t.is_int and t.lanes == 1 for t in head[1:]))):
        return f"ASSERT of {' and '.join(map(str, head))}"
    if (bad := next((s for s in values if s.dtype is dtypes.void or s.dtype.lanes > 1), None)) is not None:
        return f"{u.op.name} of {bad.dtype}"
    holes = u.arg.text.count("{}")
    return None if holes == len(values) else f"a message with {holes} {{}} for {len(values)} values"
