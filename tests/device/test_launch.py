"""Launch dimensions: derived, given by the caller, and held against the limits of a device."""
from __future__ import annotations

import array
import inspect
from typing import Any

import numpy as np
import pytest

from svod.device.launch import SIZES, LaunchDims, check_limits, compile_dims, dims, override_sizes
from svod.dtype import dtypes
from svod.errors import LaunchError
from svod.ir.args import SpecialKind
from svod.ir.uop import UOp
from svod.target import Limits
from svod.target.abi import Metadata, describe

N, M = UOp.variable("n", -100, 1000), UOp.variable("m", 0, 64)
OUT = UOp.param(0, dtypes.f32)
GPU = Limits(grid=(1000, 100, 10), block=(64, 32, 4), threads=128)


def kernel(*ids: tuple[SpecialKind, int, UOp | int]) -> Metadata:
    """A kernel with these ids."""
    return describe(UOp.sink(*(OUT[UOp.special(*i)].store(1.0) for i in ids)))


# --- LaunchDims ------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("sizes", "expected"), [
    ((4, 5, 6), LaunchDims((4, 5, 6), None)), ([4, 1, 1, 32, 2, 1], LaunchDims((4, 1, 1), (32, 2, 1))), ((0, 1, 1), LaunchDims((0, 1, 1))),
])
def test_dims_of_three_or_six_numbers(sizes: tuple[int, ...], expected: LaunchDims) -> None:
    assert dims(sizes, "k") == expected


@pytest.mark.parametrize("place", range(6))
def test_a_negative_size_is_named(place: int) -> None:
    sizes = [-7 if i == place else 1 for i in range(6)]
    with pytest.raises(LaunchError, match=rf"{SIZES[place][:-3]}\[{place % 3}\] of kernel 'k' is -7"):
        dims(sizes, "k")


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 7])
def test_dims_of_another_count(count: int) -> None:
    with pytest.raises(LaunchError, match=f"has {count} sizes"):
        dims((1,) * count, "k")


@pytest.mark.parametrize(("global_size", "local_size"), [((1, -1, 1), None), ((1, 1, 1), (1, 1, -2))])
def test_no_launch_dims_are_negative(global_size: tuple[int, int, int], local_size: tuple[int, int, int] | None) -> None:
    with pytest.raises(LaunchError, match="is negative"):
        LaunchDims(global_size, local_size)


@pytest.mark.parametrize(("launch", "empty"), [
    (LaunchDims((1, 1, 1)), False), (LaunchDims((3, 2, 1), (4, 1, 1)), False), (LaunchDims((3, 0, 1)), True),
    (LaunchDims((0, 0, 0), (1, 1, 1)), True), (LaunchDims((3, 1, 1), (32, 0, 1)), True),
])
def test_a_launch_without_extent_is_empty(launch: LaunchDims, empty: bool) -> None:
    assert launch.empty is empty


# --- derived ---------------------------------------------------------------------------------------------------------------------

