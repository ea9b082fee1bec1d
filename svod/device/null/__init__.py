"""NULL: renders and compiles for a target, and runs nothing. For compile workers, tests and looking at code."""
from svod.device.null.probe import PROBE

__all__ = ["PROBE"]
