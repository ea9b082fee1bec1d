"""Each index is checked on INTERP, along its axis, and what goes wrong names the author's line; on the CPU nothing is compiled for it."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod import Device
from svod.config import Config, override
from svod.errors import ArgumentError, LaunchError, SvodError, UnsupportedError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang.checked import TELL, Bound
from svod.lang.trace import ArrayType, trace

HERE = Path(__file__)
Matrix = sl.Array[sl.f32, 2]
Floats = sl.Array[sl.f32]


def failure(body: Callable[..., None], *args: Any, block: Any = 4) -> SvodError:
    """The error of a launch of one block on INTERP."""
    with pytest.raises(LaunchError) as e:
        sl.kernel(body).on("INTERP")[1, block](*args)
    return e.value


def line_of(text: str) -> str:
    """file:line of the line of this file that ends in `# text`."""
    lines = HERE.read_text(encoding="utf-8").splitlines()
    return f"{HERE}:{1 + next(k for k, s in enumerate(lines) if s.endswith(f'# {text}'))}:"


def column_too_far(a: Matrix, o: Matrix) -> None:
    x, y = sl.thread_idx.x, sl.thread_idx.y
    if y < a.shape[0] and x < a.shape[1]:
        o[y, x] = a[y, x] + a[y, x + 1] if y + 1 < a.shape[0] else 0.0  # x + 1


def below_0(a: Matrix, o: Matrix) -> None:
    k = sl.i32(a[0, 0]) - 1
    o[1, k] = 7.0  # o[1, -1]


def own_memory(a: Matrix, o: Matrix) -> None:
    s = sl.shared((8, 4), sl.f32)
    s[sl.thread_idx.x, sl.i32(a[0, 0]) + 5] = 1.0  # s[x, 5]
    o[0, 0] = s[0, 0]


def local_memory(a: Matrix, o: Matrix) -> None:
    s = sl.local((2, 3), sl.f32, fill=0.0)
    o[0, 0] = s[0, sl.i32(a[0, 0]) + 3]  # s[0, 3]


def row(a: Matrix, o: Matrix) -> None:
    r = a[sl.i32(a[0, 0]) + 3]
    o[0, 0] = r[0]  # row 3


def updated(a: Matrix, o: Matrix) -> None:
    o[0, sl.i32(a[0, 0]) + 4] += 1.0  # o[0, 4]


def added(a: Matrix, o: Matrix) -> None:
    sl.atomic_add(o, (sl.i32(a[0, 0]) + 3, 0), 1.0)  # atomic


def helper(a: Any, k: Any) -> Any:
    return a[k, 0]  # in a function


def called(a: Matrix, o: Matrix) -> None:
    o[0, 0] = helper(a, sl.i32(a[0, 0]) + 9)


CASES: list[tuple[Callable[..., None], str, str]] = [
    (column_too_far, "index 4 is out of range: axis 1 of a has 4 elements", "x + 1"),
    (below_0, "index -1 is out of range: axis 1 of o has 4 elements", "o[1, -1]"),
    (own_memory, "index 5 is out of range: axis 1 of s has 4 elements", "s[x, 5]"),
    (local_memory, "index 3 is out of range: axis 1 of s has 3 elements", "s[0, 3]"),
    (row, "index 3 is out of range: axis 0 of a has 3 elements", "row 3"),
    (updated, "index 4 is out of range: axis 1 of o has 4 elements", "o[0, 4]"),
    (added, "index 3 is out of range: axis 0 of o has 3 elements", "atomic"),
    (called, "index 9 is out of range: axis 0 of a has 3 elements", "in a function")]


@pytest.mark.parametrize(("body", "what", "where"), CASES, ids=lambda v: getattr(v, "__name__", ""))
def test_an_index_beyond_its_axis_is_named(body: Callable[..., None], what: str, where: str) -> None:
    a, o = np.zeros((3, 4), np.float32), np.zeros((3, 4), np.float32)
    e = failure(body, a, o, block=(8, 2))
    assert isinstance(e, ArgumentError)
    assert e.what == what
    first, kernel, *_ = e.at.split(", ")
    assert first.startswith(line_of(where))
    assert kernel == f"kernel {body.__name__!r}"
    assert ", block (0, 0, 0), thread (" in e.at
    assert e.hint
    assert not o.any() or body is column_too_far


def test_who_is_out_of_range() -> None:
    e = failure(column_too_far, np.zeros((3, 4), np.float32), np.zeros((3, 4), np.float32), block=(8, 4))
    assert e.at.endswith("thread (3, 0, 0)")


def test_a_row_that_nobody_reads_is_no_mistake() -> None:
    def guarded(a: Matrix, o: Floats) -> None:
        i = sl.global_id()
        r = a[i]
        if i < a.shape[0]:
            o[i] = r[1]

    a, o = np.arange(8, dtype=np.float32).reshape(4, 2), np.zeros(4, np.float32)
    sl.kernel(guarded).on("INTERP")[1, 8](a, o)
    assert o.tolist() == [1, 3, 5, 7]


def test_accesses_that_are_checked_flat_have_a_place_too() -> None:
    def vectors(a: Floats, o: Floats) -> None:
        v = sl.load_vector(a, sl.i32(o[0]) + 2, 4)  # load_vector
        o[0] = v[3]

    def stored(a: Floats, o: Floats) -> None:
        sl.store_vector(o, sl.i32(a[0]) + 2, sl.vec(sl.f32, 4)(a[0]))  # store_vector

    def chosen(a: Matrix, o: Floats) -> None:
        if sl.thread_idx.x < 2:
            r = a[sl.i32(o[0]) + 7]
        else:
            r = a[0]
        o[0] = r[0]  # a row that is chosen

    four = np.zeros(4, np.float32)
    assert failure(vectors, four, four).at.startswith(line_of("load_vector"))
    e = failure(stored, four, four.copy())
    assert e.what == "index 5 is out of range: axis 0 of o has 4 elements"
    assert e.at.startswith(line_of("store_vector"))
    e = failure(chosen, np.zeros((2, 2), np.float32), four)
    assert e.what == "LOAD at index 14 of buffer 'a', which has 4 elements"
    assert e.at.startswith(line_of("a row that is chosen"))


def test_a_divergent_barrier_says_where_and_who() -> None:
    def diverges(a: Floats) -> None:
        if a[sl.thread_idx.x] > 0.0:
            sl.barrier()  # a barrier
        a[0] = 1.0

    e = failure(diverges, np.array([1, 0, 1, 0, 0, 0, 0, 0], np.float32), block=8)
    assert e.at.startswith(line_of("a barrier"))
    assert e.at.endswith("block (0, 0, 0), thread (1, 0, 0)")
    assert e.hint.startswith("at the barrier: threads (0, 0, 0), (2, 0, 0); elsewhere: threads (1, 0, 0), (3, 0, 0), (4, 0, 0), "
                             "(5, 0, 0) and 2 more.")


def test_checks_are_there_only_where_they_are_wanted() -> None:
    def scale(a: Matrix) -> None:
        for i in range(3):
            a[sl.global_id(), i] = a[sl.global_id(), i] * 2.0
        t = sl.shared(8, sl.f32)
        t[sl.thread_idx.x] = 1.0
        sl.barrier()

    types = {"a": ArrayType(sl.f32.dtype, 2, (None, None))}
    plain, checked = (trace(scale, types, block=(8, 1, 1), checks=c).threads for c in ("", TELL))
    assert not list(plain.find(Op.ASSERT))
    told = [u.arg.kind for u in checked.find(Op.ASSERT)]
    assert told.count("bounds") == 2, "both axes of a once, t not at all: its index is certain"
    assert told.count("place") == 1
    annotation = sl.Array[sl.f32, 2]
    assert sl.kernel(scale).on("CPU")[1, 8].compile(annotation).trace.threads is plain.replace(arg=plain.arg)
    assert "bounds" in sl.kernel(scale).on("INTERP")[1, 8].compile(annotation).ir


def gathers(a: Floats, i: sl.Array[sl.i32], o: Floats) -> None:
    t = sl.shared(512, sl.f32)
    x = sl.thread_idx.x
    total = 0.0
    for k in range(3):
        t[x] = a[i[x + k]]  # gathered
        sl.barrier()
        total += t[sl.block_dim.x - 1 - x]
        sl.barrier()
    o[x] = total


@pytest.mark.parametrize("block", [4, 64, 512])
def test_the_cpu_checks_if_asked(block: int) -> None:
    """The access is not made, the work item ends, the launch raises; the rest of the group goes on."""
    a, i = np.arange(600, dtype=np.float32), np.arange(block + 2, dtype=np.int32)
    o, plain = np.zeros(block, np.float32), np.zeros(block, np.float32)
    k = sl.kernel(gathers)
    k[1, block](a, i, plain)
    with override(config=Config(check=frozenset({"bounds"}))):
        k[1, block](a, i, o)
        assert o.tolist() == plain.tolist()
        i[3], o[:] = 1 << 30, 0
        with pytest.raises(ArgumentError, match=f"index {1 << 30} is out of range: axis 0 of a has 600 elements") as e:
            k[1, block](a, i, o)
        assert e.value.at.startswith(line_of("gathered"))
        assert re.search(r"block \(0, 0, 0\), thread \([123], 0, 0\)$", e.value.at)
        assert not o[1:4].any(), "items 1 to 3 came to it"
        assert o[0] == plain[0] or block == 4
    assert k.traces == 2


@pytest.mark.parametrize(("body", "what", "where"), CASES, ids=lambda v: getattr(v, "__name__", ""))
def test_the_cpu_says_the_same(body: Callable[..., None], what: str, where: str) -> None:
    a, o = np.zeros((3, 4), np.float32), np.zeros((3, 4), np.float32)
    with override(config=Config(check=frozenset({"bounds"}))), pytest.raises(ArgumentError) as e:
        sl.kernel(body).on("CPU")[1, (8, 2)](a, o)
    assert e.value.what == what
    assert e.value.at.startswith(line_of(where))
    assert not o.any() or body is column_too_far


def test_checks_that_are_not_there_are_refused() -> None:
    def one(a: sl.Array[sl.f32, (4,)]) -> None:
        a[0] = sl.buffer_load(a, 9) + 1.0

    k, a = sl.kernel(one), np.zeros(4, np.float32)
    by_hand = k.compile(a).trace.threads
    with override(config=Config(check=frozenset({"bounds"}))):
        k[1, 1](a)
        assert a[0] == 1
        with pytest.raises(UnsupportedError, match="no run-time checks for bounds"):
            Device("CPU").compile(by_hand)
    with override(config=Config(check=frozenset({"race"}))), pytest.raises(UnsupportedError, match="no run-time checks for race"):
        k[1, 1](a)


def test_what_is_certain() -> None:
    k = UOp.variable("k", 0, 7)
    assert Bound(k, 8, 0, "a").holds()
    assert not Bound(k, 7, 0, "a").holds()
    assert not Bound(k - 1, 8, 0, "a").holds()
    assert not Bound(k, UOp.variable("n", 8, 9), 0, "a").holds()
