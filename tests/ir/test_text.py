"""Text gives back the identical node: one node of every op, every class of arg, random graphs, and errors that point at their place."""
from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svod.dtype import AddrSpace, DType, PtrDType, dtypes
from svod.errors import ConfigError, GraphError, TextError
from svod.ir.args import (
    AtomicKind,
    AxisKind,
    BarrierScope,
    ConstArg,
    KernelInfo,
    MemArg,
    MessageArg,
    MmaArg,
    ParamArg,
    RangeArg,
    ShuffleArg,
    SpecialArg,
    SpecialKind,
    SubgroupArg,
    SubgroupKind,
    ThreadsInfo,
    ValueArg,
    VarArg,
)
from svod.ir.ops import OPS, Effect, Op
from svod.ir.text import parse, register_arg, show, to_text
from svod.ir.uop import UOp

F, K = UOp.scalar("x", dtypes.f32), UOp.variable("k", -3, 9, dtypes.i32)
ZERO = UOp.const(0, dtypes.index)
A = UOp.param(0, dtypes.f32, 16, name="a")
ROW = UOp.range(UOp.variable("n", 0, 16), 0)


@dataclass(frozen=True)
class Tile:
    """Stands for the Opts that another layer registers."""

    size: int

    @staticmethod
    def read(text: str) -> Tile:
        if not text.isdecimal():
            raise ConfigError(f"{text!r} is no Tile", hint="a number")
        return Tile(int(text))


register_arg(Tile, lambda t: str(t.size), Tile.read)


def nan(bits: int) -> float:
    """The float64 with these bits."""
    return float(struct.unpack(">d", bits.to_bytes(8, "big"))[0])


ARGS: dict[type, list[Any]] = {
    ConstArg: [ConstArg.of(v) for v in (
        True, False, 0, 1, -(1 << 63), (1 << 64) - 1, 0.0, -0.0, 1.0, 0.1, 1e22, 5e-324, 1.7976931348623157e308, math.inf, -math.inf,
        math.nan, -math.nan, nan(0x7FF8000000000001), nan(0xFFF0000000000001))],
    ParamArg: [ParamArg(0, "a"), ParamArg(7, "data7", 0), ParamArg(3, 'odd "name" \\ \n\t…', 1 << 40)],
    VarArg: [VarArg("n", 0, 10), VarArg("x", -math.inf, math.inf), VarArg("y", -1.5, 2)],
    MemArg: [MemArg(0, 4), MemArg(3, 16, "acc"), MemArg(1, 8, "tile", True)],
    RangeArg: [RangeArg((0,)), *[RangeArg((0, 1, -2), k) for k in AxisKind], RangeArg(())],
    SpecialArg: [SpecialArg(k, a) for k in SpecialKind for a in range(3)],
    ShuffleArg: [ShuffleArg((0, 5, 3, 2)), ShuffleArg((1,))],
    KernelInfo: [KernelInfo(), KernelInfo("E_4"), KernelInfo("", ()), KernelInfo("k", (Tile(8), 3, -1.5, "s", True, Tile(9)))],
    ValueArg: [ValueArg(0), ValueArg(7, "x")], MessageArg: [
        MessageArg("{} of {}"), MessageArg("", "kernel.py:3"), MessageArg("", "kernel.py:3", "place")],
    SubgroupArg: [*[SubgroupArg(k, 32) for k in SubgroupKind], SubgroupArg(SubgroupKind.REDUCE, 8, Op.ADD)],
    MmaArg: [MmaArg(16, 16, 32, 64), MmaArg(16, 8, 16, 32, "f16")],
    ThreadsInfo: [ThreadsInfo(), ThreadsInfo("k", (8, 4, 2), 16)],
    BarrierScope: list(BarrierScope), AtomicKind: list(AtomicKind), Op: [Op.ADD, Op.MAX],
    int: [0, 3], str: ["", "CPU", 'line 1\nline "2"\t\\ \u2028 …'], bytes: [b"", bytes(range(256))],
}


def operands(op: Op) -> tuple[UOp, ...]:
    """Operands that `op` takes."""
    least = OPS[op].arity[0]
    index = A[ROW]
    store = index.store(1.0)
    special: dict[Op, tuple[UOp, ...]] = {
        Op.RANGE: (ZERO, UOp.const(4, dtypes.index)), Op.INDEX: (A, ROW, ROW < 3), Op.LOAD: (index,), Op.STORE: (index, F),
        Op.ATOMIC: (index, F), Op.END: (store, ROW), Op.AFTER: (A, store), Op.GROUP: (store, store), Op.SINK: (store,),
        Op.BARRIER: (store,),
        Op.WHERE: (F < 1, F, F), Op.EXTRACT: (F.broadcast(4),), Op.LANES: (F.broadcast(4),), Op.SHUFFLE: (F.broadcast(4), F.broadcast(4)),
        Op.BIND: (K, UOp.const(3, dtypes.i32)), Op.REDUCE: (F, ROW), Op.LINEAR: (A, ROW, store, ROW), Op.ENDIF: (UOp(Op.IF, (F < 1,)),)}
    return special.get(op) or ((K if OPS[op].takes in ("int", "bits") else F),) * least


