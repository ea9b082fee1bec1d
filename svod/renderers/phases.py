"""A program of a work item whose groups wait for one another: what is behind a barrier of the grid is a kernel of its own.

Owns: the split, names of these kernels, the layout of the memory that they have in common. Must not know any language.
Invariants: nothing but memory gets from one phase to the next; a program without such a barrier is one phase, as it is.
"""
from __future__ import annotations

from svod.errors import UnsupportedError
from svod.ir.args import BarrierScope
from svod.ir.clause import LEAVES, executed
from svod.ir.linear_clauses import BRACKETS
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.accesses import root
from svod.renderers.cpu_abi import layout

_OPENS = (Op.RANGE, Op.LOOP, Op.IF)
_CLOSES = (Op.END, Op.ENDLOOP, Op.ENDIF)
_ACCESSES = (Op.LOAD, Op.STORE, Op.ATOMIC)
HINT = "compute it again behind the barrier, or keep it in memory of the launch"


def item_phases(linear: UOp) -> list[list[UOp]]:
    """The instructions between barriers of the grid. UnsupportedError for such a barrier in a loop or branch, and for a value, a register
    or memory of a group that is used on both sides of one."""
    out: list[list[UOp]] = [[]]
    depth = 0
    for u in linear.src:
        depth += (u.op in _OPENS) - (u.op in _CLOSES)
        if u.op is not Op.BARRIER or u.arg is not BarrierScope.GRID:
            out[-1].append(u)
        elif depth:
            raise UnsupportedError("a barrier of the grid in a loop or branch has no form", at=repr(u), hint="put it around the loop")
        else:
            out.append([])
    if len(out) > 1:
        _check_carried(out)
    return out


def _check_carried(phases: list[list[UOp]]) -> None:
    home: dict[UOp, int] = {}
    for k, phase in enumerate(phases):
        done: set[UOp] = set()
        for u in phase:
            for s in () if u.op in BRACKETS else map(executed, u.src):
                needs = map(executed, s.src) if s.op is Op.INDEX else (s,)
                if (lost := next((n for n in needs if n.op not in LEAVES and n not in done), None)) is not None:
                    raise UnsupportedError(f"{u.op.name} uses a value from before a barrier of the grid", at=repr(lost), hint=HINT)
            done.add(u)
        for memory in own_memory(phase):
            if home.setdefault(memory, k) != k:
                what = "a register" if memory.op is Op.DEFINE_REG else "memory of a group"
                raise UnsupportedError(f"{what} is used on both sides of a barrier of the grid", at=memory.arg.name or repr(memory),
                                       hint=HINT)


def own_memory(phase: list[UOp]) -> dict[UOp, None]:
    """The registers and the memory of a group that a phase uses."""
    used = (root(u.src[0]) for u in phase if u.op in _ACCESSES)
    return dict.fromkeys(m for m in used if m.op in (Op.DEFINE_REG, Op.DEFINE_LOCAL))


def group_memory(linear: UOp) -> list[list[UOp]]:
    """For each phase, the arrays of known size that a group shares in it: of one alone, all that are declared."""
    declared = dict.fromkeys(u for u in linear.src if u.op is Op.DEFINE_LOCAL and not u.arg.dynamic)
    parts = item_phases(linear)
    return [[u for u in declared if len(parts) == 1 or u in own_memory(p)] for p in parts]


def phase_names(name: str, count: int) -> list[str]:
    """What the kernels of a program are called."""
    return [name, *(f"{name}_phase{k}" for k in range(2, count + 1))]


def said_phases(linear: UOp) -> str:
    """What the comment on top of a source says of them."""
    count, nbytes = len(item_phases(linear)), scratch(linear)[1]
    many = f", in {count} phases, each behind the one before" if count > 1 else ""
    return f"{many}; {nbytes} bytes of scratch" if nbytes else many


def scratch(linear: UOp) -> tuple[dict[UOp, int], int]:
    """Where each memory that all groups share lies in that of the launch, and how many bytes that has."""
    return layout(linear, Op.DEFINE_SCRATCH)
