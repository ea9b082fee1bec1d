"""Arithmetic of the kernel language: Python's meaning where Python and C differ, weak literals, no silent loss.

Owns: which type two operands meet in, every operator on dynamic values, casts and implicit conversions. Must not know statements.
Invariant: operands that are all static are computed by Python itself; otherwise the result is a Dynamic (or a Vector of them).

- Literals, and variables that only ever held literals, are weak: they take the type of the other operand. An int beside a float type
  becomes that float; a float beside an int gives f32. An int must fit the type as a signed or an unsigned number of its width.
- Integers widen to the wider one; of one width and different sign the unsigned wins; index beside an int is index. An int beside a float
  takes that float; f16 beside bf16 is f32; bool beside a number is that number, bool beside bool computes in i32.
- `/` of integers is f32; `//` and `%` floor, of floats exactly as Python and NumPy do; x % 0.0 is NaN, x // 0.0 as x / 0.0.
- `**` of integers wraps. An exponent that is known to be negative gives f32; one that turns out to be gives 0, or ±1 of ±1.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from svod.dtype import DType, Kind, convert, dtypes, from_numpy, promote
from svod.errors import DTypeError, KernelError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang.builder import Builder
from svod.lang.builtin import Builtin, Name
from svod.lang.divisions import float_floor_divide, float_modulo, integer_power
from svod.lang.value import Array, Dynamic, Vector, describe, static_number

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv, "%": operator.mod,
    "**": operator.pow, "<<": operator.lshift, ">>": operator.rshift, "&": operator.and_, "|": operator.or_, "^": operator.xor,
    "@": operator.matmul,
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}
_MIRRORED = {"<": "<", "<=": "<=", ">": "<", ">=": "<="}
_OPS = {"+": Op.ADD, "-": Op.SUB, "*": Op.MUL, "&": Op.AND, "|": Op.OR, "^": Op.XOR, "<<": Op.SHL, ">>": Op.SHR,
        "//": Op.FLOORDIV, "%": Op.FLOORMOD,
        "<": Op.CMPLT, "<=": Op.CMPLE, "==": Op.CMPEQ, "!=": Op.CMPNE}


# --- operands --------------------------------------------------------------------------------------------------------------------

def number(value: Any) -> Dynamic | bool | int | float:
    """An operand: a Dynamic or a Python number. A NumPy scalar keeps its type. KernelError for everything else."""
    if isinstance(value, Dynamic):
        return value
    if isinstance(value, np.generic):
        try:
            return Dynamic(UOp.const(value.item(), from_numpy(value.dtype)))
        except DTypeError as e:
            raise KernelError(e.what, hint=e.hint) from None
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (Name, Builtin)):
        called = f"{value.name}.x" if isinstance(value, Name) else f"{value.name}(…)"
        raise KernelError(f"{value.name} is {'no number by itself' if isinstance(value, Name) else 'a function'}", hint=called)
    hint = "an element of it: a[i]" if isinstance(value, Array) else "kernels compute with numbers, bools and elements of arrays"
    raise KernelError(f"{describe(value)} is not a number", hint=hint)


def _category(x: Dynamic | bool | int | float) -> int:
    """0 for bool, 1 for integers, 2 for floats."""
    if isinstance(x, Dynamic):
        return 0 if x.dtype.is_bool else 2 if x.dtype.is_float else 1
    return 0 if isinstance(x, bool) else 2 if isinstance(x, float) else 1


def _is_weak(x: Dynamic | bool | int | float) -> bool:
    return not isinstance(x, Dynamic) or x.weak


_WEAK = (dtypes.bool, dtypes.i32, dtypes.f32)
"""What weak operands become where nothing decides."""


def meet(a: DType, b: DType) -> DType:
    """The type two typed operands compute in."""
    if a is b:
        return a
    if a.kind in (Kind.INT, Kind.UINT) and b.kind in (Kind.INT, Kind.UINT):
        if a.bits != b.bits:
            return a if a.bits > b.bits else b
        return a if a.is_unsigned else b
    if dtypes.index in (a, b) and (other := b if a is dtypes.index else a) in (dtypes.i64, dtypes.u64):
        return other  # whose sums may wrap, where those of indices may not
    return promote(a, b)


def common(*values: Dynamic | bool | int | float) -> tuple[DType, bool]:
    """The type the operands meet in, and whether it is still weak."""
    strong = [v.dtype for v in values if isinstance(v, Dynamic) and not v.weak]
    category = max(_category(v) for v in values if _is_weak(v)) if len(strong) < len(values) else 0
    if not strong:
        return _WEAK[category], True
    want = strong[0]
    for other in strong[1:]:
        want = meet(want, other)
    if category > (0 if want.is_bool else 2 if want.is_float else 1):
        want = _WEAK[category]
    return want, False


def operand(value: Any, dtype: DType) -> UOp:
    """`value`, converted to `dtype` as an operand is: integers widen, literals must fit the width."""
    value = number(value)
    if isinstance(value, Dynamic):
        return value.uop.cast(dtype)
    if dtype.is_int and not isinstance(value, bool):
        if isinstance(value, float):
            raise KernelError(f"{value!r} is not a value of {dtype!r}", hint=f"cast it: {dtype!r}(x)")
        if not -(1 << (dtype.bits - 1)) <= value < (1 << dtype.bits):
            raise KernelError(f"{value} does not fit {dtype!r}, the type of the other operand",
                              hint="cast that one to a wider type: i64(x)")
        return UOp.const(convert(value, dtypes.i64, dtype) if value < (1 << 63) else _wrapped(value, dtype), dtype)
    if dtype.is_float and not _finite_in(value, dtype):
        raise KernelError(f"{value!r} is beyond the range of {dtype!r}, the type it is to have",
                          hint="cast the other side to a wider type; infinity is float('inf')")
    return UOp.const(value, dtype)


def _finite_in(value: Any, dtype: DType) -> bool:
    """Whether a literal that is finite still is as a float of `dtype`; what is not finite may stay so."""
    try:
        return not math.isfinite(value) or math.isfinite(convert(float(value), dtypes.f64, dtype))
    except OverflowError:
        return False


def _wrapped(value: int, dtype: DType) -> int:
    return value if dtype.is_unsigned else value - (1 << dtype.bits)


def typed(value: Any) -> Dynamic:
    """`value` as a Dynamic; literals become i32 (i64 where they do not fit), f32 or bool, and stay weak."""
    value = number(value)
    if isinstance(value, Dynamic):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and not dtypes.i32.min <= value <= dtypes.i32.max:
        return Dynamic(operand(value, dtypes.i64), True)
    return Dynamic(UOp.const(value, _WEAK[_category(value)]), True)


# --- operators -------------------------------------------------------------------------------------------------------------------

def binary(symbol: str, a: Any, b: Any, builder: Builder | None = None) -> Any:
    """`a symbol b` for one of OPERATORS. `builder`: where statements go, which `//` and `%` of floats and `**` of integers may take."""
    if isinstance(a, Array) or isinstance(b, Array):
        raise KernelError(f"`{symbol}` of {describe(a)} and {describe(b)}", hint="kernels compute with elements: a[i] + b[i]")
    for value in (a, b):
        if isinstance(value, (Name, Builtin)):
            number(value)
    if not isinstance(a, (Dynamic, Vector)) and not isinstance(b, (Dynamic, Vector)):
        return OPERATORS[symbol](a, b)
    if isinstance(a, Vector) or isinstance(b, Vector):
        return lanewise(lambda x, y: binary(symbol, x, y, builder), a, b)
    x, y = number(a), number(b)
    if symbol == "/":
        return _divide(x, y)
    if symbol == "**":
        return power(x, y, builder)
    if symbol == "@":
        raise KernelError("`@` has no meaning for dynamic scalars", hint="multiply and add in a loop")
    dtype, weak = common(x, y)
    if dtype.is_bool and symbol not in "&|^":
        dtype = dtypes.i32
    if symbol in ("<<", ">>", "&", "|", "^") and dtype.is_float:
        raise KernelError(f"`{symbol}` takes integers, got {describe(a)} and {describe(b)}", hint="cast them: i32(x), or bitcast(x, i32)")
    left, right = operand(x, dtype), operand(y, dtype)
    if symbol in ("//", "%") and dtype.is_float:
        divide = float_floor_divide if symbol == "//" else float_modulo
        return Dynamic(divide(left, right, _statements(builder, symbol)), weak)
    return Dynamic(UOp(_OPS[symbol], (left, right)), weak)


def _statements(builder: Builder | None, symbol: str) -> Builder:
    if builder is None:
        raise KernelError(f"`{symbol}` takes statements, and stands where there are none", hint="compute it before, and use its value here")
    return builder


def _divide(x: Dynamic | bool | int | float, y: Dynamic | bool | int | float) -> Dynamic:
    dtype, weak = common(x, y)
    if not dtype.is_float:
        dtype = dtypes.f32
    return Dynamic(UOp(Op.FDIV, (_as_float(x, dtype), _as_float(y, dtype))), weak)


def _as_float(x: Dynamic | bool | int | float, dtype: DType) -> UOp:
    return x.uop.cast(dtype) if isinstance(x, Dynamic) else UOp.const(float(x), dtype)


def power(x: Dynamic | bool | int | float, y: Dynamic | bool | int | float, builder: Builder | None = None) -> Dynamic:
    """x ** y. Exponents that are known multiply; other integers take a loop that squares, and powers of 2 a shift."""
    dtype, weak = common(x, y)
    known = static_number(y)
    if known is not None and float(known).is_integer() and 1 <= known <= 4 and isinstance(x, Dynamic):
        base = operand(x, dtypes.i32 if dtype.is_bool else dtype)
        return Dynamic(_multiplied(base, int(known)), weak)
    if dtype.is_float:
        return Dynamic(UOp(Op.POW, (operand(x, dtype), operand(y, dtype))), weak)
    dtype = dtypes.i32 if dtype.is_bool else dtype
    if known is not None and isinstance(x, Dynamic) and known >= 0:
        return Dynamic(_multiplied(operand(x, dtype), int(known)), weak)
    if isinstance(y, (int, float)) and isinstance(x, Dynamic):
        return power(Dynamic(x.uop.cast(dtypes.f32), weak), float(y))
    if static_number(x) == 2:
        return Dynamic(UOp(Op.SHL, (operand(1, dtype), operand(y, dtype))), weak)
    return Dynamic(integer_power(operand(x, dtype), operand(y, dtype), _statements(builder, "**")), weak)


def _multiplied(base: UOp, exponent: int) -> UOp:
    result = UOp.const(1, base.dtype) if exponent == 0 else None
    square = base
    while exponent:
        if exponent & 1:
            result = square if result is None else result * square
        exponent >>= 1
        square = square * square if exponent else square
    assert result is not None
    return result


def compare(symbol: str, a: Any, b: Any) -> Any:
    """`a symbol b` for one of COMPARISONS: a bool, static if both are."""
    if not isinstance(a, (Dynamic, Vector)) and not isinstance(b, (Dynamic, Vector)):
        return COMPARISONS[symbol](a, b)
    if isinstance(a, Vector) or isinstance(b, Vector):
        return lanewise(lambda x, y: compare(symbol, x, y), a, b)
    if symbol in ("==", "!=") and not (_numeric(a) and _numeric(b)):
        return symbol == "!="
    x, y = number(a), number(b)
    dtype, _ = common(x, y)
    if dtype is dtypes.i64 and any(isinstance(v, Dynamic) and v.dtype is dtypes.index for v in (x, y)):
        dtype = dtypes.index  # every i64 is one, and comparing wraps nothing
    if dtype.is_int:
        for value in (x, y):
            if isinstance(value, int) and not isinstance(value, bool) and not dtype.min <= value <= dtype.max:
                raise KernelError(f"{value} is not a value of {dtype!r}, so the comparison is always the same",
                                  hint="cast the other side to a wider type: i64(x)")
    left, right = operand(x, dtype), operand(y, dtype)
    if symbol in (">", ">="):
        left, right = right, left
    return Dynamic(UOp(_OPS[_MIRRORED.get(symbol, symbol)], (left, right)))


def _numeric(value: object) -> bool:
    return isinstance(value, (Dynamic, bool, int, float, np.generic))


def unary(symbol: str, a: Any) -> Any:
    """`- + ~` of a value; `~` of a bool is its negation."""
    if isinstance(a, Vector):
        return Vector(tuple(unary(symbol, x) for x in a.lanes))
    if not isinstance(a, Dynamic):
        return -a if symbol == "-" else +a if symbol == "+" else ~a
    if symbol == "~":
        if a.dtype.is_float:
            raise KernelError(f"`~` takes integers and bools, got {a.dtype!r}", hint="cast it: i32(x)")
        return Dynamic(UOp(Op.NOT, (a.uop,)), a.weak)
    value = a.uop.cast(dtypes.i32) if a.dtype.is_bool else a.uop
    return Dynamic(-value if symbol == "-" else value, a.weak)


def truth(a: Any) -> Any:
    """bool(a): static if `a` is, else a Dynamic bool."""
    if isinstance(a, Vector):
        raise KernelError("the truth of a vector is not one value", hint="any(v), all(v), one lane v[0]; select(v, a, b) goes lane by lane")
    if isinstance(a, Array):
        raise KernelError(f"the truth of an array, {a.name}, is not one value", hint="a[i] != 0 tests an element, len(a) > 0 its length")
    if not isinstance(a, Dynamic):
        return bool(a)
    return Dynamic(a.uop if a.dtype.is_bool else a.uop.ne(0))


def negation(a: Any) -> Any:
    """not a."""
    value = truth(a)
    return Dynamic(UOp(Op.NOT, (value.uop,))) if isinstance(value, Dynamic) else not value


def select(condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`; both are evaluated. Lane by lane, if one of the three is a vector."""
    if any(isinstance(v, Vector) for v in (condition, a, b)):
        return _select_lanes(condition, a, b)
    condition = truth(condition)
    if not isinstance(condition, Dynamic):
        return a if condition else b
    x, y = number(a), number(b)
    dtype, weak = common(x, y)
    return Dynamic(UOp(Op.WHERE, (condition.uop, operand(x, dtype), operand(y, dtype))), weak)


