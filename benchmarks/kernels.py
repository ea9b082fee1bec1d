"""The kernels of examples/kernels beside NumPy, Numba and gcc: `python benchmarks/kernels.py [--peers a,b] [--rounds N] [name…]`.

Owns: the order of measurements, the processes, the lines printed. Must not know what a kernel computes.
Invariant: nothing is timed that was not checked against NumPy; rounds interleave the peers (A B C A B C), each in a process of its own.
"""
from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import machine
from contract import Run
from peers import PEERS
from process import ROOT
from timing import samples, warm

GALLERY = ROOT / "examples" / "kernels"
MODULES = {"svod": "", "numpy": "", "numba": "kernels_numba", "gcc": "kernels_gcc"}
"""Peer -> the module with its loops; svod and NumPy are in the files of the gallery themselves."""


# ---- the far end: one peer, one kernel --------------------------------------------------------------------------------------


def prepared(peer: str, bench: Any, name: str, threads: int) -> Run | None:
    """The kernel as this peer computes it; None if it has no such loop."""
    if not MODULES[peer]:
        return Run(bench.run, lambda: bench.out) if peer == "svod" else Run(bench.numpy, bench.numpy)
    module = importlib.import_module(MODULES[peer])
    if name not in module.kinds or not bench.inputs:
        return None
    module.start(threads)
    run: Run = module.kinds[name](bench.inputs, {})
    return run


def serve(peer: str, name: str, options: argparse.Namespace) -> None:
    """Says what is ready, then answers each line with the median seconds of a call in so many seconds."""
    sys.path[:0] = [str(ROOT), str(options.gallery)]
    gallery = importlib.import_module("gallery")
    bench = gallery.load(name).bench()
    run = prepared(peer, bench, name, options.threads)
    if run is None:
        print(json.dumps({"absent": True}), flush=True)
        return
    run.call()
    if peer != "numpy":
        try:
            gallery.agree(run.out(), bench.numpy(), name, bench.rtol, bench.atol, bench.differ)
        except AssertionError as error:
            print(json.dumps({"wrong": " ".join(str(error).split())[:200]}), flush=True)
            return
    once = warm(run.call)
    print(json.dumps({"once": once, "work": bench.work, "unit": bench.unit, "note": run.note}), flush=True)
    for line in sys.stdin:
        print(json.dumps(statistics.median(samples(run.call, once, float(line)))), flush=True)


# ---- the near end -----------------------------------------------------------------------------------------------------------


class Worker:
    """The process of one peer for one kernel. `state` is what it said first: ready ("once"), "absent", "wrong" or "error"."""

    def __init__(self, peer: str, name: str, options: argparse.Namespace) -> None:
        folder = Path(options.cache) / peer
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **PEERS[peer].environment(options.threads, str(folder)), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, __file__, "--serve", peer, "--threads", str(options.threads), "--gallery",
                   str(options.gallery), name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=environment)
        self.state = self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if line := self.process.stdout.readline():
            return json.loads(line)
        told = self.process.stderr.read().strip().splitlines()
        return {"error": told[-1][:200] if told else f"status {self.process.wait()}"}

    def measure(self, seconds: float) -> float:
        """Median seconds of a call."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        answer = self._answer()
        return answer if isinstance(answer, float) else float("nan")

    def close(self) -> None:
        """Ends the process."""
        try:
            self.process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def row(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """All peers on one kernel: peer -> median seconds and rate, or why there is none."""
    workers = {peer: Worker(peer, name, options) for peer in options.peers if not PEERS[peer].missing()}
    try:
        ready = {peer: w for peer, w in workers.items() if "once" in w.state}
        rounds = [{peer: w.measure(options.seconds) for peer, w in ready.items()} for _ in range(options.rounds)]
    finally:
        for worker in workers.values():
            worker.close()
    result: dict[str, Any] = {peer: w.state for peer, w in workers.items()}
    for peer, worker in ready.items():
        seconds = statistics.median(r[peer] for r in rounds)
        result[peer] = {"seconds": seconds, "rate": worker.state["work"] / seconds / 1e9, "unit": worker.state["unit"],
                        "note": worker.state["note"]}
    return result


def cell(got: Mapping[str, Any] | None) -> str:
    """What a peer's column says."""
    if got is None or "absent" in got:
        return "–"
    if "seconds" in got:
        return f"{got['seconds'] * 1e3:.2f} ms {got['rate']:.3g}"
    return next(k for k in ("wrong", "error") if k in got)