DTYPES: dict[Op, DType] = {
    Op.CONST: dtypes.f32, Op.PARAM: dtypes.bf16.ptr(), Op.DEFINE_VAR: dtypes.index, Op.DEFINE_LOCAL: dtypes.f32.ptr(AddrSpace.LOCAL),
    Op.DEFINE_REG: dtypes.f32.ptr(AddrSpace.REG), Op.DEFINE_SCRATCH: dtypes.f8e4m3fnuz.ptr(), Op.CAST: dtypes.i8, Op.BITCAST: dtypes.u32,
    Op.BROADCAST: dtypes.f32.vec(4), Op.RAMP: dtypes.f32.vec(8), Op.STACK: dtypes.f32.vec(1), Op.EXTRACT: dtypes.f32, Op.LANES: dtypes.f32,
    Op.VALUE: dtypes.i32, Op.SUBGROUP: dtypes.f32, Op.MMA: dtypes.f32}
EVERY = [UOp(op, operands(op), arg, DTYPES.get(op) if row.result is None else None)
         for op, row in OPS.items() for arg in (ARGS[row.arg] if row.arg else [None])]


def test_there_is_a_node_of_every_op() -> None:
    assert {u.op for u in EVERY} == set(Op)


@pytest.mark.parametrize("u", EVERY, ids=lambda u: f"{u.op.name}-{str(u.arg)[:40]!a}")
def test_every_op_and_arg_reads_back_as_the_identical_node(u: UOp) -> None:
    text = to_text(u)
    assert parse(text) is u
    assert len(text.split("\n")) == len(u.toposort())


@pytest.mark.parametrize("dtype", [*dtypes.ALL, dtypes.index, dtypes.void, dtypes.f32.vec(16)], ids=repr)
def test_every_dtype_reads_back(dtype: DType) -> None:
    u = UOp(Op.CONST, (), ConstArg.of(1), dtype)
    assert parse(to_text(u)) is u
    if dtype.lanes == 1:
        v = UOp(Op.PARAM, (), ParamArg(0, "a"), dtype.ptr())
        assert isinstance(v.dtype, PtrDType)
        assert parse(to_text(v)) is v


def test_different_nodes_have_different_texts() -> None:
    texts = [to_text(u) for u in EVERY]
    assert len(set(texts)) == len(set(EVERY))


def test_the_text_of_a_kernel() -> None:
    row = UOp.range(16, 0)
    sink = UOp.sink(A[row].store(A[row].load() * 0.1).end(row), name="scale", opts=(Tile(4),))
    assert to_text(sink) == """\
%0 = param(slot=0, name="a", size=16) f32*global
%1 = const(0) index
%2 = const(16) index
%3 = range(axis=0, loop) index %1, %2
%4 = index f32*global %0, %3
%5 = load f32 %4
%6 = const(0.10000000149011612) f32
%7 = mul f32 %5, %6
%8 = store %4, %7
%9 = end %8, %3
%10 = sink(name="scale", opts=[Tile("4")]) %9"""


def test_show_of_a_linear_program_follows_its_order() -> None:
    row, acc = UOp.range(4, 0), UOp.memory(0, dtypes.f32, 1, AddrSpace.REG)
    positive = row < 2
    branch = UOp(Op.IF, (positive,))
    load = A.after(acc[ZERO].store(0.0))[row].load()
    body = (positive, branch, load, acc[ZERO].store(load), UOp(Op.ENDIF, (branch,)))
    program = UOp(Op.LINEAR, (row, *body, UOp(Op.GROUP).end(row), row, UOp(Op.GROUP).end(row)))
    assert show(program) == str(program) == """\
%0 = const(0) index
%1 = const(4) index
%2 = const(2) index
%3 = param(slot=0, name="a", size=16) f32*global
%4 = define_reg(id=0, size=1) f32*reg
%5 = range(axis=0, loop) index %0, %1
  %6 = cmplt bool %5, %2
  %7 = if %6
    %8 = index f32*global %3, %5
    %9 = load f32 %8
    %10 = index f32*reg %4, %0
    %11 = store %10, %9
  %12 = endif %7
%13 = end %5
%5 = range(axis=0, loop) index %0, %1
%13 = end %5"""
    assert parse(to_text(program)) is program


def test_print_shows_the_graph() -> None:
    assert str(F + 1.0) == to_text(F + 1.0) == show(F + 1.0)
    assert repr(F + 1.0) == "<ADD f32, 2 src>"


