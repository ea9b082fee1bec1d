"""PRINT and ASSERT in C: a line put together on the stack and written at once; a record of the first work item that fails.

Owns: how values are spelled at run time. The layout of the record and the limits are those of svod/renderers/llvm/messages.py, whose
reader they share. Invariants: a line goes out in one write, before the work item goes on; of many work items that fail one writes the
record, whole.
"""
from __future__ import annotations

from svod.dtype import dtypes
from svod.errors import UnsupportedError
from svod.ir.message import LINEAR_OPERANDS, Assertion, line
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c.dialect import Prelude
from svod.renderers.c.function import HANDLERS, Body
from svod.renderers.expr import MEMORY, Expr
from svod.renderers.llvm.messages import FLOAT_BYTES, MOST_BYTES, RECORD

_LIBRARY = """int snprintf(char *, unsigned long, const char *, ...);
long write(int, const void *, unsigned long);
static __attribute__((noinline)) void write_line(const char *text, long size) {
  for (long n; size > 0 && (n = write(1, text, size)) > 0; size -= n) text += n;
}"""
_FLOAT = f"""double strtod(const char *, char **);
long strtol(const char *, char **, int);
char *strchr(const char *, int);
static __attribute__((noinline)) char *spell_float(char *out, double x, int single) {{
  int digits = 0;
  double y = x;
  if (x != x) return __builtin_memcpy(out, "nan", 4);
  for (;; ++digits) {{
    snprintf(out, {FLOAT_BYTES}, "%.*e", digits, x);
    y = strtod(out, 0);
    if ((single ? (float)x == (float)y : x == y) || digits >= 16) break;
  }}
  double size = __builtin_fabs(y);
  if (size >= 1e16 || (size < 1e-4 && size > 0)) return out;
  if (!__builtin_isfinite(y)) return out;
  long behind = digits - strtol(strchr(out, 'e') + 1, 0, 10);
  snprintf(out, {FLOAT_BYTES}, "%.*f", (int)(behind > 1 ? behind : 1), y);
  return out;
}}"""


def record(words: int) -> str:
    """The variable that holds what a failed ASSERT has to say."""
    return f"__attribute__((aligned(64))) unsigned long long {RECORD}[{words}] = {{0}};\n"


def print_(body: Body, u: UOp) -> None:
    """Puts the line together and writes it. UnsupportedError for one that is longer than MOST_BYTES."""
    given = [body.value(s) for s in u.src]
    body.settle(MEMORY)
    body.prelude.add("write_line", _LIBRARY)
    form, room, args, floats = "", 1, [], 0
    for k, part in enumerate(line(u.arg.text).split("{}")):
        plain = part.encode("utf-8", "surrogatepass")
        form += "".join("%%" if c == 37 else "%c" if c == 0 else _character(c) for c in plain)
        args += ["0"] * plain.count(0)
        room += len(plain)
        if k < len(given):
            conversion, most, arg = _spelled(body.prelude, u.src[k], given[k], floats)
            form, room, floats = form + conversion, room + most, floats + (most == FLOAT_BYTES)
            args.append(arg)
    if room > MOST_BYTES:
        raise UnsupportedError(f"a line of up to {room} characters is too long to be printed on the CPU, which takes {MOST_BYTES}",
                               at=line(u.arg.text)[:40], hint="print it in parts")
    body.open("")
    body.do(f"char line[{room}];")
    if floats:
        body.do(f"char numbers[{floats}][{FLOAT_BYTES}];")
    body.do(f'write_line(line, snprintf({", ".join(["line", str(room), chr(34) + form + chr(34), *args])}));')
    body.close()


def _character(c: int) -> str:
    """A byte of a string literal."""
    return chr(c) if 32 <= c < 127 and c not in b'"\\?' else f"\\{c:03o}"


def _spelled(p: Prelude, u: UOp, e: Expr, floats: int) -> tuple[str, int, str]:
    """The conversion for a value, the most characters that it gives, the argument."""
    dtype = u.dtype
    if dtype.is_bool:
        return "%s", 5, f'{e.at(4)} ? "True" : "False"'
    if dtype.is_float:
        if dtype not in (dtypes.f32, dtypes.f64):
            raise UnsupportedError(f"PRINT of {dtype} is not available on the CPU", hint="print the f32 of that value")
        p.add("spell_float", _FLOAT)
        return "%s", FLOAT_BYTES, f"spell_float(numbers[{floats}], {e.text}, {int(dtype is dtypes.f32)})"
    return ("%lld", 20, f"(long long){e.at(14)}") if dtype.min < 0 else ("%llu", 20, f"(unsigned long long){e.at(14)}")


def assert_(body: Body, u: UOp) -> None:
    """Where the condition does not hold: the first one to come writes the record, and everybody goes on."""
    condition, *given = [body.value(s) for s in u.src]
    body.settle(MEMORY)
    number = Assertion.of(u, LINEAR_OPERANDS).number
    words = [f"{number}ULL", *(bits_of(body.prelude, s, e) for s, e in zip(u.src[1:], given, strict=True))]
    free = f"__sync_bool_compare_and_swap(&{RECORD}[0], 0ULL, 1ULL)"
    body.open(f"if (!{condition.at(14)} && {free})")
    for k, w in enumerate(words, 1):
        body.do(f"{RECORD}[{k}] = {w};")
    body.do(f"__atomic_store_n(&{RECORD}[0], 2ULL, __ATOMIC_RELEASE);")
    body.close()


def bits_of(p: Prelude, u: UOp, e: Expr) -> str:
    """The bits of a value, none beyond them."""
    d = u.dtype
    if d in (dtypes.f32, dtypes.f64):
        bits = dtypes.u32 if d is dtypes.f32 else dtypes.u64
        return f"{p.need('bits', d, bits)}({e.text})"
    if d.is_int and not d.is_unsigned and d.bits < 64:  # the bits alone, not the sign before them
        return f"({p.type(dtypes.parse(f'u{d.bits}'))}){e.at(14)}"
    return e.text


HANDLERS |= {Op.PRINT: print_, Op.ASSERT: assert_}
