"""OpenCL C 1.2: its table, and kernels in it.

Owns: the spellings and words of the language, the shape of a kernel function. Must not know devices.
Invariant: a kernel is one function, whose arguments are those of the metadata, in that order; behind them the dynamic memory of a group.
"""
from __future__ import annotations

from collections.abc import Collection

from svod.dtype import DType, PtrDType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind, BarrierScope, SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.accesses import root
from svod.renderers.c import memory
from svod.renderers.c.dialect import Dialect, Prelude
from svod.renderers.c.expr import ATOM, MEMORY, PLUS, Expr, Names
from svod.renderers.c.function import Body
from svod.renderers.c.opencl_pieces import PIECES
from svod.target.abi import Metadata

__all__ = ["OPENCL_C", "memory", "render_opencl"]

_WORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool half uchar
ushort uint ulong size_t ptrdiff_t intptr_t uintptr_t image1d_t image2d_t image3d_t sampler_t event_t global local
constant private kernel generic read_only write_only read_write uniform pipe main entry reach INF INFf NOT_A_NUMBER
NOT_A_NUMBERf INFINITY NAN sqrt trunc floor ceil rint fabs fma abs min max clamp select step mix sign exp exp2 log log2
sin cos tan tanh pow mad dot cross length barrier printf get_group_id get_local_id get_global_id"""

TYPES = {
    "bool": "uchar", "i8": "char", "i16": "short", "i32": "int", "i64": "long", "u8": "uchar", "u16": "ushort", "u32": "uint",
    "u64": "ulong", "f32": "float", "f64": "double",
}
OPENCL_C = Dialect(
    "OpenCL C",
    TYPES,
    frozenset(_WORDS.split()),
    vector="",
    helper="static",
    kernel="__kernel",
    restrict="restrict",
    pieces=PIECES,
    calls={Op.SQRT: "sqrt", Op.TRUNC: "trunc", Op.FLOOR: "floor", Op.CEIL: "ceil", Op.RINT: "rint", Op.ABS: "fabs", Op.MULACC: "fma"},
    suffixes={"f32": "f", "f64": ""},
    infinity="INF{s}",
    nan="NOT_A_NUMBER{s}",
    ids={SpecialKind.GLOBAL: "get_group_id({axis})", SpecialKind.LOCAL: "get_local_id({axis})",
         SpecialKind.DIRECT: "get_global_id({axis})"},
    barrier="barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);",
    local="__local {type} {name}[{size}];",
    opening="""#pragma OPENCL FP_CONTRACT OFF
#define INFf as_float(0x7f800000)
#define INF as_double(0x7ff0000000000000UL)
#define NOT_A_NUMBERf as_float(0x7fc00000)
#define NOT_A_NUMBER as_double(0x7ff8000000000000UL)""",
)
"""To be built with -cl-fp32-correctly-rounded-divide-sqrt, and without any option that makes arithmetic fast."""
_SPACES = {Op.PARAM: "global", Op.DEFINE_LOCAL: "local"}
"""Where a memory lies, for the helpers that take a pointer to it."""
_ATOMIC = (dtypes.i32, dtypes.u32, dtypes.i64, dtypes.u64, dtypes.f32, dtypes.f64)
_BITWISE = (AtomicKind.AND, AtomicKind.OR, AtomicKind.XOR)


class _Kernel(Body):
    """The statements of a kernel."""

    def run(self, u: UOp) -> None:
        """Writes instruction `u`. UnsupportedError for one that has no form."""
        if u.op in (Op.PRINT, Op.ASSERT):
            what = "print" if u.op is Op.PRINT else "check assertions"
            raise UnsupportedError(f"kernels in OpenCL C cannot {what} yet", at=u.arg.place or u.arg.text[:40],
                                   hint="run the kernel on CPU or INTERP", about=u)
        if u.op is Op.ATOMIC:
            self.atomic(u)
        else:
            super().run(u)

    def atomic(self, u: UOp) -> None:
        """ATOMIC, at once: its value is what was there."""
        (address, *given), d, space = u.src, u.src[1].dtype, _SPACES.get(root(u.src[0]).op)
        if d not in _ATOMIC or (d.is_float and u.arg in _BITWISE) or len(address.src) == 3 or space is None:
            what = "a gated ATOMIC" if len(address.src) == 3 else "an ATOMIC on memory of one work item" if space is None else "an ATOMIC"
            raise UnsupportedError(f"{what} {u.arg.value} of {d} is not available in OpenCL C", about=u,
                                   hint="use elements of i32, i64, f32 or f64, and a branch in place of a gate")
        at, args = self.value(address.src[1]), [self.value(s).text for s in given]
        pointer = f"{self.value(address.src[0]).at(ATOM)} + {at.at(PLUS)}"
        self.settle(MEMORY)
        if u.arg is AtomicKind.COMPARE_EXCHANGE:
            args.reverse()
        kind = u.arg.value if u.arg is AtomicKind.COMPARE_EXCHANGE else f"atomic_{u.arg.value}"
        self.define(u, Expr(f"{self.prelude.need(f'{kind}_{space}', d)}({', '.join([pointer, *args])})"), name="old", at_once=True)


