"""Names of devices, and the probes behind them: svod's own, and those that other packages register by an entry point.

Owns: what a device name means, which probes there are, the devices that are open. Must not know any device, nor what a Device is.
Invariant: listing opens nothing and never raises; a broken plug-in is reported where it is listed and harms no other device; a name gives
the same object as long as the process lives, and a failed open leaves nothing behind.

A plug-in is a distribution with an entry point in the group `svod.devices`, whose name is the device's and whose object is a `Probe`.
"""
from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from svod.device.memo import MemoryCache
from svod.errors import ConfigError, DeviceError, DeviceUnavailable, SvodError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint  # 15 ms, and needed for plug-ins alone

GROUP = "svod.devices"
BUILT_IN: Mapping[str, str] = {"CPU": "svod.device.cpu:PROBE", "CC": "svod.device.cc:PROBE", "INTERP": "svod.device.interp:PROBE",
                                "NULL": "svod.device.null:PROBE", "OPENCL": "svod.device.opencl:PROBE",
                                "HIP": "svod.device.hip:PROBE", "METAL": "svod.device.metal:PROBE", "WEBGPU": "svod.device.webgpu:PROBE",
                                "CUDA": "svod.device.cuda:PROBE"}
"""svod's own devices: name -> where the probe is. Loaded when they are asked for."""
TAKES_ARGUMENT = frozenset(("NULL",))
"""Which of these take a word after the colon; the others take a number. Plug-ins are handed either."""
DEVICES_KEPT = 1 << 16

_OFFLINE = re.compile(r"(\w+)\(([\w.+-]+)\)")
_BASE = re.compile(r"[A-Z_][A-Z0-9_]*")
_NAME = re.compile(rf"({_BASE.pattern})(?::(?:([0-9]{{1,6}})|([A-Z_][A-Z0-9_.+-]*)))?")
_FORM = "a device is called NAME, NAME:2 or, for NULL, NAME:target"


class DeviceName(NamedTuple):
    """A name in parts. `unit` is the number after the colon (0 if there is none), or the word there, in lower case."""

    base: str
    unit: int | str = 0

    @property
    def number(self) -> int:
        """The number, 0 if there is none."""
        return self.unit if isinstance(self.unit, int) else 0

    @property
    def word(self) -> str:
        """The word, "" if there is none."""
        return self.unit if isinstance(self.unit, str) else ""

    def __str__(self) -> str:
        return f"{self.base}:{self.unit}" if self.unit else self.base


def parse_name(name: str) -> DeviceName:
    """`"cuda:1"` -> `("CUDA", 1)`, `"CPU"` and `"CPU:0"` -> `("CPU", 0)`, `"null:x86-64"` -> `("NULL", "x86-64")`. ConfigError."""
    if not isinstance(name, str):
        raise ConfigError(f"a device name is text, got {name!r}", hint=_FORM)
    if (m := _NAME.fullmatch(name.strip().upper())) is None:
        raise ConfigError(f"{name!r} is no device name", hint=_FORM)
    return DeviceName(m[1], m[3].lower() if m[3] else int(m[2] or 0))


def base_key(name: str) -> str:
    """The name without number or argument: `"CUDA:1"` -> `"CUDA"`. That of an offline device too: `"CPU(x86-64-v3)"` -> `"CPU"`."""
    return parse_name(name.partition("(")[0]).base


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One line of `svod.devices()`. `why` says why a device is not available, `hint` what to do about it."""

    name: str
    available: bool
    why: str = ""
    hint: str = ""
    details: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Facts worth showing: model, driver, memory."""


@runtime_checkable
class Probe(Protocol):
    """Finds and opens the devices of one name. Importing it and `probe()` must be cheap, and open nothing: no context, no driver handle.

    One that can render and compile without the hardware also has `offline(arch: str) -> Device`, see `OfflineProbe`.
    """

    @property
    def name(self) -> str:
        """The name before the colon, in upper case."""

    def probe(self) -> Sequence[DeviceInfo]:
        """What is there; one line that is not available, with its reason, where nothing is."""

    def open(self, index: int, arg: str) -> object:
        """The Device of this number or argument. DeviceUnavailable, with what to install, if it is not there."""


