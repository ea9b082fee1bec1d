"""What host code uses: `import svod.compat.flydsl.compiler as flyc`.

Owns: the names. Must not know what they do. Invariant: a name of FlyDSL's compiler is here, or using it is refused by name.
"""
from __future__ import annotations

from svod.compat.flydsl.compiler.ast_rewriter import ASTRewriter
from svod.compat.flydsl.compiler.context import CompilationContext
from svod.compat.flydsl.compiler.jit_argument import JitArgumentRegistry, TensorAdaptor, from_dlpack
from svod.compat.flydsl.compiler.jit_executor import JitCompiledFunction
from svod.compat.flydsl.compiler.jit_function import JitCacheManager, JitFunction, MlirCompiler, jit
from svod.compat.flydsl.compiler.kernel_function import KernelFunction, KernelLauncher, kernel

__all__ = ["ASTRewriter", "CompilationContext", "JitArgumentRegistry", "JitCacheManager", "JitCompiledFunction", "JitFunction",
           "KernelFunction", "KernelLauncher", "MlirCompiler", "TensorAdaptor", "from_dlpack", "jit", "kernel"]
