"""When a kernel is made again, and when not: in the process and across processes."""
from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod.errors import KernelError
from svod.lang.kernels import Kernel, kernel

F32 = np.float32
FACTOR = 2.0


def helper(x: object) -> object:
    return x * 2.0  # type: ignore[operator]


def other_helper(x: object) -> object:
    return x * 3.0  # type: ignore[operator]


def outer_helper(x: object) -> object:
    return helper(x)


@kernel
def copies(out: sl.Array[sl.f32], a: sl.Array[sl.f32], n: sl.i32) -> None:
    i = sl.global_id(0)
    if i < n:
        out[i] = a[i]


@kernel
def shaped(out: sl.Array[sl.f32, 2]) -> None:
    i = sl.global_id(0)
    if i < out.shape[0] * out.shape[1]:
        out[i // out.shape[1], i % out.shape[1]] = sl.f32(i)


@kernel
def by_global(out: sl.Array[sl.f32]) -> None:
    out[0] = 1.0 * FACTOR


@kernel
def by_helper(out: sl.Array[sl.f32]) -> None:
    out[0] = outer_helper(out[1])


def run(k: Kernel) -> float:
    out = np.ones(2, F32)
    k[1, 1](out)
    k[1, 1](out)
    return float(out[0])


def test_a_thousand_sizes_are_one_kernel() -> None:
    k, s = kernel(copies.function), kernel(shaped.function)
    for n in range(1, 1001):
        a, out = np.arange(n, dtype=F32), np.zeros(n, F32)
        k[-(-n // 64), 64](out, a, n)
        assert np.array_equal(out, a)
        rows = np.zeros((n % 7 + 1, n % 11 + 1), F32)
        s[2, 64](rows)
        assert np.array_equal(rows.reshape(-1), np.arange(rows.size))
    assert (k.traces, s.traces) == (1, 1)
    assert len(k.variants()) == len(s.variants()) == 1


def test_types_and_sizes_of_blocks_are_kernels_of_their_own() -> None:
    @kernel
    def generic(out: sl.Array[sl.f32], n: sl.Constexpr = 1) -> None:
        out[sl.global_id(0)] = 1.0

    out = np.zeros(64, F32)
    seen = []
    for launch in (lambda: generic[1, 2](out), lambda: generic[1, 4](out), lambda: generic[1, (2, 2)](out),
                   lambda: generic.launch(out, threads=4, block=4), lambda: generic[1, 4](out, 2), lambda: generic.on("INTERP")[1, 4](out)):
        for _ in range(2):
            launch()
        seen.append(generic.traces)
    assert seen == [1, 2, 3, 4, 5, 6]


def test_settings_that_change_code_are_part_of_the_key() -> None:
    k = kernel(copies.function)
    a, out = np.ones(4, F32), np.zeros(4, F32)
    for _ in range(3):
        k[1, 4](out, a, 4)
        with svod.override(config=svod.Config(opt_level=1)):
            k[1, 4](out, a, 4)
            k[1, 4](out, a, 4)
    assert k.traces == 2


def test_a_changed_global_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    k = kernel(by_global.function)
    assert run(k) == 2
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert run(k) == 5
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    assert run(k) == 2
    assert k.traces == 2


def test_a_helper_that_was_replaced_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    k = kernel(by_helper.function)
    assert run(k) == 2
    monkeypatch.setitem(globals(), "helper", other_helper)
    assert run(k) == 3
    assert k.traces == 2


def test_a_helper_that_was_edited_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code changes, the function object stays: what reloading tools do."""
    k = kernel(by_helper.function)
    assert run(k) == 2
    monkeypatch.setattr(helper, "__code__", other_helper.__code__.replace(co_name="other_helper"))
    assert run(k) == 3


def test_a_helper_whose_defaults_changed_is_noticed() -> None:
    def times(x: object, factor: float = 2.0) -> object:
        return x * factor  # type: ignore[operator]

    @kernel
    def calls(out: sl.Array[sl.f32]) -> None:
        out[0] = times(out[1])

    assert run(calls) == 2
    times.__defaults__ = (6.0,)
    assert run(calls) == 6


def test_a_kernel_in_a_kernel_that_was_edited_is_noticed() -> None:
    @kernel
    def inner(out: sl.Array[sl.f32]) -> None:
        out[0] = 2.0

    @kernel
    def replacement(out: sl.Array[sl.f32]) -> None:
        out[0] = 3.0

    @kernel
    def calls(out: sl.Array[sl.f32]) -> None:
        inner(out)

    assert run(calls) == 2
    inner.function.__code__ = replacement.function.__code__
    assert run(calls) == 3
    inner = replacement
    assert run(calls) == 3
    assert calls.traces == 3


def test_a_name_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    k = kernel(by_global.function)
    assert run(k) == 2
    monkeypatch.delitem(globals(), "FACTOR")
    with pytest.raises(KernelError, match="FACTOR"):
        run(k)


def test_a_module_that_was_edited_and_run_again_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "edited.py"
    module = types.ModuleType("edited")

    def load(factor: float) -> None:
        source.write_text(f"def helper(x):\n    return x * {factor}\n{'# ' + str(factor)}\n")
        exec(compile(source.read_text(), str(source), "exec"), module.__dict__)

    load(2.0)

    @kernel
    def calls(out: sl.Array[sl.f32]) -> None:
        out[0] = module.helper(out[1])

    assert run(calls) == 2
    load(4.5)
    assert run(calls) == 4.5
    assert calls.traces == 2


def test_a_changed_closure_is_noticed() -> None:
    factor = 2.0

    @kernel
    def closes(out: sl.Array[sl.f32]) -> None:
        out[0] = out[1] * factor

    assert run(closes) == 2
    factor = 7.0
    assert run(closes) == 7
    assert closes.traces == 2


def test_a_list_that_was_changed_in_place_is_noticed() -> None:
    table = [1.0, 2.0]

    @kernel
    def sums(out: sl.Array[sl.f32]) -> None:
        out[0] = sum(table) * out[1]

    assert run(sums) == 3
    table.append(4.0)
    assert run(sums) == 7


def test_a_kernel_whose_code_was_replaced_is_noticed() -> None:
    def one(out: sl.Array[sl.f32]) -> None:
        out[0] = out[1] * 2.0

    def two(out: sl.Array[sl.f32]) -> None:
        out[0] = out[1] * 3.0

    k = kernel(one)
    assert run(k) == 2
    one.__code__ = two.__code__
    assert run(k) == 3


PROGRAM = """
    import sys
    import numpy as np
    import svod
    import svod.lang as sl
    from svod.device.device import disk_cache

    @sl.kernel
    def add(a: sl.Array[sl.f32], b: sl.Array[sl.f32], out: sl.Array[sl.f32], n: sl.i32):
        i = sl.global_id(0)
        if i < n:
            out[i] = a[i] + b[i] * FACTOR

    a, b, out = np.arange(100, dtype=np.float32), np.ones(100, np.float32), np.zeros(100, np.float32)
    add[4, 32](a, b, out, 100)
    assert np.array_equal(out, a + FACTOR)
    stats = disk_cache().stat()
    print(stats.hits, stats.misses)
"""


def test_a_second_process_finds_the_compiled_kernel(tmp_path: Path) -> None:
    script, factor = tmp_path / "program.py", "FACTOR = 1\n"
    told = []
    for text in (factor, factor, "FACTOR = 2\n"):
        script.write_text(text + textwrap.dedent(PROGRAM))
        env = os.environ | {"SVOD_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, check=True, timeout=120)
        told.append([int(x) for x in done.stdout.split()])
    first, second, third = told
    assert first[1] > 0
    assert second[1] == 0
    assert second[0] > 0
    assert third[1] == 1
