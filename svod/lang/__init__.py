"""The kernel language: Python functions as thread kernels. Suggested alias: `import svod.lang as sl`.

Owns: the public names, loaded when they are first used. Must not know anything else.
Invariant: `import svod.lang` loads no device and no compiler.
"""
from __future__ import annotations

import importlib
from typing import Any

_NAMES: dict[str, str] = {
    "types": "Array Tensor Constexpr Stream bool_ i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64 f8e4m3 f8e5m2 f8e4m3fnuz f8e5m2fnuz "
             "index",
    "ids": "thread_idx block_idx block_dim grid_dim global_id lane_id subgroup_id subgroup_size barrier",
    "memory": "shared shared_dynamic local atomic_add atomic_sub atomic_min atomic_max atomic_and atomic_or atomic_xor "
              "atomic_exchange atomic_cas vec load_vector store_vector buffer_load buffer_store",
    "mathematics": "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt cbrt sin cos tan asin acos atan sinh cosh tanh erf erfc sigmoid "
                   "floor ceil trunc round tf32 isnan isinf isfinite atan2 hypot copysign fmod select where fma clamp cdiv bitcast "
                   "popcount",
    "matrices": "mma",
    "subgroups": "shuffle shuffle_up shuffle_down shuffle_xor any_ all_ ballot",
    "diagnostics": "printf assert_ static_assert const_expr static_range range_constexpr",
    "blocks": "block_reduce_add block_reduce_max block_reduce_min block_scan_add",
    "kernels": "kernel Kernel",
    "host": "jit",
    "adapters": "register_argument unregister_argument",
    "trace": "Trace ArrayType ScalarType Constant Parameter signature",
}
HOME: dict[str, tuple[str, str]] = {name: (module, name) for module, names in _NAMES.items() for name in names.split()}
"""Name -> (module of svod.lang, name there), in the order of the reference."""
HOME |= {"min": ("mathematics", "min_"), "max": ("mathematics", "max_"), "abs": ("mathematics", "abs_"), "pow": ("mathematics", "pow_")}
_COMBINING = tuple(f"{family}_{op}" for family in ("subgroup_reduce", "inclusive_scan", "exclusive_scan")
                   for op in ("add", "mul", "min", "max", "and", "or", "xor"))
HOME |= {name: ("subgroups", name) for name in _COMBINING}
__all__ = sorted(HOME)  # noqa: PLE0605  (names are loaded when they are used)


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module 'svod.lang' has no attribute {name!r}")
    module, attribute = HOME[name]
    value = getattr(importlib.import_module(f"svod.lang.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
