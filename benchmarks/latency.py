"""What one pays besides the work: `python benchmarks/latency.py [--probes a,b] [--repeat N] [--json FILE]`.

Owns: the probes. Each runs in processes of its own (`latency.py --probe NAME`), and gives figures in seconds, or ratios without a unit.
Must not assert a time. Looks into svod where a figure is not to be had from outside (entry addresses, the worker pool).
Invariant: cold means an empty cache folder and a new process; warm means a second process on the folder the cold one left.
"""
from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import machine

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULT = HERE / "results" / "latency.json"
Figures = dict[str, float]
clock = time.perf_counter


# ---- graphs: every extent is a number or a variable ---------------------------------------------------------------------


def vector_add(n: Any) -> Any:
    """out = a + b."""
    from peer_svod import axes, buffers

    from svod import UOp

    out, a, b = buffers("out a b")
    (i,) = axes(n)
    return UOp.sink(out[i].store(a[i].load() + b[i].load()), name="vector_add")


def matmul(m: Any, n: Any, k: Any) -> Any:
    """out = a @ b."""
    from peer_svod import axes, buffers

    from svod import UOp

    out, a, b = buffers("out a b")
    i, j, q = axes(m, n, k)
    return UOp.sink(out[i * n + j].store((a[i * k + q].load() * b[q * n + j].load()).sum(q)), name="matmul")


def softmax(m: Any, n: Any) -> Any:
    """Along rows."""
    from peer_svod import axes, buffers

    from svod import UOp

    out, a = buffers("out a")
    i, j, k, q = axes(m, n, n, n)
    top = a[i * n + j].load().max(j)
    total = (a[i * n + k].load() - top).exp().sum(k)
    return UOp.sink(out[i * n + q].store((a[i * n + q].load() - top).exp() / total), name="softmax")


def filled(*shape: int) -> Any:
    """An aligned array of numbers in [0, 1)."""
    import numpy as np
    from contract import aligned

    return aligned(np.random.default_rng(1).random(shape, dtype=np.float32))


# ---- probes: each in a new process --------------------------------------------------------------------------------------


def probe_import() -> Figures:
    """`import svod`, then everything it offers beside NumPy. Nothing else may have been imported before."""
    began = clock()
    import svod

    bare = clock()
    import numpy  # noqa: F401

    beside = clock()
    for name in svod.__all__:
        getattr(svod, name)
    return {"import svod": bare - began, "every name of svod, beside NumPy": clock() - beside, "import numpy": beside - bare}


def probe_import_numba() -> Figures:
    """The same for Numba."""
    began = clock()
    import numpy  # noqa: F401

    beside = clock()
    import numba  # noqa: F401

    return {"import numba, beside NumPy": clock() - beside, "import numpy": beside - began}


def _first(graph: Callable[[], Any], arrays: list[Any]) -> Figures:
    """Loading LLVM, opening the device, compiling, and the first call, in this process, after svod was imported."""
    import peer_svod  # noqa: F401

    import svod

    for name in svod.__all__:
        getattr(svod, name)
    began = clock()
    import llvmlite.binding  # noqa: F401

    loaded = clock()
    device = svod.Device("CPU")
    opened = clock()
    program = device.compile(graph())
    compiled = clock()
    program.execute(arrays)
    return {"load LLVM": loaded - began, "open the device": opened - loaded, "graph and compile": compiled - opened,
            "first call": clock() - compiled}


def probe_compile_vector_add() -> Figures:
    """vector_add of 1000 elements."""
    return _first(lambda: vector_add(1000), [filled(1000) for _ in range(3)])


def probe_compile_matmul() -> Figures:
    """The 1024³ product."""
    return _first(lambda: matmul(1024, 1024, 1024), [filled(1024, 1024) for _ in range(3)])


def probe_compile_numba() -> Figures:
    """The same add in Numba: compiled, or found in its cache, by the first call."""
    from peer_numba import add_serial

    a, b, out = (filled(1000) for _ in range(3))
    began = clock()
    add_serial(a, b, out)
    return {"first call": clock() - began}


