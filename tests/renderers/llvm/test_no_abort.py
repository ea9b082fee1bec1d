"""LLVM in the wheel has its assertions on: what it cannot take apart ends the process. So everything is compiled in child processes.

The default run compiles each row of the conformance table for one vector width, and a sample of the rest; with SVOD_FUZZ_EXAMPLES every
kernel is compiled for every width.
"""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

import svod
from svod import AddrSpace, Config, UOp, dtypes
from svod.codegen.schedule import parse_opt
from svod.device.cpu.jit import compile_ir
from svod.dtype import DType
from svod.errors import CompileError, GraphError, SvodError, UnsupportedError
from svod.ir.args import AtomicKind, ShuffleArg
from svod.ir.ops import Op
from svod.testing.conformance import kernel, table
from svod.testing.kernels import CASES, axes, p
from svod.testing.random_kernels import random_case

Kernels = dict[str, Callable[[], UOp]]
WIDTHS = (128, 256, 512)
LANES = (2, 3, 4, 5, 8)
DTYPES = (dtypes.bool, dtypes.u8, dtypes.f16, dtypes.bf16, dtypes.f8e4m3, dtypes.i32, dtypes.f32, dtypes.i64, dtypes.f64)
EVERYTHING = "SVOD_FUZZ_EXAMPLES" in os.environ
BATCHES = 4
DIED = "died"


# ---- kernels ------------------------------------------------------------------------------------------------------------------------


def vector_opts(lanes: int, tail: str = "mask") -> tuple[svod.Opt, ...]:
    """The first axis in vectors of `lanes`, what is left over by `tail`."""
    return parse_opt(f"SPLIT(0 by {lanes} {tail})"), parse_opt("VECTOR(0.1)")


def changed(x: UOp) -> UOp:
    """A little arithmetic that every dtype has."""
    return ~x if x.dtype.is_bool else x + x


def moves(d: DType, lanes: int) -> Iterator[tuple[str, UOp]]:
    """Every way to read and write in vectors that a schedule can make."""
    (i,) = axes(3 * lanes + 1)
    at = p(2, "at", dtypes.i32)[i].load()
    out, a = p(0, "out", d), p(1, "a", d)
    last = 3 * lanes
    gate = (i < 7) & (i > 1)
    yield "plain", out[i].store(changed(a[i].load()))
    yield "reversed load", out[i].store(a[i * -1 + last].load())
    yield "reversed store", out[i * -1 + last].store(a[i].load())
    yield "strided load", out[i].store(a[i * 3].load())
    yield "strided store", out[i * 2].store(a[i].load())
    yield "gather", out[i].store(a[at].load())
    yield "uniform load", out[i].store(a[0].load())
    yield "gated load", out[i].store(a.index(i, gate).load(a[0].load()))
    yield "gated store", out.index(i, gate).store(a[i].load())
    yield "gated gather", out[i].store(a.index(at, gate).load())
    yield "gated reversed load", out[i].store(a.index(i * -1 + last, gate).load())
    yield "gated reversed store", out.index(i * -1 + last, gate).store(a[i].load())
    yield "select", out[i].store(gate.where(a[i].load(), a[i + 1].load()))


def move_kernels() -> Kernels:
    """Moves of every dtype and number of lanes, with both tails."""
    found: Kernels = {}
    for d, lanes, tail in product(DTYPES, LANES, ("mask", "peel")):
        for name, effect in moves(d, lanes):
            ast = UOp.sink(effect, name="moves", opts=vector_opts(lanes, tail))
            found[f"{name} {d} x{lanes} {tail}"] = lambda ast=ast: ast
    return found


def combines(op: Op, d: DType) -> bool:
    """Whether REDUCE takes the dtype."""
    return (op in (Op.MAX, Op.MIN)) or (op in (Op.ADD, Op.MUL) and not d.is_bool) or (op in (Op.AND, Op.OR, Op.XOR) and not d.is_float)


