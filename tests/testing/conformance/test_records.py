"""Conformance as a library: what a device does wrong is found and named, what it lacks is a skip, every part can be asked for."""
from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from svod import Config, Device, UOp, override
from svod.config import settings
from svod.device.arguments import HostView
from svod.device.interp.probe import InterpRenderer, InterpRunner
from svod.device.launch import LaunchDims
from svod.device.program import Program
from svod.device.specs import CompiledSpec, ProgramSpec
from svod.dtype import dtypes
from svod.errors import ConfigError, DeviceUnavailable, LaunchError, UnsupportedError
from svod.ir.ops import Op
from svod.target import REFERENCE, Target
from svod.testing import Failure, Skip, conformance, run_conformance
from svod.testing.conformance import BAD, LAUNCHES, PARTS, Check, Passed, Report, check_ops, gallery_checks, table
from svod.testing.conformance.gallery import module
from svod.testing.conformance.op_table import Entry
from svod.testing.conformance.ops import PACK, packs
from svod.testing.conformance.printing import printed
from svod.testing.conformance.several import in_order
from svod.tools import cli


def refusing(ops: Sequence[Op], target: Target) -> Device:
    """The interpreter, with a renderer that refuses some ops."""
    class Refusing(InterpRenderer):
        def render(self, ast: UOp, name: str | None = None) -> ProgramSpec:
            for op in ops:
                if list(ast.find(op)):
                    raise UnsupportedError(f"no {op.name} here")
            return super().render(ast, name)

    made, inner = Refusing(), Device("INTERP").backend
    made.target = target
    return Device.of(replace(inner, name="REFUSING", target=target, pairs=((made, inner.pairs[0][1]),)))


@dataclass(frozen=True)
class Wrong:
    """Runs a kernel, and spoils what one op gave."""

    inner: InterpRunner
    spoil: Callable[[CompiledSpec], bool]

    def run(self, views: Sequence[HostView], values: Sequence[int | float], dims: LaunchDims) -> None:
        self.inner.run(views, values, dims)
        if self.spoil(self.inner.compiled):
            np.ctypeslib.as_array((np.ctypeslib.ctypes.c_uint8 * views[0].nbytes).from_address(views[0].address))[:] ^= 1

    def fast(self) -> None:
        return None

    def asm(self) -> str:
        return ""


def spoiling(spoil: Callable[[CompiledSpec], bool]) -> Device:
    """The interpreter, with wrong results of the first buffer of some kernels."""
    return Device.of(replace(Device("INTERP").backend, name="SPOILING", runtime=lambda compiled: Program(
        compiled, Wrong(InterpRunner.of(compiled), spoil), REFERENCE.limits)))


def rows(*ops: Op, kind: Any = dtypes.i16) -> list[Entry]:
    return [row for row in table() if row.op in ops and set(row.dtypes) == {kind}]


def test_rows_are_packed_by_their_operands_within_the_limit_of_buffers() -> None:
    for buffers in (3, 8, 1 << 16):
        made = list(packs(table(), buffers))
        assert sorted(str(row) for pack in made for row in pack) == sorted(map(str, table()))
        for pack in made:
            assert len({row.dtypes for row in pack}) == 1
            assert len(pack) <= PACK
            assert len(pack) == 1 or len(pack) + len(pack[0].dtypes) <= buffers
    assert len(list(packs(table(), 1 << 16))) < len(table()) / 5


def test_a_wrong_row_of_a_pack_is_named_and_no_other() -> None:
    device = spoiling(lambda compiled: compiled.ast is not None and bool(list(compiled.ast.find(Op.SUB))))
    found = list(check_ops(device, rows(Op.ADD, Op.SUB, Op.MUL)))
    failures = [r for r in found if isinstance(r, Failure)]
    assert [f.what for f in failures] == ["SUB-i16-i16"]
    assert "differ; SUB(-32768, -32768) is " in failures[0].detail
    assert "SPOILING gives" in failures[0].detail
    assert len(found) == 3


def test_rows_that_are_wrong_together_only_are_a_failure() -> None:
    device = spoiling(lambda compiled: len(compiled.meta.outs) > 1)
    (failure,) = (r for r in check_ops(device, rows(Op.ADD, Op.MUL)) if isinstance(r, Failure))
    assert failure.what == "ADD-i16-i16 and 1 others"


def test_what_a_target_says_it_has_may_not_be_refused() -> None:
    given = rows(Op.ADD, Op.SUB)
    (kept, refused) = sorted(check_ops(refusing([Op.SUB], REFERENCE), given), key=lambda r: r.what)
    assert kept == Passed("ops", "ADD-i16-i16")
    assert isinstance(refused, Failure)
    assert "the target says that it has this" in refused.detail
    narrow = replace(REFERENCE, arithmetic=REFERENCE.arithmetic - {dtypes.i16})
    assert list(check_ops(refusing([Op.SUB], narrow), given)) == [kept, Skip("ops", "SUB-i16-i16", "no SUB here")]


