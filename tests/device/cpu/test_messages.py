"""PRINT and ASSERT of thread kernels: the CPU says what the interpreter says, from the same work items."""
from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from types import BuiltinFunctionType
from typing import Any

import numpy as np
import pytest

import svod
from svod.codegen.simt import lower as mapping
from svod.config import CacheSettings, Config, override
from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import LaunchError, UnsupportedError
from svod.ir.args import MessageArg
from svod.ir.message import word
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.llvm.messages import HEAD
from svod.testing.threads import Threads

A, N = UOp.param(0, dtypes.i32, name="a"), UOp.variable("n", 0, 1 << 40)
on_devices = pytest.mark.devices("INTERP", "CPU", "OPENCL")


def launch(device: Any, k: Threads, *buffers: Any, grid: tuple[int, ...] = (1, 1, 1), **values: Any) -> None:
    device.compile(k.kernel())(*buffers, **dict(zip(("_grid_x", "_grid_y", "_grid_z"), (*grid, 1, 1), strict=False)), **values)


def failure(device: Any, k: Threads, *buffers: Any, **options: Any) -> str:
    with pytest.raises(LaunchError) as e:
        launch(device, k, *buffers, **options)
    return str(e.value)


# --- PRINT -------------------------------------------------------------------------------------------------------------------------

@on_devices
def test_values_of_every_kind(device: Any, capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(1, 1, 1))
    integers = [t for t in dtypes.ALL if t.is_int and t is not dtypes.index]
    limits = [UOp.const(v, t) for t in integers for v in (int(t.min), int(t.max))]
    given = [UOp.variable(f"v{i}", int(c.dtype.min), int(c.dtype.max), c.dtype) for i, c in enumerate(limits)]
    k.print(" ".join("{}" for _ in limits), *given)
    k.print("{} {} {}", N.eq(3), N.eq(4), N)
    launch(device, k, n=3, **{v.arg.name: c.arg.value for v, c in zip(given, limits, strict=True)})
    assert capfd.readouterr().out == " ".join(str(c.arg.value) for c in limits) + "\nTrue False 3\n"


@on_devices
@pytest.mark.parametrize("text", ["100% %d %s %n", "", "one\ntwo", "ends\n", "\\n \"quoted\" \t", "größer ≤ 𝄞", "x" * 3000, "a\0b"])
def test_texts(device: Any, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(1, 1, 1))
    k.print(text)
    launch(device, k)
    assert capfd.readouterr().out == text + "\n" * (not text.endswith("\n"))


def floats(dtype: DType, size: int) -> Any:
    """Awkward ones, any bits, and plain ones of all sizes."""
    bits = np.random.default_rng(1).integers(0, 1 << dtype.bits, size, np.uint64).astype(f"u{dtype.itemsize}")
    plain = np.random.default_rng(2).normal(0, 1, size) * 10.0 ** np.random.default_rng(3).integers(-8, 20, size)
    special = [0.0, -0.0, 1, -1, 0.1, 1 / 3, 9.5, 100, 1e5, 1e15, 1e16, 123456789, 1e-4, 9.999e-5, 1e22, np.inf, -np.inf, np.nan, 1 << 24]
    kind = f"f{dtype.itemsize}"
    with np.errstate(over="ignore"):
        return np.concatenate([np.array(special, kind), bits.view(kind), plain.astype(kind)])


@pytest.mark.parametrize("dtype", [dtypes.f32, dtypes.f64])
def test_floats_read_as_the_shortest_decimal(dtype: DType, capfd: pytest.CaptureFixture[str]) -> None:
    k, x = Threads(block=(1, 1, 1)), UOp.param(0, dtype, name="x")
    with k.for_(0, N) as i:
        k.print("{}", k.load(x, i))
    given = floats(dtype, 1500)
    launch(svod.Device("CPU"), k, given, n=given.size)
    lines = capfd.readouterr().out.splitlines()
    np.testing.assert_array_equal(np.array(lines, given.dtype), given)
    different = [(a, b) for a, b in zip(lines, [word(v, dtype) for v in given], strict=True) if a != b]
    assert not different


def test_narrow_floats_are_printed_as_f32(capfd: pytest.CaptureFixture[str]) -> None:
    k, x, n = Threads(block=(1, 1, 1)), UOp.scalar("x", dtypes.f16), UOp.scalar("y", dtypes.bf16)
    k.print("{} {}", x, n)
    launch(svod.Device("CPU"), k, x=0.5, y=3.0)
    assert capfd.readouterr().out == "0.5 3.0\n"


def test_a_line_that_is_too_long_is_refused() -> None:
    k = Threads()
    k.print("x" * 20_000)
    with pytest.raises(UnsupportedError, match="a line of up to 20002 characters"):
        svod.Device("CPU").compile(k.kernel())


