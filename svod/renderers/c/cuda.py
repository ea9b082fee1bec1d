"""CUDA C: its table, and kernels in it.

Owns: the spellings and words of the language, the form of a kernel function, what a GPU of an architecture can do. Must not know devices.
Invariants: a source includes nothing; what it computes does not depend on how well the compiler optimizes, with the options it is made for.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from svod.dtype import dtypes
from svod.errors import ConfigError
from svod.ir.args import SpecialKind
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c.cuda_mma import MMA_PIECES, products
from svod.renderers.c.cuda_pieces import PIECES
from svod.renderers.c.dialect import Dialect
from svod.renderers.c.items import Form, render_items
from svod.renderers.expr import Names
from svod.renderers.phases import phase_names
from svod.target import Limits, Target
from svod.target.abi import Metadata
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE

CPP_WORDS = """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await
co_return co_yield compl concept const consteval constexpr constinit const_cast continue decltype default delete do double dynamic_cast
else enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator
or or_eq private protected public register reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast
struct switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
xor_eq linux unix std main NULL typeof INF INFf NOT_A_NUMBER NOT_A_NUMBERf"""
LIBRARY_WORDS = """abs acos acosh asin asinh assert atan atan2 atanh cbrt ceil copysign cos cosh cospi erf erfc erfcinv erfcx erfinv exp
exp10 exp2 expm1 fabs fdim fdivide floor fma fmax fmin fmod frexp hypot ilogb isfinite isinf isnan j0 j1 jn labs ldexp lgamma llabs llmax
llmin llrint llround log log10 log1p log2 logb lrint lround max min modf nan nearbyint nextafter norm norm3d norm4d normcdf normcdfinv
pow powi rcbrt remainder remquo rhypot rint rnorm rnorm3d rnorm4d round rsqrt scalbln scalbn signbit sin sincos sincospi sinh sinpi sqrt tan
tanh tgamma trunc umax umin ullmax ullmin y0 y1 yn printf malloc free memcpy memset memmove clock clock64 alloca"""
"""Functions that are declared without a header; those of f32 have an f behind the name."""
_WORDS = """threadIdx blockIdx blockDim gridDim warpSize dim3 uint3 cudaError_t cudaStream_t size_t ptrdiff_t ballot"""
TYPES = {
    "bool": "unsigned char", "i8": "signed char", "i16": "short", "i32": "int", "i64": "long long", "u8": "unsigned char",
    "u16": "unsigned short", "u32": "unsigned int", "u64": "unsigned long long", "f32": "float", "f64": "double",
}
CALLS = {Op.SQRT: "sqrt{s}", Op.TRUNC: "trunc{s}", Op.FLOOR: "floor{s}", Op.CEIL: "ceil{s}", Op.RINT: "rint{s}", Op.ABS: "fabs{s}",
         Op.MULACC: "fma{s}"}
INFINITIES = """#define INFf __int_as_float(0x7f800000)
#define INF __longlong_as_double(0x7ff0000000000000LL)
#define NOT_A_NUMBERf __int_as_float(0x7fc00000)
#define NOT_A_NUMBER __longlong_as_double(0x7ff8000000000000LL)"""


def words(*given: str) -> frozenset[str]:
    """Names that nobody else may have: these, and functions of the library for either float."""
    return frozenset((*(w for g in given for w in g.split()), *LIBRARY_WORDS.split(), *(f"{w}f" for w in LIBRARY_WORDS.split())))


CUDA_C = Dialect(
    "CUDA C",
    TYPES,
    words(CPP_WORDS, _WORDS),
    vector="struct __align__({bytes}) {name} {{ {scalar} s[{lanes}]; }};",
    lane="{v}.s[{k}]",
    stacked="{type}{{{parts}}}",
    helper="static __device__ __forceinline__",
    kernel="__global__",
    restrict="__restrict__",
    pieces=PIECES | MMA_PIECES,
    calls=CALLS,
    unroll="#pragma unroll",
    narrow=True,
    suffixes={"f32": "f", "f64": ""},
    infinity="INF{s}",
    nan="NOT_A_NUMBER{s}",
    ids={SpecialKind.GLOBAL: "blockIdx.{letter}", SpecialKind.LOCAL: "threadIdx.{letter}",
         SpecialKind.DIRECT: "((long long)blockIdx.{letter} * blockDim.{letter} + threadIdx.{letter})"},
    barrier="__syncthreads();",
    local="__shared__ __align__(16) {type} {name}[{size}];",
    opening=INFINITIES,
)
"""To be compiled with -fmad=false -ftz=false -prec-div=true -prec-sqrt=true."""
FORM = Form(
    CUDA_C,
    head='extern "C" __global__ {shape}void {name}({params}) {{',
    shape="__launch_bounds__({items}) ",
    buffer="{const}{type} *{restrict}{name}",
    scalar="{type} {name}",
    dynamic="extern __shared__ __align__(16) {type} {name}[];",
    dynamic_given=False,
    common="{type} *{name} = ({type} *){at};",
    spaces={Op.PARAM: "", Op.DEFINE_SCRATCH: "", Op.DEFINE_LOCAL: ""},
    atomics=frozenset((dtypes.i16, dtypes.u16, dtypes.i32, dtypes.u32, dtypes.i64, dtypes.u64, dtypes.f16, dtypes.f32, dtypes.f64)),
)
WARP = 32
PARAMETER_BYTES = 4096
VECTOR_BITS = 128
"""What a work item loads or stores at once; such a place is a multiple of that, which the launch sees to."""
SHARED_BYTES = 48 << 10
"""Of arrays whose size is known; dynamic memory of a group may be more, which the driver is asked for."""
_ARCH = re.compile(r"sm_(\d{2,3})[af]?")


def render_cuda(linear: UOp, meta: Metadata, name: str, together: Collection[int] = (), called: Mapping[UOp, str] | None = None) -> str:
    """A LINEAR program of one work item as CUDA C. Buffers in the slots `together` may be the same memory; `called`: what the author
    calls values. UnsupportedError for what it has no form for."""
    return render_items(FORM, linear, meta, name, together, called)


def entries(name: str, phases: int = 1) -> list[str]:
    """What the functions of kernel `name` are called, one for each phase."""
    names = Names(CUDA_C.keywords)
    return [names.new(n) for n in phase_names(name, phases)]


def capability(arch: str) -> int:
    """90 for `sm_90` and `sm_90a`. ConfigError for what is no architecture."""
    if (m := _ARCH.fullmatch(arch)) is None:
        raise ConfigError(f"{arch!r} is no CUDA architecture", hint="sm_90 is compute capability 9.0")
    return int(m[1])


def cuda_target(arch: str, limits: Limits | None = None, *, cores: int = 1) -> Target:
    """What a GPU of `arch` can do; `cores` counts its multiprocessors. ConfigError for text that is no architecture."""
    known = capability(arch)
    usual = Limits(grid=((1 << 31) - 1, (1 << 16) - 1, (1 << 16) - 1), block=(1024, 1024, 64), threads=1024, shared_bytes=SHARED_BYTES,
                   buffers=PARAMETER_BYTES // 8)
    return Target("cuda", arch, CPU_ARITHMETIC, frozenset(dtypes.ALL), CPU_NATIVE, vector_bits=VECTOR_BITS, ids=True, phases=True,
                  branches=True, cores=cores, subgroup=WARP, products=products(known), group_bits=VECTOR_BITS, limits=limits or usual)
