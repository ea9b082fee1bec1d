"""Every loop kernel of the case library, and random ones, on the CPU and on the interpreter, against NumPy."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies

import svod
from svod.codegen.pipeline import Context, lower
from svod.codegen.schedule import parse_opt
from svod.codegen.strategy import TUNING
from svod.config import CacheSettings
from svod.ir.interp import Interpreter
from svod.ir.machine import Frame
from svod.ir.ops import Op
from svod.testing.case import Case
from svod.testing.kernels import CASES
from svod.testing.random_effects import effect_case
from svod.testing.random_kernels import random_case
from svod.testing.random_products import random_product
from svod.testing.random_schedules import scheduled, with_opts

BLOCK = 100
RANDOM_KERNELS = 1600
RANDOM_SCHEDULES = 400
RANDOM_EFFECTS = 120
RANDOM_PRODUCTS = 150


@pytest.fixture(autouse=True)
def _the_first_schedule_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the default strategy chooses is never refused: here the pipeline does not fall back on something plainer."""

    def refused(sink: svod.UOp, chosen: svod.UOp, context: Context) -> None:
        assert sink.arg.opts is not None, f"the default schedule was refused: {' '.join(map(str, chosen.arg.opts))}"

    monkeypatch.setattr("svod.codegen.pipeline.plainer", refused)


