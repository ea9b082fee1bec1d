"""A photograph, blurred and reduced to its edges, by kernels that serve every image size.

Shows: height and width as Variables; a stencil whose borders are guarded; two passes for a separable filter; several loads under one
store; types that change on the way (bytes in, floats between, bytes out).

The photograph is one of scikit-learn's sample images. Every result is compared with NumPy before it is saved. The comparison is exact:
the kernels do the operations of the NumPy lines in the same order, so they must agree in every bit. (svod joins a multiplication and an
addition to one rounding only inside reductions, and there is none here.)

Run it: python examples/image_filters.py
"""
from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image
from timing import disturbance, gigabytes, medians

from svod import Device, Program, UOp, Variable, dtypes

Array = NDArray[Any]

OUT = Path(__file__).parent.parent / "out"
SIGMA, RADIUS = 2.5, 6
LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the brightness of a pixel (ITU-R BT.601)."""

h, w = Variable("h", 1, 1 << 14), Variable("w", 1, 1 << 14)


def weights(sigma: float, radius: int) -> dict[int, float]:
    """The taps of a Gaussian: offset -> weight, which add up to 1."""
    taps = {k: math.exp(-k * k / (2 * sigma * sigma)) for k in range(-radius, radius + 1)}
    return {k: v / sum(taps.values()) for k, v in taps.items()}


TAPS = weights(SIGMA, RADIUS)


def total(terms: Iterable[UOp]) -> UOp:
    """((t0 + t1) + t2) + …"""
    first, *rest = terms
    for term in rest:
        first = first + term
    return first


# ---- the kernels: an image is three planes of floats, one after the other: element (c * h + y) * w + x -----------------------------------


def planes() -> UOp:
    """Interleaved bytes, as files have them, to planes of floats."""
    out, pixels = UOp.param(0, dtypes.f32, name="planes"), UOp.param(1, dtypes.u8, name="pixels")
    c, y, x = UOp.range(3, 0), UOp.range(h, 1), UOp.range(w, 2)
    return UOp.sink(out[(c * h + y) * w + x].store(pixels[(y * w + x) * 3 + c].load().cast(dtypes.f32)), name="planes")


def pixels() -> UOp:
    """Planes of floats to interleaved bytes, rounded to the nearest."""
    out, image = UOp.param(0, dtypes.u8, name="pixels"), UOp.param(1, dtypes.f32, name="planes")
    y, x, c = UOp.range(h, 0), UOp.range(w, 1), UOp.range(3, 2)
    value = image[(c * h + y) * w + x].load().rint().maximum(0.0).minimum(255.0)
    return UOp.sink(out[(y * w + x) * 3 + c].store(value.cast(dtypes.u8)), name="pixels")


def beside(image: UOp, row: UOp, x: UOp, offset: int) -> UOp:
    """Element x + offset of a row; beyond the border, the pixel at the border.

    The gate says where the element exists, the load's alternative is taken elsewhere. Nothing outside the row is read.
    """
    if offset == 0:
        return image[row + x].load()
    gate, edge = (x + offset >= 0, row) if offset < 0 else (x + offset < w, row + (w - 1))
    return image.index(row + x + offset, gate).load(image[edge].load())


def blur_rows() -> UOp:
    """First pass: along x. The planes lie one after the other, so they are just more rows. The taps are constants of the kernel."""
    out, image, rows = UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="image"), Variable("rows", 1, 3 << 14)
    y, x = UOp.range(rows, 0), UOp.range(w, 1)
    value = total(beside(image, y * w, x, k) * tap for k, tap in TAPS.items())
    return UOp.sink(out[y * w + x].store(value), name="blur_rows")


def inside(y: UOp, offset: int) -> UOp:
    """Row y + offset, kept within the image. A clamped index costs nothing here: it is the same for a whole row."""
    return (y + offset).maximum(0).minimum(h - 1)


def blur_columns() -> UOp:
    """Second pass: along y."""
    out, image = UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="image")
    c, y, x = UOp.range(3, 0), UOp.range(h, 1), UOp.range(w, 2)
    value = total(image[(c * h + inside(y, k)) * w + x].load() * tap for k, tap in TAPS.items())
    return UOp.sink(out[(c * h + y) * w + x].store(value), name="blur_columns")


def sobel() -> UOp:
    """Magnitude of the brightness gradient. Brightness is computed where it is needed: it never exists in memory."""
    out, image = UOp.param(0, dtypes.f32, name="edges"), UOp.param(1, dtypes.f32, name="image")
    y, x = UOp.range(h, 0), UOp.range(w, 1)

    def at(dy: int, dx: int) -> UOp:
        return total(beside(image, (h * c + inside(y, dy)) * w, x, dx) * weight for c, weight in enumerate(LUMINANCE))

    right, down = gradients(at)
    return UOp.sink(out[y * w + x].store((right * right + down * down).sqrt()), name="sobel")


def gradients(at: Callable[[int, int], Any]) -> tuple[Any, Any]:
    """Sobel's two differences of the neighbours `at(dy, dx)`: to the right, and down."""
    right = (at(-1, 1) - at(-1, -1)) + (at(0, 1) - at(0, -1)) * 2.0 + (at(1, 1) - at(1, -1))
    down = (at(1, -1) - at(-1, -1)) + (at(1, 0) - at(-1, 0)) * 2.0 + (at(1, 1) - at(-1, 1))
    return right, down


# ---- the same in NumPy -----------------------------------------------------------------------------------------------------------------


def numpy_planes(image: Array) -> Array:
    return np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)


