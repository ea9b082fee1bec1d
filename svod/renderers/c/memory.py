"""Accesses to memory in C: LOAD, STORE, ATOMIC.

Owns: how an address and its lanes are spelled. Must not know blocks.
Invariant: an access touches only the elements whose gate is true, and none beside its lanes.
"""
from __future__ import annotations

from typing import NamedTuple

from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.accesses import contiguous, root
from svod.renderers.c.dialect import held, mask_of
from svod.renderers.c.elementwise import as_mask, converted
from svod.renderers.c.function import FLAGS, HANDLERS, Body
from svod.renderers.expr import ATOM, CHOICE, LESS, MEMORY, PLUS, UNARY, Expr

_FETCH = {AtomicKind.ADD: "add", AtomicKind.AND: "and", AtomicKind.OR: "or", AtomicKind.XOR: "xor"}


class _Place(NamedTuple):
    """Where an access goes: the memory, the index (of its first element, or a vector of them), the gate; `step` of contiguous lanes."""

    memory: str
    at: Expr
    gate: Expr | None
    step: int | None
    reads: frozenset[str]

    def element(self) -> str:
        """One element."""
        return f"{self.memory}[{self.at.text}]"

    def pointer(self, offset: int = 0) -> str:
        """The address of an element."""
        if offset:
            return f"{self.memory} + {self.at.at(PLUS)} - {-offset}"
        return self.memory if self.at.text == "0" else f"{self.memory} + {self.at.at(PLUS)}"


def _class(body: Body, index: UOp) -> str:
    """What a write through an INDEX can change: a variable of ours, or memory."""
    m = root(index)
    return body.value(m).text if m.op is Op.DEFINE_REG else MEMORY


def _place(body: Body, index: UOp) -> _Place:
    i, step = index.src[1], contiguous(index)
    base = i.src[0] if step is not None else i
    at = Expr(str(base.arg.value)) if base.op is Op.CONST else body.value(base)
    gate = body.value(index.src[2]) if len(index.src) == 3 else None
    reads = at.reads | (gate.reads if gate is not None else frozenset())
    return _Place(body.value(index.src[0]).at(ATOM), at, gate, step, reads)


def load(body: Body, u: UOp) -> None:
    """LOAD: a variable of ours, an element, or lanes."""
    index, memory = u.src[0], root(u.src[0])
    name = body.value(memory).text
    if memory in body.whole:
        e = Expr(name, reads=frozenset((name,)), mask=FLAGS if u.dtype.is_bool and u.dtype.lanes > 1 else 0)
        body.define(u, e, name=f"{name}_")
        return
    place = _place(body, index)
    other = body.value(u.src[1]) if place.gate is not None else None
    reads = place.reads | {_class(body, index)} | (other.reads if other is not None else frozenset())
    if index.src[1].dtype.lanes > 1:
        e = _lanes(body, u, place, other)
    elif place.gate is not None and other is not None:
        e = Expr(f"{place.gate.at(CHOICE + 1)} ? {place.element()} : {other.at(CHOICE)}", CHOICE)
    else:
        e = Expr(place.element())
    body.define(u, Expr(e.text, e.prec, reads, e.mask), name=f"{name}_")


def _lanes(body: Body, u: UOp, place: _Place, other: Expr | None) -> Expr:
    """A vector from memory; of bools as truth values."""
    d, p = body.shape(u.dtype), body.prelude
    rest = "" if other is None else f", {_stored(body, other, u.dtype).text}"
    if place.step is not None:
        first = place.pointer(1 - d.lanes if place.step < 0 else 0)
        if place.gate is None:
            e = Expr(f"{p.need('load', d)}({first})")
        else:
            gate = place.gate
            e = Expr(f"{p.need('load_where', d, mask_of(gate.mask, d.lanes).scalar.vec(d.lanes))}({first}, {gate.text}{rest})")
        e = e if place.step > 0 else _reversed(body, e, d)
    else:
        e = Expr(_anywhere(body, "gather", d, place, rest))
    if not u.dtype.is_bool:
        return e
    return Expr(f"({body.type(u.dtype, FLAGS)})({e.at(LESS)} != 0)", UNARY, mask=FLAGS)


