"""CUDA without a GPU or its driver: kernels compile for every architecture, what is refused is shown with its lines, code is inspected."""
from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import svod
from svod import UOp
from svod.device.cuda import compiler as compilers
from svod.device.cuda import nvrtc as found
from svod.device.cuda.backend import OPTIN
from svod.device.cuda.compiler import CudaCompiler, architecture, disassembled, explained
from svod.device.cuda.nvrtc import Nvrtc, nvrtc
from svod.device.specs import ProgramSpec
from svod.dtype import AddrSpace, dtypes
from svod.errors import CompileError, DeviceUnavailable, UnsupportedError
from svod.testing.conformance import gallery_checks
from svod.testing.kernels import CASES, axes, p
from svod.testing.random_threads import random_thread_case
from svod.testing.threads import Threads

try:
    nvrtc()
    MISSING = ""
except DeviceUnavailable as e:
    MISSING = e.what
OFFLINE = [pytest.mark.devices("CUDA-OFFLINE"), pytest.mark.skipif(bool(MISSING), reason=f"CUDA-OFFLINE: {MISSING}")]
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_120")
EM_CUDA = 190
SCALE = """#include <cuda_fp16.h>
extern "C" __global__ void scale(float *x, float by) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  x[i] = x[i] * by + 1.0f;
}
"""


def offline(test: object) -> object:
    """Marks a test that needs NVRTC."""
    for mark in OFFLINE:
        test = mark(test)  # type: ignore[operator]
    return test


def added() -> UOp:
    """out[i] = a[i] + 1 for i below n."""
    (i,) = axes(UOp.variable("n", 0, 1 << 30))
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + 1.0), name="added")


def rendered(source: str, name: str = "scale") -> ProgramSpec:
    """A record with other source."""
    spec = svod.Device.offline("CUDA", "sm_90").renderer.render(added())
    return ProgramSpec(name, source, "CUDA", spec.ast, spec.meta)


def machine(image: bytes) -> int:
    """The machine that an object file is for."""
    assert image.startswith(b"\x7fELF")
    return int(struct.unpack_from("<H", image, 18)[0])


# --- every kernel, every architecture ------------------------------------------------------------------------------------------------

@offline
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_loop_kernels_compile_to_code_of_the_machine(arch: str) -> None:
    device = svod.Device.offline("CUDA", arch)
    assert device.target.arch == arch
    for name in CASES:
        compiled = device.compiler.compile(device.renderer.render(CASES[name]().ast))
        assert machine(compiled.bytes) == EM_CUDA
        assert compiled.src is None


GALLERY = """
import struct, sys
import svod
from svod.testing.conformance import gallery_checks
found, make = {}, svod.Device._make
svod.Device._make = lambda self, kernel, key: found.setdefault(kernel) or make(self, kernel, key)
(check,) = (c for c in gallery_checks() if c.what == sys.argv[1])
check.on(svod.Device("CPU"))
svod.Device._make = make
for arch in sys.argv[2:]:
    device = svod.Device.offline("CUDA", arch)
    for kernel in found:
        image = device.compiler.compile(device.renderer.render(kernel)).bytes
        print(arch, image[:4] == b"\\x7fELF", struct.unpack_from("<H", image, 18)[0])
"""


@offline
@pytest.mark.parametrize("name", [c.what for c in gallery_checks()])
def test_the_gallery_compiles_for_every_architecture(name: str, tmp_path: Path) -> None:
    """Every variant of every kernel that the checks of a file compile; in a process that has compiled nothing before."""
    env = {**os.environ, "SVOD_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(svod.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", GALLERY, name, *ARCHITECTURES], env=env, capture_output=True, text=True, timeout=240,
                          check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {line.split()[0] for line in lines} == set(ARCHITECTURES)
    assert {line.split(maxsplit=1)[1] for line in lines} == {f"True {EM_CUDA}"}


@offline
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_thread_kernels_compile_to_code_of_the_machine(arch: str) -> None:
    device = svod.Device.offline("CUDA", arch)
    for seed in range(8):
        program = device.compile(random_thread_case(seed).threads)
        assert machine(program.compiled.bytes) == EM_CUDA


