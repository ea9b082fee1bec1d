"""Every error svod raises on purpose. Users catch SvodError; each class names one kind of mistake or failure.

Owns: the error classes and the shape of a message (what, where, hint). Must not import anything of svod.
Invariant: no bare builtin is raised on purpose anywhere in the package.
"""
from __future__ import annotations


class SvodError(Exception):
    """Base class. `what` is in the user's words; `at` says where (node, rule, argument, file:line); `hint` says what to do.

    `about` is the part of a program that cannot be done, for whoever knows where that was written.
    """

    def __init__(self, what: str, *, at: str = "", hint: str = "", about: object = None) -> None:
        self.what, self.at, self.hint, self.about = what, at, hint, about
        super().__init__("\n".join(s for s in (what, f"  at: {at}" if at else "", f"  hint: {hint}" if hint else "") if s))


class DTypeError(SvodError):
    """A value or an operand has a type the operation does not take."""


class GraphError(SvodError):
    """A UOp graph is malformed: arity, argument, dtype, cycle, size, or an op that its stage does not allow."""


class RuleError(SvodError):
    """A rewrite rule is ill-formed, made no progress, or looped."""


class TextError(SvodError):
    """The text form of a graph cannot be parsed."""


class ConfigError(SvodError):
    """A setting (environment variable, option, schedule) has no meaning."""


class KernelError(SvodError):
    """A kernel written in Python uses something that the kernel language has not, or uses it wrongly; `at` shows file, line and column."""


class ScheduleError(SvodError):
    """An Opt does not apply to the kernel it was given for."""


class UnsupportedError(SvodError):
    """The target has neither the op nor a decomposition for it."""


def shown(value: object) -> str:
    """`value` as a message shows it: its repr, but how long it is for an integer of hundreds of digits, whose repr Python may refuse."""
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"an integer of {value.bit_length()} bits"
    try:
        return repr(value)
    except ValueError:  # such an integer inside
        return f"a {type(value).__name__} with an integer of too many digits"


class SpecError(SvodError):
    """A record (ProgramSpec, CompiledSpec, PROGRAM) is incomplete or disagrees with what its graph says."""


class CompileError(SvodError):
    """A compiler refused the source; the message holds its log and the source lines it complains about."""


class LaunchError(SvodError):
    """A launch is wrong: dimensions, values of variables."""


class ArgumentError(LaunchError):
    """A buffer or array passed to `execute` cannot be used as given."""


class BufferError(SvodError):  # noqa: A001  (svod.errors.BufferError is always qualified)
    """A buffer operation is wrong: size, view range, use after free."""


class DeviceError(SvodError):
    """A device failed while it was being used."""


class DeviceUnavailable(DeviceError):
    """The device named does not exist here; the message says what to install."""


class OutOfMemory(DeviceError):
    """An allocation failed after the allocator's cache was drained."""
