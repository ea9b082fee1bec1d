"""Compiling IR text, loading objects, refusing damage, giving memory back."""
from __future__ import annotations

import ctypes
import gc
import os
import re
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svod.device.cpu import jit
from svod.device.cpu.jit import PIPELINES, SHORT, LoadedObject, assembly, compile_ir, host_cpu, load_object
from svod.errors import CompileError, ConfigError, DeviceError

SET = "define void @entry(ptr %p) {\n  store i64 42, ptr %p\n  ret void\n}\n"
CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def constants(seed: int) -> str:
    """A function of 40 constants that no other seed has."""
    body = "".join(f"  %x{i + 1} = xor i64 %x{i}, {seed * 1000 + i}\n  %y{i} = add i64 %x{i + 1}, {seed * 777 + i}\n" for i in range(20))
    return f"define i64 @entry(i64 %x0) {{\n{body}  ret i64 %x20\n}}\n"


def run(loaded: LoadedObject) -> int:
    """What the kernel SET stores."""
    cell = ctypes.c_int64(0)
    CALL(loaded.address("entry"))(ctypes.addressof(cell))
    return cell.value


def test_host_cpu_is_detected_once() -> None:
    host = host_cpu()
    assert host is host_cpu()
    assert host.name
    assert host.triple.count("-") >= 2
    assert host.vector_bits in (128, 256, 512)
    assert (host.vector_bits == 512) == host.has("avx512f")
    assert not host.has("avx512")


@pytest.mark.parametrize(("features", "bits"), [
    ({"sse2"}, 128), ({"sse2", "avx"}, 256), ({"avx", "avx512f"}, 512), ({"neon"}, 128), (set(), 128),
])
def test_vector_bits(features: set[str], bits: int) -> None:
    assert jit._vector_bits(features) == bits


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("passes", [(), SHORT, *((p,) for p in PIPELINES)])
def test_compile_load_run(level: int, passes: tuple[str, ...]) -> None:
    loaded = load_object(compile_ir(SET, level=level, passes=passes), ["entry"])
    assert run(loaded) == 42


def test_the_default_passes_keep_stack_arrays_in_registers() -> None:
    text = ("define i64 @entry(i64 %a) {\n  %s = alloca [4 x i64]\n  %p = getelementptr [4 x i64], ptr %s, i64 0, i64 2\n"
            "  store i64 %a, ptr %p\n  %v = load i64, ptr %p\n  %w = add i64 %v, 1\n  ret i64 %w\n}\n")
    assert re.search(r"\[?(rsp|sp)\b", assembly(text, passes=()))
    assert not re.search(r"\[?(rsp|sp)\b", assembly(text))


@pytest.mark.parametrize(("text", "message", "line"), [
    ("define void @f() {\n  %x = add i32 1, 2.0\n  ret void\n}\n", "floating point constant invalid", "  >    2|   %x = add i32 1, 2.0"),
    ("define void @f() {\n  %x = load i32, ptr %nope\n  ret void\n}\n", "undefined value '%nope'", "  >    2|   %x = load i32, ptr %nope"),
    ("define i32 @f(i32 %a) {\nentry:\n  br label %b\nb:\n  %y = add i32 %z, 1\n  %z = add i32 %a, 1\n  ret i32 %y\n}\n",
     "does not dominate", "  >    5|   %y = add i32 %z, 1"),
    ("nonsense", "expected top-level entity", "  >    1| nonsense"),
])
def test_refused_ir_shows_llvms_message_and_the_numbered_lines(text: str, message: str, line: str) -> None:
    with pytest.raises(CompileError) as error:
        compile_ir(text)
    assert message in error.value.what
    assert line in error.value.at.splitlines()
    assert run(load_object(compile_ir(SET), ["entry"])) == 42


def test_lines_around_the_blamed_one_are_shown_without_mark() -> None:
    with pytest.raises(CompileError) as error:
        assembly("define void @f() {\n  %x = add i32 1, 2.0\n  ret void\n}\n")
    assert error.value.at.splitlines() == [
        "IR line 2", "       1| define void @f() {", "  >    2|   %x = add i32 1, 2.0", "       3|   ret void", "       4| }"]


def test_a_message_that_blames_no_line_shows_none() -> None:
    assert jit._lines_blamed(SET, "out of registers") == ""


def test_unknown_pass_and_level_are_refused() -> None:
    with pytest.raises(ConfigError, match="no pass 'sora'"):
        compile_ir(SET, passes=("sora",))
    with pytest.raises(ConfigError, match="level 4"):
        compile_ir(SET, level=4)


def test_an_object_that_refers_to_nothing_known_is_refused_by_name() -> None:
    text = ("declare void @svod_no_such_function()\ndeclare ptr @malloc(i64)\n"
            "define void @entry() {\n  call void @svod_no_such_function()\n  %p = call ptr @malloc(i64 8)\n  ret void\n}\n")
    with pytest.raises(CompileError) as error:
        load_object(compile_ir(text), ["entry"])
    assert error.value.hint == "not found in this process: svod_no_such_function"


def test_a_symbol_that_is_not_in_the_object_is_refused() -> None:
    with pytest.raises(CompileError, match="nowhere"):
        load_object(compile_ir(SET), ["entry", "nowhere"])


def test_objects_do_not_see_each_other() -> None:
    first = load_object(compile_ir(SET), ["entry"])
    second = load_object(compile_ir(SET.replace("42", "43")), ["entry"])
    assert (run(first), run(second)) == (42, 43)


