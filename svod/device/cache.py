"""Compiled kernels on disk: one file for each entry, shared by every process of a user.

Owns: the directory, who may be trusted in it, and how much it holds. Must not know what a payload is, nor how a key is made.
Invariant: whatever happens to the directory (other processes, a full or read-only disk, a crash, damage, an enemy's files), `get` gives
exactly the bytes that were put under that key, or nothing; no call raises because of it.

Layout: `<directory>/v1/<2 digits>/<64 digits>.bin`, the digits being the SHA-256 of the key. An entry is written beside its place and
renamed into it (os.replace), without locks and without fsync: a reader sees all of it or none, and the checksum finds what a crash cut
off. A file's mtime says when it was used last. The length of the file `v1/tally` counts what was put since the directory was last
measured, in units of 1 KB, so that a process need not measure it to know that it has grown too large.
"""
from __future__ import annotations

import os
import re
import stat
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from svod.config import DEFAULT_CACHE_BYTES
from svod.device.entry import HEADER_BYTES, Damage, Entry, build, digest_of, join_key, parse, parse_key, split_key
from svod.device.locks import new_lock
from svod.device.memo import MemoryCache, SingleFlight

__all__ = ["CacheStat", "DiskCache", "EntryInfo", "Explanation", "MemoryCache", "Report", "SingleFlight", "digest_of", "join_key"]

STALE_SECONDS = 600.0
"""A file that was being written this long ago belongs to a process that died."""
LOW_WATER = 0.9
"""How full the directory is after old entries were removed, as a share of `max_bytes`."""
FALLBACK_ENTRIES = 256
MAX_KEY_SHOWN = 1 << 16
"""Bytes. A longer key works; `explain` and `key_of` do not show it."""
_UNIT = 1024
_NAME = re.compile(r"[0-9a-f]{64}\.bin")
_TEMPORARY = re.compile(r"\.[0-9a-f]{64}\.[0-9]+\.[0-9a-f]+\.tmp")
_SHARD = re.compile(r"[0-9a-f]{2}")
_FLAGS = sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
"""Never follow a link, never wait for whoever is at the other end of a pipe."""
_READ = os.O_RDONLY | _FLAGS
_WRITE = os.O_WRONLY | os.O_CREAT | _FLAGS


@dataclass(frozen=True, slots=True)
class EntryInfo:
    """One entry as `entries()` lists it."""

    digest: str
    nbytes: int
    """Of the file."""
    used: float
    """When it was used last, in seconds since 1970."""
    path: Path


@dataclass(frozen=True, slots=True)
class CacheStat:
    """Figures: of the directory now, and of this process."""

    path: Path
    entries: int
    nbytes: int
    max_bytes: int
    hits: int
    misses: int
    puts: int
    removed: int
    """Entries that this process removed to make room, or because they were damaged."""
    degraded: str
    """Why entries are kept in memory only; empty if they are not."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` or `clear` did."""

    checked: int
    removed: tuple[tuple[Path, str], ...]
    """Each file that was removed, and why."""
    nbytes: int
    """Bytes that were removed."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a key hits or misses. `nearest` is the stored key that has most parts in common with it."""

    state: str
    """"hit", "absent", or "damaged"."""
    path: Path
    reason: str
    nearest: str = ""
    differences: tuple[tuple[str, str, str], ...] = ()
    """Name, stored value and value asked for of each part in which `nearest` differs; "" where one has no such part."""


