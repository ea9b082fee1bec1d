"""The promises of conftest.py: a required device that ran no test turns the session red; goldens compare, bless and complain."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
MARKED = """
import pytest
@pytest.mark.devices("INTERP", "NULL")
def test_own():
    pass
@pytest.mark.devices("GHOST")
def test_skipped():
    pytest.skip("no ghost here")
"""
GOLDEN = """
def test_missing(golden):
    golden("one\\ntwo", "sub/missing.txt")
def test_same(golden):
    golden("one\\ntwo", "same.txt")
def test_changed(golden):
    golden("one\\nthree", "changed.txt")
"""


def run(folder: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `body` as a test module beside a copy of conftest.py, in a process of its own."""
    (folder / "conftest.py").write_text((HERE / "conftest.py").read_text())
    (folder / "test_it.py").write_text(body)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *options, str(folder)]
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = devices(*names): x\n")
    env = {k: v for k, v in os.environ.items() if k != "PYTEST_DEVICE"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, env=env)


@pytest.mark.parametrize(("workers", "required", "code", "said"), [
    ("0", "interp,NULL:x86", 0, ["devices: INTERP 1 passed, NULL 1 passed"]),
    ("2", "INTERP,CPU,GHOST", 1, [f"ERROR: device {n} was required, but no test passed on it" for n in ("CPU", "GHOST")]),
])
def test_required_devices(tmp_path: Path, workers: str, required: str, code: int, said: list[str]) -> None:
    done = run(tmp_path, MARKED, "-n", workers, f"--require-devices={required}")
    assert done.returncode == code, done.stdout
    assert all(line in done.stdout for line in said), done.stdout
    assert "ERROR: device INTERP" not in done.stdout


def test_a_device_that_was_not_asked_for_is_skipped_with_the_reason(tmp_path: Path) -> None:
    body = 'import pytest\n@pytest.mark.devices("INTERP")\ndef test_one(device):\n    raise AssertionError\n'
    done = run(tmp_path, body, "-rs", "--devices=OPENCL")
    assert done.returncode == 0
    assert "for INTERP only; --devices (or DEVICE) asks for OPENCL" in done.stdout


def test_what_another_device_refuses_by_name_is_skipped_there_alone(tmp_path: Path) -> None:
    body = """
import svod.errors
def test_one(device):
    raise svod.errors.UnsupportedError("no f64 there")
"""
    done = run(tmp_path, body, "-rs", "--devices=INTERP")
    assert done.returncode == 0
    assert "INTERP: no f64 there" in done.stdout
    assert run(tmp_path, body, "--devices=CPU").returncode == 1
    assert run(tmp_path, body).returncode == 1


def test_goldens_compare_and_with_bless_are_rewritten(tmp_path: Path) -> None:
    folder = tmp_path / "golden"
    folder.mkdir()
    for name in ("same.txt", "changed.txt"):
        (folder / name).write_text("one\ntwo\n")
    done = run(tmp_path, GOLDEN)
    assert "2 failed, 1 passed" in done.stdout
    assert "no golden file tests/golden/sub/missing.txt; run with --bless" in done.stdout
    assert "-two\n+three\n" in done.stdout
    assert run(tmp_path, GOLDEN, "--bless").returncode == 0
    assert (folder / "sub/missing.txt").read_text() == (folder / "same.txt").read_text() == "one\ntwo\n"
    assert (folder / "changed.txt").read_text() == "one\nthree\n"


def test_examples_are_the_same_each_time_unless_fuzzing() -> None:
    wanted = os.environ.get("SVOD_FUZZ_EXAMPLES")
    assert (settings().max_examples, settings().derandomize) == ((int(wanted), False) if wanted else (50, True))


def test_fuzz_examples_are_taken_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVOD_FUZZ_EXAMPLES", "7")
    body = "from hypothesis import settings\ndef test_it():\n    assert (settings().max_examples, settings().derandomize) == (7, False)\n"
    assert run(tmp_path, body).returncode == 0


def test_the_cache_is_private() -> None:
    assert "svod-tests-" in os.environ["SVOD_CACHE_DIR"]
