"""Texts of kernels are parsed by several threads at once."""
from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from svod.lang.source import _parsed

TEXT = "\n".join(f"x{k} = ((((x + {k}.0) + 1.0) + f(1.0, y[{k}])) - 2.0)" for k in range(200))


class Garbage:
    """In a circle; collecting it lets other threads run, wherever that happens."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        time.sleep(0)


@pytest.fixture
def eager_collector() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(20)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("eager_collector")
def test_trees_made_at_the_same_time_do_not_disturb_one_another() -> None:
    """Python 3.11 counts their depth for all threads together, and raises a SystemError when the count does not come out even."""
    def parse(k: int) -> bool:
        for again in range(4):
            Garbage()
            Garbage()
            _parsed("kernel.py", f"{TEXT}\ny = {k} + {again}")
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(parse, range(20)))