def test_names_comments_and_spacing_are_free() -> None:
    text = '# a comment\n\n %x = const( 1.5 )  f32 # half past one\r\n%the_sum=add %x,%x\n\t%last = neg f32 %the_sum\n'
    assert parse(text) is -(UOp.const(1.5, dtypes.f32) + 1.5)


def test_deep_and_wide_graphs() -> None:
    u = F
    for k in range(5000):
        u = u + float(k)
    wide = UOp.group(*[A[k].store(float(k)) for k in range(500)])
    assert parse(to_text(u)) is u
    assert parse(to_text(wide)) is wide


# --- random graphs ---------------------------------------------------------------------------------------------------------------

PURE_OPS = [o for o in Op if OPS[o].effect is Effect.PURE and OPS[o].arg is None and OPS[o].result is not None and OPS[o].takes != "any"]


@st.composite
def graphs(draw: st.DrawFn) -> UOp:
    """A graph of arithmetic over variables and literals of any value, shared operands included."""
    floats = [F, UOp.scalar("y", dtypes.f32)]
    ints = [K, UOp.variable("m", 0, 5, dtypes.i32)]
    for _ in range(draw(st.integers(1, 20))):
        pool = floats if draw(st.booleans()) else ints
        if draw(st.booleans()):
            arg: ConstArg = ConstArg.of(draw(st.floats(width=64)) if pool is floats else draw(st.integers(-(1 << 31), (1 << 31) - 1)))
            pool.append(UOp(Op.CONST, (), arg, pool[0].dtype))
            continue
        kinds = ("number", "float") if pool is floats else ("number", "int", "bits")
        op = draw(st.sampled_from([o for o in PURE_OPS if OPS[o].takes in kinds]))
        u = UOp(op, tuple(draw(st.sampled_from(pool)) for _ in range(OPS[op].arity[0])))
        pool.append(u)
        if pool is floats:
            ints.append(u.cast(dtypes.i32))
    return UOp.group(floats[-1], ints[-1])


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_random_graphs_read_back(u: UOp) -> None:
    assert parse(to_text(u)) is u


@settings(max_examples=300, deadline=None)
@given(st.text("%=()[],#\" abcdefi10.-+:xn\\", max_size=40))
def test_any_text_is_a_node_or_a_text_error(text: str) -> None:
    for line in (text, f"%0 = const({text}) i32", f"%0 = sink(name={text})", f"%0 = {text}"):
        u = node_or_none(line)
        assert u is None or parse(to_text(u)) is u


def node_or_none(text: str) -> UOp | None:
    """What `text` parses to; None where it is refused as it should be."""
    try:
        return parse(text)
    except TextError:
        return None


# --- errors ----------------------------------------------------------------------------------------------------------------------

LEAF = "%0 = const(1) i32\n"