def test_printing_leaves_the_stack_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(1, 1, 1))
    with k.for_(0, 5000):
        k.print("{} " + "x" * 4000, N)
    launch(svod.Device("CPU"), k, n=1)
    assert capfd.readouterr().out == f"1 {'x' * 4000}\n" * 5000


def told(out: str) -> dict[str, list[str]]:
    """The lines of each work item, in order; a line begins with the number of its work item."""
    lines = defaultdict(list)
    for row in out.splitlines():
        item, _, rest = row.partition(" ")
        lines[item].append(rest)
    return lines


def wanderers(block: tuple[int, int, int], *, barrier: bool) -> Threads:
    """Work items that go different ways through branches and loops, and say where they are."""
    k = Threads("wander", block)
    bx, by, _ = block
    item = k.let((k.block() * (bx * by * block[2]) + (k.thread(2) * by + k.thread(1)) * bx + k.thread()).cast(dtypes.i32))
    k.print("{} starts in {} {} {}", item, k.thread(), k.thread(1), k.thread(2))
    with k.if_((item % 3).eq(0)):
        k.print("{} is a third", item)
    with k.else_():
        k.print("{} is not", item)
    if barrier:
        k.barrier()
        k.print("{} behind the barrier", item)
    with k.for_(0, item % 5, dtype=dtypes.i32) as i:
        with k.if_(i.eq(1)):
            k.leave(Op.CONTINUE)
        with k.if_((i + item).eq(10)):
            k.print("{} breaks at {}", item, i)
            k.leave(Op.BREAK)
        k.print("{} has {}", item, i)
    with k.if_((item % 7).eq(4)):
        k.print("{} returns", item)
        k.leave(Op.RETURN)
    far, steps = k.variable(dtypes.i32, item, "far"), k.variable(dtypes.i32, 0, "steps")
    with k.loop():
        here = k.get(far)
        k.print("{} at {} after {}", item, here, k.get(steps))
        with k.if_(here > 200):
            k.leave(Op.BREAK)
        k.set(far, here + 70)
        k.set(steps, k.get(steps) + 1)
    k.print("{} ends", item)
    return k


@pytest.mark.parametrize(("block", "barrier"), [
    ((1, 1, 1), False), ((3, 1, 1), False), ((16, 1, 1), False), ((100, 1, 1), True), ((5, 3, 2), True), ((8, 2, 2), False)])
@pytest.mark.parametrize("lockstep", [0, 16])
def test_each_work_item_says_what_it_should_in_order(block: tuple[int, int, int], barrier: bool, lockstep: int,
                                                     capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "LOCKSTEP", lockstep)
    k = wanderers(block, barrier=barrier)
    said = []
    for name in ("INTERP", "CPU"):
        with override(config=Config(threads=3), cache=CacheSettings(enabled=False)):
            launch(svod.Device(name), k, grid=(3,))
        said.append(told(capfd.readouterr().out))
    assert said[0] == said[1]
    assert len(said[0]) == 3 * block[0] * block[1] * block[2]


def test_lines_of_many_cores_are_whole(capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(32, 1, 1))
    k.print("{} " + "-" * 200 + " {}", k.item(), k.item())
    with override(config=Config(threads=4)):
        launch(svod.Device("CPU"), k, grid=(64,))
    wanted = Counter(f"{i} {'-' * 200} {i}" for i in range(2048))
    assert Counter(capfd.readouterr().out.splitlines()) == wanted


@on_devices
def test_lines_come_in_order_with_those_of_python(device: Any) -> None:
    code = f"""
import svod
from svod.testing.threads import Threads
k = Threads(block=(1, 1, 1))
k.print("kernel")
program = svod.Device({device.name!r}).compile(k.kernel())
for i in range(3):
    print("python", i)
    program(_grid_x=1, _grid_y=1, _grid_z=1)
"""
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True, timeout=60)
    assert done.stdout == "".join(f"python {i}\nkernel\n" for i in range(3))


def test_a_float_without_a_form_is_refused_by_name() -> None:
    x = UOp.scalar("x", dtypes.f16)
    with pytest.raises(UnsupportedError, match="PRINT of f16"):
        svod.Device("CPU").compile(UOp(Op.LINEAR, (x, UOp(Op.PRINT, (x,), MessageArg("{}")))))


# --- ASSERT ------------------------------------------------------------------------------------------------------------------------

