"""Docstrings as Markdown: what is escaped, what is found."""
from __future__ import annotations

from enum import Enum

import svod.tools.markdown as module
from svod.tools.markdown import attribute_docs, block, invariant, members, paragraphs, prose, table


class Kind(Enum):
    """Two kinds."""

    ONE = "one"
    """The first of
    two."""
    TWO: str = "two"


def test_prose_escapes_what_markdown_would_read_but_not_code() -> None:
    assert prose("a * b\n  < [0, n) and `a * b`") == r"a \* b \< \[0, n) and `a * b`"


def test_bars_in_cells_do_not_end_them() -> None:
    assert table(("x", "y"), [("a | b", "c")]) == "| x | y |\n| --- | --- |\n| a \\| b | c |"


def test_a_block_is_kept_as_it_is() -> None:
    assert block("a * b") == "```text\na * b\n```"


def test_the_strings_below_names_are_found() -> None:
    assert attribute_docs(Kind) == {"ONE": "The first of two."}
    assert members(Kind) == "- `one`: The first of two.\n- `two`"


def test_the_docstring_of_a_module_is_read_in_parts() -> None:
    first, second = paragraphs(module)
    assert first.startswith("Docstrings as Markdown")
    assert second.startswith("Owns:")
    assert invariant(module) == "Text comes out as it reads in the source, whatever signs it holds."
