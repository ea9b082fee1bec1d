"""The reference of the kernel language: what each of its names is and does, read from the names themselves.

Owns: the order and the columns of the page. Must not hold a fact of its own that a docstring could hold.
Invariant: every public name of svod.lang is on the page once.
"""
from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from svod import lang
from svod.dtype import DType
from svod.lang.builtin import Builtin, Name
from svod.lang.types import Scalar
from svod.tools.markdown import attribute_docs, invariant, paragraphs, prose, table


def builtin_parts() -> list[str]:
    """The sections of docs/builtins.md."""
    homes: dict[str, list[str]] = {}
    for name, (home, _) in lang.HOME.items():
        homes.setdefault(home, []).append(name)
    return [part for home, names in homes.items() for part in _section(importlib.import_module(f"svod.lang.{home}"), names)]


def _section(module: ModuleType, names: list[str]) -> Iterable[str]:
    title, _, *rest = paragraphs(module)
    yield f"## {module.__name__.rpartition('.')[2].capitalize()}\n\n{prose(title)}"
    yield prose(invariant(module))
    yield from map(_paragraph, rest)
    told = attribute_docs(module)
    scalars = [(name, getattr(lang, name)) for name in names if isinstance(getattr(lang, name), Scalar)]
    if scalars:
        yield table(("type", "bits", "values"), [(f"`{name}`", f"{s.dtype.bits}", _values(s.dtype)) for name, s in scalars])
    others = [(name, getattr(lang, name)) for name in names if not isinstance(getattr(lang, name), Scalar)]
    yield table(("name", "meaning", "in Python"), [_row(name, value, told.get(name, "")) for name, value in others])


def _paragraph(text: str) -> str:
    return "\n".join(f"- {prose(i)}" for i in text[2:].split("\n- ")) if text.startswith("- ") else prose(text)


def _values(dtype: DType) -> str:
    if dtype.is_bool:
        return "False, True"
    if dtype.fmt is not None:
        return f"floats: 1 sign bit, {dtype.fmt.exponent} of exponent, {dtype.fmt.mantissa} of mantissa" + (
            "" if dtype.fmt.infinities else "; no infinities")
    return f"{dtype.min} to {dtype.max}"


def _row(name: str, value: Any, told: str) -> tuple[str, str, str]:
    if isinstance(value, Name):
        return f"`{name}`", prose(told), ""
    doc = " ".join(prose(p) for p in inspect.cleandoc(value.__doc__ or "").split("\n\n"))
    if isinstance(value, Builtin):
        return f"`{name}{_parameters(value.apply, skip=1)}`", doc, "yes" if value.outside is not None else ""
    if inspect.isfunction(value):
        return f"`{name}{_parameters(value)}`", doc, "" if value.__module__.endswith(".blocks") else "yes"
    return f"`{name}`", doc, "yes"


def _parameters(function: Any, skip: int = 0) -> str:
    """(a, b=1): the parameters without their types."""
    listed = list(inspect.signature(function).parameters.values())[skip:]
    return str(inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in listed]))
