"""DLPack both ways: NumPy's types, the types that NumPy refuses, read-only memory, old and new capsules, refusals."""
from __future__ import annotations

import ctypes
import gc
import weakref
from typing import Any

import numpy as np
import pytest

from svod import errors
from svod.device import dlpack
from svod.dtype.convert import from_numpy, numpy_dtype
from svod.dtype.dtypes import DType, dtypes

VERSIONED = pytest.mark.skipif(not dlpack._NUMPY_21, reason="NumPy before 2.1 knows no DLPack versions")


class Shared:
    """A producer of `array`, as a library would be that speaks only `version` (None: older than 1.0)."""

    def __init__(self, array: np.ndarray[Any, Any], version: tuple[int, int] | None = (1, 0), device: tuple[int, int] = (1, 0)) -> None:
        self.array, self.version, self.device = array, version, device

    def __dlpack__(self, **asked: object) -> object:
        if self.version is None and asked:
            raise TypeError("unexpected keyword argument 'max_version'")
        return dlpack.export(self.array, from_numpy(self.array.dtype), max_version=self.version)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


def values(dtype: DType) -> np.ndarray[Any, Any]:
    return np.array([0, 1, 1, 0, 1], numpy_dtype(dtype)) if dtype.is_bool else np.arange(5).astype(numpy_dtype(dtype))


@pytest.mark.parametrize("version", [None, pytest.param((1, 0), marks=VERSIONED)])
@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
def test_every_type_goes_out_and_comes_back_without_a_copy(dtype: DType, version: tuple[int, int] | None) -> None:
    array = values(dtype)
    back = dlpack.import_array(Shared(array, version))
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable
    back.view(np.uint8)[0] = 77
    assert array.view(np.uint8)[0] == 77


@pytest.mark.parametrize(("dtype", "code"), [(dtypes.bf16, 4), (dtypes.f8e4m3, 10), (dtypes.f8e4m3fnuz, 11), (dtypes.f8e5m2, 12),
                                             (dtypes.f8e5m2fnuz, 13), (dtypes.f32, 2), (dtypes.u8, 1)], ids=repr)
@pytest.mark.parametrize("version", [None, pytest.param((1, 0), marks=VERSIONED)])
def test_the_capsule_carries_the_standards_type_code(dtype: DType, code: int, version: tuple[int, int] | None) -> None:
    tensor = dlpack._tensor_of(dlpack.export(values(dtype), dtype, max_version=version))
    assert (tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes, tensor.ndim, tensor.device.type) == (code, dtype.bits, 1, 1, 1)


def test_shape_and_strides_come_along() -> None:
    array = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, 1::2]
    back = dlpack.import_array(Shared(array, None))
    assert (back.shape, back.strides) == (array.shape, array.strides)
    assert np.array_equal(back, array)


@VERSIONED
def test_read_only_memory_stays_read_only() -> None:
    array = values(dtypes.bf16)
    array.flags.writeable = False
    assert not dlpack.import_array(Shared(array)).flags.writeable


@VERSIONED
def test_who_could_say_writable_and_does_not_is_taken_for_read_only() -> None:
    """JAX: it knows the question for 1.0, answers with an older capsule, and its arrays must not change."""
    class Silent(Shared):
        def __dlpack__(self, **asked: object) -> object:
            return dlpack.export(self.array, from_numpy(self.array.dtype))
    for dtype in (dtypes.f32, dtypes.bf16):
        assert not dlpack.import_array(Silent(values(dtype))).flags.writeable


def test_read_only_memory_is_not_shared_with_who_cannot_be_told() -> None:
    array = values(dtypes.f32)
    array.flags.writeable = False
    with pytest.raises(errors.BufferError) as e:
        dlpack.export(array, dtypes.f32, max_version=None)
    assert "copy" in e.value.hint
    assert dlpack.import_array(Shared(array.copy(), None)).flags.writeable
    capsule = dlpack.export(array, dtypes.f32, max_version=None, copy=True)
    assert dlpack._tensor_of(capsule).data != array.ctypes.data


