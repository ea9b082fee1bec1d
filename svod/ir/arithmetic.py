"""The pleasant way to write graphs: operators and constructors on UOp. Sugar only; every method builds plain nodes.

Owns: operator overloading, literal conversion, operand promotion. Must not know rewriting or stages.
Invariant: `==` and hashing stay identity (nodes are hash-consed); compare values with `.eq`, `.ne`, `<`, `<=`.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from svod.dtype import AddrSpace, DType, PtrDType, dtypes
from svod.dtype.convert import round_to
from svod.dtype.promote import promote, weak
from svod.errors import DTypeError, GraphError, shown
from svod.ir.args import (
    AtomicKind,
    AxisKind,
    BarrierScope,
    ConstArg,
    KernelInfo,
    MemArg,
    ParamArg,
    RangeArg,
    SpecialArg,
    SpecialKind,
    VarArg,
)
from svod.ir.ops import MEMORIES, REDUCTIONS, Op

if TYPE_CHECKING:
    from svod.ir.uop import UOp

Value = "UOp | int | float | bool"


class Arithmetic:
    """Mixin of UOp; never instantiated by itself."""

    __slots__ = ()
    __array_ufunc__ = None
    """NumPy leaves `np.float32(2) * x` to `x.__rmul__`, and does not make arrays of UOps."""

    # ---- leaves ---------------------------------------------------------------------------------------------------
    @classmethod
    def const(cls, value: bool | int | float, dtype: DType) -> UOp:
        """A literal of scalar `dtype` (a vector dtype gives its broadcast). Integers must fit; floats are rounded to the dtype."""
        if _dtype(dtype).lanes > 1:
            return cls.const(value, dtype.scalar).broadcast(dtype.lanes)
        value = _literal(value)
        if dtype.is_float:
            value = round_to(value, dtype)
        elif dtype.is_bool:
            value = bool(value)
        elif isinstance(value, float) or not dtype.min <= value <= dtype.max:
            raise DTypeError(f"{shown(value)} is not a value of {dtype}", hint=f"{dtype} holds {dtype.min} to {dtype.max}")
        else:
            value = int(value)
        return _new(cls, Op.CONST, (), ConstArg.of(value), dtype)

    @classmethod
    def param(cls, slot: int, dtype: DType, size: int | None = None, *, name: str = "") -> UOp:
        """Buffer parameter number `slot` (0-based): pointer to elements of `dtype`; `size` in elements where it is known."""
        if _dtype(dtype) is dtypes.void:
            raise DTypeError(f"buffer {name or slot} has elements of void", hint="void has no values: dtypes.u8 for bytes")
        slot, known = _whole(slot, "a slot"), None if size is None else _whole(size, "the size of a buffer in elements")
        return _new(cls, Op.PARAM, (), ParamArg(slot, _text(name) or f"data{slot}", known), _dtype(dtype).ptr())

    @classmethod
    def variable(cls, name: str, min_: int, max_: int, dtype: DType = dtypes.index) -> UOp:
        """An integer parameter with inclusive bounds, checked at every launch."""
        low, high = _literal(min_), _literal(max_)
        if not _dtype(dtype).is_float and (isinstance(low, float) or isinstance(high, float)):
            raise GraphError(f"the bounds of variable {name!r} are {min_!r} and {max_!r}, not whole numbers", hint="int(x), or n // 2")
        if not low <= high:
            bounds = f"[{shown(low)}, {shown(high)}]"
            raise GraphError(f"variable {name!r} has an empty range {bounds}", hint="least value first: Variable(name, 1, 100)")
        if dtype.is_int and not (dtype.min <= low and high <= dtype.max):
            bounds = f"[{shown(low)}, {shown(high)}]"
            hint = f"{dtype} holds {dtype.min} to {dtype.max}: take a wider dtype"
            raise GraphError(f"variable {name!r} has the bounds {bounds}", hint=hint)
        return _new(cls, Op.DEFINE_VAR, (), VarArg(_text(name), low, high), dtype)

    @classmethod
    def scalar(cls, name: str, dtype: DType) -> UOp:
        """A scalar parameter of any dtype, over the dtype's whole range."""
        return _new(cls, Op.DEFINE_VAR, (), VarArg(_text(name), _dtype(dtype).min, dtype.max), dtype)

    @classmethod
    def range(cls, stop: UOp | int, axis: int, *, start: UOp | int = 0, kind: AxisKind = AxisKind.LOOP) -> UOp:
        """The loop variable of axis number `axis`, from `start` to `stop` (exclusive). The same axis is the same loop."""
        _member(kind, AxisKind, "the kind of a range")
        bounds = (_as_index(cls, start, "the start of a range"), _as_index(cls, stop, "the stop of a range"))
        return _new(cls, Op.RANGE, bounds, RangeArg((_whole(axis, "the axis of a range"),), kind))

    @classmethod
    def special(cls, kind: SpecialKind, axis: int, extent: UOp | int) -> UOp:
        """A hardware index: group, local or direct id along `axis`, below `extent`."""
        _member(kind, SpecialKind, "the kind of an id")
        return _new(cls, Op.SPECIAL, (_as_index(cls, extent, "the extent of an id"),), SpecialArg(kind, _whole(axis, "the axis of an id")))

    @classmethod
    def memory(cls, id_: int, dtype: DType, size: int, space: AddrSpace = AddrSpace.REG, *, name: str = "") -> UOp:
        """Memory of the kernel's own: REG per work item, LOCAL per group (core), GLOBAL for the launch. `size` in elements."""
        _member(space, AddrSpace, "the space of a memory")
        op = {AddrSpace.REG: Op.DEFINE_REG, AddrSpace.LOCAL: Op.DEFINE_LOCAL, AddrSpace.GLOBAL: Op.DEFINE_SCRATCH}[space]
        arg = MemArg(_whole(id_, "the id of a memory"), _whole(size, "the size of a memory in elements"), _text(name))
        return _new(cls, op, (), arg, _dtype(dtype).ptr(space))

    @classmethod
    def sink(cls, *effects: UOp, name: str = "", opts: Sequence[Any] | None = None) -> UOp:
        """The kernel that does `effects`; each is done for all iterations of the ranges it uses."""
        if opts is not None and (isinstance(opts, str) or not isinstance(opts, Sequence)):
            raise GraphError(f"opts is a list of Opts, got {opts!r}", hint='for example ("SPLIT(0 by 16 mask)", "VECTOR(0.1)")')
        return _new(cls, Op.SINK, tuple(effects), KernelInfo(_text(name), opts if opts is None else tuple(opts)))

    @classmethod
    def group(cls, *effects: UOp) -> UOp:
        """Several effects as one."""
        return effects[0] if len(effects) == 1 and isinstance(effects[0], Arithmetic) else _new(cls, Op.GROUP, tuple(effects))

    @classmethod
    def barrier(cls, *effects: UOp, scope: BarrierScope = BarrierScope.GROUP) -> UOp:
        """Done once all work items of `scope` have done `effects`."""
        return _new(cls, Op.BARRIER, tuple(effects), scope)

    # ---- memory ---------------------------------------------------------------------------------------------------
    def __getitem__(self, index: UOp | int) -> UOp:
        return self.index(index)

    def __setitem__(self, index: object, value: object) -> None:
        raise GraphError("a store is an effect of the kernel, not an assignment", hint="UOp.sink(out[i].store(x))")

    def __iter__(self) -> Any:
        raise GraphError("a UOp cannot be iterated over", hint="a buffer is read element by element over a range: a[i].load()")

    def __index__(self) -> int:
        """What int(), float(), range() and math's functions ask for."""
        raise GraphError("the value of a UOp is not known while the graph is built",
                         hint="loops are made by UOp.range(n, axis), numbers converted by x.cast(dtype), functions are methods: x.sqrt()")

    def __contains__(self, item: object) -> bool:
        raise GraphError("`in` has no meaning for a UOp", hint="compare values: x.eq(y)")

    def index(self, index: UOp | int, gate: UOp | None = None) -> UOp:
        """Address of element `index`; accessed only where `gate` (bool) holds."""
        me = _uop(self)
        if not isinstance(me.dtype, PtrDType):
            raise GraphError(f"only pointers can be indexed, {me.op.name} is {me.dtype}", hint="index the buffer, then load: a[i].load()")
        if me.op is Op.INDEX:
            raise GraphError(f"{_name(me)}[...] is an element already", hint=f"buffers are flat: {_name(me)}[i * columns + j]")
        i = _as_index(type(me), index)
        return _new(type(me), Op.INDEX, (me, i) if gate is None else (me, i, gate))

    def load(self, alt: UOp | float | None = None) -> UOp:
        """Read the element at this INDEX; `alt` is the value where the gate is false (default 0)."""
        me = _uop(self)
        if me.op is not Op.INDEX:
            address = isinstance(me.dtype, PtrDType)
            hint = f"say which element: {_name(me)}[i].load()" if address else "this is a value already: leave .load() out"
            raise GraphError(f"LOAD reads through an INDEX, not {me.op.name}", hint=hint)
        if len(me.src) == 2:
            if alt is not None:
                raise GraphError("this INDEX has no gate, so `alt` would never be used", hint="pass gate= to index()")
            return _new(type(me), Op.LOAD, (me,))
        base = cast(PtrDType, me.dtype).base.vec(me.src[1].dtype.lanes)
        other = alt if isinstance(alt, Arithmetic) else _operand(type(me), 0 if alt is None else alt, base)
        return _new(type(me), Op.LOAD, (me, other))

    def store(self, value: UOp | float) -> UOp:
        """The effect of writing `value` at this INDEX. Literals take the element type; other dtypes must be cast first."""
        me = _uop(self)
        if me.op is not Op.INDEX:
            hint = f"say which element: {_name(me)}[i].store(x)" if isinstance(me.dtype, PtrDType) else "write to a buffer: out[i].store(x)"
            raise GraphError(f"STORE writes through an INDEX, not {me.op.name}", hint=hint)
        base = cast(PtrDType, me.dtype).base.vec(me.src[1].dtype.lanes)
        v = _uop(value) if isinstance(value, Arithmetic) else _operand(type(me), value, base)
        if v.dtype is not base:
            if isinstance(v.dtype, PtrDType):
                shown = f"{_name(v)}[...]" if v.op is Op.INDEX else _name(v)
                raise DTypeError(f"STORE of {shown}, which is an address ({v.dtype}), not a number", at=_name(me.src[0]),
                                 hint=f"did you mean {_name(v)}[i].load()?")
            raise DTypeError(f"STORE of {v.dtype} into a buffer of {base}", at=_name(me.src[0]), hint=f"write value.cast(dtypes.{base})")
        return _new(type(me), Op.STORE, (me, v))

    def atomic(self, kind: AtomicKind, value: UOp | float) -> UOp:
        """Atomic read-modify-write of the element at this INDEX; the node's value is the old element."""
        me = _uop(self)
        _member(kind, AtomicKind, "the kind of an atomic")
        if me.op is not Op.INDEX:
            raise GraphError(f"ATOMIC goes through an INDEX, not {me.op.name}", hint="say which element: out[i].atomic(AtomicKind.ADD, x)")
        v = _uop(value) if isinstance(value, Arithmetic) else _operand(type(me), value, cast(PtrDType, me.dtype).base)
        return _new(type(me), Op.ATOMIC, (me, v), kind)

    def after(self, *deps: UOp) -> UOp:
        """This value or pointer, not before the effects (or inside the ranges) `deps`."""
        return _new(type(_uop(self)), Op.AFTER, (_uop(self), *deps)) if deps else _uop(self)

    def end(self, *ranges: UOp) -> UOp:
        """This effect done for all iterations of `ranges`."""
        return _new(type(_uop(self)), Op.END, (_uop(self), *ranges)) if ranges else _uop(self)

    def reduce(self, op: Op, *ranges: UOp) -> UOp:
        """This value combined by `op` (ADD, MUL, MAX, MIN, AND, OR, XOR) over all iterations of `ranges`. GraphError without ranges."""
        if not ranges:
            raise GraphError("a reduction names the ranges it runs over", hint="x.sum(j): every axis that is summed away")
        if op not in REDUCTIONS:
            names = ", ".join(f"Op.{o.name}" for o in sorted(REDUCTIONS, key=lambda o: o.value))
            raise GraphError(f"a reduction cannot combine by {getattr(op, 'name', repr(op))}", hint=f"one of {names}")
        _check_loaded(me := _uop(self))
        return _new(type(me), Op.REDUCE, (me, *ranges), op)

    def sum(self, *ranges: UOp) -> UOp:
        """Sum over `ranges`."""
        return self.reduce(Op.ADD, *ranges)

    def max(self, *ranges: UOp) -> UOp:
        """Greatest value over `ranges`."""
        return self.reduce(Op.MAX, *ranges)

    def min(self, *ranges: UOp) -> UOp:
        """Least value over `ranges`."""
        return self.reduce(Op.MIN, *ranges)

    def prod(self, *ranges: UOp) -> UOp:
        """Product over `ranges`."""
        return self.reduce(Op.MUL, *ranges)

    def bind(self, value: int) -> UOp:
        """This variable with the value of one launch; whether it is within bounds is checked where the BIND is used."""
        me = _uop(self)
        if me.op is not Op.DEFINE_VAR:
            raise GraphError(f"only a variable can be bound, this is a {me.op.name}", hint='Variable("n", 1, 100).bind(16)')
        return _new(type(me), Op.BIND, (me, type(me).const(value, me.dtype)))

    # ---- types ----------------------------------------------------------------------------------------------------
    def cast(self, dtype: DType) -> UOp:
        """Value conversion, lane by lane; `dtype` is scalar or has as many lanes as this value."""
        me = _uop(self)
        if type(me.dtype) is PtrDType:
            _check_loaded(me)
        want = dtype.vec(me.dtype.lanes) if _dtype(dtype).lanes == 1 else dtype
        return me if want is me.dtype else _new(type(me), Op.CAST, (me,), None, want)

    def bitcast(self, dtype: DType) -> UOp:
        """The same bits as another dtype of the same width."""
        me = _uop(self)
        _check_loaded(me)
        want = _dtype(dtype).vec(me.dtype.lanes)
        if want.bits != me.dtype.bits:
            raise DTypeError(f"BITCAST from {me.dtype} to {want} changes the width", hint="x.cast(dtype) converts the value")
        return me if want is me.dtype else _new(type(me), Op.BITCAST, (me,), None, want)

    def broadcast(self, lanes: int) -> UOp:
        """The vector of `lanes` copies of this scalar."""
        me = _uop(self)
        if _whole(lanes, "a number of lanes", 1) > 1 and me.dtype.lanes > 1:
            raise DTypeError(f"BROADCAST of {me.dtype}, which is a vector already", hint="x.extract(lane) takes one lane out")
        return me if lanes == 1 else _new(type(me), Op.BROADCAST, (me,), None, me.dtype.vec(lanes))

    def extract(self, lane: int) -> UOp:
        """One lane of a vector."""
        me = _uop(self)
        if _whole(lane, "a lane") >= me.dtype.lanes:
            raise DTypeError(f"{me.dtype} has no lane {lane}", hint=f"lanes count from 0 to {me.dtype.lanes - 1}")
        return _new(type(me), Op.EXTRACT, (me,), lane, me.dtype.scalar)

    # ---- arithmetic -----------------------------------------------------------------------------------------------
    def _two(self, op: Op, other: UOp | float, flip: bool = False) -> UOp:
        a, b = _promoted(_uop(self), other)
        return _new(type(a), op, (b, a) if flip else (a, b))

    def _one(self, op: Op) -> UOp:
        return _new(type(_uop(self)), op, (_uop(self),))

    def __add__(self, o: UOp | float) -> UOp:
        return self._two(Op.ADD, o)

    def __radd__(self, o: UOp | float) -> UOp:
        return self._two(Op.ADD, o, True)

    def __sub__(self, o: UOp | float) -> UOp:
        return self._two(Op.SUB, o)

    def __rsub__(self, o: UOp | float) -> UOp:
        return self._two(Op.SUB, o, True)

    def __mul__(self, o: UOp | float) -> UOp:
        return self._two(Op.MUL, o)

    def __rmul__(self, o: UOp | float) -> UOp:
        return self._two(Op.MUL, o, True)

    def __truediv__(self, o: UOp | float) -> UOp:
        a, b = _promoted(_uop(self), o)
        return _new(type(a), Op.FDIV, (_floating(a), _floating(b)))

    def __rtruediv__(self, o: UOp | float) -> UOp:
        a, b = _promoted(_uop(self), o)
        return _new(type(a), Op.FDIV, (_floating(b), _floating(a)))

    def __floordiv__(self, o: UOp | float) -> UOp:
        """Floor division; for floats floor(a / b)."""
        a, b = _promoted(_uop(self), o)
        return (a / b).floor() if a.dtype.is_float else _new(type(a), Op.FLOORDIV, (a, b))

    def __rfloordiv__(self, o: float) -> UOp:
        a, b = _promoted(_uop(self), o)
        return b // a

    def __mod__(self, o: UOp | float) -> UOp:
        """Floor modulo for integers, as Python's %."""
        return self._two(Op.FLOORMOD, o)

    def __rmod__(self, o: float) -> UOp:
        return self._two(Op.FLOORMOD, o, True)

    def __pow__(self, o: UOp | float) -> UOp:
        return self._two(Op.POW, o)

    def __rpow__(self, o: float) -> UOp:
        return self._two(Op.POW, o, True)

    def __and__(self, o: UOp | int) -> UOp:
        return self._two(Op.AND, o)

    def __or__(self, o: UOp | int) -> UOp:
        return self._two(Op.OR, o)

    def __xor__(self, o: UOp | int) -> UOp:
        return self._two(Op.XOR, o)

    def __lshift__(self, o: UOp | int) -> UOp:
        return self._two(Op.SHL, o)

    def __rshift__(self, o: UOp | int) -> UOp:
        return self._two(Op.SHR, o)

    def __lt__(self, o: UOp | float) -> UOp:
        return self._two(Op.CMPLT, o)

    def __le__(self, o: UOp | float) -> UOp:
        return self._two(Op.CMPLE, o)

    def __gt__(self, o: UOp | float) -> UOp:
        return self._two(Op.CMPLT, o, True)

    def __ge__(self, o: UOp | float) -> UOp:
        return self._two(Op.CMPLE, o, True)

    def lt(self, o: UOp | float) -> UOp:
        return self._two(Op.CMPLT, o)

    def le(self, o: UOp | float) -> UOp:
        return self._two(Op.CMPLE, o)

    def eq(self, o: UOp | float) -> UOp:
        """Values equal (bool); `==` compares nodes."""
        return self._two(Op.CMPEQ, o)

    def ne(self, o: UOp | float) -> UOp:
        """Values differ (bool)."""
        return self._two(Op.CMPNE, o)

    def __neg__(self) -> UOp:
        return self._one(Op.NEG)

    def __invert__(self) -> UOp:
        return self._one(Op.NOT)

    def __abs__(self) -> UOp:
        return self._one(Op.ABS)

    def __bool__(self) -> bool:
        raise GraphError("the truth of a UOp is not known while the graph is built", hint="use cond.where(a, b); combine with & | ~")

    def abs(self) -> UOp:
        return self._one(Op.ABS)

    def maximum(self, o: UOp | float) -> UOp:
        """Greater of two values; NaN if either is."""
        return self._two(Op.MAX, o)

    def minimum(self, o: UOp | float) -> UOp:
        """Lesser of two values; NaN if either is."""
        return self._two(Op.MIN, o)

    def where(self, a: UOp | float, b: UOp | float) -> UOp:
        """`a` where this condition holds, else `b`. One of the two must be a UOp."""
        if not isinstance(a, Arithmetic) and not isinstance(b, Arithmetic):
            _literal(a), _literal(b)
            raise GraphError("where() of two literals has no dtype", hint="wrap one: UOp.const(1, dtypes.f32)")
        x, y = _promoted(_uop(a), b) if isinstance(a, Arithmetic) else _promoted(_uop(b), a)[::-1]
        me = _uop(self)
        lanes = max(me.dtype.lanes, x.dtype.lanes)
        return _new(type(me), Op.WHERE, tuple(_wide(v, lanes) for v in (me, x, y)))

    def fma(self, b: UOp | float, c: UOp | float) -> UOp:
        """self * b + c, rounded once."""
        x, y = _promoted(_uop(self), b)
        x, z = _promoted(x, c)
        return _new(type(x), Op.MULACC, (x, _wide(y, z.dtype.lanes), z))

    def idiv(self, o: UOp | int) -> UOp:
        """Integer quotient truncated toward zero, as C."""
        return self._two(Op.IDIV, o)

    def rem(self, o: UOp | int) -> UOp:
        """Remainder of truncating division, as C's %."""
        return self._two(Op.MOD, o)


