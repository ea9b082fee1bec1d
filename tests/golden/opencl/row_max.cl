// row_max(out: f32*, a: f32*)
// 500 x 1 x 1 of groups of 64 x 2 x 1 work items
#pragma OPENCL FP_CONTRACT OFF
#define INFf as_float(0x7f800000)
__kernel __attribute__((reqd_work_group_size(64, 2, 1))) void row_max(__global float *restrict out, const __global float *restrict a) {
  __local float partial[128];
  float acc;
  acc = -INFf;
  long item_x1 = (long)get_local_id(0);
  long group_x1 = (long)get_group_id(0);
  long item_y1 = (long)get_local_id(1);
  long v1 = item_y1 * 64;
  long v2 = item_x1 + group_x1 * 128 + v1;
  for (long i0 = 0; i0 < 1; ++i0) {
    float a_1 = a[v2 + i0 * 64];
    float acc_1 = acc;
    acc = a_1 != a_1 ? a_1 : acc_1 < a_1 ? a_1 : acc_1;
  }
  long v3 = item_x1 + v1;
  partial[v3] = acc;
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  if (item_x1 < 8) {
    float partial_1 = partial[v3];
    float partial_2 = partial[v3 + 8];
    float partial_3 = partial[v3 + 16];
    float partial_4 = partial[v3 + 24];
    float partial_5 = partial[v3 + 32];
    float partial_6 = partial[v3 + 40];
    float partial_7 = partial[v3 + 48];
    float partial_8 = partial[v3 + 56];
    float v4 = partial_2 != partial_2 ? partial_2 : partial_1 < partial_2 ? partial_2 : partial_1;
    float v5 = partial_3 != partial_3 ? partial_3 : v4 < partial_3 ? partial_3 : v4;
    float v6 = partial_4 != partial_4 ? partial_4 : v5 < partial_4 ? partial_4 : v5;
    float v7 = partial_5 != partial_5 ? partial_5 : v6 < partial_5 ? partial_5 : v6;
    float v8 = partial_6 != partial_6 ? partial_6 : v7 < partial_6 ? partial_6 : v7;
    float v9 = partial_7 != partial_7 ? partial_7 : v8 < partial_7 ? partial_7 : v8;
    partial[v3] = partial_8 != partial_8 ? partial_8 : v9 < partial_8 ? partial_8 : v9;
  }
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  float partial_9 = partial[v1];
  float partial_10 = partial[v1 + 1];
  float partial_11 = partial[v1 + 2];
  float partial_12 = partial[v1 + 3];
  float partial_13 = partial[v1 + 4];
  float partial_14 = partial[v1 + 5];
  float partial_15 = partial[v1 + 6];
  float partial_16 = partial[v1 + 7];
  if (item_x1 == 0) {
    float v10 = partial_10 != partial_10 ? partial_10 : partial_9 < partial_10 ? partial_10 : partial_9;
    float v11 = partial_11 != partial_11 ? partial_11 : v10 < partial_11 ? partial_11 : v10;
    float v12 = partial_12 != partial_12 ? partial_12 : v11 < partial_12 ? partial_12 : v11;
    float v13 = partial_13 != partial_13 ? partial_13 : v12 < partial_13 ? partial_13 : v12;
    float v14 = partial_14 != partial_14 ? partial_14 : v13 < partial_14 ? partial_14 : v13;
    float v15 = partial_15 != partial_15 ? partial_15 : v14 < partial_15 ? partial_15 : v14;
    out[group_x1 * 2 + item_y1] = partial_16 != partial_16 ? partial_16 : v15 < partial_16 ? partial_16 : v15;
  }
}
