"""PRINT and ASSERT as LLVM text: a line put together on the stack and written at once; a record of the first work item that fails.

Owns: how values are spelled at run time, the layout of the record `failed`. Must not know what reads the record.
Invariants: a line goes out in one write, before the work item goes on; of many work items that fail one writes the record, whole.

Lines go to file descriptor 1, not through C's stdout: flushing that for every line means flushing all streams, which waits for whoever
reads standard input meanwhile. The record is i64s: 0, or 1 while it is written, or 2; the number of the ASSERT; those of the group and of
the work item in it; the values, each in the low bits of a word.
"""
from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from svod.dtype import DType, dtypes
from svod.errors import UnsupportedError
from svod.ir.message import LINEAR_OPERANDS, Assertion, line
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.llvm.types import value_type

if TYPE_CHECKING:
    from svod.renderers.llvm.function import Body

RECORD = "failed"
"""The symbol of the record."""
HEAD = 4
"""Words of the record before the values."""
MOST_BYTES = 16 << 10
"""The longest line, and its line break: it is put together on the stack of whichever thread runs the kernel."""
FLOAT_BYTES = 40
"""Room for the text of a float: at most 25 characters, and what longer ones take that are tried on the way."""

_WRITE = """define internal void @svod.write(ptr %text, i64 %size) nounwind noinline {
entry:
  br label %more
more:
  %done = phi i64 [ 0, %entry ], [ %next, %wrote ]
  %at = getelementptr i8, ptr %text, i64 %done
  %left = sub i64 %size, %done
  %n = call i64 @write(i32 1, ptr %at, i64 %left)
  %ok = icmp sgt i64 %n, 0
  br i1 %ok, label %wrote, label %end
wrote:
  %next = add i64 %done, %n
  %short = icmp slt i64 %next, %size
  br i1 %short, label %more, label %end
end:
  ret void
}
"""
_FLOAT = """define internal void @svod.float(ptr %out, double %x, i1 %single) nounwind noinline {
entry:
  %nan = fcmp uno double %x, %x
  br i1 %nan, label %isnan, label %try
isnan:
  store i32 7233902, ptr %out, align 1
  ret void
try:
  %p = phi i32 [ 0, %entry ], [ %p1, %again ]
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %out, i64 40, ptr @svod.e, i32 %p, double %x)
  %y = call double @strtod(ptr %out, ptr null)
  %x4 = fptrunc double %x to float
  %y4 = fptrunc double %y to float
  %same8 = fcmp oeq double %x, %y
  %same4 = fcmp oeq float %x4, %y4
  %same = select i1 %single, i1 %same4, i1 %same8
  %last = icmp uge i32 %p, 16
  %found = or i1 %same, %last
  br i1 %found, label %digits, label %again
again:
  %p1 = add i32 %p, 1
  br label %try
digits:
  %a = call double @llvm.fabs.f64(double %y)
  %big = fcmp oge double %a, 0x4341C37937E08000
  %small = fcmp olt double %a, 0x3F1A36E2EB1C432D
  %some = fcmp one double %a, 0.0
  %tiny = and i1 %small, %some
  %scientific = or i1 %big, %tiny
  br i1 %scientific, label %end, label %plain
plain:
  %e = call ptr @strchr(ptr %out, i32 101)
  %e1 = getelementptr i8, ptr %e, i64 1
  %exponent = call i64 @strtol(ptr %e1, ptr null, i32 10)
  %exponent4 = trunc i64 %exponent to i32
  %behind = sub i32 %p, %exponent4
  %one = icmp sgt i32 %behind, 1
  %decimals = select i1 %one, i32 %behind, i32 1
  %m = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %out, i64 40, ptr @svod.f, i32 %decimals, double %y)
  br label %end
end:
  ret void
}
"""
_SNPRINTF = "declare i32 @snprintf(ptr, i64, ptr, ...)"
_FOR_FLOATS = {
    _SNPRINTF, _FLOAT, "declare double @strtod(ptr, ptr)", "declare ptr @strchr(ptr, i32)", "declare i64 @strtol(ptr, ptr, i32)",
    "declare double @llvm.fabs.f64(double)", '@svod.e = private unnamed_addr constant [5 x i8] c"%.*e\\00"',
    '@svod.f = private unnamed_addr constant [5 x i8] c"%.*f\\00"'}


def record_words(linear: UOp) -> int:
    """Words of the record that a program needs: none without an ASSERT."""
    return max((HEAD + len(u.src) - LINEAR_OPERANDS for u in linear.src if u.op is Op.ASSERT), default=0)


def record(words: int) -> str:
    """The global that holds it."""
    return f"@{RECORD} = dso_local global [{words} x i64] zeroinitializer, align 64\n"


# --- PRINT -------------------------------------------------------------------------------------------------------------------------

