"""Names that the author of a kernel gives values are theirs in the source of every language with work items."""
from __future__ import annotations

import re

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod import Device, UOp, dtypes
from svod.dtype import AddrSpace
from svod.ir.threads import grid_variable
from svod.testing.threads import Threads

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


NASTY = ("NULL", "uniform", "storage", "read_write", "workgroup", "first_to_fail", "float4", "as_float", "M_PI", "INT_MAX", "typeof", "v1",
         "item_x1", "acc")
"""Words of one language or another, and names like those that svod gives."""


@pytest.mark.devices("OPENCL", "WEBGPU")
@pytest.mark.parametrize("word", NASTY)
def test_kernels_and_arrays_may_be_called_anything(device: svod.Device, word: str) -> None:
    k = Threads(word, (8, 1, 1))
    array, tile = UOp.param(0, dtypes.f32, name=word), k.memory(dtypes.f32, 8, AddrSpace.LOCAL, word)
    k.store(tile, k.item(), k.load(array, k.item()))
    k.barrier()
    with k.for_(0, UOp.variable("n", 0, 1 << 30)) as i:
        k.store(array, k.item(), k.load(array, k.item()) + k.load(tile, i % 8))
    data = np.arange(8, dtype=np.float32)
    device.compile(k.kernel()).execute([data], {**{grid_variable(a).arg.name: 1 for a in range(3)}, "n": 8})
    np.testing.assert_array_equal(data, np.arange(8) + 28)


@pytest.mark.parametrize("word", NASTY)
@pytest.mark.devices("CUDA-OFFLINE")
def test_such_names_compile_for_gpus(word: str) -> None:
    i = UOp.range(8, 0)
    Device.offline("CUDA", "sm_80").compile(UOp.sink(UOp.param(0, dtypes.f32, name=word)[i].store(1.0), name=word))
