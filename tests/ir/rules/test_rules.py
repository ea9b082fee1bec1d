"""Every rule, by existing: its example, its direction, its meaning, and that it loses no effect."""
from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from svod.dtype import dtypes
from svod.ir.args import AtomicKind
from svod.ir.effects import memory
from svod.ir.interp import evaluate
from svod.ir.ops import ELEMENTWISE, Op
from svod.ir.pattern import Rule, RuleSet
from svod.ir.rewrite import Trace, rewrite
from svod.ir.rules import ALL_RULE_SETS, SIMPLIFY
from svod.ir.rules.samples import DATA, OUT, A, B, I, J, K, N, P, X, Y, c
from svod.ir.text import to_text
from svod.ir.uop import UOp
from svod.testing.graphs import Point, differences, points

RULES = [pytest.param(rules, r, id=f"{rules.name}.{r.name}") for rules in ALL_RULE_SETS for r in rules.rules]
MEMORY = {DATA: np.random.default_rng(1).normal(size=4096).astype(np.float32)}
R = UOp.range(8, 0)


def again(rules: RuleSet) -> RuleSet:
    """The same rules as another set, which knows nothing of what the first one has rewritten."""
    return RuleSet(f"{rules.name} again", rules.rules)


def examples(r: Rule) -> tuple[UOp, UOp]:
    assert r.example is not None, f"{r.name} has no example"
    return r.example


# --- what a graph does, without any code of the compiler but the evaluator ---------------------------------------------------------

def value(u: UOp, at: Point) -> NDArray[Any]:
    """The value of `u` at points, its LOADs done on MEMORY."""
    known = dict(at)
    for load in u.find(Op.LOAD):
        pointer, index, *gate = load.src[0].src
        number = np.asarray(evaluate(index, known)) % 4096
        known[load] = MEMORY[memory(pointer)][number]
        if gate:
            known[load] = np.where(evaluate(gate[0], known), known[load], evaluate(load.src[1], known))
    return evaluate(u, known)


def stores(u: UOp, at: Point) -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """What an effect writes: name of the memory, element (-1 where the gate is false), value."""
    if u.op is Op.INDEX:
        return stores(u.store(1.0), at)
    if u.op is Op.STORE:
        pointer, index, *gate = u.src[0].src
        at_element = value(index, at)
        if gate:
            at_element = np.where(value(gate[0], at), at_element, -1)
        return [(memory(pointer).arg.name, at_element, value(u.src[1], at))] if (at_element >= 0).any() else []
    if u.op is Op.END:
        done = []
        for i in range(*(int(value(s, at)) for s in u.src[1].src)) if len(u.src) > 1 and u.src[1].op is Op.RANGE else (0,):
            inside = {**at, u.src[1]: np.int64(i)} if len(u.src) > 1 else at
            done += stores(u.src[0].end(*u.src[2:]), inside)  # type: ignore[arg-type]
        return done
    unique = dict.fromkeys(s for s in u.src if s.dtype is dtypes.void)
    return [w for s in unique for w in stores(s, at)]


def assert_same_meaning(before: UOp, after: UOp, seed: int) -> None:
    at = points((before, after), seed)
    if before.dtype is dtypes.void or before.op in (Op.INDEX, Op.AFTER):
        assert memory(before) is memory(after) or before.dtype is dtypes.void
        left, right = stores(before, at), stores(after, at)
        left = list({(n, i.tobytes(), v.tobytes()): (n, i, v) for n, i, v in left}.values())
        assert len(left) == len(right)
        for (na, ia, va), (nb, ib, vb) in zip(left, right, strict=True):
            assert na == nb
            assert not differences(np.asarray(ia), np.asarray(ib)).any()
            assert not differences(np.asarray(va), np.asarray(vb)).any()
    elif not (after.op is Op.REDUCE and any(r.op is not Op.RANGE for r in before.src[1:])):
        assert not differences(value(before, at), value(after, at)).any(), f"{to_text(before)}\n->\n{to_text(after)}"
    else:  # a loop that has run is no loop any more: what is left must be the reduction over the others
        assert after.src == (before.src[0], *[r for r in before.src[1:] if r.op is Op.RANGE])


def cost(root: UOp) -> int:
    """What a graph costs to execute: a node one for each lane it computes. Literals, coefficients of linear forms and what is affine or
    uniform over lanes cost nothing for the lanes."""
    total = 0
    for u in root.toposort():
        linear = u.dtype is dtypes.index and len(u.src) == 2 and u.src[1].op is Op.CONST and u.op in (Op.ADD, Op.SUB, Op.MUL, Op.SHL)
        if u.op is Op.CONST or linear or (u.op is Op.NEG and u.dtype is dtypes.index):
            continue
        total += u.dtype.lanes if u.op in ELEMENTWISE or u.op is Op.LOAD else 1
    return total


