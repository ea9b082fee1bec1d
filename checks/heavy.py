"""The checks that are too heavy for every run: a second OpenCL implementation, a simulator that looks for races, a second compiler of WGSL.
`make heavy`.

Owns: which of them there are, where the loader of OpenCL finds one implementation at a time, the summary. Must not know devices.
Invariant: one that could not run is a failure, as is one that found something.

A check is a process with its own cache. It sees one implementation alone, through a folder that has one .icd file; those that packages put
beside pyopencl are seen always, so the environment of these checks has none.
"""
from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SITE = Path(sysconfig.get_paths()["purelib"])
CONFORM = [sys.executable, str(HERE / "conform.py")]
DEVICE_TESTS = ["tests/device/opencl", "tests/device/test_records.py", "tests/lang/test_memory.py", "tests/lang/test_dynamic_shared.py"]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--devices=OPENCL", "--require-devices=OPENCL", *DEVICE_TESTS]

MODULES = str(Path(sys.prefix) / "node_modules")
TINT = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--require-devices=TINT", "tests/renderers/wgsl/test_tint.py"]


@dataclass(frozen=True)
class Heavy:
    """One check. `library` is the OpenCL implementation that it is to see, empty where that does not matter."""

    name: str
    command: list[str]
    library: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    log: bool = False
    """Whether what OCLGRIND_LOG names has to stay empty."""


def intel() -> str:
    """Intel's implementation for processors: pip puts it beside the packages, with an .icd that names another place."""
    return str(Path(sys.prefix) / "lib" / "libintelocl.so")


def oclgrind() -> str:
    """The simulator, which its package puts into that of pyopencl."""
    found = sorted((SITE / "pyopencl" / ".libs").glob("liboclgrind-rt-icd*.so"))
    return str(found[0]) if found else str(SITE / "pyopencl" / ".libs" / "liboclgrind-rt-icd.so")


SIMULATED = (("OCLGRIND_DATA_RACES", "1"), ("OCLGRIND_MAX_ERRORS", "40"))
CHECKS: dict[str, Callable[[], list[Heavy]]] = {
    "intel": lambda: [
        Heavy("the tests of OPENCL on Intel's implementation", PYTEST, intel()),
        Heavy("conformance of Intel's implementation", [*CONFORM, "OPENCL"], intel()),
    ],
    "tint": lambda: [Heavy("shaders of loop kernels and the gallery, by Tint", TINT, environment=(("NODE_MODULES", MODULES),))],
    "oclgrind": lambda: [
        Heavy("races, bounds and barriers in the gallery, by oclgrind", [*CONFORM, "OPENCL", "language"], oclgrind(), SIMULATED, log=True),
        Heavy("races, bounds and barriers in loop kernels, by oclgrind", [*CONFORM, "OPENCL", "loops"], oclgrind(), SIMULATED, log=True),
        Heavy("oclgrind finds what is wrong", [sys.executable, str(HERE / "wrong_on_purpose.py")], oclgrind(), SIMULATED),
    ],
}


def platforms(environment: dict[str, str]) -> str:
    """How many implementations are seen; empty if that cannot be said."""
    code = "import pyopencl; print(len(pyopencl.get_platforms()))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def run(check: Heavy, scratch: Path) -> str:
    """Runs it; what went wrong, empty if nothing did."""
    log = scratch / "log"
    environment = {**os.environ, **dict(check.environment), "SVOD_CACHE_DIR": str(scratch / "cache"), "OCLGRIND_LOG": str(log)}
    if check.library:
        if not Path(check.library).exists():
            return f"{check.library} is not there"
        (scratch / "icd").mkdir()
        (scratch / "icd" / "one.icd").write_text(check.library + "\n", encoding="utf-8")
        environment["OCL_ICD_VENDORS"] = str(scratch / "icd")
        if (seen := platforms(environment)) != "1":
            return f"{check.library} should be the only implementation that is seen; there are {seen or 'none'}"
    done = subprocess.run(check.command, cwd=HERE.parent, env=environment, check=False)
    if done.returncode:
        return f"exit status {done.returncode}"
    said = log.read_text(encoding="utf-8", errors="replace") if check.log and log.exists() else ""
    return f"oclgrind says:\n{said[:4000]}" if said.strip() else ""


def main(asked: list[str]) -> int:
    """Runs the checks of these groups, all by default. The number of those that found something."""
    found = []
    for group in asked or CHECKS:
        for check in CHECKS[group]():
            print(f"== {check.name}", flush=True)
            began = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="svod-heavy-") as scratch:
                wrong = run(check, Path(scratch))
            found.append((check.name, wrong, time.monotonic() - began))
    print("\n== summary")
    for name, wrong, seconds in found:
        print(f"{'FAILED' if wrong else 'passed'}  {seconds:6.1f} s  {name}{': ' if wrong else ''}{wrong}")
    return sum(1 for _, wrong, _ in found if wrong)


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
