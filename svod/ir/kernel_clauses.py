"""The clauses about nodes and kernels: types, memory, loops, names. Each says what is wrong in the user's words, or None.

Owns: what a well-formed kernel is, beyond the structure that UOp checks. Must not know stages: spec.py says which clauses hold where.
Invariant: every clause can fail, and tests/ir/test_spec.py holds a graph that makes it fail.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from svod.dtype import AddrSpace, DType, Kind, PtrDType, dtypes
from svod.dtype.convert import round_to
from svod.ir.args import AtomicKind, AxisKind, SpecialKind
from svod.ir.clause import clause, executed, nodes
from svod.ir.ops import MEMORIES, REDUCTIONS, Op
from svod.ir.scope import free_ranges
from svod.ir.semantics import PURE, VECTOR_OPS, reduces
from svod.ir.uop import UOp

CORE_ID = "core_id"
"""The variable that the launch fills in with the number of the core."""
ROOTS = (Op.SINK, Op.LINEAR, Op.THREADS)
EFFECTS = frozenset((Op.STORE, Op.ATOMIC, Op.END, Op.GROUP, Op.BARRIER))
SPACES = {Op.PARAM: AddrSpace.GLOBAL, Op.DEFINE_LOCAL: AddrSpace.LOCAL, Op.DEFINE_REG: AddrSpace.REG, Op.DEFINE_SCRATCH: AddrSpace.GLOBAL}
RESERVED = frozenset((
    "alignas", "alignof", "and", "asm", "auto", "bool", "break", "case", "catch", "char", "class", "const", "constant", "constexpr",
    "continue", "default", "delete", "device", "do", "double", "else", "entry", "enum", "explicit", "export", "extern", "false",
    "float", "for", "friend", "global", "goto", "half", "if", "inline", "int", "kernel", "local", "long", "main", "mutable",
    "namespace", "new", "not", "nullptr", "operator", "or", "private", "protected", "public", "reach", "register", "restrict",
    "return", "shared", "short", "signed", "sizeof", "static", "struct", "switch", "template", "this", "thread", "threadgroup",
    "throw", "true", "try", "typedef", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "while", "xor"))
"""Keywords of C, C++ and the kernel dialects of C, and the symbols every kernel exports."""
SYMBOLS = frozenset(("entry", "main", "reach"))
EXTENT = re.compile(r"_[A-Za-z0-9_]+_shape_[0-9]")
"""Names of the hidden variables that hold the extents of arrays, whose names are the user's."""
MAX_BYTES = 1 << 48
"""Memory of a kernel's own beyond this is refused: no machine has it, and sizes must not overflow."""


def _is_number(dtype: DType) -> bool:
    return dtype.kind is not Kind.VOID


def _is_effect(u: UOp) -> bool:
    return executed(u).op in EFFECTS


def _base(pointer: UOp) -> DType:
    return pointer.dtype.base if isinstance(pointer.dtype, PtrDType) else dtypes.void


# --- values ----------------------------------------------------------------------------------------------------------------------

@clause(Op.CONST, hint="UOp.const(value, dtype) makes a literal of the right kind, and refuses what does not fit")
def literal_fits(u: UOp) -> str | None:
    """A literal is a value of its scalar dtype: a bool, an integer in range, or a float that the format holds exactly."""
    value, t = u.arg.value, u.dtype
    if t.lanes > 1 or t.kind is Kind.VOID:
        return f"a literal of {t}"
    kind = bool if t.is_bool else float if t.is_float else int
    if type(value) is not kind:
        return f"{value!r} is no {t}"
    if t.is_float:
        return None if value != value or round_to(value, t) == value else f"{value!r} is no {t}"  # noqa: PLR0124  (NaN)
    return None if t.min <= value <= t.max else f"{value!r} does not fit {t}"


@clause(*PURE,
        hint="arithmetic takes numbers: read an element first, a[i].load(); what a store wrote is read by out.after(effect)[i].load()")
def operands_are_values(u: UOp) -> str | None:
    """Arithmetic is done on numbers and bools, not on effects and pointers."""
    bad = next((s for s in u.src if not _is_number(s.dtype)), None)
    return None if bad is None else f"{bad.op.name} of {bad.dtype} is an operand of {u.op.name}"


