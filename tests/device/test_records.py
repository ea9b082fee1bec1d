"""What kernels say on devices whose work items can say nothing themselves: the lines and the errors of the CPU, out of a record."""
from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod.config import Config, override
from svod.dtype import dtypes
from svod.errors import ArgumentError, LaunchError
from svod.ir.args import MessageArg
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.records import FAILED, HEAD, LINES, Layout
from svod.testing.threads import Threads

A, N = UOp.param(0, dtypes.i32, name="a"), UOp.variable("n", 0, 1 << 40)
on_devices = pytest.mark.devices("OPENCL")
"""Those whose kernels have a record."""


def launch(device: Any, k: Threads, *buffers: Any, groups: int = 1, **values: Any) -> None:
    device.compile(k.kernel())(*buffers, _grid_x=groups, _grid_y=1, _grid_z=1, **values)


# --- the layout ----------------------------------------------------------------------------------------------------------------------

def test_a_layout_is_found_again_by_its_words() -> None:
    layouts = [Layout(), Layout(2 * FAILED), Layout(2 * FAILED + 8), Layout(0, LINES), Layout(2 * FAILED + 8, LINES)]
    assert [Layout.with_words(x.words) for x in layouts] == layouts
    assert [x.words for x in layouts] == [0, HEAD + 6, HEAD + 14, HEAD + LINES, HEAD + 14 + LINES]


def test_an_assertion_that_holds_takes_no_room() -> None:
    holds = UOp(Op.ASSERT, (UOp.const(True, dtypes.bool), UOp.const(0, dtypes.index), UOp.const(0, dtypes.index)), MessageArg(""))
    assert Layout.of(UOp(Op.LINEAR, (holds,))).words == 0


# --- PRINT ---------------------------------------------------------------------------------------------------------------------------

@on_devices
def test_each_work_item_says_what_it_should_in_order(device: Any, capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(33, 1, 1))
    item = k.let(k.item().cast(dtypes.i32))
    k.print("{} starts", item)
    with k.for_(0, item % 5, dtype=dtypes.i32) as i:
        with k.if_(i.eq(3)):
            k.print("{} breaks", item)
            k.leave(Op.BREAK)
        k.print("{} has {}", item, i)
    k.barrier()
    with k.if_((item % 7).eq(4)):
        k.leave(Op.RETURN)
    k.print("{} ends", item)
    launch(device, k, groups=3)
    out = capfd.readouterr().out.splitlines()
    for n in range(99):
        loop = [f"has {i}" for i in range(min(n % 5, 3))] + ["breaks"] * (n % 5 > 3)
        assert [x.partition(" ")[2] for x in out if x.split()[0] == str(n)] == ["starts", *loop, *["ends"] * (n % 7 != 4)]


@on_devices
def test_narrow_floats_are_printed_as_f32(device: Any, capfd: pytest.CaptureFixture[str]) -> None:
    k, x, y, z = Threads(block=(1, 1, 1)), UOp.scalar("x", dtypes.f16), UOp.scalar("y", dtypes.bf16), UOp.scalar("z", dtypes.f8e4m3)
    k.print("{} {} {}", x, y, z)
    launch(device, k, x=0.1, y=3.0, z=-1.5)
    assert capfd.readouterr().out == f"{np.float32(np.float16(0.1))!s} 3.0 -1.5\n"


@on_devices
def test_lines_that_do_not_fit_are_counted(device: Any, capfd: pytest.CaptureFixture[str]) -> None:
    k, row = Threads(block=(64, 1, 1)), "{} {} {}"
    with k.for_(0, 1000, dtype=dtypes.i32) as i:
        k.print(row, k.item(), i, UOp.const(7, dtypes.u8))
    launch(device, k, groups=2)
    *lines, last = capfd.readouterr().out.splitlines()
    assert last == f"{128_000 - LINES // 8} more lines of kernel 'k' did not fit in 1024 KiB"
    assert len(lines) == LINES // 8
    assert not Counter(lines) - Counter(f"{item} {i} 7" for item in range(128) for i in range(1000))
    launch(device, k)  # what was lost before is forgotten
    assert len(capfd.readouterr().out.splitlines()) == LINES // 8 + 1


