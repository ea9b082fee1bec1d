"""Documents as kernels: text of a document in, something that runs out.

Owns: `load`, `item_kernel`, `ItemKernel`. Must not know how a document is read or traced.
Invariant: the function that a document becomes has source text like any other (in linecache, under a name that its text determines), and
was traced once before it is handed out, so errors of types and names come when a document is loaded, with their JSON path.
"""
from __future__ import annotations

import hashlib
import linecache
import types
from collections.abc import Mapping
from typing import Any

from svod.device.device import Device
from svod.errors import GraphError, KernelError, LaunchError
from svod.ir.spec import THREADS, verify
from svod.lang.binding import Signature
from svod.lang.kernels import Kernel
from svod.lang.launching import Launch
from svod.lang.schema.document import Document, document, parse
from svod.lang.schema.items import WorkItems, work_items
from svod.lang.schema.problems import Kind, SchemaError
from svod.lang.schema.source import Text, source_text
from svod.lang.trace import trace
from svod.lang.types import Argument, ArrayType, Parameter, ScalarType, signature, where_defined

BLOCK = (64, 1, 1)
"""The block a kernel is traced for when it is checked; kernels of the schema do not see it."""


class ItemKernel:
    """A kernel of work items that are only counted: `k(*args)` runs ids 0 to n - 1, n from the guards of the kernel or `threads=n`."""

    def __init__(self, kernel: Kernel, source: Document | None = None) -> None:
        self.kernel, self.document = kernel, source
        self.items: WorkItems | None = work_items(kernel.function)
        self.signature: Signature = kernel.signature
        self._scalars = tuple((i, p.name) for i, p in enumerate(self.signature.parameters) if p.kind == "scalar")
        self.__name__, self.__doc__ = kernel.name, kernel.function.__doc__

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.kernel.name

    def __call__(self, *args: Any, threads: int | None = None, **kwargs: Any) -> None:
        """Runs the kernel and waits. LaunchError if no guard says how many work items there are, and `threads` does not; else as Kernel."""
        self.launch(*args, threads=threads, **kwargs)(*args, **kwargs)

    def launch(self, *args: Any, threads: int | None = None, **kwargs: Any) -> Launch:
        """The launch for these arguments: to be called, prepared, compiled."""
        return self.kernel.over(self.count(*args, **kwargs) if threads is None else threads)

    def count(self, *args: Any, **kwargs: Any) -> int:
        """The number of work items for these arguments. LaunchError if no guard says."""
        if self.items is None:
            raise LaunchError(f"kernel {self.name!r} does not say how many work items it is for",
                              hint="guard what it stores: `if i < n:`, or launch it with threads=n")
        ordered = args if not kwargs and len(args) == self.signature.count else self.signature.ordered(args, kwargs)
        if ordered is None:
            self.signature.bind(args, kwargs)  # says what is wrong
            return 0
        return self.items.count({name: _plain(ordered[i]) for i, name in self._scalars})

    def on(self, device: str | Device) -> ItemKernel:
        """This kernel on a device."""
        return ItemKernel(self.kernel.on(device), self.document)

    def __repr__(self) -> str:
        return f"<kernel {self.name} of counted work items>"


def _plain(value: Any) -> Any:
    return value if type(value) is int else value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value


def item_kernel(function: Any) -> ItemKernel:
    """A Python function as an ItemKernel; a Kernel keeps its options."""
    if isinstance(function, ItemKernel):
        return function
    return ItemKernel(function if isinstance(function, Kernel) else Kernel(function))


def load(source: str | bytes | Document | Mapping[str, Any], *, file: str = "", device: str | None = None) -> ItemKernel:
    """The kernel of a document, given as JSON text or as a value. SchemaError, with the JSON path, for whatever is wrong with it."""
    match source:
        case Document():
            read = source
        case str() | bytes():
            read = parse(source, file=file)
        case _:
            read = document(source, file=file)
    text = source_text(read)
    function = _function(text, read)
    try:
        kernel = Kernel(function, name=read.name, device=device)
        check(function)
    except KernelError as e:
        raise SchemaError(Kind.TYPE_ERROR, e.what, _path(e.at, text), file=read.file, hint=e.hint) from e
    except RecursionError:
        raise SchemaError(Kind.CODEGEN_FAILED, "nested too deeply", "$.kernel.body", file=read.file) from None
    return ItemKernel(kernel, read)


def check(function: types.FunctionType) -> None:
    """Traces a kernel of counted work items and verifies what comes out. KernelError."""
    traced = trace(function, types_of(signature(function)), block=BLOCK, guarded=1)
    try:
        verify(traced.threads, THREADS)
    except GraphError as e:
        raise KernelError(e.what.partition(" (THREADS:")[0], at=where_defined(function), hint=e.hint) from e


def types_of(parameters: tuple[Parameter, ...]) -> dict[str, Argument]:
    """The types that parameters of arrays and scalars declare. KernelError for other kinds."""
    found: dict[str, Argument] = {}
    for p in parameters:
        if p.dtype is None or p.kind not in ("array", "scalar"):
            raise KernelError(f"Unsupported type annotation: {p.kind} (parameter {p.name!r})", hint="schema 1.0 has arrays and scalars")
        found[p.name] = ArrayType(p.dtype, p.rank or 1, p.shape or (None,)) if p.kind == "array" else ScalarType(p.dtype)
    return found


def _function(text: Text, source: Document) -> types.FunctionType:
    """The Python function a text defines."""
    file = f"<kernel {source.name} {hashlib.sha256(text.text.encode()).hexdigest()[:12]}>"
    try:
        code = compile(text.text, file, "exec")
    except (SyntaxError, RecursionError, MemoryError, ValueError) as e:
        raise SchemaError(Kind.CODEGEN_FAILED, f"Python does not take it: {e}", "$.kernel.body", file=source.file,
                          hint="blocks nested less deeply, shorter expressions") from e
    linecache.cache[file] = (len(text.text), None, text.text.splitlines(keepends=True), file)
    scope = {"__name__": f"kernel_{source.name}", **text.scope}
    exec(code, scope)
    function = scope[text.function]
    assert isinstance(function, types.FunctionType)
    return function


def _path(at: str, text: Text) -> str:
    """The JSON path of the line a message names."""
    parts = at.splitlines()[0].rsplit(":", 2) if at else []
    numbers = [int(p) for p in parts[1:] if p.isdigit()]
    line = numbers[0] if numbers else 1
    return text.paths[min(line, len(text.paths)) - 1]
