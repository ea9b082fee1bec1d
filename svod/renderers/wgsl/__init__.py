"""WGSL, the language of WebGPU: what one work item does, as the text of a compute shader."""
