// histogram(data: u8*, counts: i32*, top: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 64 x 1 x 1 work items
#include <metal_stdlib>
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
using namespace metal;
static inline int atomic_add_device_i32(device int *p, int value) { return atomic_fetch_add_explicit((device atomic_int *)p, value, memory_order_relaxed); }
static inline int i32_bits_f32(float x) { return as_type<int>(x); }
static inline float f32_bits_i32(int x) { return as_type<float>(x); }
static inline float max_f32(float a, float b) {
  return a != a ? a : a == b ? f32_bits_i32(i32_bits_f32(a) & i32_bits_f32(b)) : a > b ? a : b;
}
static inline float atomic_max_device_f32(device float *p, float value) {
  device atomic_uint *q = (device atomic_uint *)p;
  uint old = atomic_load_explicit(q, memory_order_relaxed);
  float a = as_type<float>(old);
  while (!atomic_compare_exchange_weak_explicit(q, &old, as_type<uint>(max_f32(a, value)), memory_order_relaxed, memory_order_relaxed)) a = as_type<float>(old);
  return a;
}
[[kernel, max_total_threads_per_threadgroup(64)]] void histogram(const device uchar *data [[buffer(0)]], device int *counts [[buffer(1)]], device float *top [[buffer(2)]], constant long &grid_x [[buffer(3)]], constant long &grid_y [[buffer(4)]], constant long &grid_z [[buffer(5)]], uint3 group_id [[threadgroup_position_in_grid]], uint3 item_id [[thread_position_in_threadgroup]], uint3 grid_id [[thread_position_in_grid]]) {
  uchar data_1 = data[(int)item_id.x + (long)(int)group_id.x * 64];
  atomic_add_device_i32(counts + (int)data_1, 1);
  atomic_max_device_f32(top, (float)data_1);
}
