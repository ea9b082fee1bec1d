"""The CUDA device: CUDA C through NVRTC, and NVIDIA's driver through pycuda or cuda-bindings."""
from svod.device.cuda.probe import PROBE

__all__ = ["PROBE"]
