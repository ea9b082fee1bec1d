"""What a trace looks like: sources, liveness, types of variables, hidden parameters, the shape of the statements."""
from __future__ import annotations

import ast
import functools
import time
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import KernelError, SvodError
from svod.ir.clause import verify
from svod.ir.ops import Op
from svod.ir.spec import THREADS
from svod.lang.liveness import analyse, assigned
from svod.lang.source import source_of
from svod.lang.trace import ArrayType, Constant, ScalarType, Trace, signature, trace

F32, F16, I32, U32 = (t.dtype for t in (sl.f32, sl.f16, sl.i32, sl.u32))
X = ArrayType(F32)


def traced(function: Any, **arguments: Any) -> Trace:
    result = trace(function, arguments, block=(8, 1, 1))
    verify(result.threads, THREADS)
    return result


def count(result: Trace, op: Op) -> int:
    """How often an op stands in the graph."""
    return sum(1 for _ in result.threads.find(op))


def test_buffers_scalars_and_hidden_parameters() -> None:
    def scale(a: sl.Array[sl.f32, 2], s: float, n: sl.u32, b: sl.Array[sl.f32], k: sl.Constexpr[int], stream: sl.Stream) -> None:
        i = sl.global_id()
        if i < n:
            b[i] = a[i, 0] * s * k + sl.grid_dim.y

    found = traced(scale, a=ArrayType(F32, 2, (None, None)), s=ScalarType(F32), n=ScalarType(U32), b=X, k=Constant(3))
    assert found.buffers == ("a", "b")
    assert found.scalars == {"s": ("param", "s"), "n": ("param", "n"), "_grid_x": ("grid", 0), "_grid_y": ("grid", 1),
                             "_a_shape_1": ("shape", "a", 1)}
    assert [(p.name, p.kind, p.rank) for p in signature(scale)] == [
        ("a", "array", 2), ("s", "scalar", None), ("n", "scalar", None), ("b", "array", 1), ("k", "constexpr", None),
        ("stream", "stream", None)]


def test_the_same_function_gives_the_same_kernel() -> None:
    def add(a: sl.Array[sl.f32], n: int) -> None:
        for i in range(n):
            a[i] += 1

    assert traced(add, a=X, n=ScalarType(I32)).threads is traced(add, a=X, n=ScalarType(I32)).threads


def test_early_returns_of_helpers_need_no_loop() -> None:
    def helper(v: Any) -> Any:
        if v < 0:
            return -v
        if v > 10:
            return v * 2
        return v

    def kernel_(a: sl.Array[sl.f32]) -> None:
        a[0] = helper(a[1])

    found = traced(kernel_, a=X)
    assert count(found, Op.LOOP) == 0
    assert count(found, Op.BREAK) == 0


def test_temporaries_of_loops_are_no_cells() -> None:
    def sums(a: sl.Array[sl.f32], n: int) -> None:
        total = 0.0
        for i in range(n):
            t = a[i] * 2
            u = t + 1
            total += u
        a[0] = total

    assert count(traced(sums, a=X, n=ScalarType(I32)), Op.DEFINE_REG) == 1


@pytest.mark.parametrize(("element", "wanted"), [(F32, F32), (F16, F16), (I32, I32), (U32, U32)])
def test_accumulators_take_the_type_of_what_is_added(element: Any, wanted: Any) -> None:
    def total(a: sl.Array[sl.f32], n: int) -> None:
        acc = 0
        for i in range(n):
            acc += a[i]
        a[0] = acc

    cells = list(traced(total, a=ArrayType(element), n=ScalarType(I32)).threads.find(Op.DEFINE_REG))
    assert [c.dtype.base for c in cells] == [wanted]  # type: ignore[attr-defined]


def test_static_conditions_leave_nothing() -> None:
    def either(a: sl.Array[sl.f32], mode: sl.Constexpr[str]) -> None:
        if mode == "double":
            a[0] = a[0] * 2
        else:
            a[0] = 0.0

    assert count(traced(either, a=X, mode=Constant("double")), Op.BRANCH) == 0
    assert count(traced(either, a=X, mode=Constant("zero")), Op.LOAD) == 0


