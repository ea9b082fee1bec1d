"""Every elementwise op × dtype × edge value, against the op's definition: the rows, one kernel for a row, and how results are compared.

Owns: the table, generated from the op table, and the edge values. Must not know any device.
Invariant: ops with a stated bound may differ by that many ulp, all others by no bit (NaNs are one value).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svod.codegen.math import BOUNDS
from svod.device.device import Device
from svod.dtype import DType, dtypes
from svod.dtype.convert import encode_array, numpy_dtype
from svod.ir.ops import BINARY, COMPARISONS, OPS, UNARY, Op
from svod.ir.semantics import apply
from svod.ir.uop import UOp
from svod.testing.conformance.records import Failure

Array = NDArray[Any]


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
    """All combinations of edge values, one array for each operand; of the codes of 8-bit floats every third one as the second operand."""
    lists = [edges(d) for d in entry.dtypes]
    if len(lists) == 3 and entry.op is Op.MULACC:
        lists = [x[:: max(1, len(x) // 12)] for x in lists]
    elif len(lists) == 2 and len(lists[1]) == 256:
        lists[1] = lists[1][::3]
    combined = list(product(*(range(len(x)) for x in lists)))
    picks = np.array(combined, dtype=np.int64).T
    return [x[p] for x, p in zip(lists, picks, strict=True)]


def kernel(entry: Entry, n: int) -> UOp:
    """out[i] = op(a[i], b[i], …)."""
    return kernel_of([entry], n)


def kernel_of(rows: Sequence[Entry], n: int) -> UOp:
    """out0[i] = op0(a[i], b[i], …), out1[i] = op1(a[i], b[i], …), … for rows that take operands of the same dtypes."""
    i, many = UOp.range(n, 0), len(rows)
    values = tuple(UOp.param(many + k, d, name=f"in{k}")[i].load() for k, d in enumerate(rows[0].dtypes))
    results = [UOp(r.op, values, None, r.result if OPS[r.op].result is None else None) for r in rows]
    outs = [UOp.param(k, r.result, name=f"out{k}" if many > 1 else "out") for k, r in enumerate(rows)]
    return UOp.sink(*(out[i].store(value) for out, value in zip(outs, results, strict=True)), name="conform")


def check_entry(device: Device, entry: Entry) -> Failure | None:
    """Runs one row on `device` and compares it with the op's definition. SvodError as compiling and running it."""
    args = operands(entry)
    out = np.zeros(len(args[0]), numpy_dtype(entry.result))
    device.compile(kernel(entry, len(out)), opts=lanes(device)).execute([out, *args])
    return compared(device, entry, args, out)


def lanes(device: Device) -> list[str] | None:
    """The schedule of a row: none, but eight lanes where vectors are written out. The strategy's own, as many lanes as a register has
    narrow elements, take C compilers half a minute for one function of 8-bit floats."""
    return ["SPLIT(0 by 8 mask)", "VECTOR(0.1)"] if device.target.vector_bits and not device.target.ids else None


def compared(device: Device, entry: Entry, args: Sequence[Array], out: Array) -> Failure | None:
    """What is wrong with the results of a row."""
    want = apply(entry.op, entry.result, None, *args)
    wrong = np.flatnonzero(~same(out, want, entry.result, BOUNDS.get(entry.op, {}).get(entry.result.name, 0)))
    if not len(wrong):
        return None
    k = wrong[0]
    given = ", ".join(str(a[k]) for a in args)
    detail = f"{len(wrong)} of {len(out)} differ; {entry.op.name}({given}) is {want[k]!r}, {device.name} gives {out[k]!r}"
    return Failure("ops", str(entry), detail)


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
