"""Readable C and what descends from it: one renderer, a table for each dialect."""
