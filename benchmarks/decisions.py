"""The figures of docs/decisions: `python benchmarks/decisions.py 002 003` measures those of two, without arguments all.

Owns: the kernels and schedules that are compared there. Must not know the peers (worker.py).
Invariant: what is compared runs interleaved in one process on one thread (005: two), results are checked first, and the least time counts.
"""
from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from svod import Config, Device, Program, UOp, Variable, dtypes, override
from svod.codegen.schedule import parse_opt
from svod.device.cpu.jit import PIPELINES, SHORT, compile_ir, load_object

Array = NDArray[np.float32]
Run = Callable[[], object]

OUT, A, B = (UOp.param(slot, dtypes.f32, name=name) for slot, name in enumerate(("out", "a", "b")))
X, Y, Z = (UOp.param(slot, dtypes.i32, name=name) for slot, name in enumerate(("z", "x", "y")))
N = Variable("n", 0, 1 << 26)
SECONDS = 0.3
REPEAT = 1000
ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


def kernel(value: UOp, index: UOp, out: UOp = OUT, name: str = "measured") -> UOp:
    """out[index] = value."""
    return UOp.sink(out[index].store(value), name=name)


def compiled(ast: UOp, opts: str | None = None) -> Program:
    """`ast` for the CPU; `opts` are separated by commas, None takes the default schedule."""
    return Device("CPU").compile(ast, opts=None if opts is None else [parse_opt(o) for o in opts.split(", ") if o])


def least(runs: Sequence[Run]) -> list[float]:
    """Seconds of each, the least of many, interleaved."""
    best = [float("inf")] * len(runs)
    end = time.perf_counter() + SECONDS * len(runs)
    while time.perf_counter() < end:
        for k, run in enumerate(runs):
            began = time.perf_counter()
            run()
            best[k] = min(best[k], time.perf_counter() - began)
    return best


def many(run: Callable[..., object], *args: object) -> Run:
    """REPEAT calls in a loop."""
    def loop() -> None:
        for _ in range(REPEAT):
            run(*args)
    return loop


def arrays(*sizes: int) -> list[Array]:
    """Random numbers in [-3, 3)."""
    return [np.random.default_rng(k).uniform(-3, 3, size).astype(np.float32) for k, size in enumerate(sizes)]


def show(what: str, names: Sequence[str], seconds: Sequence[float], unit: str = "us") -> None:
    """One line of figures."""
    scale = {"us": 1e6, "ns": 1e9, "ms": 1e3}[unit]
    print(f"{what:24}", ", ".join(f"{name} {s * scale:.4g} {unit}" for name, s in zip(names, seconds, strict=True)))


# --- 002 ---------------------------------------------------------------------------------------------------------------------------

def vectors() -> None:
    """Explicit vectors with short passes against scalar IR with LLVM's O3."""
    i, r, c, k = UOp.range(1 << 16, 0), UOp.range(256, 0), UOp.range(256, 1), UOp.range(256, 2)
    v, score = A[i].load(), A[r * 256 + c].load()
    e = (score - score.max(c)).exp()
    cases = {
        "add": kernel(v + B[i].load(), i), "exp": kernel(v.exp(), i), "sin": kernel(v.sin(), i),
        "gelu": kernel(v * 0.5 * ((v * 0.70710677).erf() + 1.0), i), "sum": kernel(v.sum(i), UOp.const(0, dtypes.index)),
        "softmax 256 x 256": kernel(e / e.sum(c), r * 256 + c), "transpose 256 x 256": kernel(A[c * 256 + r].load(), r * 256 + c),
        "matmul 256": kernel((A[r * 256 + k].load() * B[k * 256 + c].load()).sum(k), r * 256 + c)}
    for name, ast in cases.items():
        out, a, b = arrays(1 << 16, 1 << 16, 1 << 16)
        buffers = [out, a, b][:2 + (name in ("add", "matmul 256"))]
        program, by_llvm = compiled(ast), scalar_by_llvm(ast, buffers)
        program.execute(buffers)
        want = out.copy()
        by_llvm()
        np.testing.assert_allclose(out, want, rtol=1e-3, atol=1e-3)
        show(f"002 {name}", ("explicit", "scalar, O3"), least([partial(program.execute, buffers), by_llvm]))
    source = compiled(cases["gelu"]).source
    for passes in (SHORT, ("O3",)):
        show("002 compile gelu", ("+".join(passes),), least([partial(compile_ir, source, passes=passes)]), "ms")


