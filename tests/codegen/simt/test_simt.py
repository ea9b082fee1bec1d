"""What thread kernels become on the CPU: contiguous accesses, registers, regions, and what is refused."""
from __future__ import annotations

import numpy as np
import pytest

import svod
from svod.codegen.passes import Context
from svod.codegen.simt import lower_threads
from svod.codegen.simt.counters import with_counters
from svod.codegen.simt.shape import has_barrier, prepared
from svod.codegen.simt.streams import with_streams
from svod.codegen.simt.uniform import Uniformity
from svod.codegen.simt.values import with_values
from svod.config import Config
from svod.device.cpu.probe import cpu_target
from svod.dtype import AddrSpace, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind, SubgroupKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.testing.threads import Threads

F32, I32, I64 = dtypes.f32, dtypes.i32, dtypes.i64
A, B, C = (UOp.param(i, F32, name=n) for i, n in enumerate("abc"))
N = UOp.variable("n", 0, 1 << 30)
GRID = {"_grid_x": 4, "_grid_y": 1, "_grid_z": 1}
TARGET = cpu_target("znver4", 512, 32, 2)


def lowered(k: Threads) -> list[UOp]:
    """The instructions of a kernel for a CPU with AVX-512."""
    return list(lower_threads(k.kernel(), Context(TARGET, Config())).src)


def index_of(access: UOp) -> UOp:
    """The index an access goes to."""
    return access.src[0].src[1]


def saxpy() -> Threads:
    k = Threads("saxpy", (64, 1, 1))
    i = k.item()
    with k.if_(i < N):
        k.store(B, i, k.load(A, i) * 2.0 + k.load(B, i))
    return k


def test_neighbouring_work_items_access_neighbouring_elements_as_one_vector() -> None:
    accesses = [u for u in lowered(saxpy()) if u.op in (Op.LOAD, Op.STORE)]
    assert all(index_of(u).op is Op.RAMP for u in accesses)
    gated = [len(u.src[0].src) == 3 for u in accesses]
    assert gated == [False] * 12 + [True] * 3, "four vectors where all work items take part, without masks, else one after the other"


def test_independent_groups_go_row_by_row_of_the_grid() -> None:
    """The rows of a block of 64 × 4 are in the loop outside, the groups along x in the loop inside, without divisions."""
    k = Threads("copy", (64, 4, 1))
    x, y = k.item(0), k.item(1)
    k.store(B, y * 1000 + x, k.load(A, y * 1000 + x))
    instructions = lowered(k)
    ranges = [i for i, u in enumerate(instructions) if u.op is Op.RANGE]
    assert len(ranges) == 2
    assert not any(u.op in (Op.FLOORDIV, Op.IDIV, Op.FLOORMOD, Op.MOD) for u in instructions[ranges[1]:])
    a, b = np.random.default_rng(0).random(16000, np.float32), np.zeros(16000, np.float32)
    svod.Device("CPU").compile(k.kernel()).execute([a, b], {"_grid_x": 15, "_grid_y": 3, "_grid_z": 1})
    np.testing.assert_array_equal(b[:12000].reshape(12, 1000)[:, :960], a[:12000].reshape(12, 1000)[:, :960])


def test_products_are_contracted_unless_the_settings_say_no() -> None:
    assert any(u.op is Op.MULACC for u in lowered(saxpy()))
    plain = lower_threads(saxpy().kernel(), Context(TARGET, Config(contract="off")))
    assert not any(u.op is Op.MULACC for u in plain.src)


def test_a_grid_stride_loop_reads_contiguously() -> None:
    k = Threads("total", (64, 1, 1))
    at = k.variable(I64, k.item().cast(I64))
    total = k.variable(F32, 0.0)
    with k.loop():
        with k.if_((k.get(at).cast(dtypes.index) < N).ne(True)):
            k.leave(Op.BREAK)
        k.set(total, k.get(total) + k.load(A, k.get(at).cast(dtypes.index)))
        k.set(at, k.get(at) + 256)
    k.store(B, k.item(), k.get(total))
    loads = [u for u in lowered(k) if u.op is Op.LOAD and u.src[0].dtype is A.dtype]
    assert loads
    assert all(index_of(u).op is Op.RAMP for u in loads)
    x, out = np.arange(1000, dtype=np.float32), np.zeros(256, np.float32)
    svod.Device("CPU").compile(k.kernel()).execute([x, out], GRID | {"n": 1000})
    np.testing.assert_allclose(out, [x[i::256].sum() for i in range(256)])


