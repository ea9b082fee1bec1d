"""Checks kernels of the gallery against NumPy: `python examples/kernels/run.py [--device CPU|INTERP] [name…]`.

Prints one line each, and ends with status 1 if one is wrong or fails.
"""
from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from gallery import KERNELS, load


def checked(name: str, device: str) -> str:
    """Empty if the kernel is right on `device`, else what is wrong, in one line."""
    try:
        load(name).check(device)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with one kernel, the others are still checked
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {'; '.join(lines[:4])}"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="check the kernels of the gallery against NumPy")
    parser.add_argument("names", nargs="*", metavar="name", help=f"which kernels (default: all): {', '.join(KERNELS)}")
    parser.add_argument("--device", default="CPU", help="CPU (default), INTERP, …")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in KERNELS]:
        parser.error(f"no kernel is called {', '.join(unknown)}")
    status = 0
    for name in options.names or KERNELS:
        began = time.perf_counter()
        wrong = checked(name, options.device)
        status |= bool(wrong)
        print(f"{name:20} {time.perf_counter() - began:6.2f} s  {'WRONG  ' + wrong if wrong else 'ok     ' + KERNELS[name]}")
    return status


if __name__ == "__main__":
    sys.exit(main())
