"""The records between the stages: ProgramSpec (rendered), CompiledSpec (compiled), PROGRAM (the same as a graph), and their bytes on disk.

Owns: what a program is, apart from how it runs. Must not know renderers, compilers, caches or devices.
Invariant: metadata is derived from the linear program and agrees with it; a record is complete, or making it is a SpecError; what
`from_payload` gives is what went into `to_payload`, or it is a SpecError.
"""
from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from svod.dtype import AddrSpace, dtypes
from svod.errors import SpecError, SvodError
from svod.ir.digest import digest
from svod.ir.ops import Op
from svod.ir.text import parse, to_text
from svod.ir.uop import UOp
from svod.target.abi import Metadata, Param, describe

Blob = bytes
Sizes = tuple[UOp, UOp, UOp]
Aliases = tuple[tuple[int, frozenset[int]], ...]
"""Slot of a buffer -> slots of buffers that may begin at the same address. Sorted pairs, so that a record can be hashed."""
STAGES = (Op.SINK, Op.DEVICE, Op.LINEAR, Op.SOURCE, Op.BINARY)
"""The operands of PROGRAM, in order."""
MAX_NEED = 1 << 60
"""Phases and bytes of scratch beyond this are absurd, and would not fit the 64 bits of a launch."""


@dataclass(frozen=True, slots=True)
class LaunchNeeds:
    """What the runtime must provide for a launch: phases to run, bytes of scratch of the launch, and of each core. SpecError if absurd.

    On devices whose work items have ids each phase is a kernel of its own, see svod/renderers/phases.py.

    `record_words`: words of the record in which a failing ASSERT leaves what it has to say, and a PRINT on devices with memory of their
    own; 64-bit words on the CPU, 32-bit words on those (svod/renderers/records.py); 0 for a kernel that has none. `align`: bytes of which
    the place of every buffer has to be a multiple, on devices with memory of their own.
    """

    phases: int = 1
    shared_bytes: int = 0
    private_bytes: int = 0
    record_words: int = 0
    align: int = 1

    def __post_init__(self) -> None:
        for f, least in (("phases", 1), ("shared_bytes", 0), ("private_bytes", 0), ("record_words", 0), ("align", 1)):
            value = getattr(self, f)
            if type(value) is not int or not least <= value <= MAX_NEED:
                raise SpecError(f"a launch cannot need {f} = {value!r}", hint=f"a whole number from {least} to {MAX_NEED}")


class _Described:
    """Mixin of both records: the parts of the metadata by their own names."""

    __slots__ = ()
    meta: Metadata

    @property
    def vars(self) -> tuple[UOp, ...]:
        """The variables, by name."""
        return self.meta.vars

    @property
    def var_names(self) -> tuple[str, ...]:
        """Names of the values `execute` takes, in order."""
        return self.meta.var_names

    @property
    def globals(self) -> tuple[int, ...]:
        """Slots of the buffers, in the order `execute` takes them."""
        return self.meta.globals

    @property
    def outs(self) -> tuple[int, ...]:
        """Slots that are written."""
        return self.meta.outs

    @property
    def ins(self) -> tuple[int, ...]:
        """Slots that are read."""
        return self.meta.ins

    @property
    def buf_count(self) -> int:
        """How many buffers `execute` takes."""
        return len(self.meta.globals)

    @property
    def global_size(self) -> Sizes:
        """Groups along each axis (work items where `local_size` is None), over `vars`."""
        return self.meta.global_size

    @property
    def local_size(self) -> Sizes | None:
        """Work items of a group along each axis; None where ids are direct."""
        return self.meta.local_size


@dataclass(frozen=True, slots=True)
class ProgramSpec(_Described):
    """A rendered kernel. SpecError if a part does not fit the others.

    `ast` is the graph that was given to the renderer; `meta` describes the linear program made of it. `reach` has an expression for each
    buffer, the least number of elements it must have, or is empty; `work` estimates a launch in ns. `ids` are the sizes, three global and
    three or no local ones, that ids of the kernel give a launch of a program that loops over them. All are over `vars`.
    """

    name: str
    src: str
    device: str
    ast: UOp
    meta: Metadata
    needs: LaunchNeeds = LaunchNeeds()
    reach: tuple[UOp, ...] = ()
    work: UOp | None = None
    aliases: Aliases = ()
    ids: tuple[UOp, ...] = ()

    def __post_init__(self) -> None:
        _check_record(self)

    @staticmethod
    def from_uop(program: UOp, *, meta: Metadata | None = None, needs: LaunchNeeds = LaunchNeeds()) -> ProgramSpec:
        """The record of a PROGRAM that has SINK, DEVICE, LINEAR and SOURCE (a BINARY may follow); metadata is derived from LINEAR.

        SpecError, naming the stage, for one that is missing or in the wrong place; SpecError if `meta` is given and says something else
        than the graph; GraphError if the graph contradicts itself.
        """
        sink, device, linear, source = stages(program)
        derived = describe(linear)
        if meta is not None:
            _agree(meta, derived, sink.arg.name)
        return ProgramSpec(sink.arg.name or "kernel", source.arg, device.arg, sink, derived, needs)

    def checked(self, linear: UOp) -> ProgramSpec:
        """This record, if its metadata is what `linear` (the program that was rendered) says; SpecError if not."""
        _agree(self.meta, describe(linear), self.name)
        return self