def _select_lanes(condition: Any, a: Any, b: Any) -> Vector:
    """select() of vectors: lanes have the type that `a` and `b` meet in, also where the condition is static."""
    sides = [number(v.lanes[0] if isinstance(v, Vector) else v) for v in (a, b)]
    dtype, weak = common(*sides)
    return lanewise(lambda c, x, y: select(c, *(Dynamic(operand(v, dtype), weak) for v in (x, y))), condition, a, b)


def lanewise(function: Callable[..., Any], *values: Any) -> Vector:
    """`function` on each lane; scalars are the same in every lane."""
    widths = {len(v.lanes) for v in values if isinstance(v, Vector)}
    if len(widths) != 1:
        raise KernelError(f"vectors of {' and '.join(map(str, sorted(widths)))} lanes do not go together", hint="lanes must be equal")
    rows = [v.lanes if isinstance(v, Vector) else (v,) * next(iter(widths)) for v in values]
    return Vector(tuple(typed(function(*row)) for row in zip(*rows, strict=True)))


# --- conversions -----------------------------------------------------------------------------------------------------------------

def cast(value: Any, dtype: DType) -> Any:
    """dtype(value): an explicit conversion, by the rules of CAST (svod.ir.ops)."""
    if isinstance(value, Vector):
        return Vector(tuple(cast(v, dtype) for v in value.lanes))
    value = number(value)
    if isinstance(value, Dynamic):
        return Dynamic(value.uop.cast(dtype))
    if isinstance(value, int) and dtype.is_int:
        return Dynamic(UOp.const(((value - int(dtype.min)) % (1 << dtype.bits)) + int(dtype.min), dtype))
    source = dtypes.f64 if isinstance(value, float) else dtypes.bool if isinstance(value, bool) else dtypes.i64
    return Dynamic(UOp.const(float(value) if dtype.is_float else convert(value, source, dtype), dtype))