@offline
def test_an_architecture_that_nvrtc_does_not_know_yet_gets_ptx() -> None:
    device = svod.Device.offline("CUDA", "sm_199")
    program = device.compile(added())
    text = program.compiled.bytes.decode()
    assert ".visible .entry added" in text
    assert f".target sm_{max(nvrtc().architectures())}" in text
    assert "PTX" in device.compiler.cache_key


def test_what_is_made_for_an_architecture() -> None:
    known = (75, 90, 120)
    assert (architecture("sm_90", known).kind, architecture("sm_90", known).option) == ("CUBIN", "--gpu-architecture=sm_90")
    assert architecture("sm_90a", known).option == "--gpu-architecture=sm_90a"
    assert (architecture("sm_100", known).kind, architecture("sm_100", known).option) == ("PTX", "--gpu-architecture=compute_90")
    with pytest.raises(DeviceUnavailable, match="compiles for sm_75 and later, not for sm_52"):
        architecture("sm_52", known)
    with pytest.raises(DeviceUnavailable, match="no CUDA architecture is called 'gfx90a'"):
        svod.Device.offline("CUDA", "gfx90a")
    for none in ("sm_42", "sm_77"):
        with pytest.raises(DeviceUnavailable, match=f"compiles for no GPU of {none}") as e:
            svod.Device.offline("CUDA", none)
        assert "sm_75, sm_80" in e.value.hint


# --- how it compiles -------------------------------------------------------------------------------------------------------------------

@offline
def test_products_and_sums_are_rounded_each_by_itself() -> None:
    text = CudaCompiler("sm_90").ptx(SCALE, "scale")
    assert "mul.rn.f32" in text
    assert "add.rn.f32" in text
    assert "fma" not in text
    assert ".ftz" not in text


@offline
def test_the_key_of_the_cache_says_all_that_matters() -> None:
    keys = {CudaCompiler(arch).cache_key for arch in ARCHITECTURES} | {CudaCompiler("sm_90", line_info=True).cache_key}
    assert len(keys) == len(ARCHITECTURES) + 1
    (plain,) = {CudaCompiler("sm_90").cache_key for _ in range(2)}
    assert f"nvrtc {'.'.join(map(str, nvrtc().version))} " in plain
    assert "--fmad=false" in plain
    assert "line-info" not in plain


@offline
def test_line_information_is_there_when_it_is_asked_for() -> None:
    assert ".loc" in CudaCompiler("sm_90", line_info=True).ptx(SCALE, "scale")
    assert ".loc" not in CudaCompiler("sm_90").ptx(SCALE, "scale")


@offline
def test_headers_are_found_where_a_source_includes_them() -> None:
    if found.headers("cuda_fp16.h") is None:
        pytest.skip("cuda_fp16.h is in no wheel and no toolkit")
    assert machine(CudaCompiler("sm_80").compile(rendered(SCALE)).bytes) == EM_CUDA


@offline
def test_the_same_source_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler, made = CudaCompiler("sm_90"), []
    whole = compiler.image
    monkeypatch.setattr(compiler, "image", lambda *args: made.append(args) or whole(*args))
    first, second = (compiler.compile(rendered(SCALE)) for _ in range(2))
    assert first.bytes == second.bytes
    assert len(made) == 1
    compiler.compile(rendered(SCALE + "//"))
    assert len(made) == 2


# --- what is wrong ---------------------------------------------------------------------------------------------------------------------

@offline
def test_a_refusal_shows_the_log_and_the_lines() -> None:
    with pytest.raises(CompileError, match="NVRTC refuses the source of kernel 'scale'") as e:
        CudaCompiler("sm_90").compile(rendered(SCALE.replace("* by", "* nonesuch")))
    assert 'identifier "nonesuch" is undefined' in e.value.what
    assert "    4>   x[i] = x[i] * nonesuch + 1.0f;" in e.value.what
    assert "    3|   int i =" in e.value.what
    assert e.value.at == "sm_90"


