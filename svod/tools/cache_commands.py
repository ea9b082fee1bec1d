"""`svod cache …`: the commands that show, check and empty the disk cache.

Owns: the commands' options and words. Must not compute an answer: `cache_cli` does.
Invariant: only `verify` and `clear` change files.
"""
from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from svod.config import CacheSettings, settings
from svod.device.cache import Report
from svod.device.entry import split_key
from svod.tools import cache_cli
from svod.tools.output import print_json, print_table, size_text

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show, check and empty the cache of compiled kernels.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Sort = Annotated[str, typer.Option("--sort", help="Which first: those last used (used) or the largest (size).")]
Limit = Annotated[int | None, typer.Option("--limit", "-n", min=1, help="At most so many.")]
Key = Annotated[str, typer.Argument(help="A key (Device.cache_key), or the first 8 or more digits of an entry's digest.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def chosen() -> CacheSettings:
    """The cache that the settings describe."""
    return settings().cache


@app.command()
def path(as_json: AsJson = False) -> None:
    """Print the directory of the cache."""
    where = str(cache_cli.path(chosen()))
    print_json(where) if as_json else typer.echo(where)


@app.command()
def stat(as_json: AsJson = False) -> None:
    """Print how many entries there are, and how much room they take."""
    s = cache_cli.stat(chosen())
    if as_json:
        print_json({"enabled": chosen().enabled, "path": str(s.path), "entries": s.entries, "nbytes": s.nbytes, "max_bytes": s.max_bytes})
        return
    print_table(("", ""), [
        ("path", str(s.path)), ("state", "on" if chosen().enabled else "off (SVOD_CACHE)"),
        ("entries", str(s.entries)), ("size", f"{size_text(s.nbytes)} of {size_text(s.max_bytes)}")])


@app.command("list")
def list_(sort: Sort = "used", limit: Limit = None, as_json: AsJson = False) -> None:
    """List the entries."""
    found = cache_cli.list_entries(chosen(), sort=sort, limit=limit)
    if as_json:
        print_json(cache_cli.rows(found))
        return
    lines = [(r.digest[:16], size_text(r.nbytes), datetime.fromtimestamp(r.used).isoformat(" ", "seconds"), _short(r.key)) for r in found]
    print_table(("digest", "size", "last used", "key"), lines)


def _short(key: str) -> str:
    """A key of named parts on one line, the kernel first; long values are cut."""
    parts = sorted(split_key(key).items(), key=lambda part: part[0] != "kernel")
    return " ".join(f"{name}={value if len(value) <= 40 else value[:39] + '…'}" for name, value in parts)


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Read every entry, and remove those that are damaged."""
    _print_report(cache_cli.verify(chosen()), "damaged, removed", as_json)


@app.command()
def explain(key: Key, as_json: AsJson = False) -> None:
    """Say why a key hits or misses, and in what the nearest entry differs."""
    answer = cache_cli.explain(chosen(), key)
    if as_json:
        print_json(cache_cli.rows(answer))
        return
    typer.echo(f"{answer.state}: {answer.reason}" + (f"\n{answer.path}" if answer.path.exists() else ""))
    if answer.differences:
        print_table(("part", "stored", "asked for"), answer.differences)


@app.command()
def clear(yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove every entry. Asks first, unless --yes is given or nobody is there to answer."""
    if not yes and typer.get_text_stream("stdin").isatty():
        typer.confirm(f"remove all entries of {cache_cli.path(chosen())}?", abort=True)
    _print_report(cache_cli.clear(chosen()), "removed", as_json)


def _print_report(report: Report, done: str, as_json: bool) -> None:
    """What `verify` or `clear` did."""
    if as_json:
        print_json(cache_cli.rows(report))
        return
    typer.echo(f"{report.checked} entries checked, {len(report.removed)} {done} ({size_text(report.nbytes)})")
    for where, why in report.removed if done.startswith("damaged") else ():
        typer.echo(f"  {where}: {why}")
