"""Names of devices, svod's own probes, and plug-ins: real distributions, with an entry point, on the path."""
from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from svod.device.registry import BUILT_IN, DeviceInfo, DeviceName, Registry, base_key, parse_name
from svod.errors import ConfigError, DeviceError, DeviceUnavailable

ROOT = Path(__file__).parent.parent.parent
PROBE = '''
from svod.device.registry import DeviceInfo
from svod.errors import DeviceUnavailable

class Device:
    def __init__(self, *made_from): self.made_from = made_from

class {kind}:
    name = "{name}"
    opened = []
    def probe(self): {probe}
    def open(self, index, arg):
        self.opened.append((index, arg))
        {open}

PROBE = {kind}()
'''
COUNT = itertools.count()
Install = Callable[..., str]


def install(folder: Path, device: str, /, **parts: str) -> str:
    """A distribution with the device `device`, in `folder`; its module's name. `source` or parts of PROBE replace what the module holds."""
    module = f"svod_test_plug_in_{next(COUNT)}"
    parts = {"kind": "Probe", "probe": f'return [DeviceInfo("{device.upper()}", True)]', "open": "return Device(index, arg)",
             "name": device.upper(), "dist": f"{device.lower()}-plug-in", "where": f"{module}:PROBE", "entry": device, "more": "", **parts}
    source = parts.get("source", PROBE.format(**parts)) + parts["more"]
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{parts['dist'].replace('-', '_')}-1.{next(COUNT)}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {parts['dist']}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[console_scripts]\nx = y:z\n\n[svod.devices]\n{parts['entry']} = {parts['where']}\n")
    return module


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`plug_in("TOY")` installs a distribution and returns the name of its module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda device, /, **parts: install(tmp_path, device, **parts)


def listed(name: str, registry: Registry | None = None) -> list[DeviceInfo]:
    """The lines about a device; the other devices must be there as well."""
    found = (registry or Registry()).list_devices()
    assert {"CPU", "INTERP", "NULL"} <= {i.name for i in found if i.available}
    return [i for i in found if i.name.startswith(name)]


# --- names -----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("text", "parts", "canonical"), [
    ("CPU", ("CPU", 0), "CPU"), ("cpu", ("CPU", 0), "CPU"), (" Cpu:0 ", ("CPU", 0), "CPU"), ("cuda:1", ("CUDA", 1), "CUDA:1"),
    ("CUDA:01", ("CUDA", 1), "CUDA:1"), ("my_gpu2:15", ("MY_GPU2", 15), "MY_GPU2:15"), ("null:LLVM", ("NULL", "llvm"), "NULL:llvm"),
    ("NULL:x86-64-v3", ("NULL", "x86-64-v3"), "NULL:x86-64-v3"), ("NULL:sm_90a", ("NULL", "sm_90a"), "NULL:sm_90a"),
])
def test_names(text: str, parts: tuple[str, int | str], canonical: str) -> None:
    name = parse_name(text)
    assert name == parts
    assert (name.number, name.word) == ((parts[1], "") if isinstance(parts[1], int) else (0, parts[1]))
    assert str(name) == canonical
    assert parse_name(canonical) == name


@pytest.mark.parametrize("text", ["", " ", ":", "CPU:", ":1", "1", "CPU:-1", "CPU:1:2", "CPU 1", "CPU:1.5", "CPU:9999999", "ÇPU", "CPU:١",
                                  "CPU\n:1", None, 3])
def test_text_that_is_no_name(text: Any) -> None:
    with pytest.raises(ConfigError, match=r"is no device name|a device name is text") as caught:
        parse_name(text)
    assert "NAME:2" in caught.value.hint


@pytest.mark.parametrize(("text", "base"), [("CUDA:1", "CUDA"), ("cpu", "CPU"), ("NULL:llvm", "NULL"), ("CPU(x86-64-v3)", "CPU")])
def test_the_base_of_a_name(text: str, base: str) -> None:
    assert base_key(text) == base


# --- svod's own ------------------------------------------------------------------------------------------------------------------

def test_a_line_says_what_a_device_is() -> None:
    info = DeviceInfo("CUDA", False, "no driver", "install one", {"seen": "nothing"})
    assert info == DeviceInfo("CUDA", False, why="no driver", hint="install one", details={"seen": "nothing"})
    assert hash(info) == hash(DeviceInfo("CUDA", False, "no driver", "install one"))
    assert DeviceInfo("CPU", True) == DeviceInfo("CPU", True, "", "", {})


