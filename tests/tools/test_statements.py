"""The notation of thread kernels: every statement has a form, and no two values share a name."""
from __future__ import annotations

import pytest

from svod import AddrSpace, UOp, dtypes
from svod.ir.args import AtomicKind, SubgroupKind
from svod.ir.ops import Op
from svod.testing.random_threads import random_thread_case
from svod.testing.threads import Threads
from svod.tools.statements import statements

OUT = UOp.param(0, dtypes.i32, name="out")


def test_every_statement_has_a_form() -> None:
    k = Threads(block=(8, 1, 1))
    i = k.let(k.item(0), "i")
    k.set(k.memory(dtypes.i32, 1, name="n"), 0)
    tile = k.memory(dtypes.i32, 8, AddrSpace.LOCAL, "tile")
    with k.if_(i < 3):
        k.store(tile, k.thread(), 5)
        k.leave(Op.RETURN)
    with k.else_(), k.for_(0, 10, 2) as j:
        with k.if_(j < i):
            k.leave(Op.CONTINUE)
        k.store(OUT, j, 1)
    with k.loop():
        k.leave(Op.BREAK)
    k.barrier()
    k.atomic(AtomicKind.ADD, OUT, i, 1)
    k.subgroup(SubgroupKind.XOR, i, 1, width=8)
    k.print("at {}", i)
    k.check(i < 100, "far")
    assert statements(k.kernel()).splitlines() == [
        "i.1 = block_idx.x * 8 + thread_idx.x",
        "n[0] = 0",
        "if i.1 < 3:",
        "    tile[thread_idx.x] = 5",
        "    return",
        "else:",
        "    for i.2 in range(0, 10, 2):",
        "        if i.2 < i.1:",
        "            continue",
        "        out[i.2] = 1",
        "loop:",
        "    break",
        "barrier",
        "value.3 = atomic(out[i.1], 1, add)",
        "value.4 = subgroup(i.1, 1, xor, width=8)",
        'print(i.1, text="at {}")',
        'assert(i.1 < 100, text="far")',
    ]


@pytest.mark.parametrize("seed", range(20))
def test_every_statement_of_a_random_kernel_is_there_and_values_have_their_own_names(seed: int) -> None:
    threads = random_thread_case(seed).threads
    bound = [line.strip().partition(" = ")[0] for line in statements(threads).splitlines() if line.strip().startswith("value.")]
    lets = [s for b in threads.find(Op.BLOCK) for s in b.src if s.op is Op.LET]
    assert len(set(bound)) == len({s.src[0] for s in lets}) > 0