def kernel() -> Any:
    """The same add as a kernel of the language."""
    import svod.lang as sl

    @sl.kernel
    def vector_add(a: sl.Array[sl.f32], b: sl.Array[sl.f32], out: sl.Array[sl.f32], n: sl.i32) -> None:
        """One element."""
        i = sl.global_id()
        if i < n:
            out[i] = a[i] + b[i]

    return vector_add


def probe_compile_kernel() -> Figures:
    """The first call of that kernel, which traces, compiles (or finds it in the cache) and runs it; the device is open."""
    import svod

    svod.Device("CPU")
    add, (a, b, out) = kernel(), (filled(1000) for _ in range(3))
    began = clock()
    add[4, 256](a, b, out, 1000)
    return {"first call": clock() - began}


def probe_kernel_calls() -> Figures:
    """One call of that kernel, 16 elements: with everything to be bound and checked, and prepared."""
    from timing import interleaved

    add, (a, b, out) = kernel(), (filled(16) for _ in range(3))
    launch = add[1, 16]
    ready = launch.prepare(a, b, out, 16)
    return interleaved({"kernel[grid, block](a, b, out, n)": lambda: launch(a, b, out, 16), "the same, prepared": ready})


def probe_calls() -> Figures:
    """One call from Python: three arrays of 16 elements and, where a kernel has one, an int."""
    import numpy as np
    from timing import Call, interleaved

    import svod

    a, b, out = (filled(16) for _ in range(3))
    program = svod.Device("CPU").compile(vector_add(svod.Variable("n", 0, 1 << 24)))
    execute, arrays, values = program.execute, (out, a, b), (16,)
    calls: dict[str, Call] = {"Program.execute, three arrays and an int, checked": lambda: execute(arrays, values),
                              "np.add(a, b, out=out)": lambda: np.add(a, b, out=out)}
    runner: Any = program._runner
    raw = runner.raw()
    if raw is not None:
        o, p, q = (x.ctypes.data for x in arrays)
        calls["the launcher alone, addresses and an int, unchecked"] = lambda: raw(o, p, q, 16)
    fast = program._fast
    if fast is not None:
        calls["the launcher alone, three arrays and an int, checked"] = lambda: fast(out, a, b, 16)
    if importlib.util.find_spec("numba"):
        from peer_numba import add_serial

        calls["Numba, three arrays"] = lambda: add_serial(a, b, out)
    if shutil.which("gcc"):
        from peer_gcc import function

        calls["C through ctypes, three pointers and a long"] = function("add_small", a, b, out, 16)
    calls["an empty Python function"] = lambda: None
    return interleaved(calls)


def probe_native() -> Figures:
    """A compiled kernel called k times through its address from C, beside gcc's loop in the same program. Empty without gcc."""
    import svod

    if not shutil.which("gcc"):
        return {}
    from peer_gcc import library
    from timing import Call, interleaved

    repeat, loop, k = library().repeat_kernel, library().repeat_add, 1000
    repeat.argtypes, loop.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long], [ctypes.c_void_p] * 3 + [ctypes.c_long] * 2
    calls: dict[str, Call] = {}
    keep: list[Any] = []
    for n in (100, 1000, 3072):
        a, b, out = arrays = [filled(n) for _ in range(3)]
        program = svod.Device("CPU").compile(vector_add(n))
        slots = (ctypes.c_void_p * 3)(*(x.ctypes.data for x in (out, a, b)))
        runner: Any = program._runner
        entry = runner.code.address("entry")
        keep += [arrays, program, slots]
        calls[f"svod's vector_add through its address, n = {n}"] = partial(repeat, entry, ctypes.addressof(slots), k)
        calls[f"gcc's loop, n = {n}"] = partial(loop, *(x.ctypes.data for x in arrays), n, k)
    return {name: seconds / k for name, seconds in interleaved(calls).items()}


