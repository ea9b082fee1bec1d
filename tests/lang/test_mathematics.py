"""Calls of the language's functions that are wrong: the error has the user's words, line, caret, and what to write instead."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import KernelError

ARGUMENTS = (sl.Array[sl.f32], sl.i32)


def refused(body: Callable[..., Any]) -> KernelError:
    """The error of a kernel that computes body(x, n)."""
    def wrong(x: sl.Array[sl.f32], n: sl.i32):
        x[0] = body(x, n)

    with pytest.raises(KernelError) as caught:
        sl.kernel(wrong).compile(*ARGUMENTS)
    return caught.value


WRONG: dict[str, tuple[Callable[..., Any], str, str]] = {
    "nothing given": (lambda x, n: sl.exp(), "exp() is called without 'x'", "exp(x)"),
    "too many": (lambda x, n: sl.sqrt(x[0], x[1]), "sqrt() takes 1 argument, got 2", "sqrt(x)"),
    "one of two": (lambda x, n: sl.atan2(x[0]), "atan2() is called without 'y'", "atan2(x, y)"),
    "one of three": (lambda x, n: sl.fma(x[0], 2.0), "fma() is called without 'c'", "fma(a, b, c)"),
    "two missing": (lambda x, n: sl.clamp(x[0]), "clamp() is called without 'low' and 'high'", "clamp(x, low, high)"),
    "unknown keyword": (lambda x, n: sl.exp(x[0], fast=True), "exp() has no argument 'fast'", "exp(x)"),
    "given twice": (lambda x, n: sl.exp(x[0], x=x[1]), "exp() gets 'x' twice", "exp(x)"),
    "none taken": (lambda x, n: sl.barrier(3), "barrier() takes no arguments, got 1", "barrier()"),
    "of the standard library": (lambda x, n: math.exp(x[0], 2), "exp() takes 1 argument, got 2", "exp(x)"),
    "a built-in": (lambda x, n: divmod(x[0]), "divmod() is called without 'b'", "divmod(a, b)"),
    "digits": (lambda x, n: round(x[0], 2), "round() to decimal digits: binary floats have none", "round(x * 100.0) / 100.0"),
    "length of a scalar": (lambda x, n: len(n), "len() of a scalar of i32", "arrays, vectors, lists and tuples"),
    "length of an element": (lambda x, n: len(x[0]), "len() of a scalar of f32", "arrays, vectors, lists and tuples"),
    "an array": (lambda x, n: sl.exp(x), "<array x of f32> is not a number", "a[i]"),
    "abs of an array": (lambda x, n: abs(x), "<array x of f32> is not a number", "a[i]"),
    "text": (lambda x, n: sl.exp("a"), "str 'a' is not a number", "kernels compute with numbers"),
    "greatest of one": (lambda x, n: max(x[0]), "f32 is no list of values", "several values"),
    "greatest of none": (lambda x, n: sl.max(), "max() takes values to compare", "max(a, b)"),
    "bits of a float": (lambda x, n: sl.popcount(x[0]), "popcount() of f32", "an integer"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls(name: str) -> None:
    body, what, hint = WRONG[name]
    error = refused(body)
    assert what in error.what
    assert hint in error.hint
    assert "test_mathematics.py" in error.at
    assert "^" in error.at
    assert "apply" not in str(error)
    assert "Dynamic" not in str(error)


def test_static_calls_are_pythons() -> None:
    @sl.kernel
    def static(x: sl.Array[sl.f64]):
        x[0] = round(2.675, 2)
        x[1] = sl.round(2.5)
        x[2] = sl.fmod(-7.0, 4.0)
        x[3] = math.fmod(7.5, 2)

    x = np.zeros(4)
    static[1, 1](x)
    assert x.tolist() == [round(2.675, 2), 2.0, -3.0, 1.5]
    assert sl.fmod(-7.0, 4.0) == -3.0
    assert sl.round(2.675, 2) == round(2.675, 2)


@sl.kernel
def divided_up(out: sl.Array[sl.i64], n: sl.i32, m: sl.u8) -> None:
    """out[i] = what cdiv gives for numbers of several types."""
    out[0] = sl.cdiv(n, 3)
    out[1] = sl.cdiv(-n, 3)
    out[2] = sl.cdiv(m, 4)
    out[3] = sl.cdiv(7, 2)
    out[4] = sl.cdiv(out.size, sl.block_dim.x)


@pytest.mark.devices("CPU", "INTERP")
def test_cdiv_rounds_up(device: str) -> None:
    out = np.zeros(5, np.int64)
    divided_up.on(device)[1, 2](out, 10, 255)
    assert out.tolist() == [4, -3, 64, 4, 3]
    assert sl.cdiv(10, 3) == 4, "on the host too"


@sl.kernel
def misspelt(out: sl.Array[sl.f32]) -> None:
    """A name that there is not."""
    out[0] = sl.srqt(2.0)


def test_an_attribute_that_a_module_lacks_is_told_with_what_was_meant() -> None:
    with pytest.raises(KernelError, match=r"module svod\.lang has no attribute 'srqt'") as caught:
        misspelt[1, 1](np.zeros(1, np.float32))
    assert "did you mean sqrt?" in str(caught.value)
    assert "out[0] = sl.srqt(2.0)" in str(caught.value)
