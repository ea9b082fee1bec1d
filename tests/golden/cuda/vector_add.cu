// vector_add(out: f32*, a: f32*, b: f32*, n: index)
// ((n + 127) >> 7) x 1 x 1 of groups of 128 x 1 x 1 work items
extern "C" __global__ __launch_bounds__(128) void vector_add(float *out, const float *a, const float *b, long long n) {
  int v1 = (int)blockIdx.x * 128 + (int)threadIdx.x;
  if (v1 < (int)n) {
    out[v1] = a[v1] + b[v1];
  }
}
