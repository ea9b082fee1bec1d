"""examples/plugin_device: installed as any package is, it is listed, opened, counts launches, and conforms; its how-to shows its code."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "examples" / "plugin_device"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what an installer puts there: the package, and the record of its distribution."""
    folder, project = tmp_path_factory.mktemp("site"), PROJECT["project"]
    for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(PACKAGE / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in project["entry-points"].items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


def run(installed: Path, *line: str) -> str:
    """Standard output of a process that has the package."""
    environment = os.environ | {"PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, *line], capture_output=True, text=True, env=environment, check=False, cwd=installed)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed_with_its_limits(installed: Path) -> None:
    (line,) = [d for d in json.loads(run(installed, "-m", "svod", "devices", "--json")) if d["name"] == "COUNTING"]
    assert line["available"]
    assert line["details"] == {"counts": "launches", "runs on": "the interpreter"}
    assert line["limits"]["work items of a group"].startswith("1024")


def test_it_conforms(installed: Path) -> None:
    report = json.loads(run(installed, "-m", "svod", "conformance", "COUNTING", "--json", "--part", "loops", "--part", "language",
                            "--part", "launch", "--part", "bad"))
    assert report["failures"] == report["skips"] == []
    assert report["counts"].keys() == {"loops", "language", "launch", "bad"}
    assert all(row["passed"] > 5 for row in report["counts"].values())


def test_it_counts_launches_and_shares_host_memory(installed: Path, tmp_path: Path) -> None:
    code = """
import numpy as np, svod, svod.lang as sl
from counting_device import launches

@sl.kernel
def twice(a: sl.Array[sl.f32], o: sl.Array[sl.f32]):
    o[sl.global_id()] = a[sl.global_id()] * 2.0

a, o = svod.Buffer("CPU", 64, svod.dtypes.f32).copyin(np.arange(64, dtype=np.float32)), np.zeros(64, np.float32)
for _ in range(3):
    twice.on("COUNTING").launch(a, o, threads=64)
assert (o == np.arange(64) * 2).all()
assert a.to("COUNTING").address == a.address
print(launches())
"""
    (tmp_path / "counts.py").write_text(code)
    assert run(installed, str(tmp_path / "counts.py")) == "{'twice': 3}\n"


def test_what_it_has_not_is_said(installed: Path) -> None:
    code = """
import svod
for name in ("COUNTING:1", "COUNTING:word"):
    try:
        svod.Device(name)
    except svod.errors.DeviceUnavailable as e:
        print(e.what)
"""
    assert run(installed, "-c", code).splitlines() == ["COUNTING:1 does not exist", "COUNTING:word does not exist"]


def test_the_how_to_shows_the_code_of_the_package() -> None:
    page = (ROOT / "docs" / "plugin-device.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\[([\w/.]+)\]\([^)]+\):\n\n```\w+\n(.*?)^```\n", page, flags=re.DOTALL | re.MULTILINE))
    files = {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.*") if p.suffix in (".py", ".toml")}
    assert shown.keys() == files - {"counting_device/__init__.py"}
    for name, text in shown.items():
        assert text == (PACKAGE / name).read_text(encoding="utf-8"), f"docs/plugin-device.md does not show {name} as it is"
