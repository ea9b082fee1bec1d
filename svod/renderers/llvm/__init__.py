"""LLVM IR text for CPUs, with explicit vectors."""
