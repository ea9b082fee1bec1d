"""svod against its peers: `python benchmarks/run.py [--cases GLOB] [--peers a,b] [--threads N] [--rounds N] [--json FILE]`.

Owns: the order of measurements and the record of a run. Must not know what a case computes or how a peer does it.
Invariant: rounds interleave the peers (A B C A B C), so that drift and other load fall on all alike; nothing is timed that was not checked.
"""
from __future__ import annotations

import argparse
import fnmatch
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import machine
import numpy as np
import plot
import report
from cases import CASES, Case
from peers import PEERS
from process import ROOT, Worker
from rich.console import Console
from roofline import Floors
from timing import SLOW

RESULTS = Path(__file__).parent / "results"
SCHEMA = 1
FOREIGN = 0.10
"""Share of the CPUs that other processes may take in a measurement; above, it is repeated."""
TRIES = 3


@dataclass
class Bench:
    """A run under way: its options and the workers that live."""

    options: argparse.Namespace
    log: IO[str]
    workers: dict[str, Worker] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def start(self, peer: str) -> bool:
        """Starts (again) the worker of a peer; False, with the reason noted, if it cannot run."""
        if peer not in PEERS:
            self.missing[peer] = f"no peer is called so; there are {', '.join(PEERS)}"
            return False
        if why := PEERS[peer].missing():
            self.missing[peer] = why
            return False
        worker = Worker(peer, self.options.threads, Path(self.options.cache), self.log)
        if not worker.version:
            self.missing[peer] = worker.trouble
            worker.close()
            return False
        self.workers[peer], self.versions[peer] = worker, worker.version
        return True

    def row(self, case: Case) -> dict[str, Any]:
        """All peers on one case."""
        scale = self.options.scale
        with tempfile.TemporaryDirectory(prefix="svod-bench-", dir=self.options.data) as data:
            save(case, scale, Path(data))
            peers = {name: self.prepare(name, case, data) for name in self.workers}
        rounds: dict[str, list[dict[str, Any]]] = {n: [] for n, p in peers.items() if "once" in p}
        for turn in range(self.options.rounds):
            for name in list(rounds):
                if peers[name]["once"] > SLOW and turn >= 2:
                    continue  # too slow to matter: two rounds are enough
                got = self.measure(name)
                if "samples" in got:
                    rounds[name].append(got)
                else:
                    peers[name] = got
                    del rounds[name]
        for name, measured in rounds.items():
            peers[name] = record(case, scale, peers[name], measured)
            if peers[name].pop("inner"):
                peers[name] |= {k: v for k, v in self.workers[name].ask("inner").items() if k == "inner_s"}
        for worker in self.workers.values():
            worker.ask("drop")
        row = {"name": case.name, "kind": case.kind, "dtype": case.dtype, "metric": case.shown, "sizes": dict(case.sizes(scale)),
               "flops": case.flops(scale), "bytes": case.bytes(scale), "peers": peers}
        report.compare(row)
        return row

    def prepare(self, name: str, case: Case, data: str) -> dict[str, Any]:
        """Builds and checks the case in a worker, which is started again if an earlier case killed it."""
        if not self.workers[name].alive and not self.start(name):
            return {"error": self.missing[name]}
        return self.workers[name].ask("prepare", name=case.name, scale=self.options.scale, data=data)

    def measure(self, name: str) -> dict[str, Any]:
        """One round of one peer: the least disturbed of at most TRIES measurements."""
        best: dict[str, Any] = {}
        for _ in range(TRIES if self.options.patience else 1):
            machine.wait_until_idle(self.options.patience)
            before = machine.busy_seconds()
            got = self.workers[name].ask("measure", seconds=self.options.seconds)
            if "samples" not in got:
                return got
            others = machine.busy_seconds() - before - got["cpu"] - 2 / machine.TICKS  # ticks are coarse: two of them are no load
            got["foreign"] = max(0.0, others) / (got["wall"] * machine.cores())
            if not best or got["foreign"] < best["foreign"]:
                best = got
            if got["foreign"] <= FOREIGN:
                break
        return best

    def close(self) -> None:
        """Ends all workers."""
        for worker in self.workers.values():
            worker.close()


def save(case: Case, scale: str, data: Path) -> None:
    """The arrays of a case and its reference, for the workers."""
    inputs = case.inputs(scale)
    for name, array in inputs.items():
        np.save(data / f"x_{name}.npy", array)
    np.save(data / "reference.npy", case.workload.reference(inputs))


