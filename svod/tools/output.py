"""How a command's answer is printed: one JSON document, or columns.

Owns: the look of answers. Must not know any command.
Invariant: piped output is never wrapped and has no colours, so that grep finds whole lines.
"""
from __future__ import annotations

import json
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNWRAPPED = 10_000
"""Width of output that no terminal shows, in columns."""


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns without a frame; no heading if all of `head` is empty."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = UNWRAPPED
    table = Table(*head, box=None, show_header=any(head), pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    with console.capture() as printed:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))


def size_text(nbytes: int) -> str:
    """`1536` -> `"1.5 KiB"`."""
    size, unit = float(nbytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
