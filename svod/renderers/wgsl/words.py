"""Words that no name of a shader may be.

Owns: that list. Must not know the kernel. Invariant: keywords, reserved words and the built-in functions and types that svod writes.
"""
from __future__ import annotations

_KEYWORDS = """alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop
override requires return struct switch true var while"""
_TYPES = """bool f16 f32 f64 i32 u32 i64 u64 array atomic ptr vec2 vec3 vec4 mat2x2 mat2x3 mat2x4 mat3x2 mat3x3 mat3x4 mat4x2 mat4x3
mat4x4 vec2i vec3i vec4i vec2u vec3u vec4u vec2f vec3f vec4f vec2h vec3h vec4h sampler texture_1d texture_2d texture_3d"""
_FUNCTIONS = """abs all any arrayLength atan atomicAdd atomicAnd atomicCompareExchangeWeak atomicExchange atomicLoad atomicMax atomicMin
atomicOr atomicStore atomicSub atomicXor bitcast ceil clamp cos cosh cross degrees determinant distance dot exp exp2 extractBits
faceForward firstLeadingBit floor fma fract frexp insertBits inverseSqrt ldexp length log log2 max min mix modf normalize
pack2x16float pow quantizeToF16 radians reflect refract reverseBits round saturate select sign sin sinh smoothstep sqrt step
storageBarrier tan tanh transpose trunc unpack2x16float workgroupBarrier workgroupUniformLoad"""
_RESERVED = """NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become cast catch class co_await
co_return co_yield coherent column_major common compile compile_fragment concept const_cast consteval constexpr constinit crate
debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export extends extern external fallthrough filter final
finally friend from fxgroup get goto groupshared highp impl implements import inline instanceof interface layout lowp macro
macro_rules match mediump meta mod module move mut mutable namespace new nil noexcept noinline nointerpolation non_coherent noncoherent
noperspective null nullptr of operator package packoffset pass patch pixelfragment precise precision premerge priv protected pub public
readonly ref regardless register reinterpret_cast require resource restrict self set shared sizeof smooth snorm static static_assert
static_cast std subroutine super target template this thread_local throw trait try type typedef typeid typename typeof union unless
unorm unsafe unsized use using varying virtual volatile wgsl where with writeonly yield"""
_OURS = """launch Launch group item scratch Scratch first_to_fail uniform storage read write read_write workgroup private function handle
compute builtin workgroup_id local_invocation_id"""

WORDS = frozenset(" ".join((_KEYWORDS, _TYPES, _FUNCTIONS, _RESERVED, _OURS)).split())
