"""`svod devices`, `svod render`, `svod conformance`: what there is to run on, source for any of it, and whether it does what it should.

Owns: the commands' options and words. Must not compute an answer: the registry, `render`, `limits` and `svod.testing.conformance` do.
Invariant: exit code 1 if a device does not conform; listing opens no device unless its limits are asked for.
"""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import svod
from svod.errors import ConfigError
from svod.testing.conformance import PARTS, Failure, Record, Report, Skip, run_conformance
from svod.tools.limits import facts_of
from svod.tools.output import print_json, print_table
from svod.tools.render import render_file, wanted

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Part = Annotated[list[str] | None, typer.Option("--part", help=f"Only these parts: {', '.join(PARTS)}.")]
Name = Annotated[str, typer.Argument(metavar="DEVICE", help="CPU, CC, OPENCL:1, …")]
Quick = Annotated[bool, typer.Option("--no-limits", help="Open no device: leave its limits out.")]
Where = Annotated[str, typer.Argument(metavar="FILE.py[:kernel]", help="A Python file, and the kernel in it if it has several.")]
OnDevice = Annotated[str, typer.Option("--device", "-d", help="For which device (default: the default device).")]
Arch = Annotated[str, typer.Option("--arch", help="For which architecture: sm_90, gfx942, x86-64-v3, …")]
Stage = Annotated[str, typer.Option("--stage", help="What to show: source, ir, or a stage of `svod stages`.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Write it to this file.")]
With = Annotated[list[str] | None, typer.Option("--with", metavar="NAME=VALUE", help=(
    'How it is launched: block=128 or block=16,8 (work items of a group), threads=1 (a launch counts work items, along so many axes); '
    'opt="SPLIT(0 by 16)": one Opt of a schedule; TILE=16: the value of a compile-time parameter.'))]


def devices(as_json: AsJson = False, no_limits: Quick = False) -> None:
    """List the devices: what is there, with its limits; for what is not, why, and what to install."""
    found = svod.devices()
    limits = {d.name: facts_of(d.name) if d.available and not no_limits else {} for d in found}
    if as_json:
        print_json([{"name": d.name, "available": d.available, "why": d.why, "hint": d.hint, "details": dict(d.details),
                     "limits": limits[d.name]} for d in found])
        return
    print_table(("device", "available", ""), [(d.name, "yes" if d.available else "no", _notes(d, limits[d.name])) for d in found])


def _notes(d: Any, limits: dict[str, str]) -> str:
    """The last column."""
    if not d.available:
        return "\n".join(filter(None, (d.why, d.hint and f"hint: {d.hint}")))
    lines = [", ".join(f"{key} {value}" for key, value in d.details.items())]
    if limits:
        lines.append("limits: " + ", ".join(f"{key} {value}" for key, value in limits.items()))
    return "\n".join(filter(None, lines))


def render(where: Where, device: OnDevice = "", arch: Arch = "", stage: Stage = "source", out: Out = None, given: With = None) -> None:
    """Print the source of a kernel for a device, which need not be there: of a function with @sl.kernel, or of a graph."""
    text = render_file(where, wanted(device, arch, stage, given or ()))
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"{out} cannot be written: {e.strerror}") from None


def conformance(name: Name, part: Part = None, as_json: AsJson = False) -> None:
    """Run the conformance checks on a device; exit code 1 if one fails."""
    report = run_conformance(name, parts=part or None, told=None if as_json else _told)
    if as_json:
        print_json(as_data(report))
    else:
        rows = [(p, *(str(n) for n in c.values()), f"{report.seconds[p]:.1f} s") for p, c in report.counts().items()]
        print_table(("part", "passed", "failed", "skipped", "took"), rows)
    if report.failures:
        raise typer.Exit(1)


def _told(record: Record) -> None:
    """Failures and skips as they come."""
    if isinstance(record, Failure):
        typer.echo(f"FAILED  {record.part}: {record.what}: {record.detail}")
    elif isinstance(record, Skip):
        typer.echo(f"skipped {record.part}: {record.what}: {record.missing}")


def as_data(report: Report) -> dict[str, Any]:
    """A report as JSON: what docs/conformance/ keeps of each device."""
    info = next((d for d in svod.devices() if d.name == report.device), None)
    return {"device": report.device, "on": dict(info.details) if info else {}, "counts": report.counts(),
            "failures": [[f.part, f.what, f.detail] for f in report.failures],
            "skips": [[s.part, s.what, s.missing] for s in report.skips]}


def add_to(app: typer.Typer) -> None:
    """The commands, in the order of `svod --help`."""
    for command in (devices, render, conformance):
        app.command()(command)
