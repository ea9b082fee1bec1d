"""The support matrix: a cell says what was seen, what is only rendered, what is refused and why; results that fail are shown as such."""
from __future__ import annotations

import json
import re

import pytest

from svod.device.registry import BUILT_IN
from svod.testing.conformance import FEATURES, PARTS
from svod.tools.support import RESULTS, columns, support_parts

NAMES = [name for name in BUILT_IN if name != "NULL"]


def cells(parts: list[str], row: str) -> dict[str, str]:
    """The row called so, by device."""
    (line,) = re.findall(rf"^\| {re.escape(row)} \|(.*)\|$", "\n".join(parts), flags=re.MULTILINE)
    return dict(zip(NAMES, map(str.strip, line.split("|")), strict=True))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The page, if one device had run so and so and no other had run at all."""
    folder = tmp_path_factory.mktemp("results")
    count = {"passed": 7, "failed": 1, "skipped": 2}
    skipped = ["language", "elements of f8e5m2", "no bytes"]
    (folder / "OPENCL.json").write_text(json.dumps({
        "device": "OPENCL", "on": {"device": "a card"}, "counts": {"ops": count, "language": count},
        "failures": [["language", "printf", "?"], ["ops", "SQRT-f32", "?"]],
        "skips": [["language", "assert", "no assertions"], skipped, ["ops", "ADD-f64-f64", "no f64"]]}))
    return support_parts(folder)


def test_cells_of_a_device_that_ran(told: list[str]) -> None:
    want = {"run on": "a card", "passed": "14", "failed": "2", "refused by name": "4", "`f32`": "yes", "`bf16`": "emulated",
            "shared memory and barriers": "yes", "printf": "fails", "quotients and roots of floats": "fails", "mma of f32": "emulated"}
    assert {row: cells(told, row)["OPENCL"] for row in want} == want
    notes = dict(re.findall(r"^(\d+)\. (.*)$", told[-1], flags=re.MULTILINE))
    for row, pattern, why in (("assert", r"no \((\d+)\)", "no assertions"), ("`f8e5m2`", r"no \((\d+)\)", "no bytes"),
                              ("arithmetic", r"yes, 1 rows not \((\d+)\)", "no f64")):
        found = re.fullmatch(pattern, cells(told, row)["OPENCL"])
        assert found, cells(told, row)["OPENCL"]
        assert notes[found[1]] == why


def test_cells_of_devices_that_did_not_run(told: list[str]) -> None:
    assert cells(told, "run on")["METAL"] == "no results kept: not run on hardware"
    assert cells(told, "passed")["METAL"] == ""
    assert cells(told, "shared memory and barriers")["METAL"] == "renders"
    assert re.fullmatch(r"no \(\d+\)", cells(told, "`f64`")["METAL"])


def test_every_device_type_and_feature_has_its_place(told: list[str]) -> None:
    text = "\n".join(told)
    assert [c.name for c in columns()] == NAMES
    for f in FEATURES:
        assert f"| {f.what} |" in text or f"| `{f.what.removeprefix('elements of ')}` |" in text


def test_results_that_are_kept_are_of_devices_and_have_no_failure() -> None:
    kept = sorted(RESULTS.glob("*.json"))
    assert {"CPU", "CC", "INTERP"} <= {p.stem for p in kept} <= set(NAMES)
    for path in kept:
        result = json.loads(path.read_text(encoding="utf-8"))
        assert (result["device"], result["failures"]) == (path.stem, [])
        assert result["counts"].keys() <= PARTS.keys()
        assert result["counts"].keys() == PARTS.keys() or path.stem not in ("CPU", "CC", "INTERP")
