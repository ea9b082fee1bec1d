"""Attention without the matrix of scores: softmax(q kᵀ / √width) v, one query for each work item, keys and values in tiles.

Shows: the running maximum of FlashAttention (Dao, Fu, Ermon, Rudra, Ré 2022; the recurrence is Milakov and Gimelshein's, 2018): when a
tile raises it, what was summed so far is scaled down; `causal` as a compile-time argument, which also halves the work; tiles in shared
memory, arrays of a work item's own (`sl.local`) that loops index.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

BLOCK, TILE = 64, 32


@sl.kernel
def flash_attention(q: sl.Array[sl.f32, 3], k: sl.Array[sl.f32, 3], v: sl.Array[sl.f32, 3], out: sl.Array[sl.f32, 3],
                    width: sl.Constexpr[int], causal: sl.Constexpr[bool]) -> None:
    """q, k, v, out: heads × rows × width. Blocks: x along the queries, y along the heads."""
    keys, values = sl.shared((TILE, width), sl.f32), sl.shared((TILE, width), sl.f32)
    query, total_out, scores = sl.local(width, sl.f32), sl.local(width, sl.f32, fill=0), sl.local(TILE, sl.f32)
    head, t = sl.block_idx.y, sl.thread_idx.x
    row, rows, n = sl.global_id(0), q.shape[1], k.shape[1]
    for c in range(width):
        query[c] = q[head, row, c] * width ** -0.5 if row < rows else 0.0
    top, total = sl.f32(float("-inf")), sl.f32(0)
    for start in range(0, min(n, (sl.block_idx.x + 1) * BLOCK) if causal else n, TILE):
        for e in range(t, TILE * width, BLOCK):
            r, c = e // width, e % width
            keys[r, c] = k[head, start + r, c] if start + r < n else 0.0
            values[r, c] = v[head, start + r, c] if start + r < n else 0.0
        sl.barrier()
        new_top = top
        for j in range(TILE):
            score = sl.f32(0)
            for c in range(width):
                score += query[c] * keys[j, c]
            seen = start + j < n and (not causal or start + j <= row)
            scores[j] = score if seen else float("-inf")
            new_top = max(new_top, scores[j])
        shrink = sl.exp(top - new_top)
        total *= shrink
        for c in range(width):
            total_out[c] *= shrink
        for j in range(TILE):
            weight = sl.exp(scores[j] - new_top)
            total += weight
            for c in range(width):
                total_out[c] += weight * values[j, c]
        top = new_top
        sl.barrier()
    if row < rows:
        for c in range(width):
            out[head, row, c] = total_out[c] / total


def reference(q: Array, k: Array, v: Array, causal: bool) -> Array:
    """The same in NumPy, with all scores at once."""
    scores = q @ k.transpose(0, 2, 1) * np.float32(q.shape[2] ** -0.5)
    if causal:
        scores = np.where(np.tri(*scores.shape[1:], dtype=bool), scores, np.float32("-inf"))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    result: Array = weights @ v / weights.sum(-1, keepdims=True)
    return result


def run(q: Array, k: Array, v: Array, out: Array, causal: bool, device: str = "CPU") -> None:
    """All queries of all heads."""
    heads, rows, width = q.shape
    flash_attention.on(device)[(-(-rows // BLOCK), heads), BLOCK](q, k, v, out, width, causal)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree; rows and keys that do not divide, scores far apart."""
    for heads, rows, width in ((1, 1, 8), (2, 70, 16)):
        q, k, v = (random(heads, rows, width, seed=s, low=-4, high=4) for s in range(3))
        for causal in (False, True):
            out = np.zeros_like(q)
            run(q, k, v, out, causal, device)
            agree(out, reference(q, k, v, causal), f"{heads} × {rows} × {width}, causal: {causal}")


def bench(device: str = "CPU") -> Bench:
    """8 heads of 1024 × 64, causal: multiplications and additions of the two products, over the half that is needed."""
    heads, rows, width = 8, 1024, 64
    q, k, v = (random(heads, rows, width, seed=s) for s in range(3))
    out = np.zeros_like(q)
    return Bench(lambda: run(q, k, v, out, True, device), out, lambda: reference(q, k, v, True),
                 4 * heads * rows * (rows + 1) / 2 * width, "GFLOP/s", inputs={"q": q, "k": k, "v": v})
