// What a C user writes for the kernels of examples/kernels that loops.c has no loop for. Built by kernels_gcc.py.
// Signatures: arrays first, the result last among them, then extents (long), then scalars (float).
#include <math.h>
#include <stdint.h>
#include <string.h>
#define in const float *restrict
#define out_ float *restrict
#define ROWS _Pragma("omp parallel for schedule(static)")

static inline float gelu_of(float v) { return 0.5f * v * (1 + tanhf(0.7978845608028654f * (v + 0.044715f * v * v * v))); }
void fused_elementwise(in x, in a, in b, out_ o, long n) {
#pragma omp parallel for simd schedule(static)
  for (long i = 0; i < n; i++) o[i] = gelu_of(x[i] * a[i] + b[i]);
}

void heat3d(in u, out_ o, long depth, long height, long width, float kappa) {
  long plane = height * width;
  ROWS for (long z = 0; z < depth; z++)
    for (long y = 0; y < height; y++) {
      in p = u + z * plane + y * width;
      out_ q = o + z * plane + y * width;
      if (z == 0 || z == depth - 1 || y == 0 || y == height - 1) {
        memcpy(q, p, width * sizeof(float));
        continue;
      }
      q[0] = p[0];
      for (long x = 1; x < width - 1; x++)
        q[x] = p[x] + kappa * (p[x - plane] + p[x + plane] + p[x - width] + p[x + width] + p[x - 1] + p[x + 1] - 6 * p[x]);
      q[width - 1] = p[width - 1];
    }
}

void nbody(in bodies, out_ o, long n) {
  ROWS for (long i = 0; i < n; i++) {
    in me = bodies + 4 * i;
    float ax = 0, ay = 0, az = 0;
#pragma omp simd reduction(+ : ax, ay, az)
    for (long j = 0; j < n; j++) {
      in b = bodies + 4 * j;
      float dx = b[0] - me[0], dy = b[1] - me[1], dz = b[2] - me[2];
      float near = 1 / sqrtf(dx * dx + dy * dy + dz * dz + 1e-2f), pull = b[3] * near * near * near;
      ax += pull * dx;
      ay += pull * dy;
      az += pull * dz;
    }
    o[3 * i] = ax;
    o[3 * i + 1] = ay;
    o[3 * i + 2] = az;
  }
}

void histogram(const uint8_t *restrict data, int32_t *restrict counts, long n) {
  int32_t sums[256] = {0};
#pragma omp parallel for schedule(static) reduction(+ : sums[:256])
  for (long i = 0; i < n; i++) sums[data[i]]++;
  memcpy(counts, sums, sizeof(sums));
}

void scan(const int32_t *restrict a, int32_t *restrict o, long n) {
  int32_t s = 0;
  for (long i = 0; i < n; i++) o[i] = s += a[i];
}

void compaction(in a, out_ o, long n) {
  long k = 0;
  for (long i = 0; i < n; i++)
    if (a[i] > 0) o[k++] = a[i];
}

void mandelbrot(int32_t *restrict count, long rows, long columns, long steps) {
#pragma omp parallel for schedule(dynamic)
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j++) {
      float pixel = 2.4f / rows, cx = (j - 0.5f * columns) * pixel - 0.6f, cy = (i - 0.5f * rows) * pixel, x = 0, y = 0;
      int32_t n = 0;
      while (n < steps && x * x + y * y <= 4) {
        float next = x * x - y * y + cx;
        y = 2 * x * y + cy;
        x = next;
        n++;
      }
      count[i * columns + j] = n;
    }
}

static inline float normal_of(float x) { return 0.5f * (1 + erff(x * 0.70710678f)); }
void black_scholes(in spot, in strike, in years, out_ prices, long n, float rate, float volatility) {
#pragma omp parallel for simd schedule(static)
  for (long i = 0; i < n; i++) {
    float s = spot[i], k = strike[i], t = years[i], spread = volatility * sqrtf(t);
    float d1 = (logf(s / k) + (rate + volatility * volatility / 2) * t) / spread, d2 = d1 - spread, later = k * expf(-rate * t);
    prices[i] = s * normal_of(d1) - later * normal_of(d2);
    prices[n + i] = later * normal_of(-d2) - s * normal_of(-d1);
  }
}

void spmv_csr(const int32_t *restrict starts, const int32_t *restrict columns, in values, in x, out_ y, long rows) {
  ROWS for (long i = 0; i < rows; i++) {
    float s = 0;
    for (int32_t k = starts[i]; k < starts[i + 1]; k++) s += values[k] * x[columns[k]];
    y[i] = s;
  }
}

void game_of_life(const uint8_t *restrict now, uint8_t *restrict then, long height, long width) {
  ROWS for (long y = 0; y < height; y++) {
    const uint8_t *above = now + (y + height - 1) % height * width, *here = now + y * width, *below = now + (y + 1) % height * width;
    for (long x = 0; x < width; x++) {
      long left = x > 0 ? x - 1 : width - 1, right = x < width - 1 ? x + 1 : 0;
      int alive = above[left] + above[x] + above[right] + here[left] + here[right] + below[left] + below[x] + below[right];
      then[y * width + x] = alive == 3 || (alive == 2 && here[x]);
    }
  }
}

void row_argmax(in a, int32_t *restrict o, long m, long n) {
  ROWS for (long i = 0; i < m; i++) {
    in x = a + i * n;
    long at = 0;
    for (long j = 1; j < n; j++)
      if (x[j] > x[at]) at = j;
    o[i] = at;
  }
}

#ifdef __FLT16_MAX__
void rmsnorm(const _Float16 *restrict a, const _Float16 *restrict g, _Float16 *restrict o, long m, long n, float eps) {
  ROWS for (long i = 0; i < m; i++) {
    const _Float16 *restrict x = a + i * n;
    _Float16 *restrict y = o + i * n;
    float q = 0;
#pragma omp simd reduction(+ : q)
    for (long j = 0; j < n; j++) q += (float)x[j] * (float)x[j];
    float r = 1 / sqrtf(q / n + eps);
    for (long j = 0; j < n; j++) y[j] = (_Float16)((float)x[j] * r * (float)g[j]);
  }
}
#endif
