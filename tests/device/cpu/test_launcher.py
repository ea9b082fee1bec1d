"""The launchers: what they accept, what they refuse and leave untouched, and which way they run it."""
from __future__ import annotations

import ctypes
import enum
import gc
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svod.device.cpu import launcher as module
from svod.device.cpu.jit import LoadedObject, compile_ir, load_object
from svod.device.cpu.launcher import BufferParam, Launcher, LaunchSpec, ScalarParam, layout_matches, make_launcher, make_raw
from svod.device.cpu.pool import Pool
from svod.dtype import DType, dtypes, numpy_dtype
from svod.errors import SpecError

NEVER = 1 << 62
"""A threshold that no work reaches."""
F32 = BufferParam(dtypes.f32)
I64 = BufferParam(dtypes.i64, writable=True)
COUNT = ScalarParam(dtypes.i64, 0, 1 << 40)
ADD = ((BufferParam(dtypes.f32, 1, writable=True, may_alias=frozenset({1, 2})), F32, F32), (COUNT, ScalarParam(dtypes.i64, 1, 1)))

Array = np.ndarray[Any, Any]


def made(launcher: Launcher | None) -> Launcher:
    """A launcher where there must be one."""
    assert launcher is not None
    return launcher


@pytest.fixture
def add(kernels: LoadedObject, pool: Pool) -> Launcher:
    """c, a, b, n, 1: c[:n] = a[:n] + b[:n]; c may be a or b."""
    spec = LaunchSpec(kernels.address("add"), *ADD, reach=kernels.address("add_reach"), name="add")
    return made(make_launcher(spec, pool, owner=kernels))


@pytest.fixture
def nothing(kernels: LoadedObject, pool: Pool) -> Callable[..., Launcher]:
    """`nothing(buffers, scalars)`: a launcher whose kernel does nothing."""
    def make(buffers: tuple[BufferParam, ...] = (), scalars: tuple[ScalarParam, ...] = ()) -> Launcher:
        return made(make_launcher(LaunchSpec(kernels.address("nothing"), buffers, scalars), pool, owner=kernels))

    return make


@pytest.fixture
def arrays() -> tuple[Array, Array, Array]:
    """c of zeros, a and b of numbers; 100 of f32."""
    return np.zeros(100, np.float32), np.arange(100, dtype=np.float32), np.full(100, 0.5, np.float32)


def test_this_interpreter_has_the_fast_path() -> None:
    """The project supports CPython: without this, every other test here would be about nothing."""
    assert layout_matches()


def test_a_call_runs_the_kernel(add: Launcher, arrays: tuple[Array, Array, Array]) -> None:
    c, a, b = arrays
    assert add(c, a, b, 90, 1) is True
    assert (c[:90] == a[:90] + b[:90]).all()
    assert not c[90:].any()
    assert (add.__name__, type(add)) == ("add", type(len))
    assert "True if the kernel ran" in (add.__doc__ or "")


@pytest.mark.parametrize("wrong", [
    (), (0,), (0, 1, 2), (0, 1, 2, 100), (0, 1, 2, 100, 1, 1),
    (0, 1, None, 100, 1), (0, [1.0] * 100, 2, 100, 1), (0, 1, memoryview(b"x" * 400), 100, 1), (0, 1, "2", 100, 1),
    (0, 1, 2, 100.0, 1), (0, 1, 2, None, 1), (0, 1, 2, np.int64(100), 1), (0, 1, 2, "100", 1), (0, 1, 2, True, 1), (0, 1, 2, 100, True),
    (0, 1, 2, -1, 1), (0, 1, 2, (1 << 40) + 1, 1), (0, 1, 2, 10**30, 1), (0, 1, 2, -10**30, 1), (0, 1, 2, 100, 2), (0, 1, 2, 101, 1),
    (100, 1, 2, 0, 1),
])
def test_wrong_arguments_are_refused_without_a_trace(wrong: tuple[object, ...], add: Launcher, arrays: tuple[Array, Array, Array]) -> None:
    """0, 1 and 2 in the first three places stand for c, a and b."""
    given_now = [arrays[v] if i < 3 and isinstance(v, int) and v < 3 else v for i, v in enumerate(wrong)]
    before = [a.copy() for a in arrays]
    assert add(*given_now) is False
    assert all((a == b).all() for a, b in zip(arrays, before, strict=True))
    assert add(*arrays, 100, 1) is True


