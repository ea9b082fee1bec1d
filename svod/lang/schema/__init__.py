"""Kernel schema 1.0: kernels as JSON documents, read and written.

Owns: the public names. Must not know how any of them works.
Invariant: one implementation: a document becomes Python text again and goes through the front end that every kernel goes through.
"""
from __future__ import annotations

from svod.lang.schema.document import VERSION, Document, parse, parse_list
from svod.lang.schema.emit import compile_to_json, document_of
from svod.lang.schema.items import WorkItems, work_items
from svod.lang.schema.load import ItemKernel, item_kernel, load
from svod.lang.schema.problems import Kind, SchemaError
from svod.lang.schema.source import source_text

__all__ = ["VERSION", "Document", "ItemKernel", "Kind", "SchemaError", "WorkItems", "compile_to_json", "document_of", "item_kernel", "load",
           "parse", "parse_list", "source_text", "work_items"]
