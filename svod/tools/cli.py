"""The command `svod`: what is here, what the compiler does, what is cached.

Owns: the commands, and the exit codes: 0 done, 1 svod refused or failed, 2 the command line is wrong.
Must not compute anything itself: each command asks another module and prints the answer, as text or with --json.
Invariant: an SvodError is printed as its message, never as a traceback.
"""
from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from svod.codegen.pipeline import PIPELINE
from svod.errors import SvodError
from svod.tools import cache_commands, device_commands
from svod.tools import doctor as clinic
from svod.tools.output import print_json, print_table
from svod.version import __version__


class Commands(TyperGroup):
    """The group of all commands; turns svod's own errors into a message and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the line names."""
        try:
            return super().invoke(ctx)
        except SvodError as error:
            typer.echo(f"{type(error).__name__}: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="Compile kernels to native programs; see what svod finds and does.")
app.add_typer(cache_commands.app, name="cache")


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Version = Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")]


@app.callback()
def root(version: Version = False) -> None:
    """Options that stand before the command."""


device_commands.add_to(app)


@app.command()
def stages(as_json: AsJson = False) -> None:
    """Print the stages that a kernel goes through, in order, and why each exists."""
    if as_json:
        print_json([{"name": s.name, "why": s.why} for s in PIPELINE])
    else:
        print_table(("", "stage", "why"), [(str(i), s.name, s.why) for i, s in enumerate(PIPELINE, 1)])


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Report versions, processor, settings and devices: what a bug report needs."""
    report = clinic.examine()
    if as_json:
        print_json(report)
        return
    report["cpu"]["features"] = clinic.notable(report["cpu"]["features"]) + " (all: --json)"
    rows = [(section if first else "", name, value) for section, facts in report.items()
            for first, (name, value) in zip([True, *[False] * len(facts)], facts.items(), strict=False)]
    print_table(("", "", ""), rows)


def main() -> None:
    """The entry point of the command line."""
    app(prog_name="svod")


if __name__ == "__main__":
    main()
