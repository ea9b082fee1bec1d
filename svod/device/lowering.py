"""The front half every device shares: a kernel graph through the pipeline, with what a launch will need of it.

Owns: `lowered`. Must not know renderers. Invariant: the same kernel, target and configuration give the same result.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from svod.codegen.gpu.lower import lower_items
from svod.codegen.gpu.tensor import fragments
from svod.codegen.ids import loop_for_core, loops_for_ids, variables_for_binds
from svod.codegen.pipeline import Context, Listener, lower
from svod.codegen.reach import aliases, elements, work
from svod.codegen.simt import lower_threads, threads_elements, threads_work
from svod.config import Config, settings
from svod.device.watch import stage_listener
from svod.dtype import dtypes
from svod.ir.ops import Op
from svod.ir.products import without_products
from svod.ir.spec import THREADS, verify
from svod.ir.uop import UOp
from svod.target import Target
from svod.target.abi import Metadata, describe


@dataclass(frozen=True, slots=True)
class Lowered:
    """A linear program, its metadata, and expressions over its variables: least elements of each buffer, work in ns.

    `ids`: the sizes that the kernel's ids give the launch (three global, three or no local), where the program loops over them instead.
    """

    linear: UOp
    meta: Metadata
    reach: tuple[UOp, ...]
    work: UOp
    aliases: tuple[tuple[int, frozenset[int]], ...]
    ids: tuple[UOp, ...] = ()
    names: Mapping[UOp, str] = field(default_factory=dict)
    """What the author calls values of the program."""


def lowered(ast: UOp, target: Target, *, config: Config | None = None, listen: Listener | None = None) -> Lowered:
    """Runs the pipeline on a SINK; a LINEAR program is taken as it is, with nothing known about its reach."""
    zero = UOp.const(0, dtypes.index)
    if ast.op is Op.THREADS:
        return _threads(ast, target, config or settings().config, listen or stage_listener(ast.arg.name or "kernel"))
    if ast.op is Op.LINEAR:
        meta = describe(ast)
        return Lowered(ast, meta, (zero,) * len(meta.buffers), zero, ())
    ast = variables_for_binds(ast)
    linear = lower(ast, Context(target, config or settings().config), listen=listen or stage_listener(ast.arg.name or "kernel"))
    run = describe(linear)
    # the arguments are those of the kernel as written: one that simplification removed is still passed
    written = describe(ast)
    has_ids = next(ast.find(Op.SPECIAL), None) is not None
    sizes = written if has_ids and target.ids else run
    meta = replace(written, global_size=sizes.global_size, local_size=sizes.local_size)
    ids = (*written.global_size, *(written.local_size or ())) if has_ids and not target.ids else ()
    slots = {p.slot for p in meta.buffers}
    if next(ast.find(Op.BARRIER), None) is not None and has_ids:
        return Lowered(linear, meta, (zero,) * len(meta.buffers), zero, (), ids)  # no loops say in which order its work items run
    ast = loop_for_core(loops_for_ids(ast) if has_ids else ast)
    known = elements(ast)
    pairs = tuple((s, others & slots) for s, others in sorted(aliases(ast).items()) if s in slots)
    return Lowered(linear, meta, tuple(known.get(p.slot, zero) for p in meta.buffers), work(ast), pairs, ids)


def _threads(ast: UOp, target: Target, config: Config, listen: Listener | None) -> Lowered:
    """A thread kernel, checked: as it is where the target executes statements, else its work items as loops and lanes.

    Its buffers may be one and the same array, as each work item reads and writes in its own order.
    """
    verify(ast, THREADS)
    given = fragments(ast, target.products) if target.ids else None
    ast = without_products(ast)
    zero = UOp.const(0, dtypes.index)
    mapped = lower_items if target.ids else lower_threads
    ctx = Context(target, config)
    linear = ast if target.statements else mapped(ast if given is None else given, ctx, listen)
    run, meta = describe(linear), describe(ast)
    if not target.statements and not target.ids:
        meta = replace(meta, global_size=run.global_size, local_size=run.local_size)
    slots = frozenset(p.slot for p in meta.buffers)
    known = threads_elements(ast)
    pairs = tuple((s, slots - {s}) for s in sorted(slots))
    return Lowered(linear, meta, tuple(known.get(p.slot, zero) for p in meta.buffers), threads_work(ast), pairs, names=ctx.names)
