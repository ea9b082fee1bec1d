"""WGSL as it is written: golden files of small kernels, the width of index arithmetic, what has no form."""
from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import svod
from svod import UOp
from svod.device.webgpu.backend import WebGPURenderer, webgpu_target
from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind, SpecialKind
from svod.ir.ops import Op
from svod.renderers.wgsl.ends import with_ends_seen
from svod.renderers.wgsl.launch import Block, members
from svod.renderers.wgsl.module import render_wgsl
from svod.renderers.wgsl.values import Abilities, literal, value_type
from svod.renderers.wgsl.widths import wide_values
from svod.target.abi import describe
from svod.testing.kernels import axes, p
from svod.testing.threads import Threads

ALL = Abilities(f16=True, int64=True, atomic64=True, f64=True)


def source(kernel: UOp, arch: str = "baseline") -> str:
    return str(svod.Device.offline("WEBGPU", arch).renderer.render(kernel).src)


def vector_add() -> UOp:
    (i,) = axes(UOp.variable("n", 0, 1 << 30))
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(2, "b")[i].load()), name="vector_add")


def row_max() -> UOp:
    k = Threads("row_max", (64, 1, 1))
    out, a = UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="a")
    most = k.memory(dtypes.f32, 1, AddrSpace.REG, "most")
    k.store(most, 0, UOp.const(float("-inf"), dtypes.f32))
    with k.for_(0, 100) as j:
        k.store(most, 0, k.load(most, 0).maximum(k.load(a, k.item() * 100 + j)))
    k.store(out, k.item(), k.load(most, 0))
    return k.kernel()


def reversed_groups() -> UOp:
    k = Threads("reversed_groups", (32, 1, 1))
    data = UOp.param(0, dtypes.f32, name="data")
    tile = k.memory(dtypes.f32, 32, AddrSpace.LOCAL, "tile")
    k.store(tile, k.thread(), k.load(data, k.item()))
    k.barrier()
    k.store(data, k.item(), k.load(tile, 31 - k.thread()))
    return k.kernel()


def histogram() -> UOp:
    k = Threads("histogram", (64, 1, 1))
    data, counts, top = (UOp.param(i, t, name=n) for i, t, n in ((0, dtypes.u8, "data"), (1, dtypes.i32, "counts"), (2, dtypes.f32, "top")))
    value = k.load(data, k.item())
    k.atomic(AtomicKind.ADD, counts, value.cast(dtypes.index), 1)
    k.atomic(AtomicKind.MAX, top, 0, value.cast(dtypes.f32))
    return k.kernel()


def thresholds() -> UOp:
    (i,) = axes(100)
    bound = UOp.scalar("bound", dtypes.f32)
    above = bound < p(1, "a")[i].load()
    return UOp.sink(p(0, "flags", dtypes.bool)[i].store(above), p(2, "codes", dtypes.i8)[i].store(above.where(
        UOp.const(-1, dtypes.i8), UOp.const(1, dtypes.i8))), name="thresholds")


def speaking() -> UOp:
    k = Threads("speaking", (4, 1, 1))
    value = k.load(UOp.param(0, dtypes.f32, name="data"), k.item())
    k.print("item {} has {}", k.item(), value)
    k.check(value < 2.0, "{} is too large", value)
    return k.kernel()


GOLDEN = [vector_add, row_max, reversed_groups, histogram, thresholds, speaking]


@pytest.mark.parametrize("make", GOLDEN)
def test_golden(make: Callable[[], UOp], golden: Callable[[str, str], None]) -> None:
    golden(source(make()), f"webgpu/{make.__name__}.wgsl")


def test_words_of_the_language_are_no_names() -> None:
    (i,) = axes(8)
    text = source(UOp.sink(p(0, "fn")[i].store(p(1, "launch")[i].load()), name="loop"))
    assert "var<storage, read_write> fn1: array<f32>" in text
    assert "var<storage, read> launch1: array<f32>" in text
    assert "fn loop1(" in text


# --- index arithmetic ----------------------------------------------------------------------------------------------------------------

def test_an_address_takes_32_bits_whatever_its_bounds() -> None:
    i, m = UOp.special(SpecialKind.GLOBAL, 0, UOp.variable("n", 0, 1 << 40)), UOp.variable("m", 0, 1 << 40)
    at = i * m + 1
    assert at in wide_values(UOp(Op.LINEAR, (i, at, at < m)))
    assert at not in wide_values(UOp(Op.LINEAR, (i, at, p(0, "out")[at].store(UOp.const(1.0, dtypes.f32)))))


