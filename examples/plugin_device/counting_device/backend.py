"""What the device is made of: a target, memory, a renderer and a compiler, and what makes a Program of a compiled kernel."""
from __future__ import annotations

from dataclasses import replace

from counting_device.runner import CountingRunner
from svod.device.allocator import HostAllocator, LRUAllocator
from svod.device.device import Backend
from svod.device.interp.probe import InterpCompiler, InterpRenderer, InterpRunner
from svod.device.program import Program
from svod.device.specs import CompiledSpec
from svod.target import REFERENCE

TARGET = replace(REFERENCE, name="counting")
"""What it can do: everything, as the interpreter. Yours lists what yours can do; svod makes the rest of that, or refuses it."""


class CountingRenderer(InterpRenderer):
    """Graph in, text out: the interpreter's, for our target."""

    target = TARGET


def backend() -> Backend:
    """Everything svod needs."""
    return Backend("COUNTING", TARGET, LRUAllocator(HostAllocator()), ((CountingRenderer(), InterpCompiler()),), load)


def load(compiled: CompiledSpec) -> Program:
    """Makes a compiled kernel callable. `Program` checks every call; its runner gets checked arguments only."""
    return Program(compiled, CountingRunner(compiled.name, InterpRunner.of(compiled)), TARGET.limits)
