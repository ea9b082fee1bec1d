"""The engine: fixpoints, guards, fuel, traces, and graphs that are deep."""
from __future__ import annotations

import threading

import pytest

from svod.dtype import dtypes
from svod.errors import RuleError
from svod.ir import rewrite as engine
from svod.ir.ops import Op
from svod.ir.pattern import RuleSet, any_, const, lit, op, rule
from svod.ir.rewrite import Trace, rewrite
from svod.ir.uop import UOp

a, b, c = (UOp.scalar(n, dtypes.f32) for n in "abc")


@rule(any_("x") + 1)
def drop_one(x: UOp) -> UOp | None:
    """x + 1 becomes x."""
    return x


@rule(any_("x") + any_("y"))
def swap(x: UOp, y: UOp) -> UOp | None:
    """x + y == y + x."""
    return y + x


@rule(any_("x") - any_("y"))
def add_instead(x: UOp, y: UOp) -> UOp | None:
    """x - y becomes x * y."""
    return x * y


@rule(any_("x") * any_("y"))
def subtract_instead(x: UOp, y: UOp) -> UOp | None:
    """x * y becomes x - y."""
    return x - y


@rule(op(Op.EXP, name="u"))
def wrap(u: UOp) -> UOp | None:
    """exp(x) becomes exp(exp(x))."""
    return u.exp()


@rule(op(Op.EXP2, src=[any_("x")], name="u"))
def surround(u: UOp, x: UOp) -> UOp | None:
    """exp2(x) becomes sqrt(exp2(x)), which it is part of."""
    return u.sqrt()


DROP = RuleSet("DROP", (drop_one,))


def fresh(*rules: object) -> RuleSet:
    return RuleSet("TEST", rules)  # type: ignore[arg-type]


# --- fixpoints ----------------------------------------------------------------------------------------------------------------------

def test_rewrites_until_nothing_matches() -> None:
    assert rewrite(((a + 1.0) + 1.0) * ((b + 1.0) + 1.0), DROP) is a * b
    assert rewrite(a * b, DROP) is a * b


def test_the_first_rule_that_fires_wins() -> None:
    @rule(any_("x") + 1)
    def negate(x: UOp) -> UOp | None:
        """x + 1 becomes -x."""
        return -x
    assert rewrite(a + 1.0, fresh(negate, drop_one)) is -a
    assert rewrite(a + 1.0, fresh(drop_one, negate)) is a


def test_a_rule_that_declines_leaves_the_next_its_turn() -> None:
    @rule(any_("x") + lit(1))
    def never(x: UOp) -> UOp | None:
        """Declines."""
        return None
    assert rewrite(a + 1.0, fresh(never, drop_one)) is a


def test_results_are_rewritten_too() -> None:
    @rule(op(Op.SQRT, src=[any_("x")]))
    def unfold(x: UOp) -> UOp | None:
        """sqrt(x) becomes ((x + 1) + 1) * x."""
        return ((x + 1.0) + 1.0) * x
    assert rewrite((a + 1.0).sqrt(), fresh(unfold, drop_one)) is a * a


def test_shared_nodes_are_rewritten_once() -> None:
    shared = (a + 1.0).sin()
    trace = Trace()
    rewrite(shared * shared + shared, fresh(drop_one), trace)
    assert [r.name for r, _, _ in trace.steps] == ["drop_one"]


def test_what_has_been_rewritten_is_not_looked_at_again() -> None:
    calls = []

    @rule(op(Op.SIN, name="u"))
    def count(u: UOp) -> UOp | None:
        """Counts."""
        calls.append(u)
        return None
    rules = fresh(count)
    graph = a.sin() * b.sin()
    rewrite(graph, rules)
    assert rewrite(graph + 2.0, rules) is graph + 2.0
    assert calls == [a.sin(), b.sin()]
    rewrite(graph, fresh(count))
    assert len(calls) == 4, "another set has to look for itself"


def test_a_deep_graph() -> None:
    u = a
    for _ in range(100_000):
        u = u * b
    u = (u + 1.0) * c
    out = rewrite(u, DROP)
    assert out.src[1] is c
    assert len(out.toposort()) == len(u.toposort()) - 2


def test_a_deep_graph_that_changes_everywhere() -> None:
    u = a
    for _ in range(20_000):
        u = (u + 1.0) * b
    assert not any(x.op is Op.ADD for x in rewrite(u, DROP).toposort())


