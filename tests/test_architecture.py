"""ARCHITECTURE.md says what is true: its code prints what it shows, and its table of layers is the one that imports are held to."""
from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from svod.testing.pages import blocks, check

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "ARCHITECTURE.md"


@pytest.mark.devices("CPU", "INTERP", "NULL")
def test_the_page_prints_what_it_shows(request: pytest.FixtureRequest) -> None:
    check(PAGE, bless=bool(request.config.getoption("--bless")))


def test_every_block_of_python_is_read() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("```python\n") == len(blocks(page)) > 10
    shown = page.count("```text\n") - 1  # the drawing
    assert shown == sum(bool(b.output) for b in blocks(page)), "an output below no code"


def layers() -> list[set[str]]:
    """LAYERS of tests/test_layers.py, lowest first."""
    tree = ast.parse((ROOT / "tests/test_layers.py").read_text(encoding="utf-8"))
    found = next(n.value for n in tree.body if isinstance(n, ast.AnnAssign) and ast.unparse(n.target) == "LAYERS" and n.value is not None)
    return [{name for group in layer for name in group.split(" | ")} for layer in ast.literal_eval(found)]


def test_the_table_of_layers_is_the_tested_one() -> None:
    rows = re.findall(r"^\| L(\d) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    table: dict[int, set[str]] = {}
    for level, names in rows:
        table.setdefault(int(level), set()).update(re.findall(r"`(\w+)`", names))
    assert [table[level] for level in sorted(table)] == layers()


def test_what_comes_later_is_not_there_yet() -> None:
    later = {name for names in re.findall(r"^\| L\d \| ([^|]+) \(later\) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
             for name in re.findall(r"`(\w+)`", names)}
    assert {"lang", "aot"} <= later
    assert not [name for name in later if (ROOT / "svod" / name).exists()]
