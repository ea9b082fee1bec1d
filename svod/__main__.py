"""`python -m svod` is the command `svod`."""
from __future__ import annotations

from svod.tools.cli import main

if __name__ == "__main__":
    main()
