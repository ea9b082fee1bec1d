"""What runs the heavy checks: one that could not run is a failure, as is one that found something."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PATH = Path(__file__).parent.parent / "checks" / "heavy.py"


@pytest.fixture(scope="module")
def heavy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("heavy", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


def python(code: str) -> list[str]:
    return [sys.executable, "-c", f"import os; {code}"]


def test_what_a_check_sees(heavy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "libsome.so"
    library.touch()
    code = "assert open(os.environ['OCL_ICD_VENDORS'] + '/one.icd').read().strip() == os.environ['WANTED']; os.environ['SVOD_CACHE_DIR']"
    check = heavy.Heavy("sees", python(code), str(library), (("WANTED", str(library)),), log=True)
    monkeypatch.setattr(heavy, "platforms", lambda environment: "1")
    assert heavy.run(check, tmp_path) == ""


@pytest.mark.parametrize("seen", ["2", ""])
def test_a_check_that_would_see_others(heavy: ModuleType, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "libsome.so"
    library.touch()
    monkeypatch.setattr(heavy, "platforms", lambda environment: seen)
    assert heavy.run(heavy.Heavy("sees", python("pass"), str(library)), tmp_path).endswith(f"there are {seen or 'none'}")


def test_a_check_that_fails(heavy: ModuleType, tmp_path: Path) -> None:
    assert heavy.run(heavy.Heavy("fails", python("raise SystemExit(3)")), tmp_path) == "exit status 3"
    missing = tmp_path / "missing.so"
    assert heavy.run(heavy.Heavy("absent", python("pass"), str(missing)), tmp_path) == f"{missing} is not there"
    writes = python("open(os.environ['OCLGRIND_LOG'], 'w').write('a race')")
    assert heavy.run(heavy.Heavy("finds", writes, log=True), tmp_path) == "oclgrind says:\na race"
    assert heavy.run(heavy.Heavy("is not asked", writes), tmp_path) == ""


def test_the_summary(heavy: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    checks: dict[str, Any] = {"good": lambda: [heavy.Heavy("one", python("pass"))], "bad": lambda: [heavy.Heavy("two", python("1 / 0"))]}
    monkeypatch.setattr(heavy, "CHECKS", checks)
    assert heavy.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [x.split()[0] for x in lines[-2:]] == ["passed", "FAILED"]
    assert lines[-1].endswith("two: exit status 1")
    assert heavy.main(["good"]) == 0
