"""Kernels with a race, an access out of bounds and a barrier that not all meet: the simulator has to find each, else its silence means
nothing. They are OpenCL C as svod would write it if it were wrong."""
from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pyopencl as cl

WRONG = {
    "Read-write data race": """
__kernel void wrong(__global float *out) {
  __local float tile[16];
  long i = get_local_id(0);
  tile[i] = i;
  out[i] = tile[15 - i];
}""",
    "Invalid write of size 4": "__kernel void wrong(__global float *out) { out[get_global_id(0) + 8] = 1; }",
    "Work-group divergence": """
__kernel void wrong(__global float *out) {
  if (get_local_id(0) < 3) barrier(CLK_LOCAL_MEM_FENCE);
  out[get_global_id(0)] = 1;
}""",
}


def main() -> int:
    """The number of mistakes that were not found."""
    log = Path(os.environ["OCLGRIND_LOG"])
    device = cl.get_platforms()[0].get_devices()[0]
    context = cl.Context([device])
    queue = cl.CommandQueue(context)
    for source in WRONG.values():
        out = cl.Buffer(context, cl.mem_flags.READ_WRITE, 16 * 4)
        cl.enqueue_copy(queue, out, np.zeros(16, np.float32))
        kernel = cl.Program(context, source).build(cache_dir=False).all_kernels()[0]  # type: ignore[arg-type]
        kernel.set_args(out)
        cl.enqueue_nd_range_kernel(queue, kernel, (16,), (16,))
        queue.finish()
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    missed = [what for what in WRONG if what not in said]
    for what in missed:
        print(f"not found: {what}\n{said[:2000]}")
    print(f"{len(WRONG) - len(missed)} of {len(WRONG)} mistakes found")
    return len(missed)


if __name__ == "__main__":
    sys.exit(main())
