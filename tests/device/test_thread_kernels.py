"""Thread kernels on the interpreter as a device: arguments, the grid, source, names, what is refused."""
from __future__ import annotations

import pickle

import numpy as np
import pytest

import svod
from svod.config import Config, override
from svod.dtype import AddrSpace, dtypes
from svod.errors import ArgumentError, GraphError, LaunchError
from svod.ir.args import AtomicKind, ThreadsInfo
from svod.ir.ops import Op
from svod.ir.text import parse
from svod.ir.threads import grid_variable
from svod.ir.uop import UOp
from svod.target.abi import describe
from svod.testing.threads import Threads

X, Y = UOp.param(0, dtypes.f32, name="x"), UOp.param(1, dtypes.f32, name="y")
N, ALPHA = UOp.variable("n", 0, 1 << 40), UOp.scalar("alpha", dtypes.f32)
GRID = {"_grid_x": 4, "_grid_y": 1, "_grid_z": 1}


def saxpy(name: str = "saxpy") -> UOp:
    """y = alpha x + y."""
    k = Threads(name, (64, 1, 1))
    i = k.let(k.item())
    with k.if_(i < N):
        k.store(Y, i, ALPHA * k.load(X, i) + k.load(Y, i))
    return k.kernel()


def test_saxpy_through_a_program() -> None:
    program = svod.Device("INTERP").compile(saxpy())
    assert program.name == "saxpy"
    assert program.var_names == ("_grid_x", "_grid_y", "_grid_z", "alpha", "n")
    x, y = np.arange(200, dtype=np.float32), np.ones(200, np.float32)
    program(x, y, n=200, alpha=2.0, **GRID)
    np.testing.assert_array_equal(y, 2 * x + 1)
    program.execute([x, y], [4, 1, 1, 1.0, 100])
    np.testing.assert_array_equal(y[:100], 3 * x[:100] + 1)
    np.testing.assert_array_equal(y[100:], 2 * x[100:] + 1)


def test_the_source_is_the_text_of_the_statements() -> None:
    program = svod.Device("INTERP").compile(saxpy())
    assert parse(program.source) is saxpy()
    assert pickle.loads(pickle.dumps(saxpy())) is saxpy()


def test_what_a_launch_needs_is_described() -> None:
    k = Threads("small", (4, 2, 1))
    k.store(Y, 0, k.load(X, 0))
    for kernel in (saxpy(), k.kernel()):
        meta = describe(kernel)
        assert meta.var_names[:3] == ("_grid_x", "_grid_y", "_grid_z")
        assert meta.global_size == tuple(map(grid_variable, range(3)))
        assert meta.local_size is not None
        assert tuple(s.arg.value for s in meta.local_size) == kernel.arg.block
        assert (meta.ins, meta.outs) == (((0, 1), (1,)) if kernel is saxpy() else ((0,), (1,)))


def test_an_empty_grid_does_nothing() -> None:
    x, y = np.ones(4, np.float32), np.ones(4, np.float32)
    program = svod.Device("INTERP").compile(saxpy())
    for axis in GRID:
        program(x, y, n=4, alpha=1.0, **{**GRID, axis: 0})
    assert y.tolist() == [1] * 4


def test_an_axis_that_nothing_reads_is_launched() -> None:
    k, counter = Threads("count", (2, 1, 1)), UOp.param(0, dtypes.i32, name="counter")
    k.atomic(AtomicKind.ADD, counter, 0, 1)
    found = np.zeros(1, np.int32)
    svod.Device("INTERP").compile(k.kernel())(found, _grid_x=1, _grid_y=5, _grid_z=3)
    assert found[0] == 30


def test_a_name_of_its_own() -> None:
    device = svod.Device("INTERP")
    assert device.compile(saxpy(), name="other").name == "other"
    assert device.compile(saxpy("")).name == "unnamed"
    with pytest.raises(GraphError, match="a thread kernel takes no schedule"):
        device.compile(saxpy(), opts=["SPLIT(0 by 4)"])


def test_mistakes_are_found_before_anything_runs() -> None:
    device = svod.Device("INTERP")
    program = device.compile(saxpy())
    y = np.ones(4, np.float32)
    with pytest.raises(LaunchError, match="_grid_x"):
        program(y, y, n=4, alpha=1.0)
    with pytest.raises(LaunchError, match="_grid_y"):
        program(y, y, n=4, alpha=1.0, **{**GRID, "_grid_y": -1})
    with pytest.raises(ArgumentError, match="'x'"):
        program(np.ones(4), y, n=4, alpha=1.0, **GRID)
    with pytest.raises(GraphError, match=r"BREAK outside a loop .THREADS: jumps-stand-in-loops"):
        device.compile(UOp(Op.THREADS, (UOp(Op.BLOCK, (UOp(Op.BREAK),)),), ThreadsInfo("bad")))


def test_an_access_out_of_bounds_names_the_work_item() -> None:
    k = Threads("lookup", (64, 1, 1))
    places, y = UOp.param(0, dtypes.i32, name="places"), UOp.param(1, dtypes.i32, name="y")
    k.store(y, k.load(places, k.item()).cast(dtypes.index), 1)
    where = np.arange(256, dtype=np.int32)
    with pytest.raises(ArgumentError, match=r"index 200 of buffer 'y'(.|\n)*block \(3, 0, 0\), thread \(8, 0, 0\)"):
        svod.Device("INTERP").compile(k.kernel())(where, np.zeros(200, np.int32), **GRID)


def test_races_are_looked_for_where_the_configuration_asks() -> None:
    k = Threads("racy", (4, 1, 1))
    row = k.memory(dtypes.f32, 1, AddrSpace.LOCAL, "row")
    k.store(row, 0, 1.0)
    device, grid = svod.Device("INTERP"), dict.fromkeys(GRID, 1)
    device.compile(k.kernel())(**grid)
    with override(config=Config(check=frozenset(("race",)))), pytest.raises(LaunchError, match="race: STORE of element 0"):
        device.compile(k.kernel())(**grid)
