"""`make native`: writes the assembly of the CPU device's pool and launchers for this platform beside their IR.

Owns: nothing but the writing. What the files are for: svod/device/cpu/native.py. tests/device/cpu/test_native.py fails while a file is
of other IR than the one beside it.
"""
from __future__ import annotations

from pathlib import Path

from svod.device.cpu import native


def main() -> None:
    """Write the files of this platform and name them."""
    folder = Path(native.__file__).parent
    for name, text in native.prepared_assembly().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


if __name__ == "__main__":
    main()