def test_pure_conditionals_are_selects() -> None:
    def clamp(a: sl.Array[sl.f32], n: int) -> None:
        v = a[0]
        a[0] = v if v > 0 and n > 3 else -v

    found = traced(clamp, a=X, n=ScalarType(I32))
    assert (count(found, Op.BRANCH), count(found, Op.WHERE)) == (0, 2)


def test_deep_nesting_is_traced_in_reasonable_time() -> None:
    def nest(a: sl.Array[sl.f32], n: int) -> None:
        s, t, u = 0, 0, 0
        for i in range(n):
            for _j in range(n):
                for _k in range(n):
                    for _m in range(n):
                        s += a[i]
                        t = t + s
                        u = u + t
        a[0] = u

    def chain(a: sl.Array[sl.f32]) -> None:
        b = a[0] > 0 and a[1] > 0 and a[2] > 0 and a[3] > 0 and a[4] > 0 and a[5] > 0 and a[6] > 0 and a[7] > 0 and a[8] > 0 and a[9] > 0
        a[0] = b

    start = time.perf_counter()
    traced(nest, a=X, n=ScalarType(I32))
    traced(chain, a=X)
    assert time.perf_counter() - start < 2.0


def test_lambdas_of_one_line_are_told_apart() -> None:
    first, second = lambda v: v + 1, lambda v: v + 2
    assert [ast.unparse(source_of(f).node.body) for f in (first, second)] == ["v + 1", "v + 2"]  # type: ignore[arg-type]


def test_wrapped_functions_are_unwrapped() -> None:
    def decorated(f: Any) -> Any:
        @functools.wraps(f)
        def wrapper(*args: Any) -> Any:
            raise AssertionError("called")
        return wrapper

    @decorated
    def one(a: sl.Array[sl.f32]) -> None:
        a[0] = 1.0

    assert count(traced(one, a=X), Op.STORE) == 1


def test_kernels_called_in_kernels_are_inlined() -> None:
    @sl.kernel
    def inner(a: sl.Array[sl.f32], i: sl.i32) -> None:
        a[i] = 1.0

    def outer(a: sl.Array[sl.f32]) -> None:
        inner(a, 3)

    assert count(traced(outer, a=X), Op.STORE) == 1


class Config:
    """Options a kernel may read."""

    factor = 3

    def scaled(self, v: Any) -> Any:
        """A method that is traced."""
        return v * self.factor


def test_methods_and_attributes_of_objects() -> None:
    config = Config()

    def scale(a: sl.Array[sl.f32]) -> None:
        a[0] = config.scaled(a[1])

    found = traced(scale, a=X)
    assert all(d.unchanged() for d in found.dependencies)
    config.factor = 4
    assert "Config.factor" in {d.name for d in found.dependencies if not d.unchanged()}


def test_static_tables_of_numpy() -> None:
    table = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)

    def weigh(a: sl.Array[sl.f32]) -> None:
        for i in sl.static_range(2):
            a[i] = a[i] * table[i, 1]

    found = traced(weigh, a=X)
    assert {u.arg.value for u in found.threads.find(Op.CONST)} >= {2.0, 4.0}
    table[0, 1] = 7
    assert any(not d.unchanged() for d in found.dependencies)


def test_missing_and_unknown_arguments() -> None:
    def one(a: sl.Array[sl.f32]) -> None:
        a[0] = 1.0

    with pytest.raises(KernelError, match="no type is given for parameter 'a'"):
        trace(one, {})
    with pytest.raises(KernelError, match="no parameter is called 'b'"):
        trace(one, {"a": X, "b": X})


def live_after(text: str) -> list[list[str]]:
    """For each `if` and loop, in order of lines: the names live behind it."""
    body = ast.parse(text).body
    found = analyse(body).after
    return [sorted(found[n]) for n in sorted(found, key=lambda n: n.lineno)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("text", "wanted"), [
    ("if c:\n  x = 1\nprint(x)", [["print", "x"]]),
    ("if c:\n  x = 1\nx = 2\nf(x)", [["f"]]),
    ("for i in r:\n  if c:\n    x = 1\n  y = x", [[], ["c", "x"]]),
    ("while c:\n  if d:\n    y = 1\n    break\n  y = 2\nf(y)", [["f", "y"], ["c", "d", "f"]]),
    ("if c:\n  x = 1\nelse:\n  return x\nx += 1", [["x"]]),
])
def test_liveness(text: str, wanted: list[list[str]]) -> None:
    assert live_after(text) == wanted