@on_devices
def test_a_failed_assertion_says_where_and_what(device: Any) -> None:
    k = Threads("guarded", block=(4, 2, 1))
    k.check(k.item() < N, "item {} is beyond {}", k.item(), N, place="kernel.py:12")
    launch(device, k, grid=(2, 1, 2), n=8)
    assert failure(device, k, grid=(2, 1, 1), n=7) == (
        "assertion failed: item 7 is beyond 7\n  at: kernel.py:12, kernel 'guarded', block (1, 0, 0), thread (3, 0, 0)")
    launch(device, k, grid=(2, 1, 2), n=8)


@on_devices
def test_the_place_in_a_grid_of_three_axes(device: Any) -> None:
    k = Threads(block=(3, 2, 2))
    here = (*map(k.thread, range(3)), *map(k.block, range(3)))
    k.check(~here[0].eq(1) | ~here[1].eq(1) | ~here[2].eq(1) | ~here[3].eq(2) | ~here[4].eq(1) | ~here[5].eq(3), "{}{}{} {}{}{}", *here)
    launch(device, k, grid=(2, 3, 4))
    assert failure(device, k, grid=(3, 2, 4)) == (
        "assertion failed: 111 213\n  at: kernel 'k', block (2, 1, 3), thread (1, 1, 1)")


@on_devices
def test_values_of_every_kind_in_an_assertion(device: Any) -> None:
    k, x = Threads(block=(4, 1, 1)), UOp.param(0, dtypes.f32, name="x")
    value = k.load(x, k.thread())
    narrow = tuple(value.cast(t) for t in (dtypes.f16, dtypes.bf16, dtypes.f64, dtypes.i8, dtypes.u64))
    k.check(value < 2.0, "{} {} {} {} {} {} {} {}", value, *narrow, value.eq(2.5), k.thread())
    words = [str(np.float32(2.5)), "2.5", "2.5", "2.5", "2", "2", "True", "2"]
    assert failure(device, k, np.array([0, 1, 2.5, 0], np.float32)).startswith(f"assertion failed: {' '.join(words)}\n")


@on_devices
def test_without_a_text(device: Any) -> None:
    k = Threads(block=(1, 1, 1))
    k.check(N.eq(1))
    launch(device, k, n=1)
    assert failure(device, k, n=2) == "assertion failed\n  at: kernel 'k', block (0, 0, 0), thread (0, 0, 0)"


@on_devices
def test_the_right_one_of_many_assertions_in_branches_and_loops(device: Any) -> None:
    k = Threads(block=(20, 1, 1))
    i = k.let(k.thread().cast(dtypes.i32))
    with k.if_(i > 5):
        k.check(i < 5, "never", place="branch")
    k = Threads(block=(20, 1, 1))
    i = k.let(k.thread().cast(dtypes.i32))
    with k.if_(i > 15):
        k.check(i > 15, "those that are not here do not count")
    with k.for_(0, i, dtype=dtypes.i32) as j:
        with k.if_(j > 8):
            k.leave(Op.BREAK)
        bad = k.load(A, 0)
        k.check(~((i + j).eq(bad)) | (j < 8), "{} and {}", i, j, place="loop")
    with k.if_(k.load(A, 1).eq(i)):
        k.leave(Op.RETURN)
    k.check(~i.eq(19), "the last", place="end")
    launch(device, k, np.array([0, 19], np.int32))
    assert failure(device, k, np.array([0, 18], np.int32)).startswith("assertion failed: the last\n  at: end, ")
    assert failure(device, k, np.array([25, 19], np.int32)).startswith("assertion failed: 17 and 8\n  at: loop, ")


@pytest.mark.parametrize("lockstep", [0, 16])
def test_among_barriers(lockstep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "LOCKSTEP", lockstep)
    k = Threads(block=(100, 1, 1))
    row = k.memory(dtypes.i32, 100, AddrSpace.LOCAL, "row")
    k.store(row, k.thread(), k.load(A, k.item()))
    k.barrier()
    left = k.load(row, k.thread() - 1, k.thread() > 0)
    k.check(left <= k.load(row, k.thread()), "not sorted: {}", left)
    for name in ("INTERP", "CPU"):
        with override(cache=CacheSettings(enabled=False)):
            device, given = svod.Device(name), np.arange(300, dtype=np.int32)
            launch(device, k, given, grid=(3,))
            given[150] = 1000
            message = failure(device, k, given, grid=(3,))
            assert message == "assertion failed: not sorted: 1000\n  at: kernel 'k', block (1, 0, 0), thread (51, 0, 0)", name


def test_an_assertion_known_to_hold_costs_nothing() -> None:
    k = Threads()
    k.check(UOp.const(True, dtypes.bool), "fine")
    program = svod.Device("CPU").compile(k.kernel())
    assert program.spec.needs.record_words == 0
    assert isinstance(program.launcher, BuiltinFunctionType)


