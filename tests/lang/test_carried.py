"""`for i, state in range(…, init=[…])` with `results = yield […]`: which loops are rewritten, and what they mean. R117."""
from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import KernelError
from svod.lang.carried import rewritten

DEVICES = ("CPU", "INTERP")
FORM = "for i, state in range(4, init=[0]):\n    last = yield [state[0] + i]\n"


def tree(text: str) -> str:
    return ast.dump(rewritten(ast.parse(text), text))


@pytest.mark.parametrize("text", [
    "for i, state in range(4):\n    yield [1]\n", "for i, state in range(4, init=[0]):\n    pass\n",
    "for i, state in range(4, init=[0]):\n    yield\n", "for i in range(4, init=[0]):\n    yield [1]\n",
    "for i, a, b in range(4, init=[0]):\n    yield [1]\n", "for i, state in zip(4, init=[0]):\n    yield [1]\n",
    "for i, state in range(4, init=[0], more=1):\n    yield [1]\n", "for i, state in range(4, init=[0]):\n    yield [1]\nelse:\n    pass\n",
    "for i, state in range(4, init=[0]):\n    yield [1]\n    pass\n", "init = 3\ndef f():\n    yield init\n"])
def test_loops_of_another_form_stay(text: str) -> None:
    assert tree(text) == ast.dump(ast.parse(text))


def test_places_are_those_of_what_was_written() -> None:
    made = rewritten(ast.parse(FORM), FORM)
    assert all(1 <= n.lineno <= n.end_lineno <= 2 for n in ast.walk(made) if isinstance(n, ast.stmt))  # type: ignore[operator]
    again = ast.dump(made)
    assert ast.dump(rewritten(made, FORM)) == again
    assert ast.dump(ast.parse(FORM)) != again


def sums(x: Any, n: Any) -> Any:
    """A function of the user: the sum and the greatest."""
    for i, (total, most) in range(n, init=[sl.f32(0), x[0]]):  # type: ignore[call-overload]
        total, most = yield total + x[i], max(most, x[i])  # noqa: PLW2901
    return total, most


@sl.kernel
def of_a_function(x: sl.Array[sl.f32], out: sl.Array[sl.f32], n: sl.i32) -> None:
    out[0], out[1] = sums(x, n)


@sl.kernel
def per_item(x: sl.Array[sl.i32], out: sl.Array[sl.i32]) -> None:
    """A state that is changed in place does not change the one carried."""
    i = sl.global_id()
    for k, state in range(0, 10, x[i], init=[1, 0]):  # type: ignore[call-overload]
        state[1] = state[1] + k
        if k == 4:
            continue
        product, total = yield state[0] * 2, state[1]
    out[i] = product * 100 + total


@pytest.mark.devices(*DEVICES)
def test_in_functions_and_beside_jumps(device: Any) -> None:
    x, out = np.array([3, 9, 4], np.float32), np.zeros(2, np.float32)
    of_a_function.on(device)[1, 1](x, out, 3)
    assert out.tolist() == [16, 9]
    of_a_function.on(device)[1, 1](x, out, 0)
    assert out.tolist() == [0, 3]
    steps, found = np.array([1, 2, 3, 20], np.int32), np.zeros(4, np.int32)
    per_item.on(device).launch(steps, found, threads=4)

    def expected(step: int) -> int:
        a, b = 1, 0
        for k in range(0, 10, step):
            if k != 4:
                a, b = a * 2, b + k
        return a * 100 + b

    assert found.tolist() == [expected(s) for s in steps.tolist()]


def test_a_yield_elsewhere_is_refused() -> None:
    @sl.kernel
    def generator(x: sl.Array[sl.i32]) -> None:  # type: ignore[misc]
        yield x[0]

    with pytest.raises(KernelError, match="Unsupported expression: yield") as caught:
        generator.on("INTERP")[1, 1](np.zeros(1, np.int32))
    assert "yield x[0]" in caught.value.at
