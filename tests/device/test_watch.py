"""SVOD_DEBUG and SVOD_DUMP: they show what a compilation did, and change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import svod
import svod.lang as sl
from svod import Device, UOp, dtypes
from svod.codegen.pipeline import PIPELINE, Context, Stage
from svod.codegen.simt import THREAD_PIPELINE
from svod.config import CacheSettings, Debug
from svod.device.watch import listening
from svod.errors import ConfigError, ScheduleError
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


def test_a_refused_schedule_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """That the strategy chose what a later stage refuses is an error in svod: nobody waits for it in vain, and it is not silent."""

    def refuse(sink: UOp, context: Context) -> UOp:
        if sink.arg.opts:
            raise ScheduleError(f"{sink.arg.opts[0]} is refused for this test")
        return sink

    at = 1 + [s.name for s in PIPELINE].index("choose-schedule")
    monkeypatch.setattr("svod.codegen.pipeline.PIPELINE", (*PIPELINE[:at], Stage("refuse", "a stage of this test", refuse), *PIPELINE[at:]))
    with svod.override(debug=Debug(debug=1), cache=CacheSettings(enabled=False)):
        Device("CPU").compile(kernel("refused"))
    text = capsys.readouterr().err
    assert "the schedule was refused: SPLIT(0" in text
    assert "is refused for this test" in text
    assert text.rstrip().endswith("schedule: none")


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


@sl.kernel
def scaled(a: sl.Array[sl.f32], by: sl.Constexpr[float]) -> None:
    a[sl.global_id()] *= sl.exp(by * a[0])


def test_stages_of_thread_kernels_are_dumped_also_of_what_is_cached(tmp_path: Path) -> None:
    for run in ("first", "second"):
        dump = Debug(dump=tmp_path / run)
        with svod.override(debug=dump, cache=CacheSettings(True, tmp_path / "cache")):
            Device.of(Device("CPU").backend).compile(sl.kernel(scaled.function).compile(sl.Array[sl.f32], 2.5).trace.threads)
        folders = [p for p in (tmp_path / run).iterdir() if p.is_dir()]
        assert folders
        for folder in folders:
            assert folder.name.endswith("-scaled")
            assert sorted(p.name for p in folder.iterdir()) == [f"{k:02}-{s.name}.txt" for k, s in enumerate(THREAD_PIPELINE)]


def test_a_listener_is_told_in_place_of_what_the_settings_show(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    with svod.override(debug=Debug(debug=2)), listening(lambda stage, result, seconds: seen.append(stage.name)):
        Device("CPU").renderer.render(kernel("told"))
    assert seen == [s.name for s in PIPELINE]
    assert not capsys.readouterr().err
