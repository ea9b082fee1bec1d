"""The part `ops`: the table of elementwise ops on a device, many rows in one kernel.

Owns: how rows are packed. Must not know how a row is compared, nor any device.
Invariant: a pack in which something is wrong is run again row by row, so that every record names a row.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from svod.device.device import Device
from svod.dtype.convert import numpy_dtype
from svod.errors import UnsupportedError
from svod.ir.ops import Op
from svod.testing.conformance.op_table import Entry, check_entry, compared, kernel_of, lanes, operands, table
from svod.testing.conformance.records import Failure, Passed, Record, outcome
from svod.testing.conformance.several import in_order, workers

PACK = 16
"""Rows of one kernel: with more, compilers take longer for them together than one by one."""
PART = "ops"


def packs(rows: Sequence[Entry], buffers: int) -> Iterator[list[Entry]]:
    """Rows that take the same operands together, in kernels of at most `buffers` buffers and PACK rows."""
    alike: dict[object, list[Entry]] = defaultdict(list)
    for row in rows:
        alike[row.dtypes, row.op is Op.MULACC].append(row)
    for group in alike.values():
        many = max(1, min(PACK, buffers - len(group[0].dtypes)))
        yield from (group[k:k + many] for k in range(0, len(group), many))


def check_ops(device: Device, rows: Sequence[Entry] | None = None) -> Iterator[Record]:
    """A record for each row of the table, or of `rows`."""
    made = packs(table() if rows is None else rows, device.target.limits.buffers)
    for records in in_order((lambda pack=pack: _checked_pack(device, pack) for pack in made), workers(device)):  # type: ignore[misc]
        yield from records


def _checked_pack(device: Device, pack: Sequence[Entry]) -> list[Record]:
    try:
        good = _together(device, pack)
    except Exception:  # noqa: BLE001  (row by row it is said of which row, and why)
        good = False
    if good:
        return [Passed(PART, str(row)) for row in pack]
    alone = [_alone(device, row) for row in pack]
    if len(pack) > 1 and all(isinstance(r, Passed) for r in alone):
        alone.append(Failure(PART, f"{pack[0]} and {len(pack) - 1} others", "each is right in a kernel of its own, together they are not"))
    return alone


def _together(device: Device, pack: Sequence[Entry]) -> bool:
    """Whether all rows of a pack are right."""
    args = operands(pack[0])
    outs = [np.zeros(len(args[0]), numpy_dtype(row.result)) for row in pack]
    device.compile(kernel_of(pack, len(args[0])), opts=lanes(device)).execute([*outs, *args])
    return all(compared(device, row, args, out) is None for row, out in zip(pack, outs, strict=True))


def _alone(device: Device, row: Entry) -> Record:
    """The record of one row. Refusing an op that the target has, in types it computes in, is a failure."""
    found: list[Failure | None] = []
    record = outcome(PART, str(row), lambda: found.append(_checked(device, row)))
    return found[0] if found and found[0] is not None else record


def _checked(device: Device, row: Entry) -> Failure | None:
    try:
        return check_entry(device, row)
    except UnsupportedError as e:
        if device.target.has(row.op) and all(map(device.target.computes, {*row.dtypes, row.result})):
            return Failure(PART, str(row), f"the target says that it has this, and it is refused: {e}")
        raise
