"""The CC device: it runs what the CPU runs, by the same road (tests/testing/conformance has the op table, loop kernels, the gallery)."""
from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import svod
from svod import UOp, dtypes
from svod.codegen.decompose import unsupported
from svod.config import CacheSettings
from svod.device.cc.backend import target_of
from svod.device.cc.compiler import system_compiler
from svod.errors import ArgumentError, LaunchError
from svod.testing.kernels import axes, p
from svod.testing.random_effects import effect_case
from svod.testing.random_kernels import random_case
from svod.testing.random_threads import random_thread_case
from svod.testing.threads import Threads

pytestmark = pytest.mark.devices("CC")


@pytest.mark.parametrize("make", [random_case, effect_case])
def test_random_kernels(device: svod.Device, make: object) -> None:
    for seed in range(12):
        case = make(seed)  # type: ignore[operator]
        buffers = case.fresh()
        device.compile(case.ast).execute(buffers, case.vals)
        case.check(buffers)


@pytest.mark.parametrize("bits", [512, 256, 128])
def test_random_thread_kernels(device: svod.Device, bits: int) -> None:
    """Vectors of each width; those beyond a register are arrays."""
    with svod.override(config=svod.Config(vector_bits=bits), cache=CacheSettings(enabled=False)):
        for seed in range(3000, 3005):
            case = random_thread_case(seed)
            wanted, got = ([b.copy() for b in case.buffers] for _ in range(2))
            svod.Device("INTERP").compile(case.threads).execute(wanted, case.values)
            device.compile(case.threads).execute(got, case.values)
            for a, b in zip(wanted, got, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"random_thread_case({seed})")


def scaled() -> UOp:
    (i,) = axes(64)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() * 2.0), name="scaled")


def test_the_fast_path_is_taken_and_checks(device: svod.Device) -> None:
    program = device.compile(scaled())
    a, out = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    assert program.launcher is not None
    assert program.launcher(out, a)
    assert (out == 2 * a).all()
    assert not program.launcher(out[:5], a)
    with pytest.raises(ArgumentError, match="out"):
        program(out[:5], a)


def test_source_and_assembly(device: svod.Device) -> None:
    program = device.compile(scaled())
    assert "// kernel 'scaled': f32* out (out), f32* a (in)" in program.source
    assert "entry:" in program.asm


def test_a_second_process_finds_the_object(tmp_path: object) -> None:
    code = """
import svod
from svod.device.cc import compiler
made = []
build = compiler.SystemCompiler.compile
compiler.SystemCompiler.compile = lambda *a: made.append(1) or build(*a)
from svod.testing.kernels import CASES
svod.Device("CC").compile(CASES["vector_add"]().ast)
print(len(made))
"""
    environment = os.environ | {"SVOD_CACHE_DIR": str(tmp_path), "SVOD_CACHE": "1"}
    said = [subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=True).stdout.strip()
            for _ in range(2)]
    assert said == ["1", "0"]


def test_print_and_assert(device: svod.Device, capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(2, 1, 1))
    x = k.let(k.thread().cast(dtypes.f32) * 0.1)
    k.print('100% "{}" {} {}\\', k.thread(), x, k.thread() < 1)
    k.check(k.thread() < 1, "item {} of {}", k.thread(), x)
    with pytest.raises(LaunchError, match=r"assertion failed: item 1 of 0\.1"):
        device.compile(k.kernel())(_grid_x=1, _grid_y=1, _grid_z=1)
    assert capfd.readouterr().out.splitlines() == ['100% "0" 0.0 True\\', '100% "1" 0.1 False\\']


def test_floats_are_spelled_as_the_interpreter_does(device: svod.Device, capfd: pytest.CaptureFixture[str]) -> None:
    values = np.array([0.0, -0.0, 1e16, 1e-5, 123456.78, 3.4e38, np.nan, np.inf, -np.inf, 1e15], np.float32)
    k = Threads(block=(1, 1, 1))
    with k.for_(0, len(values)) as i:
        k.print("{}", k.load(p(0, "a"), i))
    said = []
    for d in (device, svod.Device("INTERP")):
        d.compile(k.kernel())(values, _grid_x=1, _grid_y=1, _grid_z=1)
        said.append(capfd.readouterr().out)
    assert said[0] == said[1]


def test_a_target_without_f16_conversions_or_fma_has_them_emulated() -> None:
    bare = target_of(replace(system_compiler(), features=frozenset()))
    assert (bare.fma, bare.vector_bits, dtypes.f16 in bare.storage) == (False, 128, False)
    half = p(0, "h", dtypes.f16)[UOp.range(4, 0)].load().cast(dtypes.f32)
    assert unsupported(half, bare)
    assert not unsupported(half, target_of(replace(system_compiler(), features=frozenset(("__F16C__", "__AVX__")))))
