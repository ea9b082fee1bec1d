"""The helper functions of GNU C: what one operator of C does not say, for scalars and for vectors.

Owns: their texts. Must not know when they are used. Invariants: no helper traps, whatever it is given, or looks at lanes that a vector
has beyond its own; helpers of vectors say lane by lane what the compiler has no operator for, in the form that it turns into vector code.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.ir.args import AtomicKind
from svod.ir.ops import Op
from svod.renderers.c.dialect import Maker, Piece, Prelude, held, mask_of, room
from svod.renderers.c.literals import literal

EXTREMES = {"max": (">", "&"), "min": ("<", "|")}
COMBINED = {Op.ADD: "+", Op.MUL: "*", Op.AND: "&", Op.OR: "|", Op.XOR: "^"}


def suffix(d: DType) -> str:
    """How a helper for `d` is called: narrow floats by their own name, the rest by the type that holds them."""
    return repr(d.scalar if d.is_float or d.is_bool else held(d.scalar)) + (f"x{d.lanes}" if d.lanes > 1 else "")


def bits_of(d: DType) -> DType:
    """The signed integers of the same width."""
    return mask_of(8 * d.scalar.itemsize, d.lanes)


def extreme(kind: str) -> Maker:
    """max or min: NaN where either is, -0.0 below +0.0."""
    sign, join = EXTREMES[kind]

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name = p.type(d), f"{kind}_{suffix(d)}"
        head = f"{t} {name}({t} a, {t} b)"
        if not d.is_float:
            chosen = f"a {sign} b ? a : b" if d.lanes == 1 else f"{p.need('select', d)}({_compared(p, d, f'a {sign} b')}, a, b)"
            return Piece(name, f"{head} {{ return {chosen}; }}")
        b = p.type(bits_of(d))
        if d.lanes > 1:
            select = p.need("select", d)
            return Piece(name, f"""{head} {{
  {t} r = {select}({_compared(p, d, f'a {sign} b')}, a, b);
  r = {select}({_compared(p, d, 'a == b')}, ({t})(({b})a {join} ({b})b), r);
  return {select}({_compared(p, d, 'a != a')}, a, r);
}}""")
        to, back = p.need("bits", d, bits_of(d)), p.need("bits", bits_of(d), d)
        return Piece(name, f"""{head} {{
  return a != a ? a : a == b ? {back}({to}(a) {join} {to}(b)) : a {sign} b ? a : b;
}}""")

    return make


_NAMES = {"<": "less", "<=": "less_equal", "==": "equal", "!=": "unequal"}


def comparison(p: Prelude, d: DType, a: str, sign: str, b: str) -> str:
    """A comparison of vectors of `d`, as truth values as wide as its lanes."""
    if held(d).itemsize <= p.widest:
        return f"({p.type(bits_of(d))})({a} {sign} {b})"
    if sign in (">", ">="):
        a, sign, b = b, "<=" if sign == ">=" else "<", a
    return f"{p.need(_NAMES[sign], held(d).scalar.vec(d.lanes))}({a}, {b})"


def conversion(p: Prelude, text: str, src: DType, dst: DType) -> str:
    """A vector with lanes of another type."""
    if max(held(src).itemsize, held(dst).itemsize) <= p.widest:
        return f"__builtin_convertvector({text}, {p.type(dst)})"
    return f"{p.need('convert', held(src).scalar.vec(src.lanes), held(dst).scalar.vec(dst.lanes))}({text})"


def _compared(p: Prelude, d: DType, text: str) -> str:
    """The same of a text in which a literal may stand for a vector."""
    a, sign, b = text.split(" ")
    return comparison(p, d, a, sign, b if b == a or b in "ab" or held(d).itemsize <= p.widest else f"({p.type(d)}){{0}} + {b}")


def select(p: Prelude, d: DType, _: DType) -> Piece:
    """Lanes of a where the truth value is, else of b."""
    t, m, name = p.type(d), p.type(bits_of(d)), f"select_{suffix(d)}"
    return Piece(name, f"{t} {name}({m} c, {t} a, {t} b) {{ return ({t})((c & ({m})a) | (~c & ({m})b)); }}")


def absolute(p: Prelude, d: DType, _: DType) -> Piece:
    """Absolute value of an integer; the least one stays."""
    t, name = p.type(d), f"abs_{suffix(d)}"
    if d.lanes == 1:
        return Piece(name, f"{t} {name}({t} a) {{ return a < 0 ? ({t})-a : a; }}")
    return Piece(name, f"{t} {name}({t} a) {{ return {p.need('select', d)}({_compared(p, d, 'a < 0')}, -a, a); }}")


def bits(p: Prelude, src: DType, dst: DType) -> Piece:
    """The bits of a scalar as another type."""
    a, b, name = p.type(src), p.type(dst), f"{suffix(dst)}_bits_{suffix(src)}"
    return Piece(name, f"{b} {name}({a} x) {{ {b} r; __builtin_memcpy(&r, &x, sizeof r); return r; }}")


def splat(p: Prelude, d: DType, _: DType) -> Piece:
    """A vector whose lanes are all x."""
    t, name = p.type(d), f"splat_{suffix(d)}"
    xs = ", ".join("x" * room(d.lanes))
    return Piece(name, f"{t} {name}({p.type(d.scalar)} x) {{ return ({t}){{{xs}}}; }}")


def reverse(p: Prelude, d: DType, _: DType) -> Piece:
    """The lanes the other way round."""
    t, name = p.type(d), f"reverse_{suffix(d)}"
    picks = ", ".join(map(str, [*range(d.lanes - 1, -1, -1), *[-1] * (room(d.lanes) - d.lanes)]))
    return Piece(name, f"{t} {name}({t} v) {{ return __builtin_shufflevector(v, v, {picks}); }}")


def called(op: Op) -> Maker:
    """A function of scalars for each lane."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        name = f"{op.name.lower()}_{suffix(d)}"
        given = [(x, d) for x in "abc"[:3 if op is Op.MULACC else 1]]
        call = p.dialect.calls[op].format(s=p.dialect.suffixes[d.scalar.name])
        return Piece(name, lanewise(p, name, d, given, f"{call}({', '.join(f'{{{x}}}' for x, _ in given)})"))

    return make


