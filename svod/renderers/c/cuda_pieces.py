"""The helper functions of CUDA C. Programs for it are scalar, but for vectors that are loaded, stored and taken apart.

Owns: their texts. Must not know when they are used. Invariants: no helper traps, or is undefined, whatever it is given; none needs a
header, so that NVRTC, which has none, takes them as they are.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.renderers.c.dialect import Maker, Piece, Prelude, held
from svod.renderers.c.gnu_pieces import extreme, saturated, suffix

INTRINSICS = {
    (dtypes.f32, dtypes.i32): "__float_as_int", (dtypes.i32, dtypes.f32): "__int_as_float",
    (dtypes.f32, dtypes.u32): "__float_as_uint", (dtypes.u32, dtypes.f32): "__uint_as_float",
    (dtypes.f64, dtypes.i64): "__double_as_longlong", (dtypes.i64, dtypes.f64): "__longlong_as_double",
}
"""What takes the bits of one type as another's."""
_WHOLE = {dtypes.i32: "int", dtypes.u32: "uint", dtypes.i64: "ll", dtypes.u64: "ull"}
_FROM = {dtypes.f32: "float", dtypes.f64: "double"}


def absolute(p: Prelude, d: DType, _: DType) -> Piece:
    """Absolute value of an integer; the least one stays, as unsigned integers wrap."""
    t, u, name = p.type(d), p.type(dtypes.parse(f"u{d.bits}")), f"abs_{suffix(d)}"
    return Piece(name, f"{t} {name}({t} a) {{ return a < 0 ? ({t})(0 - ({u})a) : a; }}")


def bits(p: Prelude, src: DType, dst: DType) -> Piece:
    """The bits of a scalar as another type."""
    if (name := INTRINSICS.get((src, dst))) is not None:
        return Piece(name)
    name = f"{suffix(dst)}_bits_{suffix(src)}"
    a, b = p.type(src), p.type(dst)
    if dst is dtypes.u64:
        return Piece(name, f"{b} {name}({a} x) {{ return ({b})__double_as_longlong(x); }}")
    return Piece(name, f"{b} {name}({a} x) {{ return __longlong_as_double((long long)x); }}")


def largest(kind: str) -> Maker:
    """max or min: NaN where either is, -0.0 below +0.0. From sm_80 on there is an instruction for f32."""
    plain = extreme(kind)

    def make(p: Prelude, d: DType, other: DType) -> Piece:
        name, text = plain(p, d, other)
        if d is not dtypes.f32:
            return Piece(name, text)
        head, _, body = text.partition("{\n")
        return Piece(name, f"""{head}{{
#if __CUDA_ARCH__ >= 800
  float r;
  asm("{kind}.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
#else
{body.removesuffix("}")}#endif
}}""")

    return make


def whole(p: Prelude, src: DType, dst: DType) -> Piece:
    """A float as an integer: truncated, at the limits where it is beyond them, 0 for NaN. Conversions of the machine saturate; those of
    64 bits do not make 0 of NaN (PTX ISA, cvt)."""
    if dst.bits < 32:
        return saturated(p, src, dst)
    convert = f"__{_FROM[src]}2{_WHOLE[dst]}_rz"
    if (src, dst.bits) == (dtypes.f32, 32):
        return Piece(convert)
    name, t = f"{suffix(dst)}_from_{suffix(src)}", p.type(dst)
    return Piece(name, f"{t} {name}({p.type(src)} x) {{ return x == x ? {convert}(x) : 0; }}")


_DECLARED = {"__nv_half2float": "float __nv_half2float(unsigned short)", "__nv_float2half_rn": "unsigned short __nv_float2half_rn(float)"}


def half(name: str) -> Maker:
    """Between f16 bits and f32, rounded to nearest even: functions of libdevice, which the compiler has inside, an instruction each."""

    def make(p: Prelude, src: DType, dst: DType) -> Piece:
        p.add(name, f'extern "C" __device__ {_DECLARED[name]};')
        return Piece(name)

    return make


