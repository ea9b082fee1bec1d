"""Functions of numbers in kernels, and the functions of Python, math and NumPy that mean them.

Owns: the names. Must not know how they are computed: each is a method of UOp, or a few operations.
Invariant: on static numbers they compute with Python's math, also outside kernels; integers become f32 where the result is not whole.
floor, ceil, trunc and round give the type of their operand, also as math.floor and round().
"""
from __future__ import annotations

import builtins
import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from svod.dtype import dtypes
from svod.errors import KernelError
from svod.ir.ops import Op
from svod.ir.semantics import apply
from svod.ir.uop import UOp
from svod.lang import arithmetic
from svod.lang.builtin import STANDS_FOR, Builtin, builtin
from svod.lang.divisions import truncated_modulo
from svod.lang.tracer import Tracer
from svod.lang.types import dtype_of
from svod.lang.value import Array, Dynamic, Vector, describe, is_dynamic


def _float(value: Any) -> Dynamic:
    """A value as a float: integers and bools become f32."""
    x = arithmetic.typed(value)
    return x if x.dtype.is_float else Dynamic(x.uop.cast(dtypes.f32), x.weak)


def _method(name: str, value: Any) -> Any:
    if isinstance(value, Vector):
        return arithmetic.lanewise(lambda x: _method(name, x), value)
    x = _float(value)
    method = getattr(x.uop, name, None)
    if method is None:
        raise KernelError(f"{name}() is not there yet", hint="compose it of exp, log and the others")
    return Dynamic(method(), x.weak)


def _function(name: str, static: Callable[..., Any], method: str = "", whole: bool = False) -> Builtin:
    """A function of one number. `whole`: integers are their own result."""
    def apply(t: Tracer, x: Any) -> Any:
        if not is_dynamic(x) and not isinstance(x, np.generic):
            return static(x if hasattr(x, "__float__") else arithmetic.number(x))
        if whole and isinstance(x, (Dynamic, Vector)) and not x.dtype.is_float:
            return x
        return _method(method or name, x)

    apply.__doc__ = f"{name}(x), in the type of x." if whole else f"{name}(x), of a float; an integer becomes f32 first."
    return Builtin(apply, name, static)


def _rsqrt(x: float) -> float:
    return 1.0 / math.sqrt(x)


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def _tf32(x: float) -> float:
    return float(apply(Op.TF32, dtypes.f32, None, np.array(x, np.float32)))


exp = _function("exp", math.exp)
exp2 = _function("exp2", math.exp2)
expm1 = _function("expm1", math.expm1)
log = _function("log", math.log)
log2 = _function("log2", math.log2)
log10 = _function("log10", math.log10)
log1p = _function("log1p", math.log1p)
sqrt = _function("sqrt", math.sqrt)
rsqrt = _function("rsqrt", _rsqrt)
cbrt = _function("cbrt", math.cbrt)
sin = _function("sin", math.sin)
cos = _function("cos", math.cos)
tan = _function("tan", math.tan)
asin = _function("asin", math.asin)
acos = _function("acos", math.acos)
atan = _function("atan", math.atan)
sinh = _function("sinh", math.sinh)
cosh = _function("cosh", math.cosh)
tanh = _function("tanh", math.tanh)
erf = _function("erf", math.erf)
erfc = _function("erfc", math.erfc)
sigmoid = _function("sigmoid", _sigmoid)
floor = _function("floor", lambda x: float(math.floor(x)) if isinstance(x, float) else x, whole=True)
ceil = _function("ceil", lambda x: float(math.ceil(x)) if isinstance(x, float) else x, whole=True)
trunc = _function("trunc", lambda x: float(math.trunc(x)) if isinstance(x, float) else x, whole=True)
tf32 = _function("tf32", _tf32)
tf32.__doc__ = """x rounded to 10 bits of mantissa, ties away from zero, in the type of x; NaN and infinities stay. Products of f32 that are
rounded so are those that matrix units do: `mma` with precision="tf32", and loop kernels that multiply two such values."""
_rint = _function("round", lambda x: float(builtins.round(x)) if isinstance(x, float) else x, "rint", whole=True)


