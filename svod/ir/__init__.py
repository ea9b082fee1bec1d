"""The intermediate representation: ops, nodes, and what can be said about them without knowing a target."""
from svod.ir import text

__all__ = ["text"]
