"""Metadata as the graph says it: buffers, scalars, reads and writes, launch sizes, and each way a graph can contradict itself."""
from __future__ import annotations

import itertools

import pytest

from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import GraphError
from svod.ir.args import AtomicKind, ParamArg, SpecialArg, SpecialKind, VarArg
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.target.abi import Metadata, Param, describe, root_param

OUT, A, B = (UOp.param(slot, dtypes.f32, 16, name=name) for slot, name in enumerate(("out", "a", "b")))
N, M = UOp.variable("n", 1, 64), UOp.variable("m", 0, 7)
ZERO = UOp.const(0, dtypes.index)
GLOBAL, LOCAL, DIRECT = SpecialKind.GLOBAL, SpecialKind.LOCAL, SpecialKind.DIRECT


def sizes(meta: Metadata) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Launch sizes that are constants."""
    local = meta.local_size
    return tuple(int(s.arg.value) for s in meta.global_size), None if local is None else tuple(int(s.arg.value) for s in local)


def using(*values: UOp) -> Metadata:
    """The metadata of a kernel in which `values` are indices of stores."""
    return describe(UOp.sink(*(OUT[v].store(1.0) for v in values)))


def core_id(max_: int, min_: int = 0) -> UOp:
    return UOp.variable("core_id", min_, max_)


# --- parameters, reads and writes ------------------------------------------------------------------------------------------------

def test_a_graph_that_touches_nothing() -> None:
    meta = describe(UOp.sink())
    assert meta == Metadata((), (), (), (), (), meta.global_size, meta.local_size)
    assert sizes(meta) == ((1, 1, 1), (1, 1, 1))


def test_parameters_become_globals_by_slot() -> None:
    far = UOp.param(7, dtypes.i8, name="far")
    meta = describe(UOp.sink(far[0].store(1), B[0].store(A[0].load())))
    assert meta.globals == (1, 2, 7)
    assert [p.name for p in meta.buffers] == ["a", "b", "far"]


def test_a_parameter_of_another_device_is_no_argument_and_its_accesses_do_not_count() -> None:
    pinned = UOp(Op.PARAM, (UOp(Op.DEVICE, (), "CUDA:1"),), ParamArg(0, "pinned"), dtypes.f32.ptr())
    meta = describe(UOp.sink(A[0].store(pinned[0].load()), pinned[1].store(1.0)))
    assert (meta.globals, meta.outs, meta.ins) == ((1,), (1,), ())


def test_stores_are_outs_and_loads_are_ins() -> None:
    meta = describe(UOp.sink(OUT[0].store(A[0].load() + B[0].load())))
    assert (meta.outs, meta.ins) == ((0,), (1, 2))


def test_a_slot_that_is_read_and_written_is_in_both() -> None:
    meta = describe(UOp.sink(OUT[0].store(OUT[1].load() + A[0].load())))
    assert (meta.outs, meta.ins) == ((0,), (0, 1))


def test_an_atomic_reads_and_writes() -> None:
    meta = describe(UOp.sink(OUT[0].atomic(AtomicKind.ADD, A[0].load())))
    assert (meta.outs, meta.ins) == ((0,), (0, 1))


def test_a_parameter_that_is_not_accessed_is_an_argument_all_the_same() -> None:
    meta = describe(UOp(Op.LINEAR, (A, OUT[0].store(1.0))))
    assert (meta.globals, meta.outs, meta.ins) == ((0, 1), (0,), ())


GATE = UOp.variable("flag", 0, 1).ne(0)


@pytest.mark.parametrize("address", [
    OUT[3], OUT.index(3, GATE), OUT[3].after(A[0].store(0.0)), OUT.after(A[0].store(0.0))[3],
    UOp(Op.CAST, (OUT[3],), None, dtypes.f32.ptr()), UOp(Op.BITCAST, (OUT,), None, dtypes.f32.ptr())[3],
    UOp(Op.CAST, (UOp(Op.CAST, (OUT.index(3, GATE),), None, dtypes.f32.ptr()),), None, dtypes.f32.ptr()),
], ids=["index", "gate", "after index", "after pointer", "cast", "bitcast pointer", "casts and gate"])
def test_accesses_are_seen_through_casts_gates_and_order(address: UOp) -> None:
    value = UOp.const(1.0, dtypes.f32)
    written, read = UOp(Op.STORE, (address, value)), UOp(Op.LOAD, (address,), None, None)
    assert root_param(address) is OUT
    assert 0 in describe(UOp.sink(written)).outs
    assert describe(UOp.sink(B[0].store(read))).ins == (0,)


def test_memory_of_the_kernel_itself_is_no_argument() -> None:
    scratch = [UOp.memory(i, dtypes.f32, 4, space) for i, space in enumerate(AddrSpace)]
    meta = describe(UOp.sink(*(m[0].store(m[1].load()) for m in scratch)))
    assert (meta.params, meta.globals, meta.outs, meta.ins) == ((), (), (), ())
    assert [root_param(m[0]) for m in scratch] == [None] * 3


# --- the one order of arguments --------------------------------------------------------------------------------------------------

def test_the_abi_lists_buffers_by_slot_then_scalars_by_name_with_everything_a_call_needs() -> None:
    scale = UOp.scalar("scale", dtypes.f32)
    out = UOp.param(3, dtypes.f32, name="out")
    meta = describe(UOp.sink(out[N].store(A[M].load() * scale)))
    assert meta.params == (
        Param("a", dtypes.f32, 1, AddrSpace.GLOBAL, reads=True, writes=False, size=16),
        Param("out", dtypes.f32, 3, AddrSpace.GLOBAL, reads=False, writes=True, size=None),
        Param("m", dtypes.index, min=0, max=7),
        Param("n", dtypes.index, min=1, max=64),
        Param("scale", dtypes.f32, min=float("-inf"), max=float("inf")),
    )
    assert [p.is_buffer for p in meta.params] == [True, True, False, False, False]
    assert (meta.buffers, meta.scalars) == (meta.params[:2], meta.params[2:])


def test_the_order_does_not_depend_on_where_things_stand_in_the_graph() -> None:
    effects = [OUT[N].store(A[0].load()), B[M].store(1.0), OUT[0].store(B[1].load())]
    described = [describe(UOp.sink(*order)) for order in itertools.permutations(effects)]
    assert all(d == described[0] for d in described)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
def test_scalars_keep_their_dtype(dtype: DType) -> None:
    x = UOp.scalar("x", dtype)
    (param,) = describe(UOp.sink(UOp.param(0, dtype)[0].store(x))).scalars
    assert param == Param("x", dtype, min=dtype.min, max=dtype.max)
    assert param.dtype is dtype


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
def test_buffers_keep_their_dtype(dtype: DType) -> None:
    (param,) = describe(UOp.sink(UOp.param(0, dtype)[0].store(UOp.const(0, dtype)))).buffers
    assert param.dtype is dtype


def test_variables_are_ordered_by_name() -> None:
    z, a, b = (UOp.variable(name, 0, 9) for name in "zab")
    meta = using(z + a, b)
    assert meta.var_names == ("a", "b", "z")
    assert meta.vars == (a, b, z)


def test_variables_of_gates_extents_and_sizes_count_too() -> None:
    r = UOp.range(N, 0)
    meta = describe(UOp.sink(OUT.index(r, GATE).store(1.0).end(r), OUT[UOp.special(DIRECT, 0, M)].store(1.0)))
    assert meta.var_names == ("flag", "m", "n")


# --- launch sizes ----------------------------------------------------------------------------------------------------------------

def test_core_id_sets_axis_0_and_is_no_argument() -> None:
    meta = using(core_id(5) + N)
    assert sizes(meta) == ((6, 1, 1), (1, 1, 1))
    assert (meta.var_names, [p.name for p in meta.scalars]) == (("n",), ["n"])


def test_core_id_goes_with_ids_of_other_axes() -> None:
    assert sizes(using(core_id(3), UOp.special(GLOBAL, 1, 9))) == ((4, 9, 1), (1, 1, 1))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize(("kind", "expected"), [(GLOBAL, ((0,), (1, 1, 1))), (LOCAL, ((1, 1, 1), (0,))), (DIRECT, ((0,), None))])
def test_an_id_sets_its_axis(kind: SpecialKind, axis: int, expected: tuple[tuple[int, ...], tuple[int, ...] | None]) -> None:
    size = tuple(5 if i == axis else 1 for i in range(3))
    wanted = tuple(size if part == (0,) else part for part in expected)
    assert sizes(using(UOp.special(kind, axis, 5))) == wanted


def test_sizes_are_expressions_over_the_variables() -> None:
    meta = using(UOp.special(GLOBAL, 1, (N + 7) // 8), UOp.special(LOCAL, 0, M))
    assert meta.global_size[1] is (N + 7) // 8
    assert meta.local_size is not None
    assert meta.local_size[0] is M


def test_group_and_local_ids_go_together() -> None:
    ids = [UOp.special(GLOBAL, 0, 3), UOp.special(GLOBAL, 2, 4), UOp.special(LOCAL, 0, 32), UOp.special(LOCAL, 1, 2)]
    for order in itertools.permutations(ids):
        assert sizes(using(*order)) == ((3, 1, 4), (32, 2, 1))


def test_direct_ids_leave_no_local_size_whatever_the_order() -> None:
    for order in itertools.permutations([UOp.special(DIRECT, 0, 100), UOp.special(DIRECT, 1, 7), N]):
        assert sizes(using(*order)) == ((100, 7, 1), None)


def test_the_same_id_twice_is_one() -> None:
    assert sizes(using(UOp.special(GLOBAL, 0, 8), UOp.special(GLOBAL, 0, 8) + 1)) == ((8, 1, 1), (1, 1, 1))


# --- contradictions --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("kind", "other"), [(DIRECT, LOCAL), (DIRECT, GLOBAL)])
@pytest.mark.parametrize("axes", [(0, 0), (0, 1), (2, 0)])
@pytest.mark.parametrize("flip", [False, True])
def test_direct_ids_mix_with_no_others(kind: SpecialKind, other: SpecialKind, axes: tuple[int, int], flip: bool) -> None:
    ids = [UOp.special(kind, axes[0], 8), UOp.special(other, axes[1], 8)]
    with pytest.raises(GraphError, match=r"direct and (local|group) ids are mixed"):
        using(*ids[::-1] if flip else ids)


@pytest.mark.parametrize("kind", SpecialKind)
def test_one_axis_has_one_extent(kind: SpecialKind) -> None:
    with pytest.raises(GraphError, match=f"two {kind.value} ids of axis 1 have different extents"):
        using(UOp.special(kind, 1, 8), UOp.special(kind, 1, 9))


@pytest.mark.parametrize("axis", [-1, 3])
def test_a_launch_has_three_axes(axis: int) -> None:
    with pytest.raises(GraphError, match=f"a local id has axis {axis}"):
        using(UOp(Op.SPECIAL, (UOp.const(8, dtypes.index),), SpecialArg(LOCAL, axis), dtypes.index))


@pytest.mark.parametrize("other", [UOp.variable("n", 1, 65), UOp.variable("n", 0, 64), UOp.variable("n", 1, 64, dtypes.i32)])
def test_one_name_has_one_range_and_dtype(other: UOp) -> None:
    with pytest.raises(GraphError, match=r"variable 'n' has bounds \[1, 64\] index in one place and .* in another"):
        using(N, other.cast(dtypes.index))


@pytest.mark.parametrize("nodes", [
    (core_id(3, 1),), (core_id(3), UOp.special(GLOBAL, 0, 4)), (core_id(3), UOp.special(DIRECT, 0, 4)),
], ids=["from 1", "group ids", "direct ids"])
def test_core_id_has_axis_0_for_itself_and_counts_from_0(nodes: tuple[UOp, ...]) -> None:
    with pytest.raises(GraphError, match="core_id must count from 0 and cannot be combined"):
        using(*nodes)


@pytest.mark.parametrize("twin", [UOp.param(0, dtypes.f32, 17, name="out"), UOp.param(0, dtypes.f32, 16, name="o"),
                                  UOp.param(0, dtypes.i32, 16, name="out")])
def test_one_slot_is_one_parameter(twin: UOp) -> None:
    with pytest.raises(GraphError, match="buffer slot 0 is declared twice"):
        describe(UOp.sink(OUT[0].store(1.0), twin[0].store(1)))


def test_a_parameter_is_a_pointer() -> None:
    value = UOp(Op.PARAM, (), ParamArg(1, "x"), dtypes.f32)
    with pytest.raises(GraphError, match="parameter 'x' is f32, not a pointer"):
        describe(UOp.sink(OUT[0].store(value)))


def test_slots_count_from_0() -> None:
    with pytest.raises(GraphError, match="parameter 'x' has slot -1"):
        describe(UOp.sink(UOp(Op.PARAM, (), ParamArg(-1, "x"), OUT.dtype)[0].store(1.0)))


def test_core_id_is_told_by_its_name() -> None:
    odd = UOp(Op.DEFINE_VAR, (), VarArg("core_id", 0, 3), dtypes.i32)
    assert sizes(using(odd.cast(dtypes.index)))[0] == (4, 1, 1)
