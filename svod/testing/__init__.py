"""What svod's own tests and those of third-party devices share: kernels with references, conformance, random graphs.

`from svod.testing import conformance, run_conformance` is how another package checks its device.
"""
from svod.testing.conformance import Failure, Report, Skip, conformance, run_conformance

__all__ = ["Failure", "Report", "Skip", "conformance", "run_conformance"]
