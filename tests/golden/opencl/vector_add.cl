// vector_add(out: f32*, a: f32*, b: f32*, n: index)
// ((n + 127) >> 7) x 1 x 1 of groups of 128 x 1 x 1 work items
#pragma OPENCL FP_CONTRACT OFF
__kernel __attribute__((reqd_work_group_size(128, 1, 1))) void vector_add(__global float *out, const __global float *a, const __global float *b, long n) {
  long v1 = (long)get_group_id(0) * 128 + (long)get_local_id(0);
  if (v1 < n) {
    out[v1] = a[v1] + b[v1];
  }
}