def test_svods_own_devices_come_first_and_in_order() -> None:
    assert [base_key(i.name) for i in Registry().list_devices()][:4] == list(BUILT_IN)[:4] == ["CPU", "CC", "INTERP", "NULL"]


def test_svods_own_devices_open() -> None:
    registry = Registry()
    there = [i.name for i in registry.list_devices() if i.available and i.name in BUILT_IN]
    assert {"CPU", "INTERP", "NULL"} <= set(there)
    assert all(registry.open_device(name) is registry.open_device(f"{name.lower()}:0") for name in there)
    assert registry.open_device("NULL:x86-64-v3") is not registry.open_device("NULL")


@pytest.mark.parametrize("name", ["CPU:x86", "INTERP:fast"])
def test_only_null_takes_an_argument(name: str) -> None:
    with pytest.raises(DeviceUnavailable, match=f"there is no device {name}: {base_key(name)} takes no argument"):
        Registry().open_device(name)


@pytest.mark.parametrize(("name", "near"), [("CPUU", "did you mean CPU? "), ("interpreter", "did you mean INTERP? "), ("VULKAN:1", "")])
def test_an_unknown_device(name: str, near: str) -> None:
    with pytest.raises(DeviceUnavailable, match=f"there is no device called {base_key(name)}") as caught:
        Registry().open_device(name)
    assert caught.value.hint.startswith(f"{near}known: CPU, CC, INTERP, NULL")


def test_text_that_is_no_name_opens_nothing() -> None:
    with pytest.raises(ConfigError):
        Registry().open_device("CPU::")


# --- plug-ins --------------------------------------------------------------------------------------------------------------------

SCRIPT = '''
import json, sys
from svod.device.registry import list_devices, open_device
before = sorted(sys.modules)
lines = [[i.name, i.available, i.why, i.hint, dict(i.details)] for i in list_devices()]
heavy = sorted({m.split(".")[0] for m in sys.modules} & {"llvmlite", "pycuda", "pyopencl", "wgpu"})
import MODULE as toy
opened_by_listing = list(toy.PROBE.opened)
first, again, second = open_device("toy"), open_device("TOY:0"), open_device("Toy:1")
word = open_device("TOY:Fast")
print(json.dumps({"lines": lines, "heavy": heavy, "loaded before": "MODULE" in before, "opened by listing": opened_by_listing,
                  "same": first is again, "other": first is second, "opened": toy.PROBE.opened, "device": type(second).__name__,
                  "made from": [second.made_from, word.made_from]}))
'''


def test_a_plug_in_of_another_distribution_in_a_fresh_process(tmp_path: Path) -> None:
    module = install(tmp_path, "TOY", probe='return [DeviceInfo("TOY", True, details={"memory": "4 KiB"}), '
                                            'DeviceInfo("TOY:1", False, "unplugged", "plug it in")]')
    install(tmp_path, "BROKEN", source="raise RuntimeError('driver 5 is too old\\nand so am I')")
    done = subprocess.run([sys.executable, "-c", SCRIPT.replace("MODULE", module)], capture_output=True, text=True, cwd=ROOT, check=True,
                          env={**os.environ, "PYTHONPATH": str(tmp_path)})
    said = json.loads(done.stdout)
    assert [line for line in said["lines"] if base_key(line[0]) not in BUILT_IN] == [
        ["BROKEN", False, "RuntimeError: driver 5 is too old", "", {}],
        ["TOY", True, "", "", {"memory": "4 KiB"}], ["TOY:1", False, "unplugged", "plug it in", {}]]
    assert all(line[1] for line in said["lines"] if line[0] in ("CPU", "INTERP", "NULL"))
    assert set(said["heavy"]) <= {"pyopencl", "wgpu"}  # there is no other way to ask for the platforms of OpenCL, and for adapters
    assert (said["loaded before"], said["opened by listing"]) == (False, [])
    assert (said["same"], said["other"], said["device"]) == (True, False, "Device")
    assert said["opened"] == [[0, ""], [1, ""], [0, "fast"]]
    assert said["made from"] == [[1, ""], [0, "fast"]]


def test_opening_svods_own_devices_reads_no_plug_in(plug_in: Install) -> None:
    module = plug_in("TOY")
    Registry().open_device("INTERP")
    assert module not in sys.modules