@builtin("round", builtins.round)
def round(t: Tracer, x: Any, digits: Any = None) -> Any:  # noqa: A001
    """The nearest whole number, the even one of two, in the type of x."""
    if digits is None:
        return _rint.apply(t, x)
    if not is_dynamic((x, digits)):
        return builtins.round(x, digits)
    raise KernelError("round() to decimal digits: binary floats have none",
                      hint="round(x) is whole; round(x * 100.0) / 100.0 is close to two digits")


isnan = _function("isnan", math.isnan)
isinf = _function("isinf", math.isinf)
isfinite = _function("isfinite", math.isfinite)


def _binary(name: str, static: Callable[..., Any]) -> Builtin:
    """A function of two floats."""
    def apply(t: Tracer, x: Any, y: Any) -> Any:
        if not is_dynamic((x, y)):
            return static(x, y)
        if isinstance(x, Vector) or isinstance(y, Vector):
            return arithmetic.lanewise(lambda a, b: apply(t, a, b), x, y)
        dtype, weak = arithmetic.common(arithmetic.number(x), arithmetic.number(y))
        dtype = dtype if dtype.is_float else dtypes.f32
        a, b = arithmetic.cast(x, dtype).uop, arithmetic.cast(y, dtype).uop
        return Dynamic(getattr(a, name)(b), weak)

    apply.__doc__ = f"{name}(x, y), of floats; integers become f32 first."
    return Builtin(apply, name, static)


atan2 = _binary("atan2", math.atan2)
hypot = _binary("hypot", math.hypot)
copysign = _binary("copysign", math.copysign)


@builtin("fmod", math.fmod)
def fmod(t: Tracer, x: Any, y: Any) -> Any:
    """The remainder of x / y with the sign of x, exact, as C's fmod; `%` has the sign of y. Of floats; integers become f32 first."""
    if not is_dynamic((x, y)):
        return math.fmod(x, y)
    if isinstance(x, Vector) or isinstance(y, Vector):
        return arithmetic.lanewise(lambda a, b: fmod.apply(t, a, b), x, y)
    dtype, weak = arithmetic.common(arithmetic.number(x), arithmetic.number(y))
    dtype = dtype if dtype.is_float else dtypes.f32
    a, b = arithmetic.cast(x, dtype).uop, arithmetic.cast(y, dtype).uop
    return Dynamic(truncated_modulo(a, b, t.builder), weak)


@builtin("pow", builtins.pow)
def pow_(t: Tracer, x: Any, y: Any) -> Any:
    """x ** y."""
    return arithmetic.binary("**", x, y, t.builder)


@builtin("abs", builtins.abs)
def abs_(t: Tracer, x: Any) -> Any:
    """The absolute value."""
    if isinstance(x, Vector):
        return arithmetic.lanewise(lambda a: abs_.apply(t, a), x)
    if not is_dynamic(x):
        return builtins.abs(x)
    x = arithmetic.typed(x)
    return arithmetic.unary("+", x) if x.dtype.is_bool or x.dtype.is_unsigned else Dynamic(x.uop.abs(), x.weak)


def _extremum(name: str, op: Op, static: Callable[..., Any]) -> Builtin:
    def two(a: Any, b: Any) -> Any:
        if isinstance(a, Vector) or isinstance(b, Vector):
            return arithmetic.lanewise(two, a, b)
        if not is_dynamic((a, b)):
            return static(a, b)
        x, y = arithmetic.number(a), arithmetic.number(b)
        dtype, weak = arithmetic.common(x, y)
        return Dynamic(UOp(op, (arithmetic.operand(x, dtype), arithmetic.operand(y, dtype))), weak)

    def apply(t: Tracer, *values: Any, **options: Any) -> Any:
        items = _items(values[0]) if len(values) == 1 else list(values)
        if options:
            raise KernelError(f"{name}() in a kernel takes no {next(iter(options))}=", hint=f"{name}(a, b), or a loop that compares")
        if not items:
            raise KernelError(f"{name}() takes values to compare, at least one", hint=f"{name}(a, b)")
        return functools.reduce(two, items)

    apply.__doc__ = f"{name}(a, b, …) or {name}(list); NaN if a float operand is."
    return Builtin(apply, name, static)


