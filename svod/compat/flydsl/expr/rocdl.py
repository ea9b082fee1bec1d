"""`rocdl`: AMD's instructions by name, as the portable operation that does the same; hints do nothing; what has no counterpart is refused.

Owns: the names. Must not know devices. Invariant: fragments lie in a wave of 64 as on the hardware: kernels of this front end have
subgroups of 64. Packed fragments (8 values of 8 bits in an i64) are read as the type in the instruction's name, fp8 as e4m3fnuz.
"""
from __future__ import annotations

from typing import Any

from svod.compat.flydsl.expr.typing import element_type
from svod.compat.flydsl.expr.vector import rebit
from svod.compat.flydsl.refusing import MissingModule, refusing
from svod.dtype import DType, dtypes
from svod.errors import KernelError
from svod.lang import arithmetic, memory, subgroups
from svod.lang.builtin import Builtin, builtin
from svod.lang.ids import barrier
from svod.lang.matrices import mma
from svod.lang.tracer import Tracer
from svod.lang.value import Array, Dynamic, Vector, describe

# --- matrix instructions -------------------------------------------------------------------------------------------------------------

_FP8, _BF8 = dtypes.f8e4m3fnuz, dtypes.f8e5m2fnuz


def _fragment(t: Tracer, value: Any, dtype: DType) -> Vector:
    """A fragment as a vector of the instruction's type; packed ones are taken apart."""
    if isinstance(value, Dynamic):
        value = Vector((value,))
    if not isinstance(value, Vector):
        raise KernelError(f"a fragment is a vector, or packed in an i64, not {describe(value)}")
    if value.dtype is dtype or (value.dtype.is_float and value.dtype.bits == dtype.bits == 8):
        return value
    return rebit(t, value, dtype)


def _mfma(name: str, k: int, a: DType, b: DType) -> Builtin:
    def apply(t: Tracer, *args: Any) -> Vector:
        given = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) else list(args)
        if len(given) not in (3, 6):
            raise KernelError(f"{name}() takes a, b, acc, or a type and [a, b, acc, cbsz, abid, blgp], got {len(given)}")
        if any(not isinstance(flag, int) or flag for flag in given[3:]):
            raise KernelError(f"{name}() with cbsz, abid or blgp that is not 0", hint="broadcasts of fragments are not there")
        result = mma.apply(t, _fragment(t, given[0], a), _fragment(t, given[1], b), given[2], 16, 16, k)
        return Vector(tuple(result))

    apply.__doc__ = f"{name}(a, b, acc): a 16 × {k} by {k} × 16 product over a wave of 64 lanes, added to acc."
    return Builtin(apply, name)


mfma_f32_16x16x16_f16 = _mfma("mfma_f32_16x16x16_f16", 16, dtypes.f16, dtypes.f16)
mfma_f32_16x16x16f16 = mfma_f32_16x16x16_f16
mfma_f32_16x16x16_bf16 = _mfma("mfma_f32_16x16x16_bf16", 16, dtypes.bf16, dtypes.bf16)
mfma_f32_16x16x16bf16_1k = mfma_f32_16x16x16_bf16
mfma_f32_16x16x32_fp8 = _mfma("mfma_f32_16x16x32_fp8", 32, _FP8, _FP8)
mfma_f32_16x16x32_fp8_fp8 = mfma_f32_16x16x32_fp8
mfma_f32_16x16x32_fp8_bf8 = _mfma("mfma_f32_16x16x32_fp8_bf8", 32, _FP8, _BF8)
mfma_f32_16x16x32_bf8_fp8 = _mfma("mfma_f32_16x16x32_bf8_fp8", 32, _BF8, _FP8)
mfma_f32_16x16x32_bf8_bf8 = _mfma("mfma_f32_16x16x32_bf8_bf8", 32, _BF8, _BF8)
mfma_i32_16x16x32i8 = _mfma("mfma_i32_16x16x32i8", 32, dtypes.i8, dtypes.i8)
mfma_i32_16x16x32_i8 = mfma_i32_16x16x32i8

