"""What all decompositions have in common: pure basic arithmetic, the dtype of the source, lanes, and no more instructions than stated."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from svod.codegen.math import DECOMPOSITIONS
from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.interp import evaluate
from svod.ir.ops import OPS, Effect, Op
from svod.ir.uop import UOp

ALL: dict[str, Callable[..., UOp]] = {op.name.lower(): f for op, f in DECOMPOSITIONS.items()}
BASIC = frozenset((
    Op.CONST, Op.DEFINE_VAR, Op.BROADCAST, Op.STACK, Op.NEG, Op.NOT, Op.ABS, Op.SQRT, Op.RINT, Op.FLOOR, Op.CAST, Op.BITCAST, Op.ADD,
    Op.SUB, Op.MUL, Op.FDIV, Op.MAX, Op.AND, Op.OR, Op.XOR, Op.SHL, Op.SHR, Op.CMPLT, Op.CMPLE, Op.CMPEQ, Op.CMPNE, Op.WHERE, Op.MULACC,
))
FREE = frozenset((Op.CONST, Op.DEFINE_VAR, Op.BROADCAST, Op.BITCAST))
MOST = {"exp": 20, "exp2": 19, "tanh": 21, "sigmoid": 27, "erf": 27, "log": 29, "log2": 29, "atan": 33, "rsqrt": 2, "hypot": 21, "pow": 115}
"""f32: operations, not counting constants and bit casts."""
DIVISIONS = {"tan": 2, "erfc": 2, "cbrt": 2}
"""Where there is more than one: tan has one in each of its two ways."""
MODERATE = 24
"""f32: what sin and cos cost where no argument is huge: the exclusive operations of the select's second arm."""


def leaves(name: str, dtype: DType) -> list[UOp]:
    """As many variables as the function takes."""
    return [UOp.scalar(f"x{i}", dtype) for i in range(2 if name in ("pow", "atan2", "hypot") else 1)]


def cost(nodes: set[UOp]) -> int:
    """Operations among them that are instructions."""
    return sum(u.op not in FREE for u in nodes)


@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.f64], ids=str)
@pytest.mark.parametrize("name", sorted(ALL))
def test_only_pure_basic_arithmetic(name: str, dtype: DType) -> None:
    graph = ALL[name](*leaves(name, dtype))
    assert graph.dtype is dtype
    assert {u.op for u in graph.toposort()} <= BASIC
    assert all(OPS[u.op].effect is Effect.PURE for u in graph.toposort())
    divisions = len(list(graph.find(Op.FDIV)))
    assert divisions <= DIVISIONS.get(name, 1)


@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.f64], ids=str)
@pytest.mark.parametrize("name", sorted(ALL))
def test_vectors_give_what_their_lanes_give(name: str, dtype: DType) -> None:
    scalars = leaves(name, dtype)
    vectors = [UOp(Op.STACK, tuple(s + float(k) for k in range(4)), dtype=dtype.vec(4)) for s in scalars]
    graph = ALL[name](*vectors)
    assert graph.dtype is dtype.vec(4)
    env = {f"x{i}": 0.1 for i in range(len(scalars))}
    want = [evaluate(ALL[name](*[s + float(k) for s in scalars]), env) for k in range(4)]
    np.testing.assert_array_equal(evaluate(graph, env), np.array(want))


@pytest.mark.parametrize("name", sorted(MOST))
def test_operations_of_f32(name: str) -> None:
    assert cost(set(ALL[name](*leaves(name, dtypes.f32)).toposort())) <= MOST[name]


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_the_select_of_sin_and_cos_can_be_a_branch(name: str) -> None:
    """The arms share nothing but the argument, and the one for moderate arguments is short."""
    select = ALL[name](*leaves(name, dtypes.f32))
    assert select.op is Op.WHERE
    huge, moderate = (set(arm.toposort()) for arm in select.src[1:])
    shared = {u for u in huge & moderate if u.op not in FREE}
    assert not shared
    assert cost(moderate) <= MODERATE
    assert cost(huge) > 3 * cost(moderate)


@pytest.mark.parametrize("name", sorted(ALL))
def test_other_dtypes_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedError, match="f16"):
        ALL[name](*leaves(name, dtypes.f16))
