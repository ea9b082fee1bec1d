"""CUDA C as it is written: golden files of small kernels, what it computes with, what NVRTC says to it, what comes out as machine code."""
from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from svod import UOp
from svod.device.cuda.compiler import OPTIONS, disassembled
from svod.device.cuda.nvrtc import nvrtc
from svod.device.lowering import lowered
from svod.dtype import AddrSpace, DType, dtypes
from svod.errors import ConfigError, DeviceUnavailable, UnsupportedError
from svod.ir.args import AtomicKind, SpecialKind
from svod.ir.ops import Op
from svod.renderers.c.cuda import LIBRARY_WORDS, capability, cuda_target, entries, render_cuda
from svod.renderers.c.cuda_pieces import PIECES
from svod.target import Limits
from svod.target.abi import describe
from svod.testing.conformance import kernel, table
from svod.testing.kernels import CASES, axes, p
from svod.testing.random_threads import random_thread_case
from svod.testing.threads import Threads

ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_120")


def source(ast: UOp, name: str = "", arch: str = "sm_90") -> str:
    low = lowered(ast, cuda_target(arch))
    together = {b.slot for b in low.meta.buffers} if ast.op is Op.THREADS else {slot for slot, others in low.aliases if others}
    return render_cuda(low.linear, low.meta, name or ast.arg.name, together, low.names)


def cubin(text: str, arch: str = "sm_90") -> bytes:
    """What NVRTC makes of a source. Skips without NVRTC."""
    try:
        library = nvrtc()
    except DeviceUnavailable as e:
        pytest.skip(f"{e.what}: {e.hint}")
    compiled = library.compile(text, "kernel.cu", [f"--gpu-architecture={arch}", *OPTIONS], "CUBIN")
    assert compiled.image is not None, f"{compiled.log}\n{text}"
    return compiled.image


def packed(sources: list[str]) -> str:
    """Many kernels in one source, each with helpers of its own."""
    return "\n".join(f"namespace n{k} {{\n{text}}}" for k, text in enumerate(sources))


Atomics = Callable[[DType], UOp]
Exchanges = Callable[[int], UOp]
ATOMIC = (dtypes.i16, dtypes.u16, dtypes.i32, dtypes.u32, dtypes.i64, dtypes.u64, dtypes.f16, dtypes.f32, dtypes.f64)


def test_golden(small: UOp, golden: Callable[[str, str], None]) -> None:
    text = source(small)
    golden(text, f"cuda/{small.arg.name}.cu")
    cubin(text)


def test_words_of_the_language_are_no_names() -> None:
    (i,) = axes(7)
    text = source(UOp.sink(p(0, "fmaf")[i].store(p(1, "threadIdx")[i].load()), name="sqrtf"))
    assert "fmaf1[v1] = threadIdx1[v1];" in text
    assert "void sqrtf1(" in text
    assert entries("sqrtf", 2) == ["sqrtf1", "sqrtf_phase2"]
    cubin(text)


def test_functions_of_the_library_are_no_names_of_kernels() -> None:
    (i,) = axes(7)
    ast = UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load()), name="k")
    cubin("\n".join(source(ast, name) for w in LIBRARY_WORDS.split() for name in (w, f"{w}f")))


@pytest.mark.parametrize("d", ATOMIC)
def test_atomics_of_every_type_compile(d: DType, atomics: Atomics) -> None:
    for arch in ARCHITECTURES:
        cubin(source(atomics(d)), arch)


def test_messages_and_ids_without_groups_compile(by_name: dict[str, UOp]) -> None:
    texts = [source(by_name[name]) for name in ("speaking", "direct")]
    assert "unsigned int *record" in texts[0]
    assert "(int)((long long)blockIdx.z * blockDim.z + threadIdx.z)" in texts[1]
    cubin(packed(texts))


def test_atomics_of_other_types_are_refused(atomics: Atomics) -> None:
    with pytest.raises(UnsupportedError, match="ATOMIC add of i8 is not available in CUDA C"):
        source(atomics(dtypes.i8))


def test_sums_use_the_instruction() -> None:
    k = Threads("sums", (64, 1, 1))
    data = UOp.param(0, dtypes.f32, name="data")
    k.atomic(AtomicKind.ADD, data, 0, k.load(data, k.item()))
    assert "return atomicAdd(p, value);" in source(k.kernel())


def test_what_is_no_architecture_is_refused() -> None:
    assert (capability("sm_75"), capability("sm_120a")) == (75, 120)
    for text in ("gfx942", "sm_", "90"):
        with pytest.raises(ConfigError, match="is no CUDA architecture"):
            cuda_target(text)


def test_the_target_has_the_limits_of_its_device() -> None:
    assert cuda_target("sm_90").limits.grid == ((1 << 31) - 1, 65535, 65535)
    assert cuda_target("sm_90", Limits(threads=512), cores=132).limits.threads == 512


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_loop_kernel_compiles(arch: str) -> None:
    texts = [source(make().ast, f"k{n}", arch) for n, make in enumerate(CASES.values())]
    cubin(packed(texts), arch)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_thread_kernels_compile(arch: str) -> None:
    texts = [source(random_thread_case(seed).threads, f"k{seed}", arch) for seed in range(8)]
    cubin(packed(texts), arch)


