"""Which statements the work items of a group go through together: all of them take the same arms and the same iterations.

Owns: these questions. Must not know instructions. Invariant: a yes is proved from what is uniform; a no may be wrong.
"""
from __future__ import annotations

from svod.codegen.simt.shape import exit_arm, has_barrier, jumps_out
from svod.codegen.simt.uniform import Uniformity
from svod.ir.ops import Op
from svod.ir.uop import UOp


def exchanges(s: UOp) -> bool:
    """Whether there is a SUBGROUP or an MMA in `s`."""
    return next(s.find(Op.SUBGROUP, Op.MMA), None) is not None


def meets(s: UOp) -> bool:
    """Whether work items wait for one another in `s`: at a BARRIER, or to exchange values."""
    return has_barrier(s) or exchanges(s)


def returns_together(s: UOp, facts: Uniformity) -> bool:
    """Whether all work items that come to `s`, out of which some RETURN leads, return there, or none."""
    if Op.RETURN not in jumps_out(s) or s.op is Op.RETURN:
        return True
    if s.op is Op.BRANCH:
        return facts.uniform(s.src[0]) and all(returns_together(x, facts) for arm in s.src[1:] for x in arm.src)
    return False


def goes_together(s: UOp, facts: Uniformity) -> bool:
    """Whether a BRANCH, FOR or LOOP is the same way for all work items that come to it, and nobody jumps out of it.

    What is asked is asked of its own condition and bounds; what is inside of it is asked when it is met.
    """
    if jumps_out(s):
        return False
    if s.op is Op.BRANCH:
        return facts.uniform(s.src[0])
    if s.op is Op.FOR:
        return all(facts.uniform(b) for b in s.src[1:4]) and left_together(s.src[4], facts)
    return left_together(s.src[0], facts)


def left_together(body: UOp, facts: Uniformity) -> bool:
    """Whether the jumps of a loop's body are nothing but exits of all work items at once."""
    for s in body.src:
        if not jumps_out(s):
            continue
        arm = exit_arm(s)
        if arm is None or not facts.uniform(arm[0]):
            return False
    return True
