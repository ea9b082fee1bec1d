"""Conformance of devices as a library: `conformance(device)` yields what one does differently and what it lacks; `run_conformance` counts.

The same bodies serve every device, svod's own and those of other packages. A part is a list of checks; a test can be made of each of them.
"""
from svod.testing.conformance.bad import BAD
from svod.testing.conformance.features import FEATURES
from svod.testing.conformance.gallery import gallery_checks
from svod.testing.conformance.launches import LAUNCHES
from svod.testing.conformance.loops import loop_checks, run_case
from svod.testing.conformance.op_table import Entry, check_entry, edges, kernel, operands, same, table
from svod.testing.conformance.ops import check_ops
from svod.testing.conformance.records import Check, Failure, Passed, Record, Report, Skip
from svod.testing.conformance.run import PARTS, conformance, language_checks, run_conformance

__all__ = [
    "BAD", "FEATURES", "LAUNCHES", "PARTS", "Check", "Entry", "Failure", "Passed", "Record", "Report", "Skip", "check_entry", "check_ops",
    "conformance", "edges", "gallery_checks", "kernel", "language_checks", "loop_checks", "operands", "run_case", "run_conformance", "same",
    "table",
]
