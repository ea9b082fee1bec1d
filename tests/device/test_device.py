"""Devices: names, defaults, offline rendering, and that a program is made once."""
from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import svod
from svod import Config, Opt, OptKind, Program, UOp
from svod.config import CacheSettings
from svod.device.cpu.probe import ARCHITECTURES
from svod.device.device import Device, disk_cache
from svod.device.entry import split_key
from svod.errors import ConfigError, DeviceError, DeviceUnavailable, GraphError, ScheduleError
from svod.ir.ops import Op
from svod.testing.kernels import CASES, axes, p

ROOT = str(Path(svod.__file__).parents[1])


def test_the_variable_that_named_a_device_is_named_in_the_error(device: Device) -> None:
    with svod.override(device="XPU"), pytest.raises(DeviceUnavailable, match="called XPU\n  at: the environment variable DEVICE\n  hint: "):
        Device()
    with pytest.raises(DeviceUnavailable) as caught:
        Device("XPU")
    assert "DEVICE" not in caught.value.at


def test_devices_and_programs_say_what_to_send_instead_of_a_pickle(device: Device) -> None:
    with pytest.raises(DeviceError, match=rf"device {device.name} cannot be pickled\n  hint: send its name"):
        pickle.dumps(device)
    with pytest.raises(DeviceError, match=r"program scaled cannot be pickled(.|\n)*send the graph"):
        pickle.dumps(device.compile(scaled(2.0)))


def test_the_key_of_a_program_begins_its_kernel_with_the_name() -> None:
    key = split_key(Device("CPU").cache_key(scaled(2.0), name="twice"))
    assert key["kernel"].startswith("twice ")
    assert Device("CPU").cache_key(scaled(2.0), opts=[]) != Device("CPU").cache_key(scaled(2.0))


def scaled(factor: float, n: int = 64) -> UOp:
    (i,) = axes(n)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() * factor), name="scaled")


@pytest.fixture
def own_cache(tmp_path: Path) -> Iterator[CacheSettings]:
    """A disk cache of the test's own."""
    with svod.override(cache=CacheSettings(dir=tmp_path / "cache")) as chosen:
        yield chosen.cache


# ---- names --------------------------------------------------------------------------------------------------------------------------


def test_a_name_gives_the_same_object() -> None:
    assert Device("CPU") is Device("cpu") is Device("CPU:0")
    assert Device("NULL:x86-64-v3") is Device("null:X86-64-v3")
    assert Device("INTERP") is not Device("CPU")
    assert (Device("CPU").name, Device("NULL:x86-64").base_key, repr(Device("INTERP"))) == ("CPU", "NULL", "Device('INTERP')")


@pytest.mark.parametrize("name", ["CPU:1", "INTERP:3", "CPU:fast", "NULL:z80", "NOPE"])
def test_a_device_that_is_not_there(name: str) -> None:
    with pytest.raises(DeviceUnavailable):
        Device(name)


def test_text_that_is_no_name() -> None:
    with pytest.raises(ConfigError, match="no device name"):
        Device("C P U")


# ---- the default --------------------------------------------------------------------------------------------------------------------


def printed(program: str, **env: str) -> str:
    """What a fresh process prints."""
    given = {**{k: v for k, v in os.environ.items() if k != "DEVICE"}, "PYTHONPATH": ROOT, **env}
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip()


def test_the_default_is_a_scope_else_what_was_set_else_the_environment_else_the_cpu() -> None:
    program = """
from svod import Device
seen = [Device.DEFAULT, Device().name]
with Device("NULL"):
    seen.append(Device().name)
    with Device.default("CPU") as inner:
        seen += [inner.name, Device.DEFAULT]
    seen.append(Device.DEFAULT)
Device.set_default("NULL:x86-64")
seen.append(Device.DEFAULT)
with Device("CPU"):
    seen.append(Device.DEFAULT)
print(*seen)
"""
    scopes = "NULL CPU CPU NULL NULL:x86-64 CPU"
    assert printed(program) == f"CPU CPU {scopes}"
    assert printed(program, DEVICE="INTERP") == f"INTERP INTERP {scopes}"


def test_a_default_that_cannot_be_opened_is_refused_at_once() -> None:
    before = Device.DEFAULT
    with pytest.raises(DeviceUnavailable):
        Device.set_default("NOPE")
    with pytest.raises(DeviceUnavailable), Device.default("NOPE"):
        pass
    assert before == Device.DEFAULT