def _items(value: Any) -> list[Any]:
    if isinstance(value, Vector):
        return list(value.lanes)
    if isinstance(value, (Array, Dynamic)):
        hint = "write a loop over its elements" if isinstance(value, Array) else "give several values, or a list of them"
        raise KernelError(f"{describe(value)} is no list of values", hint=hint)
    return list(value)


min_ = _extremum("min", Op.MIN, builtins.min)
max_ = _extremum("max", Op.MAX, builtins.max)


@builtin("sum", builtins.sum)
def sum_(t: Tracer, values: Any, start: Any = 0) -> Any:
    """The sum of a list of values, from left to right."""
    items = _items(values)
    if not is_dynamic(items) and not is_dynamic(start):
        return builtins.sum(items, start)
    first = items if start == 0 and type(start) is int else [start, *items]
    return functools.reduce(lambda a, b: arithmetic.binary("+", a, b), first)


def _chain(name: str, symbol: str, empty: bool, static: Callable[..., Any]) -> Builtin:
    def apply(t: Tracer, values: Any) -> Any:
        result: Any = empty
        for v in _items(values):
            truth = arithmetic.truth(v)
            if isinstance(truth, Dynamic) or isinstance(result, Dynamic):
                result = truth if not isinstance(result, Dynamic) and result == empty else arithmetic.binary(symbol, result, truth)
            elif truth != empty:
                result = truth
        return result

    apply.__doc__ = f"{name}() of a list of values: all are evaluated."
    return Builtin(apply, name, static)


any_of = _chain("any", "|", False, builtins.any)
all_of = _chain("all", "&", True, builtins.all)


@builtin("divmod", builtins.divmod)
def divmod_(t: Tracer, a: Any, b: Any) -> Any:
    """(a // b, a % b)"""
    return (arithmetic.binary("//", a, b, t.builder), arithmetic.binary("%", a, b, t.builder))


