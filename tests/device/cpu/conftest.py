"""Kernels written by hand in LLVM IR, and what runs them: the pool, one launch on chosen arguments."""
from __future__ import annotations

import ctypes
import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from svod.device.cpu.jit import LoadedObject, compile_ir, load_object
from svod.device.cpu.native import Native, load_native
from svod.device.cpu.pool import Pool

KERNELS = """
declare i64 @pthread_self()

; args c, a, b (f32), n, parts: part `core` of c = a + b, 16 lanes at a time
define void @add(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
entry:
  %c = load ptr, ptr %args
  %args1 = getelementptr i64, ptr %args, i64 1
  %a = load ptr, ptr %args1
  %args2 = getelementptr i64, ptr %args, i64 2
  %b = load ptr, ptr %args2
  %args3 = getelementptr i64, ptr %args, i64 3
  %n = load i64, ptr %args3
  %args4 = getelementptr i64, ptr %args, i64 4
  %parts = load i64, ptr %args4
  %scaled = mul i64 %n, %core
  %from = sdiv i64 %scaled, %parts
  %core1 = add i64 %core, 1
  %scaled1 = mul i64 %n, %core1
  %to = sdiv i64 %scaled1, %parts
  br label %vectors
vectors:
  %i = phi i64 [ %from, %entry ], [ %i16, %vector ]
  %i16 = add i64 %i, 16
  %fits = icmp sle i64 %i16, %to
  br i1 %fits, label %vector, label %rest
vector:
  %pa = getelementptr float, ptr %a, i64 %i
  %va = load <16 x float>, ptr %pa, align 4
  %pb = getelementptr float, ptr %b, i64 %i
  %vb = load <16 x float>, ptr %pb, align 4
  %sum = fadd <16 x float> %va, %vb
  %pc = getelementptr float, ptr %c, i64 %i
  store <16 x float> %sum, ptr %pc, align 4
  br label %vectors
rest:
  %j = phi i64 [ %i, %vectors ], [ %j1, %one ]
  %more = icmp slt i64 %j, %to
  br i1 %more, label %one, label %done
one:
  %qa = getelementptr float, ptr %a, i64 %j
  %sa = load float, ptr %qa
  %qb = getelementptr float, ptr %b, i64 %j
  %sb = load float, ptr %qb
  %s = fadd float %sa, %sb
  %qc = getelementptr float, ptr %c, i64 %j
  store float %s, ptr %qc
  %j1 = add i64 %j, 1
  br label %rest
done:
  ret void
}

; all three arrays of add need n elements; the work is n
define void @add_reach(ptr %args, ptr %out) {
  %args3 = getelementptr i64, ptr %args, i64 3
  %n = load i64, ptr %args3
  store i64 %n, ptr %out
  %out1 = getelementptr i64, ptr %out, i64 1
  store i64 %n, ptr %out1
  %out2 = getelementptr i64, ptr %out, i64 2
  store i64 %n, ptr %out2
  %out3 = getelementptr i64, ptr %out, i64 3
  store i64 %n, ptr %out3
  ret void
}

; args out, in (i64), n, parts. Phase 0: each part's sum into shared scratch; phase 1: core 0 adds them up
define void @sum(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
entry:
  %args1 = getelementptr i64, ptr %args, i64 1
  %in = load ptr, ptr %args1
  %args2 = getelementptr i64, ptr %args, i64 2
  %n = load i64, ptr %args2
  %args3 = getelementptr i64, ptr %args, i64 3
  %parts = load i64, ptr %args3
  %scaled = mul i64 %n, %core
  %begin = sdiv i64 %scaled, %parts
  %core1 = add i64 %core, 1
  %scaled1 = mul i64 %n, %core1
  %end = sdiv i64 %scaled1, %parts
  %is.last = icmp eq i64 %phase, 1
  %from = select i1 %is.last, i64 0, i64 %begin
  %to = select i1 %is.last, i64 %parts, i64 %end
  %values = select i1 %is.last, ptr %shared, ptr %in
  %out = load ptr, ptr %args
  %cell = getelementptr i64, ptr %shared, i64 %core
  %target = select i1 %is.last, ptr %out, ptr %cell
  %other = icmp ne i64 %core, 0
  %idle = and i1 %is.last, %other
  br i1 %idle, label %done, label %next
next:
  %i = phi i64 [ %from, %entry ], [ %i1, %one ]
  %total = phi i64 [ 0, %entry ], [ %total1, %one ]
  %more = icmp slt i64 %i, %to
  br i1 %more, label %one, label %store
one:
  %p = getelementptr i64, ptr %values, i64 %i
  %v = load i64, ptr %p
  %total1 = add i64 %total, %v
  %i1 = add i64 %i, 1
  br label %next
store:
  store i64 %total, ptr %target
  br label %done
done:
  ret void
}

; args out, cores: out[core] += 1 in every phase; a core that finds another one behind by more than the phase allows sets out[cores] to 1
define void @count(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
entry:
  %out = load ptr, ptr %args
  %args1 = getelementptr i64, ptr %args, i64 1
  %cores = load i64, ptr %args1
  %own = getelementptr i64, ptr %out, i64 %core
  %before = atomicrmw add ptr %own, i64 1 monotonic
  %ahead = icmp ne i64 %before, %phase
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %look ]
  %bad = phi i1 [ %ahead, %entry ], [ %bad1, %look ]
  %more = icmp slt i64 %i, %cores
  br i1 %more, label %look, label %end
look:
  %p = getelementptr i64, ptr %out, i64 %i
  %v = load atomic i64, ptr %p monotonic, align 8
  %behind = icmp slt i64 %v, %phase
  %bad1 = or i1 %bad, %behind
  %i1 = add i64 %i, 1
  br label %next
end:
  br i1 %bad, label %complain, label %done
complain:
  %flag = getelementptr i64, ptr %out, i64 %cores
  store atomic i64 1, ptr %flag monotonic, align 8
  br label %done
done:
  ret void
}

; args out, spins, phases. First phase: private[0] = 7 * core + 5. Every phase: wait. Last phase: out[core] = private[0], or -1 if shared or
; private is not 64-byte aligned
define void @keep(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
entry:
  %out = load ptr, ptr %args
  %args1 = getelementptr i64, ptr %args, i64 1
  %spins = load i64, ptr %args1
  %args2 = getelementptr i64, ptr %args, i64 2
  %phases = load i64, ptr %args2
  %scaled = mul i64 %core, 7
  %value = add i64 %scaled, 5
  %first = icmp eq i64 %phase, 0
  br i1 %first, label %write, label %wait
write:
  store volatile i64 %value, ptr %private
  br label %wait
wait:
  %i = phi i64 [ 0, %entry ], [ 0, %write ], [ %i1, %wait ]
  %spin = load volatile i64, ptr %private
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %spins
  br i1 %more, label %wait, label %after
after:
  %last = sub i64 %phases, 1
  %is.last = icmp eq i64 %phase, %last
  br i1 %is.last, label %read, label %done
read:
  %v = load volatile i64, ptr %private
  %a = ptrtoint ptr %shared to i64
  %b = ptrtoint ptr %private to i64
  %ab = or i64 %a, %b
  %low = and i64 %ab, 63
  %straight = icmp eq i64 %low, 0
  %r = select i1 %straight, i64 %v, i64 -1
  %cell = getelementptr i64, ptr %out, i64 %core
  store i64 %r, ptr %cell
  br label %done
done:
  ret void
}

; args out, in (spin count): out[core] = the thread, after a while
define void @who(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
entry:
  %out = load ptr, ptr %args
  %args1 = getelementptr i64, ptr %args, i64 1
  %spins = load i64, ptr %args1
  %cell = getelementptr i64, ptr %out, i64 %core
  br label %wait
wait:
  %i = phi i64 [ 0, %entry ], [ %i1, %wait ]
  %spin = load volatile i64, ptr %cell
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %spins
  br i1 %more, label %wait, label %end
end:
  %me = call i64 @pthread_self()
  store i64 %me, ptr %cell
  ret void
}

; args flags, which: the core `which`, or each if that is negative: flags[0] = the thread, then wait until flags[1] is not 0, or too long
define void @hold(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
entry:
  %flags = load ptr, ptr %args
  %args1 = getelementptr i64, ptr %args, i64 1
  %which = load i64, ptr %args1
  %all = icmp slt i64 %which, 0
  %this = icmp eq i64 %which, %core
  %holds = or i1 %all, %this
  br i1 %holds, label %tell, label %done
tell:
  %me = call i64 @pthread_self()
  store atomic i64 %me, ptr %flags seq_cst, align 8
  %go = getelementptr i64, ptr %flags, i64 1
  br label %wait
wait:
  %i = phi i64 [ 0, %tell ], [ %i1, %wait ]
  %v = load atomic i64, ptr %go seq_cst, align 8
  %set = icmp ne i64 %v, 0
  %i1 = add i64 %i, 1
  %late = icmp sgt i64 %i1, 20000000000
  %end = or i1 %set, %late
  br i1 %end, label %done, label %wait
done:
  ret void
}

; args out, run (address of svod_pool_run), pool, inner kernel, its args, its cores: out[core] = status of a launch inside the launch
define void @nest(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
  %out = load ptr, ptr %args
  %args1 = getelementptr i64, ptr %args, i64 1
  %run = load ptr, ptr %args1
  %args2 = getelementptr i64, ptr %args, i64 2
  %pool = load ptr, ptr %args2
  %args3 = getelementptr i64, ptr %args, i64 3
  %inner = load ptr, ptr %args3
  %args4 = getelementptr i64, ptr %args, i64 4
  %inner.args = load ptr, ptr %args4
  %args5 = getelementptr i64, ptr %args, i64 5
  %cores = load i64, ptr %args5
  %status = call i32 %run(ptr %pool, ptr %inner, ptr %inner.args, i64 %cores, i64 1, i64 0, i64 0)
  %wide = sext i32 %status to i64
  %answer = add i64 %wide, 100
  %cell = getelementptr i64, ptr %out, i64 %core
  store i64 %answer, ptr %cell
  ret void
}

; args out, then four scalar slots: out[i] = slot i, bit for bit
define void @echo(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
  %out = load ptr, ptr %args
  %from = getelementptr i64, ptr %args, i64 1
  call void @llvm.memcpy.p0.p0.i64(ptr %out, ptr %from, i64 32, i1 false)
  ret void
}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

declare i32 @PyGILState_Check()

; args out: out[core] = 2, or 3 if this thread holds the GIL
define void @gil(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
  %out = load ptr, ptr %args
  %held = call i32 @PyGILState_Check()
  %wide = sext i32 %held to i64
  %answer = add i64 %wide, 2
  %cell = getelementptr i64, ptr %out, i64 %core
  store i64 %answer, ptr %cell
  ret void
}

define void @nothing(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) {
  ret void
}
"""
NAMES = ("add", "add_reach", "sum", "count", "keep", "who", "hold", "nest", "echo", "gil", "nothing")


