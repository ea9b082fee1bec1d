"""Buffers: sizes, laziness, copies, views, sharing, and the one moment when memory goes back."""
from __future__ import annotations

import array
import ctypes
import gc
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import svod.device.buffer as module
from svod import errors
from svod.device import dlpack
from svod.device.allocator import DEFAULT_OPTIONS, Allocator, AllocOptions, Block, HostAllocator, LRUAllocator, check_size
from svod.device.buffer import Buffer, set_device_resolver
from svod.dtype.convert import numpy_dtype
from svod.dtype.dtypes import DType, dtypes
from svod.errors import DeviceUnavailable, DTypeError


class Remote:
    """Memory that the host cannot address: a device as far as a buffer can tell. `direct`: whether it copies between its own blocks."""

    on_host = False

    def __init__(self, direct: bool = True) -> None:
        self.direct, self.live, self.transfers = direct, 0, 0

    def alloc(self, nbytes: int, options: AllocOptions = DEFAULT_OPTIONS) -> Block:
        self.live += 1
        return Block(bytearray(check_size(nbytes)), nbytes, options, None)

    def free(self, block: Block) -> None:
        self.live -= 1

    def copyin(self, block: Block, offset: int, source: memoryview) -> None:
        block.handle[offset:offset + source.nbytes] = source

    def copyout(self, target: memoryview, block: Block, offset: int) -> None:
        target[:] = block.handle[offset:offset + target.nbytes]

    def transfer(self, target: Block, target_offset: int, source: Block, source_offset: int, nbytes: int) -> bool:
        if self.direct:
            self.transfers += 1
            target.handle[target_offset:target_offset + nbytes] = source.handle[source_offset:source_offset + nbytes]
        return self.direct


class Place:
    """A device."""

    def __init__(self, name: str, allocator: Allocator) -> None:
        self.name, self.allocator = name, allocator


@pytest.fixture
def pool() -> LRUAllocator:
    return LRUAllocator(HostAllocator())


@pytest.fixture
def host(pool: LRUAllocator) -> Place:
    return Place("HOST", pool)


@pytest.fixture
def remote() -> Place:
    return Place("REMOTE:0", Remote())


@pytest.fixture
def resolver() -> Iterator[None]:
    before = list(module._RESOLVERS)
    yield
    module._RESOLVERS[:] = before


def ramp(n: int, dtype: DType) -> np.ndarray[Any, Any]:
    return (np.arange(n) % 2 if dtype.is_bool else np.arange(n) % 8).astype(numpy_dtype(dtype))


def bits(x: np.ndarray[Any, Any]) -> list[int]:
    return list(x.tobytes())


# --- sizes and laziness ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [-1, 1 << 47, 1 << 100, 1.5, 4.0, None, "4", True])
def test_sizes_without_meaning_are_refused(host: Place, size: object) -> None:
    with pytest.raises(errors.BufferError):
        Buffer(host, size, dtypes.f32)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [dtypes.void, dtypes.index, dtypes.f32.vec(4), dtypes.f32.ptr()], ids=repr)
def test_types_that_no_buffer_has_are_refused(host: Place, dtype: DType) -> None:
    with pytest.raises(DTypeError):
        Buffer(host, 4, dtype)
    with pytest.raises(DTypeError):
        Buffer(host, 64, dtypes.u8).view(0, 1, dtype)


def test_memory_is_taken_on_first_use_and_is_aligned(host: Place, pool: LRUAllocator) -> None:
    b = Buffer(host, np.int32(100), dtypes.f32)  # type: ignore[arg-type]
    assert (b.size, b.nbytes, b.dtype, b.device, b.offset, b.writable) == (100, 400, dtypes.f32, host, 0, True)
    assert (b.allocated, pool.stats().allocs) == (False, 0)
    assert b.address % 64 == 0
    assert b.allocated
    assert b.address == b.numpy().ctypes.data == b.block.address
    assert pool.stats().live_bytes == 400


def test_a_buffer_says_what_to_send_instead_of_a_pickle(host: Place) -> None:
    with pytest.raises(errors.BufferError, match=r"cannot be pickled(.|\n)*numpy"):
        pickle.dumps(Buffer(host, 4, dtypes.f32))


