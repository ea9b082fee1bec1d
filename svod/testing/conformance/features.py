"""Features of the kernel language, one small kernel each, against NumPy: what work items share, exchange, print and assert.

Owns: the kernels, and FEATURES, which the support matrix has a row for. Must not know any device.
Invariant: a kernel is right on every device that takes it; what a device lacks it refuses by name before it runs.

Annotations are evaluated here (no import of `annotations` from `__future__`): those of kernels made by functions name their parameters.
"""
# mypy: disable-error-code="valid-type,operator,attr-defined,misc,index,assignment,untyped-decorator,unused-ignore"

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import svod.lang as sl
from svod.device.device import Device
from svod.dtype import dtypes, numpy_dtype
from svod.errors import LaunchError
from svod.ir.args import product_types
from svod.ir.ops import Op
from svod.ir.semantics import apply
from svod.testing.conformance.launches import equal, refused
from svod.testing.conformance.printing import printed
from svod.testing.conformance.records import Check

PART = "language"
ATOMIC_TYPES = (sl.i32, sl.u32, sl.i64, sl.u64, sl.f32, sl.f64)
STORED_TYPES = (sl.bool_, sl.i8, sl.u8, sl.i16, sl.u16, sl.i64, sl.u64, sl.f16, sl.bf16, sl.f64, sl.f8e4m3, sl.f8e5m2)
MMA_TYPES = ("f16", "bf16", "f32", "tf32", "i8", "i8_u8", "f8e4m3", "f8e4m3_f8e5m2")
N = 64
I32, F32 = np.int32, np.float32
Floats, Ints = sl.Array[sl.f32], sl.Array[sl.i32]


@dataclass(frozen=True, slots=True)
class Feature(Check):
    """A check, and the kernel it is about, which can also be rendered for a device that is not there, for groups of `block` work items."""

    kernel: sl.Kernel
    block: int


FEATURES: list[Feature] = []


def feature(what: str, kernel: sl.Kernel, block: int = 32) -> Callable[[Callable[[Device], None]], Callable[[Device], None]]:
    """Decorator: a body as a check of this name."""
    def add(body: Callable[[Device], None]) -> Callable[[Device], None]:
        FEATURES.append(Feature(PART, what, body, kernel, block))
        return body
    return add


# --- sizes and control flow ----------------------------------------------------------------------------------------------------------

@sl.kernel
def doubled(a: Floats, o: Floats) -> None:
    i = sl.global_id()
    o[i] = a[i] * 2.0


@feature("symbolic sizes", doubled)
def symbolic_sizes(device: Device) -> None:
    """One form for every number of work items, none at all too; what is behind the last stays."""
    kernel = sl.kernel(doubled.function).on(device)
    for n in (1, 0, 31, 64, 65, 1000):
        a, o = np.arange(n + 3, dtype=F32), np.full(n + 3, -1, F32)
        kernel.launch(a, o, threads=n)
        equal(o, np.where(np.arange(n + 3) < n, a * 2, -1), f"{n} work items")
    assert kernel.traces == 1, f"{kernel.traces} forms for one kernel"


@sl.kernel
def collatz(o: Ints, n: sl.i32) -> None:
    i = sl.global_id()
    if i >= n:
        return
    v, steps = sl.i32(i) + 1, 0
    while True:
        if v == 1:
            break
        if v % 2 == 0:
            v = v // 2
            steps += 1
            continue
        v = 3 * v + 1
        steps += 1
    o[i] = steps


