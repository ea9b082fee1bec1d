"""The specs: what a graph satisfies at the edges between stages, as whitelists made of named clauses.

Owns: which clauses hold where. The clauses themselves are in kernel_clauses.py, linear_clauses.py and thread_clauses.py, the framework
in clause.py. Must not know rules or targets.
Invariant: a graph that satisfies the spec of a stage cannot make the stage fail but by a limit it names.
"""
from __future__ import annotations

from svod.ir import kernel_clauses as kernel
from svod.ir import linear_clauses as linear
from svod.ir import thread_clauses as threads
from svod.ir.clause import LEAVES, Clause, Spec, clause, verify
from svod.ir.ops import Op
from svod.ir.semantics import PURE, VECTOR_OPS
from svod.ir.uop import UOp

__all__ = ["KERNEL", "LINEAR", "SCALAR", "THREADS", "Clause", "Spec", "verify"]

KERNEL_OPS = LEAVES | PURE | kernel.EFFECTS | {
    Op.SPECIAL, Op.RANGE, Op.BIND, Op.INDEX, Op.LOAD, Op.REDUCE, Op.AFTER, Op.SINK, Op.DEVICE}
SCALAR_OPS = KERNEL_OPS - VECTOR_OPS - {Op.BIND}


@clause(hint="a kernel is a SINK of effects: UOp.sink(out[i].store(x))")
def ops_of_a_kernel(u: UOp) -> str | None:
    """A kernel is made of leaves, arithmetic, accesses, REDUCE, effects and SINK; IF, LINEAR and PROGRAM come later."""
    return None if u.op in KERNEL_OPS else f"{u.op.name} has no place in a kernel"


@clause()
def ops_after_scheduling(u: UOp) -> str | None:
    """After scheduling there are no BINDs, and no vectors yet: those appear when VECTOR axes are expanded."""
    return None if u.op in SCALAR_OPS else f"{u.op.name} has no place in a scheduled kernel"


_NODES: tuple[Clause, ...] = (
    kernel.literal_fits, kernel.operands_are_values, kernel.casts_keep_lanes, kernel.vectors_fit, kernel.memory_has_elements,
    kernel.param_is_pinned_to_a_device, kernel.index_points_into_memory, kernel.index_is_an_integer, kernel.gate_is_bool,
    kernel.access_goes_through_index, kernel.load_has_alternative, kernel.stored_value_matches, kernel.atomic_fits,
    kernel.compare_exchange_fits, kernel.range_bounds_are_integers, kernel.special_has_three_axes, kernel.variable_has_bounds,
    kernel.core_id_counts_from_0, kernel.names_are_identifiers)
_ROOTS: tuple[Clause, ...] = (
    kernel.slots_agree, kernel.memories_agree, kernel.variables_agree, kernel.names_are_distinct, kernel.specials_agree)
_GRAPH: tuple[Clause, ...] = (
    *_NODES, kernel.reduction_combines, kernel.bind_fits, kernel.only_effects_are_done, kernel.end_closes_loops_of_an_effect,
    kernel.closed_axes_are_distinct, kernel.after_waits_for_effects, kernel.inner_bounds_depend_on_outer_axes,
    kernel.closed_axis_is_not_needed_outside, *_ROOTS, kernel.axes_agree)

KERNEL = Spec("KERNEL", (ops_of_a_kernel, *_GRAPH))
"""A user's graph under a SINK, before anything is done to it."""

SCALAR = Spec("SCALAR", (
    ops_after_scheduling, *_GRAPH, kernel.copied_axes_have_constant_bounds, kernel.cores_do_not_share_a_reduction,
    kernel.interleaved_axes_are_reduced))
"""A scheduled graph: axes say how they run, nothing is expanded."""

LINEAR = Spec("LINEAR", (
    linear.only_instructions, *_NODES, *_ROOTS, linear.condition_is_bool, linear.grid_barriers_are_on_top, linear.branches_nest,
    linear.loops_close_in_order, linear.endless_loops_nest, linear.messages_are_of_one_item, linear.operands_come_first))
"""A linear program. Index arithmetic is ideal still: renderers choose its width."""

THREADS = Spec("THREADS", (
    threads.ops_of_a_thread_kernel, threads.statements_stand_in_blocks, threads.actions_are_bound, kernel.literal_fits,
    kernel.operands_are_values, kernel.casts_keep_lanes, kernel.memory_has_elements, kernel.index_is_an_integer, kernel.gate_is_bool,
    kernel.access_goes_through_index, kernel.index_points_into_memory, kernel.load_has_alternative, kernel.stored_value_matches,
    kernel.atomic_fits, kernel.special_has_three_axes, kernel.variable_has_bounds, kernel.names_are_identifiers,
    threads.value_is_a_number, threads.let_fits, threads.conditions_are_bool, threads.for_counts_integers, threads.jumps_take_no_operand,
    kernel.compare_exchange_fits, threads.subgroup_fits, threads.mma_fits, threads.message_fits, threads.hidden_variables_agree,
    threads.group_fits, threads.ids_are_of_the_launch, *_ROOTS, threads.values_are_bound_once, threads.values_are_in_scope,
    threads.jumps_stand_in_loops))
"""A thread kernel: what the author wrote, before anything is done to it."""
