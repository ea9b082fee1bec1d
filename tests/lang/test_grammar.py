"""Every kind of node of Python's grammar: what it does in a kernel is what it does in Python, or it is refused by name; none is dropped."""
from __future__ import annotations

import ast
import linecache
import re
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import KernelError
from svod.lang.expressions import EXPRESSIONS
from svod.lang.statements import STATEMENTS

MORE = """\
import math
import numpy as np
TABLE, WORDS = [1.0, 2.0], {"a": 3.0}
def fact(k):
    return 1 if k == 0 else k * fact(k - 1)
def gen(v):
    yield v
def gen2(v):
    yield from [v]
async def later(v):
    await v
def many(a, /, b, *rest, c=1.0, **more):
    return a + 2 * b + 3 * sum(rest) + 4 * c + 5 * sum(more.values())
class Text:
    ONE = 1
"""
X, N = [2.0, -1.0, 3.0, 0.5], 3

DONE = """
r[0] = 1
---
a = b = x[0]; r[0] = a + b
---
(a, [b, *c]), d = (x[0], [x[1], 2.0, 3.0]), n; r[0] = a + b * 2 + c[0] + c[1] + d
---
a, *b = x[0], 1, 2; *c, d = [n, 5]; r[0] = a + sum([*b]) + c[0] + d
---
y = x[0]; y += 1; y -= x[1]; y *= 3; y /= 2; r[0] = y; r[1] += y; r[2] = 9; r[2] //= 2; r[3] = 7; r[3] %= 4
---
y = n; y **= 2; y <<= 2; y >>= 1; y |= 64; y &= 0x5F; y ^= 5; r[0] = y
---
y = [x[0], 1.0]; y[0] += 2; d = {'a': n}; d['a'] *= 2; d['b'] = 1; r[0] = y[0] + d['a'] + d['b']
---
y: float = 1; z: int; w: 'float' = x[0]; r[0] = y + w
---
y = [1.0]; y[0]: float = 2.0; r[0] = y[0]
---
y = 1; z = [1, 2, 3]; w = {'a': 1, 'b': 2}; u = v = 1; del y, z[0], w['a']; del (u, v); r[0] = sum(z) + len(w)
---
for i in range(n): r[i] = i
else: r[3] = 7
---
for i in range(n):
    if x[i] > 2: break
    if x[i] < 0: continue
    r[i] = x[i]
else:
    r[3] = 7
---
for k, (a, b) in enumerate([(1, x[0]), (2, x[1])]): r[k] = a * b
else: r[2] = 4
---
for name in WORDS: r[0] = WORDS[name]
for c in 'ab': r[1] = r[1] + (1 if c == 'a' else 10)
---
k = 0
while k < n: k += 1
r[0] = k
---
k = 0
while k < 3: k += 1
else: k += 10
r[0] = k
---
k = 0
while True:
    k += 1
    if k > n: break
r[0] = k
---
if n > 5: r[0] = 1
elif n > 2: r[0] = 2
else: r[0] = 3
---
if 1 > 2: raise ValueError('never')
if 1 > 2: raise ValueError from KeyError()
r[0] = 1
---
assert n > 0; assert n > 0, 'text'; assert 2 > 1, 'text'; r[0] = 1
---
import math, os.path as p, os.path; r[0] = math.pi + len(p.sep) + len(os.path.sep)
---
from math import pi, e as euler; r[0] = pi + euler
---
global TABLE; r[0] = TABLE[0]
---
y = x[0]
def f():
    nonlocal y
    y = y + 1
f(); r[0] = y
---
def f(a, b=2.0, /, *c, d=x[0], **e): return a + b + sum(c) + d + e['z']
r[0] = f(x[1], 3, 4, z=5)
---
def f(v):
    if v > 0: return v
    return -v
r[0] = f(x[0])
---
def f(v): return v, v + 1
r[0], r[1] = f(x[0])
---
'text'; ...; pass; sum([1, 2]); r[0] = 1
---
if n > 2:
    r[0] = 1
    return
r[0] = 2
---
r[0] = 1 if n > 0 and x[0] > 0 or n < 0 else 2; r[1] = n and x[0]; r[2] = 0 or x[1]; r[3] = not n
---
r[0] = (y := x[0]) + y; r[1] = sum([z := k + 1 for k in range(3)]) + z
---
r[0] = x[0] + x[1] - 3; r[1] = x[0] * x[2] / 7; r[2] = x[2] // 2 + x[2] % 2; r[3] = x[0] ** 3
---
r[0] = (n << 2) + (n >> 1) + (n & 6) + (n | 8) + (n ^ 5); r[1] = [1, 2][1] @ np.float64(1) if False else 1
---
r[0] = -x[0]; r[1] = +x[1]; r[2] = ~n; r[3] = not x[0]
---
r[0] = (lambda v, w=2, *u, k=1, **m: v + w + sum(u) + k + m['q'])(x[0], 3, 4, k=5, q=6)
---
r[0] = 1 if n > 5 else 2 if x[0] > 0 else 3
---
r[0] = {'a': x[0], **{'b': x[1], 'a': 5.0}}['a'] + len({1: 2, **{}}) + {(1, 2): 3}[1, 2]
---
r[0] = len({1, 2, *[2, 3]}) + (2 in {1, 2})
---
r[0] = sum([x[i] for i in range(3)]) + sum([i * j for i in range(3) if i for j in range(i) if j if i != j])
---
r[0] = len({i % 2 for i in range(4)}) + {i: x[i] for i in range(3) if i}[1] + sum(x[i] for i in range(3))
---
r[0] = (0 < n < 5) + 2 * (n != 3) + 4 * (n == 3) + 8 * (n >= 3) + 16 * (n <= 2) + 32 * (1 < 2 < 3)
---
r[0] = (n is None) + 2 * (n is not None) + 4 * (2 in [1, 2]) + 8 * (2 not in [1, 2])
r[1] = 16 * ('a' in WORDS) + 32 * (n in (1, 3)) + 64 * (n not in (1, 3))
---
r[0] = many(x[0], x[1]); r[1] = many(*[1, 2], *(3, 4), c=5, **{'d': 6, 'e': 7}); r[2] = many(1, b=2, **{})
---
r[0] = len(f'a{1}{2.5:>8.2f}{"b"!r}{3!s}{"c"!a}{4:{5}}{Text.ONE=}') + len('a' 'b') + len(rf'\\{1}')
---
r[0] = len(b'ab') + (None is None) + True + 0x10 + 1_000 + 1e2 + (... is ...) + abs(3 + 4j)
---
r[0] = x.size + Text.ONE + math.pi + x.shape[0]
---
r[0] = (x[1], 2)[0] + [x[0], x[1], x[2]][-1] + sum([x[0], x[1], x[2]][1:]) + len((1, 2, 3)[::-2]) + x[-1] + WORDS['a'] + x[*(2,)]
---
r[0] = sum((*[x[0]], *(1, 2))) + sum([*range(3)]); a, b = (*[x[0]], 3); r[1] = a + b
---
r[0] = 'abc'.find('c') + len('a,b'.split(',')) + len('%d' % 3)
"""
TYPE_PARAMETERS = """
def f[T](v: T) -> T: return v
r[0] = f(x[0])
---
def f[T: int, *Ts, **P](v): return v
r[0] = f(x[0])
"""
REFUSED = {
    "async def f():\n    async for i in x: pass\n    async with x: await x\n    return [i async for i in x]": "async def",
    "r[0] = later(x[0])": "async function 'later'", "with x: pass": "with", "with open('f') as f, open('g') as (g, h): pass": "with",
    "class A: pass": "class", "@sl.kernel\nclass A(Text, metaclass=type):\n    y: int = 1": "class", "try: pass\nfinally: pass": "try",
    "try: r[0] = 1\nexcept (ValueError, KeyError) as e: raise\nelse: pass": "try", "try: pass\nexcept: pass": "try",
    "try: pass\nexcept* ValueError as e: pass": "try", "match n:\n    case 1 | 2: pass\n    case None | True: pass": "match",
    "match n:\n    case [1, *rest] if rest: pass\n    case (a, b): pass": "match",
    "match n:\n    case {'a': 1, **rest}: pass\n    case Text(1, ONE=2) as t: pass\n    case Text.ONE: pass\n    case _: pass": "match",
    "match n, x[0]:\n    case -1, 1.5 + 2j: pass\n    case 'a', b'b': pass": "match", "yield": "yield", "y = yield x[0]": "yield",
    "r[0] = (yield)": "yield", "yield from x": "yield from", "r[0] = gen(x[0])": "generator 'gen'",
    "r[0] = gen2(x[0])": "generator 'gen2'", "f = lambda: (yield)\nr[0] = f()": "yield",
    "@sl.kernel\ndef f(): pass": "decorators of the nested function 'f'", "if n > 0: raise ValueError": "raise in dynamic control flow",
    "raise ValueError('bad') from None": "ValueError: bad", "raise": "NoneType", "assert 1 > 2": "assertion failed: 1 > 2",
    "from math import *": "", "from . import x": "this import inside a kernel",
    "import no_such_module": "No module named 'no_such_module'", "global NEW\nNEW = 1": "the global 'NEW' cannot be assigned",
    "x.y = 1": "an attribute cannot be assigned", "x.y += 1": "an attribute cannot be assigned",
    "x.y: int = 1": "an attribute cannot be assigned", "del x.y": "cannot be deleted", "del x[0]": "cannot be deleted",
    "del TABLE": "'TABLE' is deleted where it may be unbound", "global TABLE\ndel TABLE": "cannot be deleted",
    "del TABLE[0]": "from outside the kernel", "y = 1\ndel y\nr[0] = y": "'y' is read before it is bound",
    "for i.y in [1]: pass": "an attribute cannot be assigned", "x[0:2] = 1": "slices of arrays", "r[0] = x[0:2]": "slices of arrays",
    "r[0] = x[::2, ...]": "slices of arrays", "r[0] = x[...]": "slices of arrays", "r[0] = x[*n,]": "a starred index",
    "r[0] = x @ x": "unsupported operand|is not a number|`@`", "r[0] = x[0] @ 1": "`@` has no meaning",
    "r[0] = x[0] | 1": "takes integers", "r[0] = 1j * x[0]": "complex is not a number", "r[0] = b'a' + n": "bytes is not a number",
    "r[0] = f'{n}'": "an f-string of a dynamic value", "r[0] = f'{1:{n}}'": "an f-string of a dynamic value",
    "r[0] = {n: 1}[3]": "indexed with a dynamic value", "r[0] = {n: 1 for k in [1]}[3]": "indexed with a dynamic value",
    "r[0] = sum([k for k in [1] if n])": "the condition of a comprehension is dynamic",
    "r[0] = [1, 2][n]": "indexed with a dynamic value", "r[0] = [1, 2, 3][n:][0]": "indexed with a dynamic value",
    "n == 3": "is not used", "n + 1": "is not used", "-n": "is not used",
    "for i in range(n): pass\nelse:\n    while x[0] > i: pass\n    else: pass": "may be unbound|while-else",
    "k = 0\nwhile k < n: k += 1\nelse: pass": "while-else", "a, b = n": "cannot be unpacked", "a, b = 1, 2, 3": "3 values for 2 targets",
    "a, *b, c = (1,)": "1 values for at least 2 targets", "r[0] = many()": "missing a required argument",
    "r[0] = many(*n)": "cannot be iterated over", "r[0] = many(1, 2, **n)": "keywords", "return n": "a kernel returns nothing",
    "r[0] = many(1, 2, **{**n})": "dict from i32",
    "def f(v):\n    if v > 0: return v\n    return\nr[0] = f(n)": "NoneType None on another",
    "del y\ny = 1": "'y' is deleted where it may be unbound", "r[0] = fact(3)": "Recursive inline function",
    "r[0] = undefined": "name 'undefined' is not defined",
}
NEWER: dict[tuple[int, int], dict[str, str]] = {
    (3, 12): {"type A = int": "type", "type A[T: int, *Ts, **P] = list[T]": "type", "class A[T]: pass": "class"},
    (3, 14): {"r[0] = t'{n}'": "a template string", "r[0] = t'a{n!r:>{n}}b'": "a template string",
              "try: pass\nexcept ValueError, KeyError: pass": "try"},
}
if sys.version_info >= (3, 12):
    DONE += "---" + TYPE_PARAMETERS
