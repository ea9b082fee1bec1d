"""Patterns: what they match and bind, and the checks made when a rule is defined."""
from __future__ import annotations

import pytest

from svod.dtype import dtypes
from svod.errors import RuleError
from svod.ir.ops import Op
from svod.ir.pattern import Pat, Rule, RuleSet, any_, bool_, const, index_, int_, lit, op, rule
from svod.ir.uop import UOp

a, b = UOp.scalar("a", dtypes.f32), UOp.scalar("b", dtypes.f32)
k, m = UOp.scalar("k", dtypes.i32), UOp.scalar("m", dtypes.i32)
x, p = UOp.variable("x", 0, 9), UOp.scalar("p", dtypes.bool)


def bound(pat: Pat, u: UOp) -> dict[str, UOp] | None:
    """What `pat` binds when it matches `u`; through a rule, as in use."""
    found: dict[str, UOp] = {}
    names = ", ".join(pat.names())
    scope: dict[str, object] = {"found": found}
    exec(f'def note({names}):\n  """Notes."""\n  found.update(dict({", ".join(f"{n}={n}" for n in pat.names())}))\n  return 1', scope)
    matched = rule(pat)(scope["note"]).match(u)  # type: ignore[arg-type]
    return found if matched is not None else None


def test_a_name_binds_the_node() -> None:
    assert bound(any_("x") * any_("y"), a * b) == {"x": a, "y": b}
    assert bound(any_("x").named("z"), a) == {"z": a}


def test_operands_of_commuting_ops_are_tried_in_both_orders() -> None:
    pat = any_("x") + lit(1)
    assert bound(pat, a + 1.0) == {"x": a}
    assert bound(pat, 1.0 + a) == {"x": a}
    assert bound(any_("x") - lit(1), 1.0 - a) is None
    nested = (any_("x") * lit(2)) + (any_("y") * lit(3))
    assert bound(nested, 3.0 * b + 2.0 * a) == {"x": a, "y": b}


def test_a_repeated_name_must_bind_the_identical_node() -> None:
    pat = any_("x") - any_("x")
    assert bound(pat, a - a) == {"x": a}
    assert bound(pat, a - b) is None
    assert bound((any_("x") + any_("y")) - any_("x"), (b + a) - a) == {"x": a, "y": b}


def test_both_orders_are_tried_until_the_function_accepts() -> None:
    seen: list[UOp] = []

    @rule(any_("x") + any_("y"))
    def only_b(x: UOp, y: UOp) -> UOp | None:
        """Takes b on the left."""
        seen.append(x)
        return y if x is b else None
    assert only_b.apply(a + b) is a
    assert seen == [a, b]


@pytest.mark.parametrize(("value", "matches"), [
    (0, [UOp.const(0, dtypes.i32), UOp.const(0.0, dtypes.f32), UOp.const(0, dtypes.index)]),
    (1, [UOp.const(1, dtypes.u8), UOp.const(1.0, dtypes.f64)]),
    (1.5, [UOp.const(1.5, dtypes.f32)]),
    (-0.0, [UOp.const(-0.0, dtypes.f32)]),
    (True, [UOp.const(True, dtypes.bool)]),
    (False, [UOp.const(False, dtypes.bool)]),
])
def test_literals(value: float, matches: list[UOp]) -> None:
    pool = [UOp.const(v, t) for t, values in (
        (dtypes.i32, (0, 1)), (dtypes.u8, (0, 1)), (dtypes.index, (0, 1)), (dtypes.f32, (0.0, -0.0, 1.0, 1.5)), (dtypes.f64, (0.0, 1.0)),
        (dtypes.bool, (False, True))) for v in values]
    got = [u for u in pool if bound(lit(value), u) is not None]
    assert set(matches) <= set(got)
    assert all(type(u.arg.value) is bool if isinstance(value, bool) else u.arg.value == value for u in got)


