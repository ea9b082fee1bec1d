"""The benchmark at tiny sizes: every row is right, wrong results are not timed, and the record has the shape its readers expect.

No time is asserted. Everything runs as a user runs it, in processes of its own; only the pieces that judge and compare are called directly.
"""
from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
BENCHMARKS = ROOT / "benchmarks"
MODULES = ("contract", "references", "cases", "peers", "report", "roofline", "machine", "timing", "latency")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`module(name)`: a module of benchmarks/, which is no package; none stays imported."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


def bench(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python benchmarks/SCRIPT …`."""
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def small(tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """A run at small sizes, and its record."""
    out = tmp_path / "result.json"
    fast = ("--scale", "small", "--rounds", "2", "--seconds", "0.002", "--patience", "0", "--cache", str(tmp_path / "cache"))
    done = bench("run.py", *fast, "--json", str(out), *arguments)
    return done, json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}


@pytest.mark.devices("CPU")
def test_every_row_is_right_and_recorded(tmp_path: Path, module: Any) -> None:
    done, result = small(tmp_path, "--peers", "svod,numpy", "--threads", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["schema"] == 1
    assert result["threads"] == 1
    assert result["missing"] == {}
    assert list(result["versions"]) == ["svod", "numpy"]
    assert {"cpu", "family", "cores", "python"} <= result["machine"].keys()
    assert [r["name"] for r in result["rows"]] == list(module("cases").CASES)
    for row in result["rows"]:
        assert row["best_peer"] == "numpy"
        assert row["bytes"] > 0
        for peer in ("svod", "numpy"):
            figures = row["peers"][peer]
            assert 0 < figures["best"] <= figures["low"] <= figures["seconds"] <= figures["high"]
            assert figures["samples"] >= 2
        assert row["ratio"] == pytest.approx(row["peers"]["numpy"]["seconds"] / row["peers"]["svod"]["seconds"])
    logs = [math.log(r["ratio"]) for r in result["rows"]]
    assert result["geometric_mean"] == pytest.approx(math.exp(sum(logs) / len(logs)))
    page = (tmp_path / "result.md").read_text(encoding="utf-8")
    assert all(f"| {r['name']} |" in page for r in result["rows"])


def test_a_peer_that_is_not_there_is_named_and_stops_nothing(tmp_path: Path) -> None:
    done, result = small(tmp_path, "--peers", "numpy,nonesuch", "--cases", "add_100")
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["missing"].keys() == {"nonesuch"}
    assert "seconds" in result["rows"][0]["peers"]["numpy"]
    assert result["rows"][0]["ratio"] is None


def test_a_pattern_that_matches_nothing_says_so(tmp_path: Path) -> None:
    done, result = small(tmp_path, "--peers", "numpy", "--cases", "nonesuch*")
    assert (done.returncode, result) == (2, {})
    assert "no case matches 'nonesuch*'" in done.stdout


@pytest.mark.devices("CPU")
def test_the_latency_probes_give_figures(tmp_path: Path) -> None:
    out = tmp_path / "latency.json"
    done = bench("latency.py", "--probes", "import,compile-vector_add", "--repeat", "1", "--patience", "0", "--json", str(out))
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert {"import svod", "vector_add, cold: graph and compile", "vector_add, second process: all of it"} <= figures.keys()
    assert all(0 < f["low"] <= f["median"] <= f["high"] for f in figures.values())


@pytest.mark.parametrize(("spoil", "complaint"), [
    (lambda a: a, ""),
    (lambda a: a[:-1], "shape"),
    (lambda a: a + (np.arange(a.size) == 7), "element 7"),
    (lambda a: np.where(np.arange(a.size) == 5, np.nan, a), "element 5"),
], ids=["right", "short", "off", "nan"])
def test_a_result_is_compared_element_by_element(module: Any, spoil: Any, complaint: str) -> None:
    cases = module("cases")
    case = cases.CASES["add_100"]
    reference = case.workload.reference(case.inputs("small"))
    found = cases.check(case, spoil(reference), reference)
    assert found.startswith(complaint)
    assert bool(found) == bool(complaint)


def test_inputs_are_the_same_every_time(module: Any) -> None:
    for case in module("cases").CASES.values():
        one, two = case.inputs("small"), case.inputs("small")
        assert one.keys() == two.keys()
        assert all(np.array_equal(one[k], two[k]) and one[k].dtype == two[k].dtype for k in one)


def test_a_worker_does_not_time_a_wrong_result(module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    worker, contract, case = module("worker"), module("contract"), module("cases").CASES["add_100"]
    monkeypatch.setitem(sys.modules, "worker", worker)
    inputs = case.inputs("small")
    for name, array in inputs.items():
        np.save(tmp_path / f"x_{name}.npy", array)
    np.save(tmp_path / "reference.npy", case.workload.reference(inputs))

    class Broken:
        """A peer that forgets the addition, and has nothing else."""

        kinds = contract.Kinds(add=lambda x, p: contract.Run(lambda: None, lambda: x["a"]))

    session = worker.Session(Broken)
    assert "wrong" in session.prepare("add_100", "small", str(tmp_path))
    assert session.measure(0.001) == {"error": "nothing is prepared"}
    assert session.prepare("exp_4M", "small", str(tmp_path)) == {"absent": "no exp"}
    assert worker.answer(session, {"do": "prepare", "name": "add_100", "scale": "small", "data": str(tmp_path / "none")})["error"]


def test_ratios_and_ties(module: Any) -> None:
    report = module("report")

    def peer(seconds: float) -> dict[str, float]:
        return {"seconds": seconds, "low": seconds * 0.9, "high": seconds * 1.1}

    row = {"peers": {"svod": peer(2.0), "a": peer(1.0), "b": peer(3.0), "c": {"wrong": "element 0"}}}
    report.compare(row)
    assert (row["best_peer"], row["ratio"], row["tie"]) == ("a", 0.5, False)
    near = {"peers": {"svod": peer(1.0), "a": peer(1.05)}}
    report.compare(near)
    assert near["tie"]
    alone = {"peers": {"svod": peer(1.0)}}
    report.compare(alone)
    assert (alone["ratio"], alone["best_peer"]) == (None, None)
    assert report.geometric_mean([row, {"ratio": 2.0}, alone]) == pytest.approx(1.0)
    assert report.geometric_mean([alone]) is None


def test_floors_are_read_between_footprints_and_only_for_this_machine(module: Any, tmp_path: Path) -> None:
    roofline, machine, cases = module("roofline"), module("machine"), module("cases").CASES
    curve = {"1024": 100.0, "1048576": 25.0}
    figures = {"read": curve, "copy": curve, "add_stream": {"1024": 50.0, "1048576": 50.0}, "fma_f32": 200.0, "fma_f64": 100.0}
    path = tmp_path / "roofline.json"
    path.write_text(json.dumps({"machine": machine.facts(), "threads": {"2": figures}}))
    floors = roofline.Floors.load(2, path)
    assert roofline.at(floors.reading, 32768) == pytest.approx(50.0)
    assert roofline.at(floors.writing, 1 << 30) == 50.0
    product, add = floors.of(cases["gemm_1024"]), floors.of(cases["add_16M"])
    assert product == {"floor_s": pytest.approx(2 * 1024**3 / 200e9), "floor_by": "FMA"}
    assert add == {"floor_s": pytest.approx(12 * 2**24 / 50e9), "floor_by": "memory"}
    assert floors.of(cases["add_100"])["floor_s"] is None
    assert roofline.Floors.load(3, path) is None
    path.write_text(json.dumps({"machine": machine.facts() | {"cpu": "another"}, "threads": {"2": figures}}))
    assert roofline.Floors.load(2, path) is None
