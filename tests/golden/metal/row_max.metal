// row_max(out: f32*, a: f32*)
// 500 x 1 x 1 of groups of 64 x 2 x 1 work items
#include <metal_stdlib>
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
using namespace metal;
[[kernel, max_total_threads_per_threadgroup(128)]] void row_max(device float *out [[buffer(0)]], const device float *a [[buffer(1)]], uint3 group_id [[threadgroup_position_in_grid]], uint3 item_id [[thread_position_in_threadgroup]], uint3 grid_id [[thread_position_in_grid]]) {
  threadgroup float partial[128];
  float acc;
  acc = -INFINITY;
  int item_x1 = (int)item_id.x;
  int group_x1 = (int)group_id.x;
  int item_y1 = (int)item_id.y;
  int v1 = item_y1 * 64;
  int v2 = item_x1 + group_x1 * 128 + v1;
  for (int i0 = 0; i0 < 1; ++i0) {
    float a_1 = a[v2 + i0 * 64];
    float acc_1 = acc;
    acc = a_1 != a_1 ? a_1 : acc_1 < a_1 ? a_1 : acc_1;
  }
  int v3 = item_x1 + v1;
  partial[v3] = acc;
  threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
  if (item_x1 < 8) {
    float partial_1 = partial[v3];
    float partial_2 = partial[v3 + 8];
    float partial_3 = partial[v3 + 16];
    float partial_4 = partial[v3 + 24];
    float partial_5 = partial[v3 + 32];
    float partial_6 = partial[v3 + 40];
    float partial_7 = partial[v3 + 48];
    float partial_8 = partial[v3 + 56];
    float v4 = partial_2 != partial_2 ? partial_2 : partial_1 < partial_2 ? partial_2 : partial_1;
    float v5 = partial_3 != partial_3 ? partial_3 : v4 < partial_3 ? partial_3 : v4;
    float v6 = partial_4 != partial_4 ? partial_4 : v5 < partial_4 ? partial_4 : v5;
    float v7 = partial_5 != partial_5 ? partial_5 : v6 < partial_5 ? partial_5 : v6;
    float v8 = partial_6 != partial_6 ? partial_6 : v7 < partial_6 ? partial_6 : v7;
    float v9 = partial_7 != partial_7 ? partial_7 : v8 < partial_7 ? partial_7 : v8;
    partial[v3] = partial_8 != partial_8 ? partial_8 : v9 < partial_8 ? partial_8 : v9;
  }
  threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
  float partial_9 = partial[v1];
  float partial_10 = partial[v1 + 1];
  float partial_11 = partial[v1 + 2];
  float partial_12 = partial[v1 + 3];
  float partial_13 = partial[v1 + 4];
  float partial_14 = partial[v1 + 5];
  float partial_15 = partial[v1 + 6];
  float partial_16 = partial[v1 + 7];
  if (item_x1 == 0) {
    float v10 = partial_10 != partial_10 ? partial_10 : partial_9 < partial_10 ? partial_10 : partial_9;
    float v11 = partial_11 != partial_11 ? partial_11 : v10 < partial_11 ? partial_11 : v10;
    float v12 = partial_12 != partial_12 ? partial_12 : v11 < partial_12 ? partial_12 : v11;
    float v13 = partial_13 != partial_13 ? partial_13 : v12 < partial_13 ? partial_13 : v12;
    float v14 = partial_14 != partial_14 ? partial_14 : v13 < partial_14 ? partial_14 : v13;
    float v15 = partial_15 != partial_15 ? partial_15 : v14 < partial_15 ? partial_15 : v14;
    out[group_x1 * 2 + item_y1] = partial_16 != partial_16 ? partial_16 : v15 < partial_16 ? partial_16 : v15;
  }
}
