"""Programs of several phases: what each language makes of them, and what may not get from one phase to the next."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from svod import UOp
from svod.codegen.simt.emit import LEAVES, Emitter, index
from svod.device.items import shared_bytes
from svod.device.opencl.backend import opencl_target, written_for
from svod.dtype import AddrSpace, dtypes
from svod.errors import GraphError, UnsupportedError
from svod.ir.args import BarrierScope, SpecialKind
from svod.ir.ops import Op
from svod.ir.spec import LINEAR, verify
from svod.renderers.c.cuda import render_cuda
from svod.renderers.c.hip import render_hip
from svod.renderers.c.metal import render_metal
from svod.renderers.c.opencl import render_opencl
from svod.renderers.phases import item_phases, phase_names, scratch
from svod.renderers.wgsl.module import render_wgsl
from svod.renderers.wgsl.values import Abilities
from svod.target.abi import Metadata, describe
from svod.testing.phases import handed_round

LANGUAGES: dict[str, Callable[[UOp, Metadata, str], str]] = {
    "cuda.cu": render_cuda, "hip.hip": render_hip, "metal.metal": render_metal, "opencl.cl": render_opencl,
    "webgpu.wgsl": lambda u, m, n: render_wgsl(u, m, n, Abilities()),
}
OUT = UOp.param(0, dtypes.f32, name="out")
ZERO, ONE = index(0), UOp.const(1.0, dtypes.f32)
GRID = UOp.barrier(scope=BarrierScope.GRID)


def program(*instructions: UOp) -> UOp:
    """A LINEAR program, with its leaves."""
    return UOp(Op.LINEAR, (*dict.fromkeys(u for i in instructions for u in i.toposort() if u.op in LEAVES), *instructions))


@pytest.mark.parametrize("language", LANGUAGES)
def test_golden(language: str, golden: Callable[[str, str], None]) -> None:
    linear = handed_round()
    verify(linear, LINEAR)
    folder, ending = language.split(".")
    golden(LANGUAGES[language](linear, describe(linear), "handed_round"), f"{folder}/handed_round.{ending}")


def test_a_kernel_for_each_phase() -> None:
    linear = handed_round()
    assert len(item_phases(linear)) == 2
    assert phase_names("k", 3) == ["k", "k_phase2", "k_phase3"]
    assert scratch(linear)[1] == 5 * 1280
    spec = written_for(opencl_target(None)).render(linear, "k")
    assert (spec.needs.phases, spec.needs.shared_bytes) == (2, 5 * 1280)
    assert [name in spec.src for name in ("void k(", "void k_phase2(", "k_phase3")] == [True, True, False]


def test_memory_of_all_groups_is_an_argument() -> None:
    target = opencl_target(None)
    few = replace(target, limits=replace(target.limits, buffers=2))
    with pytest.raises(UnsupportedError, match="has 3 arguments, OPENCL takes 2"):
        written_for(few).render(handed_round(), "k")


def test_memory_of_a_group_is_that_of_one_phase() -> None:
    tiles = [UOp.memory(k, dtypes.f32, 1000 * (k + 1), AddrSpace.LOCAL) for k in range(2)]
    linear = program(tiles[0][ZERO].store(ONE), GRID, tiles[1][ZERO].store(ONE))
    assert shared_bytes(linear) == 8000
    text = render_opencl(linear, describe(linear), "k")
    assert text.count("[1000]") == text.count("[2000]") == 1


@pytest.mark.parametrize("space", [AddrSpace.REG, AddrSpace.LOCAL])
def test_registers_and_memory_of_a_group_do_not_get_over_a_barrier(space: AddrSpace) -> None:
    kept = UOp.memory(0, dtypes.f32, 1, space, name="kept")
    load = kept[ZERO].load()
    linear = program(kept[ZERO].store(ONE), GRID, load, OUT[ZERO].store(load))
    with pytest.raises(UnsupportedError, match="is used on both sides of a barrier of the grid"):
        item_phases(linear)


def test_values_do_not_get_over_a_barrier() -> None:
    load = OUT[ZERO].load()
    with pytest.raises(UnsupportedError, match="uses a value from before a barrier of the grid"):
        item_phases(program(load, GRID, OUT[ZERO].store(load)))


def test_such_a_barrier_stands_on_top() -> None:
    branch = UOp(Op.IF, (UOp.const(True, dtypes.bool),))
    with pytest.raises(UnsupportedError, match="in a loop or branch"):
        item_phases(program(branch, GRID, UOp(Op.ENDIF, (branch,))))
    code = Emitter(())
    code.loop()
    with pytest.raises(GraphError, match="in no loop"):
        code.phase()


def test_what_is_pure_is_computed_again() -> None:
    code = Emitter(())
    at = UOp.special(SpecialKind.GLOBAL, 0, 8) * 3
    code.do(OUT[at].store(ONE))
    code.phase()
    code.do(OUT[at + 1].store(ONE))
    first, second = item_phases(code.program([OUT]))
    assert [u.op for u in first if u.op not in (Op.PARAM, Op.INDEX)] == [Op.SPECIAL, Op.MUL, Op.STORE]
    assert [u.op for u in second if u.op is not Op.INDEX] == [Op.SPECIAL, Op.MUL, Op.ADD, Op.STORE]