def scalar_by_llvm(ast: UOp, buffers: Sequence[Array]) -> Run:
    """The kernel without any Opt, optimized by LLVM's own vectorizers."""
    spec = Device("CPU").renderer.render(UOp.sink(*ast.src, name="scalar", opts=()))
    code = load_object(compile_ir(spec.src, passes=PIPELINES[-1:]), ("entry",))
    entry, slots = ENTRY(code.address("entry")), (ctypes.c_uint64 * len(buffers))(*(b.ctypes.data for b in buffers))
    scratch = ctypes.create_string_buffer(spec.needs.private_bytes + 64)

    def run(_keep: object = code) -> None:
        entry(slots, 0, 0, None, scratch)
    return run


# --- 003, 004 ----------------------------------------------------------------------------------------------------------------------

def reductions() -> None:
    """Accumulators, contraction, and two reductions in one loop."""
    i, j = UOp.range(2048, 0), UOp.range(1 << 20, 0)
    dot = kernel((A[i].load() * B[i].load()).sum(i), UOp.const(0, dtypes.index))
    out, a, b = arrays(2, 2048, 2048)
    blocks = {"1": "SPLIT(0 by 16), VECTOR(0.1)", "scalar": ""}
    blocks |= {f"{m}": f"SPLIT(0 by {16 * m}), SPLIT(0.1 by 16), INTERLEAVE(0.1.0), VECTOR(0.1.1)" for m in (2, 4, 8)}
    blocks["8 copies, 1"] = "SPLIT(0 by 128), SPLIT(0.1 by 16), UNROLL(0.1.0), VECTOR(0.1.1)"
    programs = {f"{name} acc.": compiled(dot, opts) for name, opts in blocks.items()}
    with override(config=Config(threads=1, contract="off")):
        programs |= {f"{name} acc., off": compiled(dot, blocks[name]) for name in ("1", "8")}
    times = least([many(direct(p), out, a, b) for p in programs.values()])
    show("003 dot 2048", list(programs), [t / REPEAT for t in times], "ns")
    v, big = A[j].load(), arrays(1 << 20)[0]
    total, top = OUT[0].store(v.sum(j)), OUT[1].store(v.max(j))
    stats = [compiled(UOp.sink(*stores, name="stats")) for stores in ((total, top), (total,), (top,))]
    show("003 1 M elements", ("sum and max", "sum", "max"), least([partial(p.execute, [out, big]) for p in stats]))


def tails() -> None:
    """What is left over after whole blocks."""
    i = UOp.range(N, 0)
    add = kernel(A[i].load() + B[i].load(), i)
    block = "SPLIT(0.1 by 16), UNROLL(0.1.0), VECTOR(0.1.1)"
    programs = {"default": compiled(add), "mask 16": compiled(add, "SPLIT(0 by 16 mask), VECTOR(0.1)"),
                "mask 64": compiled(add, f"SPLIT(0 by 64 mask), {block}"), "peel 64": compiled(add, f"SPLIT(0 by 64 peel), {block}")}
    for size in (7, 1003, 1024):
        times = least([many(direct(p), *arrays(size, size, size), size) for p in programs.values()])
        show(f"004 add {size}", list(programs), [t / REPEAT for t in times], "ns")


def direct(program: Program) -> Callable[..., object]:
    """The launcher of a program."""
    assert program._fast is not None
    return program._fast


# --- 005, 006, 007 -----------------------------------------------------------------------------------------------------------------

def phases() -> None:
    """A sum on one core, and in two phases on two."""
    i = UOp.range(N, 0)
    total = kernel(A[i].load().sum(i), UOp.const(0, dtypes.index))
    lanes = "SPLIT(0 by 128 peel), SPLIT(0.1 by 16), INTERLEAVE(0.1.0), VECTOR(0.1.1), SPLIT(0.2 by 16 mask), VECTOR(0.2.1)"
    with override(config=Config(threads=2)):
        programs = [compiled(total, lanes), compiled(total, f"GROUP(0 by 128), {lanes}")]
    for size in (1000, 1 << 20, 1 << 24):
        out, a = arrays(1, size)
        repeat = REPEAT if size == 1000 else 1
        runs = [many(direct(p), out, a, size) if repeat > 1 else partial(direct(p), out, a, size) for p in programs]
        show(f"005 sum {size}", ("1 phase, 1 core", "2 phases, 2 cores"), [t / repeat for t in least(runs)])


COLD = """
import time
from svod import Device, UOp, dtypes
from benchmarks.decisions import A, B, OUT, kernel
cpu, i = Device("CPU"), UOp.range(256, 0)
j, k, v = UOp.range(256, 1), UOp.range(256, 2), A[i].load()
cpu.compile(kernel(v - 1.0, i))
for name, ast in (("add", kernel(v + B[i].load(), i)), ("gelu", kernel(v * 0.5 * ((v * 0.7).erf() + 1.0), i)),
                  ("matmul", kernel((A[i * 256 + k].load() * B[k * 256 + j].load()).sum(k), i * 256 + j))):
    began = time.perf_counter()
    cpu.compile(ast)
    print(name, f"{(time.perf_counter() - began) * 1e3:.1f} ms", end="  ")
"""