@clause(Op.CAST, Op.BITCAST,
        hint="x.cast(dtypes.i32) takes the scalar dtype and keeps the lanes; x.bitcast(dtype) needs one of the same width")
def casts_keep_lanes(u: UOp) -> str | None:
    """A cast goes to a number or bool of as many lanes; BITCAST also keeps the width of a lane, and bool has no bits to reinterpret."""
    a, b = u.src[0].dtype, u.dtype
    if not _is_number(b) or a.lanes != b.lanes:
        return f"{u.op.name} from {a} to {b}"
    if u.op is Op.BITCAST and (a.bits != b.bits or a.is_bool != b.is_bool):
        return f"BITCAST from {a} to {b}"
    return None


@clause(*VECTOR_OPS, hint="x.broadcast(lanes) and v.extract(lane) give the dtypes that fit; STACK takes one scalar for each lane")
def vectors_fit(u: UOp) -> str | None:
    """BROADCAST, RAMP and STACK make a vector of scalars of its lanes' dtype (STACK one a lane); EXTRACT and LANES make a scalar
    of one; SHUFFLE picks lanes that two vectors of one dtype have."""
    first, t = u.src[0].dtype, u.dtype
    if u.op in (Op.EXTRACT, Op.LANES):
        if t is not first.scalar:
            return f"{u.op.name} of {first} is {t}"
        if u.op is Op.LANES:
            return None if u.arg in REDUCTIONS and reduces(u.arg, t) else f"LANES cannot combine {first} by {u.arg.name}"
        return None if 0 <= u.arg < first.lanes else f"{first} has no lane {u.arg}"
    if u.op is Op.SHUFFLE:
        fits = u.src[1].dtype is first and first.lanes > 1 and all(0 <= lane < 2 * first.lanes for lane in u.arg.lanes)
        return None if fits else f"SHUFFLE of {first} and {u.src[1].dtype} by {u.arg.lanes}"
    wanted = t.lanes if u.op is Op.STACK else len(u.src)
    if len(u.src) != wanted or any(s.dtype is not t.scalar for s in u.src):
        return f"{u.op.name} of {', '.join(str(s.dtype) for s in u.src)} is {t}"
    return f"RAMP of {t}" if u.op is Op.RAMP and not t.is_int else None


@clause(Op.REDUCE, hint="cast what is combined, flags.cast(dtypes.i32).sum(r), and reduce over axes made by r = UOp.range(n, axis)")
def reduction_combines(u: UOp) -> str | None:
    """REDUCE combines by ADD or MUL (numbers), MAX or MIN (values), AND, OR or XOR (integers and bools), over RANGEs."""
    if u.arg not in REDUCTIONS or not reduces(u.arg, u.dtype):
        return f"REDUCE of {u.dtype} by {u.arg.name}"
    bad = next((r for r in u.src[1:] if r.op is not Op.RANGE), None)
    return None if bad is None else f"REDUCE over {bad.op.name}"


@clause(Op.BIND, hint="bind the Variable itself to a whole number within its bounds: n.bind(16)")
def bind_fits(u: UOp) -> str | None:
    """BIND gives a DEFINE_VAR a literal within its bounds."""
    var, value = u.src
    if var.op is not Op.DEFINE_VAR or value.op is not Op.CONST or value.dtype is not var.dtype:
        return f"BIND of {var.op.name} {var.dtype} to {value.op.name} {value.dtype}"
    inside = var.arg.min <= value.arg.value <= var.arg.max
    return None if inside else f"{var.arg.name}={value.arg.value} is outside [{var.arg.min}, {var.arg.max}]"


# --- memory ----------------------------------------------------------------------------------------------------------------------

@clause(*MEMORIES,
        hint="UOp.param(slot, dtypes.f32) and UOp.memory(id, dtypes.f32, size) take the dtype of an element, slots from 0, sizes from 1")
