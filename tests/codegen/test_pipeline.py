"""The pipeline as data: names, cutting, listening; what every stage gives is a value that prints and parses back."""
from __future__ import annotations

import re

import pytest

from svod import Config, UOp
from svod.codegen.pipeline import PIPELINE, Context, Stage, lower
from svod.codegen.schedule import OptKind, parse_opt
from svod.errors import ConfigError, GraphError, ScheduleError
from svod.ir.args import KernelInfo
from svod.ir.ops import Op
from svod.ir.spec import LINEAR, verify
from svod.ir.text import parse, to_text
from svod.target import REFERENCE, Target
from svod.testing.kernels import CASES, axes, p

NAMES = [s.name for s in PIPELINE]
KERNELS = ("softmax", "matmul_odd", "prefix_sum", "two_passes_through_memory", "stencil_guarded", "work_item_ids", "empty_reduction")


@pytest.fixture(params=["cpu", "reference"])
def context(request: pytest.FixtureRequest, cpu4: Target) -> Context:
    return Context(cpu4 if request.param == "cpu" else REFERENCE, Config(threads=2))


def add() -> UOp:
    (i,) = axes(40)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + 1.0), name="add")


def test_names_are_unique_and_in_kebab_case() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", n) for n in NAMES)


def test_every_stage_says_why_it_exists() -> None:
    assert all(len(s.why) > 20 for s in PIPELINE)
    assert len({s.why for s in PIPELINE}) == len(PIPELINE)


@pytest.mark.parametrize("name", NAMES)
def test_stop_after_ends_with_the_stage(context: Context, name: str) -> None:
    heard: list[str] = []
    given: list[UOp] = []

    def listen(stage: Stage, result: UOp, seconds: float) -> None:
        heard.append(stage.name)
        given.append(result)
        assert seconds >= 0

    out = lower(add(), context, stop_after=name, listen=listen)
    assert heard == NAMES[:NAMES.index(name) + 1]
    assert given[-1] is out
    assert (out.op is Op.LINEAR) is (name == "linearize")


def refusing(monkeypatch: pytest.MonkeyPatch, kinds: set[OptKind]) -> None:
    """Puts a stage into the pipeline that takes no Opt of `kinds`."""

    def refuse(sink: UOp, context: Context) -> UOp:
        if bad := [o for o in sink.arg.opts if o.kind in kinds]:
            raise ScheduleError(f"{bad[0]} is not to my taste")
        return sink

    at = NAMES.index("apply-schedule")
    picky = (*PIPELINE[:at], Stage("refuse", "a stage for this test", refuse), *PIPELINE[at:])
    monkeypatch.setattr("svod.codegen.pipeline.PIPELINE", picky)


def transposed() -> UOp:
    i, j = axes(512, 512)
    return UOp.sink(p(0, "out")[i * 512 + j].store(p(1, "a")[j * 512 + i].load()), name="transposed")


def stages_of(sink: UOp, cpu: Target) -> tuple[list[Stage], list[list[str]]]:
    """The stages that a listener hears of, and the schedules that were chosen."""
    heard: list[Stage] = []
    schedules: list[list[str]] = []

    def listen(stage: Stage, result: UOp, seconds: float) -> None:
        heard.append(stage)
        if stage.name.startswith("choose-"):
            schedules.append([o.kind.name for o in result.arg.opts])

    assert lower(sink, Context(cpu, Config(threads=2)), listen=listen).op is Op.LINEAR
    return heard, schedules


def test_a_refused_default_schedule_gives_way_to_plainer_ones(cpu4: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, {OptKind.UNROLL, OptKind.PARALLEL})
    heard, schedules = stages_of(transposed(), cpu4)
    again = [s for s in heard if s.name == "choose-plainer"]
    assert len(schedules) == len(again) + 1 > 1
    assert "is not to my taste" in again[0].why
    assert {"UNROLL", "PARALLEL"} & set(schedules[0])
    assert not {"UNROLL", "PARALLEL"} & set(schedules[-1])


def test_the_plainest_schedule_is_none(cpu4: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, set(OptKind))
    assert stages_of(transposed(), cpu4)[1][-1] == []


def test_opts_of_the_user_are_never_replaced(cpu4: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, {OptKind.VECTOR})
    ast = add().replace(arg=KernelInfo("add", (parse_opt("SPLIT(0 by 8)"), parse_opt("VECTOR(0.1)"))))
    with pytest.raises(ScheduleError, match="not to my taste"):
        lower(ast, Context(cpu4, Config(threads=2)))


def test_an_unknown_stage_is_refused(context: Context) -> None:
    with pytest.raises(ConfigError, match="no stage is called 'fly'") as e:
        lower(add(), context, stop_after="fly")
    assert all(n in e.value.hint for n in NAMES)


def test_a_malformed_kernel_is_refused_by_the_first_stage(context: Context) -> None:
    (i,) = axes(4)
    with pytest.raises(GraphError):
        lower(UOp.sink(p(0, "out")[i].load()), context, stop_after="check-kernel")


@pytest.mark.parametrize("name", KERNELS)
def test_every_result_prints_and_parses_back(context: Context, name: str) -> None:
    results: list[UOp] = []
    lower(CASES[name]().ast, context, listen=lambda stage, result, seconds: results.append(result))
    assert len(results) == len(PIPELINE)
    for result in results:
        assert parse(to_text(result)) is result


@pytest.mark.parametrize("name", KERNELS)
def test_stages_can_be_run_one_by_one_from_text(context: Context, name: str) -> None:
    """What a stage does depends on what it is given, and on nothing that the stages before it remember."""
    ast = CASES[name]().ast
    value = ast
    for stage in PIPELINE:
        value = stage.run(parse(to_text(value)), context)
    assert value is lower(ast, context)
    verify(value, LINEAR)


@pytest.mark.parametrize("name", KERNELS)
def test_lowering_twice_gives_the_same_program(context: Context, name: str) -> None:
    assert lower(CASES[name]().ast, context) is lower(CASES[name]().ast, context)
