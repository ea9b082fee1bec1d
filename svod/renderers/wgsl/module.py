"""A LINEAR program of one work item as a compute shader.

Owns: the declarations around the functions, one for each phase. Must not know devices. Invariants: the bindings of group 0 are the buffers
in ABI order, behind them the launch block (see launch.py), then the record of what a kernel says, if it says anything, then the memory that
all groups share, if there is any, as one struct; a buffer that is not written is declared so; the text depends on the arguments alone.
A constant that a launch sets is an `override`: `dynamic_elements`, of the dynamic memory of a group.
"""
from __future__ import annotations

from collections.abc import Mapping

from svod.dtype import DType, PtrDType, dtypes
from svod.errors import UnsupportedError
from svod.ir.bounds import interval
from svod.ir.ops import ELEMENTWISE, Op
from svod.ir.uop import UOp
from svod.renderers.accesses import root
from svod.renderers.expr import ATOM, LESS, Expr, Names
from svod.renderers.extents import extent_text
from svod.renderers.phases import group_memory, item_phases, phase_names, said_phases, scratch
from svod.renderers.records import Layout
from svod.renderers.wgsl.body import DIRECT_ITEMS, Body, Scope, direct_id
from svod.renderers.wgsl.elementwise import Types
from svod.renderers.wgsl.launch import Member, members
from svod.renderers.wgsl.memory import SCRATCH, Memory
from svod.renderers.wgsl.messages import Record
from svod.renderers.wgsl.pieces import Prelude
from svod.renderers.wgsl.values import Abilities
from svod.renderers.wgsl.widths import MOST_GROUPS, MOST_INDEX, wide_values
from svod.renderers.wgsl.words import WORDS
from svod.target.abi import Metadata

DYNAMIC = "dynamic_elements"
"""The override that says how many elements the dynamic memory of a group has."""


def render_wgsl(linear: UOp, meta: Metadata, name: str, able: Abilities, called: Mapping[UOp, str] | None = None, *,
                wide: bool = False) -> str:
    """The text of a shader; `called`: what the author calls values. UnsupportedError, by name, for what WGSL or the device has no form for.

    `wide`: for launches in which an index is beyond MOST_INDEX; another shader, slower, and only for devices with 64-bit integers.
    """
    bounded = _bounded(linear, wide=wide)
    authors = {new: called[u] for u, new in zip(linear.src, bounded.src, strict=True) if called and u in called}
    linear = _used(bounded)
    types, names = Types(able, Prelude(), wide_values(linear)), Names(WORDS)
    parts = item_phases(linear)
    functions = [names.new(n) for n in phase_names(name, len(parts))]
    atomic = {root(u.src[0]) for u in linear.src if u.op is Op.ATOMIC}
    memories: dict[UOp, Memory] = {}
    bindings = _buffers(linear, meta, types, names, atomic, memories)
    shared = _shared(linear, types, names, atomic, memories)
    scalars, _ = members(meta, able, wide=wide)
    fields, leaf = _scalars(linear, scalars, types)
    bindings.append(f"@group(0) @binding({len(meta.buffers)}) var<uniform> launch: Launch;")
    record = Record(names.new("record"), Layout.of(linear))
    if record.layout.words:
        bindings.append(f"@group(0) @binding({len(bindings)}) var<storage, read_write> {record.name}: array<atomic<u32>>;")
    if common := _common(linear, types, atomic, memories):
        bindings += [common, f"@group(0) @binding({len(bindings)}) var<storage, read_write> {SCRATCH}: Scratch;"]
    direct = meta.local_size is None
    guard = _outside(meta) if direct else []
    text = []
    for function, part in zip(functions, parts, strict=True):
        body = Body(part, Scope(types, leaf, record, authors), Names(names.taken), dict(memories))
        for u in part:
            body.run(u)
        body.settle()
        text += [f"@compute @workgroup_size({_group(meta, name)})",
                 f"fn {function}(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) item: vec3<u32>) {{",
                 *guard, *(f"  {t}" for t in body.top), *body.lines, "}"]
    helpers = [t for m in memories.values() for t in m.helpers.values()]
    block = [*(["items: vec3<u32>"] if direct else []), *(f"{fields[m.param.name]}: {m.type}" for m in scalars)]
    struct = "\n".join(["struct Launch {", *(f"  {x}," for x in ["first: vec3<u32>", "zero: u32", *block]), "}"])
    parts_ = [_comment(name, meta, linear), *(["enable f16;"] if _uses_f16(able, meta, linear) else []), struct, *bindings, *shared,
              *filter(None, [types.prelude.text()]), *helpers, *text, ""]
    return "\n".join(parts_)


