// kernel 'vector_add': f32* out (out), f32* a (in), f32* b (in)
// launch: 1 share(s) of work, 1 phase(s): every core has finished one before any starts the next
// ABI: void entry(args, core, phase, shared, scratch); args: 8 bytes for each argument, in this order

#define INLINE static inline __attribute__((always_inline))
typedef float f32x8 __attribute__((vector_size(32)));
INLINE f32x8 load_f32x8(const float *p) { f32x8 v; __builtin_memcpy(&v, p, sizeof v); return v; }
INLINE void store_f32x8(float *p, f32x8 v) { __builtin_memcpy(p, &v, 32); }
static void vector_add(float *restrict out, const float *restrict a, const float *restrict b, long long core, char *shared, char *scratch) {
  for (long long i0_0 = 0; i0_0 < 31; ++i0_0) {
    long long v1 = i0_0 * 32;
    store_f32x8(out + v1, load_f32x8(a + v1) + load_f32x8(b + v1));
    long long v2 = v1 + 8;
    store_f32x8(out + v2, load_f32x8(a + v2) + load_f32x8(b + v2));
    long long v3 = v1 + 16;
    store_f32x8(out + v3, load_f32x8(a + v3) + load_f32x8(b + v3));
    long long v4 = v1 + 24;
    store_f32x8(out + v4, load_f32x8(a + v4) + load_f32x8(b + v4));
  }
  store_f32x8(out + 992, load_f32x8(a + 992) + load_f32x8(b + 992));
}

void entry(const long long *args, long long core, long long phase, char *shared, char *scratch) {
  vector_add((float *)args[0], (float *)args[1], (float *)args[2], core, shared, scratch);
}

void reach(const long long *args, long long *out) {
  out[0] = 1000LL;
  out[1] = 1000LL;
  out[2] = 1000LL;
  out[3] = 500LL;
}
