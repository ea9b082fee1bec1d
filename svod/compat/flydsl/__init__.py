"""FlyDSL's names: `import svod.compat.flydsl.compiler as flyc`, `import svod.compat.flydsl.expr as fx`.

Owns: nothing; see `compiler`, `expr`, `utils.smem_allocator` and `kernels`. Must not know backends.
Invariant: code of FlyDSL's kernel authoring guide runs with the root of its imports changed; what is bound to AMD hardware does
the portable operation, or is refused by name. docs/flydsl.md lists what is there.
"""
