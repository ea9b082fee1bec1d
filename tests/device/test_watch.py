"""SVOD_DEBUG and SVOD_DUMP: they show what a compilation did, and change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import svod
from svod import Device, UOp, dtypes
from svod.codegen.pipeline import PIPELINE
from svod.config import CacheSettings, Debug
from svod.errors import ConfigError
from svod.ir.text import parse, to_text


def kernel(name: str) -> UOp:
    out, a, n = UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="a"), svod.Variable("n", 1, 100)
    i = UOp.range(n.bind(7), 0)
    return UOp.sink(out[i].store(a[i].load() + 1.0), name=name)


def test_every_stage_and_the_source_are_dumped(tmp_path: Path) -> None:
    with svod.override(debug=Debug(dump=tmp_path), cache=CacheSettings(enabled=False)):
        program = Device("CPU").compile(kernel("dumped"))
    (folder,) = [p for p in tmp_path.iterdir() if p.is_dir()]
    assert folder.name.endswith("-dumped")
    assert sorted(p.name for p in folder.iterdir()) == [f"{k:02}-{s.name}.txt" for k, s in enumerate(PIPELINE)]
    assert (tmp_path / "dumped.ll").read_text(encoding="utf-8") == program.source
    first = (folder / "00-check-kernel.txt").read_text(encoding="utf-8")
    assert to_text(parse(first)) == first.rstrip("\n")


@pytest.mark.parametrize(
    ("level", "shown", "hidden"),
    [
        (0, (), ("svod:",)),
        (1, ("schedule: SPLIT(0",), ("nodes", "define")),
        (2, ("linearize: ", " nodes"), ("define",)),
        (4, ("define internal void",), ()),
    ],
)
def test_debug_levels(capsys: pytest.CaptureFixture[str], level: int, shown: tuple[str, ...], hidden: tuple[str, ...]) -> None:
    with svod.override(debug=Debug(debug=level), cache=CacheSettings(enabled=False)):
        Device("CPU").compile(kernel(f"level{level}"))
    text = capsys.readouterr().err
    assert all(s in text for s in shown)
    assert not any(h in text for h in hidden)


def test_a_bind_stands_for_its_variable() -> None:
    program = Device("CPU").compile(kernel("bound"))
    assert program.var_names == ("n",)


@pytest.mark.parametrize("place", ["a_file", "a_file/below"])
def test_a_folder_that_cannot_be_written_is_a_config_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "a_file").write_text("not a folder")
    with (
        svod.override(debug=Debug(dump=tmp_path / place), cache=CacheSettings(enabled=False)),
        pytest.raises(ConfigError, match=r"SVOD_DUMP: .* cannot be written(.|\n)*hint: name a directory"),
    ):
        Device("CPU").compile(kernel(f"nowhere{len(place)}"))
