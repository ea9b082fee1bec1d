"""The type of a variable that loop counters and ids are assigned to, and the counter behind its loop: against Python."""
from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import ArgumentError, KernelError
from svod.lang.trace import ArrayType, ScalarType, trace

N = 7
NEXT = [3, 0, 6, 5, 1, 2, 4]
"""A permutation, to be followed."""


# --- an index converts to the type of the variable ------------------------------------------------------------------------------------

def added_in_place(p: Any, n: Any, zero: Any) -> Any:
    s = zero
    for i in range(n):
        s += i * 40
    return s


def added(p: Any, n: Any, zero: Any) -> Any:
    s = zero
    for i in range(n):
        s = s + 40 * i
    return s


def assigned(p: Any, n: Any, zero: Any) -> Any:
    s = zero
    for i in range(n):
        s = i * 50
    return s


def assigned_in_one_branch(p: Any, n: Any, zero: Any) -> Any:
    s = zero
    for i in range(n):
        if p[i] > 3:
            s = i * 60
    return s


def assigned_in_a_while_loop(p: Any, n: Any, zero: Any) -> Any:
    s, k = zero, 0
    while k < n:
        for i in range(k):
            s = s + i * 9
        k += 2
    return s


def one_arm_of_a_conditional_expression(p: Any, n: Any, zero: Any) -> Any:
    s = zero
    for i in range(n):
        s = i * 70 if p[i] > 2 else s
    return s


def other_arm_of_a_conditional_expression(p: Any, n: Any, zero: Any) -> Any:
    s = zero
    for i in range(n):
        s = s if p[i] > 2 else i * 70
    return s


def left_by_break(p: Any, n: Any, zero: Any) -> Any:
    s = zero
    for i in range(n):
        s += i * 45
        if p[i] == 2:
            s = i
            break
    return s


def in_a_list_and_a_tuple(p: Any, n: Any, zero: Any) -> Any:
    held, pair = [zero, zero], (zero, zero)
    for i in range(n):
        held[1] += i * 30
        pair = (pair[1], i * 31)
    return held[1] + pair[0] + pair[1]


WITH_COUNTERS = [added_in_place, added, assigned, assigned_in_one_branch, assigned_in_a_while_loop, one_arm_of_a_conditional_expression,
                 other_arm_of_a_conditional_expression, left_by_break, in_a_list_and_a_tuple]


@pytest.mark.devices("INTERP", "CPU")
@pytest.mark.parametrize("kind", [sl.i8, sl.u8, sl.i32, sl.i64, sl.u64, sl.f32, sl.f64], ids=repr)
@pytest.mark.parametrize("body", WITH_COUNTERS, ids=lambda f: f.__name__)
def test_a_counter_takes_the_type_of_the_variable(body: Callable[..., Any], kind: sl.Scalar, device: Any) -> None:
    """As where it is stored into an element: integers wrap."""
    def compare(p: sl.Array[sl.i32], out: sl.Array[kind], seen: sl.Array[sl.bool_], n: int) -> None:
        result = body(p, n, kind(0))
        seen[0] = result.dtype == kind
        out[0] = result

    out, seen = np.zeros(1, type(kind(0))), np.zeros(1, bool)
    sl.kernel(compare).on(device)[1, 1](np.array(NEXT, np.int32), out, seen, N)
    assert seen[0]
    assert out[0] == np.array(body(NEXT, N, 0)).astype(out.dtype)


@pytest.mark.devices("INTERP", "CPU")
def test_a_parameter_is_such_a_variable(device: Any) -> None:
    def total(out: sl.Array[sl.i64], n: sl.i32) -> None:
        for i in range(3):
            n += i
        out[0] = n

    out = np.zeros(1, np.int64)
    sl.kernel(total).on(device)[1, 1](out, 2**31 - 2)
    assert out[0] == 2**31 - 2 + 3 - 2**32


