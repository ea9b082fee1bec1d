"""Tint, the compiler of Dawn, accepts every golden shader: it finds barriers that not all work items reach, which naga lets through.

Needs node, and the package `webgpu` of npm in the folder that the environment variable NODE_MODULES names.
"""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
GOLDEN = sorted((HERE.parents[1] / "golden" / "webgpu").glob("*.wgsl"))
MODULES = os.environ.get("NODE_MODULES", "")
NODE = shutil.which("node")


def tint(files: list[Path]) -> subprocess.CompletedProcess[str]:
    if NODE is None or not (Path(MODULES) / "webgpu" / "index.js").exists():
        pytest.skip("Tint is not there: npm install webgpu, and NODE_MODULES=…/node_modules")
    command = [NODE, str(HERE / "tint.mjs"), MODULES, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_golden_shaders_are_accepted() -> None:
    assert len(GOLDEN) >= 5
    said = tint(GOLDEN)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count(": accepted") == len(GOLDEN)


def test_a_barrier_that_not_all_reach_is_refused(tmp_path: Path) -> None:
    """What is accepted means something."""
    bad = tmp_path / "bad.wgsl"
    bad.write_text("@compute @workgroup_size(8) fn f(@builtin(local_invocation_id) i: vec3<u32>) { if (i.x < 4) { workgroupBarrier(); } }")
    said = tint([bad])
    assert said.returncode == 1
    assert "uniform control flow" in said.stdout