# --- every rule --------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("rules", "rule"), RULES)
def test_the_example_is_what_the_rule_does(rules: RuleSet, rule: Rule) -> None:
    before, after = examples(rule)
    trace = Trace()
    out = rewrite(before, again(rules), trace)
    names = [r.name for r, _, _ in trace.steps]
    assert out is after, f"\n{to_text(before)}\n-> (by {names})\n{to_text(out)}\nbut the example says\n{to_text(after)}"
    assert rule in [r for r, _, _ in trace.steps]


@pytest.mark.parametrize(("rules", "rule"), RULES)
def test_the_example_is_final(rules: RuleSet, rule: Rule) -> None:
    _, after = examples(rule)
    assert rewrite(after, again(rules)) is after


@pytest.mark.parametrize(("rules", "rule"), RULES)
def test_the_rule_does_not_grow_the_graph(rules: RuleSet, rule: Rule) -> None:
    before, after = examples(rule)
    assert cost(after) <= cost(before)


@pytest.mark.parametrize(("rules", "rule"), RULES)
def test_the_example_keeps_its_meaning(rules: RuleSet, rule: Rule) -> None:
    for seed in range(4):
        assert_same_meaning(*examples(rule), seed)


@pytest.mark.parametrize(("rules", "rule"), RULES)
def test_all_rules_agree_on_the_example(rules: RuleSet, rule: Rule) -> None:
    before, after = examples(rule)
    assert rewrite(before, SIMPLIFY) is rewrite(after, SIMPLIFY)


@pytest.mark.parametrize(("rules", "rule"), RULES)
def test_no_rule_drops_a_write(rules: RuleSet, rule: Rule) -> None:
    before, _ = examples(rule)
    counter = UOp.param(7, dtypes.i32, 1, name="counter")[0].atomic(AtomicKind.ADD, 1)
    for leaf in before.find(Op.DEFINE_VAR):
        worse = before.substitute({leaf: counter.cast(leaf.dtype)})
        for root in (worse, *_values_around(worse)):
            assert counter in rewrite(root, again(rules)).toposort(), f"{rule.name} dropped an ATOMIC in place of {leaf.arg.name}"


def _values_around(u: UOp) -> list[UOp]:
    """What makes an address or an effect observable."""
    return [UOp.sink(u)] if u.dtype is dtypes.void else [u.load()] if u.op is Op.INDEX else []


def test_the_sets_are_all_there_is() -> None:
    assert [r.name for rules in ALL_RULE_SETS for r in rules.rules] == [r.name for r in SIMPLIFY.rules]
    assert len({rules.name for rules in ALL_RULE_SETS}) == len(ALL_RULE_SETS)


def test_the_helpers_of_these_tests_can_fail() -> None:
    with pytest.raises(AssertionError):
        assert_same_meaning(A + 0.0, A, 0)
    with pytest.raises(AssertionError):
        assert_same_meaning(OUT[R].store(A).end(R), OUT[I].store(A), 0)
    with pytest.raises(AssertionError):
        assert_same_meaning(DATA[I].load(), DATA[J].load(), 0)
    assert cost(K * 2 + 1) == 3 < cost((K * 2 + 1) * K)


# --- index arithmetic: what split, merged and flattened loops need ------------------------------------------------------------------

i, j, k, m = UOp.range(8, 0), UOp.range(64, 1), UOp.range(4, 2), UOp.range(512, 3)
s = UOp.range(N, 4)


