"""Settings: what changes the code that is generated (Config), what only watches (Debug), and where compiled kernels are kept.

Owns: every setting, its default, its allowed values, and the one function that reads the environment. Must not know devices or compilers.
Invariant: `Config.key()` covers every field of Config, and nothing else in the package reads os.environ for a setting.
"""
from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, TypedDict, Unpack

from svod.errors import ConfigError

CONTRACTS = ("reductions", "off", "all")
CHECKS = frozenset(("bounds", "race", "overflow"))
VECTOR_BITS = (128, 256, 512)
MAX_THREADS = 64
"""What the worker pool of the CPU uses at most: one bit a thread in one word."""
DEFAULT_CACHE_BYTES = 1 << 30


def available_cores() -> int:
    """How many CPUs this process may run on (its affinity mask where the system has one), at most MAX_THREADS."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MAX_THREADS)
    return min(os.cpu_count() or 1, MAX_THREADS)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that changes generated code. Hashed whole into every cache key. ConfigError for a value without meaning."""

    threads: int = field(default_factory=available_cores)
    """How many cores a CPU kernel is split over, at most MAX_THREADS."""
    vector_bits: int | None = None
    """Width of a SIMD register to generate code for; None: what the target prefers."""
    contract: str = "reductions"
    """Where a multiply and an add may become one rounding (fma): in reductions of graphs, and wherever they meet in kernels of the
    language, as CUDA's compiler does ("reductions"); nowhere ("off"); everywhere ("all")."""
    check: frozenset[str] = frozenset()
    """Run-time checks compiled into kernels: bounds, race, overflow."""
    opt_level: int = 3
    """How hard the compiler tries, 0 to 3."""

    def __post_init__(self) -> None:
        for f in fields(self):
            rule, value = _RULES[f.name], getattr(self, f.name)
            if not rule.ok(value):
                raise ConfigError(f"Config.{f.name} is {value!r}", hint=f"allowed: {rule.allowed}")

    def key(self) -> str:
        """All fields as `name=value;...`: equal in every process for equal configurations, different for different ones."""
        return ";".join(f"{f.name}={_canonical(getattr(self, f.name))}" for f in fields(self))


@dataclass(frozen=True, slots=True)
class Debug:
    """What only watches: no field here may change a kernel."""

    debug: int = 0
    """How much is printed, 0 (nothing) to 7."""
    dump: Path | None = None
    """Directory into which every stage of every compilation is written."""

    def __post_init__(self) -> None:
        if type(self.debug) is not int or not 0 <= self.debug <= 7:
            raise ConfigError(f"Debug.debug is {self.debug!r}", hint="allowed: a whole number from 0 to 7")
        _check_folder("Debug.dump", self.dump)


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Whether, where and how much compiled code is kept on disk."""

    enabled: bool = True
    dir: Path | None = None
    """None: the platform's user cache directory."""
    max_bytes: int = DEFAULT_CACHE_BYTES

    def __post_init__(self) -> None:
        enabled: Any = self.enabled
        size: Any = self.max_bytes
        if type(enabled) is not bool or type(size) is not int or size < 0:
            raise ConfigError(f"CacheSettings with enabled={enabled!r}, max_bytes={size!r}",
                              hint="enabled is True or False, max_bytes a whole number of 0 or more")
        _check_folder("CacheSettings.dir", self.dir)

    @property
    def path(self) -> Path:
        """The directory in use: `dir`, or the platform's (~/.cache/svod on Linux, where XDG_CACHE_HOME moves it)."""
        if self.dir is not None:
            return self.dir
        import platformdirs
        return platformdirs.user_cache_path("svod", appauthor=False)


def _check_folder(what: str, folder: object) -> None:
    if folder is not None and not isinstance(folder, Path):
        raise ConfigError(f"{what} is {folder!r}", hint="allowed: None, or a pathlib.Path")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a process or of an `override` scope."""

    config: Config = field(default_factory=Config)
    debug: Debug = field(default_factory=Debug)
    cache: CacheSettings = field(default_factory=CacheSettings)
    device: str | None = None
    """Name of the default device ("CPU", "CUDA:1"); None: none was asked for."""


class Overrides(TypedDict, total=False):
    """The keywords of `override`."""

    config: Config
    debug: Debug
    cache: CacheSettings
    device: str | None


# --- the one place that reads the environment --------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable. An empty value counts as not set."""

    name: str
    section: str
    field: str
    allowed: str
    parse: Callable[[str], object]
    """Raises ValueError for text without meaning."""


@dataclass(frozen=True, slots=True)
class _Rule:
    ok: Callable[[Any], bool]
    allowed: str


def _int_between(low: int, high: int) -> Callable[[object], bool]:
    return lambda v: type(v) is int and low <= v <= high


_RULES = {
    "threads": _Rule(_int_between(1, MAX_THREADS), f"a whole number from 1 to {MAX_THREADS}"),
    "vector_bits": _Rule(lambda v: v is None or (type(v) is int and v in VECTOR_BITS), "128, 256 or 512; not set: what the target prefers"),
    "contract": _Rule(lambda v: isinstance(v, str) and v in CONTRACTS, ", ".join(CONTRACTS)),
    "check": _Rule(lambda v: isinstance(v, frozenset) and v <= CHECKS, f"a list of {', '.join(sorted(CHECKS))}; or all, or none"),
    "opt_level": _Rule(_int_between(0, 3), "a whole number from 0 to 3"),
}
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_SWITCH = {"1": True, "on": True, "true": True, "yes": True, "0": False, "off": False, "false": False, "no": False}


