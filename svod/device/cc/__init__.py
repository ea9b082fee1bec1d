"""CC: readable C, compiled by the system's compiler, run in process on the CPU's worker pool.

Owns: the probe and what it opens. No compiler is started by listing devices, and llvmlite is loaded when the device opens.
"""
from svod.device.cc.probe import PROBE

__all__ = ["PROBE"]
