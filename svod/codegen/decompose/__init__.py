"""Rewrites every elementwise op and dtype that a target lacks into what it has, keeping the arithmetic policy bit for bit."""
from svod.codegen.decompose.functions import math_rules
from svod.codegen.decompose.rules import replaced_by, rules_for
from svod.codegen.decompose.support import require_supported, unsupported

__all__ = ["math_rules", "replaced_by", "require_supported", "rules_for", "unsupported"]
