"""What svod's own tests and those of third-party devices share: kernels with references, conformance, random graphs."""
