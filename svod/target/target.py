"""Target: what a device can do, as one frozen value that codegen and renderers read and devices produce.

Owns: the capability fields and their checks. Must not know codegen, renderers, or devices.
Invariant: constructing a Target with holes in its tables fails; capabilities are asked for, never guessed from a name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields

from svod.dtype import DType, dtypes
from svod.errors import ConfigError
from svod.ir.ops import ELEMENTWISE, Op


@dataclass(frozen=True, slots=True)
class Limits:
    """What a launch may ask for. `grid` counts groups, `block` work items of a group, per axis; bytes where it says so."""

    grid: tuple[int, int, int] = ((1 << 31) - 1, 1 << 16, 1 << 16)
    block: tuple[int, int, int] = (1, 1, 1)
    threads: int = 1
    shared_bytes: int = 1 << 20
    buffers: int = 1 << 16


@dataclass(frozen=True, slots=True)
class Caches:
    """Sizes a schedule is fitted to, in bytes; per core except l3."""

    l1: int = 32 << 10
    l2: int = 1 << 20
    l3: int = 16 << 20
    line: int = 64


@dataclass(frozen=True, slots=True)
class Target:
    """One device's capabilities.

    `arithmetic` holds the dtypes its ALU computes in, `storage` those it can load and store; others are emulated.
    `native` holds the elementwise ops it has, `native_by_dtype` exceptions (op -> dtypes it has the op for).
    """

    name: str
    arch: str = ""
    arithmetic: frozenset[DType] = frozenset()
    storage: frozenset[DType] = frozenset()
    native: frozenset[Op] = frozenset()
    vector_bits: int = 0
    """Bits of one SIMD register; 0: lanes are not written explicitly for this target."""
    registers: int = 16
    """Vector registers a schedule may fill."""
    cores: int = 1
    fma: bool = True
    ids: bool = False
    """Work items have hardware ids; where they have none, SPECIALs become loops."""
    phases: bool = False
    """Where work items have ids: a launch may have phases, each begun when the one before is done, and memory that all its groups share."""
    statements: bool = False
    """Executes the statements of a thread kernel as they are; where it does not, work items become loops and lanes."""
    branches: bool = False
    """A branch that most iterations do not take is cheap, so rarely wanted work is skipped."""
    checks: frozenset[str] = frozenset()
    """Run-time checks that kernels for this target can contain: bounds, race, overflow."""
    subgroup: int = 0
    """Work items of a group, by number, that hand registers to one another by shuffles: a power of two; 0 if there are none."""
    products: frozenset[str] = frozenset()
    """Products that matrix units of its subgroups do, by the types of their operands, see `svod.ir.args.product_name`; "tf32" are those of
    f32 rounded by TF32."""
    group_bits: int = 0
    """Bits that a work item accesses at once in memory of its group, beginning at a multiple of that; 0: one element."""
    limits: Limits = field(default_factory=Limits)
    caches: Caches = field(default_factory=Caches)

    def __post_init__(self) -> None:
        if not self.arithmetic:
            raise ConfigError(f"target {self.name} computes in no dtype", hint="fill Target.arithmetic")
        if odd := self.native - ELEMENTWISE:
            raise ConfigError(f"target {self.name} lists ops that are not elementwise: {sorted(o.name for o in odd)}")
        if missing := ESSENTIAL - self.native:
            raise ConfigError(f"target {self.name} lacks ops nothing can replace: {sorted(o.name for o in missing)}")
        if self.vector_bits % 64 or self.cores < 1:
            raise ConfigError(f"target {self.name}: vector_bits {self.vector_bits}, cores {self.cores}",
                              hint="vector_bits is a multiple of 64, cores is at least 1")

    def lanes(self, dtype: DType) -> int:
        """Lanes of one SIMD register of `dtype`; 1 where the target has no explicit vectors."""
        return max(1, self.vector_bits // (8 * dtype.scalar.itemsize)) if self.vector_bits else 1

    def computes(self, dtype: DType) -> bool:
        """True if arithmetic in this dtype is native."""
        return dtype.scalar in self.arithmetic

    def has(self, op: Op) -> bool:
        """True if the target has the op itself."""
        return op in self.native

    def key(self) -> str:
        """Digest of every field, for cache keys."""
        parts = [f"{f.name}={_stable(getattr(self, f.name))}" for f in fields(self)]
        return hashlib.sha256(";".join(parts).encode()).hexdigest()[:16]


def _stable(value: object) -> str:
    if isinstance(value, frozenset):
        return ",".join(sorted(x.name if isinstance(x, Op) else repr(x) for x in value))
    return repr(value)


ESSENTIAL = frozenset(
    (
        Op.ADD,
        Op.SUB,
        Op.MUL,
        Op.AND,
        Op.OR,
        Op.XOR,
        Op.NOT,
        Op.SHL,
        Op.SHR,
        Op.CMPLT,
        Op.CMPLE,
        Op.CMPEQ,
        Op.CMPNE,
        Op.WHERE,
        Op.CAST,
        Op.BITCAST,
        Op.FDIV,
        Op.SQRT,
        Op.NEG,
        Op.IDIV,
        Op.MOD,
    )
)
"""Ops every target must have; the rest can be decomposed into them."""

_ROUNDING = frozenset((Op.TRUNC, Op.FLOOR, Op.CEIL, Op.RINT))
CPU_NATIVE = ESSENTIAL | _ROUNDING | {Op.ABS, Op.MAX, Op.MIN, Op.MULACC}
CPU_ARITHMETIC = frozenset((dtypes.bool, *dtypes.INTS, dtypes.f32, dtypes.f64, dtypes.index))
REFERENCE = Target(
    "reference",
    arithmetic=frozenset((*dtypes.ALL, dtypes.index)),
    storage=frozenset(dtypes.ALL),
    native=ELEMENTWISE,
    statements=True,
    checks=frozenset(("bounds",)),
    limits=Limits(block=(1024, 1024, 64), threads=1024),
)
"""Has every op natively in every dtype: the interpreter's target."""