def memory_has_elements(u: UOp) -> str | None:
    """Memory is a pointer to scalars that buffers can hold, in the address space of its op; sizes are 0 or more (own memory: 1 or more)."""
    t = u.dtype
    if not isinstance(t, PtrDType) or t.base not in dtypes.ALL or t.space is not SPACES[u.op]:
        return f"{u.op.name} {u.arg.name!r} is {t!r}"
    if u.op is Op.PARAM:
        return None if u.arg.slot >= 0 and (u.arg.size is None or u.arg.size >= 0) else f"slot {u.arg.slot}, size {u.arg.size}"
    if u.arg.size < 1:
        return f"{u.op.name} {u.arg.name!r} has {u.arg.size} elements"
    huge = u.arg.size * t.base.itemsize > MAX_BYTES
    return f"{u.op.name} {u.arg.name!r} has {u.arg.size} elements of {t.base}, more than {MAX_BYTES} B" if huge else None


@clause(Op.PARAM, hint="leave the operands out: UOp.param(slot, dtype)")
def param_is_pinned_to_a_device(u: UOp) -> str | None:
    """The optional operand of a PARAM is a DEVICE."""
    return None if not u.src or u.src[0].op is Op.DEVICE else f"PARAM {u.arg.name!r} has the operand {u.src[0].op.name}"


@clause(Op.INDEX, hint="index a buffer or memory, once: a[i * columns + j]")
def index_points_into_memory(u: UOp) -> str | None:
    """INDEX takes a PARAM or memory of the kernel's own, possibly behind AFTER."""
    base = executed(u.src[0])
    return None if base.op in MEMORIES else f"INDEX into {base.op.name}"


@clause(Op.INDEX, hint="cast it: x.cast(dtypes.index)")
def index_is_an_integer(u: UOp) -> str | None:
    """The index is an integer: of dtype index, or of a fixed width."""
    return None if u.src[1].dtype.is_int else f"an index of {u.src[1].dtype}"


@clause(Op.INDEX, hint="a gate is a condition: a.index(i, i < n); for a vector index it has as many lanes")
def gate_is_bool(u: UOp) -> str | None:
    """The gate of an INDEX is a bool with as many lanes as the index."""
    if len(u.src) < 3 or u.src[2].dtype is dtypes.bool.vec(u.src[1].dtype.lanes):
        return None
    return f"a gate of {u.src[2].dtype} beside an index of {u.src[1].dtype}"


@clause(Op.LOAD, Op.STORE, Op.ATOMIC, hint="say which element: a[i].load(), out[i].store(x)")
def access_goes_through_index(u: UOp) -> str | None:
    """LOAD, STORE and ATOMIC access memory through an INDEX."""
    return None if u.src[0].op is Op.INDEX else f"{u.op.name} through {u.src[0].op.name}"


@clause(Op.LOAD, hint="a.index(i, gate).load(0.0) says what is read where the gate is false")
def load_has_alternative(u: UOp) -> str | None:
    """A gated LOAD has a second operand of its dtype, the value where the gate is false; an ungated one need not."""
    if len(u.src) == 1:
        return "a gated LOAD without a value for where the gate is false" if len(u.src[0].src) == 3 else None
    return None if u.src[1].dtype is u.dtype else f"LOAD of {u.dtype} or else {u.src[1].dtype}"


@clause(Op.STORE, Op.ATOMIC, hint="cast the value to the type of the elements: out[i].store(x.cast(dtypes.f32))")
def stored_value_matches(u: UOp) -> str | None:
    """The value written has the element type of the memory and as many lanes as the index."""
    if u.src[0].op is not Op.INDEX:
        return None
    wanted = _base(u.src[0]).vec(u.src[0].src[1].dtype.lanes)
    return None if u.src[1].dtype is wanted else f"{u.op.name} of {u.src[1].dtype} where {wanted} belongs"


@clause(Op.ATOMIC, hint="use LOCAL or GLOBAL memory or a buffer; AND, OR and XOR need integers, ADD numbers")
def atomic_fits(u: UOp) -> str | None:
    """Atomic AND, OR and XOR take integers and bools, ADD takes numbers, MIN, MAX and EXCHANGE anything; never memory of one work item."""
    t = u.src[1].dtype
    if executed(u.src[0].src[0]).op is Op.DEFINE_REG:
        return "an ATOMIC on DEFINE_REG"
    bits = u.arg in (AtomicKind.AND, AtomicKind.OR, AtomicKind.XOR)
    return f"ATOMIC {u.arg.value} of {t}" if (bits and t.is_float) or (u.arg is AtomicKind.ADD and t.is_bool) else None


