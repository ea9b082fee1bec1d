"""Matrix units in CUDA C: which instructions products become, in the disassembly; how tiles of loop kernels get there."""
from __future__ import annotations

import re
from collections import Counter

import pytest

from svod import UOp
from svod.device.cuda.compiler import OPTIONS, disassembled
from svod.device.cuda.nvrtc import nvrtc
from svod.device.lowering import lowered
from svod.dtype import DType, dtypes
from svod.errors import DeviceUnavailable
from svod.ir.args import MmaArg, product_types
from svod.ir.ops import Op
from svod.renderers.c.cuda import cuda_target, render_cuda
from svod.testing.kernels import axes
from svod.testing.threads import Threads


def source(ast: UOp, arch: str) -> str:
    low = lowered(ast, cuda_target(arch))
    together = {b.slot for b in low.meta.buffers} if ast.op is Op.THREADS else {slot for slot, others in low.aliases if others}
    return render_cuda(low.linear, low.meta, ast.arg.name, together, low.names)


def machine_code(text: str, arch: str) -> str:
    """The disassembly of what a source compiles to. Skips where there is none."""
    try:
        library = nvrtc()
    except DeviceUnavailable as e:
        pytest.skip(f"{e.what}: {e.hint}")
    compiled = library.compile(text, "kernel.cu", [f"--gpu-architecture={arch}", *OPTIONS], "CUBIN")
    assert compiled.image is not None, f"{compiled.log}\n{text}"
    sass = disassembled(compiled.image)
    if sass is None:
        pytest.skip("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")
    return sass


def product(kind: DType, other: DType | None = None, *, rounded: bool = False) -> UOp:
    """16 x 16 sums of products by a subgroup."""
    k = Threads("product", (32, 1, 1))
    wide = dtypes.i32 if kind.is_int else dtypes.f32
    arg = MmaArg(16, 16, 32 if kind.bits == 8 else 16, 32)
    left, right, rows = arg.held()
    given = [k.load(UOp.param(n, d, name=name), k.thread() * each + e) for n, (name, d, each) in
             enumerate((("a", kind, left), ("b", other or kind, right), ("c", wide, rows)), 1) for e in range(each)]
    given = [v.tf32() if rounded and n < left + right else v for n, v in enumerate(given)]
    sums = [k.value(wide) for _ in range(rows)]
    k.do(UOp(Op.MMA, (*sums, *given), arg, dtypes.void))
    for r, s in enumerate(sums):
        k.store(UOp.param(0, wide, name="out"), k.thread() * rows + r, s)
    return k.kernel()


@pytest.mark.parametrize(("kind", "arch", "instruction"), [
    (dtypes.f16, "sm_75", "HMMA.1688.F32"), (dtypes.f16, "sm_80", "HMMA.16816.F32"), (dtypes.f16, "sm_90", "HMMA.16816.F32"),
    (dtypes.bf16, "sm_90", "HMMA.16816.F32.BF16"), (dtypes.i8, "sm_80", "IMMA.16832.S8.S8"), (dtypes.u8, "sm_90", "IMMA.16832.U8.U8"),
    (dtypes.f8e4m3, "sm_90", "QGMMA|QMMA|HMMA"), (dtypes.f8e5m2, "sm_120", "QMMA"), (dtypes.f16, "sm_120", "HMMA.16816.F32"),
])
def test_products_compile_to_instructions_of_tensor_cores(kind: DType, arch: str, instruction: str) -> None:
    sass = machine_code(source(product(kind), arch=arch), arch)
    assert re.search(instruction, sass), set(re.findall(r"\w*MMA[.\w]*", sass))


I8, U8, E4, E5 = dtypes.i8, dtypes.u8, dtypes.f8e4m3, dtypes.f8e5m2


@pytest.mark.parametrize(("kinds", "archs", "instruction"), [
    ((I8, U8), ("sm_80", "sm_89", "sm_90", "sm_120"), r"IMMA.16832.U8.S8"), ((U8, I8), ("sm_80", "sm_90"), r"IMMA.16832.S8.U8"),
    ((E4, E5), ("sm_89", "sm_120"), r"QMMA\S*E5M2.E4M3"), ((E5, E4), ("sm_89", "sm_90", "sm_120"), r"QMMA\S*E4M3.E5M2|HMMA"),
])
def test_operands_of_two_types_compile_to_instructions(kinds: tuple[DType, DType], archs: tuple[str, ...], instruction: str) -> None:
    """Transposed: the right operand is the instruction's left one."""
    for arch in archs:
        assert re.search(instruction, machine_code(source(product(*kinds), arch=arch), arch))