# --- guards -------------------------------------------------------------------------------------------------------------------------

def test_a_rule_that_undoes_itself_is_named() -> None:
    with pytest.raises(RuleError, match=r"TEST did not terminate; last rules: swap, swap\n  at: <ADD f32.*\n  hint: one rule undoes"):
        rewrite((a + b).sin(), fresh(swap))


def test_two_rules_that_undo_one_another_are_named() -> None:
    with pytest.raises(RuleError, match=r"last rules: add_instead, subtract_instead"):
        rewrite(a - b, fresh(add_instead, subtract_instead))


@pytest.mark.parametrize(("guilty", "u"), [(wrap, a.exp()), (surround, a.exp2())])
def test_a_rule_that_builds_on_what_it_replaces_is_named(guilty: object, u: UOp) -> None:
    with pytest.raises(RuleError, match=r"did not terminate; last rules: (wrap|surround)"):
        rewrite(u * b, fresh(guilty))


def test_a_rule_that_never_comes_to_an_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_STEPS", 100)

    @rule(any_("x") + const("k"))
    def count_up(x: UOp, k: UOp) -> UOp | None:
        """x + k becomes x + (k + 1)."""
        return x + (k.arg.value + 1.0)
    with pytest.raises(RuleError, match="last rules: count_up, count_up, count_up"):
        rewrite(a + 1.0, fresh(count_up))


def test_the_guards_of_rules_hold_in_the_engine() -> None:
    @rule(op(Op.SIN, name="u"))
    def same(u: UOp) -> UOp | None:
        """Nothing new."""
        return u

    @rule(op(Op.COS, src=[any_("x")]))
    def narrow(x: UOp) -> UOp | None:
        """Wrong dtype."""
        return x.cast(dtypes.f16)
    with pytest.raises(RuleError, match="rule same returned its own input"):
        rewrite(a.sin(), fresh(same))
    with pytest.raises(RuleError, match="rule narrow changed the dtype from f32 to f16"):
        rewrite(a.cos(), fresh(narrow))


def test_after_an_error_the_set_still_works() -> None:
    rules = fresh(wrap, drop_one)
    with pytest.raises(RuleError):
        rewrite((a + 1.0).exp(), rules)
    assert rewrite((a + 1.0).sin(), rules) is a.sin()


# --- traces and fuel ----------------------------------------------------------------------------------------------------------------

def test_a_trace_holds_every_step_in_order() -> None:
    trace = Trace()
    rewrite((a + 1.0) * ((b + c) + 1.0), fresh(drop_one), trace)
    assert trace.steps == [(drop_one, a + 1.0, a), (drop_one, (b + c) + 1.0, b + c)]
    assert trace.spent == 2


def test_fuel_bounds_the_number_of_steps() -> None:
    u = (a + 1.0) * (b + 1.0) * (c + 1.0)
    results = [rewrite(u, fresh(drop_one), Trace(fuel=n)) for n in range(5)]
    assert results == [u, a * (b + 1.0) * (c + 1.0), a * b * (c + 1.0), a * b * c, a * b * c]


def test_running_out_of_fuel_leaves_nothing_noted() -> None:
    rules = fresh(drop_one)
    u = (a + 1.0) * (b + 1.0)
    assert rewrite(u, rules, Trace(fuel=0)) is u
    assert rewrite(u, rules) is a * b


def test_fuel_bisects_to_the_guilty_rule() -> None:
    @rule(op(Op.SIN, src=[any_("x")]))
    def miscompile(x: UOp) -> UOp | None:
        """sin becomes cos. Never."""
        return x.cos()
    rules = fresh(drop_one, miscompile)
    u = ((a + 1.0) * (b + 1.0)).sin() + 1.0
    wrong = [n for n in range(5) if Op.COS in {x.op for x in rewrite(u, rules, Trace(fuel=n)).toposort()}]
    trace = Trace(fuel=wrong[0])
    rewrite(u, rules, trace)
    assert trace.steps[-1][0] is miscompile
    assert wrong == [3, 4]


# --- threads ------------------------------------------------------------------------------------------------------------------------

def test_threads_rewrite_the_same_graph() -> None:
    rules = fresh(drop_one)
    graph = a
    for i in range(300):
        graph = (graph + 1.0) * (b + float(i % 7))
    results: list[UOp] = []

    def work() -> None:
        results.append(rewrite(graph, rules))
    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 8
    assert len(set(results)) == 1
