"""docs/support.md: what each device can do, from its Target, from rendering for it, and from the conformance results that are kept.

Owns: the rows, and what a cell means. Must not hold a fact about a device: it asks targets, renders kernels, reads docs/conformance/*.json.
Invariant: nothing here depends on the machine: targets are those of `Device.offline`, results are those in the repository.
"""
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from svod.codegen.math import DECOMPOSITIONS
from svod.device.device import Device
from svod.device.registry import BUILT_IN
from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.ops import COMPARISONS, Op
from svod.target import Target
from svod.testing.conformance import FEATURES
from svod.testing.conformance.features import Feature
from svod.tools.markdown import prose, table
from svod.tools.output import size_text
from svod.tools.render import Wanted, rendered, traced

RESULTS = Path(__file__).parents[2] / "docs" / "conformance"
ARCHITECTURES: Mapping[str, str] = {"CPU": "x86-64-v3", "CC": "x86-64-v3", "CUDA": "sm_90", "HIP": "gfx942"}
"""For which the columns are; where none is named, the one that every device of the kind can do."""
GROUPS: Mapping[str, Iterable[Op]] = {
    "arithmetic": (Op.ADD, Op.SUB, Op.MUL, Op.NEG, Op.ABS, Op.MAX, Op.MIN), "fused multiply-add": (Op.MULACC,),
    "division of integers, rounding down": (Op.FLOORDIV, Op.FLOORMOD), "division of integers, truncating": (Op.IDIV, Op.MOD),
    "quotients and roots of floats": (Op.FDIV, Op.SQRT), "bits and shifts": (Op.AND, Op.OR, Op.XOR, Op.NOT, Op.SHL, Op.SHR),
    "comparisons and choices": (*sorted(COMPARISONS, key=lambda op: op.name), Op.WHERE),
    "rounding": (Op.TRUNC, Op.FLOOR, Op.CEIL, Op.RINT), "rounding to tf32": (Op.TF32,), "casts": (Op.CAST, Op.BITCAST),
    "math functions": tuple(DECOMPOSITIONS),
}
"""Rows of ops."""


@dataclass
class Notes:
    """Reasons, each once, by number."""

    texts: list[str] = field(default_factory=list)

    def of(self, text: str) -> str:
        """The mark of a reason."""
        if text not in self.texts:
            self.texts.append(text)
        return f"({self.texts.index(text) + 1})"

    def listed(self) -> str:
        """All of them."""
        return "\n".join(f"{k}. {prose(text)}" for k, text in enumerate(self.texts, 1))


@dataclass(frozen=True)
class Column:
    """One device: for which architecture, and what its conformance run said, None if there is none."""

    name: str
    device: Device
    result: Mapping[str, Any] | None

    @property
    def target(self) -> Target:
        """Its capabilities."""
        return self.device.target

    def ran(self, part: str) -> bool:
        """Whether a part of the checks was run."""
        return self.result is not None and part in self.result["counts"]

    def skipped(self, part: str) -> dict[str, str]:
        """What the run skipped, and why."""
        return {what: why for p, what, why in (self.result or {}).get("skips", ()) if p == part}

    def failed(self) -> set[str]:
        """What failed in the run."""
        return {what for _, what, _ in (self.result or {}).get("failures", ())}


def columns(results: Path = RESULTS) -> list[Column]:
    """svod's own devices, but the one that runs nothing."""
    return [Column(name, Device.offline(name, ARCHITECTURES.get(name, "")), _result(results / f"{name}.json")) for name in BUILT_IN
            if name != "NULL"]