@clause(Op.ATOMIC, hint="COMPARE_EXCHANGE takes the new and the expected value, of the element type; the others take one value")
def compare_exchange_fits(u: UOp) -> str | None:
    """COMPARE_EXCHANGE has two values of the element type, not bool; every other ATOMIC one."""
    both = u.arg is AtomicKind.COMPARE_EXCHANGE
    if len(u.src) != 2 + both:
        return f"ATOMIC {u.arg.value} with {len(u.src) - 1} value{'s' * (len(u.src) > 2)}"
    if both and u.src[1].dtype.is_bool:
        return f"ATOMIC {u.arg.value} of bool"
    wrong = both and u.src[2].dtype is not u.src[1].dtype
    return f"ATOMIC {u.arg.value} expects {u.src[2].dtype} where {u.src[1].dtype} lies" if wrong else None


# --- order and loops -------------------------------------------------------------------------------------------------------------

@clause(Op.SINK, Op.GROUP, Op.BARRIER, hint="a kernel stores what it computes: UOp.sink(out[i].store(x))")
def only_effects_are_done(u: UOp) -> str | None:
    """SINK, GROUP and BARRIER hold effects: STORE, ATOMIC, END, GROUP, BARRIER, or one of these behind AFTER."""
    bad = next((s for s in u.src if not _is_effect(s)), None)
    return None if bad is None else f"{bad.op.name} of {bad.dtype} in a {u.op.name}"


@clause(Op.END, hint="effect.end(r) ends the loop r = UOp.range(n, axis) around a store")
def end_closes_loops_of_an_effect(u: UOp) -> str | None:
    """END takes an effect, then the RANGEs it closes."""
    if not _is_effect(u.src[0]):
        return f"END of {u.src[0].op.name}"
    bad = next((r for r in u.src[1:] if r.op is not Op.RANGE), None)
    return None if bad is None else f"END over {bad.op.name}"


@clause(Op.END, Op.REDUCE, hint="name every axis once: x.sum(i, j)")
def closed_axes_are_distinct(u: UOp) -> str | None:
    """END and REDUCE close each of their axes once."""
    twice = next((r for k, r in enumerate(u.src[1:], 1) if r in u.src[1:k]), None)
    return None if twice is None or twice.op is not Op.RANGE else f"{u.op.name} closes axis {_path(twice)} twice"


@clause(Op.AFTER, hint="pass what .store() or .end() gave: out.after(effect)[i].load()")
def after_waits_for_effects(u: UOp) -> str | None:
    """What AFTER waits for are effects, LOADs, and RANGEs it is done inside of."""
    bad = next((s for s in u.src[1:] if not _is_effect(s) and s.op not in (Op.RANGE, Op.LOAD)), None)
    return None if bad is None else f"AFTER waits for {bad.op.name} of {bad.dtype}"


@clause(Op.RANGE, hint="cast the bound: x.cast(dtypes.index)")
def range_bounds_are_integers(u: UOp) -> str | None:
    """A RANGE goes from one scalar integer to another."""
    bad = next((s.dtype for s in u.src if not s.dtype.is_int or s.dtype.lanes > 1), None)
    return None if bad is None else f"a bound of {bad}"


@clause(Op.RANGE, hint="number axes from the outermost to the innermost: UOp.range(n, 0), then UOp.range(i + 1, 1)")
def inner_bounds_depend_on_outer_axes(u: UOp) -> str | None:
    """Axes nest by their paths, so the bounds of an axis can depend only on axes whose paths are smaller."""
    inner = next((r for r in free_ranges(u) if r is not u and r.arg.path >= u.arg.path), None)
    return None if inner is None else f"the bounds of axis {_path(u)} depend on axis {_path(inner)}"


@clause(Op.END, Op.REDUCE, hint="close the inner axis as well, x.sum(i, j), or close it first")
def closed_axis_is_not_needed_outside(u: UOp) -> str | None:
    """A loop can be closed only if no loop left open has bounds that depend on it."""
    closed = frozenset(u.src[1:])
    for r in sorted(free_ranges(u.src[0]) - closed, key=lambda r: r.arg.path):
        if lost := free_ranges(r) & closed:
            return f"axis {_path(next(iter(lost)))} is closed, but the bounds of the open axis {_path(r)} depend on it"
    return None