def implicit(value: Any, dtype: DType, what: str) -> UOp:
    """`value` as it is stored into `what`, of type `dtype`: KernelError where the kind of number would change silently."""
    value = number(value)
    if isinstance(value, Dynamic):
        if (_category(value) == 2 and not dtype.is_float) or (dtype.is_bool and not value.dtype.is_bool):
            raise KernelError(f"{what} is {dtype!r}, the value is {value.dtype!r}",
                              hint=f"cast it: {dtype!r}(x)" if not dtype.is_bool else "x != 0")
        return value.uop.cast(dtype)
    if _category(value) > (0 if dtype.is_bool else 2 if dtype.is_float else 1):
        raise KernelError(f"{what} is {dtype!r}, the value is {value!r}", hint=f"cast it: {dtype!r}({value!r})")
    if dtype.is_int and not isinstance(value, bool) and not dtype.min <= value <= dtype.max:
        raise KernelError(f"{value} does not fit {what}, which is {dtype!r}", hint=f"{dtype!r} holds {dtype.min} to {dtype.max}")
    return UOp.const(int(value), dtype) if dtype.is_int else operand(value, dtype)


def as_index(value: Any, what: str) -> UOp:
    """`value` as an index. KernelError unless it is an integer."""
    value = number(value)
    if isinstance(value, Dynamic):
        if not value.dtype.is_int:
            raise KernelError(f"{what} is {value.dtype!r}, not an integer", hint="cast it: i32(x), or use // in place of /")
        return value.uop.cast(dtypes.index)
    if isinstance(value, (bool, float)):
        raise KernelError(f"{what} is {value!r}, not an integer", hint="int(x), or use // in place of /")
    return UOp.const(value, dtypes.index)