def _anywhere(body: Body, kind: str, d: DType, place: _Place, rest: str) -> str:
    """The call of a gather or scatter."""
    i = dtypes.i64.vec(d.lanes)
    if place.gate is None:
        return f"{body.prelude.need(kind, d, i)}({place.memory}, {place.at.text}{rest})"
    gate = as_mask(place.gate, 64, d.lanes, body.prelude)
    return f"{body.prelude.need(f'{kind}_where', d, i)}({place.memory}, {place.at.text}, {gate.text}{rest})"


def _reversed(body: Body, e: Expr, d: DType) -> Expr:
    return Expr(f"{body.prelude.need('reverse', d)}({e.text})", ATOM, e.reads)


def _stored(body: Body, e: Expr, dtype: DType) -> Expr:
    """A value as it lies in memory."""
    if not e.mask:
        return e
    whole = converted(e, mask_of(e.mask, dtype.lanes), held(dtype).scalar.vec(dtype.lanes), body.prelude)
    return Expr(f"{whole.text} & 1", LESS - 2, e.reads)


def store(body: Body, u: UOp) -> None:
    """STORE: to a variable of ours, an element, or lanes."""
    index, value = u.src
    memory, e = root(index), body.value(value)
    if memory in body.whole:
        name = body.value(memory).text
        e = as_mask(e, FLAGS, value.dtype.lanes, body.prelude) if e.mask else e
        body.settle(name)
        body.do(f"{name} = {e.text};")
        return
    place, d = _place(body, index), body.shape(value.dtype)
    body.settle(_class(body, index))
    if d.lanes == 1:
        gate = f"if ({place.gate.text}) " if place.gate is not None else ""
        body.do(f"{gate}{place.element()} = {e.text};")
        return
    e = _stored(body, e, value.dtype)
    if place.step is None:
        body.do(f"{_anywhere(body, 'scatter', d, place, f', {e.text}')};")
        return
    first = place.pointer(1 - d.lanes if place.step < 0 else 0)
    e = e if place.step > 0 else _reversed(body, e, d)
    if place.gate is None:
        body.do(f"{body.prelude.need('store', d)}({first}, {e.text});")
        return
    mask = mask_of(place.gate.mask, d.lanes).scalar.vec(d.lanes)
    body.do(f"{body.prelude.need('store_where', d, mask)}({first}, {place.gate.text}, {e.text});")


def atomic(body: Body, u: UOp) -> None:
    """ATOMIC, at once: its value is what was there."""
    index, d = u.src[0], u.dtype
    given = [body.value(s) for s in u.src[1:]]
    _check_atomic(u)
    place = _place(body, index)
    body.settle(_class(body, index))
    pointer, args = place.pointer(), ", ".join(g.text for g in given)
    if u.arg is AtomicKind.COMPARE_EXCHANGE:
        text = f"{body.prelude.need('compare_exchange', d)}({pointer}, {given[1].text}, {given[0].text})"
    elif (fetch := _FETCH.get(u.arg)) is not None and d.is_int:
        text = f"__atomic_fetch_{fetch}({pointer}, {args}, __ATOMIC_SEQ_CST)"
    else:
        text = f"{body.prelude.need(f'atomic_{u.arg.value}', d)}({pointer}, {args})"
    body.define(u, Expr(text), name="old", at_once=True)


def _check_atomic(u: UOp) -> None:
    """UnsupportedError for an ATOMIC that there is no instruction for."""
    index, kind, d = u.src[0], u.arg, u.src[1].dtype
    vector = index.src[1].dtype.lanes > 1
    if kind is AtomicKind.COMPARE_EXCHANGE:
        if vector or len(index.src) == 3:
            raise UnsupportedError("a gated or vector ATOMIC compare_exchange is not available on the CPU", hint="use IF around it")
        return
    bits_only = d.is_float and d not in (dtypes.f16, dtypes.f32, dtypes.f64) and kind is not AtomicKind.EXCHANGE
    no_float = d.is_float and kind in (AtomicKind.AND, AtomicKind.OR, AtomicKind.XOR)
    if bits_only or no_float or d.is_bool or d.scalar is dtypes.index or vector:
        raise UnsupportedError(f"ATOMIC {kind.value} of {d} is not available on the CPU", about=u,
                               hint="use elements of i32, i64, f32 or f64, and convert the result")
    if len(index.src) == 3:
        raise UnsupportedError("a gated ATOMIC is not available on the CPU", hint="gate the value instead: add 0")


MEMORY_HANDLERS = {Op.LOAD: load, Op.STORE: store, Op.ATOMIC: atomic}
HANDLERS |= MEMORY_HANDLERS
