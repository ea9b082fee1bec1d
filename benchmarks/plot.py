"""A result as a picture: `python benchmarks/plot.py results/threads-2.json` writes results/threads-2.svg. Needs matplotlib.

Owns: the picture. Must not measure or judge. Invariant: shows what the JSON says, every peer of every row.
"""
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import report

MARKS = {"numpy": "s", "numba": "^", "torch": "D", "gcc": "v", "gcc-fast": "P"}
RANGE = (0.05, 20.0)
"""Ratios beyond this are drawn at its edge."""


def draw(result: dict[str, Any], path: Path) -> None:
    """One line for each row; each peer where its time over svod's puts it: to the right of 1, svod is faster."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "svod"  # the same result gives the same file
    from matplotlib import pyplot as plt

    rows = [r for r in result["rows"] if "seconds" in r["peers"].get(report.MINE, {})]
    figure, axes = plt.subplots(figsize=(8, 1.5 + 0.25 * len(rows)))
    for place, row in enumerate(rows):
        mine = row["peers"][report.MINE]["seconds"]
        for name, peer in report.timed(row).items():
            if name != report.MINE:
                x = min(max(peer["seconds"] / mine, RANGE[0]), RANGE[1])
                axes.plot(x, place, MARKS.get(name, "o"), color=f"C{list(MARKS).index(name) if name in MARKS else 7}", markersize=5)
    for name, mark in MARKS.items():
        if name in result["versions"]:
            axes.plot([], [], mark, color=f"C{list(MARKS).index(name)}", label=name, markersize=5)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(RANGE[0] * 0.9, RANGE[1] * 1.1)
    axes.set_yticks(range(len(rows)), [r["name"] for r in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("peer's time / svod's time (right of the line: svod is faster)")
    axes.set_title(report.heading(result), fontsize=8)
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(axis="both", linewidth=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> int:
    """Draws each result named on the command line."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    for name in sys.argv[1:]:
        path = Path(name)
        draw(json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".svg"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
