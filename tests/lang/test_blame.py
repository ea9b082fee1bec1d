"""What a target cannot do is told with the author's line, a caret under it and a hint in the author's words."""
from __future__ import annotations

import linecache
import re
import textwrap
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.dtype import dtypes
from svod.errors import ArgumentError, KernelError, LaunchError, SvodError, UnsupportedError
from svod.ir.uop import UOp
from svod.lang.blame import place_of, with_places

_count = 0


def kernel_of(body: str, element: str = "f32") -> sl.Kernel:
    """A kernel of an array x with this body."""
    global _count  # noqa: PLW0603
    _count += 1
    text = f"import svod.lang as sl\n{MORE}@sl.kernel\ndef probe(x: sl.Array[sl.{element}]):\n{textwrap.indent(body, '    ')}\n"
    file = f"<blame {_count}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {}
    exec(compile(text, file, "exec"), names)
    made: sl.Kernel = names["probe"]
    return made


MORE = "def helper(x):\n    mine = sl.local(50000, sl.f64)\n    mine[0] = x\n    return mine[sl.i32(x)]\n"
BARRIERS = """\
sl.barrier()
for k in range(3):
    if k > 1:
        sl.barrier()
    while x[sl.thread_idx.x] > k:
        x[sl.thread_idx.x] -= 1
        sl.barrier()
"""
CASES: dict[str, tuple[str, str, type[SvodError], str, str, str]] = {
    "a large local array": ("f32", "few = sl.local(4, sl.f32)\nm = sl.local(100000, sl.f32)\nm[0] = few[0] = x[0]\n"
                            "x[1] = m[sl.i32(x[0])] + few[0]", UnsupportedError, "100000 x f32 of local memory", "sl.local(100000, sl.f32)",
                            "make the local array smaller"),
    "a local array of a helper": ("f32", "x[0] = helper(x[0])", UnsupportedError, "50000 x f64", "sl.local(50000, sl.f64)", "smaller"),
    "an atomic addition of bf16": ("bf16", "sl.atomic_max(x, 1, sl.bf16(1.0)) if False else None\nsl.atomic_add(x, 0, sl.bf16(1.0))",
                                   UnsupportedError, "ATOMIC add of bf16", "sl.atomic_add(x, 0, sl.bf16(1.0))", "f32"),
    "an atomic of bools": ("bool_", "sl.atomic_or(x, 0, True)", UnsupportedError, "ATOMIC or of bool", "sl.atomic_or(x, 0, True)", "i32"),
    "a barrier in a branch": ("f32", "sl.barrier()\nif x[sl.thread_idx.x] > 0:\n    sl.barrier()", UnsupportedError,
                              "work items may go different ways", "if x[sl.thread_idx.x] > 0:", "take the barrier out of the branch"),
    "a barrier that some ids reach": ("f32", "if x[0] > 0:\n    sl.barrier()\nif sl.thread_idx.x > 3:\n    sl.barrier()", UnsupportedError,
                                      "may go different ways", "if sl.thread_idx.x > 3:", "barrier"),
    "a barrier in a loop": ("f32", BARRIERS, UnsupportedError, "may go different ways", "while x[sl.thread_idx.x] > k:", "barrier"),
    "much shared memory": ("f32", "few = sl.shared(4, sl.f32)\nm = sl.shared(2**40, sl.f32)\nm[0] = few[0] = x[0]\nx[1] = m[0] + few[0]",
                             LaunchError, r"asks for \d+ \+ 0 B of shared memory", "sl.shared(2**40, sl.f32)", "smaller tiles"),
    "the truth of an array": ("f32", "if x:\n    x[0] = 1", KernelError, "the truth of an array, x,", "x", "len\\(a\\) > 0"),
    "not an array": ("f32", "x[0] = 1 if not x else 2", KernelError, "the truth of an array, x,", "not x", "a\\[i\\] != 0"),
    "an array and more": ("f32", "x[0] = x and 1", KernelError, "the truth of an array, x,", "x and 1", "a\\[i\\] != 0"),
    "an argument too many": ("f32", "sl.barrier(3)", KernelError, r"barrier\(\) takes no arguments", "sl.barrier(3)", r"barrier\(\)"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_line_is_shown(case: str) -> None:
    element, body, kind, what, marked, hint = CASES[case]
    with pytest.raises(kind, match=what) as caught:
        kernel_of(body, element).on("CPU").compile(sl.Array[getattr(sl, element)], block=1024)
    assert type(caught.value) is kind
    place, line, caret = caught.value.at.splitlines()
    assert re.fullmatch(r"<blame \d+>:\d+:\d+", place)
    assert line[caret.index("^"):caret.rindex("^") + 1] == marked
    assert re.search(hint, caught.value.hint)
    assert not re.search("AddrSpace|DEFINE_|apply\\(|positional", str(caught.value))


def test_what_is_not_known_stays_as_it_is() -> None:
    known = UOp.memory(0, dtypes.f32, 8)
    assert place_of(known, {known: None}) is None
    assert place_of(known, {}) is None

    def fails() -> None:
        raise UnsupportedError("no such thing", at="here", hint="none", about=known)

    with pytest.raises(UnsupportedError) as caught:
        with_places(fails, {known: None})
    assert (caught.value.what, caught.value.at, caught.value.hint) == ("no such thing", "here", "none")


def several(x: sl.Array[sl.f32], n: sl.i32, bound: sl.i32 = 3, *, mode: sl.Constexpr = 1) -> None:
    x[0] = n + bound + mode


@pytest.mark.parametrize(("args", "kwargs", "what"), [
    (1, {"m": 1}, "got an unexpected keyword argument 'm'$"),
    (2, {"bonud": 1}, "'bonud'; did you mean 'bound'"), (1, {}, "missing a required argument: 'n'$"),
    (0, {}, "missing a required argument: 'x', 'n'$"), (4, {}, "too many positional arguments: 4 given, it takes 3"),
    (2, {"n": 1}, "multiple values for argument 'n'"), (0, {"n": 1, "mode": 2}, "missing a required argument: 'x'$")])
def test_arguments_that_do_not_fit(args: int, kwargs: dict[str, Any], what: str) -> None:
    given = (np.zeros(1, np.float32), 1, 2, 3)[:args]
    with pytest.raises(ArgumentError) as caught:
        sl.kernel(several)[1, 1](*given, **kwargs)
    assert re.search(what, caught.value.what)
    assert caught.value.hint == "its parameters: x, n, bound, mode"
