"""What made a cached kernel: a digest of the code of svod itself.

Owns: `code_fingerprint`. Must not know caches. Invariant: another version of any module that takes part in compiling gives another digest,
so that neither an upgrade nor an edited checkout is ever served code that an older svod made.
"""
from __future__ import annotations

import hashlib
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
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".ll"):
                digest.update(path.name.encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
