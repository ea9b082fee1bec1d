"""How the arithmetic of an adapter rounds, and how long its loops may run, found out by computing.

Owns: one shader, and what its results mean. Must not know targets.
Invariant: WGSL lets a quotient be wrong by 2.5 ulp and fma be a product and a sum: nothing is taken as correct that was not tried.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svod.device.webgpu.driver import Driver, bindings

_SHADER = """
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(64)
fn tried(@builtin(global_invocation_id) id: vec3<u32>) {
  let n = arrayLength(&x) / 7u;
  let k = id.x;
  if (k >= n) { return; }
  let a = x[k];
  let b = x[n + k];
  x[3u * n + k] = a / b;
  x[4u * n + k] = sqrt(a);
  x[5u * n + k] = fma(a, b, x[2u * n + k]);
  x[6u * n + k] = (a * 1e-38) * 1e-3;
  if (k == 0u) {
    let stop = x[2u * n + 1u];
    var steps = 0.0;
    for (var i = 0.0; i > stop; i -= 1.0) { steps += 1.0; }
    x[6u * n] = steps;
  }
}
"""
_TRIALS = 4096
_STEPS = 70000
"""More than the 65535 iterations after which drivers of Mesa on the processor end a loop, as if its condition did not hold."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """`quotient`, `root`: correctly rounded in every trial. `fused`: fma rounds once. `subnormals`: are kept.

    `iterations`: after how many, of all its loops, a work item is stopped without a word; 0: it is not.
    """

    quotient: bool = True
    root: bool = True
    fused: bool = False
    subnormals: bool = True
    iterations: int = 0


def rounding(driver: Driver) -> Rounding:
    """What an adapter does. DeviceError if it does not compute at all."""
    rng = np.random.default_rng(7)
    a, b, c = (np.exp2(rng.uniform(-8, 8, _TRIALS)).astype(np.float32) for _ in range(3))
    a[0], b[0], c[0], c[1] = 1 + 2.0**-12, 1 - 2.0**-12, 1.0, _STEPS
    with driver.errors("trying its arithmetic"):
        _, _, _, quotient, root, fused, small = _run(driver, np.concatenate([a, b, -c, *[np.zeros(_TRIALS, np.float32)] * 4]))
    with np.errstate(under="ignore"):
        want = (a.astype(np.float64) * b - c).astype(np.float32)
        steps = int(small[0])
        return Rounding(bool((quotient == a / b).all()), bool((root == np.sqrt(a)).all()), bool((fused == want).mean() > 0.999),
                        bool((small[1:] > 0).any()), steps if steps < _STEPS else 0)


def _run(driver: Driver, data: np.ndarray[tuple[int], np.dtype[np.float32]]) -> list[np.ndarray[tuple[int], np.dtype[np.float32]]]:
    device, usage = driver.device, bindings().BufferUsage
    buffer = device.create_buffer_with_data(data=data, usage=usage.STORAGE | usage.COPY_SRC)
    pipeline = device.create_compute_pipeline(layout="auto", compute={"module": device.create_shader_module(code=_SHADER)})
    entries = [{"binding": 0, "resource": {"buffer": buffer, "offset": 0, "size": data.nbytes}}]
    group = device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=entries)
    encoder = device.create_command_encoder()
    work = encoder.begin_compute_pass()
    work.set_pipeline(pipeline)
    work.set_bind_group(0, group)
    work.dispatch_workgroups(_TRIALS // 64)
    work.end()
    device.queue.submit([encoder.finish()])
    return list(np.frombuffer(device.queue.read_buffer(buffer), np.float32).reshape(7, _TRIALS))
