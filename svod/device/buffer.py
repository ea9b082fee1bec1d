"""Buffer: a number of elements of one type in the memory of a device.

Owns: sizes in elements, lazy allocation, views, copies, sharing with NumPy and DLPack, and when memory goes back. Must not know kernels,
nor the Device class: a device is anything with a name and an allocator.
Invariant: memory goes back to its allocator exactly once, when nothing can reach it any more: not a buffer, a view, an array or a consumer.
"""
from __future__ import annotations

import operator
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from svod import errors
from svod.device import dlpack, dlpack_device
from svod.device.allocator import DEFAULT_OPTIONS, MAX_BYTES, Allocator, AllocOptions, Block
from svod.device.dlpack_device import Taken
from svod.device.stream import current_stream
from svod.dtype.convert import from_numpy as dtype_of
from svod.dtype.convert import numpy_dtype
from svod.dtype.dtypes import DType


class BufferDevice(Protocol):
    """What a buffer needs of its device."""

    @property
    def name(self) -> str:
        """As the user writes it: "CPU", "CUDA:1"."""

    @property
    def allocator(self) -> Allocator:
        """Where its memory comes from."""


@runtime_checkable
class Sharing(Protocol):
    """An allocator of device memory that other libraries take as it is. The handles of its blocks have a `place`, the address."""

    @property
    def dlpack_device(self) -> tuple[int, int]:
        """What DLPack calls the device."""

    def reaches(self, other: object) -> bool:
        """Whether `transfer` copies from blocks of another allocator too."""

    def ready_for(self, stream: object) -> None:
        """Lets a consumer's stream wait for all launches so far."""

    def enqueued(self, target: Buffer, source: Buffer) -> bool:
        """Copies in the stream of this context, if it is one of this device and both buffers are its; whether it did."""

    def taken(self, source: object) -> Taken:
        """What a producer shares in memory of this device. BufferError for memory of another one."""

    def placed(self, taken: Taken) -> object:
        """That memory, as the handle of a block; it lives as long."""


CUDA_KIND = 2
"""kDLCUDA."""
DeviceLike: TypeAlias = BufferDevice | str

_RESOLVERS: list[Callable[[str], BufferDevice]] = []


def set_device_resolver(resolver: Callable[[str], BufferDevice]) -> None:
    """Say how a device is found by name. The registry of devices calls this when it loads: this module cannot import it."""
    _RESOLVERS[:] = [resolver]


def _device(device: DeviceLike) -> BufferDevice:
    if not isinstance(device, str):
        if not hasattr(device, "allocator"):
            raise errors.DeviceUnavailable(f"{device!r} is no device", hint='a name or a Device: Buffer("CPU", 10, dtypes.f32)')
        return device
    if not _RESOLVERS:
        raise errors.DeviceUnavailable(f"no device is called {device!r}: none is loaded", hint="import svod, or pass the Device itself")
    return _RESOLVERS[0](device)


class _Lease:
    """A block in use, or memory of somebody else's (no allocator). Whoever can reach the memory holds the lease."""

    __slots__ = ("allocator", "block")

    def __init__(self, block: Block, allocator: Allocator | None) -> None:
        self.block, self.allocator = block, allocator

    def __del__(self) -> None:
        if self.allocator is not None:
            self.allocator.free(self.block)


class _Storage:
    """What a buffer and its views share: memory, asked for on first use, until it is closed."""

    __slots__ = ("_held", "closed", "device", "nbytes", "options", "writable")

    def __init__(self, device: BufferDevice, nbytes: int, options: AllocOptions, *, external: _Lease | None = None,
                 writable: bool = True) -> None:
        self.device, self.nbytes, self.options, self.writable, self.closed = device, nbytes, options, writable, False
        self._held = {} if external is None else {0: external}

    @property
    def allocated(self) -> bool:
        return 0 in self._held

    def lease(self) -> _Lease:
        """The memory. Two threads that ask first at the same moment get the same: the block of one of them goes back at once."""
        if (held := self._held.get(0)) is not None:
            return held
        if not self.closed:
            allocator = self.device.allocator
            held = self._held.setdefault(0, _Lease(allocator.alloc(self.nbytes, self.options), allocator))
        if self.closed or held is None:
            self._held.clear()
            raise errors.BufferError("the buffer was freed", hint="use it before free(), or inside its with block")
        return held

    def close(self) -> None:
        self.closed = True
        self._held.clear()