def print_(body: Body, u: UOp) -> None:
    """Puts the line together and writes it. UnsupportedError for one that is longer than MOST_BYTES.

    What that takes of the stack is given back at once: a kernel may have any number of PRINTs."""
    stack = body.let(body.call("ptr", "llvm.stacksave.p0", []))
    parts = line(u.arg.text).split("{}")
    form, room, args = b"", 1, []
    for k, part in enumerate(parts):
        plain = part.encode("utf-8", "surrogatepass")
        form += plain.replace(b"%", b"%%").replace(b"\0", b"%c")
        args += ["i32 0"] * plain.count(0)
        room += len(plain)
        if k < len(u.src):
            conversion, most, arg = _spelled(body, u.src[k])
            form, room = form + conversion, room + most
            args.append(arg)
    body.declarations |= {_SNPRINTF, _WRITE, "declare i64 @write(i32, ptr, i64)"}
    if room > MOST_BYTES:
        raise UnsupportedError(f"a line of up to {room} characters is too long to be printed on the CPU, which takes {MOST_BYTES}",
                               at=line(u.arg.text)[:40], hint="print it in parts")
    text = _room(body, room)
    given = ", ".join([f"ptr {text}", f"i64 {room}", f"ptr {_constant(body, form)}", *args])
    size = body.let(f"call i32 (ptr, i64, ptr, ...) @snprintf({given})")
    body.do(f"call void @svod.write(ptr {text}, i64 {body.let(f'sext i32 {size} to i64')})")
    body.do(body.call("void", "llvm.stackrestore.p0", [("ptr", stack)]))


def _spelled(body: Body, value: UOp) -> tuple[bytes, int, str]:
    """The conversion for a value, the most characters that it gives, the argument."""
    dtype, name = value.dtype, body.name(value)
    if dtype.is_bool:
        words = ", ".join(f"ptr {_constant(body, w)}" for w in (b"True", b"False"))
        return b"%s", 5, f"ptr {body.let(f'select i1 {name}, {words}')}"
    if dtype.is_float:
        return b"%s", FLOAT_BYTES, f"ptr {_float(body, dtype, name)}"
    signed = dtype.min < 0
    wide = name if dtype.bits == 64 else body.let(f"{'sext' if signed else 'zext'} {value_type(dtype)} {name} to i64")
    return b"%lld" if signed else b"%llu", 20, f"i64 {wide}"


def _float(body: Body, dtype: DType, name: str) -> str:
    """Where the text of a float will stand."""
    if dtype not in (dtypes.f32, dtypes.f64):
        raise UnsupportedError(f"PRINT of {dtype} is not available on the CPU", hint="print the f32 of that value")
    body.declarations |= _FOR_FLOATS
    out = _room(body, FLOAT_BYTES)
    wide = body.let(f"fpext float {name} to double") if dtype is dtypes.f32 else name
    body.do(f"call void @svod.float(ptr {out}, double {wide}, i1 {'true' if dtype is dtypes.f32 else 'false'})")
    return out


def _room(body: Body, size: int) -> str:
    """Bytes on the stack."""
    return body.let(f"alloca [{size} x i8], align 16", "text")


def _constant(body: Body, text: bytes) -> str:
    """A C string, one of a kind in its module."""
    name = f"@svod.text.{blake2b(text, digest_size=8).hexdigest()}"
    spelled = "".join(chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\{c:02X}" for c in text)
    body.declarations.add(f'{name} = private unnamed_addr constant [{len(text) + 1} x i8] c"{spelled}\\00"')
    return name


# --- ASSERT ------------------------------------------------------------------------------------------------------------------------

def assert_(body: Body, u: UOp) -> None:
    """Where the condition does not hold: the first one to come writes the record, and everybody goes on."""
    condition, *where = u.src
    body.fresh += 1
    n = body.fresh
    body.do(f"br i1 {body.name(condition)}, label %holds{n}, label %fails{n}")
    body.label(f"fails{n}")
    first = body.let(f"extractvalue {{ i64, i1 }} {body.let(f'cmpxchg ptr @{RECORD}, i64 0, i64 1 acquire monotonic, align 8')}, 1")
    body.do(f"br i1 {first}, label %tells{n}, label %holds{n}")
    body.label(f"tells{n}")
    words = [str(Assertion.of(u, LINEAR_OPERANDS).number), *(_word(body, s) for s in where)]
    for k, w in enumerate(words, 1):
        at = body.let(f"getelementptr inbounds i64, ptr @{RECORD}, i64 {k}", "p")
        body.do(f"store i64 {w}, ptr {at}, align 8")
    body.do(f"store atomic i64 2, ptr @{RECORD} release, align 8")
    body.do(f"br label %holds{n}")
    body.label(f"holds{n}")


def _word(body: Body, value: UOp) -> str:
    """The bits of a value in an i64."""
    name, t = body.name(value), value_type(value.dtype)
    if not t.startswith("i"):
        bits = f"i{value.dtype.bits}"
        name, t = body.let(f"bitcast {t} {name} to {bits}"), bits
    return name if t == "i64" else body.let(f"zext {t} {name} to i64")
