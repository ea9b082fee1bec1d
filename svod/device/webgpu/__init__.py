"""The WEBGPU device: WGSL through wgpu, on every adapter that it finds."""
from svod.device.webgpu.probe import PROBE

__all__ = ["PROBE"]
