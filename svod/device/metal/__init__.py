"""The METAL device: kernels in the Metal shading language, rendered. Nothing runs them: not tried on hardware."""
from svod.device.metal.probe import PROBE

__all__ = ["PROBE"]
