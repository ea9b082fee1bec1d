"""The CPU: LLVM IR text, compiled by llvmlite, run in process on a native worker pool.

Owns: the probe and what it opens. llvmlite is loaded when the device opens, never by `import svod`.
"""
from svod.device.cpu.probe import PROBE

__all__ = ["PROBE"]
