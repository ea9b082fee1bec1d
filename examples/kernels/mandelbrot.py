"""The Mandelbrot set: how many steps of z → z² + c it takes a point to leave the circle of radius 2.

Shows: a `while` loop of different length for each work item; a struct of Python numbers as a compile-time argument; bytes out. Run as a
script it saves a picture: python examples/kernels/mandelbrot.py writes out/mandelbrot.png.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gallery import Array, Bench, agree

import svod.lang as sl

OUT = Path(__file__).parent.parent.parent / "out"
DIFFER = 0.01
"""Share of the pixels that may differ from NumPy's: near the border, one rounding more or less decides."""


@dataclass(frozen=True)
class View:
    """A part of the plane: its centre and its height, and how many steps are tried."""

    x: float = -0.6
    y: float = 0.0
    height: float = 2.4
    steps: int = 200


@sl.kernel
def mandelbrot(count: sl.Array[sl.i32, 2], view: sl.Constexpr[View]) -> None:
    """The steps of one pixel; view.steps if it never leaves."""
    column, row = sl.global_id(0), sl.global_id(1)
    rows, columns = count.shape
    pixel = view.height / sl.f32(rows)
    cx = (sl.f32(column) - 0.5 * sl.f32(columns)) * pixel + view.x
    cy = (sl.f32(row) - 0.5 * sl.f32(rows)) * pixel + view.y
    x, y, n = sl.f32(0), sl.f32(0), sl.i32(0)
    while n < view.steps and x * x + y * y <= 4:
        x, y = x * x - y * y + cx, 2 * x * y + cy
        n += 1
    count[row, column] = n


def reference(rows: int, columns: int, view: View) -> Array:
    """The same in NumPy: all points step together, those that have left are put aside."""
    f = np.float32
    pixel = f(view.height) / f(rows)
    cx = (np.arange(columns, dtype=f) - f(0.5) * f(columns)) * pixel + f(view.x) + np.zeros((rows, 1), f)
    cy = ((np.arange(rows, dtype=f) - f(0.5) * f(rows)) * pixel + f(view.y))[:, None] + np.zeros((1, columns), f)
    count = np.full(rows * columns, view.steps, np.int32)
    places, cx, cy = np.arange(rows * columns), cx.ravel(), cy.ravel()
    x, y = np.zeros_like(cx), np.zeros_like(cy)
    for n in range(view.steps):
        left = x * x + y * y > 4
        count[places[left]] = n
        places, x, y, cx, cy = (a[~left] for a in (places, x, y, cx, cy))
        x, y = x * x - y * y + cx, f(2) * x * y + cy
    return count.reshape(rows, columns)


def run(count: Array, view: View, device: str = "CPU") -> None:
    """A work item for each pixel."""
    mandelbrot.on(device).launch(count, view, threads=count.shape[::-1], block=(32, 4))


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for rows, columns in ((1, 1), (45, 67)):
        view, count = View(steps=50), np.zeros((rows, columns), np.int32)
        run(count, view, device)
        agree(count, reference(rows, columns, view), f"{rows} × {columns}", differ=DIFFER)


def bench(device: str = "CPU") -> Bench:
    """512 × 512 pixels, 200 steps; 10 operations a step."""
    view, count = View(), np.zeros((512, 512), np.int32)
    want = reference(512, 512, view)
    return Bench(lambda: run(count, view, device), count, lambda: reference(512, 512, view), 10 * int(want.sum()), "GFLOP/s",
                 {"steps": view.steps, "shape": count.shape}, differ=DIFFER)


def paint(count: Array, steps: int) -> Array:
    """Colours (height × width × 3 bytes): black inside, bands outside."""
    phase = np.sqrt(count / steps)[..., None] * np.array([9.0, 7.0, 5.0]) + np.array([0.0, 0.6, 1.2])
    colours = (127.5 * (1 - np.cos(phase * 2))).astype(np.uint8)
    colours[count == steps] = 0
    return colours


def save(out: Path = OUT, rows: int = 800, columns: int = 1200, device: str = "CPU") -> Path:
    """Writes mandelbrot.png to `out`."""
    from PIL import Image

    view, count = View(steps=400), np.zeros((rows, columns), np.int32)
    run(count, view, device)
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(paint(count, view.steps)).save(out / "mandelbrot.png")
    return out / "mandelbrot.png"


if __name__ == "__main__":
    print("saved:", save())
