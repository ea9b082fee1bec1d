"""Statements as instructions of one work item: jumps, barriers that all arrive at, exchanges; what cannot be done is refused by name."""
from __future__ import annotations

import pytest

from svod import Config, UOp
from svod.codegen.gpu.lower import lower_items
from svod.codegen.passes import Context
from svod.device.opencl.backend import opencl_target
from svod.dtype import AddrSpace, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import SubgroupKind
from svod.ir.ops import Op
from svod.testing.threads import Threads

OUT = UOp.param(0, dtypes.i32, name="out")


def linear(k: Threads, *check: str) -> list[Op]:
    """The ops of the linear program of what was written."""
    return [u.op for u in lower_items(k.kernel(), Context(opencl_target(None), Config(check=frozenset(check)))).src]


def test_ids_stay_ids() -> None:
    k = Threads()
    k.store(OUT, k.item(), 1)
    ops = linear(k)
    assert ops.count(Op.SPECIAL) == 2
    assert not {Op.RANGE, Op.LOOP, Op.IF} & set(ops)


def test_a_loop_that_is_left_early_is_a_loop_with_a_break() -> None:
    k = Threads()
    with k.for_(0, 10) as i, k.if_(k.load(OUT, i).eq(3)):
        k.leave(Op.BREAK)
    ops = linear(k)
    assert ops.count(Op.LOOP) == ops.count(Op.ENDLOOP) == 1
    assert Op.RANGE not in ops


def test_no_barrier_stands_in_a_branch_behind_an_early_return() -> None:
    k = Threads()
    tile = k.memory(dtypes.i32, 8, AddrSpace.LOCAL)
    with k.if_(k.thread() < 3):
        k.leave(Op.RETURN)
    k.store(tile, k.thread(), 1)
    k.barrier()
    k.store(OUT, k.thread(), k.load(tile, 7))
    depth, seen = 0, 0
    for op in linear(k):
        depth += (op is Op.IF) - (op is Op.ENDIF)
        seen += op is Op.BARRIER
        assert op is not Op.BARRIER or depth == 0
    assert seen == 1


def test_a_return_out_of_a_loop_with_barriers_is_refused() -> None:
    k = Threads()
    with k.for_(0, 4):
        with k.if_(k.thread() < 3):
            k.leave(Op.RETURN)
        k.barrier()
    with pytest.raises(UnsupportedError, match="return out of a loop in which the others meet"):
        linear(k)


def test_an_exchange_in_a_loop_of_which_each_does_as_many_iterations_as_it_will_is_refused() -> None:
    k = Threads()
    with k.for_(0, k.thread()) as i:
        k.store(OUT, i, k.subgroup(SubgroupKind.XOR, k.thread().cast(dtypes.i32), 1, width=8))
    with pytest.raises(UnsupportedError, match="SUBGROUP in a loop"):
        linear(k)


def test_checks_that_the_target_has_not_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="no run-time checks for race"):
        linear(Threads(), "race")
