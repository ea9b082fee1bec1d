"""A LINEAR program as one C file for a CPU: a function for each phase, and `entry`, which the CPU runtime calls.

Owns: the CPU kernel ABI in C (see docs/cpu-abi.md), the order of the file. Must not know compilers.
Invariant: the file exports `entry` (and `reach`, and `failed` where the kernel has an ASSERT) and nothing else; its text depends only on
the arguments.
"""
from __future__ import annotations

from dataclasses import dataclass

from svod.dtype import PtrDType, dtypes
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c import memory
from svod.renderers.c.dialect import Prelude
from svod.renderers.c.function import Body
from svod.renderers.c.gnu import GNU_C
from svod.renderers.c.messages import record
from svod.renderers.c.reach import render_reach
from svod.renderers.cpu_abi import Rendered, describe, layout, phases
from svod.renderers.expr import Names
from svod.renderers.llvm.messages import record_words
from svod.renderers.llvm.reach import Reach
from svod.target.abi import CORE_ID, Metadata, Param

__all__ = ["memory", "render_c"]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the functions of all phases share: names of the parameters, where memories lie (byte offsets)."""

    linear: UOp
    meta: Metadata
    apart: bool
    names: dict[Param, str]
    memories: tuple[tuple[str, dict[UOp, int]], ...]
    prelude: Prelude
    taken: frozenset[str]


def render_c(linear: UOp, meta: Metadata, name: str, vector_bits: int, reach: Reach | None = None, *, apart: bool = True) -> Rendered:
    """The C text of `linear`. With `reach`, also a function of those expressions.

    `apart`: written buffers do not overlap others, but for those the kernel was proved to allow.
    UnsupportedError for ops without a form."""
    parts = phases(linear)
    shared, shared_bytes = layout(linear, Op.DEFINE_SCRATCH)
    private, private_bytes = layout(linear, Op.DEFINE_LOCAL)
    prelude = Prelude(GNU_C, max(vector_bits // 8, 16))
    names = Names(GNU_C.keywords)
    called = {p: names.new(p.name) for p in meta.params}
    function = names.new(name)
    frame = _Frame(linear, meta, apart, called, (("shared", shared), ("scratch", private)), prelude, frozenset(names.taken))
    titles = [function if len(parts) == 1 else f"{function}_phase{i}" for i in range(len(parts))]
    functions = [_function(t, p, frame) for t, p in zip(titles, parts, strict=True)]
    unpack = {p: _unpacked(p, i, prelude) for i, p in enumerate(meta.params)}
    functions.append(_entry(titles, frame, unpack))
    if reach is not None:
        functions.append(render_reach(reach, meta, prelude, unpack))
    words = record_words(linear)
    head = _header(name, frame, len(parts))
    text = "\n".join([head, GNU_C.opening, prelude.text(), *[record(words)] * bool(words), *functions])
    return Rendered(text, len(parts), shared_bytes, private_bytes, words)


def _header(name: str, frame: _Frame, count: int) -> str:
    meta, cores = frame.meta, frame.meta.global_size[0]
    shares = f"{cores.arg.value} share(s) of work" if cores.op is Op.CONST else "shares of work as the launch says"
    lines = [f"kernel {name!r}: {', '.join(map(describe, meta.params)) or 'no arguments'}",
             f"launch: {shares}, {count} phase(s): every core has finished one before any starts the next",
             "ABI: void entry(args, core, phase, shared, scratch); args: 8 bytes for each argument, in this order"]
    return "".join(f"// {x}\n" for x in "\n".join(lines).replace("\\", "/").splitlines())


def _type(p: Param, frame: _Frame) -> str:
    t = frame.prelude.type(p.dtype)
    if not p.is_buffer:
        return f"{t} {frame.names[p]}"
    return f"{'' if p.writes else 'const '}{t} *{f'{GNU_C.restrict} ' if frame.apart else ''}{frame.names[p]}"


def _function(title: str, instructions: list[UOp], frame: _Frame) -> str:
    """One phase."""
    names = Names(frame.taken | {title})
    leaf: dict[UOp, str] = {}
    by_slot = {p.slot: frame.names[p] for p in frame.meta.buffers}
    by_name = {p.name: frame.names[p] for p in frame.meta.scalars}
    for u in frame.linear.find(Op.PARAM):
        leaf[u] = by_slot[u.arg.slot]
    for v in frame.linear.find(Op.DEFINE_VAR):
        leaf[v] = "core" if v.arg.name == CORE_ID else by_name[v.arg.name]
    lines = []
    used = {u for i in instructions for u in i.toposort() if u.op in (Op.DEFINE_LOCAL, Op.DEFINE_SCRATCH)}
    for pointer, offsets in frame.memories:
        for m, offset in offsets.items():
            if m in used:
                leaf[m] = names.new(m.arg.name or "memory", numbered=not m.arg.name)
                t = frame.prelude.type(m.dtype.base if isinstance(m.dtype, PtrDType) else dtypes.u8)
                lines.append(f"  {t} *{GNU_C.restrict} {leaf[m]} = ({t} *)({pointer}{f' + {offset}' if offset else ''});")
    body = Body(leaf, frame.prelude, instructions, names)
    for u in instructions:
        body.run(u)
    body.settle()
    given = ", ".join([*(_type(p, frame) for p in frame.meta.params), "long long core", "char *shared", "char *scratch"])
    text = "\n".join([*lines, *(f"  {x}" for x in body.top), *body.lines])
    return f"{GNU_C.kernel} {title}({given}) {{\n{text}\n}}\n"


def _unpacked(p: Param, i: int, prelude: Prelude) -> str:
    """An argument from its slot."""
    t = prelude.type(p.dtype)
    if p.is_buffer:
        return f"({t} *)args[{i}]"
    return f"*(const {t} *)&args[{i}]{' & 1' if p.dtype.is_bool else ''}"


def _entry(titles: list[str], frame: _Frame, unpack: dict[Param, str]) -> str:
    """Unpacks the slots and calls the function of the phase."""
    call = ", ".join([*unpack.values(), "core", "shared", "scratch"])
    head = "void entry(const long long *args, long long core, long long phase, char *shared, char *scratch) {\n"
    if len(titles) == 1:
        return f"{head}  {titles[0]}({call});\n}}\n"
    cases = "".join(f"    case {i}: {t}({call}); break;\n" for i, t in enumerate(titles))
    return f"{head}  switch (phase) {{\n{cases}  }}\n}}\n"
