"""`arith`: constants, conversions, and the operations of MLIR's arith dialect by name. Operators do the same in less space.

Owns: the names and the order of their operands. Must not know how they are computed.
Invariant: on Python numbers constants are numbers, also outside of kernels. A conversion takes the type first, or last, or by keyword.
"""
from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from svod.compat.flydsl.expr.typing import VectorType, element_type
from svod.dtype import DType, dtypes
from svod.errors import KernelError
from svod.ir.uop import UOp
from svod.lang import arithmetic, mathematics
from svod.lang.builtin import Builtin, builtin
from svod.lang.tracer import Tracer
from svod.lang.types import Scalar, dtype_of
from svod.lang.value import Dynamic, Vector

# --- constants -----------------------------------------------------------------------------------------------------------------------


def _constant_type(value: Any, kind: Any, index: bool) -> DType:
    if index:
        return dtypes.index
    if kind is not None:
        return element_type(kind)
    return dtypes.bool if isinstance(value, bool) else dtypes.i32 if isinstance(value, int) else dtypes.f32


@builtin("constant", lambda value, type=None, index=False: int(value) if index else value)
def constant(t: Tracer, value: Any, type: Any = None, index: bool = False) -> Any:
    """A number of a type: constant(42, index=True), constant(3.14, T.f32), constant(3.14, type=T.f32). Left out: i32, f32 or i1."""
    if isinstance(type, VectorType):
        return constant_vector.apply(t, value, type)
    made = Dynamic(arithmetic.cast(value, _constant_type(value, type, index)).uop)
    return made


@builtin("index", int)
def index(t: Tracer, value: Any) -> Any:
    """A number of type index."""
    return constant.apply(t, value, None, True)


@builtin()
def constant_vector(t: Tracer, value: Any, kind: Any) -> Vector:
    """A vector whose lanes are all one number."""
    if not isinstance(kind, VectorType):
        raise KernelError(f"constant_vector() of {kind!r}", hint="constant_vector(0.0, T.f32x4)")
    return Vector((Dynamic(arithmetic.cast(value, kind.element.dtype).uop),) * kind.lanes)


# --- conversions ---------------------------------------------------------------------------------------------------------------------

def _is_type(value: Any) -> bool:
    if isinstance(value, (Dynamic, Vector, bool, int, float)):
        return False
    return isinstance(value, VectorType) or dtype_of(value) is not None


def _ordered(name: str, args: tuple[Any, ...], kind: Any) -> tuple[DType, Any]:
    """(type, value), whichever came first."""
    given = [*args, *([kind] if kind is not None else [])]
    kinds, values = [g for g in given if _is_type(g)], [g for g in given if not _is_type(g)]
    if len(kinds) != 1 or len(values) != 1:
        raise KernelError(f"{name}() takes a type and a value", hint=f"{name}(T.f32, x)")
    return element_type(kinds[0]), values[0]


def _converter(name: str, source: Callable[[DType], DType] = lambda d: d) -> Builtin:
    """`source`: what the operand is read as first, where signs matter."""
    def apply(t: Tracer, *args: Any, type: Any = None) -> Any:
        dtype, value = _ordered(name, args, type)
        if isinstance(value, Vector):
            return arithmetic.lanewise(lambda v: apply(t, dtype, v), value)
        x = arithmetic.typed(value)
        read = source(x.dtype)
        return arithmetic.cast(Dynamic(x.uop.bitcast(read)) if read is not x.dtype else x, dtype)

    apply.__doc__ = f"{name}(T, x): x as a T."
    return Builtin(apply, name)


_UNSIGNED = {dtypes.i8: dtypes.u8, dtypes.i16: dtypes.u16, dtypes.i32: dtypes.u32, dtypes.i64: dtypes.u64}
_SIGNED = {unsigned: signed for signed, unsigned in _UNSIGNED.items()}


def _as_unsigned(dtype: DType) -> DType:
    return _UNSIGNED.get(dtype, dtype)


def _as_signed(dtype: DType) -> DType:
    return _SIGNED.get(dtype, dtype)


index_cast = _converter("index_cast")
extf = _converter("extf")
truncf = _converter("truncf")
trunc_f = truncf
extsi = _converter("extsi", _as_signed)
extui = _converter("extui", _as_unsigned)
trunci = _converter("trunci")
sitofp = _converter("sitofp", _as_signed)
uitofp = _converter("uitofp", _as_unsigned)
fptosi = _converter("fptosi")
fptoui = _converter("fptoui")