def test_a_tile_in_shared_memory_is_read_once_for_all_rows() -> None:
    """The inner loop of a tiled product: for 16 rows one vector of the one tile, 16 scalars of the other, no other memory."""
    k = Threads("tiled", (16, 16, 1))
    x, y = k.thread(0), k.thread(1)
    tile_a, tile_b = (k.memory(F32, 256, AddrSpace.LOCAL, f"tile_{n}") for n in "ab")
    total = k.variable(F32, 0.0)
    k.store(tile_a, y * 16 + x, k.load(A, y * 16 + x))
    k.store(tile_b, y * 16 + x, k.load(B, y * 16 + x))
    k.barrier()
    with k.for_(0, 16) as i:
        k.set(total, k.get(total) + k.load(tile_a, y * 16 + i) * k.load(tile_b, i * 16 + x))
    k.store(C, y * 16 + x, k.get(total))
    instructions = lowered(k)
    inner = instructions[max(i for i, u in enumerate(instructions) if u.op is Op.RANGE):]
    inner = inner[:next(i for i, u in enumerate(inner) if u.op is Op.END)]
    local = [u for u in inner if u.op is Op.LOAD and u.src[0].dtype is tile_a.dtype]
    assert sorted(u.dtype.lanes for u in local) == [1] * 16 + [16]
    assert sum(u.op is Op.MULACC for u in inner) == 16


def test_an_atomic_whose_old_value_nobody_wants_is_one_for_all_lanes() -> None:
    k = Threads("count", (64, 1, 1))
    count = UOp.param(0, I32, name="count")
    k.atomic(AtomicKind.ADD, count, 0, 1)
    assert sum(u.op is Op.ATOMIC for u in lowered(k)) == 1


def test_a_barrier_that_not_all_may_reach_is_refused() -> None:
    k = Threads("apart", (512, 1, 1))
    with k.if_(k.load(A, k.thread()) < 1.0):
        k.barrier()
    with pytest.raises(UnsupportedError, match="its condition differs"):
        lowered(k)


def test_subgroups_lie_in_one_vector() -> None:
    k = Threads("sums", (64, 1, 1))
    k.store(B, k.item(), k.subgroup(SubgroupKind.REDUCE, k.load(A, k.item()), op=Op.ADD))
    lanes = {u.dtype.lanes for u in lowered(k) if u.op is Op.LOAD}
    assert lanes == {32}


def test_a_value_known_to_be_in_a_variable_is_not_read_from_it() -> None:
    k = Threads("known")
    v = k.variable(I64, 5)
    k.store(UOp.param(0, I64, name="out"), k.item(), k.get(v) + k.get(v))
    body = with_values(prepared(k.kernel().src[0]))
    assert [s.op for s in body.src] == [Op.STORE]


def test_a_variable_set_in_a_loop_is_read_again() -> None:
    k = Threads("unknown")
    v = k.variable(I64, 5)
    with k.for_(0, 3):
        k.set(v, k.get(v) * 2)
    k.store(UOp.param(0, I64, name="out"), k.item(), k.get(v))
    body = with_values(prepared(k.kernel().src[0]))
    assert [s.op for s in body.src] == [Op.STORE, Op.FOR, Op.LET, Op.STORE]


@pytest.mark.parametrize("between", [False, True])
def test_a_variable_counts_only_if_nothing_sets_it_between_reading_and_adding(between: bool) -> None:
    k = Threads("count", (8, 1, 1))
    v = k.variable(I64, k.thread().cast(I64))
    with k.for_(0, 3):
        old = k.get(v)
        if between:
            k.set(v, 7)
        k.set(v, old + 2)
        k.store(UOp.param(0, I64, name="out"), k.item(), k.get(v))
    body = prepared(k.kernel().src[0])
    split = with_counters(body, Uniformity(body))
    assert (split is body) == between


def test_what_all_work_items_share_is_told_from_what_they_do_not() -> None:
    k = Threads("facts", (8, 1, 1))
    same, own, late = (k.variable(I64, 0, name) for name in ("same", "own", "late"))
    k.set(same, k.block().cast(I64) * 2)
    k.set(own, k.thread().cast(I64))
    with k.if_(k.thread() < 3):
        k.set(late, 1)
    facts = Uniformity(k.kernel().src[0])
    assert facts.varying & {same, own, late} == {own, late}
    assert facts.uniform(k.block() + N)
    assert not facts.uniform(k.thread() + N)


def test_a_shuffle_by_what_the_lane_number_says_is_one_shuffle() -> None:
    k = Threads("rotate", (32, 1, 1))
    lane = (k.thread() * 3 + 1) % 32
    k.store(B, k.item(), k.subgroup(SubgroupKind.SHUFFLE, k.load(A, k.item()), lane))
    assert sum(u.op is Op.SHUFFLE for u in lowered(k)) == 1
    x, out = np.arange(128, dtype=np.float32), np.zeros(128, np.float32)
    svod.Device("CPU").compile(k.kernel()).execute([x, out], GRID)
    np.testing.assert_array_equal(out, x.reshape(4, 32)[:, (np.arange(32) * 3 + 1) % 32].ravel())