@runtime_checkable
class OfflineProbe(Probe, Protocol):
    """A probe whose devices can render and compile for hardware that is not there."""

    def offline(self, arch: str) -> object:
        """A Device for this architecture that runs nothing. DeviceUnavailable if there is no such architecture."""


class _Own(NamedTuple):
    """Where the probe of a device of svod's own is: what an EntryPoint says of one of a plug-in."""

    name: str
    value: str

    def load(self) -> object:
        """The probe."""
        module, _, attribute = self.value.partition(":")
        return getattr(import_module(module), attribute)


@dataclass(frozen=True, slots=True)
class _Known:
    """A device somebody knows how to open. `refusal` says why it is not to be, "" if it is."""

    name: str
    entry: EntryPoint | _Own
    origin: str = "svod"
    """The distribution that registered it."""
    refusal: str = ""


class Registry:
    """Probes by name, and what they opened. Safe to use from any thread."""

    def __init__(self, built_in: Mapping[str, str] = BUILT_IN) -> None:
        self.built_in = {name: _Known(name, _Own(name, where)) for name, where in built_in.items()}
        self._open: MemoryCache[str, object] = MemoryCache(DEVICES_KEPT)

    def list_devices(self) -> list[DeviceInfo]:
        """What each probe finds, and a line for each plug-in that is broken or refused; svod's own first. Opens nothing, never raises."""
        return [info for k in self._all() for info in _listed(k)]

    def open_device(self, name: str, *, offline: str = "") -> object:
        """The Device called `name`: the same object each time. With `offline`, one that only renders and compiles for that architecture.

        "CUDA(sm_90)", which is what such a device is called, means that too.
        ConfigError for text that is no name, DeviceUnavailable for a device that is not known, not there, or refused; DeviceError if
        opening it failed. After a failure the next call tries again.
        """
        if not offline and (m := _OFFLINE.fullmatch(name.strip())) is not None:
            name, offline = m.groups()
        wanted = parse_name(name)
        return self._open.get_or_make(f"{wanted}@{offline}", lambda: self._made(wanted, offline))

    def _all(self) -> list[_Known]:
        plug_ins = _plug_ins()
        count = Counter(p.name for p in plug_ins)
        return [*self.built_in.values(), *(replace(p, refusal=p.refusal or self._refusal(p, count[p.name])) for p in plug_ins)]

    def _refusal(self, plug_in: _Known, count: int) -> str:
        """Why a plug-in is not to be used."""
        if plug_in.name in self.built_in:
            return f"{plug_in.name} is one of svod's own devices, a plug-in cannot take its place"
        if count > 1:
            return f"{count} plug-ins are called {plug_in.name}"
        return "" if _BASE.fullmatch(plug_in.name) else f"{plug_in.entry.name!r} is no device name"

    def _made(self, wanted: DeviceName, offline: str) -> object:
        known = self.built_in.get(wanted.base) or self._plug_in(wanted.base)
        if wanted.word and wanted.base in self.built_in and wanted.base not in TAKES_ARGUMENT:
            raise DeviceUnavailable(f"there is no device {wanted}: {wanted.base} takes no argument", hint=f"use {wanted.base}")
        try:
            probe = _loaded(known)
        except DeviceUnavailable:
            raise
        except (Exception, SystemExit) as e:
            raise DeviceUnavailable(f"{wanted.base} cannot be loaded: {_said(e)}", at=known.origin, hint=_remedy(e)) from e
        try:
            made = _offline(probe, offline) if offline else probe.open(wanted.number, wanted.word)
        except SvodError:
            raise
        except Exception as e:
            raise DeviceError(f"opening {wanted} failed: {_said(e)}", at=known.origin) from e
        if made is None:
            raise DeviceError(f"the probe of {wanted} opened nothing", at=known.origin, hint="return a Device, or raise DeviceUnavailable")
        return made

    def _plug_in(self, base: str) -> _Known:
        """The plug-in called `base`. Entry points are read here, so never for svod's own devices."""
        everything = self._all()
        for known in everything:
            if known.name == base and known.refusal:
                raise DeviceUnavailable(f"{base} cannot be opened: {known.refusal}", at=known.origin, hint=_cure(known))
            if known.name == base:
                return known
        names = [known.name for known in everything if not known.refusal]
        near = [f"did you mean {n}? " for n in difflib.get_close_matches(base, names, 1)]
        raise DeviceUnavailable(f"there is no device called {base}", hint=f"{''.join(near)}known: {', '.join(names)}")


