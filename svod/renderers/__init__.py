"""Renderers: linear programs to source text, one folder for each family of languages."""