def reduction_kernels() -> Kernels:
    """Reductions of lanes: vectors of accumulators, side by side and masked."""
    found: Kernels = {}
    ops = (Op.ADD, Op.MUL, Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR)
    for op, d, lanes in product(ops, DTYPES, (*LANES, 7, 16)):
        if not combines(op, d):
            continue
        (i,) = axes(lanes * 4 + 1)
        effect = p(0, "out", d)[0].store(p(1, "a", d)[i].load().reduce(op, i))
        twice = (parse_opt(f"SPLIT(0 by {2 * lanes} peel)"), parse_opt(f"SPLIT(0.1 by {lanes})"), parse_opt("INTERLEAVE(0.1.0)"),
                 parse_opt("VECTOR(0.1.1)"))
        for label, opts in (("masked", vector_opts(lanes)), ("twice", twice)):
            ast = UOp.sink(effect, name="reduced", opts=opts)
            found[f"{op.name} {d} x{lanes} {label}"] = lambda ast=ast: ast
    return found


def ramp(lanes: int, base: UOp | int = 0) -> UOp:
    start = base if isinstance(base, UOp) else UOp.const(base, dtypes.index)
    return UOp(Op.RAMP, (start, UOp.const(1, dtypes.index)), None, dtypes.index.vec(lanes))


def scatters(out: UOp, value: UOp, lanes: int) -> dict[str, UOp]:
    """Stores of a vector to indices from memory, with and without a gate."""
    at = p(2, "at", dtypes.i32)[ramp(lanes)].load().cast(dtypes.index.vec(lanes))
    return {"scatter": out[at].store(value), "gated scatter": out.index(at, at < 7).store(value)}


def linear_kernels() -> Kernels:
    """What no schedule makes alone: scatter, SHUFFLE, STACK, EXTRACT, LANES, local and register memory, as LINEAR programs."""
    found: Kernels = {}
    for d, lanes in product(DTYPES, (*LANES, 16, 64)):
        x = p(1, "a", d)[ramp(lanes)].load()
        y = p(1, "a", d)[ramp(lanes, lanes)].load()
        picks = tuple((3 * k + 1) % (2 * lanes) for k in range(lanes))
        stacked = UOp(Op.STACK, tuple(UOp(Op.EXTRACT, (x,), k, d) for k in reversed(range(lanes))), None, d.vec(lanes))
        whole = p(0, "out", d)[ramp(lanes)]
        values = {"shuffle": whole.store(UOp(Op.SHUFFLE, (x, y), ShuffleArg(picks))), "stack": whole.store(stacked),
                  "narrow": p(0, "out", d)[ramp(2)].store(UOp(Op.SHUFFLE, (x, y), ShuffleArg((lanes, 0)))),
                  **scatters(p(0, "out", d), x, lanes)}
        for space in (AddrSpace.REG, AddrSpace.LOCAL):
            cell = UOp.memory(0, d, lanes, space)
            written = cell[ramp(lanes)].store(x)
            values[f"{space.value} memory"] = UOp.group(written, whole.store(cell.after(written)[ramp(lanes)].load()))
        for op in (Op.ADD, Op.MUL, Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR):
            if combines(op, d) and d not in (dtypes.f16, dtypes.bf16, dtypes.f8e4m3):
                values[f"lanes {op.name}"] = p(0, "out", d)[0].store(UOp(Op.LANES, (x,), op, d))
        for name, effect in values.items():
            program = UOp(Op.LINEAR, tuple(u for u in effect.toposort() if u.op not in (Op.AFTER, Op.GROUP)))
            found[f"{name} {d} x{lanes}"] = lambda program=program: program
    return found


def atomic_kernels() -> Kernels:
    """Every kind on every dtype."""
    (i,) = axes(8)
    return {f"{k.name} {d}": lambda k=k, d=d: UOp.sink(p(0, "out", d)[i % 4].atomic(k, p(1, "a", d)[i].load()), name="atomic")
            for k, d in product(AtomicKind, dtypes.ALL)}


