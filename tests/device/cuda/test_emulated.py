"""svod's side of the CUDA driver, on an EMULATOR of that driver: no evidence about any GPU, but of what svod asks a driver to do.

Owns: the suite of the device on it, and what must not happen to a process that has a GPU to lose: lost contexts, forks, no devices.
Each test has a process of its own, in which the emulator (emulator/emulated_cuda.py) is loaded before anything of CUDA.
"""
from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EMULATOR = Path(__file__).parent / "emulator"
MODULES = {"cuda-bindings": "cuda.bindings", "pycuda": "pycuda"}
SECONDS = 900


def lacking(adapter: str) -> str:
    """Why the emulator cannot be used through an adapter; "" if it can."""
    if shutil.which("g++") is None:
        return "the emulator is built with g++, which is not installed"
    try:
        there = importlib.util.find_spec(MODULES[adapter]) is not None
    except ModuleNotFoundError:
        there = False
    return "" if there else f"{adapter} is not installed"


ADAPTERS = [pytest.param(a, marks=pytest.mark.skipif(bool(lacking(a)), reason=lacking(a))) for a in MODULES]
EMULATED = pytest.mark.devices("CUDA-EMULATED")


def run(adapter: str, command: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    """A Python process with the emulator at hand."""
    found = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    found |= {"PYTHONPATH": os.pathsep.join([str(EMULATOR), str(ROOT)]), "CUDA_EMULATOR_ADAPTER": adapter, **env}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT, env=found, timeout=SECONDS, check=False)


SETUP = """
import emulated_cuda; emulated_cuda.install()
import os, sys
import numpy as np
import svod
from svod import UOp
from svod.dtype import dtypes
from svod.errors import DeviceError, DeviceUnavailable, OutOfMemory
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads

def added(name="added"):
    (i,) = axes(UOp.variable("n", 0, 1 << 30))
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + 1.0), name=name)

def wild(far=1 << 40):
    k = Threads("wild", (1, 1, 1))
    k.store(UOp.param(0, dtypes.i32, name="out"), UOp.variable("far", 0, 1 << 50), UOp.const(1, dtypes.i32))
    return k.kernel()

def lose(device, **how):
    kernel = UOp(wild().op, wild().src, wild().arg)
    program = device.compile(kernel)
    out = svod.Buffer(device, 4, dtypes.i32)
    program._reach = None  # the checks before the launch would find it
    program.execute([out], {"far": 1 << 33, "_grid_x": 1, "_grid_y": 1, "_grid_z": 1}, **how)

def fails(action):
    try:
        action()
    except DeviceError as e:
        return f"{type(e).__name__}: {e}"
    raise SystemExit("nothing was raised")
"""


def said(adapter: str, script: str, **env: str) -> list[str]:
    """What a script printed, line by line; it must end well and say nothing on standard error, but what pycuda says of lost contexts."""
    done = run(adapter, ["-c", SETUP + script], **env)
    heard = iter(done.stderr.splitlines())
    complaints = [line for line in heard if not (line.startswith("PyCUDA WARNING: a clean-up operation failed") and next(heard))]
    assert (done.returncode, complaints) == (0, []), done.stderr
    return done.stdout.splitlines()


@EMULATED
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_suite_of_the_device(adapter: str) -> None:
    suite = [str(Path(__file__).with_name(f"test_{name}.py")) for name in ("cuda", "memory", "streams")]
    suite.append(str(Path(__file__).parents[1] / "test_work_items.py"))
    options = ["-p", "emulated_cuda", "-p", "no:cacheprovider", "-q", "-n", "0", "--require-devices", "CUDA"]
    done = run(adapter, ["-m", "pytest", *options, *suite], DEVICE="CUDA", CUDA_EMULATOR_DEVICES="2")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@EMULATED
@pytest.mark.parametrize("adapter", ADAPTERS[:1])
@pytest.mark.parametrize("part", ["language", "launch", "bad"])
def test_conformance(adapter: str, part: str) -> None:
    lines = said(adapter, f"""
from svod.testing.conformance import run_conformance
report = run_conformance("CUDA", parts=["{part}"])
print(len(report.failures), len(report.skips), len(report.passed))
print(*report.failures, *report.skips, sep="\\n")
""")
    assert lines[0].startswith("0 0 "), "\n".join(lines)


@EMULATED
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_illegal_address_names_the_kernel_and_every_later_call_says_so(adapter: str) -> None:
    first, *later = said(adapter, """
device = svod.Device("CUDA")
kept = svod.Buffer.from_numpy(np.ones(4, np.float32), device)
program = device.compile(added())
print(fails(lambda: lose(device)).splitlines()[0])
for action in (kept.numpy, lambda: program(kept, kept, n=4), lambda: svod.Buffer(device, 99, dtypes.f32).block,
               lambda: device.compile(added("another")), lambda: svod.device.stream.Stream(device)):
    print(*fails(action).splitlines(), sep=" | ")
kept.free()
""")
    assert first.startswith("DeviceError: CUDA stopped at an illegal memory access in kernel 'wild'")
    assert len(later) == 5
    assert all("illegal memory access in kernel 'wild'" in line and "start a new process" in line for line in later)


