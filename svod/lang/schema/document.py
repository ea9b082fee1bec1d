"""A kernel as a JSON document: reading text, checking its structure, writing it.

Owns: `Document`, `parse`, `parse_list`. Must not know Python syntax or what a kernel does.
Invariant: a Document has passed `svod.lang.schema.structure`; its text parses back to an equal one. NaN, Infinity and a key that stands
twice in one object are no JSON.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from svod.lang.schema.problems import Kind, SchemaError
from svod.lang.schema.structure import VERSION, check


@dataclass(frozen=True, slots=True)
class Document:
    """A kernel of schema 1.0. `content` is the JSON object as Python values; it is not to be changed. `file`: for messages."""

    content: Mapping[str, Any]
    file: str = ""

    @property
    def name(self) -> str:
        """The kernel's name."""
        return str(self.content["kernel"]["name"])

    @property
    def params(self) -> list[dict[str, Any]]:
        """The parameters, as JSON."""
        return list(self.content["kernel"]["params"])

    @property
    def body(self) -> list[dict[str, Any]]:
        """The statements, as JSON."""
        return list(self.content["kernel"]["body"])

    def to_json(self) -> str:
        """The text of the document, indented by 2."""
        return json.dumps(self.content, indent=2, ensure_ascii=False, allow_nan=False)


def parse(text: str | bytes, *, file: str = "") -> Document:
    """The document a JSON text holds. SchemaError, with the place, if it holds none, or a list of them."""
    return document(_json(text, file), file=file)


def parse_list(text: str | bytes, *, file: str = "") -> list[Document]:
    """The documents of a text that holds one, or a list of them. SchemaError."""
    content = _json(text, file)
    if not isinstance(content, list):
        return [document(content, file=file)]
    return [document(each, file=file, root=f"$[{i}]") for i, each in enumerate(content)]


def document(content: Any, *, file: str = "", root: str = "$") -> Document:
    """The document of a JSON value. SchemaError for what schema 1.0 does not allow."""
    try:
        check(content, root)
    except RecursionError:
        raise SchemaError(Kind.INVALID_SCHEMA, "nested too deeply", root, file=file) from None
    except SchemaError as e:
        raise SchemaError(e.kind, e.what.partition(": ")[2], e.path, file=file, hint=e.hint) from None
    return Document(content, file)


def _json(text: str | bytes, file: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as e:
        raise SchemaError(Kind.JSON_PARSE, f"{e.msg} in line {e.lineno}, column {e.colno}", file=file) from e
    except RecursionError:
        raise SchemaError(Kind.JSON_PARSE, "nested too deeply", file=file) from None
    except ValueError as e:
        raise SchemaError(Kind.JSON_PARSE, str(e), file=file) from e


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} stands twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


__all__ = ["VERSION", "Document", "document", "parse", "parse_list"]
