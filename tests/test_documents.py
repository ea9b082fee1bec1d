"""Documents say what is true: links lead somewhere, the README's example runs, tables name what the code has."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from svod.config import FOREIGN, VARIABLES
from svod.testing.pages import blocks

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
TASKS = {"demo", "test", "check", "bench", "fuzz", "heavy", "bless", "docs", "clean", "native"}


def name(path: Path) -> str:
    """Path within the repository."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_to_files_of_the_repository(path: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in t and not t.startswith("#")]
    broken = [t for t in targets if not (path.parent / t).exists()]
    assert not broken, f"{name(path)} links to nothing: {broken}"


def test_the_examples_of_the_readme_check_themselves() -> None:
    """test_pages.py runs them."""
    found = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert ["vector_add[8, 128]" in b.code for b in found] == [False, True]
    assert all(b.code.endswith("assert (z == x + 1).all()\n") for b in found)


def test_the_table_of_settings_has_every_variable_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/install.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(rows) == sorted(v.name for v in VARIABLES)
    assert not FOREIGN & set(rows)


def test_the_glossary_has_each_word_once() -> None:
    words = re.findall(r"^\| \*\*(.+?)\*\* \|", (ROOT / "docs/glossary.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(words) > 40
    assert sorted({w for w in words if words.count(w) > 1}) == []


def test_make_help_lists_the_tasks() -> None:
    shown = subprocess.run(["make", "--no-print-directory", "help"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines()} == TASKS | {"help"}
