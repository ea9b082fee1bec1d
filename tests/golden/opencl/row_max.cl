// row_max(out: f32*, a: f32*)
// 500 x 1 x 1 of groups of 64 x 2 x 1 work items
#pragma OPENCL FP_CONTRACT OFF
#define INFf as_float(0x7f800000)
__kernel __attribute__((reqd_work_group_size(64, 2, 1))) void row_max(__global float *restrict out, const __global float *restrict a) {
  __local float partial[128];
  float acc;
  acc = -INFf;
  long v1 = (long)get_local_id(0);
  long v2 = (long)get_group_id(0);
  long v3 = (long)get_local_id(1);
  long v4 = v3 * 64;
  long v5 = v1 + v2 * 128 + v4;
  for (long i0 = 0; i0 < 1; ++i0) {
    float a_1 = a[v5 + i0 * 64];
    float acc_1 = acc;
    acc = a_1 != a_1 ? a_1 : acc_1 < a_1 ? a_1 : acc_1;
  }
  long v6 = v1 + v4;
  partial[v6] = acc;
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  if (v1 < 8) {
    float partial_1 = partial[v6];
    float partial_2 = partial[v6 + 8];
    float partial_3 = partial[v6 + 16];
    float partial_4 = partial[v6 + 24];
    float partial_5 = partial[v6 + 32];
    float partial_6 = partial[v6 + 40];
    float partial_7 = partial[v6 + 48];
    float partial_8 = partial[v6 + 56];
    float v7 = partial_2 != partial_2 ? partial_2 : partial_1 < partial_2 ? partial_2 : partial_1;
    float v8 = partial_3 != partial_3 ? partial_3 : v7 < partial_3 ? partial_3 : v7;
    float v9 = partial_4 != partial_4 ? partial_4 : v8 < partial_4 ? partial_4 : v8;
    float v10 = partial_5 != partial_5 ? partial_5 : v9 < partial_5 ? partial_5 : v9;
    float v11 = partial_6 != partial_6 ? partial_6 : v10 < partial_6 ? partial_6 : v10;
    float v12 = partial_7 != partial_7 ? partial_7 : v11 < partial_7 ? partial_7 : v11;
    partial[v6] = partial_8 != partial_8 ? partial_8 : v12 < partial_8 ? partial_8 : v12;
  }
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  float partial_9 = partial[v4];
  float partial_10 = partial[v4 + 1];
  float partial_11 = partial[v4 + 2];
  float partial_12 = partial[v4 + 3];
  float partial_13 = partial[v4 + 4];
  float partial_14 = partial[v4 + 5];
  float partial_15 = partial[v4 + 6];
  float partial_16 = partial[v4 + 7];
  if (v1 == 0) {
    float v13 = partial_10 != partial_10 ? partial_10 : partial_9 < partial_10 ? partial_10 : partial_9;
    float v14 = partial_11 != partial_11 ? partial_11 : v13 < partial_11 ? partial_11 : v13;
    float v15 = partial_12 != partial_12 ? partial_12 : v14 < partial_12 ? partial_12 : v14;
    float v16 = partial_13 != partial_13 ? partial_13 : v15 < partial_13 ? partial_13 : v15;
    float v17 = partial_14 != partial_14 ? partial_14 : v16 < partial_14 ? partial_14 : v16;
    float v18 = partial_15 != partial_15 ? partial_15 : v17 < partial_15 ? partial_15 : v17;
    out[v2 * 2 + v3] = partial_16 != partial_16 ? partial_16 : v18 < partial_16 ? partial_16 : v18;
  }
}