def _bounded(linear: UOp, *, wide: bool) -> UOp:
    """The program with constants as the extents of its ids, and bounds of its scalars that the launch sees to: what is computed from them
    is known to be small. Instruction for instruction."""
    nodes = linear.toposort()
    most = {u: UOp.const(min(int(interval(u.src[0])[1]), MOST_GROUPS), dtypes.index) for u in nodes if u.op is Op.SPECIAL}
    linear = linear.substitute({u: u.replace(src=(n,)) for u, n in most.items() if n is not u.src[0]})
    if not wide:
        large = [u for u in nodes if u.op is Op.DEFINE_VAR and u.dtype is dtypes.index]
        bounded = {u: UOp.variable(u.arg.name, max(u.arg.min, -MOST_INDEX), min(u.arg.max, MOST_INDEX)) for u in large}
        linear = linear.substitute({u: v for u, v in bounded.items() if u is not v})
    return linear


def _used(linear: UOp) -> UOp:
    """Without what only those extents needed."""
    kept: list[UOp] = []
    used: set[UOp] = set()
    for u in reversed(linear.src):
        if u.op not in ELEMENTWISE or u in used:
            kept.append(u)
            used |= {x for s in u.src for x in (s, *(s.src if s.op in (Op.INDEX, Op.AFTER) else ()))}
    return linear.replace(src=tuple(kept[::-1]))


def _buffers(linear: UOp, meta: Metadata, types: Types, names: Names, atomic: set[UOp], memories: dict[UOp, Memory]) -> list[str]:
    """The declarations of the bindings."""
    params = {u.arg.slot: u for u in linear.toposort() if u.op is Op.PARAM}
    out = []
    for k, b in enumerate(meta.buffers):
        param = params.get(b.slot)
        m = Memory(names.new(b.name), b.dtype, types.able, types.prelude, True, b.writes, param in atomic)
        if param is not None:
            memories[param] = m
        access = "read_write" if b.writes else "read"
        out.append(f"@group(0) @binding({k}) var<storage, {access}> {m.name}: array<{m.element()}>;")
    return out


def _shared(linear: UOp, types: Types, names: Names, atomic: set[UOp], memories: dict[UOp, Memory]) -> list[str]:
    """The declarations of the memory of a group."""
    out: list[str] = []
    for u in dict.fromkeys(u for u in linear.toposort() if u.op is Op.DEFINE_LOCAL):
        if u.arg.dynamic and any(DYNAMIC in line for line in out):
            raise UnsupportedError("dynamic shared memory of elements of two types has no form in WGSL: they would be the same memory",
                                   hint="use one type, and bitcast what is read")
        m = memories[u] = Memory(names.new(u.arg.name or "tile", numbered=not u.arg.name), _base(u), types.able, types.prelude,
                                 atomic=u in atomic)
        if u.arg.dynamic:
            out.append(f"override {DYNAMIC}: u32 = 1u;")
        out.append(f"var<workgroup> {m.name}: array<{m.element()}, {DYNAMIC if u.arg.dynamic else u.arg.size}>;")
    return out


def _common(linear: UOp, types: Types, atomic: set[UOp], memories: dict[UOp, Memory]) -> str:
    """The type of the memory that all groups share, if there is any. Its members take no more than what the launch gives each."""
    called = Names(WORDS)
    members = []
    for u in sorted(scratch(linear)[0], key=lambda u: -_base(u).itemsize):
        m = memories[u] = Memory(called.new(u.arg.name or "common", numbered=not u.arg.name), _base(u), types.able, types.prelude, True,
                                 atomic=u in atomic, within=SCRATCH)
        members.append(f"  {m.member}: array<{m.element()}, {m.words(u.arg.size)}>,")
    return "\n".join(["struct Scratch {", *members, "}"]) if members else ""


