"""The generated pages say what the code says, the same everywhere, and show everything there is to show."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from svod import lang
from svod.codegen.math import BOUNDS
from svod.codegen.pipeline import PIPELINE
from svod.codegen.schedule import OptKind
from svod.codegen.simt import THREAD_PIPELINE
from svod.errors import ConfigError
from svod.ir.ops import Op
from svod.ir.rules import SIMPLIFY
from svod.ir.spec import KERNEL, LINEAR
from svod.tools.docs import DOCS, EXAMPLES, PAGES, main, stale, write


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    path = DOCS / name
    if not path.exists() or path.read_text(encoding="utf-8") != PAGES[name]():
        pytest.fail(f"docs/{name} does not say what the code says now\nhint: run make docs, and read the diff", pytrace=False)


def test_pages_are_the_same_in_every_process() -> None:
    code = "import zlib; from svod.tools.docs import PAGES; print([zlib.crc32(made().encode()) for made in PAGES.values()])"
    told = {subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed, "SVOD_NUM_THREADS": seed},
                           capture_output=True, text=True, check=True).stdout for seed in ("1", "2")}
    assert len(told) == 1


def test_every_op_stage_opt_function_clause_and_rule_is_shown() -> None:
    rows = {name: re.findall(r"^\| (?:\d+ \| )?[*`]+([\w-]+)[*`]+ \|", made(), flags=re.MULTILINE) for name, made in PAGES.items()}
    assert rows["ops.md"] == [op.name for op in Op]
    assert rows["stages.md"] == [s.name for s in (*PIPELINE, *THREAD_PIPELINE)]
    assert sorted(rows["math.md"]) == sorted(key.name.lower() if isinstance(key, Op) else key for key in BOUNDS)
    assert {c.name for s in (KERNEL, LINEAR) for c in s.clauses} <= set(rows["specs.md"])
    assert re.findall(r"^### ([A-Z]+)$", PAGES["opts.md"](), flags=re.MULTILINE) == [k.name for k in OptKind]
    assert set(EXAMPLES) == set(OptKind)
    listed = re.findall(r"^(?:\+ )?(\w+)$", PAGES["rules.md"](), flags=re.MULTILINE)
    assert listed[:len(SIMPLIFY.rules)] == [r.name for r in SIMPLIFY.rules]
    names = re.findall(r"^\| `(\w+)", PAGES["builtins.md"](), flags=re.MULTILINE)
    assert sorted(names) == sorted(lang.HOME)
    assert "safe_quotient" in listed[len(SIMPLIFY.rules):]


def test_rows_have_as_many_cells_as_their_heads() -> None:
    for name, made in PAGES.items():
        for part in re.findall(r"(?:^\|.*\n)+", made(), flags=re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in part.splitlines()}
            assert len(widths) == 1, f"{name}: {part.splitlines()[0]}"


def test_only_refused_opts_are_shown_as_errors() -> None:
    assert re.findall(r"^(\w+Error): (\w+)", PAGES["opts.md"](), flags=re.MULTILINE) == [("ScheduleError", "MMA")]


def test_stale_pages_are_written_and_no_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stale(tmp_path) == list(PAGES)
    assert write(tmp_path) == [tmp_path / name for name in PAGES]
    assert stale(tmp_path) == []
    (tmp_path / "stages.md").write_text("old")
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'stages.md'}\nall pages are up to date\n"


def test_without_a_checkout_there_is_nothing_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        write(tmp_path / "docs")
    assert main([str(tmp_path / "docs")]) == 1
    assert "make docs" in capsys.readouterr().err