class Subclass(np.ndarray[Any, Any]):
    """An array that is not exactly one."""


def frozen(array: Array) -> Array:
    """The same, read-only."""
    array = array.copy()
    array.flags.writeable = False
    return array


def unaligned(array: Array) -> Array:
    """The same, at an odd address."""
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype)
    raw[:] = array
    return raw


@pytest.mark.parametrize(("change", "out_too"), [
    (lambda x: x.astype(np.float64), True), (lambda x: x.astype(np.int32), True), (lambda x: x.astype(">f4"), True),
    (lambda x: x[::2], True),
    (lambda x: x[::-1], True), (lambda x: np.zeros((20, 10), np.float32)[:, ::2], True), (lambda x: np.zeros((10, 10), np.float32).T, True),
    (lambda x: x.view(Subclass), True), (unaligned, True), (lambda x: x[:99], True), (lambda x: np.broadcast_to(np.float32(1), 100), True),
    (lambda x: x.astype("V4"), True), (lambda x: np.zeros(100, [("x", np.float32)]), True), (lambda x: np.zeros(100, object), True),
    (lambda x: np.float32(1), True), (frozen, False),
])
def test_other_arrays_are_refused(
        change: Callable[[Array], Array], out_too: bool, add: Launcher, arrays: tuple[Array, Array, Array]) -> None:
    c, a, b = arrays
    assert add(c, change(a), b, 100, 1) is not out_too
    c[:] = 0
    assert add(c, a, change(b), 100, 1) is not out_too
    assert add(change(c), a, b, 100, 1) is False


@pytest.mark.parametrize("shape", [(100,), (10, 10), (1, 100, 1), (4, 5, 5, 1), (25, 2, 2), (100, 0 + 1)])
def test_any_contiguous_shape_will_do(shape: tuple[int, ...], add: Launcher, arrays: tuple[Array, Array, Array]) -> None:
    c, a, b = arrays
    assert add(c.reshape(shape), a.reshape(shape), b, 100, 1) is True
    assert (c == a + b).all()


def test_scalars_and_empty_arrays(add: Launcher, nothing: Callable[..., Launcher]) -> None:
    c, one = np.zeros((), np.float32), np.ones((), np.float32)
    assert add(c, one, one, 1, 1) is True
    assert c[()] == 2
    empty = np.zeros((3, 0), np.float32)
    assert add(c, one, one, 0, 1) is True
    assert add(c, empty, one, 0, 1) is True
    assert add(c, empty, one, 1, 1) is False
    assert add(empty, one, one, 0, 1) is False, "c has at least 1 element"
    assert nothing((F32, F32))(empty, empty) is True
    assert nothing()() is True
    assert nothing()(1) is False


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
def test_each_dtype_is_told_from_all_others(dtype: DType, nothing: Callable[..., Launcher]) -> None:
    launcher = nothing((BufferParam(dtype, 3),))
    for other in dtypes.ALL:
        assert launcher(np.zeros(3, numpy_dtype(other))) is (other is dtype)
    native = numpy_dtype(dtype)
    assert launcher(pickle.loads(pickle.dumps(np.zeros(3, native)))) is True
    swapped = native.newbyteorder()
    if swapped != native:
        assert launcher(np.zeros(3, swapped)) is False


def test_static_sizes_hold_without_reach(nothing: Callable[..., Launcher]) -> None:
    launcher = nothing((BufferParam(dtypes.u8, 7), BufferParam(dtypes.u8)))
    assert launcher(np.zeros(7, np.uint8), np.zeros(0, np.uint8)) is True
    assert launcher(np.zeros(6, np.uint8), np.zeros(0, np.uint8)) is False


