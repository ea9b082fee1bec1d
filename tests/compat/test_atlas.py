"""The dialect "atlas": R1 to R4, R11 to R14, R17, R19; its kernels with nothing changed but the import line."""
from __future__ import annotations

import importlib.util
import json
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import svod.compat.atlas.atlas_kernel as ak
from svod.compat.atlas import AtlasCompiler, aliases, compile_to_json, kernel_of, launch, load
from svod.compat.atlas.atlas_kernel import (
    DeviceArray,
    atomic_add,
    atomic_add_f32,
    atomic_add_i32,
    atomic_add_u32,
    atomic_min,
    cosf,
    exp,
    expf,
    f32,
    f64,
    get_global_id,
    i8,
    i16,
    i32,
    i64,
    inline,
    logf,
    parallel_map_binary,
    parallel_map_unary,
    parallel_reduce,
    sinf,
    sqrtf,
    u8,
    u16,
    u32,
    u64,
    usize,
)
from svod.compat.atlas.compiler import CompileError, atlas_kernel
from svod.errors import KernelError, LaunchError, SvodError
from svod.lang.schema import structure

DEVICES = ("CPU", "INTERP")
VALIDATOR = jsonschema.Draft202012Validator(json.loads((Path(structure.__file__).parent / "kernel-1.0.json").read_text(encoding="utf-8")))


# --- the kernels that the documents of the dialect show, as they stand there --------------------------------------------------------------

