"""The bytes of a cache entry: whatever happens to them is found."""
from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svod.device.entry import HEADER_BYTES, MAGIC, Damage, Entry, build, digest_of, join_key, parse, parse_key, split_key

KEY = "graph=1\nconfig=2"
DATA = build(KEY, b"payload \0\xff")


@pytest.mark.parametrize("key", ["", "k", KEY, "ключ\0\n", "x" * 100_000])
@pytest.mark.parametrize("payload", [b"", b"\0", bytes(range(256)) * 300])
def test_what_is_built_is_parsed(key: str, payload: bytes) -> None:
    data = build(key, payload)
    assert parse(data, digest_of(key)) == Entry(key, payload)
    assert parse_key(data, digest_of(key)) == parse_key(data[:HEADER_BYTES + len(key.encode())], digest_of(key)) == key
    assert digest_of(key) == hashlib.sha256(key.encode()).hexdigest()


def test_every_changed_bit_is_found() -> None:
    for position in range(len(DATA)):
        for bit in range(8):
            changed = bytearray(DATA)
            changed[position] ^= 1 << bit
            assert isinstance(parse(bytes(changed), digest_of(KEY)), Damage), f"byte {position}, bit {bit}"


def test_every_length_but_the_right_one_is_found() -> None:
    for n in range(len(DATA)):
        assert isinstance(parse(DATA[:n], digest_of(KEY)), Damage), f"cut to {n} bytes"
    assert isinstance(parse(DATA + b"\0", digest_of(KEY)), Damage)
    assert isinstance(parse_key(DATA[:HEADER_BYTES + 3], digest_of(KEY)), Damage)


@pytest.mark.parametrize(("data", "reason"), [
    (b"", "shorter"), (b"x" * 200, "not a svod cache entry"), (MAGIC + bytes(200), "version 0"), (build("other", b""), "another key"),
    (DATA + b"z", f"{len(DATA) + 1} bytes instead of {len(DATA)}"), (DATA[:-1] + b"z", "checksum")])
def test_damage_says_why(data: bytes, reason: str) -> None:
    found = parse(data, digest_of(KEY))
    assert isinstance(found, Damage)
    assert reason in found.reason


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_can_be_parsed(data: bytes, headed: bool) -> None:
    data = DATA[:HEADER_BYTES] + data if headed else data
    assert isinstance(parse(data, digest_of(KEY)), Damage) or data == DATA
    assert parse_key(data, digest_of(KEY)) is not None


@given(st.dictionaries(st.text("abcdefgh-_ ", min_size=1), st.text(), max_size=5))
def test_named_parts_make_keys_that_differ_when_a_part_does(parts: dict[str, str]) -> None:
    key = join_key(parts)
    assert key.count("\n") == max(0, len(parts) - 1)
    if parts:
        found = split_key(key)
        assert list(found) == list(parts)
        for name, value in parts.items():
            assert join_key({**parts, name: value + "\\n"}) != join_key({**parts, name: value + "\n"}) != key


@pytest.mark.parametrize("key", ["", "plain", "a=1\nno equals sign", "a=1\na=2"])
def test_a_key_of_another_shape_is_one_part(key: str) -> None:
    assert split_key(key) == {"key": key}
