"""The OPENCL device: OpenCL C through pyopencl, on every platform and device that it finds."""
from svod.device.opencl.probe import PROBE

__all__ = ["PROBE"]
