"""The peers: which module each is, what it needs, and how its threads and its cache are set.

Owns: PEERS. Must not import any of them. Invariant: a peer that is not there is named with the reason, and stops nothing.
"""
from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Environment = Callable[[int, str], Mapping[str, str]]


def _openmp(threads: int, cache: str) -> Mapping[str, str]:
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))


def _gcc(threads: int, cache: str) -> Mapping[str, str]:
    return {**_openmp(threads, cache), "BENCH_CACHE": cache}


def _fast(threads: int, cache: str) -> Mapping[str, str]:
    return {**_gcc(threads, cache), "BENCH_FAST_MATH": "1"}


def _numba(threads: int, cache: str) -> Mapping[str, str]:
    return {**_openmp(threads, cache), "NUMBA_NUM_THREADS": str(threads), "NUMBA_CACHE_DIR": cache}


def _svod(threads: int, cache: str) -> Mapping[str, str]:
    return {"SVOD_NUM_THREADS": str(threads), "SVOD_CACHE_DIR": cache}


@dataclass(frozen=True, slots=True)
class Peer:
    """`module` offers the kinds; `needs` is a Python package or (`tool`) a program; `environment(threads, cache folder)` for it."""

    module: str
    needs: str
    environment: Environment
    tool: bool = False

    def missing(self) -> str:
        """Why it cannot run; empty if it can."""
        there = shutil.which(self.needs) if self.tool else importlib.util.find_spec(self.needs)
        return "" if there else f"{self.needs} is not installed"


PEERS: dict[str, Peer] = {
    "svod": Peer("peer_svod", "svod", _svod),
    "numpy": Peer("peer_numpy", "numpy", _openmp),
    "numba": Peer("peer_numba", "numba", _numba),
    "torch": Peer("peer_torch", "torch", _openmp),
    "gcc": Peer("peer_gcc", "gcc", _gcc, tool=True),
    "gcc-fast": Peer("peer_gcc", "gcc", _fast, tool=True),
}
"""name -> peer. gcc-fast is gcc with -ffast-math: other floating-point rules than svod's, and the vector math library that they unlock."""
