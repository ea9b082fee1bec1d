"""What the kernels of this folder have in common: their list, how a result is compared, what a benchmark of one consists of.

Owns: KERNELS, `load`, `agree`, `random`, `Bench`. Must not know what a kernel computes.
Invariant: every file here but this one and run.py is a module with `check(device)` and `bench(device)`.
"""
from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

HERE = Path(__file__).parent


def _title(path: Path) -> str:
    """The first line of a file's text."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


KERNELS: dict[str, str] = {p.stem: _title(p) for p in sorted(HERE.glob("*.py")) if p.stem not in ("gallery", "run")}
"""name -> what it computes: the files here, and the first line of each."""


def load(name: str) -> ModuleType:
    """The module of a kernel. KeyError, with the names there are, if there is none."""
    if name not in KERNELS:
        raise KeyError(f"no kernel is called {name!r}; there are {', '.join(KERNELS)}")
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return importlib.import_module(name)


def agree(got: Any, want: Any, what: str = "", rtol: float = 1e-5, atol: float = 1e-5, differ: float = 0.0) -> None:
    """AssertionError unless shapes are equal and elements are, to within rtol × their size + atol × the greatest. Integers: exactly.

    `got` and `want` are arrays, or tuples of as many arrays. `differ` is the share of the elements that may be off all the same.
    """
    if isinstance(want, tuple):
        for k, (part, wanted) in enumerate(zip(got, want, strict=True)):
            agree(part, wanted, f"{what} [{k}]", rtol, atol, differ)
        return
    assert got.shape == want.shape, f"{what}: the shape is {got.shape} instead of {want.shape}"
    if np.issubdtype(want.dtype, np.floating):
        finite = np.abs(want[np.isfinite(want)])
        slack = {"rtol": rtol, "atol": atol * float(finite.max(initial=0))}
    else:
        slack = {"rtol": 0, "atol": 0}
    if differ == 0 or np.mean(~np.isclose(got, want, equal_nan=True, **slack)) > differ:
        np.testing.assert_allclose(got, want, err_msg=what, **slack)


def random(*shape: int, low: float = -1.0, high: float = 1.0, dtype: Any = np.float32, seed: int = 0) -> Array:
    """Uniform numbers in [low, high), always the same ones."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(dtype)


@dataclass(frozen=True, slots=True)
class Bench:
    """One row of benchmarks/kernels.py, ready to run.

    `run()` launches the kernel once and leaves its result in `out`; `numpy()` computes the same and returns it (a tuple if `out` is one).
    `work` is counted in `unit`s times 10**9 per second: compulsory bytes for "GB/s" (every input read once, every output written once),
    floating-point operations of the mathematics for "GFLOP/s", elements for "G/s". `inputs` is what the same loop in Numba or C is given
    (benchmarks/kernels_numba.py, benchmarks/kernels.c); `rtol`, `atol` and `differ` are those of `agree`.
    """

    run: Callable[[], object]
    out: Array | tuple[Array, ...]
    numpy: Callable[[], Any]
    work: float
    unit: str = "GB/s"
    inputs: Mapping[str, Any] = field(default_factory=dict)
    rtol: float = 1e-4
    atol: float = 1e-4
    differ: float = 0.0
