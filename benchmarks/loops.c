// What a C user writes for each workload: plain loops with OpenMP. Built by peer_gcc.py.
// Signatures: arrays first, the result last among them, then extents (long), then scalars (float).
#include <math.h>
#include <stdint.h>
#define in const float *restrict
#define out_ float *restrict
#define ROWS _Pragma("omp parallel for schedule(static)")
#define ELEMENTS _Pragma("omp parallel for simd schedule(static)")

__attribute__((noinline)) void add_small(in a, in b, out_ o, long n) {
  for (long i = 0; i < n; i++) o[i] = a[i] + b[i];
}
void add(in a, in b, out_ o, long n) { ELEMENTS for (long i = 0; i < n; i++) o[i] = a[i] + b[i]; }
void saxpy(in a, in b, out_ o, long n, float s) { ELEMENTS for (long i = 0; i < n; i++) o[i] = s * a[i] + b[i]; }
void chain(in a, in b, in c, in d, out_ o, long n) {
  ELEMENTS for (long i = 0; i < n; i++) {
    float v = a[i] * b[i] + c[i];
    o[i] = (v > 0 ? v : 0) * d[i];
  }
}
static inline float gelu_of(float v) { return 0.5f * v * (1 + tanhf(0.7978845608028654f * (v + 0.044715f * v * v * v))); }
void map_exp(in a, out_ o, long n) { ELEMENTS for (long i = 0; i < n; i++) o[i] = expf(a[i]); }
void map_tanh(in a, out_ o, long n) { ELEMENTS for (long i = 0; i < n; i++) o[i] = tanhf(a[i]); }
void map_sin(in a, out_ o, long n) { ELEMENTS for (long i = 0; i < n; i++) o[i] = sinf(a[i]); }
void map_gelu(in a, out_ o, long n) { ELEMENTS for (long i = 0; i < n; i++) o[i] = gelu_of(a[i]); }

void sum(in a, out_ o, long n) {
  float s = 0;
#pragma omp parallel for simd reduction(+ : s)
  for (long i = 0; i < n; i++) s += a[i];
  *o = s;
}
void dot(in a, in b, out_ o, long n) {
  float s = 0;
#pragma omp parallel for simd reduction(+ : s)
  for (long i = 0; i < n; i++) s += a[i] * b[i];
  *o = s;
}
static float row_max(in x, long n) {
  float m = x[0];
#pragma omp simd reduction(max : m)
  for (long j = 0; j < n; j++) m = x[j] > m ? x[j] : m;
  return m;
}
void softmax(in a, out_ o, long m, long n) {
  ROWS for (long i = 0; i < m; i++) {
    const float *restrict x = a + i * n;
    float *restrict y = o + i * n, top = row_max(x, n), s = 0;
#pragma omp simd reduction(+ : s)
    for (long j = 0; j < n; j++) { y[j] = expf(x[j] - top); s += y[j]; }
    s = 1 / s;
    for (long j = 0; j < n; j++) y[j] *= s;
  }
}
void layernorm(in a, in g, in h, out_ o, long m, long n, float eps) {
  ROWS for (long i = 0; i < m; i++) {
    const float *restrict x = a + i * n;
    float *restrict y = o + i * n, s = 0, q = 0;
#pragma omp simd reduction(+ : s)
    for (long j = 0; j < n; j++) s += x[j];
    s /= n;
#pragma omp simd reduction(+ : q)
    for (long j = 0; j < n; j++) q += (x[j] - s) * (x[j] - s);
    float r = 1 / sqrtf(q / n + eps);
    for (long j = 0; j < n; j++) y[j] = (x[j] - s) * r * g[j] + h[j];
  }
}
void rmsnorm(in a, in g, out_ o, long m, long n, float eps) {
  ROWS for (long i = 0; i < m; i++) {
    const float *restrict x = a + i * n;
    float *restrict y = o + i * n, q = 0;
#pragma omp simd reduction(+ : q)
    for (long j = 0; j < n; j++) q += x[j] * x[j];
    float r = 1 / sqrtf(q / n + eps);
    for (long j = 0; j < n; j++) y[j] = x[j] * r * g[j];
  }
}
void argmax(in a, int64_t *restrict o, long m, long n) {
  ROWS for (long i = 0; i < m; i++) {
    const float *restrict x = a + i * n;
    float top = row_max(x, n);
    long j = 0;
    while (x[j] != top) j++;
    o[i] = j;
  }
}
void gemv(in a, in b, out_ o, long m, long k) {
  ROWS for (long i = 0; i < m; i++) {
    float s = 0;
#pragma omp simd reduction(+ : s)
    for (long j = 0; j < k; j++) s += a[i * k + j] * b[j];
    o[i] = s;
  }
}
#define PRODUCT(NAME, T)                                                                            \
  static void NAME##_row(const T *restrict a, const T *restrict b, T *restrict o, long n, long k) { \
    for (long q = 0; q < k; q++)                                                                    \
      for (long j = 0; j < n; j++) o[j] += a[q] * b[q * n + j];                                     \
  }                                                                                                 \
  void NAME(const T *restrict a, const T *restrict b, T *restrict o, long m, long n, long k) {      \
    ROWS for (long i = 0; i < m; i++) {                                                             \
      for (long j = 0; j < n; j++) o[i * n + j] = 0;                                                \
      NAME##_row(a + i * k, b, o + i * n, n, k);                                                    \
    }                                                                                               \
  }
