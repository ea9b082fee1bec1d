"""Host functions that launch kernels."""
from __future__ import annotations

import pickle

import numpy as np
import pytest

import svod.lang as sl
from svod.errors import ArgumentError, KernelError, LaunchError
from svod.lang.host import JitCompiled, JitFunction, jit
from svod.lang.kernels import PendingLaunch, kernel

F32 = np.float32
DEFAULT = sl.Stream(None)


@kernel
def add(a: sl.Array[sl.f32], b: sl.Array[sl.f32], out: sl.Array[sl.f32], block: sl.Constexpr[int]) -> None:
    i = sl.block_idx.x * block + sl.thread_idx.x
    if i < len(out):
        out[i] = a[i] + b[i]


@kernel
def scale(x: sl.Array[sl.f32], factor: sl.Constexpr) -> None:
    i = sl.global_id(0)
    if i < len(x):
        x[i] = x[i] * factor


@jit
def vec_add(a: sl.Tensor, b: sl.Tensor, out: sl.Tensor, n: sl.i32, stream: sl.Stream = DEFAULT) -> None:
    """Adds."""
    block = 64
    add(a, b, out, block).launch(grid=((n + block - 1) // block, 1, 1), block=(block, 1, 1), stream=stream)


@jit()
def several(x: np.ndarray, times: int) -> int:
    for _ in range(times):
        scale(x, 2).launch(grid=(1,), block=[64])
    scale(x, 3).launch(grid=1, block=64, smem=16)
    return times + 1


@jit
def outer(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> int:
    vec_add(a, b, out, len(out))
    return several(out, 1)  # type: ignore[no-any-return]


def arrays(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.arange(n, dtype=F32), np.ones(n, F32), np.zeros(n, F32)


def test_a_host_function_keeps_its_name() -> None:
    assert isinstance(vec_add, JitFunction)
    assert (vec_add.__name__, vec_add.__doc__) == ("vec_add", "Adds.")
    assert "vec_add" in repr(vec_add)
    assert pickle.loads(pickle.dumps(vec_add)) is vec_add
    with pytest.raises(KernelError, match="functions"):
        jit(3)  # type: ignore[arg-type]


def test_the_grid_follows_from_the_arguments_and_nothing_is_traced_again() -> None:
    before = add.traces
    for n in (1, 64, 65, 1000):
        a, b, out = arrays(n)
        vec_add(a, b, out, n)
        assert np.array_equal(out, a + b)
        vec_add(a, b, out, n, stream=sl.Stream(3))
    assert add.traces == max(before, 1)


def test_launches_run_in_order_and_what_is_returned_comes_back() -> None:
    x = np.ones(8, F32)
    assert several(x, 3) == 4
    assert (x == 24).all()


def test_a_host_function_in_another_is_part_of_it() -> None:
    a, b, out = arrays(10)
    assert outer(a, b, out) == 2
    assert np.array_equal(out, (a + b) * 6)


def test_nothing_happens_before_launch() -> None:
    x = np.ones(4, F32)

    @jit
    def forgets() -> None:
        assert isinstance(scale(x, 2), PendingLaunch)

    with pytest.raises(LaunchError, match="'scale' was called in a @jit function and not launched"):
        forgets()
    assert (x == 1).all()


def test_compiling_runs_no_kernel() -> None:
    a, b, out = arrays(10)
    made = outer.compile(a, b, out)
    assert isinstance(made, JitCompiled)
    assert made is outer.last_compiled
    assert [k.name for k in made.kernels] == ["add", "scale", "scale_1"]
    assert not out.any()
    assert made.kernels[1] is not made.kernels[2]
    assert all(k.source in made.ir and k.ir in made.original_ir for k in made.kernels)
    assert made(a, b, out) == 2
    assert np.array_equal(out, (a + b) * 6)


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    a, b, out = arrays(10)
    made = outer.compile(a, b, out)
    made.print_ir()
    made.print_ir(compiled=False)
    told = capsys.readouterr().out
    assert all(told.count(f"{kind} {name} IR:") == 1 for kind in ("Compiled", "Original") for name in ("scale", "scale_1"))


def test_errors_come_through_and_leave_nothing_open() -> None:
    a, b, out = arrays(10)
    with pytest.raises(ArgumentError, match="'a'"):
        vec_add(a.astype(int), b, out, 10)
    with pytest.raises(LaunchError, match="grid"):
        vec_add(a, b, out, -1000)
    with pytest.raises(LaunchError, match="inside @jit"):
        scale(out, 2)
    assert not out.any()


def test_a_kernel_called_and_not_launched_is_an_error_when_compiling_too() -> None:
    @sl.jit
    def forgets(a: np.ndarray) -> None:
        add(a, a, a, 4)

    with pytest.raises(LaunchError, match=r"called in a @jit function and not launched(.|\n)*\.launch\(grid=, block=\)"):
        forgets.compile(np.ones(4, np.float32))