@on_devices
def test_lines_come_before_the_error_and_results_too(device: Any, capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(8, 1, 1))
    k.print("item {}", k.thread())
    k.check(k.thread() < 7, "{} of {}", k.thread(), k.load(A, 0))
    k.store(A, k.thread(), k.thread().cast(dtypes.i32) + 1)
    a = np.zeros(8, np.int32)
    with pytest.raises(LaunchError, match="assertion failed: 7 of "):
        launch(device, k, a)
    assert sorted(capfd.readouterr().out.splitlines()) == [f"item {i}" for i in range(8)]
    assert a.tolist() == list(range(1, 9))


# --- ASSERT --------------------------------------------------------------------------------------------------------------------------

@on_devices
def test_of_many_that_fail_one_is_told_whole(device: Any) -> None:
    k = Threads(block=(64, 1, 1))
    k.check(k.item() < 0, "{} {} {}", k.item(), k.item() * 3, k.item() * (1 << 40))
    for _ in range(20):
        with pytest.raises(LaunchError) as e:
            launch(device, k, groups=16)
        first, *others = map(int, e.value.what.removeprefix("assertion failed: ").split())
        assert others == [first * 3, first << 40]
        assert e.value.at == f"kernel 'k', block ({first // 64}, 0, 0), thread ({first % 64}, 0, 0)"


@on_devices
def test_launches_at_once_get_their_own_errors(device: Any) -> None:
    k = Threads(block=(64, 1, 1))
    k.check(k.item() < N, "{}", N)
    program, wrong = device.compile(k.kernel()), []

    def work(n: int) -> None:
        for _ in range(50):
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


@on_devices
def test_a_kernel_without_its_graph_says_that_it_failed(device: Any, capfd: pytest.CaptureFixture[str]) -> None:
    k = Threads(block=(4, 1, 1))
    k.print("{}", k.thread())
    k.check(k.item() < 7, "item {}", k.item(), place="here")
    program = device.runtime(replace(device.compile(k.kernel()).spec, ast=None))
    with pytest.raises(LaunchError) as e:
        program(_grid_x=2, _grid_y=1, _grid_z=1)
    assert str(e.value) == "assertion failed\n  at: kernel 'k', group 1, work item 3"
    assert capfd.readouterr().out == "kernel 'k' printed what cannot be read without its graph\n"


@on_devices
def test_an_index_out_of_its_axis_is_told_if_asked(device: Any) -> None:
    def gathers(a: sl.Array[sl.f32], i: sl.Array[sl.i32], o: sl.Array[sl.f32]) -> None:
        x = sl.thread_idx.x
        t = sl.shared(64, sl.f32)
        t[x] = a[i[x]]
        sl.barrier()
        o[x] = t[63 - x]

    a, i, o, plain = (np.arange(64, dtype=t) for t in (np.float32, np.int32, np.float32, np.float32))
    k = sl.kernel(gathers).on(device)
    k[1, 64](a, i, plain)
    with override(config=Config(check=frozenset({"bounds"}))):
        k[1, 64](a, i, o)
        assert o.tolist() == plain.tolist() == a[::-1].tolist()
        i[5] = 1 << 30
        with pytest.raises(ArgumentError, match=f"index {1 << 30} is out of range: axis 0 of a has 64 elements") as e:
            k[1, 64](a, i, o)
    assert e.value.at.endswith("kernel 'gathers', block (0, 0, 0), thread (5, 0, 0)")


@on_devices
def test_a_linear_program_with_an_assertion(device: Any) -> None:
    small = UOp(Op.CMPLT, (N, UOp.const(4, dtypes.index)))
    told = UOp(Op.ASSERT, (small, UOp.const(7, dtypes.index), UOp.const(1, dtypes.index), N), MessageArg("n is {}", "k.py:1"))
    program = device.compile(UOp(Op.LINEAR, (N, small, told)))
    program(n=3)
    with pytest.raises(LaunchError) as e:
        program(n=5)
    assert str(e.value) == "assertion failed: n is 5\n  at: k.py:1, kernel 'unnamed', group 7, work item 1"


def test_svod_sees_no_record_where_nothing_is_said() -> None:
    k = Threads()
    k.store(A, k.item(), 1)
    spec = svod.Device.offline("OPENCL").renderer.render(k.kernel())
    assert spec.needs.record_words == 0
    assert "record" not in spec.src
