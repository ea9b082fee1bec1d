"""The older dialect "atlas": `DeviceArray`, `get_global_id`, atomics, JSON documents.

`from svod.compat.atlas.atlas_kernel import DeviceArray, f32, …` in place of `from atlas_kernel import …`, and `svod.compat.atlas.compiler`
in place of `compiler`; or `with aliases():` around an import of a file that has the old lines. Launching was never part of the dialect's
Python: here it is `launch(kernel, *arguments)`, or `kernel_of(kernel)`, which can be kept.

Owns: `launch`, `kernel_of`, `aliases`. Must not know how documents or kernels work: that is svod.lang.schema.
Invariant: a kernel runs on work items 0 to n - 1, where n is what its guards say, or `threads`.
"""
from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from svod.compat.atlas import atlas_kernel, compiler
from svod.compat.atlas.compiler import AtlasCompiler, compile_to_json
from svod.lang.schema import ItemKernel, item_kernel, load

_MODULES = {"atlas_kernel": atlas_kernel, "compiler": compiler}


@functools.lru_cache(maxsize=1024)
def kernel_of(function: Any) -> ItemKernel:
    """A kernel, decorated or not, as something to call with its arguments. KernelError for what is no kernel."""
    return item_kernel(compiler.original(function))


def launch(function: Any, *args: Any, threads: int | None = None, device: str | None = None, **kwargs: Any) -> None:
    """Runs a kernel and waits. LaunchError if neither its guards nor `threads` say how many work items there are; else as a Kernel."""
    kernel = kernel_of(function)
    (kernel if device is None else kernel.on(device))(*args, threads=threads, **kwargs)


@contextmanager
def aliases() -> Iterator[None]:
    """Meanwhile `import atlas_kernel` and `import compiler` find the modules of this package."""
    before = {name: sys.modules.get(name) for name in _MODULES}
    sys.modules.update(_MODULES)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


__all__ = ["AtlasCompiler", "ItemKernel", "aliases", "atlas_kernel", "compile_to_json", "compiler", "kernel_of", "launch", "load"]
