"""GNU C, as gcc and clang compile it: the table of the CC device.

Owns: the spellings, and the words of the language. The helper functions are in gnu_pieces.py. Must not know what is rendered.
Invariant: nothing is included, so that a kernel takes no longer to compile than its own text; what is used of a library is declared.
"""
from __future__ import annotations

from svod.ir.ops import Op
from svod.renderers.c.dialect import Dialect
from svod.renderers.c.gnu_pieces import PIECES

_WORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long register restrict
return short signed sizeof static struct switch typedef union unsigned void volatile while alignas alignof bool constexpr false nullptr
static_assert thread_local true typeof typeof_unqual asm linux unix i386 main entry reach failed args core phase shared scratch
INLINE NULL write snprintf strtod strtol strchr"""

TYPES = {
    "bool": "unsigned char", "i8": "signed char", "i16": "short", "i32": "int", "i64": "long long", "u8": "unsigned char",
    "u16": "unsigned short", "u32": "unsigned int", "u64": "unsigned long long", "f32": "float", "f64": "double",
}
CALLS = {
    Op.SQRT: "__builtin_sqrt{s}", Op.TRUNC: "__builtin_trunc{s}", Op.FLOOR: "__builtin_floor{s}", Op.CEIL: "__builtin_ceil{s}",
    Op.RINT: "__builtin_rint{s}", Op.ABS: "__builtin_fabs{s}", Op.MULACC: "__builtin_fma{s}",
}
GNU_C = Dialect(
    "C",
    TYPES,
    frozenset(_WORDS.split()),
    vector="typedef {scalar} {name} __attribute__((vector_size({bytes})));",
    helper="INLINE",
    kernel="static void",
    restrict="restrict",
    pieces=PIECES,
    calls=CALLS,
    suffixes={"f32": "f", "f64": ""},
    infinity="__builtin_inf{s}()",
    nan='__builtin_nan{s}("")',
    wraps=True,
    opening="#define INLINE static inline __attribute__((always_inline))",
)
"""To be compiled with -fwrapv -ffp-contract=off -fno-strict-aliasing, and without -ffast-math."""
