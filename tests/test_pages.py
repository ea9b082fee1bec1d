"""Pages whose Python runs print what they show."""
from __future__ import annotations

from pathlib import Path

import pytest

from svod.testing.pages import blocks, check

ROOT = Path(__file__).parent.parent
PAGES = ("ARCHITECTURE.md", "docs/cpu-abi.md", "docs/limitations.md")


@pytest.mark.devices("CPU", "INTERP", "NULL")
@pytest.mark.parametrize("name", PAGES)
def test_the_page_prints_what_it_shows(name: str, request: pytest.FixtureRequest) -> None:
    check(ROOT / name, bless=bool(request.config.getoption("--bless")))


@pytest.mark.parametrize("name", PAGES)
def test_every_block_of_python_is_read(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert page.count("```python\n") == len(blocks(page)) > 1
    assert page.count("\n```") % 2 == 0