for _version, _more in NEWER.items():
    if sys.version_info >= _version:
        REFUSED |= _more
PROBES = [p.strip() for p in DONE.split("---")]


def text_of(body: str) -> str:
    return f"{MORE}def probe(x: sl.Array[sl.f64], r: sl.Array[sl.f64], n: sl.i32):\n{textwrap.indent(body, '    ')}\n"


def function_of(body: str) -> Any:
    text = text_of(body)
    file = f"<grammar {body}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {"sl": sl}
    exec(compile(text, file, "exec"), names)
    return names["probe"]


@pytest.mark.devices("INTERP")
@pytest.mark.parametrize("body", PROBES, ids=lambda b: b.replace("\n", "; ")[:60])
def test_like_python(body: str, device: Any) -> None:
    function = function_of(body)
    got, expected = np.zeros(4), np.zeros(4)
    function(np.array(X), expected, N)
    sl.kernel(function).on(device)[1, 1](np.array(X), got, N)
    assert np.allclose(got, expected, rtol=1e-6)
    assert expected.any(), "the probe does nothing"


@pytest.mark.parametrize("body", REFUSED, ids=lambda b: b.replace("\n", "; ")[:60])
def test_refused(body: str) -> None:
    if body == "from math import *":  # Python itself refuses it in a function
        with pytest.raises(SyntaxError):
            function_of(body)
        return
    with pytest.raises(KernelError) as caught:
        sl.kernel(function_of(body)).on("INTERP").compile(sl.Array[sl.f64], sl.Array[sl.f64], sl.i32)
    assert re.search(REFUSED[body], caught.value.what), caught.value.what
    assert re.match(r"<grammar (.|\n)*>:\d+:\d+\n    .*\n *\^+", caught.value.at), caught.value.at