@pytest.mark.parametrize(("before", "after"), [
    ((i * 64 + j) // 64, i),
    ((i * 64 + j) % 64, j),
    (((i * 64 + j) // 16) % 4, j // 16),
    ((i * 64 + j) // 16 % 4 * 16 + j % 16, j),
    ((m // 64) * 64 + m % 64, m),
    (m // 64 * 64 + m // 16 % 4 * 16 + m % 16, m),
    (m // 8 % 4 * 8 + m % 8, m % 32),
    ((j * 8 + i) // 64 * 64 + (j * 8 + i) % 64, i + j * 8),
    ((i * 4 + k) // 2, i * 2 + k // 2),
    ((i * 4 + k) // 8, i // 2),
    ((i * N + s) // N, i),
    ((i * N + s) % N, s),
    (s // N, c(0)),
    (s < N, c(True, dtypes.bool)),
    ((i * 64 + j) - i * 64, j),
    ((X + 5) - X, c(5)),
    (X - (X - Y), Y),
    ((X + Y) * 0 + 1, c(1)),
    (UOp(Op.NEG, (-X,)), X),
    (i * 64 + j < 512, c(True, dtypes.bool)),
    (i * 4 + k < N * 4, i < N),
    (X * 4 + 2 < 7, X < 2),
    ((X * 4 + 2).eq(8), c(False, dtypes.bool)),
    (5 - X > 2, X < 3),
    (~(X < 5), c(4) < X),
    (j.idiv(8), j // 8),
    (j.rem(8), j % 8),
    (j >> 3 << 3, j // 8 * 8),
    (j & 7, j % 8),
    ((i * 64 + j).minimum(511), i * 64 + j),
    (i.maximum(-3).minimum(9), i),
    (X.minimum(9).minimum(4), X.minimum(4)),
    ((X % 16) % 4, X % 4),
    ((X // 3) // 5, X // 15),
    ((X * 6 + 3) // 9, (X * 2 + 1) // 3),
    ((i * 12 + 5) % 8, (i + 1) % 2 * 4 + 1),
    ((X < 4) & (X < 8), X < 4),
    ((X < 4) & (c(7) < X), c(False, dtypes.bool)),
    (X.cast(dtypes.i32).cast(dtypes.index), X),
])
def test_index_expressions(before: UOp, after: UOp) -> None:
    got = rewrite(before, SIMPLIFY)
    assert got is rewrite(after, SIMPLIFY), f"{to_text(before)}\n->\n{to_text(got)}"


def test_division_by_every_number_of_either_sign() -> None:
    numerators = [X, X * 3 - 7, X * 4 + Y % 4, X * -6 + 5, i * 64 + j - 3, (X // 3 + 1) * 2, X % 6 + Y * 6]
    for top in numerators:
        for d in (-7, -4, -1, 0, 1, 2, 3, 4, 6, 8, 12, 64):
            for u in (top // d, top % d, top.idiv(d), top.rem(d)):
                assert_same_meaning(u, rewrite(u, SIMPLIFY), d + 100)


def test_a_linear_form_is_one_node_however_it_is_written() -> None:
    rng = random.Random(5)
    terms = [i * 64, j, k * 3, X * -2, N * 7, c(12), c(-3), (X + Y) // 3, i % 3 * 5, i % 4 * 5]
    found = set()
    for _ in range(20):
        rng.shuffle(terms)
        total, *rest = terms
        for t in rest:
            total = total + t if rng.random() < 0.5 else t + total
        found.add(rewrite(total, SIMPLIFY))
    assert len(found) == 1
    assert next(iter(found)).src[1] is c(9)


def test_equalities_and_remainders_have_one_spelling() -> None:
    assert rewrite((Y * 3).eq(X * 3 + 6), SIMPLIFY) is rewrite((X * 2 + 4).eq(Y * 2), SIMPLIFY)
    assert rewrite((X * -5 + 9) % 4, SIMPLIFY) is (X * -1 + 1) % 4


def test_lanes_share_a_quotient_or_a_comparison_only_where_they_do() -> None:
    rng = random.Random(7)
    shared = 0
    for seed in range(400):
        lanes, base = rng.choice((2, 3, 4, 8)), X * rng.choice((1, 2, 4, 8, 12)) + rng.randrange(-9, 9)
        index = dtypes.index.vec(lanes)
        ramp = UOp(Op.RAMP, (base, c(rng.randrange(-3, 4))), None, index)
        other = UOp(Op.RAMP, (Y * rng.choice((2, 4, 8)) + rng.randrange(-5, 5), c(rng.randrange(-3, 4))), None, index)
        even = (N * rng.choice((2, 4, 8)) + rng.randrange(-5, 5)).broadcast(lanes)
        d = UOp.const(rng.choice((1, 2, 3, 4, 8, 16)), index)
        for u in (ramp // d, ramp % d, ramp < other, ramp < even, even < ramp, ramp <= even, other <= ramp):
            out = rewrite(u, SIMPLIFY)
            shared += out.op in (Op.BROADCAST, Op.RAMP)
            assert_same_meaning(u, out, seed)
    assert shared > 400, "hardly any of these was simplified"


def test_terms_go_from_outer_to_inner_loops() -> None:
    got = rewrite(k + j * 8 + 5 + i * 64 + N, SIMPLIFY)
    assert got is (((N + i * 64) + j * 8) + k) + 5


# --- what must not be simplified ----------------------------------------------------------------------------------------------------

h = UOp.scalar("h", dtypes.f64)


@pytest.mark.parametrize("u", [
    h + 0.0, h * 0.0, h - h, h / h, h.eq(h), h.ne(h), UOp(Op.CMPLE, (h, h)), ~(h < 1.0), ~(h >= 1.0), (h + 1.0) - 1.0, (h * 2.0) * 3.0,
    h / 3.0,    h.cast(dtypes.f32).cast(dtypes.f64), K.cast(dtypes.f32).cast(dtypes.i32), K.cast(dtypes.i16).cast(dtypes.i32), (K * 4) // 4,
    (K + 1) < (K + 2), h.sum(R), (K * 2).idiv(2), UOp.scalar("v", dtypes.u8).cast(dtypes.i8).cast(dtypes.i16), (N * X) // N.minimum(5),
    UOp.variable("y", 0, 9).eq(UOp.variable("z", 0, 9)), K.cast(dtypes.f64).cast(dtypes.i8), (X < 5) & (c(3) < X),
    DATA[N].load().max(UOp.range(X, 0)), UOp.range(N, 0, start=N), UOp.range(N + -1, 0, start=N), K.sum(UOp.range(X, 0)),
])
def test_these_stay(u: UOp) -> None:
    assert rewrite(u, SIMPLIFY) is u


def test_bind_is_untouched() -> None:
    bound = N.bind(12)
    assert rewrite(bound * 2 + 0, SIMPLIFY) is bound * 2


def test_index_literals_beyond_64_bits_stay_unfolded() -> None:
    huge = c((1 << 62) + 1)
    for u in (huge * 4, huge + huge, (X * (1 << 40)) * (1 << 40), (X // (1 << 40)) // (1 << 40)):
        assert rewrite(u, SIMPLIFY).op is u.op


def test_the_payload_of_a_nan_is_not_lost_to_folding() -> None:
    u = UOp.const(0x7FF00001, dtypes.u32).bitcast(dtypes.f32).bitcast(dtypes.u32)
    assert rewrite(u, SIMPLIFY) is UOp.const(0x7FF00001, dtypes.u32)


# --- effects ------------------------------------------------------------------------------------------------------------------------

def test_a_false_gate_empties_everything_around_it() -> None:
    never = OUT.index(R, c(1) < 0).store(A)
    assert rewrite(UOp.sink(never.end(R), OUT[I].store(B)), SIMPLIFY) is UOp.sink(OUT[I].store(B))


def test_a_vector_gate_that_is_decided_goes_away() -> None:
    lanes = UOp(Op.RAMP, (i * 4, c(1)), None, dtypes.index.vec(4))
    gate = lanes < c(32).broadcast(4)
    assert rewrite(OUT.index(lanes, gate).store(A.broadcast(4)), SIMPLIFY) is OUT.index(lanes).store(A.broadcast(4))


def test_an_after_that_waits_for_a_load_keeps_it() -> None:
    read = DATA[I].load().cast(dtypes.index)
    assert rewrite(OUT.after(read, X, R * 2 + 1), SIMPLIFY) is OUT.after(read, R)


def test_a_triangular_loop_is_not_dropped() -> None:
    inner = UOp.range(R + 1, 1)
    for u in (K.sum(R, inner), DATA[inner].load().max(R, inner)):
        assert R in rewrite(u, SIMPLIFY).toposort()


def test_a_loop_of_one_runs_with_its_start() -> None:
    once = UOp.range(N + 1, 1, start=N)
    assert rewrite(UOp.sink(OUT[once].store(DATA[once].load()).end(once)), SIMPLIFY) is UOp.sink(OUT[N].store(DATA[N].load()))


def test_vectors_become_ramps() -> None:
    index = dtypes.index.vec(4)
    lanes = UOp(Op.RAMP, (i * 4, c(1)), None, index)
    got = rewrite((lanes * UOp.const(8, index) + j.broadcast(4)) - UOp.const(2, index), SIMPLIFY)
    assert got is UOp(Op.RAMP, (i * 32 + j + -2, c(8)), None, index)
    assert rewrite((lanes // UOp.const(4, index)), SIMPLIFY) is i.broadcast(4)
    assert rewrite((lanes % UOp.const(4, index)), SIMPLIFY) is UOp(Op.RAMP, (c(0), c(1)), None, index)
    assert rewrite(P.broadcast(4) & ~P.broadcast(4), SIMPLIFY) is UOp.const(False, dtypes.bool.vec(4))