def _path(r: UOp) -> str:
    return ".".join(map(str, r.arg.path))


@clause(*ROOTS, hint="two loops need two axis numbers; for the same loop use the same node twice")
def axes_agree(u: UOp) -> str | None:
    """One axis path is one loop: the same bounds and kind everywhere."""
    return _agree(u, (Op.RANGE,), _path, lambda r: f"axis {_path(r)}")


@clause(Op.SPECIAL, hint="a launch has the axes 0, 1 and 2: UOp.special(SpecialKind.GLOBAL, 0, n)")
def special_has_three_axes(u: UOp) -> str | None:
    """A SPECIAL has axis 0, 1 or 2 and a scalar integer extent."""
    t = u.src[0].dtype
    return None if u.arg.axis in (0, 1, 2) and t.is_int and t.lanes == 1 else f"SPECIAL of axis {u.arg.axis} below {t}"


@clause(*ROOTS, hint="make each id once and use that node; count work items directly or in groups, not both")
def specials_agree(u: UOp) -> str | None:
    """Work items are counted directly, or in groups: DIRECT stands alone; one kind and axis has one extent."""
    kinds = {s.arg.kind for s in nodes(u) if s.op is Op.SPECIAL}
    if SpecialKind.DIRECT in kinds and len(kinds) > 1:
        return f"direct ids beside {' and '.join(sorted(k.value for k in kinds - {SpecialKind.DIRECT}))} ids"
    return _agree(u, (Op.SPECIAL,), lambda s: s.arg, lambda s: f"the {s.arg.kind.value} id of axis {s.arg.axis}")


# --- parameters and names --------------------------------------------------------------------------------------------------------

def _agree(root: UOp, ops: tuple[Op, ...], key: Callable[[UOp], object], words: Callable[[UOp], str]) -> str | None:
    """A complaint if two different nodes of `ops` have one key."""
    first: dict[object, UOp] = {}
    for n in nodes(root):
        if n.op in ops and (old := first.setdefault(key(n), n)) is not n:
            return f"{words(n)} is declared twice: {_declared(old)} and {_declared(n)}"
    return None


def _declared(u: UOp) -> str:
    bounds = " to ".join(str(s.arg.value) if s.op is Op.CONST else s.op.name for s in u.src)
    return f"{u.dtype!r} {u.arg}{f' from {bounds}' if bounds else ''}"


@clause(*ROOTS, hint="make each buffer once and use that node; another buffer takes another slot")
def slots_agree(u: UOp) -> str | None:
    """One slot is one buffer: one name, dtype and size."""
    return _agree(u, (Op.PARAM,), lambda p: p.arg.slot, lambda p: f"buffer slot {p.arg.slot}")


@clause(*ROOTS, hint="make each memory once and use that node; another memory takes another id")
def memories_agree(u: UOp) -> str | None:
    """One id is one memory: one dtype, size and name."""
    owned = (Op.DEFINE_LOCAL, Op.DEFINE_REG, Op.DEFINE_SCRATCH)
    return _agree(u, owned, lambda m: (m.op, m.arg.id), lambda m: f"{m.op.name} {m.arg.id}")


@clause(*ROOTS, hint="make each variable once and use that node")
def variables_agree(u: UOp) -> str | None:
    """One name is one variable: one dtype, one pair of bounds."""
    return _agree(u, (Op.DEFINE_VAR,), lambda v: v.arg.name, lambda v: f"variable {v.arg.name!r}")


@clause(*ROOTS, hint="give one of them another name")
def names_are_distinct(u: UOp) -> str | None:
    """Buffers and variables share one space of names: no two have the same one."""
    return _agree(u, (Op.PARAM, Op.DEFINE_VAR), lambda p: p.arg.name, lambda p: f"the name {p.arg.name!r}")


@clause(Op.PARAM, Op.DEFINE_VAR, Op.DEFINE_LOCAL, Op.DEFINE_REG, Op.DEFINE_SCRATCH, Op.SINK, Op.THREADS,
        hint="choose another: letters, digits and underscores, beginning with a letter, such as data_in or scale2")
