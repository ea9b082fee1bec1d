"""Every launch that is wrong is refused before anything is written, by a LaunchError that says what to do."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import ArgumentError, LaunchError

F = np.float32
a, b, short, wide = np.ones(8, F), np.ones(8, F), np.ones(4, F), np.ones(16, F)
Call = Callable[[Any, Any], None]


def add(a: sl.Array[sl.f32], b: sl.Array[sl.f32], out: sl.Array[sl.f32], n: sl.i32) -> None:
    i = sl.global_id()
    if i < n:
        out[i] = a[i] + b[i]


def frozen(out: Any) -> Any:
    view = out.view()
    view.flags.writeable = False
    return view


SIZES: dict[str, tuple[Call, str]] = {
    "negative grid": (lambda k, o: k[-1, 8](a, b, o, 8), "grid of kernel 'add' is -1"),
    "negative axis": (lambda k, o: k[(1, -1), 8](a, b, o, 8), "grid of kernel 'add' is -1"),
    "negative block": (lambda k, o: k[1, -8](a, b, o, 8), "block of kernel 'add' is -8"),
    "block of 0": (lambda k, o: k.launch(a, b, o, 8, threads=8, block=0), "in groups of 0"),
    "form for 0": (lambda k, o: k[1, 0].prepare(a, b, o, 8), "cannot be compiled for a group"),
    "large block": (lambda k, o: k[1, 2048](a, b, o, 8), "the device allows 1024"),
    "large product": (lambda k, o: k[1, (32, 32, 2)](a, b, o, 8), "= 2048 work items"),
    "large grid": (lambda k, o: k[1 << 31, 1](a, b, o, 8), "groups along axis 0"),
    "absurd grid": (lambda k, o: k[1 << 2000, 1](a, b, o, 8), "groups along axis 0"),
    "float": (lambda k, o: k[1.5, 8](a, b, o, 8), "no whole number"),
    "text": (lambda k, o: k["1", 8](a, b, o, 8), "no whole number"),
    "no block": (lambda k, o: k[1](a, b, o, 8), "is launched with 1"),
    "no threads": (lambda k, o: k.launch(a, b, o, 8), "without a number of work items"),
    "negative threads": (lambda k, o: k.launch(a, b, o, 8, threads=-1), "threads of kernel 'add' is -1"),
    "no stream": (lambda k, o: k[1, 8, 0, "x"](a, b, o, 8), "stream is 'x'"),
    "negative smem": (lambda k, o: k[1, 8, -1](a, b, o, 8), "smem of kernel 'add' is -1"),
    "large smem": (lambda k, o: k[1, 8, 1 << 50](a, b, o, 8), "dynamic shared memory, the device allows"),
    "not launched": (lambda k, o: k(a, b, o, 8), "inside @jit"),
}
SCALARS: dict[str, tuple[Call, str]] = {
    "None": (lambda k, o: k[1, 8](a, b, o, None), "'n'.*None was given"),
    "text": (lambda k, o: k[1, 8](a, b, o, "8"), "'n'.*'8' was given"),
    "float": (lambda k, o: k[1, 8](a, b, o, 8.0), "'n'.*8.0 was given"),
    "infinite": (lambda k, o: k[1, 8](a, b, o, float("inf")), "'n'.*inf was given"),
    "bool": (lambda k, o: k[1, 8](a, b, o, True), "'n'.*True was given"),
    "too large": (lambda k, o: k[1, 8](a, b, o, 1 << 31), "'n'.*2147483648"),
}
ARRAYS: dict[str, tuple[Call, str]] = {
    "missing": (lambda k, o: k[1, 8](a, b, o), "missing.*'n'"),
    "extra": (lambda k, o: k[1, 8](a, b, o, 8, 9), "too many"),
    "unknown": (lambda k, o: k[1, 8](a, b, o, 8, m=8), "unexpected.*'m'"),
    "twice": (lambda k, o: k[1, 8](a, b, o, 8, n=1), "multiple values.*'n'"),
    "dtype": (lambda k, o: k[1, 8](a.astype(float), b, o, 8), "f32.*f64"),
    "integers": (lambda k, o: k[1, 8](a.astype(np.int32), b, o, 8), "f32.*i32"),
    "strided": (lambda k, o: k[1, 8](wide[::2], b, o, 8), "contiguous"),
    "too small": (lambda k, o: k[1, 8](short, b, o, 8), "needs at least 8 elements"),
    "too small, prepared": (lambda k, o: k[1, 8].prepare(short, b, o, 8)(), "needs at least 8 elements"),
    "read-only": (lambda k, o: k[1, 8](a, b, frozen(o), 8), "read-only"),
    "rank": (lambda k, o: k[1, 8](a.reshape(2, 4), b, o, 8), "1 axis"),
    "None": (lambda k, o: k[1, 8](a, None, o, 8), "None is not"),
    "number": (lambda k, o: k[1, 8](a, 3, o, 8), "type int is not"),
    "list": (lambda k, o: k[1, 8](a, [1.0] * 8, o, 8), "type list is not"),
    "class": (lambda k, o: k[1, 8](a, np.ndarray, o, 8), "type type is not"),
    "objects": (lambda k, o: k[1, 8](np.array([None] * 8), b, o, 8), "object"),
    "array for n": (lambda k, o: k[1, 8](a, b, o, np.ones(2, np.int32)), "needs a number"),
    "overlap": (lambda k, o: k[1, 4](o[:-1], b, o[1:], 4), "overlap"),
}
CASES = [pytest.param(kind, *case, id=f"{group}: {name}") for group, kind, cases in (
    ("sizes", LaunchError, SIZES), ("scalars", LaunchError, SCALARS), ("arrays", ArgumentError, ARRAYS)) for name, case in cases.items()]


@pytest.mark.devices("CPU", "INTERP")
@pytest.mark.parametrize(("kind", "call", "says"), CASES)
def test_a_bad_launch_is_refused_with_a_hint(kind: type[LaunchError], call: Call, says: str, device: Any) -> None:
    k, out = sl.kernel(add).on(device), np.zeros(8, F)
    for _ in range(2):  # not compiled yet, and as the call after a good one
        with pytest.raises(kind, match=says) as e:
            call(k, out)
        assert e.value.hint
        assert "add" in str(e.value)
        assert not out.any()
        k[1, 8](a, b, np.zeros(8, F), 8)


@pytest.mark.devices("CPU", "INTERP")
def test_a_stream_has_no_effect_where_there_are_none(device: Any) -> None:
    class Stream:
        cuda_stream = 12345

    k, out = sl.kernel(add).on(device), np.zeros(8, F)
    launch = k[1, 8, 0, Stream()]
    launch(a, b, out, 8)
    assert (out == 2).all()
    out[:] = 0
    launch.prepare(a, b, out, 8)()
    assert (out == 2).all()
    assert "launch of add" in repr(launch)
    with pytest.raises(LaunchError, match="stream is 's'"):
        k[1, 8, 0, "s"]
