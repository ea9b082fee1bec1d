"""`svod cache …` on a real cache in a directory of its own: each command's text, its JSON, and what it leaves behind."""
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from svod.config import CacheSettings, override
from svod.device.cache import DiskCache, digest_of
from svod.device.entry import join_key
from svod.tools import cli

KEYS = [join_key({"svod": "1", "kernel": name}) for name in ("add", "mul")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskCache]:
    """A cache of two entries, 10 and 3000 bytes, which the commands see."""
    cache = DiskCache(tmp_path, 1 << 20)
    for key, size in zip(KEYS, (10, 3000), strict=True):
        cache.put(key, b"x" * size)
    with override(cache=CacheSettings(dir=tmp_path, max_bytes=1 << 20)):
        yield cache


def said(*line: str, code: int = 0) -> str:
    """What `svod cache line…` prints."""
    result = CliRunner().invoke(cli.app, ["cache", *line])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def answer(*line: str) -> Any:
    """What it prints with --json, decoded."""
    return json.loads(said(*line, "--json"))


def files(store: DiskCache) -> list[Path]:
    """The entries on disk, smallest first."""
    return sorted((e.path for e in store.entries()), key=lambda p: p.stat().st_size)


def test_path(store: DiskCache) -> None:
    assert said("path") == f"{store.root}\n"
    assert answer("path") == str(store.root)


def test_stat(store: DiskCache) -> None:
    found = answer("stat")
    assert (found["enabled"], found["entries"], found["max_bytes"]) == (True, 2, 1 << 20)
    assert found["nbytes"] == sum(p.stat().st_size for p in files(store))
    assert "of 1.0 MiB" in said("stat")


def test_list_by_size_and_at_most(store: DiskCache) -> None:
    assert [e["digest"] for e in answer("list", "--sort", "size")] == [digest_of(KEYS[1]), digest_of(KEYS[0])]
    assert [e["key"] for e in answer("list", "--sort", "size", "-n", "1")] == [KEYS[1]]
    heading, first, _ = said("list", "--sort", "size").splitlines()
    assert heading.split() == ["digest", "size", "last", "used", "key"]
    assert first.startswith(digest_of(KEYS[1])[:16])
    assert first.endswith("kernel=mul svod=1")


def test_list_by_something_else_is_an_error(store: DiskCache) -> None:
    assert "cannot be sorted by 'colour'" in said("list", "--sort", "colour", code=1)


def test_explain_a_hit_a_miss_and_an_unknown_digest(store: DiskCache) -> None:
    assert said("explain", digest_of(KEYS[0])[:8]).startswith("hit: 10 bytes\n")
    missed = answer("explain", join_key({"svod": "1", "kernel": "div"}))
    assert missed["state"] == "absent"
    assert [name for name, _, _ in missed["differences"]] == ["kernel"]
    assert said("explain", join_key({"svod": "2", "kernel": "add"})).splitlines()[-1].split() == ["svod", "1", "2"]
    assert ".bin" not in said("explain", join_key({"svod": "2", "kernel": "add"}))
    assert "neither a key nor" in said("explain", "zzz", code=1)
    assert "0 entries have a digest that begins with 00000000" in said("explain", "00000000", code=1)


def test_list_shows_the_kernel_first(store: DiskCache) -> None:
    assert all(" kernel=" in line and line.index("kernel=") < line.index("svod=") for line in said("list").splitlines()[1:])


def test_verify_removes_what_is_damaged_and_says_why(store: DiskCache) -> None:
    assert answer("verify")["removed"] == []
    small, large = files(store)
    small.write_bytes(small.read_bytes()[:-1] + b"?")
    text = said("verify")
    assert text.startswith("2 entries checked, 1 damaged, removed")
    assert f"{small}: the checksum does not match" in text
    assert files(store) == [large]


def test_clear(store: DiskCache) -> None:
    assert len(answer("clear", "--yes")["removed"]) == 2
    assert files(store) == []
    assert said("clear", "--yes").startswith("0 entries checked, 0 removed")