def _dtype(x: Any) -> DType:
    if not isinstance(x, DType):
        raise DTypeError(f"a dtype is needed, got {x!r}", hint="for example dtypes.f32; dtypes.parse('f32') reads text")
    return x


def _text(x: Any) -> str:
    if not isinstance(x, str):
        raise GraphError(f"a name is text, got {x!r}", hint='name="scale"')
    return x


def _whole(x: Any, what: str, least: int = 0) -> int:
    """`x` as an int: also of NumPy's integer types, never a bool or a float. GraphError."""
    if type(x) is int and least <= x < 1 << 63:
        return x
    number = None if isinstance(x, bool) or not hasattr(x, "dtype") or isinstance(x, Arithmetic) else _literal(x)
    if type(number) is not int or not least <= number < 1 << 63:
        hint = "a number known when the kernel is built" if isinstance(x, Arithmetic) else f"{what} counts from {least}, below 2**63"
        raise GraphError(f"{what} is a whole number of {least} or more, got {shown(x)}", hint=hint)
    return number


def _member(x: Any, kind: type[Enum], what: str) -> None:
    """GraphError unless `x` is a member of `kind`."""
    if not isinstance(x, kind):
        raise GraphError(f"{what} is {x!r}", hint=f"one of {', '.join(f'{kind.__name__}.{m.name}' for m in kind)}")


