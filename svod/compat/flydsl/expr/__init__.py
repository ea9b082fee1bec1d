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
    Float4E2M1FN,
    Float6E2M3FN,
    Float6E3M2FN,
    Float8E4M3,
    Float8E4M3B11FNUZ,
    Float8E4M3FN,
    Float8E4M3FNUZ,
    Float8E5M2,
    Float8E5M2FNUZ,
    Float8E8M0FNU,
    Float16,
    Float32,
    Float64,
    Index,
    Int4,
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
from svod.compat.flydsl.refusing import MissingModule, refusing
from svod.lang.diagnostics import const_expr, printf, range_constexpr
from svod.lang.memory import atomic_add, atomic_and, atomic_cas, atomic_exchange, atomic_max, atomic_min, atomic_or, atomic_xor

__all__ = [
    "BFloat16",
    "Boolean",
    "Constexpr",
    "Float4E2M1FN",
    "Float6E2M3FN",
    "Float6E3M2FN",
    "Float8E4M3",
    "Float8E4M3B11FNUZ",
    "Float8E4M3FN",
    "Float8E4M3FNUZ",
    "Float8E5M2",
    "Float8E5M2FNUZ",
    "Float8E8M0FNU",
    "Float16",
    "Float32",
    "Float64",
    "Index",
    "Int4",
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
    make_tile make_view make_fragment_like make_ptr make_copy_atom make_mma_atom make_tiled_copy make_tiled_copy_A make_tiled_copy_B
    make_tiled_copy_C make_tiled_mma make_layout_tv make_buffer_tensor size cosize rank depth get get_shape get_stride get_scalar get_leaf
    get_layout get_iter get_flat_coord slice select group append prepend zip static crd2idx idx2crd coalesce composition complement
    right_inverse left_inverse recast_layout add_offset copy gemm copy_atom_call mma_atom_call int_tuple_add int_tuple_sub int_tuple_mul
    int_tuple_div int_tuple_product int_tuple_product_each ceil_div shape_div elem_less equal logical_divide zipped_divide tiled_divide
    flat_divide logical_product zipped_product tiled_product flat_product block_product blocked_product raked_product memref_alloca
    memref_load memref_store memref_load_vec memref_store_vec UniversalCopy UniversalCopy32b UniversalCopy64b UniversalCopy128b
    UniversalFMA BufferCopy MFMA TiledCopy ThrCopy TiledMma ThrMma Layout IntTuple Swizzle SharedAllocator struct"""
LAYOUTS = tuple(_LAYOUTS.split())
"""Of the layout algebra and of what is built on it. The guide names its file."""


MODULES = {"llvm": "there is no LLVM dialect to write", "tdm_ops": "there is no tensor data mover",
           "signal_ops": "kernels run on one device", "mem_ops": "buffer_ops, vector and atomics move elements",
           "nvvm": "it is of NVIDIA hardware"}
"""Modules of instructions without a portable counterpart -> why."""


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return MissingModule(f"fx.{name}", MODULES[name])
    if name in LAYOUTS:
        return refusing(f"fx.{name}", "the layout algebra is not there")
    raise AttributeError(f"module 'svod.compat.flydsl.expr' has no attribute {name!r}")
