"""What kernels are written with: `import svod.compat.flydsl.expr as fx`.

Owns: the names. Must not know what they do. Invariant: a name of FlyDSL's expr is here, or using it is refused by name.
"""
from __future__ import annotations

from typing import Any

from svod.compat.flydsl.expr import arith, buffer_ops, gpu, math, methods, rocdl, vector
from svod.compat.flydsl.expr.gpu import barrier, block_dim, block_idx, grid_dim, thread_idx
from svod.compat.flydsl.expr.typing import (
    BFloat16,
    Boolean,
    Constexpr,
    Float16,
    Float32,
    Float64,
    Index,
    Int8,
    Int16,
    Int32,
    Int64,
    Stream,
    T,
    Tensor,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
)
from svod.compat.flydsl.refusing import refusing
from svod.lang.diagnostics import const_expr, printf, range_constexpr
from svod.lang.memory import atomic_add, atomic_and, atomic_cas, atomic_exchange, atomic_max, atomic_min, atomic_or, atomic_xor

__all__ = [
    "BFloat16",
    "Boolean",
    "Constexpr",
    "Float16",
    "Float32",
    "Float64",
    "Index",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Stream",
    "T",
    "Tensor",
    "Uint8",
    "Uint16",
    "Uint32",
    "Uint64",
    "arith",
    "atomic_add",
    "atomic_and",
    "atomic_cas",
    "atomic_exchange",
    "atomic_max",
    "atomic_min",
    "atomic_or",
    "atomic_xor",
    "barrier",
    "block_dim",
    "block_idx",
    "buffer_ops",
    "const_expr",
    "gpu",
    "grid_dim",
    "math",
    "methods",
    "printf",
    "range_constexpr",
    "rocdl",
    "thread_idx",
    "vector",
]

_LAYOUTS = """make_shape make_stride make_coord make_int_tuple make_layout make_ordered_layout make_identity_layout make_identity_tensor
    make_tile make_view make_fragment_like make_ptr make_copy_atom make_mma_atom make_tiled_copy make_tiled_mma make_buffer_tensor size
    cosize rank depth get_shape get_stride crd2idx idx2crd coalesce composition complement right_inverse left_inverse recast_layout
    add_offset copy gemm logical_divide zipped_divide tiled_divide flat_divide logical_product zipped_product tiled_product flat_product
    blocked_product raked_product"""
LAYOUTS = tuple(_LAYOUTS.split())
"""Of the layout algebra, which the guide names in its list of files."""


def __getattr__(name: str) -> Any:
    if name in LAYOUTS:
        return refusing(f"fx.{name}", "the layout algebra is not there")
    raise AttributeError(f"module 'svod.compat.flydsl.expr' has no attribute {name!r}")
