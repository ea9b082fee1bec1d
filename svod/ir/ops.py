"""The op table: one row per op. Arity, result type, argument, effect and one line of prose live here and nowhere else.

Owns: what every op is. The meaning of pure ops on values is in `semantics.py`, keyed by the same enum.
Must not know: stages (spec.py), targets, rendering.

Arithmetic policy (every backend and every rule keeps it):
- Integers wrap at their width. Division and modulo by zero give 0; MIN // -1 wraps. IDIV and MOD truncate toward zero, FLOORDIV
  and FLOORMOD round toward minus infinity. A shift by the width or more, or by a negative count, shifts everything out
  (0, or -1 for an arithmetic right shift of a negative value).
- Floats are IEEE 754, round to nearest even, subnormals kept. MAX and MIN return NaN if an operand is NaN and order -0.0 below +0.0.
  Comparisons with NaN are false except CMPNE. MULACC rounds once. ADD of a MUL is fused only inside ADD reductions unless configured.
- Casts: integer to integer wraps; to float rounds once to nearest even; float to integer truncates, saturates at the limits, NaN gives 0;
  anything to bool is `!= 0`.
- Pure ops may be evaluated speculatively (both arms of WHERE); a LOAD may not, unless it is gated.
- REDUCE combines in unspecified order: exact for integers, min and max; float ADD and MUL may be reassociated. Over values that are all
  zeros a float MAX, MIN or ADD may return either zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from svod.dtype import DType, PtrDType, dtypes
from svod.ir import args

if TYPE_CHECKING:
    from svod.ir.uop import UOp


class Op(Enum):
    """Every operation of the IR."""

    __hash__ = object.__hash__  # Enum's own hashes the name, in Python: ops are keys of every table on the way

    # leaves
    CONST = auto()
    PARAM = auto()
    DEFINE_VAR = auto()
    DEFINE_LOCAL = auto()
    DEFINE_REG = auto()
    DEFINE_SCRATCH = auto()
    SPECIAL = auto()
    RANGE = auto()
    BIND = auto()
    # unary
    NEG = auto()
    NOT = auto()
    ABS = auto()
    SQRT = auto()
    TRUNC = auto()
    FLOOR = auto()
    CEIL = auto()
    RINT = auto()
    TF32 = auto()
    EXP = auto()
    EXP2 = auto()
    LOG = auto()
    LOG2 = auto()
    SIN = auto()
    COS = auto()
    TAN = auto()
    TANH = auto()
    ATAN = auto()
    ERF = auto()
    SIGMOID = auto()
    EXPM1 = auto()
    LOG10 = auto()
    LOG1P = auto()
    SINH = auto()
    COSH = auto()
    ASIN = auto()
    ACOS = auto()
    CBRT = auto()
    ERFC = auto()
    RSQRT = auto()
    CAST = auto()
    BITCAST = auto()
    # binary
    ADD = auto()
    SUB = auto()
    MUL = auto()
    FDIV = auto()
    IDIV = auto()
    MOD = auto()
    FLOORDIV = auto()
    FLOORMOD = auto()
    MAX = auto()
    MIN = auto()
    AND = auto()
    OR = auto()
    XOR = auto()
    SHL = auto()
    SHR = auto()
    POW = auto()
    ATAN2 = auto()
    HYPOT = auto()
    CMPLT = auto()
    CMPLE = auto()
    CMPEQ = auto()
    CMPNE = auto()
    # ternary
    WHERE = auto()
    MULACC = auto()
    # vectors
    BROADCAST = auto()
    RAMP = auto()
    STACK = auto()
    EXTRACT = auto()
    SHUFFLE = auto()
    LANES = auto()
    # memory
    INDEX = auto()
    LOAD = auto()
    STORE = auto()
    ATOMIC = auto()
    # structure
    REDUCE = auto()
    AFTER = auto()
    END = auto()
    GROUP = auto()
    BARRIER = auto()
    IF = auto()
    ENDIF = auto()
    ENDLOOP = auto()
    SINK = auto()
    # statements of thread kernels
    VALUE = auto()
    LET = auto()
    BLOCK = auto()
    BRANCH = auto()
    FOR = auto()
    LOOP = auto()
    BREAK = auto()
    CONTINUE = auto()
    RETURN = auto()
    SUBGROUP = auto()
    MMA = auto()
    PRINT = auto()
    ASSERT = auto()
    THREADS = auto()
    # programs
    PROGRAM = auto()
    DEVICE = auto()
    LINEAR = auto()
    SOURCE = auto()
    BINARY = auto()


class Effect(Enum):
    """What executing a node does. Only PURE nodes may be dropped, duplicated or moved freely."""

    PURE = "pure"
    READ = "read"
    WRITE = "write"
    STRUCTURE = "structure"


Result = Callable[[tuple["UOp", ...], Any], DType]


@dataclass(frozen=True, slots=True)
class OpDef:
    """One row. `arity` is (least, most) operands, most None for any number; `result` infers the dtype, None: it must be given."""

    arity: tuple[int, int | None]
    result: Result | None
    doc: str
    effect: Effect = Effect.PURE
    commutes: bool = False
    arg: type | None = None
    takes: str = "any"
    """Kinds of operands: any, number, float, int, bits (integers and bool)."""


def _same(src: tuple[UOp, ...], arg: Any) -> DType:
    """that of the first operand"""
    return src[0].dtype


def _second(src: tuple[UOp, ...], arg: Any) -> DType:
    """that of the second operand"""
    return src[1].dtype


def _boolean(src: tuple[UOp, ...], arg: Any) -> DType:
    """bool, as many lanes"""
    return dtypes.bool.vec(src[0].dtype.lanes)


def _void(src: tuple[UOp, ...], arg: Any) -> DType:
    """void"""
    return dtypes.void


def _index(src: tuple[UOp, ...], arg: Any) -> DType:
    """index"""
    return dtypes.index


def _shuffled(src: tuple[UOp, ...], arg: Any) -> DType:
    """that of the operands, a lane for each pick"""
    return src[0].dtype.vec(len(arg.lanes))


def _loaded(src: tuple[UOp, ...], arg: Any) -> DType:
    """that of the memory, a lane for each index"""
    ptr = src[0].dtype
    lanes = src[0].src[1].dtype.lanes if src[0].op is Op.INDEX else 1
    return ptr.base.vec(lanes) if isinstance(ptr, PtrDType) else ptr


def _unary(doc: str, takes: str = "float") -> OpDef:
    return OpDef((1, 1), _same, doc, takes=takes)


def _binary(doc: str, takes: str = "number", *, commutes: bool = False, result: Result = _same) -> OpDef:
    return OpDef((2, 2), result, doc, takes=takes, commutes=commutes)


_MEM = Effect.STRUCTURE
OPS: dict[Op, OpDef] = {
    Op.CONST: OpDef((0, 0), None, "A literal of any scalar dtype, told apart by dtype and bits.", arg=args.ConstArg),
    Op.PARAM: OpDef((0, 1), None, "A buffer parameter (pointer); an optional DEVICE operand pins it elsewhere.", arg=args.ParamArg),
    Op.DEFINE_VAR: OpDef((0, 0), None, "A scalar parameter with an inclusive range.", arg=args.VarArg),
    Op.DEFINE_LOCAL: OpDef((0, 0), None, "Memory shared by the work items of a group (per core on a CPU).", arg=args.MemArg),
    Op.DEFINE_REG: OpDef((0, 0), None, "Memory of one work item: an accumulator or a small array.", arg=args.MemArg),
    Op.DEFINE_SCRATCH: OpDef((0, 0), None, "Memory shared by the whole grid for one launch.", arg=args.MemArg),
    Op.SPECIAL: OpDef((1, 1), _index, "A hardware index below its extent operand.", arg=args.SpecialArg),
    Op.RANGE: OpDef((2, 2), _index, "A loop variable from start (inclusive) to stop (exclusive).", arg=args.RangeArg),
    Op.BIND: OpDef((2, 2), _same, "A variable together with the value it has in this launch."),
    Op.NEG: _unary("Negation; wraps for integers.", "number"),
    Op.NOT: _unary("Bitwise complement; logical not for bool.", "bits"),
    Op.ABS: _unary("Absolute value; the least signed integer wraps to itself.", "number"),
    Op.SQRT: _unary("Square root, correctly rounded."),
    Op.TRUNC: _unary("Round toward zero."),
    Op.FLOOR: _unary("Round toward minus infinity."),
    Op.CEIL: _unary("Round toward plus infinity."),
    Op.RINT: _unary("Round to nearest, ties to even."),
    Op.TF32: _unary("Rounded to 10 bits of mantissa, ties away from zero, as matrix units take f32; NaN and infinities stay."),
    Op.EXP: _unary("e to the x."),
    Op.EXP2: _unary("2 to the x."),
    Op.LOG: _unary("Natural logarithm."),
    Op.LOG2: _unary("Binary logarithm."),
    Op.SIN: _unary("Sine of radians."),
    Op.COS: _unary("Cosine of radians."),
    Op.TAN: _unary("Tangent of radians."),
    Op.TANH: _unary("Hyperbolic tangent."),
    Op.ATAN: _unary("Arc tangent in radians."),
    Op.ERF: _unary("Error function."),
    Op.SIGMOID: _unary("1 / (1 + exp(-x))."),
    Op.EXPM1: _unary("e to the x, minus 1, without cancellation near 0."),
    Op.LOG10: _unary("Decimal logarithm."),
    Op.LOG1P: _unary("Natural logarithm of 1 + x, without cancellation near 0."),
    Op.SINH: _unary("Hyperbolic sine."),
    Op.COSH: _unary("Hyperbolic cosine."),
    Op.ASIN: _unary("Arc sine in radians; NaN outside of [-1, 1]."),
    Op.ACOS: _unary("Arc cosine in radians; NaN outside of [-1, 1]."),
    Op.CBRT: _unary("Cube root, of negative numbers too."),
    Op.ERFC: _unary("1 minus the error function, without cancellation."),
    Op.RSQRT: _unary("1 / sqrt(x)."),
    Op.CAST: OpDef((1, 1), None, "Value conversion to the node's dtype; see the arithmetic policy."),
    Op.BITCAST: OpDef((1, 1), None, "The same bits read as another dtype of the same width."),
    Op.ADD: _binary("Sum.", commutes=True),
    Op.SUB: _binary("Difference."),
    Op.MUL: _binary("Product.", commutes=True),
    Op.FDIV: _binary("Float quotient.", "float"),
    Op.IDIV: _binary("Integer quotient, truncated toward zero; x / 0 is 0.", "int"),
    Op.MOD: _binary("Remainder of IDIV, sign of the dividend; x mod 0 is 0.", "int"),
    Op.FLOORDIV: _binary("Integer quotient, rounded down; x // 0 is 0.", "int"),
    Op.FLOORMOD: _binary("Remainder of FLOORDIV, sign of the divisor; x mod 0 is 0.", "int"),
    Op.MAX: _binary("Greater operand; NaN if either is NaN.", "any", commutes=True),
    Op.MIN: _binary("Lesser operand; NaN if either is NaN.", "any", commutes=True),
    Op.AND: _binary("Bitwise and; logical for bool.", "bits", commutes=True),
    Op.OR: _binary("Bitwise or; logical for bool.", "bits", commutes=True),
    Op.XOR: _binary("Bitwise exclusive or; logical for bool.", "bits", commutes=True),
    Op.SHL: _binary("Left shift.", "int"),
    Op.SHR: _binary("Right shift: arithmetic for signed, logical for unsigned.", "int"),
    Op.POW: _binary("x to the y, special cases as in C99 (F.10.4.4).", "float"),
    Op.ATAN2: _binary("The angle of the point (x, y) in radians, for operands y, x; special cases as in C99.", "float"),
    Op.HYPOT: _binary("sqrt(x * x + y * y) without overflow in between; infinite if either is.", "float", commutes=True),
    Op.CMPLT: _binary("Less than.", "any", result=_boolean),
    Op.CMPLE: _binary("Less than or equal.", "any", result=_boolean),
    Op.CMPEQ: _binary("Equal.", "any", commutes=True, result=_boolean),
    Op.CMPNE: _binary("Not equal; true when an operand is NaN.", "any", commutes=True, result=_boolean),
    Op.WHERE: OpDef((3, 3), _second, "Lane-wise select: condition, value if true, value if false; both may be evaluated."),
    Op.MULACC: OpDef((3, 3), _same, "a * b + c, rounded once for floats.", takes="number"),
    Op.BROADCAST: OpDef((1, 1), None, "A vector whose lanes all hold the scalar operand."),
    Op.RAMP: OpDef((2, 2), None, "The vector base, base + stride, base + 2 stride, …"),
    Op.STACK: OpDef((1, None), None, "The vector of the scalar operands, in lane order."),
    Op.EXTRACT: OpDef((1, 1), None, "Lane number arg of a vector.", arg=int),
    Op.SHUFFLE: OpDef((2, 2), _shuffled, "The lanes arg picks out of two vectors put one after the other.", arg=args.ShuffleArg),
    Op.LANES: OpDef((1, 1), None, "All lanes of a vector combined by the op in arg, in unspecified order.", arg=Op),
    Op.INDEX: OpDef((2, 3), _same, "Address of element(s): pointer, index, optional condition under which the access happens."),
    Op.LOAD: OpDef((1, 2), _loaded, "Read through an INDEX; the second operand is the value where the gate is false.", Effect.READ),
    Op.STORE: OpDef((2, 2), _void, "Write a value through an INDEX.", Effect.WRITE),
    Op.ATOMIC: OpDef(
        (2, 3), _second, "Atomic read-modify-write through an INDEX; yields the old value. COMPARE_EXCHANGE takes the new and the expected "
        "one.", Effect.WRITE, arg=args.AtomicKind
    ),
    Op.REDUCE: OpDef((1, None), _same, "The first operand combined by the op in arg over the ranges that follow.", arg=Op),
    Op.AFTER: OpDef((1, None), _same, "The first operand, not before the effects and ranges that follow.", _MEM),
    Op.END: OpDef((1, None), _void, "The effect in the first operand, done for all iterations of the ranges that follow.", _MEM),
    Op.GROUP: OpDef((0, None), _void, "Several effects.", _MEM),
    Op.BARRIER: OpDef((0, None), _void, "All work items of the scope have done the effects.", _MEM, arg=args.BarrierScope),
    Op.IF: OpDef((1, 1), _void, "Linear programs: what follows up to ENDIF is done if the condition holds.", _MEM),
    Op.ENDIF: OpDef((1, 1), _void, "Linear programs: closes its IF.", _MEM),
    Op.ENDLOOP: OpDef((0, 0), _void, "Linear programs: closes the LOOP opened last; it is run again from its start.", _MEM),
    Op.SINK: OpDef((0, None), _void, "The effects of a kernel, its name and its schedule.", _MEM, arg=args.KernelInfo),
    Op.VALUE: OpDef((0, 0), None, "The value that the LET or FOR of this number bound last.", arg=args.ValueArg),
    Op.LET: OpDef((2, 2), _void, "Thread kernels: evaluates the second operand once, here, and binds the VALUE in front of it.", _MEM),
    Op.BLOCK: OpDef((0, None), _void, "Thread kernels: statements, one after the other.", _MEM),
    Op.BRANCH: OpDef((3, 3), _void, "Thread kernels: a condition, the BLOCK done where it holds, the BLOCK done where it does not.", _MEM),
    Op.FOR: OpDef((5, 5), _void, "Thread kernels: a VALUE takes start, start + step, … short of stop; the BLOCK is done for each.", _MEM),
    Op.LOOP: OpDef((0, 1), _void, "The BLOCK again and again until a BREAK; in linear programs, without operand, up to its ENDLOOP.", _MEM),
    Op.BREAK: OpDef((0, 1), _void, "Leaves the innermost loop; in linear programs the innermost LOOP, if the operand holds.", _MEM),
    Op.CONTINUE: OpDef((0, 0), _void, "Thread kernels: goes on with the next iteration of the innermost loop.", _MEM),
    Op.RETURN: OpDef((0, 0), _void, "Thread kernels: the work item is done.", _MEM),
    Op.SUBGROUP: OpDef(
        (1, 2), None, "An exchange among the work items of a subgroup: of the first operand, by the second.", Effect.READ,
        arg=args.SubgroupArg
    ),
    Op.MMA: OpDef(
        (3, None), None, "Thread kernels: a product of small matrices by a subgroup: the VALUEs it binds, what each work item gives of a, "
        "of b, and of the sums. In linear programs the operands are three vectors, and its value is that of the sums.", Effect.READ,
        arg=args.MmaArg
    ),
    Op.PRINT: OpDef((0, None), _void, "Thread kernels, and what becomes of them: prints the operands in a line.", Effect.WRITE,
                    arg=args.MessageArg),
    Op.ASSERT: OpDef(
        (1, None), _void, "Thread kernels: reports the operands behind the first where that is false. In linear programs the second and "
        "third say which group and which work item in it.", Effect.WRITE, arg=args.MessageArg
    ),
    Op.THREADS: OpDef((1, 1), _void, "A thread kernel: its BLOCK, its name, its group.", _MEM, arg=args.ThreadsInfo),
    Op.PROGRAM: OpDef((1, 5), _void, "The stages of one kernel reached so far: SINK, DEVICE, LINEAR, SOURCE, BINARY.", _MEM),
    Op.DEVICE: OpDef((0, 0), _void, "The name of a device.", _MEM, arg=str),
    Op.LINEAR: OpDef((0, None), _void, "Instructions in execution order.", _MEM),
    Op.SOURCE: OpDef((0, 0), _void, "Rendered text.", _MEM, arg=str),
    Op.BINARY: OpDef((0, 0), _void, "Compiled bytes.", _MEM, arg=bytes),
}
if OPS.keys() != set(Op):
    raise ImportError(f"ops without a row: {set(Op) - OPS.keys()}")

UNARY = frozenset(o for o in Op if Op.NEG.value <= o.value <= Op.RSQRT.value)
BINARY = frozenset(o for o in Op if Op.ADD.value <= o.value <= Op.CMPNE.value)
COMPARISONS = frozenset((Op.CMPLT, Op.CMPLE, Op.CMPEQ, Op.CMPNE))
CASTS = frozenset((Op.CAST, Op.BITCAST))
ELEMENTWISE = UNARY | BINARY | CASTS | {Op.WHERE, Op.MULACC}
"""Ops that act lane by lane on vectors."""
REDUCTIONS = frozenset((Op.ADD, Op.MUL, Op.MAX, Op.MIN, Op.AND, Op.OR, Op.XOR))
"""Ops a REDUCE can combine with: associative and commutative up to float rounding."""
MEMORIES = frozenset((Op.PARAM, Op.DEFINE_LOCAL, Op.DEFINE_REG, Op.DEFINE_SCRATCH))
