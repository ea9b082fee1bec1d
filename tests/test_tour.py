"""docs/tour.md says what is true: its code runs, in order and in one namespace, and prints what the page shows.

Owns: the reading of the page. With --bless the outputs on the page become what the code prints now.
Invariant: a block that prints has its output below it, a block that does not has none.
"""
from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

TOUR = Path(__file__).parent.parent / "docs" / "tour.md"
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:```text\n(?P<output>.*?)^```\n)?", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Python on the page, what the page says it prints, and where its code begins."""

    code: str
    output: str
    line: int


def blocks(page: str) -> list[Block]:
    """The Python blocks of a page, in order."""
    return [Block(m["code"], m["output"] or "", page.count("\n", 0, m.start("code")) + 1) for m in BLOCK.finditer(page)]


def printed(block: Block, scope: dict[str, object]) -> str:
    """What the code prints, without spaces at the ends of lines; errors point to the line of the page."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile("\n" * (block.line - 1) + block.code, str(TOUR), "exec"), scope)
    lines = [line.rstrip() for line in told.getvalue().rstrip("\n").splitlines()]
    return "".join(f"{line}\n" for line in lines)


def blessed(page: str) -> str:
    """The page with the outputs that its code prints now."""
    scope: dict[str, object] = {"__name__": "tour"}
    outputs = iter([printed(block, scope) for block in blocks(page)])

    def with_output(m: re.Match[str]) -> str:
        output = next(outputs)
        return f"```python\n{m['code']}```\n" + (f"```text\n{output}```\n" if output else "")

    return BLOCK.sub(with_output, page)


@pytest.mark.devices("CPU", "INTERP", "NULL")
def test_the_tour_prints_what_it_shows(request: pytest.FixtureRequest) -> None:
    page = TOUR.read_text(encoding="utf-8")
    if request.config.getoption("--bless"):
        TOUR.write_text(blessed(page), encoding="utf-8")
        return
    scope: dict[str, object] = {"__name__": "tour"}
    for block in blocks(page):
        assert printed(block, scope) == block.output, f"docs/tour.md, line {block.line}; if the new output is right, run make bless"


def test_every_block_of_the_tour_is_read() -> None:
    page = TOUR.read_text(encoding="utf-8")
    assert page.count("```python\n") == len(blocks(page)) > 20
    assert page.count("```text\n") == sum(bool(b.output) for b in blocks(page)), "an output below no code"
    assert page.count("\n```") == 2 * page.count("```python\n") + 2 * page.count("```text\n"), "a block that is neither python nor text"


def test_a_block_that_prints_something_else_is_found() -> None:
    page = "a\n```python\nx = 2\n```\nb\n```python\nprint(x + 1)\n```\n```text\n4\n```\n"
    first, second = blocks(page)
    assert (first.line, first.output, second.line, second.output) == (3, "", 7, "4\n")
    scope: dict[str, object] = {}
    assert [printed(first, scope), printed(second, scope)] == ["", "3\n"]
    assert blessed(page) == page.replace("4\n", "3\n")


def test_an_error_points_into_the_page() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        printed(Block("x = 1\nx / 0\n", "", 40), {})
    assert caught.traceback[-1].lineno == 40  # counted from 0: line 41 of the page