@pytest.mark.parametrize(("parts", "why"), [
    ({"source": "import no_such_module_of_anybody"}, "ModuleNotFoundError: No module named 'no_such_module_of_anybody'"),
    ({"source": "raise SystemExit(3)"}, "SystemExit: 3"), ({"source": "x = ("}, "SyntaxError: "),
    ({"source": "raise ValueError"}, "ValueError"),
    ({"source": ""}, "AttributeError: module"), ({"where": "no_such_module_of_anybody:PROBE"}, "ModuleNotFoundError: "),
    ({"source": "PROBE = {}"}, r"svod_test_plug_in_\d+:PROBE is {}, not a probe"),
    ({"more": "\nPROBE = Probe"}, ":PROBE is <class .*, not a probe"),
    ({"name": "OTHER"}, "calls itself 'OTHER', its entry point 'TOY'"),
])
def test_a_plug_in_that_cannot_be_loaded_is_listed_with_its_error(plug_in: Install, parts: dict[str, str], why: str) -> None:
    plug_in("TOY", **parts)
    (line,) = listed("TOY")
    assert (line.name, line.available) == ("TOY", False)
    with pytest.raises(DeviceUnavailable, match=why) as caught:
        Registry().open_device("TOY")
    assert line.why in caught.value.what
    assert (caught.value.at, caught.value.hint) == ("toy-plug-in", line.hint)


def test_what_is_missing_is_to_be_installed(plug_in: Install) -> None:
    plug_in("TOY", source="import no_such_module_of_anybody.inside")
    assert listed("TOY")[0].hint == "install what provides the module no_such_module_of_anybody"


@pytest.mark.parametrize(("probe", "why"), [
    ('raise OSError("no driver")', "OSError: no driver"), ("raise SystemExit", "SystemExit"), ("return []", "its probe found nothing"),
    ("return None", "TypeError: 'NoneType' object is not iterable"), ('return ["TOY"]', "its probe reported 'TOY'"),
    ('return [DeviceInfo("TOY", True), DeviceInfo("CPU", False)]', r"its probe reported DeviceInfo\(name='CPU'"),
    ('return [DeviceInfo("?", True)]', "'\\?' is no device name"),
    ('raise DeviceUnavailable("no card", hint="plug one in")', "no card"),
])
def test_a_probe_that_fails_is_listed_with_its_error(plug_in: Install, probe: str, why: str) -> None:
    plug_in("TOY", probe=probe)
    (line,) = listed("TOY")
    assert (line.name, line.available) == ("TOY", False)
    assert re.match(why, line.why)


def test_a_plug_in_cannot_take_the_name_of_a_device_of_svod(plug_in: Install) -> None:
    module = plug_in("cpu", dist="evil-cpu")
    (line,) = [i for i in listed("CPU") if i.name != "CPU"]
    assert line == DeviceInfo("CPU (evil-cpu)", False, "CPU is one of svod's own devices, a plug-in cannot take its place",
                              "uninstall or repair evil-cpu")
    assert type(Registry().open_device("CPU")).__module__ == "svod.device.device"
    assert module not in sys.modules


def test_two_plug_ins_of_one_name_are_both_refused(plug_in: Install) -> None:
    for dist in ("first", "second"):
        plug_in("TWIN", dist=dist)
    assert [(i.name, i.why) for i in listed("TWIN")] == [(f"TWIN ({dist})", "2 plug-ins are called TWIN") for dist in ("first", "second")]
    with pytest.raises(DeviceUnavailable, match="TWIN cannot be opened: 2 plug-ins are called TWIN") as caught:
        Registry().open_device("TWIN")
    assert caught.value.hint == "uninstall or repair first"


