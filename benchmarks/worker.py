"""One peer in one process: `python worker.py PEER THREADS`, commands as JSON lines on stdin, answers on stdout.

Owns: preparing a case, checking its result, timing it. Must not know other peers.
Invariant: a case is timed only after its result was found right. Between commands the process blocks in a read and uses no CPU.

A process for each peer: two OpenMP runtimes, two BLAS pools or two LLVMs in one process slow each other down; and a crash costs one peer.
"""
from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from cases import CASES, check
from contract import Run, aligned
from peers import PEERS
from timing import SLOW, samples, warm

INNER = 2000
"""Calls in compiled code for the time without Python."""


class Session:
    """The workload that is ready, if any."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.run: Run | None = None
        self.once = 0.0

    def prepare(self, name: str, scale: str, data: str) -> dict[str, Any]:
        """Builds a case from the arrays in the folder `data`, runs it once and checks the result."""
        self.drop()
        case = CASES[name]
        if case.kind not in self.module.kinds:
            return {"absent": f"no {case.kind}"}
        inputs = {p.stem[2:]: aligned(np.load(p)) for p in sorted(Path(data).glob("x_*.npy"))}
        began = time.perf_counter()
        run = self.module.kinds[case.kind](inputs, case.parameters(scale))
        run.call()
        first = time.perf_counter() - began
        if wrong := check(case, run.out(), np.load(Path(data) / "reference.npy", mmap_mode="r")):
            return {"wrong": wrong}
        self.run, self.once = run, warm(run.call)
        return {"first_call_s": first, "once": self.once, "note": run.note, "inner": run.inner is not None}

    def measure(self, seconds: float) -> dict[str, Any]:
        """Samples (seconds a call) for `seconds`, at least one; and the CPU seconds that this process used for them."""
        if self.run is None:
            return {"error": "nothing is prepared"}
        wall, cpu = time.perf_counter(), time.process_time()
        if self.once < SLOW:
            self.run.call()
        taken = samples(self.run.call, self.once, seconds)
        return {"samples": taken, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}

    def inner(self) -> dict[str, Any]:
        """The least seconds of one call inside compiled code."""
        if self.run is None or self.run.inner is None:
            return {"error": "it has no inner loop"}
        self.run.inner(INNER)
        best = float("inf")
        for _ in range(9):
            began = time.perf_counter()
            self.run.inner(INNER)
            best = min(best, (time.perf_counter() - began) / INNER)
        return {"inner_s": best}

    def drop(self) -> dict[str, Any]:
        """Forgets the workload."""
        self.run = None
        gc.collect()
        return {"dropped": True}


def answer(session: Session, command: dict[str, Any]) -> dict[str, Any]:
    """One command, one answer; whatever a peer raises is its answer."""
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "prepare": session.prepare, "measure": session.measure, "inner": session.inner, "drop": session.drop}
    try:
        return commands[command.pop("do")](**command)
    except Exception as e:  # noqa: BLE001 - a peer may raise anything; the harness reports it and goes on
        traceback.print_exc()
        session.drop()
        return {"error": f"{type(e).__name__}: {str(e)[:300]}"}


def say(out: TextIO, reply: dict[str, Any]) -> None:
    """Writes one line."""
    out.write(json.dumps(reply) + "\n")
    out.flush()


def main() -> None:
    """Starts the peer and serves until stdin ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    module = importlib.import_module(PEERS[sys.argv[1]].module)
    module.start(int(sys.argv[2]))
    say(out, {"version": module.version()})
    session = Session(module)
    for line in sys.stdin:
        say(out, answer(session, json.loads(line)))
    os._exit(0)  # worker threads of some runtimes do not end by themselves


if __name__ == "__main__":
    main()
