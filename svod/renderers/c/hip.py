"""HIP C++: its table, and kernels in it. Not run on hardware: compiled by clang alone.

Owns: the spellings of the language, what an AMD GPU of an architecture can do. Must not know devices.
Invariant: a source includes nothing, and means the same with HIP's headers before it.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from svod.dtype import dtypes
from svod.errors import ConfigError
from svod.ir.args import SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c.cuda import CPP_WORDS, TYPES, words
from svod.renderers.c.dialect import Dialect
from svod.renderers.c.hip_pieces import PIECES
from svod.renderers.c.items import Form, render_items
from svod.target import Limits, Target
from svod.target.abi import Metadata
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE

_WORDS = """threadIdx blockIdx blockDim gridDim warpSize dim3 uint3 hipError_t hipStream_t size_t ptrdiff_t INLINE
wait_for_group lane_of_wave ballot"""
HIP = Dialect(
    "HIP C++",
    TYPES,
    words(CPP_WORDS, _WORDS),
    vector="typedef {scalar} {name} __attribute__((ext_vector_type({lanes})));",
    helper="INLINE",
    kernel="__global__",
    restrict="__restrict__",
    pieces=PIECES,
    calls={Op.SQRT: "__builtin_sqrt{s}", Op.TRUNC: "__builtin_trunc{s}", Op.FLOOR: "__builtin_floor{s}", Op.CEIL: "__builtin_ceil{s}",
           Op.RINT: "__builtin_rint{s}", Op.ABS: "__builtin_fabs{s}", Op.MULACC: "__builtin_fma{s}"},
    unroll="#pragma unroll",
    narrow=True,
    suffixes={"f32": "f", "f64": ""},
    infinity="__builtin_inf{s}()",
    nan='__builtin_nan{s}("")',
    ids={SpecialKind.GLOBAL: "__builtin_amdgcn_workgroup_id_{letter}()", SpecialKind.LOCAL: "__builtin_amdgcn_workitem_id_{letter}()",
         SpecialKind.DIRECT: "((long long)__builtin_amdgcn_workgroup_id_{letter}() * __builtin_amdgcn_workgroup_size_{letter}()"
                             " + __builtin_amdgcn_workitem_id_{letter}())"},
    barrier="wait_for_group();",
    local="__shared__ {type} {name}[{size}];",
    opening="""#pragma clang fp contract(off)
#ifndef __global__
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#endif
#define INLINE static __device__ inline __attribute__((always_inline))
INLINE void wait_for_group() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}""",
)
"""To be compiled with -ffp-contract=off -fno-strict-aliasing, and without any option that makes arithmetic fast."""
FORM = Form(
    HIP,
    head='extern "C" __global__ {shape}void {name}({params}) {{',
    shape="__attribute__((amdgpu_flat_work_group_size({items}, {items}))) ",
    buffer="{const}{type} *{restrict}{name}",
    scalar="{type} {name}",
    dynamic="extern __shared__ __attribute__((aligned(16))) {type} {name}[];",
    dynamic_given=False,
    common="{type} *{name} = ({type} *){at};",
    spaces={Op.PARAM: "", Op.DEFINE_SCRATCH: "", Op.DEFINE_LOCAL: ""},
    atomics=frozenset((dtypes.i32, dtypes.u32, dtypes.i64, dtypes.u64, dtypes.f16, dtypes.f32, dtypes.f64)),
)
SHARED_BYTES = 64 << 10
_ARCH = re.compile(r"gfx(9|10|11|12)([0-9a-f]{2})")


def render_hip(linear: UOp, meta: Metadata, name: str, together: Collection[int] = (), called: Mapping[UOp, str] | None = None) -> str:
    """A LINEAR program of one work item as HIP C++. Buffers in the slots `together` may be the same memory; `called`: what the author
    calls values. UnsupportedError for what it has no form for."""
    return render_items(FORM, linear, meta, name, together, called)


def wave(arch: str) -> int:
    """Work items of a wave: 64 of `gfx9…`, else 32. ConfigError for what is no architecture."""
    if (m := _ARCH.fullmatch(arch)) is None:
        raise ConfigError(f"{arch!r} is no architecture of AMD GPUs", hint="gfx90a, gfx942, gfx1100")
    return 64 if m[1] == "9" else 32


def hip_target(arch: str, limits: Limits | None = None) -> Target:
    """What a GPU of `arch` can do. ConfigError for text that is no architecture."""
    usual = Limits(grid=((1 << 31) - 1, (1 << 16) - 1, (1 << 16) - 1), block=(1024, 1024, 1024), threads=1024, shared_bytes=SHARED_BYTES,
                   buffers=512)
    return Target("hip", arch, CPU_ARITHMETIC, frozenset(dtypes.ALL), CPU_NATIVE, ids=True, phases=True, branches=True, subgroup=wave(arch),
                  limits=limits or usual)
