// row_max(out: f32*, a: f32*)
// 8 x 1 x 1 of groups of 128 x 1 x 1 work items
#pragma OPENCL FP_CONTRACT OFF
#define INFf as_float(0x7f800000)
#define INF as_double(0x7ff0000000000000UL)
#define NOT_A_NUMBERf as_float(0x7fc00000)
#define NOT_A_NUMBER as_double(0x7ff8000000000000UL)
__kernel __attribute__((reqd_work_group_size(128, 1, 1))) void row_max(__global float *restrict out, const __global float *restrict a) {
  float acc;
  long v1 = (long)get_group_id(0);
  long v2 = (long)get_local_id(0);
  long v3 = v1 * 128 + v2;
  if (v3 < 1000) {
    acc = -INFf;
    long v4 = v1 * 8192 + v2 * 64;
    for (long i1 = 0; i1 < 64; ++i1) {
      float a_1 = a[v4 + i1];
      float acc_1 = acc;
      acc = a_1 != a_1 ? a_1 : acc_1 < a_1 ? a_1 : acc_1;
    }
    out[v3] = acc;
  }
}
