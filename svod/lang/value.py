"""What names stand for while a kernel is traced: dynamic values, arrays, cells, names that may be unbound.

Owns: these classes, and walking the containers (lists, tuples, dicts) of them. Must not know statements or Python's syntax.
Invariant: a value that is not one of these classes is static: an ordinary Python object, known while the kernel is traced. Python code
that tries to compute with a dynamic value is stopped with a KernelError; arithmetic on values is `arithmetic.py`'s.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from svod.dtype import DType
from svod.errors import KernelError
from svod.ir.ops import Op
from svod.ir.uop import UOp


def _refuse(self: Any, *_: Any) -> NoReturn:
    raise KernelError(f"cannot evaluate dynamic {getattr(self, 'dtype', 'value')!r} as a Python value while the kernel is traced",
                      hint="its value is known only when the kernel runs; select(c, a, b), or an `if` in the kernel itself")


class _Opaque:
    """Refuses what Python would need the value for."""

    __slots__ = ()
    __bool__ = __int__ = __float__ = __index__ = __iter__ = __len__ = __contains__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __neg__ = __abs__ = __round__ = __floor__ = __ceil__ = __trunc__ = _refuse
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        _refuse(self)


@dataclass(frozen=True, slots=True, eq=False)
class Dynamic(_Opaque):
    """A scalar that is known when the kernel runs. Weak: it stems from literals only, and takes the type of what it meets."""

    uop: UOp
    weak: bool = False

    @property
    def dtype(self) -> DType:
        """Type of the value."""
        return self.uop.dtype

    def __repr__(self) -> str:
        return f"<dynamic {self.uop.dtype!r}>"


@dataclass(frozen=True, slots=True, eq=False)
class Array(_Opaque):
    """Elements in memory: a parameter, shared memory, a local array, or a row of one of these (C order).

    `shape` holds an int or the UOp of each extent; `offset` is the number of the first element. `bounds`, of a row, is what was not
    checked of the indices that made it: an index counts once an element is accessed.
    """

    pointer: UOp
    dtype: DType
    shape: tuple[int | UOp, ...]
    name: str
    offset: UOp | None = None
    bounds: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<array {self.name} of {self.dtype!r}>"


@dataclass(frozen=True, slots=True, eq=False)
class Vector(_Opaque):
    """A short vector: its lanes, values of one type. Arithmetic goes lane by lane."""

    lanes: tuple[Dynamic, ...]

    @property
    def dtype(self) -> DType:
        """Type of one lane."""
        return self.lanes[0].dtype

    def __repr__(self) -> str:
        return f"<vector of {len(self.lanes)} {self.dtype!r}>"


@dataclass(slots=True, eq=False)
class Cell(_Opaque):
    """A variable that changes while a loop runs: one private element of memory. Weak as `Dynamic` is."""

    memory: UOp
    dtype: DType
    weak: bool
    name: str
    loop: Any = None
    """The loop that made it, and can be traced again with a wider one."""
    path: tuple[Any, ...] = ()
    """Which leaf of which variable it is, in that loop's words."""


@dataclass(frozen=True, slots=True)
class Unbound:
    """What a name stands for that some path binds and another does not; `what` names it."""

    what: str
    hint: str = "bind it on every path, or before"


DYNAMIC = (Dynamic, Vector)
"""Values that the running kernel computes."""


def static_number(value: object) -> bool | int | float | None:
    """The Python number that `value` is, also in a dynamic constant or a NumPy scalar; None if it is none or not known."""
    if isinstance(value, Dynamic) and value.uop.op is Op.CONST:
        number: bool | int | float = value.uop.arg.value
        return number
    if isinstance(value, (bool, int, float)):
        return value
    return None


def is_dynamic(value: object) -> bool:
    """True if something in `value` is known only when the kernel runs."""
    if isinstance(value, (Dynamic, Vector, Array, Cell)):
        return True
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(is_dynamic(v) for v in value)
    if isinstance(value, dict):
        return any(is_dynamic(v) for v in value.values())
    return False


def rebuild(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """A copy of `value` in which `leaf(x)` stands for each x that is no list, tuple or dict."""
    if isinstance(value, Vector):
        return Vector(tuple(leaf(v) for v in value.lanes))
    if type(value) is list:
        return [rebuild(v, leaf) for v in value]
    if type(value) is dict:
        return {k: rebuild(v, leaf) for k, v in value.items()}
    if isinstance(value, tuple):
        items = [rebuild(v, leaf) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return leaf(value)


def has_cells(value: object) -> bool:
    """True if a list, tuple, dict or vector holds cells."""
    if isinstance(value, Vector):
        return any(isinstance(v, Cell) for v in value.lanes)
    if isinstance(value, (list, tuple)):
        return any(has_cells(v) for v in value)
    if isinstance(value, dict):
        return any(has_cells(v) for v in value.values())
    return isinstance(value, Cell)


def same(a: Any, b: Any) -> bool:
    """True if two values are the same for sure: one object, one node, or equal plain numbers and texts of one type."""
    if a is b:
        return True
    if isinstance(a, Dynamic) and isinstance(b, Dynamic):
        return a.uop is b.uop and a.weak == b.weak
    if isinstance(a, Vector) and isinstance(b, Vector):
        return same(a.lanes, b.lanes)
    if isinstance(a, Array) and isinstance(b, Array):
        return a.pointer is b.pointer and a.offset is b.offset and a.shape == b.shape
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float):
        return str(a.hex()) == str(b.hex())
    if isinstance(a, (int, str, bytes, frozenset, range)):
        return bool(a == b)
    return False


def describe(value: object) -> str:
    """The type of a value, in the user's words."""
    if isinstance(value, Dynamic):
        return repr(value.uop.dtype)
    if isinstance(value, (Vector, Array)):
        return repr(value)
    if isinstance(value, Unbound):
        return "unbound"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__} of {len(value)}"
    return f"{type(value).__name__} {value!r}" if isinstance(value, (bool, int, float, str, type(None))) else type(value).__name__
