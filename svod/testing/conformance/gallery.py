"""The gallery of the kernel language as checks: the files of examples/kernels, which an installed svod has in svod/testing/gallery.

Owns: where they are, how they are imported. Must not know any kernel.
Invariant: a file there is a check by being there; importing them leaves neither `sys.path` nor the names of other modules changed.
"""
from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from svod.device.memo import MemoryCache
from svod.errors import ConfigError
from svod.testing.conformance.records import Check

PART = "language"
PLACES = (Path(__file__).parents[1] / "gallery", Path(__file__).parents[3] / "examples" / "kernels")
"""In an installed svod, in a checkout."""


def folder() -> Path:
    """Where the files are. ConfigError if they are nowhere."""
    for place in PLACES:
        if (place / "gallery.py").is_file():
            return place
    raise ConfigError("the gallery of kernels is not installed", at=str(PLACES[0]), hint="install svod from its wheel")


def names() -> list[str]:
    """The kernels, in the order of their names."""
    return sorted(p.stem for p in folder().glob("*.py") if p.stem not in ("gallery", "run", "__init__"))


_modules: MemoryCache[str, ModuleType] = MemoryCache(1 << 10)
_importing = threading.Lock()


def module(name: str) -> ModuleType:
    """The module of a kernel: with `check(device)`, which takes a device's name and raises AssertionError."""
    return _modules.get_or_make(name, lambda: _imported(name))


def _imported(name: str) -> ModuleType:
    with _importing, _beside(folder()):
        return importlib.import_module(name)


@contextmanager
def _beside(place: Path) -> Iterator[None]:
    """Modules of the folder can be imported as scripts there can, and are not seen afterwards."""
    mine = {p.stem for p in place.glob("*.py")}
    kept = {name: sys.modules.pop(name) for name in mine & sys.modules.keys()}
    sys.path.insert(0, str(place))
    try:
        yield
    finally:
        sys.path.remove(str(place))
        for name in mine & sys.modules.keys():
            del sys.modules[name]
        sys.modules.update(kept)


def gallery_checks() -> list[Check]:
    """One for each file."""
    return [Check(PART, name, lambda device, name=name: module(name).check(device.name)) for name in names()]  # type: ignore[misc]
