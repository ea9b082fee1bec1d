"""Capabilities of devices as values, and the argument order of kernels."""
from svod.target.target import REFERENCE, Caches, Limits, Target

__all__ = ["REFERENCE", "Caches", "Limits", "Target"]
