"""Kernels on a device with work items against torch, CuPy and Triton: `python benchmarks/gpu.py [--device CUDA] [--small] [--cases a,b]`.

Owns: the rounds and the table. Each launcher does a case n times and waits once; n is such that a sample lasts some milliseconds.
Must not know how a peer does a case. Invariant: a time is shown only of a result that was compared with the reference.
"""
from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gpu_cases import Case, cases
from gpu_peers import PEERS, Launcher

import svod

SAMPLE = 5e-3
"""Seconds a sample lasts, about."""


def mine(case: Case, device: Any) -> tuple[Launcher, float]:
    """The launcher of svod, its result checked, and the seconds of the compilation."""
    began = time.perf_counter()
    program = device.compile(case.ast)
    compiled = time.perf_counter() - began
    buffers = [svod.Buffer(device, case.want.size, case.dtype)]
    buffers += [svod.Buffer(device, x.size, case.dtype).copyin(x.reshape(-1)) for x in case.inputs]
    program.execute(buffers)
    got = buffers[0].numpy().astype(np.float32)
    scale = float(np.abs(case.want.astype(np.float32)).max()) or 1.0
    np.testing.assert_allclose(got, case.want.reshape(-1).astype(np.float32), rtol=case.rtol, atol=case.rtol * scale, err_msg=case.name)
    queued = _queues(program, buffers)

    def launch(n: int) -> None:
        for _ in range(n - 1):
            program.execute(buffers, wait=not queued)
        program.execute(buffers)
    return launch, compiled


def _queues(program: Any, buffers: list[Any]) -> bool:
    """Whether launches can be left to go on."""
    try:
        program.execute(buffers, wait=False)
    except svod.SvodError:
        return False
    program.execute(buffers)
    return True


def measured(launchers: Mapping[str, Launcher], rounds: int) -> dict[str, float]:
    """Median seconds of a launch, the rounds going A B C A B C."""
    times: dict[str, list[float]] = {name: [] for name in launchers}
    counts = {}
    for name, launch in launchers.items():
        launch(2)
        began = time.perf_counter()
        launch(3)
        counts[name] = max(1, min(1000, int(SAMPLE / max(1e-9, (time.perf_counter() - began) / 3))))
    for _ in range(rounds):
        for name, launch in launchers.items():
            began = time.perf_counter()
            launch(counts[name])
            times[name].append((time.perf_counter() - began) / counts[name])
    return {name: statistics.median(t) for name, t in times.items()}


def single(launch: Launcher, rounds: int) -> float:
    """Median seconds of a launch that is waited for."""
    times = []
    for _ in range(max(20, rounds)):
        began = time.perf_counter()
        launch(1)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="CUDA", help="OPENCL, CUDA, WEBGPU, …")
    parser.add_argument("--small", action="store_true", help="sizes for a CPU")
    parser.add_argument("--cases", default="", help="names, with commas between them")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="where the figures go")
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    args = _arguments()
    device = svod.Device(args.device)
    table, found = cases(large=not args.small), {}
    print(f"{args.device}: {device.target.name} {device.target.arch}, svod {svod.__version__}")
    for name in args.cases.split(",") if args.cases else table:
        case = table[name]()
        launch, compiled = mine(case, device)
        launchers = {"svod": launch, **{k: p for k, make in PEERS.items() if (p := make(case)) is not None}}
        if name == "latency":
            seconds = {k: single(p, args.rounds) for k, p in launchers.items()}
        else:
            seconds = measured(launchers, args.rounds)
        found[name] = {"compile": compiled, **seconds}
        own = seconds["svod"]
        ratios = "  ".join(f"{k} {s * 1e6:.1f} us (x{s / own:.2f})" for k, s in seconds.items() if k != "svod")
        rate = "" if name == "latency" else case.rate(own)
        print(f"{name:12} {own * 1e6:10.1f} us {rate:>18}  compiled in {compiled * 1e3:5.0f} ms  {ratios}", flush=True)
    if args.json:
        args.json.write_text(json.dumps({"device": device.target.arch, "seconds": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
