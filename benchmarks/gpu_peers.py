"""What svod is compared with on a GPU: torch, CuPy and Triton, each where it can be imported and has a device.

Owns: how each does a case, on arrays of its own. Must not know how calls are timed.
Invariant: a launcher does its case n times and waits once, so that what waiting costs is shared.
"""
from __future__ import annotations

import importlib.util
from collections.abc import Callable

from gpu_cases import Case

Launcher = Callable[[int], None]


def torch_peer(case: Case) -> Launcher | None:
    """torch on its GPU, or on the CPU where it has none; None for what it is not asked to do, or where there is no torch."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    where = "cuda" if torch.cuda.is_available() else "cpu"
    kinds = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
    args = [torch.from_numpy(x.astype("float32")).to(where, kinds[str(case.dtype)]) for x in case.inputs]
    out = torch.empty(case.want.shape, dtype=kinds[str(case.dtype)], device=where)
    f = torch.nn.functional
    torch.backends.cuda.matmul.allow_tf32 = False
    calls: dict[str, Callable[[], object]] = {
        "copy": lambda: out.copy_(args[0]), "add": lambda: torch.add(args[0], args[1], out=out),
        "chain": lambda: torch.relu_(torch.addcmul(args[2], args[0], args[1], out=out)).mul_(0.5),
        "transpose": lambda: out.copy_(args[0].T), "softmax": lambda: torch.softmax(args[0], 1, out=out) if where == "cuda" else
        f.softmax(args[0], 1), "layernorm": lambda: f.layer_norm(args[0], args[0].shape[1:], args[1], args[2]),
        "row_sums": lambda: torch.sum(args[0], 1, out=out), "column_sums": lambda: torch.sum(args[0], 0, out=out),
        "sum": lambda: torch.sum(args[0]),
        **{f"matmul_{k}": lambda: torch.matmul(args[0], args[1], out=out) for k in kinds},
    }
    return _repeated(calls[case.name], torch.cuda.synchronize if where == "cuda" else None)


def cupy_peer(case: Case) -> Launcher | None:
    """CuPy on its GPU; None for bf16, or where there is no CuPy."""
    if importlib.util.find_spec("cupy") is None or str(case.dtype) == "bf16":
        return None
    import cupy as cp

    args, out = [cp.asarray(x) for x in case.inputs], cp.empty(case.want.shape, case.inputs[0].dtype)
    fused = cp.fuse(lambda a, b, c: cp.maximum(a * b + c, cp.float32(0)) * cp.float32(0.5))

    def softmax() -> object:
        e = cp.exp(args[0] - args[0].max(1, keepdims=True))
        return cp.divide(e, e.sum(1, keepdims=True), out=out)

    def layernorm() -> object:
        d = args[0] - args[0].mean(1, keepdims=True)
        return d / cp.sqrt((d * d).mean(1, keepdims=True) + cp.float32(1e-5)) * args[1] + args[2]

    calls: dict[str, Callable[[], object]] = {
        "copy": lambda: cp.copyto(out, args[0]), "add": lambda: cp.add(args[0], args[1], out=out), "chain": lambda: fused(*args),
        "transpose": lambda: cp.copyto(out, args[0].T), "softmax": softmax, "layernorm": layernorm,
        "row_sums": lambda: args[0].sum(1, out=out), "column_sums": lambda: args[0].sum(0, out=out), "sum": args[0].sum,
        "matmul_f32": lambda: cp.matmul(args[0], args[1], out=out), "matmul_f16": lambda: cp.matmul(args[0], args[1], out=out),
    }
    return _repeated(calls[case.name], cp.cuda.get_current_stream().synchronize)


def triton_peer(case: Case) -> Launcher | None:
    """Triton, for the kernels of its tutorials: add, softmax and products; None for the others, or where it or a GPU lacks."""
    if importlib.util.find_spec("triton") is None or importlib.util.find_spec("torch") is None:
        return None
    import torch

    if not torch.cuda.is_available():
        return None
    import gpu_triton

    call = gpu_triton.call(case)
    return None if call is None else _repeated(call, torch.cuda.synchronize)


def _repeated(call: Callable[[], object], wait: Callable[[], object] | None) -> Launcher:
    def launch(n: int) -> None:
        for _ in range(n):
            call()
        if wait is not None:
            wait()
    return launch


PEERS: dict[str, Callable[[Case], Launcher | None]] = {"torch": torch_peer, "cupy": cupy_peer, "triton": triton_peer}
