"""The Opts the default strategy chooses, as golden text: a change of them is a decision, and is seen."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from svod import Config, DType, Opt, OptKind, UOp, dtypes
from svod.codegen.pipeline import Context, lower
from svod.codegen.strategy import default_opts
from svod.ir.bounds import constant
from svod.ir.ops import Op
from svod.target import REFERENCE, Target
from svod.testing.kernels import CASES, axes, p

Lower = Callable[..., UOp]
N = UOp.variable("n", 0, 1 << 30)


def add(n: UOp | int) -> UOp:
    (i,) = axes(n)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(2, "b")[i].load()), name="add")


def matmul(m: UOp | int, n: UOp | int, k: UOp | int) -> UOp:
    i, j, q = axes(m, n, k)
    return UOp.sink(p(0, "out")[i * n + j].store((p(1, "a")[i * k + q].load() * p(2, "b")[q * n + j].load()).sum(q)), name="matmul")


def transpose(m: int, n: int) -> UOp:
    i, j = axes(m, n)
    return UOp.sink(p(0, "out")[j * m + i].store(p(1, "a")[i * n + j].load()), name="transpose")


def gemv(m: int, n: int) -> UOp:
    i, j = axes(m, n)
    return UOp.sink(p(0, "out")[i].store((p(1, "a")[i * n + j].load() * p(2, "x")[j].load()).sum(j)), name="gemv")


def total(n: UOp | int) -> UOp:
    (i,) = axes(n)
    return UOp.sink(p(0, "out")[0].store(p(1, "a")[i].load().sum(i)), name="total")


def softmax(m: int, n: int) -> UOp:
    i, j, k, q = axes(m, n, n, n)
    x = p(1, "a")
    top = x[i * n + j].load().max(j)
    s = (x[i * n + k].load() - top).exp().sum(k)
    return UOp.sink(p(0, "out")[i * n + q].store((x[i * n + q].load() - top).exp() / s), name="softmax")


KERNELS = {
    "add of 1": add(1), "add of 5": add(5), "add of 100": add(100), "add of 2**20": add(1 << 20), "add of n": add(N),
    "matmul 1x1x1": matmul(1, 1, 1), "matmul 7x35x11": matmul(7, 35, 11), "matmul 64x64x64": matmul(64, 64, 64),
    "matmul 512x512x512": matmul(512, 512, 512), "matmul of n": matmul(N, 256, 256),
    "matmul 512x512x4096": matmul(512, 512, 4096), "matmul of n, n, n": matmul(N, N, N),
    "softmax 4x10": softmax(4, 10), "softmax 1024x1024": softmax(1024, 1024),
    "sum of 100": total(100), "sum of 2**20": total(1 << 20), "sum of n": total(N),
    "gemv 8x8": gemv(8, 8), "gemv 1024x1024": gemv(1024, 1024),
    "transpose 8x8": transpose(8, 8), "transpose 1024x1024": transpose(1024, 1024),
}
SERIAL = ("prefix_sum", "recurrence_in_place", "histogram_atomic", "scratch_buffer")


def chosen(sink: UOp) -> tuple[Opt, ...]:
    opts = sink.arg.opts
    assert isinstance(opts, tuple)
    return opts


def test_default_schedules(lower_to: Lower, golden: Callable[[str, str], None]) -> None:
    lines = [f"{name}:\n" + "".join(f"    {o}\n" for o in chosen(lower_to(ast, "choose-schedule"))) for name, ast in KERNELS.items()]
    golden("".join(lines), "codegen/default-opts.txt")


@pytest.mark.parametrize("name", KERNELS)
def test_the_choice_could_have_been_written_by_hand(lower_to: Lower, name: str) -> None:
    ast = KERNELS[name]
    by_hand = [str(o) for o in chosen(lower_to(ast, "choose-schedule"))]
    assert lower_to(ast, "linearize", by_hand) is lower_to(ast, "linearize")


@pytest.mark.parametrize("name", SERIAL)
def test_a_kernel_whose_order_matters_runs_as_it_is_written(lower_to: Lower, name: str) -> None:
    assert chosen(lower_to(CASES[name]().ast, "choose-schedule")) == ()


def test_stores_that_overlap_are_not_reordered(lower_to: Lower) -> None:
    i, j = axes(64, 48)
    source = p(1, "a")
    across, along = (UOp.sink(p(0, "out")[i + j].store(source[at].load()), name="overlap") for at in (j * 64 + i, i * 48 + j))
    assert all(o.axis[0] == 1 for ast in (across, along) for o in chosen(lower_to(ast, "choose-schedule")))
    assert any(o.kind is OptKind.VECTOR for o in chosen(lower_to(along, "choose-schedule")))


@pytest.mark.parametrize("rows", [N, 100], ids=str)
def test_rows_of_a_symbolic_length_become_lanes_and_shares(lower_to: Lower, rows: UOp | int) -> None:
    m = UOp.variable("m", 0, 1 << 30)
    i, j = axes(rows, m)
    opts = chosen(lower_to(UOp.sink(p(0, "out")[i * m + j].store(p(1, "a")[i * m + j].load()), name="copy"), "choose-schedule"))
    assert {o.axis[0] for o in opts if o.kind is OptKind.VECTOR} == {1}
    assert {o.axis for o in opts if o.kind is OptKind.PARALLEL} == {(0,)}


def test_an_axis_that_bounds_another_becomes_no_lanes(lower_to: Lower) -> None:
    i = UOp.range(64, 0)
    j = UOp.range(i + 1, 1)
    out = p(0, "out")
    ast = UOp.sink(UOp.group(out[i].store(1.0), p(1, "b")[i * 64 + j].store(2.0).end(j)).end(i), name="triangle")
    assert all(o.axis[0] != 0 for o in chosen(lower_to(ast, "choose-schedule")) if o.kind in (OptKind.VECTOR, OptKind.UNROLL))


def test_a_schedule_of_the_kernel_is_kept(lower_to: Lower) -> None:
    assert [str(o) for o in chosen(lower_to(add(64), "choose-schedule", ["SPLIT(0 by 4)"]))] == ["SPLIT(0 by 4)"]


def test_a_target_without_vectors_and_cores_needs_none() -> None:
    assert default_opts(add(1 << 20), REFERENCE) == ()


@pytest.mark.parametrize("bits", [128, 256, 512])
@pytest.mark.parametrize("dtype", [dtypes.u8, dtypes.f32, dtypes.f64], ids=str)
def test_lanes_fill_a_register_of_the_target(cpu4: Target, bits: int, dtype: DType) -> None:
    (i,) = axes(1 << 16)
    ast = UOp.sink(p(0, "out", dtype)[i].store(p(1, "a", dtype)[i].load()), name="copy")
    opts = chosen(lower(ast, Context(replace(cpu4, vector_bits=bits), Config(threads=2)), stop_after="choose-schedule"))
    vector = next(o.axis for o in opts if o.kind is OptKind.VECTOR)
    assert [o.amount for o in opts if o.kind is OptKind.SPLIT and (*o.axis, 1) == vector] == [bits // dtype.bits]


@pytest.mark.parametrize(("cores", "spread"), [(1, False), (2, True)])
def test_large_kernels_go_to_the_cores_there_are(cpu4: Target, cores: int, spread: bool) -> None:
    for ast in (KERNELS["add of 2**20"], KERNELS["sum of 2**20"], KERNELS["gemv 1024x1024"]):
        opts = chosen(lower(ast, Context(replace(cpu4, cores=cores), Config(threads=cores)), stop_after="choose-schedule"))
        assert any(o.kind in (OptKind.PARALLEL, OptKind.GROUP) for o in opts) is spread


def narrow(slot: int, at: UOp) -> UOp:
    return p(slot, f"x{slot}", dtypes.f16)[at].load().cast(dtypes.f32)


def crowded() -> dict[str, UOp]:
    """Kernels of which tiles, accumulators and narrow elements together once made hundreds of kilobytes of code."""
    h, w = UOp.variable("h", 1, 4096), UOp.variable("w", 1, 4096)
    i, j, k = axes(h, w, 17)
    x, flat = narrow(1, i * w + j), (i * w + j) * 17 + k
    product = narrow(1, flat) * narrow(2, flat) * narrow(3, (j * 17 + k) * h + i)
    normed = product / (product.abs().sum(j) + 1.0)
    bytes_ = p(0, "out", dtypes.u8)[j * h + i].store(p(1, "a", dtypes.u8)[i * w + j].load())
    return {
        "transpose of bytes": UOp.sink(bytes_, name="bytes"),
        "column maximum": UOp.sink(p(0, "out")[j * h + i].store(x - x.max(i)), name="maximum"),
        "product": UOp.sink(p(0, "out")[(k * h + i) * w + j].store(product), name="product"),
        "product, normed": UOp.sink(p(0, "out")[(k * h + i) * w + j].store(normed), name="normed"),
    }


@pytest.mark.parametrize("name", crowded())
def test_no_schedule_makes_more_code_than_llvm_takes_in_a_second(lower_to: Lower, name: str) -> None:
    linear = lower_to(crowded()[name])
    wide = [u for u in linear.src if u.op is Op.LOAD and u.dtype.lanes > 1 and u.dtype.itemsize // u.dtype.lanes < 4]
    apart = [u for u in wide if u.src[0].src[1].op is not Op.RAMP or constant(u.src[0].src[1].src[1]) != 1]
    assert len(linear.src) + sum(u.dtype.lanes for u in apart) < 5000


def test_accumulators_give_way_before_blocks_do(lower_to: Lower) -> None:
    opts = chosen(lower_to(crowded()["column maximum"], "choose-schedule"))
    assert OptKind.INTERLEAVE not in {o.kind for o in opts}
    assert [o.amount for o in opts if o.axis == (1,)] == [16]


def test_a_loop_that_memory_bounds_is_left_as_it_is(lower_to: Lower) -> None:
    (i,) = axes(1 << 16)
    t = UOp.range(p(2, "length", dtypes.i32)[i].load().cast(dtypes.index), 1)
    opts = chosen(lower_to(UOp.sink(p(0, "out")[i].store(p(1, "a")[i * 9 + t].load().sum(t)), name="ragged"), "choose-schedule"))
    assert [str(o) for o in opts] == ["PARALLEL(0 by 1)"]


@pytest.mark.parametrize("outer", [0, 1])
def test_a_reduction_in_two_nests_gets_lanes_along_one_axis(lower_to: Lower, outer: int) -> None:
    """`p - p.max(j)`: the reduction over k is in both nests, and lanes along it in one would meet lanes along j in the other."""
    m, n, depth = (UOp.variable(name, 1, 128) for name in ("m", "n", "depth"))
    k, i, j = axes(depth, m, n)
    product = (p(1, "a")[i * depth + k].load() * p(2, "b")[k * n + j].load()).sum(k)
    place = j * m + i if outer else i * n + j
    assert lower_to(UOp.sink(p(0, "out")[place].store(product - product.max(j)), name="centred")).op is Op.LINEAR
