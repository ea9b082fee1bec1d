"""The system's C compiler: found or not, what it refuses, what tells its objects apart."""
from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

import svod
from svod.device.cc import compiler
from svod.device.cc.compiler import SystemCompiler, blamed, system_compiler
from svod.device.cc.probe import PROBE
from svod.errors import CompileError, DeviceUnavailable


@pytest.fixture
def found() -> SystemCompiler:
    try:
        return system_compiler()
    except DeviceUnavailable as e:
        pytest.skip(f"CC: {e.what}")


def test_an_object_and_its_assembly(found: SystemCompiler) -> None:
    assert found.compile("int f(int x) { return x + 1; }", 2)[:4] in (b"\x7fELF", b"\xcf\xfa\xed\xfe")
    assert "f:" in found.assembly("int f(int x) { return x + 1; }", 2)


def test_what_is_refused_is_shown_with_its_lines(found: SystemCompiler) -> None:
    with pytest.raises(CompileError, match="refuses the source") as e:
        found.compile("int a;\nint b;\nint f(void) { return nothing; }\nint c;\n", 2)
    assert "C line 3" in e.value.at
    assert "\n  >    3| int f(void) { return nothing; }" in e.value.at
    assert "      1| int a;" in e.value.at
    assert "nothing" in e.value.what
    assert "error" in e.value.hint


def test_messages_that_name_no_line_blame_none() -> None:
    assert blamed("int a;\n", "cc: fatal error: no input") == ""


def test_the_key_names_compiler_version_and_flags(found: SystemCompiler) -> None:
    assert found.version in found.key
    assert "-march=native" in found.key
    assert " ".join(found.command) in found.key
    assert svod.Device("CC").compiler.cache_key.startswith(found.key)


def test_a_compiler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(DeviceUnavailable, match="no compiler called 'no-such-compiler -m64', which CC names") as e:
        PROBE.open(0, "")
    assert "apt install gcc" in e.value.hint
    (info,) = PROBE.probe()
    assert not info.available
    assert "CC names" in info.why


def test_no_compiler_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceUnavailable, match="none of cc, gcc, clang is installed"):
        system_compiler()


@pytest.mark.skipif(os.name != "posix", reason="writes a shell script")
@pytest.mark.parametrize(("script", "said"), [
    ("echo '#define __VERSION__ \"8.1\"'", r"8\.1\) has no vectors"), ("echo 'x: error: broken' >&2; exit 1", "does not work: broken"),
])
def test_a_compiler_that_will_not_do(script: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "oldcc"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(path))
    with pytest.raises(DeviceUnavailable, match=said):
        system_compiler()


def test_a_compiler_that_cannot_be_run_or_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = SystemCompiler(("/nonexistent/cc",), "1", (), frozenset())
    with pytest.raises(CompileError, match="cannot be run"):
        gone.compile("", 0)
    monkeypatch.setattr(compiler, "SECONDS", 0.2)
    slow = SystemCompiler((sys.executable, "-c", "import time; time.sleep(20)"), "1", (), frozenset())
    with pytest.raises(CompileError, match="was not done after"):
        slow.compile("", 0)


def test_there_is_one_cc() -> None:
    with pytest.raises(DeviceUnavailable, match="CC:1 does not exist"):
        PROBE.open(1, "")