# --- exchanges -----------------------------------------------------------------------------------------------------------------------


def _exchange(name: str, many: int, doc: str, apply: Any) -> Builtin:
    """An instruction of `many` operands; FlyDSL's code puts the type of the result before them, its guide does not."""
    def plain(t: Tracer, *args: Any) -> Any:
        kinds = [element_type(a) for a in args[:-many]]
        if len(args) - len(kinds) != many or len(kinds) > 1:
            raise KernelError(f"{name}() of {len(args)} operands", hint=f"{many}, and the type of the result before them if you like")
        result = apply(t, *args[len(kinds):])
        dtype = result.dtype if isinstance(result, Vector) else arithmetic.typed(result).dtype
        if not kinds or dtype is kinds[0]:
            return result
        if not (dtype.is_int and kinds[0].is_int):
            raise KernelError(f"{name}() as {kinds[0]!r} of {dtype!r}", hint="the type of the operand")
        return arithmetic.cast(result, kinds[0])

    plain.__doc__ = doc
    return Builtin(plain, name)


ds_bpermute = _exchange("ds_bpermute", 2, "ds_bpermute(index, x): x of the lane whose number times 4 is `index`, modulo the wave.",
                        lambda t, index, x: subgroups.shuffle.apply(t, x, arithmetic.binary(">>", index, 2)))
readlane = _exchange("readlane", 2, "readlane(x, lane): x of a lane.", subgroups.shuffle.apply)
readfirstlane = _exchange("readfirstlane", 1, "readfirstlane(x): x of lane 0.", lambda t, x: subgroups.shuffle.apply(t, x, 0))
ballot = _exchange("ballot", 1, "ballot(condition): an u64 whose bit i is the condition of lane i.", subgroups.ballot.apply)

# --- shared memory -------------------------------------------------------------------------------------------------------------------

def _shared(pointer: Any) -> Array:
    array = getattr(pointer, "array", pointer)
    if not isinstance(array, Array):
        raise KernelError(f"{describe(pointer)} is no shared memory", hint="a view: lds_a(allocator.get_base())")
    return array


@builtin()
def ds_read_b128(t: Tracer, pointer: Any, offset: Any) -> Any:
    """16 bytes of shared memory from a byte offset on: a vector of its elements."""
    array = _shared(pointer)
    return memory.load_vector.apply(t, array, arithmetic.binary("//", offset, array.dtype.itemsize), 16 // array.dtype.itemsize)


@builtin()
def ds_write_b128(t: Tracer, pointer: Any, offset: Any, data: Any) -> None:
    """Stores 16 bytes, a vector, to shared memory from a byte offset on."""
    array = _shared(pointer)
    if not isinstance(data, Vector) or len(data.lanes) * data.dtype.bits != 128:
        raise KernelError(f"ds_write_b128() of {describe(data)}", hint="a vector of 16 bytes")
    raw = data if data.dtype is array.dtype else rebit(t, data, array.dtype)
    memory.store_vector.apply(t, array, arithmetic.binary("//", offset, array.dtype.itemsize), raw)


# --- the rest ------------------------------------------------------------------------------------------------------------------------

s_barrier = barrier

HINTS = frozenset(("sched_mfma", "sched_vmem", "sched_dsrd", "sched_dswr", "sched_barrier", "sched_group_barrier", "s_waitcnt", "s_setprio",
                   "s_nop", "iglp_opt"))
"""How a compiler should order instructions: without effect."""


def __getattr__(name: str) -> Any:
    if name in HINTS:
        return Builtin(_nothing, name)
    if name.startswith("_"):
        raise AttributeError(name)
    if name in ("tdm_ops", "cluster", "inline_asm", "memory"):
        return MissingModule(f"rocdl.{name}", _NO_COUNTERPART)
    return refusing(f"rocdl.{name}", _NO_COUNTERPART)


_NO_COUNTERPART = "it is an instruction of AMD hardware without a portable counterpart here"


def _nothing(t: Tracer, *args: Any, **kwargs: Any) -> None:
    """A hint: no effect."""
