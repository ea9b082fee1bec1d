"""The Metal shading language as it is written: golden files, what has no form; type-checked and run as C++ behind a small metal_stdlib.

That is not Apple's compiler and no GPU: it knows no address spaces.
"""
from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from svod import UOp
from svod.device.lowering import lowered
from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import RangeArg
from svod.ir.ops import Op
from svod.renderers.c.metal import metal_target, render_metal
from svod.renderers.phases import item_phases, scratch
from svod.target.abi import Metadata, describe
from svod.testing.kernels import CASES, axes, p
from svod.testing.phases import GROUPS, ITEMS, handed_round
from svod.testing.random_threads import random_thread_case

SHIM = (Path(__file__).parent / "metal_shim.h").read_text(encoding="utf-8")
Atomics = Callable[[DType], UOp]
COMPILERS = ("clang++-19", "g++", "clang++")


@dataclass(frozen=True)
class Made:
    """A source, and what it is called with."""

    text: str
    meta: Metadata


def made(ast: UOp, name: str = "") -> Made:
    low = lowered(ast, metal_target())
    return Made(render_metal(low.linear, low.meta, name or ast.arg.name, (), low.names), low.meta)


def source(ast: UOp, name: str = "") -> str:
    return made(ast, name).text


def as_cpp(text: str) -> str:
    """MSL as C++: memory of a group lies in one place for all work items."""
    text = re.sub(r"^#(include|pragma).*$", "", text, flags=re.MULTILINE)
    text = text.replace("[[kernel, max_total_threads_per_threadgroup", "[[svod::kernel").replace("[[kernel]]", "")
    return re.sub(r"^(  )threadgroup (?=\w+ \w+\[)", r"\1static ", text, flags=re.MULTILINE)


def compiled(text: str, folder: Path, *options: str) -> Path:
    """A C++ source as a library. Skips without a compiler that knows _Float16 and std::barrier."""
    command = next((c for c in COMPILERS if shutil.which(c)), None)
    if command is None:
        pytest.skip(f"none of {', '.join(COMPILERS)} is installed")
    path = folder / "kernel.so"
    done = subprocess.run([command, "-std=c++20", "-O1", "-w", "-ffp-contract=off", "-fno-strict-aliasing", "-fPIC", "-shared", "-pthread",
                           *options, "-x", "c++", "-", "-o", str(path)], input=f"{SHIM}{text}", text=True, capture_output=True, check=False)
    if "'_Float16' is not" in done.stderr or ("does not name a type" in done.stderr and "_Float16" in done.stderr):
        pytest.skip(f"{command} has no _Float16")
    assert done.returncode == 0, f"{done.stderr[:4000]}\n{text}"
    return path


def run(ast: UOp, buffers: list[np.ndarray], scalars: list[int], groups: int, folder: Path) -> None:
    """Runs a kernel, on threads, one phase after the other; memory of the launch is the last of `buffers`."""
    k = made(ast, "kernel_")
    signature = next(line for line in k.text.splitlines() if line.startswith("[[kernel"))
    size = [s.arg.value for s in k.meta.local_size or ()]
    values = ", ".join([*(f"({b})b{n}" for n, b in enumerate(re.findall(r"((?:const )?device \w+ \*)\w+ \[\[buffer", signature))),
                        *(f"s{n}" for n in range(len(scalars)))])
    params = ", ".join([*(f"void *b{n}" for n in range(len(buffers))), *(f"long s{n}" for n in range(len(scalars)))])
    launches = "\n".join(f"""  launch(groups, uint3{{{', '.join(map(str, size))}}}, [&](uint3 group, uint3 item, uint3 place) {{
    {name}({values}, group, item, place); }});""" for name in re.findall(r"void (kernel_?\w*)[(]", k.text))
    library = ctypes.CDLL(str(compiled(f"""{as_cpp(k.text)}
extern "C" void go(uint groups{', ' + params if params else ''}) {{
{launches}
}}""", folder)))
    library.go(ctypes.c_uint(groups), *(ctypes.c_void_p(b.ctypes.data) for b in buffers), *(ctypes.c_long(s) for s in scalars))


def test_golden(small: UOp, golden: Callable[[str, str], None]) -> None:
    golden(source(small), f"metal/{small.arg.name}.metal")


def test_a_vector_sum_runs(by_name: dict[str, UOp], tmp_path: Path) -> None:
    a, b = np.arange(300, dtype=np.float32), np.arange(300, dtype=np.float32)[::-1].copy() / 3
    out = np.full(300, -1, np.float32)
    run(by_name["vector_add"], [out, a, b], [299], 3, tmp_path)
    np.testing.assert_array_equal(out[:299], (a + b)[:299])
    assert out[299] == -1