class _Export:
    """Memory for NumPy: `numpy.asarray` makes an array of it that holds the lease."""

    __slots__ = ("__array_interface__", "_lease")

    def __init__(self, lease: _Lease, address: int, nbytes: int, writable: bool) -> None:
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "shape": (nbytes,), "data": (address, not writable)}
        self._lease = lease


class Buffer:
    """`size` elements of scalar type `dtype` on `device` (a device, or its name); memory is taken on first use, its contents undefined.

    A buffer on a device in host memory shares it: `numpy()`, DLPack, and from Python 3.12 on the buffer protocol (`memoryview(buffer)`;
    before, `memoryview(buffer.numpy())`) copy nothing. `free()`, the end of a `with` block, or collection give the memory back;
    arrays and consumers that still share it keep it until they go, and every further use of the buffer or its views is a BufferError.

    BufferError for a size that is negative, absurd (more than 2**48 bytes) or no whole number; DTypeError for a type no buffer has.
    """

    __slots__ = ("__weakref__", "_freed", "_offset", "_storage", "_view", "dtype", "nbytes", "size")

    def __init__(self, device: DeviceLike, size: int, dtype: DType, *, options: AllocOptions = DEFAULT_OPTIONS) -> None:
        numpy_dtype(dtype)
        self.size, self.dtype, self.nbytes = _count(size, dtype), dtype, operator.index(size) * dtype.itemsize
        self._storage = _Storage(_device(device), self.nbytes, options)
        self._offset, self._view, self._freed = 0, False, False

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        what = "a Buffer cannot be pickled: its memory belongs to this process"
        raise errors.BufferError(what, hint="send what it holds: buffer.numpy().copy()")

    @classmethod
    def _over(cls, storage: _Storage, offset: int, size: int, dtype: DType, *, view: bool) -> Self:
        self = cls.__new__(cls)
        self.size, self.dtype, self.nbytes = size, dtype, size * dtype.itemsize
        self._storage, self._offset, self._view, self._freed = storage, offset, view, False
        return self

    # --- what it is ----------------------------------------------------------------------------------------------------------------

    @property
    def device(self) -> BufferDevice:
        """Where it is."""
        return self._storage.device

    @property
    def offset(self) -> int:
        """Where it begins in its block, in bytes; 0 except for views."""
        return self._offset

    @property
    def writable(self) -> bool:
        """False if it shares read-only memory."""
        return self._storage.writable

    @property
    def allocated(self) -> bool:
        """Whether it has memory yet."""
        return self._storage.allocated

    @property
    def freed(self) -> bool:
        """Whether it, or the buffer it is a view of, was freed."""
        return self._freed or self._storage.closed

    @property
    def block(self) -> Block:
        """Its memory, for the device's runtime; it begins `offset` bytes into it. Valid while the buffer lives and is not freed."""
        return self._lease().block

    @property
    def address(self) -> int:
        """Its first byte, for the host. BufferError if the host cannot reach it. Valid while the buffer lives and is not freed."""
        start = self._lease().block.address
        if start is None:
            raise errors.BufferError(f"{self!r} is not in host memory", hint="copy it: buffer.numpy(), or buffer.to(device)")
        return start + self._offset

    def __repr__(self) -> str:
        state = "freed" if self.freed else "" if self.allocated else "not allocated yet"
        notes = [n for n in ("view" if self._view else "", "" if self.writable else "read-only", state) if n]
        return f"<Buffer {self.device.name} {self.size} x {self.dtype!r}{': ' if notes else ''}{', '.join(notes)}>"

    # --- copies --------------------------------------------------------------------------------------------------------------------

    def copyin(self, source: object) -> Self:
        """Copy from an array of the same type and size in any shape and layout, or from raw bytes (bytes-like, or uint8); returns itself.

        BufferError if the type or the size differs, or if this buffer is read-only.
        """
        if not self.writable:
            raise errors.BufferError(f"{self!r} cannot be written")
        data = _bytes_of(self._matching(source, "source"))
        self.device.allocator.copyin(self.block, self._offset, data)
        return self

    def copyout(self, target: object) -> None:
        """Copy to an array of the same type and size, or to raw bytes. BufferError unless it fits, is contiguous and writable."""
        array = self._matching(target, "target")
        if not array.flags.writeable or not array.flags.c_contiguous:
            raise errors.BufferError("the target of a copy must be writable and contiguous", hint="copy to np.empty(...), then assign")
        self.device.allocator.copyout(_bytes_of(array), self.block, self._offset)

    def copy_from(self, other: Buffer) -> Self:
        """Copy from a buffer of the same type and size on any device, directly where possible, else through the host; returns itself.

        Inside of `with stream:`, a copy between buffers of that device, pinned ones too, is done in the stream, and not waited for.
        BufferError if the type or the size differs, if this buffer is read-only, or if one of the two was freed.
        """
        if not isinstance(other, Buffer):
            raise errors.BufferError(f"copy_from takes a Buffer, got {type(other).__name__}", hint="copyin(array) copies an array")
        for buffer in (self, other):
            buffer._check_open()
        if (other.size, other.dtype) != (self.size, self.dtype) or not self.writable:
            raise errors.BufferError(f"{self!r} cannot be filled from {other!r}", hint="type and size must agree, the target be writable")
        mine, theirs = self.device.allocator, other.device.allocator
        if current_stream() is not None and isinstance(mine, Sharing) and mine.enqueued(self, other):
            return self
        near = mine is theirs or (isinstance(mine, Sharing) and mine.reaches(theirs))
        if near and mine.transfer(self.block, self._offset, other.block, other.offset, self.nbytes):
            return self
        if self.block.address is not None:
            other.copyout(self.numpy())
            return self
        return self.copyin(other.numpy())

    def to(self, device: DeviceLike, *, copy: bool = False) -> Buffer:
        """The same elements on `device`: this buffer, if it is there; one that shares its memory, if both devices are in host memory; else
        a copy. With `copy` a new buffer in any case.

        What shares memory sees every later change, and keeps the memory when this buffer is freed. BufferError for a buffer that was freed;
        DeviceUnavailable, OutOfMemory.
        """
        self._check_open()
        where = _device(device)
        if copy:
            return Buffer(where, self.size, self.dtype).copy_from(self)
        if where is self.device:
            return self
        if where.allocator.on_host and self.device.allocator.on_host:
            storage = _Storage(where, self._storage.nbytes, self._storage.options, external=self._lease(), writable=self.writable)
            return self._over(storage, self._offset, self.size, self.dtype, view=False)
        return Buffer(where, self.size, self.dtype).copy_from(self)

    def _matching(self, data: object, role: str) -> NDArray[Any]:
        """`data` as an array, after checking that its bytes are this buffer's."""
        if isinstance(data, Buffer):
            data = data.numpy()
        try:
            array = data if isinstance(data, np.ndarray) else np.asarray(memoryview(data))  # type: ignore[arg-type]
        except (TypeError, ValueError, NotImplementedError) as e:
            raise errors.BufferError(f"the {role} of a copy is a {type(data).__name__}, not an array or bytes", hint="np.asarray(x)") from e
        wanted = numpy_dtype(self.dtype)
        if array.dtype not in (wanted, np.dtype(np.uint8)):
            raise errors.BufferError(f"the {role} has dtype {array.dtype}, {self!r} has {wanted}", hint=f'x.astype("{wanted}")')
        if array.nbytes != self.nbytes:
            raise errors.BufferError(f"the {role} has {array.nbytes} bytes, {self!r} has {self.nbytes}", hint=f"pass {self.size} elements")
        return array

    # --- sharing -------------------------------------------------------------------------------------------------------------------

    def view(self, offset: int, size: int, dtype: DType | None = None) -> Self:
        """A buffer that shares this one's memory: `size` elements of `dtype`, from this buffer's element `offset` on.

        BufferError if it reaches outside this buffer, or if it would not be aligned to its element size.
        """
        self._check_open()
        target = self.dtype if dtype is None else dtype
        numpy_dtype(target)
        count, begin = _count(size, target), _count(offset, self.dtype) * self.dtype.itemsize
        if begin + count * target.itemsize > self.nbytes:
            raise errors.BufferError(f"a view of {count} x {target!r} at element {offset} is not inside {self!r}",
                                     hint=f"it needs bytes {begin} to {begin + count * target.itemsize}, there are {self.nbytes}")
        if (self._offset + begin) % target.itemsize:
            raise errors.BufferError(f"a view of {target!r} cannot begin at byte {self._offset + begin} of a block",
                                     hint=f"begin at a multiple of {target.itemsize} bytes")
        return self._over(self._storage, self._offset + begin, count, target, view=True)

    def numpy(self, *, copy: bool = False) -> NDArray[Any]:
        """A 1-D array of the elements. In host memory it shares them, and keeps them alive, unless `copy`; from elsewhere it is a copy."""
        lease = self._lease()
        if lease.block.address is None or copy:
            array = np.empty(self.size, numpy_dtype(self.dtype))
            self.copyout(array)
            return array
        return np.asarray(_Export(lease, lease.block.address + self._offset, self.nbytes, self.writable)).view(numpy_dtype(self.dtype))

    @classmethod
    def from_numpy(cls, array: NDArray[Any], device: DeviceLike = "CPU") -> Self:
        """A buffer of the elements of `array`, in C order. On a device in host memory it shares the array's memory; elsewhere it is a copy.

        BufferError if it is not contiguous or not aligned; DTypeError if svod has no such type.
        """
        if not isinstance(array, np.ndarray):
            raise errors.BufferError(f"an array is needed, got {type(array).__name__}", hint="pass np.asarray(x, np.float32)")
        dtype, where = dtype_of(array.dtype), _device(device)
        if not array.flags.c_contiguous:
            raise errors.BufferError(f"an array of shape {array.shape} and strides {array.strides} is not contiguous",
                                     hint="pass np.ascontiguousarray(x), which copies")
        if not where.allocator.on_host:
            return cls(where, array.size, dtype).copyin(array)
        address: int = array.__array_interface__["data"][0]
        if address % dtype.itemsize and array.size:
            raise errors.BufferError(f"the array begins at address {address:#x}, which is no multiple of {dtype.itemsize}", hint="x.copy()")
        lease = _Lease(Block(array, array.nbytes, DEFAULT_OPTIONS, address), None)
        storage = _Storage(where, array.nbytes, DEFAULT_OPTIONS, external=lease, writable=array.flags.writeable)
        return cls._over(storage, 0, array.size, dtype, view=False)

    @classmethod
    def from_dlpack(cls, source: dlpack.Producer, device: DeviceLike = "CPU") -> Self:
        """As `from_numpy`, of anything with `__dlpack__` in memory of the host (torch, JAX, ...) or of `device`; bf16 and fp8 too.

        Errors as there; BufferError for memory of another device.
        """
        where = _device(device)
        if isinstance(where.allocator, Sharing) and dlpack_device.kind_of(source) == where.allocator.dlpack_device[0]:
            taken = where.allocator.taken(source)
            lease = _Lease(Block(where.allocator.placed(taken), taken.nbytes, DEFAULT_OPTIONS, None), None)
            storage = _Storage(where, taken.nbytes, DEFAULT_OPTIONS, external=lease, writable=taken.writable)
            return cls._over(storage, 0, taken.elements, taken.dtype, view=False)
        return cls.from_numpy(dlpack.import_array(source), device)

    def __dlpack__(self, *, stream: object = None, max_version: tuple[int, int] | None = None, dl_device: tuple[int, int] | None = None,
                   copy: bool | None = None) -> Any:
        """A capsule that shares the elements (array API standard). BufferError for memory that cannot be shared, or not as asked."""
        if (sharing := self._sharing()) is not None and not copy:
            if dl_device not in (None, sharing.dlpack_device):
                raise errors.BufferError(f"{self!r} is on DLPack device {sharing.dlpack_device}, not {dl_device}", hint="buffer.to(device)")
            sharing.ready_for(stream)
            lease = self._lease()
            shared = dlpack_device.Shared(lease.block.handle.place + self._offset, self.size, self.dtype, sharing.dlpack_device,
                                          self.writable, lease)
            return dlpack_device.share(shared, max_version)
        if stream is not None or dl_device not in (None, dlpack.HOST_DEVICE):
            raise errors.BufferError(f"{self!r} is shared as host memory: without a stream, on device {dlpack.HOST_DEVICE}")
        self.__dlpack_device__()
        return dlpack.export(self.numpy(), self.dtype, max_version=max_version, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        """(1, 0), host memory, or what DLPack calls the device. BufferError for memory that cannot be shared."""
        if (sharing := self._sharing()) is not None:
            return sharing.dlpack_device
        if not self.device.allocator.on_host:
            raise errors.BufferError(f"{self!r} cannot be shared through DLPack", hint="share a host copy: buffer.numpy()")
        return dlpack.HOST_DEVICE

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """For CuPy, Numba and torch: the elements in the memory of a CUDA device, ready in its default stream. None elsewhere.

        Source: Numba's documentation, CUDA array interface, version 3.
        """
        if (sharing := self._sharing()) is None or sharing.dlpack_device[0] != CUDA_KIND:
            raise AttributeError(f"{self!r} is not in the memory of a CUDA device")
        place = self._lease().block.handle.place + self._offset
        return {"shape": (self.size,), "typestr": numpy_dtype(self.dtype).str, "data": (place, not self.writable), "version": 3,
                "strides": None, "stream": 1}

    def _sharing(self) -> Sharing | None:
        """The allocator, if it shares memory of a device with other libraries."""
        return allocator if isinstance(allocator := self.device.allocator, Sharing) else None

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> NDArray[Any]:
        """For `numpy.asarray(buffer)`."""
        array = self.numpy(copy=bool(copy))
        return array if dtype is None else array.astype(dtype, copy=bool(copy))

    def __buffer__(self, flags: int, /) -> memoryview:
        """For `memoryview(buffer)` (Python calls this from 3.12 on). BufferError for bf16 and fp8, which the protocol cannot name."""
        array = self.numpy()
        if flags & 1 and not self.writable:
            raise errors.BufferError(f"{self!r} cannot be written")
        try:
            return array.data
        except ValueError as e:
            hint = f"share the bits: buffer.numpy().view(np.uint{self.dtype.bits})"
            raise errors.BufferError(f"the buffer protocol has no {self.dtype!r}", hint=hint) from e

    def hold(self) -> object:
        """Something that keeps the memory from being given back, also by `free()`, as long as it lives. BufferError if that was done."""
        return self._lease()

    # --- the end -------------------------------------------------------------------------------------------------------------------

    def free(self) -> None:
        """Give the memory back now (the memory of a view stays with its buffer); a second time does nothing."""
        self._freed = True
        if not self._view:
            self._storage.close()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.free()

    def _check_open(self) -> None:
        if self._freed or self._storage.closed:
            raise errors.BufferError(f"{self!r} was freed", hint="use it before free(), or inside its with block")

    def _lease(self) -> _Lease:
        if self._freed or self._storage.closed:
            self._check_open()
        return self._storage.lease()


def _count(value: object, dtype: DType) -> int:
    """A number of elements. BufferError unless it is a whole number from 0 to what MAX_BYTES holds."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise errors.BufferError(f"{value!r} is not a number of elements", hint="a whole number: int(n), or n // 2 instead of n / 2")
    count = operator.index(value)
    if not 0 <= count * dtype.itemsize <= MAX_BYTES:
        raise errors.BufferError(f"a buffer cannot have {count} elements of {dtype!r}", hint=f"0 to {MAX_BYTES // dtype.itemsize}")
    return count


def _bytes_of(array: NDArray[Any]) -> memoryview:
    """The elements in C order: the array's own memory if it is contiguous, else a copy."""
    return array.reshape(-1).view(np.uint8).data