def lanewise(p: Prelude, name: str, d: DType, given: list[tuple[str, DType]], text: str) -> str:
    """A helper that computes `text` for each lane, with {x} for that of x. The compilers turn the loop over a register into one
    instruction; vectors beyond that, whose lanes they would take apart one by one, become arrays, whose loops they make vector code of."""
    head = f"{p.type(d)} {name}({', '.join(f'{p.type(t)} {x}' for x, t in given)}) {{\n  {p.type(d)} r = {{0}};\n"
    wide = any(held(t).itemsize > p.widest for t in (d, *(t for _, t in given)))
    value = text.format(**{x: f"{x}{'s' * wide}[k]" for x, _ in given})
    arrays = "".join(f"  {p.type(t.scalar)} {x}s[{room(t.lanes)}];\n  __builtin_memcpy({x}s, &{x}, sizeof {x}s);\n"
                     for x, t in [*given, ("r", d)]) if wide else ""
    end = "  __builtin_memcpy(&r, rs, sizeof r);\n" * wide
    return f"{head}{arrays}  for (int k = 0; k < {d.lanes}; ++k) r{'s' * wide}[k] = {value};\n{end}  return r;\n}}"


def compared(sign: str, kind: str) -> Maker:
    """Truth values of a comparison of vectors beyond a register, as wide as their lanes."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        name = f"{kind}_{suffix(d)}"
        return Piece(name, lanewise(p, name, bits_of(d).scalar.vec(d.lanes), [("a", d), ("b", d)], f"-({{a}} {sign} {{b}})"))

    return make


def converted(p: Prelude, src: DType, dst: DType) -> Piece:
    """A vector beyond a register with lanes of another type."""
    name = f"{suffix(dst)}_from_{suffix(src)}"
    return Piece(name, lanewise(p, name, dst, [("a", src)], f"({p.type(dst.scalar)}){{a}}"))


def divided(sign: str, kind: str) -> Maker:
    """Quotient or remainder of the lanes that there are: what is beyond them may be zero."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        name = f"{kind}_{suffix(d)}"
        return Piece(name, lanewise(p, name, d, [("a", d), ("b", d)], f"{{a}} {sign} {{b}}"))

    return make