def _plug_ins() -> list[_Known]:
    """What the installed distributions register. One at a time, so that a damaged one harms no other; the same twice counts once."""
    from importlib.metadata import EntryPoint, distributions

    found: dict[tuple[str, str], _Known] = {}
    for dist in distributions():
        try:
            if GROUP not in (dist.read_text("entry_points.txt") or ""):
                continue
            origin = str(dist.metadata["Name"])
        except Exception:  # noqa: BLE001  (metadata that cannot be read, of a package that need not be any of ours)
            continue
        try:
            entries = [_Known(e.name.upper(), e, origin) for e in dist.entry_points if e.group == GROUP]
        except Exception as e:  # noqa: BLE001  (metadata that cannot be parsed)
            entries = [_Known(origin.upper(), EntryPoint(origin, "", GROUP), origin, f"its entry points cannot be read: {_said(e)}")]
        for known in entries:
            found.setdefault((known.name, known.entry.value), known)
    return sorted(found.values(), key=lambda k: (k.name, k.origin))


def _loaded(known: _Known) -> Probe:
    """The probe of a device. Raises whatever its import raises."""
    probe: Any = known.entry.load()
    if isinstance(probe, type) or not isinstance(probe, Probe):
        raise DeviceUnavailable(f"{known.entry.value} is {probe!r}, not a probe", at=known.origin,
                                hint="it needs name, probe() and open(index, arg)")
    if probe.name != known.name:
        raise DeviceUnavailable(f"{known.entry.value} calls itself {probe.name!r}, its entry point {known.name!r}", at=known.origin,
                                hint="use one name for both, in upper case")
    return probe


def _offline(probe: Probe, arch: str) -> object:
    if not isinstance(probe, OfflineProbe):
        raise DeviceUnavailable(f"{probe.name} can be used only where the hardware is", hint="open the device itself")
    return probe.offline(arch)


def _listed(known: _Known) -> list[DeviceInfo]:
    """What one probe finds, or why it finds nothing."""
    if known.refusal:
        return [DeviceInfo(f"{known.name} ({known.origin})", False, known.refusal, _cure(known))]
    try:
        found: list[Any] = list(_loaded(known).probe())
        for info in found:
            if not isinstance(info, DeviceInfo) or base_key(info.name) != known.name:
                return [DeviceInfo(known.name, False, f"its probe reported {info!r}", f"it must report DeviceInfo of {known.name}")]
        return found or [DeviceInfo(known.name, False, "its probe found nothing")]
    except (Exception, SystemExit) as e:  # noqa: BLE001  (code of other packages: whatever it does, the others are listed)
        return [DeviceInfo(known.name, False, _said(e), _remedy(e))]


def _cure(known: _Known) -> str:
    return f"uninstall or repair {known.origin}"


def _said(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, SvodError):
        return error.what
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _remedy(error: BaseException) -> str:
    if isinstance(error, SvodError):
        return error.hint
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install what provides the module {error.name.partition('.')[0]}"
    return ""


_REGISTRY = Registry()
"""The process's registry: what is open is open for everybody."""


def list_devices() -> list[DeviceInfo]:
    """Every device svod knows: there or not, why not, and what to install. Opens nothing, never raises."""
    return _REGISTRY.list_devices()


def open_device(name: str, *, offline: str = "") -> object:
    """The Device called `name`, see `Registry.open_device`."""
    return _REGISTRY.open_device(name, offline=offline)