def test_overlap_with_a_written_array_is_refused_unless_exact_and_allowed(nothing: Callable[..., Launcher]) -> None:
    base = np.zeros(100, np.float32)
    out, free = BufferParam(dtypes.f32, writable=True), BufferParam(dtypes.f32, writable=True, may_alias=frozenset({1}))
    ways = {"plain": nothing((out, F32)), "allowed": nothing((free, F32)), "read": nothing((F32, F32)), "both": nothing((out, out)),
            "from the other": nothing((out, BufferParam(dtypes.f32, may_alias=frozenset({0}))))}

    def verdicts(a: Array, b: Array) -> set[str]:
        return {name for name, launcher in ways.items() if launcher(a, b)}

    assert verdicts(base[:50], base[50:]) == set(ways)
    assert verdicts(base[50:], base[:50]) == set(ways)
    assert verdicts(base, base) == {"allowed", "read", "from the other"}
    assert verdicts(base, base[:10]) == {"allowed", "read", "from the other"}
    for a, b in ((base[:51], base[50:]), (base[50:], base[:51]), (base, base[1:]), (base[1:2], base), (base[10:20], base[15:16])):
        assert verdicts(a, b) == {"read"}


def test_each_pair_is_looked_at(nothing: Callable[..., Launcher]) -> None:
    """Buffer 3 of five is written and may be buffer 1."""
    params = [F32] * 5
    params[3] = BufferParam(dtypes.f32, writable=True, may_alias=frozenset({1}))
    launcher = nothing(tuple(params))
    for i in range(5):
        for j in range(i):
            given_now = [np.zeros(8, np.float32) for _ in range(5)]
            given_now[i] = given_now[j]
            assert launcher(*given_now) is (3 not in (i, j) or 1 in (i, j))


def test_in_place(add: Launcher, arrays: tuple[Array, Array, Array]) -> None:
    _, a, b = arrays
    expected = a + b
    assert add(a, a, b, 100, 1) is True
    assert (a == expected).all()
    assert add(a[:-1], a[1:], b, 99, 1) is False
    assert (a == expected).all()


BASE = 256
OPTIONS = st.tuples(
    st.sampled_from(["<f4"] * 4 + [">f4", "<i4", "<f8"]), st.integers(0, 40), st.integers(0, 30), st.sampled_from([4, 4, 4, 1, 8]),
    st.sampled_from(["plain"] * 5 + ["frozen", "reversed", "square", "transposed", "subclass"]))


def build(base: bytearray, options: tuple[str, int, int, int, str]) -> Array:
    """An array over part of `base`."""
    kind, start, size, step, form = options
    array = np.ndarray((size,), np.dtype(kind), base, start * step)
    if form == "frozen":
        array.flags.writeable = False
    root = int(size**0.5)
    changed: dict[str, Callable[[], Array]] = {
        "reversed": lambda: array[::-1], "square": lambda: array[:root * root].reshape(root, root),
        "transposed": lambda: array[:root * root].reshape(root, root).T, "subclass": lambda: array.view(Subclass)}
    return changed[form]() if form in changed else array


def acceptable(built: list[Array], n: int) -> bool:
    """What the launcher of `add` must answer, said in NumPy's words."""
    c, a, b = built
    plain = all(type(x) is np.ndarray and x.dtype == np.dtype("<f4") and x.flags.c_contiguous and x.flags.aligned for x in built)
    if not plain or any(x.size < n for x in built):
        return False
    apart = all(not np.may_share_memory(c, x) or x.ctypes.data == c.ctypes.data for x in (a, b))
    return bool(c.flags.writeable and c.size >= 1 and 0 <= n <= 1 << 40 and apart)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OPTIONS, OPTIONS, OPTIONS, st.integers(-1, 31))
def test_the_verdict_is_numpys(add: Launcher, c: Any, a: Any, b: Any, n: int) -> None:
    base = bytearray(np.arange(BASE * 2, dtype=np.float32).tobytes())
    built = [build(base, options) for options in (c, a, b)]
    before = bytes(base)
    expected = built[1].ravel()[:max(n, 0)] + built[2].ravel()[:max(n, 0)] if acceptable(built, n) else None
    ran = add(*built, n, 1)
    assert ran is (expected is not None)
    if expected is None:
        assert bytes(base) == before
    else:
        assert (built[0].ravel()[:n] == expected).all()