@pytest.mark.parametrize("version", [None, pytest.param((1, 0), marks=VERSIONED)])
def test_the_memory_lives_as_long_as_who_uses_it(version: tuple[int, int] | None) -> None:
    owner = np.arange(1000, dtype=np.float32)
    gone = weakref.ref(owner)
    back = dlpack.import_array(Shared(owner, version))
    del owner
    gc.collect()
    assert gone() is not None
    assert back[999] == 999
    del back
    gc.collect()
    assert gone() is None


def test_a_capsule_that_nobody_takes_lets_go() -> None:
    owner = values(dtypes.bf16)
    gone = weakref.ref(owner)
    capsule = dlpack.export(owner, dtypes.bf16)
    del owner
    assert gone() is not None
    del capsule
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(("kind", "name"), [(2, "CUDA"), (10, "ROCm"), (99, "DLPack device 99")])
def test_memory_of_another_device_is_refused_with_the_copy_to_make(kind: int, name: str) -> None:
    with pytest.raises(errors.BufferError, match=name) as e:
        dlpack.import_array(Shared(values(dtypes.f32), device=(kind, 0)))
    assert ".cpu()" in e.value.hint


@pytest.mark.parametrize("error", [BufferError("requires grad"), RuntimeError("requires grad"), ValueError("requires grad")])
def test_a_producer_that_refuses_is_quoted(error: Exception) -> None:
    class Refuses(Shared):
        def __dlpack__(self, **asked: object) -> object:
            raise error
    with pytest.raises(errors.BufferError, match="requires grad") as e:
        dlpack.import_array(Refuses(values(dtypes.f32)))
    assert "detach" in e.value.hint

    class Nowhere(Shared):
        def __dlpack_device__(self) -> tuple[int, int]:
            raise error
    with pytest.raises(errors.BufferError, match="requires grad"):
        dlpack.import_array(Nowhere(values(dtypes.f32)))


@pytest.mark.parametrize(("code", "bits", "lanes"), [(17, 4, 1), (2, 32, 4), (3, 64, 1), (4, 32, 1)])
def test_types_that_svod_does_not_have_are_refused(code: int, bits: int, lanes: int) -> None:
    class Strange(Shared):
        def __dlpack__(self, **asked: object) -> object:
            capsule = dlpack.export(self.array, dtypes.f32)
            kind = dlpack._tensor_of(capsule).dtype
            kind.code, kind.bits, kind.lanes = code, bits, lanes
            return capsule
    with pytest.raises(errors.BufferError, match=f"type code {code}, {bits} bits, {lanes} lanes"):
        dlpack.import_array(Strange(values(dtypes.f32)))


def test_bf16_with_more_than_one_lane_is_refused() -> None:
    class Vectors(Shared):
        def __dlpack__(self, **asked: object) -> object:
            capsule = dlpack.export(self.array, dtypes.bf16)
            dlpack._tensor_of(capsule).dtype.lanes = 2
            return capsule
    with pytest.raises(errors.BufferError, match="2 lanes"):
        dlpack.import_array(Vectors(values(dtypes.bf16)))


def test_what_is_no_capsule_or_was_used_is_refused() -> None:
    class Used(Shared):
        def __dlpack__(self, **asked: object) -> object:
            capsule = super().__dlpack__()
            np.from_dlpack(dlpack._Carrier(capsule))  # type: ignore[arg-type]
            return capsule
    with pytest.raises(errors.BufferError, match="used already"):
        dlpack.import_array(Used(values(dtypes.f32), None))

    class Wrong(Shared):
        def __dlpack__(self, **asked: object) -> object:
            return 5
    with pytest.raises(errors.BufferError, match="no DLPack capsule"):
        dlpack.import_array(Wrong(values(dtypes.f32)))


@VERSIONED
def test_a_newer_major_version_is_refused() -> None:
    class Future(Shared):
        def __dlpack__(self, **asked: object) -> object:
            capsule = super().__dlpack__()
            pointer = dlpack.capsule_pointer(capsule, b"dltensor_versioned")
            ctypes.cast(pointer, ctypes.POINTER(dlpack.VersionedStruct)).contents.major = 2
            self.kept = capsule, pointer
            return capsule
    source = Future(values(dtypes.f32))
    with pytest.raises(errors.BufferError, match=r"version 2\.0"):
        dlpack.import_array(source)
    ctypes.cast(source.kept[1], ctypes.POINTER(dlpack.VersionedStruct)).contents.major = 1