def below(p: Prelude, d: DType, _: DType) -> Piece:
    """Truth values of 32 bits: which lane numbers are below n."""
    lanes, t = room(d.lanes), p.type(dtypes.i32.vec(d.lanes))
    name, iota = f"below_i32x{d.lanes}", ", ".join(map(str, range(lanes)))
    mask = comparison(p, dtypes.i32.vec(d.lanes), f"({t}){{{iota}}}", "<", f"({t}){{0}} + (int)(n < 0 ? 0 : n > {lanes} ? {lanes} : n)")
    return Piece(name, f"{t} {name}(long long n) {{ return {mask}; }}")


# --- casts -------------------------------------------------------------------------------------------------------------------------

def saturated(p: Prelude, src: DType, dst: DType) -> Piece:
    """A float as an integer: truncated, at the limits where it is beyond them, 0 for NaN."""
    low, high = (_limit(x, src) for x in (int(dst.min), int(dst.max) + 1))
    name = f"{suffix(dst)}_from_{suffix(src)}"
    least, most = (literal(int(x), dst.scalar, p.dialect) for x in (dst.min, dst.max))
    s, t = p.type(src), p.type(dst)
    if src.lanes == 1:
        inside = f"x > 0 ? ({t})x : 0" if dst.is_unsigned else f"x < {low} ? {least} : x == x ? ({t})x : 0"
        return Piece(name, f"{t} {name}({s} x) {{ return x >= {high} ? {most} : {inside}; }}")
    if max(held(src).itemsize, held(dst).itemsize) > p.widest:
        one = p.need("saturate", src.scalar, dst.scalar)
        return Piece(name, lanewise(p, name, dst, [("x", src)], f"{one}({{x}})"))
    if dst.bits <= 16:
        return Piece(name, _through_i32(p, src, dst, (name, high)))
    wide, select = src.scalar.bits, p.need("select", dst)
    rows = [(f"x >= {high}", most), *([("~x > 0", "0")] if dst.is_unsigned else [(f"x < {low}", least), ("x != x", "0")])]
    lines = []
    for c, v in rows:
        mask = ("~" if c[0] == "~" else "") + _compared(p, src, c.removeprefix("~"))
        mask = mask if wide == dst.bits else conversion(p, mask, bits_of(src), bits_of(dst))
        lines.append(f"  r = {select}({mask}, ({t}){{0}} + {v}, r);")
    return Piece(name, "\n".join([f"{t} {name}({s} x) {{", f"  {t} r = {conversion(p, 'x', src, dst)};", *lines, "  return r;", "}"]))


def _through_i32(p: Prelude, src: DType, dst: DType, given: tuple[str, str]) -> str:
    """The limits of narrow integers are exact floats: clamped first, then converted."""
    name, _ = given
    s, t, select = p.type(src), p.type(dst), p.need("select", src)
    low, high = _limit(int(dst.min), src), _limit(int(dst.max), src)
    return f"""{t} {name}({s} x) {{
  x = {select}({_compared(p, src, f'x < {low}')}, ({s}){{0}} + {low}, x);
  x = {select}({_compared(p, src, f'x > {high}')}, ({s}){{0}} + {high}, x);
  x = {select}({_compared(p, src, 'x != x')}, ({s}){{0}}, x);
  return __builtin_convertvector(__builtin_convertvector(x, {p.type(dtypes.i32.vec(dst.lanes))}), {t});
}}"""


def _limit(x: int, src: DType) -> str:
    return f"{float(x)!r}{'f' if src.scalar is dtypes.f32 else ''}"


