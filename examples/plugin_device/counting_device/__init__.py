"""A device for svod that counts launches. `Device("COUNTING")` opens it; `launches()` says how many there were of each kernel."""
from counting_device.runner import launches

__all__ = ["launches"]
