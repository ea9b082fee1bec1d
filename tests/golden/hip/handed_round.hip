// handed_round(out: f32*, a: f32*)
// 40 x 1 x 1 of groups of 32 x 1 x 1 work items, in 2 phases, each behind the one before; 6400 bytes of scratch
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
extern "C" __global__ __attribute__((amdgpu_flat_work_group_size(32, 32))) void handed_round(float *__restrict__ out, const float *__restrict__ a, unsigned char *scratch) {
  float *twice = (float *)scratch;
  unsigned char *odd = (unsigned char *)(scratch + 5120);
  int v1 = (int)__builtin_amdgcn_workgroup_id_x() * 32 + (int)__builtin_amdgcn_workitem_id_x();
  twice[v1] = a[v1] * (float)2LL;
  odd[v1] = (unsigned char)(v1 & 1);
}
extern "C" __global__ __attribute__((amdgpu_flat_work_group_size(32, 32))) void handed_round_phase2(float *__restrict__ out, const float *__restrict__ a, unsigned char *scratch) {
  float *twice = (float *)scratch;
  unsigned char *odd = (unsigned char *)(scratch + 5120);
  int v1 = (int)__builtin_amdgcn_workgroup_id_x() * 32 + (int)__builtin_amdgcn_workitem_id_x();
  out[v1] = twice[1279 - v1] + (float)odd[v1];
}