@dataclass(frozen=True, slots=True)
class CompiledSpec(_Described):
    """A compiled kernel: `src` where machine code is made while loading, else `bytes`, never both. SpecError if a part does not fit.

    `ast` is None in a record that was read from a cache, until the caller puts it back; `ast_digest` says which graph it was.
    """

    name: str
    src: str | None
    bytes: Blob
    ast: UOp | None
    meta: Metadata
    needs: LaunchNeeds = LaunchNeeds()
    reach: tuple[UOp, ...] = ()
    work: UOp | None = None
    aliases: Aliases = ()
    ast_digest: str = ""
    ids: tuple[UOp, ...] = ()

    def __post_init__(self) -> None:
        _check_record(self)
        if (self.src is None) != bool(self.bytes):
            what = "neither source nor bytes" if self.src is None else "both source and bytes"
            raise SpecError(f"the compiled kernel {self.name!r} has {what}", hint="CompiledSpec.from_source or CompiledSpec.from_bytes")

    @staticmethod
    def from_source(spec: ProgramSpec) -> CompiledSpec:
        """For compilers that keep the source and make machine code while loading."""
        return CompiledSpec(spec.name, spec.src, b"", spec.ast, spec.meta, spec.needs, spec.reach, spec.work, spec.aliases, ids=spec.ids)

    @staticmethod
    def from_bytes(spec: ProgramSpec, data: Blob) -> CompiledSpec:
        """For compilers that make machine code now. SpecError for no bytes."""
        return replace(CompiledSpec.from_source(spec), src=None, bytes=bytes(data))

    @staticmethod
    def from_source_with_sizes(spec: ProgramSpec, global_size: Sequence[UOp | int], local_size: Sequence[UOp | int] | None) -> CompiledSpec:
        """For compilers that choose how a launch is cut into groups: the sizes of `spec` replaced, 1 to 3 axes each, missing ones are 1.

        They may use the variables of `spec` only. SpecError for others, and for None where the kernel has group ids or the reverse: whether
        ids count groups or work items is written in the source.
        """
        if (local_size is None) != (spec.local_size is None):
            has, wants = ("direct ids", "no local size") if spec.local_size is None else ("group ids", "a local size")
            raise SpecError(f"kernel {spec.name!r} has {has}, so it takes {wants}")
        meta = replace(spec.meta, global_size=_sizes(global_size, "global_size", spec.name),
                       local_size=None if local_size is None else _sizes(local_size, "local_size", spec.name))
        return replace(CompiledSpec.from_source(spec), meta=meta)


# --- checks ------------------------------------------------------------------------------------------------------------------------

def _check_record(spec: ProgramSpec | CompiledSpec) -> None:
    """The parts of a record fit together."""
    if not spec.name:
        raise SpecError("a kernel without a name", hint='name it: UOp.sink(..., name="scale"), or render(ast, name=...)')
    meta = spec.meta
    if (meta.globals, meta.outs, meta.ins) != _slots(meta.buffers) or meta.params != (*meta.buffers, *map(_scalar, meta.vars)):
        raise SpecError(f"the metadata of kernel {spec.name!r} contradicts itself", at=repr(meta), hint="derive it: abi.describe(linear)")
    if spec.reach and len(spec.reach) != len(meta.globals):
        raise SpecError(f"kernel {spec.name!r} has {len(meta.globals)} buffer(s), and {len(spec.reach)} expression(s) in reach")
    if strange := {s for slot, others in spec.aliases for s in (slot, *others)} - set(meta.globals):
        raise SpecError(f"kernel {spec.name!r} has no buffer of slot {min(strange)}, but an alias names it", hint=f"slots: {meta.globals}")
    work = () if spec.work is None else (spec.work,)
    for part, exprs in (("global_size", meta.global_size), ("local_size", meta.local_size or ()), ("reach", spec.reach),
                        ("work", work), ("ids", spec.ids)):
        for v in (v for e in exprs if e.op is not Op.CONST for v in e.find(Op.DEFINE_VAR)):
            if v not in meta.vars:
                raise SpecError(f"{part} of kernel {spec.name!r} uses {v.arg}, which is no variable of it", hint=f"variables: {meta.vars}")


