"""What a peer module offers: `kinds` (kind of workload -> builder), `start(threads)` and `version()`; and the memory all peers share.

Owns: Run, Kinds, aligned memory. Must not know any peer, case or timing.
Invariant: a builder `(arrays, sizes) -> Run` allocates and compiles everything; `Run.call()` only computes, and returns when it is done.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Run:
    """One workload, ready: `call()` computes it once, synchronously; `out()` is the result of the last call.

    `inner(k)` computes it k times in compiled code, where a peer can: the time without Python. `note` says what a reader must know.
    """

    call: Callable[[], object]
    out: Callable[[], Any]
    inner: Callable[[int], object] | None = None
    note: str = ""


Builder = Callable[[Any, Any], Run]


class Kinds(dict[str, Builder]):
    """The workloads a peer has: `@kinds("add")` registers the function below it."""

    def __call__(self, *names: str) -> Callable[[Builder], Builder]:
        def register(build: Builder) -> Builder:
            self.update(dict.fromkeys(names, build))
            return build

        return register


def empty(shape: int | tuple[int, ...], dtype: Any = np.float32) -> Array:
    """Zeros in touched memory that starts at a multiple of 64 bytes: nobody pays page faults or split lines in a measurement."""
    kind = np.dtype(dtype)
    size = (shape if isinstance(shape, int) else math.prod(shape)) * kind.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    raw.fill(0)
    start = -raw.ctypes.data % ALIGNMENT
    out: Array = raw[start : start + size].view(kind).reshape(shape)
    return out


def aligned(array: Array) -> Array:
    """A copy of `array` in such memory."""
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return copy
