"""Pages that run: blocks and outputs are found, differences are told with their line, blessing changes outputs only."""
from __future__ import annotations

from pathlib import Path

import pytest

from svod.testing.pages import Block, blessed, blocks, check, printed

PAGE = "a\n```python\nx = 2\n```\nb\n```text\nno output of any code\n```\n```python\nprint(x + 1)\n```\n```text\n3\n```\n"


def test_blocks_are_found_with_their_outputs_and_lines() -> None:
    assert blocks(PAGE) == [Block("x = 2\n", "", 3), Block("print(x + 1)\n", "3\n", 10)]


def test_blocks_share_one_namespace() -> None:
    scope: dict[str, object] = {}
    assert [printed(b, scope, Path("page.md")) for b in blocks(PAGE)] == ["", "3\n"]


def test_a_page_that_shows_what_it_prints_passes_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    check(path, bless=False)
    check(path, bless=True)
    assert path.read_text() == PAGE


def test_another_output_is_refused_with_its_line_and_can_be_blessed(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE.replace("3\n```", "4\n```"))
    with pytest.raises(AssertionError, match=r"page.md, line 10 prints\n3"):
        check(path, bless=False)
    check(path, bless=True)
    assert path.read_text() == PAGE


def test_outputs_come_and_go_with_what_is_printed() -> None:
    assert blessed("```python\nprint(1)\n```\nb\n", Path("p.md")) == "```python\nprint(1)\n```\n```text\n1\n```\nb\n"
    assert blessed("```python\n1\n```\n```text\nold\n```\nb\n", Path("p.md")) == "```python\n1\n```\nb\n"


def test_the_source_of_a_function_is_found_in_its_block(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    defined, shown = "import inspect\ndef f():\n    return 3\n", "print(inspect.getsource(f))\n"
    path.write_text(f"It's text\n```python\n{defined}```\nmore (\n```python\n{shown}```\n```text\ndef f():\n    return 3\n```\n")
    check(path, bless=False)


def test_an_error_points_into_the_page() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        printed(Block("x = 1\nx / 0\n", "", 40), {}, Path("page.md"))
    assert caught.traceback[-1].lineno == 40  # counted from 0: line 41 of the page