@builtin("select", lambda c, a, b: a if c else b)
def select(t: Tracer, condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`; both are evaluated. Vectors go lane by lane, the condition too."""
    return arithmetic.select(condition, a, b)


where = Builtin(select.apply, "where", select.outside)


@builtin("fma", lambda a, b, c: a * b + c)
def fma(t: Tracer, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once."""
    if any(isinstance(v, Vector) for v in (a, b, c)):
        return arithmetic.lanewise(lambda x, y, z: fma.apply(t, x, y, z), a, b, c)
    if not is_dynamic((a, b, c)):
        return a * b + c
    values = [arithmetic.number(v) for v in (a, b, c)]
    dtype, weak = arithmetic.common(*values)
    dtype = dtypes.i32 if dtype.is_bool else dtype
    return Dynamic(UOp(Op.MULACC, tuple(arithmetic.operand(v, dtype) for v in values)), weak)


@builtin("clamp", lambda x, low, high: builtins.min(builtins.max(x, low), high))
def clamp(t: Tracer, x: Any, low: Any, high: Any) -> Any:
    """min(max(x, low), high)"""
    return min_.apply(t, max_.apply(t, x, low), high)


@builtin("cdiv", lambda a, b: -(-a // b))
def cdiv(t: Tracer, a: Any, b: Any) -> Any:
    """a / b of whole numbers, rounded up: a // b, and one more if something is left. How many blocks of b cover a."""
    whole, left = (arithmetic.binary(symbol, a, b, t.builder) for symbol in ("//", "%"))
    return arithmetic.binary("+", whole, arithmetic.compare("!=", left, 0), t.builder)


@builtin("bitcast")
def bitcast(t: Tracer, x: Any, kind: Any) -> Any:
    """The bits of x as another type of the same width."""
    dtype = dtype_of(kind)
    if dtype is None:
        raise KernelError(f"{kind!r} is not a type", hint="bitcast(x, i32)")
    if isinstance(x, Vector):
        return arithmetic.lanewise(lambda a: bitcast.apply(t, a, kind), x)
    return Dynamic(arithmetic.typed(x).uop.bitcast(dtype))


@builtin("popcount", lambda x: int(x).bit_count())
def popcount(t: Tracer, x: Any) -> Any:
    """Number of bits set in an integer, in the type of the integer."""
    if isinstance(x, Vector):
        return arithmetic.lanewise(lambda a: popcount.apply(t, a), x)
    value = arithmetic.typed(x)
    if not value.dtype.is_int or value.dtype is dtypes.index:
        raise KernelError(f"popcount() of {value.dtype!r}", hint="an integer of 8 to 64 bits")
    bits = value.dtype.bits
    u = value.uop.cast({8: dtypes.u8, 16: dtypes.u16, 32: dtypes.u32, 64: dtypes.u64}[bits])
    ones = (1 << bits) - 1
    u = u - ((u >> 1) & (ones // 3))  # Warren, "Hacker's Delight", 5-1
    u = (u & (ones // 5)) + ((u >> 2) & (ones // 5))
    u = (u + (u >> 4)) & (ones // 17)
    if bits > 8:
        u = (u * (ones // 255)) >> (bits - 8)
    return Dynamic(u.cast(value.dtype))


_SAME_NAME: dict[str, Builtin] = {b.name: b for b in (
    exp, exp2, expm1, log, log2, log10, log1p, sqrt, cbrt, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, erf, erfc, floor, ceil, trunc,
    isnan, isinf, isfinite, atan2, hypot, copysign, fmod, fma, pow_)} | {"fabs": abs_}
for _name, _builtin in _SAME_NAME.items():
    for _module in (math, np):
        if (_python := getattr(_module, _name, None)) is not None:
            STANDS_FOR[_python] = _builtin
_NUMPY = {"arcsin": asin, "arccos": acos, "arctan": atan, "arctan2": atan2, "rint": round, "round": round, "around": round, "abs": abs_,
          "maximum": max_, "minimum": min_, "where": select, "power": pow_, "clip": clamp}
STANDS_FOR.update({getattr(np, _name): _builtin for _name, _builtin in _NUMPY.items()})
STANDS_FOR.update({builtins.abs: abs_, builtins.min: min_, builtins.max: max_, builtins.pow: pow_, builtins.round: round,
                   builtins.sum: sum_, builtins.any: any_of, builtins.all: all_of, builtins.divmod: divmod_})


def _operator(symbol: str, compares: bool = False) -> Builtin:
    if compares:
        return Builtin(lambda t, a, b: arithmetic.compare(symbol, a, b), symbol)
    return Builtin(lambda t, a, b: arithmetic.binary(symbol, a, b, t.builder), symbol)


for _python, _symbol in ((np.remainder, "%"), (np.floor_divide, "//")):
    STANDS_FOR[_python] = _operator(_symbol)
for _python, _symbol in ((operator.add, "+"), (operator.sub, "-"), (operator.mul, "*"), (operator.truediv, "/"), (operator.floordiv, "//"),
                         (operator.mod, "%"), (operator.pow, "**"), (operator.and_, "&"), (operator.or_, "|"), (operator.xor, "^"),
                         (operator.lshift, "<<"), (operator.rshift, ">>")):
    STANDS_FOR[_python] = _operator(_symbol)
for _python, _symbol in ((operator.lt, "<"), (operator.le, "<="), (operator.gt, ">"), (operator.ge, ">="), (operator.eq, "=="),
                         (operator.ne, "!=")):
    STANDS_FOR[_python] = _operator(_symbol, compares=True)
STANDS_FOR[operator.neg] = Builtin(lambda t, a: arithmetic.unary("-", a), "neg")
