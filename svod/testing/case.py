"""What a test kernel is: a graph, buffers, references; and the table of all of them.

Owns: `Case`, `CASES`, and the helpers kernels are written with. Must not know devices or any particular kernel.
Invariant: a case is data; making it twice gives the same arrays.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.dtype import DType, dtypes
from svod.errors import GraphError
from svod.ir.uop import UOp

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One kernel: its graph, inputs by slot, outputs by slot with their references, values of variables, tolerance."""

    name: str
    ast: UOp
    buffers: tuple[Array, ...]
    expected: Mapping[int, Array]
    vals: Mapping[str, int | float] = field(default_factory=dict)
    rtol: float = 0.0
    atol: float = 0.0

    def fresh(self) -> list[Array]:
        """Copies of the buffers, to be written to; huge ones are inputs and shared."""
        return [b.copy() if b.nbytes < 1 << 30 else b for b in self.buffers]

    def check(self, buffers: list[Array]) -> None:
        """AssertionError, with where and by how much, if an output differs from its reference."""
        for slot, want in self.expected.items():
            np.testing.assert_allclose(buffers[slot], want, rtol=self.rtol, atol=self.atol, err_msg=f"{self.name}: buffer {slot}")


Maker = Callable[[], Case]
CASES: dict[str, Maker] = {}


def case(make: Maker) -> Maker:
    """Registers a case under its function's name."""
    if make.__name__ in CASES:
        raise GraphError(f"two cases are called {make.__name__}", hint="name one of them otherwise")
    CASES[make.__name__] = make
    return make


def rng(seed: int = 0) -> np.random.Generator:
    """The generator of a case."""
    return np.random.default_rng(seed)


def f32(*shape: int, seed: int = 0, lo: float = -1.0, hi: float = 1.0) -> Array:
    """Uniform float32 in [lo, hi)."""
    return rng(seed).uniform(lo, hi, shape).astype(np.float32)


def p(slot: int, name: str, dtype: DType = dtypes.f32) -> UOp:
    """A buffer parameter."""
    return UOp.param(slot, dtype, name=name)


def axes(*extents: UOp | int) -> tuple[UOp, ...]:
    """Ranges 0, 1, 2, … of these extents."""
    return tuple(UOp.range(e, i) for i, e in enumerate(extents))
