"""The layers of svod, executable: imports point down, siblings do not know each other, and `import svod` stays light.

Owns: the table of layers and the list of allowed lazy imports. Reads the sources, so nothing that is checked needs to import.
"""
from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "version", "config"),
    ("dtype",),
    ("ir", "target"),
    ("codegen | renderers",),
    ("device",),
    ("lang", "aot", "library", "compat"),
    ("testing", "tools", "__main__"),
)
"""Lowest first. Within a layer a name may import those to its left; `a | b` are siblings, which never import each other."""

LAZY: dict[tuple[str, str], str] = {
    ("svod.device.cpu.probe", "svod.device.cpu.backend"): "llvmlite",
    ("svod.device.cc.probe", "svod.device.cc.backend"): "llvmlite",
}
"""(importing module, imported module) -> the heavy third party whose loading is put off. Only these may be imported inside functions."""

HEAVY = ("llvmlite", "ml_dtypes", "typer", "rich", "click", "pycuda", "cuda", "pyopencl", "wgpu", "matplotlib")
@dataclass(frozen=True, slots=True)
class Import:
    """`importer` imports `imported` (both dotted) at `path`:`line`; `where` is "module", "function" or "typing" (if TYPE_CHECKING)."""

    importer: str
    imported: str
    path: str
    line: int
    where: str = "module"

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.importer} imports {self.imported}"


def ranks() -> dict[str, tuple[int, int, bool]]:
    """name -> (layer, place within the layer, has siblings)."""
    table: dict[str, tuple[int, int, bool]] = {}
    for level, layer in enumerate(LAYERS):
        for place, group in enumerate(layer):
            siblings = group.split(" | ")
            table |= {name: (level, place, len(siblings) > 1) for name in siblings}
    return table


def modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file, for every module of the package at `root`."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(name: str, path: Path, known: set[str]) -> list[Import]:
    """Every import of a module of `known` that the source of `name` makes, also by `importlib.import_module("…")`."""
    found: list[Import] = []
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def visit(node: ast.AST, where: str) -> None:
        for target in _targets(node, package, known):
            shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
            found.append(Import(name, target, str(shown), getattr(node, "lineno", 0), where))
        if where == "module" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            where = "function"
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            where = "typing"
        for child in ast.iter_child_nodes(node):
            visit(child, where)

    visit(ast.parse(path.read_text(encoding="utf-8")), "module")
    return found


def _targets(node: ast.AST, package: str, known: set[str]) -> list[str]:
    """The modules of `known` that one node imports; `from a import b` names `a.b` where that is a module, else `a`."""
    match node:
        case ast.Import(names=aliases):
            wanted = [alias.name for alias in aliases]
        case ast.ImportFrom(module=module, names=aliases, level=level):
            up = package.split(".")[: len(package.split(".")) - level + 1] if level else []
            source = ".".join([*up, module] if module else up)
            wanted = [f"{source}.{a.name}" if f"{source}.{a.name}" in known else source for a in aliases]
        case ast.Call(func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(text)), *_]):
            wanted = [text]
        case _:
            wanted = []
    return [w for w in wanted if w in known]


def all_imports(root: Path = ROOT / "svod") -> list[Import]:
    """Every import of one svod module by another."""
    known = modules(root)
    return [i for name, path in known.items() for i in imports_of(name, path, set(known))]


def top(module: str) -> str:
    """`svod.ir.uop` -> `ir`; the facade itself is `svod`."""
    return module.split(".")[1] if "." in module else module


def complaint(i: Import) -> str:
    """Why the layers refuse this import; empty if they do not."""
    table, (low, high) = ranks(), (top(i.imported), top(i.importer))
    if high in (low, "svod"):
        return ""
    if low == "svod":
        return "" if table[high][0] == len(LAYERS) - 1 else "only the top layer may import the facade `svod`; import the module itself"
    (to, to_place, siblings), (of, of_place, _) = table[low], table[high]
    if to > of:
        return f"`{low}` is layer {to}, above `{high}`, which is layer {of}"
    if to == of and to_place == of_place and siblings:
        return f"`{low}` and `{high}` are siblings"
    if to == of and to_place > of_place:
        return f"`{low}` stands to the right of `{high}` in its layer"
    return ""


def listed(offenders: list[str]) -> str:
    """The offenders, one a line."""
    return "\n  ".join(["", *offenders])