def _result(path: Path) -> Mapping[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@cache
def support_parts(results: Path = RESULTS) -> list[str]:
    """The parts of the page."""
    found, notes = columns(results), Notes()
    head = ("", *(f"`{c.name}`" for c in found))

    def rows(cells: Mapping[str, Callable[[Column], str]]) -> str:
        return table(head, [(row, *(cell(c) for c in found)) for row, cell in cells.items()])

    parts = [
        "## Conformance", "What `svod conformance NAME` said when it was run last (its results are in `docs/conformance/`).",
        rows({"architecture of the column": lambda c: c.target.arch or "any", "run on": _ran_on,
              "parts": lambda c: " ".join(c.result["counts"]) if c.result else "",
              "passed": lambda c: _count(c, "passed"),
              "failed": lambda c: _count(c, "failed"), "refused by name": lambda c: _count(c, "skipped")}),
        "## Types", "Loaded, stored and computed in. Emulated: computed in a wider type and rounded, or put together from narrower ones.",
        rows({f"`{d}`": lambda c, d=d: _type(c, d, notes) for d in dtypes.ALL}),  # type: ignore[misc]
        "## Ops", "Emulated: made of other ops by svod ([math.md](math.md), [rules.md](rules.md)), with the same result or the same bound.",
        rows({name: lambda c, ops=tuple(ops): _ops(c, ops, notes) for name, ops in GROUPS.items()}),  # type: ignore[misc]
        "## The kernel language", "One kernel each, in `svod/testing/conformance/features.py`.",
        rows({f.what: lambda c, f=f: _feature(c, f, notes) for f in FEATURES if not f.what.startswith("elements of")}),  # type: ignore[misc]
        "## Limits", "Of the architecture of the column; `svod devices` shows those of the devices that are there.",
        rows({"work items of a group": lambda c: str(c.target.limits.threads) if c.target.limits.threads > 1 else "1024 (loops)",
              "shared memory of a group": lambda c: size_text(c.target.limits.shared_bytes),
              "buffers of a kernel": lambda c: str(c.target.limits.buffers)}),
    ]
    return [*parts, *(["## Why not", notes.listed()] if notes.texts else [])]


# --- cells -----------------------------------------------------------------------------------------------------------------------------

def _ran_on(c: Column) -> str:
    if c.result is None:
        return "no results kept: not run on hardware"
    on = c.result.get("on", {})
    return prose(next((on[key] for key in ("model", "device", "adapter", "processor", "compiler", "semantics") if key in on), "yes"))


def _count(c: Column, kind: str) -> str:
    return "" if c.result is None else str(sum(row[kind] for row in c.result["counts"].values()))


def _yes(c: Column, part: str) -> str:
    """A capability that was seen at work, or only in source."""
    return "yes" if c.ran(part) else "renders"


def _type(c: Column, d: DType, notes: Notes) -> str:
    row = f"elements of {d.name}"
    if row in c.failed():
        return "fails"
    why = c.skipped("language").get(row)
    if why is None and d not in c.target.storage and not c.target.computes(d):
        why = f"{c.name} has no {d.name}"
    if why is not None:
        return f"no {notes.of(why)}"
    return _yes(c, "language") if c.target.computes(d) else "emulated"


def _ops(c: Column, ops: tuple[Op, ...], notes: Notes) -> str:
    names = tuple(f"{op.name}-" for op in ops)
    if any(what.startswith(names) for what in c.failed()):
        return "fails"
    cell = _yes(c, "ops") if all(map(c.target.has, ops)) else "emulated"
    refused = [why for what, why in c.skipped("ops").items() if what.startswith(names)]
    return f"{cell}, {len(refused)} rows not {notes.of(refused[0])}" if refused else cell


def _feature(c: Column, f: Feature, notes: Notes) -> str:
    if f.what in c.failed():
        return "fails"
    why = c.skipped("language").get(f.what) if c.ran("language") else _refusal(c.device, f)
    if why is not None:
        return f"no {notes.of(why)}"
    return "emulated" if _emulated(c.target, f.what) else _yes(c, "language")


def _refusal(device: Device, f: Feature) -> str | None:
    """Why the kernel of a feature cannot be rendered for a device."""
    try:
        wanted = Wanted(block=(f.block,))
        rendered(traced(f.kernel, wanted), device, wanted)
    except UnsupportedError as e:
        return e.what
    return None


def _emulated(target: Target, what: str) -> bool:
    """Whether work items exchange through shared memory what others exchange in registers or leave to matrix units."""
    if what.startswith("mma of "):
        return not target.statements and what.removeprefix("mma of ") not in target.products
    exchanges = what == "shuffles" or what.startswith("votes")
    return exchanges and target.ids and not target.subgroup