def object_cache() -> None:
    """Device.compile in a fresh process, with an empty cache and with a full one."""
    with tempfile.TemporaryDirectory() as folder:
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        env = os.environ | {"SVOD_CACHE_DIR": folder, "PYTHONPATH": here}
        for state in ("empty cache", "full cache", "full cache"):
            told = subprocess.run([sys.executable, "-c", COLD], env=env, capture_output=True, text=True, check=True).stdout
            print(f"006 {state:20}", told)


def launches() -> None:
    """One call of a kernel over 16 elements, by each way."""
    i = UOp.range(N, 0)
    program = compiled(kernel(A[i].load() + B[i].load(), i))
    out, a, b = arrays(16, 16, 16)
    raw, entry = program._runner.raw(), ENTRY(program._runner.code.address("entry"))  # type: ignore[attr-defined]
    slots = (ctypes.c_uint64 * 4)(out.ctypes.data, a.ctypes.data, b.ctypes.data, 16)
    ways = {"launcher": many(direct(program), out, a, b, 16), "raw": many(raw, out.ctypes.data, a.ctypes.data, b.ctypes.data, 16),
            "execute": many(program.execute, [out, a, b], [16]), "ctypes, slots ready": many(entry, slots, 0, 0, None, None),
            "checked in Python": many(program._checked, [out, a, b], [16], (None, None), None), "numpy.add": many(np.add, a, b, out)}
    show("007 add 16", list(ways), [t / REPEAT for t in least(list(ways.values()))], "ns")


# --- 008, 009 ----------------------------------------------------------------------------------------------------------------------

def divisions() -> None:
    """Integer division by what is known of the divisor."""
    i = UOp.range(4096, 0)
    x, y = Y[i].load(), Z[i].load()
    values = {"x // y": x // y, "x // max(y, 1)": x // y.maximum(1), "idiv(x, y)": x.idiv(y), "x // 7": x // 7, "x // 8": x // 8}
    a, b = (np.random.default_rng(k).integers(1, 1000, 4096).astype(np.int32) for k in range(2))
    out = np.zeros_like(a)
    programs = {name: compiled(kernel(v, i, X)) for name, v in values.items()}
    runs = [partial(p.execute, [out, a, b][:len(p.compiled.globals)]) for p in programs.values()]
    show("008 one element", list(programs), [t / 4096 for t in least(runs)], "ns")


def tiles() -> None:
    """A matrix product: lanes only, a register tile, a tile and a staged panel; GFLOP/s."""
    tile = "SPLIT(0 by 6 peel), UNROLL(0.1), SPLIT(1 by 64), SPLIT(1.1 by 16), UNROLL(1.1.0), VECTOR(1.1.1)"
    for n in (512, 1024, 1088):
        i, j, k = UOp.range(n, 0), UOp.range(n, 1), UOp.range(n, 2)
        product = kernel((A[i * n + k].load() * B[k * n + j].load()).sum(k), i * n + j)
        out, a, b = (m.reshape(n, n) for m in arrays(n * n, n * n, n * n))
        schedules = {"lanes": "SPLIT(1 by 16), VECTOR(1.1)", "tile": tile, "default": None}
        programs = {name: compiled(product, opts) for name, opts in schedules.items()}
        for p in programs.values():
            p.execute([out, a, b])
            np.testing.assert_allclose(out, a @ b, rtol=1e-3, atol=1e-2)
        times = least([partial(p.execute, [out, a, b]) for p in programs.values()])
        print(f"009 matmul {n:<14}", ", ".join(f"{name} {2 * n**3 / t / 1e9:.0f}" for name, t in zip(programs, times, strict=True)))


MEASURES: dict[str, tuple[int, Callable[[], None]]] = {
    "002": (1, vectors), "003": (1, reductions), "004": (1, tails), "005": (2, phases), "006": (1, object_cache), "007": (1, launches),
    "008": (1, divisions), "009": (1, tiles)}
"""Decision -> threads, what to measure."""


def main(chosen: Sequence[str]) -> None:
    """Measures the chosen decisions, or all."""
    for number in chosen or MEASURES:
        threads, measure = MEASURES[number]
        with override(config=Config(threads=threads)):
            measure()


if __name__ == "__main__":
    main(sys.argv[1:])
