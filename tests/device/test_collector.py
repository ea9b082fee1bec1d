"""The cycle collector while kernels are made."""
from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator

import pytest

from svod import Device, UOp, dtypes
from svod.device.collector import without_collector


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def maker() -> tuple[threading.Thread, threading.Event]:
    """A thread that makes something until the event is set."""
    inside, leave = threading.Event(), threading.Event()

    def make() -> None:
        with without_collector():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=make)
    thread.start()
    assert inside.wait(10)
    return thread, leave


def test_it_is_off_inside_and_on_afterwards() -> None:
    with without_collector():
        assert not gc.isenabled()
        with without_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_turns_it_on_again() -> None:
    with pytest.raises(RuntimeError, match="on purpose"), without_collector():
        raise RuntimeError("on purpose")
    assert gc.isenabled()


def test_a_program_that_turned_it_off_finds_it_off() -> None:
    gc.disable()
    with without_collector():
        pass
    assert not gc.isenabled()


def test_the_last_of_several_threads_turns_it_on() -> None:
    thread, leave = maker()
    with without_collector():
        pass
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_compiling_leaves_it_as_it_was() -> None:
    Device("CPU").compile(UOp.sink(UOp.param(0, dtypes.f32)[UOp.range(7, 0)].store(3.0), name="collected"))
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_has_it_on_though_another_thread_was_making_something() -> None:
    thread, leave = maker()
    child = os.fork()
    if child == 0:
        os._exit(0 if gc.isenabled() else 1)
    leave.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