def widened(p: Prelude, src: DType, dst: DType) -> Piece:
    """f16 bits as f32."""
    name, t, s = f"{suffix(dst)}_from_{suffix(src)}", p.type(dst), p.type(src)
    if src.lanes == 1:
        i, f = p.type(dtypes.i16.vec(8)), p.type(dtypes.f32.vec(4))  # by an instruction: _Float16 would be compared as such, by a library
        return Piece(name, f"""{t} {name}({s} x) {{
#if defined(__F16C__) && !defined(__clang__)
  {f} r = __builtin_ia32_vcvtph2ps(({i}){{(short)x}});
  return r[0];
#else
  _Float16 h;
  __builtin_memcpy(&h, &x, sizeof h);
  return h;
#endif
}}""")
    one = p.need("f32_from_f16", src.scalar, dst.scalar)
    i = p.type(dtypes.i16.vec(src.lanes))
    special = {8: f"__builtin_ia32_vcvtph2ps256(({i})x)", 16: f"__builtin_ia32_vcvtph2ps512_mask(({i})x, ({t}){{0}}, -1, 4)"}
    return Piece(name, f"{t} {name}({s} x) {{\n{_special(special, src.lanes)}  {t} r;\n"
                       f"  for (int k = 0; k < {room(src.lanes)}; ++k) r[k] = {one}(x[k]);\n  return r;\n{_end(special, src.lanes)}}}")


def narrowed(p: Prelude, src: DType, dst: DType) -> Piece:
    """f32 as f16 bits, rounded to nearest even."""
    name, t, s = f"{suffix(dst)}_from_{suffix(src)}", p.type(dst), p.type(src)
    if src.lanes == 1:
        i, f = p.type(dtypes.i16.vec(8)), p.type(dtypes.f32.vec(4))
        return Piece(name, f"""{t} {name}({s} x) {{
#if defined(__F16C__) && !defined(__clang__)
  {i} h = __builtin_ia32_vcvtps2ph(({f}){{x}}, 0);
  return ({t})h[0];
#else
  _Float16 h = (_Float16)x;
  {t} r;
  __builtin_memcpy(&r, &h, sizeof r);
  return r;
#endif
}}""")
    one = p.need("f16_from_f32", src.scalar, dst.scalar)
    i = p.type(dtypes.i16.vec(src.lanes))
    special = {8: f"({t})__builtin_ia32_vcvtps2ph256(x, 0)", 16: f"({t})__builtin_ia32_vcvtps2ph512_mask(x, 0, ({i}){{0}}, -1)"}
    return Piece(name, f"{t} {name}({s} x) {{\n{_special(special, src.lanes)}  {t} r;\n"
                       f"  for (int k = 0; k < {room(src.lanes)}; ++k) r[k] = {one}(x[k]);\n  return r;\n{_end(special, src.lanes)}}}")


def _special(forms: dict[int, str], lanes: int) -> str:
    feature = {8: "__F16C__", 16: "__AVX512F__"}.get(lanes)
    return f"#if defined({feature}) && !defined(__clang__)\n  return {forms[lanes]};\n#else\n" if feature else ""


def _end(forms: dict[int, str], lanes: int) -> str:
    return "#endif\n" if lanes in forms else ""


# --- memory ------------------------------------------------------------------------------------------------------------------------

def _pointer(p: Prelude, d: DType, *, const: bool) -> str:
    return f"{'const ' if const else ''}{p.type(d.scalar)} *p"


def load(p: Prelude, d: DType, _: DType) -> Piece:
    """Lanes that lie one after the other."""
    t, name = p.type(d), f"load_{suffix(d)}"
    size = "sizeof v" if d.lanes == room(d.lanes) else str(d.itemsize)
    start = "" if d.lanes == room(d.lanes) else " = {0}"
    return Piece(name, f"{t} {name}({_pointer(p, d, const=True)}) {{ {t} v{start}; __builtin_memcpy(&v, p, {size}); return v; }}")


def store(p: Prelude, d: DType, _: DType) -> Piece:
    """Lanes put one after the other."""
    t, name = p.type(d), f"store_{suffix(d)}"
    return Piece(name, f"void {name}({_pointer(p, d, const=False)}, {t} v) {{ __builtin_memcpy(p, &v, {d.itemsize}); }}")


def _arrays(p: Prelude, *given: tuple[str, DType]) -> str:
    """The vectors as arrays, whose loops become vector code with a mask."""
    return "".join(f"  {p.type(d.scalar)} {x}s[{room(d.lanes)}]; __builtin_memcpy({x}s, &{x}, sizeof {x}s);\n" for x, d in given)


