"""The table of layers in ARCHITECTURE.md is the one that imports are held to, and says what is there. (Its code runs in test_pages.py.)"""
from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "ARCHITECTURE.md"


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
    assert {"aot", "library"} <= later
    assert not [name for name in later if (ROOT / "svod" / name).exists()]