def loaded(p: Prelude, d: DType, _: DType) -> Piece:
    """Neighbouring elements of a buffer, by one instruction: the first is aligned to all of them, which a launch sees to. Bytes come out of
    words: where they are put together again, compilers for sm_80 and sm_90 see that nothing is to be done (seen in the disassembly)."""
    t, name = p.type(d), f"load_{suffix(d)}"
    if held(d).scalar.itemsize == 1 and d.lanes % 4 == 0:
        w = p.type(dtypes.u32.vec(d.lanes // 4))
        return Piece(name, f"""{t} {name}(const {p.type(d.scalar)} *p) {{
  {w} words = *(const {w} *)p;
  {t} x;
#pragma unroll
  for (int k = 0; k < {d.lanes}; k++) x.s[k] = ({p.type(d.scalar)})({'words.s[k / 4]' if d.lanes > 4 else 'words'} >> k % 4 * 8);
  return x;
}}""")
    return Piece(name, f"{t} {name}(const {p.type(d.scalar)} *p) {{ return *(const {t} *)p; }}")


def stored(p: Prelude, d: DType, _: DType) -> Piece:
    """The same the other way round."""
    t, name = p.type(d), f"store_{suffix(d)}"
    return Piece(name, f"void {name}({p.type(d.scalar)} *p, {t} x) {{ *({t} *)p = x; }}")


_BUILT_IN = {"add": "Add", "min": "Min", "max": "Max", "and": "And", "or": "Or", "xor": "Xor", "exchange": "Exch"}
_ADDS = frozenset((dtypes.f32, dtypes.f64))
_ORDERED = frozenset(("min", "max"))


def _taken(kind: str, d: DType) -> DType | None:
    """The type that CUDA has the atomic for, which does the same with the bits of `d`; None where it must be tried."""
    if d.is_int and d.bits >= 32:
        return d if d is not dtypes.i64 or kind in _ORDERED else dtypes.u64
    if d.bits >= 32 and kind == "exchange":
        return dtypes.u32 if d.bits == 32 else dtypes.u64
    return d if d in _ADDS and kind == "add" else None


def words_of(d: DType) -> DType:
    """The unsigned integers of that width."""
    return {16: dtypes.u16, 32: dtypes.u32, 64: dtypes.u64}[d.bits]


def atomic(kind: str) -> Maker:
    """A read-modify-write, in relaxed order; where the machine has none, comparing and exchanging bits until nobody came between.

    Sums of f32 in global memory take numbers below 2^-126 as 0 (PTX ISA, atom).
    """

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name = p.type(d), f"atomic_{kind}_{suffix(d)}"
        head = f"{t} {name}({t} *p, {t} value)"
        if (w := _taken(kind, d)) is not None:
            u = p.type(w)
            given = _as(p, "value", d, w)
            return Piece(name, f"{head} {{ return {_as(p, f'atomic{_BUILT_IN[kind]}({_cast(u, t)}p, {given})', w, d)}; }}")
        w = words_of(d)
        u = p.type(w)
        return Piece(name, f"""{head} {{
  {u} *q = ({u} *)p, old, seen = *(volatile {u} *)p;
  do {{
    {p.type(_wide(d))} a = {_as(p, 'seen', w, d)}, b = {_as(p, 'value', d, d)};
    old = seen;
    seen = atomicCAS(q, old, {_back(p, _combined(p, kind, d), d, w)});
  }} while (seen != old);
  return {_as(p, 'seen', w, d, narrow=True)};
}}""")

    return make


def _wide(d: DType) -> DType:
    """What is computed in."""
    return dtypes.f32 if d is dtypes.f16 else d


def _cast(u: str, t: str) -> str:
    return f"({u} *)" if u != t else ""


def _as(p: Prelude, text: str, src: DType, dst: DType, *, narrow: bool = False) -> str:
    """The bits of a value as another type; of f16 the number that they are, unless they stay `narrow`."""
    if dst is dtypes.f16:
        return text if narrow else f"{p.need('f32_from_f16', dst, dtypes.f32)}({text})"
    if src is dst:
        return text
    return f"{p.need('bits', src, dst)}({text})" if src.is_float or dst.is_float else f"({p.type(dst)}){text}"


def _back(p: Prelude, text: str, d: DType, w: DType) -> str:
    """The bits of what `_combined` computes."""
    if d is dtypes.f16:
        return f"{p.need('f16_from_f32', dtypes.f32, d)}({text})"
    return _as(p, text, d, w) if d.is_float else f"({p.type(w)})({text})"


def _combined(p: Prelude, kind: str, d: DType) -> str:
    if kind in _ORDERED:
        return f"{p.need(kind, _wide(d))}(a, b)"
    return {"add": "a + b", "and": "a & b", "or": "a | b", "xor": "a ^ b", "exchange": "b"}[kind]


def exchanged(p: Prelude, d: DType, _: DType) -> Piece:
    """Exchange if the bits are those of what is expected; the old value either way."""
    t, name, w = p.type(d), f"compare_exchange_{suffix(d)}", words_of(d)
    u = p.type(w)
    given = ", ".join(_as(p, x, d, w) if d is not dtypes.f16 else x for x in ("expected", "value"))
    found = _as(p, f"atomicCAS({_cast(u, t)}p, {given})", w, d, narrow=True)
    return Piece(name, f"{t} {name}({t} *p, {t} expected, {t} value) {{ return {found}; }}")


# --- subgroups ---------------------------------------------------------------------------------------------------------------------

def shuffled(kind: str) -> Maker:
    """The value of another lane of the warp, all of which come here. `kind`: what is behind shfl_ in the name of the intrinsic."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name = p.type(d), f"shuffle_{kind}{suffix(d)}"
        got = f"__shfl_{kind}sync(0xffffffffu, x, by, width)"
        return Piece(name, f"{t} {name}({t} x, int by, int width) {{ return {got if d.bits >= 32 else f'({t}){got}'}; }}")

    return make


def ballot(p: Prelude, d: DType, _: DType) -> Piece:
    """Which lanes of the warp a condition holds in."""
    return Piece("ballot", f"{p.type(d)} ballot(bool x) {{ return __ballot_sync(0xffffffffu, x); }}")


PIECES: dict[str, Maker] = {
    "max": largest("max"), "min": largest("min"), "abs": absolute, "bits": bits, "saturate": whole,
    "f32_from_f16": half("__nv_half2float"), "f16_from_f32": half("__nv_float2half_rn"), "load": loaded, "store": stored,
    **{f"atomic_{kind}": atomic(kind) for kind in _BUILT_IN}, "compare_exchange": exchanged,
    "shuffle": shuffled(""), "shuffle_up": shuffled("up_"), "shuffle_down": shuffled("down_"), "shuffle_xor": shuffled("xor_"),
    "ballot": ballot,
}
