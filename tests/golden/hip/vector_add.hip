// vector_add(out: f32*, a: f32*, b: f32*, n: index)
// ((n + 127) >> 7) x 1 x 1 of groups of 128 x 1 x 1 work items
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
extern "C" __global__ __attribute__((amdgpu_flat_work_group_size(128, 128))) void vector_add(float *out, const float *a, const float *b, long long n) {
  int v1 = (int)__builtin_amdgcn_workgroup_id_x() * 128 + (int)__builtin_amdgcn_workitem_id_x();
  if (v1 < (int)n) {
    out[v1] = a[v1] + b[v1];
  }
}