def _uop(x: Any) -> UOp:
    return cast("UOp", x)


def _new(cls: Any, op: Op, src: tuple[UOp, ...] = (), arg: Any = None, dtype: DType | None = None) -> UOp:
    return cast("UOp", cls(op, src, arg, dtype))


def _name(ptr: UOp) -> str:
    while ptr.op not in MEMORIES and ptr.src:
        ptr = ptr.src[0]
    return str(getattr(ptr.arg, "name", ptr.op.name))


def _wide(x: UOp, lanes: int) -> UOp:
    return x.broadcast(lanes) if x.dtype.lanes == 1 else x


def _floating(x: UOp) -> UOp:
    """Integers divided with `/` become floats: f64 for index and 64-bit types, f32 for the others."""
    if x.dtype.is_float:
        return x
    return x.cast(dtypes.f64 if x.dtype.bits == 64 else dtypes.f32)


def _as_index(cls: Any, x: Any, what: str = "an index") -> UOp:
    if isinstance(x, Arithmetic):
        u = _uop(x)
        if not u.dtype.is_int:
            address = isinstance(u.dtype, PtrDType)
            hint = f"read the element: {_name(u)}[i].load()" if address else "cast it to dtypes.index"
            raise DTypeError(f"{what} must be an integer, got {u.dtype}", hint=hint)
        return u.cast(dtypes.index)
    if x is None or x is Ellipsis or isinstance(x, slice):
        raise GraphError(f"{what} is one integer, got {_shown(x)}", hint="a kernel reads element by element, over a range: a[i].load()")
    if isinstance(x, (tuple, list)):
        raise GraphError(f"{what} is one integer, got {len(x)} of them", hint="buffers are flat: a[i * columns + j]")
    if isinstance(value := _literal(x), bool) or not isinstance(value, int):
        raise DTypeError(f"{what} must be an integer, got {shown(x)}", hint="int(x), or n // 2 in place of n / 2")
    return cast("UOp", cls.const(value, dtypes.index))


