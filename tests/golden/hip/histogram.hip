// histogram(data: u8*, counts: i32*, top: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 64 x 1 x 1 work items
#pragma clang fp contract(off)
#ifndef __global__
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#endif
#define INLINE static __device__ inline __attribute__((always_inline))
INLINE void wait_for_group() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
INLINE int atomic_add_i32(int *p, int value) { return __hip_atomic_fetch_add(p, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT); }
INLINE int i32_bits_f32(float x) { return __builtin_bit_cast(int, x); }
INLINE float f32_bits_i32(int x) { return __builtin_bit_cast(float, x); }
INLINE float max_f32(float a, float b) {
  return a != a ? a : a == b ? f32_bits_i32(i32_bits_f32(a) & i32_bits_f32(b)) : a > b ? a : b;
}
INLINE unsigned int u32_bits_f32(float x) { return __builtin_bit_cast(unsigned int, x); }
INLINE float atomic_max_f32(float *p, float value) {
  float old = __hip_atomic_load(p, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  while (!__hip_atomic_compare_exchange_strong((unsigned int *)p, (unsigned int *)&old, u32_bits_f32(max_f32(old, value)), __ATOMIC_RELAXED, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT)) {}
  return old;
}
extern "C" __global__ __attribute__((amdgpu_flat_work_group_size(64, 64))) void histogram(const unsigned char *data, int *counts, float *top, long long grid_x, long long grid_y, long long grid_z) {
  long long v1 = (int)__builtin_amdgcn_workitem_id_x() + (long long)(int)__builtin_amdgcn_workgroup_id_x() * 64;
  unsigned char data_1 = data[v1];
  atomic_add_i32(counts + (int)data_1, 1);
  atomic_max_f32(top, (float)data_1);
}
