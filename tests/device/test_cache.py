"""The disk cache: what goes in comes out or nothing does, whatever other processes, the disk, or an enemy do to the directory."""
from __future__ import annotations

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import svod.device.cache as module
from svod.device.cache import STALE_SECONDS, DiskCache, digest_of, join_key
from svod.device.entry import HEADER_BYTES, build

ROOT = Path(module.__file__).parents[2]
IS_ROOT = os.geteuid() == 0
NOBODY = 65534
BIG = 1 << 30

needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can make files of another user, or become one")
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture
def cache(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "c", BIG)


def file_of(cache: DiskCache, key: str) -> Path:
    digest = digest_of(key)
    return cache.root / digest[:2] / f"{digest}.bin"


def files(cache: DiskCache) -> list[Path]:
    return [p for p in cache.root.rglob("*") if p.is_file() and p.name != "tally"]


def total(cache: DiskCache) -> int:
    return sum(p.stat().st_size for p in files(cache))


# --- in and out --------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("key", ["k", "", "graph=1\nconfig=2", "ключ\0", "x" * 100_000])
@pytest.mark.parametrize("payload", [b"", b"\0" * 5, bytes(range(256)) * 12_000])
def test_what_is_put_is_found_by_any_cache_on_the_directory(cache: DiskCache, key: str, payload: bytes) -> None:
    assert cache.get(key) is None
    assert cache.put(key, payload)
    assert cache.get(key) == DiskCache(cache.directory, BIG).get(key) == payload
    assert cache.get(key + "?") is None
    assert cache.put(key, b"again")
    assert cache.get(key) == b"again"
    s = cache.stat()
    assert (s.entries, s.hits, s.misses, s.puts, s.removed, s.degraded) == (1, 2, 2, 2, 0, "")
    assert (s.nbytes, s.max_bytes, s.path) == (total(cache), BIG, cache.root)


