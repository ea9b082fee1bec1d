"""The rule set of a target: everything it lacks, rewritten into what it has.

Owns: `rules_for`. The rules are in the modules by topic.
Invariant: in a graph rewritten by these rules nothing is unsupported but what no target of its kind can be given (support.py names it).
The meaning is that of the arithmetic policy at the top of ops.py, bit for bit, except for functions (within their stated error) and the
payload of a NaN.

Ops a target has are met by no rule, or by one that looks at a dtype's name and declines. The set is for itself, after simplification: it
turns quotients of index arithmetic into shifts, which SIMPLIFY turns into quotients.
"""
from __future__ import annotations

from functools import cache

from svod.codegen.decompose.casts import cast_rules
from svod.codegen.decompose.division import division_rules
from svod.codegen.decompose.floats import float_rules
from svod.codegen.decompose.functions import function_rules
from svod.codegen.decompose.integers import integer_rules
from svod.codegen.decompose.small_floats import small_float_rules
from svod.codegen.decompose.support import complete
from svod.ir.ops import Op
from svod.ir.pattern import RuleSet
from svod.target import Target


@cache
def rules_for(target: Target) -> RuleSet:
    """The rules that decompose what `target` lacks; the same object for the same target."""
    name = f"decompositions for {target.name}"
    if complete(target):
        return RuleSet(name, ())
    return RuleSet(name, (*small_float_rules(target), *integer_rules(target), *division_rules(target), *cast_rules(target),
                          *float_rules(target), *function_rules(target)))


def replaced_by(target: Target) -> dict[str, str]:
    """The ops that `target` has not natively for every dtype, each with the names of the rules that may rewrite it; for people to read."""
    rules = rules_for(target).rules
    found = {o.name: ", ".join(r.name for r in rules if o in r.pat.ops) for o in Op}
    return {name: names for name, names in found.items() if names}
