"""The conformance of a device: every elementwise op × dtype × edge value against the interpreter, and every loop kernel against NumPy.

Owns: the table, generated from the op table, and the edge values. Must not know any device.
Invariant: a device conforms if `conformance(device)` returns no failure; ops with a stated bound may differ by that many ulp, all others by
no bit (NaNs are one value).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.codegen.math import BOUNDS
from svod.device.device import Device
from svod.dtype import DType, dtypes
from svod.dtype.convert import encode_array, numpy_dtype
from svod.errors import SvodError
from svod.ir.ops import BINARY, COMPARISONS, OPS, UNARY, Op
from svod.ir.semantics import apply
from svod.ir.uop import UOp
from svod.testing.kernels import CASES

Array = NDArray[Any]


@dataclass(frozen=True)
class Failure:
    """One thing a device does differently."""

    what: str
    detail: str


@dataclass(frozen=True)
class Entry:
    """One row of the table: an op on operands of some dtypes."""

    op: Op
    dtypes: tuple[DType, ...]
    result: DType

    def __str__(self) -> str:
        return f"{self.op.name}-{'-'.join(map(str, self.dtypes))}" + (f"-to-{self.result}" if self.op in (Op.CAST, Op.BITCAST) else "")


def table() -> list[Entry]:
    """Every elementwise op on every dtype the op table lets it take; casts between every pair."""
    rows: list[Entry] = []
    for d in dtypes.ALL:
        for op in (*sorted(UNARY | BINARY, key=lambda o: o.value), Op.MULACC):
            if _takes(op, d):
                n = 1 if op in UNARY else 3 if op is Op.MULACC else 2
                rows.append(Entry(op, (d,) * n, dtypes.bool if op in COMPARISONS else d))
        rows.append(Entry(Op.WHERE, (dtypes.bool, d, d), d))
        rows += [Entry(Op.CAST, (d,), e) for e in dtypes.ALL if e is not d]
        rows += [Entry(Op.BITCAST, (d,), e) for e in dtypes.ALL if e is not d and e.bits == d.bits]
    return rows


def _takes(op: Op, d: DType) -> bool:
    return {"any": True, "number": d.is_int or d.is_float, "float": d.is_float, "int": d.is_int, "bits": d.is_int or d.is_bool}[
        OPS[op].takes
    ]


def edges(d: DType) -> Array:
    """Values at which ops of this dtype go wrong, as a storage array."""
    if d.is_bool:
        return np.array([False, True])
    if d.is_int:
        lo, hi = int(d.min), int(d.max)
        near = {lo, lo + 1, -7, -3, -2, -1, 0, 1, 2, 3, 5, 7, 8, d.bits - 1, d.bits, hi // 2, hi - 1, hi}
        return np.array(sorted(v for v in near if lo <= v <= hi), dtype=numpy_dtype(d))
    if d.bits <= 8:
        return np.arange(256, dtype=np.uint8).view(numpy_dtype(d))
    values = np.array(
        [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            -0.5,
            1.5,
            2.5,
            -2.5,
            3.0,
            0.1,
            -0.7,
            7.0,
            100.25,
            -127.9,
            255.5,
            1e3,
            -3e4,
            6e4,
            7e4,
            2.0**31,
            -(2.0**31),
            2.0**32,
            2.0**63,
            -(2.0**63),
            2.0**64,
            1e-3,
            6e-8,
            1e-7,
            1e-40,
            1e-45,
            3e38,
            -3e38,
            1e300,
            5e-324,
            709.0,
            88.5,
            -103.5,
            np.pi,
            np.inf,
            -np.inf,
            np.nan,
        ]
    )
    with np.errstate(all="ignore"):
        return encode_array(values, d).view(numpy_dtype(d))


def operands(entry: Entry) -> list[Array]:
    """All combinations of edge values, one array for each operand."""
    lists = [edges(d) for d in entry.dtypes]
    if len(lists) == 3 and entry.op is Op.MULACC:
        lists = [x[:: max(1, len(x) // 12)] for x in lists]
    combined = list(product(*(range(len(x)) for x in lists)))
    picks = np.array(combined, dtype=np.int64).T
    return [x[p] for x, p in zip(lists, picks, strict=True)]


def kernel(entry: Entry, n: int) -> UOp:
    """out[i] = op(a[i], b[i], …)."""
    i = UOp.range(n, 0)
    values = tuple(UOp.param(k + 1, d, name=f"in{k}")[i].load() for k, d in enumerate(entry.dtypes))
    result = UOp(entry.op, values, None, entry.result if OPS[entry.op].result is None else None)
    return UOp.sink(UOp.param(0, entry.result, name="out")[i].store(result), name="conform")


def check_entry(device: Device, entry: Entry) -> Failure | None:
    """Runs one row on `device` and compares it with the op's definition."""
    args = operands(entry)
    want = apply(entry.op, entry.result, None, *args)
    out = np.zeros(len(args[0]), numpy_dtype(entry.result))
    device.compile(kernel(entry, len(out))).execute([out, *args])
    wrong = np.flatnonzero(~same(out, want, entry.result, BOUNDS.get(entry.op, {}).get(entry.result.name, 0)))
    if not len(wrong):
        return None
    k = wrong[0]
    given = ", ".join(str(a[k]) for a in args)
    return Failure(
        str(entry), f"{len(wrong)} of {len(out)} differ; {entry.op.name}({given}) is {want[k]!r}, {device.name} gives {out[k]!r}"
    )


def same(got: Array, want: Array, d: DType, ulp: float) -> NDArray[np.bool_]:
    """Equal bits, or both NaN, or for ops with a bound within `ulp` units in the last place."""
    kind = np.dtype(f"u{got.dtype.itemsize}")
    equal: NDArray[np.bool_] = got.view(kind) == want.view(kind)
    if not d.is_float:
        return equal
    with np.errstate(all="ignore"):
        a, b = np.asarray(got, np.float64), np.asarray(want, np.float64)
        equal |= np.isnan(a) & np.isnan(b)
        if ulp:
            equal |= np.isfinite(a) & np.isfinite(b) & (np.abs(_ordinal(got, kind) - _ordinal(want, kind)) <= np.ceil(ulp))
    return equal


def _ordinal(x: Array, kind: np.dtype[Any]) -> Array:
    """Floats numbered in their order, so that neighbours differ by one."""
    bits = x.view(kind).astype(np.float64 if kind.itemsize == 8 else np.int64)
    if kind.itemsize == 8:
        raw = x.view(np.int64)
        return np.where(raw < 0, -(raw & np.int64((1 << 63) - 1)).astype(np.float64), raw.astype(np.float64))
    sign = np.int64(1) << (8 * kind.itemsize - 1)
    return np.asarray(np.where(bits >= sign, sign - bits, bits))


def conformance(device: Device) -> Iterator[Failure]:
    """Everything `device` does differently from the definition; nothing if it conforms."""
    for entry in table():
        try:
            if (failure := check_entry(device, entry)) is not None:
                yield failure
        except SvodError as e:
            yield Failure(str(entry), f"{type(e).__name__}: {e}")
    for name, make in CASES.items():
        case = make()
        buffers = case.fresh()
        try:
            device.compile(case.ast).execute(buffers, case.vals)
            case.check(buffers)
        except (SvodError, AssertionError) as e:
            yield Failure(name, f"{type(e).__name__}: {e}")
