"""One phase of a LINEAR program as an LLVM function body.

Owns: SSA names, blocks, loops, memory accesses. Must not know the module around it.
Invariant: the text is valid for any LINEAR program whose ops the target has; a node met again gets a new name.
"""

from __future__ import annotations

from svod.dtype import DType, PtrDType, dtypes
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind
from svod.ir.bounds import interval
from svod.ir.ops import ELEMENTWISE, MEMORIES, Op
from svod.ir.uop import UOp
from svod.renderers.accesses import is_lane_mask, root, step, whole_registers
from svod.renderers.llvm.elementwise import LANE_CALLS, spelled
from svod.renderers.llvm.messages import assert_, print_
from svod.renderers.llvm.saturate import saturated
from svod.renderers.llvm.types import literal, mangled, memory_type, value_type

STACK_BYTES = 64 << 10
"""REG memory one array may take: it lies on the stack of whichever thread runs the kernel."""

GATHERED_BYTES = 4
"""Elements of at least this size are gathered by an instruction where the processor has one."""
NOWHERE = "  %nowhere = alloca i64, align 8"


class Body:
    """Writes instructions. `leaf` gives the names of parameters, variables and memories."""

    def __init__(self, leaf: dict[UOp, str], declarations: set[str], instructions: list[UOp]) -> None:
        self.leaf, self.declarations = leaf, declarations
        self.used = {s for u in instructions for s in _operands(u)}
        self.flags = _flags(instructions)
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.names: dict[UOp, str] = {}
        self.latch: dict[UOp, tuple[str, str]] = {}
        self.loops: list[str] = []
        self.block = "entry"
        self.fresh = 0

    # ---- writing ----------------------------------------------------------------------------------------------
    def new(self, prefix: str = "v") -> str:
        self.fresh += 1
        return f"%{prefix}{self.fresh}"

    def let(self, text: str, prefix: str = "v") -> str:
        name = self.new(prefix)
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def call(self, result: str, name: str, args: list[tuple[str, str]]) -> str:
        self.declarations.add(f"declare {result} @{name}({', '.join(t for t, _ in args)})")
        return f"call {result} @{name}({', '.join(f'{t} {v}' for t, v in args)})"

    # ---- operands ---------------------------------------------------------------------------------------------
    def name(self, u: UOp) -> str:
        while u.op is Op.AFTER:
            u = u.src[0]
        if (hit := self.names.get(u)) is not None:
            return hit
        if u.op is Op.CONST:
            return literal(u)
        if (constant := constant_vector(u)) is not None:
            return constant
        if (leaf := self.leaf.get(u)) is not None:
            return leaf
        if u.op is Op.DEFINE_REG:
            return self.register(u)
        raise UnsupportedError(f"{u.op.name} is used before it is computed", at=repr(u), hint="the linear program is out of order")

    def typed(self, u: UOp) -> str:
        return f"{value_type(u.dtype)} {self.name(u)}"

    def register(self, u: UOp) -> str:
        """The alloca of a DEFINE_REG, made once, in the entry block."""
        name = self.names[u] = self.new("acc")
        base = u.dtype.base if isinstance(u.dtype, PtrDType) else u.dtype
        if base.itemsize * u.arg.size > STACK_BYTES:
            raise UnsupportedError(f"{u.arg.size} x {base} of local memory do not fit a stack ({STACK_BYTES} B are given)", at=u.arg.name,
                                   hint="make the local array smaller, or keep it in an array that is shared or passed in", about=u)
        size = u.arg.size
        held = value_type if u in self.flags else memory_type
        t = held(base.vec(size)) if u in self.flags or size in (2, 4, 8, 16, 32, 64) else f"[{size} x {memory_type(base)}]"
        self.allocas.append(f"  {name} = alloca {t}, align 64")
        return name

    # ---- instructions -----------------------------------------------------------------------------------------
    def run(self, u: UOp) -> None:
        """Writes instruction `u`."""
        if u.op in MEMORIES or u.op in (Op.CONST, Op.DEFINE_VAR, Op.INDEX, Op.GROUP):
            return
        if u.op in (Op.RAMP, Op.BROADCAST) and u not in self.used:
            return
        if u.op in ELEMENTWISE:
            self.elementwise(u)
        elif (handler := _HANDLERS.get(u.op)) is not None:
            handler(self, u)
        else:
            raise UnsupportedError(f"{u.op.name} has no LLVM form", at=repr(u))

    def elementwise(self, u: UOp) -> None:
        if u.op is Op.CMPLT and (mask := self.lane_mask(u)) is not None:
            self.names[u] = mask
            return
        if u.op is Op.MULACC and not u.dtype.is_float:
            t = value_type(u.dtype)
            self.names[u] = self.let(f"add {t} {self.let(f'mul {t} {self.name(u.src[0])}, {self.name(u.src[1])}')}, {self.name(u.src[2])}")
            return
        if u.op is Op.CAST and u.dtype.lanes > 1 and u.dtype.is_int and u.src[0].dtype.is_float:
            self.names[u] = saturated(self.let, self.name(u.src[0]), u.src[0].dtype, u.dtype)
            return
        if u.op is Op.BITCAST and value_type(u.dtype) == value_type(u.src[0].dtype):
            self.names[u] = self.name(u.src[0])
            return
        text, needs = spelled(u, [self.name(s) for s in u.src])
        self.declarations |= needs
        self.names[u] = self.let(text)

    def lane_mask(self, u: UOp) -> str | None:
        """RAMP(b, 1) < BROADCAST(n) on indices: compares lane numbers with the clamped distance, in 32 bits."""
        if not is_lane_mask(u):
            return None
        a, b = u.src
        lanes = a.dtype.lanes
        left = self.let(f"sub i64 {self.name(b.src[0])}, {self.name(a.src[0])}")
        left = self.let(self.call("i64", "llvm.smin.i64", [("i64", left), ("i64", str(lanes))]))
        left = self.let(self.call("i64", "llvm.smax.i64", [("i64", left), ("i64", "0")]))
        wide = self.splat("i32", lanes, self.let(f"trunc i64 {left} to i32"))
        iota = ", ".join(f"i32 {i}" for i in range(lanes))
        return self.let(f"icmp ult <{lanes} x i32> <{iota}>, {wide}")

    def splat(self, t: str, lanes: int, value: str) -> str:
        one = self.let(f"insertelement <{lanes} x {t}> poison, {t} {value}, i64 0")
        return self.let(f"shufflevector <{lanes} x {t}> {one}, <{lanes} x {t}> poison, <{lanes} x i32> zeroinitializer")

    def broadcast(self, u: UOp) -> None:
        if constant_vector(u) is None:
            self.names[u] = self.splat(value_type(u.dtype.scalar), u.dtype.lanes, self.name(u.src[0]))

    def ramp(self, u: UOp) -> None:
        if constant_vector(u) is not None:
            return
        t, n = value_type(u.dtype.scalar), u.dtype.lanes
        base, stride = self.splat(t, n, self.name(u.src[0])), self.splat(t, n, self.name(u.src[1]))
        iota = ", ".join(f"{t} {i}" for i in range(n))
        self.names[u] = self.let(f"add <{n} x {t}> {base}, {self.let(f'mul <{n} x {t}> {stride}, <{iota}>')}")

    def stack(self, u: UOp) -> None:
        v, t = "poison", value_type(u.dtype)
        for i, s in enumerate(u.src):
            v = self.let(f"insertelement {t} {v}, {self.typed(s)}, i64 {i}")
        self.names[u] = v

    def extract(self, u: UOp) -> None:
        self.names[u] = self.let(f"extractelement {self.typed(u.src[0])}, i64 {u.arg}")

    def shuffle(self, u: UOp) -> None:
        picks = ", ".join(f"i32 {i}" for i in u.arg.lanes)
        self.names[u] = self.let(f"shufflevector {self.typed(u.src[0])}, {self.typed(u.src[1])}, <{len(u.arg.lanes)} x i32> <{picks}>")

    def lanes(self, u: UOp) -> None:
        src = u.src[0].dtype
        kind = src.kind if src.scalar is not dtypes.index else dtypes.i64.kind
        if src.is_float and u.arg in (Op.ADD, Op.MUL):
            self.names[u] = self.halves(u)
            return
        name = f"llvm.vector.reduce.{LANE_CALLS[kind][u.arg]}.{mangled(src)}"
        self.names[u] = self.let(self.call(value_type(u.dtype), name, [(value_type(src), self.name(u.src[0]))]))

    def halves(self, u: UOp) -> str:
        """Float sum or product of lanes by halving, so that the order is ours and the same everywhere."""
        v, n, t = self.name(u.src[0]), u.src[0].dtype.lanes, value_type(u.dtype)
        op = "fadd" if u.arg is Op.ADD else "fmul"
        odd: list[str] = []
        while n > 1:
            whole = f"<{n} x {t}>"
            if n % 2:
                odd.append(self.let(f"extractelement {whole} {v}, i64 {n - 1}"))
            n //= 2
            low = ", ".join(f"i32 {i}" for i in range(n))
            high = ", ".join(f"i32 {i + n}" for i in range(n))
            a = self.let(f"shufflevector {whole} {v}, {whole} poison, <{n} x i32> <{low}>")
            b = self.let(f"shufflevector {whole} {v}, {whole} poison, <{n} x i32> <{high}>")
            v = self.let(f"{op} <{n} x {t}> {a}, {b}")
        total = self.let(f"extractelement <1 x {t}> {v}, i64 0")
        for lane in odd:
            total = self.let(f"{op} {t} {total}, {lane}")
        return total

    # ---- control ----------------------------------------------------------------------------------------------
    def range(self, u: UOp) -> None:
        start, stop = self.name(u.src[0]), self.name(u.src[1])
        self.fresh += 1
        loop = f"L{u.arg.label}.{self.fresh}"
        if interval(u.src[0])[1] < interval(u.src[1])[0]:
            self.do(f"br label %{loop}")
        else:
            self.do(f"br i1 {self.let(f'icmp slt i64 {start}, {stop}')}, label %{loop}, label %{loop}.end")
        before = self.block
        self.label(loop)
        i = self.names[u] = f"%{loop}.i"
        self.lines.append(f"  {i} = phi i64 [ {start}, %{before} ], [ {i}.next, %{loop}.latch ]")
        self.latch[u] = (loop, stop)

    def end(self, u: UOp) -> None:
        r = u.src[-1]
        loop, stop = self.latch.pop(r)
        self.do(f"br label %{loop}.latch")
        self.label(f"{loop}.latch")
        self.do(f"%{loop}.i.next = add nsw i64 %{loop}.i, 1")
        self.do(f"br i1 {self.let(f'icmp slt i64 %{loop}.i.next, {stop}')}, label %{loop}, label %{loop}.end")
        self.label(f"{loop}.end")

    def if_(self, u: UOp) -> None:
        self.fresh += 1
        self.names[u] = f"if{self.fresh}"
        self.do(f"br i1 {self.name(u.src[0])}, label %if{self.fresh}, label %if{self.fresh}.end")
        self.label(f"if{self.fresh}")

    def endif(self, u: UOp) -> None:
        name = self.names[u.src[0]]
        self.do(f"br label %{name}.end")
        self.label(f"{name}.end")

    def loop(self, u: UOp) -> None:
        self.fresh += 1
        self.loops.append(f"loop{self.fresh}")
        self.do(f"br label %{self.loops[-1]}")
        self.label(self.loops[-1])

    def endloop(self, u: UOp) -> None:
        loop = self.loops.pop()
        self.do(f"br label %{loop}")
        self.label(f"{loop}.end")

    def break_(self, u: UOp) -> None:
        self.fresh += 1
        self.do(f"br i1 {self.name(u.src[0])}, label %{self.loops[-1]}.end, label %go{self.fresh}")
        self.label(f"go{self.fresh}")

    # ---- memory -----------------------------------------------------------------------------------------------
    def address(self, index: UOp) -> str:
        """Address of the first element of a scalar or contiguous access."""
        i = index.src[1]
        base = i.src[0] if i.op is Op.RAMP else i
        ptr = self.name(index.src[0])
        if base.op is Op.CONST and base.arg.value == 0:
            return ptr
        return self.let(f"getelementptr inbounds {_element(index)}, ptr {ptr}, {self.typed(base)}", "p")

    def addresses(self, index: UOp) -> str:
        return self.let(f"getelementptr inbounds {_element(index)}, ptr {self.name(index.src[0])}, {self.typed(index.src[1])}", "p")

    def load(self, u: UOp) -> None:
        index = u.src[0]
        if root(index) in self.flags:
            self.names[u] = self.let(f"load {value_type(u.dtype)}, ptr {self.name(index.src[0])}")
            return
        i, gate = index.src[1], index.src[2] if len(index.src) == 3 else None
        alt = self.stored(u.src[1]) if gate is not None else ""
        if i.dtype.lanes == 1:
            raw = self.scalar_load(index, gate, alt)
        elif (stride := step(i)) in (1, -1) and not (gate is not None and stride == -1):
            raw = self.contiguous_load(u, gate, alt, stride)
        else:
            raw = self.gather(u, gate, alt)
        self.names[u] = self.loaded(u, raw)

    def gather(self, u: UOp, gate: UOp | None, alt: str) -> str:
        """Lanes from anywhere. Narrow elements, of which no processor has a gather, are loaded one by one: those whose gate is false from
        a place on the stack, as a branch for each lane costs LLVM a millisecond and the processor a jump."""
        n, t, size = u.dtype.lanes, memory_type(u.dtype), u.dtype.scalar.itemsize
        mask, where = self.name(gate) if gate is not None else "splat (i1 true)", self.addresses(u.src[0])
        aside = gate is not None and size < GATHERED_BYTES
        if aside:
            where = self.let(f"select <{n} x i1> {mask}, <{n} x ptr> {where}, <{n} x ptr> {self.splat('ptr', n, self.nowhere())}")
        args = [(f"<{n} x ptr>", where), (f"<{n} x i1>", "splat (i1 true)" if aside else mask), (t, "poison" if aside else alt or "poison")]
        raw = self.let(self.masked(f"llvm.masked.gather.{mangled(_stored(u.dtype))}.v{n}p0", t, args, size, 0))
        return self.let(f"select <{n} x i1> {mask}, {t} {raw}, {t} {alt}") if aside else raw

    def nowhere(self) -> str:
        """Eight bytes of the stack that hold nothing."""
        if NOWHERE not in self.allocas:
            self.allocas.append(NOWHERE)
        return NOWHERE.split(maxsplit=1)[0]

    def scalar_load(self, index: UOp, gate: UOp | None, alt: str) -> str:
        base = index.dtype.base if isinstance(index.dtype, PtrDType) else index.dtype
        t = memory_type(base)
        if gate is None:
            return self.let(f"load {t}, ptr {self.address(index)}, align {base.itemsize}")
        self.fresh += 1
        label, before = f"ld{self.fresh}", self.block
        self.do(f"br i1 {self.name(gate)}, label %{label}, label %{label}.end")
        self.label(label)
        raw = self.let(f"load {t}, ptr {self.address(index)}, align {base.itemsize}")
        self.do(f"br label %{label}.end")
        self.label(f"{label}.end")
        return self.let(f"phi {t} [ {raw}, %{label} ], [ {alt}, %{before} ]")

    def contiguous_load(self, u: UOp, gate: UOp | None, alt: str, stride: int) -> str:
        t, size, n = memory_type(u.dtype), u.dtype.scalar.itemsize, u.dtype.lanes
        address = self.address(u.src[0])
        if gate is not None:
            args = [("ptr", address), (f"<{n} x i1>", self.name(gate)), (t, alt)]
            return self.let(self.masked(f"llvm.masked.load.{mangled(_stored(u.dtype))}.p0", t, args, size, 0))
        if stride == 1:
            return self.let(f"load {t}, ptr {address}, align {size}")
        low = self.let(f"getelementptr inbounds {_element(u.src[0])}, ptr {address}, i64 {1 - n}", "p")
        return self.reverse(t, n, self.let(f"load {t}, ptr {low}, align {size}"))

    def reverse(self, t: str, n: int, v: str) -> str:
        order = ", ".join(f"i32 {n - 1 - k}" for k in range(n))
        return self.let(f"shufflevector {t} {v}, {t} poison, <{n} x i32> <{order}>")

    def masked(self, name: str, result: str, args: list[tuple[str, str]], size: int, pointer: int) -> str:
        """A masked intrinsic; the alignment is an attribute of the pointer operand."""
        self.declarations.add(f"declare {result} @{name}({', '.join(t for t, _ in args)})")
        text = ", ".join(f"{t} align {size} {v}" if k == pointer else f"{t} {v}" for k, (t, v) in enumerate(args))
        return f"call {result} @{name}({text})"

    def loaded(self, u: UOp, raw: str) -> str:
        if not u.dtype.is_bool:
            return raw
        t = memory_type(u.dtype)
        return self.let(f"icmp ne {t} {raw}, {'0' if u.dtype.lanes == 1 else 'zeroinitializer'}")

    def stored(self, u: UOp) -> str:
        """The value of `u` as it lies in memory."""
        if not u.dtype.is_bool:
            return self.name(u)
        return self.let(f"zext {self.typed(u)} to {memory_type(u.dtype)}")

    def store(self, u: UOp) -> None:
        index, value = u.src
        if root(index) in self.flags:
            self.do(f"store {self.typed(value)}, ptr {self.name(index.src[0])}")
            return
        i, gate = index.src[1], index.src[2] if len(index.src) == 3 else None
        t, v, size = memory_type(value.dtype), self.stored(value), value.dtype.scalar.itemsize
        n = i.dtype.lanes
        if n == 1:
            self.scalar_store(index, gate, f"{t} {v}", size)
        elif (stride := step(i)) in (1, -1) and not (gate is not None and stride == -1):
            self.contiguous_store(index, gate, (t, v if stride == 1 else self.reverse(t, n, v)), stride)
        else:
            mask = self.name(gate) if gate is not None else "splat (i1 true)"
            args = [(t, v), (f"<{n} x ptr>", self.addresses(index)), (f"<{n} x i1>", mask)]
            self.do(self.masked(f"llvm.masked.scatter.{mangled(_stored(value.dtype))}.v{n}p0", "void", args, size, 1))

    def scalar_store(self, index: UOp, gate: UOp | None, value: str, size: int) -> None:
        if gate is None:
            self.do(f"store {value}, ptr {self.address(index)}, align {size}")
            return
        self.fresh += 1
        label = f"st{self.fresh}"
        self.do(f"br i1 {self.name(gate)}, label %{label}, label %{label}.end")
        self.label(label)
        self.do(f"store {value}, ptr {self.address(index)}, align {size}")
        self.do(f"br label %{label}.end")
        self.label(f"{label}.end")

    def contiguous_store(self, index: UOp, gate: UOp | None, value: tuple[str, str], stride: int) -> None:
        base = index.dtype.base if isinstance(index.dtype, PtrDType) else index.dtype
        n, address = index.src[1].dtype.lanes, self.address(index)
        if gate is not None:
            args = [value, ("ptr", address), (f"<{n} x i1>", self.name(gate))]
            self.do(self.masked(f"llvm.masked.store.{mangled(_stored(base.vec(n)))}.p0", "void", args, base.itemsize, 1))
            return
        if stride == -1:
            address = self.let(f"getelementptr inbounds {_element(index)}, ptr {address}, i64 {1 - n}", "p")
        self.do(f"store {value[0]} {value[1]}, ptr {address}, align {base.itemsize}")

    def atomic(self, u: UOp) -> None:
        index, value = u.src[:2]
        if u.arg is AtomicKind.COMPARE_EXCHANGE:
            self.compare_exchange(u)
            return
        name = _ATOMICS[u.arg].get(value.dtype.kind.value)
        bits_only = value.dtype.is_float and value_type(value.dtype).startswith("i") and name != "xchg"  # bf16, fp8
        if name is None or bits_only or value.dtype.is_bool or index.src[1].dtype.lanes > 1:
            raise UnsupportedError(f"ATOMIC {u.arg.value} of {value.dtype} is not available on the CPU", about=u,
                                   hint="use elements of i32, i64, f32 or f64, and convert the result")
        if len(index.src) == 3:
            raise UnsupportedError("a gated ATOMIC is not available on the CPU", hint="gate the value instead: add 0")
        self.names[u] = self.let(f"atomicrmw {name} ptr {self.address(index)}, {self.typed(value)} seq_cst, align {value.dtype.itemsize}")


    def compare_exchange(self, u: UOp) -> None:
        index, new, expected = u.src
        if index.src[1].dtype.lanes > 1 or len(index.src) == 3:
            raise UnsupportedError("a gated or vector ATOMIC compare_exchange is not available on the CPU", hint="use IF around it")
        t, bits = value_type(u.dtype), f"i{u.dtype.bits}"
        old, value = (self.name(s) if t == bits else self.let(f"bitcast {self.typed(s)} to {bits}") for s in (expected, new))
        order = f"seq_cst seq_cst, align {u.dtype.itemsize}"
        pair = self.let(f"cmpxchg ptr {self.address(index)}, {bits} {old}, {bits} {value} {order}")
        found = self.let(f"extractvalue {{ {bits}, i1 }} {pair}, 0")
        self.names[u] = found if t == bits else self.let(f"bitcast {bits} {found} to {t}")


