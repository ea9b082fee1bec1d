"""Kernels and device functions in FlyDSL's names, for users to call and to read.

Owns: nothing but the modules. Must not know anything below `compiler` and `expr`. Invariant: none of its own.
"""