@pytest.fixture(scope="session")
def kernels() -> LoadedObject:
    """The kernels above, loaded."""
    return load_object(compile_ir(KERNELS), NAMES)


@pytest.fixture(scope="session")
def native() -> Native:
    """The native code, compiled once for all tests."""
    return load_native()


@pytest.fixture(scope="session")
def make_pool(native: Native) -> Callable[..., Pool]:
    """`make_pool(threads, **options)`."""
    return lambda threads, **options: Pool(native, threads, **options)


@pytest.fixture
def pool(make_pool: Callable[..., Pool]) -> Iterator[Pool]:
    """A pool of two threads."""
    made = make_pool(2)
    yield made
    made.stop()


@pytest.fixture
def resident() -> Callable[[], int]:
    """`resident()`: bytes of memory this process occupies, after a collection."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc/self/statm on this system")

    def measure() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")

    return measure


@pytest.fixture
def slots() -> Callable[..., ctypes.Array[ctypes.c_int64]]:
    """`slots(*values)`: argument slots, to be kept while a launch runs; an array stands for its address."""
    def fill(*values: object) -> ctypes.Array[ctypes.c_int64]:
        return (ctypes.c_int64 * len(values))(*(v if isinstance(v, int) else v.ctypes.data for v in values))  # type: ignore[attr-defined]

    return fill


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], bool]:
    """`until(condition)`: wait for it, a generous time at most; whether it came true."""
    def wait(condition: Callable[[], bool]) -> bool:
        end = time.monotonic() + 30
        while not (true := condition()) and time.monotonic() < end:
            time.sleep(0.001)
        return true

    return wait