def load_where(p: Prelude, d: DType, m: DType) -> Piece:
    """Lanes that lie one after the other, where the truth value is; of `other` elsewhere."""
    t, name = p.type(d), f"load_where_{suffix(d)}_{suffix(m)}"
    return Piece(name, f"""{t} {name}({_pointer(p, d, const=True)}, {p.type(m)} c, {t} other) {{
{_arrays(p, ('c', m), ('other', d))}  for (int k = 0; k < {d.lanes}; ++k) others[k] = cs[k] ? p[k] : others[k];
  __builtin_memcpy(&other, others, sizeof other);
  return other;
}}""")


def store_where(p: Prelude, d: DType, m: DType) -> Piece:
    """Lanes put one after the other, where the truth value is."""
    t, name = p.type(d), f"store_where_{suffix(d)}_{suffix(m)}"
    return Piece(name, f"""void {name}({_pointer(p, d, const=False)}, {p.type(m)} c, {t} v) {{
{_arrays(p, ('c', m), ('v', d))}  for (int k = 0; k < {d.lanes}; ++k) if (cs[k]) p[k] = vs[k];
}}""")


def gather(p: Prelude, d: DType, i: DType) -> Piece:
    """Lanes from anywhere."""
    t, name = p.type(d), f"gather_{suffix(d)}_{suffix(i)}"
    return Piece(name, f"""{t} {name}({_pointer(p, d, const=True)}, {p.type(i)} at) {{
  {t} v = {{0}};
{_arrays(p, ('at', i), ('v', d))}  for (int k = 0; k < {d.lanes}; ++k) vs[k] = p[ats[k]];
  __builtin_memcpy(&v, vs, sizeof v);
  return v;
}}""")


def scatter(p: Prelude, d: DType, i: DType) -> Piece:
    """Lanes put anywhere."""
    t, name = p.type(d), f"scatter_{suffix(d)}_{suffix(i)}"
    return Piece(name, f"""void {name}({_pointer(p, d, const=False)}, {p.type(i)} at, {t} v) {{
{_arrays(p, ('at', i), ('v', d))}  for (int k = 0; k < {d.lanes}; ++k) p[ats[k]] = vs[k];
}}""")


def gather_where(p: Prelude, d: DType, i: DType) -> Piece:
    """Lanes from anywhere, where the truth value is (of 64 bits); of `other` elsewhere."""
    t, name, m = p.type(d), f"gather_where_{suffix(d)}_{suffix(i)}", bits_of(i)
    return Piece(name, f"""{t} {name}({_pointer(p, d, const=True)}, {p.type(i)} at, {p.type(m)} c, {t} other) {{
{_arrays(p, ('at', i), ('c', m), ('other', d))}  for (int k = 0; k < {d.lanes}; ++k) others[k] = cs[k] ? p[ats[k]] : others[k];
  __builtin_memcpy(&other, others, sizeof other);
  return other;
}}""")


def scatter_where(p: Prelude, d: DType, i: DType) -> Piece:
    """Lanes put anywhere, where the truth value is (of 64 bits)."""
    t, name, m = p.type(d), f"scatter_where_{suffix(d)}_{suffix(i)}", bits_of(i)
    return Piece(name, f"""void {name}({_pointer(p, d, const=False)}, {p.type(i)} at, {p.type(m)} c, {t} v) {{
{_arrays(p, ('at', i), ('c', m), ('v', d))}  for (int k = 0; k < {d.lanes}; ++k) if (cs[k]) p[ats[k]] = vs[k];
}}""")


# --- lanes, atomics ----------------------------------------------------------------------------------------------------------------

