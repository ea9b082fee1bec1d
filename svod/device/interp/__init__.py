"""INTERP: executes the linear program with NumPy semantics. It defines what every op means; it is slow on purpose."""
from svod.device.interp.probe import PROBE

__all__ = ["PROBE"]
