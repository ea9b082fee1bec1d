"""A LINEAR program of one work item as a kernel function, in any language of the C family that has work items.

Owns: the order of a source file, the parameters of a kernel, memory of a group, atomics. Must not know any one language: what they differ
in is a `Form`, and their `Dialect`.
Invariant: a kernel is one function for each phase, all with the same arguments: those of the metadata, in that order; then the dynamic
memory of a group, where that is an argument; then the record of what PRINTs and ASSERTs say; then the memory that all groups share.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from svod.dtype import DType, PtrDType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind
from svod.ir.bounds import constant
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.accesses import root
from svod.renderers.c import exchanges, memory
from svod.renderers.c.dialect import Dialect, Prelude
from svod.renderers.c.function import Body
from svod.renderers.c.item_messages import Record, said
from svod.renderers.expr import ATOM, MEMORY, PLUS, Expr, Names
from svod.renderers.extents import extent_text
from svod.renderers.phases import item_phases, phase_names, said_phases, scratch
from svod.renderers.records import Layout
from svod.renderers.uses import needed
from svod.target.abi import Metadata

__all__ = ["Form", "exchanges", "memory", "render_items"]

_CONSTANT = re.compile(r"#define ((?:INF|NOT_A_NUMBER)f?) ")
_ACCESSES = (Op.LOAD, Op.STORE, Op.ATOMIC)
_BITWISE = (AtomicKind.AND, AtomicKind.OR, AtomicKind.XOR)


@dataclass(frozen=True, slots=True)
class Form:
    """How a kernel is spelled in one language. Templates have their fields in braces.

    `head`: the line that opens the function, with {shape}, {name}, {params}. `shape`: what says how many work items a group has, with {x},
    {y}, {z}, {items}; used where that is known. `buffer`, `scalar`: a parameter, with {const}, {type}, {restrict}, {name}, {n} for its
    number. `extra`: parameters behind all others, with {n}. `dynamic`: the memory of a group whose size the launch gives, a parameter if
    `dynamic_given`, else a declaration; `again`: where it is one parameter, the same memory, {first}, with elements of a smaller type.
    `spaces`: where a PARAM or DEFINE_LOCAL lies, as the names of atomic helpers have it; empty if they
    do not say. `atomics`: dtypes that these helpers take. `common`: a memory that all groups share, {at} its address.
    """

    dialect: Dialect
    head: str
    shape: str
    buffer: str
    scalar: str
    dynamic: str
    dynamic_given: bool
    spaces: Mapping[Op, str]
    atomics: frozenset[DType]
    common: str
    extra: tuple[str, ...] = ()
    again: str = ""


class _Kernel(Body):
    """The statements of a kernel."""

    def __init__(self, form: Form, scope: _Scope, instructions: list[UOp], record: Record) -> None:
        super().__init__(dict(scope.leaf), scope.prelude, instructions, Names(scope.names.taken), scope.called)
        self.form, self.record = form, record

    def run(self, u: UOp) -> None:
        """Writes instruction `u`. UnsupportedError for one that has no form."""
        if u.op in (Op.PRINT, Op.ASSERT):
            said(self, u, self.record)
        elif u.op is Op.ATOMIC:
            self.atomic(u)
        elif u.op is Op.MMA:
            args = ", ".join(self.value(s).text for s in u.src)
            self.define(u, Expr(f"{self.prelude.need(f'mma_{u.arg.layout}', u.dtype)}({args})"), name="sums", at_once=True)
        else:
            super().run(u)

    def atomic(self, u: UOp) -> None:
        """ATOMIC, at once: its value is what was there."""
        (address, *given), d, space = u.src, u.src[1].dtype, self.form.spaces.get(root(u.src[0]).op)
        if d not in self.form.atomics or (d.is_float and u.arg in _BITWISE) or len(address.src) == 3 or space is None:
            what = "a gated ATOMIC" if len(address.src) == 3 else "an ATOMIC on memory of one work item" if space is None else "an ATOMIC"
            able = ", ".join(sorted(map(repr, self.form.atomics)))
            raise UnsupportedError(f"{what} {u.arg.value} of {d} is not available in {self.form.dialect.name}", about=u,
                                   hint=f"use elements of {able}, and a branch in place of a gate")
        at, args = address.src[1], [self.value(s).text for s in given]
        first = self.value(address.src[0]).at(ATOM)
        pointer = first if constant(at) == 0 else f"{first} + {self.value(at).at(PLUS)}"
        self.settle(MEMORY)
        if u.arg is AtomicKind.COMPARE_EXCHANGE:
            args.reverse()
        kind = u.arg.value if u.arg is AtomicKind.COMPARE_EXCHANGE else f"atomic_{u.arg.value}"
        name = self.prelude.need(f"{kind}_{space}" if space else kind, d)
        self.define(u, Expr(f"{name}({', '.join([pointer, *args])})"), name="old", at_once=True)


def render_items(form: Form, linear: UOp, meta: Metadata, name: str, together: Collection[int] = (),
                 called: Mapping[UOp, str] | None = None) -> str:
    """The source of a kernel. Buffers in the slots `together` may be the same memory; `called`: what the author calls values.
    UnsupportedError for what the language has no form for."""
    scope = _Scope(Prelude(form.dialect), Names(form.dialect.keywords), {}, together, called or {})
    parts, memory = item_phases(linear), scratch(linear)
    functions = [scope.names.new(n) for n in phase_names(name, len(parts))]
    declared = _parameters(form, linear, meta, scope)
    inside = _tiles(form, linear, scope, declared)
    layout = Layout.of(linear)
    record = Record(scope.names.new("record") if layout.words else "", layout, form.spaces[Op.PARAM])
    if layout.words:
        word = scope.prelude.type(dtypes.u32)
        declared.append(form.buffer.format(const="", type=word, restrict="", name=record.name, n=len(declared)))
    if memory[1]:
        given, byte = scope.names.new("scratch"), scope.prelude.type(dtypes.u8)
        declared.append(form.buffer.format(const="", type=byte, restrict="", name=given, n=len(declared)))
        inside |= _common(form, memory[0], given, scope)
    declared += [x.format(n=len(declared) + k) for k, x in enumerate(form.extra)]
    text = []
    for function, part in zip(functions, parts, strict=True):
        head = form.head.format(shape=_shape(form, meta), name=function, params=", ".join(declared))
        used = set(inside) if len(parts) == 1 else {u for i in part if i.op in _ACCESSES for u in (root(i.src[0]),)}
        own = [inside[u] for u in inside if u in used or u.arg.dynamic]
        text += [head, *(f"  {t}" for t in own), *_statements(form, part, scope, record), "}"]
    whole = "\n".join([*filter(None, [scope.prelude.text()]), *text, ""])
    return "\n".join([_comment(name, meta, linear), *_opening(form.dialect.opening, whole), whole])


class _Scope(NamedTuple):
    """What the functions of a source have in common: helpers, names, what memories and variables are called, slots that may be the same,
    what the author calls values."""

    prelude: Prelude
    names: Names
    leaf: dict[UOp, str]
    together: Collection[int]
    called: Mapping[UOp, str]


def _statements(form: Form, part: list[UOp], scope: _Scope, record: Record) -> list[str]:
    """The body of the function of a phase."""
    instructions = needed(part)
    body = _Kernel(form, scope, instructions, record)
    for u in instructions:
        body.run(u)
    body.settle()
    return [*(f"  {t}" for t in body.top), *body.lines]


def _tiles(form: Form, linear: UOp, scope: _Scope, declared: list[str]) -> dict[UOp, str]:
    """The declarations of the memory of a group, the largest elements first; of one that is a parameter, it is added to `declared`."""
    inside: dict[UOp, str] = {}
    first = ""
    for u in sorted(dict.fromkeys(u for u in linear.src if u.op is Op.DEFINE_LOCAL), key=lambda u: -_element(u).itemsize):
        name = scope.leaf[u] = scope.names.new(u.arg.name or "tile", numbered=not u.arg.name)
        template = form.dialect.local if not u.arg.dynamic else form.again if first else form.dynamic
        text = template.format(type=scope.prelude.type(_element(u)), name=name, size=u.arg.size, n=len(declared), first=first)
        if u.arg.dynamic and form.dynamic_given and not first:
            declared.append(text)
            first = name
        else:
            inside[u] = text
    return inside


def _common(form: Form, offsets: Mapping[UOp, int], called: str, scope: _Scope) -> dict[UOp, str]:
    """The declarations of the memory that all groups share."""
    inside: dict[UOp, str] = {}
    for u, offset in offsets.items():
        name = scope.leaf[u] = scope.names.new(u.arg.name or "common", numbered=not u.arg.name)
        inside[u] = form.common.format(type=scope.prelude.type(_element(u)), name=name, at=f"({called} + {offset})" if offset else called)
    return inside


def _opening(opening: str, text: str) -> list[str]:
    """Its lines, without names of constants that the text does not have."""
    used = set(re.findall(r"\w+", text))
    return [line for line in opening.splitlines() if (m := _CONSTANT.match(line)) is None or m[1] in used]


def _parameters(form: Form, linear: UOp, meta: Metadata, scope: _Scope) -> list[str]:
    """The parameters of the function, whose names become those of what they are in the program."""
    prelude, names, leaf, together, _ = scope
    params = {u.arg.slot: u for u in linear.src if u.op is Op.PARAM}
    variables = {u.arg.name: u for u in linear.src if u.op is Op.DEFINE_VAR}
    declared: list[str] = []
    for b in meta.buffers:
        called = names.new(b.name)
        if b.slot in params:
            leaf[params[b.slot]] = called
        const, alone = "" if b.writes else "const ", form.dialect.restrict if b.slot not in together else ""
        restrict = f"{alone} " if alone else ""
        declared.append(form.buffer.format(const=const, type=prelude.type(b.dtype), restrict=restrict, name=called, n=len(declared)))
    for s in meta.scalars:
        called = names.new(s.name)
        if s.name in variables:
            leaf[variables[s.name]] = called
        declared.append(form.scalar.format(type=prelude.type(s.dtype), name=called, n=len(declared)))
    return declared


def _element(memory: UOp) -> DType:
    return memory.dtype.base if isinstance(memory.dtype, PtrDType) else dtypes.u8


def _shape(form: Form, meta: Metadata) -> str:
    """What says how many work items a group has, where that is known."""
    sizes = [s.arg.value for s in meta.local_size or () if s.op is Op.CONST]
    if len(sizes) != 3:
        return ""
    x, y, z = sizes
    return form.shape.format(x=x, y=y, z=z, items=x * y * z)


def _comment(name: str, meta: Metadata, linear: UOp) -> str:
    """What the kernel is called with."""
    args = ", ".join([*(f"{b.name}: {b.dtype}*" for b in meta.buffers), *(f"{s.name}: {s.dtype}" for s in meta.scalars)])
    local = "direct ids" if meta.local_size is None else f"groups of {' x '.join(extent_text(s) for s in meta.local_size)} work items"
    return f"// {name}({args})\n// {' x '.join(extent_text(s) for s in meta.global_size)} of {local}{said_phases(linear)}"