def _shown(x: object) -> str:
    """`:`, `2:5`, `...` or `None`, as the user wrote it."""
    if isinstance(x, slice):
        return ":".join("" if p is None else str(p) for p in ((x.start, x.stop) if x.step is None else (x.start, x.stop, x.step)))
    return "..." if x is Ellipsis else repr(x)


def _literal(value: object) -> bool | int | float:
    """`value` if it is a number; a NumPy scalar counts as the Python number it holds. GraphError for anything else."""
    if isinstance(value, (bool, int, float)):
        return value
    plain = value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value
    if isinstance(plain, (bool, int, float)):
        return plain
    hint = "kernels are made of UOps, numbers and bools; arrays are passed at launch"
    raise GraphError(f"{type(value).__name__} {value!r} is not a number", hint=hint)


def _check_loaded(u: UOp) -> None:
    if isinstance(u.dtype, PtrDType):
        shown = f"{_name(u)}[...]" if u.op is Op.INDEX else _name(u)
        raise DTypeError(f"{shown} is an address ({u.dtype}), not a number", hint=f"read the element: {_name(u)}[i].load()")


def _operand(cls: Any, number: Any, dtype: DType) -> UOp:
    """The constant a literal stands for beside a value of `dtype`. DTypeError for a finite one that rounds to an infinity (or to nan, where
    there are none), and for an infinity that `dtype` does not have."""
    u = cast("UOp", cls.const(number, dtype))
    held = (u if dtype.lanes == 1 else u.src[0]).arg.value
    if not dtype.is_float or math.isfinite(held):
        return u
    given = float(value) if isinstance(value := _literal(number), float) else value
    if given != held and not (isinstance(given, float) and math.isnan(given)):
        raise DTypeError(f"{shown(given)} is more than {dtype.scalar!r} holds",
                         hint="cast the other operand to a wider type; an infinity, where the type has one, is written math.inf")
    return u


def _promoted(a: UOp, b: UOp | float) -> tuple[UOp, UOp]:
    _check_loaded(a)
    if not isinstance(b, Arithmetic):
        number = _literal(b)
        want = weak(number, a.dtype)
        return a.cast(want), _operand(type(a), number, want)
    other = _uop(b)
    if a.dtype is other.dtype:
        return a, other
    _check_loaded(other)
    want = promote(a.dtype, other.dtype)
    return _wide(a.cast(want.scalar), want.lanes), _wide(other.cast(want.scalar), want.lanes)