def names_are_identifiers(u: UOp) -> str | None:
    """Names are letters, digits and underscores, do not begin with a digit, `__` or `_A`, and are no keyword of C, C++, OpenCL, CUDA or
    Metal nor `main`, `entry`, `reach`; kernels and memories may have none."""
    name = u.arg.name
    if not name and u.op not in (Op.PARAM, Op.DEFINE_VAR):
        return None
    if re.match(r"_[_A-Z]", name) and not (u.op is Op.DEFINE_VAR and EXTENT.fullmatch(name)):
        return f"{name!r} is no identifier that C leaves to programs: it begins with {name[:2]!r}"
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return f"{name!r} is no identifier"
    if name == CORE_ID and u.op is not Op.DEFINE_VAR:
        return f"{name!r} is reserved: the variable of this name is the number of the core"
    if name in SYMBOLS:
        return f"{name!r} is reserved: a function that every compiled kernel has is called so"
    return f"{name!r} is reserved: it is a keyword of C, C++ or a kernel language" if name in RESERVED else None


@clause(Op.DEFINE_VAR,
        hint="Variable(name, least, greatest) with whole numbers that fit the dtype; UOp.scalar(name, dtypes.f32) for other scalars")
def variable_has_bounds(u: UOp) -> str | None:
    """A variable is a scalar that buffers can hold or an index; its bounds are values of its dtype, the lower one first."""
    t, lo, hi = u.dtype, u.arg.min, u.arg.max
    if t not in dtypes.ALL and t is not dtypes.index:
        return f"variable {u.arg.name!r} is {t}"
    whole = t.is_float or all(isinstance(b, int) for b in (lo, hi))
    return None if whole and t.min <= lo <= hi <= t.max else f"variable {u.arg.name!r} of {t} has bounds [{lo}, {hi}]"


@clause(Op.DEFINE_VAR, hint="another variable needs another name; the number of the core is UOp.variable('core_id', 0, cores - 1)")
def core_id_counts_from_0(u: UOp) -> str | None:
    """The name core_id is the launch's: an integer from 0."""
    if u.arg.name != CORE_ID or (u.dtype.is_int and u.arg.min == 0):
        return None
    return f"core_id is {u.dtype} from {u.arg.min}"


# --- after scheduling ------------------------------------------------------------------------------------------------------------

@clause(Op.RANGE, hint="SPLIT the axis first, and mark the inner part")
def copied_axes_have_constant_bounds(u: UOp) -> str | None:
    """The iterations of VECTOR, UNROLL and INTERLEAVE axes are written out, so their bounds are literals."""
    copied = u.arg.kind in (AxisKind.VECTOR, AxisKind.UNROLL, AxisKind.INTERLEAVE)
    if not copied or all(s.op is Op.CONST for s in u.src):
        return None
    return f"the bounds of {u.arg.kind.value} axis {_path(u)} are not literals"


@clause(Op.REDUCE, hint="use GROUP on a reduction over the whole kernel, or PARALLEL on another axis")
def cores_do_not_share_a_reduction(u: UOp) -> str | None:
    """A PARALLEL axis is spread over cores that do not see each other's values, so no REDUCE closes it."""
    bad = next((r for r in u.src[1:] if r.op is Op.RANGE and r.arg.kind is AxisKind.PARALLEL), None)
    return None if bad is None else f"REDUCE over the parallel axis {_path(bad)}"


@clause(Op.END, Op.SINK, hint="INTERLEAVE is for axes of a reduction; use UNROLL for others")
def interleaved_axes_are_reduced(u: UOp) -> str | None:
    """An INTERLEAVE axis keeps one accumulator for each iteration, so a REDUCE closes it."""
    bad = next((r for r in _looped(u) if r.op is Op.RANGE and r.arg.kind is AxisKind.INTERLEAVE), None)
    return None if bad is None else f"the interleaved axis {_path(bad)} is not reduced"


def _looped(u: UOp) -> Iterator[UOp]:
    """The ranges that a node closes as loops around an effect."""
    if u.op is Op.END:
        yield from u.src[1:]
    else:
        for s in u.src:
            yield from sorted(free_ranges(s), key=lambda r: r.arg.path)
