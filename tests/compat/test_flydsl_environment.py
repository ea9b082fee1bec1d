"""FlyDSL's environment variables: the cache, COMPILE_ONLY, dumps. Each is read when a jit function is called."""
from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.codegen.simt import THREAD_PIPELINE
from svod.compat.flydsl.expr import gpu

SCRIPT = """
import numpy as np
import svod.compat.flydsl.compiler as flyc
import svod.compat.flydsl.expr as fx
from svod.compat.flydsl.expr import gpu

@flyc.kernel
def add_one(x: fx.Tensor):
    x[gpu.thread_idx.x] += 1.0

@flyc.jit
def launch(x: fx.Tensor):
    add_one(x).launch(grid=1, block=4)

x = np.zeros(4, np.float32)
launch(x)
print(x.tolist())
"""


@flyc.kernel
def add_one(x: fx.Tensor):
    x[gpu.thread_idx.x] += 1.0


@flyc.jit
def launch(x: fx.Tensor):
    add_one(x).launch(grid=1, block=4)


def ran(tmp_path: Path, **variables: str) -> str:
    """What the script says in a new process."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run([sys.executable, path], env=os.environ | {"PYTHONPATH": str(Path(fx.__file__).parents[4])} | variables,
                          capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()] if folder.exists() else []


def test_the_folder_of_the_cache(tmp_path: Path) -> None:
    """R139, R142, R145: what was compiled is kept where the variable says, or not at all."""
    kept, off = tmp_path / "kept", tmp_path / "off"
    assert ran(tmp_path, FLYDSL_RUNTIME_CACHE_DIR=str(kept)) == "[1.0, 1.0, 1.0, 1.0]\n"
    entries = files(kept)
    assert entries
    assert ran(tmp_path, FLYDSL_RUNTIME_CACHE_DIR=str(kept)) == "[1.0, 1.0, 1.0, 1.0]\n"
    assert files(kept) == entries
    assert ran(tmp_path, FLYDSL_RUNTIME_CACHE_DIR=str(off), FLYDSL_RUNTIME_ENABLE_CACHE="0") == "[1.0, 1.0, 1.0, 1.0]\n"
    assert not files(off)


def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    """R143."""
    ran(tmp_path, FLYDSL_RUNTIME_CACHE_DIR=str(tmp_path / "kept"))
    for path in files(tmp_path / "kept"):
        path.write_bytes(path.read_bytes()[:20])
    assert "[1.0, 1.0, 1.0, 1.0]\n" in ran(tmp_path, FLYDSL_RUNTIME_CACHE_DIR=str(tmp_path / "kept"))


def test_compiling_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """R144."""
    x: Any = np.zeros(4, np.float32)
    monkeypatch.setenv("COMPILE_ONLY", "1")
    monkeypatch.setenv("ARCH", "gfx942")
    assert launch(x) is None
    assert capsys.readouterr().out == "[flydsl] COMPILE_ONLY=1, compilation succeeded (arch=gfx942)\n"
    assert not x.any()
    assert launch.last_compiled is not None


def test_dumps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """R146: also of what is in the cache already."""
    for name, value in (("FLYDSL_DUMP_IR", "yes"), ("FLYDSL_DUMP_DIR", str(tmp_path / "dumps"))):
        monkeypatch.setenv(name, value)
    x: Any = np.zeros(4, np.float32)
    for _ in range(2):
        launch(x)
        told = capsys.readouterr().out.splitlines()
        assert told[0] == f"[flydsl] DUMP_IR enabled, dir={tmp_path / 'dumps'}"
        stages = [f"{k:02}_{stage.name}.svod" for k, stage in enumerate(THREAD_PIPELINE, 1)]
        for name in ("00_original.svod", *stages, f"{len(stages) + 1:02}_rendered.txt", "final_isa.s"):
            path = tmp_path / "dumps/add_one" / name
            assert f"[flydsl] dump {path.stem} -> {path}" in told
            assert path.stat().st_size > 100
            path.unlink()
    assert x.tolist() == [2] * 4


def test_the_source_is_not_rewritten(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """R148: there is no other source to show, and it is said where it is seen."""
    monkeypatch.setenv("FLYDSL_DEBUG_AST_DIFF", "on")
    launch(np.zeros(4, np.float32))
    assert "nothing is rewritten" in capsys.readouterr().err


def test_values_without_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """R149."""
    monkeypatch.setenv("COMPILE_ONLY", "maybe")
    with pytest.raises(ValueError, match="Failed to parse environment variable COMPILE_ONLY='maybe'"):
        launch(np.zeros(4, np.float32))


def test_each_form_has_its_own_dump_and_is_pickled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """R81, R84."""
    monkeypatch.setenv("FLYDSL_DUMP_IR", "1")
    monkeypatch.setenv("FLYDSL_DUMP_DIR", str(tmp_path))
    both(np.zeros(4, np.float32), np.zeros(4, np.float64))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scaled", "scaled_1", "scaled_2"]
    assert both.last_compiled is not None
    again = pickle.loads(pickle.dumps(both.last_compiled))
    assert again.function is both
    assert [k.request for k in again.kernels] == [k.request for k in both.last_compiled.kernels]
    assert again.original_ir == both.last_compiled.original_ir


@flyc.kernel
def scaled(x: fx.Tensor, by: fx.Constexpr[int]) -> None:
    x[gpu.thread_idx.x] *= by


@flyc.jit
def both(x: fx.Tensor, y: fx.Tensor) -> None:
    scaled(x, 2).launch(block=4)
    scaled(x, 3).launch(block=4)
    scaled(y, 2).launch(block=4)
