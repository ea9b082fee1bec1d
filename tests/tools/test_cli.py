"""The command line: what each command prints, that --json is JSON, and the exit codes 0, 1 and 2."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import svod
from svod.codegen.pipeline import PIPELINE
from svod.errors import DeviceError
from svod.tools import cli

ROOT = Path(__file__).parent.parent.parent


def run(*line: str) -> Result:
    """Run one command line in this process."""
    return CliRunner().invoke(cli.app, list(line))


def answer(*line: str) -> Any:
    """What a command prints with --json, decoded."""
    result = run(*line, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def svod_process(*line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m svod line…` in a process of its own."""
    command = [sys.executable, "-m", "svod", *line]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, env=os.environ | environment)


def test_devices_names_each_device_and_says_why_one_is_missing() -> None:
    found = {d["name"]: d for d in answer("devices")}
    assert found.keys() == {d.name for d in svod.devices()}
    assert all(found[name]["available"] for name in ("CPU", "INTERP", "NULL"))
    assert all(d["available"] or d["why"] for d in found.values())


def test_devices_as_text_has_a_line_for_each_device() -> None:
    lines = run("devices").stdout.splitlines()
    for device in svod.devices():
        assert any(line.split()[:2] == [device.name, "yes" if device.available else "no"] for line in lines)


def test_stages_are_those_of_the_pipeline_in_order() -> None:
    assert [(s["name"], s["why"]) for s in answer("stages")] == [(s.name, s.why) for s in PIPELINE]
    assert [line.split()[1] for line in run("stages").stdout.splitlines()[1:]] == [s.name for s in PIPELINE]


def test_doctor_reports_every_section() -> None:
    report = answer("doctor")
    assert list(report) == ["svod", "system", "cpu", "packages", "settings", "environment", "devices"]
    assert report["packages"]["numpy"][0].isdigit()
    assert report["environment"]["SVOD_CACHE_DIR"] == report["settings"]["cache directory"] == os.environ["SVOD_CACHE_DIR"]
    assert report["devices"]["CPU"] == "available"


def test_doctor_as_text_shows_one_fact_a_line() -> None:
    text = run("doctor").stdout
    assert any(line.split()[:2] == ["packages", "numpy"] for line in text.splitlines())
    assert "(all: --json)" in text


def test_an_svod_error_is_a_message_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DeviceError("the device is on fire", at="CPU", hint="water")
    monkeypatch.setattr(svod, "devices", refuse)
    result = run("devices")
    assert (result.exit_code, result.stderr) == (1, "DeviceError: the device is on fire\n  at: CPU\n  hint: water\n")


@pytest.mark.parametrize("line", [("frobnicate",), ("devices", "--frobnicate"), ("cache", "frobnicate")])
def test_a_wrong_command_line_is_exit_code_2(line: tuple[str, ...]) -> None:
    result = run(*line)
    assert result.exit_code == 2
    assert "frobnicate" in result.stderr


def test_python_m_svod_is_svod() -> None:
    done = svod_process("stages", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == answer("stages")


def test_a_wrong_environment_is_named_without_a_traceback() -> None:
    done = svod_process("doctor", SVOD_NUM_THREADS="many")
    assert done.returncode == 1
    assert done.stderr.startswith("ConfigError: environment variable SVOD_NUM_THREADS is 'many'")
    assert "Traceback" not in done.stderr


def test_doctor_works_where_llvmlite_does_not(tmp_path: Path) -> None:
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite/__init__.py").write_text("raise ImportError('the wheel is for another machine')")
    done = svod_process("doctor", "--json", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cpu"]["llvm name"] == "llvmlite cannot be loaded: the wheel is for another machine"
