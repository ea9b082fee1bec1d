"""R5, R6, R7, R9, R10, R24: every construct runs the same from Python and from its document, on every device, and as Python itself does."""
from __future__ import annotations

import builtins
import json
import math
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import svod.lang as sl
from svod.compat.atlas.atlas_kernel import (
    DeviceArray,
    atomic_add,
    atomic_add_i32,
    atomic_max,
    cosf,
    erf,
    expf,
    f32,
    get_global_id,
    i32,
    inline,
    sigmoid,
    u32,
)
from svod.errors import KernelError
from svod.lang.schema import compile_to_json, document_of, item_kernel, load, source_text
from svod.lang.schema import emit as schema_module

SCHEMA = json.loads((Path(schema_module.__file__).parent / "kernel-1.0.json").read_text(encoding="utf-8"))
DEVICES = ("CPU", "INTERP")
FACTOR = 2.5
TIMES = 3


@inline
def square(v: Any) -> Any:
    """One return."""
    return v * v


def bumped(v: Any, by: Any = 1) -> Any:
    """Statements before the return, a parameter that is assigned, a default."""
    v = v + by
    w = v * 2
    return w - v


def put(a: Any, i: Any, v: Any) -> None:
    """A function for its effect."""
    if v > 0:
        a[i] = v


