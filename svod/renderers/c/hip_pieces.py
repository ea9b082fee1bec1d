"""The helper functions of HIP C++: clang's builtins for AMD GPUs, and no header.

Owns: their texts. Must not know when they are used. Invariant: no helper traps, or is undefined, whatever it is given.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.renderers.c.cuda_pieces import absolute, loaded, stored, words_of
from svod.renderers.c.dialect import Maker, Piece, Prelude
from svod.renderers.c.gnu_pieces import extreme, saturated, suffix


def bits(p: Prelude, src: DType, dst: DType) -> Piece:
    """The bits of a scalar as another type."""
    name, t = f"{suffix(dst)}_bits_{suffix(src)}", p.type(dst)
    return Piece(name, f"{t} {name}({p.type(src)} x) {{ return __builtin_bit_cast({t}, x); }}")


def widened(p: Prelude, src: DType, dst: DType) -> Piece:
    """f16 bits as f32."""
    name = f"{suffix(dst)}_from_{suffix(src)}"
    return Piece(name, f"{p.type(dst)} {name}({p.type(src)} x) {{ return __builtin_bit_cast(_Float16, x); }}")


def narrowed(p: Prelude, src: DType, dst: DType) -> Piece:
    """f32 as f16 bits, rounded to nearest even."""
    name, t = f"{suffix(dst)}_from_{suffix(src)}", p.type(dst)
    return Piece(name, f"{t} {name}({p.type(src)} x) {{ return __builtin_bit_cast({t}, (_Float16)x); }}")


KINDS = ("add", "min", "max", "and", "or", "xor", "exchange")
_ORDER = "__ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT"


def atomic(kind: str) -> Maker:
    """A read-modify-write, in relaxed order; extremes of floats, and all of f16, by comparing and exchanging until nobody came between."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name = p.type(d), f"atomic_{kind}_{suffix(d)}"
        head = f"{t} {name}({t} *p, {t} value)"
        if d is not dtypes.f16 and (d.is_int or kind in ("add", "exchange")):
            called = "__hip_atomic_exchange" if kind == "exchange" else f"__hip_atomic_fetch_{kind}"
            return Piece(name, f"{head} {{ return {called}(p, value, {_ORDER}); }}")
        wide = dtypes.f32 if d is dtypes.f16 else d
        a, b = (f"{p.need('f32_from_f16', d, wide)}({x})" if d is dtypes.f16 else x for x in ("old", "value"))
        new = {"add": f"{a} + {b}", "exchange": b}.get(kind) or f"{p.need(kind, wide)}({a}, {b})"
        new = f"{p.need('f16_from_f32', wide, d)}({new})" if d is dtypes.f16 else new
        return Piece(name, f"""{head} {{
  {t} old = __hip_atomic_load(p, {_ORDER});
  while (!{_tried(p, d, 'old', new)}) {{}}
  return old;
}}""")

    return make


def _tried(p: Prelude, d: DType, old: str, new: str) -> str:
    """An exchange if the bits are those of `old`, which become those found; it says whether they were."""
    u = p.type(words_of(d))
    given = f"{p.need('bits', d, words_of(d))}({new})" if d.is_float and d.bits > 16 else new
    pointers = f"p, &{old}" if p.type(d) == u else f"({u} *)p, ({u} *)&{old}"
    return f"__hip_atomic_compare_exchange_strong({pointers}, {given}, __ATOMIC_RELAXED, {_ORDER})"


def exchanged(p: Prelude, d: DType, _: DType) -> Piece:
    """Exchange if the bits are those of what is expected; the old value either way."""
    t, name = p.type(d), f"compare_exchange_{suffix(d)}"
    return Piece(name, f"{t} {name}({t} *p, {t} expected, {t} value) {{\n  {_tried(p, d, 'expected', 'value')};\n  return expected;\n}}")


_LANE = """int lane_of_wave() { return __builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0u)); }"""
_TO = {
    "shuffle": "first + (by & (width - 1))", "shuffle_up": "lane - by < first ? lane : lane - by",
    "shuffle_down": "lane + by < first + width ? lane + by : lane", "shuffle_xor": "lane ^ by",
}
"""Of which lane the value is."""


def shuffled(kind: str) -> Maker:
    """The value of another lane of the wave, all of which come here."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name = p.type(d), f"{kind}_{suffix(d)}"
        p.add("lane_of_wave", f"{p.dialect.helper} {_LANE}")
        got = "__builtin_amdgcn_ds_bpermute(to, {})"
        if d.bits == 64:
            u = p.type(dtypes.u64)
            low, high = got.format("(int)bits"), got.format("(int)(bits >> 32)")
            lines = f"  {u} bits = __builtin_bit_cast({u}, x);\n  bits = (unsigned int){low} | ({u})(unsigned int){high} << 32;\n"
            back = f"__builtin_bit_cast({t}, bits)"
        else:
            lines, given = "", "__builtin_bit_cast(int, x)" if d.is_float and d.bits == 32 else "(int)x"
            back = f"__builtin_bit_cast({t}, {got.format(given)})" if d.is_float and d.bits == 32 else f"({t}){got.format(given)}"
        return Piece(name, f"""{t} {name}({t} x, int by, int width) {{
  int lane = lane_of_wave(), first = lane & -width, to = ({_TO[kind]}) << 2;
{lines}  return {back};
}}""")

    return make


def ballot(p: Prelude, d: DType, _: DType) -> Piece:
    """Which lanes of the wave a condition holds in."""
    return Piece("ballot", f"{p.type(d)} ballot(bool x) {{ return __builtin_amdgcn_ballot_w{d.bits}(x); }}")


PIECES: dict[str, Maker] = {
    "max": extreme("max"), "min": extreme("min"), "abs": absolute, "bits": bits, "saturate": saturated, "f32_from_f16": widened,
    "f16_from_f32": narrowed, "load": loaded, "store": stored, **{f"atomic_{kind}": atomic(kind) for kind in KINDS},
    "compare_exchange": exchanged, **{kind: shuffled(kind) for kind in _TO}, "ballot": ballot,
}
