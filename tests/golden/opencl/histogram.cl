// histogram(data: u8*, counts: i32*, top: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 64 x 1 x 1 work items
#pragma OPENCL FP_CONTRACT OFF
static int atomic_add_global_i32(volatile __global int *p, int value) { return atomic_add(p, value); }
static int i32_bits_f32(float x) { return as_int(x); }
static float f32_bits_i32(int x) { return as_float(x); }
static float max_f32(float a, float b) {
  return a != a ? a : a == b ? f32_bits_i32(i32_bits_f32(a) & i32_bits_f32(b)) : a > b ? a : b;
}
static float atomic_max_global_f32(volatile __global float *p, float value) {
  volatile __global uint *q = (volatile __global uint *)p;
  uint old, seen = atomic_cmpxchg(q, 0, 0);
  do {
    float a = as_float(seen);
    old = seen;
    seen = atomic_cmpxchg(q, old, as_uint((float)(max_f32(a, value))));
  } while (seen != old);
  return as_float(seen);
}
__kernel __attribute__((reqd_work_group_size(64, 1, 1))) void histogram(const __global uchar *data, __global int *counts, __global float *top, long grid_x, long grid_y, long grid_z) {
  uchar data_1 = data[(long)get_local_id(0) + (long)get_group_id(0) * 64];
  atomic_add_global_i32(counts + (long)data_1, 1);
  atomic_max_global_f32(top, (float)data_1);
}
