"""The ceilings of this machine, measured: `python benchmarks/roofline.py`; and the least time they allow a row.

Owns: the footprints, results/roofline.json, the floor of a case. Must not know peers. Invariant: a ceiling is the best ever seen in a run,
and is applied only to the machine it was measured on.

A floor is max(bytes / bandwidth at that footprint, flops / FMA peak); the peak binds only where the work is multiply-adds. With streaming
stores a result does not pass through the cache: they raise the ceiling for footprints beyond it, and lower it below.
"""
from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
from cases import Case

HERE = Path(__file__).parent
RESULT = HERE / "results" / "roofline.json"
FOOTPRINTS = (48 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 32 << 20, 64 << 20, 128 << 20, 192 << 20, 320 << 20)
READS = ("sum", "dot", "gemv", "argmax")
"""Kinds that write next to nothing."""
PRODUCTS = ("gemm", "bmm", "linear_gelu", "conv2d")
"""Kinds that are multiply-adds."""

Curve = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Floors:
    """The ceilings with some number of threads: GB/s by footprint for reading and for reading and writing, GFLOP/s by dtype."""

    reading: Curve
    writing: Curve
    peaks: dict[str, float]

    @classmethod
    def load(cls, threads: int, path: Path = RESULT) -> Floors | None:
        """Those measured here with so many threads; None if there are none, or those of another machine."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        here = machine.facts()
        if any(stored["machine"][k] != here[k] for k in ("cpu", "family", "cores")) or str(threads) not in stored["threads"]:
            return None
        figures = stored["threads"][str(threads)]
        curves = {k: sorted((int(b), v) for b, v in c.items()) for k, c in figures.items() if isinstance(c, dict)}
        best = [(b, max(c[i][1] for k, c in curves.items() if k != "read")) for i, (b, _) in enumerate(curves["copy"])]
        return cls(curves["read"], best, {"f32": figures["fma_f32"], "f64": figures["fma_f64"]})

    def of(self, case: Case) -> dict[str, Any]:
        """`floor_s`, and whether memory or the arithmetic units set it. None for rows that are all call."""
        if case.shown == "us":
            return {"floor_s": None, "floor_by": None}
        moved = case.bytes("full")
        memory = moved / at(self.reading if case.kind in READS else self.writing, moved) / 1e9
        arithmetic = case.flops("full") / self.peaks[case.dtype] / 1e9 if case.kind in PRODUCTS else 0.0
        return {"floor_s": max(memory, arithmetic), "floor_by": "memory" if memory >= arithmetic else "FMA"}


def at(curve: Curve, footprint: int) -> float:
    """The ceiling at a footprint, between two measured ones by their logarithms."""
    place = bisect_left([b for b, _ in curve], footprint)
    if place in (0, len(curve)):
        return curve[min(place, len(curve) - 1)][1]
    (b0, v0), (b1, v1) = curve[place - 1 : place + 1]
    return v0 * math.exp(math.log(v1 / v0) * math.log(footprint / b0) / math.log(b1 / b0))


def build(folder: Path) -> Path:
    """roofline.c, compiled."""
    program = folder / "roofline"
    flags = ("-O3", "-march=native", "-ffp-contract=fast", "-fopenmp")
    subprocess.run(["gcc", *flags, str(HERE / "roofline.c"), "-o", str(program)], check=True)
    return program


def measure(program: Path, threads: int) -> dict[str, Any]:
    """All figures with so many threads."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "true"}
    machine.wait_until_idle(5.0)
    done = subprocess.run([str(program), *map(str, FOOTPRINTS)], capture_output=True, text=True, check=True, env=environment)
    figures: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        kind, footprint, value = line.split()
        if footprint == "0":
            figures[kind] = float(value)
        else:
            figures.setdefault(kind, {})[footprint] = float(value)
    return figures


def better(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """The greater of each figure."""
    return {k: better(a[k], b[k]) if isinstance(a[k], dict) else max(a[k], b[k]) for k in a}


def markdown(result: dict[str, Any]) -> str:
    """The figures as a page."""
    m = result["machine"]
    lines = ["# The ceilings of the machine", "", "Written by `python benchmarks/roofline.py`; not to be edited.", "",
             f"{m['cpu']} ({m['family']}), {m['cores']} cores, caches {m['caches']}; {result['date']}.", ""]
    for threads, figures in result["threads"].items():
        kinds = [k for k, v in figures.items() if isinstance(v, dict)]
        lines += [f"## {threads} thread(s)", "", f"FMA peak: {figures['fma_f32']:.0f} GFLOP/s in f32, {figures['fma_f64']:.0f} in f64. "
                  "Bandwidth in GB/s by footprint (all arrays, all threads; what is read and written, without what a store fetches):", "",
                  "| footprint | " + " | ".join(kinds) + " |", "| --- |" + " ---: |" * len(kinds)]
        for footprint in figures["copy"]:
            size = int(footprint)
            name = f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
            lines.append(f"| {name} | " + " | ".join(f"{figures[k][footprint]:.1f}" for k in kinds) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Measures with one thread and with all; exit status 2 without gcc."""
    p = argparse.ArgumentParser(description="the measured ceilings of this machine")
    p.add_argument("--passes", type=int, default=2, help="how often everything is measured; the best counts")
    p.add_argument("--json", type=Path, default=RESULT, help="where to write the result (and .md beside it)")
    o = p.parse_args()
    if not shutil.which("gcc"):
        print("roofline.py needs gcc", file=sys.stderr)
        return 2
    threads: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        for _ in range(o.passes):
            for n in sorted({1, machine.cores()}):
                got = measure(program, n)
                threads[str(n)] = better(threads[str(n)], got) if str(n) in threads else got
    result = {"machine": machine.facts(), "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "threads": threads}
    o.json.parent.mkdir(parents=True, exist_ok=True)
    o.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    o.json.with_suffix(".md").write_text(markdown(result), encoding="utf-8")
    print(markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
