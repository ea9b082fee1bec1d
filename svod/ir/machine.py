"""The instructions of a LINEAR program as Python closures over a frame: a list with one place for each value and memory.

Owns: `compile_linear`, what each instruction does to a frame, the check of every address. Must not know launches (interp.py).
Invariant: a closure reads and writes the places of its own nodes only, so one compiled program serves any number of frames at once.
Blocks are plain functions while nothing in them waits for another work item; a block with a GROUP barrier will have to be a generator.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.dtype import PtrDType, dtypes
from svod.errors import ArgumentError, UnsupportedError
from svod.ir.args import AtomicKind, BarrierScope, SpecialKind
from svod.ir.clause import LEAVES, executed
from svod.ir.message import LINEAR_OPERANDS, Assertion, filled, numbered, word, write_line
from svod.ir.ops import Op
from svod.ir.semantics import PURE, literal, meaning, storage
from svod.ir.uop import UOp

Frame = list[Any]
Step = Callable[[Frame], bool | None]
"""What an instruction does. True: a BREAK holds, so the blocks it stands in are left, up to the innermost LOOP."""
Update = Callable[[Any, Any, Any], Any]
"""From the old value of an element, the operand, and what was expected, to its new value."""
Wrap = Callable[[tuple[Step, ...], bool], Step]
"""From the steps of a block, and whether a BREAK in it leaves it, to what executes them."""
Fail = Callable[[Any, int], ArgumentError]
ATOMICS = {AtomicKind.ADD: Op.ADD, AtomicKind.MIN: Op.MIN, AtomicKind.MAX: Op.MAX, AtomicKind.AND: Op.AND, AtomicKind.OR: Op.OR,
           AtomicKind.XOR: Op.XOR}


@dataclass
class Code:
    """A compiled program. `frame` is the start of every frame: constants filled in, everything else None."""

    name: str
    phases: list[tuple[Step, ...]] = field(default_factory=list)
    frame: Frame = field(default_factory=list)
    place: dict[UOp, int] = field(default_factory=dict)
    written: set[UOp] = field(default_factory=set)
    """The memories stored to."""
    by_op: dict[Op, list[tuple[UOp, int]]] = field(default_factory=lambda: {op: [] for op in Op})
    """The nodes of each op with their places in a frame."""


def compile_linear(linear: UOp, name: str = "") -> Code:
    """The program as closures. It must satisfy the spec LINEAR. UnsupportedError for what only thread kernels have."""
    return _Compiler(linear, name).code


@dataclass
class _Open:
    """The steps of an open block. `leaves`: a BREAK in it leaves it."""

    op: Op | None = None
    steps: list[Step] = field(default_factory=list)
    leaves: bool = False


class _Compiler:
    """One pass over the instructions; `blocks` holds the open blocks, the program first."""

    def __init__(self, linear: UOp, name: str) -> None:
        self.code = Code(name)
        self.blocks = [_Open()]
        for u in linear.src:
            self.instruction(u)
        self.code.phases.append(tuple(self.blocks[0].steps))

    def instruction(self, u: UOp) -> None:
        if u.op is Op.BARRIER:
            if u.arg is not BarrierScope.GRID:
                raise UnsupportedError("BARRIER of scope GROUP cannot be interpreted yet", at=repr(u))
            self.code.phases.append(tuple(self.blocks[0].steps))
            self.blocks[0] = _Open()
        elif u.op in (Op.RANGE, Op.IF, Op.LOOP):
            self.blocks.append(_Open(u.op))
        elif u.op is Op.END:
            self.close(_loop(self.at(u.src[1]), [self.at(s) for s in u.src[1].src], u.src[1]))
        elif u.op is Op.ENDIF:
            self.close(_branch(self.at(u.src[0].src[0])))
        elif u.op is Op.ENDLOOP:
            body = tuple(self.blocks.pop().steps)
            self.blocks[-1].steps.append(_endless(body))
        elif u.op is Op.BREAK:
            self.blocks[-1].steps.append(_break(self.at(u.src[0])))
            for block in reversed(self.blocks):
                if block.op is Op.LOOP:
                    break
                block.leaves = True
        elif (step := self.step(u)) is not None:
            self.blocks[-1].steps.append(step)

    def close(self, wrap: Wrap) -> None:
        block = self.blocks.pop()
        self.blocks[-1].steps.append(wrap(tuple(block.steps), block.leaves))

    def at(self, u: UOp) -> int:
        """The place of a node in frames."""
        u = executed(u)
        if (hit := self.code.place.get(u)) is not None:
            return hit
        value = None
        if u.op is Op.CONST:
            one = literal(u.arg.value, u.dtype)
            value = one if u.dtype.lanes == 1 else np.full(u.dtype.lanes, one)
        k = self.code.place[u] = len(self.code.frame)
        self.code.frame.append(value)
        self.code.by_op[u.op].append((u, k))
        return k

    def step(self, u: UOp) -> Step | None:
        """What an instruction that is no bracket does; None for nothing."""
        if u.op in PURE:
            return _pure(u, self.at(u), [self.at(s) for s in u.src])
        if u.op in (Op.LOAD, Op.STORE, Op.ATOMIC):
            return self.access(u)
        if u.op is Op.PRINT:
            return _print(u, [self.at(s) for s in u.src])
        if u.op is Op.ASSERT:
            return _assert(u, [self.at(s) for s in u.src], self.code.name)
        if u.op is Op.SPECIAL:
            if u.arg.kind is SpecialKind.LOCAL:
                raise UnsupportedError("SPECIAL of kind local cannot be interpreted yet", at=repr(u))
            for leaf in (u, *u.src[0].find(Op.DEFINE_VAR)):  # the variables of its extent are evaluated at launch
                self.at(leaf)
        elif u.op in LEAVES:
            self.at(u)
        return None

    def access(self, u: UOp) -> Step:
        index = executed(u.src[0])
        memory = executed(index.src[0])
        gate = self.at(index.src[2]) if len(index.src) == 3 else None
        ramp = index.src[1].op is Op.RAMP and index.src[1].dtype.scalar is dtypes.index
        places = _Access(self.at(memory), self.at(index.src[1]), gate, _failure(u.op, memory, self.code.name), ramp)
        vector = index.src[1].dtype.lanes > 1
        if u.op is Op.LOAD:
            alt = self.at(u.src[1]) if len(u.src) == 2 else None
            return (_load_lanes if vector else _load)(places, self.at(u), alt)
        self.code.written.add(memory)
        if u.op is Op.STORE:
            return (_store_lanes if vector else _store)(places, self.at(u.src[1]))
        expected = self.at(u.src[-1])  # of COMPARE_EXCHANGE; others have none and do not look at it
        return (_atomic_lanes if vector else _atomic)(places, (self.at(u), self.at(u.src[1]), expected), _update(u), literal(0, u.dtype))


@dataclass(frozen=True, slots=True)
class _Access:
    """Places of memory, index and gate, and the error for an index that is out of bounds."""

    memory: int
    index: int
    gate: int | None
    fail: Fail
    ramp: bool
    """The index rises or falls evenly and cannot wrap: its ends tell whether all of it is inside."""

    def checked(self, at: NDArray[Any], size: int) -> NDArray[Any]:
        """The indices `at` of a vector access, all of them below `size` and none negative."""
        if not at.size or (self.ramp and 0 <= at[0] < size and 0 <= at[-1] < size):
            return at
        if at.min() < 0 or at.max() >= size:
            raise self.fail(at[(at < 0) | (at >= size)][0], size)
        return at


def _update(u: UOp) -> Update:
    """What an ATOMIC makes of an element."""
    if u.arg in ATOMICS:
        combine = meaning(ATOMICS[u.arg], u.dtype.scalar, u.dtype.scalar)
        return lambda old, new, expected: combine(old, new)
    if u.arg is AtomicKind.EXCHANGE:
        return lambda old, new, expected: new
    return lambda old, new, expected: new if old.tobytes() == expected.tobytes() else old


def _failure(op: Op, memory: UOp, kernel: str) -> Fail:
    what = f"buffer {memory.arg.name!r}" if memory.op is Op.PARAM else f"{memory.op.name} {memory.arg.name or memory.arg.id!r}"

    def fail(index: Any, size: int) -> ArgumentError:
        return ArgumentError(f"{op.name} at index {index} of {what}, which has {size} elements", at=f"kernel {kernel!r}",
                             hint="pass a buffer that is large enough, or gate the access")
    return fail


# --- control ---------------------------------------------------------------------------------------------------------------------

CHUNK = 4096
"""Loop counters are made this many at a time: NumPy makes a row of them faster than one after the other."""


def counters(start: int, stop: int, kind: np.dtype[Any]) -> Iterable[Any]:
    """The integers from `start` to `stop` as NumPy scalars of `kind`."""
    return np.arange(start, stop, dtype=kind) if stop - start <= CHUNK else _chunks(start, stop, kind)


def _chunks(start: int, stop: int, kind: np.dtype[Any]) -> Iterator[Any]:
    for first in range(start, stop, CHUNK):
        yield from np.arange(first, min(first + CHUNK, stop), dtype=kind)


def _loop(k: int, bounds: list[int], r: UOp) -> Wrap:
    start, stop = bounds
    kind = storage(r.dtype)

    def wrap(body: tuple[Step, ...], leaves: bool) -> Step:
        def step(v: Frame) -> None:
            for i in counters(int(v[start]), int(v[stop]), kind):
                v[k] = i
                for s in body:
                    s(v)

        def leaving(v: Frame) -> bool:
            for i in counters(int(v[start]), int(v[stop]), kind):
                v[k] = i
                if any(s(v) for s in body):
                    return True
            return False
        return leaving if leaves else step
    return wrap


def _branch(condition: int) -> Wrap:
    def wrap(body: tuple[Step, ...], leaves: bool) -> Step:
        def step(v: Frame) -> None:
            if v[condition]:
                for s in body:
                    s(v)

        def leaving(v: Frame) -> bool:
            return bool(v[condition]) and any(s(v) for s in body)
        return leaving if leaves else step
    return wrap


def _endless(body: tuple[Step, ...]) -> Step:
    """The steps again and again, until one of them is a BREAK that holds."""
    def step(v: Frame) -> None:
        while not any(s(v) for s in body):
            pass
    return step


def _break(condition: int) -> Step:
    def step(v: Frame) -> bool:
        return bool(v[condition])
    return step


# --- arithmetic ------------------------------------------------------------------------------------------------------------------

def _pure(u: UOp, k: int, src: list[int]) -> Step:
    if u.op is Op.WHERE and u.dtype.lanes == 1:
        return _select(k, *src)
    fn = meaning(u.op, u.dtype, u.src[0].dtype, u.arg)
    if len(src) == 1:
        a = src[0]

        def one(v: Frame) -> None:
            v[k] = fn(v[a])
        return one
    if len(src) == 2:
        a, b = src

        def two(v: Frame) -> None:
            v[k] = fn(v[a], v[b])
        return two

    def many(v: Frame) -> None:
        v[k] = fn(*[v[s] for s in src])
    return many


def _select(k: int, c: int, a: int, b: int) -> Step:
    def step(v: Frame) -> None:
        v[k] = v[a] if v[c] else v[b]
    return step


# --- messages --------------------------------------------------------------------------------------------------------------------

def _print(u: UOp, places: list[int]) -> Step:
    kinds = [s.dtype for s in u.src]

    def step(v: Frame) -> None:
        write_line(filled(u.arg.text, [word(v[p], t) for p, t in zip(places, kinds, strict=True)]))
    return step


def _assert(u: UOp, places: list[int], kernel: str) -> Step:
    assertion = Assertion.of(u, LINEAR_OPERANDS)
    condition, group, item, *values = places

    def step(v: Frame) -> None:
        if not v[condition]:
            raise assertion.error(kernel, numbered(v[group], v[item]), [v[p] for p in values])
    return step


# --- memory ----------------------------------------------------------------------------------------------------------------------

def _load(x: _Access, k: int, alt: int | None) -> Step:
    m, i, gate, fail = x.memory, x.index, x.gate, x.fail

    def step(v: Frame) -> None:
        memory, at = v[m], v[i]
        if not 0 <= at < memory.size:
            raise fail(at, memory.size)
        v[k] = memory[at]

    def gated(v: Frame) -> None:
        if v[gate]:  # type: ignore[index]  # only chosen where there is a gate
            step(v)
        else:
            v[k] = v[alt]  # type: ignore[index]
    return step if gate is None else gated


def _store(x: _Access, value: int) -> Step:
    m, i, gate, fail = x.memory, x.index, x.gate, x.fail

    def step(v: Frame) -> None:
        if gate is None or v[gate]:
            memory, at = v[m], v[i]
            if not 0 <= at < memory.size:
                raise fail(at, memory.size)
            memory[at] = v[value]
    return step


def _atomic(x: _Access, places: tuple[int, int, int], update: Update, zero: Any) -> Step:
    m, i, gate, fail = x.memory, x.index, x.gate, x.fail
    k, value, expected = places

    def step(v: Frame) -> None:
        v[k] = zero
        if gate is None or v[gate]:
            memory, at = v[m], v[i]
            if not 0 <= at < memory.size:
                raise fail(at, memory.size)
            v[k] = old = memory[at]
            memory[at] = update(old, v[value], v[expected])
    return step


def _load_lanes(x: _Access, k: int, alt: int | None) -> Step:
    def step(v: Frame) -> None:
        memory, at = v[x.memory], v[x.index]
        if x.gate is None:
            v[k] = memory[x.checked(at, memory.size)]
            return
        gate, value = v[x.gate], np.array(v[alt])  # type: ignore[index]  # a gated LOAD has one
        value[gate] = memory[x.checked(at[gate], memory.size)]
        v[k] = value
    return step


def _store_lanes(x: _Access, value: int) -> Step:
    def step(v: Frame) -> None:
        memory, at, new = v[x.memory], v[x.index], v[value]
        if x.gate is not None:
            at, new = at[v[x.gate]], new[v[x.gate]]
        memory[x.checked(at, memory.size)] = new
    return step


def _atomic_lanes(x: _Access, places: tuple[int, int, int], update: Update, zero: Any) -> Step:
    k, value, expected = places

    def step(v: Frame) -> None:
        memory, at, new, seen = v[x.memory], v[x.index], v[value], v[expected]
        lanes = np.arange(at.size) if x.gate is None else np.flatnonzero(v[x.gate])
        x.checked(at[lanes], memory.size)
        v[k] = old = np.full(at.size, zero)
        for lane in lanes:  # one after the other: lanes may name one element
            old[lane] = memory[at[lane]]
            memory[at[lane]] = update(old[lane], new[lane], seen[lane])
    return step


# --- memories ------------------------------------------------------------------------------------------------------------------

def fresh(memory: UOp) -> NDArray[Any]:
    """The contents that memory of a kernel's own starts with: undefined, so NaN, -1 or True, which reading by mistake does not hide."""
    base = memory.dtype.base if isinstance(memory.dtype, PtrDType) else memory.dtype
    kind = storage(base)
    if base.is_bool:
        return np.ones(memory.arg.size, kind)
    if base.is_float:
        return np.full(memory.arg.size, literal(float("nan"), base))
    return np.full(memory.arg.size * kind.itemsize, 0xFF, np.uint8).view(kind)
