"""The answers of `svod cache`."""
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from svod.config import CacheSettings
from svod.device.cache import digest_of, join_key
from svod.errors import ConfigError
from svod.tools import cache_cli


@pytest.fixture
def store(tmp_path: Path) -> CacheSettings:
    """Three entries, used in the order b, c, a."""
    settings = CacheSettings(dir=tmp_path, max_bytes=1 << 20, enabled=False)
    cache = cache_cli.open_cache(settings)
    for i, (name, size) in enumerate((("b", 10), ("c", 3000), ("a", 200))):
        cache.put(key(name), bytes(size))
        os.utime(next(e.path for e in cache.entries() if e.digest == digest_of(key(name))), (1000 + i, 1000 + i))
    return settings


def key(name: str) -> str:
    return join_key({"kernel": name, "config": "x"})


def test_path_and_stat(store: CacheSettings, tmp_path: Path) -> None:
    assert cache_cli.path(store) == tmp_path / "v1"
    found = cache_cli.stat(store)
    assert (found.entries, found.max_bytes, found.path) == (3, 1 << 20, tmp_path / "v1")
    assert found.nbytes > 3210
    assert cache_cli.stat(CacheSettings(dir=tmp_path / "none")).entries == 0


def test_list_in_either_order(store: CacheSettings) -> None:
    names = {key(n): n for n in "abc"}
    assert [names[r.key] for r in cache_cli.list_entries(store)] == ["a", "c", "b"]
    assert [names[r.key] for r in cache_cli.list_entries(store, sort="size")] == ["c", "a", "b"]
    assert [names[r.key] for r in cache_cli.list_entries(store, sort="size", limit=1)] == ["c"]
    row = cache_cli.list_entries(store)[0]
    assert (row.used, row.digest) == (1002, digest_of(key("a")))
    with pytest.raises(ConfigError, match="'name'") as e:
        cache_cli.list_entries(store, sort="name")
    assert "used, size" in e.value.hint


def test_verify_and_clear(store: CacheSettings) -> None:
    row = cache_cli.list_entries(store)[0]
    (cache_cli.path(store) / row.digest[:2] / f"{row.digest}.bin").write_bytes(b"damaged")
    report = cache_cli.verify(store)
    assert (report.checked, len(report.removed)) == (3, 1)
    assert cache_cli.verify(store).checked == 2
    assert cache_cli.clear(store).checked == 2
    assert cache_cli.list_entries(store) == []


def test_explain_takes_a_key_or_the_beginning_of_a_digest(store: CacheSettings) -> None:
    assert cache_cli.explain(store, key("a")).state == "hit"
    assert cache_cli.explain(store, digest_of(key("a"))[:8]).state == "hit"
    missed = cache_cli.explain(store, key("q"))
    assert (missed.state, missed.differences) == ("absent", (("kernel", "a", "q"),))
    with pytest.raises(ConfigError, match="0 entries"):
        cache_cli.explain(store, "00000000")
    with pytest.raises(ConfigError, match="'zzz' is neither a key nor the digest of an entry"):
        cache_cli.explain(store, "zzz")
    digest = digest_of(key("a"))
    (cache_cli.path(store) / digest[:2] / f"{digest}.bin").write_bytes(b"damaged")
    assert cache_cli.explain(store, digest).state == "damaged"


def test_every_answer_becomes_json(store: CacheSettings) -> None:
    answers = [cache_cli.path(store), cache_cli.stat(store), cache_cli.list_entries(store), cache_cli.explain(store, key("q")),
               cache_cli.verify(store), cache_cli.clear(store), {"n": 1}]
    text = json.dumps(cache_cli.rows(answers))
    found = json.loads(text)
    assert found[0] == str(cache_cli.path(store))
    assert found[1]["entries"] == 3
    assert [r["key"] for r in found[2]] == [key("a"), key("c"), key("b")]
    assert found[3]["differences"] == [["kernel", "a", "q"]]
    assert found[5]["removed"][0][1] == "cleared"
