"""CONTRIBUTING.md, tested: each mistake it warns of is made here, and the error that follows is quoted there."""
from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import svod.ir.rules
from svod import Op, UOp, dtypes
from svod.codegen.decompose import require_supported
from svod.codegen.pipeline import PIPELINE
from svod.config import Config
from svod.errors import ConfigError, GraphError, RuleError, SvodError, UnsupportedError
from svod.ir.clause import Clause, clause, verify
from svod.ir.pattern import Rule, RuleSet, int_, rule
from svod.ir.rewrite import rewrite
from svod.ir.rules import ALL_RULE_SETS
from svod.ir.spec import KERNEL, LINEAR
from svod.target import REFERENCE, Target
from svod.testing.kernels import CASES, Case, case

ROOT = Path(__file__).parent.parent
PROSE = re.sub(r"```.*?```", "", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.DOTALL)
QUOTES = re.findall(r"`([^`]+)`", " ".join(PROSE.split()))
X = UOp.variable("x", 0, 100)


def assert_quoted(error: BaseException | str) -> None:
    """CONTRIBUTING.md quotes the beginning of the message of `error`, with its class where it has one."""
    if isinstance(error, SvodError):
        said = f"{type(error).__name__}: {error.what}"
    else:
        said = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    wanted = [q for q in QUOTES if len(q) > 20 and (said.startswith(q) or ("…" in q and _fits(q, said)))]
    assert wanted, f"CONTRIBUTING.md does not say\n  {said}"


def _fits(quote: str, said: str) -> bool:
    """True if `said` is `quote` with something for each "…", up to the end of the quote."""
    return re.match(".*".join(map(re.escape, quote.split("…"))), said, flags=re.DOTALL) is not None


# --- a rule ------------------------------------------------------------------------------------------------------------------------

def test_a_rule_whose_parameters_are_not_what_its_pattern_binds() -> None:
    with pytest.raises(RuleError) as caught:
        @rule(int_("x") + int_("x"))
        def halve(x: UOp, y: UOp) -> UOp | None:
            """Wrong."""
    assert_quoted(caught.value)


def test_a_rule_without_a_docstring() -> None:
    with pytest.raises(RuleError) as caught:
        @rule(int_("x") + int_("x"))
        def halve(x: UOp) -> UOp | None:
            return None
    assert_quoted(caught.value)


def test_a_rule_that_returns_its_input_and_one_that_changes_the_dtype() -> None:
    @rule(int_("x") + int_("x"))
    def halve(x: UOp) -> UOp | None:
        """Makes no progress."""
        return x + x
    with pytest.raises(RuleError) as caught:
        rewrite(X + X, RuleSet("TEST", (halve,)))
    assert_quoted(caught.value)

    k = UOp.scalar("k", dtypes.i32)
    wrong = rule(int_("x") + int_("x"))(_cast_to_float)
    with pytest.raises(RuleError) as caught:
        rewrite(k + k, RuleSet("TEST", (replace(wrong, name="halve"),)))
    assert_quoted(caught.value)


def _cast_to_float(x: UOp) -> UOp | None:
    """Changes the dtype."""
    return x.cast(dtypes.f32)


def test_rules_that_undo_one_another() -> None:
    @rule(int_("x") + int_("x"))
    def halve(x: UOp) -> UOp | None:
        """x + x == x * 2."""
        return x * 2

    @rule(int_("x") * 2)
    def double(x: UOp) -> UOp | None:
        """x * 2 == x + x."""
        return x + x
    with pytest.raises(RuleError, match=r"did not terminate; last rules: .*halve, double"):
        rewrite(X + X, RuleSet("TEST", (halve, double)))
    assert "did not terminate; last rules: halve, double" in QUOTES


def unlisted() -> list[str]:
    """Rules that the modules of svod.ir.rules define and no rule set names."""
    found = {name: value for m in pkgutil.iter_modules(svod.ir.rules.__path__)
             for name, value in vars(importlib.import_module(f"svod.ir.rules.{m.name}")).items() if isinstance(value, Rule)}
    listed = {id(r) for rules in ALL_RULE_SETS for r in rules.rules}
    return sorted(name for name, value in found.items() if id(value) not in listed)


def test_every_rule_is_in_a_rule_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not unlisted(), f"rules in no rule set: {', '.join(unlisted())}"
    monkeypatch.setattr(svod.ir.rules.algebra, "halve", rule(int_("x") + int_("x"))(_cast_to_float), raising=False)
    assert unlisted() == ["halve"]
    assert_quoted("rules in no rule set: halve")


def test_every_rule_has_an_example() -> None:
    missing = [r.name for rules in ALL_RULE_SETS for r in rules.rules if r.example is None]
    assert not missing, f"{', '.join(missing)} has no example"
    assert "halve has no example" in QUOTES


# --- an op -------------------------------------------------------------------------------------------------------------------------

def test_an_op_without_a_row_or_a_meaning(tmp_path: Path) -> None:
    source = (ROOT / "svod/ir/ops.py").read_text(encoding="utf-8").replace("    RSQRT = auto()", "    LGAMMA = auto()\n    RSQRT = auto()")
    assert "LGAMMA" in source
    assert_quoted(import_error(tmp_path, source, "import svod.ir.ops"))
    with_row = source.replace("    Op.RSQRT: _unary", '    Op.LGAMMA: _unary("Log of gamma."),\n    Op.RSQRT: _unary')
    use = ("from svod.dtype import dtypes; from svod.ir.ops import Op; from svod.ir.semantics import meaning\n"
           "meaning(Op.LGAMMA, dtypes.f32, dtypes.f32)")
    assert_quoted(import_error(tmp_path, with_row, use))


