"""Loop kernels with NumPy references: everything the core must compile. Importing this fills the table.

Owns: the list of modules that hold kernels. Must not know devices.
"""
from svod.testing import elementwise_kernels, memory_kernels, ragged_kernels, reduction_kernels
from svod.testing.case import CASES, Array, Case, Maker, axes, case, f32, p, rng

MODULES = (elementwise_kernels, reduction_kernels, memory_kernels, ragged_kernels)
__all__ = ["CASES", "MODULES", "Array", "Case", "Maker", "axes", "case", "f32", "p", "rng"]
