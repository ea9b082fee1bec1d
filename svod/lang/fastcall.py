"""The call of a compiled form that costs next to nothing: one generated Python function in front of the native launcher.

Owns: the text of that function. Must not know where its parts come from.
Invariant: it never raises for what was passed, and where it returns False nothing was done. The native launcher looks at element types,
layout and overlap of what the kernel uses; the guards here look at all that it cannot see: rank, declared extents, constants, what the
kernel does not use.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from svod.dtype import DType
from svod.dtype.convert import numpy_dtype
from svod.lang.types import ArrayType, Constant, ScalarType

Call = Callable[[Any, Any, Any], bool]
"""`call(grid, args, threads)`: True if the kernel ran, False if nothing was done. `threads`: the work items asked for along three axes;
where the launch gives dynamic shared memory, its bytes behind them."""
Meaning = tuple[Any, ...]
"""Of a scalar of the program: ("param", name), ("shape", array, axis), ("grid", axis), ("threads",), ("threads", axis) or ("shared",)."""

@dataclass(frozen=True)
class Plan:
    """What the generated call is made of: parameters in order, with their types; what the program takes; what must hold."""

    types: Mapping[str, Any]
    buffers: tuple[str, ...]
    scalars: tuple[Meaning, ...]
    grid: tuple[int, int, int]
    """The most groups along each axis."""
    native: Callable[..., bool] | None
    shared: tuple[int, int] | None = None
    """The least and the most bytes of dynamic shared memory that a launch gives, of a kernel that has such."""
    conditions: tuple[str, ...] = ()
    """Python expressions that must be true as well, over the names of `scope`."""
    scope: Mapping[str, object] = field(default_factory=dict)


def fast_call(plan: Plan) -> tuple[Call, Call, dict[str, Any]]:
    """The guarded call, the one for arguments that were checked already, and the names that the first one reads (to renew them)."""
    if plan.native is None:
        return _never, _never, {}
    scope: dict[str, Any] = {**plan.scope, "native": plan.native}
    names = list(plan.types)
    guards = [*_sizes(plan), *plan.conditions]
    for i, (name, kind) in enumerate(plan.types.items()):
        guards += _guards(f"p{i}", kind, plan, name, scope)
    place = {name: f"p{i}" for i, name in enumerate(names)}
    passed = ", ".join([*(place[b] for b in plan.buffers), *(_value(m, place) for m in plan.scalars)])
    text = "\n".join([*_function("run", names, guards, passed), *_function("direct", names, [], passed)])
    exec(text, scope)
    return scope["run"], scope["direct"], scope


def _never(grid: Any, args: Any, threads: Any) -> bool:
    return False


def _function(name: str, names: list[str], guards: list[str], passed: str) -> list[str]:
    unpack = [f"        {', '.join(f'p{i}' for i in range(len(names)))}, = args"] if names else ["        if args: return False"]
    return [f"def {name}(grid, args, threads):", "    try:", "        x, y, z = grid", *unpack,
            f"        return {' and '.join([*guards, f'native({passed})'])}",
            "    except (AttributeError, IndexError, KeyError, ValueError):", "        return False"]


def _sizes(plan: Plan) -> list[str]:
    sizes = [f"0 < {axis} <= {most}" for axis, most in zip("xyz", plan.grid, strict=True)]
    return sizes if plan.shared is None else [*sizes, f"{plan.shared[0]} <= threads[3] <= {plan.shared[1]}"]


def _value(meaning: Meaning, place: Mapping[str, str]) -> str:
    match meaning:
        case ("param", name):
            return place[name]
        case ("shape", name, axis):
            return f"{place[name]}.shape[{axis}]"
        case ("grid", axis):
            return "xyz"[axis]
        case ("shared",):
            return "threads[3]"
        case _:
            return f"threads[{meaning[1] if len(meaning) > 1 else 0}]"


def _guards(p: str, kind: Any, plan: Plan, name: str, scope: dict[str, Any]) -> list[str]:
    """What must hold of one argument."""
    if isinstance(kind, ArrayType):
        return _array_guards(p, kind, plan, name, scope)
    if isinstance(kind, Constant):
        scope |= {f"{p}_value": kind.value, f"{p}_type": type(kind.value)}
        scope |= {f"{p}_key": constant_key(kind.value), "constant_key": constant_key}
        simple = type(kind.value) in (int, str)
        equal = f"type({p}) is {p}_type and {p} == {p}_value" if simple else f"constant_key({p}) == {p}_key"
        return [f"({p} is {p}_value or {equal})"]
    if isinstance(kind, ScalarType) and ("param", name) not in plan.scalars:
        return _unused_scalar(p, kind.dtype)
    return []


def constant_key(value: Any) -> Any:
    """A key that tells values of different type or sign apart: 1, 1.0 and True, 0.0 and -0.0; one NaN is as good as another."""
    if type(value) is float:
        return (float, value.hex())
    if type(value) is complex:
        return (complex, value.real.hex(), value.imag.hex())
    if isinstance(value, np.generic):
        return (type(value), value.tobytes())
    if type(value) in (tuple, frozenset):
        parts = [constant_key(v) for v in value]
        return (type(value), tuple(parts) if type(value) is tuple else frozenset(parts))
    return (type(value), value)


def _array_guards(p: str, kind: ArrayType, plan: Plan, name: str, scope: dict[str, Any]) -> list[str]:
    guards = []
    if name not in plan.buffers:
        scope[f"{p}_dtype"], scope["ndarray"] = numpy_dtype(kind.dtype), np.ndarray
        guards += [f"type({p}) is ndarray", f"{p}.dtype is {p}_dtype"]
    if kind.rank and all(extent is not None for extent in kind.shape):
        return [*guards, f"{p}.shape == {tuple(kind.shape)!r}"]
    return [*guards, f"{p}.ndim == {kind.rank}", *(f"{p}.shape[{i}] == {n}" for i, n in enumerate(kind.shape) if n is not None)]


def _unused_scalar(p: str, dtype: DType) -> list[str]:
    """Of a scalar that the native launcher does not look at."""
    if dtype.is_float:
        return [f"type({p}) is float"]
    if dtype.is_bool:
        return [f"type({p}) is bool"]
    return [f"type({p}) is int", f"{dtype.min} <= {p} <= {dtype.max}"]