def test_repr_says_what_it_is(host: Place) -> None:
    b = Buffer(host, 3, dtypes.bf16)
    assert repr(b) == "<Buffer HOST 3 x bf16: not allocated yet>"
    view = b.copyin(ramp(3, dtypes.bf16)).view(1, 2)
    assert (repr(b), repr(view)) == ("<Buffer HOST 3 x bf16>", "<Buffer HOST 2 x bf16: view>")
    b.free()
    assert (repr(b), repr(view)) == ("<Buffer HOST 3 x bf16: freed>", "<Buffer HOST 2 x bf16: view, freed>")


def test_a_buffer_of_nothing_works_everywhere(host: Place, remote: Place) -> None:
    for place in (host, remote):
        b = Buffer(place, 0, dtypes.f32).copyin(np.empty(0, np.float32))
        b.copyout(np.empty((0, 3), np.float32))
        assert b.numpy().shape == (0,)
        assert b.view(0, 0).to(host).numpy().dtype == np.float32
        b.free()
    assert Buffer.from_numpy(np.empty((0, 3), np.int8), host).size == 0


def test_threads_that_ask_first_get_the_same_memory(host: Place, pool: LRUAllocator) -> None:
    for _ in range(30):
        b, seen, start = Buffer(host, 1000, dtypes.u8), set[int](), threading.Barrier(8)

        def ask(b: Buffer = b, seen: set[int] = seen, start: threading.Barrier = start) -> None:
            start.wait()
            seen.add(b.address)
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert seen == {b.address}
    del b, ask, t, threads
    gc.collect()
    assert pool.stats().live_blocks == 0


# --- copies ------------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
@pytest.mark.parametrize("where", ["host", "remote"])
def test_every_type_is_copied_in_and_out(host: Place, remote: Place, dtype: DType, where: str) -> None:
    x = ramp(24, dtype)
    b = Buffer(host if where == "host" else remote, 24, dtype).copyin(x.reshape(4, 6))
    out = np.zeros((2, 12), numpy_dtype(dtype))
    b.copyout(out)
    assert bits(out) == bits(x) == bits(b.numpy()) == bits(b.numpy(copy=True))
    assert b.numpy().dtype == numpy_dtype(dtype)


def test_what_is_not_contiguous_is_gathered_on_the_way_in(host: Place) -> None:
    x = np.arange(24, dtype=np.int32).reshape(4, 6)
    assert Buffer(host, 24, dtypes.i32).copyin(x.T).numpy().tolist() == x.T.reshape(-1).tolist()
    assert Buffer(host, 6, dtypes.i32).copyin(x[::-2, ::2]).numpy().tolist() == x[::-2, ::2].reshape(-1).tolist()


@pytest.mark.parametrize("raw", [bytes(range(8)), bytearray(range(8)), memoryview(bytes(range(8))), np.arange(8, dtype=np.uint8)])
def test_raw_bytes_fill_any_type(host: Place, raw: object) -> None:
    assert bits(Buffer(host, 2, dtypes.f32).copyin(raw).numpy()) == list(range(8))


def test_typed_memory_of_other_libraries_is_copied(host: Place) -> None:
    b = Buffer(host, 3, dtypes.f64).copyin(array.array("d", (1, 2, 3)))
    out = array.array("d", (0, 0, 0))
    b.copyout(out)
    assert out.tolist() == [1, 2, 3]
    assert Buffer(host, 3, dtypes.f64).copyin(b).numpy().tolist() == [1, 2, 3]


@pytest.mark.parametrize(("source", "what"), [
    (np.zeros(4, np.float64), "dtype float64"), (np.zeros(3, np.float32), "12 bytes"), (b"abc", "3 bytes"), ([0.0] * 4, "a list"),
    (5, "an? int"), (np.zeros(4, np.int32), "dtype int32"), (None, "NoneType")])
def test_copies_that_do_not_fit_are_refused_both_ways(host: Place, source: object, what: str) -> None:
    b = Buffer(host, 4, dtypes.f32).copyin(np.full(4, 7, np.float32))
    with pytest.raises(errors.BufferError, match=what):
        b.copyin(source)
    with pytest.raises(errors.BufferError, match=what):
        b.copyout(source)
    assert b.numpy().tolist() == [7] * 4


def test_a_target_must_be_writable_and_contiguous(host: Place) -> None:
    b = Buffer(host, 4, dtypes.f32)
    for target in (bytes(16), np.zeros((4, 2), np.float32)[:, 0]):
        with pytest.raises(errors.BufferError, match="writable and contiguous"):
            b.copyout(target)


