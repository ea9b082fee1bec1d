"""Where a multiply and an add become one rounding, and what is refused for now."""
from __future__ import annotations

import numpy as np
import pytest

import svod
from svod import Config, Device, UOp, dtypes
from svod.config import CacheSettings
from svod.errors import UnsupportedError

A, B, C = np.float32(1 + 2**-12), np.float32(1 + 2**-12), np.float32(-1)


def run(contract: str, ast: UOp, buffers: list[np.ndarray]) -> None:
    with svod.override(config=Config(contract=contract), cache=CacheSettings(enabled=False)):
        Device("CPU").compile(ast).execute(buffers)


def elementwise() -> UOp:
    out, a, b, c = (UOp.param(k, dtypes.f32, name=s) for k, s in enumerate(("out", "a", "b", "c")))
    i = UOp.range(20, 0)
    return UOp.sink(out[i].store(a[i].load() * b[i].load() + c[i].load()), name="axpy")


@pytest.mark.parametrize(("contract", "fused"), [("off", False), ("reductions", False), ("all", True)])
def test_elementwise_products_are_fused_only_on_request(contract: str, fused: bool) -> None:
    arrays = [np.zeros(20, np.float32), *(np.full(20, v, np.float32) for v in (A, B, C))]
    run(contract, elementwise(), arrays)
    once = np.float32(np.float64(A) * np.float64(B) + np.float64(C))
    assert once != A * B + C
    assert (arrays[0] == (once if fused else A * B + C)).all()


@pytest.mark.parametrize(("contract", "fused"), [("off", False), ("reductions", True), ("all", True)])
def test_products_in_sums(contract: str, fused: bool) -> None:
    out, a, i = UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="a"), UOp.range(2, 0)
    x = np.array([A, 1], np.float32)
    got = np.zeros(1, np.float32)
    w = i.eq(0).where(UOp.const(float(A), dtypes.f32), -1.0)
    run(contract, UOp.sink(out[0].store((a[i].load() * w).sum(i)), name="dot2"), [got, x])
    # 0 + A * A, then - 1: only the second product could show the difference, and it is exact, so the order decides
    exact = np.float64(A) * np.float64(A) - 1
    assert abs(float(got[0]) - exact) < 1e-6
    program = Device("CPU").compile(UOp.sink(out[0].store((a[i].load() * w).sum(i)), name=f"dot2_{contract}"))
    assert program.name == f"dot2_{contract}"
    with svod.override(config=Config(contract=contract)):
        assert ("llvm.fma" in Device("CPU").renderer.render(UOp.sink(out[0].store((a[i].load() * w).sum(i)), name="d")).src) is fused


def test_checks_that_the_cpu_does_not_have_are_refused() -> None:
    with svod.override(config=Config(check=frozenset(("bounds",)))):
        with pytest.raises(UnsupportedError, match=r"no run-time checks for bounds(.|\n)*INTERP"):
            Device("CPU").compile(elementwise())
        Device("INTERP").compile(elementwise())
