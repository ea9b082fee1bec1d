// speaking(data: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 4 x 1 x 1 work items
#pragma OPENCL FP_CONTRACT OFF
static uint atomic_add_global_u32(volatile __global uint *p, uint value) { return atomic_add(p, value); }
static uint u32_bits_f32(float x) { return as_uint(x); }
static uint compare_exchange_global_u32(volatile __global uint *p, uint expected, uint value) {
  return as_uint(atomic_cmpxchg((volatile __global uint *)p, as_uint(expected), as_uint(value)));
}
__kernel __attribute__((reqd_work_group_size(4, 1, 1))) void speaking(const __global float *data, long grid_x, long grid_y, long grid_z, __global uint *record) {
  long item_x1 = (long)get_local_id(0);
  long group_x1 = (long)get_group_id(0);
  long v1 = item_x1 + group_x1 * 4;
  float data_1 = data[v1];
  uint at1 = atomic_add_global_u32(record + 1, 0u);
  if (at1 < 262144u) at1 = atomic_add_global_u32(record + 1, 6u);
  if (at1 + 6u <= 262144u) {
    ulong bits1 = v1;
    record[11 + at1 + 0] = 2704634459u;
    record[11 + at1 + 1] = 242025722u;
    record[11 + at1 + 2] = (uint)bits1;
    record[11 + at1 + 3] = (uint)(bits1 >> 32);
    record[11 + at1 + 4] = (uint)u32_bits_f32(data_1);
    record[11 + at1 + 5] = 0u;
  } else {
    if (at1 < 262144u) record[11 + at1] = 0u;
    atomic_add_global_u32(record + 2, 1u);
  }
  if (!(data_1 < 2.0f) && compare_exchange_global_u32(record + 0, 0u, 1u) == 0u) {
    ulong bits2 = group_x1 + grid_x * ((long)get_group_id(1) + grid_y * (long)get_group_id(2));
    ulong bits3 = item_x1 + (long)get_local_id(1) * 4 + (long)get_local_id(2) * 4;
    record[3] = 3594656681u;
    record[4] = 311539176u;
    record[5] = (uint)bits2;
    record[6] = (uint)(bits2 >> 32);
    record[7] = (uint)bits3;
    record[8] = (uint)(bits3 >> 32);
    record[9] = (uint)u32_bits_f32(data_1);
    record[10] = 0u;
  }
}
