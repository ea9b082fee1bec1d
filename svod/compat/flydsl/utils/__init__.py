"""`flydsl.utils`. Owns: nothing but `smem_allocator`. Must not know kernels. Invariant: none of its own."""