@pytest.mark.parametrize("arch", ["sm_80", "sm_89", "sm_90", "sm_120"])
def test_rounded_f32_compile_to_instructions(arch: str) -> None:
    text = source(product(dtypes.f32, rounded=True), arch=arch)
    assert text.count("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32") == 1
    assert re.search(r"HMMA.1688.F32.TF32", machine_code(text, arch))


def test_products_that_an_architecture_has_not_are_multiplied_by_lanes() -> None:
    for kind, arch in ((dtypes.bf16, "sm_75"), (dtypes.f8e4m3, "sm_80"), (dtypes.f32, "sm_90")):
        assert "mma.sync" not in source(product(kind), arch=arch)
    assert "mma.sync" not in source(product(dtypes.f16, dtypes.bf16), "sm_90")
    rounded = source(product(dtypes.f32, rounded=True), arch="sm_75")
    assert "mma.sync" not in rounded
    assert "MMA" not in machine_code(rounded, "sm_75")


# --- tiles -----------------------------------------------------------------------------------------------------------------------------

def tiles(size: int, name: str, *, turned: bool = False) -> UOp:
    """c = a @ b, or a @ b.T."""
    kinds = product_types(name)
    i, j, q = axes(size, size, size)
    wide = dtypes.i32 if kinds[0].is_int else dtypes.f32
    loads = [UOp.param(s, d, name="cab"[s])[at].load()
             for s, d, at in ((1, kinds[0], i * size + q), (2, kinds[1], j * size + q if turned else q * size + j))]
    a, b = (x.tf32() if name == "tf32" else x.cast(wide) for x in loads)
    return UOp.sink(UOp.param(0, wide, name="c")[i * size + j].store((a * b).sum(q)), name="tiles")


def innermost(sass: str) -> Counter[str]:
    """The instructions of the last loop, with the width of accesses to memory."""
    lines, labels, loop = sass.splitlines(), {}, []
    for k, line in enumerate(lines):
        if (label := re.match(r"\s*(\.L_x_\d+):", line)) is not None:
            labels[label[1]] = k
        back = re.search(r"BRA\S* .*?(\.L_x_\d+)", line)
        if back is not None and labels.get(back[1], k) < k - 20:
            loop = lines[labels[back[1]]:k]
    found: Counter[str] = Counter()
    for line in loop:
        if (m := re.search(r"\*/\s+(?:@!?U?P\w+\s+)?([A-Z]\w*)((?:\.\w+)*)", line)) is not None:
            wide = next((w for w in m[2].split(".") if w in ("64", "128", "U8", "S8", "U16") and m[1][:2] in ("LD", "ST")), "")
            found[f"{m[1]}{'.' * bool(wide)}{wide}"] += 1
    return found


@pytest.mark.parametrize(("name", "archs", "unit", "most"), [
    ("f16", ("sm_80", "sm_90", "sm_120"), "HMMA", 32), ("bf16", ("sm_89",), "HMMA", 32), ("tf32", ("sm_80", "sm_90"), "HMMA", 32),
    ("i8", ("sm_80",), "IMMA", 32), ("i8_u8", ("sm_89",), "IMMA", 32), ("f8e4m3", ("sm_89", "sm_120"), "QMMA", 32),
    ("f16", ("sm_75",), "HMMA", 64),
])
def test_inner_loops_of_tiles(name: str, archs: tuple[str, ...], unit: str, most: int) -> None:
    """32 instructions of 16 x 8 for each step: four loads and four stores of 16 bytes, twelve from memory of the group, one barrier."""
    for arch in archs:
        found = innermost(machine_code(source(tiles(4096, name, turned=True), arch), arch))
        assert (found[unit], found["LDG.128"], found["STS.128"], found["LDS.128"], found["BAR"]) == (most, 4, 4, 12, 1), (arch, found)
        assert not found.keys() & {"LDG", "LDG.64", "LDG.U16", "LDG.U8", "LDG.S8", "STS", "LDS"}
        assert found.total() < 200, (arch, found)


def test_inner_loops_of_tiles_along_rows() -> None:
    """The right operand in rows along n: words are put together from two rows, and stored one by one."""
    found = innermost(machine_code(source(tiles(1024, "f16"), "sm_80"), "sm_80"))
    assert (found["HMMA"], found["LDG.128"], found["STS.128"], found["STS"], found["LDS.128"], found["BAR"]) == (16, 4, 2, 8, 8, 1)
    assert found.total() < 100
