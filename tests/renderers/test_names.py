"""Names that the author of a kernel gives values are theirs in the source of every language with work items."""
from __future__ import annotations

import re

import pytest

import svod.lang as sl

LANGUAGES = {"OPENCL": "generic", "CUDA": "sm_90", "HIP": "gfx90a", "METAL": "metal3", "WEBGPU": "generic"}


@sl.kernel
def scaled_rows(a: sl.Array[sl.f32, 2], out: sl.Array[sl.f32, 2]) -> None:
    row, first = sl.block_idx.x * 4 + sl.thread_idx.y, sl.thread_idx.x
    tile = sl.shared(64, sl.f32)
    tile[first] = a[row, first]
    sl.barrier()
    for k in range(a.shape[1]):
        scale = tile[0] + 1
        shifted = a[row, k] * scale + tile[k % 64]
        out[row, k] = shifted * shifted


def source(device: str) -> str:
    """Of that kernel in the language of a device."""
    kernel = scaled_rows.on(f"{device}({LANGUAGES[device]})")
    return str(kernel[1, (64, 4)].compile(sl.Array[sl.f32, 2], sl.Array[sl.f32, 2]).source)


@pytest.mark.parametrize("name", LANGUAGES)
def test_values_loops_and_arrays_have_the_names_of_the_author(name: str) -> None:
    text = source(name)
    for value in ("row", "tile", "scale", "shifted"):
        assert re.search(rf"(let|float|int|long|>) [^;=\n]*\b{value}\b", text), f"{value} in\n{text}"
    assert re.search(r"for \([^;]*\bk\b", text)
