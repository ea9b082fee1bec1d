"""What `svod cache` does, as functions that return data.

Owns: the answers to path, stat, list, verify, explain, clear. Must not know the command line nor how answers are shown.
Invariant: every answer is made of dataclasses, strings and numbers, so `rows` can turn it into JSON; only verify and clear change files.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from svod.config import CacheSettings
from svod.device.cache import CacheStat, DiskCache, Explanation, Report, digest_of
from svod.device.entry import split_key
from svod.errors import ConfigError

SORTS = ("used", "size")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of `list_entries`."""

    digest: str
    nbytes: int
    used: float
    """When it was used last, in seconds since 1970."""
    key: str
    """As it was put; empty if it cannot be read."""


def open_cache(cache: CacheSettings) -> DiskCache:
    """The cache that these settings describe, also when it is turned off: it can be looked at all the same."""
    return DiskCache(cache.path, cache.max_bytes)


def path(cache: CacheSettings) -> Path:
    """The directory of the entries; it need not exist."""
    return open_cache(cache).root


def stat(cache: CacheSettings) -> CacheStat:
    """How many entries there are, and how large they are (the counts of hits and misses belong to a process: here 0)."""
    return open_cache(cache).stat()


def list_entries(cache: CacheSettings, *, sort: str = "used", limit: int | None = None) -> list[Row]:
    """The entries used last ("used"), or the largest ("size"), first; at most `limit`. ConfigError for another order."""
    if sort not in SORTS:
        raise ConfigError(f"entries cannot be sorted by {sort!r}", hint=f"one of {', '.join(SORTS)}")
    store = open_cache(cache)
    found = sorted(store.entries(), key=lambda e: (e.used if sort == "used" else e.nbytes, e.digest), reverse=True)
    return [Row(e.digest, e.nbytes, e.used, store.key_of(e)) for e in found[:limit]]


def verify(cache: CacheSettings) -> Report:
    """Read every entry and remove the damaged ones."""
    return open_cache(cache).verify()


def clear(cache: CacheSettings) -> Report:
    """Remove every entry."""
    return open_cache(cache).clear()


def explain(cache: CacheSettings, key: str) -> Explanation:
    """Why a key hits or misses. `key` may also be the beginning (8 digits or more) of the digest of a stored entry.

    ConfigError if it looks like a digest and no entry, or more than one, begins with it; or if it is no key and nothing is stored for it.
    """
    store = open_cache(cache)
    if not (8 <= len(key) <= 64 and set(key) <= set("0123456789abcdef")):
        answer = store.explain(key)
        if answer.state == "absent" and set(split_key(key)) == {"key"}:
            hint = "`svod cache list` shows digests, give 8 or more digits of one; Device.cache_key(graph) gives a key"
            raise ConfigError(f"{key!r} is neither a key nor the digest of an entry", hint=hint)
        return answer
    found = [e for e in store.entries() if e.digest.startswith(key)]
    if len(found) != 1:
        raise ConfigError(f"{len(found)} entries have a digest that begins with {key}", hint="`svod cache list` shows them")
    known = store.key_of(found[0])
    if digest_of(known) != found[0].digest:
        return Explanation("damaged", found[0].path, "the key cannot be read")
    return store.explain(known)


def rows(answer: object) -> Any:
    """An answer as lists, dictionaries, strings and numbers."""
    if isinstance(answer, list | tuple):
        return [rows(a) for a in answer]
    if isinstance(answer, dict):
        return {k: rows(v) for k, v in answer.items()}
    if isinstance(answer, Path):
        return str(answer)
    return rows(asdict(answer)) if hasattr(answer, "__dataclass_fields__") else answer  # type: ignore[call-overload]
