// row_max(out: f32*, a: f32*)
// 500 x 1 x 1 of groups of 64 x 2 x 1 work items
#define INFf __int_as_float(0x7f800000)
extern "C" __global__ __launch_bounds__(128) void row_max(float *__restrict__ out, const float *__restrict__ a) {
  __shared__ __align__(16) float partial[128];
  float acc;
  acc = -INFf;
  int item_x1 = (int)threadIdx.x;
  int group_x1 = (int)blockIdx.x;
  int item_y1 = (int)threadIdx.y;
  int v1 = item_y1 * 64;
  int v2 = item_x1 + group_x1 * 128 + v1;
  for (int i0 = 0; i0 < 1; ++i0) {
    float a_1 = a[v2 + i0 * 64];
    float acc_1 = acc;
    acc = a_1 != a_1 ? a_1 : acc_1 < a_1 ? a_1 : acc_1;
  }
  int v3 = item_x1 + v1;
  partial[v3] = acc;
  __syncthreads();
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
  __syncthreads();
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
