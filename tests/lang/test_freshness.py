"""Every kind of place that a trace reads: a kernel is made again when it changes, and only then."""
from __future__ import annotations

import array
import functools
import importlib
import linecache
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import svod.lang as sl
from svod import errors
from svod.lang.freshness import Freshness, distinct
from svod.lang.kernels import Kernel, kernel
from svod.lang.trace import ArrayType, trace


def run(k: Kernel, *args: Any) -> float:
    out = np.zeros(1, np.float32)
    k.on("INTERP")[1, 1](out, *args)
    return float(out[0])


class Own:
    number = 1.0
    table = [1.0]  # noqa: RUF012

    def __init__(self) -> None:
        self.held = 1.0

    def method(self, x: Any) -> Any:
        return x + 1.0

    @staticmethod
    def static(x: Any) -> Any:
        return x + 1.0

    @property
    def asked(self) -> float:
        return self.held * 1.0

    def __getitem__(self, key: str) -> float:
        return self.held if key == "held" else 0.0

    def __iter__(self) -> Iterator[float]:
        return iter([self.held, 0.0])


class World:
    """What one case changes, made anew for each."""

    def __init__(self) -> None:
        def with_list(x: Any, table: Any = [1.0]) -> Any:  # noqa: B006
            return x + table[0]

        def with_tuple_of_lists(x: Any, table: Any = ([1.0], 2)) -> Any:
            return x + table[0][0]

        def with_number(x: Any, more: Any = 1.0) -> Any:
            return x + more

        def with_keyword(x: Any, *, more: Any = 1.0) -> Any:
            return x + more

        def with_keyword_list(x: Any, *, more: Any = [1.0]) -> Any:  # noqa: B006
            return x + more[0]

        self.functions = {f.__name__: f for f in (with_list, with_tuple_of_lists, with_number, with_keyword, with_keyword_list)}
        self.space, self.module = types.SimpleNamespace(number=1.0), types.ModuleType("of_a_test")
        self.module.number = 1.0  # type: ignore[attr-defined]
        self.kind = type("Kind", (Own,), {"number": 1.0, "table": [1.0]})
        self.own = self.kind()
        self.queue, self.array, self.bytes, self.set = deque([1.0]), array.array("f", [1.0]), bytearray(b"\1"), {1}
        self.partial = functools.partial(lambda table, x, more: x + table[0] + more[0], [1.0], more=[0.0])
        self.mapping = {"number": 1.0}
        self.proxy = types.MappingProxyType(self.mapping)


def set_default(f: Any, *values: Any) -> None:
    f.__defaults__ = values