def _base(memory: UOp) -> DType:
    return memory.dtype.base if isinstance(memory.dtype, PtrDType) else dtypes.u8


def shared_bytes(linear: UOp, able: Abilities) -> int:
    """Bytes that a group of a program shares in any phase, but for dynamic ones: narrow elements take a word each."""
    return max(sum(element_bytes(u, able) * int(u.arg.size) for u in phase) for phase in group_memory(linear))


def element_bytes(memory: UOp, able: Abilities) -> int:
    """Bytes that an element of memory of a group takes."""
    base = _base(memory)
    return base.itemsize if base is dtypes.f16 and able.f16 else max(4, base.itemsize)


def _scalars(linear: UOp, scalars: list[Member], types: Types) -> tuple[dict[str, str], dict[UOp, Expr]]:
    """What the scalars are called in the block, and how each is read."""
    names = Names((*WORDS, "first", "zero", "items"))
    called = {m.param.name: names.new(m.param.name) for m in scalars}
    kinds = {m.param.name: m.type for m in scalars}
    leaf: dict[UOp, Expr] = {}
    for v in linear.toposort():
        if v.op is not Op.DEFINE_VAR or v.arg.name not in called:
            continue
        text = f"launch.{called[v.arg.name]}"
        if v.dtype.is_bool:
            leaf[v] = Expr(f"{text} != 0u", LESS)
        elif v.dtype is dtypes.f16 and types.able.f16:
            leaf[v] = Expr(f"f16(unpack2x16float({text}).x)", ATOM)
        else:
            low = v.dtype is dtypes.index and types.of(v) != kinds[v.arg.name]
            leaf[v] = Expr(f"i32({text})" if low else text)
    return called, leaf


def _uses_f16(able: Abilities, meta: Metadata, linear: UOp) -> bool:
    return able.f16 and (any(b.dtype is dtypes.f16 for b in meta.buffers)
                         or any((u.dtype.base if isinstance(u.dtype, PtrDType) else u.dtype) is dtypes.f16 for u in linear.toposort()))


def _group(meta: Metadata, name: str) -> str:
    """The work items of a group along each axis. UnsupportedError where they are not known before the launch."""
    if meta.local_size is None:
        return f"{DIRECT_ITEMS}, 1, 1"
    if any(s.op is not Op.CONST for s in meta.local_size):
        raise UnsupportedError(f"the groups of kernel {name!r} have a size that only a launch knows",
                               hint="give local ids constant extents")
    return ", ".join(str(s.arg.value) for s in meta.local_size)


def _outside(meta: Metadata) -> list[str]:
    """Where ids are direct: work items beyond those of the launch do nothing."""
    tests = [f"{direct_id(k)} >= launch.items.{'xyz'[k]}" for k in range(3)]
    return [f"  if ({' || '.join(tests)}) {{ return; }}"]


def _comment(name: str, meta: Metadata, linear: UOp) -> str:
    """What the kernel is called with, and how often it runs."""
    args = ", ".join([*(f"{b.name}: {b.dtype}*" for b in meta.buffers), *(f"{s.name}: {s.dtype}" for s in meta.scalars)])
    local = "direct ids" if meta.local_size is None else f"groups of {' x '.join(extent_text(s) for s in meta.local_size)} work items"
    where = f"group 0: buffers at 0 to {len(meta.buffers) - 1}, " if meta.buffers else "group 0: "
    launch = f"{' x '.join(extent_text(s) for s in meta.global_size)} of {local}{said_phases(linear)}"
    text = f"{name}({args})\n{launch}\n{where}launch block at {len(meta.buffers)}"
    return "\n".join(f"// {line}" for line in text.splitlines())



__all__ = ["DYNAMIC", "element_bytes", "render_wgsl", "shared_bytes"]
