"""What a device can do, in words: its limits and types, read from its Target.

Owns: the facts and how they are spelled. Must not know any device.
Invariant: a device that cannot be opened has no facts; asking never raises.
"""
from __future__ import annotations

from svod.device.device import Device
from svod.dtype import DType, dtypes
from svod.errors import SvodError
from svod.lang.sizes import limits_of
from svod.target import Target
from svod.tools.output import size_text

KINDS = (dtypes.INTS, tuple(d for d in dtypes.ALL if d.is_float))


def facts_of(name: str) -> dict[str, str]:
    """fact -> value of the device of this name; empty if it cannot be opened."""
    try:
        return facts(Device(name).target)
    except SvodError:
        return {}


def facts(target: Target) -> dict[str, str]:
    """fact -> value."""
    limits = limits_of(target.limits)
    return {
        "work items of a group": f"{limits.threads} (up to {' x '.join(map(str, limits.block))})",
        "groups": " x ".join(map(str, limits.grid)),
        "shared memory": size_text(limits.shared_bytes),
        "buffers of a kernel": str(limits.buffers),
        "computes in": types(d for d in dtypes.ALL if target.computes(d)),
        "emulates": types(d for d in dtypes.ALL if not target.computes(d) and d in target.storage) or "nothing",
        **({"vector registers": f"{target.vector_bits} bits"} if target.vector_bits else {}),
        **({"mma of": ", ".join(sorted(map(str, target.products)))} if getattr(target, "products", None) else {}),
    }


def types(kinds: object) -> str:
    """Names of types in the order of dtypes.ALL."""
    chosen: set[DType] = set(kinds)  # type: ignore[call-overload]
    return " ".join(d.name for d in dtypes.ALL if d in chosen)
