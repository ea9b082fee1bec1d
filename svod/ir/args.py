"""The typed `arg` of every op that has one: small frozen values, never tuples to index into or strings to parse.

Owns: their fields and their text form through `repr`. Must not know UOps.
Invariant: every class here is hashable, compares by value, and tells 1, True, 1.0, -0.0 and NaN apart where it holds constants.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from svod.dtype import DType, dtypes


class AxisKind(Enum):
    """How the iterations of a RANGE are executed."""

    LOOP = "loop"
    """In order, one after the other."""
    PARALLEL = "parallel"
    """Spread over cores (CPU) or blocks (GPU)."""
    VECTOR = "vector"
    """SIMD lanes of one value."""
    UNROLL = "unroll"
    """Copies of the body; in a reduction, chained into one accumulator."""
    INTERLEAVE = "interleave"
    """Copies of a reduction's body, each with an accumulator of its own."""


class SpecialKind(Enum):
    """What a SPECIAL counts."""

    GLOBAL = "global"
    """Index of the group (block)."""
    LOCAL = "local"
    """Index of the work item in its group."""
    DIRECT = "direct"
    """Global index of the work item; there are no groups."""


class BarrierScope(Enum):
    """Who waits for whom at a BARRIER."""

    GROUP = "group"
    GRID = "grid"


class AtomicKind(Enum):
    """The read-modify-write of an ATOMIC."""

    ADD = "add"
    MIN = "min"
    MAX = "max"
    AND = "and"
    OR = "or"
    XOR = "xor"
    EXCHANGE = "exchange"
    COMPARE_EXCHANGE = "compare_exchange"


class SubgroupKind(Enum):
    """What a SUBGROUP does. A work item whose partner is outside the subgroup, or does not take part, gets its own value."""

    SHUFFLE = "shuffle"
    """The value of the lane in the second operand, modulo the width."""
    UP = "up"
    """The value of the lane that many below."""
    DOWN = "down"
    """The value of the lane that many above."""
    XOR = "xor"
    """The value of the lane whose number is this one's exclusive-or the second operand."""
    ANY = "any"
    """Whether it holds in one work item that takes part."""
    ALL = "all"
    """Whether it holds in all work items that take part."""
    BALLOT = "ballot"
    """Bit i of an u64: whether it holds in lane i, which takes part."""
    REDUCE = "reduce"
    """The values combined by `op`, in every lane."""
    INCLUSIVE = "inclusive"
    """The values of the lanes up to this one combined by `op`."""
    EXCLUSIVE = "exclusive"
    """The values of the lanes below this one combined by `op`; the identity of `op` in the lowest."""


@dataclass(frozen=True, slots=True)
class ValueArg:
    """A value of a thread kernel: its number, and the name the author gave it."""

    id: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class SubgroupArg:
    """An exchange: its kind, the width of the subgroup (a power of two up to 64), what combines."""

    kind: SubgroupKind
    width: int
    op: Any = None


@dataclass(frozen=True, slots=True)
class MmaArg:
    """A product of small matrices by a subgroup: m x k by k x n, added to m x n.

    `layout` says who holds which element: "rows" is the kernel language's (`svod.lang.mma`), for subgroups of `width` work items; any other
    is that of a target's own instruction, by the types of its operands as `product_name` has them: those of NVIDIA's mma.sync.
    """

    m: int
    n: int
    k: int
    width: int
    layout: str = "rows"

    def held(self) -> tuple[int, int, int]:
        """How many values of a, of b and of the sums each work item gives."""
        if self.layout == "rows":
            parts = max(1, self.width // self.m)
            return self.k // parts, self.k // parts, self.n // parts
        return 4, 2, 4


def product_name(left: str, right: str) -> str:
    """What a product of operands of two types (names of dtypes, or "tf32") is called: "f16" of two f16, "i8_u8" of an i8 by an u8."""
    return left if left == right else f"{left}_{right}"


def product_operands(name: str) -> tuple[str, str]:
    """The other way round."""
    left, _, right = name.partition("_")
    return left, right or left


def product_types(name: str) -> tuple[DType, DType]:
    """The dtypes of the operands of a product; those of tf32 are f32, rounded already."""
    left, right = (dtypes.f32 if kind == "tf32" else dtypes.parse(kind) for kind in product_operands(name))
    return left, right


@dataclass(frozen=True, slots=True)
class MessageArg:
    """What a PRINT or ASSERT says, with {} for each value, and where it was written.

    `kind` of an ASSERT: "" of an assertion of the author; "bounds" of a check that an index is within its axis, whose text is the whole
    error; "place" of one that always holds, and says where the statement behind it was written; "loops" of svod.ir.message.CUT.
    """

    text: str
    place: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ThreadsInfo:
    """What a THREADS says about its kernel: its name, the work items of a group along x, y, z, the width of a subgroup."""

    name: str = ""
    block: tuple[int, int, int] = (1, 1, 1)
    subgroup: int = 32


@dataclass(frozen=True, slots=True)
class ConstArg:
    """A literal. Compared by type and bits: 1, True, 1.0, 0.0, -0.0 and NaN are six different constants."""

    value: bool | int | float = field(compare=False)
    bits: tuple[str, int] = field(default=("", 0))

    @staticmethod
    def of(value: bool | int | float) -> ConstArg:
        if isinstance(value, float):
            return ConstArg(value, ("f", int.from_bytes(struct.pack(">d", value), "big")))
        return ConstArg(value, ("b" if isinstance(value, bool) else "i", int(value)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (ConstArg.of, (self.value,))


@dataclass(frozen=True, slots=True)
class ParamArg:
    """A buffer parameter: its slot among the buffers, its name, its size in elements where known."""

    slot: int
    name: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class VarArg:
    """A scalar parameter: name and inclusive range. `core_id` is the one name the launch fills in."""

    name: str
    min: int | float
    max: int | float


@dataclass(frozen=True, slots=True)
class MemArg:
    """Memory the kernel itself owns: a number that tells such memories apart, elements, a name.

    `dynamic`, of memory of a group: `size` is the most; a launch gives as many bytes as the variable `_shared_bytes` says.
    """

    id: int
    size: int
    name: str = ""
    dynamic: bool = False


EMITTED = -3
"""What the path of a loop begins with that was written straight into a linear program: no kernel has that loop."""


@dataclass(frozen=True, slots=True)
class RangeArg:
    """An axis: its path (the axis number, then one number per SPLIT) and its kind. Nests by the order of paths."""

    path: tuple[int, ...]
    kind: AxisKind = AxisKind.LOOP

    @property
    def label(self) -> str:
        """The path as part of a name: 0_1."""
        return "_".join(map(str, self.path[self.path[:1] == (EMITTED,):])).replace("-", "m")


@dataclass(frozen=True, slots=True)
class SpecialArg:
    """A hardware index: kind and axis 0 (fastest) to 2."""

    kind: SpecialKind
    axis: int


@dataclass(frozen=True, slots=True)
class ShuffleArg:
    """Which lanes of two vectors of n lanes a SHUFFLE picks: 0 to n-1 from the first, n to 2n-1 from the second."""

    lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """What a SINK says about its kernel."""

    name: str = ""
    opts: tuple[Any, ...] | None = None
    """The schedule; None lets the default strategy choose."""
