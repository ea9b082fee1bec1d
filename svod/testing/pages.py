"""Pages whose Python runs: the blocks of code of a Markdown file, and the text each is shown to print.

Owns: how such a page is read, run and rewritten. Must not know any page.
Invariant: blocks run in order and in one namespace; a block that prints has its output below it, a block that does not has none.
"""
from __future__ import annotations

import contextlib
import io
import linecache
import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:```text\n(?P<output>.*?)^```\n)?", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """Python on a page, what the page says it prints, and the line where its code begins."""

    code: str
    output: str
    line: int


def blocks(page: str) -> list[Block]:
    """The Python blocks of a page, in order."""
    return [Block(m["code"], m["output"] or "", page.count("\n", 0, m.start("code")) + 1) for m in BLOCK.finditer(page)]


def printed(block: Block, scope: dict[str, object], path: Path) -> str:
    """What the code prints, without spaces at the ends of lines; the tracebacks of errors name the line of the page."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile("\n" * (block.line - 1) + block.code, str(path), "exec"), scope)
    return "".join(f"{line.rstrip()}\n" for line in told.getvalue().rstrip("\n").splitlines())


def _scope(page: str, path: Path) -> dict[str, object]:
    """The namespace of a page. From here on `inspect` finds the functions of its blocks: kernels are traced from their source."""
    lines = [""] * page.count("\n")
    for block in blocks(page):
        code = block.code.splitlines()
        lines[block.line - 1 : block.line - 1 + len(code)] = code
    linecache.cache[str(path)] = (len(page), None, [f"{line}\n" for line in lines], str(path))
    return {"__name__": path.stem}


def blessed(page: str, path: Path) -> str:
    """The page with the outputs that its code prints now."""
    scope = _scope(page, path)
    outputs = iter([printed(block, scope, path) for block in blocks(page)])

    def with_output(m: re.Match[str]) -> str:
        output = next(outputs)
        return f"```python\n{m['code']}```\n" + (f"```text\n{output}```\n" if output else "")

    return BLOCK.sub(with_output, page)


def check(path: Path, *, bless: bool) -> None:
    """Runs the page. AssertionError, naming the line, if a block prints something else than is shown; `bless` rewrites the page instead."""
    page = path.read_text(encoding="utf-8")
    if bless:
        path.write_text(blessed(page, path), encoding="utf-8")
        return
    scope = _scope(page, path)
    for block in blocks(page):
        said = printed(block, scope, path)
        if said != block.output:
            raise AssertionError(f"{path.name}, line {block.line} prints\n{said}\nif that is right, run make bless")