def test_every_row_of_the_table_has_a_form() -> None:
    """A tenth of them is compiled, evenly spread."""
    texts = [source(kernel(entry, 1000), f"k{n}") for n, entry in enumerate(table())]
    cubin(packed(texts[::10]))


def test_every_helper_is_used_by_some_kernel(atomics: Atomics, exchanges: Exchanges) -> None:
    rows = [source(kernel(e, 8), "k") for e in table() if e.op in (Op.MAX, Op.MIN, Op.ABS, Op.CAST, Op.BITCAST)]
    text = "\n".join([*rows, *(source(atomics(d)) for d in ATOMIC), source(exchanges(32))])
    unused = {kind for kind in PIECES if kind not in ("load", "store", "bits", "saturate", "f32_from_f16", "f16_from_f32")
              and not re.search(rf"\b{kind}(_[iuf]\d+)?\(", text)}
    assert not unused
    assert {"__float_as_int(", "__float2int_rz(", "__nv_half2float(", "__nv_float2half_rn("} <= set(re.findall(r"__\w+\(", text))


def test_machine_code_of_a_vector_sum(by_name: dict[str, UOp]) -> None:
    sass = disassembled(cubin(source(by_name["vector_add"])))
    if sass is None:
        pytest.skip("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")
    assert len(re.findall(r"\bLDG\.E\b", sass)) == 2
    assert len(re.findall(r"\bSTG\.E\b", sass)) == 1
    assert not re.search(r"\b(LDL|STL|CALL)\b", sass), "no memory of a thread, no calls"


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_exchanges_compile_to_shuffles(arch: str, exchanges: Exchanges) -> None:
    sass = disassembled(cubin(source(exchanges(32), arch=arch), arch))
    if sass is None:
        pytest.skip("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")
    assert {"IDX", "UP", "DOWN", "BFLY"} <= set(re.findall(r"SHFL\.(\w+)", sass))
    assert "VOTE" in sass
    assert "BAR.SYNC" not in sass


def test_vectors_are_loaded_and_stored_by_one_instruction() -> None:
    out, a = (UOp.param(n, dtypes.f32, name=name) for n, name in enumerate(("out", "a")))
    first = UOp.special(SpecialKind.LOCAL, 0, UOp.const(64, dtypes.index)) * 4
    lanes = UOp(Op.RAMP, (first, UOp.const(1, dtypes.index)), None, dtypes.index.vec(4))
    value = UOp(Op.INDEX, (a, lanes)).load()
    turned = UOp(Op.STACK, tuple(UOp(Op.EXTRACT, (value,), 3 - k, dtypes.f32) for k in range(4)), None, dtypes.f32.vec(4))
    stored = UOp(Op.INDEX, (out, lanes)).store(turned)
    linear = UOp(Op.LINEAR, tuple(u for u in stored.toposort() if u.op is not Op.RAMP))
    text = render_cuda(linear, describe(linear), "turned")
    assert "struct __align__(16) f32x4 { float s[4]; };" in text
    sass = disassembled(cubin(text))
    if sass is None:
        pytest.skip("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")
    assert re.search(r"LDG\.E\.128", sass)
    assert re.search(r"STG\.E\.128", sass)
    assert not re.search(r"\b(LDL|STL)\b", sass)


def kept_values(size: int) -> UOp:
    """Squares of a row, through an array of the work item's own."""
    k = Threads("kept_values", (64, 1, 1))
    out, a = (UOp.param(n, dtypes.f32, name=name) for n, name in enumerate(("out", "a")))
    own = k.memory(dtypes.f32, size, AddrSpace.REG, "own")
    for _ in range(2):
        with k.for_(0, size) as i:
            k.store(own, i, k.load(a, k.item() * size + i) * k.load(a, i))
        k.barrier()
    with k.for_(0, size) as i:
        k.store(out, k.item() * size + i, k.load(own, i))
    return k.kernel()


def test_arrays_of_a_work_item_lie_in_registers() -> None:
    text = source(kept_values(32))
    assert text.count("#pragma unroll") == 3
    sass = disassembled(cubin(text))
    if sass is None:
        pytest.skip("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")
    assert not re.search(r"\b(LDL|STL)\b", sass)


def test_loops_of_many_iterations_are_not_unrolled() -> None:
    assert "#pragma unroll" not in source(kept_values(2000))


def test_products_and_sums_are_not_fused_unless_told() -> None:
    (i,) = axes(64)
    a, b, c = (p(k, n)[i] for k, n in ((1, "a"), (2, "b"), (3, "c")))
    text = source(UOp.sink(p(0, "out")[i].store((a.load() * b.load()).cast(dtypes.f64).cast(dtypes.f32) + c.load()), name="k"))
    sass = disassembled(cubin(text))
    if sass is None:
        pytest.skip("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")
    assert "FMUL" in sass
    assert "FADD" in sass
    assert "FFMA" not in sass