def test_buffers_are_copied_between_devices_directly_or_through_the_host(host: Place, remote: Place) -> None:
    x, through_host = ramp(10, dtypes.i16), Place("REMOTE:1", Remote(direct=False))
    start = Buffer(host, 10, dtypes.i16).copyin(x)
    for route in ((host,), (remote,), (remote, remote), (remote, through_host), (through_host, through_host, remote, host)):
        b = start
        for place in route:
            before, b = b, b.to(place, copy=True)
            assert b.device is place
            assert b is not before
        assert bits(b.numpy()) == bits(x)
    assert isinstance(remote.allocator, Remote)
    assert remote.allocator.transfers == 1
    part = start.view(2, 3).to(remote)
    assert (part.size, part.numpy().tolist()) == (3, x[2:5].tolist())
    with pytest.raises(errors.BufferError, match="cannot be filled"):
        part.copy_from(start)


def test_a_buffer_stays_itself_shares_host_memory_or_is_copied(host: Place, remote: Place) -> None:
    mine = Buffer(host, 10, dtypes.f32).copyin(ramp(10, dtypes.f32))
    far, other = Buffer(remote, 3, dtypes.f32), Place("OTHER", LRUAllocator(HostAllocator()))
    assert mine.to(host) is mine
    assert far.to(remote) is far
    shared = mine.view(2, 5).to(other)
    assert (shared.device, shared.size, shared.address) == (other, 5, mine.address + 8)
    mine.numpy()[3] = -1
    assert shared.numpy().tolist() == [2, -1, 4, 5, 6]
    shared.numpy()[0] = 9
    assert mine.numpy()[2] == 9
    assert mine.to(other, copy=True).address != mine.address
    away = mine.to(remote)
    mine.numpy()[:] = 0
    assert away.numpy()[3] == -1, "a copy is a copy"
    frozen = np.arange(3, dtype=np.float32)
    frozen.flags.writeable = False
    assert not Buffer.from_numpy(frozen, host).to(other).writable


def test_memory_that_is_shared_with_another_device_outlives_its_buffer(host: Place, pool: LRUAllocator) -> None:
    mine, other = Buffer(host, 10, dtypes.f32).copyin(ramp(10, dtypes.f32)), Place("OTHER", LRUAllocator(HostAllocator()))
    shared = mine.to(other)
    mine.free()
    assert shared.numpy().tolist() == ramp(10, dtypes.f32).tolist()
    assert pool.stats().live_blocks == 1
    shared.free()
    assert pool.stats().live_blocks == 0


def test_nothing_is_copied_to_or_from_a_freed_buffer(host: Place, remote: Place) -> None:
    for place, target in ((host, host), (host, remote), (remote, host), (remote, remote)):
        dead = Buffer(place, 4, dtypes.f32)
        part = dead.view(1, 2)
        dead.free()
        for act in (lambda dead=dead, target=target: dead.to(target), lambda dead=dead, target=target: dead.to(target, copy=True),
                    lambda dead=dead, target=target: Buffer(target, 4, dtypes.f32).copy_from(dead),
                    lambda dead=dead, target=target: dead.copy_from(Buffer(target, 4, dtypes.f32)),
                    lambda part=part, target=target: part.to(target)):
            with pytest.raises(errors.BufferError, match="was freed"):
                act()
    assert isinstance(remote.allocator, Remote)
    assert remote.allocator.live == 0


# --- views -------------------------------------------------------------------------------------------------------------------------

def test_a_view_shares_memory_from_an_offset_on(host: Place) -> None:
    b = Buffer(host, 10, dtypes.f32).copyin(np.arange(10, dtype=np.float32))
    v = b.view(3, 4)
    assert (v.size, v.nbytes, v.offset, v.address) == (4, 16, 12, b.address + 12)
    assert v.numpy().tolist() == [3, 4, 5, 6]
    v.numpy()[0] = -1
    v.view(1, 2).copyin(np.array([8, 9], np.float32))
    assert b.numpy().tolist() == [0, 1, 2, -1, 8, 9, 6, 7, 8, 9]


