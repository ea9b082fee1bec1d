"""Errors that are also what FlyDSL raises in the same place, so that code that catches those goes on working.

Owns: these classes. Must not know who raises them. Invariant: each is an SvodError.
"""
from __future__ import annotations

from svod.errors import ArgumentError, ConfigError, KernelError, LaunchError


class CalledOutside(LaunchError, RuntimeError):
    """A kernel was called outside of a jit function."""


class SharedMemoryOverflow(LaunchError, RuntimeError):
    """More shared memory is asked for than there is."""


class UnknownArgument(ArgumentError, TypeError):
    """An argument of a type that nothing is registered for, or whose constructor fails."""


class BadRegistration(KernelError, ValueError):
    """A type is registered twice, or without what a kernel sees of it."""


class BadVariable(ConfigError, ValueError):
    """An environment variable has no meaning."""


class NotHere(KernelError, NotImplementedError):
    """A name of FlyDSL that svod has nothing for."""
