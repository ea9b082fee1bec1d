"""Loops that go on for longer than some drivers let them: the error, or the right result; never another one."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import svod
import svod.lang as sl
from svod.device.webgpu.arithmetic import rounding
from svod.device.webgpu.driver import Driver, all_adapters
from svod.errors import LaunchError

WEBGPU = pytest.mark.devices("WEBGPU")


def counting(out: sl.Array[sl.i32], n: sl.i32) -> None:
    c = 0
    for k in range(n):
        c += sl.i32(k) & 1
    out[0] = c * 2


def counting_wide(out: sl.Array[sl.i32], n: sl.i64) -> None:
    c = 0
    for _ in range(n):
        c += 1
    out[0] = c


def counting_unsigned(out: sl.Array[sl.i32], n: sl.u32) -> None:
    c = 0
    for _ in range(n):
        c += 1
    out[0] = c


def counting_by_hand(out: sl.Array[sl.i32], n: sl.i64) -> None:
    c, k = 0, sl.i64(0)
    while k < n:
        c += 1
        k += 1
    out[0] = c


def counting_a_sum(out: sl.Array[sl.i32], n: sl.i32) -> None:
    c = 0
    for _ in range(n // 2 + n // 2):
        c += 1
    out[0] = c


def counting_squares(out: sl.Array[sl.i32], n: sl.i32) -> None:
    c = 0
    for _ in range(n // 250):
        for _ in range(250):
            c += 1
    out[0] = c


def counting_in_32_bits(out: sl.Array[sl.i32], n: sl.i32) -> None:
    k = 0
    while k < n:
        k += 1
    out[0] = k


def counting_down(out: sl.Array[sl.i32], n: sl.i32) -> None:
    c = 0
    for _ in range(n, 0, n // -n):
        c += 1
    out[0] = c


def counting_up_to_a_loaded_value(out: sl.Array[sl.i32], n: sl.i32) -> None:
    out[0] = n
    c = 0
    for _ in range(out[0]):
        c += 1
    out[0] = c


def counting_until_it_breaks(out: sl.Array[sl.i32], n: sl.i32) -> None:
    c = 0
    while True:
        for _ in range(10):
            c += 1
        if c >= n:
            break
    out[0] = c


COUNTING = [counting, counting_wide, counting_unsigned, counting_by_hand, counting_a_sum, counting_squares, counting_in_32_bits,
            counting_down, counting_up_to_a_loaded_value, counting_until_it_breaks]


@WEBGPU
@pytest.mark.parametrize("kernel", COUNTING, ids=lambda k: k.__name__)
def test_loops_are_counted_to_their_end_or_refused(device: svod.Device, kernel: Any) -> None:
    program, out = sl.kernel(kernel).on(device), np.zeros(1, np.int32)
    program[1, 1](out, 50_000)
    assert out[0] == 50_000
    try:
        program[1, 1](out, 1_000_000)
    except LaunchError as e:
        assert "the device ended a loop of a work item early" in e.what  # noqa: PT017  (an adapter that counts on is as good)
        assert rounding(Driver(0, all_adapters()[0])).iterations
    else:
        assert out[0] == 1_000_000