PRODUCT(gemm_f32, float)
PRODUCT(gemm_f64, double)
void bmm(in a, in b, out_ o, long h, long m, long n, long k) {
  ROWS for (long r = 0; r < h * m; r++) {
    for (long j = 0; j < n; j++) o[r * n + j] = 0;
    gemm_f32_row(a + r * k, b + r / m * k * n, o + r * n, n, k);
  }
}
void linear_gelu(in a, in b, in c, out_ o, long m, long n, long k) {
  ROWS for (long i = 0; i < m; i++) {
    for (long j = 0; j < n; j++) o[i * n + j] = c[j];
    gemm_f32_row(a + i * k, b, o + i * n, n, k);
    for (long j = 0; j < n; j++) o[i * n + j] = gelu_of(o[i * n + j]);
  }
}
void conv2d(in a, in w, out_ o, long batch, long channels, long outputs, long s) {
  ROWS for (long t = 0; t < batch * outputs; t++) {
    const float *restrict image = a + t / outputs * channels * s * s, *restrict f = w + t % outputs * channels * 9;
    float *restrict y = o + t * s * s;
    for (long i = 0; i < s * s; i++) y[i] = 0;
    for (long c = 0; c < channels; c++)
      for (long u = 0; u < 3; u++)
        for (long v = 0; v < 3; v++)
          for (long i = u == 0; i < (u == 2 ? s - 1 : s); i++)
            for (long j = v == 0; j < (v == 2 ? s - 1 : s); j++)
              y[i * s + j] += f[(c * 3 + u) * 3 + v] * image[(c * s + i + u - 1) * s + j + v - 1];
  }
}
void transpose(in a, out_ o, long m, long n) {
  enum { B = 32 };
#pragma omp parallel for collapse(2) schedule(static)
  for (long bi = 0; bi < n; bi += B)
    for (long bj = 0; bj < m; bj += B)
      for (long i = bi; i < (bi + B < n ? bi + B : n); i++)
        for (long j = bj; j < (bj + B < m ? bj + B : m); j++) o[i * m + j] = a[j * n + i];
}
void stencil(in a, out_ o, long m, long n) {
  ROWS for (long i = 1; i < m - 1; i++)
    for (long j = 1; j < n - 1; j++) {
      const float *x = a + i * n + j;
      o[i * n + j] = 0.25f * (x[-n] + x[n] + x[-1] + x[1]) - x[0];
    }
}

// For latency.py and for the time without Python: k calls from native code.
void repeat_add(in a, in b, float *o, long n, long k) {
  for (long i = 0; i < k; i++) {
    add_small(a, b, o, n);
    __asm__ volatile("" ::: "memory");
  }
}
typedef void kernel(void **, int64_t, int64_t, void *, void *);
void repeat_kernel(kernel *f, void **args, long k) {
  for (long i = 0; i < k; i++) f(args, 0, 0, 0, 0);
}