def binding(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    """let, assign, tuples, chains, annotations."""
    i = get_global_id()
    if i < n:
        a, b = x[i], k[i]
        a2, b2 = b, a
        p = q = a2 + 1
        r: f32 = p
        p += 2
        y[i] = b2 * 2.0 + r
        m[i] = p - q


def swapping(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        a = k[i]
        b = 7
        for _ in range(3):
            a, b = b, a
        m[i] = a - b
        y[i], m[i] = x[i], m[i] + 1


def branches(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i >= n:
        return
    if x[i] > 1.0:
        y[i] = 1.0
    elif x[i] < -1.0:
        y[i] = -1.0
    else:
        y[i] = x[i]
        pass  # noqa: PIE790
    c = 0
    if k[i] > 0:
        c = 1
    m[i] = c


def augmented(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        y[i] = x[i]
        y[i] += 1.5
        y[i] *= x[i]
        y[i] -= FACTOR
        y[i] /= 4.0
        m[i] = k[i]
        m[i] //= 3
        m[i] %= 5
        m[i] <<= 2
        m[i] |= 1
        m[i] ^= 6
        m[i] &= 15
        t = k[i]
        t **= 2
        t >>= 1
        m[i] += t


def operators(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        a = k[i]
        b = 3
        y[i] = a / b + x[i] ** 2.0 - x[i] // 0.75 + x[i] % 0.75
        m[i] = a // b * 100 + a % b + (a // -4) - (a % -4) + (-a) + (~a) + (+a) + (a & 6) + (a | 9) + (a ^ 5) + (a << 2) + (a >> 1) + a ** 3


def comparisons(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        r = 0
        if -2 <= k[i] < 3:
            r += 1
        if k[i] == 2 or (k[i] != 3 and x[i] > 0.0):
            r += 2
        if not (x[i] > 0.25):
            r += 4
        if not k[i]:
            r += 8
        if 0 < k[i] <= 4 > x[i] >= -8.0:
            r += 16
        m[i] = r
        y[i] = 1.0 if x[i] < 0.5 else x[i]


def negative_zero(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        z = x[i] * 0.0
        y[i] = -z
        acc = 0
        for _ in range(2):
            acc = acc + x[i]
        m[i] = i32(-acc)


def ranges(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        total = 0
        acc = 0.0
        for j in range(k[i]):
            total += j
        for j in range(1, 5):
            total += 10 * j
        for j in range(k[i], -3, -2):
            total += 100 * j
            acc += x[j % n]
        for j in range(TIMES):
            total = total - j
        m[i] = total
        y[i] = acc


def jumping(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    """break, continue, else of loops; the loop variable behind the loop."""
    i = get_global_id()
    if i < n:
        total = 0
        j = -1
        for j in range(10):
            if j == k[i]:
                break
            if j % 2 == 1:
                continue
            total += j
        else:
            total += 1000
        last = j
        for j in range(8, 0, -3):
            if j < k[i]:
                if j == 2:
                    total += 5
                    break
                total += 7
            total += 1
        for j in range(4):
            if k[i] > 0:
                if j == 2:
                    continue
                total += 2
            total += 1
        else:  # noqa: PLW0120
            total += 20000
        m[i] = total * 16 + last


def nested_jumps(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        total = 0
        for a in range(5):
            for b in range(5):
                if b > a:
                    break
                if (a + b) % 3 == 0:
                    if k[i] > 0:
                        continue
                    total += 1
                if a == 3:
                    if b == 2:
                        break
                    total += 10
                total += 100
            else:
                if a == 4:
                    break
                continue
            total += 5
        m[i] = total


def stepping(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    """A step that is known when the kernel runs, and break."""
    i = get_global_id()
    if i < n:
        total = 0
        step = 2
        if k[i] < 0:
            step = -1
        for j in range(0, k[i] * 3, step):
            if total > 40:
                break
            total += j * j + 1
        m[i] = total


def whiles(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        j = 0
        while j < n and x[j] < x[i]:
            j += 1
        m[i] = j
        s = 0
        while True:
            s += k[i] * k[i] + 1
            if s > 20:
                break
        while s > 3:
            s -= 3
            if s == 5:
                continue
            if s == 8:
                break
        y[i] = s


def conditional_loads(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    """Elements are read only where Python reads them."""
    i = get_global_id()
    if i < n:
        y[i] = (x[i + 1] if i + 1 < n else 0.0) + (x[i - 1] if i > 0 else 0.0)
        m[i] = 1 if i + 1 < n and k[(i + 1 if i + 1 < n else 0)] > k[i] else 0
        j = i
        while (k[j] if j < n else 1) < 1:
            j += 1
        m[i] = m[i] * 100 + i32(j)


def assignments_in_expressions(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        a = k[i]
        b = a + (a := a * 2) + a
        if (c := b // 2) > 1:
            m[i] = c
        else:
            m[i] = b


def inlining(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        v = k[i]
        m[i] = bumped(v) + bumped(by=v, v=2) * v + square(v + 1)
        y[i] = square(x[i])
        put(y, i, x[i])


def functions(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        v = x[i]
        y[i] = (expf(-v * v) + cosf(v) + math.sqrt(abs(v)) + erf(v) + sigmoid(v) + min(v, 1.0, FACTOR) + max(v, 0) + np.tanh(v)
                + pow(v, 2) + math.floor(v) + float(k[i]) + f32(k[i]))
        m[i] = i32(v) + int(v * 3.0) + abs(k[i]) + min(k[i], 2) + i32(u32(k[i]) // u32(3))


def atomics(x: DeviceArray[f32], k: DeviceArray[i32], y: DeviceArray[f32], m: DeviceArray[i32], n: i32):
    i = get_global_id()
    if i < n:
        atomic_add_i32(m, 1)
        atomic_add(m, 1, k[i])
        atomic_max(m, 2, k[i])
        old = atomic_add(m, 3 + i % 2, 1)
        if old < 0:
            m[5] = old
        k[i] > 0 and atomic_add(m, 6, k[i])
        y[atomic_add(m, 7, 0) % n] += 0.0


CONSTRUCTS = [v for v in list(globals().values()) if isinstance(v, types.FunctionType) and v.__module__ == __name__
              and v.__code__.co_varnames[:5] == ("x", "k", "y", "m", "n")]


def data(seed: int = 0, n: int = 37) -> tuple[Any, ...]:
    """x, k, y, m, n."""
    random = np.random.default_rng(seed)
    x = (random.integers(-12, 13, n) / 4).astype(np.float32)
    return x, random.integers(-5, 6, n).astype(np.int32), np.zeros(n, np.float32), np.zeros(n, np.int32), n


def in_python(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """The function, by Python itself in 64 bits, for one work item after the other."""
    def change(combine: Callable[[Any, Any], Any]) -> Callable[..., Any]:
        def atomic(a: Any, i: Any, v: Any) -> Any:
            old = a[i]
            a[i] = combine(old, v)
            return old
        return atomic

    add = change(lambda a, b: a + b)
    lists = [a.tolist() if isinstance(a, np.ndarray) else a for a in arguments]
    for item in builtins.range(arguments[4]):
        scope = {**function.__globals__, "get_global_id": lambda item=item: item, "atomic_add": add, "atomic_max": change(max),
                 "atomic_add_i32": lambda a, v: add(a, 0, v)}
        types.FunctionType(function.__code__, scope)(*lists)
    for a, values in zip(arguments, lists, strict=True):
        if isinstance(a, np.ndarray):
            a[:] = values


@pytest.mark.parametrize("function", CONSTRUCTS, ids=lambda f: f.__name__)
class TestConstructs:
    @pytest.mark.devices(*DEVICES)
    def test_the_document_gives_what_the_function_gives_and_python_too(self, function: Any, device: str) -> None:
        direct, document, python = data(), data(), data()
        item_kernel(function).on(device)(*direct)
        load(compile_to_json(function)).on(device)(*document)
        in_python(function, python)
        for a, b, c in zip(direct[2:4], document[2:4], python[2:4], strict=True):
            assert a.tobytes() == b.tobytes()
            np.testing.assert_allclose(a, c, rtol=2e-6, atol=2e-6)

    def test_the_document_is_valid_by_the_published_schema(self, function: Any) -> None:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(compile_to_json(function)))

    def test_python_to_json_to_python_to_json_is_the_identity(self, function: Any) -> None:
        text = compile_to_json(function)
        again = document_of(load(text).kernel.function)
        assert json.loads(again.to_json()) == json.loads(text)
        assert source_text(again).text == source_text(load(text).document).text  # type: ignore[arg-type]


def test_there_are_constructs() -> None:
    assert len(CONSTRUCTS) >= 17


def with_assert(a: DeviceArray[f32], n: i32):
    assert n > 0


def with_try(a: DeviceArray[f32], n: i32):
    try:
        a[0] = 1.0
    finally:
        a[0] = 2.0


def with_with(a: DeviceArray[f32], n: i32):
    with n:
        a[0] = 1.0


def with_print(a: DeviceArray[f32], n: i32):
    print(n)


def with_list(a: DeviceArray[f32], n: i32):
    b = [1.0, 2.0]
    a[0] = b[n]


def with_text(a: DeviceArray[f32], n: i32):
    b = "text"
    a[0] = b


def with_in(a: DeviceArray[f32], n: i32):
    if n in (1, 2):
        a[0] = 1.0


def with_is(a: DeviceArray[f32], n: i32):
    if n is None:
        a[0] = 1.0


def with_lambda(a: DeviceArray[f32], n: i32):
    f = lambda v: v + 1  # noqa: E731
    a[0] = f(n)


def with_def(a: DeviceArray[f32], n: i32):
    def f(v):
        return v
    a[0] = f(n)


def with_delete(a: DeviceArray[f32], n: i32):
    b = n
    del b


def with_match(a: DeviceArray[f32], n: i32):
    match n:
        case 1:
            a[0] = 1.0


def with_slice(a: DeviceArray[f32], n: i32):
    a[0:2] = 1.0


def with_star(a: DeviceArray[f32], n: i32):
    b, *c = n, n  # noqa: F841
    a[0] = b


def with_shared(a: DeviceArray[f32], n: i32):
    t = sl.shared(4, sl.f32)
    a[0] = t[0]


def with_second_axis(a: DeviceArray[f32], n: i32):
    a[sl.global_id(1)] = 1.0


def with_array_loop(a: DeviceArray[f32], n: i32):
    for v in a:
        a[0] = v


def with_value(a: DeviceArray[f32], n: i32):
    return n


REFUSED = [v for k, v in list(globals().items()) if k.startswith("with_")]


@pytest.mark.parametrize("function", REFUSED, ids=lambda f: f.__name__)
def test_r10_what_the_schema_cannot_hold_is_refused_with_the_line(function: Any) -> None:
    with pytest.raises(KernelError) as e:
        compile_to_json(function)
    assert "test_schema_constructs.py:" in e.value.at
    assert "^" in e.value.at


def test_r24_an_emitted_document_uses_the_constructs_of_1_0_only() -> None:
    """The words of R22 and R23, written out once more."""
    statements = {"let", "assign", "if", "for", "while", "return"}
    expressions = {"var", "literal", "binary_op", "index", "call"}
    ops = {"add", "sub", "mul", "div", "floor_div", "mod", "lt", "le", "gt", "ge", "eq", "ne", "and", "or"}

    def visit(e: Any) -> None:
        if isinstance(e, list):
            for each in e:
                visit(each)
        elif isinstance(e, dict):
            if "type" in e and "kind" not in e and isinstance(e["type"], str):
                assert e["type"] in statements | expressions
                assert e["type"] != "binary_op" or e["op"] in ops
            for each in e.values():
                visit(each)

    for function in CONSTRUCTS:
        visit(json.loads(compile_to_json(function))["kernel"]["body"])