def test_a_log_without_lines_is_shown_as_it_is() -> None:
    assert explained("ptxas error: too much shared data\n\n", "a\nb") == "ptxas error: too much shared data"
    assert "99" in explained("k.cu(99): error: beyond the end", "one line")


@offline
def test_nvrtc_that_fails_itself_says_so() -> None:
    broken = CudaCompiler("sm_90")
    broken.made_for = compilers.Architecture("sm_90", "--no-such-option", "CUBIN")
    with pytest.raises(CompileError, match="NVRTC failed: nvrtcCompileProgram: NVRTC_ERROR_INVALID_OPTION"):
        broken.compile(rendered(SCALE))


def test_without_nvrtc_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(found, "wheels", list)
    monkeypatch.setattr(found, "toolkits", list)
    monkeypatch.setattr(found, "_SONAMES", ("libnvrtc-that-is-not-there.so",))
    with pytest.raises(DeviceUnavailable, match="NVRTC, the compiler of CUDA C, cannot be loaded: it is not installed") as e:
        nvrtc.__wrapped__()
    assert "pip install nvidia-cuda-nvrtc" in e.value.hint
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libnvrtc.so.13").write_bytes(b"no library")
    monkeypatch.setattr(found, "wheels", lambda: [tmp_path])
    with pytest.raises(DeviceUnavailable, match=r"libnvrtc.so.13"):
        nvrtc.__wrapped__()


@offline
def test_rendering_needs_no_nvrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "nvrtc", lambda: pytest.fail("NVRTC was loaded"))
    assert '__global__ __launch_bounds__(128) void added(' in svod.Device.offline("CUDA", "sm_88").renderer.render(added()).src


def test_more_shared_memory_than_can_be_declared() -> None:
    k = Threads("greedy", (8, 1, 1))
    tile = k.memory(dtypes.u8, (48 << 10) + 1, AddrSpace.LOCAL, "tile")
    k.store(tile, k.thread(), UOp.const(1, dtypes.u8))
    with pytest.raises(UnsupportedError, match="shares 49153 bytes, CUDA has 49152 for arrays of known size") as e:
        svod.Device.offline("CUDA", "sm_90").renderer.render(k.kernel())
    assert "dynamic shared memory, up to 232448 bytes" in e.value.hint


# --- what was made -----------------------------------------------------------------------------------------------------------------------

@offline
def test_a_program_that_cannot_run_shows_its_source_and_its_code() -> None:
    program = svod.Device.offline("CUDA", "sm_90").compile(added())
    assert "out[" in program.source
    assert program.resources == {}
    if found.tool("nvdisasm") is None:
        assert ".visible .entry added" in program.asm
    else:
        assert "EIATTR" in program.asm or "FADD" in program.asm
    with pytest.raises(DeviceUnavailable, match="'added' is compiled for a device that is not there"):
        program.execute([np.zeros(4, np.float32), np.zeros(4, np.float32)], [4])


@offline
def test_code_is_disassembled_where_there_is_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert disassembled(b"// text") is None
    image = CudaCompiler("sm_80").compile(rendered(SCALE)).bytes
    if found.tool("nvdisasm") is not None:
        assert "FMUL" in (disassembled(image) or "")
        assert disassembled(b"\x7fELF, and nothing else") is None
    monkeypatch.setattr(compilers, "tool", lambda name: None)
    assert disassembled(image) is None
    assert ".visible .entry added" in svod.Device.offline("CUDA", "sm_80").compile(added()).asm


def test_shared_memory_of_a_gpu_that_is_not_there() -> None:
    assert {n: svod.Device.offline("CUDA", f"sm_{n}").target.limits.shared_bytes >> 10 for n in OPTIN} == OPTIN
    assert svod.Device.offline("CUDA", "sm_199").target.limits.shared_bytes == 48 << 10
    assert svod.Device.offline("CUDA").target.arch == "sm_90"


@offline
def test_the_library_tells_what_it_is() -> None:
    assert isinstance(nvrtc(), Nvrtc)
    assert nvrtc() is nvrtc()
    assert nvrtc().version >= (11, 0)
    assert {75, 80, 90} <= set(nvrtc().architectures())
