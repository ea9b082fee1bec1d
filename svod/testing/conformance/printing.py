"""What a kernel prints: standard output of the process, also of code that is not Python's.

Owns: how it is caught. Must not know kernels.
Invariant: afterwards standard output is what it was, and has lost nothing that was on its way before.
"""
from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
import tempfile
from collections.abc import Callable


def printed(act: Callable[[], object]) -> str:
    """The text that `act` writes to standard output, through Python or past it."""
    told = io.StringIO()
    _flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            with contextlib.redirect_stdout(told):
                act()
        finally:
            _flush()
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        return file.read().decode("utf-8", "replace") + told.getvalue()


def _flush() -> None:
    """Python's buffer, and that of C."""
    with contextlib.suppress(ValueError, OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)