def numpy_pixels(image: Array) -> Array:
    return np.ascontiguousarray(np.clip(np.rint(image), 0, 255).transpose(1, 2, 0), dtype=np.uint8)


def weighted(pieces: Iterable[tuple[Array, float]]) -> Array:
    """The sum of arrays times weights, in order, with one scratch array for all products."""
    (first, weight), *rest = pieces
    result = first * np.float32(weight)
    scratch = np.empty_like(result)
    for piece, weight in rest:
        result += np.multiply(piece, np.float32(weight), out=scratch)
    return result


def numpy_blur_rows(image: Array) -> Array:
    wide, n = np.pad(image, ((0, 0), (0, 0), (RADIUS, RADIUS)), mode="edge"), image.shape[2]
    return weighted((wide[:, :, RADIUS + k:RADIUS + k + n], tap) for k, tap in TAPS.items())


def numpy_blur_columns(image: Array) -> Array:
    tall, n = np.pad(image, ((0, 0), (RADIUS, RADIUS), (0, 0)), mode="edge"), image.shape[1]
    return weighted((tall[:, RADIUS + k:RADIUS + k + n], tap) for k, tap in TAPS.items())


def numpy_sobel(image: Array) -> Array:
    _, rows, columns = image.shape
    bright = np.pad(weighted(zip(image, LUMINANCE, strict=True)), 1, mode="edge")
    right, down = gradients(lambda dy, dx: bright[1 + dy:1 + dy + rows, 1 + dx:1 + dx + columns])
    result: Array = np.sqrt(right * right + down * down)
    return result


# ---- running, checking, measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A kernel, its NumPy counterpart, and the arrays of one run."""

    program: Program
    reference: Callable[[Array], Array]
    source: Array
    result: Array

    def run(self) -> None:
        """One launch. The same program takes any height and width."""
        height, width = self.source.shape[:2] if self.source.dtype == np.uint8 else self.source.shape[1:]
        sizes = {"h": height, "w": width, "rows": 3 * height}
        self.program.execute([self.result, self.source], {name: sizes[name] for name in self.program.var_names})

    def check(self) -> None:
        """AssertionError unless svod and NumPy agree in every bit."""
        self.run()
        np.testing.assert_array_equal(self.result, self.reference(self.source), err_msg=self.program.name)


def build(device: Device) -> dict[str, Program]:
    """The compiled kernels, by name."""
    return {ast.arg.name: device.compile(ast) for ast in (planes(), blur_rows(), blur_columns(), pixels(), sobel())}


def chain(programs: dict[str, Program], photo: Array) -> dict[str, Step]:
    """The steps from a photograph (height × width × 3 bytes) to its blurred bytes and its edges, each reading what one before it wrote."""
    height, width, _ = photo.shape
    image, rows, blurred = (np.empty((3, height, width), np.float32) for _ in range(3))
    edges = np.empty((height, width), np.float32)
    return {"planes": Step(programs["planes"], numpy_planes, photo, image),
            "blur_rows": Step(programs["blur_rows"], numpy_blur_rows, image, rows),
            "blur_columns": Step(programs["blur_columns"], numpy_blur_columns, rows, blurred),
            "pixels": Step(programs["pixels"], numpy_pixels, blurred, np.empty_like(photo)),
            "sobel": Step(programs["sobel"], numpy_sobel, image, edges)}


def save(out: Path, photo: Array, steps: dict[str, Step]) -> list[Path]:
    """original.png, blur.png and edges.png (dark lines on white) in `out`."""
    edges = steps["sobel"].result
    ink = (255 - np.minimum(edges / np.quantile(edges, 0.99), 1) * 255).astype(np.uint8)
    out.mkdir(parents=True, exist_ok=True)
    files = {"original.png": photo, "blur.png": steps["pixels"].result, "edges.png": ink}
    for name, picture in files.items():
        Image.fromarray(picture).save(out / name)
    return [out / name for name in files]


def measure(steps: dict[str, Step], rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of each step, svod and NumPy taking turns; printed as they come."""
    print(f"  {'':14}{'svod':>10}{'':12}{'NumPy':>10}{'':12}{'NumPy / svod':>14}")
    times = {}
    for name, step in steps.items():
        t = times[name] = medians(rounds, svod=step.run, numpy=partial(step.reference, step.source))
        moved = step.source.nbytes + step.result.nbytes
        columns = "".join(f"{t[k] * 1e3:7.2f} ms {gigabytes(moved, t[k]):6.1f} GB/s" for k in ("svod", "numpy"))
        print(f"  {name:14}{columns}{t['numpy'] / t['svod']:10.1f} ×")
    return times


def main(out: Path = OUT, rounds: int = 15) -> dict[str, dict[str, float]]:
    """Blurs the photograph, finds its edges, checks both and a crop of another size, saves them; returns seconds by step."""
    began = time.perf_counter()
    programs = build(Device("CPU"))
    compiled = time.perf_counter() - began
    photo = np.ascontiguousarray(load_sample_image("china.jpg"))
    steps = chain(programs, photo)
    for image in (photo[:1, :1], photo[:101, :67]):
        for step in chain(programs, np.ascontiguousarray(image)).values():
            step.check()
    for step in steps.values():
        step.check()
    print(f"  {len(programs)} kernels ready in {compiled * 1e3:.0f} ms; each ran on images of 640 × 427, 67 × 101 and 1 × 1 pixels")
    print("  every result equals NumPy's, bit for bit")
    times = measure(steps, rounds)
    print("  saved:", ", ".join(f"{p.parent.name}/{p.name}" for p in save(out, photo, steps)))
    if note := disturbance():
        print(f"  {note}")
    return times


if __name__ == "__main__":
    main()
