"""Building the native code, and taking it from a cache."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from svod.device.cpu import jit, native
from svod.device.cpu.native import Native, load_native, native_source, prepared_assembly
from svod.device.cpu.pool import Pool


def works(native: Native) -> bool:
    """Whether a pool can be made of it."""
    return Pool(native, 2).stats().workers == 0


def test_the_text_is_the_same_each_time_and_names_no_address() -> None:
    assert native_source() == native_source()
    assert "inttoptr i64 " not in native_source().replace("inttoptr i64 %", "")


def test_objects_come_from_the_cache() -> None:
    kept: dict[str, bytes] = {}
    calls: list[str] = []

    def cache(text: str, make: Callable[[], bytes]) -> bytes:
        calls.append(text)
        if text not in kept:
            kept[text] = make()
        return kept[text]

    assert works(load_native(cache))
    assert list(kept) == [native_source()]
    made = dict(kept)
    assert works(load_native(cache))
    assert kept == made
    assert calls == [native_source()] * 2


@pytest.mark.parametrize("damage", [lambda obj: obj[:-1], lambda obj: b"", lambda obj: obj[:99] + bytes([obj[99] ^ 1]) + obj[100:]])
def test_damaged_objects_in_the_cache_are_compiled_again(damage: Callable[[bytes], bytes]) -> None:
    assert works(load_native(lambda text, make: damage(make())))


def test_an_object_of_something_else_is_compiled_again() -> None:
    other = jit.compile_ir("define void @svod_launch() {\n  ret void\n}\n")
    assert works(load_native(lambda text, make: other))


def test_functions_are_found_by_name(native: Native) -> None:
    assert native.pool_run is native.functions["svod_pool_run"]
    assert native.address("launch") > 0
    with pytest.raises(AttributeError, match="pool_walk"):
        native.pool_walk  # noqa: B018
    with pytest.raises(AttributeError, match="launch"):
        native.launch  # noqa: B018


def test_the_kept_assembly_is_of_the_ir_beside_it() -> None:
    folder = Path(native.__file__).parent
    for name, made in prepared_assembly().items():
        mark = (folder / name).read_text(encoding="utf-8").partition("\n")[0]
        assert mark == made.partition("\n")[0], "the .ll file was changed: run `make native`"


def test_without_kept_assembly_the_ir_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "PREPARED", {})
    assert prepared_assembly() == {}
    assert "define " in native_source()
    assert works(load_native())


def test_assembly_of_other_ir_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    if not prepared_assembly():
        pytest.skip("no assembly is kept for this platform")
    assert native_source().startswith("module asm")
    monkeypatch.setattr(native, "_mark", lambda text: "# of something else")
    assert "define " in native_source()