@pytest.mark.parametrize(("text", "line", "column", "words", "hint"), [
    ("", 0, 0, "holds no node", "written like"),
    ("# nothing\n", 0, 0, "holds no node", ""),
    (LEAF + "%1 = ad i32 %0, %0", 2, 6, "no op is called 'ad'", "did you mean and"),
    (LEAF + "%1 = qqq i32 %0", 2, 6, "no op is called 'qqq'", "lower case"),
    (LEAF + "%1 = add i32 %0, %7", 2, 18, "%7 is not defined", "above"),
    (LEAF + "%sum = add %0, %0\n%2 = neg %suum", 3, 10, "%suum is not defined", "did you mean %sum"),
    (LEAF + LEAF, 2, 1, "%0 is defined twice", "own"),
    (LEAF + "%1 = const(2) i32", 1, 1, "%0 is used by nothing", "root"),
    (LEAF + "%1 = add i32 %0", 2, 6, "ADD takes 2 operands, got 1", "Sum"),
    (LEAF + "%1 = add f32 %0, %0", 2, 6, "ADD of i32 is i32, not f32", ""),
    (LEAF + "%1 = add i33 %0, %0", 2, 10, "no dtype is called 'i33'", "one of"),
    (LEAF + "%1 = cast f32*nowhere %0", 2, 11, "no dtype is called 'f32*nowhere'", ""),
    (LEAF + "%1 = add i32 %0 %0", 2, 17, "expected ',', found '%0'", "commas"),
    (LEAF + "%1 = add i32 %0, 5", 2, 18, "expected a name like %0, found '5'", ""),
    (LEAF + "%1 add i32 %0", 2, 4, "expected '=', found 'add'", "a line is"),
    ("1 = const(1) i32", 1, 1, "expected a name like %0, found '1'", "a line is"),
    ("%0 = 5", 1, 6, "expected a word, found '5'", ""),
    ("%0 =", 1, 5, "expected a word, found 'end of line'", ""),
    ("%0 = const(1) i32 ?", 1, 19, "unexpected '?'", "a line is"),
    ('%0 = device("CPU)', 1, 13, "unexpected '\"'", "does not end"),
    ("%0 = const i32", 1, 6, "const needs a value", ""),
    ("%0 = const() i32", 1, 6, "const needs a value", ""),
    ("%0 = const(1, 2) i32", 1, 15, "const takes no further value", "ConstArg"),
    ("%0 = const(1 2) i32", 1, 14, "expected ',', found '2'", "commas"),
    ("%0 = const(1", 1, 13, "expected ',', found 'end of line'", "end with ')'"),
    ("%0 = const(one) i32", 1, 12, "'one' is not a number", "numbers are"),
    ("%0 = define_local(id=0, size=4, dynamic=maybe) f32*local", 1, 41, "'maybe' is neither true nor false", ""),
    ("%0 = const(1.5.2) f32", 1, 12, "'1.5.2' is not a number", ""),
    ("%0 = const(nan:0x7ff80000000000000) f64", 1, 12, "is not a number", ""),
    ('%0 = const("1") i32', 1, 12, "expected a number or word, found '\"1\"'", ""),
    ("%0 = const([1]) i32", 1, 12, "expected a number or word, found '['", ""),
    ("%0 = const(=) i32", 1, 12, "expected a value, found '='", "values are"),
    (LEAF + "%1 = neg(3) i32 %0", 2, 10, "NEG takes no arg", "Negation"),
    ('%0 = param(slot=0) f32*global', 1, 6, "param needs name=…", ""),
    ('%0 = param(slot=0, name="a", width=3) f32*global', 1, 36, "param takes no 'width'", "ParamArg"),
    ('%0 = param(slot=0, slot=1, name="a") f32*global', 1, 25, "'slot' is given twice", ""),
    ('%0 = param(slot=0.5, name="a") f32*global', 1, 17, "expected an integer, found '0.5'", ""),
    ('%0 = param(slot=true, name="a") f32*global', 1, 17, "expected a number, found 'true'", ""),
    ('%0 = param(slot=0, name="\\q") f32*global', 1, 25, "is not a JSON string", ""),
    ('%0 = device(CPU)', 1, 13, "expected a string, found 'CPU'", ""),
    ('%0 = binary(b64"AAA")', 1, 13, "is not base64", ""),
    (LEAF + "%1 = range(axis=0, lop) %0, %0", 2, 20, "'lop' is no AxisKind", "loop, parallel"),
    (LEAF + "%1 = range(axis=0.x, loop) %0, %0", 2, 17, "'0.x' is no path", "0.1"),
    (LEAF + "%1 = reduce(plus) %0", 2, 13, "'plus' is no Op", "add"),
    ("%0 = sink(opts=3)", 1, 16, "expected a list, found '3'", "lists"),
    ("%0 = sink(opts=[Unknown])", 1, 17, "'Unknown' is no value of opts", 'Tile("…")'),
    ('%0 = sink(opts=[Tile("x")])', 1, 22, "'x' is no Tile", "a number"),
    ('%0 = sink(opts=[Tile(4)])', 1, 17, "'Tile' is no value of opts", ""),
    (LEAF + "%1 = broadcast i32x2 %0\n%2 = shuffle([0, a]) %1, %1", 3, 18, "expected an integer, found 'a'", ""),
])
def test_errors_point_at_their_place(text: str, line: int, column: int, words: str, hint: str) -> None:
    with pytest.raises(TextError) as caught:
        parse(text)
    error = caught.value
    assert words in error.what
    assert hint in error.hint
    if line:
        where, shown, caret = error.at.split("\n")
        assert where == f"line {line}, column {column}"
        assert shown.strip() == text.split("\n")[line - 1].strip()
        assert caret.index("^") - 4 == column - 1


def test_a_long_line_is_shown_around_the_error() -> None:
    with pytest.raises(TextError) as caught:
        parse(f'%0 = device("{"x" * 500}") ?')
    shown, caret = caught.value.at.split("\n")[1:]
    assert len(shown) < 130
    assert shown[caret.index("^")] == "?"


def test_an_arg_without_text_form_is_refused() -> None:
    with pytest.raises(GraphError, match=r"has no text form(.|\n)*register_arg\(complex"):
        to_text(UOp.sink(opts=(1j,)))


def test_two_classes_of_one_name_cannot_be_registered() -> None:
    other = type("Tile", (), {})
    with pytest.raises(GraphError, match="called Tile is registered"):
        register_arg(other, str, other)
    register_arg(Tile, lambda t: str(t.size), Tile.read)  # again: allowed, for reloads
    with pytest.raises(GraphError, match="no text form"):
        to_text(UOp.sink(opts=(other(),)))
