"""What kernels cannot do: every refusal names the construct and shows file, line and caret; no construct of Python is dropped silently."""
from __future__ import annotations

import linecache
import re
import textwrap
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import KernelError
from svod.lang.trace import ArrayType, ScalarType, trace

F32, I32 = sl.f32.dtype, sl.i32.dtype
ARGUMENTS: dict[str, Any] = {"x": ArrayType(F32), "r": ArrayType(F32), "n": ScalarType(I32)}
_count = 0


def kernel_of(body: str, more: str = "") -> Any:
    """A kernel(x, r, n) with this body, its source known to linecache as that of a file."""
    global _count  # noqa: PLW0603
    _count += 1
    indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    text = f"{more}\ndef probe(x: sl.Array[sl.f32], r: sl.Array[sl.f32], n: int):\n{indented}\n"
    file = f"<probe {_count}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {"sl": sl, "np": np}
    exec(compile(text, file, "exec"), names)
    return names["probe"]


def refused(body: str, more: str = "") -> KernelError:
    with pytest.raises(KernelError) as caught:
        trace(kernel_of(body, more), ARGUMENTS, block=(4, 1, 1))
    return caught.value


REFUSED = {
    "r[0] = [1.0, 2.0][sl.global_id()]": "indexed with a dynamic value",
    "r[0:2] = 1.0": "slices of arrays",
    "r[0, 1] = 1.0": "has 1 axes and is indexed with 2",
    "r[0.5] = 1.0": "not an integer",
    "r[x[0]] = 1.0": "not an integer",
    "r[0] = 'a'": "is not a number",
    "r[0] = None": "the value is NoneType None",
    "r[0] = x": "the value is <array x",
    "r[0] = undefined": "name 'undefined' is not defined",
    "r[0] = y\ny = 1": "'y' is read before it is bound",
    "if n > 0:\n    y = 1\nr[0] = y": "'y' may be unbound",
    "for i in range(n):\n    y = x[i]\nr[0] = y": "'y' may be unbound|read before it is bound",
    "if n > 0:\n    y = x[0]\nelse:\n    y = n\nr[0] = y": "'y' is f32 on one path and i32 on another",
    "y = n\nfor i in range(n):\n    y = x[i]\nr[0] = y": "'y' is i32 and is assigned f32",
    "y = sl.global_id()\nfor i in range(n):\n    y = x[i]\nr[0] = y": "'y' is index and is assigned f32",
    "y = None\nfor i in range(n):\n    y = x[i]\nr[0] = y": "'y' changes from NoneType None to f32",
    "y = [1.0]\nfor i in range(n):\n    y.append(x[i])": "grows or shrinks|changes the structure",
    "y = [1.0]\nfor i in range(n):\n    y = [1.0, 2.0]\nr[0] = y[0]": "changes from list of 1 to list of 2",
    "r[0] = x[sl.thread_idx]": "thread_idx is no number by itself|not an integer",
    "r[0] = sl.thread_idx + 1": "thread_idx is no number by itself",
    "r[0] = sl.sqrt + 1": "sqrt is a function",
    "sl.barrier": "sl.barrier is named, not called",
    "r[0] = 1e300": "1e\\+300 is beyond the range of f32",
    "r[0] = x[0] * 1e39": "1e\\+39 is beyond the range of f32",
    "r[0] = x[0] + 10**39": "is beyond the range of f32",
    "sl.printf('{:.2f}', x[0])": r"formats are not there",
    "sl.printf('%f', x[0])": r"formats are not there",
    "import os\nr[0] = int(os.getenv('HOME', '1'))": r"getenv\(\) would be asked once",
    "import os\nr[0] = int(os.environ.get('N', '1'))": r"get\(\) would be asked once",
    "r[0] = len(locals())": r"locals\(\) in a kernel",
    "r[0] = len(dir())": r"dir\(\) in a kernel",
    "r[0] = eval('1')": r"eval\(\) in a kernel: text",
    "r[0] = len(open('/').name)": r"open\(\) in a kernel: it would be done once",
    "r[0] = next(i for i in [1])": r"next\(\) in a kernel",
    "r[0] = np.random.rand()": r"rand\(\) would be asked once",
    "import random\nr[0] = random.random()": r"random\(\) would be asked once",
    "for a, b in zip(x, x):\n    r[0] = a": r"zip\(\) of an array",
    "for i, j in enumerate(range(n)):\n    r[0] = i": "stands only in a `for` statement, by itself",
    "r[0] = max([1, n], key=abs)": "takes no key=",
    "r[0] = (x @ x)[0]": "`@` of <array x",
    "v = sl.vec(sl.f32, 2)(1.0, 2.0)\nr[0] = v[2]": "lane 2 of a vector of 2",
    "v = sl.vec(sl.f32, 2)(1.0, 2.0)\nv[-3] = 1.0": "lane -3 of a vector of 2",
    "v = sl.vec(sl.f32, 2)(1.0, 2.0)\nr[0] = v[x[0]]": "a lane of a vector is a whole number",
    "for i in x:\n    r[0] = i": "an array cannot be iterated over",
    "for i in n:\n    r[0] = i": "a dynamic i32 cannot be iterated over",
    "r[0] = sum(x[i] for i in range(n))": r"range\(\) of a dynamic value stands only in a `for` statement",
    "for i, j in range(n):\n    r[0] = i": "For loop target must be a simple variable",
    "for i in range():\n    pass": r"Invalid range\(\) call",
    "for i in range(0, n, 0):\n    pass": "a step of 0",
    "for i in sl.static_range(n):\n    pass": r"static_range\(\) takes",
    "if sl.const_expr(n > 0):\n    pass": r"const_expr\(\) of a dynamic value",
    "while sl.const_expr(n > 0):\n    pass": r"const_expr\(\) of a dynamic value",
    "k = 0\nwhile k < n:\n    k += 1\nelse:\n    r[0] = 1": "while-else",
    "return x[0]": "a kernel returns nothing",
    "sl.static_assert(1 > 2, 'wrong size')": "wrong size",
    "raise ValueError('bad ' + 'type')": "ValueError: bad type",
    "if n > 0:\n    raise ValueError('x')": "raise in dynamic control flow",
    "assert 1 == 2, 'never'": "assertion failed: never",
    "r[0] = x[0] + [1]": "list of 1 is not a number",
    "r[0] = x[0] & 1": "takes integers",
    "r[0] = ~x[0]": "takes integers",
    "r[0] = x[0] @ x[1]": "`@` has no meaning",
    "n += 0.5\nk = sl.local(2, sl.i32)\nk[0] = x[0]": "an element of k is i32, the value is f32",
    "k = sl.local(2, sl.i32)\nk[0] = 1.5": "an element of k is i32, the value is 1.5",
    "k = sl.local(2, sl.i8)\nk[0] = 300": "300 does not fit",
    "k = sl.local(2, sl.i8)\nk[5] = 3": "index 5 is out of range",
    "k = sl.shared(n, sl.f32)": "known while the kernel is traced",
    "k = sl.shared(4, 'f32')": "is not a type of elements",
    "r[0] = n + 2**40": "does not fit i32",
    "r[0] = n < 2**40": "the comparison is always the same",
    "x[0] + 1": "is not used",
    "r.data = 1": "an attribute cannot be assigned",
    "r[0] = x.strides": "an array has no attribute 'strides'",
    "r[0] = x[0].real": "f32 has no attribute 'real'",
    "r[0] = np.linalg.norm(x[0])": "norm.* of a dynamic value",
    "r[0] = sl.exp(x)": "is not a number",
    "r[0] = f'{x[0]}'": "an f-string of a dynamic value",
    "r[0] = x[0]()": "a number is called",
    "v = [x[i] for i in range(3) if x[i] > 0]": "the condition of a comprehension is dynamic",
    "r[0] = sum(x)": "is no list of values",
    "r[0] = sl.atomic_add(3, 0, 1)": r"atomic_add\(\) of int 3",
    "k = sl.local(2, sl.i32)\nsl.atomic_add(k, 0, 1)": "of a local array",
    "r[0] = sl.shuffle(x[0], 0, 3)": r"shuffle\(\) of width 3",
    "sl.printf('{} {}', n)": r"2 \{\} for 1 values",
    "r[0] = 1 // 0": "ZeroDivisionError",
    "v = (1, 2)\na, b, c = v": "2 values for 3 targets",
    "a, b = x[0]": "cannot be unpacked",
    "r[0] = x[0] in x": "`in` looks into static containers",
    "del n.x": "cannot be deleted",
    "r[0] = fact(3)": "Recursive inline function not allowed: fact",
    "r[0] = gen(x[0])": "generator 'gen'",
    "r[0] = fact(1, 2, 3)": "too many positional arguments",
    "TABLE[0] = x[0]": "from outside the kernel cannot be changed",
    "TABLE.append(1)": "from outside the kernel cannot be changed",
    "try:\n    r[0] = 1\nfinally:\n    pass": "Unsupported statement: try",
    "with open('f') as f:\n    pass": "Unsupported statement: with",
    "class A:\n    pass": "Unsupported statement: class",
    "match n:\n    case 1:\n        pass": "Unsupported statement: match",
    "async def f():\n    pass": "Unsupported statement: async def",
    "global TABLE\nTABLE = 1": "the global 'TABLE' cannot be assigned",
    "@sl.kernel\ndef f():\n    pass": "decorators of the nested function",
}
MORE = "TABLE = [1, 2]\ndef fact(k):\n    return 1 if k == 0 else k * fact(k - 1)\ndef gen(v):\n    yield v\n"