def lanes(op: Op) -> Maker:
    """All lanes combined, by halves: in the same order everywhere."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, s, name = p.type(d), p.type(d.scalar), f"lanes_{op.name.lower()}_{suffix(d)}"
        n, v, lines, odd = d.lanes, "v", [], list[str]()
        while n > 3:
            if n % 2:
                odd.append(f"{v}[{n - 1}]")
            n //= 2
            half, spare = d.scalar.vec(n), [-1] * (room(n) - n)
            parts = [f"__builtin_shufflevector({v}, {v}, {', '.join(map(str, [*range(at, at + n), *spare]))})" for at in (0, n)]
            v = f"v{n}"
            lines.append(f"  {p.type(half)} {v} = {_joined(p, op, half, parts)};")
        total = _joined(p, op, d.scalar, [f"{v}[0]", f"{v}[1]"])
        for lane in [*odd, *[f"{v}[2]"] * (n == 3)]:
            total = _joined(p, op, d.scalar, [total, lane])
        return Piece(name, "\n".join([f"{s} {name}({t} v) {{", *lines, f"  return {total};", "}"]))

    return make


def _joined(p: Prelude, op: Op, d: DType, parts: list[str]) -> str:
    if (sign := COMBINED.get(op)) is not None:
        return f"{parts[0]} {sign} {parts[1]}" if d.lanes > 1 else f"({p.type(d)})({parts[0]} {sign} {parts[1]})"
    return f"{p.need(op.name.lower(), d)}({parts[0]}, {parts[1]})"


def atomic(kind: AtomicKind) -> Maker:
    """A read-modify-write that the processor has no instruction for: tried until nobody came between."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        t, name = p.type(d), f"atomic_{kind.value}_{suffix(d)}"
        u = p.type(bits_of(d)) if d in (dtypes.f32, dtypes.f64) else t
        new = _combined(p, kind, d)
        return Piece(name, f"""{t} {name}({t} *p, {t} value) {{
  {u} old, next;
  __atomic_load(({u} *)p, &old, __ATOMIC_SEQ_CST);
  do {{
    {t} a, r;
    __builtin_memcpy(&a, &old, sizeof a);
    r = {new};
    __builtin_memcpy(&next, &r, sizeof next);
  }} while (!__atomic_compare_exchange(({u} *)p, &old, &next, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  {t} found;
  __builtin_memcpy(&found, &old, sizeof found);
  return found;
}}""")

    return make


def _combined(p: Prelude, kind: AtomicKind, d: DType) -> str:
    """The new value from `a` and `value`."""
    c = d
    a, b = "a", "value"
    if d is dtypes.f16:
        c, wide = dtypes.f32, p.need("f32_from_f16", d, dtypes.f32)
        a, b = f"{wide}(a)", f"{wide}(value)"
    text = f"{a} + {b}" if kind is AtomicKind.ADD else f"{p.need(kind.value, c)}({a}, {b})"
    return f"{p.need('f16_from_f32', c, d)}({text})" if c is not d else text


def exchanged(p: Prelude, d: DType, _: DType) -> Piece:
    """Exchange if the bits are those of what is expected; the old value either way."""
    t, name = p.type(d), f"compare_exchange_{suffix(d)}"
    u = p.type(bits_of(d))
    return Piece(name, f"""{t} {name}({t} *p, {t} expected, {t} value) {{
  __atomic_compare_exchange(({u} *)p, ({u} *)&expected, ({u} *)&value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}}""")


def swapped(p: Prelude, d: DType, _: DType) -> Piece:
    """Exchange, whatever the bits are."""
    t, name = p.type(d), f"atomic_exchange_{suffix(d)}"
    u = p.type(bits_of(d))
    return Piece(name, f"""{t} {name}({t} *p, {t} value) {{
  {t} old;
  __atomic_exchange(({u} *)p, ({u} *)&value, ({u} *)&old, __ATOMIC_SEQ_CST);
  return old;
}}""")


PIECES: dict[str, Maker] = {
    "max": extreme("max"), "min": extreme("min"), "select": select, "abs": absolute, "bits": bits, "splat": splat,
    "reverse": reverse, "below": below,
    "saturate": saturated, "f32_from_f16": widened, "f16_from_f32": narrowed,
    "convert": converted,
    **{name: compared(sign, name) for sign, name in _NAMES.items()},
    "div": divided("/", "div"), "mod": divided("%", "mod"),
    "load": load, "store": store, "load_where": load_where, "store_where": store_where, "gather": gather, "scatter": scatter,
    "gather_where": gather_where, "scatter_where": scatter_where, "compare_exchange": exchanged, "atomic_exchange": swapped,
    **{f"atomic_{k.value}": atomic(k) for k in (AtomicKind.ADD, AtomicKind.MIN, AtomicKind.MAX)},
    **{op.name: called(op) for op in (Op.SQRT, Op.TRUNC, Op.FLOOR, Op.CEIL, Op.RINT, Op.ABS, Op.MULACC)},
    **{f"lanes_{op.name}": lanes(op) for op in (*COMBINED, Op.MAX, Op.MIN)},
}
