"""The dialect's command: `python -m svod.compat.atlas.atlas_compile my_kernel.py [-o my_kernel.json] [-v]`.

Owns: finding the kernels of a file, what is said about them, the file that is written. Must not know how a document is made.
Invariant: the output is written whole or not at all; exit status 0, 1 for anything wrong with the input, 2 for wrong arguments.
"""
from __future__ import annotations

import argparse
import importlib.util
import inspect
import io
import json
import os
import sys
import tempfile
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from svod.compat.atlas import aliases
from svod.compat.atlas.compiler import CompileError, compile_to_json, original


class _Failed(Exception):
    """Said on standard error; the exit status is 1."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compiles one file. The exit status."""
    given = _parser().parse_args(argv)
    try:
        _compile(given.input, given.output or given.input.with_suffix(".json"), given.verbose)
    except _Failed as e:
        sys.stderr.write(f"❌ {e}\n")
        if given.verbose and e.__cause__ is not None:
            traceback.print_exception(e.__cause__)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="atlas-compile", description="Compiles the kernels of a Python file to a JSON document.")
    parser.add_argument("input", type=Path, metavar="INPUT.py")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.json", help="where to; left out: the input with the suffix .json")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what is found and done, and where an error was raised")
    return parser


def _compile(source: Path, output: Path, verbose: bool) -> None:
    kernels = kernels_of(source)
    if verbose:
        _say(f"📖 Found {len(kernels)} kernel(s): {', '.join(kernels)}", *(f"   • {name}" for name in kernels))
    documents = []
    for name, function in kernels.items():
        if verbose:
            _say(f"🔄 Compiling {name}...")
        try:
            documents.append(json.loads(compile_to_json(function)))
        except CompileError as e:
            raise _Failed(f"Error compiling {name}: {e}") from e
        if verbose:
            _say("   ✓ Compiled successfully")
    try:
        _write(output, json.dumps(documents if len(documents) > 1 else documents[0], indent=2))
    except OSError as e:
        raise _Failed(f"Error writing {output}: {e}") from e
    _say(f"✅ Compiled {len(documents)} kernels → {output}" if len(documents) > 1 else f"✅ Compiled {next(iter(kernels))} → {output.name}")


def kernels_of(source: Path) -> dict[str, Callable[..., Any]]:
    """The kernels of a file, by name, in its order: decorated functions, and public ones with annotated parameters that return nothing."""
    with _beside(source), aliases():
        try:
            module = _loaded(source)
        except (Exception, SystemExit) as e:
            raise _Failed(f"Error loading module: {type(e).__name__}: {e}") from e
    found = {name: value for name, value in vars(module).items() if not name.startswith("_") and _is_kernel(value, module.__name__)}
    if not found:
        raise _Failed(f"No kernel functions found in {source}")
    return {original(f).__name__: f for f in found.values()}


def _is_kernel(value: Any, module: str) -> bool:
    plain = original(value)
    if not isinstance(plain, types.FunctionType) or plain.__module__ != module:
        return False
    if plain is not value:
        return True
    if hasattr(plain, "_atlas_inline"):
        return False
    signature = inspect.signature(plain)
    annotated = any(p.annotation is not p.empty for p in signature.parameters.values())
    return annotated and signature.return_annotation in (signature.empty, None, "None")


def _loaded(source: Path) -> types.ModuleType:
    if not source.is_file():
        raise FileNotFoundError(f"there is no file {source}")
    spec = importlib.util.spec_from_file_location(f"atlas_file_{source.stem}", source)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def _beside(source: Path) -> Iterator[None]:
    """Meanwhile the modules beside the file can be imported, and nothing is written beside them."""
    folder, quiet = str(source.resolve().parent), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = quiet
        sys.path.remove(folder)


def _write(output: Path, text: str) -> None:
    """The whole file or nothing; folders are made."""
    output.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, output)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without these signs
    sys.exit(main())