@pytest.mark.parametrize("body", REFUSED, ids=lambda b: b.replace("\n", "; ")[:60])
def test_refusals(body: str) -> None:
    error = refused(body, MORE)
    assert re.search(REFUSED[body], error.what), error.what
    assert re.match(r"<probe \d+>:\d+:\d+\n    .*\n *\^+", error.at), error.at


def test_the_place_is_that_of_the_innermost_expression() -> None:
    error = refused("y = 1.0\nr[0] = y + (x[0] & 3) * 2")
    line, column = re.match(r"<probe \d+>:(\d+):(\d+)", error.at).groups()  # type: ignore[union-attr]
    assert (int(line), int(column)) == (4, 17)
    assert "x[0] & 3" in error.at
    assert error.at.splitlines()[2].index("^") == error.at.splitlines()[1].index("x[0] & 3")


def test_errors_in_helpers_point_into_the_helper() -> None:
    error = refused("r[0] = helper(x[0])", "def helper(v):\n    w = v + 1\n    return w & 1\n")
    assert re.match(r"<probe \d+>:3:12", error.at)


# --- the function itself -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("signature", "message"), [
    ("x", "All kernel parameters must have type annotations"), ("x: str", "Unsupported type annotation"),
    ("x: sl.Array", "Unsupported type annotation"), ("x: 'sl.Array[nothing]'", "Unsupported type annotation"),
    ("*x: sl.f32", "a fixed list of parameters"), ("**x: sl.f32", "a fixed list of parameters"),
    ("_x: sl.f32", "begin with an underscore")])
