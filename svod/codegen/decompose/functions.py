"""Math functions that a target lacks: in narrow floats through f32, in f32 and f64 by the polynomials of svod.codegen.math.

Owns: `math_rules`. Must not know any function's decomposition.
Invariant: a function of f64 is left, to be refused by name, where the target does not compute in f64.
"""
from __future__ import annotations

from functools import cache

from svod.codegen.decompose.support import SMALL_FLOATS, complete
from svod.codegen.math import DECOMPOSITIONS
from svod.dtype import dtypes
from svod.ir.pattern import Rule, RuleSet, op, rule
from svod.ir.uop import UOp
from svod.target import Target

FUNCTIONS = tuple(DECOMPOSITIONS)


@cache
def math_rules(target: Target) -> RuleSet:
    """The rules for math functions alone, for a stage that runs before code is copied. `rules_for` holds them too."""
    return RuleSet(f"functions for {target.name}", function_rules(target))


def function_rules(target: Target) -> tuple[Rule, ...]:
    """The rules `target` needs."""
    if complete(target):
        return ()
    native = frozenset((o, t.name) for o in FUNCTIONS if target.has(o) for t in target.arithmetic)
    small = frozenset(t.name for t in SMALL_FLOATS)
    wide = frozenset(t.name for t in (dtypes.f32, dtypes.f64) if t in target.arithmetic)

    @rule(op(*FUNCTIONS, name="u"))
    def function_in_f32(u: UOp) -> UOp | None:
        """f(x) in a narrow float == round(f(x) in f32): half an ulp of the narrow format, and the error of f."""
        if u.dtype.name not in small or (u.op, u.dtype.name) in native:
            return None
        return UOp(u.op, tuple([s.cast(dtypes.f32) for s in u.src])).cast(u.dtype)

    @rule(op(*FUNCTIONS, name="u"))
    def decompose_function(u: UOp) -> UOp | None:
        """f(x) in f32 or f64 == its decomposition, within the error stated there."""
        if u.dtype.name not in wide or (u.op, u.dtype.name) in native or u.op not in DECOMPOSITIONS:
            return None
        return DECOMPOSITIONS[u.op](*u.src)

    return (function_in_f32, decompose_function)
