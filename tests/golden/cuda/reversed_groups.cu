// reversed_groups(data: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 32 x 1 x 1 work items
extern "C" __global__ __launch_bounds__(32) void reversed_groups(float *data, long long grid_x, long long grid_y, long long grid_z) {
  __shared__ __align__(16) float tile[32];
  int item_x1 = (int)threadIdx.x;
  long long v1 = item_x1 + (long long)(int)blockIdx.x * 32;
  tile[item_x1] = data[v1];
  __syncthreads();
  data[v1] = tile[31 - item_x1];
}
