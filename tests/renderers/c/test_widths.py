"""Indices of 32 bits: random index arithmetic, executed as C++ that stops where an integer overflows, is what integers without end give."""
from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from svod import UOp
from svod.device.lowering import lowered
from svod.dtype import dtypes
from svod.ir.bounds import interval
from svod.renderers.c.cuda import cuda_target, render_cuda

SEEDS = 250
BOUNDS = ((0, 7), (-5, 5), (0, (1 << 31) - 1), (-(1 << 31), (1 << 31) - 1), (0, 1 << 16), (1, 1 << 20), (-(1 << 16), 0), (0, 1 << 33))
Term = tuple[UOp, Callable[[dict[str, int]], int]]


def variables(r: random.Random) -> list[UOp]:
    return [UOp.variable(f"v{k}", *r.choice(BOUNDS)) for k in range(4)]


def expression(r: random.Random, leaves: list[UOp]) -> Term:
    """An index expression, and the same over plain integers."""
    terms: list[Term] = [(v, lambda given, name=v.arg.name: given[name]) for v in leaves]
    for _ in range(r.randint(1, 8)):
        new = combined(r, r.choice(terms), r.choice(terms))
        if max(map(abs, interval(new[0]))) < 1 << 60:
            terms.append(new)
    return terms[-1]


def combined(r: random.Random, one: Term, other: Term) -> Term:
    (a, f), (b, g) = one, other
    k = r.choice((1, 2, 3, 16, 31, 128, 1000, 4096, -1, -3, -128))
    made: Term = r.choice([
        lambda: (a + b, lambda x: f(x) + g(x)), lambda: (a - b, lambda x: f(x) - g(x)), lambda: (a * b, lambda x: f(x) * g(x)),
        lambda: (a * k, lambda x: f(x) * k), lambda: (a + k, lambda x: f(x) + k), lambda: (k - a, lambda x: k - f(x)),
        lambda: (a // abs(k), lambda x: f(x) // abs(k)), lambda: (a % abs(k), lambda x: f(x) % abs(k)),
        lambda: (a.maximum(b), lambda x: max(f(x), g(x))), lambda: ((a < b).where(a, b), lambda x: min(f(x), g(x))),
        lambda: (a.cast(dtypes.i64).cast(dtypes.index), f),
    ])()
    return made


def kernel(seed: int) -> tuple[UOp, Term, list[UOp]]:
    """out[0] = an expression, out[1] = twice that, as i64."""
    r = random.Random(seed)
    leaves = variables(r)
    e = expression(r, leaves)
    out, value = UOp.param(0, dtypes.i64, name="out"), e[0].cast(dtypes.i64)
    zero = UOp.const(0, dtypes.index)
    stores = (out.index(zero).store(value), out.index(zero + 1).store(value * 2))
    return UOp.sink(*stores, name="k"), e, leaves


def test_random_index_arithmetic(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    texts, calls, wanted = [], [], []
    for n in range(SEEDS):
        ast, (_, exact), leaves = kernel(n)
        low, r = lowered(ast, cuda_target("sm_90")), random.Random(n)
        texts.append(f"namespace n{n} {{\n{render_cuda(low.linear, low.meta, f'k{n}')}}}")
        for _ in range(20):
            given = {v.arg.name: r.choice((v.arg.min, v.arg.max, r.randint(v.arg.min, v.arg.max))) for v in leaves}
            calls.append(f"n{n}::k{n}({', '.join(['out', *(f'{given[s.name]}LL' for s in low.meta.scalars)])}); said();")
            wanted.append(f"{exact(given)} {2 * exact(given)}")
    assert sum("(int)" in t for t in texts) > SEEDS // 4
    lines = executed("\n".join(texts), calls, tmp_path)
    assert len(lines) == len(wanted)
    wrong = next((n for n, (line, want) in enumerate(zip(lines, wanted, strict=True)) if line != want), None)
    assert wrong is None, (calls[wrong or 0], lines[wrong or 0], wanted[wrong or 0], texts[(wrong or 0) // 20])


def executed(source: str, calls: list[str], folder: Path) -> list[str]:
    """What a program prints that makes the calls, and stops where a signed integer overflows."""
    head = "#include <cstdio>\n#define __global__\n#define __device__\n#define __forceinline__ inline\n#define __launch_bounds__(n)\n"
    main = "long long out[2];\nvoid said() { printf(\"%lld %lld\\n\", out[0], out[1]); }\nint main() {\n" + "\n".join(calls) + "\n}\n"
    program = folder / "program"
    done = subprocess.run(["g++", "-O0", "-w", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-x", "c++", "-", "-o",
                           str(program)], input=head + source + main, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    ran = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"an integer overflows in call {len(ran.stdout.splitlines())}, {ran.returncode}"
    return ran.stdout.splitlines()
