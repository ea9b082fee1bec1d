"""Names of kernels and of their forms: in dumps, and across processes."""
from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import svod.lang as sl
from svod.codegen.simt import THREAD_PIPELINE
from svod.errors import KernelError, LaunchError
from svod.lang.naming import FormNames, Origin


@sl.kernel
def add(a: sl.Array[sl.f32], b: sl.Array[sl.f32], out: sl.Array[sl.f32]) -> None:
    i = sl.global_id()
    out[i] = a[i] + b[i]


def test_a_kernel_is_pickled_by_name() -> None:
    assert pickle.loads(pickle.dumps(add)) is add
    assert copy.copy(add) is copy.deepcopy(add) is add
    placed = pickle.loads(pickle.dumps(add.on("INTERP")))
    assert placed is add.on("INTERP")


def undecorated(a: sl.Array[sl.f32], by: sl.Constexpr[float] = 2.0) -> None:
    a[sl.global_id()] *= by


def test_a_kernel_that_has_no_name_of_its_own_is_pickled_with_its_options() -> None:
    made = pickle.loads(pickle.dumps(sl.kernel(undecorated, name="other", subgroup=16, device="INTERP")))
    assert (made.name, made.subgroup, made.device, made.function) == ("other", 16, "INTERP", undecorated)
    x = np.ones(2, np.float32)
    made[1, 2](x, 3.0)
    assert x.tolist() == [3.0, 3.0]


def test_a_kernel_that_cannot_be_found_is_not_pickled() -> None:
    @sl.kernel
    def local(a: sl.Array[sl.f32]) -> None:
        a[0] = 1.0

    for thing in (local, local.compile(sl.Array[sl.f32])):
        with pytest.raises(KernelError, match="not found by that name"):
            pickle.dumps(thing)
    assert copy.deepcopy(local) is local
    with pytest.raises(KernelError, match="is not found in"):
        Origin("nowhere", "local").function()


def test_forms_are_pickled_and_made_again() -> None:
    k = sl.kernel(undecorated, subgroup=8)
    form = k.on("INTERP").compile(sl.Array[sl.f32], 3.0, block=4)
    again = pickle.loads(pickle.dumps(form))
    assert again is not form
    assert (again.request, again.ir, again.name) == (form.request, form.ir, form.name)
    assert copy.copy(form) is copy.deepcopy(form) is form
    known = add.compile(*[sl.Array[sl.f32]] * 3)
    assert pickle.loads(pickle.dumps(known)) is known


def test_no_two_forms_have_one_name() -> None:
    k = sl.kernel(undecorated)
    forms = [k.compile(sl.Array[sl.f32], by, block=block) for by in (2.0, 3.0) for block in (1, 4)]
    assert [f.name for f in forms] == ["undecorated", "undecorated_1", "undecorated_2", "undecorated_3"]
    assert k.compile(sl.Array[sl.f32], 3.0).name == "undecorated_2"
    with pytest.raises(LaunchError, match="kernel 'undecorated' "):
        k[1, 5000](np.zeros(5000, np.float32))


def test_numbers_of_forms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svod.lang.naming.NAMES_KEPT", 2)
    names = FormNames("k")
    assert [names.of(key) for key in (0, 1, 0, 2, 0)] == ["k", "k_1", "k", "k_2", "k_3"]


def test_the_stages_of_a_form() -> None:
    k = sl.kernel(undecorated)
    stages = k.on("CPU").compile(sl.Array[sl.f32], 2.0).stages()
    assert [name for name, _ in stages] == [s.name for s in THREAD_PIPELINE]
    assert "threads(" in stages[0][1]
    assert " = range(" in stages[-1][1]
    assert k.on("INTERP").compile(sl.Array[sl.f32], 2.0).stages() == ()