def parse_bytes(text: str) -> int:
    """`"500M"` -> 524288000. Units K, M, G, T (powers of 1024), optionally followed by B or iB. ValueError unless positive."""
    body = text.strip().upper().removesuffix("B").removesuffix("I")
    unit = body[-1:] if body[-1:] in _UNITS else ""
    size = int(float(body.removesuffix(unit)) * (1 << _UNITS[unit]))
    if not 0 < size < 1 << 62:
        raise ValueError(text)
    return size


def _switch(text: str) -> bool:
    if (value := _SWITCH.get(text.strip().lower())) is None:
        raise ValueError(text)
    return value


def _checks(text: str) -> frozenset[str]:
    names = frozenset(n for part in text.split(",") if (n := part.strip().lower()))
    return {frozenset(("all",)): CHECKS, frozenset(("none",)): frozenset[str]()}.get(names, names)


def _debug_level(text: str) -> int:
    if not 0 <= (level := int(text)) <= 7:
        raise ValueError(text)
    return level


def _config(name: str, field_name: str, parse: Callable[[str], object]) -> Variable:
    rule = _RULES[field_name]

    def checked(text: str) -> object:
        if not rule.ok(value := parse(text)):
            raise ValueError(text)
        return value
    return Variable(name, "config", field_name, rule.allowed, checked)


VARIABLES = (
    _config("SVOD_NUM_THREADS", "threads", int),
    _config("SVOD_VECTOR_BITS", "vector_bits", int),
    _config("SVOD_CONTRACT", "contract", lambda s: s.strip().lower()),
    _config("SVOD_CHECK", "check", _checks),
    _config("SVOD_OPT_LEVEL", "opt_level", int),
    Variable("SVOD_DEBUG", "debug", "debug", "a whole number from 0 to 7", _debug_level),
    Variable("SVOD_DUMP", "debug", "dump", "a directory", lambda s: Path(s).expanduser()),
    Variable("SVOD_CACHE", "cache", "enabled", ", ".join(_SWITCH), _switch),
    Variable("SVOD_CACHE_DIR", "cache", "dir", "a directory", lambda s: Path(s).expanduser()),
    Variable("SVOD_CACHE_MAX_SIZE", "cache", "max_bytes", "a positive size in bytes, or with K, M, G or T: 500M, 2G", parse_bytes),
    Variable("DEVICE", "", "device", "the name of a device, such as CPU or CUDA:1", str.strip),
)
"""Every variable that svod reads. The table in the documentation is made from this one."""

FOREIGN = frozenset(("SVOD_FUZZ_EXAMPLES",))
"""Variables that begin with SVOD_ and are read by the tests, not by the package."""


def read_env(environ: Mapping[str, str]) -> Settings:
    """The settings that `environ` describes; defaults for what it leaves out.

    ConfigError naming variable, value and what is allowed. Variables that begin with SVOD_ and mean nothing give one RuntimeWarning.
    """
    values: dict[str, dict[str, Any]] = {"config": {}, "debug": {}, "cache": {}, "": {}}
    for variable in VARIABLES:
        text = environ.get(variable.name, "")
        if not text.strip():
            continue
        try:
            values[variable.section][variable.field] = variable.parse(text)
        except (ValueError, OverflowError, RuntimeError) as e:  # RuntimeError: ~user of an unknown user
            raise ConfigError(f"environment variable {variable.name} is {text!r}", hint=f"allowed: {variable.allowed}") from e
    _warn_unknown(environ)
    return Settings(Config(**values["config"]), Debug(**values["debug"]), CacheSettings(**values["cache"]), **values[""])


def _warn_unknown(environ: Mapping[str, str]) -> None:
    known = {v.name for v in VARIABLES}
    unknown = sorted(n for n in environ if n.startswith("SVOD_") and n not in known and n not in FOREIGN)
    if not unknown:
        return
    import difflib  # only here: it is slow to load
    told = []
    for name in unknown:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        told.append(f"{name} (did you mean {near[0]}?)" if near else name)
    warnings.warn(f"environment variables that mean nothing to svod: {', '.join(told)}", RuntimeWarning, stacklevel=3)


# --- the settings in force ---------------------------------------------------------------------------------------------------------

_OVERRIDE: ContextVar[Settings | None] = ContextVar("svod-settings", default=None)


@cache
def _process_settings() -> Settings:
    return read_env(os.environ)


def settings() -> Settings:
    """The settings in force: those of the innermost `override`, else those of the process, read from the environment once.

    ConfigError if the environment is wrong.
    """
    return _OVERRIDE.get() or _process_settings()


_PARTS: dict[str, tuple[type, ...]] = {"config": (Config,), "debug": (Debug,), "cache": (CacheSettings,), "device": (str, type(None))}


@contextmanager
def override(**changes: Unpack[Overrides]) -> Iterator[Settings]:
    """`with override(config=Config(threads=1)): ...` replaces parts of the settings in this context (thread or task); scopes nest.

    Threads started inside the scope do not inherit it, unless they are run in a copy of the context. ConfigError for what is no setting.
    """
    for name, value in changes.items():
        if (kinds := _PARTS.get(name)) is None:
            hint = f"override(config=Config({name}=...))" if name in _RULES else f"override takes {', '.join(_PARTS)}"
            raise ConfigError(f"there is no setting called {name!r}", hint=hint)
        if not isinstance(value, kinds):
            raise ConfigError(f"the setting {name} is {value!r}", hint=f"allowed: {' or '.join(k.__name__ for k in kinds)}")
    current = replace(settings(), **changes)
    token = _OVERRIDE.set(current)
    try:
        yield current
    finally:
        _OVERRIDE.reset(token)


def _canonical(value: object) -> str:
    return "{" + ",".join(sorted(map(repr, value))) + "}" if isinstance(value, frozenset) else repr(value)