def test_every_part_of_the_package_has_a_layer() -> None:
    unknown = {top(name) for name in modules(ROOT / "svod")} - ranks().keys() - {"svod"}
    assert not unknown, f"give these a layer in LAYERS: {sorted(unknown)}"


def test_imports_point_down() -> None:
    offenders = [f"{i}: {why}" for i in all_imports() if (why := complaint(i))]
    assert not offenders, listed(offenders)


def test_no_svod_import_inside_functions() -> None:
    offenders = [str(i) for i in all_imports() if i.where == "function" and (i.importer, i.imported) not in LAZY]
    assert not offenders, listed([*offenders, "hint: import at the top; LAZY lists the loads of heavy third parties that may be put off"])


def test_the_list_of_lazy_imports_is_not_stale() -> None:
    stale = LAZY.keys() - {(i.importer, i.imported) for i in all_imports() if i.where == "function"}
    assert not stale, f"not in the sources any more: {sorted(stale)}"


def test_modules_import_each_other_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for i in all_imports():
        package_of_itself = i.importer == i.imported or i.importer.startswith(f"{i.imported}.")
        if i.where == "module" and not package_of_itself:
            graph.setdefault(i.importer, set()).add(i.imported)
    circle = find_circle(graph)
    assert not circle, " -> ".join(circle)


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of `graph` as a path that ends where it starts; empty if there is none."""
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node):], node]
        if node in done:
            return []
        for following in sorted(graph.get(node, ())):
            if circle := walk(following, [*path, node]):
                return circle
        done.add(node)
        return []

    return next((c for start in sorted(graph) if (c := walk(start, []))), [])


def loaded_by(statement: str) -> list[str]:
    """The modules loaded after `statement`, in a fresh process."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded: list[str] = json.loads(done.stdout)
    return loaded


def test_importing_everything_that_svod_offers_loads_nothing_heavy() -> None:
    loaded = loaded_by("from svod import *")
    assert "svod.device.device" in loaded, "the names of the facade were not loaded, so this shows nothing"
    heavy = sorted({m.split(".")[0] for m in loaded} & set(HEAVY))
    assert not heavy, f"`from svod import *` loads {', '.join(heavy)}"


def test_importing_svod_loads_nothing_but_itself() -> None:
    """The names load when they are first used: what `import svod` costs is measured in benchmarks/latency.py."""
    code = "import json, sys; before = set(sys.modules); import svod; print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert {m for m in json.loads(done.stdout) if m.startswith("svod")} == {"svod", "svod.version"}
    assert "numpy" not in json.loads(done.stdout)


@pytest.mark.parametrize(("importer", "imported", "why"), [
    ("svod.ir.uop", "svod.dtype.dtypes", ""),
    ("svod.config", "svod.errors", ""),
    ("svod.errors", "svod.config", "`config` stands to the right of `errors` in its layer"),
    ("svod.dtype.dtypes", "svod.ir.uop", "`ir` is layer 2, above `dtype`, which is layer 1"),
    ("svod.renderers.llvm.render", "svod.codegen.pipeline", "`codegen` and `renderers` are siblings"),
    ("svod.device.cpu.device", "svod", "only the top layer may import the facade `svod`; import the module itself"),
    ("svod.tools.cli", "svod", ""),
    ("svod", "svod.device.device", ""),
])
def test_the_layers_refuse_and_allow(importer: str, imported: str, why: str) -> None:
    assert complaint(Import(importer, imported, "x.py", 1)) == why


def test_imports_are_found_wherever_they_hide(tmp_path: Path) -> None:
    package = tmp_path / "svod" / "ir"
    package.mkdir(parents=True)
    for name in ("svod/__init__.py", "svod/errors.py", "svod/ir/__init__.py", "svod/ir/ops.py"):
        (tmp_path / name).write_text("")
    (package / "uop.py").write_text(
        "import svod.errors, os\nfrom . import ops\nfrom ..errors import SvodError\nfrom svod import ir\n"
        "def f():\n    from svod.ir import ops\n    importlib.import_module('svod.errors')\n"
        "if TYPE_CHECKING:\n    import svod.ir.ops\n")
    found = [(i.imported, i.line, i.where) for i in all_imports(tmp_path / "svod")]
    assert found == [
        ("svod.errors", 1, "module"), ("svod.ir.ops", 2, "module"), ("svod.errors", 3, "module"), ("svod.ir", 4, "module"),
        ("svod.ir.ops", 6, "function"), ("svod.errors", 7, "function"), ("svod.ir.ops", 9, "typing")]


def test_a_circle_is_found() -> None:
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}}) == []
