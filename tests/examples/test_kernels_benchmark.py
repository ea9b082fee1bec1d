"""benchmarks/kernels.py measures what it has checked, and says so where something is wrong or not there.

Owns: nothing. Must not assert a time.
"""
from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
BENCHMARKS, GALLERY = ROOT / "benchmarks", ROOT / "examples" / "kernels"


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """benchmarks/kernels.py as a module; the modules beside it (timing, …) do not stay for tests that mean others of that name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    beside = {p.stem for p in BENCHMARKS.glob("*.py")}
    kept = {name: sys.modules.pop(name) for name in beside & sys.modules.keys()}
    yield importlib.import_module("kernels")
    for name in beside & sys.modules.keys():
        del sys.modules[name]
    sys.modules.update(kept)


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(BENCHMARKS / "kernels.py"), "--rounds", "1", "--seconds", "0.001", *arguments],
                          capture_output=True, text=True, check=False)


def test_a_row(tmp_path: Path) -> None:
    done = bench("--peers", "svod,numpy", "--threads", "1", "--json", str(tmp_path / "out.json"), "--cache", str(tmp_path), "matmul_naive")
    assert done.returncode == 0, done.stderr
    title, row = done.stdout.splitlines()
    assert title.split()[:2] == ["svod", "numpy"]
    assert row.startswith("matmul_naive ")
    assert "GFLOP/s" in row
    figures = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["rows"]["matmul_naive"]
    for peer in ("svod", "numpy"):
        assert figures[peer]["rate"] == pytest.approx(2 * 512**3 / figures[peer]["seconds"] / 1e9)


def test_unknown_names_are_refused() -> None:
    for arguments, says in ((["nonesuch"], "no kernel is called nonesuch"), (["--peers", "svod,nonesuch"], "no peer is called nonesuch")):
        done = bench(*arguments)
        assert done.returncode == 2
        assert says in done.stderr


def test_a_wrong_result_is_not_timed(tmp_path: Path) -> None:
    """A gallery of one file, whose kernel leaves the result as it is, and of one that cannot be loaded."""
    shutil.copy(GALLERY / "gallery.py", tmp_path)
    (tmp_path / "idle.py").write_text(
        '"""A kernel that does nothing."""\nimport numpy as np\nfrom gallery import Bench\n\n\ndef bench(device="CPU"):\n'
        '    out = np.zeros(3)\n    return Bench(lambda: None, out, lambda: out + 1, 24)\n', encoding="utf-8")
    (tmp_path / "missing.py").write_text('"""A kernel that is not there."""\nraise OSError("no such thing")\n', encoding="utf-8")
    done = bench("--peers", "svod,numpy", "--gallery", str(tmp_path), "--cache", str(tmp_path))
    assert done.returncode == 1
    _, idle, wrong, missing, *errors = done.stdout.splitlines()
    assert idle.split()[:2] == ["idle", "wrong"]
    assert float(idle.split()[2]) >= 0, "NumPy's time is there"
    assert wrong.startswith("    svod: wrong Not equal to tolerance")
    assert missing.split()[:3] == ["missing", "error", "error"]
    assert errors == [f"    {peer}: error OSError: no such thing" for peer in ("svod", "numpy")]


def test_the_loops_of_others_are_of_kernels_that_exist(benchmarks: ModuleType) -> None:
    there = {p.stem for p in GALLERY.glob("*.py")}
    assert importlib.import_module("kernels_shared").SHARED.keys() <= there
    assert importlib.import_module("kernels_gcc").kinds.keys() <= there


def test_a_line_of_figures(benchmarks: ModuleType) -> None:
    timed = {"svod": {"seconds": 0.002, "rate": 1.5, "unit": "GB/s"}, "numpy": {"seconds": 0.006, "rate": 0.5, "unit": "GB/s"},
             "numba": {"absent": True}, "gcc": {"error": "killed"}}
    shown, trouble = benchmarks.line("scan", timed, ["svod", "numpy", "numba", "gcc"]).splitlines()
    assert shown.split() == ["scan", "2.00", "ms", "1.5", "6.00", "ms", "0.5", "–", "error", "GB/s", "3.00"]
    assert trouble == "    gcc: error killed"
    assert benchmarks.line("scan", {"svod": timed["svod"]}, ["svod"]).split() == ["scan", "2.00", "ms", "1.5", "GB/s", "–"]
