// handed_round(out: f32*, a: f32*)
// 40 x 1 x 1 of groups of 32 x 1 x 1 work items, in 2 phases, each behind the one before; 6400 bytes of scratch
#include <metal_stdlib>
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
using namespace metal;
[[kernel, max_total_threads_per_threadgroup(32)]] void handed_round(device float *out [[buffer(0)]], const device float *a [[buffer(1)]], device uchar *scratch [[buffer(2)]], uint3 group_id [[threadgroup_position_in_grid]], uint3 item_id [[thread_position_in_threadgroup]], uint3 grid_id [[thread_position_in_grid]]) {
  device float *twice = (device float *)scratch;
  device uchar *odd = (device uchar *)(scratch + 5120);
  int v1 = (int)group_id.x * 32 + (int)item_id.x;
  twice[v1] = a[v1] * (float)2L;
  odd[v1] = (uchar)(v1 & 1);
}
[[kernel, max_total_threads_per_threadgroup(32)]] void handed_round_phase2(device float *out [[buffer(0)]], const device float *a [[buffer(1)]], device uchar *scratch [[buffer(2)]], uint3 group_id [[threadgroup_position_in_grid]], uint3 item_id [[thread_position_in_threadgroup]], uint3 grid_id [[thread_position_in_grid]]) {
  device float *twice = (device float *)scratch;
  device uchar *odd = (device uchar *)(scratch + 5120);
  int v1 = (int)group_id.x * 32 + (int)item_id.x;
  out[v1] = twice[1279 - v1] + (float)odd[v1];
}