def test_assigned_names() -> None:
    text = "a = b[0] = 1\nc.d += 1\nfor e, (f, *g) in h: pass\n(i := 1)\n[j for j in k if (m := j)]\ndef n(): o = 1\nimport p.q"
    assert assigned(ast.parse(text).body) == frozenset("abcefgimnp")


@pytest.mark.devices("CPU", "INTERP")
def test_numpy_scalars_are_typed_initial_values(device: Any) -> None:
    def compute(a: sl.Array[sl.f32], r: sl.Array[sl.f32, 2]) -> None:
        i = sl.global_id()
        total, count, last = np.float32(0), np.int32(0), np.bool_(False)
        for j in range(i + 1):
            total += a[j]
            count += 1
            last = a[j] > 3
        first = np.float32(1)
        if i > 2:
            first = a[i]
        r[i, 0], r[i, 1], r[i, 2], r[i, 3] = total, sl.f32(count), sl.f32(last), first

    a, r = np.arange(1, 9, dtype=np.float32), np.zeros((8, 4), np.float32)
    sl.kernel(compute).on(device)[1, 8](a, r)
    i = np.arange(8)
    assert r.T.tolist() == [np.cumsum(a).tolist(), (i + 1).tolist(), (a > 3).tolist(), np.where(i > 2, a, 1).tolist()]


def test_a_numpy_scalar_keeps_its_type_in_a_loop() -> None:
    def compute(a: sl.Array[sl.f64], r: sl.Array[sl.f64]) -> None:
        total = np.float32(0)
        for j in range(a.size):
            total += a[j]
        r[0] = total

    with pytest.raises(KernelError, match="'total' is f32 and is assigned f64"):
        sl.kernel(compute)[1, 1](np.ones(3), np.zeros(1))


@pytest.mark.devices("CPU", "INTERP")
def test_names_that_a_target_reserves_or_cannot_spell(device: Any) -> None:
    def größe(  # noqa: PLC2401
        shared: sl.Array[sl.f32], double: sl.f32, entry: sl.i32, entry_: sl.i32, core_id: sl.f32
    ) -> None:
        shared[shared.size - 1] = double + entry + entry_ * 10 + core_id * 100

    a = np.zeros(2, np.float32)
    sl.kernel(größe).on(device)[1, 1](a, 1.0, 2, 3, 4.0)
    assert a.tolist() == [0, 433]
    with pytest.raises(SvodError, match="'entry' of kernel 'größe' takes a whole number"):
        sl.kernel(größe).on(device)[1, 1](a, 1.0, "x", 3, 4.0)


@pytest.mark.devices("CPU", "INTERP")
def test_an_assertion_without_a_text(device: Any) -> None:
    def checked(a: sl.Array[sl.f32]) -> None:
        sl.assert_(a[0] > 5)  # noqa: PT009

    with pytest.raises(SvodError) as caught:
        sl.kernel(checked).on(device)[1, 1](np.zeros(1, np.float32))
    assert caught.value.what == "assertion failed"


@pytest.mark.devices("CPU", "INTERP")
def test_an_annotation_of_any_scalar_type_converts(device: Any) -> None:
    def squares(a: sl.Array[sl.i32], r: sl.Array[sl.f64, 1]) -> None:
        x: sl.f32 = a[0]
        y: sl.f64 = a[0]
        z: sl.i32 = a[0]
        r[0], r[1], r[2] = x * x, y * y, z

    r = np.zeros(3)
    sl.kernel(squares).on(device)[1, 1](np.full(1, 100_000, np.int32), r)
    assert r.tolist() == [float(np.float32(1e10)), 1e10, 1e5]


def test_is_with_a_dynamic_value_is_refused() -> None:
    def same(a: sl.Array[sl.i32]) -> None:
        if (a[0] > 0) is True:
            a[0] = 1

    with pytest.raises(KernelError, match=r"`is` of a dynamic value(.|\n)*is True"):
        sl.kernel(same)[1, 1](np.zeros(1, np.int32))
