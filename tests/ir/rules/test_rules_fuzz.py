"""All rules together, on random typed graphs: the same value bit for bit before and after, at limits, infinities, NaN and both zeros."""
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svod.dtype import DType, dtypes
from svod.ir.pattern import RuleSet, any_, rule
from svod.ir.rewrite import Trace, rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.text import parse, to_text
from svod.ir.uop import UOp
from svod.testing.graphs import RandomGraphs, disagreement, points

AGAIN = RuleSet("SIMPLIFY again", SIMPLIFY.rules)
"""The same rules; does not know what SIMPLIFY has noted about nodes."""
SEEDS = st.integers(0, 2**32)
GRAPHS = 8
"""Graphs of one example."""
FAMILIES: dict[str, tuple[DType, ...]] = {
    "index": (dtypes.index,), "index and bool": (dtypes.index, dtypes.bool), "floats": (dtypes.f16, dtypes.bf16, dtypes.f32, dtypes.f64),
    "narrow": (dtypes.i8, dtypes.u8, dtypes.i16), "wide": (dtypes.i32, dtypes.u32, dtypes.i64, dtypes.u64), "any": (),
}


def reproducer(before: UOp, seed: int, rules: RuleSet) -> str:
    """Empty if `rules` keep the meaning of `before`; else the rule that changes it, found by bisecting fuel, and code to paste."""
    at = points((before,), seed)
    if not disagreement(before, rewrite(before, rules), at):
        return ""
    good, trace = 0, Trace()
    rewrite(before, rules, trace)
    bad = trace.spent
    while bad - good > 1:
        middle = (good + bad) // 2
        if disagreement(before, rewrite(before, rules, Trace(fuel=middle)), at):
            bad = middle
        else:
            good = middle
    guilty, node, became = trace.steps[bad - 1]
    wrong = disagreement(before, rewrite(before, rules, Trace(fuel=bad)), at)
    return f"""{guilty.name} ({guilty.at}) changed the meaning: {wrong}
it made of
{to_text(node)}
this:
{to_text(became)}
reproduce:
from svod.ir.text import parse
before = parse('''
{to_text(before)}
''')
after = rewrite(before, {rules.name}, Trace(fuel={bad}))
print(disagreement(before, after, points((before,), {seed})))
"""


@pytest.mark.parametrize("family", FAMILIES)
@given(seed=SEEDS)
def test_simplified_graphs_have_the_same_value(family: str, seed: int) -> None:
    for number in range(seed, seed + GRAPHS):
        before = RandomGraphs(number, FAMILIES[family]).graph(50)
        message = reproducer(before, number, SIMPLIFY)
        assert not message, message


@given(seed=SEEDS)
def test_simplified_graphs_are_final(seed: int) -> None:
    for number in range(seed, seed + GRAPHS):
        once = rewrite(RandomGraphs(number).graph(60), SIMPLIFY)
        assert rewrite(once, AGAIN) is once, to_text(once)


@given(seed=SEEDS)
def test_simplifying_a_part_first_changes_nothing(seed: int) -> None:
    graph = RandomGraphs(seed, (dtypes.index, dtypes.bool)).graph(60)
    parts = graph.toposort()
    for part in parts[:: max(1, len(parts) // 4)]:
        rewrite(part, SIMPLIFY)
    assert rewrite(graph, SIMPLIFY) is rewrite(graph, AGAIN)


# --- the tools of these tests -------------------------------------------------------------------------------------------------------

@rule(any_("x", "is_float") + any_("y"))
def ignore_addend(x: UOp, y: UOp) -> UOp | None:
    """x + y == x. Never: for the test of the reproducer."""
    return x


def test_a_failure_names_the_rule_and_can_be_pasted() -> None:
    a = UOp.scalar("a", dtypes.f32)
    before = (a * 1.0 + 2.0).sqrt() * 1.0
    wrong = RuleSet("WRONG", (*SIMPLIFY.rules, ignore_addend))
    message = reproducer(before, 3, wrong)
    assert message.startswith("ignore_addend (")
    pasted = re.search("parse\\('''\n(.*?)'''\\)", message, re.DOTALL)
    fuel = re.search(r"fuel=(\d+)", message)
    assert pasted is not None
    assert fuel is not None
    graph, n = parse(pasted[1]), int(fuel[1])
    assert graph is before
    at = points((graph,), 3)
    assert disagreement(graph, rewrite(graph, wrong, Trace(fuel=n)), at)
    assert not disagreement(graph, rewrite(graph, wrong, Trace(fuel=n - 1)), at)


def test_random_graphs_reach_what_they_are_for() -> None:
    trace = Trace()
    for seed in range(400):
        rewrite(RandomGraphs(seed).graph(60), RuleSet("COUNT", SIMPLIFY.rules), trace)
    fired = {r.name for r, _, _ in trace.steps}
    assert len(fired) >= 70, sorted({r.name for r in SIMPLIFY.rules} - fired)
