"""Tint, the compiler of Dawn, accepts every shader: it finds barriers that not all work items reach, which naga lets through.

Needs node, and the package `webgpu` of npm in the folder that the environment variable NODE_MODULES names.
"""
from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

import svod
from svod import UOp
from svod.errors import UnsupportedError
from svod.testing.conformance import gallery_checks
from svod.testing.kernels import CASES

TINT = pytest.mark.devices("TINT")
HERE = Path(__file__).parent
GOLDEN = sorted((HERE.parents[1] / "golden" / "webgpu").glob("*.wgsl"))
MODULES = os.environ.get("NODE_MODULES", "")
NODE = shutil.which("node")


def tint(files: list[Path]) -> subprocess.CompletedProcess[str]:
    if NODE is None or not (Path(MODULES) / "webgpu" / "index.js").exists():
        pytest.skip("Tint is not there: npm install webgpu, and NODE_MODULES=…/node_modules")
    command = [NODE, str(HERE / "tint.mjs"), MODULES, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def accepted(files: list[Path]) -> int:
    """How many Tint accepts, a few in each process: one that has compiled a dozen may end."""
    count = 0
    for first in range(0, len(files), 4):
        said = tint(files[first:first + 4])
        assert said.returncode == 0, said.stdout + said.stderr
        count += said.stdout.count(": accepted")
    return count


def shaders(folder: Path, kernels: Iterable[UOp]) -> list[Path]:
    """Files of those kernels that a device of the least abilities takes."""
    device, files = svod.Device.offline("WEBGPU", "baseline"), []
    for k, kernel in enumerate(kernels):
        with suppress(UnsupportedError):
            files.append(folder / f"{k}.wgsl")
            files[-1].write_text(device.renderer.render(kernel).src, encoding="utf-8")
    return [f for f in files if f.exists()]


@TINT
def test_loop_kernels_are_accepted(tmp_path: Path) -> None:
    files = shaders(tmp_path, (make().ast for make in CASES.values()))
    assert accepted(files) == len(files) >= 40


@TINT
def test_the_gallery_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kernel that the checks of the gallery compile."""
    tint([])
    found, make = {}, svod.Device._make

    def noted(self: svod.Device, kernel: UOp, key: str) -> object:
        found[kernel] = None
        return make(self, kernel, key)
    monkeypatch.setattr(svod.Device, "_make", noted)
    for check in gallery_checks():
        check.on(svod.Device("CPU"))
    files = shaders(tmp_path, found)
    assert accepted(files) == len(files) >= 25


@TINT
def test_golden_shaders_are_accepted() -> None:
    assert len(GOLDEN) >= 5
    said = tint(GOLDEN)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count(": accepted") == len(GOLDEN)


@TINT
def test_a_barrier_that_not_all_reach_is_refused(tmp_path: Path) -> None:
    """What is accepted means something."""
    bad = tmp_path / "bad.wgsl"
    bad.write_text("@compute @workgroup_size(8) fn f(@builtin(local_invocation_id) i: vec3<u32>) { if (i.x < 4) { workgroupBarrier(); } }")
    said = tint([bad])
    assert said.returncode == 1
    assert "uniform control flow" in said.stdout