@pytest.mark.devices("CPU")
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_case_spread_over_cores(device: svod.Device, name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even the smallest kernel, over more shares than there may be cores; nothing comes from a cache."""
    monkeypatch.setattr("svod.codegen.strategy.TUNING", replace(TUNING, parallel_work=0))
    case = CASES[name]()
    buffers = case.fresh()
    with svod.override(config=svod.Config(threads=threads), cache=CacheSettings(enabled=False)):
        program = device.compile(case.ast, name=f"spread{threads}")
    program.execute(buffers, case.vals)
    case.check(buffers)


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("name", CASES)
def test_case(device: svod.Device, name: str) -> None:
    case = CASES[name]()
    buffers = case.fresh()
    device.compile(case.ast).execute(buffers, case.vals)
    case.check(buffers)


@pytest.mark.devices("NULL")
@pytest.mark.parametrize("name", CASES)
def test_case_compiles_for_a_generic_cpu_and_writes_nothing(device: svod.Device, name: str) -> None:
    case = CASES[name]()
    buffers = case.fresh()
    device.compile(case.ast).execute(buffers, case.vals)
    assert all(np.array_equal(b, c, equal_nan=b.dtype.kind == "f") for b, c in zip(buffers, case.buffers, strict=True))


def check_random(device: svod.Device, seed: int) -> None:
    """One random kernel, bit for bit; the message is a reproducer."""
    case = random_case(seed)
    buffers = case.fresh()
    again = f"from svod.testing.random_kernels import random_case; random_case({seed})"
    device.compile(case.ast).execute(buffers, case.vals)
    want = case.expected[0]
    assert np.array_equal(buffers[0], want, equal_nan=want.dtype.kind == "f"), f"reproduce with: {again}"


@pytest.mark.devices("CPU")
@pytest.mark.parametrize("block", range(RANDOM_KERNELS // BLOCK))
def test_random_kernels(device: svod.Device, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if block % 2:  # every second block spreads even the smallest kernel over the cores
        monkeypatch.setattr("svod.codegen.strategy.TUNING", replace(TUNING, parallel_work=0))
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        check_random(device, seed)


@pytest.mark.devices("INTERP")
def test_random_kernels_interpreted(device: svod.Device) -> None:
    for seed in range(60):
        check_random(device, seed)


def check_product(device: svod.Device, seed: int) -> None:
    """One random product, bit for bit; the message is a reproducer."""
    case = random_product(seed)
    buffers = case.fresh()
    device.compile(case.ast).execute(buffers, case.vals)
    again = f"from svod.testing.random_products import random_product; random_product({seed})"
    assert np.array_equal(buffers[0], case.expected[0]), f"reproduce with: {again}"


@pytest.mark.devices("CPU")
@pytest.mark.parametrize("block", range(3))
def test_random_products(device: svod.Device, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if block == 1:
        monkeypatch.setattr("svod.codegen.strategy.TUNING", replace(TUNING, parallel_work=0))
    for seed in range(block, RANDOM_PRODUCTS, 3):
        check_product(device, seed)


@pytest.mark.devices("INTERP")
def test_random_products_interpreted(device: svod.Device) -> None:
    for seed in range(20):
        check_product(device, seed)


@pytest.mark.hypothesis
@pytest.mark.devices("CPU")
@given(seed=strategies.integers(RANDOM_PRODUCTS, 1 << 40))
def test_new_random_products(device: svod.Device, seed: int) -> None:
    check_product(device, seed)


class LastCoreFirst(Interpreter):
    """Runs the cores of a phase in the opposite order, which nothing may depend on; checks every access."""

    def items(self, launch: Frame, cores: int) -> Iterator[Frame]:
        return iter(list(super().items(launch, cores))[::-1])


def scheduled_case(seed: int) -> Case:
    """A random kernel: one whose order of effects matters, or, every fifth, a plain one."""
    return (random_case if seed % 5 == 4 else effect_case)(seed)


def _interpreted(linear: svod.UOp, buffers: list[np.ndarray], case: Case, cores: int) -> None:
    used = {v.arg.name for v in linear.find(Op.DEFINE_VAR)}
    vals = {name: v for name, v in case.vals.items() if name in used}
    LastCoreFirst(linear).run(buffers, vals, cores if "core_id" in used else 1)


def check_scheduled(device: svod.Device, seed: int) -> None:
    """One random kernel under a random schedule, bit for bit, interpreted and every fourth compiled; the message is a reproducer."""
    case, cores = scheduled_case(seed), 1 + seed % 3
    with svod.override(config=svod.Config(threads=cores), cache=CacheSettings(enabled=False)):
        context = Context(replace(device.target, cores=cores), svod.Config(threads=cores))
        opts, linear = scheduled(case.ast, context, seed)
        again = f"scheduled_case({seed}), {cores} cores, opts {[*map(str, opts)]}"
        runs = [case.fresh()]
        _interpreted(linear, runs[0], case, cores)
        if seed % 4 == 0:
            runs.append(case.fresh())
            device.compile(with_opts(case.ast, opts)).execute(runs[1], case.vals)
    for buffers in runs:
        for slot, want in case.expected.items():
            assert np.array_equal(buffers[slot], want, equal_nan=want.dtype.kind == "f"), f"reproduce with: {again}"


@pytest.mark.devices("CPU")
@pytest.mark.parametrize("block", range(RANDOM_SCHEDULES // BLOCK))
def test_random_schedules(device: svod.Device, block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        check_scheduled(device, seed)


@pytest.mark.devices("CPU")
def test_random_effects(device: svod.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default strategy keeps the order of effects, on any number of cores; every fourth kernel is compiled, the others interpreted."""
    monkeypatch.setattr("svod.codegen.strategy.TUNING", replace(TUNING, parallel_work=0))
    for seed in range(RANDOM_EFFECTS):
        case, cores = effect_case(seed), 1 + seed % 3
        buffers = case.fresh()
        with svod.override(config=svod.Config(threads=cores), cache=CacheSettings(enabled=False)):
            if seed % 4:
                context = Context(replace(device.target, cores=cores), svod.Config(threads=cores))
                _interpreted(lower(case.ast, context), buffers, case, cores)
            else:
                device.compile(case.ast).execute(buffers, case.vals)
        again = f"reproduce with: effect_case({seed}), {cores} cores"
        assert all(np.array_equal(buffers[k], want) for k, want in case.expected.items()), again


@pytest.mark.devices("INTERP")
def test_random_effects_interpreted(device: svod.Device) -> None:
    for seed in range(40):
        case = effect_case(seed)
        buffers = case.fresh()
        device.compile(case.ast).execute(buffers, case.vals)
        assert all(np.array_equal(buffers[k], want) for k, want in case.expected.items()), f"reproduce with: effect_case({seed})"


@pytest.mark.devices("CPU")
@pytest.mark.parametrize(("seed", "opts"), [
    (1000725, ("SPLIT(2 by 8 peel)", "SPLIT(2.0 by 5 peel)", "PAD(2.1 by 4)", "SPLIT(1 by 32 unit 2 balanced)")),
    (4001375, ("SPLIT(1 by 3 peel)", "SPLIT(0 by 8 mask)")),
], ids=str)  # fmt: skip
def test_schedules_that_were_wrong_once(device: svod.Device, seed: int, opts: tuple[str, ...]) -> None:
    """A store that is part of two loops of a peeled split; a gated load before a loop that may not run."""
    case = effect_case(seed)
    buffers = case.fresh()
    _interpreted(lower(with_opts(case.ast, tuple(map(parse_opt, opts))), Context(device.target, svod.Config())), buffers, case, 1)
    assert all(np.array_equal(buffers[slot], want) for slot, want in case.expected.items())


@pytest.mark.hypothesis
@pytest.mark.devices("CPU")
@given(seed=strategies.integers(RANDOM_SCHEDULES, 1 << 40))
def test_new_random_schedules(device: svod.Device, seed: int) -> None:
    check_scheduled(device, seed)


def test_a_failing_random_kernel_prints_its_reproducer() -> None:
    class Wrong:
        def compile(self, ast: svod.UOp) -> Wrong:
            return self

        def execute(self, buffers: list[np.ndarray], vals: object) -> None:
            buffers[0].view(np.uint8)[...] = 77

    with pytest.raises(AssertionError, match=r"random_case\(3\)"):
        check_random(Wrong(), 3)  # type: ignore[arg-type]
