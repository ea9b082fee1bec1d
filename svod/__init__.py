"""svod: kernels written as UOp graphs, rendered per device, compiled, and run at native speed.

Names are loaded when they are first used, so that `import svod` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from svod.version import __version__

if TYPE_CHECKING:
    from svod.codegen.schedule import Opt, OptKind, Tail, parse_opt
    from svod.config import Config, override
    from svod.device.allocator import AllocOptions
    from svod.device.buffer import Buffer
    from svod.device.device import Device, devices
    from svod.device.program import Program
    from svod.device.stream import Event, Graph, Stream
    from svod.dtype import AddrSpace, DType, dtypes
    from svod.errors import SvodError
    from svod.ir.args import AtomicKind, AxisKind, BarrierScope
    from svod.ir.ops import Op
    from svod.ir.uop import UOp
    from svod.ir.variable import Variable

_HOME = {
    "Opt": "svod.codegen.schedule",
    "OptKind": "svod.codegen.schedule",
    "Tail": "svod.codegen.schedule",
    "parse_opt": "svod.codegen.schedule",
    "Config": "svod.config",
    "override": "svod.config",
    "AllocOptions": "svod.device.allocator",
    "Buffer": "svod.device.buffer",
    "Device": "svod.device.device",
    "devices": "svod.device.device",
    "Program": "svod.device.program",
    "Event": "svod.device.stream",
    "Graph": "svod.device.stream",
    "Stream": "svod.device.stream",
    "AddrSpace": "svod.dtype",
    "DType": "svod.dtype",
    "dtypes": "svod.dtype",
    "SvodError": "svod.errors",
    "AtomicKind": "svod.ir.args",
    "AxisKind": "svod.ir.args",
    "BarrierScope": "svod.ir.args",
    "Op": "svod.ir.ops",
    "UOp": "svod.ir.uop",
    "Variable": "svod.ir.variable",
}
__all__ = [
    "AddrSpace",
    "AllocOptions",
    "AtomicKind",
    "AxisKind",
    "BarrierScope",
    "Buffer",
    "Config",
    "DType",
    "Device",
    "Event",
    "Graph",
    "Op",
    "Opt",
    "OptKind",
    "Program",
    "Stream",
    "SvodError",
    "Tail",
    "UOp",
    "Variable",
    "__version__",
    "devices",
    "dtypes",
    "override",
    "parse_opt",
]


def __getattr__(name: str) -> Any:
    if (module := _HOME.get(name)) is None:
        raise AttributeError(f"module 'svod' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