def test_a_view_may_come_first_and_have_another_type(host: Place, remote: Place) -> None:
    for place in (host, remote):
        b = Buffer(place, 4, dtypes.f32)
        v = b.view(2, 8, dtypes.u8).copyin(b"\0\0\x80\x3f\0\0\0\x40")
        assert v.size == 8
        assert b.numpy()[2:].tolist() == [1, 2]
        assert b.view(4, 0).size == 0


@pytest.mark.parametrize(("offset", "size", "dtype"), [
    (0, 11, None), (10, 1, None), (11, 0, None), (-1, 1, None), (0, -1, None), (0, 6, dtypes.f64), (1, 1, dtypes.f64), (1.0, 1, None),
    (0, 1 << 60, None), (1 << 60, 1, None)])
def test_views_outside_or_askew_are_refused(host: Place, offset: int, size: int, dtype: DType | None) -> None:
    with pytest.raises(errors.BufferError):
        Buffer(host, 10, dtypes.f32).view(offset, size, dtype)


# --- sharing -----------------------------------------------------------------------------------------------------------------------

def test_arrays_share_host_memory_unless_copied(host: Place, remote: Place) -> None:
    b = Buffer(host, 4, dtypes.i32).copyin(np.arange(4, dtype=np.int32))
    shared, copied = b.numpy(), b.numpy(copy=True)
    shared[0] = 9
    assert (b.numpy()[0], copied[0]) == (9, 0)
    assert np.asarray(b).ctypes.data == b.address
    assert np.array(b).ctypes.data != b.address
    assert np.asarray(b, np.float64).tolist() == [9, 1, 2, 3]
    away = b.to(remote).numpy()
    away[0] = 1
    assert b.numpy()[0] == 9


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
def test_an_array_becomes_a_buffer_without_a_copy(host: Place, remote: Place, dtype: DType) -> None:
    x = ramp(12, dtype).reshape(3, 4)
    b = Buffer.from_numpy(x, host)
    assert (b.address, b.size, b.dtype, b.allocated) == (x.ctypes.data, 12, dtype, True)
    b.view(1, 1).copyin(ramp(2, dtype)[1:])
    assert bits(x) == bits(b.numpy())
    copied = Buffer.from_numpy(x, remote)
    assert bits(copied.numpy()) == bits(x)


@pytest.mark.parametrize(("make", "hint"), [
    (lambda: np.zeros((4, 4), np.float32)[:, :2], "ascontiguousarray"), (lambda: np.zeros((4, 4), np.float32).T, "ascontiguousarray"),
    (lambda: np.zeros(17, np.uint8)[1:].view(np.float32), "copy")])
def test_arrays_that_cannot_be_shared_are_refused_with_the_fix(host: Place, make: Any, hint: str) -> None:
    with pytest.raises(errors.BufferError) as e:
        Buffer.from_numpy(make(), host)
    assert hint in e.value.hint


@pytest.mark.parametrize("bad", [np.zeros(2, np.complex64), np.zeros(2, object), np.zeros(2, ">f4"), np.zeros(2, "S3")])
def test_arrays_of_other_types_are_refused(host: Place, bad: np.ndarray[Any, Any]) -> None:
    with pytest.raises(DTypeError):
        Buffer.from_numpy(bad, host)


def test_read_only_memory_stays_read_only(host: Place) -> None:
    b = Buffer.from_numpy(np.frombuffer(b"abcd", np.uint8), host)
    assert not b.writable
    assert not b.view(1, 2).writable
    assert not b.numpy().flags.writeable
    assert "read-only" in repr(b)
    assert b.to(host, copy=True).writable
    for write in (lambda: b.copyin(b"wxyz"), lambda: b.copy_from(b.to(host)), lambda: b.__buffer__(1)):
        with pytest.raises(errors.BufferError):
            write()
    assert b.numpy().tobytes() == b"abcd"


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
def test_dlpack_shares_every_type(host: Place, dtype: DType) -> None:
    b = Buffer(host, 6, dtype).copyin(ramp(6, dtype))
    again = Buffer.from_dlpack(b.view(2, 4), host)
    assert (again.address, again.size, again.dtype) == (b.address + 2 * dtype.itemsize, 4, dtype)
    assert b.__dlpack_device__() == (1, 0)
    if dtype not in dlpack.CODES:
        assert np.from_dlpack(b).ctypes.data == b.address