def render_opencl(linear: UOp, meta: Metadata, name: str, *, together: Collection[int] = ()) -> str:
    """A LINEAR program of one work item as OpenCL C. Buffers in the slots `together` may be the same memory. UnsupportedError for what it
    has no form for."""
    for u in linear.src:
        if u.op is Op.DEFINE_SCRATCH or (u.op is Op.BARRIER and u.arg is BarrierScope.GRID):
            raise UnsupportedError(f"kernel {name!r} waits for all groups, or shares memory with them, inside of one launch", at=repr(u),
                                   hint="make two kernels of it, and keep what they share in a buffer")
    prelude, names = Prelude(OPENCL_C), Names(OPENCL_C.keywords)
    leaf: dict[UOp, str] = {}
    function = names.new(name)
    params = {u.arg.slot: u for u in linear.src if u.op is Op.PARAM}
    variables = {u.arg.name: u for u in linear.src if u.op is Op.DEFINE_VAR}
    declared = []
    for b in meta.buffers:
        called = names.new(b.name)
        if b.slot in params:
            leaf[params[b.slot]] = called
        const, restrict = "" if b.writes else "const ", "" if b.slot in together else " restrict "
        declared.append(f"{const}__global {prelude.type(b.dtype)} *{restrict.lstrip()}{called}")
    for s in meta.scalars:
        called = names.new(s.name)
        if s.name in variables:
            leaf[variables[s.name]] = called
        declared.append(f"{prelude.type(s.dtype)} {called}")
    inside = []
    for u in dict.fromkeys(u for u in linear.src if u.op is Op.DEFINE_LOCAL):
        leaf[u] = names.new(u.arg.name or "tile", numbered=not u.arg.name)
        t = prelude.type(_element(u))
        if u.arg.dynamic:
            declared.append(f"__local {t} *{leaf[u]}")
        else:
            inside.append("  " + OPENCL_C.local.format(type=t, name=leaf[u], size=u.arg.size))
    body = _Kernel(leaf, prelude, list(linear.src), names)
    for u in linear.src:
        body.run(u)
    body.settle()
    head = f"{OPENCL_C.kernel}{_shape(meta)} void {function}({', '.join(declared)}) {{"
    lines = [_comment(name, meta), OPENCL_C.opening, *filter(None, [prelude.text()]), head, *inside, *(f"  {t}" for t in body.top)]
    return "\n".join([*lines, *body.lines, "}", ""])


def _element(memory: UOp) -> DType:
    return memory.dtype.base if isinstance(memory.dtype, PtrDType) else dtypes.u8


def _shape(meta: Metadata) -> str:
    """The attribute that says how many work items a group has, where that is known."""
    sizes = [s.arg.value for s in meta.local_size or () if s.op is Op.CONST]
    return f" __attribute__((reqd_work_group_size({', '.join(map(str, sizes))})))" if len(sizes) == 3 else ""


def _comment(name: str, meta: Metadata) -> str:
    """What the kernel is called with."""
    args = ", ".join([*(f"{b.name}: {b.dtype}*" for b in meta.buffers), *(f"{s.name}: {s.dtype}" for s in meta.scalars)])
    local = "direct ids" if meta.local_size is None else f"groups of {' x '.join(_said(s) for s in meta.local_size)} work items"
    return f"// {name}({args})\n// {' x '.join(_said(s) for s in meta.global_size)} of {local}"


def _said(size: UOp) -> str:
    if size.op is Op.CONST:
        return str(size.arg.value)
    return str(size.arg.name) if size.op is Op.DEFINE_VAR else f"f({', '.join(sorted({v.arg.name for v in size.find(Op.DEFINE_VAR)}))})"
