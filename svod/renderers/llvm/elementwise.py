"""LLVM instructions of the lane-wise ops: one template for each op and kind of dtype.

Owns: the tables. Must not know memory, loops or naming.
Invariant: every op in CPU_NATIVE has an entry for every kind of dtype the target computes in; nothing traps.
"""
from __future__ import annotations

from collections.abc import Mapping

from svod.dtype import DType, Kind, dtypes
from svod.errors import UnsupportedError
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.llvm.types import mangled, value_type

_SIGNED: Mapping[Op, str] = {
    Op.ADD: "add", Op.SUB: "sub", Op.MUL: "mul", Op.IDIV: "sdiv", Op.MOD: "srem", Op.AND: "and", Op.OR: "or", Op.XOR: "xor",
    Op.SHL: "shl", Op.SHR: "ashr", Op.CMPLT: "icmp slt", Op.CMPLE: "icmp sle", Op.CMPEQ: "icmp eq", Op.CMPNE: "icmp ne",
}
_UNSIGNED: Mapping[Op, str] = {**_SIGNED, Op.IDIV: "udiv", Op.MOD: "urem", Op.SHR: "lshr", Op.CMPLT: "icmp ult", Op.CMPLE: "icmp ule"}
_FLOAT: Mapping[Op, str] = {
    Op.ADD: "fadd", Op.SUB: "fsub", Op.MUL: "fmul", Op.FDIV: "fdiv",
    Op.CMPLT: "fcmp olt", Op.CMPLE: "fcmp ole", Op.CMPEQ: "fcmp oeq", Op.CMPNE: "fcmp une",
}
INFIX: Mapping[Kind, Mapping[Op, str]] = {
    Kind.INT: _SIGNED, Kind.INDEX: _SIGNED, Kind.UINT: _UNSIGNED, Kind.BOOL: _UNSIGNED, Kind.FLOAT: _FLOAT,
}
_INT_CALLS: Mapping[Op, str] = {Op.MAX: "smax", Op.MIN: "smin"}
CALLS: Mapping[Kind, Mapping[Op, str]] = {
    Kind.INT: _INT_CALLS, Kind.INDEX: _INT_CALLS,
    Kind.UINT: {Op.MAX: "umax", Op.MIN: "umin"}, Kind.BOOL: {},
    Kind.FLOAT: {Op.MAX: "maximum", Op.MIN: "minimum", Op.SQRT: "sqrt", Op.TRUNC: "trunc", Op.FLOOR: "floor", Op.CEIL: "ceil",
                 Op.RINT: "roundeven", Op.ABS: "fabs", Op.MULACC: "fma"},
}
LANE_CALLS: Mapping[Kind, Mapping[Op, str]] = {
    Kind.FLOAT: {Op.MAX: "fmaximum", Op.MIN: "fminimum"},
    Kind.INT: {Op.ADD: "add", Op.MUL: "mul", Op.MAX: "smax", Op.MIN: "smin", Op.AND: "and", Op.OR: "or", Op.XOR: "xor"},
    Kind.UINT: {Op.ADD: "add", Op.MUL: "mul", Op.MAX: "umax", Op.MIN: "umin", Op.AND: "and", Op.OR: "or", Op.XOR: "xor"},
    Kind.BOOL: {Op.MAX: "or", Op.MIN: "and", Op.AND: "and", Op.OR: "or", Op.XOR: "xor"},
}


def cast_opcode(src: DType, dst: DType) -> str:
    """The LLVM instruction of CAST between two dtypes the target has; '' where the value stays as it is; 'sat' for a saturating one."""
    a, b = src.scalar, dst.scalar
    if a.is_float and b.is_float:
        if a.bits == b.bits:
            raise UnsupportedError(f"CAST from {a} to {b} has no instruction", hint="the stage decompose must rewrite it")
        return "fpext" if a.bits < b.bits else "fptrunc"
    if a.is_float:
        return "sat"
    if b.is_float:
        return "uitofp" if a.is_unsigned or a.is_bool else "sitofp"
    if a.bits == b.bits:
        return ""
    if a.bits > b.bits:
        return "trunc"
    return "zext" if a.is_unsigned or a.is_bool else "sext"


def spelled(u: UOp, names: list[str]) -> tuple[str, set[str]]:
    """The right-hand side of an elementwise `u` over operand names, and the declarations it needs."""
    op, src = u.op, u.src[-1].dtype
    t = value_type(src)
    if (infix := INFIX[src.kind].get(op)) is not None:
        return f"{infix} {t} {names[0]}, {names[1]}", set()
    if op is Op.WHERE:
        return f"select {value_type(u.src[0].dtype)} {names[0]}, {t} {names[1]}, {t} {names[2]}", set()
    if op is Op.NOT:
        ones = "true" if src.is_bool else "-1"
        return f"xor {t} {names[0]}, {ones if src.lanes == 1 else f'splat ({value_type(src.scalar)} {ones})'}", set()
    if op is Op.NEG:
        zero = "zeroinitializer" if src.lanes > 1 else "0"
        return (f"fneg {t} {names[0]}" if src.is_float else f"sub {t} {zero}, {names[0]}"), set()
    if op is Op.ABS and not src.is_float:
        return _call(f"llvm.abs.{mangled(src)}", t, [(t, names[0]), ("i1", "false")])
    if (call := CALLS[src.kind].get(op)) is not None and src.scalar in (*dtypes.INTS, dtypes.index, dtypes.f32, dtypes.f64):
        return _call(f"llvm.{call}.{mangled(src)}", t, [(t, n) for n in names])
    if op is Op.CAST:
        return _cast(u, names[0])
    if op is Op.BITCAST:
        return f"bitcast {t} {names[0]} to {value_type(u.dtype)}", set()
    raise UnsupportedError(f"{op.name} of {src} has no LLVM form", hint="the stage decompose must rewrite it")


def _call(name: str, result: str, args: list[tuple[str, str]]) -> tuple[str, set[str]]:
    text = ", ".join(f"{t} {v}" for t, v in args)
    return f"call {result} @{name}({text})", {f"declare {result} @{name}({', '.join(t for t, _ in args)})"}


def _cast(u: UOp, name: str) -> tuple[str, set[str]]:
    src, dst = u.src[0].dtype, u.dtype
    t, r = value_type(src), value_type(dst)
    if dst.is_bool:
        zero = "zeroinitializer" if src.lanes > 1 else ("0.0" if src.is_float else "0")
        return f"{'fcmp une' if src.is_float else 'icmp ne'} {t} {name}, {zero}", set()
    code = cast_opcode(src, dst)
    if code == "sat":
        sign = "u" if dst.is_unsigned else "s"
        return _call(f"llvm.fpto{sign}i.sat.{mangled(dst)}.{mangled(src)}", r, [(t, name)])
    return (f"{code} {t} {name} to {r}" if code else f"bitcast {t} {name} to {r}"), set()
