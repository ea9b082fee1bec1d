"""The promises of conftest.py: a required device that ran no test turns the session red; goldens compare, bless and complain."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
def test_text(golden):
    golden("one\\ntwo", "sub/text.txt")
"""


def run(folder: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `body` as a test module beside a copy of conftest.py, in a process of its own."""
    (folder / "conftest.py").write_text((HERE / "conftest.py").read_text())
    (folder / "test_it.py").write_text(body)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *options, str(folder)]
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = devices(*names): x\n")
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.parametrize(("workers", "required", "code", "said"), [
    ("0", "interp,NULL:x86", 0, "devices: INTERP 1 passed, NULL 1 passed"),
    ("0", "GHOST", 1, "ERROR: device GHOST was required, but no test passed on it"),
    ("2", "INTERP,NULL", 0, "devices: INTERP 1 passed, NULL 1 passed"),
    ("2", "INTERP,CPU", 1, "ERROR: device CPU was required, but no test passed on it"),
])
def test_required_devices(tmp_path: Path, workers: str, required: str, code: int, said: str) -> None:
    done = run(tmp_path, MARKED, "-n", workers, f"--require-devices={required}")
    assert (done.returncode, said in done.stdout) == (code, True), done.stdout


def test_a_device_that_was_not_asked_for_is_skipped_with_the_reason(tmp_path: Path) -> None:
    body = 'import pytest\n@pytest.mark.devices("INTERP")\ndef test_one(device):\n    raise AssertionError\n'
    done = run(tmp_path, body, "-rs", "--devices=OPENCL")
    assert done.returncode == 0
    assert "for INTERP only; --devices (or DEVICE) asks for OPENCL" in done.stdout


def test_golden_is_missing_then_blessed_then_same_then_different(tmp_path: Path) -> None:
    missing = run(tmp_path, GOLDEN)
    assert missing.returncode == 1
    assert "no golden file tests/golden/sub/text.txt; run with --bless" in missing.stdout
    assert run(tmp_path, GOLDEN, "--bless").returncode == 0
    assert (tmp_path / "golden/sub/text.txt").read_text() == "one\ntwo\n"
    assert run(tmp_path, GOLDEN).returncode == 0
    changed = run(tmp_path, GOLDEN.replace("two", "three"))
    assert changed.returncode == 1
    assert "-two\n" in changed.stdout
    assert "+three\n" in changed.stdout


def test_fuzz_examples_are_taken_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "from hypothesis import settings\ndef test_it():\n    assert (settings().max_examples, settings().derandomize) == {}\n"
    monkeypatch.delenv("SVOD_FUZZ_EXAMPLES", raising=False)
    assert run(tmp_path, body.format((50, True))).returncode == 0
    monkeypatch.setenv("SVOD_FUZZ_EXAMPLES", "7")
    assert run(tmp_path, body.format((7, False))).returncode == 0