def test_a_scope_ends_with_an_error_too() -> None:
    before = Device.DEFAULT
    with pytest.raises(KeyError), Device("NULL"):
        raise KeyError
    assert before == Device.DEFAULT


def test_a_scope_is_of_its_own_thread() -> None:
    seen: list[str] = []
    with Device("NULL"):
        thread = threading.Thread(target=lambda: seen.append(Device.DEFAULT))
        thread.start()
        thread.join()
        assert Device.DEFAULT == "NULL"
    assert seen == [Device.DEFAULT]


# ---- offline ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_offline_renders_for_an_architecture_and_runs_nothing(arch: str) -> None:
    device = Device.offline("CPU", arch)
    bits, registers = ARCHITECTURES[arch]
    assert device is Device.offline("CPU", arch)
    assert (device.name, device.base_key) == (f"CPU({arch})", "CPU")
    assert (device.target.vector_bits, device.target.registers) == (bits, registers)
    spec = device.renderer.render(scaled(2.0, 1 << 10))
    assert f"<{bits // 32} x float>" in spec.src
    assert device.compiler.compile(spec).src == spec.src
    program = device.compile(scaled(2.0, 1 << 10))
    assert program.source == program.asm == device.renderer.render(scaled(2.0, 1 << 10)).src
    assert program.resources == {}
    for use in (lambda: device.allocator, lambda: program.execute([np.zeros(1 << 10, np.float32), np.zeros(1 << 10, np.float32)])):
        with pytest.raises(DeviceUnavailable, match="is offline"):
            use()


def test_an_offline_device_has_a_name_that_opens_it() -> None:
    device = Device.offline("METAL")
    assert Device(device.name) is Device("metal(generic)") is device
    with pytest.raises(ConfigError, match="is no device name"):
        Device("METAL(a b)")


@pytest.mark.parametrize("name", ["CC", "OPENCL", "WEBGPU", "HIP", "METAL"])
def test_what_is_offline_compiles_or_shows_its_source(name: str) -> None:
    try:
        program = Device.offline(name).compile(scaled(2.0))
    except DeviceUnavailable as error:
        if name != "HIP":
            raise
        pytest.skip(error.what)
    assert "scaled" in program.source


def test_an_unknown_architecture() -> None:
    with pytest.raises(DeviceUnavailable, match="no CPU architecture is called 'z80'") as e:
        Device.offline("CPU", "z80")
    assert all(arch in e.value.hint for arch in ARCHITECTURES)


# ---- compiling ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.devices("CPU", "INTERP", "NULL")
def test_the_same_kernel_gives_the_same_program(device: Device) -> None:
    assert device.compile(scaled(2.5)) is device.compile(scaled(2.5))
    assert device.compile(scaled(2.5), name="scaled") is device.compile(scaled(2.5))


@pytest.mark.devices("CPU")
def test_another_name_schedule_or_configuration_gives_another_program(device: Device) -> None:
    split = [Opt(OptKind.SPLIT, (0,), 4)]
    programs = [device.compile(scaled(3.5)), device.compile(scaled(3.5), name="other"), device.compile(scaled(3.5), opts=split),
                device.compile(scaled(3.5), opts=[]), device.compile(scaled(4.5))]
    for config in (Config(threads=3), Config(vector_bits=128), Config(contract="off"), Config(opt_level=1)):
        with svod.override(config=config):
            programs.append(device.compile(scaled(3.5)))
            assert device.compile(scaled(3.5)) is programs[-1]
    assert len(set(map(id, programs))) == len(programs)
    assert programs[1].name == "other"


@pytest.mark.parametrize("ast", [None, "kernel", scaled(1.0).src[0], UOp.const(1, svod.dtypes.i32)], ids=lambda a: type(a).__name__)
def test_what_is_no_kernel_is_refused(ast: object) -> None:
    with pytest.raises(GraphError, match="compile takes a SINK"):
        Device("CPU").compile(ast)  # type: ignore[arg-type]


def test_a_linear_program_is_compiled_as_it_is(device: Device) -> None:
    a, out = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    program = svod.ir.text.parse(Device("INTERP").compile(scaled(2.0)).source)
    assert program.op is Op.LINEAR
    device.compile(program)(out, a)
    assert np.array_equal(out, a * 2)


