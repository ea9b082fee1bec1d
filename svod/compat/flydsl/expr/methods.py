"""Methods of values, as FlyDSL's have them: x.extf(T.f32), c.select(a, b), x.shuffle_xor(16, 64).

Owns: their names. Must not know what they do. Invariant: importing the module adds them to the values of every kernel.
"""
from __future__ import annotations

from svod.compat.flydsl.expr import arith, gpu, math
from svod.lang.builtin import METHODS, Builtin

_ARITH = ("select", "addf", "subf", "mulf", "divf", "maximumf", "minimumf", "extf", "truncf", "bitcast", "index_cast", "sitofp", "uitofp",
          "fptosi", "fptoui", "andi", "ori", "xori", "shli", "shrui", "shrsi")
_MATH = ("exp", "exp2", "log", "log2", "sqrt", "rsqrt", "sin", "cos", "tanh", "erf", "floor", "ceil")

VALUE_METHODS: dict[str, Builtin] = {
    **{name: getattr(arith, name) for name in _ARITH},
    **{name: getattr(math, name) for name in _MATH},
    **{name: getattr(gpu, name) for name in ("shuffle", "shuffle_idx", "shuffle_xor", "shuffle_up", "shuffle_down")},
    "ir_value": arith.unwrap,
}
METHODS.update(VALUE_METHODS)
