"""Thread kernels on targets without work items: groups become shares of the cores, work items become loops and lanes."""
from svod.codegen.simt.lower import THREAD_PIPELINE, lower_threads, threads_work
from svod.codegen.simt.reach import threads_elements

__all__ = ["THREAD_PIPELINE", "lower_threads", "threads_elements", "threads_work"]
