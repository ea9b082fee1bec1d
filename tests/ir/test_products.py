"""MMA as exchanges and multiplications: the kernel language's layout is tested with svod.lang.mma; here what stays and what goes."""
from __future__ import annotations

from svod.dtype import dtypes
from svod.ir.args import MmaArg, ThreadsInfo, ValueArg
from svod.ir.ops import Op
from svod.ir.products import without_products
from svod.ir.spec import THREADS, verify
from svod.ir.uop import UOp

X = UOp.scalar("x", dtypes.f32)


def kernel(layout: str = "rows") -> UOp:
    """A THREADS with an MMA inside of a branch."""
    arg = MmaArg(16, 16, 16, 32) if layout == "rows" else MmaArg(16, 8, 16, 32, layout)
    left, right, rows = arg.held()
    sums = tuple(UOp(Op.VALUE, (), ValueArg(k), dtypes.f32) for k in range(rows))
    word = X if layout == "rows" else UOp.const(3, dtypes.u32)
    mma = UOp(Op.MMA, (*sums, *(word,) * (left + right), *(X,) * rows), arg, dtypes.void)
    keep = UOp.param(0, dtypes.f32, name="out").index(UOp.const(0, dtypes.index)).store(sums[-1])
    branch = UOp(Op.BRANCH, (X < 1, UOp(Op.BLOCK, (mma, keep)), UOp(Op.BLOCK)))
    return UOp(Op.THREADS, (UOp(Op.BLOCK, (branch,)),), ThreadsInfo("k", (32, 1, 1)))


def test_a_kernel_without_products_stays() -> None:
    plain = without_products(kernel())
    verify(plain, THREADS)
    assert next(plain.find(Op.MMA), None) is None
    assert without_products(plain) is plain


def test_layouts_that_are_kept_stay() -> None:
    both = kernel("f16")
    verify(both, THREADS)
    assert without_products(both, ("f16",)) is both
    gone = without_products(both, ("bf16",))
    verify(gone, THREADS)
    assert next(gone.find(Op.MMA), None) is None
    assert sum(1 for _ in gone.find(Op.MULACC)) == 16 * 4
