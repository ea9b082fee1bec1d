"""Linear forms of index expressions: what they say, their one spelling, and the order of their terms."""
from __future__ import annotations

import subprocess
import sys
from itertools import permutations

from svod.dtype import dtypes
from svod.ir.affine import bounds, build, fingerprint, integer, linear, ordered, precedes, split
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.testing.graphs import RandomGraphs, disagreement, points

x, y, n = UOp.variable("x", -5, 5), UOp.variable("y", 0, 9), UOp.variable("n", 1, 4)
i, j = UOp.range(8, 0), UOp.range(64, 1)


def test_terms_and_constant() -> None:
    assert linear(x * 3 - (y + 4) * 2 + 7) == ({x: 3, y: -2}, -1)
    assert linear(-(x - y)) == ({x: -1, y: 1}, 0)
    assert linear(UOp(Op.MUL, (integer(3), x)) + x) == ({x: 4}, 0)
    assert linear(x - x + 2) == ({}, 2)
    assert linear(x // 2 + n * x) == ({x // 2: 1, n * x: 1}, 0)


def test_build_is_the_inverse() -> None:
    u = ((n + i * 64) + j) + -3
    assert build(*linear(u)) is u
    assert build({}, 5) is integer(5)
    assert build({x: 1}, 0) is x
    assert build({x: -1}, 0) is x * -1


def test_build_refuses_what_64_bits_do_not_hold() -> None:
    assert build({x: 1 << 63}, 0) is None
    assert build({x: 1}, 1 << 63) is None
    assert build({}, -(1 << 63)) is integer(-(1 << 63))


def test_random_expressions_keep_their_value() -> None:
    for seed in range(60):
        u = RandomGraphs(seed, (dtypes.index,)).graph(40)
        if u.dtype is dtypes.index:
            again = build(*linear(u))
            assert again is not None
            assert not disagreement(u, again, points((u,), seed))


def test_one_spelling_for_every_order_of_terms() -> None:
    parts = [i * 4, j, x // 3, x // 4]
    spellings = {build(*linear(a + b + c + d)) for a, b, c, d in permutations(parts)}
    assert len(spellings) == 1


def test_the_order_is_from_outer_to_inner_loops() -> None:
    assert ordered({j: 1, i: 1, i // 2 + j % 3: 1, y: 1, x: 1}) == [x, y, i, j, i // 2 + j % 3]
    assert precedes(i, j)
    assert not precedes(j, i)
    assert not precedes(i, i)


def test_the_order_does_not_depend_on_the_process() -> None:
    code = ("from svod.ir.affine import ordered, fingerprint; from svod.ir.uop import UOp; x = UOp.variable('x', 0, 9); "
            "cores = [x // k for k in range(2, 9)]; "
            "print([u.src[1].arg.value for u in ordered(dict.fromkeys(cores, 1))], fingerprint(x + 1).hex())")
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}).stdout
            for seed in ("1", "2")}
    cores = [UOp.variable("x", 0, 9) // k for k in range(2, 9)]
    here = [u.src[1].arg.value for u in ordered(dict.fromkeys(cores, 1))]
    assert runs == {f"{here} {fingerprint(UOp.variable('x', 0, 9) + 1).hex()}\n"}


def test_split_and_bounds() -> None:
    assert split(x * 3) == (x, 3)
    assert split(x) == (x, 1)
    assert bounds({x: 2, y: -1}, 3) == (-16, 13)
    assert bounds({}, 4) == (4, 4)
