"""The records between the stages, PROGRAM as a graph, and what comes back from bytes."""
from __future__ import annotations

import copy
import json
import pickle
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svod.device.launch import LaunchDims, compile_dims
from svod.device.specs import STAGES, CompiledSpec, LaunchNeeds, ProgramSpec, from_payload, program_uop, stages, to_payload
from svod.dtype import dtypes
from svod.errors import GraphError, SpecError
from svod.ir.args import SpecialKind
from svod.ir.digest import digest
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.target.abi import Metadata, Param, describe

N, M = UOp.variable("n", 0, 1 << 20), UOp.variable("m", 1, 8)
OUT, A = UOp.param(0, dtypes.f32, name="out"), UOp.param(2, dtypes.bf16, 64, name="a")
SCALE, WIDE, FLAG = UOp.scalar("scale", dtypes.f32), UOp.scalar("wide", dtypes.u64), UOp.scalar("flag", dtypes.bool)
ONE = UOp.const(1, dtypes.index)


def group(extent: UOp | int = N) -> UOp:
    return UOp.special(SpecialKind.GLOBAL, 0, extent)


def kernel(name: str = "scale") -> UOp:
    value = A[UOp.special(SpecialKind.LOCAL, 1, M)].load().cast(dtypes.f32) * SCALE
    return UOp.sink(OUT.index(group(), FLAG).store(value), OUT[0].store(WIDE.cast(dtypes.f32)), name=name)


SINK = kernel()
LINEAR = UOp(Op.LINEAR, SINK.src)
META = describe(LINEAR)
WORK = N * 3 + (N + 7) // 8
SPEC = ProgramSpec("scale", "source text", "CPU", SINK, META, LaunchNeeds(2, 128, 64, 6, 16), (N, M * 2), WORK, ((0, frozenset((2,))),),
                   (N, M * 4, N, M, N, N))
COMPILED = CompiledSpec.from_source(SPEC)


def program(*names: str) -> UOp:
    """PROGRAM with these operands."""
    made = {"SINK": SINK, "DEVICE": UOp(Op.DEVICE, (), "CPU"), "LINEAR": LINEAR, "SOURCE": UOp(Op.SOURCE, (), "text"),
            "BINARY": UOp(Op.BINARY, (), b"\x7fELF"), "GROUP": UOp(Op.GROUP)}
    return UOp(Op.PROGRAM, tuple(made[n] for n in names))


ALL = tuple(op.name for op in STAGES)


# --- needs -----------------------------------------------------------------------------------------------------------------------

def test_a_launch_needs_one_phase_and_no_scratch_unless_told() -> None:
    assert LaunchNeeds() == LaunchNeeds(phases=1, shared_bytes=0, private_bytes=0, record_words=0, align=1)


@pytest.mark.parametrize("wrong", [{"phases": 0}, {"phases": True}, {"phases": 1.0}, {"shared_bytes": -1}, {"private_bytes": "4"},
                                   {"shared_bytes": 1 << 80}, {"record_words": -1}, {"align": 0}])