@pytest.mark.skipif(not dlpack._NUMPY_21, reason="NumPy before 2.1 has no read-only flag in DLPack")
def test_dlpack_keeps_read_only(host: Place) -> None:
    b = Buffer.from_numpy(np.frombuffer(b"abcd", np.uint8), host)
    assert not Buffer.from_dlpack(b, host).writable
    assert not np.from_dlpack(b).flags.writeable


def test_dlpack_refuses_streams_other_devices_and_remote_memory(host: Place, remote: Place) -> None:
    b = Buffer(host, 6, dtypes.f32)
    for refused in ({"stream": 1}, {"dl_device": (2, 0)}):
        with pytest.raises(errors.BufferError):
            b.__dlpack__(**refused)
    for ask in (b.to(remote).__dlpack__, b.to(remote).__dlpack_device__):
        with pytest.raises(errors.BufferError, match="cannot be shared"):
            ask()
    with pytest.raises(errors.BufferError, match="not in host memory"):
        _ = b.to(remote).address


def test_the_buffer_protocol_shares_memory(host: Place) -> None:
    b = Buffer(host, 4, dtypes.f32).copyin(np.arange(4, dtype=np.float32))
    view: Any = memoryview(b) if sys.version_info >= (3, 12) else b.__buffer__(0)
    assert (view.format, view.tolist()) == ("f", [0, 1, 2, 3])
    view[0] = 5.0
    assert memoryview(b.numpy())[0] == 5.0  # type: ignore[arg-type]
    with pytest.raises(errors.BufferError, match="has no bf16") as e:
        Buffer(host, 4, dtypes.bf16).__buffer__(0)
    assert "np.uint16" in e.value.hint


# --- the end -----------------------------------------------------------------------------------------------------------------------

def test_memory_goes_back_on_free_on_exit_and_on_collection_once(host: Place, pool: LRUAllocator, remote: Place) -> None:
    b = Buffer(host, 10, dtypes.f32)
    first = b.address
    b.free()
    b.free()
    assert pool.stats().live_blocks == 0
    with Buffer(host, 10, dtypes.f32) as c:
        assert c.address == first
    assert pool.stats().live_blocks == 0
    d = Buffer(host, 10, dtypes.f32)
    assert d.address == first
    del d
    assert (pool.stats().live_blocks, pool.stats().cached_blocks) == (0, 1)
    e = Buffer(remote, 3, dtypes.i8).copyin(b"abc")
    del e
    assert isinstance(remote.allocator, Remote)
    assert remote.allocator.live == 0


def test_a_buffer_in_a_reference_cycle_is_collected(host: Place, pool: LRUAllocator) -> None:
    loop: list[object] = [Buffer(host, 10, dtypes.f32).copyin(np.zeros(10, np.float32))]
    loop.append(loop)
    del loop
    gc.collect()
    assert pool.stats().live_blocks == 0


def test_every_use_after_free_is_a_typed_error(host: Place) -> None:
    b = Buffer(host, 4, dtypes.f32)
    view, never = b.view(0, 2), Buffer(host, 4, dtypes.f32)
    assert b.address
    b.free()
    never.free()
    for dead in (b, view, never):
        assert dead.freed
        assert not dead.allocated
        uses = (lambda d=dead: d.address, lambda d=dead: d.block, lambda d=dead: d.numpy(), lambda d=dead: d.copyin(bytes(d.nbytes)),
                lambda d=dead: d.copyout(bytearray(d.nbytes)), lambda d=dead: d.view(0, 1), lambda d=dead: d.to(host),
                lambda d=dead: d.__dlpack__(), lambda d=dead: d.__enter__(), lambda d=dead: d.__buffer__(0), lambda d=dead: np.asarray(d))
        for use in uses:
            with pytest.raises(errors.BufferError, match="freed"):
                use()


def test_a_view_ends_alone_and_keeps_memory_that_is_only_collected(host: Place, pool: LRUAllocator) -> None:
    b = Buffer(host, 4, dtypes.i32).copyin(np.arange(4, dtype=np.int32))
    view, kept = b.view(0, 2), b.view(2, 2)
    view.free()
    with pytest.raises(errors.BufferError, match="freed"):
        view.numpy()
    assert b.numpy().tolist() == [0, 1, 2, 3]
    del b
    assert kept.numpy().tolist() == [2, 3]
    del kept, view
    assert pool.stats().live_blocks == 0


