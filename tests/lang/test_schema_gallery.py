"""The gallery of kernels as documents: what schema 1.0 can hold runs as the kernel does, bit for bit; the rest is refused with its line."""
from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import numpy as np
import pytest

import svod.lang as sl
from svod.errors import KernelError
from svod.lang.schema import ItemKernel, compile_to_json, document_of, load, structure

GALLERY = Path(__file__).parent.parent.parent / "examples" / "kernels"
SCHEMA = json.loads((Path(structure.__file__).parent / "kernel-1.0.json").read_text(encoding="utf-8"))
HELD = ("bitonic_sort.exchange", "compaction.flag", "compaction.scatter", "histogram.histogram_global", "saxpy.saxpy",
        "spmv_csr.row_per_item", "vector_add.vector_add")
"""Kernels of the gallery that 1.0 can hold."""
REASONS = {"several axes": r"Unsupported type annotation: an array of shape \(",
           "shared memory": r"Unsupported expression: a call of sl\.shared$",
           "compile-time values": r"Unsupported type annotation: constexpr", "the grid": r"Unsupported expression: sl\.grid_dim\.x$",
           "groups": r"Unsupported expression: sl\.(block|thread)_idx\.x$", "lanes": r"Unsupported expression: a call of sl\.lane_id$"}


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules of the gallery can be imported as scripts in their folder can."""
    monkeypatch.syspath_prepend(GALLERY)
    for name in ("run", "gallery"):
        if name in sys.modules and Path(str(sys.modules[name].__file__)).parent != GALLERY:
            monkeypatch.delitem(sys.modules, name)


def kernels() -> dict[str, tuple[ModuleType, sl.Kernel]]:
    """file.kernel -> its module and the kernel."""
    modules = [importlib.import_module(p.stem) for p in sorted(GALLERY.glob("*.py")) if p.stem not in ("gallery", "run")]
    return {f"{m.__name__}.{name}": (m, value) for m in modules for name, value in vars(m).items()
            if isinstance(value, sl.Kernel) and value.function.__module__ == m.__name__}


class Both:
    """Stands in for a kernel of the gallery: each launch runs the kernel on copies, and its document on the arrays themselves."""

    def __init__(self, kernel: sl.Kernel, made: ItemKernel, count: list[int]) -> None:
        self.kernel, self.made, self.launches = kernel, made, count

    def on(self, device: str) -> Both:
        return Both(self.kernel.on(device), self.made.on(device), self.launches)

    def __getitem__(self, sizes: tuple[int, int]) -> Callable[..., None]:
        return lambda *args: self._both(args, self.kernel[sizes], sizes[0] * sizes[1])

    def launch(self, *args: Any, threads: int) -> None:
        self._both(args, lambda *given: self.kernel.launch(*given, threads=threads), threads)

    def _both(self, args: tuple[Any, ...], run: Callable[..., object], threads: int) -> None:
        copies = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
        run(*copies)
        self.made(*args, threads=threads)
        for copy, given in zip(copies, args, strict=True):
            np.testing.assert_array_equal(given, copy)
        self.launches[0] += 1


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("name", HELD)
def test_a_document_of_the_gallery_runs_as_its_kernel(name: str, device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module, kernel = kernels()[name]
    text, count = compile_to_json(kernel), [0]
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))
    made = load(text)
    assert document_of(made.kernel.function).to_json() == text
    monkeypatch.setattr(module, name.partition(".")[2], Both(kernel, made, count))
    module.check(device.name)
    assert count[0] >= 3, "the check launched something else"


def test_what_the_schema_cannot_hold_is_named_with_its_line() -> None:
    refused = {}
    for name, (module, kernel) in kernels().items():
        if name in HELD:
            continue
        with pytest.raises(KernelError) as caught:
            compile_to_json(kernel)
        reasons = [reason for reason, pattern in REASONS.items() if re.match(pattern, caught.value.what)]
        assert len(reasons) == 1, f"{name}: {caught.value}"
        assert caught.value.at.startswith(f"{module.__file__}:"), f"{name}: {caught.value}"
        refused[name] = reasons[0]
    assert set(refused.values()) == set(REASONS)
    assert len(refused) + len(HELD) == len(kernels())


def test_the_id_written_out_is_the_id() -> None:
    """block_idx.x * block_dim.x + thread_idx.x in any order; nothing else of that kind is taken for it."""
    def written_out(a: sl.Array[sl.i32], n: sl.i32):
        i = sl.block_idx.x * sl.block_dim.x + sl.thread_idx.x
        j = sl.thread_idx.x + sl.block_dim.x * sl.block_idx.x
        if i < n:
            a[i] = j + 1

    def another_axis(a: sl.Array[sl.i32], n: sl.i32):
        a[sl.block_idx.x * sl.block_dim.y + sl.thread_idx.x] = n

    def another_factor(a: sl.Array[sl.i32], n: sl.i32):
        a[sl.block_idx.x * 64 + sl.thread_idx.x] = n

    def no_product(a: sl.Array[sl.i32], n: sl.i32):
        a[sl.block_idx.x + sl.thread_idx.x] = n

    body = json.loads(compile_to_json(written_out))["kernel"]["body"]
    assert body[0]["value"] == body[1]["value"] == {"type": "call", "function": "get_global_id", "args": []}
    a = np.zeros(5, np.int32)
    load(compile_to_json(written_out))(a, 4)
    assert a.tolist() == [1, 2, 3, 4, 0]
    for function in (another_axis, another_factor, no_product):
        with pytest.raises(KernelError, match=r"Unsupported expression: sl\.block_idx\.x") as caught:
            compile_to_json(function)
        assert "^" in caught.value.at
