// vector_add(out: f32*, a: f32*, b: f32*, n: index)
// f(n) x 1 x 1 of groups of 128 x 1 x 1 work items
#define INFf __int_as_float(0x7f800000)
#define INF __longlong_as_double(0x7ff0000000000000LL)
#define NOT_A_NUMBERf __int_as_float(0x7fc00000)
#define NOT_A_NUMBER __longlong_as_double(0x7ff8000000000000LL)
extern "C" __global__ __launch_bounds__(128) void vector_add(float *out, const float *a, const float *b, long long n) {
  int v1 = (int)blockIdx.x * 128 + (int)threadIdx.x;
  if (v1 < (int)n) {
    out[v1] = a[v1] + b[v1];
  }
}
