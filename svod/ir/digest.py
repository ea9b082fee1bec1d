"""A content hash of graphs: the same in every process, on every machine and Python version.

Owns: `digest`. Must not know what caches it is used for.
Invariant: depends on structure alone (op, dtype, arg, digests of the sources); equal digests mean the identical node. Anything that
changes the meaning of a text form or of an op must raise FORMAT.
"""
from __future__ import annotations

import hashlib

from svod.ir.argtext import arg_text
from svod.ir.uop import UOp

FORMAT = "svod-ir-1"
"""Part of every digest, so that digests of other versions of the IR never match."""


def digest(root: UOp) -> str:
    """The SHA-256 of the graph of `root`, as 64 hexadecimal digits; linear in its size, kept in `cache`.

    GraphError for an arg that has no text form (see `register_arg`).
    """
    if "digest" not in root.cache:
        for u in root.uncached("digest"):
            u.cache["digest"] = _own(u)
    found: str = root.cache["digest"]
    return found


def _own(u: UOp) -> str:
    arg = arg_text(u.arg)
    head = f"{FORMAT}\n{u.op.name}\n{u.dtype!r}\n{len(arg)}\n{arg}\n"
    return hashlib.sha256("".join([head, *(s.cache["digest"] for s in u.src)]).encode("ascii")).hexdigest()
