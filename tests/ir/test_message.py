"""What kernels say: words for values, ASSERTs told apart, PRINT and ASSERT in linear programs."""
from __future__ import annotations

import numpy as np
import pytest

from svod.dtype import dtypes
from svod.errors import ArgumentError, LaunchError
from svod.ir.args import MessageArg
from svod.ir.interp import run_linear
from svod.ir.message import Assertion, Line, assertions, filled, from_bits, line, lines, word
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.testing.threads import Threads

N, FLAG, X = UOp.variable("n", 0, 16), UOp.scalar("flag", dtypes.bool), UOp.scalar("x", dtypes.f32)


def test_a_line_ends_once() -> None:
    assert (line("a"), line("a\n"), line("")) == ("a\n", "a\n", "\n")
    assert filled("{} of {}: {}", ["1", "{}", "%"]) == "1 of {}: %"


def test_words() -> None:
    floats = {1e15: "1000000000000000.0", 1e16: "1e+16", 16777216.0: "16777216.0", 1e-4: "0.0001", 1e-5: "1e-05"}
    assert [word(v, dtypes.f32) for v in floats] == list(floats.values())
    assert [word(v, dtypes.f16) for v in (0.1, 65504, float("nan"))] == ["0.1", "65500.0", "nan"]
    words = [(-3, dtypes.i8), (1 << 63, dtypes.u64), (True, dtypes.bool), (0.1, dtypes.f32), (0.1, dtypes.f64), (-0.0, dtypes.f32)]
    assert [word(v, t) for v, t in words] == ["-3", "9223372036854775808", "True", "0.1", "0.1", "-0.0"]


@pytest.mark.parametrize(("bits", "dtype", "value"), [
    (0xFFFF_FFFF_FFFF_FFFD, dtypes.i8, -3), (0xFFFF_FFFF, dtypes.i32, -1), (0xFFFF_FFFF, dtypes.u32, 0xFFFF_FFFF), (1, dtypes.bool, True),
    (0x3F80_0000, dtypes.f32, 1.0), (0x3FF0_0000_0000_0000, dtypes.f64, 1.0), (0x3C00, dtypes.f16, 1.0), (1 << 63, dtypes.index, -1 << 63)])
def test_a_value_from_its_bits(bits: int, dtype: object, value: float) -> None:
    assert from_bits(bits, dtype) == value  # type: ignore[arg-type]


def test_numbers_tell_assertions_apart() -> None:
    k = Threads()
    for text, place, values in (("a", "", ()), ("b", "", ()), ("a", "x.py:1", ()), ("a {}", "", (N,)), ("a {}", "", (X,))):
        k.check(FLAG, text, *values, place=place)
    k.check(~FLAG, "a")
    found = assertions(k.kernel())
    assert len(found) == 5
    assert all(0 < number < 1 << 63 and a.number == number for number, a in found.items())
    bounds = Assertion("index {} is out of range", "k.py:3", (dtypes.index,), "bounds")
    assert bounds.number != Assertion(bounds.text, bounds.place, bounds.dtypes).number
    refused = bounds.error("scale", "block 0", [9])
    assert type(refused) is ArgumentError
    assert (refused.what, refused.at) == ("index 9 is out of range", "k.py:3, kernel 'scale', block 0")
    in_linear = UOp(Op.ASSERT, (FLAG, N, N, X), MessageArg("a {}"))
    assert Assertion.of(in_linear, 3) in found.values()
    assert list(assertions(UOp(Op.LINEAR, (FLAG, N, X, in_linear)))) == [Assertion("a {}", "", (dtypes.f32,)).number]


def test_a_linear_program_prints_and_checks(capsys: pytest.CaptureFixture[str]) -> None:
    r = UOp.range(N, 0)
    small = r < 3
    program = UOp(Op.LINEAR, (
        N, X, r, UOp(Op.PRINT, (r, X), MessageArg("{}: {}")), small,
        UOp(Op.ASSERT, (small, UOp.const(7, dtypes.index), r, X), MessageArg("x is {}", "k.py:1")), UOp(Op.END, (UOp(Op.GROUP), r))))
    run_linear(program, [], {"n": 2, "x": 0.5})
    assert capsys.readouterr().out == "0: 0.5\n1: 0.5\n"
    with pytest.raises(LaunchError) as e:
        run_linear(program, [], {"n": 5, "x": np.float32(0.1)})
    assert str(e.value).startswith("assertion failed: x is 0.1\n  at: k.py:1, kernel '', group 7, work item 3")
    assert capsys.readouterr().out.count("\n") == 4


def test_numbers_tell_lines_apart() -> None:
    narrow = UOp.scalar("narrow", dtypes.f16)
    told = [UOp(Op.PRINT, src, MessageArg(text)) for src, text in (((X,), "{}"), ((N,), "{}"), ((X,), "x {}"), ((narrow,), "{}"))]
    found = lines(UOp(Op.GROUP, tuple(told)))
    assert len(found) == 3, "a float of 16 bits is printed as f32"
    assert all(number % 2 == 1 and 0 < number < 1 << 62 and x.number == number for number, x in found.items())
    assert Line.of(told[3]) == Line.of(told[0]) == Line("{}", (dtypes.f32,))
    assert Line("{} {}", (dtypes.f32, dtypes.bool)).said([np.float32(0.1), True]) == "0.1 True"
