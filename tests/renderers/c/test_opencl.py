"""OpenCL C as it is written: golden files of small kernels, names that are nobody's, what has no form in it."""
from __future__ import annotations

from collections.abc import Callable

import svod
from svod import UOp
from svod.testing.kernels import axes, p


def source(kernel: UOp) -> str:
    return str(svod.Device.offline("OPENCL").renderer.render(kernel).src)


def test_golden(small: UOp, golden: Callable[[str, str], None]) -> None:
    golden(source(small), f"opencl/{small.arg.name}.cl")


def test_messages_are_written_to_a_record(by_name: dict[str, UOp], golden: Callable[[str, str], None]) -> None:
    golden(source(by_name["speaking"]), "opencl/speaking.cl")


def test_words_of_the_language_are_no_names() -> None:
    (i,) = axes(8)
    text = source(UOp.sink(p(0, "fma")[i].store(p(1, "as_int")[i].load()), name="sqrt"))
    assert "__global float *fma1" in text
    assert "void sqrt1(" in text
