"""What to do about a node that cannot be built: the hints behind the GraphErrors of uop.py, for the mistakes people make.

Owns: words. Must not know UOps: it sees ops, dtypes and whatever else was passed. Called only when something is refused already, so it
may be slow. Invariant: every function returns an error that says what to do.
"""
from __future__ import annotations

from enum import Enum
from typing import Any

from svod.dtype import DType, PtrDType
from svod.errors import DTypeError, GraphError
from svod.ir.ops import BINARY, OPS, REDUCTIONS, Op

_KINDS = {"number": "a number", "float": "a float", "int": "an integer", "bits": "an integer or bool"}
_INSTEAD = {
    Op.AND: "conditions are joined: (x > 0) & (y > 0)", Op.OR: "conditions are joined: (x > 0) | (y > 0)",
    Op.XOR: "compare first: (x > 0) ^ (y > 0)", Op.NOT: "-x negates; ~ is for conditions and integers: ~(x > 0)",
    Op.FLOORMOD: "for floats write x - (x / y).floor() * y, or cast it: x.cast(dtypes.i32)",
    Op.IDIV: "for floats write (x / y).trunc()", Op.MOD: "for floats write x - (x / y).trunc() * y",
    Op.FLOORDIV: "for floats write (x / y).floor()", Op.SHL: "for floats multiply: x * 2.0**n", Op.SHR: "for floats multiply: x * 0.5**n",
    Op.POW: "cast the base: x.cast(dtypes.f32) ** 2.0; for small whole powers multiply: x * x"}
_OPERANDS = {
    Op.REDUCE: "name the axes that are reduced away: x.sum(r) with r = UOp.range(n, axis)",
    Op.END: "name the loops that end: effect.end(r) with r = UOp.range(n, axis)",
    Op.AFTER: "name what comes first: buffer.after(effect)",
    Op.INDEX: "a gate is a condition: a.index(i, i < n)"}
_EFFECTS = "effects are what .store() gives: UOp.sink(out[i].store(x))"


def wrong_kind(op: Op, dtype: DType) -> GraphError:
    """`op` does not take operands of `dtype`."""
    takes = OPS[op].takes
    return GraphError(f"{op.name} takes {_KINDS[takes]}, got {dtype}", hint=_convert(op, takes, dtype))


def _convert(op: Op, takes: str, dtype: DType) -> str:
    if isinstance(dtype, PtrDType):
        return "an address is not a value: read the element first, a[i].load()"
    if dtype.is_bool:
        return "make a number of the condition: x.cast(dtypes.i32), or cond.where(a, b)" if takes != "float" else "write x.cast(dtypes.f32)"
    if not dtype.is_int and not dtype.is_float:
        return "this is an effect, which has no value: load what was stored, buffer.after(effect)[i].load()"
    if op in _INSTEAD:
        return _INSTEAD[op]
    return "write x.cast(dtypes.f32)" if takes == "float" else "write x.cast(dtypes.i32)"


def different_dtypes(op: Op, dtypes: list[DType]) -> GraphError:
    """The operands of `op` should have one dtype."""
    if any(isinstance(d, PtrDType) for d in dtypes):
        hint = "an address is not a value: read the element first, a[i].load()"
    else:
        hint = f"cast one of them: x.cast(dtypes.{dtypes[-1]})" + ("; the operators + - * ... do it themselves" if op in BINARY else "")
    return GraphError(f"operands of {op.name} have dtypes {' and '.join(map(str, dtypes))}", hint=hint)


def wrong_condition(dtype: DType, wanted: DType) -> GraphError:
    """The condition of a WHERE is not bool."""
    if isinstance(dtype, PtrDType):
        hint = "read the element and compare it: a[i].load().ne(0).where(x, y)"
    else:
        hint = "compare it: c.ne(0).where(x, y), or (c > 0).where(x, y)"
    return GraphError(f"the condition of WHERE is {dtype}, not {wanted}", hint=hint)


def wrong_count(op: Op, given: int) -> GraphError:
    """`op` does not take that many operands."""
    least, most = OPS[op].arity
    wanted = f"{least}" if most == least else f"{least} to {'any number' if most is None else most}"
    return GraphError(f"{op.name} takes {wanted} operands, got {given}", hint=f"{op.name} is: {OPS[op].doc}")


def wrong_operand(op: Op, value: object) -> GraphError:
    """An operand of `op` is no UOp."""
    what = f"an operand of {op.name} is {value!r}, not a UOp"
    if isinstance(value, (list, tuple, set)):
        call = f"UOp.{op.name.lower()}(*effects)" if op in _BUNDLES else _STARRED.get(op, "f(*nodes)")
        return GraphError(f"an operand of {op.name} is a {type(value).__name__}, not a UOp", hint=f"pass them one by one: {call}")
    hint = _EFFECTS if op in _BUNDLES else _OPERANDS.get(op, "wrap numbers with UOp.const(value, dtype)")
    return GraphError(what, hint=hint)


_BUNDLES = frozenset((Op.SINK, Op.GROUP, Op.BARRIER))
_STARRED = {Op.REDUCE: "x.sum(*axes)", Op.END: "effect.end(*axes)", Op.AFTER: "buffer.after(*effects)"}


def wrong_arg(op: Op, arg: object) -> GraphError:
    """`arg` is not what `op` takes."""
    wanted = OPS[op].arg
    if wanted is None:
        return GraphError(f"{op.name} takes no arg, got {arg!r}", hint=f"UOp(Op.{op.name}, (operands,))")
    if op in (Op.REDUCE, Op.LANES):
        hint = f"one of {', '.join(f'Op.{o.name}' for o in sorted(REDUCTIONS, key=lambda o: o.value))}; or x.sum(r), x.max(r)"
    elif issubclass(wanted, Enum):
        hint = f"one of {', '.join(f'{wanted.__name__}.{m.name}' for m in wanted)}"
    else:
        hint = f"svod.ir.args has {wanted.__name__}" if wanted.__module__ == "svod.ir.args" else f"its type is {wanted.__name__}"
    return GraphError(f"{op.name} takes an arg of type {wanted.__name__}, got {arg!r}", hint=hint)


def wrong_dtype(op: Op, dtype: object) -> GraphError | DTypeError:
    """`op` needs a dtype, and this is none."""
    hint = f"UOp(Op.{op.name}, operands, arg, dtypes.f32)"
    if dtype is None:
        return GraphError(f"{op.name} needs a dtype", hint=hint)
    return DTypeError(f"a dtype is needed, got {dtype!r}", hint="for example dtypes.f32; dtypes.parse('f32') reads text")


def not_a_node(op: Any, src: Any, arg: Any) -> GraphError:
    """What was passed to UOp() has not even the form of a node."""
    if not isinstance(op, Op):
        hint = "numbers: UOp.const(value, dtype)" if isinstance(op, (bool, int, float)) else "an op is a member of Op: UOp(Op.ADD, (x, y))"
        return GraphError(f"{op!r} is no Op", hint=hint)
    if type(src) is not tuple:
        return GraphError(f"the operands of {op.name} are a {type(src).__name__}, not a tuple", hint=f"UOp(Op.{op.name}, (x,))")
    for s in src:
        if isinstance(s, (list, tuple, set, dict)) or getattr(type(s), "__hash__", None) is None:
            return wrong_operand(op, s)
    return wrong_arg(op, arg)