def _flags(instructions: list[UOp]) -> set[UOp]:
    """REG memories of bools that are always read and written whole: they can be held as bits, in mask registers."""
    return {m for m in whole_registers(instructions) if isinstance(m.dtype, PtrDType) and m.dtype.base.is_bool}


def _operands(u: UOp) -> tuple[UOp, ...]:
    """The operands whose own value is used: not the ramps that only address, nor the sides of a lane mask."""
    if u.op is Op.INDEX and step(u.src[1]) in ((1, -1) if len(u.src) == 2 else (1,)):
        return (u.src[0], *u.src[2:])
    return () if is_lane_mask(u) else u.src


def _element(index: UOp) -> str:
    return memory_type(index.dtype.base) if isinstance(index.dtype, PtrDType) else value_type(index.dtype)


def _stored(dtype: DType) -> DType:
    return dtypes.u8.vec(dtype.lanes) if dtype.is_bool else dtype


def constant_vector(u: UOp) -> str | None:
    """A vector made of constants as an LLVM constant, or None."""
    if u.op is Op.BROADCAST and u.src[0].op is Op.CONST:
        return f"splat ({value_type(u.src[0].dtype)} {literal(u.src[0])})"
    if u.op is Op.RAMP and u.src[0].op is Op.CONST and u.src[1].op is Op.CONST:
        t, b, s = value_type(u.dtype.scalar), u.src[0].arg.value, u.src[1].arg.value
        return "<" + ", ".join(f"{t} {b + s * i}" for i in range(u.dtype.lanes)) + ">"
    return None