def test_atomics_on_memory_of_the_group_are_plain_updates() -> None:
    k = Threads("tile", (64, 1, 1))
    tile = k.memory(I32, 4, AddrSpace.LOCAL, "tile")
    k.store(tile, k.thread() % 4, 0)
    k.barrier()
    old = k.atomic(AtomicKind.ADD, tile, k.thread() % 4, 1)
    k.store(UOp.param(0, I32, name="out"), k.item(), old)
    assert not any(u.op is Op.ATOMIC for u in lowered(k))
    out = np.zeros(256, np.int32)
    svod.Device("CPU").compile(k.kernel()).execute([out], GRID)
    assert sorted(out[:64].tolist()) == sorted(list(range(16)) * 4)


@pytest.mark.parametrize("items", [64, 512])
@pytest.mark.parametrize("jump", [Op.BREAK, Op.CONTINUE])
def test_a_loop_with_a_barrier_is_left_and_continued_by_the_whole_group(jump: Op, items: int) -> None:
    k = Threads("jumps", (items, 1, 1))
    total, row = k.variable(I32, 0), k.memory(I32, items, AddrSpace.LOCAL, "row")
    with k.for_(0, N) as i:
        with k.if_(N > 2):
            k.store(row, k.thread(), k.get(total))
            k.barrier()
            k.set(total, k.get(total) + k.load(row, items - 1 - k.thread()) + 1)
            with k.if_((i % 3).eq(1)):
                k.leave(jump)
            k.barrier()
        k.set(total, k.get(total) + 10)
    out = UOp.param(0, I32, name="out")
    k.store(out, k.thread(), k.get(total))
    got, want = (np.zeros(items, np.int32) for _ in range(2))
    svod.Device("CPU").compile(k.kernel()).execute([got], dict.fromkeys(GRID, 1) | {"n": 7})
    svod.Device("INTERP").compile(k.kernel()).execute([want], dict.fromkeys(GRID, 1) | {"n": 7})
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("items", [33, 512])
def test_an_array_that_is_the_same_for_all_and_a_barrier(items: int) -> None:
    k = Threads("table", (items, 1, 1))
    table = k.memory(I32, 4, name="table")
    with k.for_(0, 4) as i:
        k.store(table, i, i.cast(I32) + 7)
    k.barrier()
    out = UOp.param(0, I32, name="out")
    k.store(out, k.thread(), k.load(table, k.thread() % 4))
    got = np.zeros(items, np.int32)
    svod.Device("CPU").compile(k.kernel()).execute([got], dict.fromkeys(GRID, 1))
    np.testing.assert_array_equal(got, np.arange(items) % 4 + 7)


def strided_sum(items: int, step: int) -> Threads:
    """B[t] = the sum of A[t], A[t + step], … below n."""
    k = Threads("strided", (items, 1, 1))
    total = k.variable(F32, 0.0)
    with k.for_(k.thread(0), N, step) as i:
        k.set(total, k.get(total) + k.load(A, i))
    k.store(B, k.thread(0), k.get(total))
    return k


def depth_of_loads(k: Threads) -> list[int]:
    """How many counted loops there are around each access to A without a mask."""
    depth, found = 0, []
    for u in lowered(k):
        depth += (u.op is Op.RANGE) - (u.op is Op.END)
        if u.op is Op.LOAD and u.src[0].dtype is A.dtype and len(u.src[0].src) == 2:
            found.append(depth)
    return found


def test_a_group_walks_through_memory_in_step() -> None:
    """Loops around a load: groups, iterations, vectors of the group. In a small group the vectors are not a loop."""
    assert set(depth_of_loads(strided_sum(256, 256))) == {3}
    assert set(depth_of_loads(strided_sum(64, 64))) == {2}
    streams = with_streams(strided_sum(256, 256).kernel().src[0], Uniformity(strided_sum(256, 256).kernel().src[0]), (256, 1, 1))
    assert has_barrier(streams)


@pytest.mark.parametrize(("items", "step"), [(256, 1), (256, 8), (256, -256)])
def test_not_where_one_work_item_reads_neighbours_or_goes_back(items: int, step: int) -> None:
    body = strided_sum(items, step).kernel().src[0]
    assert with_streams(body, Uniformity(body), (items, 1, 1)) is body


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 1000, 4096, 5000])
def test_what_a_group_in_step_computes(n: int) -> None:
    x, out = np.arange(5000, dtype=np.float32), np.full(256, -1, np.float32)
    svod.Device("CPU").compile(strided_sum(256, 256).kernel()).execute([x, out], GRID | {"_grid_x": 1, "n": n})
    np.testing.assert_array_equal(out, [x[:n][i::256].sum() for i in range(256)])
