"""Random thread kernels: the CPU gives what the interpreter gives, bit for bit, however groups are cut into vectors and regions."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import svod
from svod.codegen.simt import lower as mapping
from svod.config import CacheSettings
from svod.testing.random_threads import random_thread_case

BLOCK = 20
"""Kernels of one test."""


def agrees(seed: int) -> None:
    """Runs the kernel of `seed` on both devices."""
    case = random_thread_case(seed)
    wanted, got = ([b.copy() for b in case.buffers] for _ in range(2))
    svod.Device("INTERP").compile(case.threads).execute(wanted, case.values)
    svod.Device("CPU").compile(case.threads).execute(got, case.values)
    for a, b in zip(wanted, got, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=f"seed {seed}")


@pytest.mark.parametrize("first", range(0, 80, BLOCK))
def test_random_kernels(first: int) -> None:
    for seed in range(first, first + BLOCK):
        agrees(seed)


@pytest.mark.parametrize("first", range(1000, 1020, BLOCK))
def test_random_kernels_region_by_region(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "LOCKSTEP", 0)
    with svod.override(cache=CacheSettings(enabled=False)):
        for seed in range(first, first + BLOCK):
            agrees(seed)


@pytest.mark.parametrize(("bits", "threads"), [(128, 1), (256, 3)])
def test_random_kernels_in_narrower_vectors(bits: int, threads: int) -> None:
    with svod.override(config=svod.Config(vector_bits=bits, threads=threads), cache=CacheSettings(enabled=False)):
        for seed in range(2000, 2000 + BLOCK):
            agrees(seed)


@given(seed=st.integers(10_000, 1 << 40))
def test_new_random_kernels(seed: int) -> None:
    agrees(seed)
