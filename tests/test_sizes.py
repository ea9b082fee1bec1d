"""Small enough to review in one sitting: the limits on modules, functions, parameters, nesting and names.

Owns: the limits. Reads the sources only; a test fails with the list of offenders, worst first.
"""
from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULE_LINES = 600
FUNCTION_LINES = 60
PARAMETERS = 6
PACKAGE_DEPTH = 3
EVERYWHERE = ("svod", "tests", "examples", "benchmarks", "checks")
MIRRORS = ("svod/compat/",)
"""Where the names and the nesting of modules are those of another project, one package deeper."""
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "misc", "common", "stuff"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> list[Path]:
    """Every Python file below the folders of the repository."""
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def functions(path: Path) -> Iterator[Function]:
    """Every function and method of a file, nested ones too."""
    return (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def line_count(path: Path) -> int:
    """Lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def length(function: Function) -> int:
    """Lines from `def` to the last statement."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameter_count(function: Function) -> int:
    """Parameters without self and cls; *args and **kwargs count."""
    a = function.args
    names = [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg)))]
    return len(names) - (bool(names) and names[0] in ("self", "cls"))


def shown(path: Path) -> str:
    """Path within the repository."""
    return path.relative_to(ROOT).as_posix()


def over(limit: int, measured: list[tuple[int, str]]) -> str:
    """What exceeds the limit, worst first, one a line; empty if nothing does."""
    return "".join(f"\n  {size:5}  {name}" for size, name in sorted(measured, reverse=True) if size > limit)


def test_modules_are_short() -> None:
    offenders = over(MODULE_LINES, [(line_count(p), shown(p)) for p in sources(*EVERYWHERE)])
    assert not offenders, f"more than {MODULE_LINES} lines:{offenders}"


def test_functions_are_short() -> None:
    measured = [(length(f), f"{shown(p)}:{f.lineno} {f.name}") for p in sources(*EVERYWHERE) for f in functions(p)]
    offenders = over(FUNCTION_LINES, measured)
    assert not offenders, f"more than {FUNCTION_LINES} lines:{offenders}"


def test_functions_take_few_parameters() -> None:
    offenders = over(PARAMETERS, [(parameter_count(f), f"{shown(p)}:{f.lineno} {f.name}") for p in sources("svod") for f in functions(p)])
    assert not offenders, f"more than {PARAMETERS} parameters:{offenders}"


def test_packages_are_shallow() -> None:
    measured = [(len(p.relative_to(ROOT).parent.parts) - shown(p).startswith(MIRRORS), shown(p)) for p in sources("svod")]
    offenders = over(PACKAGE_DEPTH, measured)
    assert not offenders, f"more than {PACKAGE_DEPTH} packages deep:{offenders}"


def test_every_folder_of_sources_is_a_package() -> None:
    offenders = sorted({shown(p.parent) for p in sources("svod") if not (p.parent / "__init__.py").exists()})
    assert not offenders, f"without __init__.py: {offenders}"


def test_tests_are_no_packages() -> None:
    offenders = [shown(p) for p in sources("tests") if p.name == "__init__.py"]
    assert not offenders, f"importmode=importlib needs none of these: {offenders}"


def test_every_module_says_what_it_is() -> None:
    offenders = [shown(p) for p in sources(*EVERYWHERE)
                 if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]
    assert not offenders, "without a module docstring:" + "".join(f"\n  {o}" for o in offenders)


def test_names_say_what_is_inside() -> None:
    offenders = [shown(p) for p in sources(*EVERYWHERE)
                 if {p.stem.removeprefix("test_"), p.parent.name} & VAGUE_NAMES and not shown(p).startswith(MIRRORS)]
    assert not offenders, f"name it after what it holds: {offenders}"


@pytest.mark.parametrize(("source", "count", "lines"), [
    ("def f(): pass", 0, 1),
    ("def f(self, a, /, b, *c, d=1, **e):\n    pass", 5, 2),
    ("async def f(a):\n    x = 1\n\n    return x", 1, 4),
])
def test_the_measures(source: str, count: int, lines: int) -> None:
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    assert (parameter_count(function), length(function)) == (count, lines)


def test_offenders_are_listed_worst_first() -> None:
    assert over(2, [(3, "a"), (2, "b"), (9, "c")]) == "\n      9  c\n      3  a"