def test_a_check_is_passed_failed_or_skipped() -> None:
    def raising(error: Exception) -> Callable[[Device], None]:
        def body(device: Device) -> None:
            raise error
        return body

    device = Device("INTERP")
    assert Check("p", "good", lambda device: None).on(device) == Passed("p", "good")
    assert Check("p", "lacks", raising(UnsupportedError("no such thing", hint="x"))).on(device) == Skip("p", "lacks", "no such thing")
    assert Check("p", "large", raising(LaunchError("5 > 4", at="limit threads"))).on(device) == Skip("p", "large", "5 > 4")
    assert isinstance(Check("p", "odd", raising(LaunchError("5 > 4", at="kernel 'k'"))).on(device), Failure)
    assert Check("p", "bad", raising(ValueError("odd"))).on(device) == Failure("p", "bad", "ValueError: odd")
    assert Check("p", "wrong", raising(AssertionError("1 != 2"))).on(device) == Failure("p", "wrong", "AssertionError: 1 != 2")


def test_the_call_yields_failures_and_skips_and_the_report_counts() -> None:
    assert list(conformance("INTERP", parts=["launch", "bad"])) == []
    heard: list[object] = []
    report = run_conformance("INTERP", parts="launch", told=heard.append)
    assert heard == report.records
    assert (len(report.passed), report.failures, report.skips) == (len(LAUNCHES), [], [])
    assert report.counts() == {"launch": {"passed": len(LAUNCHES), "failed": 0, "skipped": 0}}
    assert set(report.seconds) == {"launch"}
    mixed = Report("D", [Passed("a", "x"), Failure("a", "y", "why"), Skip("b", "z", "what")])
    assert str(mixed).splitlines() == ["D: 1 passed, 1 failed, 1 skipped", "FAILED a: y: why", "skipped b: z: what"]
    assert list(PARTS) == ["ops", "loops", "language", "launch", "bad"]


def test_unknown_parts_and_devices_are_refused_before_anything_runs() -> None:
    for call in (conformance, run_conformance):
        with pytest.raises(ConfigError, match="no part called 'speed'\n  hint: one of ops, loops"):
            call("INTERP", parts=["launch", "speed"])
        with pytest.raises(DeviceUnavailable, match="GHOST"):
            call("GHOST")


def test_a_device_without_a_name_of_its_own_is_told_that_kernels_need_one() -> None:
    (skip,) = conformance(Device.of(replace(Device("INTERP").backend, name="NAMELESS")), parts=["language"])
    assert isinstance(skip, Skip)
    assert "no device can be opened as NAMELESS" in skip.missing


def test_a_broken_launch_is_found() -> None:
    """A device that checks nothing: each check of arguments that it drops is a failure."""
    class Careless(Program):
        def _checked(self, *args: Any) -> None:
            with contextlib.suppress(Exception):
                super()._checked(*args)

    device = Device.of(replace(Device("INTERP").backend, name="CARELESS",
                               runtime=lambda c: Careless(c, InterpRunner.of(c), REFERENCE.limits)))
    failed = {r.what for r in conformance(device, parts=["launch", "bad"]) if isinstance(r, Failure)}
    assert {"values that do not fit", "buffers that do not fit", "explicit sizes", "one array as two arguments", "buffers that were freed",
            "a buffer of another device", "reaching outside of a buffer"} <= failed
    assert len(failed) < len(LAUNCHES) + len(BAD)


def test_bodies_at_once_keep_their_order_and_the_settings_of_the_caller() -> None:
    with override(config=Config(threads=1, opt_level=1)):
        seen = list(in_order((lambda k=k: (k, settings().config.opt_level) for k in range(50)), 4))  # type: ignore[misc]
    assert seen == [(k, 1) for k in range(50)]


def test_the_gallery_is_imported_without_a_trace() -> None:
    import sys
    before, path = set(sys.modules), list(sys.path)
    assert callable(module("saxpy").check)
    assert sys.path == path
    assert not {"saxpy", "gallery", "scan"} & (set(sys.modules) - before)
    assert {"saxpy", "matmul_tiled"} <= {str(c) for c in gallery_checks()}


def test_what_is_printed_is_caught_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    import os

    def act() -> None:
        os.write(1, b"past Python\n")
        print("through Python")

    print("before")
    assert sorted(printed(act).splitlines()) == ["past Python", "through Python"]
    print("after")
    assert capfd.readouterr().out.splitlines() == ["before", "after"]


def test_the_command_prints_a_table_or_json_and_fails_with_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner().invoke
    done = run(cli.app, ["conformance", "INTERP", "--part", "launch"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].split()[:4] == ["launch", str(len(LAUNCHES)), "0", "0"]
    data = json.loads(run(cli.app, ["conformance", "INTERP", "--part", "bad", "--json"]).stdout)
    assert (data["device"], data["counts"]["bad"]["passed"], data["failures"]) == ("INTERP", len(BAD), [])
    report = Report("INTERP", [Failure("ops", "ADD-i8-i8", "wrong"), Skip("ops", "SUB-f64-f64", "f64")], {"ops": 1.0})

    def told(*args: Any, told: Callable[[object], object] | None = None, **more: Any) -> Report:
        for record in report.records if told else ():
            told(record)
        return report

    monkeypatch.setattr("svod.tools.device_commands.run_conformance", told)
    done = run(cli.app, ["conformance", "INTERP"])
    assert done.exit_code == 1
    assert done.stdout.splitlines()[:2] == ["FAILED  ops: ADD-i8-i8: wrong", "skipped ops: SUB-f64-f64: f64"]
    assert run(cli.app, ["conformance", "INTERP", "--part", "speed"]).exit_code == 1


def test_an_installed_svod_brings_the_gallery() -> None:
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    assert '"examples/kernels" = "svod/testing/gallery"' in project
