"""The system's C compiler: which it is, what it can do, C text to an object.

Owns: finding it, the flags, its messages as a CompileError. Must not know kernels, nor how objects are loaded.
Invariant: what the flags allow a compiler to change is nothing that a kernel computes: no reassociation, no contraction, wrapping
integers, memory of any type read as any other.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from svod.errors import CompileError, DeviceUnavailable

CANDIDATES = ("cc", "gcc", "clang")
INSTALL = "install gcc 12 or clang 15 or later (apt install gcc), or name a compiler in the environment variable CC"
FLAGS = ("-march=native", "-fPIC", "-fwrapv", "-ffp-contract=off", "-fno-strict-aliasing", "-fno-math-errno", "-fno-trapping-math",
         "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fvisibility=default", "-w")
"""No signals for floats are asked for (-fno-trapping-math), so that both sides of a choice may be computed."""
GCC_FLAGS = ("-fcf-protection=none", "-fno-semantic-interposition")
SECONDS = 300
MESSAGE_LINES = 12
_CONTEXT_LINES = 2
_PROBE = """#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector) && __has_builtin(__builtin_convertvector)
#define SVOD_VECTORS 1
#endif
#endif
"""


@dataclass(frozen=True, slots=True)
class SystemCompiler:
    """A C compiler: the command, what it calls itself, its flags, the features of the target that it was seen to compile for."""

    command: tuple[str, ...]
    version: str
    flags: tuple[str, ...]
    features: frozenset[str]

    @property
    def key(self) -> str:
        """What tells its objects from those of another."""
        return f"{' '.join(self.command)} | {self.version} | {' '.join(self.flags)} | {','.join(sorted(self.features))}"

    def compile(self, text: str, level: int) -> bytes:
        """The object of `text`. CompileError with the compiler's message and the lines it complains about."""
        return self._made(text, level, "-c")

    def assembly(self, text: str, level: int) -> str:
        """The same as assembly text."""
        return self._made(text, level, "-S").decode()

    def _made(self, text: str, level: int, what: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="svod-cc-") as folder:
            out = Path(folder) / "kernel.o"
            command = [*self.command, f"-O{level}", *self.flags, what, "-x", "c", "-", "-o", str(out)]
            done = _run(command, text)
            if done.returncode != 0 or not out.exists():
                raise CompileError(f"{self.command[0]} refuses the source: {_first(done.stderr)}", at=blamed(text, done.stderr),
                                   hint="\n".join(done.stderr.strip().splitlines()[:MESSAGE_LINES]))
            return out.read_bytes()


def _run(command: list[str], text: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LC_ALL": "C"}
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, env=environment, timeout=SECONDS, check=False)
    except OSError as e:
        raise CompileError(f"{command[0]} cannot be run: {e.strerror}", hint=INSTALL) from None
    except subprocess.TimeoutExpired:
        hint = "make the kernel smaller, or lower SVOD_OPT_LEVEL"
        raise CompileError(f"{command[0]} was not done after {SECONDS} s", hint=hint) from None


def _first(message: str) -> str:
    """The first error of a compiler's output."""
    lines = message.strip().splitlines()
    errors = [x for x in lines if "error:" in x]
    return (errors or lines or ["it says nothing"])[0].partition("error:")[2].strip() or (lines or ["it says nothing"])[0]


def blamed(text: str, message: str) -> str:
    """The lines of `text` that `message` has errors for, numbered, marked with `>`, with their neighbours."""
    lines = text.splitlines()
    found = {int(n) for n in re.findall(r"<stdin>:(\d+):\d+: (?:fatal )?error", message)}
    near = sorted({i for b in found for i in range(b - _CONTEXT_LINES, b + _CONTEXT_LINES + 1) if 1 <= i <= len(lines)})
    if not near:
        return ""
    numbered = "".join(f"\n  {'>' if i in found else ' '}{i:5}| {lines[i - 1]}" for i in near)
    return f"C line {', '.join(map(str, sorted(found)))}{numbered}"


def command() -> tuple[str, ...] | None:
    """The compiler to use: what CC says, else the first of CANDIDATES that is installed; None if there is none."""
    named = os.environ.get("CC", "").split()
    if named:
        return tuple(named) if shutil.which(named[0]) else None
    return next(((c,) for c in CANDIDATES if shutil.which(c)), None)


def absence() -> str:
    """Why there is no compiler."""
    named = os.environ.get("CC", "").strip()
    return f"there is no compiler called {named!r}, which CC names" if named else f"none of {', '.join(CANDIDATES)} is installed"


def system_compiler() -> SystemCompiler:
    """The system's C compiler, looked at once. DeviceUnavailable, with what to install, if there is none or it is too old."""
    found = command()
    if found is None:
        raise DeviceUnavailable(absence(), hint=INSTALL)
    return _examined(found)


@cache
def _examined(found: tuple[str, ...]) -> SystemCompiler:
    try:
        said = _run([*found, "-march=native", "-dM", "-E", "-x", "c", "-"], _PROBE)
    except CompileError as e:
        raise DeviceUnavailable(e.what, hint=INSTALL) from None
    if said.returncode != 0:
        raise DeviceUnavailable(f"{found[0]} does not work: {_first(said.stderr)}", hint=INSTALL)
    macros = {m[1]: m[2] for m in re.finditer(r"^#define (\S+) ?(.*)$", said.stdout, re.MULTILINE)}
    version = macros.get("__VERSION__", "").strip('"')
    if "SVOD_VECTORS" not in macros:
        what = f"{found[0]} ({version or 'of no version'}) has no vectors that can be shuffled and converted"
        raise DeviceUnavailable(what, hint=INSTALL)
    flags = FLAGS if "__clang__" in macros else (*FLAGS, *GCC_FLAGS)
    if "__AVX512F__" in macros:
        flags = (*flags, "-mprefer-vector-width=512")
    features = frozenset(m for m in macros if re.fullmatch(r"__(?:AVX|SSE|FMA|F16C|BMI|ARM_|aarch64|x86_64)\w*?(?:__)?", m))
    return SystemCompiler(found, version, flags, features)
