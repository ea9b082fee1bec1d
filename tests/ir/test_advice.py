"""What cannot be built says what to do: the hints of the errors that UOp() raises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from svod.dtype import dtypes
from svod.errors import DTypeError, GraphError
from svod.ir.ops import Op
from svod.ir.uop import UOp

out, a = UOp.param(0, dtypes.f32, name="out"), UOp.param(1, dtypes.f32, name="a")
i, j = UOp.range(8, 0), UOp.range(8, 1)
x, effect = a[i].load(), out[i].store(1.0)
flag = x < 1


@pytest.mark.parametrize(
    ("make", "what", "hint"),
    [
        (i.sqrt, "SQRT takes a float, got index", r"cast\(dtypes\.f32\)"),
        (flag.exp, "EXP takes a float, got bool", r"cast\(dtypes\.f32\)"),
        (lambda: -flag, "NEG takes a number, got bool", r"cast\(dtypes\.i32\), or cond\.where"),
        (a[i].sqrt, r"SQRT takes a float, got f32\*global", r"a\[i\]\.load\(\)"),
        (effect.sqrt, "SQRT takes a float, got void", "effect, which has no value"),
        (lambda: ~x, "NOT takes an integer or bool, got f32", r"~\(x > 0\)"),
        (lambda: x & x, "AND takes an integer or bool, got f32", r"\(x > 0\) & \(y > 0\)"),
        (lambda: x % 2.0, "FLOORMOD takes an integer, got f32", r"floor\(\)"),
        (lambda: x << 1, "SHL takes an integer, got f32", "multiply"),
        (lambda: i**2, "POW takes a float, got index", r"x \* x"),
        (lambda: UOp(Op.ADD, (x, i)), "operands of ADD have dtypes f32 and index", r"x\.cast\(dtypes\.index\)"),
        (lambda: UOp(Op.ADD, (x, a[i])), "operands of ADD have dtypes", r"read the element first"),
        (lambda: x.where(1.0, x), "the condition of WHERE is f32, not bool", r"\(c > 0\)\.where"),
        (lambda: a[i].where(1.0, x), r"the condition of WHERE is f32\*global", r"load\(\)\.ne\(0\)\.where"),
        (lambda: UOp(Op.ADD, (x,)), "ADD takes 2 operands, got 1", "ADD is: Sum"),
        (lambda: UOp.sink([effect]), "an operand of SINK is a list", r"UOp\.sink\(\*effects\)"),  # type: ignore[arg-type]
        (lambda: UOp.group([effect]), "an operand of GROUP is a list", r"UOp\.group\(\*effects\)"),  # type: ignore[arg-type]
        (lambda: UOp.sink(None), "an operand of SINK is None", r"out\[i\]\.store\(x\)"),  # type: ignore[arg-type]
        (lambda: x.sum([i, j]), "an operand of REDUCE is a list", r"x\.sum\(\*axes\)"),  # type: ignore[arg-type]
        (lambda: x.sum(0), "an operand of REDUCE is 0", r"UOp\.range\(n, axis\)"),  # type: ignore[arg-type]
        (lambda: effect.end(0), "an operand of END is 0", r"effect\.end\(r\)"),  # type: ignore[arg-type]
        (lambda: out.after([effect]), "an operand of AFTER is a list", r"after\(\*effects\)"),  # type: ignore[arg-type]
        (lambda: a.index(i, True), "an operand of INDEX is True", r"a\.index\(i, i < n\)"),  # type: ignore[arg-type]
        (lambda: UOp(Op.ADD, [x, x]), "the operands of ADD are a list, not a tuple", r"UOp\(Op\.ADD, \(x,\)\)"),  # type: ignore[arg-type]
        (lambda: UOp(Op.NEG, x), "the operands of NEG are a UOp, not a tuple", r"\(x,\)"),  # type: ignore[arg-type]
        (lambda: UOp("ADD", (x, x)), "'ADD' is no Op", r"UOp\(Op\.ADD"),  # type: ignore[arg-type]
        (lambda: UOp(5), "5 is no Op", r"UOp\.const\(value, dtype\)"),  # type: ignore[arg-type]
        (lambda: UOp(Op.NEG, (x,), 7), "NEG takes no arg, got 7", r"UOp\(Op\.NEG"),
        (lambda: UOp(Op.EXTRACT, (x,), [0], dtypes.f32), r"EXTRACT takes an arg of type int, got \[0\]", "its type is int"),
        (lambda: UOp(Op.LANES, (x,), "sum", dtypes.f32), "LANES takes an arg of type Op, got 'sum'", r"Op\.ADD"),
        (lambda: UOp.barrier(effect, scope="grid"), "an arg of type BarrierScope", r"BarrierScope\.GRID"),  # type: ignore[arg-type]
        (lambda: UOp(Op.CAST, (x,)), "CAST needs a dtype", r"dtypes\.f32"),
        (lambda: i.replace(arg=5), "RANGE takes an arg of type RangeArg, got 5", r"svod\.ir\.args"),
    ],
)
def test_what_cannot_be_built_says_what_to_do(make: Callable[[], UOp], what: str, hint: str) -> None:
    with pytest.raises(GraphError, match=f"{what}(.|\n)*hint: (.|\n)*{hint}"):
        make()


def test_a_dtype_given_as_text() -> None:
    with pytest.raises(DTypeError, match=r"a dtype is needed, got 'i32'(.|\n)*dtypes\.parse"):
        UOp(Op.CAST, (x,), None, "i32")  # type: ignore[arg-type]