@pytest.mark.parametrize("how", ["numpy", "slice", "dlpack", "memoryview"])
def test_memory_that_is_still_shared_stays_until_the_last_user_goes(host: Place, pool: LRUAllocator, how: str) -> None:
    b = Buffer(host, 100, dtypes.u8).copyin(bytes(range(100)))
    share: dict[str, Callable[[], Any]] = {"numpy": b.numpy, "slice": lambda: b.numpy()[10:90:3], "dlpack": lambda: np.from_dlpack(b),
                                           "memoryview": lambda: b.__buffer__(0)}
    user = share[how]()
    before = bytes(user)
    b.free()
    assert pool.stats().live_blocks == 1
    other = Buffer(host, 100, dtypes.u8).copyin(bytes(100))
    assert bytes(user) == before
    other.free()
    del user
    assert (pool.stats().live_blocks, pool.stats().cached_blocks) == (0, 2)


def test_memory_of_others_is_held_until_the_buffer_ends_and_never_freed(host: Place, pool: LRUAllocator) -> None:
    x = np.arange(4, dtype=np.float32)
    count = sys.getrefcount(x)
    b = Buffer.from_numpy(x, host)
    assert sys.getrefcount(x) == count + 1
    b.free()
    assert sys.getrefcount(x) == count
    assert x.tolist() == [0, 1, 2, 3]
    assert pool.stats().allocs == 0


def test_free_while_others_allocate_never_leaks(host: Place, pool: LRUAllocator) -> None:
    for _ in range(50):
        b, start = Buffer(host, 1000, dtypes.u8), threading.Barrier(2)

        def use(b: Buffer = b, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                ctypes.memset(b.numpy().ctypes.data, 1, 1000)
            except errors.BufferError:
                return
        t = threading.Thread(target=use)
        t.start()
        start.wait()
        b.free()
        t.join()
        assert not b.allocated
    del b, use, t
    assert pool.stats().live_blocks == 0


def test_a_buffer_freed_while_its_memory_is_on_the_way_gives_it_back() -> None:
    class Closing(HostAllocator):
        def alloc(self, nbytes: int, options: AllocOptions = DEFAULT_OPTIONS) -> Block:
            b.free()
            return super().alloc(nbytes, options)
    pool = LRUAllocator(Closing())
    b = Buffer(Place("HOST", pool), 10, dtypes.u8)
    with pytest.raises(errors.BufferError, match="freed"):
        _ = b.address
    gc.collect()
    assert (pool.stats().allocs, pool.stats().live_blocks) == (1, 0)


# --- finding the device ------------------------------------------------------------------------------------------------------------

@pytest.mark.usefixtures("resolver")
def test_devices_are_found_by_name_through_the_resolver(host: Place) -> None:
    module._RESOLVERS.clear()
    with pytest.raises(DeviceUnavailable, match="'CPU'"):
        Buffer("CPU", 4, dtypes.f32)
    set_device_resolver({"CPU": host}.__getitem__)
    assert Buffer("CPU", 4, dtypes.f32).device is host
    assert Buffer.from_numpy(np.zeros(3, np.int8)).device is host
    assert Buffer(host, 4, dtypes.f32).to("CPU").device is host


@pytest.mark.parametrize("dtype", ["f32", np.float32, 5])
def test_what_is_no_dtype(dtype: Any) -> None:
    with pytest.raises(DTypeError, match=r"a dtype is needed(.|\n)*dtypes\.f32"):
        Buffer(Place("REMOTE", Remote()), 10, dtype)


@pytest.mark.parametrize("place", [5, None])
def test_what_is_no_device(place: Any) -> None:
    with pytest.raises(DeviceUnavailable, match=r"is no device(.|\n)*Buffer\(.CPU., 10"):
        Buffer(place, 10, dtypes.f32)


def test_lists_and_arrays_where_others_belong() -> None:
    with pytest.raises(errors.BufferError, match=r"an array is needed, got list(.|\n)*np\.asarray"):
        Buffer.from_numpy([1, 2])  # type: ignore[arg-type]
    with pytest.raises(errors.BufferError, match=r"copy_from takes a Buffer, got ndarray(.|\n)*copyin"):
        Buffer(Place("REMOTE", Remote()), 2, dtypes.f32).copy_from(np.ones(2, np.float32))  # type: ignore[arg-type]