def test_only_the_user_can_read_it_and_it_is_named_by_the_digest(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        cache = DiskCache(tmp_path / "a" / "b", BIG)
        cache.put("k", b"data")
    finally:
        os.umask(old)
    path = file_of(cache, "k")
    assert path.read_bytes() == build("k", b"data")
    for directory in (cache.directory, cache.root, path.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files(cache) == [path]


def test_nothing_is_made_until_something_is_put(cache: DiskCache) -> None:
    assert cache.get("k") is None
    assert (cache.stat().entries, cache.verify().checked, cache.clear().checked, list(cache.entries())) == (0, 0, 0, [])
    assert not cache.directory.exists()


def test_another_process_finds_it(cache: DiskCache) -> None:
    cache.put("k", b"from here")
    code = ("import sys; from pathlib import Path; from svod.device.cache import DiskCache; c = DiskCache(Path(sys.argv[1]));"
            "print(c.get('k').decode()); c.put('j', b'from there'); print('numpy' in sys.modules)")
    assert run(code, cache.directory).split("\n") == ["from here", "False"]
    assert cache.get("j") == b"from there"


def run(code: str, *args: object) -> str:
    done = subprocess.run([sys.executable, "-c", code, *map(str, args)], cwd=ROOT, text=True, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- damage ------------------------------------------------------------------------------------------------------------------------

KEY, PAYLOAD = "graph=1\nconfig=2", bytes(range(256)) * 4
POSITIONS = [0, 7, 8, 11, 12, 15, 16, 30, 47, 48, 55, 56, 87, HEADER_BYTES, HEADER_BYTES + 5, HEADER_BYTES + len(KEY), -500, -1]


@pytest.mark.parametrize("position", POSITIONS)
def test_a_changed_byte_is_a_miss_and_is_removed(cache: DiskCache, position: int) -> None:
    cache.put(KEY, PAYLOAD)
    path = file_of(cache, KEY)
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)
    assert cache.explain(KEY).state == "damaged"
    with pytest.warns(RuntimeWarning, match=f"was damaged .* is removed: {path}"):
        assert cache.get(KEY) is None
    assert not path.exists()
    assert cache.get(KEY) is None, "and no warning: it is not there any more"
    assert cache.stat().removed == 1
    assert cache.put(KEY, PAYLOAD)
    assert cache.get(KEY) == PAYLOAD


@pytest.mark.parametrize("data", [b"", b"x", build(KEY, PAYLOAD)[:60], build(KEY, PAYLOAD)[:HEADER_BYTES + 3], build(KEY, PAYLOAD)[:-1],
                                  build(KEY, PAYLOAD) + b"x", build("other", PAYLOAD), b"\x7fELF" + bytes(5000)])
def test_what_is_cut_or_foreign_is_a_miss_and_is_removed(cache: DiskCache, data: bytes) -> None:
    cache.put(KEY, PAYLOAD)
    path = file_of(cache, KEY)
    path.write_bytes(data)
    with pytest.warns(RuntimeWarning, match="was damaged"):
        assert cache.get(KEY) is None
    assert not path.exists()


def test_a_file_larger_than_the_cache_is_not_read(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    cache.put("k", b"x")
    with file_of(cache, "k").open("r+b") as f:
        f.truncate(1 << 40)
    with pytest.warns(RuntimeWarning, match="more than the whole cache may have"):
        assert cache.get("k") is None
    assert not file_of(cache, "k").exists()


def test_a_good_entry_put_in_the_place_of_a_damaged_one_is_not_removed(cache: DiskCache) -> None:
    """The other process was faster: between our look at the damage and its removal, the file became another one."""
    cache.put("k", b"damaged")
    path = file_of(cache, "k")
    seen = path.lstat()
    cache.put("k", b"good")
    assert not module._remove(path, seen)
    assert cache.get("k") == b"good"
    assert module._remove(path, path.lstat())


def test_verify_removes_what_is_damaged_and_what_dead_writers_left(cache: DiskCache) -> None:
    for i in range(10):
        cache.put(f"k{i}", PAYLOAD)
    file_of(cache, "k3").write_bytes(b"no")
    young, old = (file_of(cache, "k5").parent / f".{digest_of('k5')}.{pid}.aa.tmp" for pid in (1, 2))
    for p in (young, old):
        p.write_bytes(b"part")
    os.utime(old, (time.time() - STALE_SECONDS - 1,) * 2)
    report = cache.verify()
    assert report.checked == 10
    assert sorted(p.name for p, _ in report.removed) == sorted([file_of(cache, "k3").name, old.name])
    assert report.nbytes == 6
    assert {why for _, why in report.removed} == {"2 bytes, shorter than a header", "left behind by a process that died"}
    assert young.exists()
    assert cache.verify().removed == ()
    assert len(list(cache.entries())) == 9


# --- what is not ours --------------------------------------------------------------------------------------------------------------

def test_a_link_is_not_followed_and_its_target_is_left_alone(cache: DiskCache, tmp_path: Path) -> None:
    target, path = tmp_path / "target", file_of(cache, "k")
    cache.put("k", b"mine")
    path.rename(target)
    path.symlink_to(target)
    before = target.read_bytes()
    with pytest.warns(RuntimeWarning, match="a symbolic link"):
        assert cache.get("k") is None
    assert not path.is_symlink()
    path.symlink_to(target)
    assert cache.put("k", b"new")
    assert not path.is_symlink()
    assert cache.get("k") == b"new"
    assert target.read_bytes() == before


@needs_root
def test_files_of_another_user_are_not_read_nor_removed(cache: DiskCache) -> None:
    cache.put("k", b"mine")
    os.chown(file_of(cache, "k"), NOBODY, NOBODY)
    assert cache.get("k") is None
    assert file_of(cache, "k").exists()
    assert cache.put("k", b"new")
    assert cache.get("k") == b"new"


def test_files_that_others_may_write_are_not_read(cache: DiskCache) -> None:
    cache.put("k", b"mine")
    file_of(cache, "k").chmod(0o620)
    assert cache.get("k") is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_a_directory_in_the_place_of_an_entry_is_a_miss(cache: DiskCache, make: Callable[[Path], None]) -> None:
    cache.put("k", b"mine")
    file_of(cache, "k").unlink()
    make(file_of(cache, "k"))
    before = len(os.listdir("/proc/self/fd"))
    assert cache.get("k") is None
    assert cache.verify().removed == ()
    assert len(os.listdir("/proc/self/fd")) == before


def test_clear_removes_entries_and_nothing_else(cache: DiskCache, tmp_path: Path) -> None:
    for i in range(20):
        cache.put(f"k{i}", b"data")
    outside, inside = tmp_path / "outside", cache.root / "README"
    outside.mkdir()
    victim = outside / f"{'0' * 64}.bin"
    victim.write_bytes(b"precious")
    inside.write_text("kept")
    (file_of(cache, "k1").parent / "notes.txt").write_text("kept")
    for name in ("zz", "0"):
        (cache.root / name).mkdir()
        (cache.root / name / f"{'1' * 64}.bin").write_text("kept")
    free = next(f"{i:02x}" for i in range(256) if not (cache.root / f"{i:02x}").exists())
    (cache.root / free).symlink_to(outside)
    report = cache.clear()
    assert (report.checked, cache.stat().entries) == (20, 0)
    assert report.nbytes == 20 * (HEADER_BYTES + 4) + sum(len(f"k{i}") for i in range(20))
    assert victim.exists()
    assert sorted(p.name for p in files(cache)) == sorted(["README", "notes.txt", f"{'1' * 64}.bin", f"{'1' * 64}.bin"])
    assert cache.get("k1") is None
    assert cache.put("k1", b"data")


# --- size --------------------------------------------------------------------------------------------------------------------------

def test_the_entries_not_used_for_longest_make_room(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    for i in range(8):
        cache.put(f"k{i}", bytes(1000))
        time.sleep(0.002)
    assert cache.get("k0") is not None
    assert cache.get("k2") is not None
    for i in (8, 9):
        cache.put(f"k{i}", bytes(1000))
    kept = [i for i in range(10) if file_of(cache, f"k{i}").exists()]
    assert kept == [0, 2, 4, 5, 6, 7, 8, 9]
    assert cache.stat().removed == 2


def test_the_directory_never_holds_more_than_it_may(tmp_path: Path) -> None:
    cache, rng = DiskCache(tmp_path, 30_000), random.Random(3)
    for i in range(300):
        size = rng.choice((0, 10, 900, 5000, 12_000, 29_000))
        assert cache.put(f"k{rng.randrange(60)}", bytes(size))
        assert total(cache) <= 30_000, f"after put {i}"
        if rng.random() < 0.05:
            cache.clear()
        if rng.random() < 0.05:
            (cache.root / "tally").unlink(missing_ok=True)
    assert cache.stat().removed > 50


def test_an_entry_larger_than_the_cache_stays_in_memory_without_a_warning(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    cache.put("small", b"x")
    assert not cache.put("large", bytes(10_000))
    assert cache.get("large") == bytes(10_000)
    assert cache.explain("large").state == "hit"
    assert "memory" in cache.explain("large").reason
    assert DiskCache(tmp_path, 10_000).get("large") is None
    assert cache.get("small") == b"x"


def test_a_hit_counts_as_a_use(cache: DiskCache) -> None:
    cache.put("k", b"x")
    path = file_of(cache, "k")
    os.utime(path, (1, 1))
    cache.explain("k")
    cache.verify()
    assert path.stat().st_mtime == 1
    cache.get("k")
    assert time.time() - path.stat().st_mtime < 60


# --- disks that do not take it -----------------------------------------------------------------------------------------------------

def degrades(cache: DiskCache) -> None:
    """Everything works from memory, with one warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert not cache.put("a", b"1")
        assert not cache.put("b", b"2")
        assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1", b"2", None)
    assert [w.category for w in caught] == [RuntimeWarning]
    assert "kept in memory only" in str(caught[0].message)
    assert str(cache.directory) in str(caught[0].message)
    assert caught[0].filename == __file__
    assert cache.stat().degraded
    assert cache.explain("a").state == "hit"
    assert cache.clear() is not None
    assert cache.get("a") is None


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    degrades(DiskCache(tmp_path / "file", BIG))
    degrades(DiskCache(tmp_path / "file" / "below", BIG))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_a_directory_that_cannot_be_made() -> None:
    degrades(DiskCache(Path("/proc/svod"), BIG))


def test_a_directory_that_others_may_write_is_not_trusted(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, BIG)
    cache.root.mkdir()
    cache.root.chmod(0o777)
    degrades(cache)
    assert files(cache) == []
    cache.root.chmod(0o700)
    assert cache.put("a", b"1")


def test_a_link_in_the_place_of_the_directory_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "v1").symlink_to(tmp_path / "elsewhere")
    degrades(DiskCache(tmp_path, BIG))
    assert list((tmp_path / "elsewhere").iterdir()) == []


@needs_root
def test_a_directory_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, BIG)
    cache.root.mkdir(mode=0o700)
    os.chown(cache.root, NOBODY, NOBODY)
    degrades(cache)


READ_ONLY = """
import os, sys, warnings
from pathlib import Path
from svod.device.cache import DiskCache
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
cache = DiskCache(Path(sys.argv[1]))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(cache.get("old"), cache.put("a", b"1"), cache.put("b", b"2"), cache.get("a"), cache.get("b"), len(caught))
"""


@pytest.fixture
def shared_directory() -> Iterator[Path]:
    """A directory that another user can reach, which tmp_path is not."""
    path = Path(tempfile.mkdtemp(prefix="svod-cache-"))
    path.chmod(0o755)
    yield path
    subprocess.run(["chmod", "-R", "u+rwx", str(path)], check=True)
    shutil.rmtree(path)


def test_a_read_only_directory_is_read_and_not_written(shared_directory: Path) -> None:
    cache = DiskCache(shared_directory / "c", BIG)
    cache.put("old", b"kept")
    for p in [cache.directory, *cache.directory.rglob("*")]:
        if IS_ROOT:
            os.chown(p, NOBODY, NOBODY)
        p.chmod(0o500 if p.is_dir() else 0o400)
    assert run(READ_ONLY, cache.directory) == "b'kept' False False b'1' b'2' 1"


FULL = """
import os, resource, sys, warnings
from pathlib import Path
from svod.device.cache import DiskCache
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
cache = DiskCache(Path(sys.argv[1]))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(cache.put("a", bytes(100_000)), cache.put("b", bytes(200_000)), cache.put("c", b"small"), len(caught))
    print(cache.get("a") == bytes(100_000), cache.get("b") == bytes(200_000), cache.get("c"))
    print([p.name[-4:] for p in cache.root.rglob("*") if p.is_file() and p.name != "tally"], cache.stat().degraded)
"""


def test_a_full_disk_leaves_no_half_entries_and_works_again_later(tmp_path: Path) -> None:
    lines = run(FULL, tmp_path).split("\n")
    assert lines[:2] == ["False False True 1", "True True b'small'"]
    assert lines[2].startswith("['.bin'] [Errno 27]")
    assert DiskCache(tmp_path).get("c") == b"small"
    assert DiskCache(tmp_path).get("a") is None


def test_a_directory_that_is_removed_is_made_again(cache: DiskCache) -> None:
    cache.put("a", b"1")
    shutil.rmtree(cache.directory)
    assert cache.get("a") is None
    assert cache.put("a", b"2")
    assert cache.get("a") == b"2"
    shutil.rmtree(file_of(cache, "a").parent)
    assert cache.put("a", b"3")


# --- many at once ------------------------------------------------------------------------------------------------------------------

CROWD = """
import hashlib, os, random, sys
from pathlib import Path
from svod.device.cache import DiskCache
me, role, directory, limit = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
cache, rng, found = DiskCache(directory, limit), random.Random(me), 0
def payload(key, writer):
    body = f"{key} {writer} ".encode() * rng.choice((1, 50, 2000))
    return hashlib.sha256(key.encode() + body).digest() + body
for step in range(300):
    key = f"k{rng.randrange(40)}"
    if role == "write":
        cache.put(key, payload(key, me))
    data = cache.get(key)
    if data is not None:
        found += 1
        if hashlib.sha256(key.encode() + data[32:]).digest() != data[:32]:
            sys.exit(f"{role} {me}: {key} has the wrong bytes")
    if role == "verify" and step % 20 == 0:
        for path, why in cache.verify().removed:
            sys.exit(f"{path} is damaged: {why}")
s = cache.stat()
if s.degraded: sys.exit(s.degraded)
print(found)
"""


@pytest.mark.parametrize("limit", [BIG, 300_000])
def test_four_writers_two_readers_and_a_checker(tmp_path: Path, limit: int) -> None:
    roles = ["write"] * 4 + ["read"] * 2 + ["verify"]
    python = [sys.executable, "-W", "error::RuntimeWarning", "-c", CROWD]
    crowd = [subprocess.Popen([*python, str(i), role, str(tmp_path), str(limit)], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) for i, role in enumerate(roles)]
    found = []
    for p in crowd:
        out, err = p.communicate(timeout=60)
        assert p.returncode == 0, err
        found.append(int(out))
    assert min(found[:4]) > 0
    cache = DiskCache(tmp_path, limit)
    assert not [p for p in files(cache) if p.suffix == ".tmp"]
    assert cache.verify().removed == ()
    assert total(cache) <= limit + 4 * 60_000
    cache.put("one more", b"")
    cache._make_room()
    assert total(cache) <= limit


KILLED = """
import sys
from pathlib import Path
from svod.device.cache import DiskCache
cache, i = DiskCache(Path(sys.argv[1])), 0
while True:
    cache.put(f"k{i % 3}", bytes([i % 256]) * 8_000_000)
    i += 1
"""


def test_a_writer_killed_in_the_middle_leaves_whole_entries(tmp_path: Path) -> None:
    cache, leftovers, deadline = DiskCache(tmp_path), 0, time.monotonic() + 20
    while leftovers < 5 and time.monotonic() < deadline:
        with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT) as writer:
            before = {p for p in files(cache) if p.suffix == ".tmp"}
            while not {p for p in files(cache) if p.suffix == ".tmp"} - before:
                time.sleep(0.0005)
            writer.send_signal(signal.SIGKILL)
        leftovers = sum(p.suffix == ".tmp" for p in files(cache))
        for k in range(3):
            data = cache.get(f"k{k}")
            assert data is None or data == data[:1] * 8_000_000
    assert leftovers == 5
    assert cache.stat().removed == 0
    for p in files(cache):
        os.utime(p, (1, 1))
    report = cache.verify()
    assert [why for _, why in report.removed] == ["left behind by a process that died"] * 5
    assert not [p for p in files(cache) if p.suffix == ".tmp"]


def test_eight_threads_share_one_cache_while_it_is_cleared(cache: DiskCache) -> None:
    failed = []

    def work(me: int) -> None:
        rng = random.Random(me)
        try:
            for _ in range(150):
                key = f"k{rng.randrange(10)}"
                assert cache.put(key, key.encode() * 100)
                assert cache.get(key) in (None, key.encode() * 100)
                if me == 0:
                    cache.clear()
        except BaseException as e:  # noqa: BLE001
            failed.append(e)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=60)
    assert failed == []
    assert cache.stat().degraded == ""
    assert cache.verify().removed == ()


# --- explain -----------------------------------------------------------------------------------------------------------------------

def test_explain_says_what_differs_from_the_nearest_entry(cache: DiskCache) -> None:
    parts = {"graph": "abc", "config": "threads=2", "compiler": "llvm 20", "svod": "0.1"}
    cache.put(join_key(parts | {"graph": "zzz", "svod": "0.0"}), b"far")
    near = join_key(parts | {"config": "threads=4", "extra": "1"})
    cache.put(near, b"near")
    found = cache.explain(join_key(parts))
    assert (found.state, found.nearest) == ("absent", near)
    assert found.reason == "the nearest entry differs in config, extra"
    assert found.differences == (("config", "threads=4", "threads=2"), ("extra", "1", ""))
    assert found.path == file_of(cache, join_key(parts))
    hit = cache.explain(near)
    assert (hit.state, hit.reason, hit.differences) == ("hit", "4 bytes", ())
    assert cache.explain("nothing alike").reason == "no entry has a part of this key"
    assert {cache.key_of(e) for e in cache.entries()} >= {near}


def test_explain_and_key_of_survive_damage(cache: DiskCache) -> None:
    cache.put("a=1\nb=2", b"x")
    file_of(cache, "a=1\nb=2").write_bytes(b"gone")
    found = cache.explain("a=1\nb=3")
    assert (found.state, found.nearest) == ("absent", "")
    assert [cache.key_of(e) for e in cache.entries()] == [""]
    assert cache.explain("a=1\nb=2").state == "damaged"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert file_of(cache, "a=1\nb=2").exists()
