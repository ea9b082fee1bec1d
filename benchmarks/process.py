"""The near end of a worker: starts the process of a peer, asks, waits, survives its death.

Owns: the pipes and the time limits. Must not know what is measured. Invariant: a dead or stuck worker is an answer, never an exception.
"""
from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from machine import cores
from peers import PEERS

HERE = Path(__file__).parent
ROOT = HERE.parent


class Worker:
    """The process of one peer. `version` is empty, and `trouble` says why, if it did not start."""

    def __init__(self, peer: str, threads: int, cache: Path, log: IO[str]) -> None:
        folder = cache / peer
        folder.mkdir(parents=True, exist_ok=True)
        given = PEERS[peer].environment(threads, str(folder))
        path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
        self.peer = peer
        self.process = subprocess.Popen(
            [*_pinned(threads), sys.executable, str(HERE / "worker.py"), peer, str(threads)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log, text=True, cwd=HERE, env={**os.environ, **given, "PYTHONPATH": path})
        hello = self._answer(120.0)
        self.version, self.trouble = str(hello.get("version", "")), str(hello.get("error", ""))

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.process.poll() is None

    def ask(self, do: str, limit: float = 300.0, **arguments: Any) -> dict[str, Any]:
        """One command, and its answer within `limit` seconds."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except OSError as e:
            return {"error": f"the process is gone: {e}"}
        return self._answer(limit)

    def _answer(self, limit: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], limit)[0]:
            self.process.kill()
            return {"error": f"no answer in {limit:g} s"}
        line = self.process.stdout.readline()
        if not line:
            return {"error": f"the process ended with status {self.process.wait()}"}
        reply: dict[str, Any] = json.loads(line)
        return reply

    def close(self) -> None:
        """Ends the process."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _pinned(threads: int) -> list[str]:
    """Fewer threads than CPUs: fewer CPUs too, so that no runtime can use more than it was given."""
    if threads >= cores() or not shutil.which("taskset") or not hasattr(os, "sched_getaffinity"):
        return []
    return ["taskset", "-c", ",".join(str(c) for c in sorted(os.sched_getaffinity(0))[-threads:])]
