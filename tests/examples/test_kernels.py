"""The gallery of kernels: every file of it is right on every device, is listed, and can be measured.

Owns: nothing. Must not time anything.
"""
from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

GALLERY = Path(__file__).parent.parent.parent / "examples" / "kernels"
NAMES = sorted(p.stem for p in GALLERY.glob("*.py") if p.stem not in ("gallery", "run"))


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules of the gallery can be imported as scripts in their folder can."""
    monkeypatch.syspath_prepend(GALLERY)
    for name in ("run", "gallery"):
        if name in sys.modules and Path(str(sys.modules[name].__file__)).parent != GALLERY:
            monkeypatch.delitem(sys.modules, name)


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_agrees_with_numpy(name: str, device: object) -> None:
    module(name).check(device.name)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_every_file_has_its_parts(name: str) -> None:
    tree = ast.parse((GALLERY / f"{name}.py").read_text(encoding="utf-8"))
    functions = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
    assert {"check", "bench"} <= functions.keys()
    assert any("sl.kernel" in ast.unparse(d) for f in functions.values() for d in f.decorator_list)
    text = ast.get_docstring(tree) or ""
    assert re.match(r"\S.{20,}[.:]\n\n", text), "its text begins with a line on what it computes"
    assert "Shows:" in text


def test_the_readme_lists_every_kernel() -> None:
    listed = re.findall(r"^\| \[(\w+)\.py\]\(\1\.py\)", (GALLERY / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(listed) == NAMES


def test_the_runner_prints_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert module("run").main(["--device", "INTERP", "saxpy", "vector_add"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [re.split(r"\s+", line)[0:4:3] for line in lines] == [["saxpy", "ok"], ["vector_add", "ok"]]


def test_the_runner_names_a_wrong_kernel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(module("vector_add"), "reference", lambda a, b: a - b)
    assert module("run").main(["saxpy", "vector_add"]) == 1
    right, wrong = capsys.readouterr().out.splitlines()
    assert " ok " in right
    assert "WRONG  AssertionError: Not equal" in wrong
    with pytest.raises(SystemExit):
        module("run").main(["nonesuch"])
    with pytest.raises(KeyError, match="no kernel is called 'nonesuch'; there are"):
        module("gallery").load("nonesuch")


def test_agreement() -> None:
    agree, one, near = module("gallery").agree, np.ones(1000, np.float32), np.ones(1000, np.float32)
    near[3] += np.float32(1e-3)
    agree(near, one, rtol=1e-2, atol=0)
    agree(near, one, differ=0.001)
    agree((one, near), (one, near), rtol=0, atol=0)
    for got, want, differ in ((near, one, 0.0), (near, one, 0.0009), (one[:3], one, 1.0), ((one, near), (one, one), 0.0),
                              (np.array([1]), np.array([2]), 0.0), (np.array([np.nan]), np.array([1.0]), 0.0)):
        with pytest.raises(AssertionError, match="here"):
            agree(got, want, "here", differ=differ)


def test_the_picture_of_the_mandelbrot_set(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    with image.open(module("mandelbrot").save(tmp_path, 60, 90)) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (60, 90, 3)
    assert not pixels[30, 45].any(), "the point -0.6 is inside"
    assert pixels[0, 0].any(), "a corner is outside"