CASES: dict[str, tuple[Callable[[World, Any], Any], Callable[[World], Any]]] = {
    "a default list, changed in place": (lambda w, x: w.functions["with_list"](x),
                                         lambda w: w.functions["with_list"].__defaults__[0].__setitem__(0, 8.0)),
    "a list in a default tuple": (lambda w, x: w.functions["with_tuple_of_lists"](x),
                                  lambda w: w.functions["with_tuple_of_lists"].__defaults__[0][0].__setitem__(0, 8.0)),
    "defaults, replaced": (lambda w, x: w.functions["with_number"](x), lambda w: set_default(w.functions["with_number"], 8.0)),
    "a keyword default": (lambda w, x: w.functions["with_keyword"](x),
                          lambda w: w.functions["with_keyword"].__kwdefaults__.update(more=8.0)),
    "a keyword default, changed in place": (lambda w, x: w.functions["with_keyword_list"](x),
                                            lambda w: w.functions["with_keyword_list"].__kwdefaults__["more"].__setitem__(0, 8.0)),
    "an attribute of a class": (lambda w, x: x + w.kind.number, lambda w: setattr(w.kind, "number", 8.0)),
    "a list of a class": (lambda w, x: x + w.kind.table[0], lambda w: w.kind.table.__setitem__(0, 8.0)),
    "an attribute of an object": (lambda w, x: x + w.own.held, lambda w: setattr(w.own, "held", 8.0)),
    "an inherited attribute, covered": (lambda w, x: x + w.own.number, lambda w: setattr(w.own, "number", 8.0)),
    "a property": (lambda w, x: x + w.own.asked, lambda w: setattr(w.own, "held", 8.0)),
    "an attribute of a namespace": (lambda w, x: x + w.space.number, lambda w: setattr(w.space, "number", 8.0)),
    "an attribute of a module": (lambda w, x: x + w.module.number, lambda w: setattr(w.module, "number", 8.0)),
    "an attribute of a function": (lambda w, x: x + getattr(w.functions["with_list"], "number", 1.0),
                                   lambda w: setattr(w.functions["with_list"], "number", 8.0)),
    "an attribute that was not there": (lambda w, x: x + (8.0 if hasattr(w.space, "more") else 1.0), lambda w: setattr(w.space, "more", 1)),
    "a method": (lambda w, x: w.own.method(x), lambda w: setattr(w.kind, "method", lambda self, x: x + 8.0)),
    "a static method": (lambda w, x: w.kind.static(x), lambda w: setattr(w.kind, "static", staticmethod(lambda x: x + 8.0))),
    "an element of an object": (lambda w, x: x + w.own["held"], lambda w: setattr(w.own, "held", 8.0)),
    "the items of an object": (lambda w, x: x + sum(w.own), lambda w: setattr(w.own, "held", 8.0)),
    "the items of an object, in a loop": (lambda w, x: x + sum([v * 1.0 for v in w.own]), lambda w: setattr(w.own, "held", 8.0)),
    "a deque": (lambda w, x: x + w.queue[0], lambda w: w.queue.__setitem__(0, 8.0)),
    "an array.array": (lambda w, x: x + w.array[0], lambda w: w.array.__setitem__(0, 8.0)),
    "a bytearray": (lambda w, x: x + w.bytes[0], lambda w: w.bytes.__setitem__(0, 8)),
    "a set": (lambda w, x: x + sorted(w.set)[0], lambda w: (w.set.clear(), w.set.add(8))),
    "a set of equal numbers": (lambda w, x: x + (8 if isinstance(sorted(w.set)[0], float) else 1),
                               lambda w: (w.set.clear(), w.set.add(1.0))),
    "a read-only view of a dict": (lambda w, x: x + w.proxy["number"], lambda w: w.mapping.update(number=8.0)),
    "a list in a partial": (lambda w, x: w.partial(x), lambda w: w.partial.args[0].__setitem__(0, 8.0)),
    "a keyword of a partial": (lambda w, x: w.partial(x), lambda w: w.partial.keywords["more"].__setitem__(0, 7.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_changed_is_noticed(case: str) -> None:
    read, change = CASES[case]
    world = World()

    @kernel
    def reads(out: sl.Array[sl.f32]) -> None:
        out[0] = read(world, 0.0)

    assert [run(reads), run(reads)] == [1.0, 1.0]
    assert reads.traces == 1, "made again without a change"
    change(world)
    assert [run(reads), run(reads)] == [8.0, 8.0]
    assert reads.traces == 2


def test_defaults_of_a_kernel_are_those_it_has_now() -> None:
    @kernel
    def numbers(out: sl.Array[sl.f32], n: sl.f32 = 1.0, kind: sl.Constexpr = "once", *, by: sl.Constexpr = 1) -> None:
        out[0] = n * (2 if kind == "twice" else 1) * by

    assert run(numbers) == 1
    set_default(numbers.function, 4.0, "once")
    assert run(numbers) == 4
    assert numbers.traces == 1
    set_default(numbers.function, 4.0, "twice")
    assert run(numbers) == 8
    numbers.function.__kwdefaults__["by"] = 10
    assert run(numbers) == 80
    assert run(numbers, 1.0) == 20
    assert numbers.traces == 3
    set_default(numbers.function, "twice")
    with pytest.raises(errors.ArgumentError, match="missing a required argument: 'n'"):
        run(numbers)


def test_keyword_defaults_of_a_kernel_in_a_kernel() -> None:
    @kernel
    def inner(out: sl.Array[sl.f32], *, table: sl.Constexpr = (1.0,)) -> None:
        out[0] = table[0]

    @kernel
    def calls(out: sl.Array[sl.f32]) -> None:
        inner(out)

    assert run(calls) == 1
    inner.function.__kwdefaults__["table"] = (8.0,)
    assert run(calls) == 8


def test_a_default_from_outside_cannot_be_changed_in_a_kernel() -> None:
    def grows(x: Any, table: Any = []) -> Any:  # noqa: B006
        table.append(1.0)
        return x + len(table)

    @kernel
    def calls(out: sl.Array[sl.f32]) -> None:
        out[0] = grows(0.0)

    with pytest.raises(errors.KernelError, match="from outside the kernel cannot be changed"):
        run(calls)


def test_places_of_one_name_are_all_asked() -> None:
    """Two modules have a global of one name and value; each counts."""
    modules = []
    for name in ("first", "second"):
        module = types.ModuleType(name)
        text = f"N = 4\ndef {name}(x):\n    return x + N\n"
        file = f"<{name} of freshness>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), module.__dict__)
        modules.append(module)
    first, second = modules[0].first, modules[1].second

    @kernel
    def reads(out: sl.Array[sl.f32]) -> None:
        out[0] = first(0.0) + second(0.0)

    assert run(reads) == 8
    modules[1].N = 10  # type: ignore[attr-defined]
    assert run(reads) == 14
    modules[0].N = 20  # type: ignore[attr-defined]
    assert run(reads) == 30
    found = trace(reads.function, {"out": ArrayType(sl.f32.dtype)}).dependencies
    assert [d.name for d in found].count("N") == 2


def test_a_place_is_asked_once() -> None:
    """What a launch costs does not grow with how often a name is read, or with how a function was come by."""
    world = World()
    plain = world.functions["with_number"]

    def reads(out: sl.Array[sl.f32]) -> None:
        out[0] = plain(plain(world.kind.number) + world.kind.number) + plain(1.0)

    found = trace(reads, {"out": ArrayType(sl.f32.dtype)}).dependencies
    assert found == distinct(found * 2)
    fresh = Freshness(reads, found)
    assert fresh()
    assert sum("__code__" in c for c in fresh.conditions) == 2
    assert not any("unchanged" in c for c in fresh.conditions if "is" not in c), "a plain value is compared by what it holds"


def test_what_runs_is_what_was_imported(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is edited after the import: as for any Python function, nothing changes before it is imported again; then all does."""
    kernel_text = "@sl.kernel\ndef k(out: sl.Array[sl.f32], c: sl.Constexpr[int] = 0):\n    out[0] = own(0)\n"
    text = "import svod.lang as sl\ndef own(x):\n    return x + {}\n" + kernel_text
    file = tmp_path / "edited_later.py"
    file.write_text(text.format(1))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    module = importlib.import_module("edited_later")
    file.write_text("# a line more\n" + text.format(20))
    assert (run(module.k), run(module.k, 1)) == (1.0, 1.0)
    importlib.reload(module)
    assert (run(module.k), run(module.k, 1)) == (20.0, 20.0)
