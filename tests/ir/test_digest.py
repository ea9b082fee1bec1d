"""The digest depends on structure alone: stable across processes, sensitive to every part of a node."""
from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from svod.dtype import dtypes
from svod.errors import GraphError
from svod.ir.args import ConstArg
from svod.ir.digest import digest
from svod.ir.ops import Op
from svod.ir.text import parse, to_text
from svod.ir.uop import UOp

PROGRAM = """
import json
from svod.dtype import dtypes
from svod.ir.digest import digest
from svod.ir.uop import UOp
{junk}
a, n = UOp.param(0, dtypes.f32, name="a"), UOp.variable("n", 1, 16)
r = UOp.range(n, 0)
sink = UOp.sink(a[r].store(a[r].load() * 0.1 + float("nan")).end(r), name="k", opts=(1, "two"))
print(digest(sink))
"""
DIGEST = "24fbfd990c7ef058a5f2acadc45b01a0994b0e1062001065ca259e69c9848e76"
"""Of that kernel. Whoever changes it by changing a text form or an op must raise FORMAT, too, for the caches that outlive the process."""


def in_process(seed: str, junk: str) -> str:
    """The digest of one kernel computed in a fresh process that hashes with `seed` and builds `junk` first."""
    env = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(junk=junk)], capture_output=True, text=True, env=env, check=True,
                          cwd=Path(__file__).parents[2])
    return done.stdout.strip()


def test_the_same_in_every_process() -> None:
    first = in_process("0", "")
    assert first == DIGEST
    assert first == in_process("12345", 'keep = [UOp.const(float(i), dtypes.f32) for i in range(100)]\nUOp.variable("n", 1, 16)')


X, Y = UOp.scalar("x", dtypes.f32), UOp.scalar("y", dtypes.f32)


def test_every_part_of_a_node_counts() -> None:
    nodes = [
        X, Y, X + Y, Y + X, X - Y, X.cast(dtypes.f64), X.cast(dtypes.f16), X.broadcast(2), X.broadcast(4), X.broadcast(4).extract(0),
        X.broadcast(4).extract(1), UOp.const(1, dtypes.i32), UOp.const(1, dtypes.i64), UOp.const(1.0, dtypes.f32),
        UOp.const(True, dtypes.bool),
        UOp(Op.CONST, (), ConstArg.of(1), dtypes.f32), UOp.const(0.0, dtypes.f32), UOp.const(-0.0, dtypes.f32), UOp.param(0, dtypes.f32),
        UOp.param(0, dtypes.f32, name="a"), UOp.param(1, dtypes.f32, name="a"), UOp.param(0, dtypes.f32, 4, name="a"), UOp.sink(),
        UOp.sink(name="k"), UOp.sink(opts=()), UOp(Op.GROUP), UOp.group(X, X), UOp.group(X, X, X), UOp(Op.SOURCE, (), "ab"),
        UOp(Op.DEVICE, (), "ab"), UOp(Op.BINARY, (), b"ab")]
    assert len({digest(u) for u in nodes}) == len(set(nodes)) == len(nodes)


def test_a_node_rebuilt_has_the_same_digest() -> None:
    big = UOp.const(7.0, dtypes.f32) * X + 3.0
    before, text = digest(big), to_text(big)
    assert big.cache["digest"] == before
    big.cache.clear()
    for u in big.toposort():
        u.cache.clear()
    assert digest(parse(text)) == before


def test_linear_time_on_shared_and_deep_graphs() -> None:
    u = X
    for _ in range(20_000):  # 2**20000 paths, and deeper than any recursion
        u = u + u
    began = time.perf_counter()
    digest(u)
    assert time.perf_counter() - began < 5.0


def test_an_arg_without_text_form_has_no_digest() -> None:
    with pytest.raises(GraphError, match="no text form"):
        digest(UOp.sink(opts=(1j,)))