def test_memory_of_a_group_runs(by_name: dict[str, UOp], tmp_path: Path) -> None:
    data = np.arange(64, dtype=np.float32)
    run(by_name["reversed_groups"], [data], [2, 1, 1], 2, tmp_path)
    np.testing.assert_array_equal(data, np.concatenate([np.arange(31, -1, -1), np.arange(63, 31, -1)]).astype(np.float32))


def test_atomics_run(by_name: dict[str, UOp], tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 8, 256).astype(np.uint8)
    counts, top = np.zeros(8, np.int32), np.full(1, -np.inf, np.float32)
    run(by_name["histogram"], [data, counts, top], [4, 1, 1], 4, tmp_path)
    np.testing.assert_array_equal(counts, np.bincount(data, minlength=8))
    assert top[0] == data.max()


def test_phases_run(tmp_path: Path) -> None:
    a, out = np.arange(GROUPS * ITEMS, dtype=np.float32), np.zeros(GROUPS * ITEMS, np.float32)
    run(handed_round(), [out, a, np.zeros(scratch(handed_round())[1], np.uint8)], [], GROUPS, tmp_path)
    np.testing.assert_array_equal(out, a[::-1] * 2 + np.arange(GROUPS * ITEMS) % 2)


def test_a_reduction_by_several_groups_runs(tmp_path: Path) -> None:
    (i,) = axes(100_000)
    ast = UOp.sink(p(0, "out")[0].store(p(1, "a")[i].load().max(i)), name="most")
    low = lowered(ast, metal_target())
    a, out = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32), np.zeros(1, np.float32)
    run(ast, [out, a, np.zeros(scratch(low.linear)[1], np.uint8)], [], int(low.meta.global_size[0].arg.value), tmp_path)
    assert len(item_phases(low.linear)) == 2
    assert out[0] == a.max()


def _able(ast: UOp) -> bool:
    return not any(s.dtype.scalar is dtypes.f64 for s in ast.toposort())


def test_every_loop_kernel_and_thread_kernels_are_right_cpp(atomics: Atomics, by_name: dict[str, UOp], tmp_path: Path) -> None:
    cases = [m().ast for m in CASES.values()]
    texts = [source(ast, f"k{n}") for n, ast in enumerate(cases) if _able(ast)]
    assert len(texts) > len(cases) * 3 // 4
    texts += [source(atomics(d), f"atomics{n}") for n, d in enumerate((dtypes.i32, dtypes.u32, dtypes.f32))]
    texts += [source(by_name[name]) for name in ("speaking", "direct")]
    packed = "\n".join(f"namespace n{k} {{ using namespace metal;\n{as_cpp(t).replace('using namespace metal;', '')}}}"
                       for k, t in enumerate(texts))
    compiled(packed, tmp_path, "-fsyntax-only")


def test_ids_without_groups_are_places_in_the_grid(by_name: dict[str, UOp]) -> None:
    text = source(by_name["direct"])
    assert "[[kernel]] void direct(" in text
    assert "grid_id.z" in text


def test_atomics_of_64_bits_are_refused(atomics: Atomics) -> None:
    with pytest.raises(UnsupportedError, match=r"ATOMIC .* of i64 is not available in Metal"):
        source(atomics(dtypes.i64))
    with pytest.raises(UnsupportedError, match="i64 is not available in Metal"):
        source(random_thread_case(3).threads)


def test_f64_is_refused_by_name() -> None:
    (i,) = axes(8)
    with pytest.raises(UnsupportedError, match="f64"):
        source(UOp.sink(p(0, "out", dtypes.f64)[i].store(p(1, "a", dtypes.f64)[i].load() + 1.0), name="k"))


def test_leaving_two_loops_at_once_is_refused() -> None:
    loop, true = UOp(Op.LOOP), UOp.const(True, dtypes.bool)
    r = UOp(Op.RANGE, (UOp.const(0, dtypes.index), UOp.const(4, dtypes.index)), RangeArg((0,)))
    linear = UOp(Op.LINEAR, (loop, r, UOp(Op.BREAK, (true,)), UOp(Op.GROUP).end(r), UOp(Op.ENDLOOP)))
    with pytest.raises(UnsupportedError, match="Metal cannot leave a loop out of another one"):
        render_metal(linear, describe(linear), "k")


def test_literals_have_types_that_there_are() -> None:
    (i,) = axes(8)
    d = dtypes.i64
    text = source(UOp.sink(p(0, "out", d)[i].store(p(1, "a")[i].load().cast(d) + (1 << 40)), name="k"))
    assert "1099511627776L" in text
    assert "LL" not in text