def test_the_record_has_room_for_the_longest_message() -> None:
    k = Threads()
    k.check(N > 0, "{}", N)
    k.check(N > 1, "{} {} {}", N, N, N)
    k.check(N > 2)
    assert svod.Device("CPU").compile(k.kernel()).spec.needs.record_words == HEAD + 3


def test_every_way_to_launch_is_heard(capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(4, 1, 1))
    k.print("item {}", k.item())
    k.check(k.load(A, k.item()) < 5, "{}", k.item())
    program = svod.Device("CPU").compile(k.kernel())
    fast = program.launcher
    assert fast is not None
    grid = dict.fromkeys(program.var_names, 1)
    good, bad = np.array([1, 2, 3, 4], np.int32), np.array([1, 2, 9, 4], np.int32)
    ways: list[Callable[[Any], object]] = [
        lambda a: fast(a, 1, 1, 1), lambda a: program(a, **grid), lambda a: program.execute([a], [1, 1, 1]),
        lambda a: program.execute([a], grid), lambda a: program.execute([memoryview(a)], grid)]
    for way in ways:
        way(good)
        with pytest.raises(LaunchError, match=r"assertion failed: 2\n.*block \(0, 0, 0\), thread \(2, 0, 0\)"):
            way(bad)
        way(good)
        assert capfd.readouterr().out == "item 0\nitem 1\nitem 2\nitem 3\n" * 3
    assert fast(good.astype(np.float32), 1, 1, 1) is False
    assert capfd.readouterr().out == ""


def test_launches_at_once_get_their_own_errors() -> None:
    k = Threads(block=(64, 1, 1))
    k.check(k.item() < N, "{}", N)
    program = svod.Device("CPU").compile(k.kernel())
    wrong: list[str] = []

    def work(n: int) -> None:
        for _ in range(200):
            try:
                program(n=n, _grid_x=4, _grid_y=1, _grid_z=1)
                failed = ""
            except LaunchError as error:
                failed = error.what
            if failed != (f"assertion failed: {n}" if n < 256 else ""):
                wrong.append(f"{n}: {failed!r}")

    threads = [threading.Thread(target=work, args=(n,)) for n in (255, 256, 3, 1000)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_a_kernel_without_its_graph_says_that_it_failed() -> None:
    k = Threads(block=(4, 1, 1))
    k.check(k.item() < 6, "item {}", k.item(), place="here")
    device = svod.Device("CPU")
    program = device.runtime(replace(device.compile(k.kernel()).spec, ast=None))
    with pytest.raises(LaunchError) as e:
        program(_grid_x=2, _grid_y=1, _grid_z=1)
    assert str(e.value) == "assertion failed\n  at: kernel 'k', group 1, work item 2"


@pytest.fixture
def again() -> str:
    """A process that compiles a kernel, or finds it in the cache, and says which, and what a launch says."""
    return """
import svod
from svod.device.cpu import backend
from svod.testing.threads import Threads
from svod.ir.uop import UOp
compiled = []
compile_ir = backend.compile_ir
backend.compile_ir = lambda text, **options: compiled.append(1) or compile_ir(text, **options)
k = Threads(block=(4, 1, 1))
k.print("item {}", k.thread())
k.check(k.thread() < 3, "item {}", k.thread(), place="here")
try:
    svod.Device("CPU").compile(k.kernel())(_grid_x=1, _grid_y=1, _grid_z=1)
except svod.SvodError as error:
    print(len(compiled), str(error))
"""


def test_a_kernel_from_the_disk_cache_speaks_too(again: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVOD_CACHE_DIR", str(tmp_path))
    runs = [subprocess.run([sys.executable, "-c", again], text=True, capture_output=True, check=True, timeout=60).stdout for _ in range(2)]
    lines = "".join(f"item {i}\n" for i in range(4))
    error = "assertion failed: item 3\n  at: here, kernel 'k', block (0, 0, 0), thread (3, 0, 0)\n"
    assert runs == [f"{lines}1 {error}", f"{lines}0 {error}"]


def test_a_linear_program_with_an_assertion() -> None:
    r = UOp.range(N, 0)
    small = r < 3
    told = UOp(Op.ASSERT, (small, UOp.const(7, dtypes.index), r, r), MessageArg("r is {}", "k.py:1"))
    program = svod.Device("CPU").compile(UOp(Op.LINEAR, (N, r, small, told, UOp(Op.END, (UOp(Op.GROUP), r)))))
    program(n=3)
    with pytest.raises(LaunchError) as e:
        program(n=5)
    assert str(e.value) == "assertion failed: r is 3\n  at: k.py:1, kernel 'unnamed', group 7, work item 3"
