"""What made a cached kernel: a digest of the code of svod itself.

Owns: `code_fingerprint`. Must not know caches. Invariant: another version of any module that takes part in compiling gives another digest,
so that neither an upgrade nor an edited checkout is ever served code that an older svod made.
"""
from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from svod.version import __version__

MAKERS = ("dtype", "ir", "target", "codegen", "renderers", "device")
"""The packages that decide what a kernel compiles to."""


@cache
def code_fingerprint() -> str:
    """Digest of the sources of MAKERS, once a process (2 ms); of the version alone where there are no files, as in a zip."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=12)
    root = Path(__file__).parent.parent
    for package in MAKERS:
        for path in sorted(_sources(root / package)):
            digest.update(os.path.basename(path).encode())
            with open(path, "rb", buffering=0) as file:
                digest.update(file.read())
    return digest.hexdigest()


def _sources(folder: Path | str) -> Iterator[str]:
    """Paths of the files below `folder` that hold code. (Path.rglob takes three times as long.)"""
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".py", ".ll", ".s")):
                yield entry.path
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _sources(entry.path)