def test_absurd_needs(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(SpecError, match=f"cannot need {name} ="):
        LaunchNeeds(**wrong)


# --- PROGRAM ---------------------------------------------------------------------------------------------------------------------

def test_a_program_grows_stage_by_stage() -> None:
    parts: list[Any] = [SINK, "CPU", LINEAR, "text", b"\x7fELF"]
    for count in range(2, 6):
        assert program_uop(*parts[:count]) is program(*ALL[:count])
    assert program_uop(*program(*ALL).src) is program(*ALL)


@pytest.mark.parametrize(("parts", "missing"), [
    ((SINK, "CPU", None, "text"), "LINEAR"), ((SINK, "CPU", LINEAR, None, b"x"), "SOURCE"), ((SINK, "CPU", None, None, b"x"), "LINEAR"),
    ((None, "CPU"), "SINK"), ((SINK, None, LINEAR), "DEVICE"),
])
def test_no_stage_is_left_out(parts: tuple[Any, ...], missing: str) -> None:
    with pytest.raises(SpecError, match=f"the program has no {missing}"):
        program_uop(*parts)


@pytest.mark.parametrize("place", range(5))
def test_every_stage_has_its_op(place: int) -> None:
    parts: list[Any] = [SINK, "CPU", LINEAR, "text", b"\x7fELF"]
    for wrong, found in ((UOp(Op.GROUP), "GROUP"), (7, "7")):
        with pytest.raises(SpecError, match=f"the program has {found} where {ALL[place]} belongs") as caught:
            program_uop(*[wrong if i == place else p for i, p in enumerate(parts)])
        assert caught.value.at == f"operand {place} of PROGRAM"


# --- ProgramSpec -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("names", [ALL[:4], ALL], ids=["without BINARY", "with BINARY"])
def test_a_spec_of_a_program(names: tuple[str, ...]) -> None:
    needs = LaunchNeeds(phases=3)
    spec = ProgramSpec.from_uop(program(*names), needs=needs)
    assert spec == ProgramSpec("scale", "text", "CPU", SINK, META, needs)


@pytest.mark.parametrize("count", range(1, 4))
def test_the_stage_that_is_missing_is_named(count: int) -> None:
    with pytest.raises(SpecError, match=f"the program has no {ALL[count]}") as caught:
        ProgramSpec.from_uop(program(*ALL[:count]))
    assert caught.value.hint == "in this order: SINK, DEVICE, LINEAR, SOURCE, BINARY"


@pytest.mark.parametrize("place", range(5))
def test_the_stage_of_the_wrong_op_is_named(place: int) -> None:
    for wrong in (*ALL, "GROUP"):
        names = [wrong if i == place else n for i, n in enumerate(ALL)]
        if wrong != ALL[place]:
            with pytest.raises(SpecError, match=f"the program has {wrong} where {ALL[place]} belongs"):
                ProgramSpec.from_uop(program(*names))


def test_only_a_program_has_stages() -> None:
    with pytest.raises(SpecError, match="a SINK is no PROGRAM"):
        ProgramSpec.from_uop(SINK)
    assert stages(program(*ALL)) == program(*ALL).src[:4]


def test_metadata_comes_from_the_linear_program_not_from_the_sink() -> None:
    linear = UOp(Op.LINEAR, (UOp.variable("core_id", 0, 7), *LINEAR.src[1:]))
    spec = ProgramSpec.from_uop(program_uop(SINK, "CPU", linear, "text"))
    assert spec.global_size[0] is UOp.const(8, dtypes.index)
    assert spec.var_names == ("wide",)


def test_a_kernel_without_a_name_gets_one() -> None:
    assert ProgramSpec.from_uop(program_uop(kernel(""), "CPU", LINEAR, "text")).name == "kernel"


def test_a_graph_that_contradicts_itself_is_reported_as_such() -> None:
    clash = UOp(Op.LINEAR, (OUT[0].store(1.0), UOp.param(0, dtypes.i32)[0].store(1)))
    with pytest.raises(GraphError, match="buffer slot 0 is declared twice"):
        ProgramSpec.from_uop(program_uop(SINK, "CPU", clash, "text"))


DISAGREEMENTS: dict[str, Any] = {
    "params": (Param("out", dtypes.f32),), "vars": (M, N), "globals": (0, 1), "outs": (0, 2), "ins": (),
    "global_size": (ONE, ONE, ONE), "local_size": None,
}


@pytest.mark.parametrize("field", [f.name for f in fields(Metadata)])
def test_attached_metadata_that_disagrees_is_an_error(field: str) -> None:
    attached = replace(META, **{field: DISAGREEMENTS[field]})
    with pytest.raises(SpecError, match=f"the metadata of kernel 'scale' says {field} = ") as caught:
        ProgramSpec.from_uop(program(*ALL), meta=attached)
    assert caught.value.at == field


@pytest.mark.parametrize("field", ["params", "vars", "globals", "outs", "ins"])
def test_metadata_that_contradicts_itself_is_in_no_record(field: str) -> None:
    for record in (SPEC, COMPILED):
        with pytest.raises(SpecError, match="the metadata of kernel 'scale' contradicts itself"):
            replace(record, meta=replace(META, **{field: DISAGREEMENTS[field]}), reach=(), aliases=())


def test_a_record_is_held_against_the_program_that_was_rendered() -> None:
    other = UOp(Op.LINEAR, (*LINEAR.src, UOp.special(SpecialKind.GLOBAL, 1, N)))
    with pytest.raises(SpecError, match="the metadata of kernel 'scale' says global_size = "):
        SPEC.checked(other)
    with pytest.raises(SpecError, match="the metadata of kernel 'scale' says params = "):
        SPEC.checked(UOp(Op.LINEAR, LINEAR.src[1:]))


def test_attached_metadata_that_agrees_is_none() -> None:
    assert ProgramSpec.from_uop(program(*ALL), meta=META).meta == META
    assert SPEC.checked(LINEAR) is SPEC


@pytest.mark.parametrize("record", [SPEC, COMPILED], ids=["ProgramSpec", "CompiledSpec"])
def test_a_record_gives_the_parts_of_its_metadata(record: ProgramSpec | CompiledSpec) -> None:
    assert (record.vars, record.var_names) == ((FLAG, M, N, SCALE, WIDE), ("flag", "m", "n", "scale", "wide"))
    assert (record.globals, record.outs, record.ins, record.buf_count) == ((0, 2), (0,), (2,), 2)
    assert (record.global_size, record.local_size) == ((N, ONE, ONE), (ONE, M, ONE))


def test_a_fresh_spec_is_one_work_item() -> None:
    spec = ProgramSpec("nothing", "", "CPU", UOp.sink(), describe(UOp.sink()))
    assert (spec.global_size, spec.local_size) == ((ONE, ONE, ONE), (ONE, ONE, ONE))
    assert (spec.vars, spec.var_names, spec.globals, spec.outs, spec.ins, spec.buf_count) == ((), (), (), (), (), 0)
    assert (spec.needs, spec.reach, spec.work, spec.aliases) == (LaunchNeeds(), (), None, ())


def test_direct_ids_leave_no_local_size() -> None:
    meta = describe(UOp.sink(OUT[UOp.special(SpecialKind.DIRECT, 1, N)].store(1.0)))
    spec = ProgramSpec("direct", "text", "CPU", SINK, meta)
    assert (spec.global_size, spec.local_size) == ((ONE, N, ONE), None)


OTHER = UOp.variable("other", 0, 3)
FOREIGN: dict[str, dict[str, Any]] = {
    "reach": {"reach": (N, OTHER + 1)}, "work": {"work": OTHER}, "global_size": {"meta": replace(META, global_size=(N, OTHER, ONE))},
    "local_size": {"meta": replace(META, local_size=(OTHER * N, ONE, ONE))},
}
NAMESAKE = UOp.variable("n", 0, 7)


@pytest.mark.parametrize("record", [SPEC, COMPILED], ids=["ProgramSpec", "CompiledSpec"])
@pytest.mark.parametrize("part", FOREIGN)
def test_expressions_use_the_variables_of_the_kernel(record: ProgramSpec | CompiledSpec, part: str) -> None:
    with pytest.raises(SpecError, match=f"{part} of kernel 'scale' uses .*'other'.*, which is no variable of it"):
        replace(record, **FOREIGN[part])


def test_a_variable_of_the_same_name_is_another_one() -> None:
    with pytest.raises(SpecError, match=r"work of kernel 'scale' uses VarArg\(name='n', min=0, max=7\), which is no variable of it"):
        replace(SPEC, work=NAMESAKE)


@pytest.mark.parametrize("record", [SPEC, COMPILED], ids=["ProgramSpec", "CompiledSpec"])
@pytest.mark.parametrize(("change", "message"), [
    ({"name": ""}, "a kernel without a name"), ({"reach": (N,)}, r"has 2 buffer\(s\), and 1 expression\(s\) in reach"),
    ({"reach": (N, N, N)}, r"and 3 expression\(s\)"), ({"aliases": ((1, frozenset((0,))),)}, "has no buffer of slot 1"),
    ({"aliases": ((0, frozenset((2, 5))),)}, "has no buffer of slot 5"),
], ids=lambda v: v if isinstance(v, str) else None)
def test_records_that_do_not_fit_together(record: ProgramSpec | CompiledSpec, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        replace(record, **change)


@pytest.mark.parametrize("record", [SPEC, COMPILED], ids=["ProgramSpec", "CompiledSpec"])
def test_records_are_values(record: ProgramSpec | CompiledSpec) -> None:
    assert copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) == record
    assert hash(copy.copy(record)) == hash(record)
    with pytest.raises(FrozenInstanceError):
        record.name = "other"  # type: ignore[misc]


# --- CompiledSpec ----------------------------------------------------------------------------------------------------------------

def same_but(spec: CompiledSpec, *changed: str) -> bool:
    """All that both records have is the same, but for these fields."""
    return all(getattr(spec, f.name) == getattr(SPEC, f.name) for f in fields(SPEC) if f.name not in ("device", *changed))


def test_a_compiled_record_keeps_source_or_bytes() -> None:
    source, data = CompiledSpec.from_source(SPEC), CompiledSpec.from_bytes(SPEC, b"\x7fELF")
    assert (source.src, source.bytes) == ("source text", b"")
    assert (data.src, data.bytes) == (None, b"\x7fELF")
    assert same_but(source)
    assert same_but(data, "src")


def test_bytes_of_any_kind_become_bytes() -> None:
    assert type(CompiledSpec.from_bytes(SPEC, bytearray(b"abc")).bytes) is bytes


def test_a_compiled_record_has_exactly_one_of_source_and_bytes() -> None:
    with pytest.raises(SpecError, match="'scale' has neither source nor bytes"):
        CompiledSpec.from_bytes(SPEC, b"")
    with pytest.raises(SpecError, match="'scale' has both source and bytes"):
        CompiledSpec("scale", "text", b"bytes", SINK, META)
    assert CompiledSpec("scale", "", b"", SINK, META).src == ""


def test_a_compiler_may_choose_the_sizes() -> None:
    spec = CompiledSpec.from_source_with_sizes(SPEC, (N // 8, 2), (M * 8,))
    assert same_but(spec, "meta")
    assert spec.src == "source text"
    assert (spec.global_size, spec.local_size) == ((N // 8, UOp.const(2, dtypes.index), ONE), (M * 8, ONE, ONE))
    assert replace(spec.meta, global_size=META.global_size, local_size=META.local_size) == META
    values = {"n": 64, "m": 4, "scale": 0.5, "wide": 1, "flag": True}
    assert compile_dims(spec.meta, "scale")(values) == LaunchDims((8, 2, 1), (32, 1, 1))


@pytest.mark.parametrize(("sizes", "message"), [
    (((), (1,)), "global_size of kernel 'scale' has 0 axes"), (((1,), (1, 1, 1, 1)), "local_size of kernel 'scale' has 4 axes"),
    (((True,), (1,)), "global_size of kernel 'scale' holds True"), (((1,), (1.5,)), "local_size of kernel 'scale' holds 1.5"),
    (((SCALE,), (1,)), "global_size of kernel 'scale' holds <DEFINE_VAR f32"), (((N.broadcast(2),), (1,)), "holds <BROADCAST indexx2"),
    (((OTHER,), (1,)), "global_size of kernel 'scale' uses .*'other'"), (((1,), None), "has group ids, so it takes a local size"),
])
def test_sizes_that_a_compiler_may_not_choose(sizes: tuple[Any, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        CompiledSpec.from_source_with_sizes(SPEC, *sizes)


def test_direct_ids_stay_direct() -> None:
    spec = ProgramSpec("direct", "text", "CPU", SINK, describe(UOp.sink(OUT[UOp.special(SpecialKind.DIRECT, 0, N)].store(1.0))))
    assert CompiledSpec.from_source_with_sizes(spec, (N * 2,), None).global_size == (N * 2, ONE, ONE)
    with pytest.raises(SpecError, match="has direct ids, so it takes no local size"):
        CompiledSpec.from_source_with_sizes(spec, (N,), (1,))


# --- bytes -----------------------------------------------------------------------------------------------------------------------

DIRECT = describe(UOp.sink(OUT[UOp.special(SpecialKind.DIRECT, 0, N)].store(1.0)))
KEPT = {
    "source": COMPILED, "bytes": CompiledSpec.from_bytes(SPEC, bytes(range(256))), "empty source": replace(COMPILED, src=""),
    "no expressions": replace(COMPILED, reach=(), work=None, aliases=()), "direct": CompiledSpec("d", "text", b"", SINK, DIRECT),
    "nothing": CompiledSpec("nothing", "text", b"", UOp.sink(), describe(UOp.sink())),
    "odd text": replace(COMPILED, name='näme "quoted"\n', src="\N{SNOWMAN}\0\ud800\r\n"),
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("machine_code", [b"", b"\0machine\xff" * 100], ids=["no object", "object"])
def test_what_was_kept_comes_back(name: str, machine_code: bytes) -> None:
    spec = KEPT[name]
    back, code = from_payload(to_payload(spec, machine_code))
    assert code == machine_code
    assert spec.ast is not None
    assert back == replace(spec, ast=None, ast_digest=digest(spec.ast))
    assert replace(back, ast=spec.ast, ast_digest="") == spec
    kept = [(*s.vars, *s.global_size, *s.reach, *s.ids) for s in (spec, back)]
    for ours, theirs in zip(*kept, strict=True):
        assert ours is theirs
    assert [repr(p) for p in back.meta.params] == [repr(p) for p in spec.meta.params]


def test_what_came_back_can_be_kept_again() -> None:
    once = from_payload(to_payload(COMPILED))[0]
    assert to_payload(once) == to_payload(COMPILED)


def test_every_field_is_kept() -> None:
    """A field that is added to a record is kept too, or this fails."""
    assert {f.name for f in fields(CompiledSpec)} == {
        "name", "src", "bytes", "ast", "meta", "needs", "reach", "work", "aliases", "ast_digest", "ids"}
    assert {f.name for f in fields(Metadata)} == {"params", "vars", "globals", "outs", "ins", "global_size", "local_size"}
    assert {f.name for f in fields(Param)} == {"name", "dtype", "slot", "space", "reads", "writes", "size", "min", "max"}
    assert {f.name for f in fields(LaunchNeeds)} == {"phases", "shared_bytes", "private_bytes", "record_words", "align"}


PAYLOAD = to_payload(COMPILED, b"machine code")
HEAD = struct.Struct("<8sII")


def test_every_truncation_is_damage() -> None:
    for length in range(len(PAYLOAD)):
        with pytest.raises(SpecError):
            from_payload(PAYLOAD[:length])
    with pytest.raises(SpecError, match="checksum"):
        from_payload(PAYLOAD + b"\0")


def test_every_changed_byte_is_damage() -> None:
    for place in range(len(PAYLOAD)):
        with pytest.raises(SpecError):
            from_payload(PAYLOAD[:place] + bytes((PAYLOAD[place] ^ 0x20,)) + PAYLOAD[place + 1:])


@given(st.binary(max_size=200))
def test_any_other_bytes_are_damage(data: bytes) -> None:
    with pytest.raises(SpecError):
        from_payload(data)
    with pytest.raises(SpecError):
        from_payload(HEAD.pack(b"SVODSPC1", zlib.crc32(data), min(len(data), 64)) + data)


def sealed(change: Callable[[dict[str, Any]], None]) -> bytes:
    """The payload with another header, and the checksum put right."""
    length = HEAD.unpack_from(PAYLOAD)[2]
    header = json.loads(PAYLOAD[HEAD.size:HEAD.size + length])
    change(header)
    text = json.dumps(header).encode()
    body = text + PAYLOAD[HEAD.size + length:]
    return HEAD.pack(b"SVODSPC1", zlib.crc32(body), len(text)) + body


def test_the_header_is_plain_json() -> None:
    spec, code = from_payload(sealed(lambda h: h.update(name="renamed")))
    assert (spec.name, code) == ("renamed", b"machine code")


@pytest.mark.parametrize(("key", "last"), [("counts", 1), ("counts", 2), ("lengths", 11), ("lengths", 13), ("lengths", -1)])
def test_parts_add_up(key: str, last: int) -> None:
    with pytest.raises(SpecError, match=r"holds .* elements in place of"):
        from_payload(sealed(lambda h: h[key].__setitem__(-1, last)))


@pytest.mark.parametrize("key", json.loads(PAYLOAD[HEAD.size:HEAD.size + HEAD.unpack_from(PAYLOAD)[2]]))
@pytest.mark.parametrize("value", ["absent", None, "", [], {}, -1, [[]], [None] * 5, ["x"] * 4, [-1, 2, 3, 4], [1e9] * 5, {"a": 1}])
def test_a_header_that_makes_no_sense_is_damage_or_harmless(key: str, value: object) -> None:
    def change(header: dict[str, Any]) -> None:
        header.pop(key)
        if value != "absent":
            header[key] = value
    try:
        spec, _ = from_payload(sealed(change))
    except SpecError:
        return
    assert (key, value) in (("digest", ""), ("aliases", ""), ("aliases", []), ("aliases", {}))
    assert back_and_forth(spec)


def back_and_forth(spec: CompiledSpec) -> bool:
    return from_payload(to_payload(spec))[0] == spec


def test_reading_is_fast() -> None:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        from_payload(PAYLOAD)
        times.append(time.perf_counter() - began)
    assert min(times) < 2e-3, f"{min(times) * 1e3:.2f} ms"
