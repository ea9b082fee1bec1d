"""One test for each kind of bad input, through the front door: a typed error that says what, where and what to do; nothing written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import svod
from svod import Buffer, Device, UOp, dtypes
from svod.config import CacheSettings
from svod.device.cpu.jit import compile_ir
from svod.errors import (
    ArgumentError,
    CompileError,
    ConfigError,
    DeviceUnavailable,
    DTypeError,
    GraphError,
    LaunchError,
    OutOfMemory,
    SvodError,
    UnsupportedError,
)
from svod.ir.args import BarrierScope, SpecialKind
from svod.ir.ops import Op

DEVICES = pytest.mark.devices("CPU", "INTERP")
N = 16


def params() -> tuple[UOp, UOp, UOp]:
    return tuple(UOp.param(i, dtypes.f32, name=s) for i, s in enumerate(("out", "a", "b")))  # type: ignore[return-value]


def kernel() -> UOp:
    """out[i] = a[N-1-i] + b[i] for i < n: the index of `a` differs, so out and a may not be the same memory."""
    out, a, b = params()
    i = UOp.range(UOp.variable("n", 1, 1000), 0)
    return UOp.sink(out[i].store(a[i * -1 + 999].load() + b[i].load()), name="shifted")


def arrays() -> list[np.ndarray]:
    return [np.full(N, 7, np.float32), np.zeros(1000, np.float32), np.ones(N, np.float32)]


def refused(device: Device, buffers: Sequence[object], vals: object, error: type[SvodError], *words: str) -> None:
    """The launch raises `error` with all `words` in it, and `out` keeps its sevens."""
    out = arrays()[0] if not buffers or not isinstance(buffers[0], np.ndarray) else buffers[0]
    before = out.copy()
    with pytest.raises(error) as caught:
        device.compile(kernel()).execute(buffers, vals)  # type: ignore[arg-type]
    for word in ("shifted", *words):
        assert word in str(caught.value), f"{word!r} is missing in: {caught.value}"
    assert np.array_equal(out, before)


# ---- graphs ---------------------------------------------------------------------------------------------------------


def test_wrong_arity() -> None:
    with pytest.raises(GraphError, match="ADD takes 2 operands, got 1"):
        UOp(Op.ADD, (UOp.const(1, dtypes.i32),))


def test_wrong_dtypes() -> None:
    with pytest.raises(GraphError, match="operands of MUL have dtypes i32 and f32"):
        UOp(Op.MUL, (UOp.const(1, dtypes.i32), UOp.const(1, dtypes.f32)))
    with pytest.raises(DTypeError, match=r"STORE of f32 into a buffer of i32(.|\n)*cast"):
        UOp.param(0, dtypes.i32, name="x")[0].store(UOp.const(1.5, dtypes.f32))


def test_cycle() -> None:
    a = UOp.const(1, dtypes.i32) + UOp.variable("cyclic", 0, 1, dtypes.i32)
    src = a.src
    try:
        object.__setattr__(a, "src", (a, a))
        with pytest.raises(GraphError, match="cycle"):
            a.toposort()
    finally:
        object.__setattr__(a, "src", src)


def test_oversized_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svod.ir.uop.MAX_NODES", 100)
    x = UOp.variable("x", 0, 1, dtypes.i32)
    for k in range(200):
        x = x + (k + 2)
    with pytest.raises(GraphError, match="more than 100 nodes"):
        x.toposort()


@DEVICES
def test_a_kernel_that_would_take_minutes_to_compile(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svod.codegen.pipeline.KERNEL_NODES", 100)
    out, x, i = UOp.param(0, dtypes.f32), UOp.param(1, dtypes.f32), UOp.range(8, 0)
    value = x[i].load()
    for k in range(60):
        value = value * 1.5 + float(k)
    with pytest.raises(GraphError, match="more than the 100 that compile in a minute\n  at: deep\n  hint: use a RANGE"):
        device.compile(UOp.sink(out[i].store(value), name="deep"))


@DEVICES
def test_what_is_no_kernel(device: Device) -> None:
    with pytest.raises(GraphError, match="takes a SINK, got an ADD"):
        device.compile(UOp.const(1, dtypes.i32) + UOp.variable("v", 0, 1, dtypes.i32))
    with pytest.raises(GraphError, match="takes a SINK, got str"):
        device.compile("vector_add")  # type: ignore[arg-type]


@DEVICES
def test_one_slot_declared_twice(device: Device) -> None:
    a, b = UOp.param(0, dtypes.f32, name="a"), UOp.param(0, dtypes.f32, name="b")
    with pytest.raises(GraphError, match="slot 0"):
        device.compile(UOp.sink(a[0].store(b[0].load())))


@DEVICES
def test_one_variable_with_two_ranges(device: Device) -> None:
    out, i, j = UOp.param(0, dtypes.f32, name="out"), UOp.range(UOp.variable("n", 0, 8), 0), UOp.range(UOp.variable("n", 0, 9), 1)
    with pytest.raises(GraphError, match="'n'"):
        device.compile(UOp.sink(out[i + j].store(1.0)))


@DEVICES
def test_a_group_barrier_belongs_to_devices_with_work_items(device: Device) -> None:
    out, t = UOp.param(0, dtypes.f32, name="out"), UOp.special(SpecialKind.LOCAL, 0, 4)
    first = UOp.barrier(out[t].store(1.0), scope=BarrierScope.GROUP)
    got = np.zeros(4, np.float32)
    with nullcontext() if device.target.ids else pytest.raises(SvodError):
        device.compile(UOp.sink(out.after(first)[t].store(2.0))).execute([got])
    assert got.tolist() == [2.0 if device.target.ids else 0.0] * 4


def test_the_truth_of_a_node_is_not_known() -> None:
    with pytest.raises(GraphError, match=r"where\(a, b\)"):
        assert UOp.variable("x", 0, 1) < 1


def test_an_op_no_target_has() -> None:
    out = UOp.param(0, dtypes.f32, name="out")
    with pytest.raises(UnsupportedError, match="GROUP BARRIER"):
        Device("NULL").compile(UOp.sink(UOp.barrier(out[0].store(1.0), scope=BarrierScope.GROUP)))


# ---- values -----------------------------------------------------------------------------------------------------------


@DEVICES
def test_values(device: Device) -> None:
    refused(device, arrays(), [], LaunchError, "1 value", "0 given", "n")
    refused(device, arrays(), [1, 2], LaunchError, "1 value", "2 given")
    refused(device, arrays(), {}, LaunchError, "needs a value for n")
    refused(device, arrays(), {"n": 3, "m": 1}, LaunchError, "m")
    refused(device, arrays(), [0], LaunchError, "'n'", "0", "[1, 1000]")
    refused(device, arrays(), [1001], LaunchError, "'n'", "1001", "[1, 1000]")
    refused(device, arrays(), [2.5], LaunchError, "'n'", "2.5")
    refused(device, arrays(), ["3"], LaunchError, "'n'")
    refused(device, arrays(), [True], LaunchError, "'n'")
    refused(device, arrays(), "3", LaunchError, "str")
    refused(device, arrays(), [1 << 80], LaunchError, "'n'")


# ---- buffers ----------------------------------------------------------------------------------------------------------


@DEVICES
def test_buffers(device: Device) -> None:
    out, a, b = arrays()
    refused(device, [out, a], [N], ArgumentError, "3 buffers", "2 given", "out, a, b")
    refused(device, [out, a, b, b], [N], ArgumentError, "4 given")
    refused(device, [out, a.astype(np.float64), b], [N], ArgumentError, "'a'", "f64", "astype(np.float32)")
    refused(device, [out, a, b[:-1]], [N], ArgumentError, "'b'", "15", "16")
    refused(device, [out[::2], a, b], [8], ArgumentError, "'out'", "ascontiguousarray")
    refused(device, [out, a, [1.0] * N], [N], ArgumentError, "'b'", "list")
    refused(device, [out, a, None], [N], ArgumentError, "'b'", "None")
    frozen = out.copy()
    frozen.flags.writeable = False
    refused(device, [frozen, a, b], [N], ArgumentError, "'out'", "read-only")
    raw = np.zeros(4 * N + 1, np.uint8)
    refused(device, [out, a, raw[1:].view(np.float32)], [N], ArgumentError, "'b'", "multiple of 4")


@DEVICES
def test_overlap_matters_only_where_order_does(device: Device) -> None:
    whole = np.arange(1000, dtype=np.float32)
    refused(device, [whole[:N], whole, np.ones(N, np.float32)], [N], ArgumentError, "'out'", "'a'", "copy")
    refused(device, [whole[1 : N + 1], np.zeros(1000, np.float32), whole[:N]], [N], ArgumentError, "overlap")
    out, a, b = params()
    i = UOp.range(N, 0)
    same = device.compile(UOp.sink(out[i].store(a[i].load() + b[i].load()), name="aligned"))
    x, y = np.arange(N, dtype=np.float32), np.ones(N, np.float32)
    same.execute([x, x, y])
    assert np.array_equal(x, np.arange(N) + 1), "exact aliases are fine where every element is read before it is written"


@DEVICES
def test_a_freed_buffer(device: Device) -> None:
    buffer = Buffer(device, N, dtypes.f32)
    buffer.free()
    _, a, b = arrays()
    refused(device, [buffer, a, b], [N], ArgumentError, "freed")


def test_out_of_memory() -> None:
    with pytest.raises(OutOfMemory):
        Buffer(Device("CPU"), 1 << 44, dtypes.f64).address  # noqa: B018  (allocation happens at first use)
    out, scratch = UOp.param(0, dtypes.f32, name="out"), UOp.memory(0, dtypes.f64, 1 << 44, svod.AddrSpace.LOCAL)
    i = UOp.range(4, 0)
    filled = scratch[i].store(1.0).end(i)
    program = Device("CPU").compile(UOp.sink(out[0].store(scratch.after(filled)[3].load().cast(dtypes.f32)), name="hungry"))
    x = np.full(1, 7, np.float32)
    with pytest.raises(SvodError, match="scratch"):
        program.execute([x])
    assert x[0] == 7


@pytest.mark.parametrize("size", [-1, 1 << 60, 2.5, "many", True])
def test_absurd_sizes(size: object) -> None:
    with pytest.raises(SvodError):
        Buffer(Device("CPU"), size, dtypes.f32).address  # type: ignore[arg-type]  # noqa: B018


# ---- launches ---------------------------------------------------------------------------------------------------------


@DEVICES
@pytest.mark.parametrize("size", [(-1, 1, 1), (1 << 40, 1, 1), (1, 1, 1, 1), (1.5, 1, 1), ("x",), (True, 1, 1)])
def test_explicit_sizes(device: Device, size: tuple[int, ...]) -> None:
    buffers = arrays()
    with pytest.raises(LaunchError, match="shifted"):
        device.compile(kernel()).execute(buffers, [N], global_size=size)
    assert (buffers[0] == 7).all()


@DEVICES
def test_an_empty_explicit_launch_does_nothing(device: Device) -> None:
    buffers = arrays()
    device.compile(kernel()).execute(buffers, [N], global_size=(0, 1, 1))
    assert (buffers[0] == 7).all()


# ---- devices, caches, compilers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "error"),
    [("GPU9000", DeviceUnavailable), ("CPU:3", DeviceUnavailable), ("", None), ("C:P:U", ConfigError), ("INTREP", DeviceUnavailable)],
)
def test_devices_that_do_not_exist(name: str, error: type[SvodError] | None) -> None:
    if error is None:
        assert Device(name).name == "CPU"
        return
    with pytest.raises(error) as caught:
        Device(name)
    if name == "INTREP":
        assert "INTERP" in str(caught.value)


@pytest.mark.devices("CPU")
@pytest.mark.parametrize("damage", ["truncated", "foreign", "flipped", "unwritable"])
def test_a_bad_cache_never_harms(tmp_path: Path, damage: str, recwarn: pytest.WarningsRecorder) -> None:
    place = tmp_path / "cache"
    if damage == "unwritable":
        place.write_text("a file where the directory should be")
    device = Device("CPU")
    with svod.override(cache=CacheSettings(True, place)):
        for attempt in range(3):
            out, a, b = params()
            i = UOp.range(N, 0)
            # another name each time: programs are kept in memory too
            x = np.zeros(N, np.float32)
            device.compile(UOp.sink(out[i].store(a[i].load() + b[i].load()), name=f"cached_{damage}_{attempt // 2}")).execute(
                [x, x + 1, x + 2]
            )
            assert (x == 3).all()
            device._programs.clear()
            if attempt == 0:
                spoil(place, damage)
    assert sum("kernel cache" in str(w.message) for w in recwarn) >= 1, "a user is told"


def spoil(place: Path, damage: str) -> None:
    """Damages every file below `place`."""
    for root, _, files in os.walk(place):
        for name in files:
            path = Path(root, name)
            data = path.read_bytes()
            if not data:
                continue
            if damage == "truncated":
                path.write_bytes(data[: len(data) // 2])
            elif damage == "foreign":
                path.write_bytes(b"#!/bin/sh\necho not an entry\n")
            elif damage == "flipped":
                path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.devices("CPU")
def test_llvm_rejecting_ir_shows_the_lines() -> None:
    with pytest.raises(CompileError) as caught:
        compile_ir("define void @f() {\nentry:\n  %x = fadd float 1.0, 2\n  ret void\n}\n")
    assert "%x = fadd float 1.0, 2" in str(caught.value)
    assert "3" in str(caught.value)


@DEVICES
def test_indices_below_zero(device: Device) -> None:
    whole = np.arange(30, dtype=np.float32)
    part = whole[10:20]
    out, i = UOp.param(0, dtypes.f32, name="out"), UOp.range(UOp.variable("n", 0, 9), 0)
    below = device.compile(UOp.sink(out[i - 5].store(-1.0), name="below"))
    with pytest.raises(ArgumentError, match="below element 0 of buffer 'out'"):
        below(part, n=3)
    below(part, n=0)
    assert np.array_equal(whole, np.arange(30))


def test_register_memory_that_does_not_fit_a_stack() -> None:
    out, k = UOp.param(0, dtypes.f32, name="out"), UOp.range(100, 0)
    memory = UOp.memory(0, dtypes.f32, 1 << 20)
    with pytest.raises(UnsupportedError, match=r"local memory do not fit a stack(.|\n)*shared or passed in"):
        Device("CPU").compile(UOp.sink(out[k].store(memory.after(memory[k].store(1.0).end(k))[k].load())))


def test_what_python_would_do_for_ever() -> None:
    a = UOp.param(0, dtypes.f32, name="a")
    with pytest.raises(GraphError, match="iterated"):
        list(a)
    with pytest.raises(GraphError, match="`in`"):
        assert 1 in a


@pytest.mark.parametrize(
    "make", [lambda: UOp.param(0, "f32"), lambda: UOp.scalar("x", np.float32), lambda: UOp.const(1, dtypes.i32).cast("i32")]
)
def test_what_is_no_dtype(make: object) -> None:
    with pytest.raises(DTypeError, match=r"dtypes\.f32"):
        make()  # type: ignore[operator]


def test_names_slots_and_bound_values() -> None:
    with pytest.raises(GraphError, match="a name is text"):
        UOp.param(0, dtypes.f32, name=5)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="whole number"):
        UOp.param(1.5, dtypes.f32)  # type: ignore[arg-type]
    out, i = UOp.param(0, dtypes.f32, name="out"), UOp.range(UOp.variable("n", 0, 100).bind(500), 0)
    with pytest.raises(LaunchError, match=r"'n' is bound to 500, outside \[0, 100\]"):
        Device("CPU").compile(UOp.sink(out[i].store(1.0)))