def probe_graph() -> Figures:
    """One UOp: new, found again, and by the operator."""
    from svod import Op, UOp, dtypes

    count, x = 20_000, UOp.scalar("x", dtypes.f32)
    constants = [UOp.const(float(i), dtypes.f32) for i in range(count)]
    new, found, operator = [], [], []
    for _ in range(5):
        began = clock()
        nodes = [UOp(Op.ADD, (x, c)) for c in constants]
        made = clock()
        again = [UOp(Op.ADD, (x, c)) for c in constants]
        looked = clock()
        by_operator = [x + c for c in constants]
        ended = clock()
        assert again == nodes == by_operator
        new.append((made - began) / count)
        found.append((looked - made) / count)
        operator.append((ended - looked) / count)
        del nodes, again, by_operator
    return {"UOp, new": min(new), "UOp, already there": min(found), "x + y, already there": min(operator)}


def probe_symbolic() -> Figures:
    """Time with variable extents over time with constant ones, of the same kernel."""
    from timing import interleaved

    import svod

    n, m, k = (svod.Variable(v, 1, 1 << 24) for v in "nmk")
    device, rows = svod.Device("CPU"), {}
    cases = (
        ("vector_add 3072", vector_add, (3072,), (n,), [(3072,)] * 3),
        ("vector_add 4M", vector_add, (1 << 22,), (n,), [(1 << 22,)] * 3),
        ("softmax 1024²", softmax, (1024, 1024), (m, n), [(1024, 1024)] * 2),
        ("matmul 512³", matmul, (512, 512, 512), (m, n, k), [(512, 512)] * 3),
    )
    for name, graph, sizes, variables, shapes in cases:
        arrays = [filled(*s) for s in shapes]
        constant, symbolic = device.compile(graph(*sizes)), device.compile(graph(*variables))
        values = dict(zip((v.arg.name for v in variables), sizes, strict=True))
        given = tuple(values[v] for v in symbolic.var_names)
        times = interleaved({"c": partial(constant.execute, arrays), "s": partial(symbolic.execute, arrays, given)})
        rows[f"ratio: {name}, symbolic to constant"] = times["s"] / times["c"]
    return rows


def probe_hand_off() -> Figures:
    """Two shares on two cores less one share on one: what the second core costs, waiting included; and a Python thread pool's way."""
    from timing import interleaved

    import svod
    from svod.device.cpu.backend import pool

    if machine.cores() < 2:
        return {}
    n = 1 << 15  # a share: 16 K elements of three arrays, some microseconds in the second-level cache
    a, b, out = (filled(n) for _ in range(3))
    program = svod.Device("CPU").compile(vector_add(svod.Variable("n", 0, 1 << 24)))
    slots = (ctypes.c_uint64 * 4)(out.ctypes.data, a.ctypes.data, b.ctypes.data, n)
    runner: Any = program._runner
    entry, run = runner.code.address("entry"), pool(machine.cores()).run
    at = ctypes.addressof(slots)
    with ThreadPoolExecutor(1) as threads:
        times = interleaved({"two": lambda: run(entry, at, 2, 1, 0, 0), "one": lambda: run(entry, at, 1, 1, 0, 0),
                             "python": lambda: threads.submit(int).result()})
    return {"hand-off to a second core": times["two"] - times["one"], "hand-off by a Python thread pool": times["python"]}


PROBES: dict[str, Callable[[], Figures]] = {
    "import": probe_import, "import-numba": probe_import_numba, "compile-vector_add": probe_compile_vector_add,
    "compile-matmul": probe_compile_matmul, "compile-kernel": probe_compile_kernel, "compile-numba": probe_compile_numba,
    "calls": probe_calls, "kernel-calls": probe_kernel_calls, "native": probe_native,
    "graph": probe_graph, "symbolic": probe_symbolic, "hand-off": probe_hand_off,
}
TITLES = {"compile-vector_add": "vector_add", "compile-matmul": "matmul 1024³", "compile-kernel": "a vector_add kernel",
          "compile-numba": "Numba's vector_add"}
