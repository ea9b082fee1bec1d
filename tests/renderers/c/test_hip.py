"""HIP C++ as it is written: golden files, what has no form, what clang says to it for several architectures. Nothing runs it."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from svod import UOp
from svod.device.hip.compiler import HipCompiler, clang
from svod.device.lowering import lowered
from svod.dtype import DType, dtypes
from svod.errors import ConfigError, UnsupportedError
from svod.ir.ops import Op
from svod.renderers.c.hip import hip_target, render_hip, wave
from svod.target import Limits
from svod.testing.kernels import CASES, axes, p
from svod.testing.random_threads import random_thread_case

ARCHITECTURES = ("gfx90a", "gfx942", "gfx1100")
Atomics = Callable[[DType], UOp]
Exchanges = Callable[[int], UOp]


def source(ast: UOp, name: str = "", arch: str = "gfx942") -> str:
    low = lowered(ast, hip_target(arch))
    together = {b.slot for b in low.meta.buffers} if ast.op is Op.THREADS else {slot for slot, others in low.aliases if others}
    return render_hip(low.linear, low.meta, name or ast.arg.name, together, low.names)


def code(text: str, arch: str = "gfx942") -> bytes:
    """What clang makes of a source. Skips without clang."""
    if clang() is None:
        pytest.skip("clang 17 or later is not installed: apt install clang-19 lld-19")
    image = HipCompiler(arch).made(text, "k")
    assert image.startswith(b"\x7fELF")
    return image


def packed(texts: list[str]) -> str:
    """Many kernels in one source, each with helpers of its own."""
    return "\n".join(f"namespace n{k} {{\n{text}}}" for k, text in enumerate(texts))


def test_golden(small: UOp, golden: Callable[[str, str], None]) -> None:
    golden(source(small), f"hip/{small.arg.name}.hip")


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_loop_kernel_and_thread_kernels_compile(arch: str) -> None:
    texts = [source(make().ast, f"k{n}", arch) for n, make in enumerate(CASES.values())]
    texts += [source(random_thread_case(seed).threads, f"t{seed}", arch) for seed in range(4)]
    code(packed(texts), arch)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_atomics_exchanges_and_messages_compile(arch: str, atomics: Atomics, exchanges: Exchanges, by_name: dict[str, UOp]) -> None:
    texts = [source(atomics(d), "", arch) for d in (dtypes.i32, dtypes.u32, dtypes.i64, dtypes.u64, dtypes.f16, dtypes.f32, dtypes.f64)]
    texts += [source(ast, "", arch) for ast in (exchanges(64), by_name["speaking"], by_name["direct"])]
    code(packed(texts), arch)


def test_a_wave_of_64_votes_in_64_bits(exchanges: Exchanges) -> None:
    assert "__builtin_amdgcn_ballot_w64(x)" in source(exchanges(64), "", "gfx942")
    assert "__builtin_amdgcn_ballot" not in source(exchanges(64), "", "gfx1100"), "waves of 32 exchange 64 values through memory"


def test_products_and_sums_are_not_fused_unless_told() -> None:
    (i,) = axes(64)
    a, b, c = (p(k, n)[i] for k, n in ((1, "a"), (2, "b"), (3, "c")))
    ast = UOp.sink(p(0, "out")[i].store((a.load() * b.load()).cast(dtypes.f64).cast(dtypes.f32) + c.load()), name="k")
    if clang() is None:
        pytest.skip("clang 17 or later is not installed: apt install clang-19 lld-19")
    text = HipCompiler("gfx942").assembly(source(ast), "k")
    assert "v_mul_f32" in text
    assert "v_add_f32" in text
    assert "v_fma" not in text


def test_atomics_of_other_types_are_refused(atomics: Atomics) -> None:
    with pytest.raises(UnsupportedError, match=r"ATOMIC add of i8 is not available in HIP C\+\+"):
        source(atomics(dtypes.i8))


def test_what_is_no_architecture_is_refused() -> None:
    assert [wave(a) for a in ARCHITECTURES] == [64, 64, 32]
    for text in ("sm_90", "gfx", "gfx8"):
        with pytest.raises(ConfigError, match="is no architecture of AMD GPUs"):
            hip_target(text)
    assert hip_target("gfx942", Limits(threads=256)).limits.threads == 256