@builtin()
def bitcast(t: Tracer, *args: Any, type: Any = None) -> Any:
    """bitcast(T, x): the bits of x as another type of the same width."""
    dtype, value = _ordered("bitcast", args, type)
    return mathematics.bitcast.apply(t, value, Scalar(dtype))


@builtin()
def unwrap(t: Tracer, value: Any) -> Any:
    """The value itself."""
    return value


# --- flags ---------------------------------------------------------------------------------------------------------------------------

class FastMathFlags(enum.Flag):
    """What `fastmath=` takes. Results are the same with and without."""

    none = 0
    reassoc, nnan, ninf, nsz, arcp, contract, afn = (enum.auto() for _ in range(7))
    fast = reassoc | nnan | ninf | nsz | arcp | contract | afn


def with_flags(of: Builtin, name: str = "") -> Builtin:
    """The same with the keyword `fastmath`, which changes nothing. Other flags are KernelErrors."""
    def apply(t: Tracer, *args: Any, fastmath: Any = None, **options: Any) -> Any:
        if fastmath is not None and not isinstance(fastmath, FastMathFlags) and str(fastmath) not in FastMathFlags.__members__:
            raise KernelError(f"fastmath={fastmath!r}", hint=f"arith.FastMathFlags.fast, or one of {', '.join(FastMathFlags.__members__)}")
        return of.apply(t, *args, **options)

    apply.__doc__ = of.__doc__
    return Builtin(apply, name or of.name, of.outside)


# --- operations ----------------------------------------------------------------------------------------------------------------------

select = mathematics.select


def _two(name: str, symbol: str, operands: Callable[[DType], DType] = lambda d: d) -> Builtin:
    """`operands`: the type that integers are read as."""
    def apply(t: Tracer, a: Any, b: Any) -> Any:
        if isinstance(a, Vector) or isinstance(b, Vector):
            return arithmetic.lanewise(lambda x, y: apply(t, x, y), a, b)
        dtype, _ = arithmetic.common(arithmetic.number(a), arithmetic.number(b))
        read = operands(dtype)
        x, y = (Dynamic(_reread(arithmetic.operand(v, dtype), read)) for v in (a, b))
        result = arithmetic.binary(symbol, x, y)
        return Dynamic(_reread(result.uop, dtype)) if read is not dtype else result

    apply.__doc__ = f"{name}(a, b): a {symbol} b."
    return with_flags(Builtin(apply, name))


def _reread(u: UOp, dtype: DType) -> UOp:
    return u if u.dtype is dtype else u.bitcast(dtype)


addi, addf = _two("addi", "+"), _two("addf", "+")
subi, subf = _two("subi", "-"), _two("subf", "-")
muli, mulf = _two("muli", "*"), _two("mulf", "*")
divf, floordivsi = _two("divf", "/"), _two("floordivsi", "//")
divui, remui = _two("divui", "//", _as_unsigned), _two("remui", "%", _as_unsigned)
andi, ori, xori = _two("andi", "&"), _two("ori", "|"), _two("xori", "^")
shli, shrui, shrsi = _two("shli", "<<"), _two("shrui", ">>", _as_unsigned), _two("shrsi", ">>", _as_signed)


def _truncating(name: str, method: str) -> Builtin:
    def apply(t: Tracer, a: Any, b: Any) -> Any:
        if isinstance(a, Vector) or isinstance(b, Vector):
            return arithmetic.lanewise(lambda x, y: apply(t, x, y), a, b)
        quotient = arithmetic.binary("//", mathematics.abs_.apply(t, arithmetic.typed(a)), mathematics.abs_.apply(t, arithmetic.typed(b)))
        opposite = arithmetic.compare("!=", arithmetic.compare("<", a, 0), arithmetic.compare("<", b, 0))
        truncated = arithmetic.select(opposite, arithmetic.unary("-", quotient), quotient)
        return truncated if method == "quotient" else arithmetic.binary("-", a, arithmetic.binary("*", truncated, b))

    apply.__doc__ = f"{name}(a, b): the {method} of a signed division that truncates."
    return Builtin(apply, name)


divsi, remsi = _truncating("divsi", "quotient"), _truncating("remsi", "remainder")