@pytest.mark.devices("INTERP", "CPU")
def test_an_integer_converts_to_an_index(device: Any) -> None:
    """What an id begins and memory goes on with: links that are followed."""
    def follow(links: sl.Array[sl.i32], out: sl.Array[sl.i32]) -> None:
        at, steps = sl.global_id(), 0
        while steps < 4:
            at = links[at]
            steps += 1
        if at > 3:
            at = links[0]
        out[sl.global_id()] = at

    out = np.zeros(N, np.int32)
    sl.kernel(follow).on(device)[1, N](np.array(NEXT, np.int32), out)

    def expected(at: int) -> int:
        for _ in range(4):
            at = NEXT[at]
        return NEXT[0] if at > 3 else at

    assert out.tolist() == [expected(i) for i in range(N)]


def test_without_a_type_before_an_index_stays_one() -> None:
    """As in arithmetic: nothing is lost."""
    def either(out: sl.Array[sl.i64], n: sl.i32) -> None:
        if n > 0:
            k = sl.global_id() + 2**40
        else:
            k = n
        out[0] = k
        m = sl.global_id() + 2**41 if n > 0 else n
        out[1] = m

    out = np.zeros(2, np.int64)
    sl.kernel(either)[1, 1](out, 1)
    assert out.tolist() == [2**40, 2**41]


def test_a_literal_with_a_point_is_a_float_variable() -> None:
    def halves(out: sl.Array[sl.f32], n: sl.i32) -> None:
        y = z = 0.0
        for i in range(n):
            y = i
            if i == 3:
                z = i
        out[0], out[1] = y / 4, z / 2

    out = np.zeros(2, np.float32)
    sl.kernel(halves)[1, 1](out, N)
    assert out.tolist() == [1.5, 1.5]


@pytest.mark.parametrize(("first", "then"), [
    ("x[0]", "n"), ("n", "x[0]"), ("n", "sl.i64(n)"), ("n", "0.5"), ("x[0] > 0", "i"), ("sl.global_id()", "x[0]"), ("sl.f16(0)", "x[0]")])
def test_other_types_do_not_convert_silently(first: str, then: str) -> None:
    namespace = {"first": first, "then": then}
    with pytest.raises(KernelError, match="and is assigned") as caught:
        _traced("y = {first}\nfor i in range(n):\n    y = {then}\nr[0] = y".format(**namespace))
    assert "keeps its type" in caught.value.hint
    with pytest.raises(KernelError, match="on one path"):
        _traced("y = {first}\ni = sl.global_id()\nif n > 0:\n    y = {then}\nr[0] = y".format(**namespace))


# --- the counter behind its loop ----------------------------------------------------------------------------------------------------

def last_of_a_loop_that_runs(p: Any, n: Any, zero: Any) -> Any:
    for i in range(5):
        zero += p[i]
    return i


def last_with_a_step(p: Any, n: Any, zero: Any) -> Any:
    for i in range(10, -3, -4):
        zero += i
    return i


def bound_before(p: Any, n: Any, zero: Any) -> Any:
    i = -1
    for i in range(n):
        zero += p[i]
    return i


def bound_before_and_empty(p: Any, n: Any, zero: Any) -> Any:
    i = -1
    for i in range(n, n):
        zero += p[i]
    return i


def searched(p: Any, n: Any, zero: Any) -> Any:
    i = n
    for i in range(n):
        if p[i] == 5:
            break
    return i


def searched_with_else(p: Any, n: Any, zero: Any) -> Any:
    for i in range(4):
        if p[i] == 6:
            break
    else:
        zero += 100
    for k in range(4):
        if p[k] == 4:
            break
    else:
        zero += 1000
    return zero + i * 10 + k


def continued(p: Any, n: Any, zero: Any) -> Any:
    for i in range(6):
        if p[i] > 2:
            continue
        zero += i
    return zero * 10 + i