def test_scalars_beyond_32_bits_take_another_shader() -> None:
    (i,) = axes(8)
    bound = UOp.variable("bound", 0, 1 << 40)
    spec = svod.Device.offline("WEBGPU", "baseline").renderer.render(UOp.sink(p(0, "out", dtypes.bool)[i].store(i * 3 < bound), name="k"))
    assert "bound: i32," in spec.src
    assert "i64" not in spec.src
    linear = UOp(Op.LINEAR, (bound, i, bound < i, UOp(Op.END, (UOp(Op.GROUP), i))))
    out = UOp.param(0, dtypes.bool, name="out")
    linear = UOp(Op.LINEAR, (out, i, bound < i, out[i].store(bound < i), UOp(Op.END, (UOp(Op.GROUP), i))))
    text = render_wgsl(linear, spec.meta, "k", ALL, wide=True)
    assert "bound: i64," in text
    assert "exact_i64(launch.bound) < i64(i0)" in text
    with pytest.raises(UnsupportedError, match="goes up to 1099511627776, and this device has no 64-bit integers"):
        render_wgsl(linear, spec.meta, "k", Abilities(), wide=True)


# --- values --------------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "dtype", "text"), [
    (-5, dtypes.i32, "-5"), (-(1 << 31), dtypes.i32, "(-2147483647 - 1)"), (7, dtypes.u8, "7u"), (1.5, dtypes.f32, "1.5"),
    (1e-40, dtypes.f32, "bitcast<f32>(0x116c2u ^ launch.zero)"),
    (float("inf"), dtypes.f64, "bitcast<f64>(0x7ff0000000000000lu ^ u64(launch.zero))"),
    (-0.0, dtypes.f32, "bitcast<f32>(0x80000000u ^ launch.zero)"), (0.1, dtypes.f64, "0.1lf"), (True, dtypes.bool, "true"),
    (1.0, dtypes.bf16, "0x3f80u"), (1.0, dtypes.f16, "f16(unpack2x16float(0x3c00u).x)"), (1 << 40, dtypes.u64, "1099511627776lu"),
])
def test_literals(value: float, dtype: DType, text: str) -> None:
    assert literal(value, dtype, ALL) == text


@pytest.mark.parametrize("dtype", [dtypes.f64, dtypes.i64, dtypes.u64], ids=str)
def test_a_type_that_a_device_lacks_is_refused_by_the_feature(dtype: DType) -> None:
    with pytest.raises(UnsupportedError, match=f"no {dtype}, as it lacks the feature shader-"):
        value_type(dtype, Abilities())
    (i,) = axes(8)
    with pytest.raises(UnsupportedError, match=f"{dtype}"):
        source(UOp.sink(p(0, "out", dtype)[i].store(p(1, "a", dtype)[i].load() + UOp.const(1, dtype)), name="wide"))


def test_floats_come_to_the_compiler_one_operation_at_a_time() -> None:
    (i,) = axes(8)
    a, b = p(1, "a")[i].load(), p(2, "b")[i].load()
    text = source(UOp.sink(p(0, "out")[i].store((a + b) - a), name="difference"))
    assert re.search(r"exact_f32\(\S+ \+ \S+\) - ", text)
    assert "a - exact_f32(" not in text


def test_constants_are_folded_as_the_op_table_says() -> None:
    big = UOp.const((1 << 31) - 1, dtypes.i32)
    out = UOp.param(0, dtypes.i32, name="out")
    total = UOp(Op.ADD, (big, big))
    linear = UOp(Op.LINEAR, (out, total, out[UOp.const(0, dtypes.index)].store(total)))
    assert "out[0] = -2;" in render_wgsl(linear, describe(linear), "k", Abilities())


# --- loops ---------------------------------------------------------------------------------------------------------------------------

def test_leaving_a_loop_out_of_a_counted_one_inside() -> None:
    out = UOp.param(0, dtypes.i32, name="out")
    r, loop = UOp.range(UOp.variable("n", 0, 9), 0), UOp(Op.LOOP)
    store = out[r].store(UOp.const(1, dtypes.i32))
    stop = r < 5
    linear = UOp(Op.LINEAR, (out, loop, r, store, stop, UOp(Op.BREAK, (stop,)), UOp(Op.END, (UOp(Op.GROUP), r)), UOp(Op.ENDLOOP)))
    text = render_wgsl(linear, describe(linear), "k", Abilities())
    leave = r"if \(done1\) \{ break; \}"
    assert re.search(rf"done1 = false;\s+loop \{{.*done1 = i0 < 5;\s+{leave}\s+\}}\s+{leave}", text, re.DOTALL)


# --- loops that a device ends early --------------------------------------------------------------------------------------------------

