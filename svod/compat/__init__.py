"""Kernels written for other projects: their names, on top of svod.lang. Change the root of the import, keep the kernel.

Owns: nothing but the packages below it. Must not be imported by anything else of svod.
Invariant: a name of the other project works as there, or is refused by name.
"""
