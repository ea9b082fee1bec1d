"""Helper functions in WGSL.

Owns: their texts. Must not know when they are used. Invariant: each is defined for all values of its operands, infinities and NaN too, and
tells NaN by its bits: compilers may take it that there are none.
"""
from __future__ import annotations

from svod.renderers.wgsl.values import ZERO

_BITS = {"f32": "u32", "f64": "u64", "i64": "u64"}
_INFINITE = {"f32": ("0x7fffffffu", "0x7f800000u"), "f64": ("0x7ffffffffffffffflu", "0x7ff0000000000000lu")}
_LIMITS = {"i32": ("-2147483648.0", "2147483648.0", "(-2147483647 - 1)", "2147483647", "0"),
           "u32": ("0.0", "4294967296.0", "0u", "4294967295u", "0u"),
           "i64": ("-9223372036854775808.0", "9223372036854775808.0", "(-9223372036854775807li - 1li)", "9223372036854775807li", "0li"),
           "u64": ("0.0", "18446744073709551616.0", "0lu", "18446744073709551615lu", "0lu")}
"""The least float that converts, the least that is too large, the least and the greatest integer, zero."""


class Prelude:
    """The helpers that a shader uses, each behind what it needs."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}

    def add(self, name: str, text: str) -> str:
        """A helper under its name."""
        self.parts.setdefault(name, text)
        return name

    def exact(self, t: str) -> str:
        """A value as it is, of which the compiler does not know how it was made.

        Compilers may contract and reassociate floats that they know: WGSL does not forbid it.
        """
        zero = ZERO if t == "f32" else f"u64({ZERO})"
        return self.add(f"exact_{t}", f"fn exact_{t}(x: {t}) -> {t} {{ return bitcast<{t}>(bitcast<{_BITS[t]}>(x) ^ {zero}); }}")

    def nan(self, t: str) -> str:
        """Whether a float is NaN."""
        size, infinite = _INFINITE[t]
        return self.add(f"nan_{t}", f"fn nan_{t}(x: {t}) -> bool {{ return (bitcast<{_BITS[t]}>(x) & {size}) > {infinite}; }}")

    def extreme(self, kind: str, t: str) -> str:
        """max or min of floats: NaN where either is, -0.0 below +0.0."""
        nan, bits, (sign, join) = self.nan(t), _BITS[t], (">", "&") if kind == "max" else ("<", "|")
        return self.add(f"{kind}_{t}", f"""fn {kind}_{t}(a: {t}, b: {t}) -> {t} {{
  let zero = bitcast<{t}>(bitcast<{bits}>(a) {join} bitcast<{bits}>(b));
  let chosen = select(select(b, a, a {sign} b), zero, a == b);
  return select(select(chosen, b, {nan}(b)), a, {nan}(a));
}}""")

    def saturate(self, t: str, to: str) -> str:
        """A float as an integer: truncated, the nearest limit where it is too large, 0 for NaN."""
        low, high, least, greatest, zero = (x + "lf" * (t == "f64") if k < 2 else x for k, x in enumerate(_LIMITS[to]))
        name = f"{to}_from_{t}"
        return self.add(name, f"""fn {name}(x: {t}) -> {to} {{
  let inside = select(select({to}(x), {greatest}, x >= {high}), {least}, x <= {low});
  return select(inside, {zero}, {self.nan(t)}(x));
}}""")

    def halved(self) -> str:
        """f32 as f16, rounded to nearest even before it is converted: how a conversion rounds is left to the device."""
        exact = self.exact("f32")
        return self.add("f16_from_f32", f"""fn f16_from_f32(x: f32) -> f16 {{
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  let normal = (size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u;
  let small = bitcast<u32>({exact}({exact}(bitcast<f32>(size)) + 0.5) - 0.5);
  let rounded = select(normal, small, size < 0x38800000u);
  let finite = select(rounded, 0x7f800000u, rounded > 0x477fe000u);
  return f16(bitcast<f32>(select(finite, size, size > 0x7f800000u) | (bits & 0x80000000u)));
}}""")

    def text(self) -> str:
        """All of them."""
        return "\n".join(self.parts.values())