"""Probes that run twice, on an empty cache and on what that left."""


# ---- the run ------------------------------------------------------------------------------------------------------------


def child(probe: str, cache: Path) -> Figures:
    """One probe in a new process. CalledProcessError, after its message, if it fails."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
    environment = {**os.environ, "PYTHONPATH": path, "SVOD_CACHE_DIR": str(cache), "NUMBA_CACHE_DIR": str(cache), "BENCH_CACHE": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its byte code; without it, every import compiles again
    command = [sys.executable, str(HERE / "latency.py"), "--probe", probe]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=HERE, env=environment)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def once(probe: str, cache: Path) -> Figures:
    """The figures of one repetition: a compilation is done cold, then warm."""
    if probe not in TITLES:
        return child(probe, cache)
    with tempfile.TemporaryDirectory(prefix="svod-bench-") as folder:
        cold, warm = child(probe, Path(folder)), child(probe, Path(folder))
    out = {f"{TITLES[probe]}, {how}: {what}": s for how, f in (("cold", cold), ("second process", warm)) for what, s in f.items()}
    if len(warm) > 1:
        out |= {f"{TITLES[probe]}, {how}: all of it": sum(f.values()) for how, f in (("cold", cold), ("second process", warm))}
    return out


def run(probes: list[str], repeat: int, cache: Path, patience: float) -> dict[str, dict[str, float]]:
    """name -> median, least and greatest over the repetitions, which interleave the probes; one more goes before them, for byte code."""
    found: dict[str, list[float]] = {}
    for probe in probes:
        child(probe, cache)
    for _ in range(repeat):
        for probe in probes:
            machine.wait_until_idle(patience)
            for name, value in once(probe, cache).items():
                found.setdefault(name, []).append(value)
    return {n: {"median": statistics.median(v), "low": min(v), "high": max(v)} for n, v in found.items()}


def shown(name: str, value: float) -> str:
    """A figure with its unit."""
    if name.startswith("ratio"):
        return f"{value:.2f} ×"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def markdown(result: dict[str, Any]) -> str:
    """The figures as a page."""
    m = result["machine"]
    where = f"{m['cpu']} ({m['family']}), {m['cores']} cores, Python {m['python']}"
    lines = ["# What one pays besides the work", "", "Written by `python benchmarks/latency.py`; not to be edited.", "",
             f"{where}; {result['date']}. Medians over {result['repeat']} processes.", "",
             "| what | median | least | greatest |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {n} | {shown(n, f['median'])} | {shown(n, f['low'])} | {shown(n, f['high'])} |" for n, f in result["figures"].items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """The command line."""
    p = argparse.ArgumentParser(description="import, compilation, calls, construction, hand-off")
    p.add_argument("--probes", default=",".join(PROBES), help="which, separated by commas")
    p.add_argument("--repeat", type=int, default=5, help="processes for each probe")
    p.add_argument("--patience", type=float, default=1.0, help="seconds to wait at most for an idle machine before each")
    p.add_argument("--json", type=Path, help="where to write the result (and .md beside it); default for all probes: benchmarks/results/")
    p.add_argument("--probe", choices=list(PROBES), help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.probe:
        print(json.dumps(PROBES[o.probe]()))
        return 0
    probes = [q for q in o.probes.split(",") if "numba" not in q or importlib.util.find_spec("numba")]
    with tempfile.TemporaryDirectory(prefix="svod-bench-") as cache:
        figures = run(probes, o.repeat, Path(cache), o.patience)
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    result = {"machine": machine.facts(), "date": date, "repeat": o.repeat, "figures": figures}
    text = markdown(result)
    print(text)
    path = o.json or (RESULT if o.probes == ",".join(PROBES) else None)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        path.with_suffix(".md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
