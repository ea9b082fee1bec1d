"""What can be wrong with a document: `SchemaError`, its kinds, and the notation of places.

Owns: these. Must not know what a document holds. Invariant: `path` is a JSON path such as `$.kernel.body[1].value.left`, or empty.
"""
from __future__ import annotations

from enum import Enum

from svod.errors import KernelError


class Kind(Enum):
    """What sort of problem it is."""

    JSON_PARSE = "JsonParse"
    """The text is not JSON."""
    INVALID_SCHEMA = "InvalidSchema"
    """The JSON is not a document of version 1.0."""
    TYPE_ERROR = "TypeError"
    """The document is well-formed and its kernel is not: types, unbound names, …"""
    UNSUPPORTED = "UnsupportedOperation"
    """An operator, function or type that svod does not have."""
    CODEGEN_FAILED = "CodegenFailed"
    """No kernel could be made of a valid document."""


class SchemaError(KernelError):
    """A document that cannot be used. `kind` says why, `path` where."""

    def __init__(self, kind: Kind, what: str, path: str = "", *, file: str = "", hint: str = "") -> None:
        super().__init__(f"{kind.value}: {what}", at=" ".join(s for s in (file, path) if s), hint=hint)
        self.kind, self.path = kind, path
