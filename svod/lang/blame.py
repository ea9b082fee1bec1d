"""Where a kernel asks for what its target cannot do: errors of the code generator with the author's line.

Owns: finding the statement that an error is about among those a trace wrote. Must not know targets or how errors are worded.
Invariant: an error keeps its class and its words; only the place is added. Where nothing fits, the error stays as it is.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from svod.dtype import AddrSpace, PtrDType
from svod.errors import SvodError
from svod.ir.ops import Op
from svod.ir.uop import UOp

Places = Mapping[UOp, Any]
"""Memory, atomics, branches and loops of a trace -> the Place of each, None where it is not known."""
T = TypeVar("T")
_CONTROL = (Op.BRANCH, Op.FOR, Op.LOOP)


def with_places(make: Callable[[], T], places: Places) -> T:
    """`make()`, whose errors carry the place of what they are about."""
    try:
        return make()
    except SvodError as e:
        place = place_of(e.about, places) if isinstance(e.about, UOp) else None
        if place is None:
            raise
        raise type(e)(e.what, at=place.shown(), hint=e.hint) from e


def place_of(about: UOp, places: Places) -> Any:
    """The Place of a statement that has gone through the code generator, None if there is none like it."""
    known = {u: p for u, p in places.items() if p is not None}
    if about.op in _CONTROL:
        found = [(_likeness(about, u), u) for u in known if u.op in _CONTROL and any(True for _ in u.find(Op.BARRIER))]
        likeness, u = max(found, key=lambda f: f[0], default=(0.0, about))
        return known[u] if likeness else None
    if about.op is Op.ATOMIC:
        return next((p for u, p in known.items() if u.op is Op.ATOMIC and u.arg is about.arg and u.dtype is about.dtype.scalar), None)
    return _largest(known, lambda u: u.op is about.op and _base(u) is _base(about))


def largest_shared(places: Places) -> str:
    """Where the largest array that a kernel shares is made, as messages show it; "" if that is not known."""
    place = _largest({u: p for u, p in places.items() if p is not None},
                     lambda u: isinstance(u.dtype, PtrDType) and u.dtype.space is AddrSpace.LOCAL and not getattr(u.arg, "dynamic", False))
    return place.shown() if place is not None else ""


def _largest(known: Places, fits: Callable[[UOp], bool]) -> Any:
    found = [u for u in known if fits(u)]
    return known[max(found, key=lambda u: u.arg.size)] if found else None


def _base(memory: UOp) -> Any:
    return memory.dtype.base if isinstance(memory.dtype, PtrDType) else memory.dtype


def _likeness(a: UOp, b: UOp) -> float:
    """How much of two statements is the same, 0 to 1: values keep their numbers while a kernel is rewritten, ids and arguments stay."""
    mine, other = ({u.arg.id if u.op is Op.VALUE else u for u in s.toposort() if u.op is Op.VALUE or not u.src} for s in (a, b))
    return len(mine & other) / max(1, len(mine | other))
