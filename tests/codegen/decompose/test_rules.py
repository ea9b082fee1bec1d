"""The rule set as a whole: every op of the table in every dtype it takes, scalar and in four lanes, and what rules promise."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from svod.codegen.decompose import math_rules, replaced_by, rules_for, unsupported
from svod.codegen.decompose.functions import FUNCTIONS
from svod.dtype import DType, dtypes
from svod.ir.ops import ELEMENTWISE, OPS, Op
from svod.ir.pattern import Rule, RuleSet
from svod.ir.rewrite import Trace, rewrite
from svod.ir.uop import UOp
from svod.target import Target
from svod.target.target import ESSENTIAL

NUMBERS = (*dtypes.ALL, dtypes.index)
BY_ONE_OP = [o for o in sorted(ELEMENTWISE, key=lambda o: o.value) if o not in (Op.CAST, Op.BITCAST)]
Check = Callable[..., UOp]


def takes(op: Op, dtype: DType) -> bool:
    """True if the op table lets `op` act on `dtype`."""
    return {"any": True, "number": dtype.is_int or dtype.is_float, "float": dtype.is_float, "int": dtype.is_int,
            "bits": dtype.is_int or dtype.is_bool}[OPS[op].takes]


def node(op: Op, dtype: DType) -> UOp:
    """`op` on variables x, y, z of `dtype` (any lanes)."""
    names = "xyz"[: OPS[op].arity[0] - (op is Op.WHERE)]
    operands = tuple(UOp.scalar(n, dtype) for n in names)
    return UOp(op, ((operands[0] < operands[1]), *operands) if op is Op.WHERE else operands)


@pytest.mark.parametrize("op", BY_ONE_OP, ids=lambda o: o.name)
def test_every_op_in_every_dtype(op: Op, cpu: Target, samples: Any, keeps_meaning: Check) -> None:
    """Nothing unsupported is left, and the meaning is kept over the edge values. Functions: test_functions.py."""
    for dtype in (t for t in NUMBERS if takes(op, t)):
        scalar, lanes = node(op, dtype), node(op, dtype.vec(4))
        if op in FUNCTIONS:
            assert unsupported(rewrite(scalar, rules_for(cpu)), cpu) == unsupported(rewrite(lanes, rules_for(cpu)), cpu) == []
            continue
        names = sorted(u.arg.name for u in scalar.find(Op.DEFINE_VAR))
        env = samples.mixed(dtype, "".join(names))
        if op is Op.MULACC and dtype is dtypes.f64:  # its definition is slow
            env = {name: v[:3000] for name, v in env.items()}
        keeps_meaning(scalar, cpu, env)
        keeps_meaning(lanes, cpu, samples.lanes({name: v[:8000] for name, v in env.items()}))


def test_every_op_is_met() -> None:
    assert {*BY_ONE_OP, Op.CAST, Op.BITCAST} == ELEMENTWISE
    assert all(takes(o, dtypes.f32) or takes(o, dtypes.i32) for o in BY_ONE_OP)


def every_rule(*targets: Target) -> Iterator[Rule]:
    """Each rule once, by name."""
    return iter({r.name: r for t in targets for r in rules_for(t).rules}.values())


def test_each_example_gives_exactly_that_node(cpu: Target, bare: Target, samples: Any, keeps_meaning: Check) -> None:
    """And the result is not rewritten again, and means the same."""
    seen = 0
    for r in every_rule(cpu, bare):
        if r.example is None:
            continue
        seen += 1
        before, after = r.example
        assert r.apply(before) is after, r.name
        assert r.apply(after) is None or after.op is not before.op, r.name
        env = {u.arg.name: np.array([int(u.arg.min), int(u.arg.max), 3]).astype(samples.few(u.dtype).dtype)
               for u in before.find(Op.DEFINE_VAR) if not u.dtype.is_float}
        env |= {u.arg.name: samples.few(u.dtype) for u in before.find(Op.DEFINE_VAR) if u.dtype.is_float}
        keeps_meaning(before, cpu if r in rules_for(cpu).rules else bare, samples.grid(**env))
    assert seen >= 12


def test_sets_are_made_once(cpu: Target) -> None:
    same = Target("cpu", arithmetic=cpu.arithmetic, native=cpu.native, vector_bits=512)
    assert rules_for(same) is rules_for(cpu)
    assert math_rules(same) is math_rules(cpu)


def test_a_result_is_a_fixpoint(cpu: Target, bare: Target) -> None:
    for target in (cpu, bare):
        for op in BY_ONE_OP:
            for dtype in (t for t in NUMBERS if takes(op, t)):
                once = rewrite(node(op, dtype), rules_for(target))
                assert rewrite(once, rules_for(target)) is once


@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.f64, dtypes.i32, dtypes.index], ids=repr)
def test_common_ops_meet_few_rules(dtype: DType, cpu: Target) -> None:
    """A kernel in native dtypes pays for one look at a dtype per node of most ops, for none per node of the others."""
    common = (Op.ADD, Op.SUB, Op.MUL, Op.FDIV, Op.SQRT, Op.NEG, Op.MAX, Op.CMPLT, Op.FLOOR, Op.SHL, Op.SHR)
    for op in (o for o in common if takes(o, dtype)):
        assert len(rules_for(cpu).candidates(node(op, dtype))) <= 1, op
    for op in (o for o in (Op.AND, Op.OR, Op.XOR, Op.NOT, Op.WHERE) if takes(o, dtype)):
        assert rules_for(cpu).candidates(node(op, dtype)) == (), op
    x = UOp.scalar("x", dtype)
    for u in (x, x.broadcast(4), x.broadcast(4).extract(0), UOp.const(1, dtype), UOp.range(4, 0), UOp.param(0, dtype)[0].load()):
        assert rules_for(cpu).candidates(u) == (), u


def test_what_replaces_what(cpu: Target) -> None:
    table = replaced_by(cpu)
    assert table["FLOORDIV"] == "floor_quotient"
    assert "compute_in_f32" in table["ADD"]
    assert "decompose_function" in table["EXP"]
    assert not {"AND", "WHERE", "LOAD"} & table.keys()


def test_a_plain_kernel_pays_little(cpu: Target) -> None:
    """Against the same traversal with no rules at all. Sets are made anew, as results are remembered by set."""
    x = UOp.scalar("x", dtypes.f32)
    for i in range(3000):
        x = x * (1.0 + i) + UOp.scalar("y", dtypes.f32)
    trace = Trace()
    assert rewrite(x, rules_for(cpu), trace) is x
    assert trace.steps == []

    def seconds(rules: tuple[Rule, ...]) -> float:
        best = 1e9
        for _ in range(7):
            anew = RuleSet("anew", rules)
            start = time.perf_counter()
            assert rewrite(x, anew) is x
            best = min(best, time.perf_counter() - start)
        return best
    assert seconds(rules_for(cpu).rules) < 3 * seconds(())


def test_targets_with_every_subset_of_optional_ops(cpu: Target) -> None:
    """Whichever ops beyond the essential ones are missing, one at a time, f32 and i32 lose nothing."""
    for missing in sorted(cpu.native - ESSENTIAL, key=lambda o: o.value):
        target = Target("without", arithmetic=cpu.arithmetic, native=cpu.native - {missing})
        for dtype in (dtypes.f32, dtypes.i32, dtypes.bf16, dtypes.bool):
            if takes(missing, dtype):
                assert unsupported(rewrite(node(missing, dtype), rules_for(target)), target) == []


