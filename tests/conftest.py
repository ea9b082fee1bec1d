"""What every test shares: the device, golden files, a private cache, and the proof that the promised devices ran.

Owns: the options --devices, --require-devices, --bless, the marker `devices`, the fixtures `device` and `golden`, the hypothesis profiles.
Must not import svod before the environment below is set, nor at module level at all.
Invariant: a device counts as run only when a test that names it has passed its call phase.
"""
from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import svod

GOLDEN = Path(__file__).parent / "golden"
RAN = "svod-device"
"""Key of the user properties that carry a device's name from the process that ran the test to the one that reports."""

# One cache for each process: what one test worker compiled is never another's hit, and nobody's own cache is read or written.
_CACHE = tempfile.mkdtemp(prefix="svod-tests-")
os.environ["SVOD_CACHE_DIR"] = _CACHE
os.environ["POCL_CACHE_DIR"] = f"{_CACHE}/pocl"  # PoCL's own is not safe for processes that compile at the same time
Path(_CACHE, "pocl").mkdir()

# DEVICE says what --devices does; it is not what tests get that name no device. Workers inherit it by the other name.
if "DEVICE" in os.environ:
    os.environ["PYTEST_DEVICE"] = os.environ.pop("DEVICE")

# `make test` is the same every time; `make fuzz` looks for new examples, and as many as it is told to.
_FUZZ = os.environ.get("SVOD_FUZZ_EXAMPLES")
_COMMON = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", max_examples=50, derandomize=True, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("fuzz", max_examples=int(_FUZZ or 2000), derandomize=False, **_COMMON)  # type: ignore[arg-type]
settings.load_profile("fuzz" if _FUZZ else "ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add svod's options."""
    group = parser.getgroup("svod")
    group.addoption("--bless", action="store_true", help="rewrite golden files instead of comparing with them")
    group.addoption("--devices", default=os.environ.get("PYTEST_DEVICE") or "", metavar="NAME,…",
                    help="run the device tests on these instead of on what each test asks for (default: environment variable DEVICE)")
    group.addoption("--require-devices", default="", metavar="NAME,…", help="fail unless at least one test passed on each of these")


def pytest_configure(config: pytest.Config) -> None:
    """Collect the devices that ran, in the process that reports."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(RequiredDevices(names(config.getoption("--require-devices"))), "svod-required-devices")


def pytest_unconfigure() -> None:
    """Remove the private cache."""
    shutil.rmtree(_CACHE, ignore_errors=True)


def names(text: str) -> tuple[str, ...]:
    """`"cpu, Interp"` -> `("CPU", "INTERP")`."""
    return tuple(n.strip().upper() for n in text.split(",") if n.strip())


def base(name: str) -> str:
    """The device without its number or target: `"CUDA:1"` -> `"CUDA"`."""
    return name.partition(":")[0].upper()


class RequiredDevices:
    """Turns the session red when a required device ran no test."""

    def __init__(self, required: Iterable[str]) -> None:
        self.required = tuple(base(n) for n in required)
        self.passed: dict[str, int] = {}

    def missing(self) -> list[str]:
        """The required devices on which no test passed."""
        return [n for n in self.required if n not in self.passed]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a passed test for each device it names (with xdist this is called in the controller)."""
        if report.when == "call" and report.passed:
            for name in {str(value) for key, value in report.user_properties if key == RAN}:
                self.passed[name] = self.passed.get(name, 0) + 1

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail a session that is otherwise green."""
        if self.missing() and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many tests passed on each device, and which devices are missing."""
        if self.passed:
            terminalreporter.write_line("devices: " + ", ".join(f"{n} {k} passed" for n, k in sorted(self.passed.items())))
        for name in self.missing():
            terminalreporter.write_line(f"ERROR: device {name} was required, but no test passed on it", red=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the `device` fixture its devices: those asked for on the command line, else the test's marker, else CPU.

    What is for the CPU and for INTERP is what svod means on any device; what is for the CPU alone is for CC too, if that is asked for: they
    differ in the language and the compiler alone.
    """
    if "device" not in metafunc.fixturenames:
        return
    marked, asked = _marked(metafunc.definition), names(metafunc.config.getoption("--devices"))
    alike = {base(m) for m in marked} | ({"CC"} if "CPU" in map(base, marked) else set())
    anywhere = not marked or {"CPU", "INTERP"} <= alike
    chosen: list[object] = [n for n in asked or marked or ("CPU",) if not asked or anywhere or base(n) in alike]
    if not chosen:
        why = f"for {', '.join(marked)} only; --devices (or DEVICE) asks for {', '.join(asked)}"
        chosen = [pytest.param(asked[0], marks=pytest.mark.skip(reason=why))]
    metafunc.parametrize("device", chosen, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note on each test its device. Without the `device` fixture the marker is the test's word that it opens its devices itself."""
    for item in items:
        given = getattr(item, "callspec", None)
        ran = (str(given.params["device"]),) if given and "device" in given.params else _marked(item)
        item.user_properties.extend((RAN, base(n)) for n in ran)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that --devices moved to another device than its own is skipped where that device refuses the kernel by name."""
    from svod.errors import UnsupportedError
    try:
        return (yield)
    except UnsupportedError as error:
        given = getattr(item, "callspec", None)
        there = str(given.params["device"]) if given and "device" in given.params else ""
        if there in names(item.config.getoption("--devices")) and base(there) not in map(base, _marked(item) or ("CPU",)):
            pytest.skip(f"{there}: {error.what}")
        raise


def _marked(node: pytest.Item) -> tuple[str, ...]:
    """The names in the closest `devices` marker."""
    mark = node.get_closest_marker("devices")
    return tuple(str(n).upper() for n in mark.args) if mark else ()


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> svod.Device:
    """The device under test. One that is not there fails a test that was told to use it, and skips any other with the reason."""
    import svod
    from svod.errors import DeviceUnavailable
    try:
        return svod.Device(request.param)
    except DeviceUnavailable as error:
        if request.param in (*names(request.config.getoption("--devices")), "CPU"):
            raise
        pytest.skip(f"{request.param}: {error.what}")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(text, name)`: `text` is what tests/golden/`name` holds; with --bless it becomes so."""
    bless = bool(request.config.getoption("--bless"))

    def check(text: str, name: str) -> None:
        path, text = GOLDEN / name, text.rstrip("\n") + "\n"
        if bless:
            write_if_changed(path, text)
        elif not path.exists():
            pytest.fail(f"no golden file tests/golden/{name}; run with --bless to write it, then read it", pytrace=False)
        elif (old := path.read_text(encoding="utf-8")) != text:
            diff = difflib.unified_diff(old.splitlines(), text.splitlines(), f"tests/golden/{name}", "now", lineterm="")
            pytest.fail("\n".join([*diff, "hint: if the new text is right, run make bless"]), pytrace=False)

    return check


def write_if_changed(path: Path, text: str) -> None:
    """Write `path` in one step (test workers may bless at the same time), unless it holds `text` already."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