def test_dims_of_groups() -> None:
    meta = kernel((SpecialKind.GLOBAL, 0, (N + 31) // 32), (SpecialKind.GLOBAL, 2, M), (SpecialKind.LOCAL, 0, 32))
    launch = compile_dims(meta, "k")
    assert launch({"n": 100, "m": 3}) == launch((3, 100)) == LaunchDims((4, 1, 3), (32, 1, 1))
    assert launch((0, 100)).empty


def test_dims_of_direct_ids() -> None:
    assert compile_dims(kernel((SpecialKind.DIRECT, 1, N * 2)), "k")((50,)) == LaunchDims((1, 100, 1), None)


def test_dims_of_a_kernel_without_variables() -> None:
    assert compile_dims(describe(UOp.sink()), "k")(()) == LaunchDims((1, 1, 1), (1, 1, 1))


def test_a_negative_dimension_names_kernel_and_size() -> None:
    launch = compile_dims(kernel((SpecialKind.GLOBAL, 1, N)), "scale")
    with pytest.raises(LaunchError, match=r"global_size\[1\] of kernel 'scale' is -3"):
        launch((-3,))


def test_an_error_in_a_dimension_names_it() -> None:
    launch = compile_dims(kernel((SpecialKind.LOCAL, 2, UOp.const(64, dtypes.index) // N)), "scale")
    with pytest.raises(LaunchError, match=r"local_size\[2\] of kernel 'scale' divides 64 by zero"):
        launch((0,))
    with pytest.raises(LaunchError, match=r"local_size\[0\] of kernel 'scale' cannot be evaluated: it contains the op RANGE"):
        compile_dims(kernel((SpecialKind.LOCAL, 0, UOp.range(4, 0) + 1)), "scale")


def test_variables_that_are_in_no_dimension_are_checked_too() -> None:
    meta = describe(UOp.sink(OUT[M].store(1.0)))
    with pytest.raises(LaunchError, match=r"variable 'm' of kernel 'k' is 65, outside \[0, 64\]"):
        compile_dims(meta, "k")((65,))
    with pytest.raises(LaunchError, match="needs a value for m"):
        compile_dims(meta, "k")({})


# --- given by the caller ---------------------------------------------------------------------------------------------------------

GROUPS, DIRECT = LaunchDims((4, 5, 6), (32, 2, 1)), LaunchDims((4, 5, 6), None)


@pytest.mark.parametrize("given", [(9,), [9], (9, 1), (9, 1, 1), np.array([9, 1]), (np.int64(9),), array.array("i", [9]), range(9, 10)],
                         ids=repr)
def test_explicit_sizes_are_1_to_3_whole_numbers(given: Any) -> None:
    assert override_sizes(GROUPS, given, None, "k") == LaunchDims((9, 1, 1), (32, 2, 1))
    assert override_sizes(GROUPS, None, given, "k") == LaunchDims((4, 5, 6), (9, 1, 1))
    launch = override_sizes(GROUPS, given, given, "k")
    assert [type(v) for v in (*launch.global_size, *(launch.local_size or ()))] == [int] * 6


def test_no_explicit_size_changes_nothing() -> None:
    assert override_sizes(GROUPS, None, None, "k") is GROUPS


def test_an_explicit_size_may_be_0() -> None:
    assert override_sizes(GROUPS, (4, 0), None, "k").empty


def test_direct_ids_have_no_local_size_to_override() -> None:
    assert override_sizes(DIRECT, (7,), None, "k") == LaunchDims((7, 1, 1), None)
    with pytest.raises(LaunchError, match="kernel 'k' counts work items directly, so it has no local_size"):
        override_sizes(DIRECT, None, (1, 1, 1), "k")


@pytest.mark.parametrize(("given", "message"), [
    ((), "has 0 axes"), ((1, 2, 3, 4), "has 4 axes"), ((True,), "holds True"), ((4, np.True_), "holds np.True_"), ((-1,), "holds -1"),
    ((1.0,), "holds 1.0"), (("4",), "holds '4'"), ((None,), "holds None"), (([1, 2],), r"holds \[1, 2\]"), (5, "is 5"), ("123", "is '123'"),
    (b"\1", "is b"), ({1: 2}, r"is \{1: 2\}"), ({4}, r"is \{4\}"), (iter((1,)), "is <tuple_iterator"),
    (np.ones((1, 3), int), "holds array"), (np.ones(2), r"holds np.float64\(1.0\)"),
])
@pytest.mark.parametrize("what", ["global_size", "local_size"])
def test_explicit_sizes_that_are_refused(what: str, given: Any, message: str) -> None:
    sizes = (given, None) if what == "global_size" else (None, given)
    with pytest.raises(LaunchError, match=f"{what} of kernel 'k' {message}"):
        override_sizes(GROUPS, *sizes, "k")


# --- limits ----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("launch", [
    LaunchDims((1000, 100, 10), (64, 2, 1)), LaunchDims((1000, 100, 10), (1, 32, 4)), LaunchDims((64_000, 3200, 40)),
    LaunchDims((0, 0, 0), (0, 0, 0)),
])
def test_launches_up_to_the_limit(launch: LaunchDims) -> None:
    check_limits(launch, GPU, "k")


@pytest.mark.parametrize(("launch", "message", "limit"), [
    (LaunchDims((1001, 1, 1), (1, 1, 1)), "asks for 1001 groups along axis 0, the device allows 1000", "grid[0]"),
    (LaunchDims((1, 101, 1), (1, 1, 1)), "asks for 101 groups along axis 1, the device allows 100", "grid[1]"),
    (LaunchDims((1, 1, 11), (1, 1, 1)), "asks for 11 groups along axis 2, the device allows 10", "grid[2]"),
    (LaunchDims((64_001, 1, 1)), "asks for 64001 work items along axis 0, the device allows 64000", "grid[0]"),
    (LaunchDims((1, 1, 1), (65, 1, 1)), "asks for groups of 65 work items along axis 0, the device allows 64", "block[0]"),
    (LaunchDims((1, 1, 1), (1, 1, 5)), "asks for groups of 5 work items along axis 2, the device allows 4", "block[2]"),
    (LaunchDims((1, 1, 1), (64, 2, 2)), "asks for groups of 64 x 2 x 2 = 256 work items, the device allows 128", "threads"),
], ids=lambda v: v if isinstance(v, str) else None)
def test_launches_beyond_a_limit(launch: LaunchDims, message: str, limit: str) -> None:
    with pytest.raises(LaunchError) as caught:
        check_limits(launch, GPU, "scale")
    assert (caught.value.what, caught.value.at) == (f"kernel 'scale' {message}", f"limit {limit}")
    assert caught.value.hint


def test_every_limit_that_a_launch_can_break_is_read() -> None:
    """A limit added to Limits is either checked here or listed as somebody else's."""
    read = {name for name in Limits.__dataclass_fields__ if f"limits.{name}" in inspect.getsource(check_limits)}
    assert read == set(Limits.__dataclass_fields__) - {"shared_bytes", "buffers"}
