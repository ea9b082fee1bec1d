// histogram(data: u8*, counts: i32*, top: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 64 x 1 x 1 work items
static __device__ __forceinline__ int atomic_add_i32(int *p, int value) { return atomicAdd(p, value); }
static __device__ __forceinline__ float max_f32(float a, float b) {
#if __CUDA_ARCH__ >= 800
  float r;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
#else
  return a != a ? a : a == b ? __int_as_float(__float_as_int(a) & __float_as_int(b)) : a > b ? a : b;
#endif
}
static __device__ __forceinline__ float atomic_max_f32(float *p, float value) {
  unsigned int *q = (unsigned int *)p, old, seen = *(volatile unsigned int *)p;
  do {
    float a = __uint_as_float(seen), b = value;
    old = seen;
    seen = atomicCAS(q, old, __float_as_uint(max_f32(a, b)));
  } while (seen != old);
  return __uint_as_float(seen);
}
extern "C" __global__ __launch_bounds__(64) void histogram(const unsigned char *data, int *counts, float *top, long long grid_x, long long grid_y, long long grid_z) {
  unsigned char data_1 = data[(int)threadIdx.x + (long long)(int)blockIdx.x * 64];
  atomic_add_i32(counts + (int)data_1, 1);
  atomic_max_f32(top, (float)data_1);
}
