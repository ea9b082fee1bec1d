"""Documents of schema 1.0: R20 to R23, R25 to R28; their structure against the published schema; errors with JSON paths."""
from __future__ import annotations

import contextlib
import copy
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import svod.lang as sl
from svod.compat.atlas.atlas_kernel import DeviceArray, f32, get_global_id, sinf, u32
from svod.errors import KernelError
from svod.lang.schema import (
    ItemKernel,
    Kind,
    SchemaError,
    compile_to_json,
    document_of,
    item_kernel,
    load,
    parse,
    parse_list,
    source_text,
    structure,
)
from svod.lang.schema.vocabulary import FUNCTIONS, SCALARS

SCHEMA = json.loads((Path(structure.__file__).parent / "kernel-1.0.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DEVICES = ("CPU", "INTERP")
F32 = {"kind": "scalar", "type": "f32"}
I32 = {"kind": "scalar", "type": "i32"}
U32 = {"kind": "scalar", "type": "u32"}


# --- documents by hand --------------------------------------------------------------------------------------------------------------------

def var(name: str) -> dict[str, Any]:
    return {"type": "var", "name": name}


def lit(value: Any) -> dict[str, Any]:
    return {"type": "literal", "value": value}


def op(name: str, left: Any, right: Any) -> dict[str, Any]:
    return {"type": "binary_op", "op": name, "left": left, "right": right}


def at(array: str, index: Any) -> dict[str, Any]:
    return {"type": "index", "array": var(array), "index": index}


def call(function: str, *args: Any) -> dict[str, Any]:
    return {"type": "call", "function": function, "args": list(args)}


def let(name: str, value: Any) -> dict[str, Any]:
    return {"type": "let", "name": name, "value": value}


def store(target: Any, value: Any) -> dict[str, Any]:
    return {"type": "assign", "target": target, "value": value}


def when(condition: Any, *then: Any, other: Any = None) -> dict[str, Any]:
    return {"type": "if", "condition": condition, "then_body": list(then), "else_body": other}


def array_of(scalar: dict[str, str]) -> dict[str, Any]:
    return {"kind": "device_array", "element_type": scalar}


def kernel(body: list[Any], params: dict[str, Any], name: str = "made") -> dict[str, Any]:
    return {"version": "1.0", "kernel": {"name": name, "params": [{"name": k, "type": v} for k, v in params.items()], "body": body}}


ID = let("idx", call("get_global_id"))


def elementwise(name: str, value: Any, inputs: str) -> dict[str, Any]:
    """What the older compiler writes for `idx = get_global_id(); if idx < n: c[idx] = value`."""
    params = {p: array_of(F32) for p in inputs} | {"n": U32}
    return kernel([ID, when(op("lt", var("idx"), var("n")), store(at(inputs[-1], var("idx")), value))], params, name)


def guarded(*body: Any, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """A kernel on arrays a and b of i32 with n work items."""
    return kernel([ID, when(op("lt", var("idx"), var("n")), *body)], params or {"a": array_of(I32), "b": array_of(I32), "n": U32})


# --- R20 to R23, R28 ----------------------------------------------------------------------------------------------------------------------

def vector_add(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    """Add two vectors element-wise: c = a + b"""
    idx = get_global_id()
    if idx < n:
        c[idx] = a[idx] + b[idx]


def vector_sub(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        c[idx] = a[idx] - b[idx]


def vector_mul(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        c[idx] = a[idx] * b[idx]


def sin(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        b[idx] = sinf(a[idx])


def gemv_f32(A: DeviceArray[f32], x: DeviceArray[f32], y: DeviceArray[f32], m: u32, n: u32, lda: u32):
    row = get_global_id()
    if row < m:
        sum_val = 0.0
        for j in range(n):
            sum_val = sum_val + A[row * lda + j] * x[j]
        y[row] = sum_val


GEMV = kernel([
    let("row", call("get_global_id")),
    when(op("lt", var("row"), var("m")),
         let("sum_val", lit(0.0)),
         {"type": "for", "var": "j", "start": lit(0), "stop": var("n"), "step": lit(1), "body": [store(var("sum_val"), op(
             "add", var("sum_val"), op("mul", at("A", op("add", op("mul", var("row"), var("lda")), var("j"))), at("x", var("j")))))]},
         store(at("y", var("row")), var("sum_val"))),
], {"A": array_of(F32), "x": array_of(F32), "y": array_of(F32), "m": U32, "n": U32, "lda": U32}, "gemv_f32")


@pytest.mark.parametrize(("function", "expected"), [
    (vector_add, elementwise("vector_add", op("add", at("a", var("idx")), at("b", var("idx"))), "abc")),
    (vector_sub, elementwise("vector_sub", op("sub", at("a", var("idx")), at("b", var("idx"))), "abc")),
    (vector_mul, elementwise("vector_mul", op("mul", at("a", var("idx")), at("b", var("idx"))), "abc")),
    (sin, elementwise("sin", call("sinf", at("a", var("idx"))), "ab")),
    (gemv_f32, GEMV),
], ids=lambda v: getattr(v, "__name__", ""))
def test_r20_r28_the_document_has_exactly_this_shape(function: Any, expected: dict[str, Any]) -> None:
    assert json.loads(compile_to_json(function)) == expected


def test_r8_the_first_binding_is_let_and_the_later_ones_assign() -> None:
    def bound(c: DeviceArray[f32], n: u32):
        x = 0
        if n > 3:
            x = 1
        n = x
        for i in range(2):
            i = x  # noqa: PLW2901
            c[i] = n

    body = json.loads(compile_to_json(bound))["kernel"]["body"]
    assert body[0] == let("x", lit(0))
    assert body[1]["then_body"] == [store(var("x"), lit(1))]
    assert body[2] == store(var("n"), var("x"))
    assert body[3]["body"][0] == store(var("i"), var("x"))


def test_r9_r24_repairs_of_what_1_0_has_no_word_for() -> None:
    def repaired(a: DeviceArray[f32], n: u32):
        i = get_global_id()
        a[i] += 1.0
        a[i] = a[i] ** 2.0
        a[i] = -a[i]
        k = -(i * 2)
        t = -3
        if not i:
            a[k] = t

    body = json.loads(compile_to_json(repaired))["kernel"]["body"]
    element = at("a", var("i"))
    assert body[1] == store(element, op("add", element, lit(1.0)))
    assert body[2] == store(element, call("pow", element, lit(2.0)))
    assert body[3] == store(element, op("sub", lit(0.0), element))
    assert str(body[3]["value"]["left"]["value"]) == "-0.0"
    assert body[4] == let("k", op("sub", lit(0), op("mul", var("i"), lit(2))))
    assert body[5] == let("t", lit(-3))
    assert body[6]["condition"] == op("eq", var("i"), lit(False))


# --- R25 ----------------------------------------------------------------------------------------------------------------------------------

@pytest.mark.devices(*DEVICES)
class TestHandWritten:
    def test_r25_a_document_by_hand_runs(self, device: str) -> None:
        made = load(json.dumps(GEMV)).on(device)
        a, x, y = np.arange(12, dtype=np.float32).reshape(3, 4), np.arange(4, dtype=np.float32), np.zeros(3, np.float32)
        made(a.reshape(-1), x, y, 3, 4, 4)
        assert y.tolist() == (a @ x).tolist()

    def test_statements_and_operators(self, device: str) -> None:
        """A while, a return, every operator, fields that may be missing."""
        v, old = var("v"), at("a", var("idx"))
        done: dict[str, Any] = {"type": "if", "condition": op("eq", old, lit(3)), "then_body": [{"type": "return"}]}
        terms = [op("floor_div", v, lit(2)), op("mod", v, lit(3)), call("i32", op("div", v, lit(2))), call("bit_xor", v, lit(5)),
                 call("select", op("and", op("ge", v, lit(0)), op("or", op("ne", v, lit(4)), lit(False))), lit(100), lit(200))]
        total = terms[0]
        for term in terms[1:]:
            total = op("add", total, term)
        loop = {"type": "while", "condition": op("gt", v, lit(4)), "body": [store(v, op("sub", v, lit(4)))]}
        made = load(guarded(done, let("v", old), loop, store(at("b", var("idx")), total))).on(device)
        a, b = np.arange(-6, 10, dtype=np.int32), np.full(16, -1, np.int32)
        made(a, b, 16)

        def expected(x: int) -> int:
            while x > 4:
                x -= 4
            return x // 2 + x % 3 + int(x / 2) + (x ^ 5) + (100 if x >= 0 and x != 4 else 200)
        assert b.tolist() == [-1 if x == 3 else expected(x) for x in a.tolist()]

    def test_names_that_python_has_otherwise(self, device: str) -> None:
        """Variables called as keywords, functions and types."""
        made = load(kernel([
            let("lambda", call("get_global_id")), let("min", lit(2)), let("range", var("f32")),
            let("exp", op("add", var("min"), var("range"))),
            when(op("lt", var("lambda"), var("n")),
                 {"type": "for", "var": "in", "start": lit(0), "stop": lit(2), "step": lit(1),
                  "body": [store(at("i32", var("lambda")), call("min", op("add", var("exp"), var("in")), lit(9)))]}),
        ], {"i32": array_of(I32), "n": U32, "f32": I32}, "sin")).on(device)
        out = np.zeros(3, np.int32)
        made(out, 3, 4)
        assert out.tolist() == [7, 7, 7]
        assert made.name == "sin"
        made(out, f32=40, n=2)
        assert out.tolist() == [9, 9, 7]

    def test_r27_additions_of_the_later_schema_are_read(self, device: str) -> None:
        a, b, c = (array_of(F32) for _ in range(3))
        params = {"a": a, "b": b, "c": c, "n": U32}
        x, y = np.arange(1, 7, dtype=np.float32), np.full(6, 2.5, np.float32)
        unary = {"type": "parallel_map_unary", "input": "a", "output": var("c"), "operation": "reciprocal", "count": var("n")}
        binary = {"type": "parallel_map_binary", "input_a": "a", "input_b": "b", "output": "c", "operation": "div", "count": var("n")}
        for statement, expected in ((unary, 1 / x), (binary, x / y), (binary | {"operation": "min"}, np.minimum(x, y)),
                                    (binary | {"operation": "pow"}, x ** y)):
            made, out = load(kernel([statement], params)).on(device), np.zeros(6, np.float32)
            made(x, y, out, 6)
            np.testing.assert_allclose(out, expected, rtol=1e-6)
            assert made.count(x, y, out, 6) == 6
        for name, total in (("sum", 21), ("product", 720), ("min", 1), ("max", 6)):
            out = np.zeros(6, np.float32)
            reduce = {"type": "parallel_reduce", "input": "a", "output": "c", "operation": name, "count": var("n")}
            load(kernel([reduce], params)).on(device)(x, y, out, 6)
            assert out[0] == total
        negated = {"type": "unary_op", "op": "neg", "operand": at("a", var("idx"))}
        chosen = {"type": "if_expr", "condition": {"type": "unary_op", "op": "not", "operand": op("gt", var("idx"), lit(2))},
                  "then": negated, "else": {"type": "unary_op", "op": "pos", "operand": lit(0.5)}}
        out = np.zeros(6, np.float32)
        load(guarded(store(at("c", var("idx")), chosen), params=params)).on(device)(x, y, out, 6)
        assert out.tolist() == [-1, -2, -3, 0.5, 0.5, 0.5]

    def test_r7_math_functions(self, device: str) -> None:
        """Against Python's, in 64 bits."""
        names = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "exp2", "expm1", "log", "log2", "log10",
                 "log1p", "sqrt", "cbrt", "erf", "erfc", "floor", "ceil", "trunc")
        stores = [store(at("b", op("add", op("mul", var("idx"), lit(64)), lit(i))), call(name + "f" * (i % 2), at("a", var("idx"))))
                  for i, name in enumerate(names)]
        more = {"rsqrt": lambda v: v**-0.5, "sigmoid": lambda v: 1 / (1 + math.exp(-v)), "round": round, "abs": abs, "fabsf": abs}
        stores += [store(at("b", op("add", op("mul", var("idx"), lit(64)), lit(len(names) + i))), call(name, at("a", var("idx"))))
                   for i, name in enumerate(more)]
        made = load(guarded(*stores, params={"a": array_of(F32), "b": array_of(F32), "n": U32})).on(device)
        a = np.array([0.1, 0.25, 0.6, 0.99], np.float32)
        b = np.zeros((4, 64), np.float32)
        made(a, b.reshape(-1), 4)
        for i, f in enumerate([*(getattr(math, name) for name in names), *more.values()]):
            np.testing.assert_allclose(b[:, i], [f(v) for v in a.tolist()], rtol=2e-6, err_msg=(*names, *more)[i])

    @pytest.mark.parametrize("operation", structure.MAP_UNARY)
    def test_r27_every_unary_operation_has_a_function(self, operation: str, device: str) -> None:
        statement = {"type": "parallel_map_unary", "input": "a", "output": "b", "operation": operation, "count": var("n")}
        out = np.zeros(1, np.float32)
        load(kernel([statement], {"a": array_of(F32), "b": array_of(F32), "n": U32})).on(device)(np.full(1, 0.75, np.float32), out, 1)
        assert np.isfinite(out[0])


def test_r25_text_to_document_to_text_is_the_identity() -> None:
    text = json.dumps(GEMV, indent=2)
    assert parse(text).to_json() == text
    assert parse(text.encode()).content == GEMV
    assert [d.name for d in parse_list(f"[{text}, {text}]")] == ["gemv_f32", "gemv_f32"]
    assert [d.name for d in parse_list(text)] == ["gemv_f32"]


def test_r36_the_text_of_a_document_is_readable_python() -> None:
    assert source_text(parse(json.dumps(GEMV))).text == """\
def gemv_f32(A: DeviceArray[f32], x: DeviceArray[f32], y: DeviceArray[f32], m: u32, n: u32, lda: u32) -> None:  # $.kernel
    row = get_global_id()  # $.kernel.body[0]
    if row < m:  # $.kernel.body[1]
        sum_val = 0.0  # $.kernel.body[1].then_body[0]
        for j in range(0, n, 1):  # $.kernel.body[1].then_body[1]
            sum_val = sum_val + A[row * lda + j] * x[j]  # $.kernel.body[1].then_body[1].body[0]
        y[row] = sum_val  # $.kernel.body[1].then_body[2]
"""


# --- R26 ----------------------------------------------------------------------------------------------------------------------------------

def edited(path: str, value: Any = None, *, drop: bool = False) -> dict[str, Any]:
    """GEMV with one place changed."""
    document = copy.deepcopy(GEMV)
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    place: Any = document
    for step in way:
        place = place[step]
    if drop:
        del place[last]
    else:
        place[last] = value
    return document


THEN = "kernel.body.1.then_body"
WRONG = [
    (edited("version", "2.0"), Kind.INVALID_SCHEMA, "Unsupported schema version: 2.0", "$.version"),
    (edited("version", 1.0), Kind.INVALID_SCHEMA, "Unsupported schema version: 1.0", "$.version"),
    (edited("version", drop=True), Kind.INVALID_SCHEMA, "missing field 'version'", "$"),
    (edited("kernel.name", ""), Kind.INVALID_SCHEMA, "Kernel name cannot be empty", "$.kernel.name"),
    (edited("kernel.name", "a b"), Kind.INVALID_SCHEMA, "the text 'a b' is not a name", "$.kernel.name"),
    (edited("kernel.name", "lambda"), Kind.INVALID_SCHEMA, "'lambda' cannot be the name of a kernel", "$.kernel.name"),
    (edited("kernel.params.0.name", "x"), Kind.INVALID_SCHEMA, "two parameters are called 'x'", "$.kernel.params[1].name"),
    (edited("kernel.params.0.name", "_x"), Kind.INVALID_SCHEMA, "names of parameters do not begin with an underscore",
     "$.kernel.params[0].name"),
    (edited("kernel.params.0.type.kind", "pointer"), Kind.INVALID_SCHEMA, "unknown kind 'pointer' of a type",
     "$.kernel.params[0].type.kind"),
    (edited("kernel.params.3.type.type", "u128"), Kind.UNSUPPORTED, "unknown scalar type 'u128'", "$.kernel.params[3].type.type"),
    (edited("kernel.params.0.type", {"kind": "device_ptr"}), Kind.UNSUPPORTED, "a device_ptr has no type", "$.kernel.params[0].type"),
    (edited("kernel.params.0.type.element_type", array_of(F32)), Kind.INVALID_SCHEMA, "elements of an array are scalars",
     "$.kernel.params[0].type.element_type"),
    (edited("kernel.body.0.type", "loop"), Kind.INVALID_SCHEMA, "unknown type 'loop' of a statement", "$.kernel.body[0].type"),
    (edited("kernel.body.0", 7), Kind.INVALID_SCHEMA, "a statement is an object, got 7", "$.kernel.body[0]"),
    (edited(f"{THEN}.1.step", drop=True), Kind.INVALID_SCHEMA, "missing field 'step'", "$.kernel.body[1].then_body[1]"),
    (edited(f"{THEN}.1.stepp", lit(1)), Kind.INVALID_SCHEMA, "unknown field 'stepp'", "$.kernel.body[1].then_body[1]"),
    (edited(f"{THEN}.0.value.value", "0"), Kind.INVALID_SCHEMA, "a literal is a number", "$.kernel.body[1].then_body[0].value.value"),
    (edited(f"{THEN}.2.target", lit(1)), Kind.INVALID_SCHEMA, "a literal cannot be assigned", "$.kernel.body[1].then_body[2].target"),
    (edited("kernel.body.1.condition.op", "approx"), Kind.UNSUPPORTED, "unknown operator 'approx'", "$.kernel.body[1].condition.op"),
    (edited("kernel.body.0.value.function", "frobnicate"), Kind.UNSUPPORTED, "unknown function 'frobnicate'",
     "$.kernel.body[0].value.function"),
    (edited("kernel.body.1.condition.right", var("q")), Kind.TYPE_ERROR, "undefined variable 'q'", "$.kernel.body[1].condition.right"),
    (edited(f"{THEN}.2.target", var("q")), Kind.TYPE_ERROR, "undefined variable 'q'", "$.kernel.body[1].then_body[2].target"),
    (edited(f"{THEN}.1.body.0", let("row", lit(1))), Kind.INVALID_SCHEMA, "'row' is bound already",
     "$.kernel.body[1].then_body[1].body[0].name"),
    (edited(f"{THEN}.2.value", at("m", lit(0))), Kind.TYPE_ERROR, "a scalar of u32 is indexed", "$.kernel.body[1].then_body[2]"),
    (edited(f"{THEN}.2", {"type": "return", "value": lit(1)}), Kind.TYPE_ERROR, "a kernel returns nothing",
     "$.kernel.body[1].then_body[2]"),
    (edited("kernel.body.0.value.args", [lit(1)]), Kind.TYPE_ERROR, "get_global_id() takes no arguments", "$.kernel.body[0]"),
]


@pytest.mark.parametrize(("document", "kind", "message", "path"), WRONG, ids=lambda v: v if isinstance(v, str) and " " in v else "")
def test_r26_errors_have_a_kind_and_a_path(document: dict[str, Any], kind: Kind, message: str, path: str) -> None:
    with pytest.raises(SchemaError) as e:
        load(json.dumps(document), file="gemv.json")
    assert e.value.kind is kind
    assert e.value.what.startswith(f"{kind.value}: {message}")
    assert e.value.path == path
    assert e.value.at.startswith("gemv.json $")


@pytest.mark.parametrize(("text", "message"), [
    ("{", "JsonParse: .* in line 1, column 2"),
    ('{"version": NaN}', "JsonParse: NaN is not JSON"),
    ('{"version": "1.0", "version": "1.0"}', "JsonParse: the key 'version' stands twice"),
    ("[" * 100_000, "JsonParse: nested too deeply"),
    ("[]", "InvalidSchema: an object is needed, got a list"),
    ("null", "InvalidSchema: an object is needed, got null"),
    (b"\xff\xfe\xff", "JsonParse: "),
])
def test_r26_what_is_no_json_says_where(text: str | bytes, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        parse(text)


def test_r26_one_of_a_list_is_named() -> None:
    with pytest.raises(SchemaError, match=r"missing field 'kernel'(.|\n)*\$\[1\]"):
        parse_list(json.dumps([GEMV, {"version": "1.0"}]))


@pytest.mark.parametrize("depth", [30, 150, 3000])
def test_r26_nesting_runs_or_is_refused(depth: int) -> None:
    """Never an error of Python itself."""
    sides: Any = lit(1)
    for _ in range(depth):
        sides = op("add", lit(1), sides)
    blocks: Any = store(at("b", var("idx")), lit(1))
    for _ in range(depth):
        blocks = when(op("gt", var("n"), lit(0)), blocks)
    for body in (store(at("b", var("idx")), sides), blocks):
        either = contextlib.suppress(SchemaError) if depth < 3000 else pytest.raises(SchemaError)
        refused = contextlib.nullcontext() if depth == 30 else either
        with refused:
            load(guarded(body))


# --- the published schema -----------------------------------------------------------------------------------------------------------------

def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(item, (dict, list)):
            yield from _places(item)


def mutated(seed: int) -> dict[str, Any]:
    """GEMV with a few random changes."""
    r, document = random.Random(seed), copy.deepcopy(GEMV)
    for _ in range(r.randint(1, 2)):
        container, key = r.choice(list(_places(document)))
        match r.randrange(4):
            case 0:
                del container[key]
            case 1:
                values = [None, 1, 2.5, True, "x", "add", "f32", [], {}, var("n"), lit(2), let("t", lit(1)), [lit(1)], F32]
                container[key] = r.choice(values)
            case 2 if isinstance(container, dict):
                container[r.choice(["extra", "value", "type", "$comment"])] = copy.deepcopy(container[key])
            case _:
                other, place = r.choice(list(_places(document)))
                container[key] = copy.deepcopy(other[place])
    return document


def test_the_published_schema_and_the_reader_agree_on_the_structure() -> None:
    """Beyond structure the reader knows names: those messages are left out."""
    beyond = ("unknown function", "two parameters", "a device_ptr has", "cannot be the name")
    seen = {True: 0, False: 0}
    for seed in range(400):
        document = mutated(seed)
        valid = VALIDATOR.is_valid(document)
        try:
            structure.check(document)
            read = True
        except SchemaError as e:
            if any(words in e.what for words in beyond):
                continue
            read = False
        assert read == valid, f"mutated({seed}) is {'valid' if valid else 'not valid'} by kernel-1.0.json: {document}"
        seen[valid] += 1
    assert min(seen.values()) > 10


def test_the_published_schema_is_one_and_has_the_words_of_the_reader() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["scalar"]["properties"]["type"]["enum"] == list(SCALARS)
    for name in ("binary_op",):
        (entry,) = [e for e in SCHEMA["$defs"]["expression"]["oneOf"] if e.get("properties", {}).get("type", {}).get("const") == name]
        assert set(entry["properties"]["op"]["enum"]) == set(structure.OPERATORS)


# --- fuzz ---------------------------------------------------------------------------------------------------------------------------------

class Random:
    """A random document on arrays a and b of i32; every value stays below 1009."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)

    def document(self) -> dict[str, Any]:
        body = [let(name, self.kept(self.expression(2, ["idx"]))) for name in "uvw"]
        self.loops = 0
        last = store(at("b", var("idx")), self.kept(self.expression(3, list("uvw"))))
        return guarded(*body, *self.block(3, ["idx", "u", "v", "w"]), last)

    def kept(self, value: Any) -> Any:
        return call("i32", op("mod", value, lit(1009)))

    def block(self, depth: int, names: list[str]) -> list[Any]:
        return [self.statement(depth, names) for _ in range(self.r.randint(1, 3))]

    def statement(self, depth: int, names: list[str]) -> Any:
        kind = self.r.randrange(6 if depth else 2)
        target = self.r.choice("uvw")
        if kind < 2:
            return store(var(target), self.kept(self.expression(depth + 1, names)))
        if kind == 2:
            return store(at("b", var("idx")), self.kept(self.expression(depth, names)))
        if kind == 3:
            other = self.block(depth - 1, names) if self.r.random() < 0.5 else None
            return when(self.condition(depth, names), *self.block(depth - 1, names), other=other)
        self.loops += 1
        loop = f"l{self.loops}"
        start, stop, step = self.r.randint(-2, 2), self.r.randint(-1, 4), self.r.choice([1, 2, -1])
        return {"type": "for", "var": loop, "start": lit(start), "stop": lit(stop) if step > 0 else lit(-stop), "step": lit(step),
                "body": self.block(depth - 1, [*names, loop])}

    def condition(self, depth: int, names: list[str]) -> Any:
        if depth and self.r.random() < 0.3:
            return op(self.r.choice(["and", "or"]), self.condition(depth - 1, names), self.condition(depth - 1, names))
        return op(self.r.choice(["lt", "le", "gt", "ge", "eq", "ne"]), self.expression(1, names), self.expression(1, names))

    def expression(self, depth: int, names: list[str]) -> Any:
        if not depth or self.r.random() < 0.2:
            return self.r.choice([lit(self.r.randint(-9, 9)), var(self.r.choice(names)), at("a", var("idx"))])
        left, right = self.expression(depth - 1, names), self.expression(depth - 1, names)
        match self.r.randrange(6):
            case 0:
                return op(self.r.choice(["floor_div", "mod"]), left, lit(self.r.choice([-3, -1, 2, 7])))
            case 1:
                return call("select", self.condition(0, names), call("i32", left), call("i32", right))
            case 2:
                return call(self.r.choice(["min", "max"]), call("i32", left), call("i32", right))
            case 3:
                return op("mul", op("mod", left, lit(31)), op("mod", right, lit(31)))
        return op(self.r.choice(["add", "sub"]), left, right)


@pytest.mark.devices(*DEVICES)
@pytest.mark.parametrize("seed", range(12))
def test_fuzz_a_random_document_runs_as_python_does_and_comes_back(seed: int, device: str) -> None:
    document = Random(seed).document()
    made = load(document)
    a = np.random.default_rng(seed).integers(-50, 50, 19).astype(np.int32)
    b, expected = np.zeros(19, np.int32), [0] * 19
    made.on(device)(a, b, 19)
    text = made.document and source_text(made.document).text
    for item in range(19):
        scope = {"DeviceArray": sl.Array, "i32": int, "u32": sl.u32, "select": lambda c, x, y: x if c else y, "min": min, "max": max,
                 "get_global_id": lambda item=item: item}
        exec(text.replace("DeviceArray[i32]", "object"), scope)
        scope["made"](a.tolist(), expected, 19)
    assert b.tolist() == expected, f"Random({seed}).document():\n{text}"
    assert document_of(made.kernel.function).content == document


def test_every_function_of_the_vocabulary_can_be_looked_up() -> None:
    assert all(callable(f) for f in FUNCTIONS.values())
    with pytest.raises(KernelError, match="a Python function, not int"):
        document_of(3)  # type: ignore[arg-type]


def test_a_kernel_of_the_language_has_a_document_too() -> None:
    @sl.kernel
    def doubled(a: sl.Array[sl.f32], n: sl.i32) -> None:
        i = sl.global_id()
        if i < n:
            a[i] = a[i] * 2

    a = np.ones(3, np.float32)
    made = load(document_of(doubled))
    made.launch(a, 2).prepare(a, 2)()
    assert a.tolist() == [2, 2, 1]
    assert isinstance(item_kernel(doubled), ItemKernel)
    assert item_kernel(made) is made
    assert repr(made) == "<kernel doubled of counted work items>"
