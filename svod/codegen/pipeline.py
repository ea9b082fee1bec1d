"""The pipeline from a kernel graph to a linear program, as a list that is printed, cut, timed, verified and documented.

Owns: the order of stages. Must not know renderers or devices.
Invariant: every stage is value -> value; its result satisfies the spec it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from svod.codegen.apply import apply_opts
from svod.codegen.branch import branch_rare_arms
from svod.codegen.closers import normalize, pin_loads, reopen, separate_axes
from svod.codegen.contract import CONTRACTION
from svod.codegen.decompose import math_rules, require_supported, rules_for
from svod.codegen.distribute import distribute
from svod.codegen.expand import expand
from svod.codegen.extents import clamp_extents
from svod.codegen.gpu.choose import shared_work
from svod.codegen.gpu.grid import grid_for_loops, guarded_as_a_whole
from svod.codegen.gpu.opts import apply_on_items
from svod.codegen.gpu.scalars import with_scalars
from svod.codegen.ids import has_core, loops_for_ids, variables_for_binds
from svod.codegen.linearize import linearize
from svod.codegen.lower import lower_reductions
from svod.codegen.order import check_order
from svod.codegen.passes import Context, Listener, Stage, through
from svod.codegen.reach import check_inside
from svod.codegen.schedule import Opt, OptKind
from svod.codegen.strategy import default_opts, schedules
from svod.codegen.transpose import transpose_blocks
from svod.dtype import DType
from svod.errors import ConfigError, GraphError, ScheduleError, UnsupportedError
from svod.ir.args import KernelInfo
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.spec import KERNEL, LINEAR, SCALAR, verify
from svod.ir.uop import UOp
from svod.target import Target

__all__ = ["PIPELINE", "Context", "Listener", "Stage", "lower", "plainer", "reclose", "through"]


KERNEL_NODES = 50_000
"""Nodes of a kernel, at most. The stages, and LLVM, take about a millisecond for each of them."""


def _check_kernel(sink: UOp, ctx: Context) -> UOp:
    if ctx.config.check - ctx.target.checks:
        asked = ", ".join(sorted(ctx.config.check - ctx.target.checks))
        raise UnsupportedError(
            f"target {ctx.target.name} has no run-time checks for {asked}",
            at=sink.arg.name,
            hint="the device INTERP checks the bounds of every access; unset SVOD_CHECK for the others",
        )
    if (size := len(sink.toposort())) > KERNEL_NODES:
        hint = "use a RANGE where the graph was unrolled by hand, or make several kernels of it"
        raise GraphError(f"the kernel has {size} nodes, more than the {KERNEL_NODES} that compile in a minute", at=sink.arg.name, hint=hint)
    verify(sink, KERNEL)
    sink = variables_for_binds(sink)
    check_inside(sink)
    return sink


def _simplify(sink: UOp, ctx: Context) -> UOp:
    return rewrite(sink, SIMPLIFY)


def _share(sink: UOp, ctx: Context) -> UOp:
    if not ctx.target.ids:
        return sink
    linear = shared_work(rewrite(sink, math_rules(ctx.target)), ctx.target, ctx.config.contract, _fusing(ctx))
    return sink if linear is None else linear


def _choose(sink: UOp, ctx: Context) -> UOp:
    if sink.arg.opts is not None:
        return sink
    if ctx.target.ids:  # what work items share is chosen by now
        return _chosen(sink, ())
    return _chosen(sink, default_opts(sink, _spread_over(sink, ctx.target)))


def _spread_over(sink: UOp, target: Target) -> Target:
    """`target` as the strategy is to see it: one core if the kernel itself says what each core does."""
    return replace(target, cores=1) if has_core(sink) else target


def _chosen(sink: UOp, opts: tuple[Opt, ...]) -> UOp:
    chosen = sink.replace(arg=KernelInfo(sink.arg.name, opts))
    chosen.cache["tried on"] = sink
    return chosen


def plainer(sink: UOp, chosen: UOp, ctx: Context) -> UOp | None:
    """`chosen`, a kernel with the default Opts, with the next plainer ones of the strategy; None if it has none already, or if the Opts are
    those of the user's `sink`. No kernel is known that needs it: a stage that refuses what the strategy chose is an error of one of them.
    """
    opts, tried = chosen.arg.opts, chosen.cache.get("tried on")
    if sink.arg.opts is not None or tried is None or not opts:
        return None
    left = list(schedules(tried, _spread_over(tried, ctx.target)))
    return _chosen(tried, next(o for o in left[left.index(opts) + 1 :] if o != opts))


def _apply(sink: UOp, ctx: Context) -> UOp:
    tried = sink.cache.get("tried on")  # the strategy has applied these Opts already, to the kernel without them
    if tried is None:
        if ctx.target.ids:
            out = reclose(apply_on_items(sink, ctx.target).replace(arg=sink.arg))
            _check_nested(out)
            return out
        _check_unspread(sink)
        check_order(sink, sink.arg.opts, ctx.target.cores)
        tried = sink
    out = reclose(apply_opts(tried, sink.arg.opts, ctx.target.cores).replace(arg=sink.arg))
    if tried is sink:
        _check_nested(out)
    return out


def _check_unspread(sink: UOp) -> None:
    """ScheduleError if a kernel says by core_id what each core does, and an Opt would spread it over the cores too."""
    bad = next((o for o in sink.arg.opts if o.kind in (OptKind.PARALLEL, OptKind.GROUP) or o.panel.shared), None)
    if bad is not None and has_core(sink):
        raise ScheduleError(f"{bad}: the kernel says what each core does, by core_id", at=sink.arg.name,
                            hint="leave out the Opt, or core_id: PARALLEL spreads a loop over all cores there are")


def _check_nested(sink: UOp) -> None:
    """ScheduleError if a schedule written by hand has led to a graph that no later stage takes."""
    try:
        verify(sink, SCALAR)
    except GraphError as e:
        schedule = " ".join(map(str, sink.arg.opts))
        raise ScheduleError(f"the schedule {schedule} cannot be applied: {e.what}", at=sink.arg.name, hint="leave out its last Opt") from e


def _decompose(sink: UOp, ctx: Context) -> UOp:
    out = rewrite(sink, rules_for(ctx.target))
    require_supported(out, ctx.target)
    return out


def _never(dtype: DType) -> bool:
    return False


def _fusing(ctx: Context) -> Callable[[DType], bool]:
    return ctx.target.computes if ctx.config.contract != "off" and ctx.target.fma else _never


def _lower(sink: UOp, ctx: Context) -> UOp:
    out = lower_reductions(sink, fused=_fusing(ctx))
    return rewrite(out, CONTRACTION) if ctx.target.fma and ctx.config.contract == "all" else out


def reclose(sink: UOp) -> UOp:
    """Loops that a peeled split left side by side share their outer loops again."""
    return normalize(reopen(sink))


PIPELINE: tuple[Stage, ...] = (
    Stage("check-kernel", "a malformed graph is reported in the user's terms, before anything is changed", _check_kernel),
    Stage(
        "loop-over-ids",
        "a device without work items runs them one after the other",
        lambda s, c: s if c.target.ids else loops_for_ids(s),
    ),
    Stage(
        "close-loops",
        "every effect gets the loops it runs in; effects of one axis share its loop",
        lambda s, c: pin_loads(separate_axes(normalize(s))),
    ),
    Stage("simplify-kernel", "index arithmetic is smallest before loops are split and copied", _simplify),
    Stage("clamp-extents", "a loop that stops below its start is empty; no later stage has to ask", lambda s, c: clamp_extents(s)),
    Stage("share-in-groups", "where work items of a group had better share work, their program is written at once", _share),
    Stage(
        "spread-over-grid",
        "where work items have ids, independent loops become a grid of them",
        lambda s, c: grid_for_loops(s, c.target) if c.target.ids else s,
    ),
    Stage("choose-schedule", "the default strategy writes the list of Opts, unless the kernel brings one", _choose),
    Stage("apply-schedule", "loops are split, reordered, spread over cores and marked, one Opt after the other", _apply, SCALAR),
    Stage(
        "distribute-cores",
        "what is not spread over the cores is done by one of them, with barriers where memory is handed on",
        lambda s, c: distribute(s),
    ),
    Stage(
        "decompose-math", "math functions become polynomials while there is one copy of each", lambda s, c: rewrite(s, math_rules(c.target))
    ),
    Stage("expand-axes", "marked axes become lanes, accumulators and copies of bodies", lambda s, c: expand(s)),
    Stage("lower-reductions", "reductions become accumulators; those over the same loop share it", _lower),
    Stage("simplify-expanded", "copies share addresses; ramps and gates take their final form", _simplify),
    Stage("transpose-blocks", "blocks of strided loads become row loads and shuffles", lambda s, c: transpose_blocks(s)),
    Stage("decompose-ops", "what the target lacks is rewritten into what it has, or refused by name", _decompose),
    Stage(
        "branch-rare-arms",
        "work that few lanes ever want, such as reducing huge angles, is skipped where none does",
        lambda s, c: branch_rare_arms(s) if c.target.branches else s,
    ),
    Stage(
        "linearize",
        "every node gets its place: invariant code leaves loops, effects stay in order",
        lambda s, c: guarded_as_a_whole(with_scalars(linearize(s))) if c.target.ids else linearize(s),
        LINEAR,
    ),
)


def lower(sink: UOp, ctx: Context, *, stop_after: str = "", listen: Listener | None = None) -> UOp:
    """`sink` through the pipeline: a LINEAR program, or what the stage `stop_after` gives. `listen` sees every result and its seconds.

    If a stage refuses Opts that the default strategy chose, plainer ones take their place; `listen` sees that as a stage `choose-plainer`.
    """
    names = [s.name for s in PIPELINE]
    if stop_after and stop_after not in names:
        raise ConfigError(f"no stage is called {stop_after!r}", hint=f"one of {', '.join(names)}")
    end, after = names.index(stop_after or names[-1]) + 1, names.index("choose-schedule") + 1
    chosen = through(PIPELINE[: min(after, end)], sink, ctx, listen)
    if chosen.op is Op.LINEAR:
        return chosen
    while True:
        try:
            out = through(PIPELINE[after:end], chosen, ctx, listen)
            break
        except ScheduleError as e:
            other = plainer(sink, chosen, ctx)
            if other is None:
                raise
            if listen is not None:
                listen(Stage("choose-plainer", f"the schedule was refused: {e.what}", _choose), other, 0.0)
            chosen = other
    if not stop_after and out.op is not Op.LINEAR:
        raise GraphError(f"the pipeline ended with a {out.op.name}, not a LINEAR program", hint="its last stage must be linearize")
    return out
