"""Exchanges among the work items of a subgroup: shuffles, votes, reductions, scans.

Owns: their names and defaults. Must not know how they are carried out (SUBGROUP, svod.ir.args.SubgroupKind).
Invariant: `width` is a power of two up to the subgroup's size; left out, it is that size. A work item whose partner is not there, or does
not take part, gets its own value.
"""
from __future__ import annotations

from typing import Any

from svod.dtype import DType, dtypes
from svod.errors import KernelError
from svod.ir.args import SubgroupArg, SubgroupKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang import arithmetic
from svod.lang.builtin import Builtin
from svod.lang.tracer import Tracer
from svod.lang.value import Dynamic, Vector, static_number


def _width(t: Tracer, name: str, width: Any) -> int:
    number = t.subgroup if width is None else static_number(width)
    if not isinstance(number, int) or not 1 <= number <= t.subgroup or number & (number - 1):
        raise KernelError(f"{name}() of width {width!r}", hint=f"a power of two up to {t.subgroup}, the size of the subgroup")
    return number


def _emit(t: Tracer, sources: tuple[UOp, ...], arg: SubgroupArg, dtype: DType) -> Dynamic:
    return Dynamic(t.builder.let(UOp(Op.SUBGROUP, sources, arg, dtype), arg.kind.value))


def _shuffle(name: str, kind: SubgroupKind, doc: str) -> Builtin:
    def apply(t: Tracer, value: Any, lane: Any, width: Any = None) -> Any:
        if isinstance(value, Vector):
            return arithmetic.lanewise(lambda v: apply(t, v, lane, width), value)
        other = arithmetic.typed(lane).uop
        if not other.dtype.is_int:
            raise KernelError(f"{name}() by {other.dtype!r}", hint="an integer")
        x = arithmetic.typed(value).uop
        return _emit(t, (x, other), SubgroupArg(kind, _width(t, name, width)), x.dtype)

    apply.__doc__ = doc
    return Builtin(apply, name)


shuffle = _shuffle("shuffle", SubgroupKind.SHUFFLE, "The value of lane `lane`, modulo the width.")
shuffle_up = _shuffle("shuffle_up", SubgroupKind.UP, "The value of the lane that many below.")
shuffle_down = _shuffle("shuffle_down", SubgroupKind.DOWN, "The value of the lane that many above.")
shuffle_xor = _shuffle("shuffle_xor", SubgroupKind.XOR, "The value of the lane whose number is this one's, exclusive-or `lane`.")


def _vote(name: str, kind: SubgroupKind, dtype: DType, doc: str) -> Builtin:
    def apply(t: Tracer, condition: Any, width: Any = None) -> Dynamic:
        truth = arithmetic.truth(condition)
        value = truth.uop if isinstance(truth, Dynamic) else UOp.const(bool(truth), dtypes.bool)
        return _emit(t, (value,), SubgroupArg(kind, _width(t, name, width)), dtype)

    apply.__doc__ = doc
    return Builtin(apply, name)


any_ = _vote("any_", SubgroupKind.ANY, dtypes.bool, "Whether the condition holds in one work item of the subgroup.")
all_ = _vote("all_", SubgroupKind.ALL, dtypes.bool, "Whether the condition holds in all work items of the subgroup that take part.")
ballot = _vote("ballot", SubgroupKind.BALLOT, dtypes.u64, "An u64 whose bit i says whether the condition holds in lane i.")

_COMBINES = {"add": Op.ADD, "mul": Op.MUL, "min": Op.MIN, "max": Op.MAX, "and": Op.AND, "or": Op.OR, "xor": Op.XOR}


def _combined(prefix: str, suffix: str, kind: SubgroupKind, doc: str) -> Builtin:
    name, op = f"{prefix}_{suffix}", _COMBINES[suffix]

    def apply(t: Tracer, value: Any, width: Any = None) -> Any:
        if isinstance(value, Vector):
            return arithmetic.lanewise(lambda v: apply(t, v, width), value)
        x = arithmetic.typed(value).uop
        if (x.dtype.is_float and suffix in ("and", "or", "xor")) or (x.dtype.is_bool and suffix in ("add", "mul")):
            raise KernelError(f"{name}() of {x.dtype!r}", hint="cast it: i32(x)")
        lanes = _width(t, name, width)
        if lanes == 1 and kind is not SubgroupKind.EXCLUSIVE:
            return Dynamic(x)  # one value, combined with nothing
        return _emit(t, (x,), SubgroupArg(kind, lanes, op), x.dtype)

    apply.__doc__ = doc
    return Builtin(apply, name)


def _family(prefix: str, kind: SubgroupKind, doc: str) -> dict[str, Builtin]:
    return {f"{prefix}_{suffix}": _combined(prefix, suffix, kind, doc) for suffix in _COMBINES}


COMBINING: dict[str, Builtin] = {
    **_family("subgroup_reduce", SubgroupKind.REDUCE, "The values of the subgroup combined, in every lane."),
    **_family("inclusive_scan", SubgroupKind.INCLUSIVE, "The values of the lanes up to this one, combined."),
    **_family("exclusive_scan", SubgroupKind.EXCLUSIVE, "The values of the lanes below, combined; in the lowest the neutral value."),
}
"""subgroup_reduce_add, …_mul, …_min, …_max, …_and, …_or, …_xor; inclusive_scan_…; exclusive_scan_…"""
globals().update(COMBINING)