OBJECT = compile_ir(SET)


@given(st.integers(0, len(OBJECT) - 1), st.integers(1, 255))
def test_any_flipped_bits_are_noticed(position: int, change: int) -> None:
    damaged = bytearray(OBJECT)
    damaged[position] ^= change
    with pytest.raises(CompileError, match="damaged"):
        load_object(bytes(damaged), ["entry"])


@given(st.integers(0, len(OBJECT) - 1))
def test_any_truncation_is_noticed(length: int) -> None:
    with pytest.raises(CompileError, match="damaged"):
        load_object(OBJECT[:length], ["entry"])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_noticed(data: bytes) -> None:
    with pytest.raises(CompileError, match="damaged"):
        load_object(data, ["entry"])


def test_addresses_end_with_close() -> None:
    loaded = load_object(OBJECT, ["entry"])
    with pytest.raises(DeviceError, match="'other' was not asked for"):
        loaded.address("other")
    loaded.close()
    loaded.close()
    with pytest.raises(DeviceError, match="unloaded"):
        loaded.address("entry")


def test_engines_go_with_their_last_object() -> None:
    """One object that stays keeps its engine; every other engine is closed as soon as it is full and empty."""
    kept = load_object(OBJECT, ["entry"])
    before = jit._linker().engine
    for _ in range(jit.ENGINE_CAPACITY):
        load_object(OBJECT, ["entry"]).close()
    assert jit._linker().engine is not before
    assert before.live >= 1
    assert not before.jit.closed
    assert run(kept) == 42
    others = before.live - 1
    kept.close()
    assert before.live == others
    assert before.jit.closed == (others == 0)


def test_a_failed_link_keeps_no_place() -> None:
    engine = jit._linker().engine
    live = engine.live
    with pytest.raises(CompileError):
        load_object(OBJECT, ["nowhere"])
    assert jit._linker().engine is not engine or engine.live == live


def test_ten_thousand_objects_come_and_go_in_steady_memory(resident: Callable[[], int]) -> None:
    def cycle(count: int) -> None:
        for _ in range(count):
            loaded = load_object(OBJECT, ["entry"])
            assert run(loaded) == 42
            loaded.close()

    cycle(500)
    before = resident()
    cycle(10_000)
    assert resident() - before < 4 << 20  # 80 MiB if each object left behind what LLVM keeps of it


def test_collected_objects_are_unloaded(resident: Callable[[], int]) -> None:
    def cycle(count: int) -> None:
        for _ in range(count):
            load_object(OBJECT, ["entry"])

    cycle(200)
    before = resident()
    cycle(2000)
    assert resident() - before < 4 << 20  # at least 8 KiB each if none was unloaded


def test_a_collection_never_waits_for_llvm() -> None:
    """Where another thread is compiling, an object that is dropped stays until the next one is linked."""
    loaded = [load_object(OBJECT, ["entry"])]
    linker, inside, leave = jit._linker(), threading.Event(), threading.Event()

    def compiling() -> None:
        with jit._LLVM:
            inside.set()
            leave.wait()

    thread = threading.Thread(target=compiling)
    thread.start()
    inside.wait()
    loaded.clear()
    waiting = len(linker.orphans)
    leave.set()
    thread.join()
    assert waiting == 1
    assert run(load_object(OBJECT, ["entry"])) == 42
    assert not linker.orphans


@pytest.mark.parametrize(("passes", "bound"), [((), 1 << 10), (SHORT, 6 << 10)])
def test_compiling_leaks_no_more_than_llvms_passes_do(passes: tuple[str, ...], bound: int, resident: Callable[[], int]) -> None:
    for i in range(100):
        compile_ir(constants(i), passes=passes)
    before = resident()
    for i in range(600):
        compile_ir(constants(1000 + i), passes=passes)
    assert resident() - before < 600 * bound  # a shared context keeps 6.6 KB of constants of each


def test_refused_ir_leaks_nothing(resident: Callable[[], int]) -> None:
    def refuse(seed: int) -> None:
        with pytest.raises(CompileError):
            compile_ir(constants(seed).replace("ret i64 %x20", "ret i64 %missing"))

    for i in range(100):
        refuse(i)
    before = resident()
    for i in range(1000):
        refuse(1000 + i)
    assert resident() - before < 2 << 20


def test_threads_compile_and_load_at_once() -> None:
    failures: list[object] = []

    def work(seed: int) -> None:
        for i in range(20):
            value = seed * 100 + i
            loaded = load_object(compile_ir(SET.replace("42", str(value))), ["entry"])
            if run(loaded) != value:
                failures.append((seed, i))

    threads = [threading.Thread(target=work, args=(s,)) for s in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_during_a_compilation_compiles() -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            compile_ir(constants(7), passes=("O3",))

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(5):
            time.sleep(0.003)
            child = os.fork()
            if child == 0:
                os._exit(0 if run(load_object(compile_ir(SET), ["entry"])) == 42 else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        thread.join()


def test_collecting_in_the_middle_of_a_link_is_harmless() -> None:
    """Cycles full of loaded objects, collected whenever Python likes, also while the next one is linked."""
    old = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for _ in range(300):
            cycle: list[object] = [load_object(OBJECT, ["entry"])]
            cycle.append(cycle)
        assert run(load_object(OBJECT, ["entry"])) == 42
    finally:
        gc.set_threshold(*old)
