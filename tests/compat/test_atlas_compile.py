"""The dialect's command, as its documents use it: R30 to R34; and the programs of its documents, as they stand there."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from svod.compat.atlas import load
from svod.compat.atlas.atlas_compile import main
from svod.lang.schema import parse_list, structure

ROOT = Path(structure.__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(json.loads((Path(structure.__file__).parent / "kernel-1.0.json").read_text(encoding="utf-8")))
IMPORTS = "from atlas_kernel import DeviceArray, f32, u32, get_global_id, atomic_add_f32\n"
ADD = f'''"""Vector addition"""
{IMPORTS}
def vector_add(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    """Add two vectors element-wise: c = a + b"""
    idx = get_global_id()
    if idx < n:
        c[idx] = a[idx] + b[idx]
'''
DOT = f'''{IMPORTS}
def vector_dot(a: DeviceArray[f32], b: DeviceArray[f32], result: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        product = a[idx] * b[idx]
        atomic_add_f32(result, product)
'''
GEMV = f'''{IMPORTS}
def gemv_f32(A: DeviceArray[f32], x: DeviceArray[f32], y: DeviceArray[f32], m: u32, n: u32, lda: u32):
    row = get_global_id()
    if row < m:
        total = 0.0
        for j in range(n):
            total += A[row * lda + j] * x[j]
        y[row] = total
'''
SEVERAL = '''
from atlas_kernel import DeviceArray, f32, u32, get_global_id, expf, sqrtf, atomic_min, inline
from compiler import compile_to_json, atlas_kernel
from shared_constants import SCALE

def square(v):
    return v * v

@inline
def twice(v: f32):
    return v + v

def root(v: f32) -> f32:
    return sqrtf(v)

def _private(a: DeviceArray[f32]):
    a[0] = 1.0

def first(a: DeviceArray[f32], n: u32):
    i = get_global_id()
    if i < n:
        a[i] = twice(square(a[i])) + root(a[i]) * SCALE

@atlas_kernel
def second(a: DeviceArray[f32], n: u32):
    i = get_global_id()
    if i < n:
        a[i] = expf(a[i])
'''


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_r30_r32_one_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = written(tmp_path, "vector/add.py", ADD), tmp_path / "target" / "json" / "add.json"
    assert main([str(source), "-o", str(out), "-v"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "📖 Found 1 kernel(s): vector_add"
    assert told[1:4] == ["   • vector_add", "🔄 Compiling vector_add...", "   ✓ Compiled successfully"]
    assert told[4:] == ["✅ Compiled vector_add → add.json"]
    VALIDATOR.validate(json.loads(out.read_text(encoding="utf-8")))
    a, c = np.arange(3, dtype=np.float32), np.zeros(3, np.float32)
    load(out.read_text(encoding="utf-8"))(a, a, c, 3)
    assert c.tolist() == [0, 2, 4]
    assert main([str(source)]) == 0
    assert capsys.readouterr().out == "✅ Compiled vector_add → add.json\n"
    assert source.with_suffix(".json").read_bytes() == out.read_bytes()
    assert sorted(p.name for p in source.parent.iterdir()) == ["add.json", "add.py"], "nothing else is left"


def test_r31_several_kernels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Helpers, imported, private or inlined, are no kernels; modules beside the file are found."""
    written(tmp_path, "shared_constants.py", "SCALE = 0.5\n")
    source = written(tmp_path, "several.py", SEVERAL)
    assert main([str(source), "--output", str(tmp_path / "all.json"), "--verbose"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "📖 Found 2 kernel(s): first, second"
    assert told[-1] == f"✅ Compiled 2 kernels → {tmp_path / 'all.json'}"
    text = (tmp_path / "all.json").read_text(encoding="utf-8")
    assert [d.name for d in parse_list(text)] == ["first", "second"]
    for document in json.loads(text):
        VALIDATOR.validate(document)
    x = np.arange(4, dtype=np.float32)
    a = x.copy()
    load(json.loads(text)[0])(a, 4)
    np.testing.assert_allclose(a, 2 * x * x + np.sqrt(x) * 0.5, rtol=1e-6)
    assert "shared_constants" not in " ".join(p.name for p in tmp_path.iterdir() if p.suffix == ".pyc")


@pytest.mark.parametrize(("text", "message"), [
    ("x = 3\n", "❌ No kernel functions found in "), (None, "❌ Error loading module: FileNotFoundError"),
    ("def f(:\n", "❌ Error loading module: SyntaxError"), ("import absent_module\n", "❌ Error loading module: ModuleNotFoundError"),
    ("raise SystemExit(0)\n", "❌ Error loading module: SystemExit"),
    (ADD + "\ndef bad(a: DeviceArray[f32], n):\n    a[0] = n\n",
     "❌ Error compiling bad: All kernel parameters must have type annotations")])
def test_r33_what_fails_leaves_nothing(text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "k.py", tmp_path / "k.json"
    if text is not None:
        written(tmp_path, "k.py", text)
    out.write_text("before", encoding="utf-8")
    assert main([str(source)]) == 1
    quiet = capsys.readouterr()
    assert quiet.err.startswith(message)
    assert "Traceback" not in quiet.err
    assert out.read_text(encoding="utf-8") == "before"
    assert main([str(source), "-v"]) == 1
    assert ("Traceback" in capsys.readouterr().err) == ("No kernel" not in message)
    assert sorted(p.name for p in tmp_path.iterdir()) == (["k.json", "k.py"] if text is not None else ["k.json"])


def test_r33_wrong_arguments_and_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as e:
        main(["--frobnicate"])
    assert e.value.code == 2
    source = written(tmp_path, "add.py", ADD)
    (tmp_path / "folder").mkdir()
    assert main([str(source), "-o", str(tmp_path / "folder")]) == 1
    assert "❌ Error writing" in capsys.readouterr().err
    assert list(tmp_path.glob(".*")) == []


def test_r34_the_loops_of_the_documents_in_a_shell(tmp_path: Path) -> None:
    """The README's loops, with the command in svod's place."""
    for name, text in (("vector/add.py", ADD), ("vector/dot.py", DOT), ("matrix/gemv.py", GEMV)):
        written(tmp_path / "schemas" / "stdlib", name, text)
    script = '''
cd schemas/stdlib
for py_file in vector/*.py matrix/*.py; do
    kernel_name=$(basename "$py_file" .py)
    "$PYTHON" -m svod.compat.atlas.atlas_compile "$py_file" -o "../../target/json/${kernel_name}.json" -v || exit 1
done
ls ../../target/json/
'''
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, check=True, encoding="utf-8")
    assert done.stdout.split()[-3:] == ["add.json", "dot.json", "gemv.json"]
    assert done.stdout.count("📖 Found 1 kernel(s): ") == 3
    for path in (tmp_path / "target" / "json").iterdir():
        VALIDATOR.validate(json.loads(path.read_text(encoding="utf-8")))


def test_a_terminal_without_the_signs(tmp_path: Path) -> None:
    source = written(tmp_path, "add.py", ADD)
    done = subprocess.run([sys.executable, "-m", "svod.compat.atlas.atlas_compile", source], capture_output=True, check=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"})
    assert b"Compiled vector_add" in done.stdout
