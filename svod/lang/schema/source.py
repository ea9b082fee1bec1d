"""A document as Python text: what the front end reads, and what people read.

Owns: `source_text`, `Text`, what each construct of a document is in Python, how names that Python has otherwise are spelled.
Must not know files or kernels. Invariant: one statement a line, with its JSON path as a comment, so that every message shows the path.
"""
from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from svod.lang.schema.document import Document
from svod.lang.schema.problems import Kind, SchemaError
from svod.lang.schema.vocabulary import ARITHMETIC, COMPARISONS, FUNCTIONS, OPERATORS
from svod.lang.types import Array

_OPERATOR_NODES: dict[str, Any] = {"+": ast.Add, "-": ast.Sub, "*": ast.Mult, "/": ast.Div, "//": ast.FloorDiv, "%": ast.Mod,
                                   "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE, "==": ast.Eq, "!=": ast.NotEq,
                                   "and": ast.And, "or": ast.Or}
_NODES: dict[str, Any] = {op: _OPERATOR_NODES[{**ARITHMETIC, **COMPARISONS}.get(op, op)] for op in OPERATORS}
_UNARY: dict[str, type[ast.unaryop]] = {"pos": ast.UAdd, "neg": ast.USub, "not": ast.Not, "inv": ast.Invert}
_REDUCE = {"sum": ("0", "{0} + {1}"), "product": ("1", "{0} * {1}"), "min": ("", "{2}({0}, {1})"), "max": ("", "{2}({0}, {1})")}
DISCARDED = "_"
"""The name whose `let` stands for a call whose result is not used."""


@dataclass(frozen=True, slots=True)
class Text:
    """Python text of a kernel. `paths[i]` is the JSON path of line i + 1; `scope` holds what its names mean beside locals."""

    text: str
    function: str
    paths: tuple[str, ...]
    scope: Mapping[str, Any]


def source_text(document: Document) -> Text:
    """The document as a Python function. SchemaError for a name that is never bound, or bound again in an inner block."""
    writer = _Writer(_Names.of(document))
    try:
        return writer.kernel(document)
    except RecursionError:
        raise SchemaError(Kind.CODEGEN_FAILED, "nested too deeply", "$.kernel.body", file=document.file) from None
    except SchemaError as e:
        raise SchemaError(e.kind, e.what.partition(": ")[2], e.path, file=document.file, hint=e.hint) from None


@dataclass(slots=True)
class _Names:
    """How the names of a document are spelled in Python."""

    variables: dict[str, str]
    functions: dict[str, str]
    function: str

    @staticmethod
    def of(document: Document) -> _Names:
        """Keywords get an underscore; a function gets another name where a variable has its own."""
        bound = {p["name"] for p in document.params} | set(_bound(document.body))
        variables: dict[str, str] = {}
        for name in sorted(bound):
            spelled = name
            while keyword.iskeyword(spelled) or (spelled != name and spelled in bound):
                spelled += "_"
            variables[name] = spelled
        taken = set(variables.values())
        functions = {}
        for name in (*FUNCTIONS, "range"):
            spelled = name
            while spelled in taken:
                spelled = f"{spelled}_function"
            functions[name] = spelled
        kernel = document.name
        while kernel in functions.values():
            kernel += "_"
        return _Names(variables, functions, kernel)


