"""`svod render`: source of a kernel in a file, for every target, with no hardware; what is wrong with the request is said."""
from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from svod import Device
from svod.device.registry import BUILT_IN
from svod.errors import DeviceUnavailable
from svod.ir.ops import Op
from svod.ir.text import parse
from svod.tools import cli
from svod.tools.render import wanted

FILE = '''
import svod.lang as sl
from beside import FACTOR
from svod import UOp, dtypes

@sl.kernel
def saxpy(a: sl.f32, x: sl.Array[sl.f32], y: sl.Array[sl.f32]):
    i = sl.global_id()
    y[i] = a * x[i] + y[i]

@sl.kernel
def tiled(x: sl.Array[sl.f32, 2], TILE: sl.Constexpr[int]):
    t = sl.shared(TILE, sl.f32)
    t[sl.thread_idx.x] = x[0, sl.thread_idx.x]
    sl.barrier()
    x[1, sl.thread_idx.x] = t[TILE - 1 - sl.thread_idx.x]

again = saxpy
out, data = (UOp.param(k, dtypes.f32, name=n) for k, n in enumerate(("out", "data")))
i = UOp.range(100, 0)
scaled = UOp.sink(out[i].store(data[i].load() * FACTOR), name="scaled")

def made() -> UOp:
    return UOp.sink(out[i].store(data[i].load() + 1.0), name="made")

def no_kernel() -> UOp:
    return i

def with_parameters(n: int) -> UOp:
    return scaled
'''
SHOWN = {"CPU": "define ", "CC": "#define", "INTERP": "= store", "NULL": "define ", "OPENCL": "__kernel ", "CUDA": "__global__ ",
         "HIP": "__global__ ", "METAL": "[[kernel", "WEBGPU": "@compute"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("FACTOR = 2.0\n")
    path = tmp_path / "kernels.py"
    path.write_text(FILE)
    return path


def run(*line: object) -> Result:
    return CliRunner().invoke(cli.app, ["render", *map(str, line)])


def said(*line: object) -> str:
    result = run(*line)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*line: object) -> str:
    result = run(*line)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_device_renders_without_its_hardware(file: Path, name: str) -> None:
    for kernel in ("saxpy", "scaled"):
        assert SHOWN[name] in said(f"{file}:{kernel}", "--device", name)


def test_the_architecture_is_that_of_the_text(file: Path) -> None:
    wide, narrow = (said(f"{file}:scaled", "-d", "CPU", "--arch", arch) for arch in ("x86-64-v4", "x86-64"))
    assert "<16 x float>" in wide
    assert "<16 x float>" not in narrow
    assert "no CPU architecture is called 'z80'" in refused(f"{file}:scaled", "-d", "CPU", "--arch", "z80")
    assert "one of generic, x86-64, " in refused(f"{file}:scaled", "-d", "CPU", "--arch", "z80")
    assert "there is no device called FOO" in refused(f"{file}:scaled", "-d", "FOO")
    assert "vector_size(32)" in said(f"{file}:scaled", "-d", "CC", "--arch", "x86-64-v3")
    assert "no CPU architecture is called 'z80'" in refused(f"{file}:scaled", "-d", "CC", "--arch", "z80")


def test_a_graph_a_function_that_makes_one_and_a_kernel(file: Path) -> None:
    assert "scaled" in said(f"{file}:scaled", "-d", "OPENCL")
    assert "made" in said(f"{file}:made", "-d", "OPENCL")
    text = said(f"{file}:saxpy", "-d", "OPENCL", "--with", "threads=1", "--with", "block=64")
    assert "reqd_work_group_size(64, 1, 1)" in text
    assert "_threads" in text
    assert "_threads" not in said(f"{file}:saxpy", "-d", "OPENCL")
    assert "reqd_work_group_size(16, 8, 1)" in said(f"{file}:saxpy", "-d", "OPENCL", "--with", "block=16,8")


def test_compile_time_parameters_are_set(file: Path) -> None:
    text = said(f"{file}:tiled", "-d", "OPENCL", "--with", "TILE=8", "--with", "block=8")
    assert "reqd_work_group_size(8, 1, 1)" in text
    assert "--with TILE=16" in refused(f"{file}:tiled")
    assert "no compile-time parameter called 'WIDTH'" in refused(f"{file}:tiled", "--with", "TILE=8", "--with", "WIDTH=1")
    assert wanted("", "", "", ["A=[1, 2]", "B=fast"]).values == {"A": [1, 2], "B": "fast"}
    for text, why in (("8", "says nothing"), ("1=8", "says nothing"), ("threads=4", "cannot count"), ("threads=x", "is no threads")):
        assert why in refused(f"{file}:tiled", "--with", text)


def test_stages(file: Path) -> None:
    graph = parse(said(f"{file}:scaled", "--stage", "ir"))
    assert (graph.op, graph.arg.name) == (Op.SINK, "scaled")
    assert parse(said(f"{file}:saxpy", "--stage", "ir")).op is Op.THREADS
    assert said(f"{file}:scaled", "-d", "CPU", "--stage", "linearize").splitlines()[-1].startswith("%")
    assert "goes through no stage called 'polish'" in refused(f"{file}:scaled", "--stage", "polish")


def test_a_schedule_is_for_graphs(file: Path) -> None:
    plain, split = (said(f"{file}:scaled", "-d", "CPU", "--stage", "apply-schedule", *o) for o in ((), ("--with", "opt=SPLIT(0 by 10)")))
    assert plain != split
    assert "takes no schedule" in refused(f"{file}:saxpy", "--with", "opt=SPLIT(0 by 10)")
    assert "neither a block nor values" in refused(f"{file}:scaled", "--with", "block=8")
    assert "'8,x' is no block" in refused(f"{file}:saxpy", "--with", "block=8,x")


def test_several_kernels_are_listed_once_each(file: Path) -> None:
    text = refused(file)
    assert "has 5 kernels: saxpy, tiled, scaled, made, no_kernel" in text
    assert f"svod render {file}:saxpy" in text
    assert "has no kernel called 'nonesuch'" in refused(f"{file}:nonesuch")
    assert "no_kernel is no kernel: UOp" in refused(f"{file}:no_kernel")


def test_files_that_are_none_or_cannot_be_run(tmp_path: Path) -> None:
    assert "there is no file" in refused(tmp_path / "nonesuch.py")
    empty = tmp_path / "empty.py"
    empty.write_text("import svod.lang as sl\nx = 1\n")
    assert "has no kernel\n" in refused(empty)
    for text, error, line in (("\nx = 1 / 0\n", "ZeroDivisionError", 2), ("raise SystemExit(3)\n", "SystemExit", 1),
                              ("def (\n", "SyntaxError", 1)):
        broken = tmp_path / "broken.py"
        broken.write_text(text)
        assert f"cannot be run: {error}" in refused(broken)
        assert f"broken.py:{line}" in refused(broken)


def test_one_kernel_needs_no_name_and_may_go_to_a_file(tmp_path: Path) -> None:
    file, target = tmp_path / "one.py", tmp_path / "one.cl"
    file.write_text("import svod.lang as sl\n@sl.kernel\ndef one(x: sl.Array[sl.f32]):\n    x[sl.global_id()] = 1.0\n")
    assert said(file, "-d", "OPENCL", "-o", target) == ""
    assert "__kernel" in target.read_text()
    assert "cannot be written" in refused(file, "-o", tmp_path / "no" / "folder")


def test_what_offline_devices_refuse_is_said_by_them() -> None:
    with pytest.raises(DeviceUnavailable, match="no OpenCL architecture"):
        Device.offline("OPENCL", "gfx1")
