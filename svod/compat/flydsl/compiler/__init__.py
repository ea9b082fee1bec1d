"""What host code uses: `import svod.compat.flydsl.compiler as flyc`.

Owns: the names. Must not know what they do. Invariant: a name of FlyDSL's compiler is here, or using it is refused by name.
"""
from __future__ import annotations

from svod.compat.flydsl.compiler.context import CompilationContext
from svod.compat.flydsl.compiler.jit_argument import JitArgumentRegistry, TensorAdaptor, from_dlpack
from svod.compat.flydsl.compiler.jit_function import JitFunction, jit
from svod.compat.flydsl.compiler.kernel_function import KernelFunction, kernel
from svod.compat.flydsl.refusing import refusing
from svod.lang.host import JitCompiled as JitCompiledFunction
from svod.lang.kernels import PendingLaunch as KernelLauncher

MlirCompiler = refusing("MlirCompiler", "there is no MLIR: kernels are compiled by svod's own stages")
JitCacheManager = refusing("JitCacheManager", "what was compiled is kept by svod (svod cache stat)")
ASTRewriter = refusing("ASTRewriter", "the source is traced, not rewritten")

__all__ = ["ASTRewriter", "CompilationContext", "JitArgumentRegistry", "JitCacheManager", "JitCompiledFunction", "JitFunction",
           "KernelFunction", "KernelLauncher", "MlirCompiler", "TensorAdaptor", "from_dlpack", "jit", "kernel"]
