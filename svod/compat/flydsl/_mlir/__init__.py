"""What kernels import of `flydsl._mlir`. Owns: nothing. Must not know MLIR, of which there is none here. Invariant: `ir` does nothing."""
