// kernel 'reversed_in_groups': f32* out (out), f32* a (in), index _grid_x in [0, 2147483647], index _grid_y in [0, 2147483647], index _grid_z in [0, 2147483647]
// launch: 1 share(s) of work, 1 phase(s): every core has finished one before any starts the next
// ABI: void entry(args, core, phase, shared, scratch); args: 8 bytes for each argument, in this order

#define INLINE static inline __attribute__((always_inline))
INLINE long long min_i64(long long a, long long b) { return a < b ? a : b; }
typedef float f32x8 __attribute__((vector_size(32)));
INLINE f32x8 load_f32x8(const float *p) { f32x8 v; __builtin_memcpy(&v, p, sizeof v); return v; }
INLINE void store_f32x8(float *p, f32x8 v) { __builtin_memcpy(p, &v, 32); }
INLINE f32x8 reverse_f32x8(f32x8 v) { return __builtin_shufflevector(v, v, 7, 6, 5, 4, 3, 2, 1, 0); }
static void reversed_in_groups(float *out, const float *a, long long grid_x, long long grid_y, long long grid_z, long long core, char *shared, char *scratch) {
  float *restrict tile = (float *)(scratch);
  long long v1 = grid_z * (grid_x * grid_y);
  long long v2 = core * v1;
  long long v3 = grid_x == 0 ? 1LL : grid_x;
  long long stop1 = min_i64(v2 + v1, v1);
  for (long long i0 = v2; i0 < stop1; ++i0) {
    long long v4 = i0 % v3 * 16;
    long long v5 = v4 + 8;
    f32x8 v6 = load_f32x8(a + v5);
    store_f32x8(tile, load_f32x8(a + v4));
    store_f32x8(tile + 8, v6);
    f32x8 v7 = reverse_f32x8(load_f32x8(tile + 7 - 7));
    store_f32x8(out + v4, reverse_f32x8(load_f32x8(tile + 15 - 7)));
    store_f32x8(out + v5, v7);
  }
}

void entry(const long long *args, long long core, long long phase, char *shared, char *scratch) {
  reversed_in_groups((float *)args[0], (float *)args[1], *(const long long *)&args[2], *(const long long *)&args[3], *(const long long *)&args[4], core, shared, scratch);
}

void reach(const long long *args, long long *out) {
  long long grid_x = *(const long long *)&args[2];
  long long grid_y = *(const long long *)&args[3];
  long long grid_z = *(const long long *)&args[4];
  long long v1 = (0 < grid_x) & (0 < grid_y) & (0 < grid_z) ? grid_x * 16 : 0LL;
  long long v2 = grid_z * (grid_x * grid_y) * 13;
  out[0] = v1;
  out[1] = v1;
  out[2] = v2;
}