CHILD = """
import json, numpy as np, svod, runpy
from svod.device.device import disk_cache
from svod.device.cpu.backend import CPURenderer
rendered = []
class Counting(CPURenderer):
    def render(self, ast, name=None):
        rendered.append(ast)
        return super().render(ast, name)
device = svod.Device("CPU")
device.renderer.__class__ = Counting
ast = runpy.run_path({file!r})["scaled"](17.25)
out = np.zeros(64, np.float32)
device.compile(ast)(out, np.ones(64, np.float32))
s = disk_cache().stat()
print(json.dumps([len(rendered), s.hits, s.misses, s.puts, float(out.sum())]))
"""


def test_a_second_process_finds_the_compiled_kernel_and_lowers_nothing(tmp_path: Path) -> None:
    program, cache = CHILD.format(file=__file__), str(tmp_path / "shared")
    first, second = (json.loads(printed(program, SVOD_CACHE_DIR=cache)) for _ in range(2))
    assert (first[0], second[0]) == (1, 0), "kernels rendered"
    assert first[2] == first[3] > 0, "everything was missed, made and kept"
    assert second[1:4] == [first[2], 0, 0], "everything was found"
    assert first[4] == second[4] == 17.25 * 64


def test_why_a_kernel_is_compiled_again(own_cache: CacheSettings) -> None:
    device, disk = Device("CPU"), disk_cache()
    assert disk is not None
    kernel = scaled(23.75)
    device.compile(kernel)
    assert disk.explain(device._key(kernel)).state == "hit"
    with svod.override(config=Config(threads=5)):
        told = disk.explain(device._key(kernel))
    assert (told.state, [name for name, _, _ in told.differences]) == ("absent", ["config"])


def test_a_damaged_entry_is_compiled_again(own_cache: CacheSettings) -> None:
    disk = disk_cache()
    assert disk is not None
    kernel = scaled(31.5)
    for n in (1, 2):
        device = Device.of(Device("CPU").backend)
        disk.put(device._key(kernel), b"no compiled kernel")
        out = np.zeros(64, np.float32)
        device.compile(kernel)(out, np.ones(64, np.float32))
        assert (out == 31.5).all(), n


def test_the_cache_can_be_off() -> None:
    with svod.override(cache=CacheSettings(enabled=False)):
        assert disk_cache() is None
        assert Device.of(Device("CPU").backend).compile(scaled(41.0)).name == "scaled"


# ---- threads and processes ------------------------------------------------------------------------------------------------------------

THREADS, ROUNDS = 8, 200


def together(work: list[object]) -> None:
    """Calls everything at the same time; the first error is raised here."""
    errors: list[BaseException] = []
    gate = threading.Barrier(len(work))

    def run(job: object) -> None:
        try:
            gate.wait()
            job()  # type: ignore[operator]
        except BaseException as e:  # noqa: BLE001
            errors.append(e)
    threads = [threading.Thread(target=run, args=(job,)) for job in work]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def test_threads_share_programs_and_get_their_own_results(own_cache: CacheSettings) -> None:
    device, disk = Device.of(Device("CPU").backend), disk_cache()
    assert disk is not None
    found: dict[float, set[int]] = {}
    keep: list[Program] = []
    lock = threading.Lock()

    def job(number: int) -> None:
        a = np.full(64, number + 1, np.float32)
        for r in range(ROUNDS):
            factor = 50.0 + (r + (number if r % 2 else 0)) % 20
            with svod.override(cache=own_cache):
                program = device.compile(scaled(factor))
            with lock:
                found.setdefault(factor, set()).add(id(program))
                keep.append(program)
            out = np.zeros(64, np.float32)
            program(out, a)
            assert (out == (number + 1) * factor).all()

    together([lambda n=n: job(n) for n in range(THREADS)])
    assert {len(programs) for programs in found.values()} == {1}, "one program for each kernel"
    stat = disk.stat()
    assert (stat.misses, stat.puts) == (len(found), len(found)), "each was looked for and made once"


@pytest.mark.parametrize("name", ["two_passes_through_memory", "normalize_whole"])
def test_threads_execute_one_parallel_program(name: str) -> None:
    case = CASES[name]()
    program = Device("CPU").compile(case.ast)

    def job() -> None:
        for _ in range(20):
            buffers = case.fresh()
            program.execute(buffers, case.vals)
            case.check(buffers)

    together([job] * THREADS)