def test_a_distribution_that_is_found_twice_counts_once(plug_in: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in("TOY")
    monkeypatch.syspath_prepend(f"{tmp_path}{os.sep}..{os.sep}{tmp_path.name}")
    assert listed("TOY") == [DeviceInfo("TOY", True)]


def test_an_entry_point_that_is_no_device_name(plug_in: Install) -> None:
    plug_in("TOY", entry="my-toy")
    assert [(i.name, i.why) for i in listed("MY-TOY")] == [("MY-TOY (toy-plug-in)", "'my-toy' is no device name")]


def test_entry_points_in_lower_case_are_fine(plug_in: Install) -> None:
    plug_in("toy")
    assert listed("TOY") == [DeviceInfo("TOY", True)]
    assert Registry().open_device("toy")


def test_metadata_that_cannot_be_read_harms_nobody_else(plug_in: Install, tmp_path: Path) -> None:
    plug_in("TOY")
    texts = {"damaged": b"[svod.devices]\nthis is no entry\n", "alien": b"[other]\nthis is no entry\n", "binary": b"\xff\xfe[svod.devices]"}
    for name, text in texts.items():
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {name}\n")
        (folder / "entry_points.txt").write_bytes(text)
    assert listed("TOY") == [DeviceInfo("TOY", True)]
    (line,) = listed("DAMAGED")
    assert line.name == "DAMAGED (damaged)"
    assert line.why.startswith("its entry points cannot be read: ")
    assert listed("ALIEN") == listed("BINARY") == []
    assert Registry().open_device("TOY")


# --- opening ---------------------------------------------------------------------------------------------------------------------

def test_a_device_is_opened_once_for_each_canonical_name(plug_in: Install) -> None:
    module, registry = plug_in("TOY"), Registry()
    devices = [registry.open_device(n) for n in ("TOY", "toy:0", "TOY:1", "toy:01", "TOY:a", "toy:A")]
    assert [devices.index(d) for d in devices] == [0, 0, 2, 2, 4, 4]
    assert sys.modules[module].PROBE.opened == [(0, ""), (1, ""), (0, "a")]


def test_threads_that_open_one_device_get_one(plug_in: Install) -> None:
    module = plug_in("TOY", open="import time; time.sleep(0.05); return Device(index)")
    registry, start = Registry(), threading.Barrier(8)

    def open_device(_: int) -> object:
        start.wait()
        return registry.open_device("TOY:3")
    with ThreadPoolExecutor(8) as pool:
        devices = list(pool.map(open_device, range(8)))
    assert len(set(map(id, devices))) == 1
    assert sys.modules[module].PROBE.opened == [(3, "")]


@pytest.mark.parametrize(("failure", "error", "message"), [
    ('raise DeviceUnavailable("asleep", hint="wake it")', DeviceUnavailable, "^asleep\n  hint: wake it$"),
    ('raise RuntimeError("no context")', DeviceError, "opening TOY:2 failed: RuntimeError: no context"),
    ("return None", DeviceError, "the probe of TOY:2 opened nothing"),
])
def test_a_failed_open_leaves_nothing_and_can_be_tried_again(plug_in: Install, failure: str, error: type[Exception], message: str) -> None:
    module = plug_in("TOY", open=f"if len(self.opened) < 3: {failure}\n        return Device(index)")
    registry = Registry()
    for _ in range(2):
        with pytest.raises(error, match=message):
            registry.open_device("TOY:2")
    assert registry.open_device("TOY:2") is registry.open_device("toy:2")
    assert len(sys.modules[module].PROBE.opened) == 3


def test_a_plug_in_that_is_repaired_can_be_opened(plug_in: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, registry = plug_in("TOY", source="import the_missing_part_of_toy\n" + PROBE.format(
        kind="Probe", name="TOY", probe="return []", open="return Device()")), Registry()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with pytest.raises(DeviceUnavailable, match="TOY cannot be loaded: ModuleNotFoundError"):
        registry.open_device("TOY")
    (tmp_path / "the_missing_part_of_toy.py").write_text("")
    importlib.invalidate_caches()
    assert type(registry.open_device("TOY")).__module__ == module


def test_offline_devices(plug_in: Install) -> None:
    plug_in("PLAIN")
    module = plug_in("CROSS", more="\nProbe.offline = lambda self, arch: Device('offline', arch)\n")
    registry = Registry()
    made: Any = registry.open_device("CROSS", offline="sm_90")
    assert made.made_from == ("offline", "sm_90")
    assert registry.open_device("cross", offline="sm_90") is made
    assert registry.open_device("CROSS", offline="sm_80") is not made
    assert registry.open_device("CROSS") is not made
    assert sys.modules[module].PROBE.opened == [(0, "")]
    with pytest.raises(DeviceUnavailable, match="PLAIN can be used only where the hardware is"):
        registry.open_device("PLAIN", offline="sm_90")


def test_a_probe_of_svods_own_that_is_broken_is_listed_and_raises(plug_in: Install) -> None:
    module = plug_in("TOY", source="import no_such_module_of_anybody")
    registry = Registry({"OWN": f"{module}:PROBE", "INTERP": BUILT_IN["INTERP"]})
    assert [(i.name, i.available) for i in registry.list_devices()][:2] == [("OWN", False), ("INTERP", True)]
    with pytest.raises(DeviceUnavailable, match="OWN cannot be loaded: ModuleNotFoundError"):
        registry.open_device("OWN")
    assert registry.open_device("INTERP")


def test_parts_of_a_name() -> None:
    assert DeviceName("CUDA") == ("CUDA", 0)
    assert str(DeviceName("NULL", "llvm")) == "NULL:llvm"
