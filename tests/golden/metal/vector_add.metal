// vector_add(out: f32*, a: f32*, b: f32*, n: index)
// ((n + 127) >> 7) x 1 x 1 of groups of 128 x 1 x 1 work items
#include <metal_stdlib>
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
using namespace metal;
[[kernel, max_total_threads_per_threadgroup(128)]] void vector_add(device float *out [[buffer(0)]], const device float *a [[buffer(1)]], const device float *b [[buffer(2)]], constant long &n [[buffer(3)]], uint3 group_id [[threadgroup_position_in_grid]], uint3 item_id [[thread_position_in_threadgroup]], uint3 grid_id [[thread_position_in_grid]]) {
  int v1 = (int)group_id.x * 128 + (int)item_id.x;
  if (v1 < (int)n) {
    out[v1] = a[v1] + b[v1];
  }
}