class Level(enum.IntEnum):
    """An int that is not exactly one."""

    ONE = 1


def echoed(scalar: DType, value: object, kernels: LoadedObject, pool: Pool) -> bytes | None:
    """The slot of a scalar that was passed as `value`, None if it was refused; what is behind it must be untouched."""
    spec = LaunchSpec(kernels.address("echo"), (I64,), (ScalarParam(scalar), COUNT, COUNT, COUNT))
    out = np.full(4, -77)
    ran = made(make_launcher(spec, pool))(out, value, 5, 6, 7)
    assert out[1:].tolist() == ([5, 6, 7] if ran else [-77] * 3)
    assert ran or out[0] == -77
    return out[:1].tobytes() if ran else None


@pytest.mark.parametrize("dtype", dtypes.INTS, ids=repr)
def test_integers(dtype: DType, kernels: LoadedObject, pool: Pool) -> None:
    least, greatest = int(dtype.min), min(int(dtype.max), (1 << 63) - 1)
    for value in (least, least + 1, 0, 1, 100, greatest - 1, greatest):
        assert echoed(dtype, value, kernels, pool) == value.to_bytes(8, "little", signed=True)
    for wrong in (least - 1, greatest + 1, 1 << 64, -(1 << 64), True, 1.0, None, "1", Level.ONE, np.int32(1), np.int64(1)):
        assert echoed(dtype, wrong, kernels, pool) is None


def test_booleans(kernels: LoadedObject, pool: Pool) -> None:
    assert [echoed(dtypes.bool, v, kernels, pool) for v in (True, False)] == [b"\1" + b"\0" * 7, b"\0" * 8]
    assert {echoed(dtypes.bool, v, kernels, pool) for v in (1, 0, 0.0, None, np.True_, Level.ONE)} == {None}


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.f64], ids=repr)
def test_floats(dtype: DType, kernels: LoadedObject, pool: Pool) -> None:
    exact = 1 << 53
    greatest = 3.4028235677973362e38  # the next one up rounds to infinity in f32
    for value in (0.1, -0.0, 0.0, greatest, -greatest, 1e-320, INF, -INF, NAN, 3, -7, 16777217, exact, -exact):
        expected = np.float64(value).astype(numpy_dtype(dtype)).tobytes().ljust(8, b"\0")
        assert echoed(dtype, value, kernels, pool) == expected
    for wrong in (exact + 1, -exact - 1, 10**30, True, "1", None, 1j, np.float64(1), np.float32(1)):
        assert echoed(dtype, wrong, kernels, pool) is None
    for large in (np.nextafter(greatest, INF).item(), 1e300, -1e300):
        assert (echoed(dtype, large, kernels, pool) is None) == (dtype is dtypes.f32)


@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.f64, dtypes.i32, dtypes.u64], ids=repr)
def test_bounds_are_inclusive(dtype: DType, nothing: Callable[..., Launcher]) -> None:
    launcher = nothing((), (ScalarParam(dtype, 2, 5),))
    assert [launcher(v) for v in (1, 2, 3, 5, 6)] == [False, True, True, True, False]
    if dtype.is_float:
        assert [launcher(v) for v in (1.9999, 2.0, 5.0, 5.0001, INF, NAN)] == [False, True, True, False, False, False]


@pytest.mark.parametrize("dtype", [dtypes.f16, dtypes.bf16, *dtypes.FP8], ids=repr)
def test_scalars_of_small_floats_have_no_launcher(dtype: DType, kernels: LoadedObject, pool: Pool) -> None:
    spec = LaunchSpec(kernels.address("nothing"), (), (ScalarParam(dtype),))
    assert make_launcher(spec, pool) is None
    assert make_raw(spec, pool) is None


def test_keywords_are_pythons_error(add: Launcher) -> None:
    with pytest.raises(TypeError, match="keyword"):
        add(n=1)


