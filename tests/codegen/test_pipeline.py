"""The pipeline as data: names, cutting, listening; what every stage gives is a value that prints and parses back."""
from __future__ import annotations

import re

import pytest

from svod import Config, UOp
from svod.codegen.pipeline import PIPELINE, Context, Stage, lower
from svod.errors import ConfigError, GraphError
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