def record(case: Case, scale: str, prepared: dict[str, Any], rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Median of the rounds' medians, and what is needed to doubt it."""
    medians = [statistics.median(r["samples"]) for r in rounds]
    seconds = statistics.median(medians)
    return {
        "seconds": seconds, "value": case.value(seconds, scale), "low": min(medians), "high": max(medians),
        "best": min(min(r["samples"]) for r in rounds), "samples": sum(len(r["samples"]) for r in rounds),
        "foreign": round(max(r["foreign"] for r in rounds), 3), "first_call_s": prepared["first_call_s"], "note": prepared["note"],
        "inner": prepared["inner"],
    }


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description="svod against its peers, interleaved, each in its own process")
    p.add_argument("--cases", default="*", help="which rows: patterns, separated by commas (gemm_*,softmax_4096)")
    p.add_argument("--peers", default=",".join(PEERS), help="which peers, separated by commas; default: all that are installed")
    p.add_argument("--threads", type=int, default=machine.cores(), help="threads of every peer (default: the CPUs there are)")
    p.add_argument("--rounds", type=int, default=5, help="rounds of each row")
    p.add_argument("--seconds", type=float, default=0.08, help="length of one measurement")
    p.add_argument("--scale", choices=("full", "small"), default="full", help="small: tiny sizes, to see whether everything works")
    p.add_argument("--patience", type=float, default=1.0, help="seconds to wait at most for an idle machine before a measurement; 0: never")
    p.add_argument("--json", type=Path, help="where to write the result (and .md beside it); default for a whole run: benchmarks/results/")
    p.add_argument("--cache", default=str(Path(tempfile.gettempdir()) / "svod-bench-cache"), help="what peers compiled, kept between runs")
    p.add_argument("--data", default=None, help="folder for the arrays of a row (default: the system's for temporary files)")
    return p.parse_args(arguments)


def destination(o: argparse.Namespace) -> Path | None:
    """Where the result goes. A run of a part is kept only where --json says so."""
    whole = o.scale == "full" and o.cases == "*" and o.peers == ",".join(PEERS)
    return o.json or (RESULTS / f"threads-{o.threads}.json" if whole else None)


def run(o: argparse.Namespace, console: Console) -> dict[str, Any]:
    """The whole run, as what is written to the JSON file."""
    chosen = [c for c in CASES.values() if any(fnmatch.fnmatch(c.name, pattern) for pattern in o.cases.split(","))]
    Path(o.cache).mkdir(parents=True, exist_ok=True)
    floors = Floors.load(o.threads) if o.scale == "full" else None
    with (Path(o.cache) / "workers.log").open("a") as log:
        bench = Bench(o, log)
        try:
            for peer in o.peers.split(","):
                bench.start(peer)
            rows = []
            for case in chosen:
                rows.append(bench.row(case))
                rows[-1] |= floors.of(case) if floors else {}
                console.print(f"{case.name:20} " + "  ".join(f"{n} {report.cell(rows[-1], n)}" for n in bench.versions)
                              + f"  {case.shown}  ratio {report.ratio_text(rows[-1])}", highlight=False, markup=False)
        finally:
            bench.close()
    result = {"schema": SCHEMA, "machine": machine.facts(), "versions": bench.versions, "missing": bench.missing, "threads": o.threads,
              "rounds": o.rounds, "seconds": o.seconds, "scale": o.scale, "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
              "command": command(o), "rows": rows}
    return {**result, "geometric_mean": report.geometric_mean(rows)}


def command(o: argparse.Namespace) -> str:
    """The command that does it again."""
    return f"python benchmarks/run.py --cases '{o.cases}' --peers {o.peers} --threads {o.threads} --rounds {o.rounds} --scale {o.scale}"


def write(result: dict[str, Any], path: Path) -> None:
    """The record, a page, and (with matplotlib) a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(report.markdown(result), encoding="utf-8")
    if importlib.util.find_spec("matplotlib"):
        plot.draw(result, path.with_suffix(".svg"))


def main() -> int:
    """Exit status 1 if a peer's result was wrong or its process died, 2 if there was nothing to run."""
    sys.path.insert(1, str(ROOT))  # the svod that is measured is the one beside this folder, as in the workers
    o = options()
    console = Console(width=None if sys.stdout.isatty() else 180)
    result = run(o, console)
    if not result["rows"]:
        console.print(f"no case matches {o.cases!r}", markup=False)
        return 2
    report.show(result, console)
    if (path := destination(o)) is not None:
        write(result, path)
        console.print(f"written: {path}, and pages beside it", markup=False, highlight=False)
    return 1 if any("wrong" in p or "error" in p for r in result["rows"] for p in r["peers"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
