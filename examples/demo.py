"""What `make demo` runs: one kernel from graph to machine code, kernels written as Python functions, a photograph, a neural network.

Everything printed is computed here and now; every result is checked against NumPy or scikit-learn before anything is said about it.
Pictures go to out/.

Run it: python examples/demo.py
"""
from __future__ import annotations

import inspect
import re
import sys
import time
from pathlib import Path

import digits_mlp
import image_filters
import numpy as np
from rich.console import Console
from timing import gigabytes, medians

import svod
from svod import Device, Program, SvodError, UOp, Variable, dtypes, override
from svod.config import CacheSettings

HERE = Path(__file__).parent
OUT = HERE.parent / "out"


def vector_add() -> UOp:
    """out[i] = a[i] + b[i] for every i below n."""
    n = Variable("n", 1, 1 << 24)
    out, a, b = (UOp.param(slot, dtypes.f32, name=name) for slot, name in enumerate(("out", "a", "b")))
    i = UOp.range(n, 0)
    return UOp.sink(out[i].store(a[i].load() + b[i].load()), name="vector_add")


def indented(text: str) -> str:
    """`text`, two spaces to the right, without tabs."""
    return "\n".join(f"  {line}" for line in text.expandtabs(8).rstrip().splitlines())


def hot_loop(asm: str) -> str:
    """The longest block of `asm` that jumps back to its own start: where the kernel spends its time. Empty if there is none."""
    blocks = re.findall(r"^(\S+):[^\n]*\n((?:\t[^\n]*\n)+)", asm, flags=re.MULTILINE)
    loops = [f"{label}:\n{body}" for label, body in blocks if body.rstrip().endswith(label)]
    return max(loops, key=len, default="")


def peek(program: Program) -> None:
    """The kernel's loop as LLVM IR and as machine code, a few lines of each."""
    source = [line.strip() for line in program.source.splitlines() if re.search(r"load <|fadd <|store <", line)][:4]
    print(indented("rendered LLVM IR, in its loop:"))
    print(indented(indented("\n".join([*source, "…"]))))
    print(indented("the loop as machine code:"))
    print(indented(indented(hot_loop(program.asm) or "…")))


def run(program: Program, sizes: tuple[int, ...] = (1, 1000, 1 << 22)) -> dict[str, float]:
    """Several sizes with one program, checked; then a race with NumPy at the last size. Returns median seconds."""
    rng = np.random.default_rng(0)
    for size in sizes:
        a, b = rng.random(size, np.float32), rng.random(size, np.float32)
        out = np.empty_like(a)
        program.execute([out, a, b], [size])
        np.testing.assert_array_equal(out, a + b)
    print(f"  n = {', '.join(map(str, sizes))}: the same program, equal to NumPy in every bit")
    other = np.empty_like(a)
    t = medians(21, svod=lambda: program.execute([out, a, b], [size]), numpy=lambda: np.add(a, b, out=other))
    for name in t:
        print(f"  {name:5} {t[name] * 1e3:6.2f} ms {gigabytes(3 * out.nbytes, t[name]):6.1f} GB/s")
    return t


def refuse(program: Program) -> str:
    """What a call with a short array gives: a message, and nothing written."""
    a = np.ones(1000, np.float32)
    out = np.zeros_like(a)
    try:
        program.execute([out, a, a[:10]], [1000])
    except SvodError as error:
        assert not out.any()
        print(indented(f"{type(error).__name__}: {error}"))
        return str(error)
    raise AssertionError("a short array was accepted")


def gallery(out: Path) -> None:
    """Three kernels of examples/kernels, checked against NumPy and measured beside it; the picture goes to `out`."""
    if str(HERE / "kernels") not in sys.path:
        sys.path.insert(0, str(HERE / "kernels"))
    from gallery import agree, load

    print(indented(inspect.getsource(load("vector_add").vector_add.function)))
    for name in ("vector_add", "matmul_tiled", "mandelbrot"):
        for device in ("CPU", "INTERP"):
            load(name).check(device)
        bench = load(name).bench()
        bench.run()
        agree(bench.out, bench.numpy(), name, bench.rtol, bench.atol, bench.differ)
        t = medians(3, svod=bench.run, numpy=bench.numpy)
        rates = "".join(f"{k} {s * 1e3:7.2f} ms {bench.work / s / 1e9:6.1f} {bench.unit:10}" for k, s in t.items())
        print(f"  {name:14}{rates}")
    print("  each agrees with NumPy on the CPU and on the interpreter, at sizes that do not divide")
    picture = load("mandelbrot").save(out)
    print(f"  saved: {picture.parent.name}/{picture.name}; there are more: python examples/kernels/run.py")


def main(out: Path = OUT) -> None:
    """The whole demonstration; pictures go to `out`."""
    console, began = Console(highlight=False), time.perf_counter()
    device = Device("CPU")
    console.rule(f"svod {svod.__version__} on {device.name}: {device.target.arch}, {device.target.cores} cores, "
                 f"{device.target.vector_bits}-bit vectors")
    print("vector add: the kernel is a graph")
    print(indented(str(vector_add())))
    started = time.perf_counter()
    with override(cache=CacheSettings(enabled=False)):
        program = device.compile(vector_add())
    print(f"from this graph to {program}: {(time.perf_counter() - started) * 1e3:.0f} ms, without the disk cache")
    peek(program)
    run(program)
    print("a wrong call is refused, in words:")
    refuse(program)
    console.rule("the kernel language: Python functions, one work item each")
    gallery(out)
    console.rule("a photograph: Gaussian blur and Sobel edges")
    image_filters.main(out)
    console.rule("handwritten digits: a network 64-32-10, trained by scikit-learn, run by svod")
    digits_mlp.main()
    console.rule(f"{time.perf_counter() - began:.1f} s in all")


if __name__ == "__main__":
    main()
