"""Data types as interned frozen values: scalars, vectors of them, and pointers into an address space.

Owns: the identity, width and layout of every type. Must not know rounding (convert.py) or promotion (promote.py).
Invariant: equal types are the same object, so `is` compares types.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from svod.errors import DTypeError


class Kind(Enum):
    """What family a scalar belongs to; arithmetic rules are stated per kind."""

    VOID = "void"
    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    FLOAT = "float"
    INDEX = "index"
    """Ideal integer of index arithmetic: as wide as an address of the target."""

    __hash__ = object.__hash__  # by identity: asked for with every node, and members are singletons


class AddrSpace(Enum):
    """Where a pointer points."""

    GLOBAL = "global"
    LOCAL = "local"
    """Memory shared by the work items of a group."""
    REG = "reg"
    """Memory private to one work item: accumulators and small arrays."""


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """Layout of a binary float: 1 sign bit, `exponent` bits, `mantissa` bits, and what the top codes mean."""

    exponent: int
    mantissa: int
    bias: int
    infinities: bool = True
    """False: no infinities; overflow becomes NaN (e4m3fn and the FNUZ forms)."""
    unsigned_zero: bool = False
    """True (FNUZ): the code of -0.0 is the only NaN."""


_INTERNED: dict[Any, Any] = {}


@dataclass(frozen=True, slots=True, eq=False)
class DType:
    """A scalar or vector type. `bits` is the width of one lane; `lanes` is 1 for scalars."""

    name: str
    kind: Kind
    bits: int
    lanes: int = 1
    fmt: FloatFormat | None = None

    @property
    def itemsize(self) -> int:
        """Bytes of the whole value as stored (bool takes one byte a lane)."""
        return max(1, self.bits // 8) * self.lanes if self.kind is not Kind.VOID else 0

    @property
    def scalar(self) -> DType:
        """The type of one lane."""
        return self if self.lanes == 1 else _INTERNED[self.name]

    def vec(self, lanes: int) -> DType:
        """The vector of `lanes` of this scalar; `vec(1)` is the scalar itself."""
        if lanes == self.lanes:
            return self
        if type(lanes) is not int or lanes < 1 or self.kind is Kind.VOID:
            raise DTypeError(f"{self.name} has no vector of {lanes!r} lanes", hint="for example dtypes.f32.vec(8)")
        if lanes == 1:
            return self.scalar
        key = (self.name, lanes)
        if (hit := _INTERNED.get(key)) is None:
            hit = _INTERNED.setdefault(key, replace(self.scalar, lanes=lanes))
        return hit  # type: ignore[no-any-return]

    def ptr(self, space: AddrSpace = AddrSpace.GLOBAL) -> PtrDType:
        """Pointer to elements of this type in `space`."""
        key = (self, space)
        if (hit := _INTERNED.get(key)) is None:
            if not isinstance(space, AddrSpace):
                raise DTypeError(f"{space!r} is no address space", hint=f"one of {', '.join(f'AddrSpace.{s.name}' for s in AddrSpace)}")
            hit = _INTERNED.setdefault(key, PtrDType(f"{self}*", Kind.VOID, 64, base=self, space=space))
        return hit  # type: ignore[no-any-return]

    @property
    def is_float(self) -> bool:
        return self.kind is Kind.FLOAT

    @property
    def is_int(self) -> bool:
        """Signed, unsigned or index integer; bool is not one."""
        return self.kind in _INTS

    @property
    def is_bool(self) -> bool:
        return self.kind is Kind.BOOL

    @property
    def is_unsigned(self) -> bool:
        return self.kind is Kind.UINT

    @property
    def min(self) -> int | float:
        """Least value: an int for integers (bool: 0), -inf for floats."""
        match self.kind:
            case Kind.INT | Kind.INDEX:
                return -(1 << (self.bits - 1))
            case Kind.UINT | Kind.BOOL:
                return 0
            case Kind.FLOAT:
                return float("-inf")
        raise DTypeError(f"{self.name} has no least value")

    @property
    def max(self) -> int | float:
        """Greatest value: an int for integers (bool: 1), +inf for floats."""
        match self.kind:
            case Kind.INT | Kind.INDEX:
                return (1 << (self.bits - 1)) - 1
            case Kind.UINT:
                return (1 << self.bits) - 1
            case Kind.BOOL:
                return 1
            case Kind.FLOAT:
                return float("inf")
        raise DTypeError(f"{self.name} has no greatest value")

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.name, self.lanes))

    def __repr__(self) -> str:
        return self.name if self.lanes == 1 else f"{self.name}x{self.lanes}"


@dataclass(frozen=True, slots=True, eq=False)
class PtrDType(DType):
    """Pointer to elements of type `base` in address space `space`."""

    base: DType = None  # type: ignore[assignment]
    space: AddrSpace = AddrSpace.GLOBAL

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_ptr, (self.base, self.space))

    def __repr__(self) -> str:
        return f"{self.base!r}*{self.space.value}"


_INTS = frozenset((Kind.INT, Kind.UINT, Kind.INDEX))


def _restore(name: str, lanes: int) -> DType:
    return _INTERNED[name].vec(lanes)  # type: ignore[no-any-return]


def _restore_ptr(base: DType, space: AddrSpace) -> PtrDType:
    return base.ptr(space)


def _scalar(name: str, kind: Kind, bits: int, fmt: FloatFormat | None = None) -> DType:
    return _INTERNED.setdefault(name, DType(name, kind, bits, 1, fmt))  # type: ignore[no-any-return]


class dtypes:
    """The scalar types by name. `dtypes.f32`, `dtypes.parse("f32x4")`, `dtypes.ALL`."""

    void = _scalar("void", Kind.VOID, 0)
    index = _scalar("index", Kind.INDEX, 64)
    bool = _scalar("bool", Kind.BOOL, 1)
    i8 = _scalar("i8", Kind.INT, 8)
    i16 = _scalar("i16", Kind.INT, 16)
    i32 = _scalar("i32", Kind.INT, 32)
    i64 = _scalar("i64", Kind.INT, 64)
    u8 = _scalar("u8", Kind.UINT, 8)
    u16 = _scalar("u16", Kind.UINT, 16)
    u32 = _scalar("u32", Kind.UINT, 32)
    u64 = _scalar("u64", Kind.UINT, 64)
    f16 = _scalar("f16", Kind.FLOAT, 16, FloatFormat(5, 10, 15))
    bf16 = _scalar("bf16", Kind.FLOAT, 16, FloatFormat(8, 7, 127))
    f32 = _scalar("f32", Kind.FLOAT, 32, FloatFormat(8, 23, 127))
    f64 = _scalar("f64", Kind.FLOAT, 64, FloatFormat(11, 52, 1023))
    f8e4m3 = _scalar("f8e4m3", Kind.FLOAT, 8, FloatFormat(4, 3, 7, infinities=False))
    f8e5m2 = _scalar("f8e5m2", Kind.FLOAT, 8, FloatFormat(5, 2, 15))
    f8e4m3fnuz = _scalar("f8e4m3fnuz", Kind.FLOAT, 8, FloatFormat(4, 3, 8, infinities=False, unsigned_zero=True))
    f8e5m2fnuz = _scalar("f8e5m2fnuz", Kind.FLOAT, 8, FloatFormat(5, 2, 16, infinities=False, unsigned_zero=True))

    SIGNED = (i8, i16, i32, i64)
    UNSIGNED = (u8, u16, u32, u64)
    INTS = SIGNED + UNSIGNED
    FP8 = (f8e4m3, f8e5m2, f8e4m3fnuz, f8e5m2fnuz)
    FLOATS = (*FP8, f16, bf16, f32, f64)
    ALL = (bool, *INTS, *FLOATS)
    """Every type a buffer or scalar parameter can have."""

    @staticmethod
    def parse(text: str) -> DType:
        """The type that prints as `text` ('f32', 'i8x4', 'f32*global'). DTypeError if there is none."""
        if not isinstance(text, str):
            raise DTypeError(f"the name of a dtype is text, got {text!r}", hint='dtypes.parse("f32")')
        if "*" in text:
            base, _, space = text.rpartition("*")
            if space in {s.value for s in AddrSpace}:
                return dtypes.parse(base).ptr(AddrSpace(space))
        elif (hit := _INTERNED.get(text)) is not None and isinstance(hit, DType):
            return hit
        elif (cut := text.rpartition("x"))[2].isdecimal() and cut[0] in _INTERNED:
            return _INTERNED[cut[0]].vec(int(cut[2]))  # type: ignore[no-any-return]
        raise DTypeError(f"no dtype is called {text!r}", hint=f"one of {', '.join(map(repr, dtypes.ALL))}, or f32x4 for vectors")
