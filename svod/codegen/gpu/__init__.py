"""Kernels on targets whose work items have ids: statements become the program of one work item, loops a grid of them."""