def _bound(body: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for s in body:
        match s["type"]:
            case "let":
                found.append(s["name"])
            case "for":
                found.append(s["var"])
        for part in ("body", "then_body", "else_body"):
            found += _bound(s.get(part) or [])
    return found


@dataclass(slots=True)
class _Writer:
    """Writes one kernel."""

    names: _Names
    lines: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    scopes: list[set[str]] = field(default_factory=list)
    """Names bound so far in the open blocks."""
    temporaries: int = 0

    def kernel(self, document: Document) -> Text:
        """The whole function."""
        names, scope = self.names, {spelled: FUNCTIONS[name] for name, spelled in self.names.functions.items() if name in FUNCTIONS}
        scope |= {names.functions["range"]: range, "DeviceArray": Array}
        parameters = ", ".join(f"{names.variables[p['name']]}: {self._type(p['type'])}" for p in document.params)
        self._line(0, f"def {names.function}({parameters}) -> None:", "$.kernel")
        self.scopes.append({p["name"] for p in document.params})
        self._block(document.body, "$.kernel.body", 1)
        text = "".join(f"{line}  # {path}\n" for line, path in zip(self.lines, self.paths, strict=True))
        return Text(text, names.function, tuple(self.paths), scope)

    def _line(self, depth: int, text: str, path: str) -> None:
        self.lines.append("    " * depth + text)
        self.paths.append(path)

    def _type(self, kind: dict[str, Any]) -> str:
        if kind["kind"] == "scalar":
            return self.names.functions[kind["type"]]
        return f"DeviceArray[{self.names.functions[kind['element_type']['type']]}]"

    # --- statements ----------------------------------------------------------------------------------------------------------------

    def _body(self, body: list[dict[str, Any]], path: str, depth: int) -> None:
        """An inner block."""
        self.scopes.append(set())
        self._block(body, path, depth)
        self.scopes.pop()

    def _block(self, body: list[dict[str, Any]], path: str, depth: int) -> None:
        if not body:
            self._line(depth, "pass", path)
        for i, statement in enumerate(body):
            getattr(self, f"_{statement['type']}")(statement, f"{path}[{i}]", depth)

    def _let(self, s: dict[str, Any], path: str, depth: int) -> None:
        name, value = s["name"], self._written(s["value"], f"{path}.value")
        if name == DISCARDED:
            self.scopes[-1].add(name)
            self._line(depth, value if s["value"]["type"] == "call" else f"{DISCARDED} = {value}", path)
            return
        if any(name in scope for scope in self.scopes[:-1]) and name not in self.scopes[-1]:
            raise SchemaError(Kind.INVALID_SCHEMA, f"{name!r} is bound already in a block around this one", f"{path}.name",
                              hint="assign changes it; let binds a new name")
        self.scopes[-1].add(name)
        self._line(depth, f"{self.names.variables[name]} = {value}", path)

    def _assign(self, s: dict[str, Any], path: str, depth: int) -> None:
        target = self._written(s["target"], f"{path}.target")
        self._line(depth, f"{target} = {self._written(s['value'], f'{path}.value')}", path)

    def _if(self, s: dict[str, Any], path: str, depth: int) -> None:
        self._line(depth, f"if {self._written(s['condition'], f'{path}.condition')}:", path)
        self._body(s["then_body"], f"{path}.then_body", depth + 1)
        if s.get("else_body"):
            self._line(depth, "else:", path)
            self._body(s["else_body"], f"{path}.else_body", depth + 1)

    def _for(self, s: dict[str, Any], path: str, depth: int) -> None:
        bounds = ", ".join(self._written(s[part], f"{path}.{part}") for part in ("start", "stop", "step"))
        self.scopes[-1].add(s["var"])
        self._line(depth, f"for {self.names.variables[s['var']]} in {self.names.functions['range']}({bounds}):", path)
        self._body(s["body"], f"{path}.body", depth + 1)

    def _while(self, s: dict[str, Any], path: str, depth: int) -> None:
        self._line(depth, f"while {self._written(s['condition'], f'{path}.condition')}:", path)
        self._body(s["body"], f"{path}.body", depth + 1)

    def _return(self, s: dict[str, Any], path: str, depth: int) -> None:
        value = s.get("value")
        self._line(depth, "return" if value is None else f"return {self._written(value, f'{path}.value')}", path)

    # --- statements of later schemas -----------------------------------------------------------------------------------------------

    def _parallel(self, s: dict[str, Any], path: str, depth: int) -> tuple[str, Callable[[str], str]]:
        """The name of the index, with the line that guards it written; and how an array is indexed with a text."""
        self.temporaries += 1
        index = f"_item_{self.temporaries}"
        self._line(depth, f"{index} = {self.names.functions['get_global_id']}()", path)
        limit = "1" if s["type"] == "parallel_reduce" else self._written(s["count"], f"{path}.count")
        self._line(depth, f"if {index} < {limit}:", path)

        def element(part: str) -> str:
            array = s[part] if isinstance(s[part], dict) else {"type": "var", "name": s[part]}
            return self._written(array, f"{path}.{part}")
        return index, element

    def _parallel_map_unary(self, s: dict[str, Any], path: str, depth: int) -> None:
        index, array = self._parallel(s, path, depth)
        function = self.names.functions[s["operation"]]
        self._line(depth + 1, f"{array('output')}[{index}] = {function}({array('input')}[{index}])", path)

    def _parallel_map_binary(self, s: dict[str, Any], path: str, depth: int) -> None:
        index, array = self._parallel(s, path, depth)
        a, b, operation = f"{array('input_a')}[{index}]", f"{array('input_b')}[{index}]", s["operation"]
        symbol = ARITHMETIC.get(operation)
        value = f"{a} {symbol} {b}" if symbol else f"{self.names.functions[operation]}({a}, {b})"
        self._line(depth + 1, f"{array('output')}[{index}] = {value}", path)

    def _parallel_reduce(self, s: dict[str, Any], path: str, depth: int) -> None:
        """One work item goes through the elements in order: the result is the same each time."""
        index, array = self._parallel(s, path, depth)
        result, place, f = f"{index}_result", f"{index}_place", self.names.functions
        start, update = _REDUCE[s["operation"]]
        source, count = array("input"), self._written(s["count"], f"{path}.count")
        self._line(depth + 1, f"{result} = {start or f'{source}[0]'}", path)
        self._line(depth + 1, f"for {place} in {f['range']}({count}):", path)
        self._line(depth + 2, f"{result} = {update.format(result, f'{source}[{place}]', f.get(s['operation'], ''))}", path)
        self._line(depth + 1, f"{array('output')}[0] = {result}", path)

    # --- expressions ---------------------------------------------------------------------------------------------------------------

    def _written(self, expression: dict[str, Any], path: str) -> str:
        return ast.unparse(ast.fix_missing_locations(self._tree(expression, path)))

    def _tree(self, e: dict[str, Any], path: str) -> ast.expr:
        match e["type"]:
            case "var":
                return self._variable(e["name"], path)
            case "literal":
                return ast.Constant(e["value"])
            case "index":
                return ast.Subscript(self._tree(e["array"], f"{path}.array"), self._tree(e["index"], f"{path}.index"), ast.Load())
            case "call":
                arguments = [self._tree(a, f"{path}.args[{i}]") for i, a in enumerate(e["args"])]
                return ast.Call(ast.Name(self.names.functions[e["function"]], ast.Load()), arguments, [])
            case "binary_op":
                left, right = self._tree(e["left"], f"{path}.left"), self._tree(e["right"], f"{path}.right")
                return _binary(_NODES[e["op"]](), left, right)
            case "unary_op":
                return ast.UnaryOp(_UNARY[e["op"]](), self._tree(e["operand"], f"{path}.operand"))
        return ast.IfExp(*(self._tree(e[part], f"{path}.{part}") for part in ("condition", "then", "else")))

    def _variable(self, name: str, path: str) -> ast.expr:
        spelled = self.names.variables.get(name)
        if spelled is None:
            raise SchemaError(Kind.TYPE_ERROR, f"undefined variable {name!r}", path, hint="a parameter, or bound by let or for")
        return ast.Name(spelled, ast.Load())


def _binary(op: Any, left: ast.expr, right: ast.expr) -> ast.expr:
    if isinstance(op, ast.cmpop):
        return ast.Compare(left, [op], [right])
    return ast.BoolOp(op, [left, right]) if isinstance(op, ast.boolop) else ast.BinOp(left, op, right)
