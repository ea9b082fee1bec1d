"""The examples run, and what they say is so: checked here by other means than their own.

Owns: nothing. Must not time anything: figures are for people.
"""
from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_image

from svod import Device
from svod.errors import SvodError

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PICTURES = ("original.png", "blur.png", "edges.png")


def example(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of an example, imported as a script beside it would."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module(name)


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.devices("CPU")
def test_image_filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    filters = example("image_filters", monkeypatch)
    times = filters.main(tmp_path, rounds=1)
    assert set(times) == {"planes", "blur_rows", "blur_columns", "pixels", "sobel"}
    photo = load_sample_image("china.jpg")
    original, blur, edges = (picture(tmp_path / name) for name in PICTURES)
    np.testing.assert_array_equal(original, photo)
    sigma, radius = (filters.SIGMA, filters.SIGMA, 0), (filters.RADIUS, filters.RADIUS, 0)
    by_scipy = ndimage.gaussian_filter(photo.astype(np.float64), sigma, mode="nearest", radius=radius)
    assert np.abs(blur - by_scipy).max() <= 0.51, "rounded to the nearest byte, with room for float32"
    bright = photo @ np.array(filters.LUMINANCE)
    gradient = np.hypot(ndimage.sobel(bright, 0, mode="nearest"), ndimage.sobel(bright, 1, mode="nearest"))
    ink = 255 - np.minimum(gradient / np.quantile(gradient, 0.99), 1) * 255
    assert np.abs(edges - ink).max() <= 1.01, "cut to a byte"
    assert "bit for bit" in capsys.readouterr().out


@pytest.mark.devices("CPU")
def test_a_wrong_picture_is_noticed_before_it_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filters = example("image_filters", monkeypatch)
    right = filters.sobel
    monkeypatch.setattr(filters, "sobel", lambda: right().replace(src=filters.blur_rows().src))
    with pytest.raises((AssertionError, SvodError), match="sobel"):  # the sizes may give it away before the pixels do
        filters.main(tmp_path, rounds=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.devices("CPU")
def test_digits_mlp(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    digits = example("digits_mlp", monkeypatch)
    assert set(digits.main(rounds=1)) == {1, 7, 64, 1797}
    told = capsys.readouterr().out
    assert (accuracy := re.search(r"svod ([\d.]+)%, scikit-learn ([\d.]+)%", told)) is not None
    assert accuracy[1] == accuracy[2]
    assert float(accuracy[1]) > 93


@pytest.mark.devices("CPU")
def test_one_compilation_serves_every_batch_size_and_every_training(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = example("digits_mlp", monkeypatch)
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    networks = [digits.Network.of(digits.train(x[:n], y[:n]), Device("CPU")) for n in (300, 400)]
    assert all(p is q for p, q in zip(networks[0].programs, networks[1].programs, strict=True))
    assert len(networks[0].programs) == 3
    labels = [network(x)[0] for network in networks]
    assert (labels[0] != labels[1]).any(), "other weights, other decisions: the weights are arguments"
    assert all(0.8 < np.mean(label == y) < 1 for label in labels)


@pytest.mark.devices("CPU")
def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(EXAMPLES / "kernels")  # as the demo does, but not for longer than this test
    example("demo", monkeypatch).main(tmp_path)
    told = capsys.readouterr().out
    facts = ("%13 = sink", "fadd <", "the same program, equal to NumPy in every bit", "ArgumentError: needs at least 1000 elements",
             "samples/s", "saved:", "@sl.kernel", "sizes that do not divide")
    assert [fact for fact in facts if fact not in told] == []
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*PICTURES, "mandelbrot.png"])


def test_the_hot_loop_is_the_longest_block_that_jumps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asm = "f:\n\tmovq\t1\n\tjle\t.L2\n.L1:\n\tinc\n\tjl\t.L1\n.L2:\n\tadd\n\tadd\n\tjl\t.L2\n.L3:\n\tadd\n\tadd\n\tadd\n\tret\n"
    hot_loop = example("demo", monkeypatch).hot_loop
    assert hot_loop(asm) == ".L2:\n\tadd\n\tadd\n\tjl\t.L2\n"
    assert hot_loop("f:\n\tret\n") == ""


def test_competitors_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    times = example("timing", monkeypatch).medians(2, a=lambda: turns.append("a"), b=lambda: turns.append("b"))
    assert turns == ["a", "b"] * 3
    assert times.keys() == {"a", "b"}
    assert all(t >= 0 for t in times.values())


def test_a_busy_machine_is_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    timing = example("timing", monkeypatch)
    monkeypatch.setattr("os.getloadavg", lambda: (9.0, 0.0, 0.0))
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert "9.0 on 4 processors" in timing.disturbance()
    monkeypatch.setattr("os.getloadavg", lambda: (1.0, 0.0, 0.0))
    assert timing.disturbance() == ""


def test_the_readme_lists_every_example() -> None:
    listed = re.findall(r"^\| \[(\w+\.py)\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(listed) == sorted(p.name for p in EXAMPLES.glob("*.py"))
