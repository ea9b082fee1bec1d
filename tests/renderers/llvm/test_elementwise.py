"""The text of the LLVM renderer: a form for every op and dtype, and the same text for the same kernel, whoever asks."""
from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import llvmlite.binding as llvm
import pytest

import svod
from svod import Config, UOp, dtypes
from svod.codegen.decompose import rules_for
from svod.device.cpu.jit import host_cpu
from svod.device.cpu.probe import cpu_target
from svod.dtype import DType
from svod.errors import UnsupportedError
from svod.ir.ops import ELEMENTWISE, OPS, Op
from svod.ir.rewrite import rewrite
from svod.renderers.llvm.elementwise import spelled
from svod.renderers.llvm.function import Body
from svod.renderers.llvm.types import value_type
from svod.target.target import CPU_ARITHMETIC, CPU_NATIVE
from svod.testing.conformance import Entry, table
from svod.testing.kernels import CASES, Case, axes, p

TARGET = cpu_target("x86-64-v4", 512, 32, 2)
ROWS = [e for e in table() if e.op in CPU_NATIVE and all(map(TARGET.computes, (*e.dtypes, e.result)))]
GENERIC = "x86-64-v4"


def operand(slot: int, dtype: DType, lanes: int) -> UOp:
    """A value of a dtype that no rule can fold."""
    zero, one = UOp.const(0, dtypes.index), UOp.const(1, dtypes.index)
    at = zero if lanes == 1 else UOp(Op.RAMP, (zero, one), None, dtypes.index.vec(lanes))
    return UOp.param(slot, dtype)[at].load()


def function(entry: Entry, lanes: int, number: int, declarations: set[str]) -> str:
    """An LLVM function that returns the op of its arguments, as the renderer writes it once the target's rules were applied."""
    values = [operand(k, d, lanes) for k, d in enumerate(entry.dtypes)]
    result = UOp(entry.op, tuple(values), None, entry.result.vec(lanes) if OPS[entry.op].result is None else None)
    lowered = rewrite(result, rules_for(TARGET))
    order = lowered.toposort(lambda u: u.op is not Op.LOAD)
    body = Body({v: f"%x{k}" for k, v in enumerate(values)}, declarations, order)
    for u in order:
        if u.op in ELEMENTWISE or u.op in (Op.BROADCAST, Op.STACK, Op.EXTRACT, Op.LANES, Op.SHUFFLE):
            body.run(u)
    given = ", ".join(f"{value_type(v.dtype)} %x{k}" for k, v in enumerate(values))
    lines = "\n".join([*body.lines, f"  ret {body.typed(lowered)}"])
    return f"define {value_type(lowered.dtype)} @f{number}({given}) {{\nentry:\n{lines}\n}}\n"


def verified(text: str) -> None:
    """LLVM reads the module and finds nothing wrong with it."""
    host_cpu()  # initializes LLVM
    context = llvm.create_context()
    module = llvm.parse_assembly(text, context)
    try:
        module.verify()
    finally:
        module.close()
        context.close()


@pytest.mark.parametrize("lanes", [1, 2, 3, 16])
@pytest.mark.parametrize("op", sorted(CPU_NATIVE, key=lambda o: o.name), ids=lambda o: o.name)
def test_every_native_op_has_a_form_for_every_dtype_the_target_computes_in(op: Op, lanes: int) -> None:
    rows, declarations = [e for e in ROWS if e.op is op], set[str]()
    assert rows, f"the table has no row for {op.name}"
    functions = [function(e, lanes, i, declarations) for i, e in enumerate(rows)]
    verified("\n".join([*functions, *sorted(declarations)]))


def test_the_table_of_forms_covers_the_dtypes_of_the_target() -> None:
    assert {d for e in ROWS for d in e.dtypes} == CPU_ARITHMETIC - {dtypes.index}
    assert {e.op for e in ROWS} == CPU_NATIVE


@pytest.mark.parametrize("op", [Op.EXP, Op.SIN, Op.POW, Op.FLOORDIV], ids=lambda o: o.name)
def test_an_op_the_target_lacks_has_no_form(op: Op) -> None:
    dtype = dtypes.i32 if op is Op.FLOORDIV else dtypes.f32
    n = OPS[op].arity[0]
    with pytest.raises(UnsupportedError, match=f"{op.name} of {dtype} has no LLVM form"):
        spelled(UOp(op, tuple(operand(k, dtype, 1) for k in range(n))), ["%a", "%b"][:n])


def test_a_cast_between_floats_of_one_width_has_no_form() -> None:
    with pytest.raises(UnsupportedError, match="CAST from f16 to bf16"):
        spelled(operand(0, dtypes.f16, 1).cast(dtypes.bf16), ["%a"])


# ---- text ---------------------------------------------------------------------------------------------------------------------------


def vector_add() -> UOp:
    n = UOp.variable("n", 0, 1 << 30)
    (i,) = axes(n)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i].load() + p(2, "b")[i].load()), name="vector_add")


def row_sum() -> UOp:
    i, j = axes(64, 256)
    return UOp.sink(p(0, "out")[i].store(p(1, "a")[i * 256 + j].load().sum(j)), name="row_sum")


def masked_tail() -> UOp:
    (i,) = axes(37)
    opts = (svod.Opt(svod.OptKind.SPLIT, (0,), 16, svod.Tail.MASK), svod.Opt(svod.OptKind.VECTOR, (0, 1)))
    return UOp.sink(p(0, "out", dtypes.i32)[i].store(p(1, "a", dtypes.i32)[i].load() * 3), name="masked_tail", opts=opts)


TEXTS = {f.__name__: f for f in (vector_add, row_sum, masked_tail)}


def rendered(ast: UOp, arch: str = GENERIC) -> str:
    """The text for an architecture that need not be this machine's, with two cores."""
    with svod.override(config=Config(threads=2)):
        return svod.Device.offline("CPU", arch).renderer.render(ast).src


@pytest.mark.parametrize("name", TEXTS)
def test_text(golden: Callable[[str, str], None], name: str) -> None:
    text = rendered(TEXTS[name]())
    verified(text)
    golden(text, f"llvm/{name}.ll")


def named(case: Case) -> str:
    """Digest of a case's text, without the name of the case."""
    return hashlib.sha256(rendered(case.ast).encode()).hexdigest()


def digests() -> str:
    """One line for each kernel of the library: its name and the digest of its text."""
    lines = [f"{n} {hashlib.sha256(rendered(f()).encode()).hexdigest()}" for n, f in TEXTS.items()]
    return "\n".join([*lines, *(f"{n} {named(make())}" for n, make in CASES.items())])


def test_the_same_kernel_gives_the_same_text() -> None:
    assert rendered(row_sum()) == rendered(row_sum())


@pytest.mark.parametrize("seed", ["1", "4242"])
def test_another_process_with_other_hashes_gives_the_same_text(seed: str) -> None:
    program = f"import runpy; print(runpy.run_path({__file__!r})['digests']())"
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(svod.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip().splitlines() == digests().splitlines()


@pytest.mark.parametrize("arch", ["generic", "x86-64", "x86-64-v3", "x86-64-v4", "aarch64"])
def test_every_architecture_renders_what_llvm_reads(arch: str) -> None:
    for make in TEXTS.values():
        verified(rendered(make(), arch))
