"""The helper functions of OpenCL C. Programs for it are scalar: the work items are its lanes.

Owns: their texts. Must not know when they are used. Invariant: no helper traps, or is undefined, whatever it is given.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.renderers.c.dialect import Maker, Piece, Prelude, held
from svod.renderers.c.gnu_pieces import extreme, saturated, suffix

SPACES = ("global", "local")
"""Where memory lies that work items share; a helper for each, as pointers of OpenCL 1.2 say where they point."""


def absolute(p: Prelude, d: DType, _: DType) -> Piece:
    """Absolute value of an integer; the least one stays."""
    t, name = p.type(d), f"abs_{suffix(d)}"
    return Piece(name, f"{t} {name}({t} a) {{ return ({t})abs(a); }}")


def bits(p: Prelude, src: DType, dst: DType) -> Piece:
    """The bits of a scalar as another type. A function, as a literal has a type of its own."""
    name = f"{suffix(dst)}_bits_{suffix(src)}"
    return Piece(name, f"{p.type(dst)} {name}({p.type(src)} x) {{ return as_{p.type(dst)}(x); }}")


def widened(p: Prelude, src: DType, dst: DType) -> Piece:
    """f16 bits as f32. By integers: where an address is taken, as for vload_half, PoCL mixes up the work items of a group."""
    name = f"{suffix(dst)}_from_{suffix(src)}"
    return Piece(name, f"""{p.type(dst)} {name}({p.type(src)} x) {{
  uint bits = x & 0x7fffu, wide = bits << 13;
  uint r = bits < 0x400u ? as_uint((float)bits * 5.9604644775390625e-08f) : bits < 0x7c00u ? wide + 0x38000000u : wide | 0x7f800000u;
  return as_float(r | (x & 0x8000u) << 16);
}}""")


def narrowed(p: Prelude, src: DType, dst: DType) -> Piece:
    """f32 as f16 bits, rounded to nearest even; a NaN stays one. What is below the least normal number counts steps of 2**-24."""
    name, t = f"{suffix(dst)}_from_{suffix(src)}", p.type(dst)
    return Piece(name, f"""{t} {name}({p.type(src)} x) {{
  uint bits = as_uint(x) & 0x7fffffffu;
  uint r = bits < 0x38800000u ? (uint)rint(as_float(bits) * 16777216.0f) : (bits - 0x38000000u + 0xfffu + (bits >> 13 & 1u)) >> 13;
  r = bits > 0x7f800000u ? 0x7e00u | (bits >> 13 & 0x3ffu) : min(r, 0x7c00u);
  return ({t})(r | (as_uint(x) >> 16 & 0x8000u));
}}""")


def loaded(p: Prelude, d: DType, _: DType) -> Piece:
    """Neighbouring elements of a buffer."""
    t, name = p.type(d), f"load_{suffix(d)}"
    return Piece(name, f"{t} {name}(const __global {p.type(d.scalar)} *p) {{ return vload{d.lanes}(0, p); }}")


def stored(p: Prelude, d: DType, _: DType) -> Piece:
    """The same the other way round."""
    name = f"store_{suffix(d)}"
    return Piece(name, f"void {name}(__global {p.type(d.scalar)} *p, {p.type(d)} x) {{ vstore{d.lanes}(x, 0, p); }}")


_WORDS = {"add": "a + value", "exchange": "value"}
_INTS = {32: "atomic", 64: "atom"}
"""The prefix of the built-in atomics: those of 64 bits are of an extension, and called otherwise."""
_BUILT_IN = {"add": "add", "min": "min", "max": "max", "and": "and", "or": "or", "xor": "xor", "exchange": "xchg"}


def atomic(kind: str, space: str) -> Maker:
    """A read-modify-write; of floats by comparing and exchanging their bits until nobody came between."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name = p.type(d), f"atomic_{kind}_{space}_{suffix(d)}"
        head = f"{t} {name}(volatile __{space} {t} *p, {t} value)"
        prefix = _INTS[held(d).bits]
        if d.is_int:
            return Piece(name, f"{head} {{ return {prefix}_{_BUILT_IN[kind]}(p, value); }}")
        u = p.type(dtypes.u32 if d.bits == 32 else dtypes.u64)
        new = _WORDS.get(kind) or f"{p.need(kind, d)}(a, value)"
        return Piece(name, f"""{head} {{
  volatile __{space} {u} *q = (volatile __{space} {u} *)p;
  {u} old, seen = {prefix}_cmpxchg(q, 0, 0);
  do {{
    {t} a = as_{t}(seen);
    old = seen;
    seen = {prefix}_cmpxchg(q, old, as_{u}(({t})({new})));
  }} while (seen != old);
  return as_{t}(seen);
}}""")

    return make


def exchanged(space: str) -> Maker:
    """Exchange if the bits are those of what is expected; the old value either way."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name = p.type(d), f"compare_exchange_{space}_{suffix(d)}"
        u, prefix = p.type(dtypes.u32 if d.bits == 32 else dtypes.u64), _INTS[held(d).bits]
        return Piece(name, f"""{t} {name}(volatile __{space} {t} *p, {t} expected, {t} value) {{
  return as_{t}({prefix}_cmpxchg((volatile __{space} {u} *)p, as_{u}(expected), as_{u}(value)));
}}""")

    return make


PIECES: dict[str, Maker] = {
    "max": extreme("max"), "min": extreme("min"), "abs": absolute, "bits": bits, "saturate": saturated, "f32_from_f16": widened,
    "f16_from_f32": narrowed, "load": loaded, "store": stored,
    **{f"atomic_{kind}_{space}": atomic(kind, space) for kind in _BUILT_IN for space in SPACES},
    **{f"compare_exchange_{space}": exchanged(space) for space in SPACES},
}