def changed_in_the_body(p: Any, n: Any, zero: Any) -> Any:
    for i in range(6):
        if p[i] > 2:
            i += 20  # noqa: PLW2901
    return i


def of_nested_loops(p: Any, n: Any, zero: Any) -> Any:
    for i in range(4):  # noqa: B007
        for j in range(3):
            if p[j] > 5:
                break
        zero += j
    return zero * 10 + i


def one_name_in_two_loops(p: Any, n: Any, zero: Any) -> Any:
    for i in range(3):
        zero += i
    for i in range(n):
        zero += p[i]
    return zero * 10 + i


def typed_before(p: Any, n: Any, zero: Any) -> Any:
    i = zero
    for i in range(n):
        if p[i] == 1:
            break
    return i


def read_by_a_function(p: Any, n: Any, zero: Any) -> Any:
    scaled = lambda: i * 3  # noqa: E731
    for i in range(4):  # noqa: B007
        zero += scaled()
    return zero + i


COUNTERS = [last_of_a_loop_that_runs, last_with_a_step, bound_before, bound_before_and_empty, searched, searched_with_else, continued,
            changed_in_the_body, of_nested_loops, one_name_in_two_loops, typed_before, read_by_a_function]


@pytest.mark.devices("INTERP", "CPU")
@pytest.mark.parametrize("body", COUNTERS, ids=lambda f: f.__name__)
def test_the_counter_keeps_its_last_value(body: Callable[..., Any], device: Any) -> None:
    def compare(p: sl.Array[sl.i32], out: sl.Array[sl.i32], n: int) -> None:
        out[0] = body(p, n, sl.i32(0))

    out = np.zeros(1, np.int32)
    sl.kernel(compare).on(device)[1, 1](np.array(NEXT, np.int32), out, N)
    assert out[0] == body(NEXT, N, 0)


@pytest.mark.devices("CPU")
def test_the_counter_is_the_number_itself_in_the_body(device: Any) -> None:
    """What the loop reaches is known before the launch, whether or not its counter is read behind it."""
    def fill(out: sl.Array[sl.i32], n: int) -> None:
        i = 0
        for i in range(n):
            out[i] = i
        out[0] = i

    with pytest.raises(ArgumentError, match="needs at least 9 elements"):
        sl.kernel(fill).on(device)[1, 1](np.zeros(8, np.int32), 9)


@pytest.mark.parametrize("body", [
    "for i in range(n):\n    r[i] = 1\nr[0] = i", "for i in range(n):\n    if x[i] > 0:\n        break\nr[0] = i",
    "for i in range(n):\n    if x[i] > 0:\n        break\nelse:\n    r[0] = 1\nr[0] = i", "for k in range(n):\n    i = k\nr[0] = i",
    "for k in range(3):\n    i = k\nr[0] = i", "for k in range(n):\n    for i in range(3):\n        r[i] = 1\nr[0] = i",
    "for i in range(3, n):\n    r[i] = 1\nr[0] = i", "for i in range(0, 3, n):\n    r[i] = 1\nr[0] = i"])
def test_a_loop_that_may_not_run_binds_nothing(body: str) -> None:
    with pytest.raises(KernelError, match="'i' may be unbound here: only the loop binds it, which may run no iteration") as caught:
        _traced(body)
    assert caught.value.hint == "bind it before the loop"
    assert "r[0] = i" in caught.value.at


def _traced(body: str) -> None:
    """Traces the statements as a kernel of x, r and n."""
    text = f"def probe(x: sl.Array[sl.f32], r: sl.Array[sl.f32], n: int):\n{textwrap.indent(body, '    ')}\n"
    file = f"<variables {hash(text)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {"sl": sl}
    exec(compile(text, file, "exec"), names)
    f32 = ArrayType(sl.f32.dtype)
    trace(names["probe"], {"x": f32, "r": f32, "n": ScalarType(sl.i32.dtype)})
