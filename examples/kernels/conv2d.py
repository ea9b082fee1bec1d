"""A convolution of images, stride 1, zeros around the border: out[b, o, y, x] = Σ image[b, c, y + dy, x + dx] · weight[o, c, dy, dx].

Shows: arrays of four axes, one of known extent (the window's size is part of the type, so its loops unroll); a guard as a conditional
expression; batch and channel packed into the third axis of the grid.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

Image = sl.Array[sl.f32, 4]
Weight = sl.Array[sl.f32, None, None, 3, 3]


@sl.kernel
def conv2d(image: Image, weight: Weight, out: Image) -> None:
    """One pixel of one output channel."""
    _, channels, height, width = image.shape
    outputs, size = weight.shape[0], weight.shape[2]
    x, y, z = sl.global_id(0), sl.global_id(1), sl.global_id(2)
    b, o = z // outputs, z % outputs
    acc = sl.f32(0)
    for c in range(channels):
        for i in sl.static_range(size):
            for j in sl.static_range(size):
                v, u = y + i - size // 2, x + j - size // 2
                inside = 0 <= v < height and 0 <= u < width
                acc += (image[b, c, v, u] if inside else 0.0) * weight[o, c, i, j]
    out[b, o, y, x] = acc


def reference(image: Array, weight: Array) -> Array:
    """The same in NumPy."""
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return np.ascontiguousarray(np.einsum("bcyxij,ocij->boyx", windows, weight, optimize=True))


def run(image: Array, weight: Array, out: Array, device: str = "CPU") -> None:
    """A work item for each element of `out`."""
    batch, outputs, height, width = out.shape
    conv2d.on(device).launch(image, weight, out, threads=(width, height, batch * outputs), block=(32, 4, 1))


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree."""
    for b, c, o, h, w in ((1, 1, 1, 1, 1), (2, 3, 5, 19, 21), (1, 2, 2, 5, 40)):
        image, weight, out = random(b, c, h, w), random(o, c, 3, 3), np.zeros((b, o, h, w), np.float32)
        run(image, weight, out, device)
        agree(out, reference(image, weight), f"{b} × {c} × {h} × {w}, {o} outputs")


def bench(device: str = "CPU") -> Bench:
    """8 images of 64 channels and 56 × 56 pixels, 64 outputs."""
    b, c, o, s = 8, 64, 64, 56
    image, weight, out = random(b, c, s, s), random(o, c, 3, 3), np.zeros((b, o, s, s), np.float32)
    return Bench(lambda: run(image, weight, out, device), out, lambda: reference(image, weight), 18 * b * c * o * s * s, "GFLOP/s",
                 {"image": image, "weight": weight})
