// reversed_groups(data: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 32 x 1 x 1 work items
#define INFf __int_as_float(0x7f800000)
#define INF __longlong_as_double(0x7ff0000000000000LL)
#define NOT_A_NUMBERf __int_as_float(0x7fc00000)
#define NOT_A_NUMBER __longlong_as_double(0x7ff8000000000000LL)
extern "C" __global__ __launch_bounds__(32) void reversed_groups(float *data, long long grid_x, long long grid_y, long long grid_z) {
  __shared__ float tile[32];
  int v1 = (int)threadIdx.x;
  long long v2 = v1 + (long long)(int)blockIdx.x * 32;
  tile[v1] = data[v2];
  __syncthreads();
  data[v2] = tile[31 - v1];
}
