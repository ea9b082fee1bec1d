"""Every loop kernel of the case library, and random ones, on the CPU and on the interpreter, against NumPy."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import svod
from svod.codegen.strategy import TUNING
from svod.config import CacheSettings
from svod.testing.kernels import CASES
from svod.testing.random_kernels import random_case

BLOCK = 100
RANDOM_KERNELS = 2000


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


def test_a_failing_random_kernel_prints_its_reproducer() -> None:
    class Wrong:
        def compile(self, ast: svod.UOp) -> Wrong:
            return self

        def execute(self, buffers: list[np.ndarray], vals: object) -> None:
            buffers[0].view(np.uint8)[...] = 77

    with pytest.raises(AssertionError, match=r"random_case\(3\)"):
        check_random(Wrong(), 3)  # type: ignore[arg-type]