def loops(k: Threads, stop: UOp) -> UOp:
    """A loop that is left by its BREAK, within one that counts up to `stop`."""
    out, steps = UOp.param(0, dtypes.i32, name="out"), k.memory(dtypes.i32, 1, AddrSpace.REG, "steps")
    with k.for_(0, stop), k.loop():
        k.store(steps, 0, k.load(steps, 0) + 1)
        with k.if_(k.load(steps, 0) > 5):
            k.do(UOp(Op.BREAK))
    k.store(out, 0, k.load(steps, 0))
    return k.kernel()


def test_a_device_that_ends_loops_early_is_noticed() -> None:
    able = Abilities(int64=True, iterations=100)
    renderer = WebGPURenderer(webgpu_target("short", able), able)
    text = str(renderer.render(loops(Threads("both", (1, 1, 1)), UOp.variable("n", 0, 9))).src)
    assert text.count("first_to_fail()) {") == 2
    assert re.search(r"(ended\w*) = false;\s+loop \{.*\1 = ([^;]*);\s+if \(\2\) \{ break; \}", text, re.DOTALL)


@pytest.mark.parametrize(("most", "stop", "watched"), [(0, 101, False), (100, 100, False), (100, 101, True),
                                                       (100, UOp.variable("n", 0, 100), False), (100, UOp.variable("n", 0, 101), True)])
def test_loops_that_are_short_enough_are_not_watched(most: int, stop: UOp | int, watched: bool) -> None:
    i = UOp.range(stop, 0)
    linear = UOp(Op.LINEAR, (i, UOp(Op.END, (UOp(Op.GROUP), i))))
    assert (with_ends_seen(linear, most) is not linear) == watched


# --- the launch block ----------------------------------------------------------------------------------------------------------------

def test_the_launch_block_has_each_scalar_at_its_place() -> None:
    (i,) = axes(4)
    kinds = {"a": dtypes.f32, "b": dtypes.f64, "c": dtypes.bool, "d": dtypes.bf16, "e": dtypes.u64}
    stores = [UOp.param(k, d, name=f"out{k}")[i].store(UOp.scalar(n, d)) for k, (n, d) in enumerate(kinds.items())]
    meta = svod.Device.offline("WEBGPU").renderer.render(UOp.sink(*stores, name="scalars")).meta
    found, size = members(meta, ALL)
    assert [(m.param.name, m.type, m.offset) for m in found] == [
        ("a", "f32", 16), ("b", "f64", 24), ("c", "u32", 32), ("d", "u32", 36), ("e", "u64", 40)]
    raw = Block(meta, ALL).fill([1.5, 0.25, True, -2.0, 1 << 63], (1, 2, 3), (0, 0, 0))
    assert len(raw) == size == 48
    assert np.frombuffer(raw, np.uint32)[:4].tolist() == [1, 2, 3, 0]
    assert np.frombuffer(raw, np.float32)[4] == 1.5
    assert np.frombuffer(raw, np.float64)[3] == 0.25
    assert np.frombuffer(raw, np.uint32)[8:10].tolist() == [1, 0xC000]
    assert np.frombuffer(raw, np.uint64)[5] == 1 << 63


# --- what has no form ----------------------------------------------------------------------------------------------------------------

def test_vectors_and_gated_atomics_are_refused() -> None:
    out = UOp.param(0, dtypes.f32, name="out")
    four = UOp.const(1.0, dtypes.f32).broadcast(4)
    linear = UOp(Op.LINEAR, (out, four))
    with pytest.raises(UnsupportedError, match="BROADCAST has no form in WGSL"):
        render_wgsl(linear, describe(linear), "k", Abilities())
    gated = UOp(Op.INDEX, (out, UOp.const(0, dtypes.index), UOp.const(True, dtypes.bool)))
    linear = UOp(Op.LINEAR, (out, UOp(Op.ATOMIC, (gated, UOp.const(1.0, dtypes.f32)), AtomicKind.ADD)))
    with pytest.raises(UnsupportedError, match="a gated ATOMIC has no form in WGSL"):
        render_wgsl(linear, describe(linear), "k", Abilities())


def test_large_arrays_of_a_work_item_are_refused() -> None:
    memory = UOp.memory(0, dtypes.f32, 1 << 20, AddrSpace.REG, name="big")
    zero = UOp.const(0, dtypes.index)
    linear = UOp(Op.LINEAR, (memory, memory[zero].store(UOp.const(1.0, dtypes.f32))))
    with pytest.raises(UnsupportedError, match="1048576 x f32 of local memory are too many for a work item"):
        render_wgsl(linear, describe(linear), "k", Abilities())