def test_parameters(signature: str, message: str) -> None:
    text = f"def probe({signature}):\n    pass\n"
    linecache.cache["<probe>"] = (len(text), None, text.splitlines(keepends=True), "<probe>")
    names: dict[str, Any] = {"sl": sl}
    exec(compile(text, "<probe>", "exec"), names)
    with pytest.raises(KernelError, match=re.escape(message)) as caught:
        trace(names["probe"], {"x": ScalarType(F32)})
    assert "<probe>:1" in caught.value.at


def test_types_of_an_enclosing_function() -> None:
    def make(kind: Any, seen: bool) -> sl.Kernel:
        if seen:
            @sl.kernel
            def used(x: sl.Array[kind]) -> None:
                x[0] = kind(1)
            return used

        @sl.kernel
        def unused(x: sl.Array[kind]) -> None:
            x[0] = 1
        return unused

    x = np.zeros(1, np.float16)
    make(sl.f16, True)[1, 1](x)
    assert x[0] == 1
    with pytest.raises(KernelError, match=r"NameError: name 'kind'(.|\n)*known only if the body uses them, too"):
        make(sl.f16, False)


def test_element_types_of_arrays() -> None:
    with pytest.raises(KernelError, match="Unsupported scalar type"):
        _ = sl.Array[str]
    assert sl.Array[sl.f32, 2].shape == (None, None)
    assert sl.Array[float, "rows", 16].shape == (None, 16)
    assert sl.Array[np.int8, (3,)].shape == (3,)


def test_functions_without_source() -> None:
    names: dict[str, Any] = {"sl": sl}
    exec("def probe(x: sl.Array[sl.f32]):\n    x[0] = 1\n", names)
    with pytest.raises(KernelError, match="source of 'probe' is not to be had"):
        trace(names["probe"], {"x": ArrayType(F32)})


def test_builtins_outside_of_kernels() -> None:
    with pytest.raises(KernelError, match=r"barrier\(\) can only be called in a kernel"):
        sl.barrier()
    with pytest.raises(KernelError, match=r"thread_idx\.x can only be read in a kernel"):
        _ = sl.thread_idx.x
    assert sl.exp(0.0) == 1.0
    assert sl.select(True, 1, 2) == 1


def test_dependencies_are_noted() -> None:
    probe = kernel_of("r[0] = TABLE[0] + helper(x[0]) * SCALE", "TABLE = [1.0]\nSCALE = 2\ndef helper(v):\n    return v + 1\n")
    found = trace(probe, ARGUMENTS).dependencies
    assert {"TABLE", "SCALE", "helper", "probe"} <= {d.name for d in found}
    assert all(d.unchanged() for d in found)
    probe.__globals__["TABLE"].append(3)
    probe.__globals__["SCALE"] = 3
    assert {d.name for d in found if not d.unchanged()} == {"TABLE", "SCALE"}
    probe.__globals__["helper"].__code__ = (lambda v: v + 2).__code__
    assert "helper" in {d.name for d in found if not d.unchanged()}