@EMULATED
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_failure_that_nobody_waited_for_names_what_was_under_way(adapter: str) -> None:
    (line,) = said(adapter, """
from svod.device.stream import Stream
device = svod.Device("CUDA")
stream = Stream(device)
a, b = (svod.Buffer.from_numpy(np.ones(4, np.float32), device) for _ in range(2))
device.compile(added()).execute([a, b], [4], stream=stream, wait=False)
lose(device, stream=stream, wait=False)
print(fails(stream.synchronize).splitlines()[0])
""")
    assert "in one of kernel 'added', kernel 'wild'" in line


@EMULATED
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_forked_child_is_told_and_its_parent_goes_on(adapter: str) -> None:
    lines = said(adapter, """
device = svod.Device("CUDA")
kept = svod.Buffer.from_numpy(np.arange(4, dtype=np.float32), device)
sys.stdout.flush()
child = os.fork()
if not child:
    print(*fails(kept.numpy).splitlines(), sep=" | ")
    print(fails(lambda: svod.Buffer(device, 5, dtypes.f32).block).splitlines()[0])
    print(fails(lambda: svod.Device("CUDA:1")).splitlines()[0])
    print([(i.available, i.why) for i in svod.devices() if i.name == "CUDA"])
    kept.free()
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
print(kept.numpy().tolist())
""", CUDA_EMULATOR_DEVICES="2")
    assert lines[0].startswith("DeviceError: the process was forked after CUDA was used")
    assert 'get_context("spawn")' in lines[0]
    assert all("the process was forked after CUDA was used" in line for line in lines[1:4])
    assert lines[3].startswith("[(False, ")
    assert lines[4:] == ["[0.0, 1.0, 2.0, 3.0]"]


@EMULATED
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_driver_without_a_device(adapter: str) -> None:
    lines = said(adapter, """
print([(i.available, i.why, i.hint) for i in svod.devices() if i.name == "CUDA"])
print(fails(lambda: svod.Device("CUDA")))
""", CUDA_EMULATOR_DEVICES="0")
    assert lines[0] == "[(False, 'there is no NVIDIA GPU', 'nvidia-smi shows what the driver sees')]"
    assert lines[1] == "DeviceUnavailable: there is no NVIDIA GPU"


@EMULATED
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_memory_that_runs_out_is_said_and_can_be_freed(adapter: str) -> None:
    lines = said(adapter, """
device = svod.Device("CUDA")
held = [svod.Buffer(device, 1 << 20, dtypes.u8) for _ in range(3)]
for b in held: b.block
print(fails(lambda: svod.Buffer(device, 2 << 20, dtypes.u8).block))
for b in held: b.free()
print(svod.Buffer(device, 2 << 20, dtypes.u8).copyin(np.ones(2 << 20, np.uint8)).numpy().sum())
""", CUDA_EMULATOR_MEMORY=str(4 << 20))
    assert lines[0] == "OutOfMemory: no memory for 2097152 bytes, with no unused block left: 3145728 bytes are in use in 3 blocks"
    assert lines[-1] == str(2 << 20)


@EMULATED
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_code_that_the_driver_does_not_take(adapter: str) -> None:
    (line,) = said(adapter, """
from svod.device.specs import CompiledSpec
device = svod.Device("CUDA")
spec = device.renderer.render(added())
print(fails(lambda: device.runtime(CompiledSpec.from_bytes(spec, b"nonsense"))).splitlines()[0])
""")
    assert line.startswith("DeviceError: loading kernel 'added' failed on CUDA: device kernel image is invalid")


@EMULATED
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_looking_at_devices_makes_no_context_and_a_context_is_made_on_first_use(adapter: str) -> None:
    lines = said(adapter, """
from svod.device.cuda import driver
asked = []
api = driver.SYSTEM.api()
retain = api.retain
api.retain = lambda index: asked.append(index) or retain(index)
svod.devices()
device = svod.Device("CUDA:1")
device.renderer.render(added())
print(asked)
svod.Buffer(device, 4, dtypes.f32).copyin(np.ones(4, np.float32))
device.compile(added())
print(asked)
""", CUDA_EMULATOR_DEVICES="2")
    assert lines == ["[]", "[1]"]


def test_the_emulator_is_never_loaded_by_the_package() -> None:
    for path in (ROOT / "svod").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "emulated_cuda" not in text, path
        assert "CUDA_EMULATOR" not in text, path
