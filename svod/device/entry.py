"""The file that holds one cache entry: a header, the key, the payload, and a checksum over all of it.

Owns: the bytes. Must not know directories or what a payload is. No pickle: a payload is raw bytes, so reading an entry runs nothing.
Invariant: `parse` takes any bytes whatever, and gives back what was put in, or says what is wrong.

    0  magic      8 bytes        16  digest   32 bytes, SHA-256 of the key       56  checksum  32 bytes, SHA-256 of everything else
    8  version    u32            48  payload length   u64                        88  key (UTF-8), then payload, to the end of the file
   12  key length u32
"""
from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

MAGIC = b"SVODENT\n"
VERSION = 1
_HEAD = struct.Struct("<8sII32sQ")
HEADER_BYTES = _HEAD.size + 32


@dataclass(frozen=True, slots=True)
class Entry:
    """What was put in."""

    key: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Why bytes are not an entry."""

    reason: str


def digest_of(key: str) -> str:
    """SHA-256 of a key, in 64 hexadecimal digits: the name of its entry."""
    return hashlib.sha256(key.encode()).hexdigest()


def join_key(parts: Mapping[str, str]) -> str:
    """One key of named parts, a line each, so that `DiskCache.explain` can tell which part differs from what is stored."""
    return "\n".join(f"{name}={value.replace(chr(92), chr(92) * 2).replace(chr(10), chr(92) + 'n')}" for name, value in parts.items())


def split_key(key: str) -> dict[str, str]:
    """The parts of a key as `join_key` wrote them (line breaks stay escaped); a key of another shape is one part called "key"."""
    lines = [line.partition("=") for line in key.split("\n")]
    parts = {name: value for name, equals, value in lines if equals and name}
    return parts if len(parts) == len(lines) else {"key": key}


def build(key: str, payload: bytes) -> bytes:
    """The bytes of an entry."""
    name = key.encode()
    head = _HEAD.pack(MAGIC, VERSION, len(name), hashlib.sha256(name).digest(), len(payload))
    return b"".join((head, _checksum(head, name, payload), name, payload))


def parse(data: bytes, digest: str) -> Entry | Damage:
    """The entry in `data`, which must be the one of the key with this digest."""
    head = _head(data, digest)
    if isinstance(head, Damage):
        return head
    key_length, payload_length = head
    if len(data) != HEADER_BYTES + key_length + payload_length:
        return Damage(f"{len(data)} bytes instead of {HEADER_BYTES + key_length + payload_length}")
    body = memoryview(data)[HEADER_BYTES:]
    if _checksum(data[:_HEAD.size], body[:key_length], body[key_length:]) != data[_HEAD.size:HEADER_BYTES]:
        return Damage("the checksum does not match")
    return Entry(str(body[:key_length], "utf-8", "replace"), bytes(body[key_length:]))


def parse_key(data: bytes, digest: str) -> str | Damage:
    """The key of an entry of which `data` is the beginning; the checksum is not looked at."""
    head = _head(data, digest)
    if isinstance(head, Damage):
        return head
    key = data[HEADER_BYTES:HEADER_BYTES + head[0]]
    if hashlib.sha256(key).hexdigest() != digest:
        return Damage("the key is cut off, or is another one")
    return key.decode("utf-8", "replace")


def _head(data: bytes, digest: str) -> tuple[int, int] | Damage:
    if len(data) < HEADER_BYTES:
        return Damage(f"{len(data)} bytes, shorter than a header")
    magic, version, key_length, key_digest, payload_length = _HEAD.unpack_from(data)
    if magic != MAGIC:
        return Damage("not a svod cache entry")
    if version != VERSION:
        return Damage(f"format version {version}, not {VERSION}")
    if key_digest.hex() != digest:
        return Damage("the entry of another key")
    return key_length, payload_length


def _checksum(head: bytes, key: bytes | memoryview, payload: bytes | memoryview) -> bytes:
    h = hashlib.sha256(head)
    h.update(key)
    h.update(payload)
    return h.digest()