def import_error(folder: Path, ops: str, code: str) -> str:
    """What running `code` ends with when `ops` stands in place of svod/ir/ops.py."""
    changed = folder / "ops.py"
    changed.write_text(ops, encoding="utf-8")
    load = ("import importlib.util, sys\nimport svod.ir.args\n"
            f"spec = importlib.util.spec_from_file_location('svod.ir.ops', {str(changed)!r})\n"
            "sys.modules['svod.ir.ops'] = module = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(module)\n")
    return last_error(load + code)


def last_error(code: str, folder: Path = ROOT) -> str:
    """The error that `code` ends with in a process of its own, where modules of `folder` can be imported; its class without a module."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1, "no error"
    line = next(line for line in reversed(done.stderr.splitlines()) if re.match(r"[\w.]+(Error|Unavailable): ", line))
    return line.removeprefix("svod.errors.")


def test_an_op_that_a_target_lacks() -> None:
    a = UOp.scalar("a", dtypes.f32)
    toy = replace(REFERENCE, name="toy", native=REFERENCE.native - {Op.ERF})
    with pytest.raises(UnsupportedError) as caught:
        require_supported(UOp(Op.ERF, (a,)), toy)
    assert_quoted(caught.value)


def test_an_op_that_no_spec_knows() -> None:
    with pytest.raises(GraphError) as caught:
        verify(UOp(Op.SOURCE, (), "text"), KERNEL)
    assert_quoted(caught.value)


# --- a stage -----------------------------------------------------------------------------------------------------------------------

def test_stages_have_unique_names_in_kebab_case_and_a_reason() -> None:
    names = [s.name for s in PIPELINE]
    assert len(set(names)) == len(names)
    assert [n for n in names if not re.fullmatch(r"[a-z]+(-[a-z]+)*", n)] == []
    assert [s.name for s in PIPELINE if not s.why or s.why.endswith(".")] == []


def test_a_stage_whose_result_breaks_its_spec() -> None:
    condition = UOp.variable("x", 0, 100) < 5
    opened = UOp(Op.IF, (condition,))
    with pytest.raises(GraphError) as caught:
        verify([condition.src[0], condition.src[1], condition, opened], LINEAR)
    assert_quoted(caught.value)


def test_a_clause_without_a_docstring() -> None:
    def one_sink(u: UOp) -> str | None:
        return None
    with pytest.raises(GraphError) as caught:
        clause(Op.SINK)(one_sink)
    assert_quoted(caught.value)
    one_sink.__doc__ = "There is one SINK."
    assert isinstance(clause(Op.SINK)(one_sink), Clause)


# --- a target ----------------------------------------------------------------------------------------------------------------------

def test_targets_with_holes() -> None:
    with pytest.raises(ConfigError) as caught:
        Target("toy")
    assert_quoted(caught.value)
    with pytest.raises(ConfigError) as caught:
        Target("toy", arithmetic=frozenset((dtypes.f32,)))
    assert_quoted(caught.value)


def test_every_field_of_a_target_is_in_its_key() -> None:
    assert replace(REFERENCE, registers=REFERENCE.registers + 1).key() != REFERENCE.key()
    assert Config(threads=1).key() != Config(threads=2).key()


# --- a device ----------------------------------------------------------------------------------------------------------------------

PROBE = """
from svod.device.registry import DeviceInfo
class Toy:
    name = "TOY"
    def probe(self): return [DeviceInfo("TOY", True)]
    def open(self, index, arg): return "a toy"
class NotAProbe: pass
PROBE = {probe}
"""


@pytest.mark.parametrize("probe", ["Toy()", "NotAProbe"])
def test_plug_ins_that_are_not_what_they_should_be(probe: str, tmp_path: Path) -> None:
    info = tmp_path / "toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[svod.devices]\nTOY = toy:PROBE\n")
    (tmp_path / "toy.py").write_text(PROBE.replace("{probe}", probe))
    assert_quoted(last_error("import svod; svod.Device('TOY')", tmp_path))


def test_a_device_that_is_not_registered() -> None:
    assert_quoted(last_error("import svod; svod.Device('TOY')"))


def test_a_promised_device_without_tests_is_told_as_ci_tells_it() -> None:
    said = (ROOT / "tests/conftest.py").read_text(encoding="utf-8")
    assert 'f"ERROR: device {name} was required, but no test passed on it"' in said
    assert "ERROR: device TOY was required, but no test passed on it" in QUOTES


def test_a_stale_page_is_told_as_the_test_of_the_pages_tells_it() -> None:
    said = (ROOT / "tests/tools/test_docs.py").read_text(encoding="utf-8")
    assert 'f"docs/{name} does not say what the code says now' in said
    assert "docs/rules.md does not say what the code says now" in QUOTES


# --- a kernel ----------------------------------------------------------------------------------------------------------------------

def test_a_graph_that_is_no_kernel() -> None:
    out, i = UOp.param(0, dtypes.f32), UOp.range(8, 0)
    wrong = UOp(Op.STORE, (out[i], UOp.const(1, dtypes.i32)))
    with pytest.raises(GraphError) as caught:
        verify(UOp.sink(wrong.end(i)), KERNEL)
    assert_quoted(caught.value)


def test_two_kernels_of_one_name() -> None:
    with pytest.raises(GraphError) as caught:
        case(CASES["vector_add"])
    assert_quoted(caught.value)


def test_a_kernel_that_differs_from_its_reference() -> None:
    case = Case("my_kernel", UOp.sink(), (np.zeros(3),), {0: np.ones(3)})
    with pytest.raises(AssertionError) as caught:
        case.check(case.fresh())
    assert_quoted(" ".join(f"AssertionError: {caught.value}".split()))