def vector_add(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    """Add two vectors element-wise: c = a + b"""
    idx = get_global_id()
    if idx < n:
        c[idx] = a[idx] + b[idx]


def scale_in_place(a: DeviceArray[f32], n: u32):
    idx = get_global_id()  # No need to define this!
    if idx < n:
        a[idx] = a[idx] * 2.0


def vector_dot(a: DeviceArray[f32], b: DeviceArray[f32], result: DeviceArray[f32], n: u32):
    """Compute dot product: result = Σ(a[i] * b[i])"""
    idx = get_global_id()
    if idx < n:
        product = a[idx] * b[idx]
        atomic_add_f32(result, product)


def vector_sum(a: DeviceArray[f32], result: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        atomic_add_f32(result, a[idx])


def custom_operation(
    input: DeviceArray[f32],
    output: DeviceArray[f32],
    n: u32,
):
    """Your custom kernel operation"""
    idx = get_global_id()
    if idx < n:
        output[idx] = input[idx] * 2.0


def my_custom_op(
    input: DeviceArray[f32],
    output: DeviceArray[f32],
    n: u32,
):
    idx = get_global_id()
    if idx < n:
        output[idx] = input[idx] ** 2.0


# --- kernels of the same dialect that they name ---------------------------------------------------------------------------------------

def gemm_f32(A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32],  # noqa: PLR0917
             m: u32, n: u32, k: u32, lda: u32, ldb: u32, ldc: u32):
    """One work item for each element of the result."""
    idx = get_global_id()
    total = m * n
    if idx < total:
        row = idx // n
        col = idx % n
        sum_val = 0.0
        for i in range(k):
            sum_val = sum_val + A[row * lda + i] * B[i * ldb + col]
        C[row * ldc + col] = sum_val


def gemv_f32(A: DeviceArray[f32], x: DeviceArray[f32], y: DeviceArray[f32], m: u32, n: u32, lda: u32):
    row = get_global_id()
    if row < m:
        acc = 0.0
        for j in range(n):
            acc += A[row * lda + j] * x[j]
        y[row] = acc


def relu(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        x = a[idx]
        if x > 0.0:
            b[idx] = x
        else:
            b[idx] = 0.0


def mathematics(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        b[idx] = sinf(a[idx]) + cosf(a[idx]) + expf(a[idx]) + logf(a[idx]) + sqrtf(a[idx]) + exp(-a[idx])


# --- R1, R2, R3, R4 -----------------------------------------------------------------------------------------------------------------------

IMPORT_BLOCK = """
from atlas_kernel import (
    DeviceArray,    # Type annotation for device arrays
    f32, f64,       # Floating point types
    i8, i16, i32, i64,   # Signed integers
    u8, u16, u32, u64,   # Unsigned integers
    get_global_id,  # Get thread ID (replaced during compilation)
    atomic_add_f32, # Atomic operations for reductions
)
from atlas_kernel import atomic_add_u32, atomic_add_i32
"""


def test_r2_the_import_block_of_the_readme_runs() -> None:
    scope: dict[str, Any] = {}
    with aliases():
        exec(IMPORT_BLOCK, scope)
    assert scope["i8"] is i8
    assert scope["atomic_add_u32"] is atomic_add_u32
    with pytest.raises(ImportError):
        exec("import atlas_kernel", {})


def test_r1_a_file_of_the_dialect_runs_with_its_own_import_line(tmp_path: Path) -> None:
    path = tmp_path / "my_kernel.py"
    path.write_text(textwrap.dedent('''
        """My Kernel - Brief description"""

        from atlas_kernel import DeviceArray, f32, u32, get_global_id
        from compiler import compile_to_json

        def my_kernel(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], n: u32):
            """Description of kernel"""
            idx = get_global_id()
            if idx < n:
                c[idx] = a[idx] + b[idx]

        json_schema = compile_to_json(my_kernel, output_path=__file__.replace(".py", ".json"))
    '''), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("my_kernel", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with aliases():
        spec.loader.exec_module(module)
    a, c = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
    launch(module.my_kernel, a, a, c, 5)
    assert c.tolist() == [0, 2, 4, 6, 8]
    assert (tmp_path / "my_kernel.json").read_text(encoding="utf-8") == module.json_schema


def test_r3_the_further_names_are_there() -> None:
    for name in ("usize", "atomic_add", "atomic_min", "expf", "logf", "sinf", "cosf", "sqrtf", "exp", "sqrt", "rsqrt", "inline",
                 "parallel_map_unary", "parallel_map_binary", "parallel_reduce"):
        assert hasattr(ak, name)
    assert set(ak.__all__) <= set(dir(ak)) | set(ak.__all__)
    with pytest.raises(AttributeError, match="no name 'expg'"):
        ak.expg  # noqa: B018


def test_r3_outside_a_kernel_a_function_computes_or_fails_clearly() -> None:
    assert expf(0.0) == 1.0
    assert sqrtf(9.0) == 3.0
    assert f32(1) == np.float32(1)
    assert type(usize(3)) is np.uint64
    assert inline(lambda v: v + 1)(2) == 3
    for function, arguments in ((get_global_id, ()), (atomic_add_f32, ([0.0], 1.0)), (atomic_add, ([0], 0, 1)), (atomic_min, ([0], 0, 1)),
                                (parallel_map_unary, ([1.0], [0.0], "exp", 1)), (parallel_reduce, ([1.0], [0.0], "sum", 1))):
        with pytest.raises(KernelError, match="can only be called in a kernel"):
            function(*arguments)


def scalar(kind: str) -> dict[str, str]:
    return {"kind": "scalar", "type": kind}


KINDS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "bool", "i32", "f32", "usize", "u32", "f32")


def takes_all(a: DeviceArray[f64], b: i8, c: i16,  # noqa: PLR0917
              d: i32, e: i64, f: u8, g: u16, h: u32, i: u64, j: f32, k: f64, m: bool, o: int,
              p: float, q: usize, r: ak.u32, s: "DeviceArray[u8]", t: "ak.f32"):  # noqa: UP037
    a[0] = 1.0


def test_r4_r21_every_annotation_has_its_type_object() -> None:
    params = AtlasCompiler().compile_function(takes_all)["kernel"]["params"]
    expected = {"a": {"kind": "device_array", "element_type": scalar("f64")}, "s": {"kind": "device_array", "element_type": scalar("u8")}}
    expected |= {name: scalar(kind) for name, kind in zip("bcdefghijkmopqrt", KINDS, strict=True)}
    assert {p["name"]: p["type"] for p in params} == expected


# --- R11 to R14, R16 ----------------------------------------------------------------------------------------------------------------------

@pytest.mark.devices(*DEVICES)
class TestKernels:
    @pytest.mark.parametrize("form", ["function", "document"])
    @pytest.mark.parametrize("n", [0, 1, 31, 1000])
    def test_elementwise(self, device: str, form: str, n: int) -> None:
        a, b = np.arange(n, dtype=np.float32) + 1, np.ones(n, np.float32)
        for function, arguments, expected in (
            (vector_add, (a, b), a + b), (custom_operation, (a,), 2 * a), (my_custom_op, (a,), a * a),
            (relu, (a - 5,), np.maximum(a - 5, 0)), (mathematics, (a / n if n else a,), None),
        ):
            out = np.zeros(n, np.float32)
            run(function, form, device)(*arguments, out, n)
            if expected is None:
                v = arguments[0].astype(np.float64)
                exact = np.sin(v) + np.cos(v) + np.exp(v) + np.log(v) + np.sqrt(v) + np.exp(-v)
                np.testing.assert_allclose(out, exact, rtol=1e-5, atol=1e-6)
            else:
                assert out.tolist() == expected.tolist()

    @pytest.mark.parametrize("form", ["function", "document"])
    @pytest.mark.parametrize("n", [1, 31, 3072])
    def test_r13_dot_and_sum_of_the_readme_add_up(self, device: str, form: str, n: int) -> None:
        a, result = np.full(n, 2, np.float32), np.zeros(1, np.float32)
        run(vector_dot, form, device)(a, a, result, n)
        assert result[0] == 4 * n
        run(vector_sum, form, device)(a, result, n)
        assert result[0] == 6 * n

    def test_r13_a_million_terms(self, device: str) -> None:
        n = 1_000_000 if device == "CPU" else 5000
        a, result = np.ones(n, np.float32), np.zeros(1, np.float32)
        launch(vector_sum, a, result, n, device=device)
        assert result[0] == n

    @pytest.mark.parametrize("form", ["function", "document"])
    def test_r15_integers_wrap_floor_and_reach_their_limits(self, device: str, form: str) -> None:
        a = np.array([-7, 7, 2**31 - 1, -(2**31), 0], np.int32)
        b = np.array([0, 1, 2**31, 2**32 - 1, 3], np.uint32)
        out, whole, ratio = np.zeros(15, np.int32), np.zeros(10, np.uint32), np.zeros(5, np.float32)
        run(integers, form, device)(a, b, out, whole, ratio, 5)
        wide = a.astype(np.int64)
        assert out[0::3].tolist() == (wide + 1).astype(np.int32).tolist()
        assert out[1::3].tolist() == (wide // 2).tolist()
        assert out[2::3].tolist() == (wide % -3).tolist()
        assert whole[0::2].tolist() == (b.astype(np.uint64) * 3 % 2**32).tolist()
        assert whole[1::2].tolist() == ((b.astype(np.int64) - 1) % 2**32).tolist()
        np.testing.assert_array_equal(ratio, a.astype(np.float32) / np.float32(2))

    @pytest.mark.parametrize("form", ["function", "document"])
    def test_r14_gemm_runs_m_times_n_work_items(self, device: str, form: str) -> None:
        random = np.random.default_rng(0)
        a, b = random.integers(-4, 5, (7, 4)).astype(np.float32), random.integers(-4, 5, (3, 6)).astype(np.float32)
        c = np.full((7, 8), -1, np.float32)
        kernel = run(gemm_f32, form, device)
        arguments = (a.reshape(-1), b.reshape(-1), c.reshape(-1), 7, 5, 3, 4, 6, 8)
        kernel(*arguments)
        assert (c[:, :5] == a[:, :3] @ b[:, :5]).all()
        assert (c[:, 5:] == -1).all()
        assert kernel.count(*arguments) == 35

    def test_gemv(self, device: str) -> None:
        a, x, y = np.arange(15, dtype=np.float32).reshape(3, 5), np.ones(4, np.float32), np.zeros(3, np.float32)
        launch(gemv_f32, a.reshape(-1), x, y, 3, 4, 5, device=device)
        assert y.tolist() == a[:, :4].sum(axis=1).tolist()

    def test_r12_atomics_are_exact_and_give_the_old_value(self, device: str) -> None:
        n = 10000 if device == "CPU" else 500
        keys = (np.arange(n) % 7).astype(np.int32)
        bins, places, least = np.zeros(7, np.int32), np.zeros(n, np.int32), np.full(1, 99, np.int32)
        launch(histogram, keys, bins, places, least, n, device=device)
        assert bins.tolist() == np.bincount(keys, minlength=7).tolist()
        assert least[0] == -n
        for key in range(7):
            assert sorted(places[keys == key]) == list(range(int(bins[key])))
        counts, wrapped = np.zeros(2, np.int32), np.full(1, 2**32 - 1, np.uint32)
        launch(count_up, counts, wrapped, n, device=device)
        assert counts.tolist() == [n, 0]
        assert wrapped[0] == n - 1

    def test_r3_r27_the_parallel_functions(self, device: str) -> None:
        a, b, out = np.arange(1, 9, dtype=np.float32), np.full(8, 2, np.float32), np.zeros(8, np.float32)
        launch(mapped, a, out, 8, threads=8, device=device)
        np.testing.assert_allclose(out, np.sqrt(a), rtol=1e-6)
        launch(mapped_two, a, b, out, 8, threads=8, device=device)
        assert out.tolist() == (a * b).tolist()
        launch(reduced, a, out, 8, threads=8, device=device)
        assert out[0] == 36


def integers(a: DeviceArray[i32], b: DeviceArray[u32], out: DeviceArray[i32], whole: DeviceArray[u32], ratio: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        out[idx * 3] = a[idx] + 1
        out[idx * 3 + 1] = a[idx] // 2
        out[idx * 3 + 2] = a[idx] % -3
        whole[idx * 2] = b[idx] * 3
        whole[idx * 2 + 1] = b[idx] - 1
        ratio[idx] = a[idx] / 2


def histogram(keys: DeviceArray[i32], bins: DeviceArray[i32], places: DeviceArray[i32], least: DeviceArray[i32], n: u32):
    idx = get_global_id()
    if idx < n:
        places[idx] = atomic_add(bins, keys[idx], 1)
        atomic_min(least, 0, -i32(idx) - 1)


def count_up(counts: DeviceArray[i32], wrapped: DeviceArray[u32], n: u32):
    if get_global_id() < n:
        atomic_add_i32(counts, 1)
        atomic_add_u32(wrapped, 1)


def mapped(a: DeviceArray[f32], out: DeviceArray[f32], n: u32):
    parallel_map_unary(a, out, "sqrt", n)


def mapped_two(a: DeviceArray[f32], b: DeviceArray[f32], out: DeviceArray[f32], n: u32):
    parallel_map_binary(a, b, out, "mul", n)


def reduced(a: DeviceArray[f32], out: DeviceArray[f32], n: u32):
    parallel_reduce(a, out, "sum", n)


def run(function: Callable[..., Any], form: str, device: str) -> Any:
    """The kernel of a function, or of its document, which the published schema finds valid."""
    if form == "function":
        return kernel_of(function).on(device)
    text = compile_to_json(function)
    VALIDATOR.validate(json.loads(text))
    return load(text).on(device)


def test_r12_an_atomic_of_another_type_is_refused() -> None:
    def wrong(a: DeviceArray[f64], n: u32):
        atomic_add_f32(a, 1.0)

    with pytest.raises(KernelError, match=r"atomic_add_f32\(\) of an array of f64"):
        launch(wrong, np.zeros(1), 1)


def test_r11_every_call_of_the_id_gives_the_same() -> None:
    out = np.zeros(5, np.int32)
    launch(ids_differ, out, 5)
    assert out.tolist() == [0] * 5


def ids_differ(out: DeviceArray[i32], n: u32):
    if get_global_id() < n:
        out[get_global_id()] = get_global_id() - get_global_id()


def test_a_kernel_without_guard_wants_the_number_of_work_items() -> None:
    def unguarded(a: DeviceArray[f32]):
        a[get_global_id()] = 1.0

    a = np.zeros(4, np.float32)
    with pytest.raises(LaunchError, match=r"'unguarded' does not say how many work items it is for(.|\n)*threads=n"):
        launch(unguarded, a)
    launch(unguarded, a, threads=3)
    assert a.tolist() == [1, 1, 1, 0]


# --- R17, R19, R29 ------------------------------------------------------------------------------------------------------------------------

decorated = atlas_kernel(scale_in_place)


def test_r17_a_decorated_kernel_is_not_called() -> None:
    assert decorated.__name__ == "scale_in_place"
    assert decorated._atlas_kernel is scale_in_place  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError) as e:
        decorated(np.zeros(1), 1)
    assert str(e.value) == "Kernel scale_in_place cannot be called directly. Use compile_to_json() to compile it first."
    assert isinstance(e.value, SvodError)


def test_r17_it_compiles_and_runs_as_the_plain_one() -> None:
    assert compile_to_json(decorated) == compile_to_json(scale_in_place)
    a = np.ones(3, np.float32)
    launch(decorated, a, 3)
    assert a.tolist() == [2, 2, 2]


def test_r19_the_text_is_indented_by_two_and_written_where_asked(tmp_path: Path) -> None:
    text = compile_to_json(vector_add, output_path=str(tmp_path / "add.json"))
    assert (tmp_path / "add.json").read_text(encoding="utf-8") == text
    assert text == json.dumps(json.loads(text), indent=2)
    assert AtlasCompiler().compile_function(vector_add) == json.loads(text)
    with pytest.raises(OSError, match="absent"):
        compile_to_json(vector_add, tmp_path / "absent" / "add.json")


def _wrong() -> dict[str, Any]:  # noqa: C901
    def unannotated(a: DeviceArray[f32], n):
        a[0] = n

    def text_annotation(a: DeviceArray[f32], n: str):
        a[0] = n

    def half(a: DeviceArray[ak.f32], n: np.float16):
        a[0] = 1.0

    def comprehension(a: DeviceArray[f32], n: u32):
        a[0] = [n for _ in (1,)]

    def many_bounds(a: DeviceArray[f32], n: u32):
        for i in range(0, n, 1, 1):
            a[i] = 1.0

    def tuple_target(a: DeviceArray[f32], n: u32):
        for i, j in range(n):
            a[i] = j

    def keywords(a: DeviceArray[f32], *, n: u32):
        a[0] = 1.0

    def starred(a: DeviceArray[f32], *n: u32):
        a[0] = 1.0

    def recursive(v: Any) -> Any:
        return recursive(v)

    def calls_itself(a: DeviceArray[f32], n: u32):
        a[0] = recursive(n)

    def two_returns(v: Any) -> Any:
        if v > 0:
            return v
        return -v

    def calls_two(a: DeviceArray[f32], n: f32):
        a[0] = two_returns(n)

    return {k: v for k, v in locals().items() if isinstance(v, types.FunctionType)}


@pytest.mark.parametrize(("name", "message"), [
    ("unannotated", "All kernel parameters must have type annotations"),
    ("text_annotation", "Unsupported type annotation: "),
    ("half", "Unsupported scalar type: f16"),
    ("comprehension", "Unsupported expression: ListComp"),
    ("many_bounds", r"Invalid range\(\) call"),
    ("tuple_target", "For loop target must be a simple variable"),
    ("keywords", "Unsupported type annotation: a keyword-only parameter"),
    ("starred", "a kernel has a fixed list of parameters"),
    ("calls_itself", "Recursive inline function not allowed: recursive"),
    ("calls_two", r"Inline function two_returns must contain only a return statement \(excluding docstring\)"),
])
def test_r18_r29_compile_errors_are_value_errors_with_the_line(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as e:
        compile_to_json(_wrong()[name])
    assert isinstance(e.value, CompileError)
    assert "test_atlas.py:" in e.value.at


def test_r29_the_wrong_element_type_names_itself() -> None:
    with pytest.raises(KernelError, match="Unsupported scalar type: 'f32x'"):
        DeviceArray["f32x"]
