// reversed_groups(data: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 32 x 1 x 1 work items
#pragma OPENCL FP_CONTRACT OFF
__kernel __attribute__((reqd_work_group_size(32, 1, 1))) void reversed_groups(__global float *data, long grid_x, long grid_y, long grid_z) {
  __local float tile[32];
  long item_x1 = (long)get_local_id(0);
  long v1 = item_x1 + (long)get_group_id(0) * 32;
  tile[item_x1] = data[v1];
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  data[v1] = tile[31 - item_x1];
}