# --- the probes are complete ------------------------------------------------------------------------------------------------------------

DEPRECATED = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis", "_ast_Ellipsis", "Index", "ExtSlice", "AugLoad", "AugStore", "Param",
              "Suite"}
OUTSIDE = {"Module", "Interactive", "Expression", "FunctionType", "TypeIgnore"}
"""What is no part of a function."""


def named(kind: type[ast.AST]) -> str:
    return kind.__name__


def kinds(base: type[ast.AST]) -> set[type[ast.AST]]:
    """The kinds of node that a parser of this Python makes of functions."""
    below = [c for c in base.__subclasses__() if c.__module__ in ("ast", "_ast") and c.__name__ not in DEPRECATED | OUTSIDE]
    return {kind for c in below for kind in kinds(c)} if below else {base} if base.__name__[0].isupper() or base in PLAIN else set()


PLAIN = (ast.alias, ast.arg, ast.arguments, ast.comprehension, ast.keyword, ast.match_case, ast.withitem)


@pytest.mark.parametrize("kind", sorted(kinds(ast.AST), key=named), ids=named)
def test_every_kind_of_node_has_a_probe(kind: type[ast.AST]) -> None:
    trees = [ast.parse(text_of(body)).body[-1] for body in (*PROBES, *REFUSED)]
    assert any(isinstance(node, kind) for tree in trees for node in ast.walk(tree))