def test_a_forked_child_compiles_and_executes() -> None:
    program = f"""
import os, numpy as np, svod, runpy
scaled = runpy.run_path({__file__!r})["scaled"]
n = 1 << 18
a, out = np.ones(n, np.float32), np.zeros(n, np.float32)
known = svod.Device("CPU").compile(scaled(2.0, n))
known(out, a)
if (child := os.fork()) == 0:
    try:
        known(out, a)
        svod.Device("CPU").compile(scaled(3.0, n))(out, a)
        ok = (out == 3).all()
    except BaseException:
        ok = False
    os._exit(0 if ok else 1)
print(os.waitpid(child, 0)[1], (out == 2).all())
known(out, a)
"""
    assert printed(program) == "0 True"


# ---- what is no kernel, no schedule, or pinned elsewhere --------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "what", "hint"), [
    (lambda: p(0, "out")[0].store(1.0), "got a STORE", "wrap the stores"), (p(0, "out")[0].load, "got a LOAD", "store the value"),
    (lambda: p(0, "out")[0], "got an INDEX", "store the value"),
    (lambda: [p(0, "out")[0].store(1.0)], "got list", r"UOp\.sink\(\*effects\)"),
    (lambda: None, "got NoneType", "a graph of effects"), (partial(Device("NULL").compile, scaled(2.0)), "got Program", "compiled already"),
    (lambda: UOp(Op.PROGRAM, (scaled(2.0), UOp(Op.DEVICE, (), "CPU"))), "got a PROGRAM", r"program\.src\[0\]"),
])
def test_what_is_no_kernel_says_how_to_make_one(make: Callable[[], Any], what: str, hint: str) -> None:
    with pytest.raises(GraphError, match=f"compile takes a SINK, {what}(.|\n)*hint: .*{hint}"):
        Device("NULL").compile(make())


def test_the_name_of_a_kernel_is_text() -> None:
    with pytest.raises(GraphError, match=r"the name of a kernel is text, got 5(.|\n)*name="):
        Device("NULL").compile(scaled(2.0), name=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("compiled", [
    lambda: Device("NULL").compile(scaled(2.0), opts=(5,)),  # type: ignore[arg-type]
    lambda: Device("NULL").compile(UOp.sink(*scaled(2.0).src, name="k", opts=(5,))),  # type: ignore[arg-type]
    lambda: Device("NULL").compile(scaled(2.0), opts=[Opt("UNROLL", (0,))]),  # type: ignore[arg-type]
])
def test_what_is_no_opt_is_refused_wherever_it_was_written(compiled: Callable[[], Any]) -> None:
    with pytest.raises(ScheduleError, match=r"hint: write Opt\(OptKind\.SPLIT"):
        compiled()


@pytest.mark.devices("CPU")
def test_a_sink_may_hold_its_schedule_as_text(device: Device) -> None:
    program = device.compile(UOp.sink(*scaled(2.0).src, name="texts", opts=["SPLIT(0 by 4)", "VECTOR(0.1)"]))
    out, a = np.zeros(64, np.float32), np.arange(64, dtype=np.float32)
    program(out, a)
    assert ("f32x4" if device.name == "CC" else "<4 x float>") in program.source
    assert np.array_equal(out, a * 2)


@pytest.mark.devices("CPU", "INTERP")
def test_a_buffer_may_be_pinned_to_the_device_that_compiles_and_to_no_other(device: Device) -> None:
    def pinned(name: str) -> UOp:
        a = UOp(Op.PARAM, (UOp(Op.DEVICE, (), name),), p(1, "a").arg, p(1, "a").dtype)
        (i,) = axes(4)
        return UOp.sink(p(0, "out")[i].store(a[i].load() + 1.0), name="pinned")
    out = np.zeros(4, np.float32)
    device.compile(pinned(device.name))(out, out + 1)
    assert (out == 2).all()
    for act in (device.compile, device.schedule):
        with pytest.raises(GraphError, match=rf"buffer 'a' is pinned to CUDA, and .* for {device.name}(.|\n)*DEVICE operand"):
            act(pinned("CUDA"))


def test_names_of_the_front_door() -> None:
    from svod.codegen.schedule import parse_opt
    from svod.ir.args import AtomicKind
    assert svod.parse_opt is parse_opt
    assert svod.AtomicKind is AtomicKind
    assert {"parse_opt", "AtomicKind"} <= set(dir(svod))
