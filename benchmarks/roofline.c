// The ceilings of a machine, with every CPU that OpenMP may use. Built and run by roofline.py, with OMP_NUM_THREADS set.
// Prints one line for each figure: kind, footprint in bytes (0: does not apply), value in GB/s or GFLOP/s. Each is the best of ROUNDS:
// other load can only lower a ceiling. Needs gcc or clang: vectors are the compiler's, of the width the machine has.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { WIDTH = 64 };
#elif defined(__AVX__)
enum { WIDTH = 32 };
#else
enum { WIDTH = 16 };
#endif
enum { ROUNDS = 7, LANES = WIDTH / 4, BLOCK = 4 * LANES };
typedef float f32v __attribute__((vector_size(WIDTH)));
typedef double f64v __attribute__((vector_size(WIDTH)));

static inline void stream(float *p, f32v v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, (__m512)v);
#elif defined(__AVX__)
  _mm256_stream_ps(p, (__m256)v);
#else
  *(f32v *)p = v;
#endif
}
static inline void keep(float *p, f32v v) { *(f32v *)p = v; }
static inline f32v at(const float *p) { return *(const f32v *)p; }

// One pass over n elements (a multiple of BLOCK) of a, b, c.
#define PASS(NAME, WRITE, VALUE)                                                 \
  static void NAME(float *a, const float *b, const float *c, long n) {           \
    (void)b, (void)c;                                                            \
    for (long i = 0; i < n; i += BLOCK)                                          \
      for (int j = 0; j < 4; j++) { long k = i + j * LANES; WRITE(a + k, VALUE); } \
  }
PASS(copy, keep, at(b + k))
PASS(copy_stream, stream, at(b + k))
PASS(add, keep, at(b + k) + at(c + k))
PASS(add_stream, stream, at(b + k) + at(c + k))
PASS(triad, keep, at(b + k) * 3.0f + at(c + k))
PASS(triad_stream, stream, at(b + k) * 3.0f + at(c + k))
static volatile float sink;
// Reading is fastest with half registers where a full one is 64 bytes (AMD Zen 4: 45 GB/s from memory instead of 33).
enum { HALF = WIDTH / 8 };
typedef float half __attribute__((vector_size(4 * HALF)));
static inline half half_at(const float *p) { return *(const half *)p; }
static void read_(float *a, const float *b, const float *c, long n) {
  (void)b, (void)c;
  half s = {0}, t = s, u = s, v = s, w = s, x = s, y = s, z = s;  // not an array: gcc keeps that in memory
  for (long i = 0; i + 8 * HALF <= n; i += 8 * HALF) {
    const float *p = a + i;
    s += half_at(p), t += half_at(p + HALF), u += half_at(p + 2 * HALF), v += half_at(p + 3 * HALF);
    w += half_at(p + 4 * HALF), x += half_at(p + 5 * HALF), y += half_at(p + 6 * HALF), z += half_at(p + 7 * HALF);
  }
  s += t + u + v + w + x + y + z;
  sink = s[0];
}
typedef void pass(float *, const float *, const float *, long);

static float *allocate(size_t bytes) {
  size_t page = 1 << 21;
  float *p = aligned_alloc(page, (bytes + page - 1) / page * page);
  if (!p) exit(1);
#ifdef MADV_HUGEPAGE
  madvise(p, bytes, MADV_HUGEPAGE);
#endif
  memset(p, 0, bytes);
  return p;
}
static float *arrays[3];

static void bandwidth(const char *name, pass *f, int used, size_t footprint) {
  long threads = omp_get_max_threads(), n = footprint / 4 / used / threads / BLOCK * BLOCK;
  double bytes = 4.0 * n * used * threads, best = 0;
  long repeat = (long)(3e8 / bytes) + 1;
  if (n == 0) return;
  for (int r = 0; r < ROUNDS; r++) {
    double began = 0, ended = 0;
#pragma omp parallel
    {
      long from = n * omp_get_thread_num();
      f(arrays[0] + from, arrays[1] + from, arrays[2] + from, n);
#pragma omp barrier
#pragma omp master
      began = omp_get_wtime();
      for (long q = 0; q < repeat; q++) {
        f(arrays[0] + from, arrays[1] + from, arrays[2] + from, n);
        __asm__ volatile("" ::: "memory");
      }
#pragma omp barrier
#pragma omp master
      ended = omp_get_wtime();
    }
    double v = bytes * repeat / (ended - began) / 1e9;
    if (v > best) best = v;
  }
  printf("%s %zu %.3f\n", name, footprint, best);
  fflush(stdout);
}

// Twelve independent chains of x = x * m + x0: enough for two units of latency four.
#define PEAK(NAME, V, LANES_)                                                                        \
  static void NAME(void) {                                                                           \
    double best = 0;                                                                                 \
    const long trips = 4000000;                                                                      \
    for (int r = 0; r < ROUNDS; r++) {                                                               \
      double began = 0, ended = 0;                                                                   \
      _Pragma("omp parallel") {                                                                      \
        V m = {0}, a = m, b = m, c = m, d = m, e = m, f = m, g = m, h = m, i = m, j = m, k = m, l = m; \
        m += 0.5;                                                                                    \
        _Pragma("omp barrier") _Pragma("omp master") began = omp_get_wtime();                        \
        for (long t = 0; t < trips; t++) {                                                           \
          a = a * m + m; b = b * m + m; c = c * m + m; d = d * m + m; e = e * m + m; f = f * m + m;  \
          g = g * m + m; h = h * m + m; i = i * m + m; j = j * m + m; k = k * m + m; l = l * m + m;  \
          __asm__ volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f));               \
          __asm__ volatile("" : "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l));               \
        }                                                                                            \
        _Pragma("omp barrier") _Pragma("omp master") ended = omp_get_wtime();                        \
        a += b + c + d + e + f + g + h + i + j + k + l;                                              \
        sink = (float)a[0];                                                                          \
      }                                                                                              \
      double v = 24.0 * (LANES_)*trips * omp_get_max_threads() / (ended - began) / 1e9;              \
      if (v > best) best = v;                                                                        \
    }                                                                                                \
    printf("%s 0 %.2f\n", #NAME, best);                                                              \
    fflush(stdout);                                                                                  \
  }
PEAK(fma_f32, f32v, WIDTH / 4)
PEAK(fma_f64, f64v, WIDTH / 8)

int main(int argc, char **argv) {
  fma_f32();
  fma_f64();
  size_t most = 0;
  for (int i = 1; i < argc; i++)
    if (strtoull(argv[i], 0, 10) > most) most = strtoull(argv[i], 0, 10);
  for (int i = 0; i < 3; i++) arrays[i] = allocate(most + (1 << 21));
  for (int i = 1; i < argc; i++) {
    size_t bytes = strtoull(argv[i], 0, 10);
    bandwidth("read", read_, 1, bytes);
    bandwidth("copy", copy, 2, bytes);
    bandwidth("copy_stream", copy_stream, 2, bytes);
    bandwidth("add", add, 3, bytes);
    bandwidth("add_stream", add_stream, 3, bytes);
    bandwidth("triad", triad, 3, bytes);
    bandwidth("triad_stream", triad_stream, 3, bytes);
  }
  return 0;
}
