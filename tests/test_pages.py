"""Pages whose Python runs print what they show."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from svod.testing.pages import blocks, check

ROOT = Path(__file__).parent.parent
PAGES = (
    "ARCHITECTURE.md", "README.md", "docs/coming-from.md", "docs/cpu-abi.md", "docs/flydsl.md", "docs/kernel-schema.md", "docs/language.md",
    "docs/limitations.md", "docs/memory-model.md", "docs/tour.md",
)


@pytest.mark.devices("CPU", "INTERP", "NULL")
@pytest.mark.parametrize("name", PAGES)
def test_the_page_prints_what_it_shows(name: str, request: pytest.FixtureRequest) -> None:
    check(ROOT / name, bless=bool(request.config.getoption("--bless")))


@pytest.mark.parametrize("name", PAGES)
def test_every_block_of_python_is_read(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert page.count("```python\n") == len(blocks(page)) > 1
    assert page.count("\n```") % 2 == 0


def test_the_tour_is_all_python_and_what_it_prints() -> None:
    page = (ROOT / "docs/tour.md").read_text(encoding="utf-8")
    assert len(blocks(page)) > 20
    assert page.count("```text\n") == sum(bool(b.output) for b in blocks(page)), "an output below no code"
    assert page.count("\n```") == 2 * page.count("```python\n") + 2 * page.count("```text\n"), "a block that is neither python nor text"


def test_the_index_names_every_page_once() -> None:
    listed = re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", (ROOT / "docs/README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    pages = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")} - {"README.md", "decisions/000-template.md"}
    missing = sorted((pages | {"../ARCHITECTURE.md", "../CONTRIBUTING.md"}) - set(listed))
    assert not missing, f"docs/README.md does not list {missing}"
    assert len(listed) == len(set(listed)) == len(pages) + 2


def test_decisions_have_the_parts_of_the_template() -> None:
    wanted = re.findall(r"^## .+", (ROOT / "docs/decisions/000-template.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for path in sorted((ROOT / "docs/decisions").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"^## .+", text, flags=re.MULTILINE) == wanted, path.name
        assert text.startswith(("# NNN: ", f"# {path.name[:3]}: ")), path.name