def _slots(buffers: Sequence[Param]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """All slots, those written, those read."""
    return tuple(p.slot for p in buffers), tuple(p.slot for p in buffers if p.writes), tuple(p.slot for p in buffers if p.reads)


def _scalar(v: UOp) -> Param:
    """The parameter of a variable."""
    return Param(v.arg.name, v.dtype, min=v.arg.min, max=v.arg.max)


def _agree(attached: Metadata, derived: Metadata, name: str) -> None:
    """SpecError, naming the first difference."""
    for f in fields(Metadata):
        ours, theirs = getattr(derived, f.name), getattr(attached, f.name)
        if ours != theirs:
            raise SpecError(f"the metadata of kernel {name!r} says {f.name} = {theirs}, its graph {ours}", at=f.name,
                            hint="leave the metadata out: it is derived")


def _sizes(given: Sequence[Any], what: str, name: str) -> Sizes:
    if not 1 <= len(given) <= 3:
        raise SpecError(f"{what} of kernel {name!r} has {len(given)} axes", hint="1 to 3 integers or index expressions")
    for s in given:
        if isinstance(s, bool) or not (isinstance(s, int) or (isinstance(s, UOp) and s.dtype.is_int and s.dtype.lanes == 1)):
            raise SpecError(f"{what} of kernel {name!r} holds {s!r}", hint="1 to 3 integers or index expressions")
    x, y, z = [s if isinstance(s, UOp) else UOp.const(s, dtypes.index) for s in (*given, 1, 1)][:3]
    return (x, y, z)


# --- PROGRAM -----------------------------------------------------------------------------------------------------------------------

def program_uop(sink: UOp, device: str | UOp, linear: UOp | None = None, source: str | UOp | None = None,
                binary: Blob | UOp | None = None) -> UOp:
    """PROGRAM with the stages reached so far. SpecError for a stage of the wrong op, or one that comes without those before it."""
    given: list[UOp | None] = [
        sink, UOp(Op.DEVICE, (), device) if isinstance(device, str) else device, linear,
        UOp(Op.SOURCE, (), source) if isinstance(source, str) else source,
        UOp(Op.BINARY, (), binary) if isinstance(binary, bytes) else binary]
    while given[-1] is None:
        given.pop()
    for place, (want, stage) in enumerate(zip(STAGES, given, strict=False)):
        _check_stage(place, want, stage)
    return UOp(Op.PROGRAM, tuple(s for s in given if s is not None))


def stages(program: UOp) -> tuple[UOp, UOp, UOp, UOp]:
    """SINK, DEVICE, LINEAR and SOURCE of a PROGRAM. SpecError, naming the stage, if one is missing or of the wrong op."""
    if program.op is not Op.PROGRAM:
        raise SpecError(f"a {program.op.name} is no PROGRAM", hint="program_uop(sink, device, linear, source)")
    for place, want in enumerate(STAGES[:max(4, len(program.src))]):
        _check_stage(place, want, program.src[place] if place < len(program.src) else None)
    sink, device, linear, source = program.src[:4]
    return sink, device, linear, source


def _check_stage(place: int, want: Op, stage: Any) -> None:
    at, order = f"operand {place} of PROGRAM", f"in this order: {', '.join(op.name for op in STAGES)}"
    if stage is None:
        raise SpecError(f"the program has no {want.name}", at=at, hint=order)
    if not isinstance(stage, UOp) or stage.op is not want:
        found = stage.op.name if isinstance(stage, UOp) else repr(stage)
        raise SpecError(f"the program has {found} where {want.name} belongs", at=at, hint=order)


# --- bytes -------------------------------------------------------------------------------------------------------------------------

_MAGIC = b"SVODSPC1"
_HEAD = struct.Struct("<8sII")
"""Magic, CRC-32 of everything after it, length of the JSON header; then the header, the graph's text, source, bytes, object."""


def to_payload(spec: CompiledSpec, machine_code: Blob = b"") -> Blob:
    """`spec` and the object a loader made of it, as bytes without pickle. The graph it was made of is kept as a digest only."""
    meta = spec.meta
    work = [spec.work] if spec.work is not None else []
    exprs = [*meta.vars, *meta.global_size, *(meta.local_size or ()), *spec.reach, *work, *spec.ids]
    text = to_text(UOp(Op.GROUP, tuple(exprs))).encode()
    src = b"" if spec.src is None else spec.src.encode("utf-8", "surrogatepass")
    header = json.dumps({
        "name": spec.name, "digest": digest(spec.ast) if spec.ast is not None else spec.ast_digest,
        "buffers": [[p.name, repr(p.dtype), p.slot, p.space and p.space.value, p.reads + 2 * p.writes, p.size] for p in meta.buffers],
        "counts": [len(meta.vars), 3, 3 if meta.local_size else 0, len(spec.reach), int(spec.work is not None), len(spec.ids)],
        "needs": [getattr(spec.needs, f.name) for f in fields(spec.needs)],
        "aliases": [[slot, sorted(others)] for slot, others in spec.aliases],
        "source": spec.src is not None, "lengths": [len(text), len(src), len(spec.bytes), len(machine_code)],
    }, separators=(",", ":")).encode()
    body = b"".join((header, text, src, spec.bytes, machine_code))
    return _HEAD.pack(_MAGIC, zlib.crc32(body), len(header)) + body


def from_payload(payload: Blob) -> tuple[CompiledSpec, Blob]:
    """The record (its `ast` None, see `ast_digest`) and the object. SpecError, which a cache takes for a miss, for any other bytes."""
    if len(payload) < _HEAD.size:
        raise SpecError(f"a compiled kernel of {len(payload)} bytes is cut off")
    magic, checksum, length = _HEAD.unpack_from(payload)
    body = memoryview(payload)[_HEAD.size:]
    if magic != _MAGIC or zlib.crc32(body) != checksum:
        raise SpecError("the bytes are no compiled kernel" if magic != _MAGIC else "the checksum of the compiled kernel does not match")
    try:
        header = json.loads(bytes(body[:length]))
        parts = _cut(body[length:], header["lengths"])
        return _restored(header, [bytes(p) for p in parts])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as e:  # made by something else than to_payload
        raise SpecError(f"the compiled kernel cannot be read: {type(e).__name__}: {e}") from e
    except SpecError:
        raise
    except SvodError as e:
        raise SpecError(f"the compiled kernel cannot be read: {e.what}", at=e.at) from e


def _exactly(values: Sequence[Any], count: int) -> Sequence[Any]:
    """ValueError for more or fewer."""
    if len(values) != count:
        raise ValueError(f"{len(values)} values in place of {count}")
    return values


def _cut(body: Any, lengths: Sequence[int]) -> list[Any]:
    """`body` in parts of these lengths, and nothing left over."""
    parts, at = [], 0
    for n in lengths:
        parts.append(body[at:at + n])
        at += n
    if at != len(body) or min(lengths, default=0) < 0:
        raise SpecError(f"the compiled kernel holds {len(body)} elements in place of {at}")
    return parts


def _restored(header: dict[str, Any], parts: list[Blob]) -> tuple[CompiledSpec, Blob]:
    text, src, data, machine_code = parts
    name, ast_digest, source = (_typed(header[key], kind) for key, kind in (("name", str), ("digest", str), ("source", bool)))
    variables, global_size, local_size, reach, work, ids = _cut(parse(text.decode()).src, header["counts"])
    needs = LaunchNeeds(*_exactly(header["needs"], len(fields(LaunchNeeds))))
    buffers = [_buffer(*row) for row in header["buffers"]]
    slots, outs, ins = _slots(buffers)
    meta = Metadata((*buffers, *map(_scalar, variables)), variables, slots, outs, ins, global_size, local_size or None)
    spec = CompiledSpec(
        name, src.decode("utf-8", "surrogatepass") if source else None, data, None, meta,
        needs, reach, work[0] if work else None,
        tuple((slot, frozenset(others)) for slot, others in header["aliases"]), ast_digest, ids)
    return spec, machine_code


def _buffer(name: object, dtype: str, slot: object, space: str | None, access: int, size: object) -> Param:
    where = None if space is None else AddrSpace(space)
    elements = None if size is None else _typed(size, int)
    return Param(_typed(name, str), dtypes.parse(dtype), _typed(slot, int), where, bool(access & 1), bool(access & 2), elements)


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise SpecError(f"the compiled kernel holds {value!r} in place of a {kind.__name__}")
    return value