@pytest.mark.parametrize("kind", sorted(kinds(ast.stmt) | kinds(ast.expr), key=named), ids=named)
def test_every_statement_and_expression_has_a_handler(kind: type[ast.AST]) -> None:
    """Also those that stand only inside of what is refused as a whole."""
    if kind is not ast.FormattedValue:  # a part of JoinedStr
        assert kind in STATEMENTS or kind in EXPRESSIONS


@pytest.mark.parametrize("make", [
    lambda: ast.AsyncFor(ast.Name("i", ast.Store()), ast.Name("x", ast.Load()), [ast.Pass()], []),
    lambda: ast.AsyncWith([ast.withitem(ast.Name("x", ast.Load()))], [ast.Pass()]), lambda: ast.Expr(ast.Await(ast.Name("x", ast.Load()))),
    lambda: ast.Expr(ast.ListComp(ast.Constant(1), [ast.comprehension(ast.Name("i", ast.Store()), ast.List([], ast.Load()), [], 1)])),
    lambda: ast.Expr(ast.Slice()), lambda: ast.Expr(ast.Starred(ast.List([], ast.Load()), ast.Load())),
], ids=["AsyncFor", "AsyncWith", "Await", "async comprehension", "Slice", "Starred"])
def test_what_python_refuses_here_is_refused_by_the_tracer_too(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees that no parser makes of a plain function: front ends that rewrite trees may."""
    from svod.lang import trace

    function = function_of("r[0] = 1")
    source = trace.source_of(function)
    node = make()
    ast.copy_location(node, source.node.body[0])  # type: ignore[index]
    source.node.body[:] = [ast.fix_missing_locations(node)]  # type: ignore[index]
    monkeypatch.setattr(trace, "source_of", lambda _: source)
    f64 = sl.f64.dtype
    with pytest.raises(KernelError, match=r"async|await|a slice outside|a starred"):
        trace.trace(function, {"x": trace.ArrayType(f64), "r": trace.ArrayType(f64), "n": trace.ScalarType(sl.i32.dtype)})
