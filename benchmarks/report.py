"""A result as rows, in the terminal and as Markdown.

Owns: what is compared with what, and how figures are written. Must not measure. Invariant: everything shown comes from the JSON of a run.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

Result = dict[str, Any]
MINE = "svod"
TIE = 1.10
"""Medians this close, with overlapping rounds, are a tie: the order says nothing."""
LOW = 0.8
"""Rows below this ratio are marked."""


def timed(row: Result) -> dict[str, Result]:
    """The peers of a row that have a time, fastest first."""
    return dict(sorted(((n, p) for n, p in row["peers"].items() if "seconds" in p), key=lambda q: q[1]["seconds"]))


def compare(row: Result) -> None:
    """Adds to a row: its best peer beside svod, the ratio best / svod (above 1: svod is faster), and who ties."""
    times = timed(row)
    mine = times.pop(MINE, None)
    best = next(iter(times), None)
    row["best_peer"] = best
    row["ratio"] = None if mine is None or best is None else times[best]["seconds"] / mine["seconds"]
    row["tie"] = best is not None and mine is not None and _tie(mine, times[best])


def _tie(a: Result, b: Result) -> bool:
    near = max(a["seconds"], b["seconds"]) <= TIE * min(a["seconds"], b["seconds"])
    return bool(near and a["low"] <= b["high"] and b["low"] <= a["high"])


def geometric_mean(rows: list[Result]) -> float | None:
    """Of the ratios there are."""
    ratios = [r["ratio"] for r in rows if r.get("ratio")]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def number(value: float) -> str:
    """Three digits, or all of them before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def spread(peer: Result) -> str:
    """How far rounds were apart, in percent of the median."""
    return f"{100 * (peer['high'] - peer['low']) / peer['seconds']:.0f} %"


def cell(row: Result, name: str) -> str:
    """What one peer did in one row."""
    peer = row["peers"].get(name, {})
    if "seconds" in peer:
        return number(peer["value"])
    return next((word for word in ("wrong", "error") if word in peer), "–")


def ratio_text(row: Result) -> str:
    """`1.05`, `0.97 (tie)`, `0.62 !`."""
    if row["ratio"] is None:
        return "–"
    return f"{row['ratio']:.2f}" + (" (tie)" if row["tie"] else " !" if row["ratio"] < LOW else "")


def of_floor(row: Result) -> str:
    """The least time the machine's ceilings allow, over svod's time."""
    mine = row["peers"].get(MINE, {})
    if row.get("floor_s") is None or "seconds" not in mine:
        return "–"
    return f"{100 * row['floor_s'] / mine['seconds']:.0f} % ({row['floor_by']})"


def columns(result: Result) -> list[tuple[str, Callable[[Result], str]]]:
    """Heading and content of every column."""
    peers = [n for n in result["versions"] if n != MINE]
    out: list[tuple[str, Callable[[Result], str]]] = [("case", lambda r: r["name"]), ("unit", lambda r: r["metric"])]
    out += [(n, partial(cell, name=n)) for n in (*([MINE] if MINE in result["versions"] else []), *peers)]
    out += [("spread", lambda r: spread(r["peers"][MINE]) if "seconds" in r["peers"].get(MINE, {}) else "–")]
    out += [("best peer", lambda r: r["best_peer"] or "–"), ("ratio", ratio_text)]
    return [*out, ("of floor", of_floor)] if any(r.get("floor_s") for r in result["rows"]) else out


def show(result: Result, console: Console) -> None:
    """The table in a terminal."""
    table = Table(title=heading(result))
    shown = columns(result)
    for i, (name, _) in enumerate(shown):
        table.add_column(name, justify="left" if i < 2 else "right")
    for row in result["rows"]:
        style = "red" if row["ratio"] is not None and row["ratio"] < LOW else None
        table.add_row(*(content(row) for _, content in shown), style=style)
    console.print(table)
    console.print(summary(result))
    for line in troubles(result):
        console.print(line, style="red", markup=False)


def heading(result: Result) -> str:
    """Machine and threads."""
    m = result["machine"]
    return f"{m['cpu']} ({m['family']}), {m['cores']} cores; {result['threads']} thread(s), {result['rounds']} rounds, {result['date']}"


def summary(result: Result) -> str:
    """The geometric mean and the rows that are behind."""
    mean = geometric_mean(result["rows"])
    if mean is None:
        return "no row has both svod and a peer"
    low = [r["name"] for r in result["rows"] if r["ratio"] is not None and r["ratio"] < LOW]
    count = sum(r["ratio"] is not None for r in result["rows"])
    return f"best peer's time / svod's time, geometric mean of {count} rows: {mean:.2f}; below {LOW}: {', '.join(low) or 'none'}"


def troubles(result: Result) -> list[str]:
    """Rows that a peer got wrong or did not survive."""
    out = [f"{n}: {why}" for n, why in result["missing"].items()]
    for row in result["rows"]:
        out += [f"{row['name']}, {n}: {p.get('wrong') or p.get('error')}" for n, p in row["peers"].items() if "wrong" in p or "error" in p]
    return out


def markdown(result: Result) -> str:
    """The whole result as a page."""
    shown = columns(result)
    lines = ["# svod and its peers", "", f"Written by `{result['command']}`; not to be edited. How to read it: docs/performance.md.", "",
             f"{heading(result)}. A figure is the median of the rounds' medians; `spread` is svod's slowest round less its fastest; "
             "`ratio` is the best peer's time over svod's, so above 1 svod is faster. GB/s and GFLOP/s: more is better; us: less is.", "",
             "| " + " | ".join(name for name, _ in shown) + " |", "| --- | --- |" + " ---: |" * (len(shown) - 2)]
    lines += ["| " + " | ".join(content(row) for _, content in shown) + " |" for row in result["rows"]]
    lines += ["", f"**{summary(result)[:1].upper()}{summary(result)[1:]}.**", ""]
    lines += [f"- {text}" for text in troubles(result)]
    lines += [f"- {n}: {v}" for n, v in result["versions"].items()]
    worst = max((p["foreign"] for r in result["rows"] for p in timed(r).values()), default=0.0)
    lines.append(f"- Other processes of the machine took at most {100 * worst:.0f} % of the CPUs in an accepted measurement.")
    return "\n".join(lines) + "\n"
