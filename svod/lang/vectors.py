"""Lanes of short vectors: reading one, and the vector in which one is another.

Owns: that. Must not know syntax. Invariant: vectors are values: what changes a lane makes another vector.
"""
from __future__ import annotations

from typing import Any

from svod.errors import KernelError
from svod.lang import arithmetic
from svod.lang.value import Dynamic, Vector, static_number


def lane(vector: Vector, index: Any) -> Dynamic:
    """The lane of that number, counted from the end if it is negative. One that is known only when the kernel runs counts from 0, by a
    chain of selects; out of range it gives lane 0. KernelError for a known number out of range."""
    if (known := _known(vector, index)) is not None:
        return vector.lanes[known]
    result: Any = vector.lanes[0]
    for k, item in enumerate(vector.lanes[1:], 1):
        result = arithmetic.select(arithmetic.compare("==", index, k), item, result)
    return arithmetic.typed(result)


def with_lane(vector: Vector, index: Any, value: Any) -> Vector:
    """The vector with that lane changed; as `lane` counts, but out of range nothing changes."""
    known = _known(vector, index)
    new = Dynamic(arithmetic.implicit(value, vector.dtype, "a lane"))
    if known is not None:
        return Vector(tuple(new if k == known else v for k, v in enumerate(vector.lanes)))
    return Vector(tuple(arithmetic.select(arithmetic.compare("==", index, k), new, v) for k, v in enumerate(vector.lanes)))


def _known(vector: Vector, index: Any) -> int | None:
    """The lane as a number from 0 on, None if it is known only when the kernel runs."""
    number, size = static_number(index), len(vector.lanes)
    if number is None:
        if isinstance(index, Dynamic) and (index.dtype.is_int or index.dtype.is_bool):
            return None
        raise KernelError(f"a lane of a vector is a whole number, not {index!r}", hint="v[0], v[i]")
    if not -size <= number < size or number != int(number):
        raise KernelError(f"lane {number} of a vector of {size}", hint=f"0 to {size - 1}")
    return int(number) % size