@pytest.mark.parametrize("cores", [1, 4])
@pytest.mark.parametrize(("work", "spread", "released"), [(10, False, False), (100, False, True), (1000, True, True)])
def test_the_route_follows_the_work(cores: int, work: int, spread: bool, released: bool, kernels: LoadedObject, pool: Pool) -> None:
    spec = LaunchSpec(kernels.address("gil"), (I64,), cores=cores, work=work, parallel_threshold=1000, gil_threshold=100)
    out = np.zeros(4, np.int64)
    assert made(make_launcher(spec, pool))(out)
    assert set(out[:cores].tolist()) == {2 if released else 3}
    assert pool.stats().launches == (spread and cores > 1)
    assert made(make_raw(spec, pool))(out.ctypes.data)
    assert pool.stats().launches == 2 * (spread and cores > 1)


@pytest.mark.parametrize("kind", [make_launcher, make_raw])
def test_work_comes_from_reach(kind: Any, kernels: LoadedObject, pool: Pool, arrays: tuple[Array, Array, Array]) -> None:
    spec = LaunchSpec(kernels.address("add"), (F32, F32, F32), (COUNT, COUNT), cores=2, reach=kernels.address("add_reach"), work=NEVER,
                      parallel_threshold=50, gil_threshold=NEVER)
    launcher = made(kind(spec, pool))
    data = arrays if kind is make_launcher else [x.ctypes.data for x in arrays]
    for n, launches in ((49, 0), (50, 1)):
        assert launcher(*data, n, 2)
        assert pool.stats().launches == launches
    assert (arrays[0][:50] == arrays[1][:50] + arrays[2][:50]).all()


