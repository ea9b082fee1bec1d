"""Memories of a shader: how they are declared, read and written.

Owns: `Memory`. Must not know instructions. Invariants: elements of buffers that WGSL has no type for share words, whose other elements a
write never touches; a memory with an atomic operation is read and written atomically all over.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from svod.dtype import DType
from svod.errors import UnsupportedError
from svod.ir.args import AtomicKind
from svod.renderers.wgsl.pieces import Prelude
from svod.renderers.wgsl.values import Abilities, packed, value_type

_ATOMICS = {AtomicKind.ADD: "atomicAdd", AtomicKind.MIN: "atomicMin", AtomicKind.MAX: "atomicMax", AtomicKind.AND: "atomicAnd",
            AtomicKind.OR: "atomicOr", AtomicKind.XOR: "atomicXor", AtomicKind.EXCHANGE: "atomicExchange"}
SCRATCH = "scratch"
"""What the memory that all groups share is called."""
_BITS = {"f32": "u32", "f64": "u64"}
_BIT_LOGIC = frozenset((AtomicKind.AND, AtomicKind.OR, AtomicKind.XOR))


@dataclass
class Memory:
    """A memory under its name. `buffer`: its elements may share words. `atomic`: an ATOMIC goes there. `writes`: anything does. `within`:
    the struct that it is a member of, if any."""

    member: str
    dtype: DType
    able: Abilities
    prelude: Prelude
    buffer: bool = False
    writes: bool = True
    atomic: bool = False
    within: str = ""
    helpers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the array is called."""
        return f"{self.within}.{self.member}" if self.within else self.member

    @property
    def helper(self) -> str:
        """What the names of its helpers end with."""
        return f"{self.within}_{self.member}" if self.within else self.member

    def words(self, size: int) -> int:
        """How many elements an array of `size` of ours has."""
        return -(-size >> self._where()[0]) if self.packed else size

    @property
    def packed(self) -> bool:
        """Whether elements share words."""
        return self.buffer and packed(self.dtype, self.able)

    @property
    def value(self) -> str:
        """The type of what is read and written."""
        return value_type(self.dtype, self.able)

    @property
    def held(self) -> str:
        """The type of a word or an element, without `atomic`."""
        return "u32" if self.packed else _BITS.get(self.value, self.value) if self.atomic else self.value

    def element(self) -> str:
        """The type of the elements of the array."""
        return f"atomic<{self.held}>" if self.atomic or (self.packed and self.writes) else self.held

    # ---- plain accesses ---------------------------------------------------------------------------------------------
    def read(self, at: str) -> str:
        """The element at an i32."""
        if self.packed:
            return f"{self._getter()}({at})"
        if not self.atomic:
            return f"{self.name}[{at}]"
        return self._value(f"atomicLoad(&{self.name}[{at}])")

    def write(self, at: str, value: str) -> str:
        """The statement that sets the element."""
        if self.packed:
            return f"{self._setter()}({at}, {value});"
        if not self.atomic:
            return f"{self.name}[{at}] = {value};"
        return f"atomicStore(&{self.name}[{at}], {self._bits(value)});"

    def _value(self, text: str) -> str:
        """What a word says."""
        return text if self.held == self.value else f"bitcast<{self.value}>({text})"

    def _bits(self, text: str) -> str:
        """A value as a word."""
        return text if self.held == self.value else f"bitcast<{self.held}>({text})"

    def _where(self) -> tuple[int, int, str]:
        """How many elements a word has as a power of two, bits of each, the mask."""
        bits = max(self.dtype.bits, 8)
        return (2 if bits == 8 else 1), bits, f"{(1 << bits) - 1:#x}u"

    def _getter(self) -> str:
        shift, bits, _ = self._where()
        name = f"get_{self.helper}"
        word = f"atomicLoad(&{self.name}[at >> {shift}u])" if self.writes else f"{self.name}[at >> {shift}u]"
        word = f"bitcast<i32>({word})" if self.value == "i32" else word
        found = f"extractBits({word}, (u32(at) & {(1 << shift) - 1}u) * {bits}u, {bits}u)"
        found = f"{found} != 0u" if self.dtype.is_bool else found
        self.helpers.setdefault(name, f"fn {name}(at: i32) -> {self.value} {{ return {found}; }}")
        return name

    def _setter(self) -> str:
        shift, bits, mask = self._where()
        name = f"set_{self.helper}"
        code = "select(0u, 1u, value)" if self.dtype.is_bool else "value" if self.value == "u32" else "bitcast<u32>(value)"
        self.helpers.setdefault(name, f"""fn {name}(at: i32, value: {self.value}) {{
  let shift = (u32(at) & {(1 << shift) - 1}u) * {bits}u;
  atomicAnd(&{self.name}[at >> {shift}u], ~({mask} << shift));
  atomicOr(&{self.name}[at >> {shift}u], ({code} & {mask}) << shift);
}}""")
        return name

    # ---- atomic operations --------------------------------------------------------------------------------------------
    def change(self, kind: AtomicKind, at: str, given: list[str]) -> str:
        """The expression of an ATOMIC; its value is what was there. `given`: the new value, for COMPARE_EXCHANGE the expected one too.

        UnsupportedError where WGSL has no such operation."""
        narrow = self.dtype.bits < 32
        if narrow or (self.dtype.is_float and kind in _BIT_LOGIC) or (self.held.endswith("64") and not self.able.atomic64):
            raise UnsupportedError(f"an ATOMIC {kind.value} of {self.dtype} is not available in WGSL on this device",
                                   hint="use elements of i32, u32 or f32")
        if kind is AtomicKind.COMPARE_EXCHANGE:
            return f"{self._exchanged()}({at}, {given[1]}, {given[0]})"
        if kind is AtomicKind.EXCHANGE:
            return self._value(f"atomicExchange(&{self.name}[{at}], {self._bits(given[0])})")
        if self.held == self.value:
            return f"{_ATOMICS[kind]}(&{self.name}[{at}], {given[0]})"
        return f"{self._looped(kind)}({at}, {given[0]})"

    def _exchanged(self) -> str:
        name = f"compare_exchange_{self.helper}"
        self.helpers.setdefault(name, f"""fn {name}(at: i32, expected: {self.value}, value: {self.value}) -> {self.value} {{
  var seen = {self._bits('expected')};
  loop {{
    let tried = atomicCompareExchangeWeak(&{self.name}[at], seen, {self._bits('value')});
    if (tried.exchanged) {{ break; }}
    if (tried.old_value != seen) {{
      seen = tried.old_value;
      break;
    }}
  }}
  return {self._value('seen')};
}}""")
        return name

    def _looped(self, kind: AtomicKind) -> str:
        """A read-modify-write of a float: its bits are compared and exchanged until nobody came between."""
        name = f"atomic_{kind.value}_{self.helper}"
        new = "old + value" if kind is AtomicKind.ADD else f"{self.prelude.extreme(kind.value, self.value)}(old, value)"
        self.helpers.setdefault(name, f"""fn {name}(at: i32, value: {self.value}) -> {self.value} {{
  var seen = atomicLoad(&{self.name}[at]);
  loop {{
    let old = {self._value('seen')};
    let tried = atomicCompareExchangeWeak(&{self.name}[at], seen, {self._bits(new)});
    if (tried.exchanged) {{ break; }}
    seen = tried.old_value;
  }}
  return {self._value('seen')};
}}""")
        return name