class DiskCache:
    """At most `max_bytes` of entries below `directory`. Safe to use from any thread and any number of processes.

    What cannot be stored on disk (read-only, full, not a directory, others may write to it) is kept in memory, with one RuntimeWarning.
    """

    def __init__(self, directory: Path, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self.directory, self.max_bytes = directory, max_bytes
        self.root = directory / "v1"
        self._lock = new_lock()
        self._fallback: MemoryCache[str, bytes] = MemoryCache(FALLBACK_ENTRIES)
        self._trusted = False
        self._degraded = ""
        self._hits = self._misses = self._puts = self._removed = 0

    # --- the two operations that matter --------------------------------------------------------------------------------------------

    def get(self, key: str) -> bytes | None:
        """The payload put under `key`, or None. A hit counts as a use. A damaged entry is removed, with a RuntimeWarning that names it."""
        digest = digest_of(key)
        payload = self._fallback.get(digest)
        if payload is None and isinstance(found := self._read(digest, mark=True), Entry):
            payload = found.payload
        with self._lock:
            self._hits += payload is not None
            self._misses += payload is None
        return payload

    def put(self, key: str, payload: bytes) -> bool:
        """Keep `payload` under `key`; True if it is on disk now, False if in memory only. Entries not used for longest make room."""
        digest, data = digest_of(key), build(key, payload)
        if len(data) > self.max_bytes:
            self._fallback.put(digest, payload)
            return False
        try:
            try:
                self._store(digest, data)
            except FileNotFoundError:  # someone removed the directory, or cleared the cache between our write and our rename
                self._trusted = False
                self._store(digest, data)
        except OSError as e:
            self._fallback.put(digest, payload)
            self._degrade(e)
            return False
        self._fallback.discard(digest)
        with self._lock:
            self._puts += 1
        return True

    # --- looking after it ----------------------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[EntryInfo]:
        """Every entry, in no order, checked for its name only. Files of other names are not ours, and not listed."""
        return (EntryInfo(path.name[:64], s.st_size, s.st_mtime, path) for path, s in self._files() if _NAME.fullmatch(path.name))

    def key_of(self, info: EntryInfo) -> str:
        """The key of an entry; empty if it cannot be read."""
        found = self._begin(info.path, info.digest)
        return found if isinstance(found, str) else ""

    def stat(self) -> CacheStat:
        """The figures now; measures the directory."""
        sizes = [e.nbytes for e in self.entries()]
        with self._lock:
            return CacheStat(self.root, len(sizes), sum(sizes), self.max_bytes, self._hits, self._misses, self._puts, self._removed,
                             self._degraded)

    def verify(self) -> Report:
        """Read every entry, and remove what is damaged or was left behind by a process that died."""
        checked, removed, nbytes = 0, [], 0
        for path, s in self._files():
            if _NAME.fullmatch(path.name):
                checked += 1
                found = self._read(path.name[:64], mark=False)
                reason = found.reason if isinstance(found, Damage) else ""
            else:
                reason = "left behind by a process that died" if _is_stale(s) else ""
                _remove(path, s, wanted=bool(reason))
            if reason:
                removed.append((path, reason))
                nbytes += s.st_size
        return Report(checked, tuple(removed), nbytes)

    def clear(self) -> Report:
        """Remove every entry, and nothing else: other files and the directories stay."""
        self._fallback.clear()
        removed = [(path, s.st_size) for path, s in self._files() if _remove(path, s)]
        with suppress(OSError):
            os.unlink(self.root / "tally")
        return Report(len(removed), tuple((path, "cleared") for path, _ in removed), sum(size for _, size in removed))

    def explain(self, key: str) -> Explanation:
        """Why `get(key)` hits or misses, and what would have to be equal for the nearest stored key to be this one. Changes nothing."""
        digest = digest_of(key)
        path = self._path(digest)
        if self._fallback.get(digest) is not None:
            return Explanation("hit", path, f"in the memory of this process only: {self._degraded or 'larger than the whole cache may be'}")
        found = self._load(path, digest)
        if isinstance(found, Entry):
            return Explanation("hit", path, f"{len(found.payload)} bytes")
        if isinstance(found, Damage):
            return Explanation("damaged", path, found.reason)
        wanted, best = split_key(key), ("", dict[str, str](), 0)
        for info in sorted(self.entries(), key=lambda e: e.used, reverse=True):
            parts = split_key(other := self.key_of(info))
            if (common := len(parts.items() & wanted.items())) > best[2]:
                best = (other, parts, common)
        if not best[0]:
            return Explanation("absent", path, "no entry has a part of this key")
        names = dict.fromkeys([*wanted, *best[1]])
        different = tuple((n, best[1].get(n, ""), wanted.get(n, "")) for n in names if best[1].get(n) != wanted.get(n))
        return Explanation("absent", path, f"the nearest entry differs in {', '.join(n for n, _, _ in different)}", best[0], different)

    # --- reading -------------------------------------------------------------------------------------------------------------------

    def _path(self, digest: str) -> Path:
        return self.root / digest[:2] / f"{digest}.bin"

    def _read(self, digest: str, *, mark: bool) -> Entry | Damage | None:
        """An entry, None if there is none, or what was wrong with the one that there was until now."""
        path = self._path(digest)
        found = self._load(path, digest)
        if isinstance(found, Damage):
            with suppress(OSError):
                if _remove(path, os.lstat(path)):
                    with self._lock:
                        self._removed += 1
                    if mark:
                        warnings.warn(f"an entry of the kernel cache was damaged ({found.reason}) and is removed: {path}. The kernel is "
                                      "compiled again; `svod cache verify` looks through the others", RuntimeWarning, stacklevel=3)
        elif found is not None and mark:
            with suppress(OSError):
                os.utime(path, ns=(now := time.time_ns(), now), follow_symlinks=False)
        return found

    def _load(self, path: Path, digest: str) -> Entry | Damage | None:
        data = _contents(path, self.max_bytes)
        return parse(data, digest) if isinstance(data, bytes) else data

    def _begin(self, path: Path, digest: str) -> str | Damage | None:
        """The key in a file, without the payload."""
        data = _contents(path, HEADER_BYTES + MAX_KEY_SHOWN, cut=True)
        return parse_key(data, digest) if isinstance(data, bytes) else data

    # --- writing: these raise OSError ----------------------------------------------------------------------------------------------

    def _store(self, digest: str, data: bytes) -> None:
        self._trust()
        full = self._count(len(data))
        path = self._path(digest)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _replace(path, data)
        if full:
            self._make_room()

    def _trust(self) -> None:
        """Make the directory, and refuse one in which other users may put files: what is stored here is code that will run."""
        if self._trusted:
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.mkdir(mode=0o700, exist_ok=True)
        found = os.lstat(self.root)
        if not stat.S_ISDIR(found.st_mode) or not _is_ours(found):
            raise PermissionError(f"{self.root} is a link, or belongs to another user, or others may write to it (chmod 700 would help)")
        self._trusted = True

    def _count(self, nbytes: int) -> bool:
        """Add an entry to the tally; True if the directory may be full."""
        fd = os.open(self.root / "tally", _WRITE | os.O_APPEND, 0o600)
        try:
            before = os.fstat(fd).st_size
            os.write(fd, bytes(-(-nbytes // _UNIT)))
            return before == 0 or (before + -(-nbytes // _UNIT)) * _UNIT > self.max_bytes
        finally:
            os.close(fd)

    def _make_room(self) -> None:
        """Measure the directory, remove what was not used for longest if there is too much, and start a new tally."""
        found, total = [], 0
        for path, s in self._files():
            if _NAME.fullmatch(path.name):
                found.append((s.st_mtime_ns, path, s))
                total += s.st_size
            else:
                _remove(path, s, wanted=_is_stale(s))
        if total > self.max_bytes:
            found.sort(key=lambda f: f[0], reverse=True)
            while total > self.max_bytes * LOW_WATER and len(found) > 1:
                _, path, s = found.pop()
                total -= s.st_size
                with self._lock:
                    self._removed += _remove(path, s)
        with suppress(FileNotFoundError):
            os.truncate(self.root / "tally", max(1, -(-total // _UNIT)))

    def _degrade(self, error: OSError) -> None:
        with self._lock:
            first, self._degraded = not self._degraded, str(error)
        if first:
            warnings.warn(f"the kernel cache in {self.directory} cannot be written ({error}); compiled kernels are kept in memory only. "
                          "SVOD_CACHE_DIR moves the cache, SVOD_CACHE=0 turns it off", RuntimeWarning, stacklevel=3)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Entries and temporary files, by name; nothing else that may lie in the directory."""
        for shard in _scan(self.root):
            if _SHARD.fullmatch(shard.name) and shard.is_dir(follow_symlinks=False):
                for file in _scan(Path(shard.path)):
                    if (_NAME.fullmatch(file.name) or _TEMPORARY.fullmatch(file.name)) and (found := _stat(file)):
                        yield Path(file.path), found


def _scan(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except OSError:
        return []


def _stat(file: os.DirEntry[str]) -> os.stat_result | None:
    """None if it has gone since it was listed."""
    try:
        return file.stat(follow_symlinks=False)
    except OSError:
        return None


def _is_ours(found: os.stat_result) -> bool:
    """Nobody but this user may have written it."""
    me = getattr(os, "geteuid", None)
    return me is None or (found.st_uid == me() and not found.st_mode & 0o022)


def _is_stale(found: os.stat_result) -> bool:
    return time.time() - found.st_mtime > STALE_SECONDS


def _contents(path: Path, limit: int, *, cut: bool = False) -> bytes | Damage | None:
    """The bytes of a regular file of ours; None if there is no file, or one that is not ours to judge."""
    try:
        fd = os.open(path, _READ)
    except OSError:
        return Damage("a symbolic link") if path.is_symlink() else None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or not _is_ours(found):
            return None
        if found.st_size > limit and not cut:
            return Damage(f"{found.st_size} bytes, more than the whole cache may have")
        return _read_all(fd, min(found.st_size, limit))
    except OSError as e:
        return Damage(f"cannot be read: {e}")
    finally:
        os.close(fd)


def _read_all(fd: int, size: int) -> bytes:
    """`size` bytes, or what there is."""
    parts = [os.read(fd, size)]
    while (size := size - len(parts[-1])) and parts[-1]:
        parts.append(os.read(fd, size))
    return b"".join(parts)


def _remove(path: Path, found: os.stat_result, *, wanted: bool = True) -> bool:
    """Remove a file or link that was seen as `found`, unless another one has taken its place since."""
    with suppress(OSError):
        if wanted and not stat.S_ISDIR(found.st_mode) and os.lstat(path).st_ino == found.st_ino:
            os.unlink(path)
            return True
    return False


def _replace(path: Path, data: bytes) -> None:
    """Write `data` beside `path` and rename it there: readers see all of it, or what was there before."""
    temporary = path.parent / f".{path.name[:64]}.{os.getpid()}.{os.urandom(8).hex()}.tmp"
    fd = os.open(temporary, _WRITE | os.O_EXCL, 0o600)
    try:
        with open(fd, "wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest):]
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
