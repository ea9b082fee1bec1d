"""The simplification rules, by topic, and the one set that applies them all.

Rules for rules: directed (no result costs more than what it replaces: see `cost` in the tests); exact for every value of the dtype;
specific before general; only what has no effect may be dropped; no rule reads configuration.
"""
from svod.ir.pattern import RuleSet
from svod.ir.rules.algebra import ALGEBRA
from svod.ir.rules.casts import CASTING
from svod.ir.rules.comparisons import COMPARISON
from svod.ir.rules.constants import FOLDING
from svod.ir.rules.divmod import DIVMOD
from svod.ir.rules.gates import GATES
from svod.ir.rules.reductions import REDUCTION
from svod.ir.rules.vectors import VECTORS

ALL_RULE_SETS = (FOLDING, VECTORS, ALGEBRA, DIVMOD, COMPARISON, CASTING, GATES, REDUCTION)
"""One rule set per topic, in the order in which SIMPLIFY tries them."""

SIMPLIFY = RuleSet("SIMPLIFY", tuple(r for rules in ALL_RULE_SETS for r in rules.rules))
"""Every rule."""

__all__ = ["ALL_RULE_SETS", "SIMPLIFY"]
