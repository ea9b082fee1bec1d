"""A LINEAR program as one LLVM module: a function for each phase, and `entry`, which the CPU runtime calls.

Owns: the CPU kernel ABI (see docs/cpu-abi.md), function attributes. Must not know llvmlite.
Invariant: the module exports `entry` (and `reach`, and `failed` where it has an ASSERT) and nothing else; its text depends only on the
arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.cpu_abi import Rendered, describe, layout, phases
from svod.renderers.llvm.function import Body
from svod.renderers.llvm.messages import record, record_words
from svod.renderers.llvm.reach import Reach, render_reach
from svod.renderers.llvm.types import value_type
from svod.target.abi import CORE_ID, Metadata, Param


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the functions of all phases share: the signature, what the leaves are called and where memories lie (byte offsets)."""

    linear: UOp
    meta: Metadata
    apart: bool
    shared: dict[UOp, int]
    private: dict[UOp, int]


def render_module(
    linear: UOp, meta: Metadata, name: str, vector_bits: int, reach: Reach | None = None, *, apart: bool = True
) -> Rendered:
    """The LLVM text of `linear`. With `reach`, also a function of those expressions.

    `apart`: written buffers do not overlap others, but for those the kernel was proved to allow.
    UnsupportedError for ops without a form."""
    bodies = phases(linear)
    shared, shared_bytes = layout(linear, Op.DEFINE_SCRATCH)
    private, private_bytes = layout(linear, Op.DEFINE_LOCAL)
    declarations: set[str] = set()
    frame = _Frame(linear, meta, apart, shared, private)
    functions = [_function(f"{name}.{i}", p, frame, declarations) for i, p in enumerate(bodies)]
    parts = [
        f"; kernel {name}: {', '.join(describe(p) for p in meta.params) or 'no arguments'}; {len(bodies)} phase(s)",
        *functions,
        _entry(name, len(bodies), meta),
    ]
    if reach is not None:
        parts.append(render_reach(reach, meta, declarations))
    if words := record_words(linear):
        parts.append(record(words))
    parts += [*sorted(declarations), _attributes(vector_bits)]
    return Rendered("\n".join(parts) + "\n", len(bodies), shared_bytes, private_bytes, words)


def _llvm_name(prefix: str, p: Param) -> str:
    return f"%{prefix}.{p.name}"


def _signature(frame: _Frame) -> list[str]:
    args = []
    for p in frame.meta.params:
        if p.is_buffer:
            args.append(f"ptr {'noalias ' if frame.apart else ''}{'' if p.writes else 'readonly '}{_llvm_name('b', p)}")
        else:
            args.append(f"{value_type(p.dtype)} {_llvm_name('s', p)}")
    return [*args, "i64 %core", "ptr noalias %shared", "ptr noalias %private"]


def _leaves(frame: _Frame) -> dict[UOp, str]:
    """What the function's parameters are called."""
    leaf: dict[UOp, str] = {}
    for u in frame.linear.find(Op.PARAM):
        leaf[u] = _llvm_name("b", next(p for p in frame.meta.buffers if p.slot == u.arg.slot))
    for v in frame.linear.find(Op.DEFINE_VAR):
        leaf[v] = "%core" if v.arg.name == CORE_ID else f"%s.{v.arg.name}"
    return leaf


def _function(name: str, instructions: list[UOp], frame: _Frame, declarations: set[str]) -> str:
    """One phase; what it calls is added to `declarations`."""
    leaf = _leaves(frame)
    body = Body(leaf, declarations, instructions)
    for pointer, offsets in (("%shared", frame.shared), ("%private", frame.private)):
        for memory, offset in offsets.items():
            leaf[memory] = body.let(f"getelementptr i8, ptr {pointer}, i64 {offset}", "mem") if offset else pointer
    for u in instructions:
        body.run(u)
    lines = [*body.allocas, *body.lines, "  ret void"]
    return f"define internal void @{quoted(name)}({', '.join(_signature(frame))}) #0 {{\nentry:\n" + "\n".join(lines) + "\n}\n"


def quoted(name: str) -> str:
    """A global's name, in quotes where LLVM wants them."""
    return f'"{name}"'


def _entry(name: str, phases: int, meta: Metadata) -> str:
    """Unpacks the slots and calls the function of the phase."""
    lines, args = [], []
    for i, p in enumerate(meta.params):
        t = "ptr" if p.is_buffer else value_type(p.dtype)
        lines.append(f"  %a{i}p = getelementptr i64, ptr %args, i64 {i}")
        if not p.is_buffer and p.dtype.is_bool:
            lines += [f"  %a{i}b = load i8, ptr %a{i}p, align 8", f"  %a{i} = trunc i8 %a{i}b to i1"]
        else:
            lines.append(f"  %a{i} = load {t}, ptr %a{i}p, align 8")
        args.append(f"{t} %a{i}")
    call = ", ".join([*args, "i64 %core", "ptr %shared", "ptr %private"])
    head = "define void @entry(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) #0 {\nentry:\n" + "\n".join(lines)
    if phases == 1:
        return f"{head}\n  call void @{quoted(name + '.0')}({call})\n  ret void\n}}\n"
    cases = " ".join(f"i64 {i}, label %phase{i}" for i in range(phases))
    blocks = "\n".join(f"phase{i}:\n  call void @{quoted(f'{name}.{i}')}({call})\n  br label %done" for i in range(phases))
    return f"{head}\n  switch i64 %phase, label %done [ {cases} ]\n{blocks}\ndone:\n  ret void\n}}\n"


def _attributes(vector_bits: int) -> str:
    width = f' "prefer-vector-width"="{vector_bits}" "min-legal-vector-width"="{vector_bits}"' if vector_bits else ""
    return f"attributes #0 = {{ nounwind{width} }}"
