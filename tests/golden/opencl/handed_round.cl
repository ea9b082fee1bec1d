// handed_round(out: f32*, a: f32*)
// 40 x 1 x 1 of groups of 32 x 1 x 1 work items, in 2 phases, each behind the one before; 6400 bytes of scratch
#pragma OPENCL FP_CONTRACT OFF
__kernel __attribute__((reqd_work_group_size(32, 1, 1))) void handed_round(__global float *restrict out, const __global float *restrict a, __global uchar *scratch) {
  __global float *twice = (__global float *)scratch;
  __global uchar *odd = (__global uchar *)(scratch + 5120);
  long v1 = (long)get_group_id(0) * 32 + (long)get_local_id(0);
  twice[v1] = a[v1] * (float)2L;
  odd[v1] = (uchar)(v1 & 1);
}
__kernel __attribute__((reqd_work_group_size(32, 1, 1))) void handed_round_phase2(__global float *restrict out, const __global float *restrict a, __global uchar *scratch) {
  __global float *twice = (__global float *)scratch;
  __global uchar *odd = (__global uchar *)(scratch + 5120);
  long v1 = (long)get_group_id(0) * 32 + (long)get_local_id(0);
  out[v1] = twice[1279 - v1] + (float)odd[v1];
}
