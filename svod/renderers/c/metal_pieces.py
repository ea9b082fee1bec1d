"""The helper functions of the Metal shading language. Programs for it are scalar: the work items are its lanes.

Owns: their texts. Must not know when they are used. Invariant: no helper traps, or is undefined, whatever it is given.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.renderers.c.cuda_pieces import absolute
from svod.renderers.c.dialect import Maker, Piece, Prelude
from svod.renderers.c.gnu_pieces import extreme, saturated, suffix

SPACES = ("device", "threadgroup")
"""Where memory lies that work items share; a helper for each, as pointers say where they point."""


def bits(p: Prelude, src: DType, dst: DType) -> Piece:
    """The bits of a scalar as another type."""
    name, t = f"{suffix(dst)}_bits_{suffix(src)}", p.type(dst)
    return Piece(name, f"{t} {name}({p.type(src)} x) {{ return as_type<{t}>(x); }}")


def widened(p: Prelude, src: DType, dst: DType) -> Piece:
    """f16 bits as f32."""
    name = f"{suffix(dst)}_from_{suffix(src)}"
    return Piece(name, f"{p.type(dst)} {name}({p.type(src)} x) {{ return float(as_type<half>(x)); }}")


def narrowed(p: Prelude, src: DType, dst: DType) -> Piece:
    """f32 as f16 bits, rounded to nearest even."""
    name, t = f"{suffix(dst)}_from_{suffix(src)}", p.type(dst)
    return Piece(name, f"{t} {name}({p.type(src)} x) {{ return as_type<{t}>(half(x)); }}")


KINDS = ("add", "min", "max", "and", "or", "xor", "exchange")
_RELAXED = "memory_order_relaxed"


def atomic(kind: str, space: str) -> Maker:
    """A read-modify-write, in relaxed order; of floats by comparing and exchanging their bits until nobody came between."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name = p.type(d), f"atomic_{kind}_{space}_{suffix(d)}"
        head = f"{t} {name}({space} {t} *p, {t} value)"
        called = "atomic_exchange_explicit" if kind == "exchange" else f"atomic_fetch_{kind}_explicit"
        if d.is_int:
            return Piece(name, f"{head} {{ return {called}(({space} atomic_{t} *)p, value, {_RELAXED}); }}")
        q = f"({space} atomic_uint *)p"
        if kind == "exchange":
            return Piece(name, f"{head} {{ return as_type<{t}>({called}({q}, as_type<uint>(value), {_RELAXED})); }}")
        new = "a + value" if kind == "add" else f"{p.need(kind, d)}(a, value)"
        return Piece(name, f"""{head} {{
  {space} atomic_uint *q = {q};
  uint old = atomic_load_explicit(q, {_RELAXED});
  float a = as_type<float>(old);
  while (!atomic_compare_exchange_weak_explicit(q, &old, as_type<uint>({new}), {_RELAXED}, {_RELAXED})) a = as_type<float>(old);
  return a;
}}""")

    return make


def exchanged(space: str) -> Maker:
    """Exchange if the bits are those of what is expected; the old value either way. The one there is may fail for no reason."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name, u = p.type(d), f"compare_exchange_{space}_{suffix(d)}", p.type(dtypes.u32)
        return Piece(name, f"""{t} {name}({space} {t} *p, {t} expected, {t} value) {{
  const {u} wanted = as_type<{u}>(expected);
  {u} old = wanted;
  while (!atomic_compare_exchange_weak_explicit(({space} atomic_uint *)p, &old, as_type<{u}>(value), {_RELAXED}, {_RELAXED})
         && old == wanted) {{}}
  return as_type<{t}>(old);
}}""")

    return make


PIECES: dict[str, Maker] = {
    "max": extreme("max"), "min": extreme("min"), "abs": absolute, "bits": bits, "saturate": saturated, "f32_from_f16": widened,
    "f16_from_f32": narrowed, **{f"atomic_{kind}_{space}": atomic(kind, space) for kind in KINDS for space in SPACES},
    **{f"compare_exchange_{space}": exchanged(space) for space in SPACES},
}