@pytest.mark.parametrize("thresholds", [(NEVER, NEVER), (NEVER, 0), (0, 0)])
@pytest.mark.parametrize("parts", [1, 5, 70])
def test_phases_and_scratch_on_every_route(thresholds: tuple[int, int], parts: int, kernels: LoadedObject, pool: Pool) -> None:
    values = np.random.default_rng(parts).integers(-1 << 40, 1 << 40, 3001)
    spec = LaunchSpec(kernels.address("sum"), (I64, I64), (COUNT, COUNT), parts, 2, parts * 8, 64, parallel_threshold=thresholds[0],
                      gil_threshold=thresholds[1])
    launcher, raw = made(make_launcher(spec, pool)), made(make_raw(spec, pool))
    for _ in range(50):
        out = np.zeros(1, np.int64)
        assert launcher(out, values, values.size, parts)
        assert out[0] == values.sum()
        assert raw(out.ctypes.data, values.ctypes.data, values.size // 2, parts)
        assert out[0] == values[:values.size // 2].sum()
    assert pool.stats().launches == (100 if thresholds[0] == 0 and parts > 1 else 0)


@pytest.mark.parametrize("phases", [1, 3])
def test_cores_and_phases_without_scratch(phases: int, kernels: LoadedObject, pool: Pool) -> None:
    spec = LaunchSpec(kernels.address("count"), (I64,), (COUNT,), cores=6, phases=phases)
    out = np.zeros(7, np.int64)
    assert made(make_launcher(spec, pool))(out, 6)
    assert out.tolist() == [phases] * 6 + [0]


@pytest.mark.parametrize("thresholds", [(NEVER, NEVER), (NEVER, 0), (0, 0)])
def test_without_memory_for_scratch_nothing_runs(thresholds: tuple[int, int], kernels: LoadedObject, pool: Pool) -> None:
    spec = LaunchSpec(kernels.address("count"), (I64,), (COUNT,), 2, 1, 1 << 50, parallel_threshold=thresholds[0],
                      gil_threshold=thresholds[1])
    out = np.zeros(3, np.int64)
    for kind, given_now in ((make_launcher, out), (make_raw, out.ctypes.data)):
        assert made(kind(spec, pool))(given_now, 2) is False
    assert not out.any()


def test_raw_launchers_take_addresses(kernels: LoadedObject, pool: Pool, arrays: tuple[Array, Array, Array]) -> None:
    c, a, b = arrays
    raw = made(make_raw(LaunchSpec(kernels.address("add"), *ADD, reach=kernels.address("add_reach"), name="add_raw"), pool))
    data = [x.ctypes.data for x in arrays]
    assert raw(*data, 100, 1) is True
    assert (c == a + b).all()
    c[:] = 0
    for wrong in ((), (*data, 100), (*data, 100, 1, 1), (*arrays, 100, 1), (*data, -1, 1), (*data, 100.0, 1), (*data, 100, 2),
                  *((data[0], bad, data[2], 100, 1) for bad in (None, float(data[1]), 1 << 63, True))):
        assert raw(*wrong) is False
    assert not c.any()


def test_references_are_balanced(add: Launcher, kernels: LoadedObject, pool: Pool, arrays: tuple[Array, Array, Array]) -> None:
    scalars = (ScalarParam(dtypes.f64), ScalarParam(dtypes.bool), COUNT, COUNT)
    echo = LaunchSpec(kernels.address("echo"), (I64,), scalars, work=1, gil_threshold=0)
    floats, raw, out = made(make_launcher(echo, pool)), made(make_raw(echo, pool)), np.zeros(4, np.int64)
    number, count, address = 12345.678, 10**9, int(out.ctypes.data)
    watched: list[Any] = [True, False, None, number, count, address, out, *arrays, np.dtype(np.float32), np.ndarray, add, floats, raw]
    before = [sys.getrefcount(x) for x in watched]
    for _ in range(10_000):
        add(*arrays, 100, 1)
        add(*arrays, count, 1)
        add(None)
        floats(out, number, True, count, 7)
        floats(out, number, None, count, 7)
        raw(address, number, False, count, 7)
        raw(out, number, False, count, 7)
    after = [sys.getrefcount(x) for x in watched]
    assert all(abs(a - b) < 50 for a, b in zip(after, before, strict=True)), list(zip(watched, before, after, strict=True))


def test_a_launcher_keeps_what_it_needs_and_no_longer(make_pool: Callable[..., Pool], kernels: LoadedObject) -> None:
    class Owner:
        """Stands for the loaded code."""

    owner, pool = Owner(), make_pool(2)
    watched: list[weakref.ref[Any]] = [weakref.ref(owner), weakref.ref(pool)]
    spec = LaunchSpec(kernels.address("count"), (I64,), (COUNT,), cores=3, parallel_threshold=0)
    launcher, raw = make_launcher(spec, pool, owner=owner), make_raw(spec, pool, owner=owner)
    del owner, pool
    gc.collect()
    out = np.zeros(4, np.int64)
    assert made(launcher)(out, 3)
    assert made(raw)(out.ctypes.data, 3)
    assert out.tolist()[:3] == [2, 2, 2]
    assert all(w() is not None for w in watched)
    del launcher
    gc.collect()
    assert all(w() is not None for w in watched)
    del raw
    gc.collect()
    assert all(w() is None for w in watched)


def test_code_is_unloaded_with_its_launcher(pool: Pool, resident: Callable[[], int]) -> None:
    obj = compile_ir("define void @entry(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {\n  ret void\n}\n")

    def cycle(count: int) -> None:
        for _ in range(count):
            code = load_object(obj, ["entry"])
            launcher = made(make_launcher(LaunchSpec(code.address("entry"), (F32,)), pool, owner=code))
            del code
            assert launcher(np.zeros(1, np.float32))

    cycle(200)
    before = resident()
    cycle(2000)
    assert resident() - before < 4 << 20


@pytest.mark.parametrize("threshold", [0, NEVER])
def test_many_threads_launch_at_once(threshold: int, kernels: LoadedObject, pool: Pool) -> None:
    spec = LaunchSpec(kernels.address("sum"), (I64, I64), (COUNT, COUNT), 5, 2, 40, 128, parallel_threshold=threshold, gil_threshold=0)
    launcher, failures = made(make_launcher(spec, pool)), []

    def work(seed: int) -> None:
        values = np.random.default_rng(seed).integers(-1 << 40, 1 << 40, 3000 + seed)
        expected = values.sum()
        for i in range(1000):
            out = np.zeros(1, np.int64)
            if not launcher(out, values, values.size, 5) or out[0] != expected:
                failures.append((seed, i))

    threads = [threading.Thread(target=work, args=(s,)) for s in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert (pool.stats().launches > 0) == (threshold == 0)


def test_other_threads_run_while_a_kernel_does(kernels: LoadedObject, pool: Pool, until: Callable[[Callable[[], bool]], bool]) -> None:
    launcher = made(make_launcher(LaunchSpec(kernels.address("hold"), (I64,), (ScalarParam(dtypes.i64),), gil_threshold=0), pool))
    flags, answers = np.zeros(2, np.int64), []
    thread = threading.Thread(target=lambda: answers.append(launcher(flags, -1)))
    thread.start()
    assert until(lambda: bool(flags[0]))
    flags[1] = 1
    thread.join()
    assert answers == [True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_launchers_work_in_a_forked_child(kernels: LoadedObject, pool: Pool) -> None:
    launcher = made(make_launcher(LaunchSpec(kernels.address("count"), (I64,), (COUNT,), 4, 2, parallel_threshold=0), pool))

    def works() -> bool:
        out = np.zeros(5, np.int64)
        return launcher(out, 4) and out.tolist() == [2, 2, 2, 2, 0]

    assert works()
    child = os.fork()
    if child == 0:
        os._exit(0 if works() and pool.stats().workers == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert works()


def test_interpreters_end_quietly_under_launches() -> None:
    """Daemon threads come back from kernels, without the GIL, to an interpreter that is gone: Python ends them there."""
    script = textwrap.dedent("""
        import threading, time
        import numpy as np
        from svod.device.cpu.jit import compile_ir, load_object
        from svod.device.cpu.launcher import BufferParam, LaunchSpec, make_launcher
        from svod.device.cpu.native import load_native
        from svod.device.cpu.pool import Pool
        from svod.dtype import dtypes
        text = '''define void @entry(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
        entry:
          br label %next
        next:
          %i = phi i64 [ 0, %entry ], [ %j, %next ]
          %j = add i64 %i, 1
          store volatile i64 %j, ptr %private
          %more = icmp slt i64 %j, 20000
          br i1 %more, label %next, label %end
        end:
          ret void
        }'''
        code = load_object(compile_ir(text), ["entry"])
        pool = Pool(load_native(), 2)
        spec = LaunchSpec(code.address("entry"), (BufferParam(dtypes.f32),), cores=4, private_bytes=64, parallel_threshold=0)
        launcher, array = make_launcher(spec, pool, owner=code), np.zeros(3, np.float32)
        def forever():
            while True:
                launcher(array)
        for _ in range(3):
            threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.1)
        print("end", flush=True)
    """)
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


@pytest.mark.parametrize("wrong", [
    {"entry": 0}, {"cores": 0}, {"phases": 0}, {"shared_bytes": -1}, {"private_bytes": -1}, {"work": -1},
    {"buffers": (BufferParam(dtypes.f32, may_alias=frozenset({1})),)}, {"buffers": (BufferParam(dtypes.f32, may_alias=frozenset({0})),)},
])
def test_specs_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="'launch'"):
        LaunchSpec(**{"entry": 4096} | wrong)


def test_without_the_expected_layout_there_is_no_launcher(monkeypatch: pytest.MonkeyPatch, kernels: LoadedObject, pool: Pool) -> None:
    assert not module._array_matches(np.zeros(3).view(Subclass))
    for name, value in (("byteorder", "big"), ("implementation", type("Other", (), {"name": "pypy"}))):
        with monkeypatch.context() as patch:
            patch.setattr(sys, name, value)
            assert not module.layout_matches.__wrapped__()
    with monkeypatch.context() as patch:
        patch.setattr(module, "_array_matches", lambda array: array.ndim != 3)
        assert not module.layout_matches.__wrapped__()
    monkeypatch.setattr(module, "layout_matches", lambda: False)
    spec = LaunchSpec(kernels.address("nothing"))
    assert make_launcher(spec, pool) is None
    assert make_raw(spec, pool) is None


def test_a_descriptor_lies_behind_a_bytes_header(add: Launcher) -> None:
    descriptor = add.__self__  # type: ignore[attr-defined]
    assert ctypes.string_at(id(descriptor) + 32, len(descriptor)) == bytes(descriptor)
