"""OpenCL C 1.2: its table, and kernels in it.

Owns: the spellings and words of the language, the form of a kernel function. Must not know devices.
Invariant: the dynamic memory of a group, if the kernel has any, comes behind its other arguments, then the record of messages, then the
memory that all groups share.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping

from svod.dtype import dtypes
from svod.ir.args import SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c.dialect import Dialect
from svod.renderers.c.items import Form, render_items
from svod.renderers.c.opencl_pieces import PIECES
from svod.target.abi import Metadata

_WORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool half uchar
ushort uint ulong size_t ptrdiff_t intptr_t uintptr_t image1d_t image2d_t image3d_t sampler_t event_t global local
constant private kernel generic read_only write_only read_write uniform pipe main entry reach INF INFf NOT_A_NUMBER
NOT_A_NUMBERf INFINITY NAN sqrt trunc floor ceil rint fabs fma abs min max clamp select step mix sign exp exp2 log log2
sin cos tan tanh pow mad dot cross length barrier printf get_group_id get_local_id get_global_id NULL CHAR_BIT SCHAR_MAX SCHAR_MIN
CHAR_MAX CHAR_MIN UCHAR_MAX SHRT_MAX SHRT_MIN USHRT_MAX INT_MAX INT_MIN UINT_MAX LONG_MAX LONG_MIN ULONG_MAX MAXFLOAT HUGE_VALF HUGE_VAL
M_E M_LOG2E M_LOG10E M_LN2 M_LN10 M_PI M_PI_2 M_PI_4 M_1_PI M_2_PI M_2_SQRTPI M_SQRT2 M_SQRT1_2 EOF"""
_NUMBERS = ["char", "uchar", "short", "ushort", "int", "uint", "long", "ulong", "float", "double", "half"]
_VECTORS = [f"{t}{n}" for t in _NUMBERS for n in ("", 2, 3, 4, 8, 16)]
"""Names that are types, as_ and convert_ of which are functions."""

TYPES = {
    "bool": "uchar", "i8": "char", "i16": "short", "i32": "int", "i64": "long", "u8": "uchar", "u16": "ushort", "u32": "uint",
    "u64": "ulong", "f32": "float", "f64": "double",
}
OPENCL_C = Dialect(
    "OpenCL C",
    TYPES,
    frozenset((*_WORDS.split(), *_VECTORS, *(f"{f}_{t}" for f in ("as", "convert") for t in _VECTORS))),
    vector="typedef {scalar}{lanes} {name};",
    lane="{v}.s{x}",
    stacked="({type})({parts})",
    helper="static",
    kernel="__kernel",
    restrict="restrict",
    pieces=PIECES,
    calls={Op.SQRT: "sqrt", Op.TRUNC: "trunc", Op.FLOOR: "floor", Op.CEIL: "ceil", Op.RINT: "rint", Op.ABS: "fabs", Op.MULACC: "fma"},
    suffixes={"f32": "f", "f64": "", "i64": "L", "index": "L", "u64": "UL"},
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
FORM = Form(
    OPENCL_C,
    head="__kernel{shape} void {name}({params}) {{",
    shape=" __attribute__((reqd_work_group_size({x}, {y}, {z})))",
    buffer="{const}__global {type} *{restrict}{name}",
    scalar="{type} {name}",
    dynamic="__local {type} *{name}",
    dynamic_given=True,
    again="__local {type} *{name} = (__local {type} *){first};",
    common="__global {type} *{name} = (__global {type} *){at};",
    spaces={Op.PARAM: "global", Op.DEFINE_SCRATCH: "global", Op.DEFINE_LOCAL: "local"},
    atomics=frozenset((dtypes.i32, dtypes.u32, dtypes.i64, dtypes.u64, dtypes.f32, dtypes.f64)),
)


def render_opencl(linear: UOp, meta: Metadata, name: str, together: Collection[int] = (), called: Mapping[UOp, str] | None = None) -> str:
    """A LINEAR program of one work item as OpenCL C. Buffers in the slots `together` may be the same memory; `called`: what the author
    calls values. UnsupportedError for what it has no form for."""
    return render_items(FORM, linear, meta, name, together, called)
