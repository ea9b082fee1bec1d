// reversed_groups(data: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 32 x 1 x 1 work items
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
extern "C" __global__ __attribute__((amdgpu_flat_work_group_size(32, 32))) void reversed_groups(float *data, long long grid_x, long long grid_y, long long grid_z) {
  __shared__ float tile[32];
  int item_x1 = (int)__builtin_amdgcn_workitem_id_x();
  long long v1 = item_x1 + (long long)(int)__builtin_amdgcn_workgroup_id_x() * 32;
  tile[item_x1] = data[v1];
  wait_for_group();
  data[v1] = tile[31 - item_x1];
}
