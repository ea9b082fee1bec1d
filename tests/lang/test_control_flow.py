"""Control flow of kernels against Python itself: each body below is a plain Python function, run by Python and inlined into a kernel."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import svod.lang as sl

N = 9
ROWS = [0.0, 3.0, -2.0, 7.0, 5.0, -1.0, 4.0, 8.0, 2.0, 6.0, -5.0, 1.0]


def early_return(x: Any, i: Any, n: Any) -> Any:
    if x[i] < 0:
        return -1.0
    return x[i] * 2


def return_in_every_branch(x: Any, i: Any, n: Any) -> Any:
    if x[i] < 0:
        return -1.0
    elif x[i] < 4:
        return 1.0
    else:
        return x[i] + 10


def return_in_a_loop(x: Any, i: Any, n: Any) -> Any:
    for k in range(n):
        if x[k] == x[i] + 1:
            return k * 1.0
        if x[k] > 100:
            return -3.0
    return -1.0


def return_in_nested_loops(x: Any, i: Any, n: Any) -> Any:
    for a in range(n):
        for b in range(a):
            if x[a] + x[b] == x[i]:
                return a * 10.0 + b
        if a > 6:
            return -2.0
    return -1.0


def return_in_while(x: Any, i: Any, n: Any) -> Any:
    k = 0
    while k < n:
        if x[k] > x[i]:
            return x[k]
        k += 1
    return 99.0


def accumulate(x: Any, i: Any, n: Any) -> Any:
    acc = 0.0
    for k in range(i, n):
        acc += x[k]
    return acc


def break_and_continue(x: Any, i: Any, n: Any) -> Any:
    acc = 0.0
    for k in range(n):
        if x[k] < 0:
            continue
        if x[k] > x[i] + 3:
            break
        acc += x[k]
    return acc


def nested_break(x: Any, i: Any, n: Any) -> Any:
    acc = 0.0
    for a in range(n):
        for b in range(n):
            if b > a:
                break
            if (a + b) % 2 == 0:
                continue
            acc += x[b]
        if acc > 20 + x[i]:
            break
    return acc


def for_else(x: Any, i: Any, n: Any) -> Any:
    found = -1.0
    for k in range(n):
        if x[k] == x[i] * 2:
            found = k * 1.0
            break
    else:
        found = -7.0
    return found


def for_else_without_break(x: Any, i: Any, n: Any) -> Any:
    s = 0.0
    for k in range(n):
        s += x[k]
    s += 100.0
    return s


def for_else_with_return(x: Any, i: Any, n: Any) -> Any:
    for k in range(n):
        if x[k] == 99:
            break
        if x[k] == x[i]:
            return k * 1.0
    else:
        return -5.0
    return -6.0


def while_true(x: Any, i: Any, n: Any) -> Any:
    k = 0
    while True:
        y = x[k] * 2
        if y > x[i]:
            break
        k += 1
    return y + k


def while_with_state(x: Any, i: Any, n: Any) -> Any:
    a, b = 1.0, 1.0
    while b < x[i]:
        a, b = b, a + b
    return a * 100 + b


def collatz(x: Any, i: Any, n: Any) -> Any:
    v = i + 1
    steps = 0
    while v != 1:
        if v % 2 == 0:
            v = v // 2
        else:
            v = 3 * v + 1
        steps += 1
    return steps * 1.0


def branches_join(x: Any, i: Any, n: Any) -> Any:
    y = 5.0
    if x[i] > 3:
        y = x[i]
        z = 1.0
    else:
        z = y
    return y * 10 + z


def nested_ifs(x: Any, i: Any, n: Any) -> Any:
    r = 0.0
    if x[i] > 0:
        if x[i] > 4:
            if x[i] > 6:
                r = 3.0
            else:
                r = 2.0
        r += 1.0
    elif x[i] < -1:
        r = -1.0
    return r


def zero_iterations(x: Any, i: Any, n: Any) -> Any:
    v = x[i]
    for k in range(n, n):
        v = x[k]
    return v


def steps_and_directions(x: Any, i: Any, n: Any) -> Any:
    r = 0.0
    for k in range(n - 1, i, -2):
        r = r * 2 + x[k]
    for k in range(0, n, 3):
        r += x[k]
    return r


def static_loop_with_dynamic_break(x: Any, i: Any, n: Any) -> Any:
    r = 0.0
    for k in (0, 1, 2, 3, 4):
        if x[k] > x[i]:
            break
        r += x[k] + k
    return r


def static_loop_with_continue_and_break(x: Any, i: Any, n: Any) -> Any:
    r = 0.0
    for k in (0, 1, 2, 3, 4, 5):
        if x[k] < x[i]:
            continue
        r += 1.0
        if k == 3:
            break
        if r > 2:
            break
        r += k
    else:
        r += 1000.0
    return r


def static_loop_returns(x: Any, i: Any, n: Any) -> Any:
    for k in (4, 2, 0):
        if x[k] > x[i]:
            return k * 1.0
        if k == 2:
            continue
    return 50.0


def static_return_behind_dynamic_continue(x: Any, i: Any, n: Any) -> Any:
    for k in (0, 1, 2):
        if x[i] > 3 + k:
            continue
        return k * 1.0
    return 9.0


def static_while(x: Any, i: Any, n: Any) -> Any:
    s, r = 8, 0.0
    while s > 0:
        if x[i] > s:
            r += s
        s //= 2
    return r


def static_names_survive_dynamic_loops(x: Any, i: Any, n: Any) -> Any:
    r = 0.0
    table = [1.0, 2.0, 3.0]
    for a in range(n):
        for k in (0, 1, 2):
            r += table[k] * x[a]
    for k in (0, 1):
        r += table[k]
    return r


def swap_in_loop(x: Any, i: Any, n: Any) -> Any:
    a, b = x[i], 1.0
    for _ in range(i):
        a, b = b, a + 1
    return a * 100 + b


def a_list_of_accumulators(x: Any, i: Any, n: Any) -> Any:
    acc = [0.0, 0.0, 0.0]
    for k in range(n):
        for j in (0, 1, 2):
            acc[j] += x[k] * j
        acc[0] = acc[0] + 1
    return acc[0] + acc[1] * 10 + acc[2] * 100


def a_list_is_rebound(x: Any, i: Any, n: Any) -> Any:
    acc = [1.0, 2.0]
    for k in range(n):
        acc = [acc[1], acc[0] + x[k]]
    return acc[0] * 3 + acc[1]


def lists_are_swapped(x: Any, i: Any, n: Any) -> Any:
    a, b = [1.0, x[i]], [2.0, 3.0]
    for _ in range(i):
        a, b = b, a
    return a[0] * 10 + b[1]


def a_dict_changes(x: Any, i: Any, n: Any) -> Any:
    d = {"sum": 0.0, "most": -100.0}
    for k in range(n):
        d["sum"] += x[k]
        d["most"] = max(d["most"], x[k])
    return d["sum"] + d["most"] * 10


def a_helper_changes_a_list(x: Any, i: Any, n: Any) -> Any:
    def add(items: Any, v: Any) -> None:
        items[0] = items[0] + v

    acc = [0.0]
    for k in range(n):
        add(acc, x[k])
    if x[i] > 3:
        add(acc, 100.0)
    return acc[0]


def an_alias_sees_the_change(x: Any, i: Any, n: Any) -> Any:
    acc = [0.0]
    other = acc
    for k in range(n):
        acc[0] += x[k]
    return other[0]


def tuples_are_carried(x: Any, i: Any, n: Any) -> Any:
    best = (-100.0, 0)
    for k in range(n):
        if x[k] > best[0]:
            best = (x[k], k)
    return best[0] * 10 + best[1]


def lists_differ_by_branch(x: Any, i: Any, n: Any) -> Any:
    v = [0.0, 0.0]
    if x[i] > 3:
        v[0] = x[i]
    else:
        v[1] = 5.0
    w = [v[0], 1.0] if x[i] > 0 else [2.0, v[1]]
    return v[0] + v[1] * 10 + w[0] * 100 + w[1]


def short_circuit(x: Any, i: Any, n: Any) -> Any:
    k = i * 3
    if k < n and x[k] > 0:
        return 1.0
    if k >= n or x[k] < -1:
        return 2.0
    return 3.0


def values_of_and_or(x: Any, i: Any, n: Any) -> Any:
    return (x[i] and 2.0) + 10 * (x[i] - 3 or 7.0)


def conditional_expression(x: Any, i: Any, n: Any) -> Any:
    k = i * 2
    return x[k] if k < n else -1.0 if i < 6 else -2.0


def walrus(x: Any, i: Any, n: Any) -> Any:
    if (v := x[i]) > 3:
        v += 1
    return v * 2


def walrus_in_while(x: Any, i: Any, n: Any) -> Any:
    k = 0
    while (v := x[k]) < x[i]:
        k += 1
    return v + k * 10


def chained_comparison(x: Any, i: Any, n: Any) -> Any:
    r = 0.0
    for k in range(n):
        if 0 <= x[k] < x[i] <= 7:
            r += 1.0
    return r


def loop_variable_afterwards(x: Any, i: Any, n: Any) -> Any:
    k = -1
    for k in range(n):
        if x[k] > x[i]:
            break
    return k * 1.0


def break_in_both_branches(x: Any, i: Any, n: Any) -> Any:
    r = 0.0
    for k in range(n):
        r += x[k]
        if x[k] > 3:
            r += 1
            break
        else:
            r += 2
            if x[k] < x[i]:
                continue
            break
    return r


def static_condition_in_dynamic_loop(x: Any, i: Any, n: Any) -> Any:
    fast = True
    r = 0.0
    for k in range(n):
        if fast:
            r += x[k]
        else:
            r += undefined_name  # noqa: F821
    return r


def closure_in_loop(x: Any, i: Any, n: Any) -> Any:
    r = 0.0
    for k in range(n):
        f = lambda v: v * r + x[k]  # noqa: B023, E731
        r = f(0.5)
    return r


def nonlocal_counter(x: Any, i: Any, n: Any) -> Any:
    count = 0.0

    def bump(by: Any) -> None:
        nonlocal count
        count = count + by

    bump(x[i])
    bump(1.0)
    return count


def weak_then_typed(x: Any, i: Any, n: Any) -> Any:
    total = 0
    for k in range(n):
        total += x[k]
    return total


def widened_in_inner_loop(x: Any, i: Any, n: Any) -> Any:
    total = 0
    count = 0
    for a in range(n):
        for b in range(a):
            total = total + x[b]
            count += 1
    return total + count


def tuple_from_nested_returns(x: Any, i: Any, n: Any) -> Any:
    def find(limit: Any) -> Any:
        for a in range(n):
            for b in (0, 1, 2):
                if x[a] + b > limit:
                    return a, [x[a], b * 1.0]
        return n, [0.0, -1.0]

    k, (v, w) = find(x[i] + 1)
    m, rest = find(100.0)
    return k * 100.0 + v * 10 + w + m + rest[1]


def static_break_in_dynamic_loop(x: Any, i: Any, n: Any) -> Any:
    acc = [0.0, 0.0]
    for a in range(n):
        for j in (0, 1):
            if x[a] < 0:
                break
            if x[a] == x[i]:
                continue
            acc[j] += x[a] + j
        else:
            acc[1] += 0.5
        if acc[0] > 12:
            break
    else:
        acc[0] += 1000.0
    return acc[0] * 3 + acc[1]


def return_crosses_a_list_in_cells(x: Any, i: Any, n: Any) -> Any:
    acc = [0.0, 1.0]

    def fill() -> Any:
        for a in range(n):
            acc[0] = acc[0] + x[a]
            if acc[0] > x[i] * 2:
                return a
            acc[1] = acc[1] + 1
        return -1

    k = fill()
    return acc[0] * 10 + acc[1] + k


def while_in_for_in_while(x: Any, i: Any, n: Any) -> Any:
    total, k = 0.0, 0
    while k < 3:
        for a in range(k, n, 2):
            b = a
            while b > 0:
                b -= 2
                if b == 2:
                    break
                total += 1.0
            if b < 0:
                continue
            total += x[b]
        k += 1
    return total


def continue_before_first_binding(x: Any, i: Any, n: Any) -> Any:
    last = -1.0
    for a in range(n):
        if x[a] < x[i]:
            continue
        v = x[a]
        if v > 6:
            last = v
            break
        last = v * 2
    return last


def booleans_are_carried(x: Any, i: Any, n: Any) -> Any:
    found = False
    count = 0
    for a in range(n):
        found = found or x[a] > x[i]
        if found and not x[a] < 0:
            count += 1
    return count * 2 + found


def helper_with_static_and_dynamic_returns(x: Any, i: Any, n: Any) -> Any:
    def pick(mode: Any, v: Any) -> Any:
        if mode == 0:
            return v
        if mode == 1 and v > 2:
            return v * 2
        if mode == 2:
            for _ in (0, 1):
                v += 1
                if v > 5:
                    return v
            return -v
        return 0.25

    return pick(0, x[i]) + 10 * pick(1, x[i]) + 100 * pick(2, x[i])


def names_of_a_branch_that_leaves(x: Any, i: Any, n: Any) -> Any:
    for k in range(n):
        if x[k] > x[i]:
            w = x[k]
        elif x[k] == x[i]:
            continue
        else:
            break
        if w > 7:
            return w
    return -1.0


def conditional_calls(x: Any, i: Any, n: Any) -> Any:
    def total(m: Any) -> Any:
        s = 0.0
        for k in range(m):
            s += x[k]
        return s

    return (total(i) if x[i] > 0 else total(2)) + (x[i] > 3 and total(3))


def nested_lists_change(x: Any, i: Any, n: Any) -> Any:
    m = [[0.0, 1.0], [2.0, 3.0]]
    for k in range(n):
        m[0][0] += 1.0
        m[1][1] = m[0][0] + x[k]
    return m[0][0] + m[1][1] * 10


BODIES = [f for f in list(globals().values()) if callable(f) and getattr(f, "__module__", "") == __name__]


@pytest.mark.devices("INTERP", "CPU")
@pytest.mark.parametrize("body", BODIES, ids=lambda f: f.__name__)
def test_like_python(body: Callable[..., Any], device: Any) -> None:
    def compare(x: sl.Array[sl.f32], out: sl.Array[sl.f32], n: int) -> None:
        i = sl.global_id()
        out[i] = body(x, i, n)

    x, out = np.array(ROWS, np.float32), np.full(N, np.nan, np.float32)
    sl.kernel(compare).on(device).launch(x, out, N, threads=N, block=4)
    expected = [float(body(ROWS, i, N)) for i in range(N)]
    assert out.tolist() == expected
