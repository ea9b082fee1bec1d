"""The HIP device: HIP C++ for AMD GPUs, rendered, and compiled by clang. Nothing runs it: not tried on hardware."""
from svod.device.hip.probe import PROBE

__all__ = ["PROBE"]
