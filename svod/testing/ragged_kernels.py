"""Kernels with a loop that ends where memory says: rows of different lengths, sparse matrices.

Owns: these cases. Must not know devices.
Invariant: all values are small whole numbers, so that every order of summation gives the same bits.
"""
from __future__ import annotations

import itertools

import numpy as np

from svod.dtype import dtypes
from svod.ir.uop import UOp
from svod.testing.case import Array, Case, axes, case, p, rng

ROWS, WIDTH = 37, 50


def _lengths() -> Array:
    return np.where(np.arange(ROWS) % 5 == 2, 0, rng().integers(0, WIDTH + 1, ROWS)).astype(np.int32)


def _whole(n: int, seed: int = 1) -> Array:
    return rng(seed).integers(-4, 5, n).astype(np.float32)


def _loaded(buffer: UOp, at: UOp | int) -> UOp:
    return buffer[at].load().cast(dtypes.index)


@case
def ragged_row_sums() -> Case:
    """Each row has a length of its own, some 0."""
    a, lengths = _whole(ROWS * WIDTH), _lengths()
    (i,) = axes(ROWS)
    t = UOp.range(_loaded(p(2, "length", dtypes.i32), i), 1)
    want = np.array([a[k * WIDTH:k * WIDTH + n].sum() for k, n in enumerate(lengths)], np.float32)
    ast = UOp.sink(p(0, "out")[i].store(p(1, "a")[i * WIDTH + t].load().sum(t)))
    return Case("ragged_row_sums", ast, (np.zeros(ROWS, np.float32), a, lengths), {0: want})


@case
def ragged_copy() -> Case:
    """What is behind the end of a row is left alone; the number of rows is known at the launch only."""
    a, lengths = _whole(ROWS * WIDTH), _lengths()
    (i,) = axes(UOp.variable("rows", 0, 1000))
    t = UOp.range(_loaded(p(2, "length", dtypes.i32), i), 1)
    want = np.where(np.arange(WIDTH) < lengths[:, None], a.reshape(ROWS, WIDTH) * np.float32(2.0), np.float32(0.0)).reshape(-1)
    ast = UOp.sink(p(0, "out")[i * WIDTH + t].store(p(1, "a")[i * WIDTH + t].load() * 2.0))
    return Case("ragged_copy", ast, (np.zeros_like(a), a, lengths), {0: want}, {"rows": ROWS})


@case
def sum_to_a_loaded_end() -> Case:
    """One sum over a whole kernel, whose end lies in memory."""
    a = _whole(3000)
    (k,) = axes(_loaded(p(2, "count", dtypes.i64), 0))
    ast = UOp.sink(p(0, "out")[0].store(p(1, "a")[k].load().sum(k)))
    return Case("sum_to_a_loaded_end", ast, (np.zeros(1, np.float32), a, np.array([2777])), {0: a[:2777].sum(keepdims=True)})


def _csr(columns: int) -> tuple[Array, Array, Array]:
    """First entry of each row, column of each entry, value of each entry."""
    starts = np.concatenate([[0], np.cumsum(_lengths())]).astype(np.int32)
    entries = int(starts[-1])
    return starts, rng(2).integers(0, columns, entries).astype(np.int32), _whole(entries)


@case
def csr_spmv() -> Case:
    """A sparse matrix (compressed rows) times a vector: both ends of the inner loop are loaded, the vector is gathered."""
    (starts, columns, values), x = _csr(60), _whole(60, seed=3)
    (i,) = axes(ROWS)
    start = p(1, "start", dtypes.i32)
    k = UOp.range(_loaded(start, i + 1) - _loaded(start, i), 1)
    at = _loaded(start, i) + k
    ast = UOp.sink(p(0, "out")[i].store((p(3, "value")[at].load() * p(4, "x")[_loaded(p(2, "column", dtypes.i32), at)].load()).sum(k)))
    want = np.array([(values[a:b] * x[columns[a:b]]).sum() for a, b in itertools.pairwise(starts)], np.float32)
    return Case("csr_spmv", ast, (np.zeros(ROWS, np.float32), starts, columns, values, x), {0: want})


@case
def csr_spmm() -> Case:
    """A sparse matrix times a dense one: lanes along the dense columns, inside which the loaded loop runs."""
    (starts, columns, values), x, n = _csr(60), _whole(60 * 40, seed=3), 40
    i, j = axes(ROWS, n)
    start = p(1, "start", dtypes.i32)
    k = UOp.range(_loaded(start, i + 1), 2, start=_loaded(start, i))
    dense = p(4, "x")[_loaded(p(2, "column", dtypes.i32), k) * n + j].load()
    ast = UOp.sink(p(0, "out")[i * n + j].store((p(3, "value")[k].load() * dense).sum(k)))
    rows = x.reshape(60, n)
    want = np.array([values[a:b] @ rows[columns[a:b]] for a, b in itertools.pairwise(starts)], np.float32).reshape(-1)
    return Case("csr_spmm", ast, (np.zeros(ROWS * n, np.float32), starts, columns, values, x), {0: want})
