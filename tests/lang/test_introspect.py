"""What Python's questions about objects answer in a kernel: the truth, or an error."""
from __future__ import annotations

import linecache
import numbers
import re
import textwrap
import types
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import KernelError
from svod.lang.trace import ArrayType, ScalarType, trace

KINDS = [sl.bool_, sl.i8, sl.i32, sl.u64, sl.f16, sl.f32, sl.f64]
CLASSES: dict[str, Any] = {
    "int": int, "float": float, "bool": bool, "complex": complex, "object": object, "str": str, "list": list, "tuple": tuple, "dict": dict,
    "Number": numbers.Number, "Integral": numbers.Integral, "Real": numbers.Real, "(int, float)": (int, float), "int | str": int | str,
    "((bool,), None)": ((bool,), type(None)), "np.integer": np.integer, "np.floating": np.floating, "np.float32": np.float32,
    "np.generic": np.generic, "SimpleNamespace": types.SimpleNamespace,
}


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_isinstance_of_a_number(kind: sl.Scalar) -> None:
    """True for what the Python number or the NumPy scalar would be an instance of."""
    def ask(x: sl.Array[kind], out: sl.Array[sl.i32]) -> None:
        y = kind(x[0])
        for k, asked in enumerate(CLASSES.values()):
            out[k] = isinstance(y, asked)

    out = np.full(len(CLASSES), -1, np.int32)
    scalar = kind(1)
    sl.kernel(ask).on("INTERP")[1, 1](np.array([scalar]), out)
    expected = [isinstance(scalar, asked) or isinstance(scalar.item(), asked) for asked in CLASSES.values()]
    assert dict(zip(CLASSES, out.tolist(), strict=True)) == dict(zip(CLASSES, expected, strict=True))


@pytest.mark.devices("CPU", "INTERP")
def test_answers(device: Any) -> None:
    class Own:
        present = 3

    def ask(out: sl.Array[sl.i32], x: sl.Array[sl.f32, 2], n: sl.i32) -> None:
        i, y, held = sl.global_id(), x[0, 0], [n, x[0, 0]]
        out[0] = isinstance(i, int) and not isinstance(i, float)
        out[1] = isinstance(n > 0, bool) and isinstance(held, list) and isinstance(held[1], float) and isinstance((n,), tuple)
        out[2] = isinstance(y, sl.f32) and not isinstance(y, sl.f64) and isinstance(x, sl.Array) and not isinstance(x, (int, float, tuple))
        out[3] = hasattr(y, "dtype") and not hasattr(y, "shape") and hasattr(x, "shape") and not hasattr(x, "T")
        out[4] = hasattr(Own, "present") and not hasattr(Own, "absent") and hasattr(sl.thread_idx, "x")
        out[5] = getattr(Own, "present", 0) == 3 and getattr(Own, "absent", 4) == 4 and getattr(x, "ndim", 0) - getattr(y, "ndim", 0) == 2
        inner = lambda v: v  # noqa: E731
        out[6] = callable(inner) and callable(abs) and callable(sl.exp) and not callable(y) and not callable(x)
        out[7] = y.dtype is sl.f32 and y.dtype is not sl.f64 and y.dtype == float and x.dtype in (sl.f32, sl.f64)
        out[8] = type(held) is list and str(2) == "2" and repr("a") == "'a'" and len({1, 2}) == 2 and id(Own) != id(None)
        out[9] = y is not None and (n is None) == False  # noqa: E712

    out = np.zeros(10, np.int32)
    sl.kernel(ask).on(device)[1, 1](out, np.ones((2, 2), np.float32), 5)
    assert out.tolist() == [1] * 10


REFUSED = {
    "r[0] = type(n) is int": (r"type\(\) of i32", "isinstance"),
    "r[0] = type(x) is list": (r"type\(\) of <array x of f32>", "dtype"),
    "r[0] = id(n)": (r"id\(\) of a dynamic value", "compare values"),
    "r[0] = isinstance(x, np.ndarray)": (r"isinstance\(\) of an array and ndarray", "sl.Array"),
    "r[0] = isinstance(n, 3)": ("TypeError", ""),
    "r[0] = len(str(n))": (r"str\(\) of a dynamic value", "printf"),
    "r[0] = len(repr([n]))": (r"repr\(\) of a dynamic value", "printf"),
    "r[0] = len(format(n, 'd'))": (r"format\(\) of a dynamic value", "printf"),
    "r[0] = len('{}'.format(n))": ("format.* of a dynamic value", ""),
    "r[0] = len('%d' % n)": ("text of a dynamic value", "printf"),
    "r[0] = len('%d %d' % (n, 1))": ("text of a dynamic value", "printf"),
    "r[0] = len({x[0], x[1]})": ("a set of dynamic values", "list"),
    "r[0] = len({x[i] for i in range(2)})": ("a set of dynamic values", "list"),
    "r[0] = len(set([n, n]))": ("a set of dynamic values", "list"),
    "r[0] = len(frozenset([n]))": ("a set of dynamic values", "list"),
    "r[0] = len(dict([(n, 1), (x[0], 2)]))": ("a dict with dynamic keys", "pairs"),
    "r[0] = (n > 0) is True": ("`is` of a dynamic value", "no `is True`"),
    "r[0] = getattr(n, 'real')": ("i32 has no attribute 'real'", "dtype"),
    "r[0] = hash(n)": (r"hash\(\) of a dynamic value", ""),
}


@pytest.mark.parametrize("body", REFUSED)
def test_what_has_no_answer_is_refused(body: str) -> None:
    text = f"def probe(x: sl.Array[sl.f32], r: sl.Array[sl.f32], n: int):\n{textwrap.indent(body, '    ')}\n"
    file = f"<introspect {body}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {"sl": sl, "np": np}
    exec(compile(text, file, "exec"), names)
    with pytest.raises(KernelError, match=REFUSED[body][0]) as caught:
        trace(names["probe"], {"x": ArrayType(sl.f32.dtype), "r": ArrayType(sl.f32.dtype), "n": ScalarType(sl.i32.dtype)})
    assert REFUSED[body][1] in caught.value.hint
    assert re.search(r"\n *\^+", caught.value.at)
