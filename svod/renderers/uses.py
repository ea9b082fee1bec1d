"""Where the values of a linear program are computed and used: which of them need a name, and where it must be declared.

Owns: that analysis. Must not know any language.
Invariants: a value is nested into its use only if it is computed once and used once, in one block; a value that is computed again, or used
outside of the block that computes it, is declared at the top of the function.
"""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from svod.ir.bounds import interval
from svod.ir.ops import MEMORIES, Op
from svod.ir.scope import free_ranges
from svod.ir.semantics import PURE
from svod.ir.uop import UOp
from svod.renderers.accesses import contiguous, is_lane_mask, plain, root

_OPENS = frozenset((Op.RANGE, Op.LOOP, Op.IF))
_CLOSES = frozenset((Op.END, Op.ENDLOOP, Op.ENDIF))
_LEAVES = MEMORIES | {Op.CONST, Op.DEFINE_VAR}

COPIES = 1024
"""Of a loop's body that unrolling may make, also of loops inside of each other."""


@dataclass
class Uses:
    """`once`: values that may be nested into their only use. `outside`: values that are declared at the top. `used`: all that are used."""

    used: set[UOp] = field(default_factory=set)
    once: set[UOp] = field(default_factory=set)
    outside: set[UOp] = field(default_factory=set)


def constant_vector(u: UOp) -> bool:
    """A vector made of constants."""
    return (u.op is Op.BROADCAST and u.src[0].op is Op.CONST) or (u.op is Op.RAMP and all(s.op is Op.CONST for s in u.src))


def operands(u: UOp, whole: set[UOp]) -> list[UOp]:
    """The values an instruction evaluates: of an access the base of its address, not the ramp; memories and constants are none."""
    if u.op in (Op.END, Op.ENDIF, Op.INDEX, Op.GROUP, Op.SPECIAL):
        return []
    if u.op in (Op.LOAD, Op.STORE, Op.ATOMIC):
        found = [*_address(u.src[0], whole), *u.src[1:]]
    elif is_lane_mask(u):
        found = [u.src[0].src[0], u.src[1].src[0]]
    else:
        found = list(u.src)
    return [s for s in map(plain, found) if s.op not in _LEAVES and not constant_vector(s)]


def _address(index: UOp, whole: set[UOp]) -> list[UOp]:
    if root(index) in whole:
        return []
    i = index.src[1]
    return [i.src[0] if contiguous(index) is not None else i, *index.src[2:]]


def uses_of(instructions: list[UOp], whole: set[UOp]) -> Uses:
    """The uses in one function body."""
    computed = Counter(u for u in instructions)
    count: Counter[UOp] = Counter()
    home: dict[UOp, tuple[int, ...]] = {}
    result, path, blocks = Uses(), [0], 0
    nested: dict[UOp, bool] = {}
    for u in instructions:
        if u.op in _CLOSES:
            path.pop()
            continue
        here = tuple(path)
        for s in operands(u, whole):
            count[s] += 1
            at = home.get(s)
            if at is None or here[:len(at)] != at:
                result.outside.add(s)
            nested[s] = nested.get(s, True) and at == here
        if u.op in _OPENS:
            blocks += 1
            path.append(blocks)
        home[u] = tuple(path) if u.op is Op.RANGE else here
    result.used = set(count)
    result.outside |= {u for u, n in computed.items() if n > 1 and u in result.used}
    result.outside = {u for u in result.outside if u.op not in _OPENS}
    result.once = {u for u, n in count.items() if n == 1 and nested[u] and u not in result.outside}
    return result


def needed(instructions: list[UOp]) -> list[UOp]:
    """Without pure instructions that nothing needs: ids know the sizes of a launch, and do not need them."""
    out: list[UOp] = []
    used: set[UOp] = set()
    for u in reversed(instructions):
        if u.op not in PURE or u in used:
            out.append(u)
            used.update(operands(u, set()))
    return out[::-1]


def unrolled(instructions: list[UOp], whole: set[UOp]) -> set[UOp]:
    """The RANGEs that have to be unrolled for an array of a work item to lie in registers, which cannot be indexed; few iterations each."""
    arrays = {r for u in instructions if u.op in (Op.LOAD, Op.STORE) and _own(u.src[0], whole) for r in free_ranges(u.src[0].src[1])}
    out, copies = set(), [1]
    for u in instructions:
        if u.op is Op.RANGE:
            start, stop = (interval(s) for s in u.src)
            trips = int(stop[1] - start[0]) if start[0] == start[1] and stop[0] == stop[1] else COPIES + 1
            if u in arrays and trips * copies[-1] <= COPIES:
                out.add(u)
            copies.append(copies[-1] * trips if u in out else copies[-1])
        elif u.op is Op.END:
            copies.pop()
    return out


def _own(address: UOp, whole: set[UOp]) -> bool:
    """Whether an access is to an array of the work item's own."""
    memory = root(address)
    return memory.op is Op.DEFINE_REG and memory not in whole
