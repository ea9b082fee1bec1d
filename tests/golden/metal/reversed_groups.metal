// reversed_groups(data: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 32 x 1 x 1 work items
#include <metal_stdlib>
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
using namespace metal;
[[kernel, max_total_threads_per_threadgroup(32)]] void reversed_groups(device float *data [[buffer(0)]], constant long &grid_x [[buffer(1)]], constant long &grid_y [[buffer(2)]], constant long &grid_z [[buffer(3)]], uint3 group_id [[threadgroup_position_in_grid]], uint3 item_id [[thread_position_in_threadgroup]], uint3 grid_id [[thread_position_in_grid]]) {
  threadgroup float tile[32];
  int item_x1 = (int)item_id.x;
  long v1 = item_x1 + (long)(int)group_id.x * 32;
  tile[item_x1] = data[v1];
  threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
  data[v1] = tile[31 - item_x1];
}
