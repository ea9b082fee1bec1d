"""The Metal shading language: its table, and kernels in it. Not run on hardware: compiled as C++ alone.

Owns: the spellings and words of the language, the form of a kernel function, what a GPU of Apple's can do. Must not know devices.
Invariant: scalars are passed as constants in buffers of their own, in the order of the arguments; ids come last, as parameters.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping

from svod.dtype import dtypes
from svod.ir.args import SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c.cuda import CPP_WORDS, words
from svod.renderers.c.dialect import Dialect
from svod.renderers.c.items import Form, render_items
from svod.renderers.c.metal_pieces import PIECES
from svod.target import Limits, Target
from svod.target.abi import Metadata
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE

_WORDS = """kernel vertex fragment device constant thread threadgroup threadgroup_imageblock ray_data object_data visible half bfloat uchar
ushort uint ulong size_t ptrdiff_t atomic_int atomic_uint atomic_float as_type metal precise fast simd quad texture sampler group_id item_id
grid_id clamp select step mix sign saturate dot cross length distance normalize fract rsqrt divide popcount clz ctz rotate"""
TYPES = {
    "bool": "uchar", "i8": "char", "i16": "short", "i32": "int", "i64": "long", "u8": "uchar", "u16": "ushort", "u32": "uint",
    "u64": "ulong", "f32": "float",
}
MSL = Dialect(
    "Metal",
    TYPES,
    words(CPP_WORDS, _WORDS),
    vector="typedef vec<{scalar}, {lanes}> {name};",
    stacked="{type}({parts})",
    helper="static inline",
    kernel="kernel",
    restrict="",
    jumps=False,
    pieces=PIECES,
    calls={Op.SQRT: "precise::sqrt", Op.TRUNC: "trunc", Op.FLOOR: "floor", Op.CEIL: "ceil", Op.RINT: "rint", Op.ABS: "fabs",
           Op.MULACC: "fma"},
    unroll="#pragma unroll",
    narrow=True,
    suffixes={"f32": "f", "i64": "L", "index": "L", "u64": "UL"},
    infinity="INFINITY",
    nan="NAN",
    ids={SpecialKind.GLOBAL: "group_id.{letter}", SpecialKind.LOCAL: "item_id.{letter}", SpecialKind.DIRECT: "grid_id.{letter}"},
    barrier="threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);",
    local="threadgroup {type} {name}[{size}];",
    opening="#include <metal_stdlib>\n#pragma METAL fp math_mode(safe)\n#pragma METAL fp contract(off)\nusing namespace metal;",
)
"""Metal 3. To be compiled with math mode safe, as the pragma says where it is known: x != x has to find NaN."""
FORM = Form(
    MSL,
    head="[[kernel{shape}]] void {name}({params}) {{",
    shape=", max_total_threads_per_threadgroup({items})",
    buffer="{const}device {type} *{restrict}{name} [[buffer({n})]]",
    scalar="constant {type} &{name} [[buffer({n})]]",
    dynamic="threadgroup {type} *{name} [[threadgroup(0)]]",
    dynamic_given=True,
    common="device {type} *{name} = (device {type} *){at};",
    spaces={Op.PARAM: "device", Op.DEFINE_SCRATCH: "device", Op.DEFINE_LOCAL: "threadgroup"},
    atomics=frozenset((dtypes.i32, dtypes.u32, dtypes.f32)),
    extra=("uint3 group_id [[threadgroup_position_in_grid]]", "uint3 item_id [[thread_position_in_threadgroup]]",
           "uint3 grid_id [[thread_position_in_grid]]"),
    again="threadgroup {type} *{name} = (threadgroup {type} *){first};",
)
SHARED_BYTES = 32 << 10
BUFFERS = 31
WITHOUT = frozenset((dtypes.f64,))


def render_metal(linear: UOp, meta: Metadata, name: str, together: Collection[int] = (), called: Mapping[UOp, str] | None = None) -> str:
    """A LINEAR program of one work item in the Metal shading language; `called`: what the author calls values. UnsupportedError for what
    it has no form for: f64, atomics of 64 bits. No pointer is said to be alone, whatever is in `together`."""
    return render_items(FORM, linear, meta, name, together, called)


def metal_target(limits: Limits | None = None) -> Target:
    """What Apple's GPUs with Metal 3 can do: no f64."""
    usual = Limits(grid=((1 << 31) - 1,) * 3, block=(1024, 1024, 1024), threads=1024, shared_bytes=SHARED_BYTES, buffers=BUFFERS)
    return Target("metal", "metal3", CPU_ARITHMETIC - WITHOUT, frozenset(dtypes.ALL) - WITHOUT, CPU_NATIVE, ids=True, phases=True,
                  branches=True, limits=limits or usual)