_ATOMICS = {
    AtomicKind.ADD: {"int": "add", "uint": "add", "float": "fadd"},
    AtomicKind.MIN: {"int": "min", "uint": "umin", "float": "fminimum"},
    AtomicKind.MAX: {"int": "max", "uint": "umax", "float": "fmaximum"},
    AtomicKind.AND: {"int": "and", "uint": "and"},
    AtomicKind.OR: {"int": "or", "uint": "or"},
    AtomicKind.XOR: {"int": "xor", "uint": "xor"},
    AtomicKind.EXCHANGE: {"int": "xchg", "uint": "xchg", "float": "xchg"},
}
_HANDLERS = {
    Op.BROADCAST: Body.broadcast,
    Op.RAMP: Body.ramp,
    Op.STACK: Body.stack,
    Op.EXTRACT: Body.extract,
    Op.SHUFFLE: Body.shuffle,
    Op.LANES: Body.lanes,
    Op.RANGE: Body.range,
    Op.END: Body.end,
    Op.LOOP: Body.loop,
    Op.ENDLOOP: Body.endloop,
    Op.BREAK: Body.break_,
    Op.IF: Body.if_,
    Op.ENDIF: Body.endif,
    Op.LOAD: Body.load,
    Op.STORE: Body.store,
    Op.ATOMIC: Body.atomic,
    Op.PRINT: print_,
    Op.ASSERT: assert_,
}
