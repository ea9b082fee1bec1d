"""Settings: every variable is parsed, refused by name, and in the key."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

import svod.config as module
from svod.config import (
    CHECKS,
    DEFAULT_CACHE_BYTES,
    VARIABLES,
    CacheSettings,
    Config,
    Debug,
    Settings,
    available_cores,
    override,
    parse_bytes,
    read_env,
    settings,
)
from svod.errors import ConfigError

ROOT = Path(module.__file__).parents[1]
OTHER = {"threads": 1 if available_cores() > 1 else 2, "vector_bits": 256, "contract": "off", "check": frozenset(("bounds",)),
         "opt_level": 0}
GOOD = {
    "SVOD_NUM_THREADS": ("3", 3), "SVOD_VECTOR_BITS": ("512", 512), "SVOD_CONTRACT": (" All ", "all"),
    "SVOD_CHECK": ("bounds, Race", frozenset(("bounds", "race"))), "SVOD_OPT_LEVEL": ("1", 1), "SVOD_DEBUG": ("7", 7),
    "SVOD_DUMP": ("/tmp/d", Path("/tmp/d")), "SVOD_CACHE": ("off", False), "SVOD_CACHE_DIR": ("/tmp/c", Path("/tmp/c")),
    "SVOD_CACHE_MAX_SIZE": ("2G", 2 << 30), "DEVICE": ("CUDA:1", "CUDA:1"),
}
BAD = [
    ("SVOD_NUM_THREADS", "0"), ("SVOD_NUM_THREADS", "two"), ("SVOD_NUM_THREADS", "65"), ("SVOD_NUM_THREADS", "1.5"),
    ("SVOD_VECTOR_BITS", "333"), ("SVOD_VECTOR_BITS", "-1"), ("SVOD_CONTRACT", "fast"), ("SVOD_CHECK", "bounds,speed"),
    ("SVOD_CHECK", "none,bounds"), ("SVOD_OPT_LEVEL", "4"), ("SVOD_DEBUG", "8"), ("SVOD_DEBUG", "x"), ("SVOD_CACHE", "maybe"),
    ("SVOD_CACHE_MAX_SIZE", "-2G"), ("SVOD_CACHE_MAX_SIZE", "0"), ("SVOD_CACHE_MAX_SIZE", "2X"), ("SVOD_CACHE_MAX_SIZE", "1e400"),
    ("SVOD_CACHE_MAX_SIZE", "nan"), ("SVOD_DUMP", "~no-such-user-here/x"), ("SVOD_CACHE_DIR", "~no-such-user-here/x"),
]


def value_of(found: Settings, name: str) -> object:
    variable = next(v for v in VARIABLES if v.name == name)
    return getattr(getattr(found, variable.section) if variable.section else found, variable.field)


def test_nothing_set_gives_the_defaults() -> None:
    assert read_env({}) == Settings() == Settings(Config(), Debug(), CacheSettings(), None)
    assert Config().threads == min(len(os.sched_getaffinity(0)), 64)


@pytest.mark.parametrize("name", [v.name for v in VARIABLES])
def test_each_variable_is_read_and_no_other_setting_moves(name: str) -> None:
    text, value = GOOD[name]
    found = read_env({name: text})
    assert value_of(found, name) == value
    for other in VARIABLES:
        if other.name != name:
            assert value_of(found, other.name) == value_of(Settings(), other.name)


@pytest.mark.parametrize("name", [v.name for v in VARIABLES])
def test_an_empty_variable_is_not_set(name: str) -> None:
    assert read_env({name: " "}) == Settings()


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_value_is_refused_with_name_value_and_what_is_allowed(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as e:
        read_env({name: text})
    assert name in str(e.value)
    assert repr(text) in str(e.value)
    assert next(v.allowed for v in VARIABLES if v.name == name) in e.value.hint


@pytest.mark.parametrize(("text", "size"), [("1", 1), ("500M", 500 << 20), ("2g", 2 << 30), ("1.5K", 1536), ("3 MiB", 3 << 20),
                                            ("4kb", 4096), ("1T", 1 << 40), ("17B", 17)])
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


def test_check_all_and_none() -> None:
    assert read_env({"SVOD_CHECK": "all"}).config.check == CHECKS
    assert read_env({"SVOD_CHECK": "none"}).config.check == frozenset()


def test_unknown_variables_give_one_warning_with_suggestions() -> None:
    with pytest.warns(RuntimeWarning) as caught:
        read_env({"SVOD_NUM_THREAD": "1", "SVOD_DEVICE": "CPU", "SVOD_QQQQQQQQQQ": "", "OTHER": "1"})
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "SVOD_NUM_THREAD (did you mean SVOD_NUM_THREADS?)" in text
    assert "SVOD_DEVICE (did you mean DEVICE?)" in text
    assert text.endswith("SVOD_QQQQQQQQQQ")
    assert "OTHER" not in text


def test_known_and_test_variables_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_env({name: text for name, (text, _) in GOOD.items()} | {"SVOD_FUZZ_EXAMPLES": "9"})


@pytest.mark.parametrize("name", [f.name for f in fields(Config)])
def test_every_field_is_in_the_key(name: str) -> None:
    changed = replace(Config(), **{name: OTHER[name]})  # type: ignore[arg-type]
    assert changed.key() != Config().key()
    assert changed != Config()
    assert hash(changed) == hash(replace(Config(), **{name: OTHER[name]}))  # type: ignore[arg-type]


def test_the_key_is_the_same_in_a_process_with_another_hash_seed() -> None:
    code = "from svod.config import *; print(Config(threads=2, check=CHECKS).key())"
    keys = {subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, text=True, check=True,
                           capture_output=True).stdout.strip() for seed in ("1", "2", "3")}
    assert keys == {Config(threads=2, check=CHECKS).key()}


@pytest.mark.parametrize(("name", "value"), [("threads", 0), ("threads", True), ("threads", 2.0), ("vector_bits", 100), ("contract", "x"),
                                             ("contract", []), ("check", {"bounds"}), ("check", frozenset(("x",))), ("opt_level", -1)])
def test_a_config_without_meaning_cannot_be_built(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"Config.{name}"):
        Config(**{name: value})  # type: ignore[arg-type]


def test_override_nests_and_ends_and_stays_in_its_thread() -> None:
    outer, seen = settings(), []
    with override(config=replace(outer.config, opt_level=1)) as one:
        assert settings() is one
        with override(device="NULL", debug=Debug(debug=2)):
            assert (settings().config.opt_level, settings().device, settings().debug.debug) == (1, "NULL", 2)
        assert settings() is one
        other = threading.Thread(target=lambda: seen.append(settings().config.opt_level))
        other.start()
        other.join()
    assert seen == [outer.config.opt_level]
    with pytest.raises(ZeroDivisionError), override(device="X"):
        raise ZeroDivisionError
    assert settings() is outer


def test_the_process_reads_its_environment_once() -> None:
    code = ("import os; from svod.config import settings; a = settings(); os.environ['SVOD_OPT_LEVEL'] = '0'; "
            "assert settings() is a; print(a.config.opt_level, a.device)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"SVOD_OPT_LEVEL": "2", "DEVICE": "NULL"}, text=True,
                          check=True, capture_output=True)
    assert done.stdout.split() == ["2", "NULL"]


def test_the_cache_directory_is_the_platforms_unless_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert CacheSettings().path == tmp_path / "svod"
    assert CacheSettings(dir=tmp_path / "x").path == tmp_path / "x"
    assert CacheSettings().max_bytes == DEFAULT_CACHE_BYTES


def test_importing_the_settings_loads_no_third_party() -> None:
    code = "import sys, svod.config; print([m for m in ('platformdirs', 'numpy', 'llvmlite', 'difflib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, check=True, capture_output=True).stdout.strip() == "[]"


def test_the_limit_of_threads_is_the_pools() -> None:
    from svod.device.cpu import pool
    assert module.MAX_THREADS == pool.MAX_THREADS == 64
    assert available_cores() <= 64
    with pytest.raises(ConfigError, match=r"Config.threads is 65(.|\n)*from 1 to 64"):
        Config(threads=65)


@pytest.mark.parametrize(("make", "what", "hint"), [
    (lambda: Debug(dump="/tmp/x"), "Debug.dump is '/tmp/x'", "pathlib.Path"), (lambda: Debug(debug=8), "Debug.debug is 8", "0 to 7"),
    (lambda: CacheSettings(dir="/tmp/x"), "CacheSettings.dir is '/tmp/x'", "pathlib.Path"),
    (lambda: CacheSettings(enabled="no"), "enabled='no'", "True or False"),
    (lambda: CacheSettings(max_bytes=-1), "max_bytes=-1", "0 or more"),
    (lambda: override(threads=3).__enter__(), "no setting called 'threads'", r"config=Config\(threads"),  # type: ignore[call-arg]
    (lambda: override(speed=3).__enter__(), "no setting called 'speed'", "config, debug, cache, device"),  # type: ignore[call-arg]
    (lambda: override(config="fast").__enter__(), "the setting config is 'fast'", "Config"),  # type: ignore[arg-type]
])
def test_settings_made_in_python_are_checked(make: Callable[[], object], what: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"{what}(.|\n)*hint: .*{hint}"):
        make()