def line(name: str, result: Mapping[str, Any], peers: Sequence[str]) -> str:
    """A row as it is printed: each peer's milliseconds and rate, and how svod compares with the best of the others."""
    timed = {peer: got["seconds"] for peer, got in result.items() if "seconds" in got}
    others = [s for peer, s in timed.items() if peer != "svod"]
    ratio = f"{min(others) / timed['svod']:7.2f}" if others and "svod" in timed else "      –"
    unit = next((got["unit"] for got in result.values() if "unit" in got), "")
    trouble = "".join(f"\n    {peer}: {k} {got[k]}" for peer, got in result.items() for k in ("wrong", "error") if k in got)
    return f"{name:20}" + "".join(f"{cell(result.get(peer)):>20}" for peer in peers) + f"  {unit:8}{ratio}{trouble}"


def page(result: Mapping[str, Any], peers: Sequence[str]) -> str:
    """The figures as a page."""
    m = result["machine"]
    lines = ["# The kernels of the gallery", "",
             "Written by `python benchmarks/kernels.py --json benchmarks/results/kernels.json`; not to be edited.", "",
             f"{m['cpu']} ({m['family']}), {m['cores']} cores; {result['threads']} thread(s), medians of {result['rounds']} rounds, "
             f"{result['date']}. A cell is milliseconds of a call and its rate; `ratio` is the time of the best other one over svod's. "
             "NumPy's column is the reference of the check, written to be right; numba and gcc are the loops of `kernels_numba.py` and "
             "`kernels.c`, on all threads.", "",
             f"| kernel | {' | '.join(peers)} | unit | ratio |", "| --- |" + " ---: |" * len(peers) + " --- | ---: |"]
    for name, got in result["rows"].items():
        timed = {peer: r["seconds"] for peer, r in got.items() if "seconds" in r}
        others = [s for peer, s in timed.items() if peer != "svod"]
        ratio = f"{min(others) / timed['svod']:.2f}" if others and "svod" in timed else "–"
        unit = next((r["unit"] for r in got.values() if "unit" in r), "")
        lines.append(f"| {name} | {' | '.join(cell(got.get(peer)) for peer in peers)} | {unit} | {ratio} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; status 1 if a result was wrong or a process died."""
    p = argparse.ArgumentParser(description="the kernels of examples/kernels beside other ways to compute the same")
    p.add_argument("names", nargs="*", help="which kernels (default: all)")
    p.add_argument("--peers", default=",".join(MODULES), type=lambda text: text.split(","), help=f"which of {', '.join(MODULES)}")
    p.add_argument("--threads", type=int, default=machine.cores(), help="threads of every peer (default: the CPUs there are)")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=0.1, help="length of one measurement")
    p.add_argument("--json", type=Path, help="where to write the figures (and a page beside it)")
    p.add_argument("--cache", default=str(Path(tempfile.gettempdir()) / "svod-bench-cache"), help="what peers compiled, kept between runs")
    p.add_argument("--gallery", type=Path, default=GALLERY, help="the folder of the kernels")
    p.add_argument("--serve", choices=MODULES, help=argparse.SUPPRESS)
    options = p.parse_args(arguments)
    if unknown := set(options.peers) - MODULES.keys():
        p.error(f"no peer is called {', '.join(sorted(unknown))}")
    if options.serve:
        serve(options.serve, options.names[0], options)
        return 0
    sys.path[:0] = [str(options.gallery)]
    known = importlib.import_module("gallery").KERNELS
    if unknown := set(options.names) - known.keys():
        p.error(f"no kernel is called {', '.join(sorted(unknown))}")
    print(f"{'':20}" + "".join(f"{peer:>20}" for peer in options.peers) + "          best other / svod", flush=True)
    rows = {}
    for name in options.names or known:
        rows[name] = row(name, options)
        print(line(name, rows[name], options.peers), flush=True)
    if options.json:
        result = {"machine": machine.facts(), "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "threads": options.threads,
                  "rounds": options.rounds, "rows": rows}
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        options.json.with_suffix(".md").write_text(page(result, options.peers), encoding="utf-8")
    return int(any("wrong" in got or "error" in got for result in rows.values() for got in result.values()))


if __name__ == "__main__":
    sys.exit(main())
