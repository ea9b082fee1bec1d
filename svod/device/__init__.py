"""Devices: what a kernel runs on, and the road from a graph to a program."""