negf = with_flags(Builtin(lambda t, a: arithmetic.unary("-", a), "negf"))
maximumf, minimumf = with_flags(mathematics.max_, "maximumf"), with_flags(mathematics.min_, "minimumf")


def _extremum(name: str, of: Builtin, operands: Callable[[DType], DType]) -> Builtin:
    """`operands`: the type that integers are read as."""
    def apply(t: Tracer, a: Any, b: Any) -> Any:
        if isinstance(a, Vector) or isinstance(b, Vector):
            return arithmetic.lanewise(lambda x, y: apply(t, x, y), a, b)
        dtype, _ = arithmetic.common(arithmetic.number(a), arithmetic.number(b))
        read = operands(dtype)
        x, y = (Dynamic(_reread(arithmetic.operand(v, dtype), read)) for v in (a, b))
        return Dynamic(_reread(of.apply(t, x, y).uop, dtype))

    apply.__doc__ = f"{name}(a, b), read as {'unsigned' if name.endswith('ui') else 'signed'} integers."
    return Builtin(apply, name)


maxsi, minsi = _extremum("maxsi", mathematics.max_, _as_signed), _extremum("minsi", mathematics.min_, _as_signed)
maxui, minui = _extremum("maxui", mathematics.max_, _as_unsigned), _extremum("minui", mathematics.min_, _as_unsigned)


def _number_of(name: str, of: Builtin) -> Builtin:
    """maxnumf and minnumf: a NaN loses against a number."""
    def apply(t: Tracer, a: Any, b: Any) -> Any:
        isnan = mathematics.isnan.apply
        return arithmetic.select(isnan(t, a), b, arithmetic.select(isnan(t, b), a, of.apply(t, a, b)))

    apply.__doc__ = f"{name}(a, b); a NaN loses against a number."
    return with_flags(Builtin(apply, name))


maxnumf, minnumf = _number_of("maxnumf", mathematics.max_), _number_of("minnumf", mathematics.min_)

_RELATIONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class CmpIPredicate:
    """Names of integer comparisons; s: signed, u: unsigned."""

    eq, ne, slt, sle, sgt, sge, ult, ule, ugt, uge = "eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"


class CmpFPredicate:
    """Names of float comparisons; O: false for NaN. U: true for NaN."""

    OEQ, ONE, OLT, OLE, OGT, OGE, UEQ, UNE, ULT, ULE, UGT, UGE, ORD, UNO = (
        "oeq", "one", "olt", "ole", "ogt", "oge", "ueq", "une", "ult", "ule", "ugt", "uge", "ord", "uno")


@builtin()
def cmpi(t: Tracer, predicate: Any, a: Any, b: Any) -> Any:
    """cmpi("slt", a, b): a comparison of integers."""
    name = str(predicate)
    symbol = _RELATIONS.get(name, _RELATIONS.get(name[1:], ""))
    if not symbol:
        raise KernelError(f"cmpi() by {predicate!r}", hint=f"one of {', '.join(_RELATIONS)}, with s or u before the last four")
    if name in _RELATIONS or isinstance(a, Vector) or isinstance(b, Vector):
        return arithmetic.compare(symbol, a, b)
    dtype, _ = arithmetic.common(arithmetic.number(a), arithmetic.number(b))
    read = _as_unsigned(dtype) if name[0] == "u" else _as_signed(dtype)
    x, y = (Dynamic(_reread(arithmetic.operand(v, dtype), read)) for v in (a, b))
    return arithmetic.compare(symbol, x, y)


@with_flags
@builtin()
def cmpf(t: Tracer, predicate: Any, a: Any, b: Any) -> Any:
    """cmpf("olt", a, b): a comparison of floats; o…: false if one is NaN, u…: true."""
    name = str(predicate).lower()
    unordered = arithmetic.binary("|", mathematics.isnan.apply(t, a), mathematics.isnan.apply(t, b))
    if name in ("ord", "uno"):
        return arithmetic.negation(unordered) if name == "ord" else unordered
    if name[:1] not in ("o", "u") or name[1:] not in _RELATIONS:
        raise KernelError(f"cmpf() by {predicate!r}", hint="olt, oeq, …, ult, …, ord, uno")
    truth = arithmetic.compare(_RELATIONS[name[1:]], a, b)
    return arithmetic.binary("&", truth, arithmetic.negation(unordered)) if name[0] == "o" else arithmetic.binary("|", truth, unordered)