@feature("loops that work items leave one by one", collatz)
def control_flow(device: Device) -> None:
    """while, break, continue, return that depend on data."""
    def steps(v: int) -> int:
        return 0 if v == 1 else 1 + steps(v // 2 if v % 2 == 0 else 3 * v + 1)
    o = np.full(40, -1, I32)
    collatz.on(device)[2, 32](o, 37)
    equal(o, [steps(i + 1) if i < 37 else -1 for i in range(40)])


# --- memory of a group, of a work item ------------------------------------------------------------------------------------------------

@sl.kernel
def reversed_groups(a: Floats, o: Floats) -> None:
    tile = sl.shared(32, sl.f32)
    x = sl.thread_idx.x
    tile[x] = a[sl.global_id()]
    sl.barrier()
    o[sl.global_id()] = tile[31 - x]


@feature("shared memory and barriers", reversed_groups)
def shared_memory(device: Device) -> None:
    """What work items store before a barrier others see behind it."""
    a, o = np.arange(96, dtype=F32), np.zeros(96, F32)
    reversed_groups.on(device)[3, 32](a, o)
    equal(o, a.reshape(3, 32)[:, ::-1].ravel())


@sl.kernel
def reversed_dynamic(a: Floats, o: Floats) -> None:
    tile = sl.shared_dynamic(sl.f32)
    x = sl.thread_idx.x
    tile[x] = a[sl.global_id()]
    sl.barrier()
    o[sl.global_id()] = tile[sl.block_dim.x - 1 - x]


@feature("dynamic shared memory", reversed_dynamic)
def dynamic_shared_memory(device: Device) -> None:
    """The launch says how much; too little is refused."""
    a, o = np.arange(64, dtype=F32), np.zeros(64, F32)
    kernel = reversed_dynamic.on(device)
    for smem in (128, 1024):
        kernel[2, 32, smem](a, o)
        equal(o, a.reshape(2, 32)[:, ::-1].ravel())
    refused(lambda: kernel[2, 32, 0](a, o), LaunchError, "dynamic shared memory")


@sl.kernel
def sorted_threes(a: Floats, o: Floats) -> None:
    mine = sl.local(3, sl.f32)
    i = sl.global_id()
    for k in range(3):
        mine[k] = a[i * 3 + k]
    for k in range(3):
        least = k
        for j in range(k + 1, 3):
            if mine[j] < mine[least]:
                least = j
        kept = mine[k]
        mine[k] = mine[least]
        mine[least] = kept
    for k in range(3):
        o[i * 3 + k] = mine[k]


@feature("arrays of a work item", sorted_threes, 16)
def local_arrays(device: Device) -> None:
    """Indexed by running values."""
    a, o = np.random.default_rng(1).permutation(96).astype(F32), np.zeros(96, F32)
    sorted_threes.on(device)[2, 16](a, o)
    equal(o, np.sort(a.reshape(32, 3), 1).ravel())


# --- types --------------------------------------------------------------------------------------------------------------------------

def stored(kind: Any) -> sl.Kernel:
    """Copies elements of a type, turned around."""
    @sl.kernel(name=f"stored_{kind.dtype.name}")
    def copy(a: sl.Array[kind], o: sl.Array[kind], n: sl.i32) -> None:
        i = sl.global_id()
        if i < n:
            o[n - 1 - i] = a[i]
    return copy


def _stores(kind: Any) -> None:
    kernel = stored(kind)

    @feature(f"elements of {kind.dtype.name}", kernel)
    def body(device: Device) -> None:
        dtype = numpy_dtype(kind.dtype)
        raw = np.random.default_rng(2).integers(0, 2 if kind is sl.bool_ else 100, 37 * dtype.itemsize, dtype=np.uint8)
        a, o = raw.view(dtype), np.zeros(40, dtype)
        kernel.on(device)[2, 32](a, o, 37)
        equal(o.view(np.uint8), np.concatenate([a[::-1], np.zeros(3, dtype)]).view(np.uint8))


for _kind in STORED_TYPES:
    _stores(_kind)


@sl.kernel
def vectors(a: Floats, o: Floats) -> None:
    i = sl.global_id() * 4
    v = sl.load_vector(a, i, 4)
    sl.store_vector(o, i, v * v + 1.0)


@feature("vectors", vectors)
def vector_types(device: Device) -> None:
    """Loaded, computed and stored four by four."""
    a, o = np.arange(128, dtype=F32), np.zeros(128, F32)
    vectors.on(device)[1, 32](a, o)
    equal(o, a * a + 1)


# --- atomics ------------------------------------------------------------------------------------------------------------------------

def counted(kind: Any) -> sl.Kernel:
    """Every update of global and shared memory that all types have."""
    @sl.kernel(name=f"counted_{kind.dtype.name}")
    def count(o: sl.Array[kind]) -> None:
        tile = sl.shared(1, kind)
        x = sl.thread_idx.x
        if x == 0:
            tile[0] = kind(0)
        sl.barrier()
        sl.atomic_add(tile, 0, kind(x))
        sl.atomic_add(o, 1, kind(1))
        sl.atomic_max(o, 2, kind(x))
        sl.atomic_min(o, 3, kind(x))
        sl.barrier()
        if x == 0:
            sl.atomic_add(o, 0, tile[0])
    return count


def _counts(kind: Any) -> None:
    kernel = counted(kind)

    @feature(f"atomics of {kind.dtype.name}", kernel, 64)
    def body(device: Device) -> None:
        o = np.array([0, 0, 0, 99], numpy_dtype(kind.dtype))
        kernel.on(device)[2, 64](o)
        equal(o, [2 * 63 * 32, 128, 63, 0])


for _kind in ATOMIC_TYPES:
    _counts(_kind)


@sl.kernel
def locked(o: sl.Array[sl.u32]) -> None:
    seen = sl.atomic_add(o, 0, sl.u32(0))  # a plain load would race with the others
    while True:
        old = sl.atomic_cas(o, 0, seen, seen + sl.u32(3))
        if old == seen:
            break
        seen = old


@feature("compare and swap", locked, 1)
def compare_and_swap(device: Device) -> None:
    """Additions made of it: none is lost."""
    o = np.zeros(1, np.uint32)
    locked.on(device)[8, 1](o)
    equal(o, [24])


# --- subgroups ------------------------------------------------------------------------------------------------------------------------

@sl.kernel
def shuffled(a: Ints, o: Ints) -> None:
    x = sl.thread_idx.x
    v = a[x]
    o[x] = sl.shuffle_xor(v, 1)
    o[32 + x] = sl.shuffle(v, 5)
    o[64 + x] = sl.shuffle_up(v, 1)
    o[96 + x] = sl.shuffle_down(v, 2)


@feature("shuffles", shuffled)
def shuffles(device: Device) -> None:
    """A lane reads another's value; where there is none, its own."""
    a, o, x = np.arange(100, 132, dtype=I32), np.zeros(128, I32), np.arange(32)
    shuffled.on(device)[1, 32](a, o)
    wanted = a[x ^ 1], a[x * 0 + 5], a[np.maximum(x - 1, 0)], a[np.where(x + 2 < 32, x + 2, x)]
    equal(o, np.concatenate(wanted))


@sl.kernel
def voted(a: Ints, o: Ints, bits: sl.Array[sl.u64]) -> None:
    x = sl.thread_idx.x
    v = a[x]
    o[x] = sl.i32(sl.any_(v == 7))
    o[32 + x] = sl.i32(sl.all_(v >= 0))
    o[64 + x] = sl.subgroup_reduce_add(v)
    o[96 + x] = sl.subgroup_reduce_max(v)
    o[128 + x] = sl.inclusive_scan_add(v)
    bits[x] = sl.ballot(v % 2 == 0)


@feature("votes, subgroup reductions and scans", voted)
def votes(device: Device) -> None:
    """All lanes learn the same; sums up to each lane."""
    a, o, bits = np.arange(32, dtype=I32), np.zeros(160, I32), np.zeros(32, np.uint64)
    voted.on(device)[1, 32](a, o, bits)
    one = np.ones(32, I32)
    equal(o, np.concatenate([one, one, one * 496, one * 31, np.cumsum(a)]))
    equal(bits, [0x55555555] * 32)


def multiplied(name: str) -> sl.Kernel:
    """One product of 16 × 16 by a subgroup of 32: a lane holds eight elements of each matrix."""
    kind, other = (getattr(sl, d.name) for d in product_types(name))
    sums = sl.i32 if kind is sl.i8 else sl.f32
    precision = "tf32" if name == "tf32" else ""

    @sl.kernel(subgroup=32, name=f"multiplied_{name}")
    def multiply(a: sl.Array[kind, 2], b: sl.Array[other, 2], c: sl.Array[sums, 2]) -> None:
        lane, part = sl.thread_idx.x % 16, sl.thread_idx.x // 16
        left = tuple(a[lane, part * 8 + e] for e in sl.static_range(8))
        right = tuple(b[part * 8 + e, lane] for e in sl.static_range(8))
        held = [sums(0) for _ in sl.static_range(8)]
        for r, value in enumerate(sl.mma(left, right, held, 16, 16, 16, precision=precision)):
            c[part * 8 + r, lane] = value
    return multiply


def _multiplies(name: str) -> None:
    kernel = multiplied(name)

    @feature(f"mma of {name}", kernel)
    def body(device: Device) -> None:
        kinds = product_types(name)
        wide = I32 if kinds[0] is dtypes.i8 else F32
        a, b = (np.random.default_rng(k).integers(0 if d is dtypes.u8 else -3, 4, (16, 16)).astype(numpy_dtype(d))
                for k, d in enumerate(kinds, 3))
        c = np.zeros((16, 16), wide)
        if name == "tf32":  # what is between two of the numbers that it has goes to the larger one
            a = a * F32(1 + 2.0**-11)
        kernel.on(device)[1, 32](a, b, c)
        if name == "tf32":
            a = apply(Op.TF32, dtypes.f32, None, a)
        equal(c, a.astype(wide) @ b.astype(wide))


for _kind in MMA_TYPES:
    _multiplies(_kind)


# --- messages -------------------------------------------------------------------------------------------------------------------------

@sl.kernel
def speaking(a: Ints) -> None:
    if sl.thread_idx.x == 3:
        sl.printf("item {} has {}", sl.i32(sl.thread_idx.x), a[sl.thread_idx.x])


@feature("printf", speaking, 8)
def printf(device: Device) -> None:
    """A line of standard output."""
    a, kernel = np.arange(10, 18, dtype=I32), speaking.on(device)
    said = printed(lambda: kernel[1, 8](a))
    assert "item 3 has 13" in said.splitlines(), f"printed {said!r}"


@sl.kernel
def asserting(a: Ints) -> None:
    sl.assert_(a[sl.thread_idx.x] < 5, "too much: {}", a[sl.thread_idx.x])  # noqa: PT009  (not the one of unittest)


@feature("assert", asserting, 8)
def assertions(device: Device) -> None:
    """The launch raises, with the text; the next one is as good as ever."""
    kernel = asserting.on(device)
    kernel[1, 8](np.zeros(8, I32))
    refused(lambda: kernel[1, 8](np.array([0, 0, 9, 0, 0, 0, 0, 0], I32)), LaunchError, "too much: 9")
    kernel[1, 8](np.zeros(8, I32))