def library_kernels() -> Kernels:
    """The cases of the library, and random kernels."""
    found: Kernels = {name: lambda make=make: make().ast for name, make in CASES.items()}
    return {**found, **{f"random {seed}": lambda seed=seed: random_case(seed).ast for seed in range(200, 230)}}


def table_kernels() -> Kernels:
    """Every op on every dtype, in loops with a rest."""
    return {str(e): lambda e=e: kernel(e, 37) for e in table()}


GROUPS: dict[str, Callable[[], Kernels]] = {
    "table": table_kernels, "library": library_kernels, "moves": move_kernels, "reductions": reduction_kernels,
    "linear": linear_kernels, "atomics": atomic_kernels}
STEP = {"moves": 6, "reductions": 3, "linear": 3}
"""Of these groups the default run takes every so many kernels."""


def chosen(group: str, batch: int) -> Iterator[tuple[str, int, Callable[[], UOp]]]:
    """Name, vector width and maker of the kernels of a batch."""
    made = list(GROUPS[group]().items())
    everything = [(name, bits, make) for name, make in made for bits in WIDTHS]
    if not EVERYTHING:
        step = STEP.get(group, 1)
        everything = [(*made[k], WIDTHS[k // step % 3]) for k in range(0, len(made), step)]
        everything = [(name, bits, make) for name, make, bits in everything]
    return iter(everything[batch::BATCHES])


# ---- the child process --------------------------------------------------------------------------------------------------------------


def outcome(make: Callable[[], UOp], bits: int) -> str:
    """Compiles a kernel to object code; what came of it, in a word."""
    try:
        with svod.override(config=Config(threads=2, vector_bits=bits)):
            text = svod.Device("CPU").renderer.render(make(), name="k").src
        return "compiled" if compile_ir(text) else "empty"
    except CompileError as e:
        return f"CompileError: {' '.join(str(e).split())[:300]}"
    except SvodError as e:
        return f"{type(e).__name__}: {e.what}"


def child(group: str, batch: int) -> None:
    """Says what it is about to compile, then what came of it."""
    for name, bits, make in chosen(group, batch):
        print(f"{name} @{bits}", end="\t", flush=True)
        print(outcome(make, bits), flush=True)


def results(program: str) -> dict[str, str]:
    """What the child said of each kernel; one that it began and never finished has died."""
    env = {**os.environ, "PYTHONPATH": str(Path(svod.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=1800, check=False)
    lines = [line.partition("\t") for line in done.stdout.splitlines()]
    found = {name: said or f"{DIED}: exit status {done.returncode}: {done.stderr[-300:]}" for name, _, said in lines}
    assert found, f"the child said nothing: {done.stderr[-2000:]}"
    assert done.returncode == 0 or any(said.startswith(DIED) for said in found.values()), done.stderr[-2000:]
    return found


def batch_of(group: str, batch: int) -> dict[str, str]:
    return results(f"import runpy; runpy.run_path({__file__!r})['child']({group!r}, {batch})")


# ---- tests --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("group", [g for g in GROUPS if g != "atomics"])
def test_everything_compiles(group: str, batch: int) -> None:
    found = batch_of(group, batch)
    assert {name: said for name, said in found.items() if said != "compiled"} == {}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_atomics_compile_or_are_refused_by_name(batch: int) -> None:
    found = batch_of("atomics", batch)
    refused = (UnsupportedError.__name__, GraphError.__name__)
    assert {name: said for name, said in found.items() if said != "compiled" and not said.startswith(refused)} == {}
    assert sum(said == "compiled" for said in found.values()) >= len(found) // 3


def test_a_child_that_dies_is_reported_with_its_kernel() -> None:
    found = results("import os; print('good', end='\\t'); print('compiled'); print('bad', end='\\t', flush=True); os.abort()")
    assert found["good"] == "compiled"
    assert found["bad"].startswith(f"{DIED}: exit status -6")