@pytest.mark.parametrize(("pat", "yes", "no"), [
    (int_("u"), [k, x], [a, p]),
    (bool_("u"), [p, p.broadcast(4)], [k]),
    (index_("u"), [x], [k, x.broadcast(4)]),
    (any_("u", "is_float"), [a], [k]),
    (const("u"), [UOp.const(1, dtypes.i32)], [k]),
    (const("u", "is_float"), [UOp.const(1, dtypes.f32)], [UOp.const(1, dtypes.i32)]),
    (op(Op.REDUCE, name="u", arg=Op.MAX), [a.max(UOp.range(4, 0))], [a.sum(UOp.range(4, 0))]),
    (op(Op.ADD, Op.SUB, name="u"), [a + b, k - m], [a * b]),
    (op(Op.GROUP, src=[], name="u"), [UOp(Op.GROUP)], [UOp(Op.GROUP, (UOp(Op.GROUP),))]),
    (op(Op.LOAD, src=[any_("u")]), [UOp.param(0, dtypes.f32)[0].load()], [UOp.param(0, dtypes.f32).index(0, p).load(1.0)]),
    (op(Op.ADD, name="u", dtype=dtypes.i32), [k + m], [a + b]),
    (any_("u") < 3, [a < 3.0], [a <= 3.0]),
    (any_("u") <= 3, [a <= 3.0], [a < 3.0]),
    (any_("u") // 3, [k // 3], [k % 3]),
    (any_("u") % 3, [k % 3], [k // 3]),
    (any_("u") / 2, [a / 2.0], [a * 2.0]),
    (any_("u") & 1, [k & 1], [k | 1]),
    (any_("u") | 1, [k | 1], [k ^ 1]),
    (any_("u") ^ 1, [k ^ 1], [k & 1]),
    (-any_("u"), [-a], [a]),
    (~any_("u"), [~k, ~p], [-k]),
    (any_("u").where(1, any_()), [p.where(1.0, a)], [p.where(a, 1.0)]),
])
def test_kinds_ops_args_and_operators(pat: Pat, yes: list[UOp], no: list[UOp]) -> None:
    assert all(bound(pat, u) is not None for u in yes)
    assert all(rule_of(pat).apply(u) is None for u in no)


def rule_of(pat: Pat) -> Rule:
    @rule(pat)
    def take(u: UOp) -> UOp | None:
        """Takes what it gets."""
        return u
    return take


# --- checks when a rule is defined or applied ----------------------------------------------------------------------------------------

def test_parameters_must_be_the_names_of_the_pattern() -> None:
    with pytest.raises(RuleError, match=r"rule swap takes \['x', 'z'\] but its pattern binds \['x', 'y'\]\n  at: .*test_pattern.py:\d+"):
        @rule(any_("x") + any_("y"))
        def swap(x: UOp, z: UOp) -> UOp | None:
            """x + y == y + x."""
            return z + x


def test_a_rule_needs_a_docstring() -> None:
    with pytest.raises(RuleError, match="rule silent has no docstring"):
        @rule(any_("x"))
        def silent(x: UOp) -> UOp | None:
            return x


def test_a_rule_must_not_return_its_input() -> None:
    with pytest.raises(RuleError, match="rule take returned its own input"):
        rule_of(any_("u")).apply(a)


def test_a_rule_must_keep_the_dtype() -> None:
    @rule(any_("x") + 1)
    def widen(x: UOp) -> UOp | None:
        """Wrong."""
        return x.cast(dtypes.f64)
    with pytest.raises(RuleError, match="rule widen changed the dtype from f32 to f64"):
        widen.apply(a + 1.0)


def test_names_of_a_set_are_distinct() -> None:
    with pytest.raises(RuleError, match=r"rule set TWICE has two rules of one name\n  at: \['take', 'take'\]"):
        RuleSet("TWICE", (rule_of(any_("u")), rule_of(any_("u"))))


def test_sets_add_up_in_order() -> None:
    one, two = rule_of(any_("u") + 1), rule_of(any_("u") + 2)
    object.__setattr__(two, "name", "other")
    both = RuleSet("ONE", (one,)) + RuleSet("TWO", (two,))
    assert both.name == "ONE+TWO"
    assert both.rules == (one, two)


@pytest.mark.parametrize("u", [a + 1.0, 1.0 + a, k + 1, a + b, p & p, p.where(a, b), UOp.sink(), UOp(Op.GROUP, (UOp(Op.GROUP),) * 5),
                               a.broadcast(4) + 1.0, UOp.param(0, dtypes.f32)[3].load()])
def test_candidates_are_no_fewer_than_what_matches(u: UOp) -> None:
    pats = {"add": any_("u") + 1, "const_left": op(Op.ADD, src=[const("u"), any_()]), "both": any_("u") & any_(), "any": any_("u"),
            "where": any_("u").where(any_(), any_()), "group": op(Op.GROUP, name="u"), "sink": op(Op.SINK, src=[], name="u"),
            "ints": int_("u") + any_(), "index": index_("u") + any_(), "load": op(Op.LOAD, src=[op(Op.INDEX)], name="u")}
    rules = []
    for name, pat in pats.items():
        r = rule_of(pat)
        object.__setattr__(r, "name", name)
        rules.append(r)
    chosen = {r.name for r, _ in RuleSet("ALL", tuple(rules)).candidates(u)}
    matching = {r.name for r in rules if (not r.pat.ops or u.op in r.pat.ops) and r.match(u) is not None}
    assert matching <= chosen
    assert len(chosen) < len(rules)
