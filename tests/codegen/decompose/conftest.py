"""What the tests of decomposition share: targets, values to try, and the check that a decomposed graph means what it did.

Owns: the fixtures `cpu`, `bare`, `samples`, `keeps_meaning`. A graph passes when nothing unsupported is left, no division or shift in it
is ever given operands that hardware traps on or masks, and its values are those of the graph before, bit for bit but for NaN.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from svod.codegen.decompose import rules_for, unsupported
from svod.dtype import DType, decode_array, dtypes
from svod.ir.interp import evaluate
from svod.ir.ops import Op
from svod.ir.rewrite import rewrite
from svod.ir.semantics import storage
from svod.ir.uop import UOp
from svod.target import Target
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE, ESSENTIAL

Array = NDArray[Any]
Check = Callable[[UOp, Target, Mapping[str, Array]], UOp]
SMALL = (*dtypes.FP8, dtypes.f16, dtypes.bf16)
FLOAT_EDGES = (0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 127.5, 255.5, 448.0, 464.0, 480.0, 57344.0, 61440.0, 65504.0, 65519.999, 65520.0, 65536.0,
               2.0**23 + 0.5, 2.0**24 + 1, 2.0**31, 2.0**32, 2.0**52 + 0.5, 2.0**53, 2.0**63, 2.0**64, 1e30, 3.4028234663852886e38,
               3.4028235677973366e38, 1e300, 2.0**-8, 2.0**-14, 2.0**-17, 2.0**-24, 2.0**-25, 2.0**-126, 2.0**-133, 2.0**-134, 2.0**-149,
               2.0**-150, 1e-310, float("inf"))


@pytest.fixture(scope="session")
def cpu() -> Target:
    """A CPU: no narrow floats, no functions, no floor division."""
    return Target("cpu", arithmetic=CPU_ARITHMETIC, native=CPU_NATIVE, vector_bits=512)


@pytest.fixture(scope="session")
def bare() -> Target:
    """The least a target can be: 32-bit numbers and the essential ops, no fused multiply-add, f16 neither stored nor converted."""
    has = frozenset((dtypes.bool, dtypes.i32, dtypes.u32, dtypes.f32))
    return Target("bare", arithmetic=has, storage=has, native=ESSENTIAL, fma=False)


def from_codes(codes: Array, dtype: DType) -> Array:
    """Bit patterns as values."""
    return codes.astype(f"u{dtype.bits // 8}").view(storage(dtype))


def integers(dtype: DType) -> list[int]:
    """Powers of two of either sign, their neighbours, and the limits."""
    near = {sign * (1 << k) + d for k in range(dtype.bits + 1) for sign in (1, -1) for d in (-2, -1, 0, 1, 2)}
    return sorted(v for v in near | {3, 7, 10, 100, -100} if dtype.min <= v <= dtype.max)


def midpoints(dtype: DType, rng: np.random.Generator) -> Array:
    """Float values of `dtype` that narrow formats hold, halfway between two of those, and just beside."""
    found = []
    for t in SMALL:
        count = 1 << t.bits
        codes = np.arange(count) if t.bits == 8 else rng.integers(0, count, 1500)
        low, high = (decode_array(c.astype(f"u{t.bits // 8}"), t).astype(np.float64) for c in (codes, (codes + 1) % count))
        middle = ((low + high) / 2).astype(storage(dtype))
        found += [low.astype(storage(dtype)), middle]
        found += [np.nextafter(middle, storage(dtype).type(limit)) for limit in (0, np.inf)]
    return np.concatenate(found)


@cache
def all_values(dtype: DType) -> Array:
    """Every value of types up to 16 bits; edges and random ones of the others."""
    kind = storage(dtype)
    if dtype.is_bool:
        return np.array([False, True])
    if dtype.bits <= 16:
        return from_codes(np.arange(1 << dtype.bits), dtype)
    rng = np.random.default_rng(dtype.bits)
    parts = [edge_values(dtype), from_codes(rng.integers(0, 1 << 64, 3000, np.uint64) >> np.uint64(64 - dtype.bits), dtype)]
    if dtype.is_float:
        with np.errstate(all="ignore"):
            parts += [midpoints(dtype, rng), rng.normal(0, 1000, 1000).astype(kind)]
    else:  # few significant bits, then a tail that only stickiness sees
        top = rng.integers(1, 1024, 4000).astype(np.uint64) << rng.integers(0, dtype.bits - 10, 4000).astype(np.uint64)
        for tail in (-1, 0, 1):
            parts += [(top + np.uint64(tail % 2**64)).astype(kind), (np.uint64(0) - top + np.uint64(tail % 2**64)).astype(kind)]
    return np.concatenate(parts)


@cache
def edge_values(dtype: DType) -> Array:
    """Zeros, limits, subnormals, infinities, NaN, and values around the limits of other types; at most a few hundred."""
    kind = storage(dtype)
    if dtype.is_bool:
        return np.array([False, True])
    if not dtype.is_float:
        return np.array(integers(dtype), kind)
    if dtype.bits == 8:
        return all_values(dtype)
    with np.errstate(all="ignore"):
        base = np.array(FLOAT_EDGES + tuple(-v for v in FLOAT_EDGES), np.float64).astype(kind)
        if dtype is dtypes.bf16:
            return np.concatenate([base, from_codes(np.array([1, 2, 3, 0x7F, 0x80, 0x81, 0x7F7F, 0x7FC0, 0xFFC0, 0x8001]), dtype)])
        nan = np.array([np.nan], kind)
        return np.concatenate([base, np.nextafter(base, kind.type(0)), np.nextafter(base, kind.type(np.inf)), nan])


class Samples:
    """Values to try."""

    def all(self, dtype: DType) -> Array:
        """Every value of types up to 16 bits; thousands of the others."""
        return all_values(dtype)

    def few(self, dtype: DType) -> Array:
        """Edges; at most a few hundred."""
        return edge_values(dtype)

    def grid(self, **axes: Array) -> dict[str, Array]:
        """Arrays in which every combination occurs once."""
        places = np.indices([len(v) for v in axes.values()]).reshape(len(axes), -1)
        return {name: v[i] for (name, v), i in zip(axes.items(), places, strict=True)}

    def mixed(self, dtype: DType, names: str) -> dict[str, Array]:
        """Arrays for variables of one letter: edges by edges (all by all for 8 bits), and for wider types some thousand random tuples."""
        axis = all_values(dtype) if dtype.bits <= 8 and len(names) < 3 else edge_values(dtype)
        rng = np.random.default_rng(dtype.bits)
        if len(names) > 2:
            axis = rng.choice(axis, min(len(axis), 40), replace=False)
        env = self.grid(**dict.fromkeys(names, axis))
        more = {name: rng.choice(all_values(dtype), 5000) for name in names}
        return {name: np.concatenate([env[name], more[name]]) for name in names}

    def lanes(self, env: dict[str, Array]) -> dict[str, Array]:
        """The same in vectors of four."""
        return {name: (v[: len(v) // 4 * 4] if len(v) >= 4 else np.repeat(v, 2)[:4]).reshape(-1, 4) for name, v in env.items()}


@pytest.fixture(scope="session")
def samples() -> Samples:
    """Values to try."""
    return Samples()


def differing(a: Array, b: Array) -> NDArray[np.bool_]:
    """True where bits differ and not both are NaN."""
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    bits = f"u{a.dtype.itemsize}"
    other = a.view(bits) != b.view(bits)
    with np.errstate(all="ignore"):
        return np.asarray(other & ~((a != a) & (b != b)))  # noqa: PLR0124  (NaN)


def never_traps(root: UOp, env: Mapping[str, Array]) -> None:
    """Fails if a division or shift in `root` is given operands outside of what hardware defines."""
    for u in root.toposort():
        if u.op in (Op.IDIV, Op.MOD):
            x, y = (evaluate(s, env) for s in u.src)
            assert not np.any(y == 0), f"{u} divides by zero"
            if not u.dtype.is_unsigned:
                assert not np.any((y == -1) & (x == storage(u.dtype).type(u.dtype.min))), f"{u} divides the least integer by -1"
        elif u.op in (Op.SHL, Op.SHR):
            count = evaluate(u.src[1], env)
            assert np.all((count >= 0) & (count < u.dtype.bits)), f"{u} is given a count out of range"


@pytest.fixture(scope="session")
def keeps_meaning() -> Check:
    """`keeps_meaning(graph, target, env)`: the decomposed graph, after checking it on `env`."""
    def check(root: UOp, target: Target, env: Mapping[str, Array]) -> UOp:
        new = rewrite(root, rules_for(target))
        assert unsupported(new, target) == []
        before, after = evaluate(root, env), evaluate(new, env)
        if (wrong := differing(*np.broadcast_arrays(before, after))).any():
            at = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))[:5] if wrong.ndim else 0
            shown = {name: v[at] if v.ndim else v for name, v in env.items()}
            pytest.fail(f"{root}: {wrong.sum()} of {wrong.size} differ; {shown} gives {after[at]}, not {before[at]}")
        never_traps(new, env)
        return new
    return check
