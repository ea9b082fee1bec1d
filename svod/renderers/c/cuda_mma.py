"""Matrix units of NVIDIA GPUs in CUDA C: mma.sync by inline PTX.

Owns: which types an architecture multiplies, the instructions. Must not know who holds which element (svod/codegen/gpu/tensor.py).
Source: "PTX ISA", mma. Invariant: every work item of the warp comes to each of these helpers.
"""
from __future__ import annotations

from svod.dtype import DType, dtypes
from svod.ir.args import product_name, product_operands, product_types
from svod.renderers.c.dialect import Maker, Piece, Prelude

TYPES = {"tf32": "tf32", "f16": "f16", "bf16": "bf16", "i8": "s8", "u8": "u8", "f8e4m3": "e4m3", "f8e5m2": "e5m2"}
"""dtype -> what PTX calls it."""
_FP8 = ("f8e4m3", "f8e5m2")
_SINCE = {75: ("f16",), 80: ("bf16", "tf32", *(product_name(a, b) for a in ("i8", "u8") for b in ("i8", "u8"))),
          89: tuple(product_name(a, b) for a in _FP8 for b in _FP8)}


def products(capability: int) -> frozenset[str]:
    """The products that matrix units of a GPU of compute capability `capability` (90 for 9.0) do."""
    return frozenset(name for since, names in _SINCE.items() if capability >= since for name in names)


def multiplied(kind: str) -> Maker:
    """A product of 16 x 8 x 16 elements of 16 bits, 16 x 8 x 32 of 8, or 16 x 8 x 8 of 32. sm_75 has that of f16 in two halves."""

    def make(p: Prelude, d: DType, _: DType) -> Piece:
        name, whole = f"mma_{kind}", d.scalar.is_int
        sums = p.type(d)
        a, b = (p.type(dtypes.u32.vec(n)) for n in (4, 2))
        depth = 256 // product_types(kind)[0].bits
        sign = "r" if whole else "f"
        full = _instruction(kind, depth, sign, (range(4), range(2)))
        halves = [_instruction(kind, 8, sign, (range(2 * h, 2 * h + 2), range(h, h + 1))) for h in range(2)]
        body = f"#if __CUDA_ARCH__ >= 800\n{full}#else\n{''.join(halves)}#endif\n" if kind == "f16" else full
        return Piece(name, f"{sums} {name}({a} a, {b} b, {sums} c) {{\n{body}  return c;\n}}")

    return make


def _instruction(kind: str, depth: int, sign: str, words: tuple[range, range]) -> str:
    """c = a b + c, of these words of a and b."""
    type_, sums = "s32" if sign == "r" else "f32", ", ".join(f'"+{sign}"(c.s[{k}])' for k in range(4))
    given = ".".join(TYPES[name] for name in product_operands(kind))
    left, right = words
    n = 4 + len(left)
    holes = [", ".join(f"%{k}" for k in r) for r in (range(4), range(4, n), range(n, n + len(right)))]
    args = ", ".join([*(f'"r"(a.s[{k}])' for k in left), *(f'"r"(b.s[{k}])' for k in right)])
    text = f"mma.sync.aligned.m16n8k{depth}.row.col.{type_}.{given}.{type_}"
    return f"""  asm volatile("{text} {{{holes[0]}}}, {{{holes[1]}}}, {{{holes[2]}}}, {{{holes[0]}}};"
               : {sums} : {args});
"""


MMA_PIECES: dict[str, Maker] = {f"mma_{kind}": multiplied(kind) for kinds in _SINCE.values() for kind in kinds}
