"""Groups executed in step: what races, diverges or leaves its memory is found."""
from __future__ import annotations

import numpy as np
import pytest

from svod import UOp
from svod.dtype import AddrSpace, dtypes
from svod.errors import ArgumentError, LaunchError
from svod.ir.args import BarrierScope, SpecialKind
from svod.ir.ops import Op
from svod.testing.groups import run_groups
from svod.testing.phases import GROUPS, ITEMS, handed_round

T = UOp.special(SpecialKind.LOCAL, 0, 8)
TILE = UOp.memory(0, dtypes.f32, 8, AddrSpace.LOCAL, name="tile")
OUT = UOp.param(0, dtypes.f32, name="out")
WAIT = UOp.barrier(scope=BarrierScope.GROUP)
ZERO, SEVEN = UOp.const(0, dtypes.index), UOp.const(7, dtypes.index)


def program(*instructions: UOp) -> UOp:
    leaves = dict.fromkeys(u for i in instructions for u in i.toposort() if u.op in (Op.PARAM, Op.DEFINE_LOCAL, Op.CONST))
    return UOp(Op.LINEAR, (*leaves, T, *instructions))


def reversed_through_tile(*wait: UOp) -> UOp:
    other = SEVEN - T
    load = TILE[other].load()
    return program(TILE[T].store(OUT[T].load()).src[1], TILE[T].store(OUT[T].load()), *wait, *(u for u in other.toposort() if u.op not in (
        Op.CONST, Op.SPECIAL)), load, *wait, OUT[T].store(load))


def test_a_barrier_makes_the_difference() -> None:
    out = np.arange(8, dtype=np.float32)
    assert run_groups(reversed_through_tile(WAIT), [out]) == 8
    np.testing.assert_array_equal(out, np.arange(8)[::-1])
    with pytest.raises(LaunchError, match="race: LOAD of element 7 of DEFINE_LOCAL 'tile'"):
        run_groups(reversed_through_tile(), [out])


def test_a_barrier_that_some_miss() -> None:
    cond = T < 4
    branch = UOp(Op.IF, (cond,))
    with pytest.raises(LaunchError, match="divergent barrier: 4 of 8"):
        run_groups(program(cond, branch, WAIT, UOp(Op.ENDIF, (branch,))), [])


def test_two_stores_of_one_element() -> None:
    with pytest.raises(LaunchError, match="race: STORE of element 0"):
        run_groups(program(OUT[ZERO].store(UOp.const(1.0, dtypes.f32))), [np.zeros(8, np.float32)])


def test_groups_that_store_what_others_touch() -> None:
    g = UOp.special(SpecialKind.GLOBAL, 0, 2)
    linear = program(g, OUT[T].store(UOp.const(1.0, dtypes.f32)))
    with pytest.raises(LaunchError, match="which another group uses"):
        run_groups(linear, [np.zeros(8, np.float32)])


def test_accesses_out_of_bounds() -> None:
    with pytest.raises(ArgumentError, match="STORE at index 5 of 'out', which has 5 elements"):
        run_groups(program(OUT[T].store(UOp.const(1.0, dtypes.f32))), [np.zeros(5, np.float32)])


def test_groups_see_what_others_stored_behind_a_barrier_of_the_grid_alone() -> None:
    linear, a = handed_round(), np.arange(GROUPS * ITEMS, dtype=np.float32)
    out = np.zeros_like(a)
    run_groups(linear, [out, a])
    np.testing.assert_array_equal(out, a[::-1] * 2 + np.arange(GROUPS * ITEMS) % 2)
    together = linear.replace(src=tuple(u for u in linear.src if u.op is not Op.BARRIER))
    with pytest.raises(LaunchError, match="of 'twice', which another group uses"):
        run_groups(together, [out, a])


def test_an_element_that_another_group_reads_is_not_stored() -> None:
    group = UOp.special(SpecialKind.GLOBAL, 0, 2)
    load = OUT[UOp.const(1, dtypes.index)].load()
    leaves = [u for u in load.toposort() if u.op in (Op.PARAM, Op.CONST)]
    linear = UOp(Op.LINEAR, (*leaves, group, load, OUT[group].store(load)))
    with pytest.raises(LaunchError, match="race: STORE of element 1 of 'out', which another group uses"):
        run_groups(linear, [np.zeros(2, np.float32)])
